/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_end.c - the end of a recording: counts to check it by, and what is wrong with it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

/* A count, and what it counts: of a quality key, left out when it is 0; "": of a plain one. */
struct total {
    const char *key;
    uint64_t value;
    const char *what;
};

static int put_rows(struct session *s, const struct total *rows, size_t n, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < n; i++)
        if (rows[i].value || !*rows[i].what)
            rc = put(s, rows[i].key, rows[i].value, rows[i].what, err);
    return rc;
}

/* @counts as ": minor 3, kmem:mm_page_alloc 9", where not 0; malloc'ed. @extra: of each of the
   extra events, instead of those of their sources. */
static char *by_event(const struct session *s, const uint64_t counts[FL_SRC_COUNT],
                      const uint64_t *extra)
{
    char *text = NULL;
    size_t len;
    const char *sep = ": ";
    FILE *f = open_memstream(&text, &len);
    for (int i = 0; f && i < FL_SRC_COUNT; i++)
        if (counts[i] && i < FL_SRC_PROBE) {
            fprintf(f, "%s%s %llu", sep, fl_perf_source_name((enum fl_perf_source)i),
                    (unsigned long long)counts[i]);
            sep = ", ";
        }
    for (size_t i = 0; f && i < s->n_extra; i++)
        if (extra[i]) {
            fprintf(f, "%s%s %llu", sep, s->extra[i].name, (unsigned long long)extra[i]);
            sep = ", ";
        }
    return f && fclose(f) == 0 ? text : NULL;
}

/* "N @what: event n, ..." */
static int put_by_event(struct session *s, const char *key, uint64_t total, const char *what,
                        const uint64_t counts[FL_SRC_COUNT], const uint64_t *extra,
                        struct fl_err *err)
{
    char *events = NULL, *text = NULL;
    size_t len;
    if (!total)
        return FL_OK;
    events = by_event(s, counts, extra);
    FILE *f = events ? open_memstream(&text, &len) : NULL;
    if (f)
        fprintf(f, "%llu %s%s", (unsigned long long)total, what, events);
    int rc = f && fclose(f) == 0 ? fl_writer_meta(s->writer, key, text, err)
                                 : fl_nomem(err, "the trace's end");
    free(events);
    free(text);
    return rc;
}

static int put_losses(struct session *s, const struct fl_perf_sums *sums,
                      const struct fl_perf_extra_sum *extra, struct fl_err *err)
{
    const struct fl_tree_counts *c = fl_tree_counts(s->tree);
    uint64_t *lost = calloc(2 * s->n_extra + 1, sizeof *lost), *throttled = lost + s->n_extra, ns;
    if (!lost)
        return fl_nomem(err, "the trace's end");
    for (size_t i = 0; i < s->n_extra; i++) {
        lost[i] = extra[i].lost;
        throttled[i] = s->extra[i].source == FL_SRC_SAMPLE
                           ? fl_tree_throttled(s->tree, (uint32_t)i, fl_session_now_ns(), &ns)
                           : 0;
    }
    int rc = put_by_event(s, "quality.lost", c->lost, "records did not fit the kernel's buffers",
                          sums->lost, lost, err);
    if (rc == FL_OK)
        rc = put_by_event(s, "quality.throttled", c->throttled, "times the kernel held events back",
                          c->throttled_by, throttled, err);
    free(lost);
    return rc;
}

/* A command's own counts, to check the trace by. */
static int put_command_counts(struct session *s, const struct fl_perf_sums *sums,
                              struct fl_err *err)
{
    const struct fl_tree_counts *c = fl_tree_counts(s->tree);
    /* Tasks that still run go on counting; lost records are a difference already told. */
    bool comparable = !c->lost && !c->live_threads && s->set.plan.faults;
    uint64_t counted = sums->count[FL_SRC_MINOR] + sums->count[FL_SRC_MAJOR];
    bool differs = comparable &&
                   (sums->count[FL_SRC_MINOR] != c->minor || sums->count[FL_SRC_MAJOR] != c->major);
    const struct total faults[] = {
        { "record.perf_minflt", sums->count[FL_SRC_MINOR], "" },
        { "record.perf_majflt", sums->count[FL_SRC_MAJOR], "" },
    };
    const struct total rows[] = {
        { "record.rusage_minflt", (uint64_t)s->child.usage.ru_minflt, "" },
        { "record.rusage_majflt", (uint64_t)s->child.usage.ru_majflt, "" },
        { "quality.counts_differ", differs ? counted : 0,
          "faults were counted by the kernel, but not as many or not the same kind reported" },
        { "quality.unfinished", c->live_threads, "threads still ran, or were lost from sight" },
    };
    int rc = put_rows(s, rows, FL_COUNT(rows), err);
    return rc == FL_OK && s->set.plan.faults ? put_rows(s, faults, FL_COUNT(faults), err) : rc;
}

/* What /proc/PID/stat counted meanwhile: of that process alone, and a moment longer. */
static int put_process_counts(struct session *s, struct fl_err *err)
{
    const struct total rows[] = {
        { "record.stat_minflt", s->stat_minor, "" },
        { "record.stat_majflt", s->stat_major, "" },
    };
    return put_rows(s, rows, FL_COUNT(rows), err);
}

