/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stretches of the run that go into bringing evicted pages back: docs/thrashing.md. */
#include <faultline/thrash.h>

#include <stdlib.h>
#include <string.h>

#include <faultline/report.h>
#include <faultline/units.h>

#include "thrash_text.h"

#define BEGIN_STALL_BP 2000u /* of the time: a stretch begins, */
#define STAY_STALL_BP 1000u  /* and goes on */
#define GAP_ROWS 2u          /* of less than that do not end it */
#define GAP_SHARE 20u        /* nor of a part of the run, between two that last as long */
#define REFAULTS_MIN 32u

/* One row of the timeline, or several. */
struct stretch {
    uint64_t accesses, faults, refaults;
    uint64_t resident_ns; /* what it would take with nothing evicted */
    uint64_t stall_ns;    /* what its refaults cost */
};

static uint64_t share_bp(uint64_t part, uint64_t rest)
{
    unsigned __int128 whole = (unsigned __int128)part + rest;
    return whole ? (uint64_t)((unsigned __int128)part * 10000 / whole) : 0;
}

static struct stretch stretch_of(const struct fl_result *res, size_t r)
{
    const struct fl_timeline_row *row = &res->rows[r];
    const struct fl_costs *costs = res->opts.costs;
    uint64_t refaults = res->attribution->rows[r].refaults, left = refaults, wanted = 0;
    struct stretch s = { .accesses = row->accesses, .refaults = refaults };
    static const enum fl_cause back[] = { FL_CAUSE_SWAP_IN, FL_CAUSE_SWAP_CACHE,
                                          FL_CAUSE_FILE_READ };

    s.resident_ns = fl_cost_of_ns(costs, FL_COST_ACCESS, row->accesses);
    for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++)
        s.faults += row->faults[c];
    for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++)
        if (!fl_cause_is_major((enum fl_cause)c) && c != FL_CAUSE_SWAP_CACHE)
            s.resident_ns += fl_cost_of_ns(costs, fl_cause_cost((enum fl_cause)c), row->faults[c]);
    /* A cold file's first pages are read without having been evicted. */
    for (size_t i = 0; i < FL_COUNT(back); i++) {
        enum fl_cost cost = back[i] == FL_CAUSE_SWAP_IN ? fl_cost_swap_in(costs)
                                                        : fl_cause_cost(back[i]);
        uint64_t n = row->faults[back[i]] < left ? row->faults[back[i]] : left;
        s.stall_ns += fl_cost_of_ns(costs, cost, n);
        left -= n;
    }
    /* Who brings a page back makes room for it; first touches make room for themselves. */
    wanted = s.faults > refaults ? s.faults : refaults;
    uint64_t dropped = row->evictions > row->pages_out ? row->evictions - row->pages_out : 0;
    uint64_t room_ns = fl_cost_of_ns(costs, fl_cost_swap_out(costs), row->pages_out) +
                       fl_cost_of_ns(costs, FL_COST_RECLAIM, dropped);
    if (wanted)
        s.stall_ns += (uint64_t)((unsigned __int128)room_ns * refaults / wanted);
    return s;
}

static bool is_hot(const struct stretch *s, uint32_t least_bp)
{
    return s->refaults > 0 && s->refaults * 2 >= s->faults &&
           share_bp(s->stall_ns, s->resident_ns) >= least_bp;
}

/* ---- from rows to intervals ------------------------------------------------------------ */

struct rows {
    size_t from, to;
};

/* The next stretch of hot rows from @at on, but for short gaps. false: there is none. */
static bool next_hot(const struct fl_result *res, size_t n, size_t at, struct rows *out)
{
    for (; at < n; at++) {
        struct stretch s = stretch_of(res, at);
        if (is_hot(&s, BEGIN_STALL_BP))
            break;
    }
    if (at >= n)
        return false;
    *out = (struct rows){ at, at + 1 };
    for (size_t r = at + 1; r < n && r - out->to <= GAP_ROWS; r++) {
        struct stretch s = stretch_of(res, r);
        if (is_hot(&s, STAY_STALL_BP))
            out->to = r + 1;
    }
    return true;
}

/* Do two stretches belong together: not far apart, and calm for not much longer than hot? */
static bool joins(const struct rows *a, const struct rows *b, size_t n)
{
    size_t gap = b->from - a->to, first = a->to - a->from, second = b->to - b->from;
    size_t shorter = first < second ? first : second;
    return gap * GAP_SHARE <= n && 2 * gap <= 3 * shorter;
}

