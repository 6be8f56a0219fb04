/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compressfile.c - the same trace in fewer bytes: each block's payload compressed again, harder than
 * a recording has time for. Blocks are independent, so as many as there are threads go at a time.
 */
#include <stdlib.h>
#include <zstd.h>

#include <faultline/jobs.h>

#include "reader_priv.h"
#include "sink.h"

/* A block on its way. */
struct slot {
    struct fl_envelope e;
    struct fl_buf stored, raw, packed;
    ZSTD_CCtx *zstd;
    ZSTD_DCtx *unzstd;
    int level;
};

struct job {
    struct fl_reader *r;
    struct fl_sink to;
    struct slot *slots;
    unsigned n;
    void (*progress)(void *arg, unsigned done_bp);
    void *arg;
};

/* What is no smaller afterwards stays as it is. */
static int pack(void *arg, struct fl_job_progress *progress, struct fl_err *err)
{
    struct slot *s = arg;
    const uint8_t *raw;
    (void)progress;
    int rc = fl_payload_unpack(s->unzstd, &s->e, s->stored.data, &s->raw, &raw, err);
    if (rc == FL_EFORMAT)
        return fl_fail(err, rc, "block %u does not decompress", s->e.seq);
    if (rc != FL_OK)
        return rc;
    size_t room = ZSTD_compressBound(s->e.raw_len);
    fl_buf_reset(&s->packed);
    uint8_t *to = fl_buf_room(&s->packed, room);
    if (!to)
        return fl_nomem(err, "trace block");
    size_t n = ZSTD_compressCCtx(s->zstd, to, room, raw, s->e.raw_len, s->level);
    if (ZSTD_isError(n) || n >= s->e.stored_len)
        return FL_OK;
    s->e.codec = FL_CODEC_ZSTD;
    s->e.stored_len = (uint32_t)n;
    fl_buf_reset(&s->stored);
    fl_buf_put(&s->stored, to, n);
    return s->stored.oom ? fl_nomem(err, "trace block") : FL_OK;
}

/* The block at @offset into @s; @offset moves on to the next. */
static int get(struct job *j, uint32_t block, uint64_t *offset, struct slot *s, struct fl_err *err)
{
    uint8_t head[FL_ENVELOPE_BYTES];
    const uint8_t *payload;
    fl_reader_envelope(j->r, block, head, &s->e);
    int rc = fl_source_get(&j->r->source, *offset + FL_ENVELOPE_BYTES, s->e.stored_len,
                           &j->r->stored, &payload, err);
    if (rc != FL_OK)
        return rc;
    if (!fl_envelope_sound(head, &s->e, payload))
        return fl_fail(err, FL_EFORMAT, "%s: block %u has changed while it was read",
                       j->r->source.name, block);
    fl_buf_reset(&s->stored);
    fl_buf_put(&s->stored, payload, s->e.stored_len);
    *offset += FL_ENVELOPE_BYTES + s->e.stored_len;
    return s->stored.oom ? fl_nomem(err, "trace block") : FL_OK;
}

static int put(struct job *j, struct slot *s, struct fl_err *err)
{
    uint8_t head[FL_ENVELOPE_BYTES];
    fl_envelope_encode(head, &s->e, s->stored.data);
    return fl_sink_put(&j->to, head, sizeof head, s->stored.data, s->e.stored_len, err);
}

/* A block of a kind that is not known is not touched: who knows it may want it as it is. */
static bool packs(const struct fl_envelope *e)
{
    return fl_envelope_is_known(e) && e->raw_len;
}

static int all_blocks(struct job *j, uint64_t offset, struct fl_err *err)
{
    struct fl_job *jobs = calloc(j->n, sizeof *jobs);
    int rc = jobs ? FL_OK : fl_nomem(err, "trace");
    for (uint32_t block = 0, n; rc == FL_OK && block < j->r->good_blocks; block += n) {
        size_t n_jobs = 0;
        for (n = 0; rc == FL_OK && n < j->n && block + n < j->r->good_blocks; n++) {
            struct slot *s = &j->slots[n];
            rc = get(j, block + n, &offset, s, err);
            if (packs(&s->e))
                jobs[n_jobs++] = (struct fl_job){ .run = pack, .arg = s };
        }
        if (rc == FL_OK)
            rc = fl_jobs_run(jobs, n_jobs, j->n, NULL, NULL, err);
        for (uint32_t i = 0; rc == FL_OK && i < n; i++)
            rc = put(j, &j->slots[i], err);
        if (rc == FL_OK && j->progress)
            j->progress(j->arg, (unsigned)(offset * 10000 / j->r->source.size_bytes));
    }
    free(jobs);
    return rc;
}

static int copy_from(struct job *j, uint64_t offset, uint64_t len, struct fl_err *err)
{
    const uint8_t *p;
    int rc = fl_source_get(&j->r->source, offset, (size_t)len, &j->r->stored, &p, err);
    return rc == FL_OK ? fl_sink_put(&j->to, p, (size_t)len, NULL, 0, err) : rc;
}

static int slots_open(struct job *j, int level, struct fl_err *err)
{
    j->slots = calloc(j->n, sizeof *j->slots);
    for (unsigned i = 0; j->slots && i < j->n; i++) {
        j->slots[i].level = level;
        j->slots[i].zstd = ZSTD_createCCtx();
        j->slots[i].unzstd = ZSTD_createDCtx();
        if (!j->slots[i].zstd || !j->slots[i].unzstd)
            return fl_nomem(err, "zstd");
    }
    return j->slots ? FL_OK : fl_nomem(err, "trace");
}

static void slots_close(struct job *j)
{
    for (unsigned i = 0; j->slots && i < j->n; i++) {
        struct slot *s = &j->slots[i];
        ZSTD_freeCCtx(s->zstd);
        ZSTD_freeDCtx(s->unzstd);
        fl_buf_free(&s->stored);
        fl_buf_free(&s->raw);
        fl_buf_free(&s->packed);
    }
    free(j->slots);
}

int fl_trace_compress(const char *from, const char *to, int level, unsigned threads,
                      void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_err *err)
{
    struct job j = { .n = threads ? threads : fl_jobs_threads(), .progress = progress, .arg = arg };
    if (level < 1 || level > FL_COMPRESS_LEVEL_MAX)
        return fl_fail(err, FL_EUSAGE, "level %d: 1 to %d", level, FL_COMPRESS_LEVEL_MAX);
    int rc = fl_reader_open_path(from, 0, &j.r, err);
    if (rc == FL_OK)
        rc = fl_reader_vouch(j.r, err);
    if (rc == FL_OK)
        rc = slots_open(&j, level, err);
    if (rc == FL_OK)
        rc = fl_sink_open_file(&j.to, to, err);
    if (rc == FL_OK) {
        uint64_t size = j.r->source.size_bytes;
        rc = copy_from(&j, 0, j.r->header_bytes, err);
        if (rc == FL_OK)
            rc = all_blocks(&j, j.r->header_bytes, err);
        if (rc == FL_OK)
            rc = copy_from(&j, j.r->good_bytes, size - j.r->good_bytes, err); /* the END block */
        rc = fl_sink_end(&j.to, to, rc, err);
    }
    slots_close(&j);
    fl_reader_free(j.r);
    return rc;
}
