/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.c - recording what the kernel reports of a command.
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
#include <faultline/record.h>
#include <faultline/units.h>

#include "perf_child.h"
#include "perf_drain.h"
#include "perf_merge.h"
#include "perf_meta.h"
#include "perf_open.h"
#include "perf_tree.h"

#define FLUSH_EVERY_NS UINT64_C(1000000000)
#define WAIT_MS 50

struct session {
    const struct fl_record_opts *opts;
    struct fl_record_status *status;
    struct fl_child child;
    struct fl_perf_set set;
    struct fl_drain *drain;
    struct fl_merge *merge;
    struct fl_tree *tree;
    struct fl_writer *writer;
    struct fl_meta *meta;
    char exec_path[4096], command_path[FL_COMMAND_PATH_BYTES];
    sigset_t old_mask;
    struct sigaction old_chld;
    bool mask_changed;
    int signal_fd;
    uint64_t start_ns, flushed_ns, damaged_rings;
};

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- what the tree asks for ------------------------------------------------ */

static int io_emit(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct session *s = ctx;
    return fl_writer_event(s->writer, ev, err);
}

static bool is_file_map_of(const struct fl_perf_rec *rec, const void *key)
{
    return rec->type == PERF_RECORD_MMAP2 && rec->pid == *(const uint32_t *)key &&
           rec->mmap.path[0] == '/' && rec->mmap.path[1] != '/';
}

/* The first file a new program maps is itself: for a script, its interpreter. */
static const char *io_exec_path(void *ctx, uint32_t pid)
{
    struct session *s = ctx;
    struct fl_perf_rec rec;
    if (!fl_merge_peek(s->merge, is_file_map_of, &pid, &rec))
        return NULL;
    snprintf(s->exec_path, sizeof s->exec_path, "%s", rec.mmap.path);
    return s->exec_path;
}

struct newtask_key {
    const struct session *s;
    uint32_t tid;
};

static bool is_newtask_of(const struct fl_perf_rec *rec, const void *key)
{
    const struct newtask_key *k = key;
    uint64_t tid;
    return rec->type == PERF_RECORD_SAMPLE && rec->source == FL_SRC_TP_NEWTASK &&
           fl_tp_get(rec->tp.raw, rec->tp.raw_bytes, &k->s->set.fields.task_pid, &tid) &&
           tid == k->tid;
}

static bool io_clone_flags(void *ctx, uint32_t tid, uint64_t *flags)
{
    struct session *s = ctx;
    struct newtask_key key = { .s = s, .tid = tid };
    struct fl_perf_rec rec;
    return s->set.have[FL_SRC_TP_NEWTASK] && fl_merge_peek(s->merge, is_newtask_of, &key, &rec) &&
           fl_tp_get(rec.tp.raw, rec.tp.raw_bytes, &s->set.fields.clone_flags, flags);
}

/* perf does not say; the file may have been replaced since, or lie in another namespace. */
static uint64_t io_file_size(void *ctx, const char *path, uint64_t dev, uint64_t ino)
{
    struct stat st;
    (void)ctx;
    if (path[0] != '/' || stat(path, &st) != 0 || st.st_dev != dev || st.st_ino != ino ||
        !S_ISREG(st.st_mode))
        return 0;
    return (uint64_t)st.st_size;
}

static int32_t io_exit_status(void *ctx, uint32_t pid)
{
    struct session *s = ctx;
    if (pid != (uint32_t)s->child.pid || !fl_child_poll(&s->child))
        return FL_EXIT_UNKNOWN;
    return s->child.wait_status;
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
    int rc = fl_child_spawn(&s->child, s->command_path, s->opts->argv, &s->old_mask, err);
    /* Were SIGCHLD ignored, the command's status would be thrown away. */
    sigaction(SIGCHLD, &dfl, &s->old_chld);
    return rc;
}

