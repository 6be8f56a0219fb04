/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search's questions, put to the model, and the advice from its answers. */
#include <stdlib.h>

#include <faultline/units.h>

#include "advise_work.h"

enum { RAISES_MAX = 4, EARLY_FLUSH_MS = 100, LATE_FLUSH_MS = 1900 };

/* ---- before the search --------------------------------------------------------------------------- */

static uint32_t frames_of(uint64_t pages)
{
    if (pages == 0)
        return 1;
    return pages < FL_FRAMES_UNLIMITED ? (uint32_t)pages : FL_FRAMES_UNLIMITED - 1;
}

static void plan_curve(struct advise_work *w)
{
    uint64_t peak = w->a->footprint_pages;
    uint32_t report[FL_CURVE_SIZES];
    w->n_report = fl_curve_sizes(peak, report);
    for (uint32_t i = 0; i < w->n_report; i++)
        w->curve[w->n_curve++].frames = report[i];
    for (uint64_t i = 1; i <= ADVISE_GUESS_SIZES; i++)
        w->curve[w->n_curve++].frames =
            frames_of((peak * i + ADVISE_GUESS_SIZES - 1) / ADVISE_GUESS_SIZES);
    for (size_t i = 0; i < w->n_curve; i++) {
        w->curve[i].policy = fl_policy_find("lru");
        w->curve[i].swap_pages = UINT64_MAX;
    }
}

static int find_knee(struct advise_work *w)
{
    struct fl_table *t = fl_table_new("lru");
    if (!t)
        return fl_nomem(w->err, "the curve");
    fl_table_column(t, "RAM", FL_UNIT_BYTES, 0);
    fl_table_column(t, "lru", FL_UNIT_COUNT, 0);
    for (size_t i = 0; i < w->n_report; i++) {
        size_t row = fl_table_row(t);
        fl_table_put(t, row, 0, w->curve[i].frames * FL_PAGE_BYTES);
        fl_table_put(t, row, 1, w->curve[i].major);
    }
    int rc = fl_table_ok(t, w->err);
    if (rc == FL_OK)
        fl_curve_find(t, 1, &w->a->curve);
    fl_table_free(t);
    return rc;
}

/* Time by what lru swaps: only a place to begin at. */
static uint64_t lru_slowdown_bp(const struct advise *a, const struct fl_sweep_point *p)
{
    uint64_t file_reads = p->major > p->swap_in ? p->major - p->swap_in : 0;
    unsigned __int128 ns = a->base_ns;
    ns += fl_cost_of_ns(&a->costs, fl_cost_swap_in(&a->costs), p->swap_in);
    ns += fl_cost_of_ns(&a->costs, fl_cost_swap_out(&a->costs), p->swap_out);
    ns += fl_cost_of_ns(&a->costs, FL_COST_FILE_READ, file_reads);
    return advise_slowdown_bp(ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns, a->base_ns);
}

static uint32_t guess(const struct advise_work *w, uint64_t budget_bp)
{
    const struct advise *a = w->a;
    size_t i = w->n_report;
    while (i + 1 < w->n_curve && lru_slowdown_bp(a, &w->curve[i]) > 10000 + budget_bp)
        i++;
    return (uint32_t)((w->curve[i].frames + a->kernel_pages) / a->step_pages);
}

/* The time without limit, the peak, and the curve of lru. */
static int begin(struct advise_work *w, struct fl_reader *r)
{
    struct advise *a = w->a;
    struct fl_time time;
    if (fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT)
        return fl_fail(
            w->err, FL_EDATA,
            "a trace of fidelity '%s' cannot answer what would happen under other memory "
            "sizes; record the program with --mode exact",
            fl_fidelity_name(fl_reader_fidelity(r)));
    int rc = fl_footprint(r, &a->footprint_pages, w->err);
    if (rc == FL_OK && a->footprint_pages == 0)
        rc = fl_fail(w->err, FL_EDATA, "%s touches no page: there is nothing to size", a->path);
    if (rc != FL_OK)
        return rc;
    plan_curve(w);
    rc = advise_begin_replays(w);
    if (rc != FL_OK)
        return rc;
    fl_time_estimate(w->base, &time);
    a->base_ns = time.total_ns;
    a->walks_ns = time.has_tlb ? time.tlb_walk_ns : 0;
    a->kernel_pages = w->base->kernel_pages_peak;
    a->peak_pages = a->is_kernel ? w->base->usage_peak : w->base->resident_peak_pages;
    a->step_pages = advise_step_pages(a->peak_pages);
    return find_knee(w);
}

