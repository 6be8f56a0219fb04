/* SPDX-License-Identifier: GPL-2.0-or-later */
/** kernel_summary.h - which tracepoints a trace has hits of, and which files of /proc it holds. */
#ifndef REPLAY_KERNEL_SUMMARY_H
#define REPLAY_KERNEL_SUMMARY_H

#include <faultline/kernel_events.h>
#include <faultline/trace.h>

struct json_t;

struct kernel_row {
    char name[FL_PROBE_NAME_BYTES]; /* "tracepoint 3" where its signature was none */
    uint64_t count;
};

struct kernel_summary {
    struct kernel_row *rows; /* the most frequent first, then by name */
    uint32_t n_rows;
    struct fl_snapshots *snapshots;
};

/**
 * kernel_summary_read - one pass over @r, from the first item on.
 * A recording that has neither gives an empty summary. Errors: the reader's, FL_ENOMEM.
 */
int kernel_summary_read(struct fl_reader *r, struct kernel_summary *out, struct fl_err *err);
void kernel_summary_free(struct kernel_summary *s);

/**
 * kernel_summary_json - add "kernel_events" and "snapshots" to @object; neither when the trace has
 * none of both. FL_ENOMEM.
 */
int kernel_summary_json(const struct kernel_summary *s, struct json_t *object, struct fl_err *err);

/** kernel_moment_name - "start", "end", or "other". */
const char *kernel_moment_name(uint32_t moment);

#endif
