/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of a segment into runs. The hot path of a recording. */
#include "exact.h"

#include "tool/faultline_map_flags.h"

_Static_assert(MAP_FLAG_SHARED == FL_MAP_SHARED && MAP_FLAG_ANON == FL_MAP_ANON &&
                   MAP_FLAG_STACK == FL_MAP_STACK && MAP_FLAG_HEAP == FL_MAP_HEAP &&
                   MAP_FLAG_SPECIAL == FL_MAP_SPECIAL && MAP_FLAG_GROW == FL_MAP_GROW &&
                   MAP_FLAG_LOCKED == FL_MAP_LOCKED && MAP_FLAG_HUGETLB == FL_MAP_HUGETLB,
               "the tracer and event.h disagree");
_Static_assert(IO_READ == FL_IO_READ && IO_WRITE == FL_IO_WRITE && IO_TRUNCATE == FL_IO_TRUNCATE &&
                   IO_SYNC == FL_IO_SYNC && IO_DONTNEED == FL_IO_DONTNEED &&
                   IO_WILLNEED == FL_IO_WILLNEED && IO_NORMAL == FL_IO_NORMAL &&
                   IO_RANDOM == FL_IO_RANDOM && IO_SEQUENTIAL == FL_IO_SEQUENTIAL &&
                   IO_UNLINK == FL_IO_UNLINK && IO_FLAG_DIRECT == FL_IO_DIRECT &&
                   IO_FLAG_DURABLE == FL_IO_DURABLE && IO_TO_END == FL_IO_TO_END &&
                   LOCK_OFF == FL_LOCK_OFF && LOCK_NOW == FL_LOCK_NOW &&
                   LOCK_ON_FAULT == FL_LOCK_ON_FAULT && LOCK_ALL == FL_LOCK_ALL,
               "the tracer and event.h disagree");

#define PAGE_MASK 4095u

/* Counts of a run, packed; see struct exact_recorder. */
#define COUNT_BITS 21
#define COUNT_MAX ((UINT64_C(1) << COUNT_BITS) - 1)
#define ONE_READ UINT64_C(1)
#define ONE_WRITE (UINT64_C(1) << COUNT_BITS)
#define ONE_FETCH (UINT64_C(1) << 2 * COUNT_BITS)
/* The top bit of each count: half full, time to write the run. An addition is at most 255. */
#define HALF_FULL ((ONE_READ | ONE_WRITE | ONE_FETCH) << (COUNT_BITS - 1))

static void write_run(struct exact_recorder *x, struct exact_process *p, enum fl_actor actor,
                      uint64_t vpn, uint64_t counts)
{
    struct fl_err err;
    if (actor == FL_ACTOR_USER && x->run_code != x->told_code)
        fl_exact_code_tell(x, p, x->run_code);
    if (vpn < p->stack.low && vpn >= p->stack.floor)
        fl_exact_grow_stack(x, p, vpn);
    if (x->first_rc != FL_OK)
        return;
    int rc = fl_writer_run(x->writer, p->thread, actor, p->mm, vpn, (uint32_t)(counts & COUNT_MAX),
                           (uint32_t)(counts >> COUNT_BITS & COUNT_MAX),
                           (uint32_t)(counts >> 2 * COUNT_BITS), &err);
    if (rc != FL_OK)
        fl_exact_fail(x, rc, &err);
}

void fl_exact_flush(struct exact_recorder *x)
{
    uint64_t counts = x->run_counts;
    x->run_counts = 0;
    if (counts != 0)
        write_run(x, x->run_process, FL_ACTOR_USER, x->run_vpn, counts);
}

/* @x's run while a superblock is decoded, in registers. */
struct run {
    uint64_t vpn, counts;
};

/* Nothing is left in @x: an event that is written meanwhile must not write it too. */
static inline struct run take_run(struct exact_recorder *x)
{
    struct run run = { x->run_vpn, x->run_counts };
    x->run_counts = 0;
    return run;
}

