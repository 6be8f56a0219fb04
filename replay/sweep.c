/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many memory sizes and policies: which of them can share a pass over the trace. */
#include <stdlib.h>

#include "digest.h"
#include "replay_priv.h"
#include "sweep.h"

void sweep_tell(const struct sweep_progress *progress, const struct fl_reader *r, uint64_t done)
{
    uint64_t total = fl_reader_totals(r)->runs + 1;
    if (progress->tell)
        progress->tell(progress->arg, (unsigned)((unsigned __int128)(done < total ? done : total) *
                                                 10000 / total));
}

/* ---- points with a world of their own ----------------------------------------------------- */

/* The kernel's policies, and any whose swap area can be full, so that processes die. They run side
   by side as far as their memory is reasonable: */
#define PAGE_BYTES_OF_REPLAY 128u
#define SIDE_BY_SIDE_BYTES (UINT64_C(1) << 30)

struct side_by_side {
    struct fl_sweep_point **points;
    struct replay **replays; /* NULL: it has no answer */
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
                                       .no_tlb = true,
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
    int rc = item->kind == FL_ITEM_RUNS ? digest_item(&s->digest, r, &item->runs, &digest, err)
                                        : FL_OK;
    for (size_t i = 0; i < s->n && rc == FL_OK; i++) {
        struct fl_err own = { 0 };
        if (s->replays[i])
            rc = of_one(s, i, replay_item(s->replays[i], item, digest, &own), &own, why, err);
    }
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
        fl_result_free(result);
    }
    return rc;
}

static int sweep_side_by_side(struct fl_reader *r, struct fl_sweep_point **points, size_t n,
                              const struct sweep_progress *progress, struct fl_err *why,
                              struct fl_err *err)
{
    struct side_by_side *s = calloc(1, sizeof *s);
    struct fl_item next;
    uint64_t done = 0;
    if (s)
        *s = (struct side_by_side){ .points = points, .n = n };
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

/* As many of the @n points as may go together: what each keeps in memory, or on disk, adds up. */
static size_t how_many(const struct fl_reader *r, struct fl_sweep_point **points, size_t n)
{
    uint64_t most =
        SIDE_BY_SIDE_BYTES / PAGE_BYTES_OF_REPLAY / (fl_reader_totals(r)->distinct_pages + 1);
    size_t some = 0;
    while (some < n && some < most && !(points[some]->policy->needs & FL_NEEDS_FUTURE))
        some++;
    return some ? some : 1;
}

static int sweep_alone(struct fl_reader *r, struct fl_sweep_point **points, size_t n,
                       const struct sweep_progress *progress, struct fl_err *err)
{
    struct fl_err why = { 0 };
    int rc = FL_OK;
    for (size_t from = 0, some; from < n && rc == FL_OK; from += some) {
        some = how_many(r, points + from, n - from);
        rc = sweep_side_by_side(r, points + from, some, progress, &why, err);
    }
    if (rc == FL_OK && why.code != FL_OK) {
        if (err)
            *err = why;
        rc = why.code;
    }
    return rc;
}

/* ---- all of them -------------------------------------------------------------------------- */

int fl_sweep(struct fl_reader *r, struct fl_sweep_point *points, size_t n,
             void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_err *err)
{
    struct fl_sweep_point **together = calloc(n ? n : 1, sizeof *together);
    struct fl_sweep_point **alone = calloc(n ? n : 1, sizeof *alone);
    struct sweep_progress to = { progress, arg };
    size_t n_together = 0, n_alone = 0;
    int rc = together && alone ? FL_OK : fl_nomem(err, "sweep");

    if (rc == FL_OK && fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT)
        rc = fl_fail(err, FL_EDATA,
                     "a trace of fidelity '%s' cannot answer what would happen under other memory "
                     "sizes; record it with --mode exact",
                     fl_fidelity_name(fl_reader_fidelity(r)));
    for (size_t i = 0; i < n && rc == FL_OK; i++) {
        points[i].oom_kills = 0;
        points[i].rc = FL_OK;
        if (points[i].frames == 0)
            rc = fl_fail(err, FL_EUSAGE, "memory of no frames: give at least one page of --ram");
        else if (points[i].swap_pages == UINT64_MAX && !(points[i].policy->needs & FL_IS_KERNEL))
            together[n_together++] = &points[i];
        else
            alone[n_alone++] = &points[i];
    }
    if (rc == FL_OK && n_together)
        rc = sweep_textbook(r, together, n_together, &to, err);
    if (rc == FL_OK && n_alone)
        rc = sweep_alone(r, alone, n_alone, &to, err);
    free(together);
    free(alone);
    return rc;
}
