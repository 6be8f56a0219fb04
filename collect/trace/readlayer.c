/* SPDX-License-Identifier: GPL-2.0-or-later */
/* readlayer.c - a trace's reduced layer in place of its stream. */
#include <string.h>

#include "reader_priv.h"

void fl_layer_facts(struct fl_reader *r)
{
    uint64_t floor = fl_meta_get_u64(r->meta, "layer.floor", 0);
    bool known = fl_reduced_known(fl_meta_get_u64(r->meta, "layer.version", 0));
    r->layer.floor = known && floor <= FL_LAYER_FLOOR_MAX ? (uint32_t)floor : 0;
    r->layer.runs = fl_meta_get_u64(r->meta, "layer.runs", 0);
    r->layer.of_runs = fl_meta_get_u64(r->meta, "layer.of_runs", 0);
    uint64_t coarse = fl_meta_get_u64(r->meta, "layer.coarse", 0);
    known &= r->has_coarse && r->layer.floor;
    r->layer.coarse = known && coarse <= FL_LAYER_FLOOR_MAX ? (uint32_t)coarse : 0;
    r->layer.coarse_runs = r->layer.coarse ? fl_meta_get_u64(r->meta, "layer.coarse_runs", 0) : 0;
    r->has_codes |= r->layer.only && fl_meta_get_u64(r->meta, "layer.codes", 0) == 1;
    if (!r->layer.floor && !r->layer.only)
        r->layer.blocks = 0;
}

/* The payload of a REDUCED block, or of a COARSE one that stands for @blocks, becomes the open block. */
static int take(struct fl_reader *r, const uint8_t *raw, size_t len, uint32_t blocks,
                uint32_t floor, struct fl_err *err)
{
    int rc = fl_reduced_load(r->reduced, raw, len, blocks, &r->pages, err);
    if (rc == FL_OK && r->reduced->floor != floor)
        rc = fl_fail(err, FL_EFORMAT, "a floor of %u frames, but the trace's is %u",
                     r->reduced->floor, floor);
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
        fl_reader_envelope(r, block - 1, head, &next);
    } while (next.kind == FL_BLOCK_CODE);
    if (!fl_envelope_is_reduced(&next))
        return FL_OK;
    int rc = fl_reader_payload(r, at, head, &next, &r->stored, &r->raw, &raw, &why);
    if (rc == FL_OK)
        rc = take(r, raw, next.raw_len, 1, r->layer.floor, &why);
    if (rc == FL_EVERSION)
        return FL_OK;
    if (rc != FL_OK)
        return fl_fail(err, rc, "block %u: %s", next.seq, why.msg);
    r->offset = at + FL_ENVELOPE_BYTES + next.stored_len;
    r->block = block;
    *taken = true;
    return FL_OK;
}

/* Where the COARSE block is that is nearest behind r->offset, *blocks STREAM blocks from there; 0:
   there is none near. */
static uint64_t find_above(struct fl_reader *r, uint8_t head[FL_ENVELOPE_BYTES],
                           struct fl_envelope *e, uint32_t *blocks)
{
    uint64_t offset = r->offset;
    *blocks = 0;
    for (uint32_t n = r->block_number; n < r->good_blocks && *blocks <= FL_COARSE_BLOCKS; n++) {
        fl_reader_envelope(r, n, head, e);
        if (fl_envelope_is_coarse(e)) {
            r->block = n + 1;
            return offset;
        }
        *blocks += e->kind == FL_BLOCK_STREAM;
        offset += FL_ENVELOPE_BYTES + e->stored_len;
    }
    return 0;
}

