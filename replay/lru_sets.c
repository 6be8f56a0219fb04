/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "lru_sets.h"

#define NUMBER_BITS 52u /* of a 64-bit address without its 12 lowest */
#define LINE_BYTES 64u

static size_t keys_bytes(const struct lru_sets *s)
{
    return (size_t)s->sets * s->stride * sizeof *s->key;
}

/* The smallest power of two that @ways fit into. */
static uint32_t power_of(uint32_t ways)
{
    return ways > 1 ? 1u << (32 - __builtin_clz(ways - 1)) : 1;
}

/* Buckets that nearly all have one key at most, and places that seldom run out; as many as stay in the
   cache. */
static bool queues_init(struct lru_sets *s)
{
    uint32_t places = power_of(s->ways) * (s->sets > 1 ? 4 : 16);
    uint32_t entries = s->sets * s->ways, buckets = power_of(entries) * (entries > 256 ? 4 : 32);
    s->place_bits = (uint32_t)__builtin_ctz(places);
    s->bucket_mask = buckets - 1;
    s->bucket = malloc(buckets * sizeof *s->bucket);
    s->next = malloc(entries * sizeof *s->next);
    s->queue = malloc(s->sets * sizeof *s->queue);
    s->place = malloc(entries * sizeof *s->place);
    s->entry = malloc((size_t)s->sets * places * sizeof *s->entry);
    if (!s->queue || !s->place || !s->entry || !s->bucket || !s->next)
        return false;
    for (uint32_t set = 0; set < s->sets; set++) {
        struct lru_queue *q = &s->queue[set];
        q->head = q->tail = set * places + s->ways;
        for (uint32_t way = 0; way < s->ways; way++)
            lru_queue_join(s, set, set * s->ways + way);
    }
    return true;
}

bool lru_sets_init(struct lru_sets *s, uint32_t entries, uint32_t ways)
{
    *s = (struct lru_sets){ .sets = entries / ways, .ways = ways };
    bool rows = ways <= LRU_ROW_MAX;
    s->stride = rows ? (ways + 3) / 4 * 4 : ways;
    /* number % sets is exact while the error, below sets, times number is below 2^64 */
    s->inverse = UINT64_MAX / s->sets + 1;
    s->divide = (s->sets & (s->sets - 1)) && s->sets > 1u << (64 - NUMBER_BITS);
    size_t bytes = keys_bytes(s);
    s->key = aligned_alloc(LINE_BYTES, (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES);
    if (!s->key || !(rows || queues_init(s))) {
        lru_sets_fini(s);
        return false;
    }
    lru_sets_clear(s);
    return true;
}

void lru_sets_fini(struct lru_sets *s)
{
    free(s->key);
    free(s->bucket);
    free(s->next);
    free(s->queue);
    free(s->place);
    free(s->entry);
    *s = (struct lru_sets){ 0 };
}

/* Where all are empty, any order puts them before what comes. */
void lru_sets_clear(struct lru_sets *s)
{
    memset(s->key, 0xff, keys_bytes(s));
    if (s->bucket)
        memset(s->bucket, 0xff, (s->bucket_mask + 1) * sizeof *s->bucket);
}

/* Code of its own for each number of vectors. @stride: s->stride; 0: queues. */
static inline __attribute__((always_inline)) bool use(struct lru_sets *s, uint32_t stride,
                                                      uint32_t key, uint64_t number)
{
    return stride ? lru_row_use(s, stride, key, number) : lru_queue_use(s, key, number);
}

bool lru_sets_use(struct lru_sets *s, uint32_t key, uint64_t number)
{
    switch (s->queue ? 0 : s->stride) {
    case 0: return use(s, 0, key, number);
    case 4: return use(s, 4, key, number);
    case 8: return use(s, 8, key, number);
    case 12: return use(s, 12, key, number);
    default: return use(s, 16, key, number);
    }
}

/* What they need stays in registers. */
static inline __attribute__((always_inline)) uint64_t use_some(struct lru_sets *sets,
                                                               uint32_t stride, const uint32_t *key,
                                                               const uint64_t *number,
                                                               uint64_t some)
{
    struct lru_sets s = *sets;
    uint64_t missed = 0;
    for (; some; some &= some - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(some);
        missed |= (uint64_t)!use(&s, stride, key[i], number[i]) << i;
    }
    return missed;
}

uint64_t lru_sets_use_some(struct lru_sets *s, const uint32_t *key, const uint64_t *number,
                           uint64_t some)
{
    switch (s->queue ? 0 : s->stride) {
    case 0: return use_some(s, 0, key, number, some);
    case 4: return use_some(s, 4, key, number, some);
    case 8: return use_some(s, 8, key, number, some);
    case 12: return use_some(s, 12, key, number, some);
    default: return use_some(s, 16, key, number, some);
    }
}

/* Before the first place there is room for each entry to be dropped once. */
void lru_queue_renumber(struct lru_sets s, uint32_t set)
{
    struct lru_queue *q = &s.queue[set];
    uint32_t first = (set << s.place_bits) + s.ways, n = 0;
    uint32_t *all = s.entry + (set << s.place_bits);
    for (uint32_t place = q->head; n < s.ways; place++) {
        all[n] = s.entry[place];
        n += s.place[all[n]] == place;
    }
    memmove(s.entry + first, all, n * sizeof *all);
    for (uint32_t i = 0; i < n; i++)
        s.place[s.entry[first + i]] = first + i;
    *q = (struct lru_queue){ first, first + n };
}

/* To the empty ones, behind all others. */
static void drop_from_row(uint32_t *row, uint32_t at, uint32_t ways)
{
    memmove(row + at, row + at + 1, (ways - 1 - at) * sizeof *row);
    row[ways - 1] = LRU_NO_KEY;
}

/* To the empty ones, before all others. */
static void drop_from_queue(struct lru_sets *s, uint32_t entry)
{
    uint32_t set = s->place[entry] >> s->place_bits, mask = (1u << s->place_bits) - 1;
    struct lru_queue *q = &s->queue[set];
    lru_queue_lose(s, entry);
    s->key[entry] = LRU_NO_KEY;
    if (!(q->head & mask))
        lru_queue_renumber(*s, set);
    s->place[entry] = --q->head;
    s->entry[q->head] = entry;
}

void lru_sets_drop(struct lru_sets *s, uint32_t key, uint64_t number)
{
    if (s->queue) {
        uint32_t entry = lru_queue_find(s, key);
        if (entry != LRU_NO_ENTRY)
            drop_from_queue(s, entry);
        return;
    }
    uint32_t *row = s->key + lru_sets_set(s, number) * s->stride, at = 0;
    while (at < s->ways && row[at] != key)
        at++;
    if (at < s->ways)
        drop_from_row(row, at, s->ways);
}

void lru_sets_drop_if(struct lru_sets *s, bool (*gone)(void *arg, uint32_t key), void *arg)
{
    for (uint32_t e = s->sets * s->stride; e-- > 0;) /* so that nobody moves before a look at it */
        if (s->key[e] != LRU_NO_KEY && gone(arg, s->key[e])) {
            if (s->queue)
                drop_from_queue(s, e);
            else
                drop_from_row(s->key + e / s->stride * s->stride, e % s->stride, s->ways);
        }
}
