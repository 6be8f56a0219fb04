/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * slab_follow.h - slabs of a real kernel, by the addresses of objects that it hands out and takes.
 *
 * A slab lies on a multiple of its own length, so an object's address names its slab. What is not in
 * the addresses is decided by SLUB's rules (slab.h): when an empty slab is given back, on which list
 * a slab waits. Whether a slab that appears is a new one or one that was partly used before is seen
 * from how many of its objects are handed out in a row: all of them, of a new one.
 */
#ifndef REPLAY_SLAB_FOLLOW_H
#define REPLAY_SLAB_FOLLOW_H

#include <faultline/kernel_slab.h>

#include "slab_info.h"

struct slab_follow;

/** slab_follow_new - one cache for each row of @info, with its number. NULL: out of memory. */
struct slab_follow *slab_follow_new(const struct slab_info *info, uint32_t cpus);
void slab_follow_free(struct slab_follow *f); /* NULL is fine */

/** slab_follow_alloc - @cpu got the object at @ptr of @cache. FL_ENOMEM. */
int slab_follow_alloc(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint64_t ptr,
                      struct fl_err *err);

/**
 * slab_follow_release - @cpu gave the object at @ptr back.
 * @cache: of which it is; in SLAB_NONE: not told; out: the one found.
 * @*known: false when nothing is known of a slab there; the object is remembered in case one will be.
 * Errors: FL_ENOMEM.
 */
int slab_follow_release(struct slab_follow *f, uint32_t *cache, uint32_t cpu, uint64_t ptr,
                        bool *known, struct fl_err *err);

/**
 * slab_follow_end - what @cache has come to, into the members of @row that no event tells alone.
 * Once, at the end of the events.
 */
void slab_follow_end(struct slab_follow *f, uint32_t cache, struct fl_slab_row *row);

#endif
