/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * sweep.h - what the files of a sweep know of each other.
 *
 * sweep_plan.c      which points share a pass over the trace, how many at once, in how much memory
 * sweep.c           a job of such a plan; points that replay side by side
 * sweep_textbook.c  textbook policies with unlimited swap: one virtual memory for all of them
 * sweep_file.c      the jobs of a plan on several threads
 * sweep_shard.c     which points are whose when several processes share a sweep
 * sweep_part.c      finished points in a file, to be taken up again
 */
#ifndef REPLAY_SWEEP_H
#define REPLAY_SWEEP_H

#include <faultline/replay.h>

struct sweep_progress {
    void (*tell)(void *arg, unsigned done_bp); /* NULL: nobody wants to know */
    void *arg;
};

/** sweep_tell - @done runs of a pass over @r are done. */
void sweep_tell(const struct sweep_progress *progress, const struct fl_reader *r, uint64_t done);

/** sweep_on_curve - is one of those that a single stack-distance pass answers? */
bool sweep_on_curve(const struct fl_sweep_point *point);

/** sweep_textbook - answer @points, all of textbook policies and with unlimited swap. */
int sweep_textbook(struct fl_reader *r, struct fl_sweep_point **points, size_t n,
                   const struct sweep_progress *progress, struct fl_err *err);

/* ---- plans -------------------------------------------------------------------------------- */

/** How a point is answered. */
enum sweep_kind {
    SWEEP_FUTURE,       /* opt with unlimited swap: the same, after a pass for last uses */
    SWEEP_CURVE,        /* lru with unlimited swap: one curve has all sizes */
    SWEEP_FUTURE_ALONE, /* other opt: in a world and a future of its own */
    SWEEP_ALONE,        /* in a world of its own: the kernel's policies, limited swap, TLBs */
    SWEEP_TOGETHER,     /* other textbook policies: over one virtual memory */
    SWEEP_KINDS
};
enum sweep_kind sweep_kind_of(const struct fl_sweep_point *point);

/** sweep_cost - of such a point in time, compared with others; of a whole curve for its kind. */
unsigned sweep_cost(const struct fl_sweep_point *point);

/** A trace, what is known of it, and the points to be answered. */
struct sweep_trace {
    const char *path;
    unsigned read_flags; /* FL_READ_* */
    uint64_t distinct_pages, runs;
    struct fl_sweep_point **points;
    size_t n;
};

/** Points that share a pass. */
struct sweep_job {
    const struct sweep_trace *trace;
    enum sweep_kind kind;
    struct fl_sweep_point **points; /* into the plan */
    size_t n;
    uint64_t bytes; /* of memory, about and at most */
    uint64_t weight;
};

struct sweep_plan {
    struct sweep_job *jobs; /* the longest first */
    size_t n_jobs, n_points, n_passes;
    struct fl_sweep_point **points;
    unsigned threads;
    uint64_t bytes; /* of memory for all that runs at once */
};

#define SWEEP_BYTES_DEFAULT (UINT64_C(1) << 30)

/**
 * sweep_plan - the points of @traces as jobs for up to @threads threads, with no more side by side
 * than fit into @most_bytes; fewer threads where one job on each is too much.
 * @must: FL_EUSAGE when one point at a time still needs more; else it is taken as it is.
 * @traces must outlive the plan.
 */
int sweep_plan(const struct sweep_trace *traces, size_t n, unsigned threads, uint64_t most_bytes,
               bool must, struct sweep_plan *out, struct fl_err *err);
void sweep_plan_free(struct sweep_plan *plan);

/**
 * sweep_job_run - answer the points of @job from @r, a reader of its trace.
 * Points that have no answer get rc FL_EDATA; @why, if it has no error yet, that of the first.
 */
int sweep_job_run(const struct sweep_job *job, struct fl_reader *r,
                  const struct sweep_progress *progress, struct fl_err *why, struct fl_err *err);

/**
 * sweep_plan_run - all jobs of @plan on its threads.
 * @done: called from one thread at a time when @job is; NULL: nobody wants to know.
 * FL_EDATA, with the reason of the first of them, when points have no answer and all else is done.
 */
int sweep_plan_run(const struct sweep_plan *plan, const struct sweep_progress *progress,
                   int (*done)(void *arg, const struct sweep_job *job, struct fl_err *err),
                   void *arg, struct fl_err *err);

/* ---- shares ------------------------------------------------------------------------------- */

/** Points of a trace to be shared out. */
struct sweep_share {
    uint64_t weight; /* of the trace, compared with others */
    const struct fl_sweep_point *points;
    uint32_t *owner; /* of each point: 0 .. shards - 1; what sweep_share_out() fills */
    size_t n;
};

/**
 * sweep_share_out - who of @shards answers which points: about the same work for each, as few
 * traces a shard as can be. Depends on nothing but its arguments.
 */
int sweep_share_out(struct sweep_share *traces, size_t n, unsigned shards, struct fl_err *err);

#endif
