/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_open.h - the events of a recording, open on every CPU, and their rings.
 *
 * Inherited events cannot share one buffer over CPUs, so each event is opened once
 * a CPU, for the one task and whatever it starts, and writes to that CPU's ring.
 */
#ifndef FL_PERF_OPEN_H
#define FL_PERF_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <faultline/err.h>

#include "perf_tree.h"
#include "ring.h"

struct fl_perf_cpu {
    int cpu;
    int fds[FL_SRC_COUNT]; /* -1: not open */
    void *map;             /* of fds[FL_SRC_TRACK]; NULL: not mapped */
    struct fl_ring ring;
};

struct fl_perf_set {
    struct fl_perf_cpu *cpus;
    uint32_t n_cpus;
    size_t ring_bytes;   /* each CPU's */
    bool exclude_kernel; /* faults taken in kernel mode are not reported */
    bool old_kernel;     /* lost records are not counted by event */
    bool have[FL_SRC_COUNT];
    struct fl_perf_ids ids;
    struct fl_tree_fields fields;
    char no_access[256]; /* why FL_SRC_TP_USER is not open; "" when it is */
};

/**
 * fl_perf_open - open all events for task @pid, off until its next exec.
 * Errors: FL_EMACHINE with the remedy, FL_EIO, FL_ENOMEM. @set can be closed in any case.
 */
int fl_perf_open(struct fl_perf_set *set, pid_t pid, struct fl_err *err);

struct fl_perf_sums {
    uint64_t count[FL_SRC_COUNT]; /* occurrences the kernel counted */
    uint64_t lost;                /* records it had no room for, of all events */
};

/** fl_perf_read - the kernel's own counts so far. */
int fl_perf_read(const struct fl_perf_set *set, struct fl_perf_sums *sums, struct fl_err *err);

void fl_perf_close(struct fl_perf_set *set);

#endif
