/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_tree.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "perf_idmap.h"
#include "perf_map.h"

struct process {
    uint32_t pid, mm;
    uint32_t live_threads;
    bool alive, has_run_exec;
    char comm[16];
};

struct thread {
    uint32_t pid, tid, index;
    bool alive;
    bool tp_waiting; /* an exception was announced and no fault has followed yet */
    bool tp_kernel;
    uint64_t tp_address, tp_error_code;
};

struct fl_tree {
    struct fl_tree_opts opts;
    struct fl_tree_io io;
    struct fl_tree_counts counts;
    struct fl_idmap process_by_pid, thread_by_tid, file_by_id;
    struct process *processes; /* one slot a pid; a pid used again takes its old slot */
    struct thread *threads;    /* likewise, by tid */
    size_t n_processes, process_room, n_threads, thread_room;
    uint32_t next_thread, next_mm, next_file;
    uint64_t now_ns;
};

struct fl_tree *fl_tree_new(const struct fl_tree_opts *opts, const struct fl_tree_io *io)
{
    struct fl_tree *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->opts = *opts;
    t->io = *io;
    return t;
}

void fl_tree_free(struct fl_tree *t)
{
    if (!t)
        return;
    fl_idmap_clear(&t->process_by_pid);
    fl_idmap_clear(&t->thread_by_tid);
    fl_idmap_clear(&t->file_by_id);
    free(t->processes);
    free(t->threads);
    free(t);
}

const struct fl_tree_counts *fl_tree_counts(const struct fl_tree *t)
{
    return &t->counts;
}

static int emit(struct fl_tree *t, struct fl_event *ev, struct fl_err *err)
{
    ev->time_ns = t->now_ns;
    return t->io.emit(t->io.ctx, ev, err);
}

static const char *shown(const struct fl_tree *t, const char *text)
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

static struct process *process_find(struct fl_tree *t, uint32_t pid)
{
    uint32_t i;
    return fl_idmap_get(&t->process_by_pid, pid, 0, 0, &i) ? &t->processes[i] : NULL;
}

static struct thread *thread_find(struct fl_tree *t, uint32_t tid)
{
    uint32_t i;
    return fl_idmap_get(&t->thread_by_tid, tid, 0, 0, &i) ? &t->threads[i] : NULL;
}

static struct process *process_slot(struct fl_tree *t, uint32_t pid)
{
    struct process *p = process_find(t, pid);
    if (p)
        return p;
    void *array = t->processes;
    p = slot_add(&array, &t->n_processes, &t->process_room, sizeof *p);
    t->processes = array;
    if (p && !fl_idmap_put(&t->process_by_pid, pid, 0, 0, (uint32_t)(t->n_processes - 1)))
        p = NULL;
    return p;
}

static struct thread *thread_slot(struct fl_tree *t, uint32_t tid)
{
    struct thread *th = thread_find(t, tid);
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

/* A process appears, as a copy of @parent or, with NULL, from somewhere we did not see. */
static int process_start(struct fl_tree *t, uint32_t pid, uint32_t ppid, bool shares_mm,
                         const char *comm, uint32_t maker, struct fl_err *err)
{
    uint32_t parent_mm = FL_NO_MM;
    const struct process *parent = process_find(t, ppid);
    if (parent && parent->alive)
        parent_mm = parent->mm;
    char name[16] = "";
    copy_comm(name, comm ? comm : parent ? parent->comm : "");
    struct process *p = process_slot(t, pid); /* may move the parent */
    if (!p)
        return fl_nomem(err, "process table");
    shares_mm = shares_mm && parent_mm != FL_NO_MM;
    *p = (struct process){ .pid = pid, .alive = true };
    p->mm = shares_mm ? parent_mm : t->next_mm++;
    copy_comm(p->comm, name);
    t->counts.processes++;
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = maker };
    ev.process.pid = pid;
    ev.process.ppid = ppid;
    ev.process.mm = p->mm;
    ev.process.copied_mm = shares_mm ? FL_NO_MM : parent_mm;
    ev.process.oom_score_adj = t->opts.oom_score_adj;
    ev.process.comm = shown(t, p->comm);
    return emit(t, &ev, err);
}

