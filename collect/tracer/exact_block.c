/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Superblocks, from their descriptions, and the ways through them: operations that follow
 * each other on one page, whatever the addresses, become one step.
 */
#include <stdlib.h>
#include <string.h>

#include "exact.h"

/* Words that the first @n_ops operations use. *guarded: some may not happen. */
static size_t words_used(const uint64_t *ops, size_t n_ops, bool *guarded)
{
    size_t n = 0;
    for (size_t i = 0; i < n_ops; i++) {
        if (FLR_OP_KIND(ops[i]) == FLR_OP_FETCH)
            continue;
        *guarded |= (FLR_OP_KIND(ops[i]) & FLR_OP_GUARDED) != 0;
        if (FLR_OP_INDEX(ops[i]) >= n)
            n = FLR_OP_INDEX(ops[i]) + 1;
    }
    return n;
}

struct exact_block *fl_exact_block(const uint64_t *words, size_t n_words)
{
    size_t n_ops = (words[0] >> 32) & 0xffff, n_exits = words[0] >> 48;
    if (1 + n_ops + n_exits > n_words || n_ops > FLR_SUPERBLOCK_WORDS)
        return NULL;
    struct exact_block *b =
        malloc(sizeof *b + (n_ops + n_exits) * sizeof b->words[0] +
               (n_exits + 1) * sizeof(struct exact_path *) + n_ops * sizeof b->codes[0]);
    if (b == NULL)
        return NULL;
    *b = (struct exact_block){ .refs = 1, .n_ops = (uint16_t)n_ops, .n_exits = (uint16_t)n_exits };
    memcpy(b->words, words + 1, (n_ops + n_exits) * sizeof b->words[0]);
    b->paths = (struct exact_path **)(void *)(b->words + n_ops + n_exits);
    for (size_t i = 0; i <= n_exits; i++)
        b->paths[i] = NULL;
    b->codes = (uint32_t *)(void *)(b->paths + n_exits + 1);
    b->n_words = (uint16_t)words_used(b->words, n_ops, &b->plain);
    return b;
}

void fl_exact_block_drop(struct exact_block *b)
{
    if (b == NULL || --b->refs > 0)
        return;
    for (size_t i = 0; i <= b->n_exits; i++)
        free(b->paths[i]);
    free(b);
}

/* Everything an exit leaves behind: operations, and the fetches of the last fetch among them. */
struct extent {
    size_t n_ops, last_fetch;
    uint64_t fetches;
};

static struct extent extent_of(const struct exact_block *b, size_t i)
{
    struct extent e = { b->n_ops, SIZE_MAX, 0 };
    if (i == b->n_exits)
        return e;
    e.n_ops = (b->words[b->n_ops + i] >> 16) & 0xffff;
    e.fetches = (b->words[b->n_ops + i] >> 32) & 0xff;
    if (e.n_ops > b->n_ops)
        e.n_ops = b->n_ops;
    for (e.last_fetch = e.n_ops; e.last_fetch-- > 0;)
        if (FLR_OP_KIND(b->words[e.last_fetch]) == FLR_OP_FETCH)
            break;
    return e;
}

static struct exact_step step_of(uint64_t op)
{
    static const uint64_t counts_of[8] = { [FLR_OP_READ] = EXACT_READ,
                                           [FLR_OP_WRITE] = EXACT_WRITE,
                                           [FLR_OP_MODIFY] = EXACT_READ | EXACT_WRITE };
    if (FLR_OP_KIND(op) == FLR_OP_FETCH)
        return (struct exact_step){ .vpn = FLR_OP_PAGE(op),
                                    .counts = FLR_OP_COUNT(op) * EXACT_FETCH,
                                    .word = EXACT_FETCHED };
    return (struct exact_step){ .counts = counts_of[FLR_OP_KIND(op) & 7],
                                .word = (uint32_t)FLR_OP_INDEX(op) };
}

static void widen(struct exact_reach *r, uint64_t op)
{
    int64_t low = FLR_OP_OFFSET(op), high = low + (int64_t)FLR_OP_BYTES(op) - 1;
    if (r->low > r->high) {
        *r = (struct exact_reach){ .low = low, .high = high };
        return;
    }
    r->low = low < r->low ? low : r->low;
    r->high = high > r->high ? high : r->high;
}

/* With room for so many steps, and for as many runs. */
static struct exact_path *new_path(size_t n_words, size_t n_steps)
{
    size_t n_runs = n_steps + EXACT_AT_ONCE;
    struct exact_path *path =
        malloc(sizeof *path + 2 * (n_words + 1) * sizeof path->ranges[0] +
               n_words * sizeof path->reaches[0] + n_runs * sizeof path->runs[0] +
               n_steps * sizeof path->steps[0]);
    if (path == NULL)
        return NULL;
    *path = (struct exact_path){ .n_words = (uint32_t)n_words, .mm = FL_NO_MM };
    path->runs = (struct fl_page_run *)(void *)(path->ranges + 2 * (n_words + 1));
    path->reaches = (struct exact_reach *)(void *)(path->runs + n_runs);
    path->steps = (struct exact_step *)(void *)(path->reaches + n_words);
    memset(path->runs, 0, n_runs * sizeof path->runs[0]);
    for (size_t i = 0; i < n_words; i++)
        path->reaches[i] = (struct exact_reach){ .low = 1, .high = 0 };
    return path;
}