/* Accesses of an operation in the function at @code. */
static inline void touch(struct exact_recorder *x, struct exact_process *p, struct run *run,
                         const uint32_t *code, uint64_t vpn, uint64_t counts)
{
    if (run->vpn == vpn) {
        run->counts += counts;
        if (__builtin_expect((run->counts & HALF_FULL) == 0, 1))
            return;
        counts = 0;
    }
    if (run->counts != 0)
        write_run(x, p, FL_ACTOR_USER, run->vpn, run->counts);
    run->vpn = vpn;
    run->counts = counts;
    x->run_code = *code;
}

/* An access that crosses a page boundary counts once on each page. */
static inline void touch_bytes(struct exact_recorder *x, struct exact_process *p, struct run *run,
                               const uint32_t *code, uint64_t address, uint64_t bytes,
                               uint64_t counts)
{
    uint64_t vpn = address >> 12;
    touch(x, p, run, code, vpn, counts);
    if (__builtin_expect((address & PAGE_MASK) + bytes > PAGE_MASK + 1u, 0)) {
        uint64_t last = (address + bytes - 1) >> 12;
        while (vpn++ < last)
            touch(x, p, run, code, vpn, counts);
    }
}

/*
 * Operations [from, to) of @b with addresses at @w. Returns the first word not
 * used; NULL when the words do not fit.
 */
static inline const uint64_t *run_ops(struct exact_recorder *x, struct exact_process *p,
                                      struct run *run, const struct exact_block *b, size_t from,
                                      size_t to, const uint64_t *w, const uint64_t *end)
{
    static const uint64_t counts_of[16] = {
        [FLR_OP_READ] = ONE_READ, [FLR_OP_WRITE] = ONE_WRITE, [FLR_OP_MODIFY] = ONE_READ | ONE_WRITE
    };
    for (size_t i = from; i < to; i++) {
        uint64_t op = b->words[i], address;
        if (FLR_OP_KIND(op) == FLR_OP_FETCH) {
            touch(x, p, run, &b->codes[i], FLR_OP_PAGE(op), FLR_OP_COUNT(op) * ONE_FETCH);
            continue;
        }
        if (w >= end)
            return NULL;
        address = *w++;
        if (address == 0) /* its guard was false */
            continue;
        if (address & FLR_CONTROL_BIT)
            return NULL;
        touch_bytes(x, p, run, &b->codes[i], address, FLR_OP_BYTES(op), counts_of[FLR_OP_KIND(op)]);
    }
    return w;
}

/* The first @n_ops operations, the last fetch among them cut to @fetches instructions. */
static inline const uint64_t *run_prefix(struct exact_recorder *x, struct exact_process *p,
                                         struct run *run, const struct exact_block *b, size_t n_ops,
                                         uint64_t fetches, const uint64_t *w, const uint64_t *end)
{
    size_t last = n_ops;
    if (n_ops > b->n_ops)
        return NULL;
    while (last > 0 && FLR_OP_KIND(b->words[last - 1]) != FLR_OP_FETCH)
        last--;
    if (last == 0)
        return run_ops(x, p, run, b, 0, n_ops, w, end);
    w = run_ops(x, p, run, b, 0, last - 1, w, end);
    if (w == NULL)
        return NULL;
    if (fetches > 0)
        touch(x, p, run, &b->codes[last - 1], FLR_OP_PAGE(b->words[last - 1]), fetches * ONE_FETCH);
    return run_ops(x, p, run, b, last, n_ops, w, end);
}

static const struct exact_block *block_of(const struct exact_process *p, uint64_t id)
{
    return id < p->blocks.n ? p->blocks.at[id] : NULL;
}

/* Operations that run, and the fetches of the last, when the words at @w are this execution's. */
struct extent {
    size_t n_ops;
    uint64_t fetches;
    bool whole, marked;
};

static inline struct extent extent_of(const struct exact_block *b, const uint64_t *w,
                                      const uint64_t *end)
{
    for (size_t i = 0; i < b->n_exits; i++) {
        uint64_t exit = b->words[b->n_ops + i];
        size_t n_words = exit & 0xffff;
        bool marked = (exit >> 40) & 1;
        if (n_words >= (size_t)(end - w))
            continue;
        if (marked ? w[n_words] == FLR_WORD(FLR_EXIT, i) : (w[n_words] & FLR_CONTROL_BIT) != 0)
            return (struct extent){ (exit >> 16) & 0xffff, (exit >> 32) & 0xff, false, marked };
    }
    return (struct extent){ b->n_ops, 0, true, false };
}

