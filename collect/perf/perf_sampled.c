/* SPDX-License-Identifier: GPL-2.0-or-later */
/* perf_sampled.c - a planned event (pmu.h) with the events that belong to it. */
#include <stdlib.h>

#include "perf_open.h"

bool fl_cpu_in_list(const char *list, int cpu)
{
    if (!*list)
        return true;
    while (*list >= '0' && *list <= '9') {
        char *end;
        long first = strtol(list, &end, 10), last = first;
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        if (cpu >= first && cpu <= last)
            return true;
        list = *end == ',' ? end + 1 : end;
    }
    return false;
}

static int open_on(struct fl_perf_set *set, const struct fl_pmu_event *event, struct fl_perf_fd fd,
                   pid_t pid, struct fl_err *err)
{
    const struct fl_attr_request leader = { .source = FL_SRC_SAMPLE, .sampled = &event->leader },
                                 sampled = { .source = FL_SRC_SAMPLE, .sampled = &event->attr },
                                 total = { .source = FL_SRC_SAMPLE, .sampled = &event->total };
    int rc = FL_OK, group = -1;
    if (event->has_leader) {
        fd.role = FL_FD_LEADER;
        rc = fl_perf_on_cpu(set, &leader, fd, pid, -1, err);
        if (rc == FL_OK)
            group = set->fds[set->n_fds - 1].fd;
    }
    fd.role = FL_FD_EVENT;
    if (rc == FL_OK)
        rc = fl_perf_on_cpu(set, &sampled, fd, pid, group, err);
    if (rc == FL_OK && event->kind == FL_PMU_KIND_SPE)
        set->fds[set->n_fds - 1].sample_type = FL_AUX_SAMPLE_TYPE;
    fd.role = FL_FD_TOTAL;
    if (rc == FL_OK && event->has_total)
        rc = fl_perf_on_cpu(set, &total, fd, pid, -1, err);
    return rc;
}

int fl_perf_open_sampled(struct fl_perf_set *set, uint32_t index, pid_t pid, uint32_t task,
                         struct fl_err *err)
{
    const struct fl_pmu_event *event = set->plan.extra[index].sampled;
    int rc = FL_OK;
    for (uint32_t i = 0; rc == FL_OK && i < set->n_cpus; i++) {
        const struct fl_perf_fd fd = { .index = index, .task = task, .cpu = i };
        if (fl_cpu_in_list(event->cpus, set->cpus[i].cpu))
            rc = open_on(set, event, fd, pid, err); /* open_task() closes what a failure leaves */
    }
    set->have[FL_SRC_SAMPLE] = set->have[FL_SRC_SAMPLE] || rc == FL_OK;
    return rc;
}

void fl_perf_add_up(struct fl_perf_extra_sum *sum, const struct fl_perf_fd *f,
                    const struct fl_perf_extra_sum *got, uint64_t ran_ns)
{
    uint64_t wanted_ns = got->enabled_ns < ran_ns ? got->enabled_ns : ran_ns;
    bool part = wanted_ns > got->running_ns;
    sum->lost += got->lost;
    switch (f->role) {
    case FL_FD_EVENT:
        sum->count += got->count;
        sum->running_ns += got->running_ns;
        sum->enabled_ns += part ? wanted_ns : got->running_ns;
        break;
    case FL_FD_TOTAL: /* where it never ran, it counted nothing that could be scaled */
        sum->total +=
            part && got->running_ns
                ? (uint64_t)((double)got->count * (double)wanted_ns / (double)got->running_ns)
                : got->count;
        break;
    case FL_FD_LEADER: break;
    }
}
