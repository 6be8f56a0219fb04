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
#include "prefetch.h"
#include "vm.h"

/** References one after the other. */
struct curve_refs {
    uint32_t n;
    const uint32_t *contents;
    const uint8_t *info; /* REF_WRITE, and a cause: a fault even if resident. NULL: plain reads */
    const uint8_t *kind; /* by contents: enum contents_kind, looked at where they are new */
};

/** The counts of one memory size with unlimited swap. */
struct curve_point {
    uint64_t minor, major, swap_in, swap_out, file_read, file_written;
};

/* By depth; of depth 0 is what happens in no memory. */
struct depth_histogram {
    uint32_t *count; /* since the last of .. */
    uint64_t *sum;   /* .. those taken in here; NULL: none. After depth_counts_end(): deeper than */
    uint32_t room, sum_room;
};

/* What a pass keeps of contents in use: where they go when evicted, is the last write still to be
   written back, and how deep were they since. */
#define DEPTH_SWAPPED (UINT32_C(1) << 31)
#define DEPTH_DIRTY (UINT32_C(1) << 30)
#define DEPTH_MAX (DEPTH_DIRTY - 1)

struct depth_counts {
    struct depth_histogram plain[2], mapped[2], written[2]; /* [goes to swap] */
    uint64_t fresh, mapped_refs;
    uint32_t since; /* how many references the counts are of, at most */
};

void depth_counts_fini(struct depth_counts *dc);

/** depth_counts_room - room for @n more references, up to @depth. false: no memory, or too deep. */
bool depth_counts_room(struct depth_counts *dc, uint32_t n, uint32_t depth, bool mapped,
                       bool write);

/** depth_counts_new - what is kept of new contents of @kind, whose first reference has @info. */
static inline uint32_t depth_counts_new(struct depth_counts *dc, enum contents_kind kind,
                                        uint8_t info)
{
    dc->fresh++;
    return (kind == CONTENTS_FILE ? 0 : DEPTH_SWAPPED) | (info & REF_WRITE ? DEPTH_DIRTY : 0);
}

/**
 * depth_counts_ref - a reference of @info that found contents of @state at @depth, > 0. Without
 * branches on what changes from one reference to the next: what needs no counting counts at 0.
 * @writes: none of the references is a write if this is false.
 */
static inline __attribute__((always_inline)) void depth_counts_ref(struct depth_counts *dc,
                                                                   uint32_t *state, uint32_t depth,
                                                                   uint8_t info, bool writes)
{
    uint32_t s = *state, swapped = s / DEPTH_SWAPPED, deepest = s & DEPTH_MAX;
    deepest = deepest < depth ? depth : deepest;
    if (__builtin_expect(ref_cause(info) != FL_CAUSE_NONE, 0)) {
        dc->mapped[swapped].count[depth]++;
        dc->mapped_refs++;
    } else {
        dc->plain[swapped].count[depth]++;
    }
    if (writes) {
        uint32_t all = -(uint32_t)(info & REF_WRITE), dirty = -(s / DEPTH_DIRTY & 1);
        dc->written[swapped].count[deepest & all & dirty]++;
        deepest = (deepest & ~all) | (DEPTH_DIRTY & all);
    }
    *state = (s & (DEPTH_SWAPPED | DEPTH_DIRTY)) | deepest;
}

/** depth_counts_soon - depth_counts_ref() of these soon. */
static PREFETCHES void depth_counts_soon(const struct depth_counts *dc, uint32_t state,
                                         uint32_t depth, bool writes)
{
    uint32_t swapped = state / DEPTH_SWAPPED, deepest = state & DEPTH_MAX;
    __builtin_prefetch(&dc->plain[swapped].count[depth], 1);
    if (writes)
        __builtin_prefetch(&dc->written[swapped].count[deepest < depth ? depth : deepest], 1);
}

/** depth_counts_gone - the end of contents of @state, at @depth. */
static inline void depth_counts_gone(struct depth_counts *dc, uint32_t state, uint32_t depth)
{
    uint32_t deepest = state & DEPTH_MAX;
    if (state & DEPTH_DIRTY)
        dc->written[state / DEPTH_SWAPPED].count[deepest < depth ? depth : deepest]++;
}

/** depth_counts_end - after the last, before the first depth_counts_at(). false: no memory. */
bool depth_counts_end(struct depth_counts *dc);
/** depth_counts_at - the counts of a memory of @frames. Cost: O(1). */
struct curve_point depth_counts_at(const struct depth_counts *dc, uint64_t frames);

#endif
