/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records from literals in, a text line an event out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sched.h>
#include <sys/mman.h>

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

static void say(struct fix *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    f->n += (size_t)vsnprintf(f->got + f->n, sizeof f->got - f->n, fmt, ap);
    va_end(ap);
    assert_true(f->n < sizeof f->got);
}

static int emit(void *ctx, const struct fl_event *e, struct fl_err *err)
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

static bool clone_flags(void *ctx, uint32_t tid, uint64_t *flags)
{
    struct fix *f = ctx;
    (void)tid;
    *flags = f->clone_flags;
    return f->clone_known;
}

static const char *exec_path(void *ctx, uint32_t pid)
{
    (void)ctx;
    return pid == 10 ? "/bin/a" : NULL;
}

static uint64_t file_size(void *ctx, const char *path, uint64_t dev, uint64_t ino)
{
    (void)ctx, (void)path, (void)dev;
    return ino * 10;
}

static int32_t exit_status(void *ctx, uint32_t pid)
{
    (void)ctx;
    return pid == 10 ? 256 : FL_EXIT_UNKNOWN;
}

static int sample(void *ctx, const struct fl_perf_rec *rec, bool *keep, uint32_t *name,
                  struct fl_err *err)
{
    (void)ctx, (void)err;
    *name = rec->index + 5;
    *keep = rec->access.address != 0;
    return FL_OK;
}

/* Code is the instruction's page, the stack's number how deep it is. */
static int place(void *ctx, uint32_t mm, uint32_t thread, const struct fl_perf_rec *rec,
                 uint32_t *code, uint32_t *stack, struct fl_err *err)
{
    (void)ctx, (void)err, (void)mm, (void)thread;
    *code = (uint32_t)(rec->access.ip >> 12);
    if (rec->access.n_chain)
        *stack = (uint32_t)rec->access.n_chain;
    return FL_OK;
}

static int space(void *ctx, uint32_t pid, uint32_t mm, uint32_t from, struct fl_err *err)
{
    struct fix *f = ctx;
    (void)err, (void)from, (void)mm, (void)pid;
    f->spaces++;
    return FL_OK;
}

static void space_left(void *ctx, uint32_t mm)
{
    struct fix *f = ctx;
    (void)mm;
    f->spaces--;
}

static void fix_open(struct fix *f, bool redact)
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

static int push(struct fix *f, const struct recbuf *b)
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
static void expect(struct fix *f, const struct recbuf *b, const char *want)
{
    assert_int_equal(push(f, b), FL_OK);
    assert_string_equal(f->got, want);
    f->n = 0;
    f->got[0] = 0;
}

static void start_root(struct fix *f)
{
    struct recbuf b = { .n = 0 };
    rb_comm(&b, PERF_RECORD_MISC_COMM_EXEC, 10, 10, 1100, "a");
    expect(f, &b,
           "100 -1 process 10<9 mm0 copy-1 a\n"
           "100 0 thread 10/10\n"
           "100 0 exec 10 mm1 /bin/a\n"
           "100 0 comm 10/10 a\n");
}

static void fork_copies_the_space_and_exec_takes_a_new_one(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    f.clone_known = true;
    rb_task(&b, PERF_RECORD_FORK, 20, 10, 20, 10, 1200);
    rb_comm(&b, PERF_RECORD_MISC_COMM_EXEC, 20, 20, 1300, "b");
    rb_task(&b, PERF_RECORD_EXIT, 20, 10, 20, 10, 1400);
    rb_task(&b, PERF_RECORD_EXIT, 10, 9, 10, 9, 1500);
    expect(&f, &b,
           "200 0 process 20<10 mm2 copy1 a\n"
           "200 1 thread 20/20\n"
           "300 1 exec 20 mm3 b\n" /* no path known: the name */
           "300 1 comm 20/20 b\n"
           "400 1 thread-exit\n"
           "400 1 exit 20 -2147483648\n"
           "500 0 thread-exit\n"
           "500 0 exit 10 256\n");
    assert_int_equal(fl_tree_counts(f.tree)->live_threads, 0);
    assert_int_equal(fl_tree_counts(f.tree)->processes, 2);
    assert_int_equal(fl_tree_counts(f.tree)->forks_unsure, 0);
    fl_tree_free(f.tree);
}

