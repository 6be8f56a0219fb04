/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of a segment into runs. The hot path of a recording. */
#include <stdlib.h>
#include <string.h>

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

#define AHEAD 128 /* words */

static bool is_wide(void);

bool fl_exact_decode_open(struct exact_recorder *x)
{
    x->runs = malloc(EXACT_BATCH_ROOM * sizeof *x->runs);
    x->looked_up = malloc(EXACT_LOOKED_UP * sizeof *x->looked_up);
    if (x->runs == NULL || x->looked_up == NULL)
        return false;
    for (size_t i = 0; i < EXACT_LOOKED_UP; i++)
        x->looked_up[i] = (struct exact_looked_up){ .mm = FL_NO_MM };
    x->runs[0] = (struct fl_page_run){ .page = FL_NO_PAGE };
    x->last_run = 0;
    x->wide = is_wide();
    return true;
}

/* Write runs 1 to @n, of which nothing is left but the code. */
static void write_runs(struct exact_recorder *x, size_t n)
{
    struct exact_process *p = x->run_process;
    struct fl_err err;
    if (n == 0 || x->first_rc != FL_OK)
        return;
    int rc = fl_writer_page_runs(x->writer, p->thread, p->mm, x->runs + 1, n, &err);
    if (rc != FL_OK)
        fl_exact_fail(x, rc, &err);
}

void fl_exact_flush(struct exact_recorder *x)
{
    size_t n = x->last_run;
    x->last_run = 0;
    write_runs(x, n);
}

/* All but the one under construction. */
static void flush_whole_runs(struct exact_recorder *x)
{
    size_t n = x->last_run;
    write_runs(x, n - 1);
    x->runs[1] = x->runs[n];
    x->last_run = 1;
}

uint32_t fl_exact_page(struct exact_recorder *x, uint32_t mm, uint64_t vpn)
{
    struct fl_err err;
    struct exact_looked_up *at = &x->looked_up[vpn % EXACT_LOOKED_UP];
    if (at->vpn == vpn && at->mm == mm)
        return at->page;
    uint32_t page = fl_writer_page(x->writer, mm, vpn, &err);
    if (page == FL_NO_PAGE)
        fl_exact_fail(x, err.code, &err);
    else
        *at = (struct exact_looked_up){ vpn, mm, page };
    return page;
}

/* Accesses in the function at @code, as fl_exact_code_marks() numbers it. */
static void touch(struct exact_recorder *x, struct exact_process *p, uint32_t code, uint64_t vpn,
                  uint64_t counts)
{
    struct fl_page_run *last = &x->runs[x->last_run];
    uint32_t page = fl_exact_page(x, p->mm, vpn);
    if (last->page == page) {
        last->counts += counts;
        if (last->counts & EXACT_HALF_FULL)
            fl_exact_flush(x);
        return;
    }
    if (!fl_exact_code_known(x, code) || fl_exact_grows_stack(p, vpn))
        fl_exact_flush(x);
    uint32_t id = fl_exact_code_id(x, p, code);
    if (fl_exact_grows_stack(p, vpn))
        fl_exact_grow_stack(x, p, vpn);
    x->runs[++x->last_run] = (struct fl_page_run){ counts, page, id };
}

/*
 * The first @n_ops operations of @b, one by one, the fetch at @cut (if below) as
 * @fetches instructions. Returns false when the words do not fit.
 */
