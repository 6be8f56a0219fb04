/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <faultline/units.h>

#define WAKEUP_BYTES (128u << 10)
#define CPUS_MAX 8192u

static void raise_file_limit(void)
{
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim); /* the traced command was started before */
    }
}

static int read_paranoid(void)
{
    int level = -1;
    FILE *f = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
    if (f) {
        if (fscanf(f, "%d", &level) != 1)
            level = -1;
        fclose(f);
    }
    return level;
}

static int refused(const struct fl_perf_set *set, struct fl_err *err)
{
    int saved = errno;
    if ((saved == EACCES || saved == EPERM) && set->plan.target == FL_TARGET_MACHINE)
        return fl_fail(
            err, FL_EMACHINE,
            "recording the whole machine is not allowed (perf_event_paranoid is %d): run "
            "as root, or give CAP_PERFMON",
            read_paranoid());
    if ((saved == EACCES || saved == EPERM) && set->plan.target == FL_TARGET_TASKS)
        return fl_fail(err, FL_EMACHINE,
                       "this process may not be watched: run as its user or as root");
    if ((saved == EACCES || saved == EPERM) && read_paranoid() > 2)
        return fl_fail(err, FL_EMACHINE,
                       "the kernel does not let this user record events "
                       "(perf_event_paranoid is %d): sysctl kernel.perf_event_paranoid=2, "
                       "or give CAP_PERFMON",
                       read_paranoid());
    if (saved == EACCES || saved == EPERM)
        return fl_fail(err, FL_EMACHINE,
                       "perf_event_open is refused, by a container's seccomp profile or a "
                       "security module: allow it there, give CAP_PERFMON, or record with "
                       "--mode exact");
    if (saved == ENOSYS || saved == ENOENT || saved == EOPNOTSUPP)
        return fl_fail(err, FL_EMACHINE,
                       "this kernel or sandbox has no perf_event_open; record with --mode exact");
    if (saved == EMFILE)
        return fl_fail(err, FL_EMACHINE,
                       "too few file descriptors for one event a CPU: raise ulimit -n");
    errno = saved;
    return fl_fail_errno(err, "perf_event_open");
}

static int find_cpus(struct fl_perf_set *set, struct fl_err *err)
{
    char text[4096] = "";
    int *list = calloc(CPUS_MAX, sizeof *list);
    FILE *f = fopen("/sys/devices/system/cpu/online", "re");
    if (f) {
        if (!fgets(text, sizeof text, f))
            text[0] = 0;
        fclose(f);
    }
    uint32_t n = 0;
    for (int cpu = 0; list && *text && cpu < (int)CPUS_MAX; cpu++)
        if (fl_cpu_in_list(text, cpu))
            list[n++] = cpu;
    if (list && !n) { /* no sysfs: count from 0 */
        long conf = sysconf(_SC_NPROCESSORS_CONF);
        n = conf < 1 ? 1 : conf > (long)CPUS_MAX ? CPUS_MAX : (uint32_t)conf;
        for (uint32_t i = 0; i < n; i++)
            list[i] = (int)i;
    }
    set->n_cpus = n;
    set->cpus = calloc(set->n_cpus ? set->n_cpus : 1, sizeof *set->cpus);
    if (!list || !set->cpus) {
        free(list);
        set->n_cpus = 0;
        return fl_nomem(err, "list of CPUs");
    }
    for (uint32_t i = 0; i < set->n_cpus; i++) {
        set->cpus[i].cpu = list[i];
        set->cpus[i].owner_fd = -1;
    }
    free(list);
    return set->n_cpus ? FL_OK : fl_fail(err, FL_EMACHINE, "no CPU is online, says sysfs");
}

static bool is_machine(const struct fl_perf_set *set, enum fl_perf_source source)
{
    return set->plan.target == FL_TARGET_MACHINE || source == FL_SRC_PROBE;
}

/* Returns: a descriptor; -1 with errno; or an error's code below that. */
static int open_one(const struct fl_perf_set *set, const struct fl_attr_request *what, pid_t pid,
                    int cpu, int group, struct perf_event_attr *attr, struct fl_err *err)
{
    struct fl_attr_request req = *what;
    req.machine = is_machine(set, req.source);
    req.running = req.machine || set->plan.target != FL_TARGET_COMMAND;
    req.exclude_kernel = set->exclude_kernel;
    req.old_kernel = set->old_kernel;
    req.stacks = set->plan.stacks;
    req.times = set->times && req.source == FL_SRC_TRACK;
    req.wakeup_bytes = WAKEUP_BYTES;
    int rc = fl_attr_build(&req, attr, err);
    if (rc != FL_OK)
        return rc;
    pid = req.machine ? -1 : pid;
    int fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, group, PERF_FLAG_FD_CLOEXEC);
    if (fd == -1 && errno == EMFILE) {
        raise_file_limit();
        fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, group, PERF_FLAG_FD_CLOEXEC);
    }
    return fd;
}

