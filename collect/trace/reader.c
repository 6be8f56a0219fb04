/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reader.c - a trace as items, block by block.
 */
#include <stdlib.h>
#include <string.h>

#include "reader_priv.h"

static int read_header(struct fl_reader *r, struct fl_err *err)
{
    struct fl_header_fixed fixed;
    const uint8_t *p;
    uint64_t size = r->source.size_bytes;
    size_t first = size < FL_HEADER_FIXED ? (size_t)size : FL_HEADER_FIXED;
    int rc = fl_source_get(&r->source, 0, first, &r->stored, &p, err);
    if (rc == FL_OK)
        rc = fl_header_peek(r->source.name, p, first, &fixed, err);
    if (rc != FL_OK)
        return rc;
    if (fixed.length > size)
        return fl_fail(err, FL_EFORMAT,
                       "%s: truncated in the header at byte %llu: nothing can "
                       "be recovered",
                       r->source.name, (unsigned long long)size);
    rc = fl_source_get(&r->source, 0, fixed.length, &r->stored, &p, err);
    if (rc == FL_OK)
        rc = fl_header_meta(r->source.name, p, &fixed, r->meta, err);
    r->header_bytes = fixed.length;
    r->fidelity = fixed.fidelity;
    return rc;
}

int fl_reader_new(const char *path, const void *mem, size_t len, bool glance,
                  struct fl_reader **out, struct fl_err *err)
{
    struct fl_reader *r = calloc(1, sizeof *r);
    if (!r)
        return fl_nomem(err, "trace reader");
    r->source.fd = -1;
    r->meta = fl_meta_new();
    r->dec = calloc(1, sizeof *r->dec);
    r->reduced = calloc(1, sizeof *r->reduced);
    r->zstd = ZSTD_createDCtx();
    int rc = r->meta && r->dec && r->reduced && r->zstd ? FL_OK : fl_nomem(err, "trace reader");
    if (rc == FL_OK && path)
        rc = fl_source_open_file(&r->source, path, err);
    else if (rc == FL_OK)
        fl_source_open_mem(&r->source, mem, len);
    if (rc == FL_OK)
        rc = read_header(r, err);
    if (rc == FL_OK)
        rc = glance ? fl_reader_glance(r, err) : fl_reader_scan(r, err);
    if (rc == FL_OK)
        rc = fl_reader_rewind(r, err);
    if (rc != FL_OK) {
        fl_reader_free(r);
        return rc;
    }
    *out = r;
    return FL_OK;
}

static int reader_open(const char *path, const void *mem, size_t len, unsigned flags,
                       struct fl_reader **out, struct fl_err *err)
{
    struct fl_reader *r = NULL;
    bool partial = flags & FL_READ_PARTIAL;
    int rc = fl_reader_new(path, mem, len, !partial, &r, err);
    if (rc != FL_OK)
        return rc;
    if (partial)
        rc = fl_reader_walk(r, false, err);
    else if (!r->complete)
        rc = fl_reader_refuse(r, err);
    if (rc != FL_OK) {
        fl_reader_free(r);
        return rc;
    }
    *out = r;
    return FL_OK;
}

int fl_reader_open_path(const char *path, unsigned flags, struct fl_reader **out,
                        struct fl_err *err)
{
    return reader_open(path, NULL, 0, flags, out, err);
}

int fl_reader_open_mem(const void *buf, size_t len_bytes, unsigned flags, struct fl_reader **out,
                       struct fl_err *err)
{
    return reader_open(NULL, buf, len_bytes, flags, out, err);
}

static void stand_at_begin(struct fl_reader *r, enum fl_wanted wanted)
{
    r->wanted = wanted;
    r->coarse = false;
    r->coarse_skip = 0;
    r->offset = r->header_bytes;
    r->block = 0;
    r->block_open = false;
    r->segment_left = r->events_left = 0;
    r->time_ns = r->foreign_events = 0;
    r->failed = (struct fl_err){ 0 };
    r->stream.raw = NULL;
    fl_tstate_reset(&r->state);
}

int fl_reader_rewind(struct fl_reader *r, struct fl_err *err)
{
    (void)err;
    stand_at_begin(r, FL_WANT_STREAM);
    return FL_OK;
}

int fl_reader_rewind_reduced(struct fl_reader *r, uint32_t frames, struct fl_err *err)
{
    (void)err;
    stand_at_begin(r, r->layer.blocks ? FL_WANT_REDUCED : FL_WANT_STREAM);
    r->coarse = r->layer.coarse && frames >= r->layer.coarse;
    return FL_OK;
}

