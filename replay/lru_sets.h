/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * lru_sets.h - a set-associative array of keys, LRU in each set, of any geometry: the levels of a
 * TLB and the walk caches.
 *
 * Whoever owns a key keeps for it the entry it was in last: it is there still if the entry says so,
 * and nothing need be searched or forgotten. Up to LRU_WORD_MAX ways a set's order is a word, four
 * bits a way. Up to LRU_STAMPED_MAX it is a stamp of each entry's last use, so that a hit is one
 * store and a miss looks for the smallest. A set of more ways is a ring of entries in that order.
 */
#ifndef REPLAY_LRU_SETS_H
#define REPLAY_LRU_SETS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LRU_NO_KEY UINT32_MAX
#define LRU_WORD_MAX 16u
#define LRU_STAMPED_MAX 128u

struct lru_sets {
    uint32_t sets, ways, stride; /* entries of a set, unused ones included */
    uint64_t inverse;            /* 2^64 / sets, rounded up */
    bool divide;                 /* that is not exact enough for page numbers */
    uint32_t *key;               /* by entry, set by set; LRU_NO_KEY: empty */
    /* words: NULL unless these are in use; the stride is a power of two */
    uint64_t
        *order; /* by set: its ways, the most recent lowest; above LRU_WORD_MAX - 1 of them none */
    uint64_t used;                    /* the bits of those that there are */
    uint32_t stride_bits, last_shift; /* the shift of the least recent */
    /* stamped: */
    uint32_t now; /* the next stamp, without its way */
    uint32_t
        *stamp; /* by entry: when it was used last | its way; unused: LRU_STAMP_END; NULL: rings */
    /* rings, of entries, the empty ones last: */
    uint16_t *next, *prev, *first; /* by entry; by set: the most recent */
};

/*
 * Stamps are compared as floats: SSE2 has a minimum of these, and of positive ones the order is that
 * of the integers they are made of. All are normal numbers.
 */
#define LRU_WAY_MASK (LRU_STAMPED_MAX - 1)
#define LRU_STAMP_EMPTY UINT32_C(0x00800000)
#define LRU_STAMP_END UINT32_C(0x7f800000)

/** lru_sets_init - @entries, a multiple of @ways, up to 65536. false: out of memory. */
bool lru_sets_init(struct lru_sets *s, uint32_t entries, uint32_t ways);
void lru_sets_fini(struct lru_sets *s);

/** lru_sets_clear - everything. */
void lru_sets_clear(struct lru_sets *s);
/** lru_sets_drop_if - every key that @gone wants to go. Cost: a look at each entry. */
void lru_sets_drop_if(struct lru_sets *s, bool (*gone)(void *arg, uint32_t key), void *arg);

/* Of what is in no set: entry 0 has another key. */
static inline bool lru_sets_has(const struct lru_sets *s, uint16_t entry, uint32_t key)
{
    return s->key[entry] == key;
}

void lru_drop_entry(struct lru_sets *s, uint32_t entry);

/** lru_sets_drop - @key, if it is there. @entry: where it was last; of a new key, 0. */
static inline void lru_sets_drop(struct lru_sets *s, uint16_t entry, uint32_t key)
{
    if (lru_sets_has(s, entry, key))
        lru_drop_entry(s, entry);
}

static inline uint32_t lru_sets_set(const struct lru_sets *s, uint64_t number)
{
    if (__builtin_expect(s->divide, 0))
        return (uint32_t)(number % s->sets);
    return (uint32_t)((unsigned __int128)(s->inverse * number) * s->sets >> 64);
}

/* The smallest of @stamp[0 .. stride). */
static inline uint32_t lru_smallest(const uint32_t *stamp, uint32_t stride)
{
#ifdef __SSE2__
    __m128 low = _mm_load_ps((const float *)stamp);
    for (uint32_t i = 4; i < stride; i += 4)
        low = _mm_min_ps(low, _mm_load_ps((const float *)stamp + i));
    low = _mm_min_ps(low, _mm_movehl_ps(low, low));
    low = _mm_min_ss(low, _mm_shuffle_ps(low, low, 1));
    return (uint32_t)_mm_cvtsi128_si32(_mm_castps_si128(low));
#else
    uint32_t smallest = stamp[0];
    for (uint32_t i = 1; i < stride; i++)
        smallest = stamp[i] < smallest ? stamp[i] : smallest;
    return smallest;
#endif
}

#define LRU_EVERY_WAY UINT64_C(0x1111111111111111)

/* Where @way is in @order: its highest bit, and perhaps others above. */
static inline uint64_t lru_word_find(uint64_t order, uint32_t way)
{
    uint64_t x = order ^ way * LRU_EVERY_WAY; /* 0 there: the first one to borrow */
    return (x - LRU_EVERY_WAY) & ~x & LRU_EVERY_WAY << 3;
}

