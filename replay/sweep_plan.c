/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which points of a sweep share a pass over the trace, and how many at once fit into memory. */
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "sweep.h"

/* Most points a job. A pass costs all of them one decoding, and together one virtual memory. But
   worlds side by side that leave a core's caches are slower than passes: measured, 16 sizes of
   `linux` over 32,768 pages took 4.0 s by eight, 2.7 s by two, 2.6 s one by one. */
#define ALONE_MOST 8u
#define ALONE_LEAST 2u
#define CACHE_BYTES (UINT64_C(8) << 20)
#define TOGETHER_MOST 32u

/* Bytes of memory, measured (tests/unit/test_sweep_plan.c holds them) and rounded up. */
#define JOB_BYTES (UINT64_C(24) << 20) /* a reader's buffers */
#define READER_PAGE_BYTES 44u          /* a distinct page: in the reader, */
#define VM_PAGE_BYTES 48u              /* in the virtual memory all share, */
#define CURVE_PAGE_BYTES 72u           /* on a curve, */
#define OPT_CURVE_PAGE_BYTES 160u      /* on the curve of opt, */
#define PAGING_PAGE_BYTES 10u          /* in the paging of each point, */
#define REPLAY_PAGE_BYTES 96u          /* in a world of its own, */
#define TLB_PAGE_BYTES 24u             /* with a TLB */
#define FRAME_BYTES 32u                /* a frame that can be in use */

static bool needs_future(const struct fl_sweep_point *p)
{
    return p->policy->needs & FL_NEEDS_FUTURE;
}

enum sweep_kind sweep_kind_of(const struct fl_sweep_point *p)
{
    if (p->swap_pages != UINT64_MAX || p->policy->needs & FL_IS_KERNEL || p->machine)
        return needs_future(p) ? SWEEP_FUTURE_ALONE : SWEEP_ALONE;
    if (needs_future(p))
        return SWEEP_FUTURE;
    return sweep_on_curve(p) ? SWEEP_CURVE : SWEEP_TOGETHER;
}

unsigned sweep_cost(const struct fl_sweep_point *p)
{
    static const unsigned costs[SWEEP_KINDS] = { [SWEEP_FUTURE] = 4,
                                                 [SWEEP_CURVE] = 4,
                                                 [SWEEP_FUTURE_ALONE] = 8,
                                                 [SWEEP_ALONE] = 4,
                                                 [SWEEP_TOGETHER] = 1 };
    return costs[sweep_kind_of(p)] + (p->machine ? 4 : 0);
}

static uint64_t point_bytes(const struct sweep_trace *t, const struct fl_sweep_point *p)
{
    uint64_t frames = p->frames < t->distinct_pages ? p->frames : t->distinct_pages;
    switch (sweep_kind_of(p)) {
    case SWEEP_FUTURE:
    case SWEEP_CURVE: return 0;
    case SWEEP_FUTURE_ALONE:
    case SWEEP_ALONE:
        return (REPLAY_PAGE_BYTES + (p->machine ? TLB_PAGE_BYTES : 0)) * t->distinct_pages +
               FRAME_BYTES * frames;
    default: return PAGING_PAGE_BYTES * t->distinct_pages + FRAME_BYTES * frames;
    }
}

static uint64_t job_bytes(const struct sweep_job *job)
{
    uint64_t page = READER_PAGE_BYTES;
    if (job->kind != SWEEP_ALONE && job->kind != SWEEP_FUTURE_ALONE)
        page += VM_PAGE_BYTES;
    if (job->kind == SWEEP_CURVE)
        page += CURVE_PAGE_BYTES;
    if (job->kind == SWEEP_FUTURE)
        page += OPT_CURVE_PAGE_BYTES;
    uint64_t bytes = JOB_BYTES + page * job->trace->distinct_pages;
    for (size_t i = 0; i < job->n; i++)
        bytes += point_bytes(job->trace, job->points[i]);
    return bytes;
}

static uint64_t job_weight(const struct sweep_job *job)
{
    uint64_t cost = 1; /* the decoding */
    if (job->kind == SWEEP_CURVE || job->kind == SWEEP_FUTURE)
        return (job->trace->runs + 1) * (cost + sweep_cost(job->points[0]));
    for (size_t i = 0; i < job->n; i++)
        cost += sweep_cost(job->points[i]);
    return (job->trace->runs + 1) * cost;
}

/* A pass of the points themselves, and one before where the future must be known. */
static size_t job_passes(const struct sweep_job *job)
{
    return needs_future(job->points[0]) ? 2 : 1;
}

