/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replays for an advice, on all processors. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "advise_work.h"

enum { EXPECTED_JOBS = 26 /* for the progress shown */ };

/* ---- on all processors -------------------------------------------------------------------- */

struct pool;
struct job {
    struct pool *pool;
    int (*run)(struct advise_work *w, struct fl_reader *r, struct job *job, struct fl_err *err);
    struct advise_probe *probe;
    unsigned done_bp;
};

struct pool {
    struct advise_work *w;
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
    struct advise_work *w = pool->w;
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

static int run_jobs(struct advise_work *w, struct job *jobs, size_t n)
{
    struct pool pool = { .w = w, .jobs = jobs, .n_jobs = n, .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t threads[ADVISE_THREADS_MAX];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = cpus > 1 ? (size_t)cpus : 1, started = 0;
    for (size_t j = 0; j < n; j++)
        jobs[j].pool = &pool;
    if (most > n)
        most = n;
    if (most > ADVISE_THREADS_MAX)
        most = ADVISE_THREADS_MAX;
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

static struct fl_replay_opts options(const struct advise_work *w, struct job *job)
{
    const struct advise *a = w->a;
    return (struct fl_replay_opts){ .frames = FL_FRAMES_UNLIMITED,
                                    .swap_pages = UINT64_MAX,
                                    .policy = a->policy,
                                    .costs = &a->costs,
                                    .kernel = &a->kernel,
                                    .no_tlb = true,
                                    .no_owners = true,
                                    .no_peak = true,
                                    .seed = 1,
                                    .progress = a->progress ? job_progress : NULL,
                                    .progress_arg = job };
}

/* Without limit, and with the TLB: its page walks are the same at every size. */
static int run_base(struct advise_work *w, struct fl_reader *r, struct job *job, struct fl_err *err)
{
    struct fl_replay_opts opts = options(w, job);
    opts.no_tlb = w->a->fitted || fl_reader_fidelity(r) != FL_FIDELITY_EXACT;
    return fl_replay(r, &opts, &w->base, err);
}

static int run_curve(struct advise_work *w, struct fl_reader *r, struct job *job,
                     struct fl_err *err)
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

static int run_probe(struct advise_work *w, struct fl_reader *r, struct job *job,
                     struct fl_err *err)
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

bool advise_holds(const struct advise_probe *p, uint64_t budget_bp)
{
    return !p->killed && p->slowdown_bp <= 10000 + budget_bp;
}

/* Ask all of @want that have no answer yet, and put the answers there. */
int advise_ask(struct advise_work *w, struct advise_probe *want, size_t n)
{
    struct advise *a = w->a;
    struct job jobs[ADVISE_JOBS_MAX] = { 0 };
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

struct advise_probe advise_question(const struct advise *a, uint64_t ram_pages, uint64_t swap_pages)
{
    return (struct advise_probe){ .ram_pages = ram_pages,
                                  .swap_pages = swap_pages,
                                  .first_flush_ms = a->kernel.first_flush_ms };
}

/* ---- beginning and end ---------------------------------------------------------------------------- */

int advise_begin_replays(struct advise_work *w)
{
    struct job jobs[] = { { .run = run_curve }, { .run = run_base } };
    return run_jobs(w, jobs, sizeof jobs / sizeof *jobs);
}

void advise_end_replays(struct advise_work *w)
{
    for (size_t i = 0; i < ADVISE_THREADS_MAX; i++)
        fl_reader_free(w->readers[i]);
    fl_result_free(w->base);
}
