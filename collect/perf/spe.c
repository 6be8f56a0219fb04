/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spe.h"

#include <string.h>

#define NS_PER_S UINT64_C(1000000000)
#define ADDRESS_BITS 56u
#define ADDRESS_MASK ((UINT64_C(1) << ADDRESS_BITS) - 1)

enum packet_kind {
    PK_BAD,
    PK_PAD,
    PK_END,
    PK_TIMESTAMP,
    PK_EVENTS,
    PK_SOURCE,
    PK_CONTEXT,
    PK_OP,
    PK_ADDRESS,
    PK_COUNTER,
};

struct packet {
    enum packet_kind kind;
    unsigned index; /* which address, counter, context or class */
    uint64_t value;
    size_t size_bytes; /* header and payload */
};

/* Headers of one byte: those whose bits under @mask are @is. */
static const struct {
    uint8_t mask, is;
    enum packet_kind kind;
    uint8_t index_mask;
} headers[] = {
    { 0xff, 0x00, PK_PAD, 0 },    { 0xff, 0x01, PK_END, 0 },     { 0xff, 0x71, PK_TIMESTAMP, 0 },
    { 0xcf, 0x42, PK_EVENTS, 0 }, { 0xcf, 0x43, PK_SOURCE, 0 },  { 0xfc, 0x64, PK_CONTEXT, 3 },
    { 0xfc, 0x48, PK_OP, 3 },     { 0xf8, 0xb0, PK_ADDRESS, 7 }, { 0xf8, 0x98, PK_COUNTER, 7 },
};

static enum packet_kind kind_of(uint8_t header, unsigned *index)
{
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if ((header & headers[i].mask) == headers[i].is) {
            *index = header & headers[i].index_mask;
            return headers[i].kind;
        }
    return PK_BAD;
}

/* Bits 5:4 of the header tell the payload's size, in all packets that have one. */
static size_t payload_bytes(uint8_t header)
{
    return (size_t)1 << (header >> 4 & 3);
}

static uint64_t read_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

/* Pads up to a power of two of the stream, not of our copy of it. */
static bool alignment(const struct fl_spe_reader *r, uint8_t header, struct packet *out)
{
    uint64_t align = UINT64_C(1) << ((header & 0xf) + 1);
    uint64_t here = r->base + r->at;
    out->kind = PK_PAD;
    out->size_bytes = (size_t)(align - (here & (align - 1)));
    return true; /* where only one byte is left to it, its second is a pad of its own */
}

/* Returns: false when the packet does not fit into what is left. */
static bool next_packet(const struct fl_spe_reader *r, struct packet *out)
{
    const uint8_t *p = r->bytes + r->at;
    size_t left = r->len_bytes - r->at, head = 1;
    uint8_t header = p[0];
    unsigned extra = 0;
    *out = (struct packet){ .kind = PK_BAD, .size_bytes = 1 };
    if ((header & 0xe0) == 0x20) { /* the kind is in the second byte */
        if (left < 2)
            return false;
        if (p[1] == 0)
            return alignment(r, header, out);
        extra = (unsigned)(header & 3) << 3;
        header = p[1];
        head = 2;
    }
    enum packet_kind kind = kind_of(header, &out->index);
    if (head == 2 && kind != PK_ADDRESS && kind != PK_COUNTER)
        return true;
    out->index |= extra;
    out->kind = kind;
    if (kind == PK_BAD || kind == PK_PAD || kind == PK_END)
        return true;
    size_t n = payload_bytes(header);
    if (left < head + n)
        return false;
    out->value = read_le(p + head, n);
    out->size_bytes = head + n;
    return true;
}

/* Virtual addresses: bits 55..48 are all ones in the kernel's half, whatever the top byte is. */
static uint64_t sign_extend(uint64_t v)
{
    v &= ADDRESS_MASK;
    return v >> 48 == 0xff ? v | ~ADDRESS_MASK : v;
}

static void take_address(const struct packet *p, struct fl_spe_record *out)
{
    switch (p->index) {
    case 0:
        out->level = (uint8_t)(p->value >> 61 & 3);
        out->pc = p->value & ADDRESS_MASK;
        if (out->level == 1 || out->level == 2)
            out->pc = sign_extend(out->pc);
        out->have |= FL_SPE_HAS_PC;
        break;
    case 2:
        out->address = sign_extend(p->value);
        out->have |= FL_SPE_HAS_ADDRESS;
        break;
    case 3:
        out->phys = p->value & ADDRESS_MASK;
        out->have |= FL_SPE_HAS_PHYS;
        break;
    default: break; /* branch targets */
    }
}