/* ---- the search ------------------------------------------------------------------------------------ */

static void plan(struct advise_work *w)
{
    const struct advise *a = w->a;
    static const struct {
        uint64_t budget_bp; /* 0: the asked one */
        unsigned probes_max;
        bool no_swap, coarse;
    } plans[ADVISE_SEARCHES] = {
        [ADVISE_ASKED] = { 0, 16, false, false },  [ADVISE_TIGHT] = { 0, 12, false, false },
        [ADVISE_MORE] = { 2500, 5, false, true },  [ADVISE_DOUBLE] = { 10000, 5, false, true },
        [ADVISE_NO_SWAP] = { 0, 10, true, false },
    };
    uint32_t top = (uint32_t)((a->peak_pages + a->step_pages - 1) / a->step_pages);
    for (size_t i = 0; i < ADVISE_SEARCHES; i++) {
        struct advise_asking *s = &w->of[i];
        uint64_t budget = plans[i].budget_bp ? plans[i].budget_bp : a->slowdown_bp;
        if (i == ADVISE_TIGHT)
            budget = budget * 10000 / (10000 + a->measured.error_bp);
        s->on = plans[i].probes_max && (!plans[i].coarse || budget > a->slowdown_bp) &&
                (i != ADVISE_TIGHT || budget < a->slowdown_bp);
        s->budget_bp = budget;
        s->swap_pages = plans[i].no_swap ? 0 : UINT64_MAX;
        s->search = (struct advise_search){ .top = top,
                                            .tolerance = plans[i].coarse && top > 64 ? top / 64 : 1,
                                            .probes_max = plans[i].probes_max,
                                            .look_above = !plans[i].coarse };
        s->search.guess = plans[i].no_swap ? top - top / 32 : guess(w, budget);
    }
}

/* Every search learns from every probe with its swap. */
static void tell(struct advise_work *w, const struct advise_probe *p)
{
    uint32_t size = (uint32_t)(p->ram_pages / w->a->step_pages);
    for (size_t i = 0; i < ADVISE_SEARCHES; i++)
        if (w->of[i].on && w->of[i].swap_pages == p->swap_pages)
            advise_search_told(&w->of[i].search, size, advise_holds(p, w->of[i].budget_bp));
}

static int search(struct advise_work *w)
{
    int rc = FL_OK;
    for (size_t n = 1; rc == FL_OK && n > 0;) {
        struct advise_probe want[ADVISE_JOBS_MAX];
        n = 0;
        for (size_t i = 0; i < ADVISE_SEARCHES; i++) {
            uint32_t size[2];
            size_t k = w->of[i].on ? advise_search_next(&w->of[i].search, size) : 0;
            while (k > 0)
                want[n++] =
                    advise_question(w->a, size[--k] * w->a->step_pages, w->of[i].swap_pages);
        }
        rc = advise_ask(w, want, n);
        for (size_t i = 0; i < n && rc == FL_OK; i++)
            tell(w, &want[i]);
    }
    return rc;
}

/* ---- the answers ---------------------------------------------------------------------------------- */

static int fill_row(struct advise_work *w, size_t i, struct advise_option *row)
{
    struct advise_answer answer = advise_search_answer(&w->of[i].search);
    *row = (struct advise_option){ .found = w->of[i].on && answer.found,
                                   .exact = answer.exact,
                                   .non_monotone = answer.non_monotone,
                                   .budget_bp = w->of[i].budget_bp };
    if (!row->found)
        return FL_OK;
    row->at = advise_question(w->a, answer.size * w->a->step_pages, w->of[i].swap_pages);
    int rc = advise_ask(w, &row->at, 1); /* the top was never asked for */
    row->found = rc == FL_OK && advise_holds(&row->at, row->budget_bp);
    row->swap_pages = row->at.swap_peak_pages;
    return rc;
}

