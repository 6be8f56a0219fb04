/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel: loads by PEBS load latency, stores by the PEBS event that reports their
 * addresses. The hardware picks the loads that it times itself, one at a time, so a
 * third event counts all of them (has_total).
 * Source: Intel SDM volume 3B, "Precise Event Based Sampling"; event lists of
 * github.com/intel/perfmon; the kernel's own names in arch/x86/events/intel/core.c.
 */
#include "pmu_vendor.h"

#include <stdio.h>
#include <string.h>

#include <faultline/units.h>

#define LOAD_PERIOD 10007u
#define STORE_PERIOD 100003u
#define LATENCY_MIN_CYCLES 3u /* the least that the hardware takes: every load it picks */
#define LATENCY_MAX_CYCLES 0xffffu
#define PRECISE 2
#define RAW_AUX 0x8203u       /* MEM_LOAD_AUX: event 0x03, umask 0x82; libpfm4 has no name for it */
#define RAW_ALL_LOADS 0x81d0u /* since Sandy Bridge, on both kinds of core */

#define MODELS_MAX 6

/* One row a family. Names are libpfm4's. */
struct row {
    const char *pfm; /* its PMU */
    uint8_t models[MODELS_MAX];
    uint8_t stepping_min, stepping_max;
    bool aux; /* load latency has to run beside MEM_LOAD_AUX */
    const char *load, *all_loads, *store, *all_stores;
    uint64_t store_config; /* where libpfm4's is not what Intel lists; 0: it is */
};

#define NEHALEM_EVENTS \
    .load = "MEM_INST_RETIRED:LATENCY_ABOVE_THRESHOLD", .all_loads = "MEM_INST_RETIRED:LOADS"
#define SANDY_EVENTS                                                                       \
    .load = "MEM_TRANS_RETIRED:LATENCY_ABOVE_THRESHOLD",                                   \
    .all_loads = "MEM_UOPS_RETIRED:ALL_LOADS", .store = "MEM_TRANS_RETIRED:PRECISE_STORE", \
    .all_stores = "MEM_UOPS_RETIRED:ALL_STORES"
#define HASWELL_EVENTS                                                                   \
    .load = "MEM_TRANS_RETIRED:LOAD_LATENCY", .all_loads = "MEM_UOPS_RETIRED:ALL_LOADS", \
    .store = "MEM_UOPS_RETIRED:ALL_STORES"
#define SKYLAKE_EVENTS                                                                   \
    .load = "MEM_TRANS_RETIRED:LOAD_LATENCY", .all_loads = "MEM_INST_RETIRED:ALL_LOADS", \
    .store = "MEM_INST_RETIRED:ALL_STORES"
#define GOLDEN_COVE_EVENTS                                                                     \
    .load = "MEM_TRANS_RETIRED:LOAD_LATENCY", .all_loads = "MEM_INST_RETIRED:ALL_LOADS",       \
    .store = "MEM_TRANS_RETIRED:STORE_SAMPLE", /* libpfm4 4.13 adds the load's umask: 0x3cd */ \
        .store_config = 0x02cd

static const struct row rows[] = {
    { "nhm", { 0x1a, 0x1e, 0x1f }, 0, 15, NEHALEM_EVENTS },
    { "nhm_ex", { 0x2e }, 0, 15, NEHALEM_EVENTS },
    { "wsm", { 0x25 }, 0, 15, NEHALEM_EVENTS },
    { "wsm_dp", { 0x2c }, 0, 15, NEHALEM_EVENTS },
    { "snb", { 0x2a }, 0, 15, SANDY_EVENTS },
    { "snb_ep", { 0x2d }, 0, 15, SANDY_EVENTS },
    { "ivb", { 0x3a }, 0, 15, SANDY_EVENTS },
    { "ivb_ep", { 0x3e }, 0, 15, SANDY_EVENTS },
    { "hsw", { 0x3c, 0x45, 0x46 }, 0, 15, HASWELL_EVENTS },
    { "hsw_ep", { 0x3f }, 0, 15, HASWELL_EVENTS },
    { "bdw", { 0x3d, 0x47 }, 0, 15, HASWELL_EVENTS },
    { "bdw_ep", { 0x4f, 0x56 }, 0, 15, HASWELL_EVENTS },
    { "skl", { 0x4e, 0x5e, 0x8e, 0x9e, 0xa5, 0xa6 }, 0, 15, SKYLAKE_EVENTS },
    { "skx", { 0x55 }, 0, 4, SKYLAKE_EVENTS },
    { "clx", { 0x55 }, 5, 15, SKYLAKE_EVENTS },
    { "icl", { 0x7d, 0x7e, 0x8c, 0x8d, 0xa7 }, 0, 15, SKYLAKE_EVENTS },
    { "icx", { 0x6a, 0x6c }, 0, 15, SKYLAKE_EVENTS },
    { "spr", { 0x8f, 0xcf }, 0, 15, .aux = true, GOLDEN_COVE_EVENTS },
};