/* ---- items ---- */

/* It does not go on from here. */
static int fail(struct fl_reader *r, int rc, const struct fl_err *why, struct fl_err *err)
{
    r->failed = *why;
    r->failed.code = rc;
    if (err)
        *err = r->failed;
    return rc;
}

/* ... for something in the open block, if its checksum, or one before it, does not say more. */
static int fail_block(struct fl_reader *r, int rc, const struct fl_err *why, struct fl_err *err)
{
    struct fl_err told = *why;
    int worse = rc == FL_EFORMAT ? fl_reader_vouch(r, &told) : FL_OK;
    if (worse != FL_OK)
        return fail(r, worse, &told, err);
    if (rc == FL_EFORMAT)
        fl_fail(&told, rc, "%s: damaged in block %u at byte %llu: %s", r->source.name,
                r->block_number, (unsigned long long)r->block_offset, why->msg);
    told.offset_bytes = r->block_offset;
    return fail(r, rc, &told, err);
}

int fl_payload_unpack(ZSTD_DCtx *zstd, const struct fl_envelope *e, const uint8_t *payload,
                      struct fl_buf *room, const uint8_t **raw, struct fl_err *err)
{
    *raw = payload;
    if (e->codec != FL_CODEC_ZSTD)
        return FL_OK;
    fl_buf_reset(room);
    uint8_t *to = fl_buf_room(room, e->raw_len + 1u);
    if (!to)
        return fl_nomem(err, "trace block");
    size_t n = ZSTD_decompressDCtx(zstd, to, e->raw_len, payload, e->stored_len);
    if (ZSTD_isError(n) || n != e->raw_len)
        return fl_fail(err, FL_EFORMAT, "it does not decompress");
    *raw = to;
    return FL_OK;
}

void fl_reader_envelope(const struct fl_reader *r, uint32_t block, uint8_t head[FL_ENVELOPE_BYTES],
                        struct fl_envelope *e)
{
    memcpy(head, r->envelopes.data + (size_t)block * FL_ENVELOPE_BYTES, FL_ENVELOPE_BYTES);
    fl_envelope_decode(e, head);
}

int fl_reader_payload(struct fl_reader *r, uint64_t at, const uint8_t head[FL_ENVELOPE_BYTES],
                      const struct fl_envelope *e, struct fl_buf *stored, struct fl_buf *room,
                      const uint8_t **raw, struct fl_err *err)
{
    const uint8_t *p;
    int rc = fl_source_get(&r->source, at + FL_ENVELOPE_BYTES, e->stored_len, stored, &p, err);
    if (rc == FL_OK && !fl_envelope_sound(head, e, p))
        rc = fl_fail(err, FL_EFORMAT, "it changed while it was read");
    return rc == FL_OK ? fl_payload_unpack(r->zstd, e, p, room, raw, err) : rc;
}

/* The code locations of the STREAM block that was just opened, when the next block has them. */
static int open_codes(struct fl_reader *r, struct fl_err *err)
{
    uint8_t head[FL_ENVELOPE_BYTES];
    const uint8_t *raw;
    struct fl_envelope e;
    struct fl_err why;
    fl_reader_envelope(r, r->block, head, &e);
    if (!fl_envelope_is_code(&e))
        return FL_OK;
    int rc = fl_reader_payload(r, r->offset, head, &e, &r->stored_codes, &r->raw_codes, &raw, &why);
    if (rc == FL_OK)
        rc = fl_blockdec_codes(r->dec, raw, e.raw_len, &why);
    if (rc != FL_OK)
        return fl_fail(err, rc, "block %u: %s", e.seq, why.msg);
    r->stream.codes = raw;
    r->stream.codes_len = e.raw_len;
    r->codes_time_ns = e.first_time_ns;
    r->block++;
    r->offset += FL_ENVELOPE_BYTES + e.stored_len;
    return FL_OK;
}

/* A STREAM block, with its code locations. */
static int open_stream(struct fl_reader *r, const uint8_t head[FL_ENVELOPE_BYTES],
                       const struct fl_envelope *e, struct fl_err *err)
{
    const uint8_t *raw;
    int rc = fl_reader_payload(r, r->offset, head, e, &r->stored, &r->raw, &raw, err);
    if (rc == FL_OK && e->first_time_ns != r->time_ns)
        rc = fl_fail(err, FL_EFORMAT, "its time is not the last event's");
    if (rc == FL_OK)
        rc = fl_blockdec_load(r->dec, raw, e->raw_len, e->flags, e->runs, &r->pages, err);
    if (rc != FL_OK)
        return rc;
    r->block_open = true;
    r->stream = (struct fl_reduce_input){
        .raw = raw, .raw_len = e->raw_len, .flags = e->flags, .runs = e->runs, .time_ns = r->time_ns
    };
    r->offset += FL_ENVELOPE_BYTES + e->stored_len;
    return r->has_codes && r->block < r->good_blocks ? open_codes(r, err) : FL_OK;
}