static void vfork_shares_the_space_until_exec(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    f.clone_known = true;
    f.clone_flags = CLONE_VM | CLONE_VFORK;
    rb_task(&b, PERF_RECORD_FORK, 20, 10, 20, 10, 1200);
    expect(&f, &b,
           "200 0 process 20<10 mm1 copy-1 a\n"
           "200 1 thread 20/20\n");
    f.clone_known = false; /* not told: taken for a copy, and counted */
    f.clone_flags = 0;
    b.n = 0;
    rb_task(&b, PERF_RECORD_FORK, 21, 10, 21, 10, 1300);
    expect(&f, &b,
           "300 0 process 21<10 mm2 copy1 a\n"
           "300 2 thread 21/21\n");
    assert_int_equal(fl_tree_counts(f.tree)->forks_unsure, 1);
    fl_tree_free(f.tree);
}

static void threads_belong_to_their_process_which_ends_with_the_last(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    rb_task(&b, PERF_RECORD_FORK, 10, 10, 11, 10, 1200);
    rb_task(&b, PERF_RECORD_EXIT, 10, 9, 10, 9, 1300); /* the first thread leaves first */
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 11, 1400, 0x5000);
    rb_task(&b, PERF_RECORD_EXIT, 10, 9, 11, 9, 1500);
    expect(&f, &b,
           "200 1 thread 10/11\n"
           "300 0 thread-exit\n"
           "400 1 fault 0x5000 0x2\n"
           "500 1 thread-exit\n"
           "500 1 exit 10 256\n");
    fl_tree_free(f.tree);
}

static void exec_by_another_thread_ends_all_others(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    rb_task(&b, PERF_RECORD_FORK, 10, 10, 11, 10, 1200);
    rb_task(&b, PERF_RECORD_FORK, 10, 10, 12, 10, 1200);
    rb_task(&b, PERF_RECORD_EXIT, 10, 9, 10, 9, 1300); /* thread 12 execs and becomes 10 */
    rb_task(&b, PERF_RECORD_EXIT, 10, 9, 11, 9, 1300);
    rb_comm(&b, PERF_RECORD_MISC_COMM_EXEC, 10, 10, 1400, "n");
    expect(&f, &b,
           "200 1 thread 10/11\n"
           "200 2 thread 10/12\n"
           "300 0 thread-exit\n"
           "300 1 thread-exit\n"
           "400 3 thread 10/10\n"
           "400 2 thread-exit\n"
           "400 3 exec 10 mm2 /bin/a\n"
           "400 3 comm 10/10 n\n");
    assert_int_equal(fl_tree_counts(f.tree)->live_threads, 1);
    fl_tree_free(f.tree);
}

static void a_number_used_again_is_a_new_process(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    for (int i = 0; i < 2; i++) {
        rb_task(&b, PERF_RECORD_FORK, 20, 10, 20, 10, 1200);
        rb_task(&b, PERF_RECORD_EXIT, 20, 10, 20, 10, 1200);
    }
    expect(&f, &b,
           "200 0 process 20<10 mm2 copy1 a\n"
           "200 1 thread 20/20\n"
           "200 1 thread-exit\n"
           "200 1 exit 20 -2147483648\n"
           "200 0 process 20<10 mm3 copy1 a\n"
           "200 2 thread 20/20\n"
           "200 2 thread-exit\n"
           "200 2 exit 20 -2147483648\n");
    fl_tree_free(f.tree);
}

static void records_of_an_unseen_task_make_it_up(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    rb_lost(&b, 1200, 3);
    rb_fault(&b, ID_MAJOR, PERF_RECORD_MISC_USER, 30, 31, 1300, 0x5000);
    rb_task(&b, PERF_RECORD_EXIT, 77, 1, 77, 1, 1400); /* never heard of, and gone */
    expect(&f, &b,
           "200 -1 lost 3\n"
           "300 -1 process 30<0 mm2 copy-1 \n"
           "300 1 thread 30/31\n"
           "300 1 fault 0x5000 0x1\n");
    assert_int_equal(fl_tree_counts(f.tree)->lost, 3);
    assert_int_equal(fl_tree_counts(f.tree)->unknown_records, 2);
    fl_tree_free(f.tree);
}

