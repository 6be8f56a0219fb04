/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "layer.h"

#include <inttypes.h>

int fl_layer_keys(struct fl_meta *meta, uint32_t floor, struct fl_err *err)
{
    int rc = fl_meta_setf(meta, err, "layer.version", "%u", FL_REDUCED_VERSION);
    if (rc == FL_OK)
        rc = fl_meta_setf(meta, err, "layer.floor", "%u", floor);
    return rc == FL_OK ? fl_meta_set(meta, "layer.policies", "lru opt", err) : rc;
}

int fl_layer_counts(struct fl_meta *late, uint32_t blocks, uint32_t of, uint64_t runs,
                    uint64_t of_runs, struct fl_err *err)
{
    int rc = fl_meta_setf(late, err, "layer.blocks", "%u", blocks);
    if (rc == FL_OK)
        rc = fl_meta_setf(late, err, "layer.of_blocks", "%u", of);
    if (rc == FL_OK)
        rc = fl_meta_setf(late, err, "layer.runs", "%" PRIu64, runs);
    return rc == FL_OK ? fl_meta_setf(late, err, "layer.of_runs", "%" PRIu64, of_runs) : rc;
}

int fl_layer_begin(struct fl_layer_writer *l, uint32_t floor, bool always,
                   const struct fl_meta *meta, struct fl_err *err)
{
    const char *key, *value;
    *l = (struct fl_layer_writer){ .always = always };
    if (!floor)
        return FL_OK;
    if (floor > FL_LAYER_FLOOR_MAX)
        return fl_fail(err, FL_EUSAGE, "a floor of %u frames: at most %u", floor,
                       FL_LAYER_FLOOR_MAX);
    l->reduce = fl_reduce_new(floor);
    l->meta = fl_meta_new();
    int rc = l->reduce && l->meta ? FL_OK : fl_nomem(err, "the reduced layer");
    for (size_t i = 0; rc == FL_OK && meta && fl_meta_at(meta, i, &key, &value); i++)
        rc = fl_meta_set(l->meta, key, value, err);
    return rc == FL_OK ? fl_layer_keys(l->meta, floor, err) : rc;
}

void fl_layer_take(struct fl_layer_writer *l, struct fl_buf *raw)
{
    struct fl_buf spare = l->stream;
    l->stream = *raw;
    *raw = spare;
    fl_buf_reset(raw);
}

int fl_layer_block(struct fl_layer_writer *l, const struct fl_buf *codes, uint16_t flags,
                   uint32_t runs, uint64_t time_ns, bool *pays, struct fl_err *err)
{
    struct fl_reduce_input in = { .raw = l->stream.data,
                                  .raw_len = l->stream.len,
                                  .codes = codes ? codes->data : NULL,
                                  .codes_len = codes ? codes->len : 0,
                                  .flags = flags,
                                  .runs = runs,
                                  .time_ns = time_ns };
    int rc = fl_reduce_block(l->reduce, &in, fl_layer_most(runs, l->always), &l->out, err);
    *pays = rc == FL_OK && l->out.len;
    uint64_t kept = *pays ? fl_reduced_count(l->out.data) : runs;
    l->runs += kept;
    l->of_runs += runs;
    l->blocks += *pays;
    l->of++;
    return rc == FL_EFORMAT ? fl_fail(err, FL_EINTERNAL, "reduced layer: a block is not sound")
                            : rc;
}

int fl_layer_end(const struct fl_layer_writer *l, struct fl_meta *late, struct fl_err *err)
{
    return l->reduce ? fl_layer_counts(late, l->blocks, l->of, l->runs, l->of_runs, err) : FL_OK;
}

void fl_layer_free(struct fl_layer_writer *l)
{
    fl_reduce_free(l->reduce);
    fl_meta_free(l->meta);
    fl_buf_free(&l->stream);
    fl_buf_free(&l->out);
}
