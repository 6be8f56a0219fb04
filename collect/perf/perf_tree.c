/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_tree.h"

#include <stdlib.h>

#include <faultline/datasrc.h>

#include "perf_map.h"
#include "perf_tree_priv.h"

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
    fl_throttles_clear(&t->throttles);
    free(t->processes);
    free(t->threads);
    free(t);
}

const struct fl_tree_counts *fl_tree_counts(const struct fl_tree *t)
{
    return &t->counts;
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
    ev.file.path = fl_tree_shown(t, path);
    return fl_tree_emit(t, &ev, err);
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
    int rc = fl_thread_of(t, rec->pid, rec->tid, NULL, &th, err);
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
    ev.map.mm = fl_process_find(t, rec->pid)->mm;
    ev.map.prot = rec->mmap.prot & (FL_PROT_READ | FL_PROT_WRITE | FL_PROT_EXEC);
    ev.map.flags = view.flags;
    ev.map.file = file;
    ev.map.start = rec->mmap.start;
    ev.map.length = rec->mmap.length;
    ev.map.offset = view.has_file ? rec->mmap.offset : 0;
    rc = fl_tree_emit(t, &ev, err);
    return rc == FL_OK && t->io.mapped ? t->io.mapped(t->io.ctx, &ev, rec, err) : rc;
}

