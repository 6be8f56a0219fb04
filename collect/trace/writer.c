/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.c - a trace as it is produced: one block in memory, the rest in the sink.
 */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "writer.h"

#define DEFAULT_LEVEL 3

static int writer_new(enum fl_fidelity fidelity, const struct fl_meta *meta,
                      const struct fl_writer_opts *opts, const char *path, struct fl_writer **out,
                      struct fl_err *err)
{
    uint32_t runs = opts && opts->block_runs ? opts->block_runs : FL_BLOCK_RUNS_MAX;
    struct fl_buf head = { 0 };
    struct fl_writer *w = calloc(1, sizeof *w);
    if (!w)
        return fl_nomem(err, "trace writer");
    fl_sink_open_mem(&w->sink);
    w->level = opts && opts->zstd_level ? opts->zstd_level : DEFAULT_LEVEL;
    w->late = fl_meta_new();
    w->zstd = ZSTD_createCCtx();
    int rc = w->late && w->zstd ? FL_OK : fl_nomem(err, "trace writer");
    if (rc == FL_OK)
        rc = fl_blockenc_init(&w->block, runs < FL_BLOCK_RUNS_MAX ? runs : FL_BLOCK_RUNS_MAX, err);
    if (rc == FL_OK)
        rc = fl_layer_begin(&w->layer, opts ? opts->layer_floor : 0, opts ? opts->layer_coarse : 0,
                            opts && opts->layer_always, meta, err);
    if (rc == FL_OK)
        rc = fl_header_encode(&head, fidelity, w->layer.meta ? w->layer.meta : meta, err);
    if (rc == FL_OK && path)
        rc = fl_sink_open_file(&w->sink, path, err);
    if (rc == FL_OK)
        rc = fl_sink_put(&w->sink, head.data, head.len, NULL, 0, err);
    fl_buf_free(&head);
    if (rc != FL_OK) {
        fl_writer_abandon(w);
        return rc;
    }
    *out = w;
    return FL_OK;
}

int fl_writer_open(const char *path, enum fl_fidelity fidelity, const struct fl_meta *meta,
                   const struct fl_writer_opts *opts, struct fl_writer **out, struct fl_err *err)
{
    return writer_new(fidelity, meta, opts, path, out, err);
}

int fl_writer_open_mem(enum fl_fidelity fidelity, const struct fl_meta *meta,
                       const struct fl_writer_opts *opts, struct fl_writer **out,
                       struct fl_err *err)
{
    return writer_new(fidelity, meta, opts, NULL, out, err);
}

int fl_writer_repeat_failure(const struct fl_writer *w, struct fl_err *err)
{
    if (err)
        *err = w->failed;
    return w->failed.code;
}

/* ---- blocks ---- */

/*
 * Recordings at the default level: tables that stay in the cache, and matches of 7 bytes, take a
 * tenth to a fifth less time than zstd's own choice, for no more bytes.
 */
static void set_compression(struct fl_writer *w, uint8_t kind)
{
    static const struct {
        ZSTD_cParameter what;
        int value;
    } usual[] = { { ZSTD_c_strategy, ZSTD_dfast },
                  { ZSTD_c_windowLog, 21 },
                  { ZSTD_c_hashLog, 15 },
                  { ZSTD_c_chainLog, 13 },
                  { ZSTD_c_minMatch, 7 } };
    bool layer = kind == FL_BLOCK_REDUCED || kind == FL_BLOCK_COARSE;
    int level = layer && w->level < FL_LAYER_LEVEL ? FL_LAYER_LEVEL : w->level;
    ZSTD_CCtx_reset(w->zstd, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, level);
    if (kind != FL_BLOCK_STREAM || !w->block.depth || w->level != DEFAULT_LEVEL)
        return;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        ZSTD_CCtx_setParameter(w->zstd, usual[i].what, usual[i].value);
}