static bool run_ops(struct exact_recorder *x, struct exact_process *p, const struct exact_block *b,
                    size_t n_ops, size_t cut, uint64_t fetches, const uint64_t *w,
                    const uint64_t *end)
{
    static const uint64_t counts_of[8] = { [FLR_OP_READ] = EXACT_READ,
                                           [FLR_OP_WRITE] = EXACT_WRITE,
                                           [FLR_OP_MODIFY] = EXACT_READ | EXACT_WRITE };
    for (size_t i = 0; i < n_ops; i++) {
        uint64_t op = b->words[i], count = i == cut ? fetches : FLR_OP_COUNT(op);
        if (x->last_run >= EXACT_BATCH)
            flush_whole_runs(x);
        if (FLR_OP_KIND(op) == FLR_OP_FETCH) {
            if (count > 0)
                touch(x, p, b->codes[i], FLR_OP_PAGE(op), count * EXACT_FETCH);
            continue;
        }
        size_t at = FLR_OP_INDEX(op);
        if (at >= (size_t)(end - w) || (w[at] & FLR_CONTROL_BIT))
            return false;
        if (w[at] == 0 && (FLR_OP_KIND(op) & FLR_OP_GUARDED))
            continue;
        uint64_t address = w[at] + (uint64_t)(int64_t)FLR_OP_OFFSET(op);
        uint64_t last = (address + FLR_OP_BYTES(op) - 1) >> 12;
        /* One that crosses a page boundary counts once on each page. */
        for (uint64_t vpn = address >> 12; vpn <= last; vpn++)
            touch(x, p, b->codes[i], vpn, counts_of[FLR_OP_KIND(op) & 7]);
    }
    return true;
}

/* As above; the last fetch among them is cut to @fetches instructions. */
static bool run_prefix(struct exact_recorder *x, struct exact_process *p,
                       const struct exact_block *b, size_t n_ops, uint64_t fetches,
                       const uint64_t *w, const uint64_t *end)
{
    size_t last = n_ops;
    if (n_ops > b->n_ops)
        return false;
    while (last > 0 && FLR_OP_KIND(b->words[last - 1]) != FLR_OP_FETCH)
        last--;
    return run_ops(x, p, b, n_ops, last > 0 ? last - 1 : SIZE_MAX, fetches, w, end);
}

/* Where runs go, in registers: the run under construction, its page, and EXACT_BATCH of them. */
struct tip {
    struct fl_page_run *last;
    const struct fl_page_run *full;
    uint32_t page;
};

static inline struct tip tip_of(const struct exact_recorder *x)
{
    struct fl_page_run *last = x->runs + x->last_run;
    return (struct tip){ last, x->runs + EXACT_BATCH, last->page };
}

/* A path's runs; the last run may go on with the first of them. True: make_room() is to see to it. */
static inline __attribute__((always_inline)) bool append(struct tip *tip,
                                                         const struct exact_path *path)
{
    const struct fl_page_run *first = path->runs;
    struct fl_page_run *last = tip->last;
    uint32_t n = path->n_runs;
    if (__builtin_expect(n == 0, 0))
        return false;
    bool other = first->page != tip->page;
    uint64_t counts = first->counts + (other ? 0 : last->counts);
    uint32_t code = other ? first->code : last->code;
    last += other;
    memcpy(last, first, EXACT_AT_ONCE * sizeof *last);
    last->counts = counts;
    last->code = code;
    for (uint32_t i = EXACT_AT_ONCE; __builtin_expect(i < n, 0); i += EXACT_AT_ONCE)
        memcpy(last + i, first + i, EXACT_AT_ONCE * sizeof *last);
    tip->last = last + n - 1;
    tip->page = first[n - 1].page; /* not from where it has just been stored */
    return tip->last >= tip->full || (counts & EXACT_HALF_FULL);
}

/* Room for more runs, and for more in the last one. */
static void make_room(struct exact_recorder *x)
{
    if (x->last_run >= EXACT_BATCH)
        flush_whole_runs(x);
    else
        fl_exact_flush(x);
}

static void run_path(struct exact_recorder *x, const struct exact_path *path)
{
    struct tip tip = tip_of(x);
    bool look = append(&tip, path);
    x->last_run = (size_t)(tip.last - x->runs);
    if (look)
        make_room(x);
}

static struct exact_known *block_of(const struct exact_process *p, uint64_t id)
{
    return id < p->blocks.n && p->blocks.at[id].block ? &p->blocks.at[id] : NULL;
}

