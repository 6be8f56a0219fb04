/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.c - a trace as it is produced: one block in memory, the rest in the sink.
 */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "blockenc.h"
#include "layer.h"
#include "sink.h"
#include "tstate.h"

#define DEFAULT_LEVEL 3

struct fl_writer {
    struct fl_sink sink;
    struct fl_blockenc block;
    struct fl_tstate state;
    struct fl_totals totals, good_totals; /* good: of the finished blocks */
    struct fl_meta *late;
    ZSTD_CCtx *zstd;
    int level;
    uint32_t blocks;
    uint64_t block_access, block_time_ns; /* where the open block begins */

    bool run_open; /* the last run, which later calls may still continue */
    uint32_t thread, mm, reads, writes, fetches;
    enum fl_actor actor;
    uint64_t vpn;

    uint32_t *code_at; /* thread -> where it is; made by the first fl_writer_code() */
    uint32_t code_at_cap;

    struct fl_layer_writer layer;
    struct fl_buf packed;
    struct fl_err failed; /* code FL_OK: nothing has failed */
};

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

static int repeat_failure(const struct fl_writer *w, struct fl_err *err)
{
    if (err)
        *err = w->failed;
    return w->failed.code;
}

/* ---- blocks ---- */

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
        bool layer = kind == FL_BLOCK_REDUCED || kind == FL_BLOCK_COARSE;
        int level = layer && w->level < FL_LAYER_LEVEL ? FL_LAYER_LEVEL : w->level;
        size_t n = ZSTD_compressCCtx(w->zstd, p, room, raw->data, raw->len, level);
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
 * Remember the failure. What the disk took of the unfinished block is gone by now,
 * so an END block nearly always fits in its place: the trace then ends properly
 * with what was good, and says that it is cut short.
 */
static int fail_writer(struct fl_writer *w, const struct fl_err *why)
{
    w->failed = *why;
    w->totals = w->good_totals;
    w->run_open = false;
    if (fl_meta_setf(w->late, NULL, "quality.incomplete", "the trace was cut short: %s",
                     why->sys_errno ? strerror(why->sys_errno) : why->msg) == FL_OK)
        put_end(w, NULL);
    return why->code;
}

static int end_run(struct fl_writer *w, struct fl_err *err)
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
static int put_reduced(struct fl_writer *w, const struct fl_buf *codes, uint64_t time_ns,
                       struct fl_err *err)
{
    bool pays;
    int rc = fl_layer_block(&w->layer, codes, w->block.flags, w->block.runs, time_ns, &pays, err);
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
    int rc = fl_blockenc_finish(b, err);
    if (rc == FL_OK)
        rc = put_block(w, FL_BLOCK_STREAM, b->runs, &b->raw, err);
    if (rc != FL_OK)
        return rc;
    uint64_t time_ns = w->block_time_ns;
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
    return rc == FL_OK && w->layer.reduce ? put_reduced(w, codes ? &b->raw : NULL, time_ns, err)
                                          : rc;
}

static int finish_block(struct fl_writer *w, struct fl_err *err)
{
    struct fl_err why = { 0 };
    int rc = end_run(w, &why);
    if (rc == FL_OK && fl_blockenc_empty(&w->block))
        return FL_OK;
    if (rc == FL_OK)
        rc = put_stream(w, &why);
    if (rc != FL_OK) {
        if (err)
            *err = why;
        return fail_writer(w, &why);
    }
    fl_blockenc_next(&w->block);
    return FL_OK;
}

/* ---- the stream ---- */

int fl_writer_event(struct fl_writer *w, const struct fl_event *event, struct fl_err *err)
{
    struct fl_err why = { 0 };
    struct fl_event ev = *event;
    if (w->failed.code != FL_OK)
        return repeat_failure(w, err);
    int rc = end_run(w, &why);
    if (rc == FL_OK && fl_blockenc_full(&w->block))
        rc = finish_block(w, &why);
    if (rc == FL_OK && ev.time_ns < w->totals.duration_ns)
        ev.time_ns = w->totals.duration_ns;
    if (rc == FL_OK)
        rc = fl_tstate_event(&w->state, &ev, FL_EUSAGE, &why);
    if (rc == FL_OK)
        rc = fl_blockenc_event(&w->block, &ev, w->totals.duration_ns, &why);
    if (rc != FL_OK) {
        if (err)
            *err = why;
        return w->failed.code != FL_OK ? rc : fail_writer(w, &why);
    }
    fl_totals_event(&w->totals, &ev);
    w->totals.threads = w->state.threads;
    w->totals.address_spaces = w->state.spaces;
    w->totals.files = w->state.files;
    return FL_OK;
}

