/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sweep on several threads: each job is some of the points, on a reader of its own. */
#include <stdlib.h>

#include <faultline/jobs.h>
#include <faultline/replay.h>

/* The points from @first on, @n of them, of the trace at @path. */
struct part {
    const char *path;
    unsigned read_flags;
    struct fl_sweep_point *points;
    size_t n;
};

static int run_part(void *arg, struct fl_job_progress *progress, struct fl_err *err)
{
    struct part *part = arg;
    struct fl_reader *r;
    int rc = fl_reader_open_path(part->path, part->read_flags, &r, err);
    if (rc != FL_OK)
        return rc;
    rc = fl_sweep(r, part->points, part->n, fl_job_tell, progress, err);
    fl_reader_free(r);
    return rc;
}

/* Which job a point belongs to; equal keys share a pass over the trace. */
static uint64_t job_key(const struct fl_sweep_point *p, size_t index, unsigned jobs)
{
    if (p->policy->needs & FL_NEEDS_FUTURE)
        return 0; /* one pass answers all of them, or the longest job starts first */
    if (p->policy == fl_policy_find("lru") && p->swap_pages == UINT64_MAX)
        return 1; /* one curve answers all */
    return 2 + index % jobs;
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

int fl_sweep_file(const char *path, unsigned read_flags, struct fl_sweep_point *points, size_t n,
                  unsigned jobs, void (*progress)(void *arg, unsigned done_bp), void *arg,
                  struct fl_err *err)
{
    struct keyed *order = calloc(n + 1, sizeof *order);
    struct fl_sweep_point *sorted = calloc(n + 1, sizeof *sorted);
    struct part *parts = calloc(n + 1, sizeof *parts);
    struct fl_job *list = calloc(n + 1, sizeof *list);
    size_t n_parts = 0;
    int rc = order && sorted && parts && list ? FL_OK : fl_nomem(err, "sweep");

    if (jobs == 0)
        jobs = 1;
    for (size_t i = 0; i < n && rc == FL_OK; i++)
        order[i] = (struct keyed){ job_key(&points[i], i, jobs), i };
    if (rc == FL_OK)
        qsort(order, n, sizeof *order, by_key);
    for (size_t i = 0; i < n && rc == FL_OK; i++) {
        sorted[i] = points[order[i].index];
        if (i == 0 || order[i].key != order[i - 1].key) {
            parts[n_parts] = (struct part){ path, read_flags, &sorted[i], 0 };
            list[n_parts] = (struct fl_job){ run_part, &parts[n_parts] };
            n_parts++;
        }
        parts[n_parts - 1].n++;
    }
    if (rc == FL_OK)
        rc = fl_jobs_run(list, n_parts, jobs, progress, arg, err);
    for (size_t i = 0; i < n && sorted && order; i++)
        points[order[i].index] = sorted[i];
    free(order);
    free(sorted);
    free(parts);
    free(list);
    return rc;
}