/* Which exit was taken when the words at @w are this execution's; n_exits: none. */
static inline size_t exit_of(const struct exact_block *b, const uint64_t *w, const uint64_t *end)
{
    size_t i = 0;
    for (; i < b->n_exits; i++) {
        uint64_t exit = b->words[b->n_ops + i];
        size_t n_words = exit & 0xffff;
        if (n_words >= (size_t)(end - w))
            continue;
        if ((exit >> 40) & 1 ? w[n_words] == FLR_WORD(FLR_EXIT, i)
                             : (w[n_words] & FLR_CONTROL_BIT) != 0)
            break;
    }
    return i;
}

/* Is the word behind those of @path, whose execution is at @w, what is behind them there? */
static bool ends_like(const struct exact_path *path, const uint64_t *w, const uint64_t *end)
{
    size_t n = path->n_words;
    return n < (size_t)(end - w) && w[n] - path->ranges[n] < path->ranges[2 * n + 1];
}

/* Words elsewhere, or another path than the last one, behind the header. Returns the first word
   not used, or NULL when damaged. */
static const uint64_t *run_otherwise(struct exact_recorder *x, struct exact_process *p,
                                     struct exact_known *known, const uint64_t *w,
                                     const uint64_t *end)
{
    struct exact_path *likely = known->likely;
    if (likely != NULL && ends_like(likely, w, end) && fl_exact_path_follow(x, p, likely, w)) {
        run_path(x, likely);
        return w + likely->n_taken;
    }
    struct exact_block *b = known->block;
    size_t i = exit_of(b, w, end);
    uint64_t exit = i < b->n_exits ? b->words[b->n_ops + i] : 0;
    struct exact_path *path = b->paths[i];
    size_t marker = (exit >> 40) & 1, n_words = i < b->n_exits ? exit & 0xffff : b->n_words;
    if (n_words + marker >= (size_t)(end - w)) /* FLR_END at least is behind */
        return NULL;
    if (path != NULL && fl_exact_path_follow(x, p, path, w)) {
        known->likely = path;
        run_path(x, path);
        return w + n_words + marker;
    }
    bool ok = i < b->n_exits
                  ? run_prefix(x, p, b, (exit >> 16) & 0xffff, (exit >> 32) & 0xff, w, end)
                  : run_ops(x, p, b, b->n_ops, SIZE_MAX, 0, w, end);
    if (!ok)
        return NULL;
    if (path == NULL && !b->plain)
        fl_exact_path(x, b, i);
    return w + n_words + marker;
}

/* Are the words at @w, of which there are enough, in the path's ranges? */
static inline bool in_ranges(const struct exact_path *path, const uint64_t *w)
{
    const uint64_t *first = path->ranges, *n = first + path->n_words + 1;
    bool out = false;
    for (uint32_t i = 0; i <= path->n_words; i++)
        out |= w[i] - first[i] >= n[i];
    return !out;
}

/* @w + n; by branches, which the processor foresees, where a sum would wait for the path's number. */
static inline const uint64_t *behind(const uint64_t *w, uint32_t n)
{
    if (n > 8)
        return w + n;
    for (; n > 0; n--) {
        w++;
        __asm__("" : "+r"(w));
    }
    return w;
}

/*
 * Superblocks from @w on, up to another word. Returns that, or NULL when damaged. Most are on
 * the path and the pages of their last time.
 */
static inline __attribute__((always_inline)) const uint64_t *run_blocks(
    struct exact_recorder *x, struct exact_process *p, const uint64_t *w, const uint64_t *end,
    bool (*serves)(const struct exact_path *, const uint64_t *))
{
    struct tip tip = tip_of(x);
    while (w < end && *w >> 56 == (0x80 | FLR_SUPERBLOCK)) {
        __builtin_prefetch(w + AHEAD); /* from the traced program's processor */
        uint64_t id = FLR_WORD_PAYLOAD(*w++);
        const struct exact_path *path = id < p->blocks.n ? p->blocks.at[id].likely : NULL;
        if (__builtin_expect(path != NULL && path->mm == p->mm &&
                                 path->n_words < (size_t)(end - w) && serves(path, w),
                             1)) {
            bool look = append(&tip, path);
            w = behind(w, path->n_taken);
            if (__builtin_expect(!look, 1))
                continue;
            x->last_run = (size_t)(tip.last - x->runs);
            make_room(x);
        } else {
            struct exact_known *known = block_of(p, id);
            x->last_run = (size_t)(tip.last - x->runs);
            w = known ? run_otherwise(x, p, known, w, end) : NULL;
            if (w == NULL)
                return NULL;
        }
        tip = tip_of(x);
    }
    x->last_run = (size_t)(tip.last - x->runs);
    return w;
}

