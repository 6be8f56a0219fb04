/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose faults they are: what the stages tell of faults and evictions goes to the attribution. */
#include "replay_priv.h"

static void fault(struct replay *rp, uint32_t process, uint32_t page, enum fl_cause cause,
                  uint64_t accesses)
{
    if (rp->has_attribution &&
        attribution_fault(&rp->attribution, process, page, rp->vm.contents[page],
                          fl_cause_is_major(cause), accesses) != FL_OK)
        rp->attribution_rc = FL_ENOMEM;
}

void owners_fault(struct replay *rp, uint32_t page, enum fl_cause cause, uint64_t accesses)
{
    fault(rp, rp->process, page, cause, accesses);
}

/* Of a run, or of an event that brings pages in (MADV_POPULATE_READ, mlock). */
static void fault_of_kernel(void *arg, uint32_t page, enum fl_cause cause)
{
    struct replay *rp = arg;
    fault(rp, rp->kernel.process, page, cause, rp->accesses);
}

static void dropped(void *arg, uint32_t c)
{
    struct replay *rp = arg;
    if (rp->has_attribution)
        attribution_gone(&rp->attribution, c);
}

int owners_begin(struct replay *rp, struct fl_err *err)
{
    int rc = regions_init(&rp->regions, err);
    rp->vm.regions = &rp->regions;
    if (rc == FL_OK)
        rc = attribution_init(&rp->attribution, &rp->vm, rp->opts.frames, err);
    rp->has_attribution = rc == FL_OK;
    rp->kernel.faulted = fault_of_kernel;
    rp->kernel.evicted = owners_evicted;
    rp->kernel.dropped = dropped;
    return rc;
}

void owners_event(struct replay *rp, const struct fl_event *ev)
{
    uint32_t thread = ev->thread;
    rp->regions.code = thread < rp->codes.room ? rp->codes.latest[thread] : FL_NO_CODE;
}

void owners_evicted(void *arg, uint32_t c)
{
    struct replay *rp = arg;
    if (rp->has_attribution && attribution_evicted(&rp->attribution, c) != FL_OK)
        rp->attribution_rc = FL_ENOMEM;
}

int owners_end(struct replay *rp, struct fl_err *err)
{
    if (rp->attribution_rc != FL_OK)
        return fl_nomem(err, "owners of faults");
    return attribution_result(&rp->attribution, &rp->result->attribution, err);
}
