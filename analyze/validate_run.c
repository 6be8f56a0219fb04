/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking the kernel. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include <faultline/calibrate.h>
#include <faultline/record.h>
#include <faultline/units.h>

#include "validate.h"

/* Shares of the progress shown: a recording is slow, a replay of all points too. */
enum { RECORD_STEPS = 10, PREDICT_STEPS = 10, NATIVE_RUNS = 2 };

static void step(struct validate *v, unsigned n)
{
    v->steps_done += n;
    if (v->progress)
        v->progress(v->progress_arg, v->steps_done * 10000 / v->steps_all);
}

int validate_stopped(const struct validate *v, struct fl_err *err)
{
    if (!v->stop || !*v->stop)
        return FL_OK;
    return fl_fail(err, FL_EIO, "interrupted by signal %d; nothing of what was measured is kept",
                   (int)*v->stop);
}

int validate_begin(struct validate *v, struct fl_err *err)
{
    v->steps_all = NATIVE_RUNS + RECORD_STEPS + PREDICT_STEPS + VALIDATE_DEFAULT_POINTS * v->runs;
    int rc = fl_guard_start(&v->guard, err);
    if (rc == FL_OK)
        rc = fl_cgroup_find(v->guard, &v->site, err);
    v->cgroup_version = v->site.version;
    return rc;
}

int validate_end(struct validate *v, struct fl_err *err)
{
    int rc = fl_guard_end(v->guard, err);
    v->guard = NULL;
    for (size_t i = 0; i < v->n_points; i++) {
        for (unsigned k = 0; k < v->points[i].n_runs; k++)
            free(v->points[i].seen[k].statistics.flush);
        free(v->points[i].runs);
        free(v->points[i].seen);
        for (size_t k = 0; k < VALIDATE_POLICIES_MAX; k++)
            free(v->points[i].predicted[k].answers);
    }
    validate_warm_free(v->warm);
    v->warm = NULL;
    free(v->command);
    v->command = NULL;
    json_decref(v->measured);
    v->measured = NULL;
    free(v->points);
    v->points = NULL;
    v->n_points = 0;
    return rc;
}

static int make_group(struct validate *v, uint64_t limit_bytes, struct fl_cgroup *group,
                      struct fl_err *err)
{
    char name[64];
    snprintf(name, sizeof name, "faultline-%d-%u", getpid(), ++v->n_groups);
    return fl_cgroup_make(&v->site, name, limit_bytes, v->guard, group, err);
}

/* ---- phases of the kernel's flushes ------------------------------------------------------ */

/* Goes on without; what has been made is undone with the rest. */
static void give_up_aligning(struct validate *v, const struct fl_err *why)
{
    snprintf(v->unaligned, sizeof v->unaligned, "%.159s", why->msg);
    v->aligned = false;
    fl_flushes_close(v->flushes);
    v->flushes = NULL;
}

/* Without, it is not known in which runs reclaim flushed whole TLBs: no count of the kernel's needs it. */
static uint64_t whole_tlb_flushes(const struct validate *v)
{
    uint64_t n;
    return v->tlb_flushes && fl_tlb_flushes_count(v->tlb_flushes, &n, NULL) == FL_OK ? n
                                                                                     : UINT64_MAX;
}

static void begin_aligning(struct validate *v)
{
    struct fl_err why = { .msg = "--no-align" };
    v->aligned = !v->no_align && fl_flushes_open(v->guard, &v->flushes, &why) == FL_OK;
    if (!v->aligned)
        give_up_aligning(v, &why);
}

static void wait_phase(struct validate *v, uint64_t phase_ns)
{
    struct fl_err why = { 0 };
    if (v->flushes && fl_flushes_wait_phase(v->flushes, phase_ns, v->stop, &why) != FL_OK)
        give_up_aligning(v, &why);
}

/* A run as it goes: flushes, and what the machine had done when they came. */
struct watch {
    struct validate *v;
    struct fl_vm_counts start;
    struct fl_seen_flushes seen; /* at_ns: CLOCK_MONOTONIC */
};

