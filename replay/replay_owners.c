/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose faults they are: what the stages tell of faults and evictions goes to the attribution. */
#include "replay_priv.h"

int owners_begin(struct replay *rp, struct fl_err *err)
{
    int rc = regions_init(&rp->regions, err);
    rp->vm.regions = &rp->regions;
    if (rc == FL_OK)
        rc = attribution_init(&rp->attribution, &rp->vm, rp->opts.frames, err);
    rp->has_attribution = rc == FL_OK;
    rp->paging.faulted = owners_fault;
    rp->kernel.faulted = owners_fault;
    rp->kernel.evicted = owners_evicted;
    return rc;
}

/* What the kernel's model brings in by itself, while an event is handled, is no run's. */
void owners_fault(void *arg, enum fl_cause cause)
{
    struct replay *rp = arg;
    if (!rp->has_attribution)
        return;
    uint32_t page = rp->page;
    uint32_t c = page < rp->vm.n_pages ? rp->vm.contents[page] : NO_CONTENTS;
    if (attribution_fault(&rp->attribution, rp->process, page, c, fl_cause_is_major(cause),
                          rp->accesses) != FL_OK)
        rp->attribution_rc = FL_ENOMEM;
}

void owners_evicted(void *arg, uint32_t c)
{
    struct replay *rp = arg;
    if (rp->has_attribution && attribution_evicted(&rp->attribution, c) != FL_OK)
        rp->attribution_rc = FL_ENOMEM;
}

int owners_end(struct replay *rp, struct fl_err *err)
{
    return attribution_result(&rp->attribution, &rp->result->attribution, err);
}
