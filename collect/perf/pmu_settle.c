/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel refuses of an event is left out, one thing at a time, and noted. */
#include "pmu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <faultline/units.h>

#include "attr.h"

static int open_here(const struct fl_pmu_target *target, const struct fl_pmu_event *event,
                     const struct perf_event_attr *attr, int group)
{
    bool machine = target && target->machine;
    struct perf_event_attr a = *attr;
    a.inherit = !machine;
    return (int)syscall(SYS_perf_event_open, &a, machine ? -1 : 0, machine ? atoi(event->cpus) : -1,
                        group, PERF_FLAG_FD_CLOEXEC);
}

int fl_pmu_try_here(void *ctx, const struct fl_pmu_event *event)
{
    int leader = -1, rc = 0;
    if (event->has_leader && (leader = open_here(ctx, event, &event->leader, -1)) < 0)
        return errno;
    int fd = open_here(ctx, event, &event->attr, leader);
    if (fd < 0)
        rc = errno;
    else
        close(fd);
    if (leader >= 0)
        close(leader);
    if (rc == 0 && event->has_total) {
        fd = open_here(ctx, event, &event->total, -1);
        if (fd < 0)
            rc = errno;
        else
            close(fd);
    }
    return rc;
}

static bool drop_phys(struct fl_pmu_event *e)
{
    bool had = e->attr.sample_type & PERF_SAMPLE_PHYS_ADDR || e->attr.config & e->phys_config;
    e->attr.sample_type &= ~(uint64_t)PERF_SAMPLE_PHYS_ADDR;
    e->attr.config &= ~e->phys_config;
    if (had)
        e->without |= FL_PMU_WITHOUT_PHYS;
    return had;
}

static bool drop_kernel(struct fl_pmu_event *e)
{
    if (e->no_exclude || e->attr.exclude_kernel)
        return false;
    e->attr.exclude_kernel = 1;
    e->leader.exclude_kernel = e->has_leader;
    e->total.exclude_kernel = e->has_total;
    e->without |= FL_PMU_WITHOUT_KERNEL;
    return true;
}

static bool drop_lost(struct fl_pmu_event *e)
{
    if (!(e->attr.read_format & FL_PERF_FORMAT_LOST))
        return false;
    e->attr.read_format &= ~(uint64_t)FL_PERF_FORMAT_LOST;
    e->leader.read_format &= ~(uint64_t)FL_PERF_FORMAT_LOST;
    e->total.read_format &= ~(uint64_t)FL_PERF_FORMAT_LOST;
    e->without |= FL_PMU_WITHOUT_LOST;
    return true;
}

static bool drop_weight_parts(struct fl_pmu_event *e)
{
    if (!(e->attr.sample_type & FL_PERF_SAMPLE_WEIGHT_STRUCT))
        return false;
    e->attr.sample_type &= ~FL_PERF_SAMPLE_WEIGHT_STRUCT;
    e->attr.sample_type |= PERF_SAMPLE_WEIGHT;
    e->without |= FL_PMU_WITHOUT_WEIGHT_PARTS;
    return true;
}

/* Newest first: a kernel without one of them has none of those before it (6.0, 5.12, 4.14). */
static bool drop_newest(struct fl_pmu_event *e)
{
    return drop_lost(e) || drop_weight_parts(e) || drop_phys(e);
}

static int no_privilege(const struct fl_pmu_event *e, struct fl_err *err)
{
    if (e->no_exclude)
        return fl_fail(err, FL_EMACHINE,
                       "%s cannot leave kernel mode out on this kernel, so sampling it needs "
                       "privilege: sysctl kernel.perf_event_paranoid=1, or CAP_PERFMON",
                       e->encoded_from);
    return fl_fail(err, FL_EMACHINE,
                   "the kernel does not let this user sample %s: sysctl "
                   "kernel.perf_event_paranoid=2, or CAP_PERFMON; in a container its seccomp "
                   "profile has to allow perf_event_open",
                   e->encoded_from);
}

static int refused(const struct fl_pmu_event *e, int why, struct fl_err *err)
{
    switch (why) {
    case EACCES:
    case EPERM: return no_privilege(e, err);
    case ENOENT:
    case ENODEV:
    case ENOSYS:
        return fl_fail(err, FL_EMACHINE,
                       "this machine has no event %s (a virtual machine or container without a "
                       "PMU?); record with --mode exact or --mode events",
                       e->encoded_from);
    case EOPNOTSUPP:
        return fl_fail(err, FL_EMACHINE,
                       "this machine's PMU cannot sample %s as precisely as an address needs; "
                       "record with --mode exact or --mode events",
                       e->encoded_from);
    case EBUSY:
        return fl_fail(err, FL_EMACHINE,
                       "another program holds the PMU that %s needs; end it and try again",
                       e->encoded_from);
    case EINVAL:
        if (e->kind == FL_PMU_KIND_IBS)
            return fl_fail(err, FL_EMACHINE,
                           "the kernel refuses %s for single programs, as Linux before 6.2 does; "
                           "sample the whole machine (record -a)",
                           e->encoded_from);
        return fl_fail(err, FL_EMACHINE, "the kernel refuses event %s (invalid argument)",
                       e->encoded_from);
    default: errno = why; return fl_fail_errno(err, "perf_event_open of %s", e->encoded_from);
    }
}

int fl_pmu_settle(struct fl_pmu_event *event, fl_pmu_try try, void *ctx, struct fl_err *err)
{
    for (;;) {
        int why = try(ctx, event);
        if (why == 0)
            return FL_OK;
        bool changed = false;
        if (why == EACCES || why == EPERM)
            changed = drop_phys(event) || drop_kernel(event);
        else if (why == EINVAL || why == E2BIG)
            changed = drop_newest(event);
        if (!changed)
            return refused(event, why, err);
    }
}

char *fl_pmu_without_text(char *buf, size_t size, unsigned without)
{
    static const struct {
        unsigned bit;
        const char *text;
    } rows[] = {
        { FL_PMU_WITHOUT_PHYS, "physical addresses (they need CAP_PERFMON)" },
        { FL_PMU_WITHOUT_KERNEL, "accesses in kernel mode (kernel.perf_event_paranoid above 1)" },
        { FL_PMU_WITHOUT_WEIGHT_PARTS, "the parts of latencies (they need Linux 5.12)" },
        { FL_PMU_WITHOUT_LOST, "lost records by event (they need Linux 6.0)" },
    };
    size_t at = 0;
    if (size)
        buf[0] = 0;
    for (size_t i = 0; i < FL_COUNT(rows); i++)
        if (without & rows[i].bit && at < size) {
            int n = snprintf(buf + at, size - at, "%s%s", at ? ", " : "", rows[i].text);
            at += n > 0 ? (size_t)n : 0;
        }
    return buf;
}