static uint64_t moved(const struct fl_vm_counts *counts)
{
    return counts->count[FL_VM_pgmajfault] + fl_vm_swap_in(counts) + fl_vm_swap_out(counts);
}

static int note_flush(struct watch *w, uint64_t at_ns, struct fl_err *err)
{
    struct fl_vm_counts now;
    struct fl_seen_flush *flush = reallocarray(w->seen.flush, w->seen.n + 1, sizeof *w->seen.flush);
    if (!flush)
        return fl_nomem(err, "flushes");
    w->seen.flush = flush;
    int rc = fl_vm_counts_read(&now, err);
    if (rc != FL_OK)
        return rc;
    struct fl_vm_counts since = fl_vm_counts_since(&now, &w->start);
    flush[w->seen.n++] = (struct fl_seen_flush){ .at_ns = at_ns, .moved = moved(&since) };
    return FL_OK;
}

static void look(void *arg)
{
    struct watch *w = arg;
    struct validate *v = w->v;
    struct fl_err why = { 0 };
    uint64_t at_ns, last_ns = w->seen.n ? w->seen.flush[w->seen.n - 1].at_ns : w->seen.end.at_ns;
    if (!v->flushes)
        return;
    int rc = fl_flushes_last(v->flushes, &at_ns, &why);
    if (rc == FL_OK && at_ns > last_ns)
        rc = note_flush(w, at_ns, &why);
    if (rc != FL_OK)
        give_up_aligning(v, &why);
}

static void watch_start(struct watch *w, struct validate *v)
{
    struct fl_err why = { 0 };
    *w = (struct watch){ .v = v };
    if (v->flushes && (fl_vm_counts_read(&w->start, &why) != FL_OK ||
                       fl_flushes_last(v->flushes, &w->seen.end.at_ns, &why) != FL_OK))
        give_up_aligning(v, &why);
}

/* Times from the start of @run; where no flush was in it, waits for the first one after. */
static void watch_end(struct watch *w, const struct fl_run *run)
{
    struct validate *v = w->v;
    struct fl_seen_flushes *seen = &w->seen;
    struct fl_err why = { 0 };
    unsigned n = 0;
    uint64_t at_ns = 0;
    for (unsigned i = 0; i < seen->n; i++)
        if (seen->flush[i].at_ns > run->exec_ns) {
            seen->flush[n] = seen->flush[i];
            seen->flush[n++].at_ns -= run->exec_ns;
        }
    seen->n = n;
    if (!n && v->flushes &&
        fl_flushes_first_after(v->flushes, run->exec_ns, v->stop, &at_ns, &why) != FL_OK)
        give_up_aligning(v, &why);
    validate_flushes_end(seen, at_ns > run->exec_ns ? at_ns - run->exec_ns : 0,
                         moved(&run->machine));
}

void validate_flushes_end(struct fl_seen_flushes *seen, uint64_t first_ns, uint64_t moved_in_all)
{
    uint64_t period_ns = FL_FLUSH_PERIOD_MS * UINT64_C(1000000);
    seen->end.at_ns = seen->n ? seen->flush[seen->n - 1].at_ns + period_ns : first_ns;
    seen->end.moved = moved_in_all;
}

uint64_t validate_first_flush_ns(const struct fl_seen_flushes *seen)
{
    return seen->n ? seen->flush[0].at_ns : seen->end.at_ns;
}

/* What a disk's write throttle has learnt from whoever wrote last it forgets in four steps of five
   windows each (wb_timer_fn; a window is 100 ms, and some more): runs begin alike. */
static void let_disk_rest(const struct validate *v)
{
    const unsigned rest_ms = 2600, step_ms = 50;
    if (v->swap.kind == FL_SWAPDEV_ZRAM || v->swap.kind == FL_SWAPDEV_NONE)
        return;
    for (unsigned ms = 0; ms < rest_ms && validate_stopped(v, NULL) == FL_OK; ms += step_ms)
        nanosleep(&(struct timespec){ .tv_nsec = step_ms * 1000000L }, NULL);
}

