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
    uint64_t peak_pages;         /* of the trace, as ask_peak() has it; 0: found out */
    uint64_t curve_pages;        /* what the curve's sizes are shares of; 0: the trace's peak */
    bool samples;                /* sampled traces are welcome */
    void (*progress)(void *arg, unsigned done_bp);
    void *arg;
};

/** ask_is_json - is @path a JSON document and no trace? Errors: FL_EIO; FL_EFORMAT for a folder. */
int ask_is_json(const char *path, bool *json, struct fl_err *err);

/**
 * ask_peak - the peak resident set of the trace at @path, in pages; 0 for one that does not tell.
 * One pass. Errors: as fl_footprint().
 */
int ask_peak(const char *path, uint64_t *peak_pages, struct fl_err *err);

/**
 * ask_trace - open @path and add what it can answer to @report: a replay and a
 * sweep for an exact trace, what the kernel reported for an events trace, estimates for a sampled one.
 * Errors: FL_EDATA for a sampled trace without ask.samples; FL_EFORMAT, FL_EIO, FL_ENOMEM.
 */
int ask_trace(const char *path, const struct ask *ask, struct json_t *report, struct fl_err *err);

/**
 * ask_curve - add a sweep of the trace @result came from, if it is still there
 * and unchanged. Returns FL_OK, or FL_EDATA with the reason why not in @err.
 */
int ask_curve(const struct json_t *result, const struct ask *ask, struct json_t *report,
              struct fl_err *err);

#endif
