/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reducefile.c - a whole trace, with a reduced layer or cut down to it. */
#include <string.h>

#include "layer.h"
#include "reader_priv.h"
#include "sink.h"

#define LEVEL FL_LAYER_LEVEL

struct job {
    struct fl_reader *r;
    struct fl_sink to;
    struct fl_layer_writer layer;
    bool only;
    ZSTD_CCtx *zstd;
    struct fl_buf packed;
    uint32_t seq; /* of the next block */
    bool codes;   /* a block kept its code locations in its reduced form alone */

    /* The STREAM block under way, and its CODE block: */
    bool open;
    uint8_t head[2][FL_ENVELOPE_BYTES];
    struct fl_envelope e[2];
    uint64_t at[2];
    struct fl_buf codes_raw;
    bool has_codes;
};

/* A block with payload @p as it is stored. */
static int put(struct job *j, struct fl_envelope *e, const void *p, struct fl_err *err)
{
    uint8_t head[FL_ENVELOPE_BYTES];
    e->seq = j->seq++;
    fl_envelope_encode(head, e, p);
    return fl_sink_put(&j->to, head, sizeof head, p, e->stored_len, err);
}

static int copy(struct job *j, unsigned which, struct fl_err *err)
{
    const uint8_t *p;
    struct fl_envelope e = j->e[which];
    int rc = fl_source_get(&j->r->source, j->at[which] + FL_ENVELOPE_BYTES, e.stored_len,
                           &j->r->stored, &p, err);
    return rc == FL_OK ? put(j, &e, p, err) : rc;
}

/* A payload of the layer, or of the one above it: as a block. */
static int put_layer(struct job *j, uint8_t kind, const struct fl_buf *raw, struct fl_err *err)
{
    const struct fl_envelope *of = &j->e[0];
    uint64_t after_ns = j->r->time_ns;
    struct fl_envelope e = { .kind = kind,
                             .flags = j->only ? 0 : FL_BLOCKF_OPTIONAL,
                             .raw_len = (uint32_t)raw->len,
                             .stored_len = (uint32_t)raw->len,
                             .runs = j->only ? fl_reduced_count(raw->data) : 0,
                             .first_access = of->first_access + (j->only ? 0 : of->accesses),
                             .first_time_ns = j->only ? of->first_time_ns : after_ns,
                             .accesses = j->only ? of->accesses : 0 };
    size_t room = ZSTD_compressBound(raw->len);
    fl_buf_reset(&j->packed);
    uint8_t *p = fl_buf_room(&j->packed, room);
    if (!p)
        return fl_nomem(err, "trace block");
    size_t n = ZSTD_compressCCtx(j->zstd, p, room, raw->data, raw->len, LEVEL);
    if (ZSTD_isError(n) || n >= raw->len - raw->len / 20)
        return put(j, &e, raw->data, err);
    e.codec = FL_CODEC_ZSTD;
    e.stored_len = (uint32_t)n;
    return put(j, &e, p, err);
}

/* What is above the layer, where a stretch of it ends. */
static int put_coarse(struct job *j, bool end, struct fl_err *err)
{
    const struct fl_buf *out;
    int rc = fl_layer_stretch(&j->layer, end, &out, err);
    return rc == FL_OK && out ? put_layer(j, FL_BLOCK_COARSE, out, err) : rc;
}

/* The reader has stepped over all of a block: reduce it, put what is to be put. */
static int end_block(struct job *j, struct fl_err *err)
{
    struct fl_reader *r = j->r;
    bool pays;
    if (!j->open)
        return FL_OK;
    j->open = false;
    struct fl_buf codes = { .data = (uint8_t *)(uintptr_t)r->stream.codes,
                            .len = r->stream.codes_len };
    fl_buf_reset(&j->layer.stream);
    fl_buf_put(&j->layer.stream, r->stream.raw, r->stream.raw_len);
    if (j->layer.stream.oom)
        return fl_nomem(err, "trace block");
    j->has_codes = r->stream.codes != NULL;
    int rc = fl_layer_block(&j->layer, j->has_codes ? &codes : NULL, r->stream.flags,
                            r->stream.runs, NULL, r->stream.time_ns, &pays, err);
    if (rc != FL_OK)
        return rc;
    if (pays && j->only) {
        j->codes |= j->has_codes;
        return put_layer(j, FL_BLOCK_REDUCED, &j->layer.out, err);
    }
    rc = copy(j, 0, err);
    if (rc == FL_OK && j->has_codes)
        rc = copy(j, 1, err);
    if (rc == FL_OK && pays)
        rc = put_layer(j, FL_BLOCK_REDUCED, &j->layer.out, err);
    return rc == FL_OK && pays ? put_coarse(j, false, err) : rc;
}