static pid_t first_task(const struct fl_perf_set *set)
{
    return set->plan.target == FL_TARGET_MACHINE ? -1 : set->plan.tasks[0];
}

/* Find out with one event what the kernel accepts: user and kernel mode, or user mode only. */
static int probe(struct fl_perf_set *set, struct fl_err *err)
{
    const struct fl_attr_request track = { .source = FL_SRC_TRACK };
    struct perf_event_attr attr;
    for (;;) {
        int fd = open_one(set, &track, first_task(set), set->cpus[0].cpu, -1, &attr, err);
        if (fd >= 0) {
            close(fd);
            return FL_OK;
        }
        if (fd != -1)
            return fd;
        if (errno == ESRCH)
            return FL_OK; /* ended meanwhile; its own opening will tell */
        if (errno == EINVAL && !set->old_kernel)
            set->old_kernel = true;
        else if ((errno == EACCES || errno == EPERM) && !set->exclude_kernel)
            set->exclude_kernel = true;
        else
            return refused(set, err);
    }
}

static bool fd_add(struct fl_perf_set *set, struct fl_perf_fd fd)
{
    if (set->n_fds == set->fds_room) {
        size_t room = set->fds_room ? 2 * set->fds_room : 64;
        struct fl_perf_fd *grown = realloc(set->fds, room * sizeof *grown);
        if (!grown)
            return false;
        set->fds = grown;
        set->fds_room = room;
    }
    set->fds[set->n_fds++] = fd;
    return true;
}

/* Close what was opened from @first on. */
static void close_from(struct fl_perf_set *set, size_t first)
{
    while (set->n_fds > first)
        close(set->fds[--set->n_fds].fd);
}

/* Returns FL_EUSAGE when @pid has ended. */
int fl_perf_on_cpu(struct fl_perf_set *set, const struct fl_attr_request *what,
                   struct fl_perf_fd fd, pid_t pid, int group, struct fl_err *err)
{
    struct perf_event_attr attr;
    struct fl_perf_cpu *cpu = &set->cpus[fd.cpu];
    fd.source = what->source;
    fd.by_hand = is_machine(set, what->source) || set->plan.target != FL_TARGET_COMMAND;
    fd.fd = open_one(set, what, pid, cpu->cpu, group, &attr, err);
    fd.sample_type = attr.sample_type;
    fd.read_format = attr.read_format;
    fd.period = attr.freq ? 0 : attr.sample_period;
    int rc = fd.fd >= 0       ? FL_OK
             : fd.fd < -1     ? fd.fd
             : errno == ESRCH ? fl_fail(err, FL_EUSAGE, "task %d has ended", (int)pid)
                              : refused(set, err);
    if (rc == FL_OK && !fd_add(set, fd)) {
        close(fd.fd);
        rc = fl_nomem(err, "event descriptors");
    }
    if (rc == FL_OK && what->source == FL_SRC_TRACK && cpu->owner_fd < 0)
        cpu->owner_fd = fd.fd;
    return rc;
}

/* One event, on every CPU. */
static int open_event(struct fl_perf_set *set, const struct fl_attr_request *what, uint32_t index,
                      pid_t pid, uint32_t task, struct fl_err *err)
{
    size_t first = set->n_fds;
    for (uint32_t i = 0; i < set->n_cpus; i++) {
        const struct fl_perf_fd fd = { .index = index, .task = task, .cpu = i };
        int rc = fl_perf_on_cpu(set, what, fd, pid, -1, err);
        if (rc != FL_OK) {
            close_from(set, first);
            return rc;
        }
    }
    set->have[what->source] = true;
    return FL_OK;
}

/* Tracepoints are welcome, not needed. Returns: false, with the reason in @why, without one. */
static bool find_tracepoint(struct fl_perf_set *set, enum fl_perf_source source, const char *event,
                            uint64_t *id, struct fl_err *why)
{
    struct fl_tree_fields *f = &set->fields;
    char *format = fl_tp_read_format(event, why);
    if (!format)
        return false;
    bool known = fl_tp_parse_id(format, id);
    if (source == FL_SRC_TP_NEWTASK)
        known = known && fl_tp_parse_field(format, "pid", &f->task_pid) &&
                fl_tp_parse_field(format, "clone_flags", &f->clone_flags);
    else
        known = known &&
                fl_tp_parse_field(format, "address", &f->address[source == FL_SRC_TP_KERNEL]) &&
                fl_tp_parse_field(format, "error_code", &f->error_code[source == FL_SRC_TP_KERNEL]);
    free(format);
    if (!known)
        fl_fail(why, FL_EMACHINE, "tracepoint %s has an unknown format on this kernel", event);
    return known;
}

