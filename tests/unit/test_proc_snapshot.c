/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots and counters: of made-up files, and what the kernel says of real processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <faultline/proc.h>
#include <faultline/units.h>

#include "proc_tree.h"

struct texts {
    char names[512]; /* of the files, in order, "name " each */
    char *all;       /* what they held, one behind the other */
    size_t len;
    uint32_t pid, moment;
};

static int collect(void *ctx, const struct fl_event *e, struct fl_err *err)
{
    struct texts *t = ctx;
    (void)err;
    assert_int_equal(e->kind, FL_EV_SNAPSHOT);
    assert_int_equal(e->snapshot.pid, t->pid);
    assert_int_equal(e->snapshot.moment, t->moment);
    assert_true(strlen(e->snapshot.text) <= 65536);
    const char *rest = strchr(e->snapshot.text, '\n');
    assert_non_null(rest);
    size_t n = strlen(t->names), name = (size_t)(rest - e->snapshot.text), more = strlen(rest + 1);
    snprintf(t->names + n, sizeof t->names - n, "%.*s ", (int)name, e->snapshot.text);
    t->all = realloc(t->all, t->len + more + 1);
    memcpy(t->all + t->len, rest + 1, more + 1);
    t->len += more;
    return FL_OK;
}

static struct texts snapshot(const char *root, uint32_t pid, uint32_t moment, bool redact,
                             struct fl_proc_skipped *skipped)
{
    struct texts t = { .pid = pid, .moment = moment };
    struct fl_err err;
    *skipped = (struct fl_proc_skipped){ 0 };
    assert_int_equal(fl_proc_snapshot(root, pid, moment, redact, collect, &t, skipped, &err),
                     FL_OK);
    return t;
}

static void files_come_in_order_and_the_missing_are_listed(void **state)
{
    (void)state;
    struct tree t;
    struct fl_proc_skipped skipped;
    tree_make(&t);
    tree_text(&t, "MemTotal: 1 kB\n", "meminfo");
    tree_text(&t, "nr_free_pages 7\n", "vmstat");
    tree_text(&t, "/dev/secret partition 1 0 -2\n", "swaps");
    tree_text(&t, "some avg10=0.00 total=0\n", "pressure/memory");
    struct texts s = snapshot(t.root, 0, FL_SNAPSHOT_START, false, &skipped);
    assert_string_equal(s.names, "meminfo vmstat swaps pressure/memory ");
    assert_string_equal(s.all, "MemTotal: 1 kB\nnr_free_pages 7\n/dev/secret partition 1 0 -2\n"
                               "some avg10=0.00 total=0\n");
    assert_int_equal(skipped.n, 4);
    assert_string_equal(skipped.names,
                        "zoneinfo (No such file or directory), pagetypeinfo (No such file or "
                        "directory), buddyinfo (No such file or directory), slabinfo (No such "
                        "file or directory)");
    free(s.all);
    s = snapshot(t.root, 0, FL_SNAPSHOT_END, true, &skipped);
    assert_string_equal(s.names, "pressure/memory vmstat meminfo ");
    assert_int_equal(skipped.n, 4);
    free(s.all);
    skipped = (struct fl_proc_skipped){ 0 };
    for (int i = 0; i < 4; i++) /* more than there is room for */
        assert_int_equal(fl_proc_snapshot("/nowhere", 7, 0, false, collect, &s, &skipped, NULL),
                         FL_OK);
    assert_int_equal(skipped.n, 32);
    assert_non_null(strstr(skipped.names, ", stat (")); /* each once, whatever it is part of */
    assert_non_null(strstr(skipped.names, ", oom_score ("));
    assert_null(strstr(strstr(skipped.names, "limits") + 1, "limits"));
    assert_true(strlen(skipped.names) < sizeof skipped.names);
    assert_int_equal(skipped.names[strlen(skipped.names) - 1], ')');
    tree_remove(&t);
}