static int judge_run(const struct fl_writer *w, uint32_t thread, enum fl_actor actor, uint32_t mm,
                     uint64_t vpn, uint32_t reads, uint32_t writes, uint32_t fetches,
                     struct fl_err *err)
{
    if (!(reads | writes | fetches))
        return fl_fail(err, FL_EUSAGE, "a run without accesses");
    if (actor != FL_ACTOR_USER && (actor != FL_ACTOR_KERNEL || fetches))
        return fl_fail(err, FL_EUSAGE, "a system call cannot make these accesses");
    if (vpn > FL_VPN_MAX)
        return fl_fail(err, FL_EUSAGE, "page number 0x%llx is over 63 bits",
                       (unsigned long long)vpn);
    if (thread >= w->state.threads)
        return fl_fail(err, FL_EUSAGE, "a run of thread %u, but there are %u", thread,
                       w->state.threads);
    if (fl_tstate_mm(&w->state, thread) != mm)
        return fl_fail(err, FL_EUSAGE, "a run of thread %u in address space %u, but it is in %u",
                       thread, mm, fl_tstate_mm(&w->state, thread));
    return FL_OK;
}

static void count_run(struct fl_totals *t, enum fl_actor actor, uint32_t reads, uint32_t writes,
                      uint32_t fetches)
{
    if (actor == FL_ACTOR_USER) {
        t->reads += reads;
        t->writes += writes;
        t->fetches += fetches;
    } else {
        t->syscall_reads += reads;
        t->syscall_writes += writes;
    }
}

/* An array with index @thread, all new entries not known. */
static bool reach_thread(struct fl_writer *w, uint32_t thread)
{
    size_t cap = w->code_at_cap ? w->code_at_cap : 64;
    while (cap <= thread)
        cap *= 2;
    cap = cap < UINT32_MAX ? cap : UINT32_MAX;
    uint32_t *grown = realloc(w->code_at, cap * sizeof *grown);
    if (!grown)
        return false;
    for (size_t i = w->code_at_cap; i < cap; i++)
        grown[i] = FL_NO_CODE;
    w->code_at = grown;
    w->code_at_cap = (uint32_t)cap;
    return true;
}

void fl_writer_code(struct fl_writer *w, uint32_t thread, uint32_t code)
{
    struct fl_blockenc *b = &w->block;
    if (code >= w->state.codes && code != FL_NO_CODE) {
        struct fl_err why;
        if (w->failed.code != FL_OK)
            return;
        fl_fail(&why, FL_EUSAGE, "a run in code %u, but there are %u", code, w->state.codes);
        fail_writer(w, &why);
        return;
    }
    if (thread >= w->state.threads || (thread >= w->code_at_cap && !reach_thread(w, thread)))
        return;
    w->code_at[thread] = code;
    if (b->segment_open && b->thread == thread)
        b->location = code + 1; /* FL_NO_CODE wraps to 0 */
}

static int begin_run(struct fl_writer *w, uint32_t thread, enum fl_actor actor, uint32_t mm,
                     uint64_t vpn, struct fl_err *err)
{
    struct fl_blockenc *b = &w->block;
    int rc = end_run(w, err);
    bool same = b->segment_open && b->thread == thread && b->actor == actor;
    if (rc == FL_OK && (fl_blockenc_full(b) || (!same && !fl_blockenc_segment_fits(b, thread)))) {
        rc = finish_block(w, err);
        same = false;
    }
    if (rc == FL_OK && !same) {
        rc = fl_blockenc_segment(b, thread, actor, mm, err);
        b->location = thread < w->code_at_cap ? w->code_at[thread] + 1 : 0;
    }
    return rc == FL_OK ? fl_blockenc_pages(b, &vpn, NULL, 1, err) : rc;
}

int fl_writer_run(struct fl_writer *w, uint32_t thread, enum fl_actor actor, uint32_t mm,
                  uint64_t vpn, uint32_t reads, uint32_t writes, uint32_t fetches,
                  struct fl_err *err)
{
    if (w->run_open && w->vpn == vpn && w->thread == thread && w->mm == mm && w->actor == actor) {
        uint32_t r, wr, f;
        if (!__builtin_add_overflow(w->reads, reads, &r) &&
            !__builtin_add_overflow(w->writes, writes, &wr) &&
            !__builtin_add_overflow(w->fetches, fetches, &f) && (reads | writes | fetches) &&
            (actor == FL_ACTOR_USER || !fetches)) {
            w->reads = r;
            w->writes = wr;
            w->fetches = f;
            count_run(&w->totals, actor, reads, writes, fetches);
            return FL_OK;
        }
    }
    if (w->failed.code != FL_OK)
        return repeat_failure(w, err);
    struct fl_err why;
    int rc = judge_run(w, thread, actor, mm, vpn, reads, writes, fetches, &why);
    if (rc == FL_OK)
        rc = begin_run(w, thread, actor, mm, vpn, &why);
    if (rc != FL_OK) {
        if (err)
            *err = why;
        return w->failed.code != FL_OK ? rc : fail_writer(w, &why);
    }
    w->run_open = true;
    w->thread = thread;
    w->actor = actor;
    w->mm = mm;
    w->vpn = vpn;
    w->reads = reads;
    w->writes = writes;
    w->fetches = fetches;
    w->totals.runs++;
    w->totals.distinct_pages = w->block.pages;
    count_run(&w->totals, actor, reads, writes, fetches);
    return FL_OK;
}

