/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * err.h - errors as values.
 *
 * A function that can fail takes a `struct fl_err *` last, returns FL_OK or a
 * negative code, and leaves one line in @msg that says what happened and what
 * to do about it. Nothing below main() prints or exits.
 */
#ifndef FAULTLINE_ERR_H
#define FAULTLINE_ERR_H

#include <stddef.h>
#include <stdint.h>

/* Pinned: a code never changes its number or meaning. */
enum fl_code {
    FL_OK = 0,
    FL_EIO = -1,      /* a system call failed: open, read, write, disk full */
    FL_ENOMEM = -2,   /* out of memory */
    FL_EFORMAT = -3,  /* damaged, truncated or foreign input */
    FL_EVERSION = -4, /* a format version or required feature we do not read */
    FL_EUSAGE = -5,   /* the caller's or the user's arguments are wrong */
    FL_EBUDGET = -6,  /* a gate's budget is exceeded */
    FL_EDATA = -7,    /* the data cannot answer this: fidelity, lost events */
    FL_EMACHINE = -8, /* not possible on this machine: privilege, PMU, sysctl */
    FL_EINTERNAL = -9 /* an invariant of ours does not hold: a bug */
};

struct fl_err {
    int code;              /* enum fl_code */
    int sys_errno;         /* errno of the failing system call, or 0 */
    uint64_t offset_bytes; /* where in the input, when that is meaningful */
    int exit_status;       /* what the process should exit with; 0: what @code says */
    char msg[512];         /* one line, no newline at its end */
};

/**
 * fl_fail - fill @err and return @code.
 * @err: may be NULL. @code: negative. @fmt: one line, with the remedy in it.
 * Returns: @code, so that a caller can `return fl_fail(...)`.
 */
int fl_fail(struct fl_err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * fl_fail_errno - as fl_fail(), with errno kept in @err and its text appended.
 * Returns: FL_EIO, or FL_ENOMEM when errno says so.
 */
int fl_fail_errno(struct fl_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** fl_nomem - out of memory while working on @what. Returns FL_ENOMEM. */
int fl_nomem(struct fl_err *err, const char *what);

/**
 * fl_exit_code - the process exit status for @code, as docs/commands.md lists:
 * 0 done, 1 failed, 2 usage, 3 gate, 4 data not good enough, 5 not possible here.
 */
int fl_exit_code(int code);

#endif
