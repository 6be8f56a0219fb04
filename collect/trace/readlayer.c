/* SPDX-License-Identifier: GPL-2.0-or-later */
/* readlayer.c - a trace's reduced layer in place of its stream. */
#include <string.h>

#include "reader_priv.h"

void fl_layer_facts(struct fl_reader *r)
{
    uint64_t floor = fl_meta_get_u64(r->meta, "layer.floor", 0);
    bool known = fl_meta_get_u64(r->meta, "layer.version", 0) == FL_REDUCED_VERSION;
    r->layer.floor = known && floor <= FL_LAYER_FLOOR_MAX ? (uint32_t)floor : 0;
    r->layer.runs = fl_meta_get_u64(r->meta, "layer.runs", 0);
    r->layer.of_runs = fl_meta_get_u64(r->meta, "layer.of_runs", 0);
    r->has_codes |= r->layer.only && fl_meta_get_u64(r->meta, "layer.codes", 0) == 1;
    if (!r->layer.floor && !r->layer.only)
        r->layer.blocks = 0;
}

/* The payload of a REDUCED block becomes the open block. */
static int take(struct fl_reader *r, const uint8_t *raw, size_t len, struct fl_err *err)
{
    int rc = fl_reduced_load(r->reduced, raw, len, &r->pages, err);
    if (rc == FL_OK && r->reduced->floor != r->layer.floor)
        rc = fl_fail(err, FL_EFORMAT, "a floor of %u frames, but the trace's is %u",
                     r->reduced->floor, r->layer.floor);
    if (rc == FL_OK && r->reduced->time_ns != r->time_ns)
        rc = fl_fail(err, FL_EFORMAT, "its time is not the last event's");
    r->block_open = r->block_reduced = rc == FL_OK;
    return rc;
}

int fl_layer_instead(struct fl_reader *r, const struct fl_envelope *e, bool *taken,
                     struct fl_err *err)
{
    uint8_t head[FL_ENVELOPE_BYTES];
    const uint8_t *raw;
    struct fl_envelope next = *e;
    struct fl_err why = { 0 };
    uint64_t at = r->offset;
    uint32_t block = r->block;
    do {
        at += FL_ENVELOPE_BYTES + next.stored_len;
        if (block++ == r->good_blocks)
            return FL_OK;
        int rc = fl_reader_envelope(r, at, head, &next, err);
        if (rc != FL_OK)
            return rc;
    } while (next.kind == FL_BLOCK_CODE);
    if (!fl_envelope_is_reduced(&next))
        return FL_OK;
    int rc = fl_reader_payload(r, at, head, &next, &r->stored, &r->raw, &raw, &why);
    if (rc == FL_OK)
        rc = take(r, raw, next.raw_len, &why);
    if (rc == FL_EVERSION)
        return FL_OK;
    if (rc != FL_OK)
        return fl_fail(err, rc, "block %u: %s", next.seq, why.msg);
    r->offset = at + FL_ENVELOPE_BYTES + next.stored_len;
    r->block = block;
    *taken = true;
    return FL_OK;
}

int fl_layer_open(struct fl_reader *r, const uint8_t head[FL_ENVELOPE_BYTES],
                  const struct fl_envelope *e, struct fl_err *err)
{
    const uint8_t *raw;
    if (r->wanted == FL_WANT_STREAM)
        return fl_fail(err, FL_EDATA,
                       "%s has kept no more of its runs than lru and opt need in memories of %u "
                       "frames or more, without a TLB (--no-tlb); for anything else record it "
                       "again, or use the trace it was reduced from",
                       r->source.name, r->layer.floor);
    int rc = fl_reader_payload(r, r->offset, head, e, &r->stored, &r->raw, &raw, err);
    if (rc == FL_OK && e->first_time_ns != r->time_ns)
        rc = fl_fail(err, FL_EFORMAT, "its time is not the last event's");
    if (rc == FL_OK)
        rc = take(r, raw, e->raw_len, err);
    if (rc == FL_OK && r->reduced->runs != e->runs)
        rc = fl_fail(err, FL_EFORMAT, "it has %u runs, not %u", r->reduced->runs, e->runs);
    r->block_open = r->block_reduced = rc == FL_OK;
    r->offset += FL_ENVELOPE_BYTES + e->stored_len;
    return rc;
}

/* The last STREAM block through the reducer, into r->layer_made. */
static int reduce_stream(struct fl_reader *r, uint32_t most, struct fl_err *err)
{
    int rc = fl_reduce_block(r->reduce, &r->stream, most, &r->layer_made, err);
    r->stream.raw = NULL;
    return rc;
}

int fl_layer_check(struct fl_reader *r, const uint8_t head[FL_ENVELOPE_BYTES],
                   const struct fl_envelope *e, struct fl_err *err)
{
    const uint8_t *raw;
    if (!fl_envelope_is_reduced(e)) /* of code, the reducer has seen what there was with it */
        return r->stream.raw && e->kind == FL_BLOCK_STREAM ? reduce_stream(r, 0, err) : FL_OK;
    int rc = fl_reader_payload(r, r->offset, head, e, &r->layer_stored, &r->layer_raw, &raw, err);
    if (rc != FL_OK || (e->raw_len && raw[0] != FL_REDUCED_VERSION))
        return rc;
    if (!r->stream.raw || e->raw_len < FL_REDUCED_HEADER)
        return fl_fail(err, FL_EFORMAT, "a reduced layer, but of no block before it");
    uint32_t kept = fl_reduced_count(raw);
    if (kept > r->stream.runs)
        return fl_fail(err, FL_EFORMAT, "more runs than the block before it has");
    rc = reduce_stream(r, FL_REDUCED_REASONS * kept, err);
    if (rc == FL_OK &&
        (r->layer_made.len != e->raw_len || memcmp(r->layer_made.data, raw, e->raw_len)))
        rc = fl_fail(err, FL_EFORMAT, "it is not what the block before it reduces to");
    return rc;
}
