/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * opt_curve.h - exact `opt` for up to OPT_CURVE_SIZES memory sizes in one pass, and one before that
 * looks which reference to each contents is the last.
 *
 * Lanes. Between one reference of contents and their next lies an interval, the references in
 * between. A memory of m frames that keeps them has one frame fewer during these, and one is in use;
 * so at no reference it keeps more than m - 1. Belady's rule, whoever is used last goes, keeps exactly
 * those that are kept if the intervals are taken by the time they end, each if it still fits:
 *
 *  - Dropped: look at the last time within interval i that one which ends no later than i is
 *    dropped (i itself is, some time). m - 1 others that end sooner stay then, for good: their drop
 *    would be later still. So i does not fit.
 *  - Does not fit: some time, m - 1 that end sooner and stay for good overlap i. When the last of
 *    all these m has begun they fill the memory with the page in use, and i ends last: it goes.
 *
 * To fit is to find an idle one of m - 1 lanes, if each is given to the interval that begins
 * soonest after it was freed: no other way gets more of them in. Lanes of a memory are lanes of
 * every larger one, and so, with a class for each size asked, all sizes are served at once
 * (idle_lanes.h): the class of the lane that an interval gets is the smallest size that keeps it.
 * It is found when the interval ends, by what has been: only the following needs to know the future.
 *
 * Idle frames. Contents never used again are a frame for the taking, after those that are empty;
 * which of them goes, the one used longest ago, matters only to what is written back. Every size
 * has its own heap of such: a miss takes one from it, if it has any, and the last use of contents
 * adds one. Each of these is in all memories from some size on, too. As the memories take the
 * oldest, those of the older are the larger; so the sizes alone are kept, as counts, and whose
 * they are follows from the order of age.
 */
#ifndef REPLAY_OPT_CURVE_H
#define REPLAY_OPT_CURVE_H

#include <stdint.h>

#include <faultline/err.h>

#include "depth_counts.h"

#define OPT_CURVE_SIZES 254u

struct opt_curve;

/** opt_curve_new - @frames: @n sizes, ascending, all different, > 0. FL_ENOMEM. */
int opt_curve_new(struct opt_curve **out, const uint32_t *frames, uint32_t n, struct fl_err *err);
void opt_curve_free(struct opt_curve *curve); /* NULL is fine */

/* The first time: the same references, and contents that cease to exist. FL_ENOMEM. */
int opt_curve_look(struct opt_curve *curve, const uint32_t *contents, uint32_t n,
                   struct fl_err *err);
void opt_curve_look_gone(struct opt_curve *curve, uint32_t contents);

/** opt_curve_refs - the next references, the second time. FL_ENOMEM. */
int opt_curve_refs(struct opt_curve *curve, const struct curve_refs *refs, struct fl_err *err);
/** opt_curve_gone - @contents cease to exist, the second time. */
void opt_curve_gone(struct opt_curve *curve, uint32_t contents);
/** opt_curve_end - after the last reference, before the first opt_curve_at(). FL_ENOMEM. */
int opt_curve_end(struct opt_curve *curve, struct fl_err *err);
/** opt_curve_most - the largest of its sizes. */
uint32_t opt_curve_most(const struct opt_curve *curve);
/** opt_curve_at - the counts of a memory of @frames, one of the sizes, with unlimited swap. */
struct curve_point opt_curve_at(const struct opt_curve *curve, uint32_t frames);

#endif
