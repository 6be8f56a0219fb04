/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * depth_counts.h - what a pass for all memory sizes counts: references and write-backs by stack
 * depth, so that a memory of m frames has those of the depths above m.
 *
 * Write-backs. While nobody refers to contents they only sink in the stack. So between two writes
 * of a page, a memory of m frames has evicted it (and written it out, once) if some reference since
 * the first write found it deeper than m, or its end did: the deepest since the last write counts.
 */
#ifndef REPLAY_DEPTH_COUNTS_H
#define REPLAY_DEPTH_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "contents.h"
#include "vm.h"

/** The counts of one memory size with unlimited swap. */
struct curve_point {
    uint64_t minor, major, swap_in, swap_out, file_read, file_written;
};

/* By depth; of depth 0 is what happens in no memory. After depth_counts_end(): deeper than that. */
struct depth_histogram {
    uint64_t *count;
    uint32_t room;
};

/* What a pass keeps of contents in use: where they go when evicted, is the last write still to be
   written back, and how deep were they since. */
#define DEPTH_SWAPPED (UINT32_C(1) << 31)
#define DEPTH_DIRTY (UINT32_C(1) << 30)
#define DEPTH_MAX (DEPTH_DIRTY - 1)

struct depth_counts {
    struct depth_histogram plain[2], mapped[2], written[2]; /* [goes to swap] */
    uint64_t fresh, mapped_refs;
};

void depth_counts_fini(struct depth_counts *dc);

/** depth_counts_room - room for the depth of the next references. false: no memory, or too deep. */
bool depth_counts_room(struct depth_counts *dc, uint32_t depth, bool mapped, bool write);

/** depth_counts_new - what is kept of new contents of @kind, by their first reference. */
static inline uint32_t depth_counts_new(struct depth_counts *dc, enum contents_kind kind)
{
    dc->fresh++;
    return kind == CONTENTS_FILE ? 0 : DEPTH_SWAPPED;
}

/** depth_counts_sunk - contents of @state are @depth deep. */
static inline void depth_counts_sunk(uint32_t *state, uint32_t depth)
{
    if ((*state & DEPTH_DIRTY) && (*state & DEPTH_MAX) < depth)
        *state = (*state & ~DEPTH_MAX) | depth;
}

/** depth_counts_clean - a write, or the end, of contents of @state: what came of their last one. */
static inline void depth_counts_clean(struct depth_counts *dc, uint32_t *state)
{
    if (*state & DEPTH_DIRTY)
        dc->written[*state / DEPTH_SWAPPED].count[*state & DEPTH_MAX]++;
    *state &= DEPTH_SWAPPED;
}

/** depth_counts_ref - a reference of @info that found contents of @state at @depth, > 0. */
static inline void depth_counts_ref(struct depth_counts *dc, uint32_t *state, uint32_t depth,
                                    uint8_t info)
{
    uint32_t swapped = *state / DEPTH_SWAPPED;
    bool fault = ref_cause(info) != FL_CAUSE_NONE;
    (fault ? dc->mapped : dc->plain)[swapped].count[depth]++;
    dc->mapped_refs += fault;
    depth_counts_sunk(state, depth);
}

/** depth_counts_write - so it was one that writes. */
static inline void depth_counts_write(struct depth_counts *dc, uint32_t *state)
{
    depth_counts_clean(dc, state);
    *state |= DEPTH_DIRTY;
}

/** depth_counts_end - after the last reference, before the first depth_counts_at(). */
void depth_counts_end(struct depth_counts *dc);
/** depth_counts_at - the counts of a memory of @frames. Cost: O(1). */
struct curve_point depth_counts_at(const struct depth_counts *dc, uint64_t frames);

#endif