/* @w: the word after the header. Returns the first word not used, or NULL when damaged. */
static const uint64_t *run_block(struct exact_recorder *x, struct exact_process *p,
                                 const struct exact_block *b, const uint64_t *w,
                                 const uint64_t *end)
{
    struct extent e = extent_of(b, w, end);
    struct run run = take_run(x);
    if (e.whole)
        w = run_ops(x, p, &run, b, 0, b->n_ops, w, end);
    else
        w = run_prefix(x, p, &run, b, e.n_ops, e.fetches, w, end);
    x->run_vpn = run.vpn;
    x->run_counts = run.counts;
    return w != NULL && e.marked ? w + 1 : w;
}

static const uint64_t *run_partial(struct exact_recorder *x, struct exact_process *p,
                                   uint64_t payload, const uint64_t *w, const uint64_t *end)
{
    const struct exact_block *b = block_of(p, payload & UINT32_MAX);
    if (b == NULL)
        return NULL;
    struct run run = take_run(x);
    w = run_prefix(x, p, &run, b, (payload >> 32) & 0xffff, payload >> 48, w, end);
    x->run_vpn = run.vpn;
    x->run_counts = run.counts;
    return w;
}

static void kernel_access(struct exact_recorder *x, struct exact_process *p, uint64_t address,
                          uint64_t bytes, bool is_write)
{
    uint64_t last = (address + bytes - 1) >> 12;
    if (bytes == 0 || bytes > UINT64_C(1) << 40 || last < address >> 12)
        return;
    fl_exact_flush(x);
    for (uint64_t vpn = address >> 12; vpn <= last; vpn++)
        write_run(x, p, FL_ACTOR_KERNEL, vpn, is_write ? ONE_WRITE : ONE_READ);
}

/* A word that is no superblock. Returns the first word not used, or NULL when damaged. */
static const uint64_t *control_word(struct exact_recorder *x, struct exact_process **pp,
                                    uint64_t word, const uint64_t *w, const uint64_t *end)
{
    struct exact_process *p = *pp;
    uint64_t payload = FLR_WORD_PAYLOAD(word);
    size_t left = (size_t)(end - w), n = payload & UINT32_MAX;
    if (FLR_WORD_TYPE(word) == FLR_RECORD) {
        if (n > left || !fl_exact_record(x, pp, (enum flr_record)(payload >> 32), w, n))
            return NULL;
        return w + n;
    }
    if (p == NULL)
        return NULL;
    switch (FLR_WORD_TYPE(word)) {
    case FLR_PARTIAL: return run_partial(x, p, payload, w, end);
    case FLR_THREAD: fl_exact_switch(x, p, (uint32_t)payload); return w;
    case FLR_KERNEL_READ:
    case FLR_KERNEL_WRITE:
        if (left < 1)
            return NULL;
        kernel_access(x, p, *w, payload, FLR_WORD_TYPE(word) == FLR_KERNEL_WRITE);
        return w + 1;
    case FLR_DESCRIBE: return n <= left && fl_exact_describe(x, p, w, n) ? w + n : NULL;
    default: return NULL;
    }
}

void fl_exact_decode(struct exact_recorder *x, struct exact_process **p, const uint64_t *words,
                     size_t n_words)
{
    const uint64_t *w = words, *end = words + n_words;
    if (x->run_process != *p) {
        fl_exact_flush(x);
        x->told_code = EXACT_TOLD_NOTHING;
    }
    while (w != NULL && w < end) {
        uint64_t word = *w++;
        const struct exact_block *b;
        x->run_process = *p;
        if ((word >> 56) == (0x80 | FLR_SUPERBLOCK)) {
            b = *p ? block_of(*p, FLR_WORD_PAYLOAD(word)) : NULL;
            w = b ? run_block(x, *p, b, w, end) : NULL;
        } else if (word == FLR_WORD(FLR_END, 0)) {
            return;
        } else {
            w = word & FLR_CONTROL_BIT ? control_word(x, p, word, w, end) : NULL;
        }
    }
    x->n_damaged++;
}
