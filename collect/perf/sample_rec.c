/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample_rec.h"

#include <linux/perf_event.h>
#include <string.h>

#include "attr.h"
#include "rec_bytes.h"

static void two_halves(struct fl_rec_bytes *b, uint32_t *first, uint32_t *second)
{
    *first = fl_rec_u32(b);
    *second = fl_rec_u32(b);
}

static void chain(struct fl_rec_bytes *b, struct fl_sample_rec *out)
{
    uint64_t n = fl_rec_u64(b);
    if (b->bad || n > b->left / 8) {
        b->bad = true;
        return;
    }
    out->n_chain = n;
    out->chain = fl_rec_pass(b, n * 8);
}

/* A size of 4 bytes and as many bytes, which the kernel fills up to a multiple of 8. */
static void raw(struct fl_rec_bytes *b, struct fl_sample_rec *out)
{
    uint32_t n = 0;
    const uint8_t *p = fl_rec_pass(b, sizeof n);
    if (!p)
        return;
    memcpy(&n, p, sizeof n);
    out->raw = fl_rec_pass(b, n);
    out->raw_bytes = out->raw ? n : 0;
}

static void weight(struct fl_rec_bytes *b, bool parts, struct fl_sample_rec *out)
{
    uint64_t v = fl_rec_u64(b);
    out->latency_cycles = parts ? (uint32_t)v : v;
    if (parts) {
        out->weight_parts[0] = (uint16_t)(v >> 32);
        out->weight_parts[1] = (uint16_t)(v >> 48);
    }
}

/* In the kernel's order, which is not that of the bits. */
static void fields(struct fl_rec_bytes *b, uint64_t type, struct fl_sample_rec *out)
{
    uint32_t unused;
    if (type & PERF_SAMPLE_IDENTIFIER)
        out->id = fl_rec_u64(b);
    if (type & PERF_SAMPLE_IP)
        out->ip = fl_rec_u64(b);
    if (type & PERF_SAMPLE_TID)
        two_halves(b, &out->pid, &out->tid);
    if (type & PERF_SAMPLE_TIME)
        out->time_ns = fl_rec_u64(b);
    if (type & PERF_SAMPLE_ADDR)
        out->address = fl_rec_u64(b);
    if (type & PERF_SAMPLE_ID)
        out->id = fl_rec_u64(b);
    if (type & PERF_SAMPLE_STREAM_ID)
        fl_rec_u64(b);
    if (type & PERF_SAMPLE_CPU)
        two_halves(b, &out->cpu, &unused);
    if (type & PERF_SAMPLE_PERIOD)
        out->period = fl_rec_u64(b);
    if (type & PERF_SAMPLE_CALLCHAIN)
        chain(b, out);
    if (type & PERF_SAMPLE_RAW)
        raw(b, out);
    if (type & (PERF_SAMPLE_WEIGHT | FL_PERF_SAMPLE_WEIGHT_STRUCT))
        weight(b, type & FL_PERF_SAMPLE_WEIGHT_STRUCT, out);
    if (type & PERF_SAMPLE_DATA_SRC)
        out->data_src = fl_rec_u64(b);
    if (type & PERF_SAMPLE_TRANSACTION)
        fl_rec_u64(b);
    if (type & PERF_SAMPLE_PHYS_ADDR)
        out->phys = fl_rec_u64(b);
}

bool fl_sample_rec_decode(const uint8_t *buf, size_t len, uint64_t sample_type,
                          struct fl_sample_rec *out)
{
    struct perf_event_header header;
    memset(out, 0, sizeof *out);
    if (len < sizeof header || sample_type & ~FL_SAMPLE_REC_FIELDS)
        return false;
    memcpy(&header, buf, sizeof header);
    if (header.type != PERF_RECORD_SAMPLE || header.size != len)
        return false;
    unsigned mode = header.misc & PERF_RECORD_MISC_CPUMODE_MASK;
    out->kernel = mode == PERF_RECORD_MISC_KERNEL;
    out->guest = mode == PERF_RECORD_MISC_GUEST_KERNEL || mode == PERF_RECORD_MISC_GUEST_USER;
    out->exact_ip = header.misc & PERF_RECORD_MISC_EXACT_IP;
    struct fl_rec_bytes b = { .p = buf + sizeof header, .left = len - sizeof header };
    fields(&b, sample_type, out);
    return !b.bad && b.left == 0;
}

uint64_t fl_sample_rec_id(const uint8_t *buf, size_t len)
{
    struct fl_rec_bytes b = { .p = buf, .left = len };
    fl_rec_pass(&b, sizeof(struct perf_event_header));
    return fl_rec_u64(&b);
}

uint64_t fl_sample_rec_chain(const struct fl_sample_rec *rec, uint64_t i)
{
    uint64_t v;
    memcpy(&v, rec->chain + i * 8, sizeof v);
    return v;
}
