/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * lru_sets.h - a set-associative array of numbered things, LRU in each set, of any geometry: the
 * levels of a TLB and the walk caches.
 *
 * A thing is a key (a dense id) and the number that picks its set. Up to LRU_ROW_MAX ways a set is
 * a row of keys in the order of their use, all compared at once. A set of more ways is a ring of
 * entries in that order, and an array by key tells which entry to look at.
 */
#ifndef REPLAY_LRU_SETS_H
#define REPLAY_LRU_SETS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LRU_NO_KEY UINT32_MAX
#define LRU_KIND_BIT (UINT32_C(1) << 31) /* keys with and without it are numbered apart */
#define LRU_ROW_MAX 16u

struct lru_sets {
    uint32_t sets, ways;
    uint32_t stride;  /* of a row in key[]; 0: the sets are rings */
    uint64_t inverse; /* (2^64 - 1) / sets */
    uint32_t *key;    /* LRU_NO_KEY: empty; after all others of its row or ring */
    /* rings; by key without its bit, by entry, by set: */
    uint16_t *entry_of[2]; /* where it is, if key[] agrees */
    uint16_t *next, *prev;
    uint16_t *first;
};

/** lru_sets_init - @entries, a multiple of @ways, up to 65536. false: out of memory. */
bool lru_sets_init(struct lru_sets *s, uint32_t entries, uint32_t ways);
void lru_sets_fini(struct lru_sets *s);

/**
 * lru_sets_room - make room for keys of @kind (1: with LRU_KIND_BIT) below @room; so far it was for
 * those below @have. false: out of memory.
 */
bool lru_sets_room(struct lru_sets *s, int kind, uint32_t have, uint32_t room);

/** lru_sets_has - changes nothing. */
bool lru_sets_has(const struct lru_sets *s, uint32_t key, uint64_t number);
/** lru_sets_drop - @key, if it is there. */
void lru_sets_drop(struct lru_sets *s, uint32_t key, uint64_t number);
/** lru_sets_clear - everything. */
void lru_sets_clear(struct lru_sets *s);
/** lru_sets_drop_if - every key that @gone wants to go. */
void lru_sets_drop_if(struct lru_sets *s, bool (*gone)(void *arg, uint32_t key), void *arg);

static inline uint32_t lru_sets_set(const struct lru_sets *s, uint64_t number)
{
    /* the quotient may be one too low */
    uint64_t quotient = (uint64_t)((unsigned __int128)number * s->inverse >> 64);
    uint64_t set = number - quotient * s->sets;
    return (uint32_t)(set >= s->sets ? set - s->sets : set);
}

typedef uint32_t lru_keys __attribute__((vector_size(16)));

/* Bit i: lane i is all ones. */
static inline uint32_t lru_bits(lru_keys equal)
{
#ifdef __SSE2__
    return (uint32_t)_mm_movemask_ps((__m128)equal);
#else
    equal &= (lru_keys){ 1, 2, 4, 8 };
    return equal[0] | equal[1] | equal[2] | equal[3];
#endif
}

static inline uint32_t lru_row_match(const uint32_t *row, uint32_t stride, uint32_t key)
{
    lru_keys wanted = { key, key, key, key };
    uint32_t found = 0;
    for (uint32_t i = 0; i < stride; i += 4)
        found |= lru_bits((lru_keys)(*(const lru_keys *)(row + i) == wanted)) << i;
    return found;
}

/* Those before the one that is used, or lost, move up by one. */
static inline bool lru_row_use(uint32_t *row, uint32_t stride, uint32_t ways, uint32_t key)
{
    uint32_t found = lru_row_match(row, stride, key);
    uint32_t at = found ? (uint32_t)__builtin_ctz(found) : ways - 1;
    lru_keys before = { key, key, key, key }, last = { at, at, at, at }, lane = { 0, 1, 2, 3 };
    for (uint32_t i = 0; i < stride; i += 4) {
        lru_keys now = *(const lru_keys *)(row + i);
        lru_keys moved = __builtin_shufflevector(before, now, 3, 4, 5, 6);
        lru_keys moves = (lru_keys)((__attribute__((vector_size(16))) int32_t)lane <=
                                    (__attribute__((vector_size(16))) int32_t)last);
        *(lru_keys *)(row + i) = (moved & moves) | (now & ~moves);
        before = now;
        lane += 4;
    }
    return found;
}

bool lru_ring_use(struct lru_sets *s, uint32_t key, uint32_t set);

/** lru_sets_prefetch - @key will be looked up. */
static inline void lru_sets_prefetch(const struct lru_sets *s, uint32_t key)
{
    if (!s->stride)
        __builtin_prefetch(&s->entry_of[key >> 31][key & ~LRU_KIND_BIT]);
}

/** lru_sets_use - look @key up and make it the most recent of its set; put it there if it was not.
    Returns whether it was. */
static inline bool lru_sets_use(struct lru_sets *s, uint32_t key, uint64_t number)
{
    uint32_t set = lru_sets_set(s, number);
    uint32_t *row = s->key + (uint64_t)set * s->stride;
    switch (s->stride) {
    case 4: return row[0] == key || lru_row_use(row, 4, s->ways, key);
    case 8: return row[0] == key || lru_row_use(row, 8, s->ways, key);
    case 16: return row[0] == key || lru_row_use(row, 16, s->ways, key);
    default: return lru_ring_use(s, key, set);
    }
}

#endif