/* Does the advice hold with as much swap as it gives, and whenever statistics are flushed? */
static int try_advice(struct advise_work *w, uint64_t ram_pages, uint64_t swap_pages)
{
    struct advise *a = w->a;
    struct advise_option *row = &a->rows[ADVISE_ADVISED];
    struct advise_probe now = advise_question(a, ram_pages, swap_pages), early = now, late = now;
    struct advise_probe want[2];
    early.first_flush_ms = EARLY_FLUSH_MS;
    late.first_flush_ms = LATE_FLUSH_MS;
    want[0] = now;
    want[1] = early;
    int rc = advise_ask(w, want, a->is_kernel ? 2 : 1);
    if (rc != FL_OK)
        return rc;
    *row =
        (struct advise_option){ .found = advise_holds(&want[0], a->slowdown_bp) &&
                                         (!a->is_kernel || advise_holds(&want[1], a->slowdown_bp)),
                                .exact = true,
                                .budget_bp = a->slowdown_bp,
                                .at = want[0],
                                .swap_pages = swap_pages };
    if (row->found && a->is_kernel && want[0].stat_flushes > 0) { /* else a later one is the same */
        rc = advise_ask(w, &late, 1);
        row->found = rc == FL_OK && advise_holds(&late, a->slowdown_bp);
    }
    return rc;
}

/* Margins, the kernel's own word, and a last look. */
static int advise(struct advise_work *w, const struct advise_option *tight)
{
    struct advise *a = w->a;
    const struct advise_option *asked = &a->rows[ADVISE_ASKED];
    uint64_t ram = advise_round_pages(advise_with_margin(tight->at.ram_pages, a->margin_bp));
    uint64_t swap = tight->swap_pages > asked->swap_pages ? tight->swap_pages : asked->swap_pages;
    uint64_t killed = a->measured.with_swap ? a->measured.killed_bytes : 0;
    int rc = FL_OK;
    swap = advise_round_pages(advise_with_margin(swap, a->margin_bp));
    a->max_pages = advise_round_pages(advise_with_margin(a->peak_pages, a->margin_bp));
    a->tight_pages = tight->at.ram_pages;
    if (killed && ram * FL_PAGE_BYTES <= killed) {
        uint64_t safe = a->measured.survived_bytes;
        a->raised_for_kernel = true;
        ram = safe ? advise_round_pages(fl_pages_of(safe)) : a->max_pages;
        if (ram * FL_PAGE_BYTES <= killed)
            ram = advise_round_pages(advise_with_margin(fl_pages_of(killed), a->margin_bp));
    }
    for (;; a->raised++) {
        rc = try_advice(w, ram, swap);
        if (rc != FL_OK || a->rows[ADVISE_ADVISED].found || ram >= a->max_pages)
            break;
        ram = advise_round_pages(advise_with_margin(ram, 500) + 1);
        if (a->raised + 1 >= RAISES_MAX && ram < a->max_pages)
            ram = a->max_pages;
    }
    if (rc == FL_OK && !a->rows[ADVISE_ADVISED].found)
        rc = fl_fail(w->err, FL_EDATA, "no RAM size up to the peak holds the budget in the model");
    return rc;
}

/* Without swap: the margin, and the kernel's word if that is what it was asked. */
static void advise_no_swap(struct advise *a)
{
    uint64_t killed = a->measured.with_swap ? 0 : fl_pages_of(a->measured.killed_bytes);
    uint64_t ram = a->rows[ADVISE_NO_SWAP].at.ram_pages;
    if (killed && ram <= killed)
        ram = a->measured.survived_bytes ? fl_pages_of(a->measured.survived_bytes) : killed;
    a->no_swap_pages = advise_round_pages(advise_with_margin(ram, a->margin_bp));
}