/* The next stretch from @at on, with those that belong to it. false: there is none. */
static bool next_rows(const struct fl_result *res, size_t n, size_t at, struct rows *out)
{
    struct rows last, next;
    if (!next_hot(res, n, at, out))
        return false;
    for (last = *out; next_hot(res, n, last.to, &next) && joins(&last, &next, n); last = next)
        out->to = next.to;
    return true;
}

static uint64_t row_end(const struct fl_result *res, size_t row)
{
    uint64_t end = 0;
    for (size_t r = 0; r <= row; r++)
        end += res->rows[r].accesses;
    return end;
}

/* Does a part of a row have refaults half as thick as the interval has? */
static bool as_thick(uint64_t refaults, uint64_t length, const struct fl_thrash_interval *iv)
{
    unsigned __int128 here = (unsigned __int128)refaults * (iv->to_access - iv->from_access);
    return refaults > 0 && 2 * here >= (unsigned __int128)iv->refaults * length;
}

/* It began in the middle of the row before, and ended in the middle of the next. */
static void refine(const struct fl_result *res, const struct rows *rows,
                   struct fl_thrash_interval *iv)
{
    const struct fl_refault_row *at = res->attribution->rows;
    if (rows->from > 0) {
        const struct fl_refault_row *before = &at[rows->from - 1];
        if (as_thick(before->refaults, row_end(res, rows->from - 1) - before->first, iv))
            iv->from_access = before->first;
    }
    if (rows->to < res->attribution->n_rows) {
        const struct fl_refault_row *after = &at[rows->to];
        if (as_thick(after->refaults, after->last - row_end(res, rows->to - 1), iv))
            iv->to_access = after->last;
    }
}

static int most_first(const void *a, const void *b)
{
    const struct fl_culprit *x = a, *y = b;
    if (x->refaults != y->refaults)
        return x->refaults < y->refaults ? 1 : -1;
    if (x->process != y->process)
        return x->process < y->process ? -1 : 1;
    if (x->mapping != y->mapping)
        return x->mapping < y->mapping ? -1 : 1;
    return (x->function > y->function) - (x->function < y->function);
}

static int by_process(const void *a, const void *b)
{
    const struct fl_culprit *x = a, *y = b;
    return x->process != y->process ? (x->process < y->process ? -1 : 1) : most_first(a, b);
}

/* What makes an interval, process by process: @all its @n culprits, most first, which is not what
   they are after. */
static void find_drivers(struct fl_culprit *all, size_t n, struct fl_thrash_interval *iv)
{
    size_t processes = 0;
    qsort(all, n, sizeof *all, by_process);
    for (size_t i = 0; i < n; i++) {
        if (processes && all[processes - 1].process == all[i].process)
            all[processes - 1].refaults += all[i].refaults;
        else
            all[processes++] = all[i];
    }
    qsort(all, processes, sizeof *all, most_first);
    while (iv->n_drivers < processes && iv->n_drivers < FL_DRIVERS_MAX &&
           all[iv->n_drivers].refaults * 2 >= all[0].refaults) {
        iv->drivers[iv->n_drivers] = all[iv->n_drivers];
        iv->n_drivers++;
    }
}

static int find_culprits(const struct fl_attribution *a, const struct rows *rows,
                         struct fl_thrash_interval *iv, struct fl_err *err)
{
    struct fl_culprit *all = calloc(a->n_owners ? a->n_owners : 1, sizeof *all);
    size_t n = 0;
    if (!all)
        return fl_nomem(err, "culprits");
    for (size_t i = 0; i < a->n_shares; i++)
        if (a->shares[i].row >= rows->from && a->shares[i].row < rows->to)
            all[a->shares[i].owner].refaults += a->shares[i].refaults;
    for (size_t i = 0; i < a->n_owners; i++)
        if (all[i].refaults > 0)
            all[n++] = (struct fl_culprit){ a->owners[i].process, a->owners[i].mapping,
                                            a->owners[i].function, all[i].refaults };
    qsort(all, n, sizeof *all, most_first);
    iv->n_culprits = n < FL_CULPRITS_MAX ? n : FL_CULPRITS_MAX;
    memcpy(iv->culprits, all, iv->n_culprits * sizeof *all);
    find_drivers(all, n, iv);
    free(all);
    return FL_OK;
}

/* What came back in a stretch, in a memory of some size. */
struct back {
    uint64_t refaults, pages; /* pages: different ones among them */
    uint64_t near;            /* refaults that as much memory again would have spared */
    uint64_t frames;
};

