/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scan.c - the pass over a whole file before anything of it is believed: over all bytes, or,
 * where few of them are going to be read, over the envelopes.
 */
#include <stdarg.h>
#include <string.h>

#include <faultline/units.h>

#include "reader_priv.h"

static void damaged(struct fl_reader *r, uint64_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void damaged(struct fl_reader *r, uint64_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->damage, sizeof r->damage, fmt, ap);
    va_end(ap);
    r->damage_at = at;
    r->complete = false;
}

void fl_reader_note(struct fl_reader *r)
{
    char accesses[FL_FORMAT_BYTES];
    fl_format_count(accesses, r->good_accesses);
    if (r->good_blocks == 0)
        snprintf(r->damage_note, sizeof r->damage_note, "%s; no block before it is good",
                 r->damage);
    else if (r->good_blocks == 1)
        snprintf(r->damage_note, sizeof r->damage_note, "%s; block 0 is good (%s accesses)",
                 r->damage, accesses);
    else
        snprintf(r->damage_note, sizeof r->damage_note, "%s; blocks 0-%u are good (%s accesses)",
                 r->damage, r->good_blocks - 1, accesses);
}

int fl_reader_refuse(const struct fl_reader *r, struct fl_err *err)
{
    const char *name = r->source.name;
    int rc = r->good_blocks
                 ? fl_fail(err, FL_EFORMAT,
                           "%s: %s: recover them with 'faultline check --salvage OUT %s'", name,
                           r->damage_note, name)
                 : fl_fail(err, FL_EFORMAT, "%s: %s: record it again", name, r->damage_note);
    if (err)
        err->offset_bytes = r->damage_at;
    return rc;
}

static bool judge_envelope(struct fl_reader *r, const struct fl_envelope *e, uint64_t at,
                           uint64_t time_ns)
{
    const char *why = NULL;
    bool has_runs = e->kind == FL_BLOCK_STREAM || fl_envelope_is_only(e);
    if (e->seq != r->good_blocks)
        why = "its number is wrong";
    else if (e->codec == FL_CODEC_RAW && e->raw_len != e->stored_len)
        why = "its lengths disagree";
    else if (e->runs > FL_BLOCK_RUNS_MAX || (!has_runs && e->runs))
        why = "its number of runs is wrong";
    else if (e->first_access != r->good_accesses)
        why = "it does not continue the block before";
    else if (e->accesses > UINT64_MAX - e->first_access || (!has_runs && e->accesses))
        why = "its number of accesses is wrong";
    else if (e->first_time_ns < time_ns)
        why = "its time is before the last block's";
    if (why)
        damaged(r, at, "damaged in block %u at byte %llu: %s", r->good_blocks,
                (unsigned long long)at, why);
    return !why;
}

/* What of a sound block this build must understand. */
static int judge_versions(struct fl_reader *r, const struct fl_envelope *e, struct fl_err *err)
{
    if (e->kind == FL_BLOCK_STREAM || e->kind == FL_BLOCK_END) {
        unsigned known = FL_BLOCKF_OPTIONAL |
                         (e->kind == FL_BLOCK_STREAM ? FL_BLOCKF_IDS | FL_BLOCKF_PAIRS : 0u);
        if (e->codec <= FL_CODEC_ZSTD && !(e->flags & ~known))
            return FL_OK;
        return fl_fail(err, FL_EVERSION,
                       "%s: block %u is coded in a way this faultline does not "
                       "know (codec %u, flags 0x%x); upgrade faultline",
                       r->source.name, e->seq, e->codec, e->flags);
    }
    if (e->flags & FL_BLOCKF_OPTIONAL || fl_envelope_is_only(e))
        return FL_OK;
    return fl_fail(err, FL_EVERSION,
                   "%s: block %u is of kind %u, which this faultline does not "
                   "know; upgrade faultline",
                   r->source.name, e->seq, e->kind);
}

static int take_end(struct fl_reader *r, const struct fl_envelope *e, const uint8_t *payload,
                    uint64_t at, struct fl_err *err)
{
    struct fl_err why = { 0 };
    uint32_t blocks = 0;
    int rc = fl_payload_unpack(r->zstd, e, payload, &r->raw, &payload, &why);
    if (rc == FL_OK)
        rc = fl_end_decode(payload, e->raw_len, &blocks, &r->totals, r->meta, &why);
    if (rc == FL_OK && blocks != r->good_blocks)
        rc = fl_fail(&why, FL_EFORMAT, "it counts %u blocks", blocks);
    if (rc != FL_OK && rc != FL_EFORMAT)
        return fl_fail(err, rc, "%s", why.msg);
    if (rc != FL_OK)
        damaged(r, at, "damaged in the END block at byte %llu: %.80s", (unsigned long long)at,
                why.msg);
    r->has_end = rc == FL_OK;
    return FL_OK;
}

