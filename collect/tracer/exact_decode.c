/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of a segment into runs. The hot path of a recording. */
#include "exact.h"

#include "tool/faultline_map_flags.h"

_Static_assert(MAP_FLAG_SHARED == FL_MAP_SHARED && MAP_FLAG_ANON == FL_MAP_ANON &&
                   MAP_FLAG_STACK == FL_MAP_STACK && MAP_FLAG_HEAP == FL_MAP_HEAP &&
                   MAP_FLAG_SPECIAL == FL_MAP_SPECIAL && MAP_FLAG_GROW == FL_MAP_GROW &&
                   MAP_FLAG_LOCKED == FL_MAP_LOCKED && MAP_FLAG_HUGETLB == FL_MAP_HUGETLB,
               "the tracer and event.h disagree");

#define PAGE_MASK 4095u
#define COUNT_LIMIT (UINT32_MAX / 2)

void fl_exact_flush(struct exact_recorder *x)
{
    struct exact_process *p = x->run_process;
    struct fl_err err;
    if (p == NULL)
        return;
    x->run_process = NULL;
    if (x->run_vpn < p->stack.low && x->run_vpn >= p->stack.floor)
        fl_exact_grow_stack(x, p, x->run_vpn);
    if (x->first_rc != FL_OK)
        return;
    int rc = fl_writer_run(x->writer, p->thread, x->run_actor, p->mm, x->run_vpn, x->run_reads,
                           x->run_writes, x->run_fetches, &err);
    if (rc != FL_OK)
        fl_exact_fail(x, rc, &err);
}

static void begin_run(struct exact_recorder *x, struct exact_process *p, enum fl_actor actor,
                      uint64_t vpn, uint32_t reads, uint32_t writes, uint32_t fetches)
{
    fl_exact_flush(x);
    x->run_process = p;
    x->run_actor = actor;
    x->run_vpn = vpn;
    x->run_reads = reads;
    x->run_writes = writes;
    x->run_fetches = fetches;
}

static inline void touch(struct exact_recorder *x, struct exact_process *p, enum fl_actor actor,
                         uint64_t vpn, uint32_t reads, uint32_t writes, uint32_t fetches)
{
    if (x->run_process == p && x->run_vpn == vpn && x->run_actor == actor &&
        (x->run_reads | x->run_writes | x->run_fetches) < COUNT_LIMIT) {
        x->run_reads += reads;
        x->run_writes += writes;
        x->run_fetches += fetches;
        return;
    }
    begin_run(x, p, actor, vpn, reads, writes, fetches);
}

/* An access that crosses a page boundary counts once on each page. */
static inline void touch_bytes(struct exact_recorder *x, struct exact_process *p, uint64_t address,
                               uint64_t bytes, uint32_t reads, uint32_t writes)
{
    uint64_t vpn = address >> 12;
    touch(x, p, FL_ACTOR_USER, vpn, reads, writes, 0);
    if ((address & PAGE_MASK) + bytes > PAGE_MASK + 1u) {
        uint64_t last = (address + bytes - 1) >> 12;
        while (vpn++ < last)
            touch(x, p, FL_ACTOR_USER, vpn, reads, writes, 0);
    }
}

/*
 * Operations [from, to) of @b with addresses at @w; returns the addresses used.
 * The caller knows that there are as many addresses as these operations take.
 */
static const uint64_t *run_ops(struct exact_recorder *x, struct exact_process *p,
                               const struct exact_block *b, size_t from, size_t to,
                               const uint64_t *w, const uint64_t *end)
{
    for (size_t i = from; i < to; i++) {
        uint64_t op = b->words[i], address;
        if (FLR_OP_KIND(op) == FLR_OP_FETCH) {
            touch(x, p, FL_ACTOR_USER, FLR_OP_PAGE(op), 0, 0, (uint32_t)FLR_OP_COUNT(op));
            continue;
        }
        if (w >= end)
            return NULL;
        address = *w++;
        if (address == 0) /* its guard was false */
            continue;
        if (address & FLR_CONTROL_BIT)
            return NULL;
        touch_bytes(x, p, address, FLR_OP_BYTES(op), FLR_OP_KIND(op) != FLR_OP_WRITE,
                    FLR_OP_KIND(op) != FLR_OP_READ);
    }
    return w;
}

