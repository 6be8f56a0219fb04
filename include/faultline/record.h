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

struct fl_record_opts {
    char **argv;          /* the command, ended by NULL; argv[0] is looked up in PATH */
    const char *out_path; /* trace to create */
    bool redact;          /* no path, name or argument of the user's goes into the trace */
    bool no_locations;    /* exact: leave out which function accesses come from */
    struct fl_writer_opts writer;
};

struct fl_record_status {
    bool started;       /* the command's program was started */
    int wait_status;    /* of the command, as waitpid(2) reports it; valid when started */
    int exec_status;    /* not started: 126 (cannot be run) or 127 (not found); else 0 */
    uint64_t processes; /* processes recorded */
    uint64_t killed;    /* of those, ended by a signal that cannot be caught */
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
 * fl_record_events - run @opts->argv and record what the kernel reports of it and
 * all its children: faults, mappings, processes. Signals as in fl_record_exact();
 * once the command itself has ended, a signal ends the recording of what it left
 * running.
 *
 * Returns: FL_OK when a trace was written; what could not be seen is in
 * status->missing, status->lost and the trace's "quality." keys.
 * Errors: FL_EUSAGE with exec_status set, as above; FL_EMACHINE when the kernel
 * does not let this user watch even its own programs; FL_EIO, FL_ENOMEM.
 */
int fl_record_events(const struct fl_record_opts *opts, struct fl_record_status *status,
                     struct fl_err *err);

#endif
