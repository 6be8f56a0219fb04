/* SPDX-License-Identifier: GPL-2.0-or-later */
/** tracing.h - one tracepoint in an instance of tracefs of our own. */
#ifndef CGROUP_TRACING_H
#define CGROUP_TRACING_H

#include <faultline/err.h>
#include <faultline/guard.h>

struct tracing_event {
    const char *dir;     /* below the instance: "events/tlb/tlb_flush" */
    const char *field;   /* text its format has to have */
    const char *filter;  /* which of them */
    const char *purpose; /* what needs it, for errors: "seeing ... needs ..." */
};

/**
 * tracing_start - make the instance "faultline-PID@suffix" and switch @event on in it, timed by
 * CLOCK_MONOTONIC. Mounts tracefs in a folder of its own where it is mounted nowhere.
 * @guard: gets the steps that undo both. @dir: the instance's folder.
 * Errors: FL_EMACHINE when there is no such event or we may not use it; FL_EINTERNAL.
 */
int tracing_start(struct fl_guard *guard, const char *suffix, const struct tracing_event *event,
                  char dir[FL_GUARD_PATH_BYTES], struct fl_err *err);

/** tracing_refused - FL_EMACHINE: @what failed with errno @why. */
int tracing_refused(struct fl_err *err, const char *what, int why, const char *purpose);

#endif