static bool open_tracepoint(struct fl_perf_set *set, enum fl_perf_source source, const char *event,
                            pid_t pid, uint32_t task, struct fl_err *why)
{
    struct fl_attr_request what = { .source = source };
    return find_tracepoint(set, source, event, &what.tracepoint_id, why) &&
           open_event(set, &what, 0, pid, task, why) == FL_OK;
}

static void open_tracepoints(struct fl_perf_set *set, pid_t pid, uint32_t task)
{
    struct fl_err why = { 0 };
#if defined(__x86_64__)
    if (!set->plan.access)
        ;
    else if (set->exclude_kernel) /* a tracepoint is kernel code: the same privilege decides */
        fl_fail(&why, FL_EMACHINE,
                "tracepoint exceptions:page_fault_user needs CAP_PERFMON and a readable tracefs");
    else if (open_tracepoint(set, FL_SRC_TP_USER, "exceptions/page_fault_user", pid, task, &why))
        open_tracepoint(set, FL_SRC_TP_KERNEL, "exceptions/page_fault_kernel", pid, task, NULL);
#else
    fl_fail(&why, FL_EMACHINE, "this architecture has no tracepoint for page faults");
#endif
    if (!set->have[FL_SRC_TP_USER])
        snprintf(set->no_access, sizeof set->no_access, "%.250s", why.msg);
    if (!set->exclude_kernel)
        open_tracepoint(set, FL_SRC_TP_NEWTASK, "task/task_newtask", pid, task, NULL);
}

/* The plan's further events of one scope: with the first task also those of the machine. */
static int open_extra(struct fl_perf_set *set, pid_t pid, uint32_t task, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < set->plan.n_extra; i++) {
        const struct fl_perf_extra *extra = &set->plan.extra[i];
        const struct fl_attr_request what = { .source = extra->source,
                                              .tracepoint_id = extra->tracepoint_id };
        if (extra->source == FL_SRC_SAMPLE)
            rc = fl_perf_open_sampled(set, (uint32_t)i, pid, task, err);
        else if (task == 0 || !is_machine(set, extra->source))
            rc = open_event(set, &what, (uint32_t)i, pid, task, err);
        if (rc == FL_EMACHINE && err) {
            struct fl_err why = *err;
            fl_fail(err, FL_EMACHINE, "%s: %s", extra->name, why.msg);
        }
    }
    return rc;
}

static int open_task(struct fl_perf_set *set, pid_t pid, struct fl_err *err)
{
    const struct fl_attr_request track = { .source = FL_SRC_TRACK },
                                 minor = { .source = FL_SRC_MINOR },
                                 major = { .source = FL_SRC_MAJOR };
    uint32_t task = (uint32_t)set->n_tasks;
    size_t first = set->n_fds;
    int rc = open_event(set, &track, 0, pid, task, err);
    if (rc == FL_OK && set->plan.faults)
        rc = open_event(set, &minor, 0, pid, task, err);
    if (rc == FL_OK && set->plan.faults)
        rc = open_event(set, &major, 0, pid, task, err);
    if (rc == FL_OK)
        rc = open_extra(set, pid, task, err);
    if (rc == FL_OK) {
        open_tracepoints(set, pid, task);
        set->n_tasks++;
        return FL_OK;
    }
    close_from(set, first);
    for (uint32_t i = 0; task == 0 && i < set->n_cpus; i++)
        set->cpus[i].owner_fd = -1;
    return rc;
}

int fl_perf_add_task(struct fl_perf_set *set, pid_t tid, struct fl_err *err)
{
    int rc = open_task(set, tid, err);
    return rc == FL_EUSAGE ? FL_OK : rc;
}

int fl_perf_open(struct fl_perf_set *set, const struct fl_perf_plan *plan, struct fl_err *err)
{
    *set = (struct fl_perf_set){ .plan = *plan };
    for (size_t i = 0; i < plan->n_extra; i++)
        set->times = set->times || plan->extra[i].source == FL_SRC_SAMPLE;
    int rc = find_cpus(set, err);
    if (rc == FL_OK)
        rc = probe(set, err);
    if (rc == FL_OK && plan->target == FL_TARGET_MACHINE)
        return open_task(set, -1, err);
    for (size_t i = 0; rc == FL_OK && i < plan->n_tasks; i++)
        rc = fl_perf_add_task(set, plan->tasks[i], err);
    if (rc == FL_OK && !set->n_tasks)
        rc = fl_fail(err, FL_EUSAGE, "the process has ended");
    return rc;
}

