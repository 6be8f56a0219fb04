/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attr.h - what to ask of perf_event_open, as plain data.
 *
 * Building an attr touches no kernel interface, so it is tested as text.
 */
#ifndef FL_PERF_ATTR_H
#define FL_PERF_ATTR_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/err.h>

/* PERF_FORMAT_LOST, Linux 6.0; older headers lack the name. */
#define FL_PERF_FORMAT_LOST (1u << 4)
/* PERF_SAMPLE_WEIGHT_STRUCT, Linux 5.12; the same. */
#define FL_PERF_SAMPLE_WEIGHT_STRUCT (UINT64_C(1) << 24)
#define FL_PERF_FORMAT_TIMES (PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING)

/** What an event of ours reports. */
enum fl_perf_source {
    FL_SRC_TRACK = 0,     /* comm, mmap, fork, exit; counts nothing itself */
    FL_SRC_MINOR = 1,     /* faults that needed no I/O */
    FL_SRC_MAJOR = 2,     /* faults that did */
    FL_SRC_TP_USER = 3,   /* exceptions:page_fault_user: access bits, before the fault is handled */
    FL_SRC_TP_KERNEL = 4, /* exceptions:page_fault_kernel, the same for kernel mode */
    FL_SRC_TP_NEWTASK = 5, /* task:task_newtask: the flags of clone(2) */
    FL_SRC_PROBE = 6,      /* a tracepoint of --kernel, kept as it is */
    FL_SRC_SAMPLE = 7,     /* an event of --mode sample */
    FL_SRC_COUNT
};

/** fl_perf_source_name - "track", "minor", ... */
const char *fl_perf_source_name(enum fl_perf_source source);

struct fl_attr_request {
    enum fl_perf_source source;
    /* tracefs id, for the FL_SRC_TP_* and FL_SRC_PROBE, which may have FL_TP_ID_BPF */
    uint64_t tracepoint_id;
    const struct perf_event_attr *sampled; /* for FL_SRC_SAMPLE: the event, settled (pmu.h) */
    bool exclude_kernel;                   /* only what happens in user mode */
    bool running;          /* not off until an exec, but until it is switched on by hand */
    bool machine;          /* for all tasks of a CPU: nothing to inherit */
    bool stacks;           /* with the call chain in user mode; faults and samples */
    bool old_kernel;       /* no PERF_FORMAT_LOST */
    bool times;            /* count how long it was on */
    uint32_t wakeup_bytes; /* wake the reader when so much waits in the ring */
};

/* The fields of a sample. Each begins with IDENTIFIER and has TID, TIME and CPU; these also end
   every other record. */
#define FL_SAMPLE_FAULT                                                             \
    (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | \
     PERF_SAMPLE_ADDR | PERF_SAMPLE_CPU)
/* A major fault's has one field more, so that the two differ in form: ring.c. */
#define FL_SAMPLE_MAJOR (FL_SAMPLE_FAULT | PERF_SAMPLE_PERIOD)
#define FL_SAMPLE_TRACEPOINT                                                         \
    (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU | \
     PERF_SAMPLE_RAW)

/**
 * fl_attr_build - the attr for @req: every occurrence (FL_SRC_SAMPLE: as it was planned),
 * inherited by children, off until the task's next exec.
 * Errors: FL_EINTERNAL when libpfm4 does not know the event's name.
 */
int fl_attr_build(const struct fl_attr_request *req, struct perf_event_attr *attr,
                  struct fl_err *err);

/** fl_attr_dump - one "name value" line for every field that is not zero. */
void fl_attr_dump(const struct perf_event_attr *attr, FILE *out);

#endif