/* Do the same pages come back again and again? A set that fits is brought back once at most, and so
   are pages of a second look at more than fits. If most are near, a set that moves on counts too:
   more pages came back than any set that fits has. If most are far, it takes a fourth pass. */
static bool is_again(const struct back *b)
{
    if (b->refaults < REFAULTS_MIN)
        return false;
    if (b->near * 2 >= b->refaults)
        return b->refaults * 2 >= b->pages * 3 || b->refaults > b->frames * 2;
    return b->refaults * 2 >= b->pages * 5;
}

/* What a refault costs in an interval, and how long a million accesses take without any. */
struct price {
    uint64_t refault_ns, million_ns;
};

/* Would the interval thrash in a memory of frames[@bucket]? By the rules of the replay itself, but
   for what is known of the pages: which of them came back before, not how many there are. */
static bool goes_on(const struct fl_lru_timeline *curve, uint32_t bucket,
                    const struct fl_thrash_interval *iv, const struct price *price)
{
    struct fl_lru_refaults sum = { 0 };
    uint32_t cold = 0;
    for (uint32_t r = 0; r < curve->n_rows; r++) {
        uint64_t begin = r * curve->row_accesses, end = begin + curve->row_accesses;
        uint64_t from = iv->from_access > begin ? iv->from_access : begin;
        uint64_t to = iv->to_access < end ? iv->to_access : end;
        if (from >= to)
            continue;
        struct fl_lru_refaults n = fl_lru_timeline_between(curve, bucket, from, to);
        uint64_t resident =
            (uint64_t)((unsigned __int128)(to - from) * price->million_ns / 1000000);
        bool hot = share_bp(n.major * price->refault_ns, resident) >= STAY_STALL_BP;
        cold = hot ? 0 : cold + 1;
        if (cold > GAP_ROWS)
            sum = (struct fl_lru_refaults){ 0 };
        sum.major += n.major;
        sum.again += n.again;
        sum.near += n.near;
        struct back back = { sum.major, sum.major - sum.again, sum.near, curve->frames[bucket] };
        if (is_again(&back))
            return true;
    }
    return false;
}

/* The least memory in which it would be no thrashing. More memory is never worse under LRU. */
static uint64_t ram_to_end(const struct fl_result *res, const struct fl_lru_timeline *curve,
                           const struct fl_thrash_interval *iv, const struct stretch *sum)
{
    uint32_t low = 0, high;
    if (!curve || !sum->refaults || !sum->accesses || !curve->n_buckets)
        return 0;
    struct price price = { sum->stall_ns / sum->refaults,
                           (uint64_t)((unsigned __int128)sum->resident_ns * 1000000 /
                                      sum->accesses) };
    high = curve->n_buckets - 1;
    while (low < high && curve->frames[low] <= res->opts.frames)
        low++;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (goes_on(curve, mid, iv, &price))
            low = mid + 1;
        else
            high = mid;
    }
    return curve->frames[low] < curve->peak_pages ? curve->frames[low] : curve->peak_pages;
}

/* Is what happens in @rows thrashing? Then *@out is it. A set of pages that is brought back once,
   after a change of phase or by a second pass over it, is none: they come back again and again. */
static int judge(const struct fl_result *res, const struct fl_lru_timeline *curve,
                 const struct rows *rows, struct fl_thrash_interval *out, bool *is,
                 struct fl_err *err)
{
    const struct fl_attribution *a = res->attribution;
    struct stretch sum = { 0 };
    *out = (struct fl_thrash_interval){ .from_access = a->rows[rows->from].first,
                                        .to_access = a->rows[rows->to - 1].last };
    for (size_t r = rows->from; r < rows->to; r++) {
        struct stretch s = stretch_of(res, r);
        sum.accesses += s.accesses;
        sum.faults += s.faults;
        sum.refaults += s.refaults;
        sum.resident_ns += s.resident_ns;
        sum.stall_ns += s.stall_ns;
        out->near += a->rows[r].near;
    }
    out->faults = sum.faults;
    out->refaults = sum.refaults;
    out->pages = fl_attribution_pages(a, rows->from, rows->to);
    out->stall_bp = (uint32_t)share_bp(sum.stall_ns, sum.resident_ns);
    struct back back = { sum.refaults, out->pages, out->near, res->opts.frames };
    *is = out->to_access > out->from_access && is_again(&back);
    if (!*is)
        return FL_OK;
    refine(res, rows, out);
    out->ram_to_end_pages = ram_to_end(res, curve, out, &sum);
    return find_culprits(a, rows, out, err);
}

