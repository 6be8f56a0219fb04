/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tstate.h - who exists at this point of a trace. The writer refuses with it what
 * a reader would refuse, and the reader trusts no id that it does not know.
 */
#ifndef FL_TRACE_TSTATE_H
#define FL_TRACE_TSTATE_H

#include <faultline/trace.h>

struct fl_tstate_process {
    uint32_t pid, mm;
};

struct fl_tstate {
    uint32_t threads, spaces, files, codes, names, probes, stacks;
    uint32_t *thread_process; /* thread -> index into processes */
    uint32_t threads_cap;
    struct fl_tstate_process *processes;
    uint32_t n_processes, processes_cap;
    uint32_t *by_pid; /* hash of process index + 1; the latest of a reused pid */
    uint32_t by_pid_cap, n_pids;
};

/*
 * fl_tstate_event - check the ids in @ev, then let it happen.
 * @code: what to fail with, FL_EUSAGE for a caller's event, FL_EFORMAT for a file's.
 * Nothing changes on failure.
 */
int fl_tstate_event(struct fl_tstate *s, const struct fl_event *ev, int code, struct fl_err *err);

/* fl_tstate_mm - the address space @thread (known) runs in. */
static inline uint32_t fl_tstate_mm(const struct fl_tstate *s, uint32_t thread)
{
    return s->processes[s->thread_process[thread]].mm;
}

void fl_tstate_reset(struct fl_tstate *s); /* forget all, keep the memory */
void fl_tstate_free(struct fl_tstate *s);

#endif