static int thread_start(struct fl_tree *t, uint32_t pid, uint32_t tid, struct fl_err *err)
{
    struct process *p = process_find(t, pid);
    struct thread *th = thread_slot(t, tid);
    if (!th || !p)
        return fl_nomem(err, "thread table");
    *th = (struct thread){ .pid = pid, .tid = tid, .index = t->next_thread++, .alive = true };
    p->live_threads++;
    t->counts.live_threads++;
    struct fl_event ev = { .kind = FL_EV_THREAD, .thread = th->index };
    ev.thread_start.pid = pid;
    ev.thread_start.tid = tid;
    return emit(t, &ev, err);
}

static int thread_end(struct fl_tree *t, struct thread *th, struct fl_err *err)
{
    th->alive = false;
    t->counts.live_threads--;
    if (th->tp_waiting && !th->tp_kernel)
        t->counts.failed++;
    struct process *p = process_find(t, th->pid);
    if (p)
        p->live_threads--;
    struct fl_event ev = { .kind = FL_EV_THREAD_EXIT, .thread = th->index };
    return emit(t, &ev, err);
}

/* The thread a record is about, made up when its start was not seen. */
static int thread_of(struct fl_tree *t, uint32_t pid, uint32_t tid, const char *comm,
                     struct thread **out, struct fl_err *err)
{
    struct process *p = process_find(t, pid);
    struct thread *th = thread_find(t, tid);
    int rc = FL_OK;
    if (!p || !p->alive) {
        bool root = pid == t->opts.root_pid;
        if (!root || p)
            t->counts.unknown_records++;
        rc = process_start(t, pid, root ? t->opts.root_ppid : 0, false, comm, FL_NO_THREAD, err);
    }
    if (rc == FL_OK && th && th->alive && th->pid != pid)
        rc = thread_end(t, th, err); /* its end was lost, and its number is in use again */
    if (rc == FL_OK && (!th || !th->alive))
        rc = thread_start(t, pid, tid, err);
    *out = rc == FL_OK ? thread_find(t, tid) : NULL;
    return rc;
}

static int on_fork(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    struct thread *maker;
    int rc = thread_of(t, rec->task.ppid, rec->task.ptid, NULL, &maker, err);
    if (rc != FL_OK)
        return rc;
    if (rec->pid != rec->task.ppid) {
        uint64_t flags = 0;
        if (!t->io.clone_flags || !t->io.clone_flags(t->io.ctx, rec->tid, &flags))
            t->counts.forks_unsure++;
        rc = process_start(t, rec->pid, rec->task.ppid, flags & CLONE_VM, NULL, maker->index, err);
    }
    return rc == FL_OK ? thread_start(t, rec->pid, rec->tid, err) : rc;
}

static int on_task_exit(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    struct thread *th = thread_find(t, rec->tid);
    struct process *p = process_find(t, rec->pid);
    if (!th || !th->alive || th->pid != rec->pid || !p || !p->alive) {
        t->counts.unknown_records++;
        return FL_OK;
    }
    int rc = thread_end(t, th, err);
    if (rc != FL_OK || p->live_threads)
        return rc;
    p->alive = false;
    struct fl_event ev = { .kind = FL_EV_EXIT, .thread = th->index };
    ev.exit.pid = rec->pid;
    ev.exit.status = t->io.exit_status ? t->io.exit_status(t->io.ctx, rec->pid) : FL_EXIT_UNKNOWN;
    return emit(t, &ev, err);
}

