/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/datasrc.h>

#include <stdarg.h>
#include <stdio.h>

#include <faultline/units.h>

#define NUM_NOT_AVAILABLE 15u

static uint32_t field(uint64_t data_src, unsigned shift, unsigned bits)
{
    return (uint32_t)(data_src >> shift) & ((1u << bits) - 1);
}

/* The level as older kernels, and newer ones for stores, tell it. */
static enum fl_mem_level level_of_bits(uint32_t bits, bool *remote)
{
    static const struct {
        uint32_t bit;
        enum fl_mem_level level;
        bool remote;
    } rows[] = {
        /* the farthest first: a processor that reports several means the last it asked */
        { FL_DS_LVL_REMOTE_RAM2, FL_LEVEL_RAM, true },
        { FL_DS_LVL_REMOTE_RAM1, FL_LEVEL_RAM, true },
        { FL_DS_LVL_LOCAL_RAM, FL_LEVEL_RAM, false },
        { FL_DS_LVL_REMOTE_CACHE2, FL_LEVEL_ANY_CACHE, true },
        { FL_DS_LVL_REMOTE_CACHE1, FL_LEVEL_ANY_CACHE, true },
        { FL_DS_LVL_IO, FL_LEVEL_IO, false },
        { FL_DS_LVL_UNCACHED, FL_LEVEL_UNCACHED, false },
        { FL_DS_LVL_L3, FL_LEVEL_L3, false },
        { FL_DS_LVL_L2, FL_LEVEL_L2, false },
        { FL_DS_LVL_LFB, FL_LEVEL_FILL_BUFFER, false },
        { FL_DS_LVL_L1, FL_LEVEL_L1, false },
    };
    for (size_t i = 0; i < FL_COUNT(rows); i++)
        if (bits & rows[i].bit) {
            *remote = rows[i].remote;
            return rows[i].level;
        }
    return FL_LEVEL_UNKNOWN;
}

static enum fl_outcome outcome_of(uint32_t bits, uint32_t hit, uint32_t miss)
{
    if (bits & miss)
        return FL_OUTCOME_MISS;
    return bits & hit ? FL_OUTCOME_HIT : FL_OUTCOME_UNKNOWN;
}

static void decode_level(uint64_t v, struct fl_datasrc *out)
{
    uint32_t bits = field(v, FL_DS_LVL_SHIFT, 14), num = field(v, FL_DS_NUM_SHIFT, 4);
    bool remote = false;
    enum fl_mem_level old = level_of_bits(bits, &remote);
    out->level = num == 0 || num == NUM_NOT_AVAILABLE ? old : (enum fl_mem_level)num;
    out->remote = remote || field(v, FL_DS_REMOTE_SHIFT, 1);
    out->hops = (uint8_t)field(v, FL_DS_HOPS_SHIFT, 3);
    out->cache = outcome_of(bits, FL_DS_LVL_HIT, FL_DS_LVL_MISS);
    if (out->level != FL_LEVEL_UNKNOWN && out->cache == FL_OUTCOME_UNKNOWN)
        out->cache = FL_OUTCOME_HIT; /* with a number alone it is where the data was */
}

static enum fl_snoop snoop_of(uint64_t v)
{
    uint32_t bits = field(v, FL_DS_SNOOP_SHIFT, 5), more = field(v, FL_DS_SNOOPX_SHIFT, 2);
    if (bits & FL_DS_SNOOP_HITM)
        return FL_SNOOP_HITM;
    if (more & FL_DS_SNOOPX_FORWARD)
        return FL_SNOOP_FORWARD;
    if (more & FL_DS_SNOOPX_PEER)
        return FL_SNOOP_PEER;
    if (bits & FL_DS_SNOOP_HIT)
        return FL_SNOOP_HIT;
    if (bits & FL_DS_SNOOP_MISS)
        return FL_SNOOP_MISS;
    return bits & FL_DS_SNOOP_NONE ? FL_SNOOP_NONE : FL_SNOOP_UNKNOWN;
}

