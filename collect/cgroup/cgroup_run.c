/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command in a group. A process between us and the command, outside of the group,
 * takes in whatever the command's tree leaves behind, so that its own account of
 * children is the whole tree's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <faultline/command.h>
#include <faultline/units.h>

#include "cgroup_read.h"
#include "oomlog.h"
#include "smallfile.h"

enum { POLL_MS = 50, LOOK_MS = 2, KILL_MS = 5000 };

/* Between the three processes. */
struct shared {
    struct fl_run run;
    int rc, exec_errno;
    struct fl_err err;
    uint64_t early_minor, early_major; /* taken before exec: not the command's */
    atomic_bool killing;               /* we kill now: SIGKILL is no OOM kill */
};

struct job {
    const struct fl_cgroup *group;
    const struct fl_run_opts *opts;
    struct shared *shared;
    char path[FL_COMMAND_PATH_BYTES];
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t time_ns(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_usec * 1000u;
}

int fl_cpus_parse(const char *text, cpu_set_t *out, struct fl_err *err)
{
    const char *p = text;
    CPU_ZERO(out);
    do {
        char *end;
        unsigned long first = strtoul(p, &end, 10), last = first;
        bool good = *p >= '0' && *p <= '9';
        if (good && *end == '-') {
            p = end + 1;
            good = *p >= '0' && *p <= '9';
            last = strtoul(p, &end, 10);
        }
        if (!good || (*end && *end != ',') || last < first || last >= CPU_SETSIZE)
            return fl_fail(err, FL_EUSAGE, "'%s' is not a list of CPUs: write 0 or 0,2-3", text);
        for (unsigned long cpu = first; cpu <= last; cpu++)
            CPU_SET(cpu, out);
        p = *end ? end + 1 : NULL;
    } while (p);
    return FL_OK;
}

/* ---- the command's process ------------------------------------------------------------- */

static const int terminal[] = { SIGINT, SIGQUIT, SIGHUP, SIGTERM };

static int streams(bool show)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0)
        return -1;
    return dup2(show ? 2 : null, 1) < 0 || (!show && dup2(null, 2) < 0) ? -1 : 0;
}

static void become_command(struct job *job, const struct sigaction *before)
{
    struct shared *s = job->shared;
    struct rusage u;
    for (size_t i = 0; i < FL_COUNT(terminal); i++)
        sigaction(terminal[i], &before[i], NULL);
    if (streams(job->opts->show_output) != 0) {
        s->rc = fl_fail_errno(&s->err, "cannot open /dev/null");
        _exit(125);
    }
    if (job->opts->cpus && sched_setaffinity(0, sizeof *job->opts->cpus, job->opts->cpus) != 0) {
        s->rc = fl_fail(&s->err, FL_EMACHINE, "--cpus: %s; none of those CPUs may be used here",
                        strerror(errno));
        _exit(125);
    }
    s->rc = fl_cgroup_join(job->group, &s->err);
    if (s->rc != FL_OK)
        _exit(125);
    getrusage(RUSAGE_SELF, &u);
    s->early_minor = (uint64_t)u.ru_minflt;
    s->early_major = (uint64_t)u.ru_majflt;
    s->run.exec_ns = now_ns();
    execv(job->path, job->opts->argv);
    s->exec_errno = errno;
    _exit(127);
}

/* ---- the process between ----------------------------------------------------------------- */

static void note_victim(struct shared *s, const siginfo_t *info)
{
    char path[64];
    struct fl_run *run = &s->run;
    if (info->si_code != CLD_KILLED || info->si_status != SIGKILL || atomic_load(&s->killing) ||
        run->n_victims == FL_RUN_VICTIMS_MAX)
        return;
    snprintf(path, sizeof path, "/proc/%d/comm", info->si_pid); /* a zombie still has it */
    char *comm = smallfile_read(path);
    struct fl_run_victim *v = &run->victims[run->n_victims++];
    v->pid = info->si_pid;
    snprintf(v->comm, sizeof v->comm, "%.*s", comm ? (int)strcspn(comm, "\n") : 0,
             comm ? comm : "");
    free(comm);
}

static void take_in_children(struct job *job, pid_t command, uint64_t start_ns)
{
    struct shared *s = job->shared;
    siginfo_t info;
    int status;
    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0) {
            if (errno == EINTR)
                continue;
            return; /* ECHILD: all are gone */
        }
        note_victim(s, &info);
        if (waitpid(info.si_pid, &status, 0) != command)
            continue;
        s->run.wait_status = status;
        s->run.wall_ns = now_ns() - start_ns;
        bool killing = atomic_exchange(&s->killing, true);
        int left = fl_cgroup_kill(job->group->dir, KILL_MS);
        if (!killing && left > 0)
            s->run.outlived = (unsigned)left;
    }
}

static void between(struct job *job)
{
    struct shared *s = job->shared;
    struct sigaction ignore = { .sa_handler = SIG_IGN }, before[FL_COUNT(terminal)];
    struct rusage u;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (size_t i = 0; i < FL_COUNT(terminal); i++)
        sigaction(terminal[i], &ignore, &before[i]);
    uint64_t start_ns = now_ns();
    pid_t command = fork();
    if (command == 0)
        become_command(job, before);
    if (command < 0) {
        s->rc = fl_fail_errno(&s->err, "cannot start a process");
        return;
    }
    take_in_children(job, command, start_ns);
    getrusage(RUSAGE_CHILDREN, &u);
    s->run.minor = (uint64_t)u.ru_minflt - s->early_minor;
    s->run.major = (uint64_t)u.ru_majflt - s->early_major;
    s->run.cpu_ns = time_ns(&u.ru_utime) + time_ns(&u.ru_stime);
}