/* Open the next block that has items. Pre: there is another block. */
static int open_block(struct fl_reader *r, struct fl_err *err)
{
    uint8_t head[FL_ENVELOPE_BYTES];
    struct fl_envelope e;
    bool taken = false;
    r->block_offset = r->offset;
    r->block_number = r->block++;
    r->block_accesses = 0;
    r->block_reduced = false;
    fl_reader_envelope(r, r->block_number, head, &e);
    int rc = r->reduce ? fl_layer_check(r, head, &e, err) : FL_OK;
    if (rc != FL_OK)
        return rc;
    r->block_accesses = e.accesses;
    if (fl_envelope_is_code(&e))
        return fl_fail(err, FL_EFORMAT, "code locations, but no runs before them");
    if (e.kind == FL_BLOCK_STREAM && r->coarse)
        rc = fl_layer_above(r, &taken, err);
    if (rc == FL_OK && !taken && e.kind == FL_BLOCK_STREAM && r->wanted == FL_WANT_REDUCED)
        rc = fl_layer_instead(r, &e, &taken, err);
    if (rc != FL_OK || taken)
        return rc;
    if (e.kind == FL_BLOCK_STREAM)
        return open_stream(r, head, &e, err);
    if (e.kind == FL_BLOCK_REDUCED && !(e.flags & FL_BLOCKF_OPTIONAL))
        return fl_layer_open(r, head, &e, err);
    r->offset += FL_ENVELOPE_BYTES + e.stored_len;
    return FL_OK;
}

/* Its sequence, its event records and how many of them are still to come. */
static struct fl_cur *sequence(struct fl_reader *r)
{
    return r->block_reduced ? &r->reduced->sequence : &r->dec->sequence;
}

static struct fl_cur *events(struct fl_reader *r)
{
    return r->block_reduced ? &r->reduced->events : &r->dec->events;
}

static uint32_t *events_seen(struct fl_reader *r)
{
    return r->block_reduced ? &r->reduced->events_seen : &r->dec->events_seen;
}

static int next_event(struct fl_reader *r, struct fl_item *item, bool *got, struct fl_err *err)
{
    int rc = fl_event_decode(events(r), &item->event, r->time_ns, r->text, err);
    if (rc < 0)
        return rc;
    r->time_ns = item->event.time_ns;
    r->events_left--;
    ++*events_seen(r);
    *got = rc == 1;
    if (*got) {
        item->kind = FL_ITEM_EVENT;
        return fl_tstate_event(&r->state, &item->event, FL_EFORMAT, err);
    }
    r->foreign_events++;
    return FL_OK;
}

static int next_runs(struct fl_reader *r, struct fl_item *item, struct fl_err *err)
{
    const struct fl_batch *b = r->block_reduced ? &r->reduced->batch : &r->dec->batch;
    uint32_t n = r->segment_left < FL_BATCH_RUNS ? r->segment_left : FL_BATCH_RUNS;
    int rc = r->block_reduced
                 ? fl_reduced_runs(r->reduced, r->segment_actor, n, r->state.codes, err)
                 : fl_blockdec_runs(r->dec, r->segment_thread, n, r->state.codes, err);
    if (rc != FL_OK)
        return rc;
    r->segment_left -= n;
    item->kind = FL_ITEM_RUNS;
    item->runs = (struct fl_runs){
        .thread = r->segment_thread,
        .actor = r->segment_actor,
        .n = n,
        .page = b->page,
        .reads = b->count[0],
        .writes = b->count[1],
        .fetches = b->count[2],
        .facts = b->facts,
        .n_codes = b->run_codes_n,
        .codes = b->run_codes,
    };
    return FL_OK;
}