/* exec leaves one thread, which takes the process's number for its own. */
static int on_exec(struct fl_tree *t, const struct fl_perf_rec *rec, struct thread *th,
                   struct fl_err *err)
{
    struct process *p = process_find(t, rec->pid);
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && p->live_threads > 1 && i < t->n_threads; i++) {
        struct thread *other = &t->threads[i];
        if (other->alive && other->pid == rec->pid && other->tid != rec->tid)
            rc = thread_end(t, other, err);
    }
    if (rc != FL_OK)
        return rc;
    th->tp_waiting = false;
    p->mm = t->next_mm++;
    const char *path = t->io.exec_path ? t->io.exec_path(t->io.ctx, rec->pid) : NULL;
    struct fl_event ev = { .kind = FL_EV_EXEC, .thread = th->index };
    ev.exec.pid = rec->pid;
    ev.exec.mm = p->mm;
    ev.exec.path = shown(t, path ? path : rec->comm);
    return emit(t, &ev, err);
}

static int on_comm(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    struct thread *th;
    int rc = thread_of(t, rec->pid, rec->tid, rec->comm, &th, err);
    if (rc == FL_OK && rec->misc & PERF_RECORD_MISC_COMM_EXEC)
        rc = on_exec(t, rec, th, err);
    if (rc != FL_OK)
        return rc;
    if (rec->tid == rec->pid)
        copy_comm(process_find(t, rec->pid)->comm, rec->comm);
    struct fl_event ev = { .kind = FL_EV_COMM, .thread = th->index };
    ev.comm.pid = rec->pid;
    ev.comm.tid = rec->tid;
    ev.comm.comm = shown(t, rec->comm);
    return emit(t, &ev, err);
}

/* The number of the mapped file; defines it at its first mapping. */
static int file_of(struct fl_tree *t, const struct fl_perf_rec *rec, uint32_t thread,
                   const char *path, uint32_t *file, struct fl_err *err)
{
    uint64_t dev = fl_map_dev(rec), ino = rec->mmap.ino, gen = rec->mmap.ino_generation;
    if (fl_idmap_get(&t->file_by_id, dev, ino, gen, file))
        return FL_OK;
    *file = t->next_file++;
    if (!fl_idmap_put(&t->file_by_id, dev, ino, gen, *file))
        return fl_nomem(err, "file table");
    struct fl_event ev = { .kind = FL_EV_FILE, .thread = thread };
    ev.file.file = *file;
    ev.file.dev = dev;
    ev.file.ino = ino;
    ev.file.size_bytes = t->io.file_size ? t->io.file_size(t->io.ctx, rec->mmap.path, dev, ino) : 0;
    ev.file.path = shown(t, path);
    return emit(t, &ev, err);
}

static int on_mmap(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    struct thread *th;
    struct fl_map_view view;
    if (!rec->mmap.length || rec->mmap.start + rec->mmap.length < rec->mmap.start ||
        (rec->mmap.start | rec->mmap.length) & 0xfff) {
        t->counts.unknown_records++;
        return FL_OK;
    }
    int rc = thread_of(t, rec->pid, rec->tid, NULL, &th, err);
    if (rc != FL_OK)
        return rc;
    char name[FL_MAP_NAME_BYTES];
    fl_map_classify(rec, name, &view);
    uint32_t file = FL_NO_FILE;
    if (view.has_file)
        rc = file_of(t, rec, th->index, view.path, &file, err);
    if (rc != FL_OK)
        return rc;
    struct fl_event ev = { .kind = FL_EV_MAP, .thread = th->index };
    ev.map.mm = process_find(t, rec->pid)->mm;
    ev.map.prot = rec->mmap.prot & (FL_PROT_READ | FL_PROT_WRITE | FL_PROT_EXEC);
    ev.map.flags = view.flags;
    ev.map.file = file;
    ev.map.start = rec->mmap.start;
    ev.map.length = rec->mmap.length;
    ev.map.offset = view.has_file ? rec->mmap.offset : 0;
    return emit(t, &ev, err);
}

static void on_tracepoint(struct fl_tree *t, const struct fl_perf_rec *rec)
{
    struct thread *th = thread_find(t, rec->tid);
    bool kernel = rec->source == FL_SRC_TP_KERNEL;
    if (rec->source == FL_SRC_TP_NEWTASK || !th || !th->alive)
        return; /* newtask was looked at ahead, when the task appeared */
    if (th->tp_waiting && !th->tp_kernel)
        t->counts.failed++;
    th->tp_kernel = kernel;
    th->tp_waiting = fl_tp_get(rec->tp.raw, rec->tp.raw_bytes, &t->opts.fields.address[kernel],
                               &th->tp_address) &&
                     fl_tp_get(rec->tp.raw, rec->tp.raw_bytes, &t->opts.fields.error_code[kernel],
                               &th->tp_error_code);
}

