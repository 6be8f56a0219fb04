/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_table.h - which tracepoints of the kernel a recording takes.
 */
#ifndef FL_PERF_KERNEL_TABLE_H
#define FL_PERF_KERNEL_TABLE_H

#include "tracepoint.h"

#define FL_KERNEL_GROUPS_BYTES 128

/** Tracepoints of this kernel; fl_kernel_events_free() frees what is in it. */
struct fl_kernel_events {
    struct fl_tp_event *v; /* in the order of the table, those of a system by name; no two alike */
    size_t n;
    char groups[FL_KERNEL_GROUPS_BYTES]; /* "alloc,slab": what was taken, for record.kernel */
    char *missing; /* "kmem:x, readahead:*": asked for and not in this kernel; "" for none */
};

/**
 * fl_kernel_events - the tracepoints of @groups, as the tracefs at @root describes them.
 * @groups: names of fl_kernel_group_name(), with commas between; NULL: all that --kernel alone takes.
 * @root: NULL: where tracefs usually is.
 * Errors: FL_EMACHINE without a readable tracefs, or when the kernel has none of them;
 * FL_EUSAGE for a group that there is not; FL_ENOMEM.
 */
int fl_kernel_events(const char *root, const char *groups, struct fl_kernel_events *out,
                     struct fl_err *err);

/** fl_kernel_events_add - one more behind them, which is no tracepoint. FL_ENOMEM. */
int fl_kernel_events_add(struct fl_kernel_events *events, const struct fl_tp_event *event,
                         struct fl_err *err);
void fl_kernel_events_free(struct fl_kernel_events *events);

#endif
