/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search's questions, answered by replays. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/units.h>

#include "advise.h"

enum {
    THREADS_MAX = 16,
    SEARCHES = ADVISE_ROWS + 1, /* one a row of those searched for, and the tight one */
    TIGHT = ADVISE_ROWS,
    JOBS_MAX = 2 * SEARCHES,
    EXPECTED_JOBS = 26, /* for the progress shown */
    REPORT_SIZES = 24,  /* of a report's curve, so that knee and cliff are the report's */
    GUESS_SIZES = 256,
    RAISES_MAX = 4,
    EARLY_FLUSH_MS = 100,
    LATE_FLUSH_MS = 1900,
};

struct asking {
    bool on;
    uint64_t budget_bp, swap_pages;
    struct advise_search search;
};

struct work {
    struct advise *a;
    struct asking of[SEARCHES];
    struct fl_reader *readers[THREADS_MAX]; /* each thread's, opened when it first works */
    struct fl_sweep_point curve[REPORT_SIZES + GUESS_SIZES];
    size_t n_curve;
    struct fl_result *base; /* the replay without limit */
    uint64_t jobs_done;
    struct fl_err *err;
};

/* ---- on all processors -------------------------------------------------------------------- */

struct pool;
struct job {
    struct pool *pool;
    int (*run)(struct work *w, struct fl_reader *r, struct job *job, struct fl_err *err);
    struct advise_probe *probe;
    unsigned done_bp;
};

struct pool {
    struct work *w;
    struct job *jobs;
    size_t n_jobs;
    pthread_mutex_t lock; /* for all below, the jobs' done_bp and the caller's progress */
    size_t next, n_workers;
    int rc;
    struct fl_err err;
};

static void job_progress(void *arg, unsigned done_bp)
{
    struct job *job = arg;
    struct pool *pool = job->pool;
    struct advise *a = pool->w->a;
    pthread_mutex_lock(&pool->lock);
    job->done_bp = done_bp;
    uint64_t bp = pool->w->jobs_done * UINT64_C(10000);
    for (size_t j = 0; j < pool->n_jobs; j++)
        bp += pool->jobs[j].done_bp;
    bp /= EXPECTED_JOBS;
    a->progress(a->progress_arg, bp < 9900 ? (unsigned)bp : 9900);
    pthread_mutex_unlock(&pool->lock);
}

static int run_job(struct pool *pool, size_t worker, struct job *job, struct fl_err *err)
{
    struct work *w = pool->w;
    int rc = FL_OK;
    if (!w->readers[worker])
        rc = fl_reader_open_path(w->a->path, w->a->read_flags, &w->readers[worker], err);
    return rc == FL_OK ? job->run(w, w->readers[worker], job, err) : rc;
}

