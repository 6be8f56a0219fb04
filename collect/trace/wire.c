/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <xxhash.h>

#include "wire.h"

/* As PNG's: a bit-7 byte, a name, and both line endings, which text transfers damage. */
const uint8_t fl_trace_magic[8] = { 0x89, 'F', 'L', 'T', '\r', '\n', 0x1a, '\n' };

bool fl_checksum_equal(uint64_t stored, uint64_t computed)
{
#ifdef FAULTLINE_FUZZING
    (void)stored, (void)computed;
    return true;
#else
    return stored == computed;
#endif
}

static uint64_t block_checksum(const uint8_t *envelope, const void *payload, size_t len)
{
    return XXH3_64bits_withSeed(payload, len, XXH3_64bits(envelope, FL_ENVELOPE_HASHED));
}

void fl_envelope_encode(uint8_t out[FL_ENVELOPE_BYTES], struct fl_envelope *e, const void *payload)
{
    fl_put_le(out, FL_ENVELOPE_MAGIC, 4);
    out[4] = e->kind;
    out[5] = e->codec;
    fl_put_le(out + 6, e->flags, 2);
    fl_put_le(out + 8, e->seq, 4);
    fl_put_le(out + 12, e->raw_len, 4);
    fl_put_le(out + 16, e->stored_len, 4);
    fl_put_le(out + 20, e->runs, 4);
    fl_put_le(out + 24, e->first_access, 8);
    fl_put_le(out + 32, e->first_time_ns, 8);
    fl_put_le(out + 40, e->accesses, 8);
    e->checksum = block_checksum(out, payload, e->stored_len);
    fl_put_le(out + 48, e->checksum, 8);
}

bool fl_envelope_decode(struct fl_envelope *e, const uint8_t in[FL_ENVELOPE_BYTES])
{
    *e = (struct fl_envelope){
        .kind = in[4],
        .codec = in[5],
        .flags = (uint16_t)fl_get_le(in + 6, 2),
        .seq = (uint32_t)fl_get_le(in + 8, 4),
        .raw_len = (uint32_t)fl_get_le(in + 12, 4),
        .stored_len = (uint32_t)fl_get_le(in + 16, 4),
        .runs = (uint32_t)fl_get_le(in + 20, 4),
        .first_access = fl_get_le(in + 24, 8),
        .first_time_ns = fl_get_le(in + 32, 8),
        .accesses = fl_get_le(in + 40, 8),
        .checksum = fl_get_le(in + 48, 8),
    };
    return fl_get_le(in, 4) == FL_ENVELOPE_MAGIC;
}

bool fl_envelope_sound(const uint8_t in[FL_ENVELOPE_BYTES], const struct fl_envelope *e,
                       const void *payload)
{
    return fl_checksum_equal(e->checksum, block_checksum(in, payload, e->stored_len));
}

int fl_header_encode(struct fl_buf *out, enum fl_fidelity fidelity, const struct fl_meta *meta,
                     struct fl_err *err)
{
    fl_buf_put(out, fl_trace_magic, sizeof fl_trace_magic);
    fl_buf_put_le(out, FL_TRACE_VERSION, 2);
    fl_buf_put_le(out, FL_HEADER_LAYOUT, 2);
    size_t length_at = out->len;
    fl_buf_put_le(out, 0, 4);
    fl_buf_put_le(out, 0, 8); /* required features: none yet */
    fl_buf_put_le(out, 0, 8); /* optional features: none yet */
    fl_buf_put_u8(out, (uint8_t)fidelity);
    fl_meta_encode(out, meta);
    if (out->oom)
        return fl_nomem(err, "trace header");
    if (out->len + 8 > FL_HEADER_MAX)
        return fl_fail(err, FL_EUSAGE, "the trace's metadata is over %u MiB", FL_HEADER_MAX >> 20);
    fl_put_le(out->data + length_at, out->len + 8, 4);
    fl_buf_put_le(out, XXH3_64bits(out->data, out->len), 8);
    return out->oom ? fl_nomem(err, "trace header") : FL_OK;
}

