/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * coarse.h - the reduced layer reduced once more, for larger memories: several blocks of it together,
 * a stretch.
 */
#ifndef FL_TRACE_COARSE_H
#define FL_TRACE_COARSE_H

#include "reduce.h"

struct fl_coarse {
    struct fl_reduce *reduce;
    uint32_t most; /* of a hundred runs of the layer, so many are worth a block */

    /* The stretch so far: */
    uint32_t blocks, runs; /* of the layer */
    uint32_t stream_runs;
    uint64_t time_ns; /* of the last event before it */
    struct fl_buf events;
    struct fl_buf out; /* the COARSE payload of the last one that ended */
};

/* fl_coarse_new - NULL: out of memory. @always: any number of runs is worth it. */
struct fl_coarse *fl_coarse_new(uint32_t floor, bool always);
void fl_coarse_free(struct fl_coarse *c); /* NULL is fine */

/* fl_coarse_take - the block @in that @from has just reduced joins the stretch. */
int fl_coarse_take(struct fl_coarse *c, const struct fl_reduce *from,
                   const struct fl_reduce_input *in, struct fl_err *err);
/* fl_coarse_full - there the stretch ends. */
static inline bool fl_coarse_full(const struct fl_coarse *c)
{
    return c->runs >= FL_COARSE_RUNS || c->blocks == FL_COARSE_BLOCKS;
}
/* fl_coarse_drop - a stretch of which nothing comes. */
void fl_coarse_drop(struct fl_coarse *c);
/* fl_coarse_end - the payload of the stretch into c->out, empty where it is not worth it; then
 * another begins. */
int fl_coarse_end(struct fl_coarse *c, struct fl_err *err);

#endif
