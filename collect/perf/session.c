/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.c - recording what the kernel reports: of a command, of running processes, of all.
 *
 * What is counted. A fault that completes is counted by the kernel in the task
 * (getrusage) and, when an instruction of the task or a copy to or from its memory
 * caused it, as a perf event, minor or major as in the task's count (memory.c,
 * mm_account_fault). Pages the kernel faults in without such an access are in the
 * task's count alone: exec's argument pages, mlock, MAP_POPULATE, direct I/O,
 * ptrace. What the recorder's own code does between fork and exec is in neither:
 * the events are switched on by exec, and record.rusage_* has the earlier part
 * taken off. docs/events-mode.md has the measured difference.
 *
 * Flow: a thread empties the rings (perf_drain), the chunks are merged by time
 * (perf_merge), turned into events (perf_tree) and written.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <faultline/command.h>
#include <faultline/proc.h>
#include <faultline/record.h>
#include <faultline/units.h>

#include "perf_meta.h"
#include "session.h"

#define FLUSH_EVERY_NS UINT64_C(1000000000)
#define WAIT_MS 50

uint64_t fl_session_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int fl_session_extra(struct session *s, const struct fl_perf_extra *extra, struct fl_err *err)
{
    struct fl_perf_extra *grown = realloc(s->extra, (s->n_extra + 1) * sizeof *grown);
    if (!grown)
        return fl_nomem(err, "events");
    s->extra = grown;
    s->extra[s->n_extra++] = *extra;
    return FL_OK;
}

/* ---- setting up -------------------------------------------------------------- */

static int block_signals(struct session *s, struct fl_err *err)
{
    struct sigaction dfl = { .sa_handler = SIG_DFL };
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGINT);
    sigaddset(&mine, SIGQUIT);
    sigaddset(&mine, SIGTERM);
    sigaddset(&mine, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &mine, &s->old_mask);
    s->mask_changed = true;
    s->signal_fd = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0)
        return fl_fail_errno(err, "signalfd");
    int rc = s->opts->argv
                 ? fl_child_spawn(&s->child, s->command_path, s->opts->argv, &s->old_mask, err)
                 : FL_OK;
    /* Were SIGCHLD ignored, the command's status would be thrown away. */
    sigaction(SIGCHLD, &dfl, &s->old_chld);
    return rc;
}

static int set_meta(struct session *s, struct fl_err *err)
{
    s->meta = fl_meta_new();
    if (!s->meta)
        return fl_nomem(err, "trace header");
    if (s->set.exclude_kernel && s->set.plan.faults)
        s->status->missing |= FL_RECORD_NO_KERNEL_FAULTS;
    if (s->set.plan.access && !s->set.have[FL_SRC_TP_USER])
        s->status->missing |= FL_RECORD_NO_ACCESS_BITS;
    int rc = fl_perf_meta(s->meta, s->opts,
                          s->fidelity == FL_FIDELITY_SAMPLED ? "sample" : "events", &s->set, err);
    if (rc == FL_OK)
        rc = fl_session_kernel_meta(s, err);
    return rc == FL_OK ? fl_session_sample_meta(s, err) : rc;
}

static int32_t own_oom_score_adj(void)
{
    int adj = 0;
    FILE *f = fopen("/proc/self/oom_score_adj", "re");
    if (f) {
        if (fscanf(f, "%d", &adj) != 1)
            adj = 0;
        fclose(f);
    }
    return adj;
}

static struct fl_perf_plan plan_of(struct session *s)
{
    struct fl_perf_plan plan = {
        .target = s->opts->machine ? FL_TARGET_MACHINE
                  : s->opts->pid   ? FL_TARGET_TASKS
                                   : FL_TARGET_COMMAND,
        .faults = s->fidelity == FL_FIDELITY_EVENTS,
        .access = s->fidelity == FL_FIDELITY_EVENTS && !s->opts->watch,
        .stacks = s->opts->stacks,
        .extra = s->extra,
        .n_extra = s->n_extra,
    };
    if (plan.target == FL_TARGET_COMMAND) {
        plan.tasks = &s->child.pid;
        plan.n_tasks = 1;
    }
    return plan;
}

static int open_events(struct session *s, struct fl_err *err)
{
    struct fl_perf_plan plan = plan_of(s);
    int rc = plan.target == FL_TARGET_TASKS ? fl_session_open_live(s, &plan, err)
                                            : fl_perf_open(&s->set, &plan, err);
    return rc == FL_OK ? fl_perf_ready(&s->set, err) : rc;
}