static void *work_on(void *arg)
{
    struct pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    size_t worker = pool->n_workers++;
    while (pool->rc == FL_OK && pool->next < pool->n_jobs) {
        struct job *job = &pool->jobs[pool->next++];
        struct fl_err err = { 0 };
        pthread_mutex_unlock(&pool->lock);
        int rc = run_job(pool, worker, job, &err);
        pthread_mutex_lock(&pool->lock);
        if (rc != FL_OK && pool->rc == FL_OK) {
            pool->rc = rc;
            pool->err = err;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static int run_jobs(struct work *w, struct job *jobs, size_t n)
{
    struct pool pool = { .w = w, .jobs = jobs, .n_jobs = n, .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t threads[THREADS_MAX];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = cpus > 1 ? (size_t)cpus : 1, started = 0;
    for (size_t j = 0; j < n; j++)
        jobs[j].pool = &pool;
    if (most > n)
        most = n;
    if (most > THREADS_MAX)
        most = THREADS_MAX;
    while (started + 1 < most && pthread_create(&threads[started], NULL, work_on, &pool) == 0)
        started++;
    work_on(&pool); /* this thread works too */
    while (started > 0)
        pthread_join(threads[--started], NULL);
    w->jobs_done += n;
    if (pool.rc != FL_OK && w->err)
        *w->err = pool.err;
    return pool.rc;
}

/* ---- replays --------------------------------------------------------------------------------- */

static struct fl_replay_opts options(const struct work *w, struct job *job)
{
    const struct advise *a = w->a;
    return (struct fl_replay_opts){ .frames = FL_FRAMES_UNLIMITED,
                                    .swap_pages = UINT64_MAX,
                                    .policy = a->policy,
                                    .costs = &a->costs,
                                    .kernel = &a->kernel,
                                    .no_tlb = true,
                                    .seed = 1,
                                    .progress = a->progress ? job_progress : NULL,
                                    .progress_arg = job };
}

/* Without limit, and with the TLB: its page walks are the same at every size. */
static int run_base(struct work *w, struct fl_reader *r, struct job *job, struct fl_err *err)
{
    struct fl_replay_opts opts = options(w, job);
    opts.no_tlb = w->a->fitted || fl_reader_fidelity(r) != FL_FIDELITY_EXACT;
    return fl_replay(r, &opts, &w->base, err);
}

static int run_curve(struct work *w, struct fl_reader *r, struct job *job, struct fl_err *err)
{
    return fl_sweep(r, w->curve, w->n_curve, w->a->progress ? job_progress : NULL, job, err);
}

static void take(const struct advise *a, const struct fl_result *res, struct advise_probe *p)
{
    struct fl_time time;
    fl_time_estimate(res, &time);
    p->killed = res->n_oom_kills > 0;
    p->minor = res->minor;
    p->major = res->major;
    p->swap_in = res->pages_in;
    p->swap_out = res->pages_out;
    p->swap_peak_pages = res->swap_peak_pages;
    p->stat_flushes = res->stat_flushes;
    uint64_t ns = time.total_ns + a->walks_ns;
    p->slowdown_bp =
        p->killed ? 0 : advise_slowdown_bp(ns < time.total_ns ? UINT64_MAX : ns, a->base_ns);
}

static int run_probe(struct work *w, struct fl_reader *r, struct job *job, struct fl_err *err)
{
    struct advise_probe *p = job->probe;
    struct fl_kernel_opts kernel = w->a->kernel;
    struct fl_replay_opts opts = options(w, job);
    struct fl_result *res = NULL;
    kernel.first_flush_ms = p->first_flush_ms;
    opts.kernel = &kernel;
    if (p->ram_pages < FL_FRAMES_UNLIMITED)
        opts.frames = (uint32_t)p->ram_pages;
    opts.swap_pages = p->swap_pages;
    int rc = fl_replay(r, &opts, &res, err);
    if (rc == FL_EDATA) { /* too small for anything: nobody is left to kill */
        p->killed = true;
        return FL_OK;
    }
    if (rc == FL_OK)
        take(w->a, res, p);
    fl_result_free(res);
    return rc;
}

/* ---- probes ------------------------------------------------------------------------------------ */

static struct advise_probe *find_probe(const struct advise *a, const struct advise_probe *like)
{
    for (size_t i = 0; i < a->n_probes; i++)
        if (a->probes[i].ram_pages == like->ram_pages &&
            a->probes[i].swap_pages == like->swap_pages &&
            a->probes[i].first_flush_ms == like->first_flush_ms)
            return &a->probes[i];
    return NULL;
}

static bool holds(const struct advise_probe *p, uint64_t budget_bp)
{
    return !p->killed && p->slowdown_bp <= 10000 + budget_bp;
}

/* Ask all of @want that have no answer yet, and put the answers there. */
static int ask(struct work *w, struct advise_probe *want, size_t n)
{
    struct advise *a = w->a;
    struct job jobs[JOBS_MAX] = { 0 };
    size_t n_jobs = 0, from = a->n_probes;
    if (a->cap_probes < a->n_probes + n) {
        size_t cap = 2 * a->cap_probes + n;
        struct advise_probe *more = reallocarray(a->probes, cap, sizeof *more);
        if (!more)
            return fl_nomem(w->err, "advice");
        a->probes = more;
        a->cap_probes = cap;
    }
    for (size_t i = 0; i < n; i++)
        if (!find_probe(a, &want[i]))
            a->probes[a->n_probes++] = want[i];
    for (size_t i = from; i < a->n_probes; i++)
        jobs[n_jobs++] = (struct job){ .run = run_probe, .probe = &a->probes[i] };
    int rc = n_jobs ? run_jobs(w, jobs, n_jobs) : FL_OK;
    for (size_t i = 0; i < n && rc == FL_OK; i++)
        want[i] = *find_probe(a, &want[i]);
    return rc;
}

static struct advise_probe question(const struct advise *a, uint64_t ram_pages, uint64_t swap_pages)
{
    return (struct advise_probe){ .ram_pages = ram_pages,
                                  .swap_pages = swap_pages,
                                  .first_flush_ms = a->kernel.first_flush_ms };
}

/* ---- before the search --------------------------------------------------------------------------- */

static uint32_t frames_of(uint64_t pages)
{
    if (pages == 0)
        return 1;
    return pages < FL_FRAMES_UNLIMITED ? (uint32_t)pages : FL_FRAMES_UNLIMITED - 1;
}

static void plan_curve(struct work *w)
{
    uint64_t peak = w->a->footprint_pages;
    for (unsigned i = 0; i < REPORT_SIZES; i++) {
        uint64_t bp = i + 1 < REPORT_SIZES ? 500 + (uint64_t)9500 * i / (REPORT_SIZES - 2) : 10500;
        w->curve[w->n_curve++].frames = frames_of((peak * bp + 9999) / 10000);
    }
    for (uint64_t i = 1; i <= GUESS_SIZES; i++)
        w->curve[w->n_curve++].frames = frames_of((peak * i + GUESS_SIZES - 1) / GUESS_SIZES);
    for (size_t i = 0; i < w->n_curve; i++) {
        w->curve[i].policy = fl_policy_find("lru");
        w->curve[i].swap_pages = UINT64_MAX;
    }
}

static int find_knee(struct work *w)
{
    struct fl_table *t = fl_table_new("lru");
    if (!t)
        return fl_nomem(w->err, "the curve");
    fl_table_column(t, "RAM", FL_UNIT_BYTES, 0);
    fl_table_column(t, "lru", FL_UNIT_COUNT, 0);
    for (size_t i = 0; i < REPORT_SIZES; i++) {
        if (i > 0 && w->curve[i].frames == w->curve[i - 1].frames)
            continue;
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

static uint32_t guess(const struct work *w, uint64_t budget_bp)
{
    const struct advise *a = w->a;
    size_t i = REPORT_SIZES;
    while (i + 1 < w->n_curve && lru_slowdown_bp(a, &w->curve[i]) > 10000 + budget_bp)
        i++;
    return (uint32_t)((w->curve[i].frames + a->kernel_pages) / a->step_pages);
}

/* The time without limit, the peak, and the curve of lru. */
static int begin(struct work *w, struct fl_reader *r)
{
    struct advise *a = w->a;
    struct fl_time time;
    struct job jobs[] = { { .run = run_curve }, { .run = run_base } };
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
    rc = run_jobs(w, jobs, FL_COUNT(jobs));
    if (rc != FL_OK)
        return rc;
    fl_time_estimate(w->base, &time);
    a->base_ns = time.total_ns;
    a->walks_ns = time.has_tlb ? time.tlb_walk_ns : 0;
    a->minor = w->base->minor;
    a->kernel_pages = w->base->kernel_pages_peak;
    a->peak_pages = a->is_kernel ? w->base->usage_peak : w->base->resident_peak_pages;
    a->step_pages = advise_step_pages(a->peak_pages);
    return find_knee(w);
}

/* ---- the search ------------------------------------------------------------------------------------ */

static void plan(struct work *w)
{
    const struct advise *a = w->a;
    static const struct {
        uint64_t budget_bp; /* 0: the asked one */
        unsigned probes_max;
        bool no_swap, coarse;
    } plans[SEARCHES] = {
        [ADVISE_ASKED] = { 0, 16, false, false },  [TIGHT] = { 0, 12, false, false },
        [ADVISE_MORE] = { 2500, 5, false, true },  [ADVISE_DOUBLE] = { 10000, 5, false, true },
        [ADVISE_NO_SWAP] = { 0, 10, true, false },
    };
    uint32_t top = (uint32_t)((a->peak_pages + a->step_pages - 1) / a->step_pages);
    for (size_t i = 0; i < SEARCHES; i++) {
        struct asking *s = &w->of[i];
        uint64_t budget = plans[i].budget_bp ? plans[i].budget_bp : a->slowdown_bp;
        if (i == TIGHT)
            budget = budget * 10000 / (10000 + a->measured.error_bp);
        s->on = plans[i].probes_max && (!plans[i].coarse || budget > a->slowdown_bp) &&
                (i != TIGHT || budget < a->slowdown_bp);
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
static void tell(struct work *w, const struct advise_probe *p)
{
    uint32_t size = (uint32_t)(p->ram_pages / w->a->step_pages);
    for (size_t i = 0; i < SEARCHES; i++)
        if (w->of[i].on && w->of[i].swap_pages == p->swap_pages)
            advise_search_told(&w->of[i].search, size, holds(p, w->of[i].budget_bp));
}

static int search(struct work *w)
{
    int rc = FL_OK;
    for (size_t n = 1; rc == FL_OK && n > 0;) {
        struct advise_probe want[JOBS_MAX];
        n = 0;
        for (size_t i = 0; i < SEARCHES; i++) {
            uint32_t size[2];
            size_t k = w->of[i].on ? advise_search_next(&w->of[i].search, size) : 0;
            while (k > 0)
                want[n++] = question(w->a, size[--k] * w->a->step_pages, w->of[i].swap_pages);
        }
        rc = ask(w, want, n);
        for (size_t i = 0; i < n && rc == FL_OK; i++)
            tell(w, &want[i]);
    }
    return rc;
}

/* ---- the answers ---------------------------------------------------------------------------------- */

static int fill_row(struct work *w, size_t i, struct advise_option *row)
{
    struct advise_answer answer = advise_search_answer(&w->of[i].search);
    *row = (struct advise_option){ .found = w->of[i].on && answer.found,
                                   .exact = answer.exact,
                                   .non_monotone = answer.non_monotone,
                                   .budget_bp = w->of[i].budget_bp };
    if (!row->found)
        return FL_OK;
    row->at = question(w->a, answer.size * w->a->step_pages, w->of[i].swap_pages);
    int rc = ask(w, &row->at, 1); /* the top was never asked for */
    row->found = rc == FL_OK && holds(&row->at, row->budget_bp);
    row->swap_pages = row->at.swap_peak_pages;
    return rc;
}

/* Does the advice hold with as much swap as it gives, and whenever statistics are flushed? */
static int try_advice(struct work *w, uint64_t ram_pages, uint64_t swap_pages)
{
    struct advise *a = w->a;
    struct advise_option *row = &a->rows[ADVISE_ADVISED];
    struct advise_probe now = question(a, ram_pages, swap_pages), early = now, late = now;
    struct advise_probe want[2];
    early.first_flush_ms = EARLY_FLUSH_MS;
    late.first_flush_ms = LATE_FLUSH_MS;
    want[0] = now;
    want[1] = early;
    int rc = ask(w, want, a->is_kernel ? 2 : 1);
    if (rc != FL_OK)
        return rc;
    *row = (struct advise_option){ .found = holds(&want[0], a->slowdown_bp) &&
                                            (!a->is_kernel || holds(&want[1], a->slowdown_bp)),
                                   .exact = true,
                                   .budget_bp = a->slowdown_bp,
                                   .at = want[0],
                                   .swap_pages = swap_pages };
    if (row->found && a->is_kernel && want[0].stat_flushes > 0) { /* else a later one is the same */
        rc = ask(w, &late, 1);
        row->found = rc == FL_OK && holds(&late, a->slowdown_bp);
    }
    return rc;
}

/* Margins, the kernel's own word, and a last look. */
static int advise(struct work *w, const struct advise_option *tight)
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

static int ask_less(struct work *w)
{
    struct advise *a = w->a;
    uint64_t size = a->rows[ADVISE_ASKED].at.ram_pages / a->step_pages;
    uint64_t less = size * 95 / 100 == size ? size - 1 : size * 95 / 100;
    if (less == 0)
        return FL_OK;
    a->less = question(a, less * a->step_pages, UINT64_MAX);
    return ask(w, &a->less, 1);
}

static int answer(struct work *w)
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
        rc = fill_row(w, TIGHT, &tight);
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

/* The costs, made to fit the program's own speed where that is known. */
static int fit(struct advise *a, struct fl_reader *r, struct fl_err *err)
{
    a->fitted = a->native_ns || a->measured.access_ps;
    a->is_kernel = a->policy->needs & FL_IS_KERNEL;
    a->kernel = *fl_kernel_defaults();
    fl_kernel_from_trace(r, &a->kernel);
    a->kernel.swap_kind = a->swap_kind;
    a->costs.swap_device = fl_swap_kind_device(a->swap_kind);
    if (a->native_ns)
        return fl_costs_fit_access(r, a->native_ns, &a->costs, NULL, err);
    if (a->measured.access_ps) {
        a->costs.ps[FL_COST_ACCESS] = a->measured.access_ps;
        a->costs.given[FL_COST_ACCESS] = true;
    }
    return FL_OK;
}

int advise_run(struct advise *a, struct fl_reader *r, struct fl_err *err)
{
    struct work *w = calloc(1, sizeof *w);
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
    for (size_t i = 0; i < THREADS_MAX; i++)
        fl_reader_free(w->readers[i]);
    fl_result_free(w->base);
    free(w);
    return rc;
}

void advise_free(struct advise *a)
{
    free(a->probes);
    a->probes = NULL;
    a->n_probes = a->cap_probes = 0;
}
