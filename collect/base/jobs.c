/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/jobs.h>

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

struct pool {
    const struct fl_job *jobs;
    struct fl_job_progress *of; /* by job */
    size_t n;
    unsigned __int128 weight; /* of all */

    pthread_mutex_t lock; /* of everything below */
    size_t next, failed;  /* job to begin, first that failed */
    int rc;
    struct fl_err *err;
    void (*progress)(void *arg, unsigned done_bp);
    void *arg;
};

struct fl_job_progress {
    struct pool *pool;
    uint64_t weight;
    unsigned done_bp;
};

void fl_job_tell(void *progress, unsigned done_bp)
{
    struct fl_job_progress *own = progress;
    struct pool *pool = own->pool;
    unsigned __int128 sum = 0;
    if (!pool->progress)
        return;
    pthread_mutex_lock(&pool->lock);
    own->done_bp = done_bp;
    for (size_t j = 0; j < pool->n; j++)
        sum += (unsigned __int128)pool->of[j].weight * pool->of[j].done_bp;
    pool->progress(pool->arg, (unsigned)(sum / pool->weight));
    pthread_mutex_unlock(&pool->lock);
}

static void *worker(void *arg)
{
    struct pool *pool = arg;
    for (;;) {
        struct fl_err err = { 0 };
        pthread_mutex_lock(&pool->lock);
        size_t j = pool->rc == FL_OK ? pool->next++ : pool->n;
        pthread_mutex_unlock(&pool->lock);
        if (j >= pool->n)
            return NULL;
        int rc = pool->jobs[j].run(pool->jobs[j].arg, &pool->of[j], &err);
        pthread_mutex_lock(&pool->lock);
        if (rc != FL_OK && j < pool->failed) {
            pool->failed = j;
            pool->rc = rc;
            if (pool->err)
                *pool->err = err;
        }
        pthread_mutex_unlock(&pool->lock);
        fl_job_tell(&pool->of[j], 10000);
    }
}

int fl_jobs_run(const struct fl_job *jobs, size_t n, unsigned threads,
                void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_err *err)
{
    struct pool pool = { .jobs = jobs,
                         .of = calloc(n + 1, sizeof *pool.of),
                         .n = n,
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .failed = n,
                         .err = err,
                         .progress = progress,
                         .arg = arg };
    pthread_t *others = calloc((size_t)threads + 1, sizeof *others);
    unsigned started = 0;
    if (!pool.of)
        pool.rc = fl_nomem(err, "jobs");
    for (size_t j = 0; j < n && pool.rc == FL_OK; j++) {
        pool.of[j].pool = &pool;
        pool.of[j].weight = jobs[j].weight ? jobs[j].weight : 1;
        pool.weight += pool.of[j].weight;
    }
    while (pool.rc == FL_OK && others && started + 1 < threads && started + 1 < n &&
           pthread_create(&others[started], NULL, worker, &pool) == 0)
        started++;
    worker(&pool); /* this thread works too, and alone if no other could be had */
    while (started > 0)
        pthread_join(others[--started], NULL);
    free(others);
    free(pool.of);
    return pool.rc;
}

unsigned fl_jobs_threads(void)
{
    cpu_set_t ours;
    if (sched_getaffinity(0, sizeof ours, &ours) == 0 && CPU_COUNT(&ours) > 0)
        return (unsigned)CPU_COUNT(&ours);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus > 0 ? (unsigned)cpus : 1;
}