static void on_tracepoint(struct fl_tree *t, const struct fl_perf_rec *rec)
{
    struct thread *th = fl_thread_find(t, rec->tid);
    bool kernel = rec->source == FL_SRC_TP_KERNEL;
    if (!th || !th->alive)
        return;
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

static int place(struct fl_tree *t, const struct fl_perf_rec *rec, uint32_t thread, uint32_t *code,
                 uint32_t *stack, struct fl_err *err)
{
    const struct process *p = fl_process_find(t, rec->pid);
    *code = FL_NO_CODE;
    *stack = FL_NO_STACK;
    return t->io.place && p ? t->io.place(t->io.ctx, p->mm, thread, rec, code, stack, err) : FL_OK;
}

uint64_t fl_tree_throttled(const struct fl_tree *t, uint32_t index, uint64_t end_ns, uint64_t *ns)
{
    return fl_throttles_sum(&t->throttles, FL_SRC_SAMPLE, index, end_ns, ns);
}

/* What kind of access it was, where the processor says. */
static uint32_t sample_flags(const struct fl_perf_rec *rec)
{
    union perf_mem_data_src source = { .val = rec->access.data_source };
    return (source.mem_op & PERF_MEM_OP_LOAD ? (uint32_t)FL_SAMPLE_READ : 0) |
           (source.mem_op & PERF_MEM_OP_STORE ? (uint32_t)FL_SAMPLE_WRITE : 0) |
           (fl_perf_in_kernel(rec) ? (uint32_t)FL_SAMPLE_KERNEL : 0) |
           (rec->misc & PERF_RECORD_MISC_EXACT_IP ? (uint32_t)FL_SAMPLE_EXACT_IP : 0);
}

/* Whose sample it is; NULL: nobody's that is known. */
static int sampled_thread(struct fl_tree *t, struct fl_perf_rec *rec, struct thread **th,
                          struct fl_err *err)
{
    if (rec->pid != FL_PID_OF_TID)
        return fl_thread_of(t, rec->pid, rec->tid, NULL, th, err);
    *th = fl_thread_find(t, rec->tid);
    if (*th && (*th)->alive) {
        rec->pid = (*th)->pid;
        return FL_OK;
    }
    *th = NULL;
    t->counts.unknown_records++;
    return FL_OK;
}

/* The kernel has a number for "nothing is known" too. */
static uint64_t told(uint64_t data_source)
{
    const struct fl_datasrc nothing = { 0 };
    struct fl_datasrc d;
    fl_datasrc_decode(data_source, &d);
    return fl_datasrc_encode(&d) != fl_datasrc_encode(&nothing) ? data_source : 0;
}

static int on_sample(struct fl_tree *t, const struct fl_perf_rec *given, struct fl_err *err)
{
    struct thread *th = NULL;
    struct fl_event ev = { .kind = FL_EV_SAMPLE };
    struct fl_perf_rec own = *given, *rec = &own;
    bool keep = true;
    if (!t->io.sample)
        return FL_OK;
    int rc = t->io.sample(t->io.ctx, rec, &keep, &ev.sample.event, err);
    if (rc == FL_OK && keep)
        rc = sampled_thread(t, rec, &th, err);
    if (rc != FL_OK || !keep || !th)
        return rc;
    ev.thread = th->index;
    rc = place(t, rec, th->index, &ev.sample.code, &ev.sample.stack, err);
    if (rc != FL_OK)
        return rc;
    ev.sample.flags = sample_flags(rec);
    ev.sample.address = rec->access.address;
    ev.sample.ip = rec->access.ip;
    ev.sample.period = rec->access.period;
    ev.sample.data_source = told(rec->access.data_source);
    ev.sample.weight = rec->access.weight;
    ev.sample.physical = rec->access.physical;
    t->counts.samples++;
    return fl_tree_emit(t, &ev, err);
}

static int on_fault(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    struct thread *th;
    int rc = fl_thread_of(t, rec->pid, rec->tid, NULL, &th, err);
    if (rc != FL_OK)
        return rc;
    bool major = rec->source == FL_SRC_MAJOR;
    bool kernel = fl_perf_in_kernel(rec);
    struct fl_event ev = { .kind = FL_EV_FAULT, .thread = th->index };
    ev.fault.address = rec->access.address;
    ev.fault.ip = rec->access.ip;
    rc = place(t, rec, th->index, &ev.fault.code, &ev.fault.stack, err);
    if (rc != FL_OK)
        return rc;
    ev.fault.flags = major ? FL_FAULT_MAJOR : FL_FAULT_MINOR;
    ev.fault.flags |= kernel ? (uint32_t)FL_FAULT_KERNEL : 0;
    ev.fault.flags |= access_flags(t, th, rec->access.address);
    t->counts.minor += !major;
    t->counts.major += major;
    t->counts.kernel_mode += kernel;
    return fl_tree_emit(t, &ev, err);
}

static int emit_lost(struct fl_tree *t, uint64_t count, struct fl_err *err)
{
    struct fl_event ev = { .kind = FL_EV_LOST, .thread = FL_NO_THREAD };
    ev.lost.count = count;
    t->counts.lost += count;
    return count ? fl_tree_emit(t, &ev, err) : FL_OK;
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

/*
 * A task that another one started while both were being attached to has two sets of events, its
 * own and the one it inherited. Each is complete from its first record on: keep that of the first.
 */
static bool seen_twice(struct fl_tree *t, const struct fl_perf_rec *rec)
{
    struct thread *th = rec->source == FL_SRC_PROBE ? NULL : fl_thread_find(t, rec->by_tid);
    if (!th || !th->alive || rec->watch == FL_WATCH_ANY)
        return false;
    if (!th->watched)
        th->watch = rec->watch;
    th->watched = true;
    return th->watch != rec->watch;
}

static int on_event(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    switch (rec->source) {
    case FL_SRC_MINOR:
    case FL_SRC_MAJOR: return on_fault(t, rec, err);
    case FL_SRC_SAMPLE: return on_sample(t, rec, err);
    case FL_SRC_PROBE:
        return t->io.probe
                   ? t->io.probe(t->io.ctx, rec, fl_tree_thread(t, rec->tid), t->now_ns, err)
                   : FL_OK;
    case FL_SRC_TP_USER:
    case FL_SRC_TP_KERNEL: on_tracepoint(t, rec); return FL_OK;
    default: return FL_OK; /* a new task's flags were looked at ahead, when it appeared */
    }
}

static int on_throttle(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    t->counts.throttled += rec->type == PERF_RECORD_THROTTLE;
    t->counts.throttled_by[rec->source] += rec->type == PERF_RECORD_THROTTLE;
    return fl_throttles_record(&t->throttles, rec) ? FL_OK : fl_nomem(err, "throttled events");
}

static void on_aux(struct fl_tree *t, const struct fl_perf_rec *rec)
{
    t->counts.collisions += (rec->aux_flags & PERF_AUX_FLAG_COLLISION) != 0;
    t->counts.truncations += (rec->aux_flags & PERF_AUX_FLAG_TRUNCATED) != 0;
}

#define NO_TASK UINT32_MAX /* the record is of a task that has been buried already */

int fl_tree_push(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err)
{
    advance(t, rec->time_ns);
    bool loss = rec->type == PERF_RECORD_LOST || rec->type == PERF_RECORD_LOST_SAMPLES;
    if (!loss && (rec->pid == NO_TASK || seen_twice(t, rec)))
        return FL_OK;
    switch (rec->type) {
    case PERF_RECORD_SAMPLE: return on_event(t, rec, err);
    case PERF_RECORD_FORK: return fl_tree_fork(t, rec, err);
    case PERF_RECORD_EXIT: return fl_tree_exit(t, rec, err);
    case PERF_RECORD_COMM: return fl_tree_comm(t, rec, err);
    case PERF_RECORD_MMAP2: return on_mmap(t, rec, err);
    case PERF_RECORD_LOST:
    case PERF_RECORD_LOST_SAMPLES: return emit_lost(t, rec->lost, err);
    case PERF_RECORD_THROTTLE:
    case PERF_RECORD_UNTHROTTLE: return on_throttle(t, rec, err);
    case PERF_RECORD_AUX: on_aux(t, rec); return FL_OK;
    case PERF_RECORD_ITRACE_START: return FL_OK; /* the records behind it say whose they are */
    default: t->counts.unknown_records++; return FL_OK;
    }
}