static void this_process_is_told_with_and_without_its_name(void **state)
{
    (void)state;
    struct fl_proc_skipped skipped;
    uint32_t pid = (uint32_t)getpid();
    struct texts s = snapshot(FL_PROC_ROOT, pid, FL_SNAPSHOT_END, false, &skipped);
    assert_string_equal(s.names,
                        "status stat smaps_rollup oom_score oom_score_adj limits cgroup maps ");
    assert_int_equal(skipped.n, 0);
    assert_non_null(strstr(s.all, "Name:\ttest_proc_snaps"));
    assert_non_null(strstr(s.all, "VmRSS:"));
    assert_non_null(strstr(s.all, "Pss_Anon:"));
    free(s.all);
    s = snapshot(FL_PROC_ROOT, pid, FL_SNAPSHOT_END, true, &skipped);
    assert_string_equal(s.names, "status stat smaps_rollup oom_score oom_score_adj limits ");
    assert_null(strstr(s.all, "test_proc"));
    assert_non_null(strstr(s.all, " () "));
    free(s.all);
}

static void the_machine_is_told(void **state)
{
    (void)state;
    struct fl_proc_skipped skipped;
    struct texts s = snapshot(FL_PROC_ROOT, 0, FL_SNAPSHOT_START, false, &skipped);
    assert_non_null(strstr(s.names, "zoneinfo pagetypeinfo buddyinfo "));
    assert_non_null(strstr(s.all, "MemTotal:"));
    assert_non_null(strstr(s.all, "\npgfault "));
    if (getuid() == 0)
        assert_non_null(strstr(s.names, "pagetypeinfo "));
    print_message("not read: %u %s\n", skipped.n, skipped.names);
    free(s.all);
}

static int refuse(void *ctx, const struct fl_event *e, struct fl_err *err)
{
    (void)e;
    ++*(int *)ctx;
    return fl_fail(err, FL_EIO, "disk full");
}

static void an_error_of_the_receiver_ends_it(void **state)
{
    (void)state;
    struct fl_proc_skipped skipped = { 0 };
    int calls = 0;
    assert_int_equal(fl_proc_snapshot(FL_PROC_ROOT, 0, 0, false, refuse, &calls, &skipped, NULL),
                     FL_EIO);
    assert_int_equal(calls, 1);
}

/* ---- counters ------------------------------------------------------------------------------- */

static void made_up_counters_are_read(void **state)
{
    (void)state;
    struct tree t;
    struct fl_proc_usage u;
    struct fl_proc_pressure p;
    struct fl_err err;
    uint64_t minor, major;
    char line[512];
    tree_make(&t);
    tree_text(&t, stat_line(line, sizeof line, 9, "x\x1b[0m", 'S', 1, 0, 4), "9/stat");
    tree_text(&t, "1 (x) S 1 1 1 0 -1 0 77 0 8 0 0 0 0 0 20 0 1 0 1 1 1 1 1 1 1 1",
              "9/task/10/stat");
    tree_text(&t, "Name:\tx\nVmRSS:\t 100 kB\nVmSwap:\t 7 kB\n", "9/status");
    assert_int_equal(fl_proc_usage(t.root, 9, &u, &err), FL_OK);
    assert_int_equal(u.minor_faults, 1234);
    assert_int_equal(u.major_faults, 67);
    assert_int_equal(u.resident_bytes, 102400);
    assert_int_equal(u.swapped_bytes, 7168);
    assert_int_equal(u.threads, 4);
    assert_string_equal(u.comm, "x\x1b[0m");
    assert_int_equal(fl_proc_faults(t.root, 9, 10, &minor, &major, &err), FL_OK);
    assert_int_equal(minor, 77);
    assert_int_equal(major, 8);
    assert_int_equal(fl_proc_faults(t.root, 9, 11, &minor, &major, &err), FL_EUSAGE);
    assert_int_equal(err.sys_errno, ESRCH);
    tree_text(&t, "VmRSS:\t 18446744073709551615 kB\n", "9/status");
    assert_int_equal(fl_proc_usage(t.root, 9, &u, &err), FL_OK);
    assert_int_equal(u.resident_bytes, 0);
    tree_text(&t, "hello", "9/stat");
    assert_int_equal(fl_proc_usage(t.root, 9, &u, &err), FL_EIO);
    assert_int_equal(fl_proc_usage(t.root, 10, &u, &err), FL_EUSAGE);
    assert_int_equal(fl_proc_pressure(t.root, &p, &err), FL_EMACHINE);
    assert_non_null(strstr(err.msg, "psi=1"));
    tree_text(&t, "some avg10=1.50 avg60=0.00 total=9\n", "pressure/memory");
    assert_int_equal(fl_proc_pressure(t.root, &p, &err), FL_OK);
    assert_int_equal(p.some_avg10_bp, 150);
    tree_remove(&t);
}

enum { PAGES = 1009 };

static int go[2];

