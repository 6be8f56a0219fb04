/* SPDX-License-Identifier: GPL-2.0-or-later */
/** trace_pass.h - one pass over a trace, told event by event and runs by runs. */
#ifndef REPLAY_TRACE_PASS_H
#define REPLAY_TRACE_PASS_H

#include <faultline/trace.h>

struct trace_pass {
    void *arg; /* of both: */
    int (*event)(void *arg, const struct fl_event *ev, struct fl_err *err);
    int (*runs)(void *arg, const struct fl_runs *runs, struct fl_err *err);
    void (*progress)(void *arg, unsigned done_bp); /* a thousand times at most; NULL: not */
    void *progress_arg;
    uint32_t reduced; /* floor of the trace's layer that it is over; 0: over the stream */
};

/** trace_pass - from the trace's first item to its last, or to the first error. */
int trace_pass(struct fl_reader *r, const struct trace_pass *to, struct fl_err *err);

#endif
