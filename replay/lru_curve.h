/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * lru_curve.h - exact LRU for every memory size in one pass.
 *
 * Mattson's stack distances: a reference at distance d misses in every memory
 * below d frames. The stack is a set of time slots (slot_ranks.h), one for each
 * contents' last use; slots are renumbered when they run out, so space follows the
 * contents alive, not the trace. Contents that cease to exist leave a hole, an empty
 * frame that the next miss above it fills: see lru_curve.c.
 */
#ifndef REPLAY_LRU_CURVE_H
#define REPLAY_LRU_CURVE_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/err.h>

#include "depth_counts.h"

struct lru_curve;

int lru_curve_new(struct lru_curve **out, struct fl_err *err);
void lru_curve_free(struct lru_curve *curve); /* NULL is fine */

/**
 * lru_curve_refs - the next references. @distance: the stack distance of each; 0: its contents
 * were new. FL_ENOMEM. Cost: some 10 ns a reference, of which the histogram's and the contents'
 * cache misses are most.
 */
int lru_curve_refs(struct lru_curve *curve, const struct curve_refs *refs, uint32_t *distance,
                   struct fl_err *err);
/**
 * lru_curve_reorder - the latest @n references were to these contents, all different; from here on
 * the stack is as if they had been made in the order of @contents.
 *
 * So a stretch that touches no more than m different contents takes one reference each, at the
 * first touch, and this, with the order of the last: the touches between have a depth of at most m,
 * and the counts for memories of m frames and more are exact.
 */
void lru_curve_reorder(struct lru_curve *curve, const uint32_t *contents, uint32_t n);
/** lru_curve_gone - @contents cease to exist. */
int lru_curve_gone(struct lru_curve *curve, uint32_t contents, struct fl_err *err);
/** lru_curve_end - after the last reference, before the first lru_curve_at(). FL_ENOMEM. */
int lru_curve_end(struct lru_curve *curve, struct fl_err *err);
/** lru_curve_at - the counts of an LRU memory of @frames with unlimited swap. Cost: O(1). */
struct curve_point lru_curve_at(const struct lru_curve *curve, uint64_t frames);

#endif
