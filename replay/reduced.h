/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * reduced.h - when a pass may read a trace's reduced layer in place of its stream.
 *
 * docs/reduction.md: it is exact where nobody touches what is not mapped or not allowed, which a
 * pass over the layer finds out as well as one over the stream. So a pass tries, and is made again
 * where that was so.
 */
#ifndef REPLAY_REDUCED_H
#define REPLAY_REDUCED_H

#include <faultline/replay.h>

#include "vm.h"

/** reduced_suits - has @r a layer, exact for @frames (FL_FRAMES_UNLIMITED: any) and @policy? */
static inline bool reduced_suits(const struct fl_reader *r, uint32_t frames,
                                 const struct fl_policy_ops *policy)
{
    const struct fl_layer *l = fl_reader_layer(r);
    if (!l || !l->blocks || policy->needs & FL_IS_KERNEL)
        return false;
    return frames == FL_FRAMES_UNLIMITED || (policy->ends_count && frames >= l->floor);
}

/** reduced_there - has @r a layer, for what does not depend on the memory's size? */
static inline bool reduced_there(const struct fl_reader *r)
{
    const struct fl_layer *l = fl_reader_layer(r);
    return l && l->blocks;
}

/** reduced_begin - rewind to the layer if @reduced, else to the stream. */
static inline int reduced_begin(struct fl_reader *r, bool reduced, struct fl_err *err)
{
    return reduced ? fl_reader_rewind_reduced(r, err) : fl_reader_rewind(r, err);
}

/** reduced_total - runs of a pass, for its progress. */
static inline uint64_t reduced_total(const struct fl_reader *r, bool reduced)
{
    uint64_t runs = fl_reader_totals(r)->runs;
    return reduced && fl_reader_layer(r)->runs ? fl_reader_layer(r)->runs : runs;
}

#endif