/* Not instrumented: a sanitizer's shadow would fault too. */
__attribute__((no_sanitize_address)) static void *touch(void *arg)
{
    char word = 'r';
    char *p = mmap(NULL, PAGES * FL_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
    if (p == MAP_FAILED)
        _exit(1);
    madvise(p, PAGES * FL_PAGE_BYTES, MADV_NOHUGEPAGE);
    if (write(*(int *)arg, &word, 1) != 1 || read(go[0], &word, 1) != 1)
        _exit(1);
    for (size_t i = 0; i < PAGES; i++)
        p[i * FL_PAGE_BYTES] = 1;
    while (word)
        pause();
    return arg;
}

static void touch_in_a_thread(int fd)
{
    static int there;
    pthread_t thread;
    there = fd;
    pthread_create(&thread, NULL, touch, &there);
}

/* Waits, five seconds at most, until both threads of @pid sleep and have @faults together. */
static void settle(uint32_t pid, uint64_t faults, struct fl_proc_tasks *tasks,
                   struct fl_proc_usage *usage)
{
    for (int i = 0; i < 500; i++) {
        assert_int_equal(fl_proc_tasks(FL_PROC_ROOT, pid, tasks, NULL), FL_OK);
        assert_int_equal(fl_proc_usage(FL_PROC_ROOT, pid, usage, NULL), FL_OK);
        if (tasks->n == 2 && tasks->task[0].state == 'S' && tasks->task[1].state == 'S' &&
            usage->minor_faults >= faults)
            return;
        fl_proc_tasks_free(tasks);
        usleep(10000);
    }
    fail_msg("%u never settled", pid);
}

/* A prime number of pages is touched by one thread; all else is quiet, except the stacks. */
static void faults_are_counted_by_thread_and_process(void **state)
{
    (void)state;
    struct fl_proc_usage before, after;
    struct fl_proc_tasks tasks;
    char ready;
    uint64_t minor, major, minor_before, first;
    assert_int_equal(pipe(go), 0);
    uint32_t pid = (uint32_t)child_start(touch_in_a_thread, &ready, 1);
    settle(pid, 0, &tasks, &before);
    assert_int_equal(
        fl_proc_faults(FL_PROC_ROOT, pid, tasks.task[1].tid, &minor_before, &major, NULL), FL_OK);
    fl_proc_tasks_free(&tasks);
    assert_int_equal(write(go[1], "x", 1), 1);
    settle(pid, before.minor_faults + PAGES, &tasks, &after);
    assert_in_range(after.minor_faults - before.minor_faults, PAGES, PAGES + 64);
    assert_in_range(after.resident_bytes - before.resident_bytes, PAGES * FL_PAGE_BYTES,
                    (PAGES + 32) * FL_PAGE_BYTES);
    assert_int_equal(after.threads, 2);
    assert_int_equal(fl_proc_faults(FL_PROC_ROOT, pid, tasks.task[1].tid, &minor, &major, NULL),
                     FL_OK);
    assert_in_range(minor - minor_before, PAGES, PAGES + 4);
    assert_int_equal(fl_proc_faults(FL_PROC_ROOT, pid, pid, &first, &major, NULL), FL_OK);
    assert_int_equal(first + minor, after.minor_faults);
    fl_proc_tasks_free(&tasks);
    child_end((pid_t)pid);
    close(go[0]);
    close(go[1]);
}

static void our_own_faults_are_those_of_getrusage(void **state)
{
    (void)state;
    struct rusage before, after;
    uint64_t minor, major;
    getrusage(RUSAGE_SELF, &before);
    assert_int_equal(fl_proc_faults(FL_PROC_ROOT, (uint32_t)getpid(), 0, &minor, &major, NULL),
                     FL_OK);
    getrusage(RUSAGE_SELF, &after);
    assert_in_range(minor, (uint64_t)before.ru_minflt, (uint64_t)after.ru_minflt);
    assert_in_range(major, (uint64_t)before.ru_majflt, (uint64_t)after.ru_majflt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_in_order_and_the_missing_are_listed),
        cmocka_unit_test(this_process_is_told_with_and_without_its_name),
        cmocka_unit_test(the_machine_is_told),
        cmocka_unit_test(an_error_of_the_receiver_ends_it),
        cmocka_unit_test(made_up_counters_are_read),
        cmocka_unit_test(faults_are_counted_by_thread_and_process),
        cmocka_unit_test(our_own_faults_are_those_of_getrusage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