static const struct row *row_of(const struct fl_pmu_cpu *cpu)
{
    for (size_t i = 0; cpu->family == 6 && i < FL_COUNT(rows); i++)
        for (size_t m = 0; m < MODELS_MAX && rows[i].models[m]; m++)
            if (rows[i].models[m] == cpu->model && cpu->stepping >= rows[i].stepping_min &&
                cpu->stepping <= rows[i].stepping_max)
                return &rows[i];
    return NULL;
}

static unsigned latency_of(const struct fl_pmu_request *req)
{
    return req->min_latency_cycles > LATENCY_MIN_CYCLES ? req->min_latency_cycles
                                                        : LATENCY_MIN_CYCLES;
}

/* "PMU::EVENT" and what PEBS needs, by libpfm4. */
static int encode(const struct row *row, const char *event, const char *modifiers,
                  const struct fl_pmu_request *req, char *name, size_t size,
                  struct perf_event_attr *attr)
{
    snprintf(name, size, "%s::%s%s", row->pfm, event, modifiers);
    return fl_pmu_encode(name, req->user_only, attr, NULL);
}

/* A count of everything that @event's samples are picked from. */
static void add_total(struct fl_pmu_event *event, const struct row *row, const char *all,
                      const struct fl_pmu_request *req)
{
    char name[128];
    if (!all || encode(row, all, "", req, name, sizeof name, &event->total) != FL_OK)
        return;
    fl_pmu_counting(&event->total, req);
    event->has_total = true;
}

static void add_leader(struct fl_pmu_event *event, const struct fl_pmu_request *req)
{
    event->leader =
        (struct perf_event_attr){ .type = event->attr.type, .config = RAW_AUX, .exclude_guest = 1 };
    fl_pmu_counting(&event->leader, req);
    event->has_leader = true;
}

/* Returns: false when libpfm4 cannot encode for this processor. */
static bool loads_by_row(const struct row *row, const struct fl_pmu_request *req,
                         struct fl_pmu_event *e)
{
    char modifiers[64];
    snprintf(modifiers, sizeof modifiers, ":ldlat=%u:precise=%d", latency_of(req), PRECISE);
    if (encode(row, row->load, modifiers, req, e->encoded_from, sizeof e->encoded_from, &e->attr) !=
        FL_OK)
        return false;
    if (row->aux)
        add_leader(e, req);
    if (req->min_latency_cycles <= LATENCY_MIN_CYCLES)
        add_total(e, row, row->all_loads, req);
    return true;
}

static bool stores_by_row(const struct row *row, const struct fl_pmu_request *req,
                          struct fl_pmu_event *e)
{
    char modifiers[64];
    snprintf(modifiers, sizeof modifiers, ":precise=%d", PRECISE);
    if (!row->store || encode(row, row->store, modifiers, req, e->encoded_from,
                              sizeof e->encoded_from, &e->attr) != FL_OK)
        return false;
    if (row->store_config)
        e->attr.config = row->store_config;
    add_total(e, row, row->all_stores, req);
    return true;
}

/* The kernel's own names, for processors and kinds of core that libpfm4 does not know. */
static bool by_sysfs(const struct fl_pmu_device *dev, const char *event, struct fl_pmu_event *e)
{
    memset(&e->attr, 0, sizeof e->attr);
    if (!fl_pmu_device_event(dev, event, &e->attr))
        return false;
    const char *device = strrchr(dev->dir, '/') + 1;
    snprintf(e->encoded_from, sizeof e->encoded_from, "%.60s/%s/", device, event);
    e->attr.precise_ip = PRECISE;
    e->attr.exclude_guest = 1;
    return true;
}

