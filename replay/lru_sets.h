/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * lru_sets.h - a set-associative array of keys, LRU in each set, of any geometry: the levels of a
 * TLB and the walk caches.
 *
 * Nothing is kept by key: who owns millions of them, nearly none of which are here, would have to
 * fetch that from memory.
 *
 * Up to LRU_ROW_MAX ways a set is a row of keys, the most recent first. To use one moves those
 * before it on by one place, four at a time; no branch depends on whether it was there, and what is
 * stored is loaded again as it was stored. A set of more ways is a queue of entries, the least
 * recent first: who is used joins it again, and its place before that counts no longer. When the
 * places run out, the entries of the set get the first ones anew. A hash table has their keys.
 */
#ifndef REPLAY_LRU_SETS_H
#define REPLAY_LRU_SETS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LRU_NO_KEY UINT32_MAX
#define LRU_NO_ENTRY UINT32_MAX
#define LRU_ROW_MAX 16u

struct lru_queue {
    uint32_t head, tail; /* its places; all but the latest of an entry are void */
};

struct lru_sets {
    uint32_t sets, ways, stride; /* keys of a set, unused ones included */
    uint64_t inverse;            /* 2^64 / sets, rounded up */
    bool divide;                 /* that is not exact enough for page numbers */
    uint32_t *key;               /* set by set; LRU_NO_KEY: empty */
    /* queues: the empty entries first, in places numbered set by set */
    struct lru_queue *queue; /* by set; NULL: rows */
    uint32_t *place;         /* by entry */
    uint32_t *entry;         /* by place: who joined there */
    uint32_t place_bits;     /* of each set 1 << place_bits */
    uint32_t *bucket;        /* by the key's lowest bits: an entry, or LRU_NO_ENTRY */
    uint32_t *next;          /* by entry: another of that bucket */
    uint32_t bucket_mask;
};

/** lru_sets_init - @entries, a multiple of @ways, up to 65536. false: out of memory. */
bool lru_sets_init(struct lru_sets *s, uint32_t entries, uint32_t ways);
void lru_sets_fini(struct lru_sets *s);

/** lru_sets_clear - everything. */
void lru_sets_clear(struct lru_sets *s);
/** lru_sets_drop_if - every key that @gone wants to go. Cost: a look at each entry. */
void lru_sets_drop_if(struct lru_sets *s, bool (*gone)(void *arg, uint32_t key), void *arg);

static inline uint32_t lru_sets_set(const struct lru_sets *s, uint64_t number)
{
    if (__builtin_expect(s->divide, 0))
        return (uint32_t)(number % s->sets);
    return (uint32_t)((unsigned __int128)(s->inverse * number) * s->sets >> 64);
}

/* lru_sets_use() of rows. @stride: s->stride. */
static inline __attribute__((always_inline)) bool lru_row_use(struct lru_sets *s, uint32_t stride,
                                                              uint32_t key, uint64_t number)
{
    uint32_t *row = s->key + lru_sets_set(s, number) * stride, last = s->ways - 1;
#ifdef __SSE2__
    __m128i four[LRU_ROW_MAX / 4], wanted = _mm_set1_epi32((int)key);
    uint32_t there = 0;
    for (uint32_t i = 0; i < stride / 4; i++) {
        four[i] = _mm_load_si128((const __m128i *)(const void *)row + i);
        there |= (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(four[i], wanted)))
                 << 4 * i;
    }
    __m128i at = _mm_set1_epi32(__builtin_ctz(there | 1u << last));
    __m128i before = _mm_cvtsi32_si128((int)key), place = _mm_set_epi32(3, 2, 1, 0);
    for (uint32_t i = 0; i < stride / 4; i++) { /* behind @at all stays where it is */
        __m128i stays = _mm_cmpgt_epi32(place, at);
        __m128i moved = _mm_or_si128(_mm_slli_si128(four[i], 4), before);
        before = _mm_srli_si128(four[i], 12);
        _mm_store_si128((__m128i *)(void *)row + i, _mm_or_si128(_mm_and_si128(stays, four[i]),
                                                                 _mm_andnot_si128(stays, moved)));
        place = _mm_add_epi32(place, _mm_set1_epi32(4));
    }
    return there;