/* What is wrong with the trace, if anything. */
static int put_totals(struct session *s, const struct fl_perf_sums *sums,
                      struct fl_perf_extra_sum *extra, struct fl_err *err)
{
    const struct fl_tree_counts *c = fl_tree_counts(s->tree);
    struct fl_merge_counts merge = fl_merge_counts(s->merge);
    struct fl_hits_counts hits = { 0 };
    if (s->hits)
        hits = fl_hits_counts(s->hits);
    const struct total faults[] = {
        { "record.kernel_mode_faults", c->kernel_mode, "" },
        { "record.access_known", c->access_known, "" },
        { "record.failed_faults", c->failed, "" },
    };
    const struct total rows[] = {
        { "record.functions", s->places ? fl_places_functions(s->places) : 0, "" },
        { "quality.out_of_order", merge.late, "records came too late for their place" },
        { "quality.damaged_records", merge.damaged + s->damaged_rings,
          "stretches of the kernel's buffers could not be read" },
        { "quality.shared_ids", merge.foreign,
          "faults had the id of somebody else's event, and perhaps a time that is a little off" },
        { "quality.unknown_records", c->unknown_records, "records of tasks not seen to start" },
        { "quality.forks_unsure", c->forks_unsure,
          "new processes may have been vfork's: taken for copies" },
        { "quality.kernel_cut", hits.cut,
          "hits of kernel tracepoints were shorter than their format" },
        { "quality.slab_frees", s->frees ? fl_slab_frees_missed(s->frees) : 0,
          "calls that free objects came while another was being told of: not seen" },
        { "quality.kernel_names", hits.other_names,
          "texts of kernel events were too many to keep" },
        { "quality.present_unread", s->unread_bytes,
          "bytes of mappings were not looked through for resident pages" },
    };
    int rc = s->set.plan.faults ? put_rows(s, faults, FL_COUNT(faults), err) : FL_OK;
    if (rc == FL_OK)
        rc = put_rows(s, rows, FL_COUNT(rows), err);
    if (rc == FL_OK)
        rc = put_losses(s, sums, extra, err);
    if (rc == FL_OK)
        rc = fl_session_sample_end(s, extra, err);
    if (rc == FL_OK && s->set.plan.target == FL_TARGET_COMMAND)
        rc = put_command_counts(s, sums, err);
    if (rc == FL_OK && s->stat_known)
        rc = put_process_counts(s, err);
    if (rc == FL_OK && s->skipped.n)
        rc = fl_writer_meta(s->writer, "quality.proc_unread", s->skipped.names, err);
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

/* The kernel announces lost records with the next one that fits; the last may find none. */
static int add_lost(struct session *s, const struct fl_perf_sums *sums, struct fl_err *err)
{
    uint64_t told = fl_tree_counts(s->tree)->lost;
    return sums->lost_all > told
               ? fl_tree_lost(s->tree, fl_session_now_ns(), sums->lost_all - told, err)
               : FL_OK;
}

static int finish_trace(struct session *s, const struct fl_perf_sums *sums,
                        struct fl_perf_extra_sum *extra, struct fl_err *err)
{
    int rc = FL_OK;
    if (s->set.plan.target == FL_TARGET_COMMAND && s->set.plan.faults)
        rc = add_unreported(s, sums, err);
    if (rc == FL_OK)
        rc = put_totals(s, sums, extra, err);
    if (rc != FL_OK)
        return rc;
    s->status->totals = *fl_writer_totals(s->writer);
    struct fl_writer *w = s->writer;
    s->writer = NULL;
    return fl_writer_close(w, NULL, NULL, err);
}

int fl_session_finish(struct session *s, struct fl_err *err)
{
    struct fl_perf_sums sums;
    struct fl_perf_extra_sum *extra = calloc(s->n_extra + 1, sizeof *extra);
    s->ended = true;
    int rc = extra ? s->stop_rc : fl_nomem(err, "the trace's end");
    if (extra && rc != FL_OK && err)
        *err = s->stop_err;
    if (rc == FL_OK)
        rc = fl_perf_enable(&s->set, false, err);
    if (rc == FL_OK)
        rc = fl_session_tables_read(s, err);
    if (rc == FL_OK)
        rc = fl_session_snapshot(s, FL_SNAPSHOT_END, err);
    if (rc == FL_OK)
        rc = fl_perf_read(&s->set, &sums, extra, err);
    if (rc == FL_OK)
        rc = add_lost(s, &sums, err);
    if (rc == FL_OK) {
        const struct fl_tree_counts *c = fl_tree_counts(s->tree);
        s->status->wait_status = s->child.wait_status;
        s->status->processes = c->processes;
        s->status->killed = WIFSIGNALED(s->child.wait_status) &&
                            WTERMSIG(s->child.wait_status) == SIGKILL;
        s->status->lost = c->lost;
        s->status->samples = c->samples;
        if (s->writer)
            rc = finish_trace(s, &sums, extra, err);
    }
    free(extra);
    return rc;
}