void fl_datasrc_decode(uint64_t data_src, struct fl_datasrc *out)
{
    uint32_t op = field(data_src, FL_DS_OP_SHIFT, 5), tlb = field(data_src, FL_DS_TLB_SHIFT, 7);
    uint32_t lock = field(data_src, FL_DS_LOCK_SHIFT, 2);
    uint32_t block = field(data_src, FL_DS_BLOCK_SHIFT, 3);
    *out = (struct fl_datasrc){
        .load = op & FL_DS_OP_LOAD,
        .store = op & FL_DS_OP_STORE,
        .prefetch = op & FL_DS_OP_PREFETCH,
        .exec = op & FL_DS_OP_EXEC,
        .tlb = outcome_of(tlb, FL_DS_TLB_HIT, FL_DS_TLB_MISS),
        .tlb_l1 = tlb & FL_DS_TLB_L1,
        .tlb_l2 = tlb & FL_DS_TLB_L2,
        .tlb_walker = tlb & FL_DS_TLB_WALKER,
        .tlb_os = tlb & FL_DS_TLB_OS,
        .snoop = snoop_of(data_src),
        .lock_known = op && !(op & FL_DS_OP_NA) && !(lock & FL_DS_LOCK_NA),
        .locked = lock & FL_DS_LOCK_LOCKED,
        .blocked_data = block & FL_DS_BLOCK_DATA,
        .blocked_address = block & FL_DS_BLOCK_ADDRESS,
    };
    decode_level(data_src, out);
}

static uint64_t put(uint64_t bits, unsigned shift)
{
    return bits << shift;
}

static uint64_t encode_op(const struct fl_datasrc *in)
{
    uint64_t op = (in->load ? FL_DS_OP_LOAD : 0u) | (in->store ? FL_DS_OP_STORE : 0u) |
                  (in->prefetch ? FL_DS_OP_PREFETCH : 0u) | (in->exec ? FL_DS_OP_EXEC : 0u);
    return put(op ? op : FL_DS_OP_NA, FL_DS_OP_SHIFT);
}

static uint64_t encode_level(const struct fl_datasrc *in)
{
    static const uint64_t outcome[] = { FL_DS_LVL_NA, FL_DS_LVL_HIT, FL_DS_LVL_MISS };
    uint64_t num = in->level ? (uint64_t)in->level : NUM_NOT_AVAILABLE;
    return put(outcome[in->cache], FL_DS_LVL_SHIFT) | put(num, FL_DS_NUM_SHIFT) |
           put(in->remote, FL_DS_REMOTE_SHIFT) | put(in->hops & 7u, FL_DS_HOPS_SHIFT);
}

static uint64_t encode_tlb(const struct fl_datasrc *in)
{
    static const uint64_t outcome[] = { FL_DS_TLB_NA, FL_DS_TLB_HIT, FL_DS_TLB_MISS };
    uint64_t where = (in->tlb_l1 ? FL_DS_TLB_L1 : 0u) | (in->tlb_l2 ? FL_DS_TLB_L2 : 0u) |
                     (in->tlb_walker ? FL_DS_TLB_WALKER : 0u) | (in->tlb_os ? FL_DS_TLB_OS : 0u);
    return put(outcome[in->tlb] | where, FL_DS_TLB_SHIFT);
}

static uint64_t encode_snoop(enum fl_snoop snoop)
{
    switch (snoop) {
    case FL_SNOOP_NONE: return put(FL_DS_SNOOP_NONE, FL_DS_SNOOP_SHIFT);
    case FL_SNOOP_HIT: return put(FL_DS_SNOOP_HIT, FL_DS_SNOOP_SHIFT);
    case FL_SNOOP_MISS: return put(FL_DS_SNOOP_MISS, FL_DS_SNOOP_SHIFT);
    case FL_SNOOP_HITM: return put(FL_DS_SNOOP_HITM, FL_DS_SNOOP_SHIFT);
    case FL_SNOOP_FORWARD: return put(FL_DS_SNOOPX_FORWARD, FL_DS_SNOOPX_SHIFT);
    case FL_SNOOP_PEER: return put(FL_DS_SNOOPX_PEER, FL_DS_SNOOPX_SHIFT);
    case FL_SNOOP_UNKNOWN: break;
    }
    return put(FL_DS_SNOOP_NA, FL_DS_SNOOP_SHIFT);
}

