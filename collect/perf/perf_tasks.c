/* SPDX-License-Identifier: GPL-2.0-or-later */
/* perf_tasks.c - processes and threads: how they start, exec and end, and their numbers. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "perf_tree_priv.h"

int fl_tree_emit(struct fl_tree *t, struct fl_event *ev, struct fl_err *err)
{
    ev->time_ns = t->now_ns;
    return t->io.emit(t->io.ctx, ev, err);
}

const char *fl_tree_shown(const struct fl_tree *t, const char *text)
{
    return t->opts.redact || !text ? "" : text;
}

/* One more slot at the end of a growing array; NULL: out of memory. */
static void *slot_add(void **array, size_t *n, size_t *room, size_t each)
{
    if (*n == *room) {
        size_t more = *room ? *room * 2 : 64;
        void *bigger = realloc(*array, more * each);
        if (!bigger)
            return NULL;
        *array = bigger;
        *room = more;
    }
    return (char *)*array + (*n)++ * each;
}

struct process *fl_process_find(const struct fl_tree *t, uint32_t pid)
{
    uint32_t i;
    return fl_idmap_get(&t->process_by_pid, pid, 0, 0, &i) ? &t->processes[i] : NULL;
}

struct thread *fl_thread_find(const struct fl_tree *t, uint32_t tid)
{
    uint32_t i;
    return fl_idmap_get(&t->thread_by_tid, tid, 0, 0, &i) ? &t->threads[i] : NULL;
}

static struct process *process_slot(struct fl_tree *t, uint32_t pid)
{
    struct process *p = fl_process_find(t, pid);
    if (p)
        return p;
    void *array = t->processes;
    p = slot_add(&array, &t->n_processes, &t->process_room, sizeof *p);
    t->processes = array;
    if (p)
        p->alive = false;
    if (p && !fl_idmap_put(&t->process_by_pid, pid, 0, 0, (uint32_t)(t->n_processes - 1)))
        p = NULL;
    return p;
}

static struct thread *thread_slot(struct fl_tree *t, uint32_t tid)
{
    struct thread *th = fl_thread_find(t, tid);
    if (th)
        return th;
    void *array = t->threads;
    th = slot_add(&array, &t->n_threads, &t->thread_room, sizeof *th);
    t->threads = array;
    if (th && !fl_idmap_put(&t->thread_by_tid, tid, 0, 0, (uint32_t)(t->n_threads - 1)))
        th = NULL;
    return th;
}

static void copy_comm(char to[16], const char *from)
{
    size_t n = strnlen(from, 15);
    memcpy(to, from, n);
    to[n] = 0;
}

/* A process appears: of @parent's memory, a copy of it or the same, or, with NULL, of its own. */
static int process_start(struct fl_tree *t, uint32_t pid, uint32_t ppid,
                         const struct process *parent, bool shares_mm, int32_t oom_score_adj,
                         const char *comm, uint32_t maker, struct fl_err *err)
{
    uint32_t parent_mm = parent ? parent->mm : FL_NO_MM;
    char name[16] = "";
    copy_comm(name, comm ? comm : parent ? parent->comm : "");
    struct process *p = process_slot(t, pid); /* may move the parent */
    if (!p)
        return fl_nomem(err, "process table");
    shares_mm = shares_mm && parent_mm != FL_NO_MM;
    if (p->alive && t->io.space_left) /* its end was lost, and its number is in use again */
        t->io.space_left(t->io.ctx, p->mm);
    *p = (struct process){ .pid = pid, .alive = true, .oom_score_adj = oom_score_adj };
    p->mm = shares_mm ? parent_mm : t->next_mm++;
    copy_comm(p->comm, name);
    t->counts.processes++;
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = maker };
    ev.process.pid = pid;
    ev.process.ppid = ppid;
    ev.process.mm = p->mm;
    ev.process.copied_mm = shares_mm ? FL_NO_MM : parent_mm;
    ev.process.oom_score_adj = oom_score_adj;
    ev.process.comm = fl_tree_shown(t, p->comm);
    uint32_t mm = p->mm;
    int rc = fl_tree_emit(t, &ev, err);
    return rc == FL_OK && t->io.space ? t->io.space(t->io.ctx, pid, mm, parent_mm, err) : rc;
}

static int thread_start(struct fl_tree *t, uint32_t pid, uint32_t tid, struct fl_err *err)
{
    struct process *p = fl_process_find(t, pid);
    struct thread *th = thread_slot(t, tid);
    if (!th || !p)
        return fl_nomem(err, "thread table");
    *th = (struct thread){ .pid = pid, .tid = tid, .index = t->next_thread++, .alive = true };
    p->live_threads++;
    t->counts.live_threads++;
    struct fl_event ev = { .kind = FL_EV_THREAD, .thread = th->index };
    ev.thread_start.pid = pid;
    ev.thread_start.tid = tid;
    return fl_tree_emit(t, &ev, err);
}

static int thread_end(struct fl_tree *t, struct thread *th, struct fl_err *err)
{
    th->alive = false;
    t->counts.live_threads--;
    if (th->tp_waiting && !th->tp_kernel)
        t->counts.failed++;
    struct process *p = fl_process_find(t, th->pid);
    if (p)
        p->live_threads--;
    struct fl_event ev = { .kind = FL_EV_THREAD_EXIT, .thread = th->index };
    return fl_tree_emit(t, &ev, err);
}

