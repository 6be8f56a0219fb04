/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_end.c - the end of a recording: counts to check it by, and what is wrong with it. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include <faultline/units.h>

#include "session.h"

static int put(struct session *s, const char *key, uint64_t value, const char *what,
               struct fl_err *err)
{
    char text[160];
    snprintf(text, sizeof text, "%llu%s%s", (unsigned long long)value, *what ? " " : "", what);
    return fl_writer_meta(s->writer, key, text, err);
}

/* Counts to check the trace by; and what is wrong with it, if anything. */
static int put_totals(struct session *s, const struct fl_perf_sums *sums, struct fl_err *err)
{
    const struct fl_tree_counts *c = fl_tree_counts(s->tree);
    struct fl_merge_counts merge = fl_merge_counts(s->merge);
    /* Tasks that still run go on counting; lost records are a difference already told. */
    bool comparable = !c->lost && !c->live_threads;
    uint64_t counted = sums->count[FL_SRC_MINOR] + sums->count[FL_SRC_MAJOR];
    bool differs = comparable &&
                   (sums->count[FL_SRC_MINOR] != c->minor || sums->count[FL_SRC_MAJOR] != c->major);
    const struct {
        const char *key;
        uint64_t value;
        const char *what; /* of a quality key, left out when 0 */
    } rows[] = {
        { "record.rusage_minflt", (uint64_t)s->child.usage.ru_minflt, "" },
        { "record.rusage_majflt", (uint64_t)s->child.usage.ru_majflt, "" },
        { "record.perf_minflt", sums->count[FL_SRC_MINOR], "" },
        { "record.perf_majflt", sums->count[FL_SRC_MAJOR], "" },
        { "record.kernel_mode_faults", c->kernel_mode, "" },
        { "record.access_known", c->access_known, "" },
        { "record.failed_faults", c->failed, "" },
        { "quality.lost", c->lost, "records did not fit the kernel's buffers" },
        { "quality.throttled", c->throttled, "times the kernel held events back" },
        { "quality.out_of_order", merge.late, "records came too late for their place" },
        { "quality.damaged_records", merge.damaged + s->damaged_rings,
          "stretches of the kernel's buffers could not be read" },
        { "quality.unknown_records", c->unknown_records, "records of tasks not seen to start" },
        { "quality.forks_unsure", c->forks_unsure,
          "new processes may have been vfork's: taken for copies" },
        { "quality.counts_differ", differs ? counted : 0,
          "faults were counted by the kernel, but not as many or not the same kind reported" },
        { "quality.unfinished", c->live_threads, "threads still ran, or were lost from sight" },
    };
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < FL_COUNT(rows); i++)
        if (rows[i].value || !*rows[i].what)
            rc = put(s, rows[i].key, rows[i].value, rows[i].what, err);
    return rc;
}

static int put_unreported(struct session *s, uint64_t n, uint32_t kind, struct fl_err *err)
{
    struct fl_event ev = { .kind = FL_EV_FAULT, .thread = FL_NO_THREAD };
    int rc = FL_OK; /* without a time of its own, the writer gives it the last event's */
    ev.fault.flags = kind | FL_FAULT_KERNEL | FL_FAULT_UNREPORTED;
    ev.fault.code = FL_NO_CODE;
    ev.fault.stack = FL_NO_STACK;
    for (uint64_t i = 0; i < n && rc == FL_OK; i++)
        rc = fl_writer_event(s->writer, &ev, err);
    return rc;
}

/*
 * Faults that the kernel counted for the command and its children without an event
 * (docs/events-mode.md): with nothing lost, what getrusage has more than was reported.
 */
static int add_unreported(struct session *s, const struct fl_perf_sums *sums, struct fl_err *err)
{
    const struct fl_tree_counts *c = fl_tree_counts(s->tree);
    uint64_t min = (uint64_t)s->child.usage.ru_minflt, maj = (uint64_t)s->child.usage.ru_majflt;
    uint64_t min_seen = sums->count[FL_SRC_MINOR], maj_seen = sums->count[FL_SRC_MAJOR];

    if (c->lost || c->live_threads)
        return FL_OK;
    int rc = min > min_seen ? put_unreported(s, min - min_seen, FL_FAULT_MINOR, err) : FL_OK;
    if (rc == FL_OK && maj > maj_seen)
        rc = put_unreported(s, maj - maj_seen, FL_FAULT_MAJOR, err);
    return rc;
}

int fl_session_finish(struct session *s, struct fl_err *err)
{
    struct fl_perf_sums sums;
    int rc = fl_perf_read(&s->set, &sums, NULL, err);
    /* The kernel announces lost records with the next one that fits; the last may find none. */
    if (rc == FL_OK && sums.lost_all > fl_tree_counts(s->tree)->lost)
        rc = fl_tree_lost(s->tree, fl_session_now_ns(),
                          sums.lost_all - fl_tree_counts(s->tree)->lost, err);
    if (rc == FL_OK)
        rc = add_unreported(s, &sums, err);
    if (rc == FL_OK)
        rc = put_totals(s, &sums, err);
    if (rc != FL_OK)
        return rc;
    const struct fl_tree_counts *c = fl_tree_counts(s->tree);
    s->status->wait_status = s->child.wait_status;
    s->status->processes = c->processes;
    s->status->killed = WIFSIGNALED(s->child.wait_status) &&
                        WTERMSIG(s->child.wait_status) == SIGKILL;
    s->status->lost = c->lost;
    s->status->totals = *fl_writer_totals(s->writer);
    struct fl_writer *w = s->writer;
    s->writer = NULL;
    return fl_writer_close(w, NULL, NULL, err);
}
