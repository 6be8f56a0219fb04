/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layer.h - the reduced layer beside a stream that is being written. */
#ifndef FL_TRACE_LAYER_H
#define FL_TRACE_LAYER_H

#include "coarse.h"

#define FL_LAYER_LEVEL 6 /* of zstd: there is little of it */

struct fl_layer_writer {
    struct fl_reduce *reduce;            /* NULL: no layer */
    struct fl_coarse *coarse;            /* NULL: none above it */
    struct fl_meta *meta;                /* the header's, with what the layer is */
    struct fl_buf stream;                /* the STREAM payload under way */
    struct fl_buf out;                   /* its REDUCED payload */
    bool always;                         /* put it where it does not pay, too */
    uint64_t runs, of_runs, coarse_runs; /* coarse: with those of the layer where it has none */
    uint32_t blocks, of;
};

/* fl_layer_begin - @floor 0: nothing is ever to be done; @coarse 0: no layer above it. */
int fl_layer_begin(struct fl_layer_writer *l, uint32_t floor, uint32_t coarse, bool always,
                   const struct fl_meta *meta, struct fl_err *err);
/* fl_layer_take - a STREAM payload; @raw gets a buffer of no more use in exchange. */
void fl_layer_take(struct fl_layer_writer *l, struct fl_buf *raw);
/* fl_layer_block - l->out of the block taken, with its CODE payload or NULL; @flags, @runs: of its envelope;
   @given: its runs, or NULL. *pays: there is one. */
int fl_layer_block(struct fl_layer_writer *l, const struct fl_buf *codes, uint16_t flags,
                   uint32_t runs, const struct fl_reduce_given *given, uint64_t time_ns, bool *pays,
                   struct fl_err *err);
/* fl_layer_stretch - the payload of the COARSE block that is due here, NULL: none. @end: no block will follow. */
int fl_layer_stretch(struct fl_layer_writer *l, bool end, const struct fl_buf **out,
                     struct fl_err *err);
/* fl_layer_end - what came of it, among the metadata @late. */
int fl_layer_end(const struct fl_layer_writer *l, struct fl_meta *late, struct fl_err *err);
void fl_layer_free(struct fl_layer_writer *l);

/* fl_layer_most - runs of so many that a reduced block may keep, to be worth its place. */
static inline uint32_t fl_layer_most(uint32_t runs, bool always)
{
    return always ? FL_REDUCED_REASONS * runs : runs / 8;
}
/* fl_layer_keys - what the layer is, as header metadata. */
int fl_layer_keys(struct fl_meta *meta, uint32_t floor, uint32_t coarse, struct fl_err *err);

#endif