static bool note_block(struct fl_reader *r, const struct fl_envelope *e,
                       const uint8_t head[FL_ENVELOPE_BYTES], uint64_t at)
{
    bool only = fl_envelope_is_only(e), reduced = fl_envelope_is_reduced(e);
    bool coarse = fl_envelope_is_coarse(e);
    r->has_codes |= fl_envelope_is_code(e);
    r->layer.only |= only;
    r->layer.blocks += only || reduced;
    r->layer.of += only || e->kind == FL_BLOCK_STREAM;
    r->has_coarse |= coarse;
    r->layer.bytes += only || reduced || coarse ? FL_ENVELOPE_BYTES + e->stored_len : 0;
    r->good_blocks++;
    r->good_bytes = at + FL_ENVELOPE_BYTES + e->stored_len;
    r->good_accesses += e->accesses;
    fl_buf_put(&r->envelopes, head, FL_ENVELOPE_BYTES);
    return !r->envelopes.oom;
}

/* One block at @at, with its checksum if @all, or when it is the last or one to skip. *go says whether the next one is to be looked at. */
static int scan_block(struct fl_reader *r, uint64_t at, bool all, uint64_t *time_ns, bool *go,
                      struct fl_err *err)
{
    const uint8_t *p, *payload = NULL;
    uint8_t head[FL_ENVELOPE_BYTES];
    struct fl_envelope e;
    uint64_t left = r->source.size_bytes - at;
    unsigned long long place = at;
    *go = false;
    if (left < FL_ENVELOPE_BYTES) {
        damaged(r, at + left, "truncated in block %u at byte %llu", r->good_blocks, place + left);
        return FL_OK;
    }
    int rc = fl_source_get(&r->source, at, FL_ENVELOPE_BYTES, &r->stored, &p, err);
    if (rc != FL_OK)
        return rc;
    memcpy(head, p, sizeof head);
    bool magic = fl_envelope_decode(&e, head);
    if (!magic || e.raw_len > FL_BLOCK_RAW_MAX || e.stored_len > FL_BLOCK_STORED_MAX) {
        damaged(r, at, "damaged in block %u at byte %llu: no block begins here", r->good_blocks,
                place);
        return FL_OK;
    }
    if (e.stored_len > left - FL_ENVELOPE_BYTES) {
        damaged(r, at + left, "truncated in block %u at byte %llu", r->good_blocks, place + left);
        return FL_OK;
    }
    all |= !fl_envelope_is_known(&e);
    if (all)
        rc = fl_source_get(&r->source, at + FL_ENVELOPE_BYTES, e.stored_len, &r->stored, &payload,
                           err);
    if (rc != FL_OK)
        return rc;
    if (all && !fl_envelope_sound(head, &e, payload)) {
        damaged(r, at, "damaged in block %u at byte %llu: its checksum is wrong", r->good_blocks,
                place);
        return FL_OK;
    }
    rc = judge_versions(r, &e, err);
    if (rc != FL_OK || !judge_envelope(r, &e, at, *time_ns))
        return rc;
    if (e.kind == FL_BLOCK_END) {
        uint64_t past = left - FL_ENVELOPE_BYTES - e.stored_len;
        rc = take_end(r, &e, payload, at, err);
        if (rc == FL_OK && r->has_end && past)
            damaged(r, at + left - past, "%llu bytes too many after the END block, at byte %llu",
                    (unsigned long long)past, place + left - past);
        return rc;
    }
    if (!note_block(r, &e, head, at))
        return fl_nomem(err, "trace");
    *time_ns = e.first_time_ns;
    *go = true;
    return FL_OK;
}

static int scan(struct fl_reader *r, bool all, struct fl_err *err)
{
    uint64_t time_ns = 0;
    bool go = true;
    r->complete = true;
    r->checked = all;
    r->good_bytes = r->header_bytes;
    r->good_blocks = 0;
    r->good_accesses = 0;
    fl_buf_reset(&r->envelopes);
    r->has_end = r->has_codes = r->has_coarse = false;
    r->layer = (struct fl_layer){ 0 };
    while (go && r->good_bytes < r->source.size_bytes) {
        int rc = scan_block(r, r->good_bytes, all, &time_ns, &go, err);
        if (rc != FL_OK)
            return rc;
    }
    if (go) /* at the end of the file, without an END block */
        damaged(r, r->good_bytes, "truncated before block %u at byte %llu", r->good_blocks,
                (unsigned long long)r->good_bytes);
    fl_layer_facts(r);
    fl_reader_note(r);
    return FL_OK;
}

int fl_reader_scan(struct fl_reader *r, struct fl_err *err)
{
    return scan(r, true, err);
}

int fl_reader_glance(struct fl_reader *r, struct fl_err *err)
{
    int rc = scan(r, false, NULL);
    /* What is wrong in an envelope, its checksum tells first. */
    return rc == FL_OK && r->complete && r->layer.blocks ? FL_OK : scan(r, true, err);
}

int fl_reader_vouch(struct fl_reader *r, struct fl_err *err)
{
    if (r->checked)
        return FL_OK;
    int rc = scan(r, true, err);
    return rc == FL_OK && !r->complete ? fl_reader_refuse(r, err) : rc;
}
