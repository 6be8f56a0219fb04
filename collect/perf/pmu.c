/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pmu.h"

#include <perfmon/pfmlib_perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <faultline/units.h>

#include "attr.h"
#include "pmu_vendor.h"

#define SAMPLE_FIELDS                                                                 \
    (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |   \
     PERF_SAMPLE_ADDR | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_DATA_SRC | \
     PERF_SAMPLE_PHYS_ADDR | FL_PERF_SAMPLE_WEIGHT_STRUCT)
#define READ_FIELDS \
    (PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING | FL_PERF_FORMAT_LOST)

#define PERIOD_MAX (UINT64_C(1) << 62)
#define FREQ_MAX_HZ 1000000u
#define CPUINFO_MAX_BYTES 65536u

struct fl_pmu_host fl_pmu_host_here(void)
{
    return (struct fl_pmu_host){ .sysfs = "/sys", .cpuinfo = "/proc/cpuinfo" };
}

struct fl_pmu_event *fl_pmu_add(struct fl_pmu_plan *plan, enum fl_pmu_kind kind, const char *name)
{
    if (plan->n == FL_PMU_EVENTS_MAX)
        return NULL;
    struct fl_pmu_event *e = &plan->v[plan->n++];
    *e = (struct fl_pmu_event){ .kind = kind };
    snprintf(e->name, sizeof e->name, "%s", name);
    return e;
}

int fl_pmu_encode(const char *name, bool user_only, struct perf_event_attr *attr,
                  struct fl_err *err)
{
    pfm_perf_encode_arg_t arg = { .attr = attr, .size = sizeof arg };
    int modes = user_only ? PFM_PLM3 : PFM_PLM0 | PFM_PLM3;
    memset(attr, 0, sizeof *attr);
    int rc = pfm_initialize();
    if (rc == PFM_SUCCESS)
        rc = pfm_get_os_event_encoding(name, modes, PFM_OS_PERF_EVENT_EXT, &arg);
    if (rc != PFM_SUCCESS)
        return fl_fail(err, FL_EUSAGE,
                       "event %s: libpfm4 says: %s (its names: showevtinfo, perf list)", name,
                       pfm_strerror(rc));
    return FL_OK;
}

static void common(struct perf_event_attr *attr, const struct fl_pmu_request *req)
{
    attr->size = sizeof *attr;
    attr->read_format = READ_FIELDS;
    attr->disabled = 1;
    attr->enable_on_exec = 1;
    attr->inherit = 1;
    attr->exclude_kernel |= req->user_only;
    attr->exclude_hv = 1;
}

void fl_pmu_counting(struct perf_event_attr *attr, const struct fl_pmu_request *req)
{
    common(attr, req);
    attr->sample_period = 0;
    attr->precise_ip = 0;
}

void fl_pmu_sampling(struct fl_pmu_event *event, const struct fl_pmu_request *req,
                     uint64_t usual_period)
{
    struct perf_event_attr *attr = &event->attr;
    common(attr, req);
    if (req->freq_hz) {
        attr->freq = 1;
        attr->sample_freq = req->freq_hz;
    } else if (req->period || !attr->sample_period) { /* else the event's name has one */
        attr->freq = 0;
        attr->sample_period = req->period ? req->period : usual_period;
    }
    attr->sample_type = SAMPLE_FIELDS;
    if (req->stacks) {
        attr->sample_type |= PERF_SAMPLE_CALLCHAIN;
        attr->exclude_callchain_kernel = 1;
    }
    attr->sample_id_all = 1;
    attr->use_clockid = 1;
    attr->clockid = CLOCK_MONOTONIC;
    attr->watermark = 1;
    attr->wakeup_watermark = req->wakeup_bytes;
}

int fl_pmu_none(const struct fl_pmu_cpu *cpu, struct fl_err *err, const char *why)
{
    return fl_fail(err, FL_EMACHINE,
                   "memory accesses cannot be sampled here (%s): %s; --mode exact records every "
                   "access, --mode events every fault, and neither needs it",
                   cpu->name, why);
}