/* Of @order's ways those of @bits, of which @way is the last, one place on, and @way first. */
static inline uint64_t lru_word_first(uint64_t order, uint64_t bits, uint32_t way)
{
    return (order & ~bits) | ((order << 4 | way) & bits);
}

static inline void lru_word_hit(struct lru_sets *s, uint16_t entry)
{
    uint64_t *order = &s->order[entry >> s->stride_bits];
    uint32_t way = entry & (s->stride - 1);
    uint64_t at = lru_word_find(*order, way);
    *order = lru_word_first(*order, at ^ (at - 1), way);
}

static inline uint16_t lru_word_fill(struct lru_sets *s, uint32_t key, uint32_t set)
{
    uint64_t order = s->order[set];
    uint32_t way = order >> s->last_shift & 15, entry = (set << s->stride_bits) + way;
    s->order[set] = lru_word_first(order, s->used, way);
    s->key[entry] = key;
    return (uint16_t)entry;
}

#define LRU_NO_ENTRY UINT32_MAX

/**
 * lru_word_search - the entry of @key, of which only @number is known; LRU_NO_ENTRY: it is not
 * there. pre: words.
 */
static inline uint32_t lru_word_search(const struct lru_sets *s, uint32_t key, uint64_t number)
{
    uint32_t first = lru_sets_set(s, number) << s->stride_bits, i = 0;
#ifdef __SSE2__
    const __m128i *keys = (const __m128i *)(const void *)(s->key + first);
    for (__m128i wanted = _mm_set1_epi32((int)key); i + 4 <= s->stride; i += 4) {
        __m128i same = _mm_cmpeq_epi32(_mm_loadu_si128(keys + i / 4), wanted);
        int ways = _mm_movemask_ps(_mm_castsi128_ps(same));
        if (ways)
            return first + i + (uint32_t)__builtin_ctz((unsigned)ways);
    }
#endif
    for (; i < s->stride; i++)
        if (s->key[first + i] == key)
            return first + i;
    return LRU_NO_ENTRY;
}

/**
 * lru_word_use - @key is the most recent of its set now. Returns whether it was there before; if
 * not, the least recent is not any more. pre: words.
 */
static inline bool lru_word_use(struct lru_sets *s, uint32_t key, uint64_t number)
{
    uint32_t entry = lru_word_search(s, key, number);
    if (entry == LRU_NO_ENTRY)
        lru_word_fill(s, key, lru_sets_set(s, number));
    else
        lru_word_hit(s, (uint16_t)entry);
    return entry != LRU_NO_ENTRY;
}

void lru_restamp(struct lru_sets *s);
void lru_ring_hit(struct lru_sets *s, uint16_t entry);
uint16_t lru_ring_fill(struct lru_sets *s, uint32_t key, uint32_t set);

/** lru_word_drop - @key, if it is there, of which only @number is known. pre: words. */
static inline void lru_word_drop(struct lru_sets *s, uint32_t key, uint64_t number)
{
    uint32_t entry = lru_word_search(s, key, number);
    if (entry != LRU_NO_ENTRY)
        lru_drop_entry(s, entry);
}

static inline uint32_t lru_now(struct lru_sets *s)
{
    if (__builtin_expect(s->now == LRU_STAMP_END, 0))
        lru_restamp(s);
    s->now += LRU_STAMPED_MAX;
    return s->now - LRU_STAMPED_MAX;
}

/**
 * lru_sets_hit - look @key up and, if it is there, make it the most recent of its set. @entry: where
 * it was last. Returns whether it is there.
 */
static inline bool lru_sets_hit(struct lru_sets *s, uint16_t entry, uint32_t key)
{
    if (!lru_sets_has(s, entry, key))
        return false;
    if (s->order)
        lru_word_hit(s, entry);
    else if (__builtin_expect(!s->stamp, 0))
        lru_ring_hit(s, entry);
    else
        s->stamp[entry] = lru_now(s) | (s->stamp[entry] & LRU_WAY_MASK);
    return true;
}

/**
 * lru_sets_fill - @key, which is not there and whose @number picks the set, takes the place of the
 * least recent. Returns its entry.
 */
static inline uint16_t lru_sets_fill(struct lru_sets *s, uint32_t key, uint64_t number)
{
    uint32_t set = lru_sets_set(s, number);
    if (s->order)
        return lru_word_fill(s, key, set);
    if (__builtin_expect(!s->stamp, 0))
        return lru_ring_fill(s, key, set);
    uint32_t first = set * s->stride;
    uint32_t way = lru_smallest(s->stamp + first, s->stride) & LRU_WAY_MASK;
    s->key[first + way] = key;
    s->stamp[first + way] = lru_now(s) | way;
    return (uint16_t)(first + way);
}

#endif