/* x86's page fault error code, as arch/x86/include/asm/trap_pf.h numbers it. */
enum { ERROR_PRESENT = 1, ERROR_WRITE = 2, ERROR_FETCH = 16 };

static uint32_t access_flags(struct fl_tree *t, struct thread *th, uint64_t address)
{
    if (!th->tp_waiting || th->tp_address != address)
        return 0;
    uint64_t code = th->tp_error_code;
    th->tp_waiting = false;
    t->counts.access_known++;
    return FL_FAULT_HAS_ACCESS | (code & ERROR_PRESENT ? (uint32_t)FL_FAULT_PRESENT : 0) |
           (code & ERROR_WRITE ? (uint32_t)FL_FAULT_WRITE : 0) |
           (code & ERROR_FETCH ? (uint32_t)FL_FAULT_EXEC : 0);
}

static int on_fault(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    struct thread *th;
    int rc = thread_of(t, rec->pid, rec->tid, NULL, &th, err);
    if (rc != FL_OK)
        return rc;
    bool major = rec->source == FL_SRC_MAJOR;
    bool kernel = (rec->misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
    struct fl_event ev = { .kind = FL_EV_FAULT, .thread = th->index };
    ev.fault.address = rec->fault.address;
    ev.fault.ip = rec->fault.ip;
    ev.fault.code = FL_NO_CODE;
    ev.fault.stack = FL_NO_STACK;
    ev.fault.flags = major ? FL_FAULT_MAJOR : FL_FAULT_MINOR;
    ev.fault.flags |= kernel ? (uint32_t)FL_FAULT_KERNEL : 0;
    ev.fault.flags |= access_flags(t, th, rec->fault.address);
    t->counts.minor += !major;
    t->counts.major += major;
    t->counts.kernel_mode += kernel;
    return emit(t, &ev, err);
}

static int emit_lost(struct fl_tree *t, uint64_t count, struct fl_err *err)
{
    struct fl_event ev = { .kind = FL_EV_LOST, .thread = FL_NO_THREAD };
    ev.lost.count = count;
    t->counts.lost += count;
    return count ? emit(t, &ev, err) : FL_OK;
}

static void advance(struct fl_tree *t, uint64_t time_ns)
{
    uint64_t since = time_ns > t->opts.start_ns ? time_ns - t->opts.start_ns : 0;
    if (since > t->now_ns)
        t->now_ns = since;
}

int fl_tree_lost(struct fl_tree *t, uint64_t time_ns, uint64_t count, struct fl_err *err)
{
    advance(t, time_ns);
    return emit_lost(t, count, err);
}

int fl_tree_push(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    advance(t, rec->time_ns);
    switch (rec->type) {
    case PERF_RECORD_SAMPLE:
        if (rec->source == FL_SRC_MINOR || rec->source == FL_SRC_MAJOR)
            return on_fault(t, rec, err);
        if (rec->source >= FL_SRC_TP_USER)
            on_tracepoint(t, rec);
        return FL_OK;
    case PERF_RECORD_FORK: return on_fork(t, rec, err);
    case PERF_RECORD_EXIT: return on_task_exit(t, rec, err);
    case PERF_RECORD_COMM: return on_comm(t, rec, err);
    case PERF_RECORD_MMAP2: return on_mmap(t, rec, err);
    case PERF_RECORD_LOST:
    case PERF_RECORD_LOST_SAMPLES: return emit_lost(t, rec->lost, err);
    case PERF_RECORD_THROTTLE: t->counts.throttled++; return FL_OK;
    case PERF_RECORD_UNTHROTTLE: return FL_OK;
    default: t->counts.unknown_records++; return FL_OK;
    }
}