static bool loads_by_sysfs(const struct fl_pmu_device *dev, const struct fl_pmu_request *req,
                           struct fl_pmu_event *e)
{
    char text[128];
    if (!by_sysfs(dev, "mem-loads", e))
        return false;
    if (!fl_pmu_device_set(dev, &e->attr, "ldlat", latency_of(req)) && req->min_latency_cycles)
        return false;
    if (fl_pmu_device_text(dev, "events/mem-loads-aux", text, sizeof text)) {
        e->leader.exclude_guest = 1;
        e->has_leader = fl_pmu_device_event(dev, "mem-loads-aux", &e->leader);
        fl_pmu_counting(&e->leader, req);
    }
    if (req->min_latency_cycles <= LATENCY_MIN_CYCLES) {
        e->total = (struct perf_event_attr){ .type = dev->type,
                                             .config = RAW_ALL_LOADS,
                                             .exclude_guest = 1 };
        fl_pmu_counting(&e->total, req);
        e->has_total = true;
    }
    return true;
}

/* Loads and stores of one kind of core. @row: NULL where only the kernel has names. */
static void plan_device(const struct fl_pmu_device *dev, const struct row *row, const char *suffix,
                        const struct fl_pmu_request *req, struct fl_pmu_plan *plan)
{
    char name[64], cpus[sizeof plan->v[0].cpus];
    fl_pmu_device_text(dev, "cpus", cpus, sizeof cpus); /* hybrid processors only */
    for (int store = 0; store < 2; store++) {
        if (store ? req->no_stores : req->no_loads)
            continue;
        snprintf(name, sizeof name, "%s%s", store ? "stores" : "loads", suffix);
        struct fl_pmu_event *e = fl_pmu_add(plan, FL_PMU_KIND_PEBS, name);
        if (!e)
            return;
        bool found = row && (store ? stores_by_row(row, req, e) : loads_by_row(row, req, e));
        if (!found && store)
            found = by_sysfs(dev, "mem-stores", e);
        else if (!found)
            found = loads_by_sysfs(dev, req, e);
        if (!found) {
            plan->n--;
            continue;
        }
        memcpy(e->cpus, cpus, sizeof cpus);
        fl_pmu_sampling(e, req, store ? STORE_PERIOD : LOAD_PERIOD);
    }
}

/* A hypervisor may give a PMU without PEBS; the kernel then tells the precision it has. */
static bool has_pebs(const struct fl_pmu_device *dev)
{
    char text[128];
    return fl_pmu_device_number(dev, "caps/max_precise", PRECISE) >= PRECISE &&
           fl_pmu_device_text(dev, "events/mem-loads", text, sizeof text);
}

int fl_pmu_plan_intel(const struct fl_pmu_host *host, const struct fl_pmu_request *req,
                      struct fl_pmu_plan *plan, struct fl_err *err)
{
    static const struct {
        const char *device, *suffix;
    } hybrid[] = { { "cpu_core", "" }, { "cpu_atom", ":cpu_atom" } };
    struct fl_pmu_device dev;
    bool pmu = false;
    if (req->min_latency_cycles > LATENCY_MAX_CYCLES)
        return fl_fail(err, FL_EUSAGE, "a minimum latency is at most %u cycles here",
                       LATENCY_MAX_CYCLES);
    if (fl_pmu_device_find(host->sysfs, "cpu", &dev)) {
        pmu = true;
        if (has_pebs(&dev))
            plan_device(&dev, row_of(&plan->cpu), "", req, plan);
    }
    for (size_t i = 0; i < FL_COUNT(hybrid); i++)
        if (fl_pmu_device_find(host->sysfs, hybrid[i].device, &dev)) {
            pmu = true;
            if (has_pebs(&dev))
                plan_device(&dev, NULL, hybrid[i].suffix, req, plan);
        }
    if (plan->n)
        return FL_OK;
    if (plan->cpu.virtual_machine)
        return fl_pmu_none(&plan->cpu, err,
                           pmu ? "this virtual machine's PMU has no precise sampling (PEBS)"
                               : "this virtual machine has no PMU; its host can give it one");
    return fl_pmu_none(&plan->cpu, err,
                       pmu ? "this processor's PMU cannot tell the addresses of accesses"
                           : "the kernel shows no PMU (nmi_watchdog does not matter; see dmesg)");
}