/* Store @raw as the next block; compressed when that gains 5 % or more. */
static int put_block(struct fl_writer *w, uint8_t kind, uint32_t runs, const struct fl_buf *raw,
                     struct fl_err *err)
{
    uint64_t accesses = fl_totals_accesses(&w->totals);
    struct fl_envelope e = {
        .kind = kind,
        .codec = FL_CODEC_RAW,
        .flags = kind == FL_BLOCK_STREAM ? w->block.flags
                 : kind == FL_BLOCK_END  ? (uint16_t)0
                                         : (uint16_t)FL_BLOCKF_OPTIONAL,
        .seq = w->blocks,
        .runs = runs,
        .raw_len = (uint32_t)raw->len,
        .stored_len = (uint32_t)raw->len,
        .first_access = w->block_access,
        .first_time_ns = w->block_time_ns,
        .accesses = accesses - w->block_access,
    };
    const uint8_t *payload = raw->data;
    if (raw->len > FL_BLOCK_RAW_MAX || w->blocks == UINT32_MAX)
        return fl_fail(err, FL_EINTERNAL, "a trace block of %zu bytes", raw->len);
    if (kind != FL_BLOCK_END) {
        fl_buf_reset(&w->packed);
        size_t room = ZSTD_compressBound(raw->len);
        uint8_t *p = fl_buf_room(&w->packed, room);
        if (!p)
            return fl_nomem(err, "trace block");
        set_compression(w, kind);
        size_t n = ZSTD_compress2(w->zstd, p, room, raw->data, raw->len);
        if (!ZSTD_isError(n) && n < raw->len - raw->len / 20) {
            e.codec = FL_CODEC_ZSTD;
            e.stored_len = (uint32_t)n;
            payload = p;
        }
    }
    uint8_t envelope[FL_ENVELOPE_BYTES];
    fl_envelope_encode(envelope, &e, payload);
    return fl_sink_put(&w->sink, envelope, sizeof envelope, payload, e.stored_len, err);
}

static int put_end(struct fl_writer *w, struct fl_err *err)
{
    struct fl_buf end = { 0 };
    fl_end_encode(&end, w->blocks, &w->totals, w->late);
    int rc = end.oom ? fl_nomem(err, "END block") : put_block(w, FL_BLOCK_END, 0, &end, err);
    fl_buf_free(&end);
    return rc;
}

/*
 * What the disk took of the unfinished block is gone by now,
 * so an END block nearly always fits in its place: the trace then ends properly
 * with what was good, and says that it is cut short.
 */
int fl_writer_fail(struct fl_writer *w, const struct fl_err *why)
{
    w->failed = *why;
    w->totals = w->good_totals;
    w->run_open = false;
    if (fl_meta_setf(w->late, NULL, "quality.incomplete", "the trace was cut short: %s",
                     why->sys_errno ? strerror(why->sys_errno) : why->msg) == FL_OK)
        put_end(w, NULL);
    return why->code;
}

int fl_writer_end_run(struct fl_writer *w, struct fl_err *err)
{
    if (!w->run_open)
        return FL_OK;
    w->run_open = false;
    return fl_blockenc_shape(&w->block, w->reads, w->writes, w->fetches, err);
}

/* A block is in the sink: whatever happens now, it stays. */
static void block_is_good(struct fl_writer *w)
{
    w->blocks++;
    w->good_totals = w->totals;
    w->block_access = fl_totals_accesses(&w->totals);
    w->block_time_ns = w->totals.duration_ns;
}

/* What is above the layer, where a stretch of it ends. */
static int put_coarse(struct fl_writer *w, bool end, struct fl_err *err)
{
    const struct fl_buf *out;
    int rc = fl_layer_stretch(&w->layer, end, &out, err);
    if (rc != FL_OK || !out)
        return rc;
    rc = put_block(w, FL_BLOCK_COARSE, 0, out, err);
    if (rc == FL_OK)
        block_is_good(w);
    return rc;
}

/* The reduced layer of the block just put, where it pays. */
static int put_reduced(struct fl_writer *w, const struct fl_buf *codes,
                       const struct fl_totals *from, struct fl_err *err)
{
    const struct fl_blockenc *b = &w->block;
    const struct fl_totals *to = &w->totals;
    const struct fl_reduce_given runs = {
        .page = b->run_pages,
        .shape = b->shape_ids,
        .shapes = b->shapes,
        .n_shapes = b->shapes_n,
        .codes = b->depth ? b->codes : NULL,
        .depth = b->depth,
        .locations = codes ? b->locations : NULL,
        .counts = { to->reads - from->reads, to->writes - from->writes, to->fetches - from->fetches,
                    to->syscall_reads - from->syscall_reads,
                    to->syscall_writes - from->syscall_writes }
    };
    bool pays;
    int rc = fl_layer_block(&w->layer, codes, b->flags, b->runs, b->overflow.len ? NULL : &runs,
                            from->duration_ns, &pays, err);
    if (rc != FL_OK || !pays)
        return rc;
    rc = put_block(w, FL_BLOCK_REDUCED, 0, &w->layer.out, err);
    if (rc != FL_OK)
        return rc;
    block_is_good(w);
    return put_coarse(w, false, err);
}

