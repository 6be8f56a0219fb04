/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many memory sizes and policies: which of them can share a pass over the trace. */
#include <stdlib.h>

#include "sweep.h"

void sweep_tell(const struct sweep_progress *progress, const struct fl_reader *r, uint64_t done)
{
    uint64_t total = fl_reader_totals(r)->runs + 1;
    if (progress->tell)
        progress->tell(progress->arg, (unsigned)((unsigned __int128)(done < total ? done : total) *
                                                 10000 / total));
}

/* With a full swap area processes die, and each point has a world of its own. */
static int sweep_alone(struct fl_reader *r, struct fl_sweep_point *p, struct fl_err *err)
{
    struct fl_replay_opts opts = { .frames = p->frames,
                                   .swap_pages = p->swap_pages,
                                   .policy = p->policy,
                                   .no_tlb = true,
                                   .no_owners = true,
                                   .kernel = p->kernel,
                                   .seed = p->seed };
    struct fl_result *result;
    int rc = fl_replay(r, &opts, &result, err);
    if (rc != FL_OK)
        return rc;
    p->minor = result->minor;
    p->major = result->major;
    p->swap_in = result->pages_in;
    p->swap_out = result->pages_out;
    p->oom_kills = result->n_oom_kills;
    fl_result_free(result);
    return FL_OK;
}

int fl_sweep(struct fl_reader *r, struct fl_sweep_point *points, size_t n,
             void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_err *err)
{
    struct fl_sweep_point **together = calloc(n ? n : 1, sizeof *together);
    struct sweep_progress to = { progress, arg };
    size_t n_together = 0;
    int rc = together ? FL_OK : fl_nomem(err, "sweep");

    if (rc == FL_OK && fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT)
        rc = fl_fail(err, FL_EDATA,
                     "a trace of fidelity '%s' cannot answer what would happen under other memory "
                     "sizes; record it with --mode exact",
                     fl_fidelity_name(fl_reader_fidelity(r)));
    for (size_t i = 0; i < n && rc == FL_OK; i++) {
        points[i].oom_kills = 0;
        if (points[i].frames == 0)
            rc = fl_fail(err, FL_EUSAGE, "memory of no frames: give at least one page of --ram");
        else if (points[i].swap_pages == UINT64_MAX && !(points[i].policy->needs & FL_IS_KERNEL))
            together[n_together++] = &points[i];
        else
            rc = sweep_alone(r, &points[i], err);
    }
    if (rc == FL_OK && n_together)
        rc = sweep_textbook(r, together, n_together, &to, err);
    free(together);
    return rc;
}