/* ---- ours ------------------------------------------------------------------------------------ */

static void kill_now(struct shared *s, bool stop)
{
    if (s->run.stopped || s->run.timed_out)
        return;
    s->run.stopped = stop;
    s->run.timed_out = !stop;
    atomic_store(&s->killing, true);
}

/* Until @pid, our child, has ended; kills the group when time is up or we are to stop. */
static int oversee(struct job *job, pid_t pid, struct fl_err *err)
{
    struct shared *s = job->shared;
    const struct fl_run_opts *o = job->opts;
    uint64_t start = now_ns();
    struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
    int status = 0;
    pid_t got;
    while ((got = waitpid(pid, &status, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        bool stop = o->stop && *o->stop, late = now_ns() - start >= o->timeout_ns;
        if (stop || late)
            kill_now(s, stop);
        if (s->run.stopped || s->run.timed_out)
            fl_cgroup_kill(job->group->dir, POLL_MS);
        poll(&p, 1, o->look ? LOOK_MS : POLL_MS);
        if (o->look)
            o->look(o->look_arg);
    }
    if (p.fd >= 0)
        close(p.fd);
    if (got == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return FL_OK;
    if (s->run.stopped)
        return fl_fail(err, FL_EIO, "stopped");
    return fl_fail(err, FL_EIO, "the process that runs the command was killed; start again");
}

static int outcome(const struct job *job, struct fl_err *err)
{
    const struct shared *s = job->shared;
    if (s->rc != FL_OK) {
        if (err)
            *err = s->err;
        return s->rc;
    }
    if (s->exec_errno)
        return fl_fail(err, FL_EUSAGE, "%s: cannot be executed: %s", job->path,
                       strerror(s->exec_errno));
    return FL_OK;
}

static int start_and_wait(struct job *job, struct fl_err *err)
{
    pid_t runner = fork();
    if (runner == 0) {
        between(job);
        _exit(0);
    }
    if (runner < 0)
        return fl_fail_errno(err, "cannot start a process");
    int rc = oversee(job, runner, err);
    if (rc != FL_OK)
        fl_cgroup_kill(job->group->dir, KILL_MS);
    return rc == FL_OK ? outcome(job, err) : rc;
}

static int run_job(struct job *job, struct fl_run *out, struct fl_err *err)
{
    struct fl_vm_counts before, after;
    int log_fd = oomlog_open();
    int rc = fl_vm_counts_read(&before, err);
    if (rc == FL_OK)
        rc = start_and_wait(job, err);
    if (rc == FL_OK)
        rc = fl_vm_counts_read(&after, err);
    if (rc == FL_OK) {
        *out = job->shared->run;
        out->machine = fl_vm_counts_since(&after, &before);
        cgroup_read(job->group, out);
    }
    if (rc == FL_OK && out->oom_kills == 0)
        out->n_victims = 0;
    if (rc == FL_OK && out->oom_kills > 0)
        oomlog_take(log_fd, job->group->dir, out);
    else if (log_fd >= 0)
        close(log_fd);
    return rc;
}

static struct shared *share(struct fl_err *err)
{
    struct shared *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s != MAP_FAILED)
        return s;
    fl_nomem(err, "a run");
    return NULL;
}

int fl_run(const struct fl_cgroup *group, const struct fl_run_opts *opts, struct fl_run *out,
           struct fl_err *err)
{
    struct job job = { .group = group, .opts = opts };
    int why = fl_command_find(opts->argv[0], job.path);
    if (why)
        return fl_fail(err, FL_EUSAGE, "%s: %s", opts->argv[0],
                       why == 127 ? "command not found; give its path, or check PATH"
                                  : "cannot be executed; check its permissions");
    job.shared = share(err);
    if (!job.shared)
        return FL_ENOMEM;
    int rc = run_job(&job, out, err);
    munmap(job.shared, sizeof *job.shared);
    return rc;
}

int fl_cgroup_call(const struct fl_cgroup *group, int (*fn)(void *arg, struct fl_err *err),
                   void *arg, const volatile sig_atomic_t *stop, struct fl_err *err)
{
    struct fl_run_opts opts = { .timeout_ns = UINT64_MAX, .stop = stop };
    struct job job = { .group = group, .opts = &opts, .shared = share(err) };
    struct shared *s = job.shared;
    if (!s)
        return FL_ENOMEM;
    pid_t pid = fork();
    if (pid == 0) {
        s->rc = fl_cgroup_join(group, &s->err);
        if (s->rc == FL_OK)
            s->rc = fn(arg, &s->err);
        _exit(0);
    }
    int rc = pid < 0 ? fl_fail_errno(err, "cannot start a process") : oversee(&job, pid, err);
    if (rc == FL_OK)
        rc = outcome(&job, err);
    munmap(s, sizeof *s);
    return rc;
}

const struct fl_vm_counts *fl_run_swap(const struct fl_run *run)
{
    return run->group.present >> FL_VM_pswpin & 1 ? &run->group : &run->machine;
}
