/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * slot_ranks.h - a set of slots, all of them in it at first; how many lie before one?
 *
 * A bitmap, and in four levels, for each part of a larger one, how many slots are left in the
 * larger one before it: a word in its line, a line in its block, a block in its chunk, a chunk in
 * all. So a rank is a sum of five numbers, and taking a slot out lowers the entries after it of one
 * line, one block and one chunk: a handful of vectors. 1.3 bits a slot, so that the ranks of half a
 * million slots stay in a core's own cache.
 */
#ifndef REPLAY_SLOT_RANKS_H
#define REPLAY_SLOT_RANKS_H

#include <stdbool.h>
#include <stdint.h>

#include "prefetch.h"

#define RANKS_WORDS 16u  /* of 64 slots, a line */
#define RANKS_LINES 32u  /* a block */
#define RANKS_BLOCKS 32u /* a chunk */
#define RANKS_SLOTS_MAX (UINT32_C(1) << 31)

struct slot_ranks {
    uint64_t *words;
    uint16_t *in_line;  /* by word */
    uint16_t *in_block; /* by line */
    uint32_t *in_chunk; /* by block */
    uint32_t *before;   /* by chunk */
    uint32_t n_chunks, slots, room;
};

/** slot_ranks_fill - all of @slots, <= RANKS_SLOTS_MAX, or some more (.slots). false: no memory. */
bool slot_ranks_fill(struct slot_ranks *r, uint32_t slots);
void slot_ranks_fini(struct slot_ranks *r);

/** slot_ranks_before - how many slots before @slot are left. */
static inline __attribute__((always_inline)) uint32_t slot_ranks_before(const struct slot_ranks *r,
                                                                        uint32_t slot)
{
    uint32_t word = slot / 64, line = word / RANKS_WORDS, block = line / RANKS_LINES;
    uint64_t below = r->words[word] & ((UINT64_C(1) << slot % 64) - 1);
    return (uint32_t)__builtin_popcountll(below) + r->in_line[word] + r->in_block[line] +
           r->in_chunk[block] + r->before[block / RANKS_BLOCKS];
}

/** slot_ranks_soon - a rank of @slot, perhaps none, is asked for soon, or it is taken. */
static PREFETCHES void slot_ranks_soon(const struct slot_ranks *r, uint32_t slot)
{
    uint32_t word = slot / 64;
    __builtin_prefetch(&r->words[word], 1);
    __builtin_prefetch(&r->in_line[word], 1);
}

/* Of 32 bytes, for the compiler to halve; read and written where no such is aligned. */
typedef uint16_t ranks_u16 __attribute__((vector_size(32), aligned(2), may_alias));
typedef uint32_t ranks_u32 __attribute__((vector_size(32), aligned(4), may_alias));

/** slot_ranks_take - @slot, which is in the set, leaves it. */
static inline __attribute__((always_inline)) void slot_ranks_take(struct slot_ranks *r,
                                                                  uint32_t slot)
{
    /* from a place in here on: as many zeros as there are parts up to one, then minus ones */
    static const uint16_t small[2 * RANKS_LINES] = { [RANKS_LINES... 2 * RANKS_LINES - 1] =
                                                         UINT16_MAX };
    static const uint32_t large[2 * RANKS_BLOCKS] = { [RANKS_BLOCKS... 2 * RANKS_BLOCKS - 1] =
                                                          UINT32_MAX };
    uint32_t word = slot / 64, line = word / RANKS_WORDS, block = line / RANKS_LINES;
    uint32_t chunk = block / RANKS_BLOCKS;
    const uint16_t *after_word = small + RANKS_LINES - 1 - word % RANKS_WORDS;
    const uint16_t *after_line = small + RANKS_LINES - 1 - line % RANKS_LINES;
    const uint32_t *after_block = large + RANKS_BLOCKS - 1 - block % RANKS_BLOCKS;
    uint16_t *in_line = r->in_line + (uint64_t)line * RANKS_WORDS;
    uint16_t *in_block = r->in_block + (uint64_t)block * RANKS_LINES;
    uint32_t *in_chunk = r->in_chunk + (uint64_t)chunk * RANKS_BLOCKS;

    r->words[word] &= ~(UINT64_C(1) << slot % 64);
#pragma GCC unroll 8
    for (uint32_t i = 0; i < RANKS_WORDS; i += 16)
        *(ranks_u16 *)(in_line + i) += *(const ranks_u16 *)(after_word + i);
#pragma GCC unroll 8
    for (uint32_t i = 0; i < RANKS_LINES; i += 16)
        *(ranks_u16 *)(in_block + i) += *(const ranks_u16 *)(after_line + i);
#pragma GCC unroll 8
    for (uint32_t i = 0; i < RANKS_BLOCKS; i += 8)
        *(ranks_u32 *)(in_chunk + i) += *(const ranks_u32 *)(after_block + i);
    for (uint32_t i = chunk + 1; i < r->n_chunks; i++)
        r->before[i]--;
}

#endif