/* The block that the reader is about to open, at its offset. */
static int note_block(struct job *j, struct fl_err *err)
{
    struct fl_reader *r = j->r;
    struct fl_envelope e;
    uint8_t head[FL_ENVELOPE_BYTES];
    fl_reader_envelope(r, r->block, head, &e);
    if (e.kind == FL_BLOCK_REDUCED || e.kind == FL_BLOCK_COARSE)
        return FL_OK;
    j->e[0] = e;
    j->at[0] = r->offset;
    if (e.kind != FL_BLOCK_STREAM)
        return copy(j, 0, err);
    j->open = true;
    j->at[1] = r->offset + FL_ENVELOPE_BYTES + e.stored_len;
    if (r->block + 1 < r->good_blocks)
        fl_reader_envelope(r, r->block + 1, head, &j->e[1]);
    return FL_OK;
}

static int all_blocks(struct job *j, struct fl_err *err)
{
    struct fl_reader *r = j->r;
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    int rc = FL_OK;
    while (rc == FL_OK) {
        bool got = false;
        if (!r->block_open && !r->segment_left && !r->events_left) {
            rc = end_block(j, err);
            if (rc == FL_OK && r->block < r->good_blocks)
                rc = note_block(j, err);
        }
        if (rc == FL_OK)
            rc = fl_reader_step(r, &item, &got, err);
        if (rc == FL_OK && got && item.kind == FL_ITEM_END)
            break;
    }
    return rc;
}

static int put_header(struct job *j, uint32_t floor, uint32_t coarse, struct fl_meta *meta,
                      struct fl_err *err)
{
    struct fl_buf head = { 0 };
    const char *key, *value;
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && fl_meta_at(j->r->meta, i, &key, &value); i++)
        if (strncmp(key, "layer.", 6))
            rc = fl_meta_set(meta, key, value, err);
    if (rc == FL_OK)
        rc = fl_layer_keys(meta, floor, coarse, err);
    if (rc == FL_OK)
        rc = fl_header_encode(&head, j->r->fidelity, meta, err);
    if (rc == FL_OK)
        rc = fl_sink_put(&j->to, head.data, head.len, NULL, 0, err);
    fl_buf_free(&head);
    return rc;
}

static int put_end(struct job *j, struct fl_err *err)
{
    struct fl_meta *late = fl_meta_new();
    struct fl_buf end = { 0 };
    int rc = late ? fl_layer_end(&j->layer, late, err) : fl_nomem(err, "trace metadata");
    if (rc == FL_OK && j->codes)
        rc = fl_meta_set(late, "layer.codes", "1", err);
    if (rc == FL_OK) {
        fl_end_encode(&end, j->seq, &j->r->totals, late);
        struct fl_envelope e = { .kind = FL_BLOCK_END,
                                 .raw_len = (uint32_t)end.len,
                                 .stored_len = (uint32_t)end.len,
                                 .first_access = j->r->good_accesses,
                                 .first_time_ns = j->r->totals.duration_ns };
        rc = end.oom ? fl_nomem(err, "END block") : put(j, &e, end.data, err);
    }
    fl_meta_free(late);
    fl_buf_free(&end);
    return rc;
}

static int reduce_into(struct job *j, uint32_t floor, struct fl_err *err)
{
    struct fl_meta *meta = fl_meta_new();
    uint32_t coarse = j->only ? 0 : fl_layer_coarse(floor);
    j->zstd = ZSTD_createCCtx();
    int rc = meta && j->zstd ? FL_OK : fl_nomem(err, "trace");
    if (rc == FL_OK)
        rc = fl_layer_begin(&j->layer, floor, coarse, false, NULL, err);
    if (rc == FL_OK)
        rc = put_header(j, floor, coarse, meta, err);
    if (rc == FL_OK) {
        struct fl_err why = { 0 };
        rc = all_blocks(j, &why);
        if (rc != FL_OK)
            fl_fail(err, rc, "%s: block %u: %s", j->r->source.name, j->r->block_number, why.msg);
    }
    if (rc == FL_OK)
        rc = put_coarse(j, true, err);
    if (rc == FL_OK)
        rc = put_end(j, err);
    fl_meta_free(meta);
    ZSTD_freeCCtx(j->zstd);
    fl_buf_free(&j->packed);
    fl_layer_free(&j->layer);
    return rc;
}

int fl_trace_reduce(const char *from, const char *to, uint32_t floor, bool only,
                    struct fl_layer *layer, struct fl_err *err)
{
    struct job j = { .only = only };
    int rc = fl_reader_open_path(from, 0, &j.r, err);
    if (rc == FL_OK)
        rc = fl_reader_vouch(j.r, err);
    if (rc == FL_OK && j.r->layer.only)
        rc =
            fl_fail(err, FL_EDATA,
                    "%s has kept its reduced layer only, of %u frames or more: reduce the trace it "
                    "was made from",
                    from, j.r->layer.floor);
    if (rc == FL_OK)
        rc = fl_sink_open_file(&j.to, to, err);
    if (rc == FL_OK) {
        rc = reduce_into(&j, floor, err);
        rc = fl_sink_end(&j.to, to, rc, err);
    }
    fl_reader_free(j.r);
    if (rc == FL_OK && layer && fl_reader_open_path(to, 0, &j.r, err) == FL_OK) {
        *layer = j.r->layer;
        fl_reader_free(j.r);
    }
    return rc;
}