/* error code: 1 present, 2 write, 4 user, 16 fetch */
static void fault_takes_its_access_from_the_tracepoint_of_its_thread(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    rb_task(&b, PERF_RECORD_FORK, 10, 10, 11, 10, 1200);
    rb_tracepoint(&b, 10, 10, 1300, 0x5008, 6);  /* a write to a page that is not there */
    rb_tracepoint(&b, 10, 11, 1300, 0x5008, 20); /* a fetch, elsewhere, at the same time */
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 11, 1400, 0x5008);
    rb_fault(&b, ID_MAJOR, PERF_RECORD_MISC_USER, 10, 10, 1400, 0x5008);
    rb_tracepoint(&b, 10, 10, 1500, 0x6000, 7); /* copy on write */
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 10, 1500, 0x6000);
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_KERNEL, 10, 10, 1600, 0x6000); /* its own: unknown */
    expect(&f, &b,
           "200 1 thread 10/11\n"
           "400 1 fault 0x5008 0x4a\n"   /* minor 2, exec 8, known 0x40 */
           "400 0 fault 0x5008 0x45\n"   /* major 1, write 4, known 0x40 */
           "500 0 fault 0x6000 0x66\n"   /* minor, write, present 0x20, known */
           "600 0 fault 0x6000 0x12\n"); /* minor, kernel 0x10 */
    assert_int_equal(fl_tree_counts(f.tree)->access_known, 3);
    assert_int_equal(fl_tree_counts(f.tree)->kernel_mode, 1);
    assert_int_equal(fl_tree_counts(f.tree)->minor, 3);
    assert_int_equal(fl_tree_counts(f.tree)->major, 1);
    fl_tree_free(f.tree);
}

static void exception_that_ends_in_a_signal_gives_its_access_to_no_other_fault(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    rb_tracepoint(&b, 10, 10, 1300, 0, 6); /* a null pointer: no fault completes */
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_KERNEL, 10, 10, 1400, 0x7000);
    rb_tracepoint(&b, 10, 10, 1500, 0x8000, 4);
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 10, 1500, 0x8000);
    expect(&f, &b,
           "400 0 fault 0x7000 0x12\n"
           "500 0 fault 0x8000 0x42\n");
    assert_int_equal(fl_tree_counts(f.tree)->failed, 1);
    fl_tree_free(f.tree);
}

static void mappings_name_their_file_once_and_tell_kinds_apart(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    rb_mmap(&b, 10, 1200, 0x10000, 0x1000, 0, 42, 1, MAP_PRIVATE, "/bin/a");
    rb_mmap(&b, 10, 1200, 0x11000, 0x1000, 0x1000, 42, 5, MAP_PRIVATE, "/bin/a");
    rb_mmap(&b, 10, 1200, 0x20000, 0x1000, 0, 0, 3, MAP_PRIVATE, "//anon");
    rb_mmap(&b, 10, 1200, 0x30000, 0x2000, 0, 0, 3, MAP_PRIVATE, "[heap]");
    rb_mmap(&b, 10, 1200, 0x40000, 0x2000, 0, 0, 3, MAP_PRIVATE, "[stack]");
    rb_mmap(&b, 10, 1200, 0x50000, 0x1000, 0, 0, 5, MAP_PRIVATE, "[vdso]");
    rb_mmap(&b, 10, 1200, 0x60000, 0x1000, 0, 9, 3, MAP_SHARED, "/memfd:box (deleted)");
    rb_mmap(&b, 10, 1200, 0x70000, 0x1000, 0, 8, 3, MAP_SHARED, "/dev/zero (deleted)");
    expect(&f, &b,
           "200 0 file0 0x801 42 420 /bin/a\n"
           "200 0 map mm1 0x10000+0x1000@0 prot1 flags0 file0\n"
           "200 0 map mm1 0x11000+0x1000@0x1000 prot5 flags0 file0\n"
           "200 0 map mm1 0x20000+0x1000@0 prot3 flags0x2 file-1\n"
           "200 0 map mm1 0x30000+0x2000@0 prot3 flags0xa file-1\n"
           "200 0 map mm1 0x40000+0x2000@0 prot3 flags0x6 file-1\n"
           "200 0 map mm1 0x50000+0x1000@0 prot5 flags0x12 file-1\n"
           "200 0 file1 0x801 9 90 memfd:box\n"
           "200 0 map mm1 0x60000+0x1000@0 prot3 flags0x1 file1\n"
           "200 0 map mm1 0x70000+0x1000@0 prot3 flags0x3 file-1\n");
    fl_tree_free(f.tree);
}