static int set_meta(struct session *s, struct fl_err *err)
{
    s->meta = fl_meta_new();
    if (!s->meta)
        return fl_nomem(err, "trace header");
    if (s->set.exclude_kernel)
        s->status->missing |= FL_RECORD_NO_KERNEL_FAULTS;
    if (!s->set.have[FL_SRC_TP_USER])
        s->status->missing |= FL_RECORD_NO_ACCESS_BITS;
    return fl_perf_meta(s->meta, s->opts, &s->set, err);
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

static int set_up(struct session *s, struct fl_err *err)
{
    int rc = block_signals(s, err);
    if (rc == FL_OK)
        rc = fl_perf_open(&s->set, s->child.pid, err);
    if (rc == FL_OK)
        rc = set_meta(s, err);
    if (rc != FL_OK)
        return rc;
    s->start_ns = s->flushed_ns = now_ns();
    struct fl_tree_opts tree = {
        .start_ns = s->start_ns,
        .root_pid = (uint32_t)s->child.pid,
        .root_ppid = (uint32_t)getpid(),
        .oom_score_adj = own_oom_score_adj(),
        .redact = s->opts->redact,
        .fields = s->set.fields,
    };
    const struct fl_tree_io io = {
        .ctx = s,
        .emit = io_emit,
        .exec_path = io_exec_path,
        .clone_flags = io_clone_flags,
        .file_size = io_file_size,
        .exit_status = io_exit_status,
    };
    s->merge = fl_merge_new(s->set.n_cpus, &s->set.ids);
    s->tree = fl_tree_new(&tree, &io);
    if (!s->merge || !s->tree)
        return fl_nomem(err, "recording");
    rc = fl_writer_open(s->opts->out_path, FL_FIDELITY_EVENTS, s->meta, &s->opts->writer,
                        &s->writer, err);
    return rc == FL_OK ? fl_drain_start(&s->set, &s->drain, err) : rc;
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
    int why;
    int rc = fl_child_go(&s->child, &why, err);
    if (rc != FL_OK)
        return rc;
    if (why) /* what fl_command_find() could not see: a missing interpreter, a broken binary */
        return not_run(s, why == ENOENT ? 127 : 126, why, err);
    s->status->started = true;
    return FL_OK;
}

/* ---- running ------------------------------------------------------------------ */

/* While the command runs, the terminal's signals are its own business and requests to end are
   passed on; afterwards any of them ends the recording of what it left behind. */
static void on_signals(struct session *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
        if (s->child.reaped)
            fl_drain_stop(s->drain);
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
    while (rc == FL_OK && fl_merge_next(s->merge, bound_ns, &rec))
        rc = fl_tree_push(s->tree, &rec, err);
    uint64_t now = now_ns();
    if (rc == FL_OK && now - s->flushed_ns > FLUSH_EVERY_NS) {
        s->flushed_ns = now;
        rc = fl_writer_flush(s->writer, err);
    }
    return rc;
}

static int run(struct session *s, struct fl_err *err)
{
    int pidfd = (int)syscall(SYS_pidfd_open, s->child.pid, 0);
    struct pollfd fds[3] = {
        { .fd = fl_drain_fd(s->drain), .events = POLLIN },
        { .fd = s->signal_fd, .events = POLLIN },
        { .fd = pidfd, .events = POLLIN }, /* an old kernel has none: then the timeout does */
    };
    bool ended = false;
    int rc = FL_OK;
    while (rc == FL_OK && !(ended && s->child.reaped)) {
        (void)poll(fds, FL_COUNT(fds), WAIT_MS);
        if (fl_child_poll(&s->child))
            fds[2].fd = -1;
        on_signals(s);
        struct fl_drain_round round = fl_drain_take(s->drain);
        ended = round.ended;
        s->damaged_rings = round.damaged;
        rc = take_chunks(s, round.chunks, err);
        /* The last records want the command's exit status, which comes just after them. */
        if (rc == FL_OK && (!ended || s->child.reaped))
            rc = write_until(s, round.safe_ns, err);
    }
    if (pidfd >= 0)
        close(pidfd);
    return rc;
}

/* ---- ending -------------------------------------------------------------------- */

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

static int finish(struct session *s, struct fl_err *err)
{
    struct fl_perf_sums sums;
    int rc = fl_perf_read(&s->set, &sums, err);
    /* The kernel announces lost records with the next one that fits; the last may find none. */
    if (rc == FL_OK && sums.lost > fl_tree_counts(s->tree)->lost)
        rc = fl_tree_lost(s->tree, now_ns(), sums.lost - fl_tree_counts(s->tree)->lost, err);
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

/* The command is running and cannot be recorded any more: let it finish, then report. */
static void wait_out(struct session *s)
{
    struct pollfd fd = { .fd = s->signal_fd, .events = POLLIN };
    fl_drain_stop(s->drain);
    while (!fl_child_poll(&s->child)) {
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
    fl_writer_abandon(s->writer);
    if (created && !s->status->started)
        unlink(s->opts->out_path); /* nothing ran, so nothing was recorded */
    fl_meta_free(s->meta);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    if (s->mask_changed) {
        sigaction(SIGCHLD, &s->old_chld, NULL);
        pthread_sigmask(SIG_SETMASK, &s->old_mask, NULL);
    }
    free(s);
}

int fl_record_events(const struct fl_record_opts *opts, struct fl_record_status *status,
                     struct fl_err *err)
{
    *status = (struct fl_record_status){ 0 };
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return fl_nomem(err, "recording");
    s->opts = opts;
    s->status = status;
    s->signal_fd = s->child.go_fd = s->child.error_fd = -1;
    int verdict = fl_command_find(opts->argv[0], s->command_path);
    int rc = verdict ? not_run(s, verdict, 0, err) : set_up(s, err);
    if (rc == FL_OK)
        rc = start(s, err);
    if (rc == FL_OK) {
        rc = run(s, err);
        if (rc == FL_OK)
            rc = finish(s, err);
        else
            wait_out(s);
    }
    tear_down(s);
    return rc;
}
