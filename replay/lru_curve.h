/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * lru_curve.h - exact LRU for every memory size in one pass.
 *
 * Mattson's stack distances: a reference at distance d misses in every memory
 * below d frames. The stack is a bitmap over time slots, a set bit for each
 * contents' last use, with a Fenwick tree of the words' popcounts; slots are
 * renumbered when they run out, so space follows the contents alive, not the
 * trace. Contents that cease to exist leave a hole, an empty frame that the next
 * miss above it fills: see lru_curve.c.
 */
#ifndef REPLAY_LRU_CURVE_H
#define REPLAY_LRU_CURVE_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/err.h>

struct lru_curve;

struct lru_curve_point {
    uint64_t minor, major, swap_in, swap_out;
};

int lru_curve_new(struct lru_curve **out, struct fl_err *err);
void lru_curve_free(struct lru_curve *curve); /* NULL is fine */

/**
 * lru_curve_ref - one reference. @swapped: these contents go to swap, not to a file.
 * @fault: a fault even if resident (first touch through a mapping). FL_ENOMEM.
 */
int lru_curve_ref(struct lru_curve *curve, uint32_t contents, bool write, bool fault, bool swapped,
                  struct fl_err *err);
/** lru_curve_distance - the stack distance of the last reference; 0: its contents were new. */
uint32_t lru_curve_distance(const struct lru_curve *curve);
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
/** lru_curve_end - after the last reference, before the first lru_curve_at(). */
void lru_curve_end(struct lru_curve *curve);
/** lru_curve_at - the counts of an LRU memory of @frames with unlimited swap. */
struct lru_curve_point lru_curve_at(const struct lru_curve *curve, uint64_t frames);

#endif
