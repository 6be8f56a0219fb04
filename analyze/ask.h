/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.h - putting a trace's answers into a report. */
#ifndef FAULTLINE_ASK_H
#define FAULTLINE_ASK_H

#include <faultline/replay.h>
#include <faultline/report.h>
#include <faultline/units.h>

struct ask {
    struct fl_size ram, swap;
    const char *policy;          /* of the one replay */
    const char *policies;        /* of the curve, comma-separated; @policy is added */
    enum fl_swap_kind swap_kind; /* for the kernel's policies */
    void (*progress)(void *arg, unsigned done_bp);
    void *arg;
};

/**
 * ask_trace - open @path and add what it can answer to @report: a replay and a
 * sweep for an exact trace, what the kernel reported for an events trace.
 * Errors: FL_EDATA for a sampled trace; FL_EFORMAT, FL_EIO, FL_ENOMEM.
 */
int ask_trace(const char *path, const struct ask *ask, struct json_t *report, struct fl_err *err);

/**
 * ask_curve - add a sweep of the trace @result came from, if it is still there
 * and unchanged. Returns FL_OK, or FL_EDATA with the reason why not in @err.
 */
int ask_curve(const struct json_t *result, const struct ask *ask, struct json_t *report,
              struct fl_err *err);

#endif
