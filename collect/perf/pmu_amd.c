/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AMD: Instruction-Based Sampling of operations. Every PERIOD-th dispatched operation is
 * followed to its end; those that touch memory report where. libpfm4 has no names for
 * it: the PMU is described by sysfs.
 * Source: AMD64 Architecture Programmer's Manual volume 2, chapter 13.3; the kernel's
 * arch/x86/events/amd/ibs.c.
 */
#include "pmu_vendor.h"

#include <stdio.h>

#define OP_PERIOD 250000u
#define PERIOD_STEP 16u /* the counter has no lower bits */
#define PERIOD_MIN 144u /* what the kernel takes as the least for ops */
#define LATENCY_MIN_CYCLES 128u
#define LATENCY_MAX_CYCLES 2048u

/* Is filtering by latency there? The kernel turns it into L3 misses alone, which no request for
 * all accesses may have: the samples dropped by the hardware are not counted anywhere. */
static int set_latency(const struct fl_pmu_device *dev, const struct fl_pmu_request *req,
                       struct fl_pmu_event *e, struct fl_err *err)
{
    if (!req->min_latency_cycles)
        return FL_OK;
    if (req->min_latency_cycles < LATENCY_MIN_CYCLES ||
        req->min_latency_cycles > LATENCY_MAX_CYCLES)
        return fl_fail(err, FL_EUSAGE, "a minimum latency is %u to %u cycles here",
                       LATENCY_MIN_CYCLES, LATENCY_MAX_CYCLES);
    if (!fl_pmu_device_set(dev, &e->attr, "ldlat", req->min_latency_cycles))
        return fl_fail(
            err, FL_EMACHINE,
            "this processor or kernel does not filter by latency; leave the minimum out");
    return FL_OK;
}

int fl_pmu_plan_amd(const struct fl_pmu_host *host, const struct fl_pmu_request *req,
                    struct fl_pmu_plan *plan, struct fl_err *err)
{
    struct fl_pmu_device dev;
    if (!fl_pmu_device_find(host->sysfs, "ibs_op", &dev))
        return fl_pmu_none(&plan->cpu, err,
                           plan->cpu.virtual_machine
                               ? "this virtual machine has no Instruction-Based Sampling"
                               : "the kernel shows no Instruction-Based Sampling (ibs_op); the "
                                 "firmware may have turned it off");
    struct fl_pmu_event *e = fl_pmu_add(plan, FL_PMU_KIND_IBS, "operations");
    snprintf(e->encoded_from, sizeof e->encoded_from, "ibs_op/cnt_ctl=1/");
    e->attr.type = dev.type;
    if (!fl_pmu_device_set(&dev, &e->attr, "cnt_ctl", 1)) /* else the period is in cycles */
        return fl_pmu_none(&plan->cpu, err,
                           "this processor's sampling counts cycles, not operations");
    int rc = set_latency(&dev, req, e, err);
    if (rc != FL_OK)
        return rc;
    fl_pmu_sampling(e, req, OP_PERIOD);
    if (!e->attr.freq) {
        e->attr.sample_period -= e->attr.sample_period % PERIOD_STEP;
        if (e->attr.sample_period < PERIOD_MIN)
            e->attr.sample_period = PERIOD_MIN;
    }
    /* Modes are told apart by software only, since Linux 6.15; else every exclude bit is refused. */
    e->attr.exclude_hv = 0;
    e->no_exclude = !fl_pmu_device_set(&dev, &e->attr, "swfilt", 1);
    if (e->no_exclude)
        e->attr.exclude_kernel = 0;
    return FL_OK;
}