static void mappings_that_make_no_sense_are_counted_and_left_out(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    rb_mmap(&b, 10, 1200, 0x10000, 0, 0, 42, 1, MAP_PRIVATE, "/bin/a");
    rb_mmap(&b, 10, 1200, 0x10001, 0x1000, 0, 42, 1, MAP_PRIVATE, "/bin/a");
    rb_mmap(&b, 10, 1200, UINT64_MAX - 0xfff, 0x2000, 0, 42, 1, MAP_PRIVATE, "/bin/a");
    expect(&f, &b, "");
    assert_int_equal(fl_tree_counts(f.tree)->unknown_records, 3);
    fl_tree_free(f.tree);
}

static void redacted_events_hold_no_text(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, true);
    rb_comm(&b, PERF_RECORD_MISC_COMM_EXEC, 10, 10, 1100, "secret");
    rb_mmap(&b, 10, 1200, 0x10000, 0x1000, 0, 42, 1, MAP_PRIVATE, "/home/secret");
    rb_mmap(&b, 10, 1200, 0x60000, 0x1000, 0, 9, 3, MAP_SHARED, "/memfd:secret (deleted)");
    assert_int_equal(push(&f, &b), FL_OK);
    assert_null(strstr(f.got, "secret"));
    assert_null(strstr(f.got, "/bin/a"));
    assert_non_null(strstr(f.got, "file1 "));
    fl_tree_free(f.tree);
}

static void time_never_goes_back_and_starts_at_zero(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    rb_comm(&b, PERF_RECORD_MISC_COMM_EXEC, 10, 10, 900, "a"); /* before the start */
    assert_int_equal(push(&f, &b), FL_OK);
    assert_ptr_equal(strstr(f.got, "0 -1 process"), f.got);
    f.n = b.n = 0;
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 10, 3000, 0x1000);
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 10, 2500, 0x2000);
    expect(&f, &b, "2000 0 fault 0x1000 0x2\n2000 0 fault 0x2000 0x2\n");
    fl_tree_free(f.tree);
}

static void task_that_ran_before_is_no_unknown_one(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    const struct fl_tree_task tasks[] = { { 70, 70, 1, -500, "server" },
                                          { 70, 71, 1, -500, "worker" },
                                          { 80, 80, 70, 0, "helper" } };
    fix_open(&f, false);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(fl_tree_seen(f.tree, &tasks[i], NULL), FL_OK);
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 70, 71, 1300, 0x5000);
    rb_task(&b, PERF_RECORD_FORK, 90, 70, 90, 71, 1400);
    expect(&f, &b,
           "0 -1 process 70<1 mm0 copy-1 server\n"
           "0 0 thread 70/70\n"
           "0 1 thread 70/71\n"
           "0 -1 process 80<70 mm1 copy-1 helper\n"
           "0 2 thread 80/80\n"
           "300 1 fault 0x5000 0x2\n"
           "400 1 process 90<70 mm2 copy0 server\n"
           "400 3 thread 90/90\n");
    assert_int_equal(fl_tree_counts(f.tree)->unknown_records, 0);
    assert_int_equal(fl_tree_thread(f.tree, 71), 1);
    assert_int_equal(fl_tree_thread(f.tree, 72), FL_NO_THREAD);
    assert_int_equal(fl_tree_space(f.tree, 80), 1);
    fl_tree_free(f.tree);
}

static void task_watched_twice_is_told_once(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    /* The same two faults through the events of two tasks, the second's clock a little later. */
    rb_task(&b, PERF_RECORD_FORK, 10, 10, 11, 10, 1150);
    rb_fault(&b, ID_MINOR_2, PERF_RECORD_MISC_USER, 10, 11, 1200, 0x5000);
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 11, 1201, 0x5000);
    rb_fault(&b, ID_MINOR_2, PERF_RECORD_MISC_USER, 10, 11, 1300, 0x6000);
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 11, 1301, 0x6000);
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 10, 1400, 0x7000);
    expect(&f, &b,
           "150 1 thread 10/11\n"
           "200 1 fault 0x5000 0x2\n"
           "300 1 fault 0x6000 0x2\n"
           "400 0 fault 0x7000 0x2\n");
    assert_int_equal(fl_tree_counts(f.tree)->minor, 3);
    fl_tree_free(f.tree);
}

