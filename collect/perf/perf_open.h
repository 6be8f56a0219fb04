/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_open.h - the events of a recording, open on every CPU, and their rings.
 *
 * Inherited events cannot share one buffer over CPUs, so each event is opened once
 * a CPU, for each task to watch (and whatever it starts) or for all tasks of that CPU, and
 * writes to that CPU's ring.
 */
#ifndef FL_PERF_OPEN_H
#define FL_PERF_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <faultline/err.h>

#include "aux_ring.h"
#include "perf_tree.h"
#include "pmu.h"
#include "ring.h"

enum fl_perf_target {
    FL_TARGET_COMMAND, /* one task, from its next exec on */
    FL_TARGET_TASKS,   /* tasks that run already, from fl_perf_enable() on */
    FL_TARGET_MACHINE, /* everything, from fl_perf_enable() on */
};

/** An event beside those of faults and processes. */
struct fl_perf_extra {
    enum fl_perf_source
        source; /* FL_SRC_PROBE: on the whole machine; FL_SRC_SAMPLE: on the target */
    const char *name;
    uint64_t tracepoint_id;
    const struct fl_pmu_event *sampled; /* for FL_SRC_SAMPLE: settled */
};

/** What an extra event's descriptor is for. */
enum fl_perf_role {
    FL_FD_EVENT,
    FL_FD_LEADER, /* has to run beside a sampled event */
    FL_FD_TOTAL,  /* counts what a sampled event takes samples of */
};

struct fl_perf_plan {
    enum fl_perf_target target;
    const pid_t *tasks; /* not for FL_TARGET_MACHINE */
    size_t n_tasks;
    bool faults; /* minor and major, */
    bool access; /* and their access bits */
    bool stacks;
    const struct fl_perf_extra *extra; /* outlives the set */
    size_t n_extra;
};

struct fl_perf_fd {
    int fd;
    enum fl_perf_source source;
    enum fl_perf_role role;
    uint32_t index;     /* of an extra */
    uint32_t task, cpu; /* both counted, not the kernel's numbers */
    uint64_t sample_type, read_format, period;
    bool by_hand; /* switched on and off by us */
};

struct fl_perf_cpu {
    int cpu;
    int owner_fd; /* the event whose ring it is: FL_SRC_TRACK of the first task */
    void *map;    /* NULL: not mapped */
    struct fl_ring ring;
    struct fl_aux aux;
};

struct fl_perf_set {
    struct fl_perf_plan plan;
    struct fl_perf_cpu *cpus;
    uint32_t n_cpus;
    struct fl_perf_fd *fds;
    size_t n_fds, fds_room;
    size_t n_tasks;      /* of the plan's, those that were still there */
    size_t ring_bytes;   /* each CPU's */
    bool exclude_kernel; /* faults taken in kernel mode are not reported */
    bool off;            /* fl_perf_enable() has switched all off: nothing goes on again */
    bool has_aux;        /* some CPU has an AUX buffer */
    bool times;          /* FL_SRC_TRACK says how long the tasks ran on each CPU */
    bool old_kernel;     /* lost records are not counted by event */
    bool have[FL_SRC_COUNT];
    struct fl_perf_ids ids;
    struct fl_tree_fields fields;
    char no_access[256]; /* why FL_SRC_TP_USER is not open; "" when it is */
};

/**
 * fl_perf_open - open all events of @plan, off.
 * Errors: FL_EMACHINE with the remedy, FL_EUSAGE when no task is there any more, FL_EIO,
 * FL_ENOMEM. @set can be closed in any case.
 */
int fl_perf_open(struct fl_perf_set *set, const struct fl_perf_plan *plan, struct fl_err *err);

/**
 * fl_perf_add_task - watch one more task that runs, with the same events.
 * To be called before fl_perf_ready(). A task that has ended is none.
 */
int fl_perf_add_task(struct fl_perf_set *set, pid_t tid, struct fl_err *err);

/** fl_perf_ready - map the rings: from here on nothing may be added. */
int fl_perf_ready(struct fl_perf_set *set, struct fl_err *err);

/** fl_perf_enable - switch on (or off) what an exec does not. */
int fl_perf_enable(struct fl_perf_set *set, bool on, struct fl_err *err);

struct fl_perf_sums {
    uint64_t count[FL_SRC_COUNT]; /* occurrences the kernel counted */
    uint64_t lost[FL_SRC_COUNT];  /* records it had no room for */
    uint64_t lost_all;
};

/** Of one extra event, over its CPUs and tasks. */
struct fl_perf_extra_sum {
    uint64_t count, lost;
    uint64_t total; /* what FL_FD_TOTAL counted, scaled to all of the time it was wanted */
    /* Of sampled events: how long their tasks ran (with FL_TARGET_MACHINE: the CPUs were watched)
       where the event is to be had, and how long it had a counter meanwhile. */
    uint64_t enabled_ns, running_ns;
};

/**
 * fl_perf_read - the kernel's own counts so far.
 * @extra: one for each extra event of the plan, zeroed; may be NULL.
 */
int fl_perf_read(const struct fl_perf_set *set, struct fl_perf_sums *sums,
                 struct fl_perf_extra_sum *extra, struct fl_err *err);

void fl_perf_close(struct fl_perf_set *set);

/* ---- perf_sampled.c ------------------------------------------------------------ */

/** fl_perf_on_cpu - one event on CPU number @fd.cpu of the set: the last of its descriptors then. */
int fl_perf_on_cpu(struct fl_perf_set *set, const struct fl_attr_request *what,
                   struct fl_perf_fd fd, pid_t pid, int group, struct fl_err *err);

/** fl_perf_open_sampled - extra @index, with what belongs to it, on each CPU that has it. */
int fl_perf_open_sampled(struct fl_perf_set *set, uint32_t index, pid_t pid, uint32_t task,
                         struct fl_err *err);

/**
 * fl_perf_add_up - what descriptor @f says, to the sum of its event. @ran_ns: how long its task
 * ran on its CPU, by an event that was switched on no later: the kernel goes on counting the time
 * an event is wanted while the task runs on another CPU, where the event cannot be.
 */
void fl_perf_add_up(struct fl_perf_extra_sum *sum, const struct fl_perf_fd *f,
                    const struct fl_perf_extra_sum *got, uint64_t ran_ns);

/** fl_cpu_in_list - is @cpu in a list like "0-3,8"? In an empty one every CPU is. */
bool fl_cpu_in_list(const char *list, int cpu);

/* ---- perf_rings.c -------------------------------------------------------------- */

/** fl_perf_map_rings - one ring a CPU, as large as is allowed. FL_EMACHINE, FL_EIO. */
int fl_perf_map_rings(struct fl_perf_set *set, struct fl_err *err);
void fl_perf_unmap_rings(struct fl_perf_set *set);

#endif