static int not_a_trace(const char *name, const uint8_t *p, size_t len, struct fl_err *err)
{
    size_t same = 0;
    while (same < len && same < sizeof fl_trace_magic && p[same] == fl_trace_magic[same])
        same++;
    if (len == 0)
        return fl_fail(err, FL_EFORMAT, "%s: is empty, not a faultline trace", name);
    if (same == len)
        return fl_fail(err, FL_EFORMAT, "%s: truncated in the header: nothing can be recovered",
                       name);
    bool text = true;
    for (size_t i = 0; i < len && i < FL_HEADER_FIXED && text; i++)
        text = p[i] == '\n' || p[i] == '\r' || p[i] == '\t' || (p[i] >= 0x20 && p[i] != 0x7f);
    if (text)
        return fl_fail(err, FL_EFORMAT,
                       "%s: is a text file, not a faultline trace; "
                       "'faultline import' reads other tools' traces",
                       name);
    return fl_fail(err, FL_EFORMAT, "%s: not a faultline trace", name);
}

int fl_header_peek(const char *name, const uint8_t *p, size_t len, struct fl_header_fixed *out,
                   struct fl_err *err)
{
    if (len < sizeof fl_trace_magic || memcmp(p, fl_trace_magic, sizeof fl_trace_magic))
        return not_a_trace(name, p, len, err);
    if (len < FL_HEADER_FIXED)
        return fl_fail(err, FL_EFORMAT,
                       "%s: truncated in the header at byte %zu: "
                       "nothing can be recovered",
                       name, len);
    unsigned version = (unsigned)fl_get_le(p + 8, 2), layout = (unsigned)fl_get_le(p + 10, 2);
    if (version != FL_TRACE_VERSION || layout != FL_HEADER_LAYOUT)
        return fl_fail(err, FL_EVERSION,
                       "%s: trace version %u.%u, this faultline reads %u.%u; "
                       "upgrade faultline",
                       name, version, layout, FL_TRACE_VERSION, FL_HEADER_LAYOUT);
    *out = (struct fl_header_fixed){
        .length = (uint32_t)fl_get_le(p + 12, 4),
        .required = fl_get_le(p + 16, 8),
        .optional = fl_get_le(p + 24, 8),
        .fidelity = (enum fl_fidelity)p[32],
    };
    if (out->required & ~FL_FEATURES_KNOWN)
        return fl_fail(err, FL_EVERSION,
                       "%s: needs trace features 0x%llx that this faultline "
                       "does not know; upgrade faultline",
                       name, (unsigned long long)(out->required & ~FL_FEATURES_KNOWN));
    if (out->length < FL_HEADER_FIXED + 9 || out->length > FL_HEADER_MAX)
        return fl_fail(err, FL_EFORMAT, "%s: damaged header: a length of %u bytes", name,
                       out->length);
    return FL_OK;
}

int fl_header_meta(const char *name, const uint8_t *p, const struct fl_header_fixed *fixed,
                   struct fl_meta *meta, struct fl_err *err)
{
    size_t body = fixed->length - 8u;
    if (!fl_checksum_equal(fl_get_le(p + body, 8), XXH3_64bits(p, body)))
        return fl_fail(err, FL_EFORMAT, "%s: damaged header: its checksum is wrong", name);
    if (fixed->fidelity > FL_FIDELITY_SAMPLED)
        return fl_fail(err, FL_EVERSION, "%s: fidelity %u is not known here; upgrade faultline",
                       name, (unsigned)fixed->fidelity);
    struct fl_cur c = { .p = p + FL_HEADER_FIXED, .end = p + body };
    struct fl_err why = { 0 };
    int rc = fl_meta_decode(&c, meta, &why);
    if (rc != FL_OK)
        return fl_fail(err, rc, "%s: damaged header: %s", name, why.msg);
    if (fl_cur_left(&c))
        return fl_fail(err, FL_EFORMAT, "%s: damaged header: %zu bytes too many", name,
                       fl_cur_left(&c));
    return FL_OK;
}
