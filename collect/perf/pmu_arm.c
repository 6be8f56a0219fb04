/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm: the Statistical Profiling Extension. Every PERIOD-th operation, more or less by a
 * random amount, is followed; filters then keep loads and stores. Records go to the AUX
 * buffer (spe.h). libpfm4 has no names for it: the PMU is described by sysfs.
 * Source: Arm Architecture Reference Manual, PMSCR_EL1, PMSFCR_EL1, PMSIRR_EL1,
 * PMSLATFR_EL1; the kernel's drivers/perf/arm_spe_pmu.c.
 */
#include "pmu_vendor.h"

#include <stdio.h>

#define OP_PERIOD 65536u
#define DEVICES_MAX 8u /* one for each kind of core */
#define LATENCY_MAX_CYCLES 4095u

static int filters(const struct fl_pmu_device *dev, const struct fl_pmu_request *req,
                   struct perf_event_attr *attr)
{
    const struct {
        const char *term;
        uint64_t value;
        bool needed;
    } terms[] = {
        { "ts_enable", 1, true },
        { "pa_enable", 1, false },
        { "jitter", 1, false }, /* or a loop as long as the period hides from it */
        { "load_filter", !req->no_loads, true },
        { "store_filter", !req->no_stores, true },
        { "min_latency", req->min_latency_cycles, req->min_latency_cycles != 0 },
    };
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++)
        if (terms[i].value && !fl_pmu_device_set(dev, attr, terms[i].term, terms[i].value) &&
            terms[i].needed)
            return -1;
    return 0;
}

static int plan_device(const struct fl_pmu_device *dev, unsigned index,
                       const struct fl_pmu_request *req, struct fl_pmu_plan *plan,
                       struct fl_err *err)
{
    char name[64] = "operations";
    if (index)
        snprintf(name, sizeof name, "operations:arm_spe_%u", index);
    struct fl_pmu_event *e = fl_pmu_add(plan, FL_PMU_KIND_SPE, name);
    snprintf(e->encoded_from, sizeof e->encoded_from, "arm_spe_%u/ts_enable,load_filter,.../",
             index);
    e->attr.type = dev->type;
    if (filters(dev, req, &e->attr) != 0)
        return fl_pmu_none(&plan->cpu, err, "its kernel describes arm_spe in a way not understood");
    struct perf_event_attr phys = { 0 };
    if (fl_pmu_device_set(dev, &phys, "pa_enable", 1))
        e->phys_config = phys.config;
    fl_pmu_sampling(e, req, OP_PERIOD);
    uint64_t least = fl_pmu_device_number(dev, "caps/min_interval", 0);
    if (e->attr.sample_period < least)
        e->attr.sample_period = least;
    /* The ring gets no samples, only notice of what is in the AUX buffer. */
    e->attr.sample_type &= PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
                           PERF_SAMPLE_CPU;
    e->attr.exclude_callchain_kernel = 0;
    fl_pmu_device_text(dev, "cpumask", e->cpus, sizeof e->cpus);
    return FL_OK;
}

int fl_pmu_plan_arm(const struct fl_pmu_host *host, const struct fl_pmu_request *req,
                    struct fl_pmu_plan *plan, struct fl_err *err)
{
    if (req->freq_hz)
        return fl_fail(err, FL_EUSAGE, "this processor samples by period only");
    if (req->min_latency_cycles > LATENCY_MAX_CYCLES)
        return fl_fail(err, FL_EUSAGE, "a minimum latency is at most %u cycles here",
                       LATENCY_MAX_CYCLES);
    for (unsigned i = 0; i < DEVICES_MAX; i++) {
        char name[32];
        struct fl_pmu_device dev;
        snprintf(name, sizeof name, "arm_spe_%u", i);
        if (!fl_pmu_device_find(host->sysfs, name, &dev))
            continue;
        int rc = plan_device(&dev, i, req, plan, err);
        if (rc != FL_OK)
            return rc;
    }
    if (plan->n == 0)
        return fl_pmu_none(&plan->cpu, err,
                           "the kernel shows no Statistical Profiling Extension (arm_spe_0): the "
                           "processor lacks it, a hypervisor keeps it, or booting with kpti=off "
                           "is needed");
    return FL_OK;
}
