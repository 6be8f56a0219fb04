/* SPDX-License-Identifier: GPL-2.0-or-later */
/** columns.h - the columns of time that something happened in, as a set of 256 bits. */
#ifndef REPLAY_COLUMNS_H
#define REPLAY_COLUMNS_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/locality.h>

#define COLUMN_WORDS (FL_LOCALITY_COLUMNS / 64)

struct columns {
    uint64_t word[COLUMN_WORDS];
};

static inline void columns_set(struct columns *s, uint32_t column)
{
    s->word[column / 64] |= UINT64_C(1) << column % 64;
}

/** columns_later - every column of @s moved @by columns on; those past the end are lost. */
static inline struct columns columns_later(struct columns s, uint32_t by)
{
    struct columns out = { { 0 } };
    uint32_t words = by / 64, bits = by % 64;
    for (uint32_t i = words; i < COLUMN_WORDS; i++) {
        out.word[i] = s.word[i - words] << bits;
        if (bits && i > words)
            out.word[i] |= s.word[i - words - 1] >> (64 - bits);
    }
    return out;
}

/** columns_earlier - the other way. */
static inline struct columns columns_earlier(struct columns s, uint32_t by)
{
    struct columns out = { { 0 } };
    uint32_t words = by / 64, bits = by % 64;
    for (uint32_t i = 0; i + words < COLUMN_WORDS; i++) {
        out.word[i] = s.word[i + words] >> bits;
        if (bits && i + words + 1 < COLUMN_WORDS)
            out.word[i] |= s.word[i + words + 1] << (64 - bits);
    }
    return out;
}

static inline struct columns columns_or(struct columns a, struct columns b)
{
    for (uint32_t i = 0; i < COLUMN_WORDS; i++)
        a.word[i] |= b.word[i];
    return a;
}

static inline struct columns columns_and(struct columns a, struct columns b)
{
    for (uint32_t i = 0; i < COLUMN_WORDS; i++)
        a.word[i] &= b.word[i];
    return a;
}

/** columns_range - [from, to). */
static inline struct columns columns_range(uint32_t from, uint32_t to)
{
    struct columns all = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };
    all = from < FL_LOCALITY_COLUMNS ? columns_later(all, from) : (struct columns){ { 0 } };
    struct columns rest = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };
    rest = to < FL_LOCALITY_COLUMNS ? columns_later(rest, to) : (struct columns){ { 0 } };
    for (uint32_t i = 0; i < COLUMN_WORDS; i++)
        all.word[i] &= ~rest.word[i];
    return all;
}

static inline bool columns_any(struct columns s)
{
    return (s.word[0] | s.word[1] | s.word[2] | s.word[3]) != 0;
}

static inline uint32_t columns_count(struct columns s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < COLUMN_WORDS; i++)
        n += (uint32_t)__builtin_popcountll(s.word[i]);
    return n;
}

/** columns_first, columns_last - pre: there is one. */
static inline uint32_t columns_first(struct columns s)
{
    uint32_t i = 0;
    while (!s.word[i])
        i++;
    return i * 64 + (uint32_t)__builtin_ctzll(s.word[i]);
}

static inline uint32_t columns_last(struct columns s)
{
    uint32_t i = COLUMN_WORDS - 1;
    while (!s.word[i])
        i--;
    return i * 64 + 63 - (uint32_t)__builtin_clzll(s.word[i]);
}

/**
 * columns_tally - add @s to counts of columns that are kept as differences: their prefix sums
 * are the counts. Cost: by stretches of columns, not by columns.
 */
static inline void columns_tally(struct columns s, int64_t diff[FL_LOCALITY_COLUMNS])
{
    struct columns edges = columns_later(s, 1);
    int64_t sign = 1;
    for (uint32_t i = 0; i < COLUMN_WORDS; i++)
        for (uint64_t w = s.word[i] ^ edges.word[i]; w; w &= w - 1) {
            diff[i * 64 + (uint32_t)__builtin_ctzll(w)] += sign;
            sign = -sign;
        }
}

#endif
