/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the model says of the limits. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/units.h>

#include "validate.h"

static uint32_t frames_of(uint64_t bytes)
{
    uint64_t pages = bytes >> FL_PAGE_SHIFT;
    return pages < FL_FRAMES_UNLIMITED ? (uint32_t)pages : FL_FRAMES_UNLIMITED - 1;
}

static bool is_kernels(const struct validate *v, size_t policy)
{
    return v->policies[policy]->needs & FL_IS_KERNEL;
}

static enum fl_swap_kind swap_kind(const struct validate *v)
{
    if (v->swap.kind == FL_SWAPDEV_ZRAM || v->swap.kind == FL_SWAPDEV_NONE)
        return FL_SWAP_ZRAM;
    return v->swap.rotational ? FL_SWAP_DISK : FL_SWAP_SSD;
}

/* What the kernel's own policies are to know of the groups and the swap that were there. */
static struct fl_kernel_opts kernel_of(const struct validate *v, const struct fl_reader *r)
{
    struct fl_kernel_opts k = *fl_kernel_defaults();
    fl_kernel_from_trace(r, &k);
    k.swap_kind = swap_kind(v);
    k.memcg = v->cgroup_version == 1 ? FL_MEMCG_V1 : FL_MEMCG_V2;
    if (v->swappiness >= 0)
        k.swappiness = (uint32_t)v->swappiness;
    if (v->host.page_cluster >= 0)
        k.page_cluster = (uint32_t)v->host.page_cluster;
    return k;
}

/* ---- the kernel's policies ------------------------------------------------------------ */

/* When had the program of run @i run on a second processor? With zram each page out flushes a whole TLB
   from then on; with a disk many are clean, but some run there soon, as they wait for it, or none does. */
static uint64_t whole_flushes_from(const struct validate *v, const struct validate_point *p,
                                   unsigned i)
{
    enum { HARDLY_ANY = 20 }; /* a twentieth */
    if (i >= p->n_runs || p->seen[i].whole_tlb == UINT64_MAX)
        return FL_FLUSHES_BY_SWAP;
    uint64_t n = p->seen[i].whole_tlb, out = validate_sample(&p->runs[i], V_SWAP_OUT);
    if (n * HARDLY_ANY < out)
        return FL_FLUSHES_NEVER;
    return swap_kind(v) == FL_SWAP_ZRAM && out > n ? out - n : 0;
}

/* What a replay is asked with to stand beside run @i. */
static struct validate_answer question_of(const struct validate *v, const struct validate_point *p,
                                          unsigned i)
{
    struct validate_answer a = { .seed = i + 1, .whole_flushes_from = whole_flushes_from(v, p, i) };
    uint64_t ns = i < p->n_runs ? validate_first_flush_ns(&p->seen[i].statistics) : 0;
    if (ns) {
        a.seen = &p->seen[i].statistics;
        a.first_flush_ms = (uint32_t)(ns / 1000000);
    } else { /* phases spread evenly */
        a.first_flush_ms = (2 * i + 1) * FL_FLUSH_PERIOD_MS / (2 * v->runs);
    }
    return a;
}

static int replay(const struct validate *v, const struct validate_point *p, size_t policy,
                  struct fl_reader *r, struct validate_answer *answer, bool *flushed,
                  struct fl_err *err)
{
    struct fl_kernel_opts kernel = kernel_of(v, r);
    struct fl_replay_opts opts = { .frames = frames_of(p->ram_bytes),
                                   .swap_pages = v->swap.pages,
                                   .policy = v->policies[policy],
                                   .costs = &v->costs,
                                   .kernel = &kernel,
                                   .scope = "memcg",
                                   .no_tlb = true,
                                   .no_owners = true,
                                   .no_peak = true,
                                   .seed = answer->seed };
    struct fl_result *result = NULL;
    kernel.first_flush_ms = answer->first_flush_ms;
    kernel.flushes = answer->seen;
    kernel.whole_flushes_from = answer->whole_flushes_from;
    int rc = fl_replay(r, &opts, &result, err);
    if (rc != FL_OK)
        return rc;
    answer->count[V_MINOR] = result->minor;
    answer->count[V_MAJOR] = result->major;
    answer->count[V_SWAP_IN] = result->pages_in;
    answer->count[V_SWAP_OUT] = result->pages_out;
    answer->count[V_OOM] = result->n_oom_kills;
    *flushed = result->stat_flushes > 0;
    fl_result_free(result);
    return FL_OK;
}

