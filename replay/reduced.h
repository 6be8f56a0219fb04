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

/**
 * reduced_floor - of the coarsest layer of @r that is exact for @frames and more
 * (FL_FRAMES_UNLIMITED: what does not depend on the memory's size); 0: there is none.
 */
static inline uint32_t reduced_floor(const struct fl_reader *r, uint32_t frames)
{
    const struct fl_layer *l = fl_reader_layer(r);
    if (!l || !l->blocks || frames < l->floor)
        return 0;
    return l->coarse && frames >= l->coarse ? l->coarse : l->floor;
}

/** reduced_suits - likewise, of @policy. */
static inline uint32_t reduced_suits(const struct fl_reader *r, uint32_t frames,
                                     const struct fl_policy_ops *policy)
{
    if (policy->needs & FL_IS_KERNEL || (frames != FL_FRAMES_UNLIMITED && !policy->ends_count))
        return 0;
    return reduced_floor(r, frames);
}

/** reduced_begin - rewind to the layer with floor @reduced, 0: to the stream. */
static inline int reduced_begin(struct fl_reader *r, uint32_t reduced, struct fl_err *err)
{
    return reduced ? fl_reader_rewind_reduced(r, reduced, err) : fl_reader_rewind(r, err);
}

/** reduced_total - runs of a pass, for its progress. */
static inline uint64_t reduced_total(const struct fl_reader *r, uint32_t reduced)
{
    uint64_t runs = fl_reader_totals(r)->runs, left = 0;
    if (reduced) {
        const struct fl_layer *l = fl_reader_layer(r);
        left = reduced == l->coarse ? l->coarse_runs : l->runs;
    }
    return left ? left : runs;
}

#endif