/* At most so many points of a kind in one job; of ALONE and TOGETHER something for every thread. */
static size_t job_most(const struct sweep_trace *t, enum sweep_kind kind, size_t n,
                       unsigned threads, size_t side)
{
    size_t each = (n + threads - 1) / threads, cached;
    switch (kind) {
    case SWEEP_FUTURE:
    case SWEEP_CURVE: return n;
    case SWEEP_FUTURE_ALONE: return 1;
    case SWEEP_ALONE:
        cached = (size_t)(CACHE_BYTES / REPLAY_PAGE_BYTES / (t->distinct_pages + 1));
        cached = cached < ALONE_LEAST ? ALONE_LEAST : cached < ALONE_MOST ? cached : ALONE_MOST;
        each = each < cached ? each : cached;
        break;
    default: each = each < TOGETHER_MOST ? each : TOGETHER_MOST; break;
    }
    return each < side ? each : side;
}

static void add_job(struct sweep_plan *plan, const struct sweep_trace *t, enum sweep_kind kind,
                    struct fl_sweep_point **points, size_t n)
{
    struct sweep_job *job = &plan->jobs[plan->n_jobs++];
    *job = (struct sweep_job){ .trace = t, .kind = kind, .points = points, .n = n };
    job->bytes = job_bytes(job);
    job->weight = job_weight(job);
    plan->n_passes += job_passes(job);
}

/* The points of @kind; every so many-th to the same job, as small sizes take longer than large. */
static void add_kind(struct sweep_plan *plan, const struct sweep_trace *t, enum sweep_kind kind,
                     unsigned threads, size_t side)
{
    struct fl_sweep_point **at = plan->points + plan->n_points, **from = at;
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        n += sweep_kind_of(t->points[i]) == kind;
    size_t most = n ? job_most(t, kind, n, threads, side) : 1, n_jobs = (n + most - 1) / most;
    for (size_t j = 0; j < n_jobs; j++, from = at) {
        for (size_t i = 0, k = 0; i < t->n; i++)
            if (sweep_kind_of(t->points[i]) == kind && k++ % n_jobs == j)
                *at++ = t->points[i];
        add_job(plan, t, kind, from, (size_t)(at - from));
    }
    plan->n_points = (size_t)(at - plan->points);
}

static int heavier(const void *a, const void *b)
{
    const struct sweep_job *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->points < y->points ? -1 : x->points > y->points;
}

static int larger(const void *a, const void *b)
{
    const struct sweep_job *x = a, *y = b;
    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

/* Whichever of them run at once, they are no more than the largest. */
static void lay_out(struct sweep_plan *plan, const struct sweep_trace *traces, size_t n,
                    unsigned threads, size_t side)
{
    plan->n_jobs = plan->n_points = plan->n_passes = 0;
    plan->threads = threads;
    plan->bytes = 0;
    for (size_t t = 0; t < n; t++)
        for (int kind = 0; kind < SWEEP_KINDS; kind++)
            add_kind(plan, &traces[t], (enum sweep_kind)kind, threads, side);
    qsort(plan->jobs, plan->n_jobs, sizeof *plan->jobs, larger);
    for (size_t j = 0; j < plan->n_jobs && j < threads; j++)
        plan->bytes += plan->jobs[j].bytes;
    qsort(plan->jobs, plan->n_jobs, sizeof *plan->jobs, heavier);
}

int sweep_plan(const struct sweep_trace *traces, size_t n, unsigned threads, uint64_t most_bytes,
               bool must, struct sweep_plan *out, struct fl_err *err)
{
    size_t n_points = 0;
    for (size_t t = 0; t < n; t++)
        n_points += traces[t].n;
    *out = (struct sweep_plan){ .jobs = calloc(n_points + 1, sizeof *out->jobs),
                                .points = calloc(n_points + 1, sizeof(void *)) };
    if (!out->jobs || !out->points) {
        sweep_plan_free(out);
        return fl_nomem(err, "sweep");
    }
    for (unsigned t = threads ? threads : 1; t > 0; t--)
        for (size_t side = TOGETHER_MOST; side > 0; side /= 2) {
            lay_out(out, traces, n, t, side);
            if (out->bytes <= most_bytes)
                return FL_OK;
        }
    if (!must)
        return FL_OK;
    char need[FL_FORMAT_BYTES], have[FL_FORMAT_BYTES];
    fl_format_bytes(need, out->bytes);
    sweep_plan_free(out);
    return fl_fail(err, FL_EUSAGE,
                   "one point at a time needs about %s, more than %s: give more to --memory", need,
                   fl_format_bytes(have, most_bytes));
}

void sweep_plan_free(struct sweep_plan *plan)
{
    free(plan->jobs);
    free(plan->points);
    *plan = (struct sweep_plan){ 0 };
}