static int make_tree(struct session *s, struct fl_err *err)
{
    struct fl_tree_opts tree = {
        .start_ns = s->start_ns,
        .root_pid = (uint32_t)s->child.pid,
        .root_ppid = (uint32_t)getpid(),
        .oom_score_adj = own_oom_score_adj(),
        .redact = s->opts->redact,
        .fields = s->set.fields,
    };
    struct fl_tree_io io = fl_session_io(s);
    int rc = fl_session_kernel_open(s, &io, err);
    if (rc == FL_OK)
        rc = fl_session_places_open(s, err);
    if (rc != FL_OK)
        return rc;
    fl_session_places_io(s, &io);
    fl_session_sample_io(s, &io);
    s->merge = fl_merge_new(fl_drain_queues(&s->set), &s->set.ids);
    s->tree = fl_tree_new(&tree, &io);
    return s->merge && s->tree ? FL_OK : fl_nomem(err, "recording");
}

static int set_up(struct session *s, struct fl_err *err)
{
    int rc = fl_session_kernel_find(s, err);
    if (rc == FL_OK)
        rc = fl_session_sample_find(s, err);
    if (rc == FL_OK)
        rc = block_signals(s, err);
    if (rc == FL_OK)
        rc = open_events(s, err);
    if (rc == FL_OK)
        rc = fl_session_frees_open(s, err);
    if (rc == FL_OK)
        rc = set_meta(s, err);
    if (rc == FL_OK && !s->opts->watch)
        rc = fl_writer_open(s->opts->out_path, s->fidelity, s->meta, &s->opts->writer, &s->writer,
                            err);
    if (rc != FL_OK)
        return rc;
    s->start_ns = s->flushed_ns = fl_session_now_ns();
    rc = make_tree(s, err);
    if (rc == FL_OK)
        rc = fl_drain_start(&s->set, &s->drain, err);
    return rc;
}

static int not_run(struct session *s, int status, int why, struct fl_err *err)
{
    s->status->exec_status = status;
    if (status == 127)
        return fl_fail(err, FL_EUSAGE, "%s: command not found", s->opts->argv[0]);
    errno = why ? why : EACCES;
    fl_fail_errno(err, "%s: cannot be run", s->opts->argv[0]);
    if (err)
        err->code = FL_EUSAGE;
    return FL_EUSAGE;
}

static int start(struct session *s, struct fl_err *err)
{
    int why = 0;
    int rc = fl_session_snapshot(s, FL_SNAPSHOT_START, err);
    if (rc == FL_OK)
        rc = fl_perf_enable(&s->set, true, err);
    if (rc == FL_OK && s->opts->settle_slabs)
        rc = fl_slab_settle(FL_SLAB_ROOT, s->start_ns, FL_SNAPSHOT_START, fl_session_emit, s, err);
    if (rc == FL_OK)
        rc = fl_session_adopt(s, err);
    if (rc == FL_OK && s->child.pid)
        rc = fl_child_go(&s->child, &why, err);
    if (rc != FL_OK)
        return rc;
    if (why) /* what fl_command_find() could not see: a missing interpreter, a broken binary */
        return not_run(s, why == ENOENT ? 127 : 126, why, err);
    s->status->started = true;
    return FL_OK;
}

/* ---- running ------------------------------------------------------------------ */

static void end_events(struct session *s)
{
    s->stopping = true;
    (void)fl_perf_enable(&s->set, false, NULL);
    (void)fl_session_tables_read(s, NULL);
    fl_drain_stop(s->drain);
}

/* While events still tell what it takes: the tables are read twice, and then the caches settled again. */
static void end_slabs(struct session *s)
{
    fl_proc_rehearse(FL_PROC_ROOT, "slabinfo");
    if (!s->opts->settle_slabs)
        return;
    s->stop_rc = fl_session_tables_read(s, &s->stop_err);
    if (s->stop_rc == FL_OK)
        s->stop_rc = fl_session_tables_settle(s, &s->stop_err);
}

void fl_session_stop(struct session *s)
{
    if (s->stopping)
        return;
    if (fl_session_has_slabs(s))
        end_slabs(s);
    end_events(s);
}

/* While a command runs, the terminal's signals are its own business and requests to end are
   passed on; otherwise any of them ends the recording. */
static void on_signals(struct session *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
        if (!s->child.pid || s->child.reaped)
            fl_session_stop(s);
        else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP)
            kill(s->child.pid, (int)info.ssi_signo);
    }
}

static int take_chunks(struct session *s, struct fl_chunk *chunks, struct fl_err *err)
{
    int rc = FL_OK;
    for (struct fl_chunk *c = chunks, *next; c; c = next) {
        next = c->next;
        if (rc == FL_OK)
            rc = fl_merge_add(s->merge, c, err);
        else
            free(c);
    }
    return rc;
}

static int write_until(struct session *s, uint64_t bound_ns, struct fl_err *err)
{
    struct fl_perf_rec rec;
    int rc = FL_OK;
    while (rc == FL_OK && fl_merge_next(s->merge, bound_ns, &rec)) {
        rc = fl_session_tables_write(s, rec.time_ns, err);
        if (rc == FL_OK)
            rc = fl_tree_push(s->tree, &rec, err);
    }
    uint64_t now = fl_session_now_ns();
    if (rc == FL_OK && s->opts->watch)
        return s->opts->watch->tick(s->opts->watch->ctx, now - s->start_ns, &s->stop_wanted, err);
    if (rc == FL_OK && now - s->flushed_ns > FLUSH_EVERY_NS) {
        s->flushed_ns = now;
        rc = fl_writer_flush(s->writer, err);
    }
    return rc;
}