static int put_stream(struct fl_writer *w, struct fl_err *err)
{
    struct fl_blockenc *b = &w->block;
    struct fl_totals from = w->good_totals;
    int rc = fl_blockenc_finish(b, err);
    if (rc == FL_OK)
        rc = put_block(w, FL_BLOCK_STREAM, b->runs, &b->raw, err);
    if (rc != FL_OK)
        return rc;
    bool codes = fl_blockenc_locations(b);
    block_is_good(w);
    if (w->layer.reduce)
        fl_layer_take(&w->layer, &b->raw);
    if (codes)
        rc = fl_blockenc_codes(b, err);
    if (rc == FL_OK && codes)
        rc = put_block(w, FL_BLOCK_CODE, 0, &b->raw, err);
    if (rc == FL_OK && codes)
        block_is_good(w);
    return rc == FL_OK && w->layer.reduce ? put_reduced(w, codes ? &b->raw : NULL, &from, err) : rc;
}

int fl_writer_finish_block(struct fl_writer *w, struct fl_err *err)
{
    struct fl_err why = { 0 };
    int rc = fl_writer_end_run(w, &why);
    if (rc == FL_OK && fl_blockenc_empty(&w->block))
        return FL_OK;
    if (rc == FL_OK)
        rc = put_stream(w, &why);
    if (rc != FL_OK) {
        if (err)
            *err = why;
        return fl_writer_fail(w, &why);
    }
    fl_blockenc_next(&w->block);
    return FL_OK;
}

int fl_writer_event(struct fl_writer *w, const struct fl_event *event, struct fl_err *err)
{
    struct fl_err why = { 0 };
    struct fl_event ev = *event;
    if (w->failed.code != FL_OK)
        return fl_writer_repeat_failure(w, err);
    int rc = fl_writer_end_run(w, &why);
    if (rc == FL_OK && fl_blockenc_full(&w->block))
        rc = fl_writer_finish_block(w, &why);
    if (rc == FL_OK && ev.time_ns < w->totals.duration_ns)
        ev.time_ns = w->totals.duration_ns;
    if (rc == FL_OK)
        rc = fl_tstate_event(&w->state, &ev, FL_EUSAGE, &why);
    if (rc == FL_OK)
        rc = fl_blockenc_event(&w->block, &ev, w->totals.duration_ns, &why);
    if (rc != FL_OK) {
        if (err)
            *err = why;
        return w->failed.code != FL_OK ? rc : fl_writer_fail(w, &why);
    }
    fl_totals_event(&w->totals, &ev);
    w->totals.threads = w->state.threads;
    w->totals.address_spaces = w->state.spaces;
    w->totals.files = w->state.files;
    return FL_OK;
}

int fl_writer_meta(struct fl_writer *w, const char *key, const char *value, struct fl_err *err)
{
    return w->failed.code != FL_OK ? fl_writer_repeat_failure(w, err)
                                   : fl_meta_set(w->late, key, value, err);
}

int fl_writer_flush(struct fl_writer *w, struct fl_err *err)
{
    return w->failed.code != FL_OK ? fl_writer_repeat_failure(w, err)
                                   : fl_writer_finish_block(w, err);
}

const struct fl_totals *fl_writer_totals(const struct fl_writer *w)
{
    return &w->totals;
}

static void writer_free(struct fl_writer *w)
{
    fl_layer_free(&w->layer);
    fl_blockenc_free(&w->block);
    fl_tstate_free(&w->state);
    fl_meta_free(w->late);
    ZSTD_freeCCtx(w->zstd);
    free(w->code_at);
    fl_buf_free(&w->packed);
    fl_buf_free(&w->sink.mem);
    free(w);
}

int fl_writer_close(struct fl_writer *w, void **bytes, size_t *len, struct fl_err *err)
{
    struct fl_err why = { 0 };
    int rc = fl_writer_flush(w, &why);
    if (rc == FL_OK) {
        rc = put_coarse(w, true, &why);
        if (rc != FL_OK)
            fl_writer_fail(w, &why);
    }
    if (rc == FL_OK)
        rc = fl_layer_end(&w->layer, w->late, &why);
    if (rc == FL_OK) {
        rc = put_end(w, &why);
        if (rc != FL_OK)
            fl_writer_fail(w, &why);
    }
    bool in_memory = w->sink.fd < 0;
    int closed = fl_sink_close(&w->sink, true, rc == FL_OK ? &why : NULL);
    if (rc == FL_OK)
        rc = closed;
    if (rc == FL_OK && in_memory && bytes) {
        *bytes = w->sink.mem.data;
        *len = w->sink.mem.len;
        w->sink.mem = (struct fl_buf){ 0 };
    }
    if (rc != FL_OK && err)
        *err = why;
    writer_free(w);
    return rc;
}

void fl_writer_abandon(struct fl_writer *w)
{
    if (!w)
        return;
    fl_sink_close(&w->sink, false, NULL);
    writer_free(w);
}