/* Software events are rare or are clocks that count nanoseconds; others happen all the time. */
static uint64_t usual_period(const struct perf_event_attr *attr)
{
    if (attr->type != PERF_TYPE_SOFTWARE)
        return attr->type == PERF_TYPE_TRACEPOINT ? 1 : 100003;
    return attr->config == PERF_COUNT_SW_CPU_CLOCK || attr->config == PERF_COUNT_SW_TASK_CLOCK
               ? 1000000
               : 1;
}

/* The kernel takes a sample of every single occurrence of these when asked for the
   period (perf_swevent_event() in kernel/events/core.c). It is constant anyway. */
static bool period_breaks_period(const struct perf_event_attr *attr)
{
    bool counts = attr->type == PERF_TYPE_TRACEPOINT ||
                  (attr->type == PERF_TYPE_SOFTWARE && attr->config != PERF_COUNT_SW_CPU_CLOCK &&
                   attr->config != PERF_COUNT_SW_TASK_CLOCK);
    return counts && !attr->freq;
}

static int plan_chosen(const struct fl_pmu_request *req, struct fl_pmu_plan *plan,
                       struct fl_err *err)
{
    struct fl_pmu_event *e = fl_pmu_add(plan, FL_PMU_KIND_CHOSEN, req->event);
    snprintf(e->encoded_from, sizeof e->encoded_from, "%.127s", req->event);
    int rc = fl_pmu_encode(req->event, req->user_only, &e->attr, err);
    if (rc != FL_OK)
        return rc;
    if (e->attr.type == PERF_TYPE_SOFTWARE)
        e->attr.exclude_guest = 0;
    fl_pmu_sampling(e, req, usual_period(&e->attr));
    if (period_breaks_period(&e->attr))
        e->attr.sample_type &= ~(uint64_t)PERF_SAMPLE_PERIOD;
    return FL_OK;
}

static int read_cpu(const struct fl_pmu_host *host, struct fl_pmu_cpu *out, struct fl_err *err)
{
    char *text = malloc(CPUINFO_MAX_BYTES);
    if (!text)
        return fl_nomem(err, "processor description");
    FILE *f = fopen(host->cpuinfo, "re");
    size_t n = f ? fread(text, 1, CPUINFO_MAX_BYTES - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    fl_pmu_cpu_parse(text, out);
    free(text);
    return FL_OK;
}

static int check_request(const struct fl_pmu_request *req, struct fl_err *err)
{
    if (req->no_loads && req->no_stores)
        return fl_fail(err, FL_EUSAGE, "loads or stores have to be sampled, or both");
    if (req->period > PERIOD_MAX)
        return fl_fail(err, FL_EUSAGE, "a sampling period is at most 2^62");
    if (req->freq_hz > FREQ_MAX_HZ)
        return fl_fail(err, FL_EUSAGE, "at most %u samples a second can be asked for", FREQ_MAX_HZ);
    if (req->freq_hz && req->period)
        return fl_fail(err, FL_EUSAGE, "samples are taken by period or by frequency, not both");
    return FL_OK;
}

int fl_pmu_plan(const struct fl_pmu_host *host, const struct fl_pmu_request *req,
                struct fl_pmu_plan *plan, struct fl_err *err)
{
    memset(plan, 0, sizeof *plan);
    int rc = check_request(req, err);
    if (rc == FL_OK)
        rc = read_cpu(host, &plan->cpu, err);
    if (rc != FL_OK)
        return rc;
    if (req->event)
        return plan_chosen(req, plan, err);
    switch (plan->cpu.vendor) {
    case FL_PMU_INTEL: rc = fl_pmu_plan_intel(host, req, plan, err); break;
    case FL_PMU_AMD: rc = fl_pmu_plan_amd(host, req, plan, err); break;
    case FL_PMU_ARM: rc = fl_pmu_plan_arm(host, req, plan, err); break;
    case FL_PMU_OTHER:
        return fl_pmu_none(&plan->cpu, err, "no way to sample this processor's accesses is known");
    }
    if (rc == FL_OK && plan->n == 0)
        return fl_pmu_none(&plan->cpu, err, "it samples none of the kind asked for");
    return rc;
}
