/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sweep on several threads: each job is some of the points, on a reader of its own. */
#include <pthread.h>
#include <stdlib.h>

#include <faultline/replay.h>

struct pool {
    const char *path;
    unsigned read_flags;
    struct fl_sweep_point *points; /* sorted into jobs: job j is [first[j], first[j + 1]) */
    size_t *first, n_jobs;

    pthread_mutex_t lock; /* of everything below */
    size_t next_job;
    unsigned *done_bp; /* by job */
    int rc;
    struct fl_err *err;
    void (*progress)(void *arg, unsigned done_bp);
    void *arg;
};

struct job {
    struct pool *pool;
    size_t index;
};

static void job_progress(void *arg, unsigned done_bp)
{
    const struct job *job = arg;
    struct pool *pool = job->pool;
    uint64_t sum = 0;
    pthread_mutex_lock(&pool->lock);
    pool->done_bp[job->index] = done_bp;
    for (size_t j = 0; j < pool->n_jobs; j++)
        sum += pool->done_bp[j];
    pool->progress(pool->arg, (unsigned)(sum / pool->n_jobs));
    pthread_mutex_unlock(&pool->lock);
}

static int run_job(struct pool *pool, size_t j, struct fl_err *err)
{
    struct job job = { .pool = pool, .index = j };
    struct fl_reader *r;
    int rc = fl_reader_open_path(pool->path, pool->read_flags, &r, err);
    if (rc != FL_OK)
        return rc;
    rc = fl_sweep(r, pool->points + pool->first[j], pool->first[j + 1] - pool->first[j],
                  pool->progress ? job_progress : NULL, &job, err);
    fl_reader_free(r);
    return rc;
}

static void *worker(void *arg)
{
    struct pool *pool = arg;
    for (;;) {
        struct fl_err err = { 0 };
        pthread_mutex_lock(&pool->lock);
        size_t j = pool->rc == FL_OK ? pool->next_job++ : pool->n_jobs;
        pthread_mutex_unlock(&pool->lock);
        if (j >= pool->n_jobs)
            return NULL;
        int rc = run_job(pool, j, &err);
        pthread_mutex_lock(&pool->lock);
        if (rc != FL_OK && pool->rc == FL_OK) {
            pool->rc = rc;
            if (pool->err)
                *pool->err = err;
        }
        pthread_mutex_unlock(&pool->lock);
    }
}

/* Which job a point belongs to; equal keys share a pass over the trace. */
static uint64_t job_key(const struct fl_sweep_point *p, size_t index, unsigned jobs)
{
    if (p->swap_pages != UINT64_MAX || p->policy->needs & FL_IS_KERNEL)
        return 16 + (uint64_t)jobs + index; /* alone anyway */
    if (p->policy == fl_policy_find("lru"))
        return 1; /* one curve answers all */
    if (p->policy->needs & FL_NEEDS_FUTURE)
        return 0; /* they share the future; the longest job starts first */
    return 16 + index % jobs;
}

struct keyed {
    uint64_t key;
    size_t index;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static void run_pool(struct pool *pool, unsigned jobs)
{
    pthread_t *threads = calloc(jobs, sizeof *threads);
    unsigned started = 0;
    while (threads && started + 1 < jobs && started + 1 < pool->n_jobs &&
           pthread_create(&threads[started], NULL, worker, pool) == 0)
        started++;
    worker(pool); /* this thread works too, and alone if no other could be had */
    while (started > 0)
        pthread_join(threads[--started], NULL);
    free(threads);
}

int fl_sweep_file(const char *path, unsigned read_flags, struct fl_sweep_point *points, size_t n,
                  unsigned jobs, void (*progress)(void *arg, unsigned done_bp), void *arg,
                  struct fl_err *err)
{
    struct pool pool = { .path = path,
                         .read_flags = read_flags,
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .err = err,
                         .progress = progress,
                         .arg = arg };
    struct keyed *order = calloc(n + 1, sizeof *order);

    if (jobs == 0)
        jobs = 1;
    pool.points = calloc(n + 1, sizeof *pool.points);
    pool.first = calloc(n + 1, sizeof *pool.first);
    pool.done_bp = calloc(n + 1, sizeof *pool.done_bp);
    if (!order || !pool.points || !pool.first || !pool.done_bp)
        pool.rc = fl_nomem(err, "sweep");
    if (pool.rc == FL_OK) {
        for (size_t i = 0; i < n; i++)
            order[i] = (struct keyed){ job_key(&points[i], i, jobs), i };
        qsort(order, n, sizeof *order, by_key);
        for (size_t i = 0; i < n; i++) {
            if (i == 0 || order[i].key != order[i - 1].key)
                pool.first[pool.n_jobs++] = i;
            pool.points[i] = points[order[i].index];
        }
        pool.first[pool.n_jobs] = n;
        run_pool(&pool, jobs);
        for (size_t i = 0; i < n; i++)
            points[order[i].index] = pool.points[i];
    }
    free(order);
    free(pool.points);
    free(pool.first);
    free(pool.done_bp);
    return pool.rc;
}
