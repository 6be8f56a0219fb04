/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Out of memory: who is killed, and what becomes of it. */
#include <stdlib.h>

#include "kernel_opts.h"
#include "oom.h"
#include "replay_priv.h"

static enum oom_page paging_page_state(const void *arg, const struct leaf *leaf, uint32_t c)
{
    (void)leaf;
    const struct replay *rp = arg;
    const struct paging *p = &rp->paging;
    if (paging_is_resident(p, c))
        return OOM_PAGE_RESIDENT;
    return paging_is_swapped(p, c) ? OOM_PAGE_SWAPPED : OOM_PAGE_NONE;
}

static enum oom_page kernel_page_state(const void *arg, const struct leaf *leaf, uint32_t c)
{
    const struct replay *rp = arg;
    return linux_page_state(&rp->kernel, leaf, c);
}

/* What oom_score_adj is a share of; as much swap as is needed counts for nothing. */
static int64_t total_pages(const struct replay *rp)
{
    uint64_t ram = rp->has_kernel && rp->kernel.opts.machine
                       ? zones_managed(&rp->kernel.frames->zones)
                       : rp->opts.frames;
    uint64_t swap = rp->opts.swap_pages == UINT64_MAX ? 0 : rp->opts.swap_pages;
    return (int64_t)ram + (int64_t)swap;
}

static struct oom_view view_of(const struct replay *rp)
{
    return (struct oom_view){ .vm = &rp->vm,
                              .page_state = rp->has_kernel ? kernel_page_state : paging_page_state,
                              .arg = rp,
                              .total_pages = total_pages(rp) };
}

static void take_candidates(struct replay *rp)
{
    struct fl_result *result = rp->result;
    struct oom_view view = view_of(rp);
    free(result->oom_candidates);
    result->n_oom_candidates = 0;
    if (oom_candidates(&view, &result->oom_candidates, &result->n_oom_candidates) != FL_OK)
        rp->attribution_rc = FL_ENOMEM;
    result->oom_candidates_at = rp->accesses;
}

/* Counting takes a walk through all page tables: only for a twentieth more than last time. */
void note_candidates(struct replay *rp)
{
    uint64_t pages = rp->has_kernel ? rp->kernel.resident + rp->kernel.swap.used
                                    : rp->paging.counts.resident + rp->paging.counts.slots;
    if (!rp->has_attribution || rp->result->n_oom_kills ||
        pages <= rp->candidates_pages + rp->candidates_pages / 20)
        return;
    rp->candidates_pages = pages;
    take_candidates(rp);
}

int kill_someone(struct replay *rp, struct fl_err *err)
{
    struct fl_result *result = rp->result;
    struct fl_oom_kill kill = { 0 };
    struct oom_view view = view_of(rp);
    if (rp->has_attribution && !result->n_oom_kills)
        take_candidates(rp);
    uint32_t victim = oom_pick(&view, &kill);
    if (victim == UINT32_MAX)
        return fl_fail(err, FL_EDATA,
                       "out of memory after %llu accesses and no process may be killed; "
                       "give more --ram or --swap",
                       (unsigned long long)rp->accesses);
    kill.at_access = rp->accesses;
    struct fl_oom_kill *kills =
        reallocarray(result->oom_kills, result->n_oom_kills + 1, sizeof *kills);
    if (!kills)
        return fl_nomem(err, "OOM kills");
    result->oom_kills = kills;
    kills[result->n_oom_kills++] = kill;
    rp->follow.killing = true;
    vm_kill(&rp->vm, victim);
    rp->follow.killing = false;
    return FL_OK;
}

bool kernel_kill(void *arg)
{
    struct replay *rp = arg;
    rp->kill_rc = kill_someone(rp, &rp->kill_err);
    return rp->kill_rc == FL_OK;
}