static int find_intervals(const struct fl_result *res, const struct fl_lru_timeline *curve,
                          struct fl_thrash *t, struct fl_err *err)
{
    size_t n = res->n_rows < res->attribution->n_rows ? res->n_rows : res->attribution->n_rows;
    struct rows rows = { 0 };
    int rc = FL_OK;
    while (rc == FL_OK && next_rows(res, n, rows.to, &rows)) {
        struct fl_thrash_interval iv;
        bool is = false;
        rc = judge(res, curve, &rows, &iv, &is, err);
        if (rc != FL_OK || !is)
            continue;
        struct fl_thrash_interval *grown =
            reallocarray(t->intervals, t->n_intervals + 1, sizeof *grown);
        if (!grown)
            return fl_nomem(err, "thrashing");
        t->intervals = grown;
        grown[t->n_intervals++] = iv;
    }
    return rc;
}

/* ---- knee and cliff ---------------------------------------------------------------------- */

/* The cliff of the curve; or where it falls to nothing at once, which a curve calls its end. */
static uint64_t cliff_pages(const struct fl_lru_timeline *curve,
                            const struct fl_curve_finding *found)
{
    if (found->cliff)
        return found->cliff_ram_bytes / FL_PAGE_BYTES;
    for (uint32_t i = 1; i < curve->n_curve; i++)
        if (!curve->curve_major[i])
            return curve->curve_major[i - 1] >= curve->curve_major[0] / 10 + 1
                       ? curve->curve_frames[i]
                       : 0;
    return 0;
}

static int find_knee(const struct fl_lru_timeline *curve, struct fl_thrash *t, struct fl_err *err)
{
    struct fl_table *table = fl_table_new("curve");
    struct fl_curve_finding found;
    if (!table)
        return fl_nomem(err, "the curve");
    fl_table_column(table, "RAM", FL_UNIT_BYTES, 0);
    fl_table_column(table, "lru", FL_UNIT_COUNT, 0);
    for (uint32_t i = 0; i < curve->n_curve; i++) {
        size_t row = fl_table_row(table);
        fl_table_put(table, row, 0, curve->curve_frames[i] * FL_PAGE_BYTES);
        fl_table_put(table, row, 1, curve->curve_major[i]);
    }
    int rc = fl_table_ok(table, err);
    if (rc == FL_OK) {
        fl_curve_find(table, 1, &found);
        t->has_curve = true;
        t->knee_pages = found.knee ? found.knee_ram_bytes / FL_PAGE_BYTES : 0;
        t->cliff_pages = cliff_pages(curve, &found);
    }
    fl_table_free(table);
    return rc;
}

int fl_thrash_find(const struct fl_result *result, const struct fl_lru_timeline *curve,
                   struct fl_thrash **out, struct fl_err *err)
{
    struct fl_thrash *t = calloc(1, sizeof *t);
    int rc = t ? FL_OK : fl_nomem(err, "thrashing");
    if (rc == FL_OK)
        rc = find_intervals(result, curve, t, err);
    if (rc == FL_OK && curve)
        rc = find_knee(curve, t, err);
    if (rc == FL_OK && !(t->verdict = thrash_verdict(t, result)))
        rc = fl_nomem(err, "thrashing");
    if (rc == FL_OK)
        *out = t;
    else
        fl_thrash_free(t);
    return rc;
}

int fl_thrash_of(struct fl_reader *r, const struct fl_result *result,
                 void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_thrash **out,
                 struct fl_err *err)
{
    struct fl_lru_timeline *curve = NULL;
    int rc = fl_thrash_find(result, NULL, out, err);
    size_t n = rc == FL_OK ? (*out)->n_intervals : 0;
    if (n == 0)
        return rc;
    uint64_t *begins = calloc(n, sizeof *begins);
    for (size_t i = 0; begins && i < n; i++)
        begins[i] = (*out)->intervals[i].from_access;
    fl_thrash_free(*out);
    *out = NULL;
    rc = begins ? fl_lru_timeline_new(r, result->opts.frames, begins, n, progress, arg, &curve, err)
                : fl_nomem(err, "thrashing");
    if (rc == FL_OK)
        rc = fl_thrash_find(result, curve, out, err);
    fl_lru_timeline_free(curve);
    free(begins);
    return rc;
}

void fl_thrash_free(struct fl_thrash *t)
{
    if (!t)
        return;
    free(t->intervals);
    free(t->verdict);
    free(t);
}