/* The thread a record is about, made up when its start was not seen. */
int fl_thread_of(struct fl_tree *t, uint32_t pid, uint32_t tid, const char *comm,
                 struct thread **out, struct fl_err *err)
{
    struct process *p = fl_process_find(t, pid);
    struct thread *th = fl_thread_find(t, tid);
    int rc = FL_OK;
    if (!p || !p->alive) {
        bool root = pid == t->opts.root_pid;
        if (!root || p)
            t->counts.unknown_records++;
        rc = process_start(t, pid, root ? t->opts.root_ppid : 0, NULL, false, t->opts.oom_score_adj,
                           comm, FL_NO_THREAD, err);
    }
    if (rc == FL_OK && th && th->alive && th->pid != pid)
        rc = thread_end(t, th, err); /* its end was lost, and its number is in use again */
    if (rc == FL_OK && (!th || !th->alive))
        rc = thread_start(t, pid, tid, err);
    *out = rc == FL_OK ? fl_thread_find(t, tid) : NULL;
    return rc;
}

int fl_tree_fork(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    struct thread *maker;
    int rc = fl_thread_of(t, rec->task.ppid, rec->task.ptid, NULL, &maker, err);
    if (rc != FL_OK)
        return rc;
    if (rec->pid != rec->task.ppid) {
        uint64_t flags = 0;
        if (!t->io.clone_flags || !t->io.clone_flags(t->io.ctx, rec->tid, &flags))
            t->counts.forks_unsure++;
        const struct process *parent = fl_process_find(t, rec->task.ppid);
        rc = process_start(t, rec->pid, rec->task.ppid, parent, flags & CLONE_VM,
                           parent->oom_score_adj, NULL, maker->index, err);
    }
    return rc == FL_OK ? thread_start(t, rec->pid, rec->tid, err) : rc;
}

static void space_left(struct fl_tree *t, uint32_t mm)
{
    if (t->io.space_left)
        t->io.space_left(t->io.ctx, mm);
}

int fl_tree_exit(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    struct thread *th = fl_thread_find(t, rec->tid);
    struct process *p = fl_process_find(t, rec->pid);
    if (!th || !th->alive || th->pid != rec->pid || !p || !p->alive) {
        t->counts.unknown_records++;
        return FL_OK;
    }
    int rc = thread_end(t, th, err);
    if (rc != FL_OK || p->live_threads)
        return rc;
    p->alive = false;
    space_left(t, p->mm);
    struct fl_event ev = { .kind = FL_EV_EXIT, .thread = th->index };
    ev.exit.pid = rec->pid;
    ev.exit.status = t->io.exit_status ? t->io.exit_status(t->io.ctx, rec->pid) : FL_EXIT_UNKNOWN;
    return fl_tree_emit(t, &ev, err);
}

/* exec leaves one thread, which takes the process's number for its own. */
static int on_exec(struct fl_tree *t, const struct fl_perf_rec *rec, struct thread *th,
                   struct fl_err *err)
{
    struct process *p = fl_process_find(t, rec->pid);
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && p->live_threads > 1 && i < t->n_threads; i++) {
        struct thread *other = &t->threads[i];
        if (other->alive && other->pid == rec->pid && other->tid != rec->tid)
            rc = thread_end(t, other, err);
    }
    if (rc != FL_OK)
        return rc;
    th->tp_waiting = false;
    uint32_t left = p->mm;
    p->mm = t->next_mm++;
    space_left(t, left);
    rc = t->io.space ? t->io.space(t->io.ctx, rec->pid, p->mm, FL_NO_MM, err) : FL_OK;
    if (rc != FL_OK)
        return rc;
    const char *path = t->io.exec_path ? t->io.exec_path(t->io.ctx, rec->pid) : NULL;
    struct fl_event ev = { .kind = FL_EV_EXEC, .thread = th->index };
    ev.exec.pid = rec->pid;
    ev.exec.mm = p->mm;
    ev.exec.path = fl_tree_shown(t, path ? path : rec->comm);
    return fl_tree_emit(t, &ev, err);
}

int fl_tree_comm(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    struct thread *th;
    int rc = fl_thread_of(t, rec->pid, rec->tid, rec->comm, &th, err);
    if (rc == FL_OK && rec->misc & PERF_RECORD_MISC_COMM_EXEC)
        rc = on_exec(t, rec, th, err);
    if (rc != FL_OK)
        return rc;
    if (rec->tid == rec->pid)
        copy_comm(fl_process_find(t, rec->pid)->comm, rec->comm);
    struct fl_event ev = { .kind = FL_EV_COMM, .thread = th->index };
    ev.comm.pid = rec->pid;
    ev.comm.tid = rec->tid;
    ev.comm.comm = fl_tree_shown(t, rec->comm);
    return fl_tree_emit(t, &ev, err);
}

int fl_tree_seen(struct fl_tree *t, const struct fl_tree_task *task, struct fl_err *err)
{
    const struct process *p = fl_process_find(t, task->pid);
    int rc = FL_OK;
    if (!p || !p->alive)
        rc = process_start(t, task->pid, task->ppid, NULL, false, task->oom_score_adj, task->comm,
                           FL_NO_THREAD, err);
    const struct thread *th = fl_thread_find(t, task->tid);
    return rc == FL_OK && !(th && th->alive) ? thread_start(t, task->pid, task->tid, err) : rc;
}

uint64_t fl_tree_now(const struct fl_tree *t)
{
    return t->now_ns;
}

uint32_t fl_tree_thread(const struct fl_tree *t, uint32_t tid)
{
    const struct thread *th = fl_thread_find(t, tid);
    return th && th->alive ? th->index : FL_NO_THREAD;
}

uint32_t fl_tree_space(const struct fl_tree *t, uint32_t pid)
{
    const struct process *p = fl_process_find(t, pid);
    return p && p->alive ? p->mm : FL_NO_MM;
}