static const uint64_t *run_blocks_plain(struct exact_recorder *x, struct exact_process *p,
                                        const uint64_t *w, const uint64_t *end)
{
    return run_blocks(x, p, w, end, in_ranges);
}

#ifdef __x86_64__
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,bmi2")))

/* As in_ranges(). */
WIDE static inline bool in_ranges_wide(const struct exact_path *path, const uint64_t *w)
{
    uint32_t n = path->n_words + 1;
    const uint64_t *first = path->ranges, *size = first + n;
    for (;;) {
        __mmask8 which = (__mmask8)_bzhi_u32(0xff, n);
        __m512i at = _mm512_sub_epi64(_mm512_maskz_loadu_epi64(which, w),
                                      _mm512_maskz_loadu_epi64(which, first));
        if (_mm512_mask_cmpge_epu64_mask(which, at, _mm512_maskz_loadu_epi64(which, size)))
            return false;
        if (__builtin_expect(n <= 8, 1))
            return true;
        n -= 8, w += 8, first += 8, size += 8;
    }
}

WIDE static const uint64_t *run_blocks_wide(struct exact_recorder *x, struct exact_process *p,
                                            const uint64_t *w, const uint64_t *end)
{
    return run_blocks(x, p, w, end, in_ranges_wide);
}

static bool is_wide(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("bmi2");
}
#else
#define run_blocks_wide run_blocks_plain
static bool is_wide(void)
{
    return false;
}
#endif

static const uint64_t *run_partial(struct exact_recorder *x, struct exact_process *p,
                                   uint64_t payload, const uint64_t *w, const uint64_t *end)
{
    const struct exact_known *known = block_of(p, payload & UINT32_MAX);
    const struct exact_block *b = known ? known->block : NULL;
    size_t n_ops = (payload >> 32) & 0xffff, n_words = 0;
    if (b == NULL || !run_prefix(x, p, b, n_ops, payload >> 48, w, end))
        return NULL;
    for (size_t i = 0; i < n_ops; i++)
        if (FLR_OP_KIND(b->words[i]) != FLR_OP_FETCH && FLR_OP_INDEX(b->words[i]) >= n_words)
            n_words = FLR_OP_INDEX(b->words[i]) + 1;
    return n_words <= (size_t)(end - w) ? w + n_words : NULL;
}

static void kernel_access(struct exact_recorder *x, struct exact_process *p, uint64_t address,
                          uint64_t bytes, bool is_write)
{
    uint64_t last = (address + bytes - 1) >> 12;
    if (bytes == 0 || bytes > UINT64_C(1) << 40 || last < address >> 12)
        return;
    fl_exact_flush(x);
    for (uint64_t vpn = address >> 12; vpn <= last; vpn++) {
        struct fl_err err;
        if (fl_exact_grows_stack(p, vpn))
            fl_exact_grow_stack(x, p, vpn);
        if (x->first_rc != FL_OK)
            return;
        int rc = fl_writer_run(x->writer, p->thread, FL_ACTOR_KERNEL, p->mm, vpn, !is_write,
                               is_write, 0, &err);
        if (rc != FL_OK)
            fl_exact_fail(x, rc, &err);
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
    if (x->run_process != *p)
        fl_exact_flush(x);
    while (w != NULL && w < end) {
        uint64_t word = *w;
        x->run_process = *p;
        if (word >> 56 == (0x80 | FLR_SUPERBLOCK))
            w = *p ? (x->wide ? run_blocks_wide : run_blocks_plain)(x, *p, w, end) : NULL;
        else if (word == FLR_WORD(FLR_END, 0))
            return;
        else
            w = word & FLR_CONTROL_BIT ? control_word(x, p, word, w + 1, end) : NULL;
    }
    x->n_damaged++;
}