static int next_entry(struct fl_reader *r, struct fl_err *err)
{
    struct fl_cur *c = sequence(r);
    uint32_t n_events = r->block_reduced ? r->reduced->n_events : r->dec->n_events;
    uint64_t tag = fl_cur_varint(c), n = tag & 1 ? tag >> 2 : (tag >> 1) + 1;
    uint32_t thread = tag & 1 ? fl_cur_varint32(c) : 0;
    if (c->bad || n == 0 || n > UINT32_MAX)
        return fl_fail(err, FL_EFORMAT, "malformed sequence");
    if (!(tag & 1)) {
        if (n > n_events - *events_seen(r))
            return fl_fail(err, FL_EFORMAT, "more events in the sequence than in the block");
        r->events_left = (uint32_t)n;
        return FL_OK;
    }
    if (thread >= r->state.threads)
        return fl_fail(err, FL_EFORMAT, "a run of thread %u, but there are %u", thread,
                       r->state.threads);
    r->segment_left = (uint32_t)n;
    r->segment_thread = thread;
    r->segment_actor = tag & 2 ? FL_ACTOR_KERNEL : FL_ACTOR_USER;
    return FL_OK;
}

int fl_reader_step(struct fl_reader *r, struct fl_item *item, bool *got, struct fl_err *err)
{
    if (r->segment_left) {
        *got = true;
        return next_runs(r, item, err);
    }
    if (r->events_left)
        return next_event(r, item, got, err);
    if (r->block_open && fl_cur_left(sequence(r)))
        return next_entry(r, err);
    if (r->block_open) {
        r->block_open = false;
        if (r->block_reduced)
            return fl_reduced_end(r->reduced, err);
        if (r->dec->has_codes && r->codes_time_ns != r->time_ns)
            return fl_fail(err, FL_EFORMAT,
                           "the time of its code locations is not the last event's");
        return fl_blockdec_end(r->dec, err);
    }
    if (r->block < r->good_blocks)
        return open_block(r, err);
    item->kind = FL_ITEM_END;
    *got = true;
    return FL_OK;
}

int fl_reader_next(struct fl_reader *r, struct fl_item *item, struct fl_err *err)
{
    struct fl_err why;
    if (r->failed.code != FL_OK) {
        if (err)
            *err = r->failed;
        return r->failed.code;
    }
    if (r->wanted != FL_WANT_REDUCED && !r->checked) {
        int rc = fl_reader_vouch(r, &why);
        if (rc != FL_OK)
            return fail(r, rc, &why, err);
    }
    for (bool got = false; !got;) {
        int rc = fl_reader_step(r, item, &got, &why);
        if (rc != FL_OK)
            return fail_block(r, rc, &why, err);
    }
    return FL_OK;
}

/* ---- facts ---- */

uint32_t fl_reader_pages(const struct fl_reader *r)
{
    return r->pages.n;
}

struct fl_page fl_reader_page(const struct fl_reader *r, uint32_t id)
{
    return (struct fl_page){ .vpn = r->pages.vpn[id], .mm = r->pages.mm[id] };
}

bool fl_reader_has_codes(const struct fl_reader *r)
{
    return r->has_codes;
}

const struct fl_layer *fl_reader_layer(const struct fl_reader *r)
{
    return r->layer.floor ? &r->layer : NULL;
}

enum fl_fidelity fl_reader_fidelity(const struct fl_reader *r)
{
    return r->fidelity;
}

const struct fl_meta *fl_reader_meta(const struct fl_reader *r)
{
    return r->meta;
}

const struct fl_totals *fl_reader_totals(const struct fl_reader *r)
{
    return &r->totals;
}

bool fl_reader_complete(const struct fl_reader *r)
{
    return r->complete;
}

const char *fl_reader_damage(const struct fl_reader *r)
{
    return r->complete ? "" : r->damage_note;
}

void fl_reader_free(struct fl_reader *r)
{
    if (!r)
        return;
    fl_hash_drop(r);
    fl_source_close(&r->source);
    fl_meta_free(r->meta);
    fl_tstate_free(&r->state);
    fl_pagetab_free(&r->pages);
    if (r->dec)
        fl_blockdec_free(r->dec);
    free(r->dec);
    if (r->reduced)
        fl_reduced_free(r->reduced);
    free(r->reduced);
    fl_reduce_free(r->reduce);
    fl_coarse_free(r->again);
    ZSTD_freeDCtx(r->zstd);
    fl_buf_free(&r->stored);
    fl_buf_free(&r->raw);
    fl_buf_free(&r->stored_codes);
    fl_buf_free(&r->raw_codes);
    fl_buf_free(&r->envelopes);
    fl_buf_free(&r->layer_raw);
    fl_buf_free(&r->layer_stored);
    fl_buf_free(&r->layer_made);
    free(r);
}
