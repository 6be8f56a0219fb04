/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many memory sizes and policies over one pass of the trace, or several. */
#include <stdlib.h>

#include "digest.h"
#include "replay_priv.h"
#include "sweep.h"
#include "sweep_enough.h"

void sweep_tell(const struct sweep_progress *progress, const struct fl_reader *r, uint64_t done)
{
    uint64_t total = fl_reader_totals(r)->runs + 1;
    if (progress->tell)
        progress->tell(progress->arg, (unsigned)((unsigned __int128)(done < total ? done : total) *
                                                 10000 / total));
}

/* ---- points with a world of their own ----------------------------------------------------- */

/* The kernel's policies, any whose swap area can be full, so that processes die, and TLBs. */
struct side_by_side {
    struct fl_sweep_point **points;
    struct replay **replays; /* NULL: it has no answer */
    uint64_t *wanted;        /* by point: sweep_answer_enough() */
    size_t n;
    struct digest digest;
};

/* Returns @rc unless it is that the one point has no answer. The first such error stays in @why. */
static int of_one(struct side_by_side *s, size_t i, int rc, const struct fl_err *from,
                  struct fl_err *why, struct fl_err *err)
{
    if (rc == FL_OK)
        return FL_OK;
    if (rc != FL_EDATA) {
        if (err)
            *err = *from;
        return rc;
    }
    s->points[i]->rc = rc;
    replay_free(s->replays[i]);
    s->replays[i] = NULL;
    if (why->code == FL_OK)
        *why = *from;
    return FL_OK;
}

static int begin(struct side_by_side *s, struct fl_reader *r, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; i < s->n && rc == FL_OK; i++) {
        const struct fl_sweep_point *p = s->points[i];
        struct fl_replay_opts opts = { .frames = p->frames,
                                       .swap_pages = p->swap_pages,
                                       .policy = p->policy,
                                       .machine = p->machine,
                                       .no_tlb = !p->machine,
                                       .no_owners = true,
                                       .no_peak = true,
                                       .kernel = p->kernel,
                                       .seed = p->seed };
        rc = replay_new(r, &opts, false, &s->replays[i], err);
    }
    return rc;
}

static int item(struct side_by_side *s, const struct fl_reader *r, const struct fl_item *item,
                struct fl_err *why, struct fl_err *err)
{
    const struct digest *digest = NULL;
    bool windowed = false;
    int rc = item->kind == FL_ITEM_RUNS ? digest_item(&s->digest, r, &item->runs, &digest, err)
                                        : FL_OK;
    for (size_t i = 0; i < s->n && rc == FL_OK; i++) {
        struct fl_err own = { 0 };
        if (!s->replays[i])
            continue;
        int of_this = replay_item(s->replays[i], item, digest, &own);
        windowed |= s->replays[i]->windowed;
        rc = of_one(s, i, of_this, &own, why, err);
    }
    if (digest)
        digest_paid(&s->digest, windowed);
    return rc;
}

static int answer(struct side_by_side *s, struct fl_reader *r, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; i < s->n && rc == FL_OK; i++) {
        struct fl_sweep_point *p = s->points[i];
        struct fl_result *result = NULL;
        if (!s->replays[i])
            continue;
        rc = replay_result(s->replays[i], r, &result, err);
        if (rc != FL_OK)
            break;
        p->minor = result->minor;
        p->major = result->major;
        p->swap_in = result->pages_in;
        p->swap_out = result->pages_out;
        p->oom_kills = result->n_oom_kills;
        s->wanted[i] = replay_wanted(s->replays[i]);
        p->walks = result->walks;
        p->walk_refs = result->walk_refs;
        p->tlb_flushes = result->tlb_flushes;
        p->tlb_page_flushes = result->tlb_page_flushes;
        fl_result_free(result);
    }
    return rc;
}