/* One run in a group of its own, @phase_ns after a flush where these are seen. */
static int run_once(struct validate *v, uint64_t limit_bytes, uint64_t phase_ns, struct fl_run *out,
                    struct validate_seen *seen, struct fl_err *err)
{
    struct watch w;
    struct fl_run_opts opts = { .argv = v->argv,
                                .cpus = v->cpus,
                                .timeout_ns = v->timeout_ns,
                                .show_output = v->show_output,
                                .stop = v->stop,
                                .look = v->flushes ? look : NULL,
                                .look_arg = &w };
    unsigned mark = fl_guard_mark(v->guard);
    struct fl_cgroup group;
    int rc = validate_stopped(v, err);
    if (rc == FL_OK)
        rc = make_group(v, limit_bytes, &group, err);
    if (rc == FL_OK)
        v->swappiness = fl_cgroup_swappiness(&group);
    validate_warm_read(v->warm);
    if (limit_bytes != FL_CGROUP_NO_LIMIT)
        let_disk_rest(v);
    wait_phase(v, phase_ns);
    watch_start(&w, v);
    uint64_t before = whole_tlb_flushes(v), after;
    if (rc == FL_OK)
        rc = fl_run(&group, &opts, out, err);
    after = whole_tlb_flushes(v);
    if (rc == FL_OK && seen)
        watch_end(&w, out);
    int undone = fl_guard_undo(v->guard, mark, rc == FL_OK ? err : NULL);
    if (rc == FL_OK && seen)
        *seen = (struct validate_seen){ .statistics = w.seen,
                                        .whole_tlb = after == UINT64_MAX ? UINT64_MAX
                                                                         : after - before };
    else
        free(w.seen.flush);
    if (validate_stopped(v, err) != FL_OK)
        return FL_EIO;
    return rc == FL_OK ? undone : rc;
}

int validate_native(struct validate *v, struct fl_err *err)
{
    int rc = FL_OK;
    for (unsigned i = 0; i < NATIVE_RUNS && rc == FL_OK; i++) {
        rc = run_once(v, FL_CGROUP_NO_LIMIT, 0, &v->native, NULL, err);
        if (rc == FL_OK && v->native.timed_out)
            rc = fl_fail(err, FL_EDATA,
                         "the command takes longer than --timeout even without a limit; give more");
        step(v, 1);
    }
    return rc;
}

/* ---- recording ------------------------------------------------------------------------ */

struct recording {
    const struct validate *v;
    const char *path;
};

static int record(void *arg, struct fl_err *err)
{
    const struct recording *r = arg;
    struct fl_record_opts opts = { .argv = (char **)(uintptr_t)r->v->argv, .out_path = r->path };
    struct fl_record_status status;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(r->v->show_output ? 2 : null, 1) < 0 ||
        (!r->v->show_output && dup2(null, 2) < 0))
        return fl_fail_errno(err, "cannot open /dev/null");
    return fl_record_exact(&opts, &status, err);
}

int validate_record(struct validate *v, const char *path, struct fl_err *err)
{
    struct recording recording = { .v = v, .path = path };
    unsigned mark = fl_guard_mark(v->guard);
    struct fl_cgroup group;
    int rc = validate_stopped(v, err);
    if (rc == FL_OK)
        rc = make_group(v, FL_CGROUP_NO_LIMIT, &group, err);
    if (rc == FL_OK)
        rc = fl_cgroup_call(&group, record, &recording, v->stop, err);
    int undone = fl_guard_undo(v->guard, mark, rc == FL_OK ? err : NULL);
    if (validate_stopped(v, err) != FL_OK)
        return FL_EIO;
    step(v, RECORD_STEPS);
    return rc == FL_OK ? undone : rc;
}

/* ---- under limits ------------------------------------------------------------------------ */