/* Is it over, though what is recorded still runs? */
static bool time_is_up(const struct session *s)
{
    bool machine_command_done = s->opts->machine && s->child.pid && s->child.reaped;
    return s->stop_wanted || machine_command_done ||
           (s->opts->duration_ns && fl_session_now_ns() - s->start_ns >= s->opts->duration_ns);
}

static int run(struct session *s, struct fl_err *err)
{
    bool has_child = s->child.pid != 0;
    int pidfd = has_child ? (int)syscall(SYS_pidfd_open, s->child.pid, 0) : -1;
    struct pollfd fds[3] = {
        { .fd = fl_drain_fd(s->drain), .events = POLLIN },
        { .fd = s->signal_fd, .events = POLLIN },
        { .fd = pidfd, .events = POLLIN }, /* an old kernel has none: then the timeout does */
    };
    bool ended = false, reaped = !has_child;
    int rc = FL_OK;
    while (rc == FL_OK && !(ended && reaped)) {
        (void)poll(fds, FL_COUNT(fds), WAIT_MS);
        reaped = !has_child || fl_child_poll(&s->child);
        if (reaped)
            fds[2].fd = -1;
        on_signals(s);
        if (time_is_up(s))
            fl_session_stop(s);
        struct fl_drain_round round = fl_drain_take(s->drain);
        ended = round.ended;
        s->damaged_rings = round.damaged;
        rc = take_chunks(s, round.chunks, err);
        /* The last records want the command's exit status, which comes just after them. */
        if (rc == FL_OK && (!ended || reaped || s->stopping))
            rc = write_until(s, round.safe_ns, err);
    }
    if (pidfd >= 0)
        close(pidfd);
    return rc;
}

/* The command is running and cannot be recorded any more: let it finish, then report. */
static void wait_out(struct session *s)
{
    struct pollfd fd = { .fd = s->signal_fd, .events = POLLIN };
    if (!s->stopping)
        end_events(s);
    while (s->child.pid && !fl_child_poll(&s->child)) {
        (void)poll(&fd, 1, WAIT_MS);
        on_signals(s);
    }
    s->status->wait_status = s->child.wait_status;
}

static void tear_down(struct session *s)
{
    bool created = s->writer != NULL;
    fl_child_free(&s->child);
    fl_drain_free(s->drain);
    fl_perf_close(&s->set);
    fl_merge_free(s->merge);
    fl_tree_free(s->tree);
    fl_hits_free(s->hits);
    fl_places_free(s->places);
    fl_slab_frees_close(s->frees);
    fl_kernel_events_free(&s->kernel);
    free(s->extra);
    fl_writer_abandon(s->writer);
    if (created && !s->status->started)
        unlink(s->opts->out_path); /* nothing ran, so nothing was recorded */
    fl_session_tables_free(s);
    fl_meta_free(s->meta);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    if (s->mask_changed) {
        sigaction(SIGCHLD, &s->old_chld, NULL);
        pthread_sigmask(SIG_SETMASK, &s->old_mask, NULL);
    }
    free(s);
}

int fl_session_emit(void *session, const struct fl_event *ev, struct fl_err *err)
{
    struct session *s = session;
    const struct fl_record_watch *watch = s->opts->watch;
    return watch ? watch->event(watch->ctx, ev, err) : fl_writer_event(s->writer, ev, err);
}

static int record(struct session *s, struct fl_err *err)
{
    int verdict = s->opts->argv ? fl_command_find(s->opts->argv[0], s->command_path) : 0;
    int rc = verdict ? not_run(s, verdict, 0, err) : set_up(s, err);
    if (rc == FL_OK)
        rc = start(s, err);
    if (rc != FL_OK)
        return rc;
    rc = run(s, err);
    if (rc == FL_OK)
        return fl_session_finish(s, err);
    wait_out(s);
    return rc;
}

static int record_with(enum fl_fidelity fidelity, const struct fl_record_opts *opts,
                       struct fl_record_status *status, struct fl_err *err)
{
    *status = (struct fl_record_status){ 0 };
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return fl_nomem(err, "recording");
    s->opts = opts;
    s->status = status;
    s->fidelity = fidelity;
    s->signal_fd = s->child.go_fd = s->child.error_fd = -1;
    int rc = record(s, err);
    tear_down(s);
    return rc;
}

int fl_record_events(const struct fl_record_opts *opts, struct fl_record_status *status,
                     struct fl_err *err)
{
    return record_with(FL_FIDELITY_EVENTS, opts, status, err);
}

int fl_record_sample(const struct fl_record_opts *opts, struct fl_record_status *status,
                     struct fl_err *err)
{
    return record_with(FL_FIDELITY_SAMPLED, opts, status, err);
}