static int replay_together(struct fl_reader *r, struct fl_sweep_point **points, size_t n,
                           uint64_t *wanted, const struct sweep_progress *progress,
                           struct fl_err *why, struct fl_err *err)
{
    struct side_by_side *s = calloc(1, sizeof *s);
    struct fl_item next;
    uint64_t done = 0;
    if (s)
        *s = (struct side_by_side){ .points = points, .wanted = wanted, .n = n };
    if (!s || !(s->replays = calloc(n, sizeof *s->replays))) {
        free(s);
        return fl_nomem(err, "sweep");
    }
    int rc = begin(s, r, err);
    if (rc == FL_OK)
        rc = fl_reader_rewind(r, err);
    while (rc == FL_OK && (rc = fl_reader_next(r, &next, err)) == FL_OK &&
           next.kind != FL_ITEM_END) {
        rc = item(s, r, &next, why, err);
        if (next.kind == FL_ITEM_RUNS)
            sweep_tell(progress, r, done += next.runs.n);
    }
    if (rc == FL_OK)
        rc = answer(s, r, err);
    for (size_t i = 0; i < n; i++)
        replay_free(s->replays[i]);
    digest_fini(&s->digest);
    free(s->replays);
    free(s);
    return rc;
}

static int sweep_side_by_side(struct fl_reader *r, struct fl_sweep_point **points, size_t n,
                              const struct sweep_progress *progress, struct fl_err *why,
                              struct fl_err *err)
{
    size_t n_first = sweep_largest_first(points, n), n_left;
    uint64_t *wanted = calloc(n, sizeof *wanted);
    int rc = wanted ? replay_together(r, points, n_first, wanted, progress, why, err)
                    : fl_nomem(err, "sweep");
    if (rc == FL_OK && (n_left = sweep_answer_enough(points, n_first, n, wanted)) > 0)
        rc = replay_together(r, points + n_first, n_left, wanted, progress, why, err);
    free(wanted);
    return rc;
}

/* ---- a job, and all of them --------------------------------------------------------------- */

static int check(const struct fl_reader *r, const struct fl_sweep_point *p, struct fl_err *err)
{
    if (fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT)
        return fl_fail(
            err, FL_EDATA,
            "a trace of fidelity '%s' cannot answer what would happen under other memory "
            "sizes; record it with --mode exact",
            fl_fidelity_name(fl_reader_fidelity(r)));
    return p->frames
               ? FL_OK
               : fl_fail(err, FL_EUSAGE, "memory of no frames: give at least one page of --ram");
}

int sweep_job_run(const struct sweep_job *job, struct fl_reader *r,
                  const struct sweep_progress *progress, struct fl_err *why, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; i < job->n && rc == FL_OK; i++) {
        rc = check(r, job->points[i], err);
        job->points[i]->oom_kills = 0;
        job->points[i]->rc = FL_OK;
    }
    if (rc != FL_OK)
        return rc;
    if (job->kind == SWEEP_ALONE || job->kind == SWEEP_FUTURE_ALONE)
        return sweep_side_by_side(r, job->points, job->n, progress, why, err);
    return sweep_textbook(r, job->points, job->n, progress, err);
}

/* Of @done out of @n jobs, and the one under way. */
struct jobs_told {
    const struct sweep_progress *to;
    size_t done, n;
};

static void tell_jobs(void *arg, unsigned done_bp)
{
    struct jobs_told *told = arg;
    if (told->to->tell)
        told->to->tell(told->to->arg, (unsigned)((told->done * 10000 + done_bp) / told->n));
}

int fl_sweep(struct fl_reader *r, struct fl_sweep_point *points, size_t n,
             void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_err *err)
{
    const struct fl_totals *totals = fl_reader_totals(r);
    struct fl_sweep_point **all = calloc(n + 1, sizeof *all);
    struct sweep_trace trace = {
        .distinct_pages = totals->distinct_pages, .runs = totals->runs, .points = all, .n = n
    };
    const struct sweep_progress to = { progress, arg };
    struct sweep_plan plan = { 0 };
    struct fl_err why = { 0 };
    for (size_t i = 0; i < n && all; i++)
        all[i] = &points[i];
    int rc = all ? sweep_plan(&trace, 1, 1, SWEEP_BYTES_DEFAULT, false, &plan, err)
                 : fl_nomem(err, "sweep");
    for (size_t j = 0; j < plan.n_jobs && rc == FL_OK; j++) {
        struct jobs_told told = { &to, j, plan.n_jobs };
        const struct sweep_progress of_job = { tell_jobs, &told };
        rc = sweep_job_run(&plan.jobs[j], r, &of_job, &why, err);
    }
    if (rc == FL_OK && why.code != FL_OK) {
        if (err)
            *err = why;
        rc = why.code;
    }
    sweep_plan_free(&plan);
    free(all);
    return rc;
}
