/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fl_record_exact(): the trace's header and end around a recording. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <faultline/command.h>
#include <faultline/hostinfo.h>

#include "exact.h"

/* ---- metadata -------------------------------------------------------------------- */

static int header_meta(struct fl_meta *meta, const struct fl_record_opts *opts, struct fl_err *err)
{
    int rc = fl_command_meta(meta, opts->argv, opts->redact, "exact", err);
    if (rc == FL_OK)
        rc = fl_meta_set(meta, "quality.cpuid",
                         "AVX-512 was hidden from the program: code paths chosen by CPUID may "
                         "differ from a native run's",
                         err);
    return rc == FL_OK ? fl_host_meta(meta, err) : rc;
}

/* What was found out while recording, where it was. */
static int quality_meta(struct exact_recorder *x, uint64_t unrecorded, struct fl_err *err)
{
    const struct {
        const char *key;
        uint64_t count;
        const char *text;
    } flags[] = {
        { "quality.threads", x->n_threads_started,
          "threads ran one at a time: their interleaving is one of many" },
        { "quality.brk", x->n_brk,
          "the tracer refused to grow brk as far as a program wanted: malloc used mmap instead" },
        { "quality.vfork", x->n_vfork,
          "children of vfork or posix_spawn got a copy of the address space, not the same one" },
        { "quality.native", x->n_native,
          "programs ran untraced: set-user-id, not 64-bit x86, or without access to us" },
        { "quality.unrecorded", unrecorded, "processes ran unrecorded: more than 1024 at a time" },
        { "quality.killed", x->n_killed, "processes were killed: their last accesses are missing" },
        { "quality.damaged", x->n_damaged,
          "stretches of the tracer's output made no sense and were left out" },
    };
    int rc = FL_OK;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0] && rc == FL_OK; i++) {
        char text[200];
        if (flags[i].count == 0)
            continue;
        snprintf(text, sizeof text, "%s (%llu)", flags[i].text, (unsigned long long)flags[i].count);
        rc = fl_writer_meta(x->writer, flags[i].key, text, err);
    }
    return rc;
}

/* ---- the recording ------------------------------------------------------------------ */

/* The tracer's last words, one line, when it did not even start the program. */
static int tracer_failed(int log_fd, int status, struct fl_err *err)
{
    char text[400] = "";
    ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    for (char *p = text; *p != 0; p++)
        if (*p == '\n')
            *p = ' ';
    return fl_fail(err, FL_EINTERNAL, "the exact tracer ended (status %d) before the program: %s",
                   status, *text ? text : "it said nothing");
}

static int run(struct exact_recorder *x, struct exact_consumer *c, int log_fd,
               const struct fl_record_opts *opts, struct fl_record_status *status,
               struct fl_err *err)
{
    pid_t pid;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    x->start_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    fl_exact_signals_take();
    /* Orphans come to us, so that we know when the last process is gone. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int rc = fl_exact_launch(opts->argv, fl_exact_consumer_fd(c), log_fd, &pid, err);
    if (rc == FL_OK) {
        fl_exact_signals_target(pid);
        rc = fl_exact_consume(c, pid, &status->wait_status, err);
        status->started = x->n_processes > 0;
        if (rc == FL_OK && !status->started)
            rc = tracer_failed(log_fd, status->wait_status, err);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    fl_exact_signals_restore();
    return rc;
}

static int record(struct exact_recorder *x, const struct fl_record_opts *opts,
                  const struct fl_meta *meta, struct fl_record_status *status, struct fl_err *err)
{
    struct exact_consumer *c = NULL;
    int log_fd = memfd_create("faultline-log", MFD_CLOEXEC);
    if (log_fd < 0)
        return fl_fail_errno(err, "cannot create a memory file");
    int rc = fl_exact_consumer_open(x, &c, err);
    if (rc == FL_OK)
        rc =
            fl_writer_open(opts->out_path, FL_FIDELITY_EXACT, meta, &opts->writer, &x->writer, err);
    if (rc == FL_OK)
        rc = run(x, c, log_fd, opts, status, err);
    if (rc == FL_OK)
        rc = quality_meta(x, fl_exact_unrecorded(c), err);
    if (rc == FL_OK && x->places != NULL) {
        char n[16];
        snprintf(n, sizeof n, "%u", fl_exact_functions(x));
        rc = fl_writer_meta(x->writer, "record.functions", n, err);
    }
    if (x->writer != NULL) {
        struct fl_err close_err;
        status->totals = *fl_writer_totals(x->writer);
        int close_rc = fl_writer_close(x->writer, NULL, NULL, &close_err);
        if (rc == FL_OK && close_rc != FL_OK) {
            *err = close_err;
            rc = close_rc;
        }
        if (!status->started)
            unlink(opts->out_path); /* nothing ran, so nothing was recorded */
    }
    status->processes = x->n_processes;
    status->killed = x->n_killed;
    status->lost = x->n_damaged;
    fl_exact_consumer_close(c);
    close(log_fd);
    return rc;
}

int fl_record_exact(const struct fl_record_opts *opts, struct fl_record_status *status,
                    struct fl_err *err)
{
    *status = (struct fl_record_status){ 0 };
    struct exact_recorder *x = calloc(1, sizeof *x);
    struct fl_meta *meta = fl_meta_new();
    int rc = FL_OK;
    if (x == NULL || meta == NULL) {
        rc = fl_nomem(err, "the recording");
    } else {
        x->redact = opts->redact;
        if (!fl_exact_decode_open(x) || (!opts->no_locations && !fl_exact_codes_open(x)))
            rc = fl_nomem(err, "the recording");
        fl_exact_program_note(x, opts->argv[0]); /* the next line reads it */
        if (rc == FL_OK)
            rc = fl_exact_check_command(opts->argv[0], &status->exec_status, err);
        if (rc == FL_OK)
            rc = header_meta(meta, opts, err);
        if (rc == FL_OK)
            rc = record(x, opts, meta, status, err);
        fl_exact_recorder_free(x);
    }
    fl_meta_free(meta);
    free(x);
    return rc;
}