/* Behind a path without a marker there is most often another superblock, or the end. */
#define UNMARKED \
    ((struct exact_range){ FLR_WORD(FLR_END, 0), FLR_WORD(FLR_EXIT, 0) - FLR_WORD(FLR_END, 0) })
_Static_assert(FLR_END == 0 && FLR_SUPERBLOCK == 1 && FLR_EXIT == 2, "they are one range");

static struct exact_range range_of(const struct exact_path *path, size_t i)
{
    return (struct exact_range){ path->ranges[i], path->ranges[path->n_words + 1 + i] };
}

static void set_range(struct exact_path *path, size_t i, struct exact_range range)
{
    path->ranges[i] = range.first;
    path->ranges[path->n_words + 1 + i] = range.n;
}

struct exact_path *fl_exact_path(const struct exact_recorder *x, struct exact_block *b, size_t i)
{
    struct extent e = extent_of(b, i);
    bool guarded = false;
    size_t n_words = words_used(b->words, e.n_ops, &guarded), n = 0;
    for (size_t k = 0; k < e.n_ops; k++)
        if (!fl_exact_code_known(x, b->codes[k]))
            return NULL;
    struct exact_path *path = new_path(n_words, e.n_ops);
    if (path == NULL)
        return NULL;
    for (size_t k = 0; k < e.n_ops; k++) {
        struct exact_step step = step_of(b->words[k]), *last = n > 0 ? &path->steps[n - 1] : NULL;
        if (k == e.last_fetch)
            step.counts = e.fetches * EXACT_FETCH;
        if (step.counts == 0)
            continue;
        if (step.word != EXACT_FETCHED)
            widen(&path->reaches[step.word], b->words[k]);
        if (last != NULL && last->word == step.word && last->vpn == step.vpn) {
            last->counts += step.counts;
            continue;
        }
        step.code = fl_exact_code_traced(x, b->codes[k]);
        path->steps[n++] = step;
    }
    path->n_steps = (uint32_t)n;
    bool marked = i < b->n_exits && (b->words[b->n_ops + i] >> 40) & 1;
    path->n_taken = (uint32_t)(n_words + marked);
    set_range(path, n_words, marked ? (struct exact_range){ FLR_WORD(FLR_EXIT, i), 1 } : UNMARKED);
    b->paths[i] = path;
    return path;
}

/* ---- where its words are -------------------------------------------------------- */

/* Nothing is known of the path's pages in @p. */
static void forget(struct exact_path *path, const struct exact_process *p)
{
    for (size_t i = 0; i < path->n_words; i++)
        set_range(path, i, (struct exact_range){ 0, 0 }),
            path->reaches[i].page = path->reaches[i].page_before = FL_NO_PAGE;
    for (size_t i = 0; i < path->n_steps; i++)
        path->steps[i].page = FL_NO_PAGE;
    path->mm = p->mm;
}

/* The range of word @i that has @w. False: it reaches into two pages, or grows the stack. */
static bool find_range(const struct exact_process *p, struct exact_path *path, size_t i, uint64_t w)
{
    struct exact_reach *reach = &path->reaches[i];
    uint64_t low = w + (uint64_t)reach->low, high = w + (uint64_t)reach->high;
    struct exact_range found = { 0, FLR_CONTROL_BIT }; /* nothing is accessed */
    if (reach->low <= reach->high)
        found = (struct exact_range){ (low & ~UINT64_C(4095)) - (uint64_t)reach->low,
                                      4096 - (uint64_t)(reach->high - reach->low) };
    else
        low = high = 0;
    uint64_t first_before = path->ranges[i];
    set_range(path, i, (struct exact_range){ first_before, 0 });
    if (((w | found.first | (found.first + found.n - 1)) & FLR_CONTROL_BIT) ||
        low >> 12 != high >> 12 || fl_exact_grows_stack(p, low >> 12))
        return false;
    uint32_t page = reach->first_before == found.first ? reach->page_before : FL_NO_PAGE;
    reach->first_before = first_before;
    reach->page_before = reach->page;
    reach->page = page;
    set_range(path, i, found);
    return true;
}

/* Where the step's accesses are. */
static uint32_t page_of(struct exact_recorder *x, const struct exact_path *path,
                        struct exact_step *step, const uint64_t *w)
{
    bool fetched = step->word == EXACT_FETCHED;
    struct exact_reach *reach = fetched ? NULL : &path->reaches[step->word];
    uint32_t *page = fetched ? &step->page : &reach->page;
    if (*page == FL_NO_PAGE)
        *page = fl_exact_page(x, path->mm,
                              fetched ? step->vpn : (w[step->word] + (uint64_t)reach->low) >> 12);
    return *page;
}

bool fl_exact_path_follow(struct exact_recorder *x, const struct exact_process *p,
                          struct exact_path *path, const uint64_t *w)
{
    uint32_t n = 0;
    if (path->mm != p->mm)
        forget(path, p);
    for (size_t i = 0; i < path->n_words; i++) {
        struct exact_range range = range_of(path, i);
        if (w[i] - range.first >= range.n && !find_range(p, path, i, w[i]))
            return false;
    }
    for (uint32_t i = 0; i < path->n_steps; i++) {
        struct exact_step *step = &path->steps[i];
        uint32_t page = page_of(x, path, step, w);
        if (n > 0 && path->runs[n - 1].page == page)
            path->runs[n - 1].counts += step->counts;
        else
            path->runs[n++] = (struct fl_page_run){ step->counts, page, step->code };
    }
    path->n_runs = n;
    return true;
}