static void take_counter(const struct packet *p, struct fl_spe_record *out)
{
    uint16_t cycles = (uint16_t)p->value;
    switch (p->index) {
    case 0:
        out->total_latency_cycles = cycles;
        out->have |= FL_SPE_HAS_LATENCY;
        break;
    case 1: out->issue_latency_cycles = cycles; break;
    case 2: out->translation_cycles = cycles; break;
    default: break;
    }
}

static void take_op(const struct packet *p, struct fl_spe_record *out)
{
    if (p->index > FL_SPE_OP_BRANCH)
        return;
    out->op = (enum fl_spe_op)p->index;
    out->have |= FL_SPE_HAS_OP;
    if (out->op != FL_SPE_OP_MEMORY)
        return;
    out->write = p->value & 1;
    if ((p->value & 0xe2) == 0x02) { /* the subclass of atomics, exclusives and ordered accesses */
        out->atomic = p->value & 4;
        out->exclusive = p->value & 8;
        out->acquire_release = p->value & 16;
    }
}

static void take(const struct packet *p, struct fl_spe_record *out)
{
    switch (p->kind) {
    case PK_TIMESTAMP:
        out->time_ticks = p->value;
        out->have |= FL_SPE_HAS_TIME;
        break;
    case PK_EVENTS:
        out->events = p->value;
        out->have |= FL_SPE_HAS_EVENTS;
        break;
    case PK_SOURCE:
        out->source = (uint16_t)p->value;
        out->have |= FL_SPE_HAS_SOURCE;
        break;
    case PK_CONTEXT:
        if (p->index < 2) {
            out->context[p->index] = (uint32_t)p->value;
            out->have |= p->index ? FL_SPE_HAS_CONTEXT_EL2 : FL_SPE_HAS_CONTEXT;
        }
        break;
    case PK_OP: take_op(p, out); break;
    case PK_ADDRESS: take_address(p, out); break;
    case PK_COUNTER: take_counter(p, out); break;
    case PK_BAD:
    case PK_PAD:
    case PK_END: break;
    }
}

void fl_spe_open(struct fl_spe_reader *r, const void *bytes, size_t len_bytes, uint64_t aux_offset)
{
    *r = (struct fl_spe_reader){ .bytes = bytes, .len_bytes = len_bytes, .base = aux_offset };
}

bool fl_spe_next(struct fl_spe_reader *r, struct fl_spe_record *out)
{
    bool begun = false, damaged = false;
    memset(out, 0, sizeof *out);
    while (r->at < r->len_bytes) {
        struct packet p;
        if (!next_packet(r, &p) || p.size_bytes > r->len_bytes - r->at) {
            r->at = r->len_bytes;
            begun |= p.kind != PK_PAD;
            break;
        }
        r->at += p.size_bytes;
        if (p.kind == PK_BAD) {
            r->bad_packets++;
            damaged = begun = true;
        } else if (p.kind == PK_END || p.kind == PK_TIMESTAMP) {
            take(&p, out);
            if (begun && !damaged)
                return true;
            r->cut_records += damaged;
            begun = damaged = false;
            memset(out, 0, sizeof *out);
        } else if (p.kind != PK_PAD) {
            begun = true;
            take(&p, out);
        }
    }
    r->cut_records += begun;
    memset(out, 0, sizeof *out);
    return false;
}

/* n ticks as ns; whole seconds apart, so that nothing overflows. */
static uint64_t ticks_ns(uint64_t n, uint64_t hz)
{
    return n / hz * NS_PER_S + (uint64_t)((unsigned __int128)(n % hz) * NS_PER_S / hz);
}

uint64_t fl_spe_time_ns(const struct fl_spe_clock *clock, uint64_t ticks)
{
    if (!clock->ticks_hz)
        return clock->time_ns;
    if (ticks >= clock->ticks)
        return clock->time_ns + ticks_ns(ticks - clock->ticks, clock->ticks_hz);
    uint64_t before = ticks_ns(clock->ticks - ticks, clock->ticks_hz);
    return before > clock->time_ns ? 0 : clock->time_ns - before;
}
