/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree_fix.h - a process tree whose events are text, for the tests that push records to it.
 */
#ifndef FL_TEST_TREE_FIX_H
#define FL_TEST_TREE_FIX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "perf_recs.h"
#include "perf_tree.h"

struct fix {
    struct fl_tree *tree;
    char got[8192];
    size_t n;
    uint64_t clone_flags; /* what the next fork is said to have */
    bool clone_known;
    int fail_after; /* events until emit() fails; -1: never */
    int spaces;     /* processes that came into an address space less those that left one */
};

static inline void say(struct fix *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    f->n += (size_t)vsnprintf(f->got + f->n, sizeof f->got - f->n, fmt, ap);
    va_end(ap);
    assert_true(f->n < sizeof f->got);
}

static inline int emit(void *ctx, const struct fl_event *e, struct fl_err *err)
{
    struct fix *f = ctx;
    if (f->fail_after == 0)
        return fl_fail(err, FL_EIO, "disk full");
    if (f->fail_after > 0)
        f->fail_after--;
    say(f, "%d %d ", (int)e->time_ns, (int)e->thread);
    switch (e->kind) {
    case FL_EV_PROCESS:
        say(f, "process %u<%u mm%u copy%d %s\n", e->process.pid, e->process.ppid, e->process.mm,
            (int)e->process.copied_mm, e->process.comm);
        break;
    case FL_EV_THREAD: say(f, "thread %u/%u\n", e->thread_start.pid, e->thread_start.tid); break;
    case FL_EV_THREAD_EXIT: say(f, "thread-exit\n"); break;
    case FL_EV_EXEC: say(f, "exec %u mm%u %s\n", e->exec.pid, e->exec.mm, e->exec.path); break;
    case FL_EV_EXIT: say(f, "exit %u %d\n", e->exit.pid, e->exit.status); break;
    case FL_EV_COMM: say(f, "comm %u/%u %s\n", e->comm.pid, e->comm.tid, e->comm.comm); break;
    case FL_EV_FILE:
        say(f, "file%u %#llx %d %d %s\n", e->file.file, (unsigned long long)e->file.dev,
            (int)e->file.ino, (int)e->file.size_bytes, e->file.path);
        break;
    case FL_EV_MAP:
        say(f, "map mm%u %#llx+%#llx@%#llx prot%u flags%#x file%d\n", e->map.mm,
            (unsigned long long)e->map.start, (unsigned long long)e->map.length,
            (unsigned long long)e->map.offset, e->map.prot, e->map.flags, (int)e->map.file);
        break;
    case FL_EV_FAULT:
        say(f, "fault %#llx %#x\n", (unsigned long long)e->fault.address, e->fault.flags);
        break;
    case FL_EV_SAMPLE:
        say(f, "sample %u %#llx flags%#x x%d w%d at%#llx code%#x stack%d\n", e->sample.event,
            (unsigned long long)e->sample.address, e->sample.flags, (int)e->sample.period,
            (int)e->sample.weight, (unsigned long long)e->sample.physical, e->sample.code,
            (int)e->sample.stack);
        break;
    case FL_EV_LOST: say(f, "lost %d\n", (int)e->lost.count); break;
    default: fail_msg("event kind %d", e->kind);
    }
    return FL_OK;
}

static inline bool clone_flags(void *ctx, uint32_t tid, uint64_t *flags)
{
    struct fix *f = ctx;
    (void)tid;
    *flags = f->clone_flags;
    return f->clone_known;
}

static inline const char *exec_path(void *ctx, uint32_t pid)
{
    (void)ctx;
    return pid == 10 ? "/bin/a" : NULL;
}

static inline uint64_t file_size(void *ctx, const char *path, uint64_t dev, uint64_t ino)
{
    (void)ctx, (void)path, (void)dev;
    return ino * 10;
}

static inline int32_t exit_status(void *ctx, uint32_t pid)
{
    (void)ctx;
    return pid == 10 ? 256 : FL_EXIT_UNKNOWN;
}

static inline int sample(void *ctx, const struct fl_perf_rec *rec, bool *keep, uint32_t *name,
                         struct fl_err *err)
{
    (void)ctx, (void)err;
    *name = rec->index + 5;
    *keep = rec->access.address != 0;
    return FL_OK;
}

/* Code is the instruction's page, the stack's number how deep it is. */
static inline int place(void *ctx, uint32_t mm, uint32_t thread, const struct fl_perf_rec *rec,
                        uint32_t *code, uint32_t *stack, struct fl_err *err)
{
    (void)ctx, (void)err, (void)mm, (void)thread;
    *code = (uint32_t)(rec->access.ip >> 12);
    if (rec->access.n_chain)
        *stack = (uint32_t)rec->access.n_chain;
    return FL_OK;
}

static inline int space(void *ctx, uint32_t pid, uint32_t mm, uint32_t from, struct fl_err *err)
{
    struct fix *f = ctx;
    (void)err, (void)from, (void)mm, (void)pid;
    f->spaces++;
    return FL_OK;
}

static inline void space_left(void *ctx, uint32_t mm)
{
    struct fix *f = ctx;
    (void)mm;
    f->spaces--;
}

static inline void fix_open(struct fix *f, bool redact)
{
    struct fl_tree_opts opts = {
        .start_ns = 1000, .root_pid = 10, .root_ppid = 9, .redact = redact
    };
    const struct fl_tree_io io = { .ctx = f,
                                   .emit = emit,
                                   .exec_path = exec_path,
                                   .clone_flags = clone_flags,
                                   .file_size = file_size,
                                   .exit_status = exit_status,
                                   .sample = sample,
                                   .place = place,
                                   .space = space,
                                   .space_left = space_left };
    opts.fields.address[0] = (struct fl_tp_field){ 8, 8 };
    opts.fields.error_code[0] = (struct fl_tp_field){ 24, 8 };
    *f = (struct fix){ .fail_after = -1 };
    f->tree = fl_tree_new(&opts, &io);
    assert_non_null(f->tree);
}

static inline int push(struct fix *f, const struct recbuf *b)
{
    struct fl_err err = { 0 };
    int rc = FL_OK;
    for (size_t at = 0; at < b->n && rc == FL_OK;) {
        struct fl_perf_rec r;
        size_t size = fl_perf_size(b->bytes + at, b->n - at);
        assert_true(size);
        assert_true(fl_perf_decode(b->bytes + at, size, &rec_ids, &r));
        rc = fl_tree_push(f->tree, &r, &err);
        at += size;
    }
    return rc;
}

/* Push, compare what came out since the last time, forget it. */
static inline void expect(struct fix *f, const struct recbuf *b, const char *want)
{
    assert_int_equal(push(f, b), FL_OK);
    assert_string_equal(f->got, want);
    f->n = 0;
    f->got[0] = 0;
}

static inline void start_root(struct fix *f)
{
    struct recbuf b = { .n = 0 };
    rb_comm(&b, PERF_RECORD_MISC_COMM_EXEC, 10, 10, 1100, "a");
    expect(f, &b,
           "100 -1 process 10<9 mm0 copy-1 a\n"
           "100 0 thread 10/10\n"
           "100 0 exec 10 mm1 /bin/a\n"
           "100 0 comm 10/10 a\n");
}

#endif