/* Every event of a CPU writes to that CPU's ring; note whose id is whose. */
static int join_rings(struct fl_perf_set *set, struct fl_err *err)
{
    set->ids.v = calloc(set->n_fds, sizeof *set->ids.v);
    if (!set->ids.v)
        return fl_nomem(err, "event ids");
    for (size_t i = 0; i < set->n_fds; i++) {
        const struct fl_perf_fd *f = &set->fds[i];
        int owner = set->cpus[f->cpu].owner_fd;
        uint64_t id;
        if (f->fd != owner && ioctl(f->fd, PERF_EVENT_IOC_SET_OUTPUT, owner) != 0)
            return fl_fail_errno(err, "joining perf's buffers");
        if (ioctl(f->fd, PERF_EVENT_IOC_ID, &id) != 0)
            return fl_fail_errno(err, "asking for a perf event's id");
        set->ids.v[set->ids.n++] = (struct fl_perf_id){ .id = id,
                                                        .source = f->source,
                                                        .index = f->index,
                                                        .watch = f->task,
                                                        .sample_type = f->sample_type,
                                                        .period = f->period };
    }
    fl_perf_ids_sort(&set->ids);
    return FL_OK;
}

int fl_perf_ready(struct fl_perf_set *set, struct fl_err *err)
{
    int rc = fl_perf_map_rings(set, err);
    if (rc == FL_OK)
        rc = join_rings(set, err);
    return rc == FL_OK ? fl_aux_map(set, err) : rc;
}

int fl_perf_enable(struct fl_perf_set *set, bool on, struct fl_err *err)
{
    __atomic_store_n(&set->off, !on, __ATOMIC_RELAXED);
    for (size_t i = 0; i < set->n_fds; i++)
        if (set->fds[i].by_hand &&
            ioctl(set->fds[i].fd, on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0) != 0)
            return fl_fail_errno(err, "switching a perf event");
    return FL_OK;
}

/* What read(2) gives for an event, in the order of its read_format. */
static int read_sum(const struct fl_perf_fd *f, struct fl_perf_extra_sum *out, struct fl_err *err)
{
    uint64_t got[5], *next = got + 1, spare;
    *out = (struct fl_perf_extra_sum){ 0 };
    const struct {
        uint64_t bit, *to;
    } parts[] = {
        { PERF_FORMAT_TOTAL_TIME_ENABLED, &out->enabled_ns },
        { PERF_FORMAT_TOTAL_TIME_RUNNING, &out->running_ns },
        { PERF_FORMAT_ID, &spare },
        { FL_PERF_FORMAT_LOST, &out->lost },
    };
    size_t words = 1;
    for (size_t i = 0; i < FL_COUNT(parts); i++)
        words += (f->read_format & parts[i].bit) != 0;
    if (read(f->fd, got, words * sizeof *got) != (ssize_t)(words * sizeof *got))
        return fl_fail_errno(err, "reading a perf event's count");
    out->count = got[0];
    for (size_t i = 0; i < FL_COUNT(parts); i++)
        if (f->read_format & parts[i].bit)
            *parts[i].to = *next++;
    return FL_OK;
}

int fl_perf_read(const struct fl_perf_set *set, struct fl_perf_sums *sums,
                 struct fl_perf_extra_sum *extra, struct fl_err *err)
{
    uint64_t *ran_ns = calloc(set->n_cpus + 1, sizeof *ran_ns); /* of the task being read, by CPU */
    int rc = ran_ns ? FL_OK : fl_nomem(err, "counts");
    *sums = (struct fl_perf_sums){ 0 };
    for (size_t i = 0; rc == FL_OK && i < set->n_fds; i++) {
        const struct fl_perf_fd *f = &set->fds[i];
        struct fl_perf_extra_sum got;
        rc = read_sum(f, &got, err);
        if (rc != FL_OK)
            break;
        if (f->source == FL_SRC_TRACK) /* a task's first */
            ran_ns[f->cpu] = got.running_ns;
        if (f->role == FL_FD_EVENT) {
            sums->count[f->source] += got.count;
            sums->lost[f->source] += got.lost;
        }
        sums->lost_all += got.lost;
        if (extra && (f->source == FL_SRC_PROBE || f->source == FL_SRC_SAMPLE))
            fl_perf_add_up(&extra[f->index], f, &got, ran_ns[f->cpu]);
    }
    free(ran_ns);
    return rc;
}

void fl_perf_close(struct fl_perf_set *set)
{
    fl_aux_unmap(set);
    fl_perf_unmap_rings(set);
    close_from(set, 0);
    free(set->fds);
    free(set->ids.v);
    free(set->cpus);
    *set = (struct fl_perf_set){ 0 };
}
