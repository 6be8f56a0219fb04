/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "lru_sets.h"

#define LINE_BYTES 64u

static uint64_t key_bytes(const struct lru_sets *s)
{
    uint64_t bytes = (uint64_t)s->sets * (s->stride ? s->stride : s->ways) * sizeof *s->key;
    return (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
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

bool lru_sets_init(struct lru_sets *s, uint32_t entries, uint32_t ways)
{
    *s = (struct lru_sets){ .sets = entries / ways,
                            .ways = ways,
                            .stride = ways <= 4             ? 4
                                      : ways <= 8           ? 8
                                      : ways <= LRU_ROW_MAX ? 16
                                                            : 0 };
    s->inverse = UINT64_MAX / s->sets;
    s->key = aligned_alloc(LINE_BYTES, key_bytes(s));
    if (!s->key || (!s->stride && !rings_init(s))) {
        lru_sets_fini(s);
        return false;
    }
    lru_sets_clear(s);
    return true;
}

void lru_sets_fini(struct lru_sets *s)
{
    free(s->key);
    free(s->entry_of[0]);
    free(s->entry_of[1]);
    free(s->next);
    free(s->prev);
    free(s->first);
    *s = (struct lru_sets){ 0 };
}

bool lru_sets_room(struct lru_sets *s, int kind, uint32_t have, uint32_t room)
{
    if (s->stride)
        return true;
    if (!grow(&s->entry_of[kind], room))
        return false;
    memset(s->entry_of[kind] + have, 0, (room - have) * sizeof(uint16_t));
    return true;
}

void lru_sets_clear(struct lru_sets *s)
{
    memset(s->key, 0xff, key_bytes(s));
}

/* ---- rings -------------------------------------------------------------------------------- */

static uint16_t *entry_of(const struct lru_sets *s, uint32_t key)
{
    return &s->entry_of[key >> 31][key & ~LRU_KIND_BIT];
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

bool lru_ring_use(struct lru_sets *s, uint32_t key, uint32_t set)
{
    uint16_t first = s->first[set], last = s->prev[first], *entry = entry_of(s, key);
    bool hit = s->key[*entry] == key;
    if (!hit) {
        s->key[last] = key;
        *entry = last;
    } else if (*entry == first) {
        return true;
    } else if (*entry != last) {
        move_between(s, *entry, first);
    }
    s->first[set] = *entry;
    return hit;
}

static void ring_drop(struct lru_sets *s, uint32_t e, uint32_t set)
{
    uint16_t first = s->first[set];
    s->key[e] = LRU_NO_KEY;
    if (e == first)
        s->first[set] = s->next[e];
    else if (e != s->prev[first])
        move_between(s, (uint16_t)e, first);
}

/* ---- both --------------------------------------------------------------------------------- */

static uint32_t *row_of(const struct lru_sets *s, uint64_t number)
{
    return s->key + (uint64_t)lru_sets_set(s, number) * s->stride;
}

static void row_drop(uint32_t *row, uint32_t at, uint32_t ways)
{
    for (; at + 1 < ways; at++)
        row[at] = row[at + 1];
    row[at] = LRU_NO_KEY;
}

bool lru_sets_has(const struct lru_sets *s, uint32_t key, uint64_t number)
{
    if (!s->stride)
        return s->key[*entry_of(s, key)] == key;
    return lru_row_match(row_of(s, number), s->stride, key);
}

void lru_sets_drop(struct lru_sets *s, uint32_t key, uint64_t number)
{
    if (!s->stride) {
        uint16_t e = *entry_of(s, key);
        if (s->key[e] == key)
            ring_drop(s, e, e / s->ways);
        return;
    }
    uint32_t *row = row_of(s, number), found = lru_row_match(row, s->stride, key);
    if (found)
        row_drop(row, (uint32_t)__builtin_ctz(found), s->ways);
}

void lru_sets_drop_if(struct lru_sets *s, bool (*gone)(void *arg, uint32_t key), void *arg)
{
    for (uint32_t set = 0; set < s->sets; set++) {
        uint32_t *row = s->key + (uint64_t)set * (s->stride ? s->stride : s->ways);
        for (uint32_t i = s->ways; i-- > 0;) {
            if (row[i] == LRU_NO_KEY || !gone(arg, row[i]))
                continue;
            if (s->stride)
                row_drop(row, i, s->ways);
            else
                ring_drop(s, set * s->ways + i, set);
        }
    }
}