uint64_t fl_datasrc_encode(const struct fl_datasrc *in)
{
    uint64_t lock = in->locked ? FL_DS_LOCK_LOCKED : in->lock_known ? 0u : FL_DS_LOCK_NA;
    uint64_t block = (in->blocked_data ? FL_DS_BLOCK_DATA : 0u) |
                     (in->blocked_address ? FL_DS_BLOCK_ADDRESS : 0u);
    return encode_op(in) | encode_level(in) | encode_tlb(in) | encode_snoop(in->snoop) |
           put(lock, FL_DS_LOCK_SHIFT) | put(block ? block : FL_DS_BLOCK_NA, FL_DS_BLOCK_SHIFT);
}

const char *fl_mem_level_name(enum fl_mem_level level)
{
    static const char *const names[FL_LEVEL_COUNT] = {
        [FL_LEVEL_UNKNOWN] = "unknown",
        [FL_LEVEL_L1] = "L1",
        [FL_LEVEL_L2] = "L2",
        [FL_LEVEL_L3] = "L3",
        [FL_LEVEL_L4] = "L4",
        [FL_LEVEL_L2_MISS_BUFFER] = "L2-miss-buffer",
        [FL_LEVEL_MEMORY_CACHE] = "memory-side-cache",
        [FL_LEVEL_L0] = "L0",
        [FL_LEVEL_UNCACHED] = "uncached",
        [FL_LEVEL_CXL] = "CXL",
        [FL_LEVEL_IO] = "I/O",
        [FL_LEVEL_ANY_CACHE] = "cache",
        [FL_LEVEL_FILL_BUFFER] = "fill-buffer",
        [FL_LEVEL_RAM] = "RAM",
        [FL_LEVEL_PMEM] = "PMEM",
    };
    return (unsigned)level < FL_LEVEL_COUNT ? names[level] : "?";
}

const char *fl_snoop_name(enum fl_snoop snoop)
{
    static const char *const names[] = {
        "unknown", "none", "hit", "miss", "hitm", "forward", "peer"
    };
    return (unsigned)snoop < FL_COUNT(names) ? names[snoop] : "?";
}

struct text {
    char *buf;
    size_t n;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->buf + t->n, FL_DATASRC_TEXT - t->n, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->n += (size_t)n;
    if (t->n >= FL_DATASRC_TEXT)
        t->n = FL_DATASRC_TEXT - 1;
}

static const char *sep(const struct text *t)
{
    return t->n ? ", " : "";
}

char *fl_datasrc_text(char *buf, uint64_t data_src)
{
    static const char *const outcome[] = { "", " hit", " miss" };
    struct fl_datasrc d;
    struct text t = { .buf = buf };
    fl_datasrc_decode(data_src, &d);
    buf[0] = 0;
    if (d.load || d.store || d.prefetch || d.exec)
        add(&t, "%s%s%s%s",
            d.load    ? (d.store ? "load+store" : "load")
            : d.store ? "store"
                      : "",
            d.prefetch && (d.load || d.store) ? "+" : "", d.prefetch ? "prefetch" : "",
            d.exec ? "fetch" : "");
    if (d.level != FL_LEVEL_UNKNOWN)
        add(&t, "%s%s%s%s", t.n ? " " : "", d.remote ? "remote " : "", fl_mem_level_name(d.level),
            outcome[d.cache]);
    if (d.hops)
        add(&t, "%s%u hop%s", sep(&t), d.hops, d.hops > 1 ? "s" : "");
    if (d.tlb != FL_OUTCOME_UNKNOWN)
        add(&t, "%stlb%s%s%s%s%s", sep(&t), outcome[d.tlb], d.tlb_l1 ? " L1" : "",
            d.tlb_l2 ? " L2" : "", d.tlb_walker ? " walker" : "", d.tlb_os ? " OS" : "");
    if (d.snoop != FL_SNOOP_UNKNOWN)
        add(&t, "%ssnoop %s", sep(&t), fl_snoop_name(d.snoop));
    if (d.locked)
        add(&t, "%slocked", sep(&t));
    if (d.blocked_data || d.blocked_address)
        add(&t, "%sblocked by %s", sep(&t), d.blocked_data ? "data" : "address");
    if (!t.n)
        add(&t, "unknown");
    return buf;
}
