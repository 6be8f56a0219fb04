/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * record.h - running a command and writing what it does to a trace.
 */
#ifndef FAULTLINE_RECORD_H
#define FAULTLINE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/trace.h>

/** Somebody who takes the events of a recording instead of a trace. */
struct fl_record_watch {
    void *ctx;
    /** An event, in order; it is gone when this returns. */
    int (*event)(void *ctx, const struct fl_event *ev, struct fl_err *err);
    /**
     * Every so often, 20 times a second at least: what happened up to @now_ns minus a moment has
     * been told. Sets *@stop to end the recording.
     */
    int (*tick)(void *ctx, uint64_t now_ns, bool *stop, struct fl_err *err);
};

struct fl_record_opts {
    char **argv;          /* the command, ended by NULL; argv[0] is looked up in PATH; NULL: none */
    const char *out_path; /* trace to create */
    bool redact;          /* no path, name or argument of the user's goes into the trace */
    bool no_locations;    /* leave out which function accesses or faults come from */
    struct fl_writer_opts writer;

    /* Of recordings by the kernel (events, sample). Of @pid, @machine and @argv one at least;
       @machine with a command lasts as long as it. */
    uint32_t pid;              /* a process that runs already, with what it started; 0: none */
    bool machine;              /* everything that runs */
    uint64_t duration_ns;      /* at most so long; 0: until it ends or a signal comes */
    bool stacks;               /* call chains in user mode */
    bool kernel;               /* kernel tracepoints, of the whole machine, */
    const char *kernel_groups; /* of these groups (kernel_events.h); NULL: the usual ones */
    bool settle_slabs;         /* begin and end with settled object caches: fl_slab_settle() */
    const char *sample_event;  /* sample: libpfm4's name of what to sample; NULL: memory accesses */
    uint64_t sample_period;    /* sample: occurrences from one to the next; 0: the event's usual */
    bool sample_user_only;     /* sample: nothing from kernel mode */
    const struct fl_record_watch *watch; /* instead of @out_path; NULL: a trace is written */
};

struct fl_record_status {
    bool started;       /* the command's program was started */
    int wait_status;    /* of the command, as waitpid(2) reports it; valid when started */
    int exec_status;    /* not started: 126 (cannot be run) or 127 (not found); else 0 */
    uint64_t processes; /* processes recorded */
    uint64_t killed;    /* of those, ended by a signal that cannot be caught */
    uint64_t samples;   /* sample: those in the trace */
    uint64_t lost;      /* records known to be missing from the trace */
    unsigned missing;   /* FL_RECORD_NO_*: what this recording could not see */
    struct fl_totals totals;
};

/* fl_record_status.missing */
enum {
    FL_RECORD_NO_KERNEL_FAULTS = 1u
                                 << 0, /* events: faults system calls take, for want of privilege */
    FL_RECORD_NO_ACCESS_BITS =
        1u << 1, /* events: write, exec, present bits; tracefs not readable */
    FL_RECORD_NO_KERNEL_SAMPLES = 1u << 2, /* sample: accesses in kernel mode, and */
    FL_RECORD_NO_PHYSICAL = 1u << 3,       /* physical addresses, for want of privilege */
};

/**
 * fl_record_exact - run @opts->argv and all its children under the exact tracer
 * until they have ended, and write the trace.
 *
 * The program's standard streams, signals and environment are its own. While it
 * runs, SIGINT and SIGQUIT are left to the program and SIGTERM and SIGHUP are
 * passed on to it; the caller's handlers are put back before returning.
 *
 * Returns: FL_OK when a whole trace was written, whatever the command's status.
 * Errors: FL_EUSAGE, with exec_status set, for a command that is not found or
 * cannot be run; FL_EMACHINE for programs the tracer cannot run (32-bit,
 * set-user-id) or when the tracer itself is missing; FL_EIO, FL_ENOMEM.
 */
int fl_record_exact(const struct fl_record_opts *opts, struct fl_record_status *status,
                    struct fl_err *err);

/**
 * fl_record_events - record what the kernel reports of @opts->argv and all its children, of a
 * running process and its descendants, or of the machine: faults, mappings, processes.
 * With a command signals are as in fl_record_exact(); once it has ended, or without one, SIGINT,
 * SIGTERM, SIGHUP and SIGQUIT end the recording of what still runs. What runs goes on unharmed.
 *
 * Returns: FL_OK when a trace was written; what could not be seen is in
 * status->missing, status->lost and the trace's "quality." keys.
 * Errors: FL_EUSAGE with exec_status set, as above; FL_EMACHINE when the kernel
 * does not let this user watch even its own programs; FL_EIO, FL_ENOMEM.
 */
int fl_record_events(const struct fl_record_opts *opts, struct fl_record_status *status,
                     struct fl_err *err);

/**
 * fl_record_sample - as fl_record_events(), but of every so many accesses one, as the processor's
 * counters catch them, instead of the faults.
 * Errors: also FL_EMACHINE when this processor, or the machine it is part of, has no such counters,
 * with what to record with instead; FL_EUSAGE for an event that is not known.
 */
int fl_record_sample(const struct fl_record_opts *opts, struct fl_record_status *status,
                     struct fl_err *err);

#endif