static int ask_less(struct advise_work *w)
{
    struct advise *a = w->a;
    uint64_t size = a->rows[ADVISE_ASKED].at.ram_pages / a->step_pages;
    uint64_t less = size * 95 / 100 == size ? size - 1 : size * 95 / 100;
    if (less == 0)
        return FL_OK;
    a->less = advise_question(a, less * a->step_pages, UINT64_MAX);
    return advise_ask(w, &a->less, 1);
}

static int answer(struct advise_work *w)
{
    struct advise *a = w->a;
    struct advise_option tight;
    int rc = FL_OK;
    a->rows[ADVISE_PEAK] = (struct advise_option){
        .found = true,
        .exact = true,
        .at = { .ram_pages = a->peak_pages,
                .minor = w->base->minor,
                .major = w->base->major,
                .slowdown_bp = 10000 },
    };
    for (size_t i = ADVISE_ASKED; i <= ADVISE_NO_SWAP && rc == FL_OK; i++)
        rc = fill_row(w, i, &a->rows[i]);
    if (rc == FL_OK)
        rc = fill_row(w, ADVISE_TIGHT, &tight);
    if (rc == FL_OK && !a->rows[ADVISE_ASKED].found)
        rc = fl_fail(w->err, FL_EDATA, "no RAM size up to the peak holds the budget in the model");
    if (rc == FL_OK)
        rc = ask_less(w);
    if (rc == FL_OK)
        rc = advise(w, tight.found ? &tight : &a->rows[ADVISE_ASKED]);
    advise_no_swap(a);
    for (size_t i = 0; i < a->n_probes; i++)
        if (a->probes[i].killed && a->probes[i].swap_pages == UINT64_MAX &&
            a->probes[i].ram_pages > a->killed_pages)
            a->killed_pages = a->probes[i].ram_pages;
    return rc;
}

/* Swapping took longer than the costs say: they are raised, never lowered. */
static void fit_swapping(struct advise *a)
{
    static const enum fl_cost raised[] = { FL_COST_SWAP_IN_SYNC, FL_COST_SWAP_OUT_SYNC };
    if (a->measured.swap_cost_bp <= 10000)
        return;
    for (size_t i = 0; i < FL_COUNT(raised); i++) {
        unsigned __int128 ps = a->costs.ps[raised[i]];
        ps = ps * a->measured.swap_cost_bp / 10000;
        a->costs.ps[raised[i]] = ps < FL_COST_PS_MAX ? (uint64_t)ps : FL_COST_PS_MAX;
    }
}

/* The costs, made to fit the program's own speed where that is known. */
static int fit(struct advise *a, struct fl_reader *r, struct fl_err *err)
{
    uint64_t native_ns = a->native_ns ? a->native_ns : a->measured.native_ns;
    a->fitted = native_ns > 0;
    a->is_kernel = a->policy->needs & FL_IS_KERNEL;
    a->kernel = *fl_kernel_defaults();
    fl_kernel_from_trace(r, &a->kernel);
    a->kernel.swap_kind = a->swap_kind;
    a->costs.swap_device = fl_swap_kind_device(a->swap_kind);
    fit_swapping(a);
    return native_ns ? fl_costs_fit_access(r, native_ns, &a->costs, NULL, err) : FL_OK;
}

int advise_run(struct advise *a, struct fl_reader *r, struct fl_err *err)
{
    struct advise_work *w = calloc(1, sizeof *w);
    if (!w)
        return fl_nomem(err, "advice");
    w->a = a;
    w->err = err;
    int rc = fit(a, r, err);
    if (rc == FL_OK)
        rc = begin(w, r);
    if (rc == FL_OK) {
        plan(w);
        rc = search(w);
    }
    if (rc == FL_OK)
        rc = answer(w);
    advise_end_replays(w);
    free(w);
    return rc;
}

void advise_free(struct advise *a)
{
    free(a->probes);
    a->probes = NULL;
    a->n_probes = a->cap_probes = 0;
}
