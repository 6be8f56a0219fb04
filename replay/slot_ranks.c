/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "slot_ranks.h"

#define WORD_SLOTS 64u
#define LINE_SLOTS (RANKS_WORDS * WORD_SLOTS)
#define BLOCK_SLOTS (RANKS_LINES * LINE_SLOTS)
#define CHUNK_SLOTS (RANKS_BLOCKS * BLOCK_SLOTS)

_Static_assert(LINE_SLOTS <= UINT16_MAX && BLOCK_SLOTS - LINE_SLOTS <= UINT16_MAX,
               "what lies before a word, a line, takes 16 bits");

/* Room in whole lines, blocks and chunks, as slot_ranks_take() writes them. */
static bool make_room(struct slot_ranks *r, uint32_t slots)
{
    size_t blocks = (slots + (uint64_t)BLOCK_SLOTS - 1) / BLOCK_SLOTS;
    size_t lines = blocks * RANKS_LINES, chunks = (blocks + RANKS_BLOCKS - 1) / RANKS_BLOCKS;
    if (slots <= r->room)
        return true;
    if (!grow(&r->words, lines * RANKS_WORDS) || !grow(&r->in_line, lines * RANKS_WORDS) ||
        !grow(&r->in_block, lines) || !grow(&r->in_chunk, chunks * RANKS_BLOCKS) ||
        !grow(&r->before, chunks))
        return false;
    r->room = (uint32_t)(blocks * BLOCK_SLOTS);
    return true;
}

bool slot_ranks_fill(struct slot_ranks *r, uint32_t slots)
{
    if (slots > RANKS_SLOTS_MAX || !make_room(r, slots))
        return false;
    r->slots = slots = (slots + BLOCK_SLOTS - 1) / BLOCK_SLOTS * BLOCK_SLOTS;
    r->n_chunks = (slots + CHUNK_SLOTS - 1) / CHUNK_SLOTS;
    memset(r->words, 0xff, slots / 8);
    for (uint32_t word = 0; word < slots / WORD_SLOTS; word++)
        r->in_line[word] = (uint16_t)(word % RANKS_WORDS * WORD_SLOTS);
    for (uint32_t line = 0; line < slots / LINE_SLOTS; line++)
        r->in_block[line] = (uint16_t)(line % RANKS_LINES * LINE_SLOTS);
    for (uint32_t block = 0; block < r->n_chunks * RANKS_BLOCKS; block++)
        r->in_chunk[block] = block % RANKS_BLOCKS * BLOCK_SLOTS;
    for (uint32_t chunk = 0; chunk < r->n_chunks; chunk++)
        r->before[chunk] = chunk * CHUNK_SLOTS;
    return true;
}

void slot_ranks_fini(struct slot_ranks *r)
{
    free(r->words);
    free(r->in_line);
    free(r->in_block);
    free(r->in_chunk);
    free(r->before);
    *r = (struct slot_ranks){ 0 };
}
