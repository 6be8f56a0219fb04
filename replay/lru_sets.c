/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "lru_sets.h"

#define NUMBER_BITS 52u /* of a 64-bit address without its 12 lowest */

#define LINE_BYTES 64u

static bool words_init(struct lru_sets *s)
{
    s->order = malloc(s->sets * sizeof *s->order);
    s->stride_bits = (uint32_t)__builtin_ctz(s->stride);
    s->last_shift = 4 * (s->ways - 1);
    s->used = UINT64_MAX >> (60 - s->last_shift);
    for (uint32_t set = 0; s->order && set < s->sets; set++)
        s->order[set] = UINT64_C(0xfedcba9876543210);
    return s->order;
}

static bool stamps_init(struct lru_sets *s)
{
    uint32_t entries = s->sets * s->stride;
    size_t bytes = (entries * sizeof *s->stamp + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    s->stamp = aligned_alloc(LINE_BYTES, bytes);
    if (!s->stamp)
        return false;
    for (uint32_t e = 0; e < entries; e++) {
        uint32_t way = e % s->stride;
        s->stamp[e] = way < s->ways ? LRU_STAMP_EMPTY | way : LRU_STAMP_END;
    }
    s->now = LRU_STAMP_EMPTY + LRU_STAMPED_MAX;
    return true;
}

static bool rings_init(struct lru_sets *s)
{
    uint32_t entries = s->sets * s->ways;
    s->next = malloc(entries * sizeof *s->next);
    s->prev = malloc(entries * sizeof *s->prev);
    s->first = malloc(s->sets * sizeof *s->first);
    if (!s->next || !s->prev || !s->first)
        return false;
    for (uint32_t e = 0; e < entries; e++) {
        s->next[e] = (uint16_t)((e + 1) % s->ways ? e + 1 : e + 1 - s->ways);
        s->prev[s->next[e]] = (uint16_t)e;
    }
    for (uint32_t i = 0; i < s->sets; i++)
        s->first[i] = (uint16_t)(i * s->ways);
    return true;
}

/* The smallest power of two that @ways fit into. */
static uint32_t power_of(uint32_t ways)
{
    return ways > 1 ? 1u << (32 - __builtin_clz(ways - 1)) : 1;
}

bool lru_sets_init(struct lru_sets *s, uint32_t entries, uint32_t ways)
{
    bool few = ways <= LRU_WORD_MAX;
    *s = (struct lru_sets){ .sets = entries / ways, .ways = ways };
    s->stride = few ? power_of(ways) : (ways + 3) / 4 * 4;
    bool fits = ways <= LRU_STAMPED_MAX && s->sets * s->stride <= UINT16_MAX + 1u;
    if (!fits)
        s->stride = ways;
    /* number % sets is exact while the error, below sets, times number is below 2^64 */
    s->inverse = UINT64_MAX / s->sets + 1;
    s->divide = (s->sets & (s->sets - 1)) && s->sets > 1u << (64 - NUMBER_BITS);
    s->key = malloc(s->sets * s->stride * sizeof *s->key);
    if (!s->key || !(!fits ? rings_init(s) : few ? words_init(s) : stamps_init(s))) {
        lru_sets_fini(s);
        return false;
    }
    lru_sets_clear(s);
    return true;
}

void lru_sets_fini(struct lru_sets *s)
{
    free(s->key);
    free(s->order);
    free(s->stamp);
    free(s->next);
    free(s->prev);
    free(s->first);
    *s = (struct lru_sets){ 0 };
}

/* Where all are empty, any order puts them before what comes. */
void lru_sets_clear(struct lru_sets *s)
{
    memset(s->key, 0xff, s->sets * s->stride * sizeof *s->key);
}

/* Stamps have run out: the same orders from the first one on. None is that of an empty entry. */
void lru_restamp(struct lru_sets *s)
{
    for (uint32_t first = 0; first < s->sets * s->stride; first += s->stride) {
        uint32_t rank[LRU_STAMPED_MAX] = { 0 };
        for (uint32_t i = 0; i < s->ways; i++)
            for (uint32_t k = 0; k < s->ways; k++)
                rank[i] += s->stamp[first + k] < s->stamp[first + i];
        for (uint32_t i = 0; i < s->ways; i++)
            s->stamp[first + i] = (LRU_STAMP_EMPTY + (rank[i] + 1) * LRU_STAMPED_MAX) | i;
    }
    s->now = LRU_STAMP_EMPTY + (LRU_STAMPED_MAX + 1) * LRU_STAMPED_MAX;
}

/* Move @e to between the last of the ring and @first, its first. */
static void move_between(struct lru_sets *s, uint16_t e, uint16_t first)
{
    s->next[s->prev[e]] = s->next[e];
    s->prev[s->next[e]] = s->prev[e];
    s->prev[e] = s->prev[first];
    s->next[e] = first;
    s->next[s->prev[e]] = e;
    s->prev[first] = e;
}

void lru_ring_hit(struct lru_sets *s, uint16_t entry)
{
    uint32_t set = s->sets == 1 ? 0 : entry / s->ways;
    uint16_t first = s->first[set];
    if (entry == first)
        return;
    if (entry != s->prev[first])
        move_between(s, entry, first);
    s->first[set] = entry;
}

uint16_t lru_ring_fill(struct lru_sets *s, uint32_t key, uint32_t set)
{
    uint16_t last = s->prev[s->first[set]];
    s->key[last] = key;
    s->first[set] = last;
    return last;
}

/* Among the empty ones. */
static void word_last(struct lru_sets *s, uint32_t entry)
{
    uint64_t *order = &s->order[entry >> s->stride_bits], way = entry & (s->stride - 1);
    uint64_t at = lru_word_find(*order, (uint32_t)way);
    uint64_t upto = at ^ (at - 1), before = upto >> 4, moved = s->used & ~before;
    *order = (*order & ~moved) | (*order >> 4 & moved & ~(UINT64_C(15) << s->last_shift)) |
             way << s->last_shift;
}

void lru_drop_entry(struct lru_sets *s, uint32_t entry)
{
    s->key[entry] = LRU_NO_KEY;
    if (s->order) {
        word_last(s, entry);
        return;
    }
    if (s->stamp) {
        s->stamp[entry] = LRU_STAMP_EMPTY | (s->stamp[entry] & LRU_WAY_MASK);
        return;
    }
    uint32_t set = entry / s->ways;
    uint16_t first = s->first[set];
    if (entry == first)
        s->first[set] = s->next[entry];
    else if (entry != s->prev[first])
        move_between(s, (uint16_t)entry, first);
}

void lru_sets_drop_if(struct lru_sets *s, bool (*gone)(void *arg, uint32_t key), void *arg)
{
    for (uint32_t e = 0; e < s->sets * s->stride; e++)
        if (s->key[e] != LRU_NO_KEY && gone(arg, s->key[e]))
            lru_drop_entry(s, e);
}