static int by_flush(const void *a, const void *b)
{
    const struct validate_answer *x = *(struct validate_answer *const *)a,
                                 *y = *(struct validate_answer *const *)b;
    return (x->first_flush_ms > y->first_flush_ms) - (x->first_flush_ms < y->first_flush_ms);
}

/* @last ended before its first flush. Would @next be the same? */
static bool is_the_same(const struct validate *v, const struct validate_answer *next,
                        const struct validate_answer *last)
{
    const struct fl_seen_flushes *seen = next->seen;
    uint64_t moved = last->count[V_MAJOR] + last->count[V_SWAP_IN] + last->count[V_SWAP_OUT];
    if (moved && v->costs.tlb.entries) /* each draws what the TLB gives up */
        return false;
    if (!seen)
        return !last->seen && next->first_flush_ms >= last->first_flush_ms;
    return seen->n ? moved < seen->flush[0].moved : moved <= seen->end.moved;
}

/* From the earliest flush on, so that replays that end before theirs are known early. */
static int predict_runs(const struct validate *v, const struct validate_point *p, size_t policy,
                        struct fl_reader *r, struct validate_prediction *to, struct fl_err *err)
{
    bool flushed = true;
    int rc = FL_OK;
    const struct validate_answer *last = NULL;
    struct validate_answer **order = calloc(to->n, sizeof *order);
    if (!order)
        return fl_nomem(err, "predictions");
    for (unsigned i = 0; i < to->n; i++)
        order[i] = &to->answers[i];
    qsort(order, to->n, sizeof *order, by_flush);
    for (unsigned i = 0; i < to->n && rc == FL_OK; i++) {
        if (!flushed && is_the_same(v, order[i], last)) {
            memcpy(order[i]->count, last->count, sizeof last->count);
            continue;
        }
        rc = replay(v, p, policy, r, order[i], &flushed, err);
        last = order[i];
    }
    free(order);
    return rc;
}

static int predict_point(struct validate *v, size_t policy, size_t point, const char *path,
                         struct fl_err *err)
{
    struct validate_point *p = &v->points[point];
    struct validate_prediction *to = &p->predicted[policy];
    struct fl_reader *r = NULL;
    to->n = p->n_runs ? p->n_runs : v->runs;
    to->answers = calloc(to->n, sizeof *to->answers);
    if (!to->answers)
        return fl_nomem(err, "predictions");
    for (unsigned i = 0; i < to->n; i++)
        to->answers[i] = question_of(v, p, i);
    int rc = fl_reader_open_path(path, 0, &r, err);
    if (rc == FL_OK)
        rc = predict_runs(v, p, policy, r, to, err);
    fl_reader_free(r);
    return rc;
}

/* ---- the textbook's --------------------------------------------------------------------- */

static void take_sweep(struct validate_point *p, size_t policy, const struct fl_sweep_point *from)
{
    uint64_t *to = p->predicted[policy].answers[0].count;
    to[V_MINOR] = from->minor;
    to[V_MAJOR] = from->major;
    to[V_SWAP_IN] = from->swap_in;
    to[V_SWAP_OUT] = from->swap_out;
    to[V_OOM] = from->oom_kills;
}