/* Nothing in a batch that a reader would refuse. */
static int judge_batch(const struct fl_writer *w, const uint64_t *vpn, const uint64_t *counts,
                       const uint32_t *code, size_t n, struct fl_err *err)
{
    uint64_t pages = vpn[0], wrong = (counts[0] - 1) & ~counts[0], twice = 0;
    uint32_t unknown = 0;
    for (size_t i = 1; i < n; i++) {
        pages |= vpn[i];
        /* x - 1 & ~x: the top bit is set for 0 alone, which vectors of any processor can do */
        wrong |= (counts[i] - 1) & ~counts[i];
        uint64_t change = vpn[i] ^ vpn[i - 1];
        twice |= (change - 1) & ~change;
    }
    for (size_t i = 0; code && i < n; i++) /* FL_NO_CODE + 1 is 0 */
        unknown = code[i] + 1 > unknown ? code[i] + 1 : unknown;
    if (pages > FL_VPN_MAX)
        return fl_fail(err, FL_EUSAGE, "a page number is over 63 bits");
    if (wrong >> 63)
        return fl_fail(err, FL_EUSAGE, "a run without accesses");
    if (twice >> 63)
        return fl_fail(err, FL_EUSAGE, "two runs in a row on one page");
    if (unknown > w->state.codes)
        return fl_fail(err, FL_EUSAGE, "a run in code that does not exist; there are %u",
                       w->state.codes);
    return FL_OK;
}

static void count_runs(struct fl_totals *t, const uint64_t *counts, size_t n)
{
    uint64_t reads = 0, writes = 0, fetches = 0;
    for (size_t i = 0; i < n; i++) {
        reads += FL_COUNT_READS(counts[i]);
        writes += FL_COUNT_WRITES(counts[i]);
        fetches += FL_COUNT_FETCHES(counts[i]);
    }
    t->reads += reads;
    t->writes += writes;
    t->fetches += fetches;
    t->runs += n;
}

/* Runs of the open segment that neither continue one nor are continued, while there is room. */
static int put_whole_runs(struct fl_writer *w, const uint64_t *vpn, const uint64_t *counts,
                          const uint32_t *code, size_t *n, struct fl_err *err)
{
    struct fl_blockenc *b = &w->block;
    uint32_t room = fl_blockenc_full(b) ? 0 : fl_blockenc_room(b);
    if (*n > room)
        *n = room;
    int rc = end_run(w, err);
    if (rc == FL_OK && *n)
        rc = fl_blockenc_pages(b, vpn, code, (uint32_t)*n, err);
    if (rc == FL_OK && *n)
        rc = fl_blockenc_shapes(b, counts, (uint32_t)*n, err);
    if (rc != FL_OK)
        return fail_writer(w, err);
    count_runs(&w->totals, counts, *n);
    w->totals.distinct_pages = b->pages;
    return FL_OK;
}

static int put_run(struct fl_writer *w, uint32_t thread, uint32_t mm, uint64_t vpn, uint64_t counts,
                   const uint32_t *code, struct fl_err *err)
{
    if (code)
        fl_writer_code(w, thread, *code);
    return fl_writer_run(w, thread, FL_ACTOR_USER, mm, vpn, FL_COUNT_READS(counts),
                         FL_COUNT_WRITES(counts), FL_COUNT_FETCHES(counts), err);
}

int fl_writer_runs(struct fl_writer *w, uint32_t thread, uint32_t mm, const uint64_t *vpn,
                   const uint64_t *counts, const uint32_t *code, size_t n, struct fl_err *err)
{
    struct fl_err why = { 0 };
    int rc = n == 0 || w->failed.code != FL_OK ? FL_OK : judge_batch(w, vpn, counts, code, n, &why);
    if (rc != FL_OK) {
        if (err)
            *err = why;
        return fail_writer(w, &why);
    }
    /* The first, the last, and those around a block's end go the long way. */
    for (size_t i = 0; i < n;) {
        rc = put_run(w, thread, mm, vpn[i], counts[i], code ? code + i : NULL, err);
        if (rc != FL_OK)
            return rc;
        size_t whole = n - ++i;
        if (whole < 2)
            continue;
        whole--;
        rc = put_whole_runs(w, vpn + i, counts + i, code ? code + i : NULL, &whole, &why);
        if (rc != FL_OK) {
            if (err)
                *err = why;
            return rc;
        }
        i += whole;
    }
    return FL_OK;
}

int fl_writer_meta(struct fl_writer *w, const char *key, const char *value, struct fl_err *err)
{
    return w->failed.code != FL_OK ? repeat_failure(w, err) : fl_meta_set(w->late, key, value, err);
}

int fl_writer_flush(struct fl_writer *w, struct fl_err *err)
{
    return w->failed.code != FL_OK ? repeat_failure(w, err) : finish_block(w, err);
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
            fail_writer(w, &why);
    }
    if (rc == FL_OK)
        rc = fl_layer_end(&w->layer, w->late, &why);
    if (rc == FL_OK) {
        rc = put_end(w, &why);
        if (rc != FL_OK)
            fail_writer(w, &why);
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
