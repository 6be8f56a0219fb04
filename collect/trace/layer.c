/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "layer.h"

#include <inttypes.h>

int fl_layer_keys(struct fl_meta *meta, uint32_t floor, uint32_t coarse, struct fl_err *err)
{
    int rc = fl_meta_setf(meta, err, "layer.version", "%u", FL_REDUCED_VERSION);
    if (rc == FL_OK)
        rc = fl_meta_setf(meta, err, "layer.floor", "%u", floor);
    if (rc == FL_OK && coarse)
        rc = fl_meta_setf(meta, err, "layer.coarse", "%u", coarse);
    return rc == FL_OK ? fl_meta_set(meta, "layer.policies", "lru opt", err) : rc;
}

int fl_layer_begin(struct fl_layer_writer *l, uint32_t floor, uint32_t coarse, bool always,
                   const struct fl_meta *meta, struct fl_err *err)
{
    const char *key, *value;
    *l = (struct fl_layer_writer){ .always = always };
    if (!floor)
        return FL_OK;
    if (floor > FL_LAYER_FLOOR_MAX || coarse > FL_LAYER_FLOOR_MAX)
        return fl_fail(err, FL_EUSAGE, "a floor of %u frames: at most %u",
                       floor > coarse ? floor : coarse, FL_LAYER_FLOOR_MAX);
    l->reduce = fl_reduce_new(floor);
    l->coarse = coarse ? fl_coarse_new(coarse, always) : NULL;
    l->meta = fl_meta_new();
    int rc = l->reduce && l->meta && (l->coarse || !coarse) ? FL_OK
                                                            : fl_nomem(err, "the reduced layer");
    for (size_t i = 0; rc == FL_OK && meta && fl_meta_at(meta, i, &key, &value); i++)
        rc = fl_meta_set(l->meta, key, value, err);
    return rc == FL_OK ? fl_layer_keys(l->meta, floor, coarse, err) : rc;
}

void fl_layer_take(struct fl_layer_writer *l, struct fl_buf *raw)
{
    struct fl_buf spare = l->stream;
    l->stream = *raw;
    *raw = spare;
    fl_buf_reset(raw);
}

int fl_layer_block(struct fl_layer_writer *l, const struct fl_buf *codes, uint16_t flags,
                   uint32_t runs, const struct fl_reduce_given *given, uint64_t time_ns, bool *pays,
                   struct fl_err *err)
{
    struct fl_reduce_input in = { .raw = l->stream.data,
                                  .raw_len = l->stream.len,
                                  .codes = codes ? codes->data : NULL,
                                  .codes_len = codes ? codes->len : 0,
                                  .flags = flags,
                                  .runs = runs,
                                  .time_ns = time_ns,
                                  .given = given };
    int rc = fl_reduce_block(l->reduce, &in, fl_layer_most(runs, l->always), &l->out, err);
    *pays = rc == FL_OK && l->out.len;
    uint64_t kept = *pays ? fl_reduced_count(l->out.data) : runs;
    l->runs += kept;
    l->of_runs += runs;
    l->blocks += *pays;
    l->of++;
    if (rc == FL_OK && l->coarse && *pays)
        rc = fl_coarse_take(l->coarse, l->reduce, &in, err);
    else if (l->coarse) {
        l->coarse_runs += l->coarse->runs + kept;
        fl_coarse_drop(l->coarse);
    }
    return rc == FL_EFORMAT ? fl_fail(err, FL_EINTERNAL, "reduced layer: a block is not sound")
                            : rc;
}

int fl_layer_stretch(struct fl_layer_writer *l, bool end, const struct fl_buf **out,
                     struct fl_err *err)
{
    struct fl_coarse *c = l->coarse;
    *out = NULL;
    if (!c || (!end && !fl_coarse_full(c)))
        return FL_OK;
    uint32_t runs = c->runs;
    int rc = fl_coarse_end(c, err);
    if (rc == FL_OK && c->out.len)
        *out = &c->out;
    l->coarse_runs += *out ? c->reduce->n_sorted : runs;
    return rc;
}

int fl_layer_end(const struct fl_layer_writer *l, struct fl_meta *late, struct fl_err *err)
{
    if (!l->reduce)
        return FL_OK;
    int rc = fl_meta_setf(late, err, "layer.blocks", "%u", l->blocks);
    if (rc == FL_OK)
        rc = fl_meta_setf(late, err, "layer.of_blocks", "%u", l->of);
    if (rc == FL_OK)
        rc = fl_meta_setf(late, err, "layer.runs", "%" PRIu64, l->runs);
    if (rc == FL_OK && l->coarse)
        rc = fl_meta_setf(late, err, "layer.coarse_runs", "%" PRIu64, l->coarse_runs);
    return rc == FL_OK ? fl_meta_setf(late, err, "layer.of_runs", "%" PRIu64, l->of_runs) : rc;
}

void fl_layer_free(struct fl_layer_writer *l)
{
    fl_reduce_free(l->reduce);
    fl_coarse_free(l->coarse);
    fl_meta_free(l->meta);
    fl_buf_free(&l->stream);
    fl_buf_free(&l->out);
}