int fl_layer_above(struct fl_reader *r, bool *taken, struct fl_err *err)
{
    uint8_t head[FL_ENVELOPE_BYTES];
    const uint8_t *raw;
    struct fl_envelope e;
    struct fl_err why = { 0 };
    uint32_t blocks, of, block = r->block;
    if (r->coarse_skip) {
        r->coarse_skip--;
        return FL_OK;
    }
    uint64_t at = find_above(r, head, &e, &blocks);
    if (!at)
        return FL_OK;
    int rc = fl_reader_payload(r, at, head, &e, &r->stored, &r->raw, &raw, &why);
    if (rc == FL_OK && e.raw_len < FL_COARSE_HEADER)
        rc = fl_fail(&why, FL_EFORMAT, "malformed block");
    of = rc == FL_OK ? (uint32_t)fl_get_le(raw, 4) : 0;
    if (rc == FL_OK && (of == 0 || of > blocks || of > FL_COARSE_BLOCKS))
        rc = fl_fail(&why, FL_EFORMAT, "it stands for %u blocks, but %u are before it", of, blocks);
    if (rc == FL_OK && of == blocks)
        rc = take(r, raw + FL_COARSE_HEADER, e.raw_len - FL_COARSE_HEADER, of, r->layer.coarse,
                  &why);
    if ((rc == FL_OK && of < blocks) || rc == FL_EVERSION) {
        r->block = block;
        r->coarse_skip = rc == FL_OK ? blocks - of - 1 : blocks - 1;
        return FL_OK;
    }
    if (rc != FL_OK)
        return fl_fail(err, rc, "block %u: %s", e.seq, why.msg);
    r->offset = at + FL_ENVELOPE_BYTES + e.stored_len;
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
        rc = take(r, raw, e->raw_len, 1, r->layer.floor, err);
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

static int check_above(struct fl_reader *r, const uint8_t head[FL_ENVELOPE_BYTES],
                       const struct fl_envelope *e, struct fl_err *err)
{
    const uint8_t *raw;
    int rc = fl_reader_payload(r, r->offset, head, e, &r->layer_stored, &r->layer_raw, &raw, err);
    if (rc != FL_OK || (e->raw_len > FL_COARSE_HEADER && !fl_reduced_known(raw[FL_COARSE_HEADER])))
        return rc;
    r->again->reduce->version = e->raw_len > FL_COARSE_HEADER ? raw[FL_COARSE_HEADER] : 0;
    rc = fl_coarse_end(r->again, err);
    const struct fl_buf *made = &r->again->out;
    if (rc == FL_OK && (made->len != e->raw_len || memcmp(made->data, raw, e->raw_len)))
        rc = fl_fail(err, FL_EFORMAT, "it is not what the layer before it reduces to");
    return rc;
}

int fl_layer_check(struct fl_reader *r, const uint8_t head[FL_ENVELOPE_BYTES],
                   const struct fl_envelope *e, struct fl_err *err)
{
    const uint8_t *raw;
    if (r->again && fl_envelope_is_coarse(e))
        return check_above(r, head, e, err);
    if (r->again && fl_coarse_full(r->again))
        fl_coarse_drop(r->again);     /* it was not worth a block */
    if (!fl_envelope_is_reduced(e)) { /* of code, the reducer has seen what there was with it */
        if (!r->stream.raw || e->kind != FL_BLOCK_STREAM)
            return FL_OK;
        if (r->again)
            fl_coarse_drop(r->again);
        return reduce_stream(r, 0, err);
    }
    int rc = fl_reader_payload(r, r->offset, head, e, &r->layer_stored, &r->layer_raw, &raw, err);
    if (rc != FL_OK || (e->raw_len && !fl_reduced_known(raw[0])))
        return rc;
    if (!r->stream.raw || e->raw_len < FL_REDUCED_HEADER)
        return fl_fail(err, FL_EFORMAT, "a reduced layer, but of no block before it");
    uint32_t kept = fl_reduced_count(raw);
    if (kept > r->stream.runs)
        return fl_fail(err, FL_EFORMAT, "more runs than the block before it has");
    const struct fl_reduce_input in = r->stream;
    r->reduce->version = raw[0];
    rc = reduce_stream(r, FL_REDUCED_REASONS * kept, err);
    if (rc == FL_OK &&
        (r->layer_made.len != e->raw_len || memcmp(r->layer_made.data, raw, e->raw_len)))
        rc = fl_fail(err, FL_EFORMAT, "it is not what the block before it reduces to");
    return rc == FL_OK && r->again ? fl_coarse_take(r->again, r->reduce, &in, err) : rc;
}