/* Run @round of all begins at another phase, so that the runs cover the period evenly. */
static int run_point(struct validate *v, struct validate_point *p, unsigned round,
                     struct fl_err *err)
{
    uint64_t period_ns = FL_FLUSH_PERIOD_MS * UINT64_C(1000000);
    struct fl_run run;
    struct validate_seen seen = { .whole_tlb = UINT64_MAX };
    if (p->timeouts) /* it would not end this time either */
        return FL_OK;
    int rc =
        run_once(v, p->ram_bytes, (2 * round + 1) * period_ns / (2 * v->runs), &run, &seen, err);
    if (rc == FL_OK && run.timed_out) {
        p->timeouts++;
        free(seen.statistics.flush);
    } else if (rc == FL_OK) {
        p->seen[p->n_runs] = seen;
        p->runs[p->n_runs++] = run;
    }
    return rc == FL_OK ? validate_stopped(v, err) : rc;
}

/* Rounds over all limits, up and down in turn, so that what drifts falls on all alike. */
static int run_all(struct validate *v, struct fl_err *err)
{
    struct fl_vm_counts last, now;
    int rc = fl_vm_counts_read(&last, err);
    for (unsigned round = 0; round < v->runs && rc == FL_OK; round++)
        for (size_t i = 0; i < v->n_points && rc == FL_OK; i++) {
            rc = fl_vm_counts_read(&now, err);
            struct fl_vm_counts idle = fl_vm_counts_since(&now, &last);
            v->foreign_swaps += fl_vm_swap_in(&idle) + fl_vm_swap_out(&idle);
            if (rc == FL_OK)
                rc = run_point(v, &v->points[round % 2 ? v->n_points - 1 - i : i], round, err);
            if (rc == FL_OK)
                rc = fl_vm_counts_read(&last, err);
            step(v, 1);
        }
    return rc;
}

/* Unless --costs tell: what the TLB keeps beside this swap. */
static int look_at_tlb(struct validate *v, struct fl_err *err)
{
    unsigned mark = fl_guard_mark(v->guard);
    struct fl_cgroup group;
    if (v->costs.tlb.entries || v->swap.kind == FL_SWAPDEV_NONE)
        return FL_OK;
    int rc = make_group(v, (uint64_t)FL_CALIBRATE_HEAP_PAGES / 2 * FL_PAGE_BYTES, &group, err);
    if (rc == FL_OK)
        fl_calibrate_tlb(&group, &v->costs.tlb);
    int undone = fl_guard_undo(v->guard, mark, rc == FL_OK ? err : NULL);
    return rc == FL_OK ? undone : rc;
}

int validate_kernel(struct validate *v, const struct fl_swapdev_request *swap, const char *dir,
                    struct fl_err *err)
{
    enum { LEAST_BYTES = 64 << 20 };
    uint64_t bytes = 2 * v->native.peak_bytes;
    unsigned mark = fl_guard_mark(v->guard);
    v->steps_all = v->steps_done + PREDICT_STEPS + (unsigned)v->n_points * v->runs;
    int rc = validate_stopped(v, err);
    if (rc == FL_OK)
        rc = fl_swapdev_on(swap, bytes > LEAST_BYTES ? bytes : LEAST_BYTES, dir, v->guard, &v->swap,
                           err);
    if (rc == FL_OK)
        rc = look_at_tlb(v, err);
    if (rc == FL_OK)
        begin_aligning(v);
    if (rc == FL_OK)
        fl_tlb_flushes_open(v->guard, &v->tlb_flushes, NULL);
    if (rc == FL_OK)
        rc = run_all(v, err);
    fl_flushes_close(v->flushes);
    fl_tlb_flushes_close(v->tlb_flushes);
    v->flushes = NULL;
    v->tlb_flushes = NULL;
    int undone = fl_guard_undo(v->guard, mark, rc == FL_OK ? err : NULL);
    return rc == FL_OK ? undone : rc;
}