#else
    uint32_t at = 0;
    while (at < last && row[at] != key)
        at++;
    bool there = row[at] == key;
    memmove(row + 1, row, at * sizeof *row);
    row[0] = key;
    return there;
#endif
}

/* The set's places have run out. By value: so that a loop may have @s in registers. */
void lru_queue_renumber(struct lru_sets s, uint32_t set);

/* @entry is the most recent of its @set. */
static inline void lru_queue_join(struct lru_sets *s, uint32_t set, uint32_t entry)
{
    struct lru_queue *q = &s->queue[set];
    uint32_t tail = q->tail;
    s->place[entry] = tail;
    s->entry[tail] = entry;
    q->tail = ++tail;
    if (__builtin_expect(!(tail & ((1u << s->place_bits) - 1)), 0))
        lru_queue_renumber(*s, set);
}

static inline uint32_t lru_queue_find(const struct lru_sets *s, uint32_t key)
{
    uint32_t entry = s->bucket[key & s->bucket_mask];
    while (entry != LRU_NO_ENTRY && s->key[entry] != key)
        entry = s->next[entry];
    return entry;
}

/* What is in @entry is no longer to be found. */
static inline void lru_queue_lose(struct lru_sets *s, uint32_t entry)
{
    uint32_t *at = &s->bucket[s->key[entry] & s->bucket_mask];
    while (*at != entry)
        at = &s->next[*at];
    *at = s->next[entry];
}

/* @key, which is not there, in the place of the least recent of @set. */
static inline void lru_queue_fill(struct lru_sets *s, uint32_t key, uint32_t set)
{
    struct lru_queue *q = &s->queue[set];
    uint32_t head = q->head, entry = s->entry[head];
    while (s->place[entry] != head)
        entry = s->entry[++head];
    q->head = head + 1;
    if (s->key[entry] != LRU_NO_KEY)
        lru_queue_lose(s, entry);
    uint32_t *at = &s->bucket[key & s->bucket_mask];
    s->next[entry] = *at;
    *at = entry;
    s->key[entry] = key;
    lru_queue_join(s, set, entry);
}

static inline bool lru_queue_use(struct lru_sets *s, uint32_t key, uint64_t number)
{
    uint32_t entry = lru_queue_find(s, key);
    if (entry == LRU_NO_ENTRY)
        lru_queue_fill(s, key, lru_sets_set(s, number));
    else
        lru_queue_join(s, s->place[entry] >> s->place_bits, entry);
    return entry != LRU_NO_ENTRY;
}

/** lru_sets_has - is @key, of @number, there? */
static inline bool lru_sets_has(const struct lru_sets *s, uint32_t key, uint64_t number)
{
    if (s->queue)
        return lru_queue_find(s, key) != LRU_NO_ENTRY;
    const uint32_t *row = s->key + lru_sets_set(s, number) * s->stride;
    bool has = false;
    for (uint32_t i = 0; i < s->stride; i++)
        has |= row[i] == key;
    return has;
}

/**
 * lru_sets_use - @key is the most recent of its set now. Returns whether it was there before; if
 * not, the least recent is not any more.
 */
bool lru_sets_use(struct lru_sets *s, uint32_t key, uint64_t number);

/**
 * lru_sets_use_some - lru_sets_use() of those of up to 64 keys that have a bit in @some, in order.
 * Returns the bits of those that were not there.
 */
uint64_t lru_sets_use_some(struct lru_sets *s, const uint32_t *key, const uint64_t *number,
                           uint64_t some);

/** lru_sets_drop - @key, if it is there. */
void lru_sets_drop(struct lru_sets *s, uint32_t key, uint64_t number);

#endif
