/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sweep on several threads: each job on a reader of its own. */
#include <pthread.h>
#include <stdlib.h>

#include <faultline/jobs.h>

#include "sweep.h"

struct sweep_run {
    int (*done)(void *arg, const struct sweep_job *job, struct fl_err *err);
    void *arg;
    pthread_mutex_t lock; /* of everything below, and while done() is called */
    const struct fl_sweep_point *first_without; /* an answer, of all jobs */
    struct fl_err why;
};

struct run_job {
    struct sweep_run *run;
    const struct sweep_job *job;
};

static const struct fl_sweep_point *first_without(const struct sweep_job *job)
{
    for (size_t i = 0; i < job->n; i++)
        if (job->points[i]->rc != FL_OK)
            return job->points[i];
    return NULL;
}

/* Jobs end in any order; which error is told must not depend on it. */
static bool earlier(const struct fl_sweep_point *a, const struct fl_sweep_point *b)
{
    return !b || (uintptr_t)a < (uintptr_t)b;
}

static int run_job(void *arg, struct fl_job_progress *progress, struct fl_err *err)
{
    struct run_job *own = arg;
    struct sweep_run *run = own->run;
    const struct sweep_progress to = { fl_job_tell, progress };
    struct fl_err why = { 0 };
    struct fl_reader *r;
    int rc = fl_reader_open_path(own->job->trace->path, own->job->trace->read_flags, &r, err);
    if (rc != FL_OK)
        return rc;
    rc = sweep_job_run(own->job, r, &to, &why, err);
    fl_reader_free(r);
    if (rc != FL_OK)
        return rc;
    pthread_mutex_lock(&run->lock);
    if (why.code != FL_OK && earlier(first_without(own->job), run->first_without)) {
        run->first_without = first_without(own->job);
        run->why = why;
    }
    if (run->done)
        rc = run->done(run->arg, own->job, err);
    pthread_mutex_unlock(&run->lock);
    return rc;
}

int sweep_plan_run(const struct sweep_plan *plan, const struct sweep_progress *progress,
                   int (*done)(void *arg, const struct sweep_job *job, struct fl_err *err),
                   void *arg, struct fl_err *err)
{
    struct sweep_run run = { .done = done, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER };
    struct run_job *own = calloc(plan->n_jobs + 1, sizeof *own);
    struct fl_job *list = calloc(plan->n_jobs + 1, sizeof *list);
    int rc = own && list ? FL_OK : fl_nomem(err, "sweep");
    for (size_t j = 0; j < plan->n_jobs && rc == FL_OK; j++) {
        own[j] = (struct run_job){ &run, &plan->jobs[j] };
        list[j] = (struct fl_job){ run_job, &own[j], plan->jobs[j].weight };
    }
    if (rc == FL_OK)
        rc = fl_jobs_run(list, plan->n_jobs, plan->threads, progress->tell, progress->arg, err);
    if (rc == FL_OK && run.why.code != FL_OK) {
        if (err)
            *err = run.why;
        rc = run.why.code;
    }
    free(own);
    free(list);
    return rc;
}

int fl_sweep_file(const char *path, unsigned read_flags, struct fl_sweep_point *points, size_t n,
                  unsigned jobs, void (*progress)(void *arg, unsigned done_bp), void *arg,
                  struct fl_err *err)
{
    struct fl_sweep_point **all = calloc(n + 1, sizeof *all);
    const struct sweep_progress to = { progress, arg };
    struct sweep_plan plan = { 0 };
    struct fl_reader *r = NULL;
    for (size_t i = 0; i < n && all; i++)
        all[i] = &points[i];
    int rc = all ? fl_reader_open_path(path, read_flags, &r, err) : fl_nomem(err, "sweep");
    if (rc == FL_OK) {
        struct sweep_trace trace = { .path = path,
                                     .read_flags = read_flags,
                                     .distinct_pages = fl_reader_totals(r)->distinct_pages,
                                     .runs = fl_reader_totals(r)->runs,
                                     .points = all,
                                     .n = n };
        fl_reader_free(r);
        rc = sweep_plan(&trace, 1, jobs, SWEEP_BYTES_DEFAULT, false, &plan, err);
        if (rc == FL_OK)
            rc = sweep_plan_run(&plan, &to, NULL, NULL, err);
    }
    sweep_plan_free(&plan);
    free(all);
    return rc;
}