/* All points at once. Swap that holds everything is as good as unlimited, and cheaper to answer. */
static int sweep(struct validate *v, const char *path, struct fl_err *err)
{
    size_t n = 0, k = 0;
    struct fl_sweep_point *points = calloc(v->n_policies * v->n_points + 1, sizeof *points);
    int rc = points ? FL_OK : fl_nomem(err, "predictions");
    for (size_t i = 0; i < v->n_policies && rc == FL_OK; i++)
        for (size_t j = 0; j < v->n_points && rc == FL_OK && !is_kernels(v, i); j++) {
            struct validate_prediction *to = &v->points[j].predicted[i];
            bool ample = v->swap.pages >= v->trace_peak_pages;
            points[n++] = (struct fl_sweep_point){ .policy = v->policies[i],
                                                   .frames = frames_of(v->points[j].ram_bytes),
                                                   .swap_pages = ample ? UINT64_MAX : v->swap.pages,
                                                   .seed = 1 };
            to->n = 1;
            to->answers = calloc(1, sizeof *to->answers);
            rc = to->answers ? FL_OK : fl_nomem(err, "predictions");
        }
    if (rc == FL_OK && n)
        rc = fl_sweep_file(path, 0, points, n, 1, NULL, NULL, err);
    for (size_t i = 0; i < v->n_policies && rc == FL_OK; i++)
        for (size_t j = 0; j < v->n_points && !is_kernels(v, i); j++)
            take_sweep(&v->points[j], i, &points[k++]);
    free(points);
    return rc;
}

/* ---- on all processors -------------------------------------------------------------------- */

struct pool {
    struct validate *v;
    const char *path;
    pthread_mutex_t lock; /* for all below, and the caller's progress */
    size_t jobs, next, done;
    int rc;
    struct fl_err err;
};

static void show_progress(const struct pool *pool)
{
    const struct validate *v = pool->v;
    uint64_t from_bp = v->steps_done * UINT64_C(10000) / v->steps_all;
    if (v->progress)
        v->progress(v->progress_arg,
                    (unsigned)(from_bp + (10000 - from_bp) * pool->done / pool->jobs));
}

/* Job 0 is the sweep, the others are a policy of the kernel's at a point each. */
static int do_job(const struct pool *pool, size_t job, struct fl_err *err)
{
    struct validate *v = pool->v;
    if (job == 0)
        return sweep(v, pool->path, err);
    size_t policy = (job - 1) / v->n_points, point = (job - 1) % v->n_points;
    return is_kernels(v, policy) ? predict_point(v, policy, point, pool->path, err) : FL_OK;
}

static void *work(void *arg)
{
    struct pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    while (pool->rc == FL_OK && pool->next < pool->jobs) {
        struct fl_err err = { 0 };
        size_t job = pool->next++;
        pthread_mutex_unlock(&pool->lock);
        int rc = do_job(pool, job, &err);
        pthread_mutex_lock(&pool->lock);
        pool->done++;
        if (rc != FL_OK && pool->rc == FL_OK) {
            pool->rc = rc;
            pool->err = err;
        }
        show_progress(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* The model's clock is to run as the program did without a limit. */
static int fit(struct validate *v, const char *path, struct fl_err *err)
{
    struct fl_reader *r = NULL;
    bool kernels = false;
    for (size_t i = 0; i < v->n_policies; i++)
        kernels = kernels || is_kernels(v, i);
    v->costs.swap_device = fl_swap_kind_device(swap_kind(v));
    int rc = fl_reader_open_path(path, 0, &r, err);
    if (rc == FL_OK)
        rc = kernels
                 ? fl_costs_fit_access(r, v->native.cpu_ns, &v->costs, &v->trace_peak_pages, err)
                 : fl_footprint(r, &v->trace_peak_pages, err);
    fl_reader_free(r);
    return rc;
}

int validate_predict(struct validate *v, const char *path, struct fl_err *err)
{
    enum { THREADS_MAX = 64 };
    struct pool pool = { .v = v, .path = path, .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t threads[THREADS_MAX];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    long started = 0;
    int rc = fit(v, path, err);
    if (rc != FL_OK)
        return rc;
    pool.jobs = v->n_points * v->n_policies + 1;
    while (started < cpus - 1 && started < THREADS_MAX &&
           pthread_create(&threads[started], NULL, work, &pool) == 0)
        started++;
    work(&pool); /* this thread works too */
    while (started > 0)
        pthread_join(threads[--started], NULL);
    if (pool.rc != FL_OK)
        *err = pool.err;
    return pool.rc;
}