static void samples_tell_access_place_and_weight(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    uint64_t ns;
    fix_open(&f, false);
    start_root(&f);
    rb_sample(&b, 10, 10, 1200, 0x7fff1234);
    expect(&f, &b, "200 0 sample 7 0x7fff1234 flags0x9 x1009 w40 at0x1234000 code0x401 stack2\n");
    b.n = 0;
    rb_sample(&b, 10, 10, 1300, 0); /* not wanted */
    rb_throttle(&b, true, 1, 2000);
    rb_throttle(&b, false, 1, 5000);
    expect(&f, &b, "");
    assert_int_equal(fl_tree_counts(f.tree)->samples, 1);
    assert_int_equal(fl_tree_counts(f.tree)->throttled, 1);
    assert_int_equal(fl_tree_throttled(f.tree, 2, 7000, &ns), 1);
    assert_int_equal(ns, 3000);
    fl_tree_free(f.tree);
}

static void spaces_are_told_of_who_comes_and_leaves(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    assert_int_equal(f.spaces, 1); /* the one before exec is left */
    f.clone_known = true;
    f.clone_flags = CLONE_VM;
    rb_task(&b, PERF_RECORD_FORK, 20, 10, 20, 10, 1200);
    assert_int_equal(push(&f, &b), FL_OK);
    assert_int_equal(f.spaces, 2); /* two in one */
    b.n = 0;
    rb_task(&b, PERF_RECORD_EXIT, 20, 10, 20, 10, 1300);
    rb_task(&b, PERF_RECORD_EXIT, 10, 9, 10, 9, 1500);
    assert_int_equal(push(&f, &b), FL_OK);
    assert_int_equal(f.spaces, 0);
    fl_tree_free(f.tree);
}

static void failure_to_write_is_passed_on_wherever_it_happens(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    rb_comm(&b, PERF_RECORD_MISC_COMM_EXEC, 10, 10, 1100, "a");
    rb_mmap(&b, 10, 1200, 0x10000, 0x1000, 0, 42, 1, MAP_PRIVATE, "/bin/a");
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 10, 1300, 0x1000);
    rb_task(&b, PERF_RECORD_FORK, 20, 10, 20, 10, 1400);
    rb_task(&b, PERF_RECORD_EXIT, 20, 10, 20, 10, 1400);
    rb_lost(&b, 1500, 1);
    /* 4 for the start, file, map, fault, 2 for the fork, 2 for the end, lost: 12 events */
    for (int after = 0; after <= 12; after++) {
        struct fix f;
        fix_open(&f, false);
        f.fail_after = after;
        assert_int_equal(push(&f, &b), after < 12 ? FL_EIO : FL_OK);
        fl_tree_free(f.tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_copies_the_space_and_exec_takes_a_new_one),
        cmocka_unit_test(vfork_shares_the_space_until_exec),
        cmocka_unit_test(threads_belong_to_their_process_which_ends_with_the_last),
        cmocka_unit_test(exec_by_another_thread_ends_all_others),
        cmocka_unit_test(a_number_used_again_is_a_new_process),
        cmocka_unit_test(records_of_an_unseen_task_make_it_up),
        cmocka_unit_test(fault_takes_its_access_from_the_tracepoint_of_its_thread),
        cmocka_unit_test(exception_that_ends_in_a_signal_gives_its_access_to_no_other_fault),
        cmocka_unit_test(mappings_name_their_file_once_and_tell_kinds_apart),
        cmocka_unit_test(mappings_that_make_no_sense_are_counted_and_left_out),
        cmocka_unit_test(redacted_events_hold_no_text),
        cmocka_unit_test(time_never_goes_back_and_starts_at_zero),
        cmocka_unit_test(task_that_ran_before_is_no_unknown_one),
        cmocka_unit_test(task_watched_twice_is_told_once),
        cmocka_unit_test(samples_tell_access_place_and_weight),
        cmocka_unit_test(spaces_are_told_of_who_comes_and_leaves),
        cmocka_unit_test(failure_to_write_is_passed_on_wherever_it_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