/* The first @n_ops operations, the last fetch among them cut to @fetches instructions. */
static const uint64_t *run_prefix(struct exact_recorder *x, struct exact_process *p,
                                  const struct exact_block *b, size_t n_ops, uint32_t fetches,
                                  const uint64_t *w, const uint64_t *end)
{
    size_t last = n_ops;
    if (n_ops > b->n_ops)
        return NULL;
    while (last > 0 && FLR_OP_KIND(b->words[last - 1]) != FLR_OP_FETCH)
        last--;
    if (last == 0)
        return run_ops(x, p, b, 0, n_ops, w, end);
    w = run_ops(x, p, b, 0, last - 1, w, end);
    if (w == NULL)
        return NULL;
    if (fetches > 0)
        touch(x, p, FL_ACTOR_USER, FLR_OP_PAGE(b->words[last - 1]), 0, 0, fetches);
    return run_ops(x, p, b, last, n_ops, w, end);
}

static const struct exact_block *block_of(const struct exact_process *p, uint64_t id)
{
    return id < p->blocks.n ? p->blocks.at[id] : NULL;
}

/* @w: the word after the header. Returns the first word not used, or NULL when damaged. */
static const uint64_t *run_block(struct exact_recorder *x, struct exact_process *p,
                                 const struct exact_block *b, const uint64_t *w,
                                 const uint64_t *end)
{
    for (size_t i = 0; i < b->n_exits; i++) {
        uint64_t exit = b->words[b->n_ops + i];
        size_t n_words = exit & 0xffff;
        bool marked = (exit >> 40) & 1;
        if (n_words >= (size_t)(end - w))
            continue;
        if (marked ? w[n_words] != FLR_WORD(FLR_EXIT, i) : !(w[n_words] & FLR_CONTROL_BIT))
            continue;
        w = run_prefix(x, p, b, (exit >> 16) & 0xffff, (exit >> 32) & 0xff, w, end);
        return w && marked ? w + 1 : w;
    }
    return run_ops(x, p, b, 0, b->n_ops, w, end);
}

static void kernel_access(struct exact_recorder *x, struct exact_process *p, uint64_t address,
                          uint64_t bytes, bool is_write)
{
    uint64_t last = (address + bytes - 1) >> 12;
    if (bytes == 0 || bytes > UINT64_C(1) << 40 || last < address >> 12)
        return;
    for (uint64_t vpn = address >> 12; vpn <= last; vpn++) {
        begin_run(x, p, FL_ACTOR_KERNEL, vpn, !is_write, is_write, 0);
        fl_exact_flush(x);
    }
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
    case FLR_PARTIAL: {
        const struct exact_block *b = block_of(p, payload & UINT32_MAX);
        if (b == NULL)
            return NULL;
        return run_prefix(x, p, b, (payload >> 32) & 0xffff, (uint32_t)(payload >> 48), w, end);
    }
    case FLR_THREAD: fl_exact_switch(x, p, (uint32_t)payload); return w;
    case FLR_KERNEL_READ:
    case FLR_KERNEL_WRITE:
        if (left < 1)
            return NULL;
        kernel_access(x, p, *w, payload, FLR_WORD_TYPE(word) == FLR_KERNEL_WRITE);
        return w + 1;
    case FLR_DESCRIBE: return n <= left && fl_exact_describe(p, w, n) ? w + n : NULL;
    default: return NULL;
    }
}

void fl_exact_decode(struct exact_recorder *x, struct exact_process **p, const uint64_t *words,
                     size_t n_words)
{
    const uint64_t *w = words, *end = words + n_words;
    while (w != NULL && w < end) {
        uint64_t word = *w++;
        const struct exact_block *b;
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
