/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process tree, by children files where the kernel has them, else by parents. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/proc.h>
#include <faultline/units.h>

#include "proc_file.h"
#include "proc_text.h"

#define TREE_SCANS 8
#define MACHINE_SCANS 3        /* something always starts and ends */
#define IS_KTHREAD 0x00200000u /* PF_KTHREAD of include/linux/sched.h */

/* One look at everything: the processes in the order they were found, and their threads. */
struct scan {
    const char *root;
    struct fl_proc_task *task;
    size_t n, room;
    uint32_t *pid;
    size_t n_pids, pid_room;
    uint8_t *seen; /* a bit a pid: a child may be told by two parents, or be its own */
};

struct parent {
    uint32_t pid, ppid;
};

static void scan_free(struct scan *s)
{
    free(s->task);
    free(s->pid);
    free(s->seen);
    *s = (struct scan){ 0 };
}

/* Room for one more of @size bytes. */
static bool grow(void **array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return true;
    size_t wanted = *room ? 2 * *room : 64;
    void *more = realloc(*array, wanted * size);
    if (more)
        *array = more, *room = wanted;
    return more != NULL;
}

static bool add_pid(struct scan *s, uint64_t pid)
{
    if (pid == 0 || pid > FL_PROC_PID_MAX || s->seen[pid / 8] >> pid % 8 & 1)
        return true;
    if (!grow((void **)&s->pid, s->n_pids, &s->pid_room, sizeof *s->pid))
        return false;
    s->seen[pid / 8] = (uint8_t)(s->seen[pid / 8] | 1u << pid % 8);
    s->pid[s->n_pids++] = (uint32_t)pid;
    return true;
}

/* Returns: false when the process or thread is gone, or its line makes no sense. */
static bool read_stat(const char *root, uint32_t pid, uint32_t tid, struct text_stat *out)
{
    size_t len;
    char *text = proc_read((struct proc_at){ root, pid, tid, "stat" }, PROC_SMALL_BYTES, &len);
    bool ok = text && text_stat(text, len, out);
    free(text);
    return ok;
}

static int32_t oom_score_adj(const char *root, uint32_t pid)
{
    uint64_t n = 0;
    char *text =
        proc_read((struct proc_at){ root, pid, 0, "oom_score_adj" }, PROC_SMALL_BYTES, NULL);
    const char *p = text ? text + (*text == '-') : "";
    bool negative = text && *text == '-';
    if (!text_number(&p, p + strlen(p), 10, &n) || n > 1000)
        n = 0;
    free(text);
    return negative ? -(int32_t)n : (int32_t)n;
}

static uint64_t ticks_ns(uint64_t ticks)
{
    uint64_t ns, tick_ns = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
    return __builtin_mul_overflow(ticks, tick_ns, &ns) ? UINT64_MAX : ns;
}

static int add_thread(struct scan *s, uint32_t pid, uint32_t tid, int32_t adj)
{
    struct text_stat stat;
    if (!read_stat(s->root, pid, tid, &stat))
        return 0;
    if (!grow((void **)&s->task, s->n, &s->room, sizeof *s->task))
        return ENOMEM;
    struct fl_proc_task *t = &s->task[s->n++];
    *t = (struct fl_proc_task){ .pid = pid,
                                .tid = tid,
                                .ppid = stat.ppid,
                                .oom_score_adj = adj,
                                .start_ns = ticks_ns(stat.start_ticks),
                                .is_kernel_thread = (stat.flags & IS_KTHREAD) != 0,
                                .state = stat.state };
    memcpy(t->comm, stat.comm, sizeof t->comm);
    return 0;
}

/* The pids in a children file. */
static int add_children(struct scan *s, uint32_t pid, uint32_t tid)
{
    size_t len;
    char *text =
        proc_read((struct proc_at){ s->root, pid, tid, "children" }, PROC_LARGE_BYTES, &len);
    if (!text)
        return errno == ENOMEM ? ENOMEM : 0;
    uint64_t child;
    int failed = 0;
    for (const char *p = text; !failed && text_number(&p, text + len, 10, &child); p += *p == ' ')
        if (!add_pid(s, child))
            failed = ENOMEM;
    free(text);
    return failed;
}

/* All threads of a process; nothing when it is gone. */
static int add_process(struct scan *s, uint32_t pid, bool with_children)
{
    uint32_t *tid;
    size_t n;
    int failed = proc_numbers((struct proc_at){ s->root, pid, 0, "task" }, &tid, &n);
    if (failed)
        return failed == ENOMEM ? ENOMEM : 0;
    int32_t adj = oom_score_adj(s->root, pid);
    size_t first = 0; /* pids wrap around: the first thread need not have the lowest number */
    while (first < n && tid[first] != pid)
        first++;
    if (first < n) {
        memmove(tid + 1, tid, first * sizeof *tid);
        tid[0] = pid;
    }
    for (size_t i = 0; i < n && !failed; i++) {
        failed = add_thread(s, pid, tid[i], adj);
        if (!failed && with_children)
            failed = add_children(s, pid, tid[i]);
    }
    free(tid);
    return failed;
}

