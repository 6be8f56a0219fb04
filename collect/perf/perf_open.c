/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <faultline/units.h>

#define RINGS_TOTAL_BYTES (UINT64_C(64) << 20)
#define RING_MAX_BYTES (UINT64_C(16) << 20)
#define RING_MIN_BYTES (UINT64_C(64) << 10)
#define WAKEUP_BYTES (128u << 10)
#define CPUS_MAX 8192u

static int open_one(const struct fl_perf_set *set, enum fl_perf_source source, uint64_t tp_id,
                    pid_t pid, int cpu, struct fl_err *err)
{
    struct perf_event_attr attr;
    struct fl_attr_request req = {
        .source = source,
        .tracepoint_id = tp_id,
        .exclude_kernel = set->exclude_kernel,
        .old_kernel = set->old_kernel,
        .wakeup_bytes = WAKEUP_BYTES,
    };
    int rc = fl_attr_build(&req, &attr, err);
    if (rc != FL_OK)
        return rc;
    return (int)syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

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

static int refused(struct fl_err *err)
{
    int saved = errno;
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

/* Find out with one event what the kernel accepts: user and kernel mode, or user mode only. */
static int probe(struct fl_perf_set *set, pid_t pid, struct fl_err *err)
{
    for (;;) {
        int fd = open_one(set, FL_SRC_TRACK, 0, pid, set->cpus[0].cpu, err);
        if (fd >= 0) {
            close(fd);
            return FL_OK;
        }
        if (fd != -1)
            return fd;
        if (errno == EINVAL && !set->old_kernel)
            set->old_kernel = true;
        else if ((errno == EACCES || errno == EPERM) && !set->exclude_kernel)
            set->exclude_kernel = true;
        else
            return refused(err);
    }
}

static int open_source(struct fl_perf_set *set, enum fl_perf_source source, uint64_t tp_id,
                       pid_t pid, struct fl_err *err)
{
    for (uint32_t i = 0; i < set->n_cpus; i++) {
        struct fl_perf_cpu *cpu = &set->cpus[i];
        int fd = open_one(set, source, tp_id, pid, cpu->cpu, err);
        if (fd == -1 && errno == EMFILE) {
            raise_file_limit();
            fd = open_one(set, source, tp_id, pid, cpu->cpu, err);
        }
        if (fd < 0)
            return fd == -1 ? refused(err) : fd;
        cpu->fds[source] = fd;
    }
    set->have[source] = true;
    return FL_OK;
}

static void close_source(struct fl_perf_set *set, enum fl_perf_source source)
{
    for (uint32_t i = 0; i < set->n_cpus; i++) {
        if (set->cpus[i].fds[source] >= 0)
            close(set->cpus[i].fds[source]);
        set->cpus[i].fds[source] = -1;
    }
    set->have[source] = false;
}

/* Tracepoints are welcome, not needed. Returns: false, with the reason in @why, without one. */
static bool open_tracepoint(struct fl_perf_set *set, enum fl_perf_source source, const char *event,
                            pid_t pid, struct fl_err *why)
{
    uint64_t id;
    struct fl_tree_fields *f = &set->fields;
    char *format = fl_tp_read_format(event, why);
    if (!format)
        return false;
    bool known = fl_tp_parse_id(format, &id);
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
    else if (open_source(set, source, id, pid, why) == FL_OK)
        return true;
    close_source(set, source);
    return false;
}

static void open_tracepoints(struct fl_perf_set *set, pid_t pid)
{
    struct fl_err why = { 0 };
#if defined(__x86_64__)
    if (set->exclude_kernel) /* a tracepoint is kernel code: the same privilege decides */
        fl_fail(&why, FL_EMACHINE,
                "tracepoint exceptions:page_fault_user needs CAP_PERFMON and a readable tracefs");
    else if (open_tracepoint(set, FL_SRC_TP_USER, "exceptions/page_fault_user", pid, &why))
        open_tracepoint(set, FL_SRC_TP_KERNEL, "exceptions/page_fault_kernel", pid, NULL);
#else
    fl_fail(&why, FL_EMACHINE, "this architecture has no tracepoint for page faults");
#endif
    if (!set->have[FL_SRC_TP_USER])
        snprintf(set->no_access, sizeof set->no_access, "%.250s", why.msg);
    if (!set->exclude_kernel)
        open_tracepoint(set, FL_SRC_TP_NEWTASK, "task/task_newtask", pid, NULL);
}

/* The CPUs in a list like "0-3,8". */
static uint32_t parse_cpus(const char *list, int *cpus, uint32_t max)
{
    uint32_t n = 0;
    while (*list >= '0' && *list <= '9') {
        char *end;
        unsigned long a = strtoul(list, &end, 10), b = a;
        if (*end == '-')
            b = strtoul(end + 1, &end, 10);
        for (; a <= b && a < CPUS_MAX && n < max; a++)
            cpus[n++] = (int)a;
        list = *end == ',' ? end + 1 : end;
    }
    return n;
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
    uint32_t n = list ? parse_cpus(text, list, CPUS_MAX) : 0;
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
        memset(set->cpus[i].fds, -1, sizeof set->cpus[i].fds);
    }
    free(list);
    return set->n_cpus ? FL_OK : fl_fail(err, FL_EMACHINE, "no CPU is online, says sysfs");
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void unmap_rings(struct fl_perf_set *set)
{
    for (uint32_t i = 0; i < set->n_cpus; i++) {
        if (set->cpus[i].map)
            munmap(set->cpus[i].map, page_bytes() + set->ring_bytes);
        set->cpus[i].map = NULL;
    }
}

/* Map every ring at set->ring_bytes, or none. */
static bool map_rings(struct fl_perf_set *set)
{
    for (uint32_t i = 0; i < set->n_cpus; i++) {
        struct fl_perf_cpu *cpu = &set->cpus[i];
        void *map = mmap(NULL, page_bytes() + set->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                         cpu->fds[FL_SRC_TRACK], 0);
        if (map == MAP_FAILED) {
            int saved = errno;
            unmap_rings(set);
            errno = saved;
            return false;
        }
        struct perf_event_mmap_page *head = map;
        cpu->map = map;
        cpu->ring = (struct fl_ring){
            .head = (uint64_t *)&head->data_head,
            .tail = (uint64_t *)&head->data_tail,
            .data = (const uint8_t *)map + page_bytes(),
            .size_bytes = set->ring_bytes,
        };
    }
    return true;
}

static int map_what_is_allowed(struct fl_perf_set *set, struct fl_err *err)
{
    set->ring_bytes = RING_MAX_BYTES;
    while (set->ring_bytes > RING_MIN_BYTES && set->ring_bytes * set->n_cpus > RINGS_TOTAL_BYTES)
        set->ring_bytes /= 2;
    while (!map_rings(set)) {
        if (errno != EPERM && errno != ENOMEM)
            return fl_fail_errno(err, "mapping perf's buffers");
        if (set->ring_bytes / 2 < RING_MIN_BYTES)
            return fl_fail(err, FL_EMACHINE,
                           "no memory may be locked for perf's buffers: raise "
                           "kernel.perf_event_mlock_kb or ulimit -l");
        set->ring_bytes /= 2;
    }
    return FL_OK;
}

/* Every event of a CPU writes to that CPU's ring; note whose id is whose. */
static int join_rings(struct fl_perf_set *set, struct fl_err *err)
{
    set->ids.v = calloc((size_t)set->n_cpus * FL_SRC_COUNT, sizeof *set->ids.v);
    if (!set->ids.v)
        return fl_nomem(err, "event ids");
    for (uint32_t i = 0; i < set->n_cpus; i++)
        for (int s = 0; s < FL_SRC_COUNT; s++) {
            int fd = set->cpus[i].fds[s];
            uint64_t id;
            if (fd < 0)
                continue;
            if (s != FL_SRC_TRACK &&
                ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, set->cpus[i].fds[FL_SRC_TRACK]) != 0)
                return fl_fail_errno(err, "joining perf's buffers");
            if (ioctl(fd, PERF_EVENT_IOC_ID, &id) != 0)
                return fl_fail_errno(err, "asking for a perf event's id");
            set->ids.v[set->ids.n++] =
                (struct fl_perf_id){ .id = id, .source = (enum fl_perf_source)s };
        }
    fl_perf_ids_sort(&set->ids);
    return FL_OK;
}

int fl_perf_open(struct fl_perf_set *set, pid_t pid, struct fl_err *err)
{
    *set = (struct fl_perf_set){ 0 };
    int rc = find_cpus(set, err);
    if (rc == FL_OK)
        rc = probe(set, pid, err);
    if (rc == FL_OK)
        rc = open_source(set, FL_SRC_TRACK, 0, pid, err);
    if (rc == FL_OK)
        rc = open_source(set, FL_SRC_MINOR, 0, pid, err);
    if (rc == FL_OK)
        rc = open_source(set, FL_SRC_MAJOR, 0, pid, err);
    if (rc != FL_OK)
        return rc;
    open_tracepoints(set, pid);
    rc = map_what_is_allowed(set, err);
    return rc == FL_OK ? join_rings(set, err) : rc;
}

int fl_perf_read(const struct fl_perf_set *set, struct fl_perf_sums *sums, struct fl_err *err)
{
    *sums = (struct fl_perf_sums){ 0 };
    for (uint32_t i = 0; i < set->n_cpus; i++)
        for (int s = 0; s < FL_SRC_COUNT; s++) {
            struct {
                uint64_t value, lost;
            } got = { 0 };
            size_t want = set->old_kernel ? sizeof got.value : sizeof got;
            int fd = set->cpus[i].fds[s];
            if (fd < 0)
                continue;
            ssize_t n = read(fd, &got, want);
            if (n != (ssize_t)want)
                return fl_fail_errno(err, "reading a perf event's count");
            sums->count[s] += got.value;
            sums->lost += got.lost;
        }
    return FL_OK;
}

void fl_perf_close(struct fl_perf_set *set)
{
    unmap_rings(set);
    for (int s = 0; s < FL_SRC_COUNT; s++)
        close_source(set, (enum fl_perf_source)s);
    free(set->ids.v);
    free(set->cpus);
    *set = (struct fl_perf_set){ 0 };
}