/* Every process and its parent, malloc'ed. */
static int all_parents(const char *root, struct parent **out, size_t *n)
{
    uint32_t *pid;
    size_t n_pids;
    *out = NULL, *n = 0;
    int failed = proc_numbers((struct proc_at){ root, 0, 0, "" }, &pid, &n_pids);
    if (failed)
        return failed;
    *out = calloc(n_pids ? n_pids : 1, sizeof **out);
    for (size_t i = 0; *out && i < n_pids; i++) {
        struct text_stat stat;
        if (read_stat(root, pid[i], 0, &stat))
            (*out)[(*n)++] = (struct parent){ pid[i], stat.ppid };
    }
    free(pid);
    return *out ? 0 : ENOMEM;
}

/* For kernels without CONFIG_PROC_CHILDREN. */
static int add_tree_by_parents(struct scan *s)
{
    struct parent *parent;
    size_t n;
    int failed = all_parents(s->root, &parent, &n);
    for (size_t i = 0; i < s->n_pids && !failed; i++) {
        failed = add_process(s, s->pid[i], false);
        for (size_t k = 0; k < n && !failed; k++)
            if (parent[k].ppid == s->pid[i] && !add_pid(s, parent[k].pid))
                failed = ENOMEM;
    }
    free(parent);
    return failed;
}

static int add_tree(struct scan *s, uint32_t pid)
{
    int fd = proc_open((struct proc_at){ s->root, pid, pid, "children" }, 0), failed = 0;
    if (!add_pid(s, pid))
        return ENOMEM;
    if (fd < 0)
        return add_tree_by_parents(s);
    close(fd);
    for (size_t i = 0; i < s->n_pids && !failed; i++)
        failed = add_process(s, s->pid[i], true);
    return failed;
}

static int add_machine(struct scan *s)
{
    uint32_t *pid;
    size_t n;
    int failed = proc_numbers((struct proc_at){ s->root, 0, 0, "" }, &pid, &n);
    for (size_t i = 0; i < n && !failed; i++)
        failed = add_process(s, pid[i], false);
    free(pid);
    return failed;
}

static int scan(const char *root, uint32_t pid, struct scan *s)
{
    *s = (struct scan){ .root = root, .seen = calloc(FL_PROC_PID_MAX / 8 + 1, 1) };
    if (!s->seen)
        return ENOMEM;
    return pid ? add_tree(s, pid) : add_machine(s);
}

static bool same(const struct scan *a, const struct scan *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->task[i].pid != b->task[i].pid || a->task[i].tid != b->task[i].tid ||
            a->task[i].start_ns != b->task[i].start_ns)
            return false;
    return true;
}

int fl_proc_tasks(const char *root, uint32_t pid, struct fl_proc_tasks *out, struct fl_err *err)
{
    struct scan last = { 0 };
    bool settled = false;
    unsigned scans = 0, most = pid ? TREE_SCANS : MACHINE_SCANS;
    *out = (struct fl_proc_tasks){ 0 };
    int rc = pid ? fl_proc_check(root, pid, err) : FL_OK;
    if (rc != FL_OK)
        return rc;
    while (scans < most && !settled) {
        struct scan now;
        int failed = scan(root, pid, &now);
        if (failed) {
            scan_free(&now);
            scan_free(&last);
            return pid || failed == ENOMEM
                       ? proc_fail(err, pid, failed)
                       : fl_fail(err, FL_EMACHINE, "cannot list %s: %s; mount -t proc proc %s",
                                 root, strerror(failed), root);
        }
        settled = scans > 0 && same(&now, &last);
        scan_free(&last);
        last = now;
        scans++;
    }
    if (pid && last.n == 0) { /* it ended meanwhile */
        scan_free(&last);
        return proc_fail(err, pid, ESRCH);
    }
    *out = (struct fl_proc_tasks){ last.task, last.n, scans, settled };
    last.task = NULL;
    scan_free(&last);
    return FL_OK;
}

void fl_proc_tasks_free(struct fl_proc_tasks *tasks)
{
    if (!tasks)
        return;
    free(tasks->task);
    *tasks = (struct fl_proc_tasks){ 0 };
}

/* ---- whether at all ---------------------------------------------------------------------- */

static int usage(struct fl_err *err, int number, const char *fmt, uint32_t pid, uint32_t other)
{
    int rc = fl_fail(err, FL_EUSAGE, fmt, pid, other);
    if (err)
        err->sys_errno = number;
    return rc;
}

int fl_proc_check(const char *root, uint32_t pid, struct fl_err *err)
{
    struct text_stat stat;
    uint64_t process = pid;
    char *status = proc_read((struct proc_at){ root, pid, 0, "status" }, PROC_SMALL_BYTES, NULL);
    if (!status)
        return proc_fail(err, pid, pid && pid <= FL_PROC_PID_MAX ? errno : ESRCH);
    text_field(status, "Tgid", &process);
    free(status);
    if (process != pid && process <= UINT32_MAX)
        return usage(err, 0, "%" PRIu32 " is a thread of process %" PRIu32 "; name the process",
                     pid, (uint32_t)process);
    if (!read_stat(root, pid, 0, &stat))
        return proc_fail(err, pid, ESRCH);
    if (stat.flags & IS_KTHREAD)
        return usage(err, 0,
                     "%" PRIu32 " is a thread of the kernel and has no memory of its own; name a "
                     "program's process",
                     pid, 0);
    if ((stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1)
        return usage(err, ESRCH,
                     "process %" PRIu32 " has ended and only waits for its parent; name one that "
                     "runs",
                     pid, 0);
    int fd = proc_open((struct proc_at){ root, pid, 0, "maps" }, 0);
    if (fd < 0)
        return proc_fail(err, pid, errno);
    close(fd);
    return FL_OK;
}
