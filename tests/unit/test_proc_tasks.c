/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree of processes: made up, and of real children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

#include <faultline/proc.h>

#include "proc_tree.h"

enum { KTHREAD = 0x200000 };

static void add_thread(const struct tree *t, unsigned pid, unsigned tid, const char *comm,
                       unsigned ppid, unsigned flags, const char *children)
{
    char line[512];
    stat_line(line, sizeof line, tid, comm, 'S', ppid, flags, 1);
    tree_text(t, line, "%u/task/%u/stat", pid, tid);
    if (tid == pid)
        tree_text(t, line, "%u/stat", pid);
    if (children)
        tree_text(t, children, "%u/task/%u/children", pid, tid);
}

static void add_process(const struct tree *t, unsigned pid, const char *comm, unsigned ppid,
                        unsigned flags, const char *children)
{
    char status[64];
    add_thread(t, pid, pid, comm, ppid, flags, children);
    snprintf(status, sizeof status, "Name:\tx\nTgid:\t%u\n", pid);
    tree_text(t, status, "%u/status", pid);
    tree_text(t, "-17\n", "%u/oom_score_adj", pid);
    tree_text(t, "", "%u/maps", pid);
}

/* The tids found, as text. */
static const char *tids(const struct fl_proc_tasks *tasks)
{
    static char text[512];
    text[0] = 0;
    for (size_t i = 0; i < tasks->n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u/%u", i ? " " : "",
                 tasks->task[i].pid, tasks->task[i].tid);
    return text;
}

/* 2 is the kernel's; 100 -> 101 (threads 101, 90, 300) -> 102; 103 is somebody else's. */
static void make_family(struct tree *t, bool with_children)
{
    tree_make(t);
    add_process(t, 2, "kthreadd", 0, KTHREAD, with_children ? "" : NULL);
    add_process(t, 100, "one\n\x1b[31m", 1, 0, with_children ? "101 \n" : NULL);
    add_process(t, 101, "two", 100, 0, with_children ? "" : NULL);
    add_thread(t, 101, 300, "t", 100, 0, with_children ? "102 100 102 99999999 0 x" : NULL);
    add_thread(t, 101, 90, "t", 100, 0, with_children ? "" : NULL);
    add_process(t, 102, "three", 101, 0, with_children ? "" : NULL);
    add_process(t, 103, "other", 1, 0, with_children ? "" : NULL);
    tree_text(t, "x", "notes/1");
    tree_text(t, "x", "0100/stat");
}

static void descendants_come_behind_their_parents(void **state)
{
    (void)state;
    for (int with_children = 0; with_children < 2; with_children++) {
        struct tree t;
        struct fl_proc_tasks tasks;
        struct fl_err err;
        make_family(&t, with_children);
        assert_int_equal(fl_proc_tasks(t.root, 100, &tasks, &err), FL_OK);
        assert_string_equal(tids(&tasks), "100/100 101/101 101/90 101/300 102/102");
        assert_true(tasks.is_settled);
        assert_int_equal(tasks.scans, 2);
        const struct fl_proc_task *one = &tasks.task[0];
        assert_string_equal(one->comm, "one\n\x1b[31m");
        assert_int_equal(one->ppid, 1);
        assert_int_equal(one->oom_score_adj, -17);
        assert_int_equal(one->start_ns,
                         UINT64_C(4000) * 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
        assert_int_equal(one->state, 'S');
        assert_false(one->is_kernel_thread);
        fl_proc_tasks_free(&tasks);
        fl_proc_tasks_free(&tasks);
        tree_remove(&t);
    }
}

static void the_machine_has_kernel_threads_told_apart(void **state)
{
    (void)state;
    struct tree t;
    struct fl_proc_tasks tasks;
    struct fl_err err;
    make_family(&t, true);
    assert_int_equal(fl_proc_tasks(t.root, 0, &tasks, &err), FL_OK);
    assert_string_equal(tids(&tasks), "2/2 100/100 101/101 101/90 101/300 102/102 103/103");
    for (size_t i = 0; i < tasks.n; i++)
        assert_int_equal(tasks.task[i].is_kernel_thread, tasks.task[i].pid == 2);
    fl_proc_tasks_free(&tasks);
    tree_remove(&t);
    assert_int_equal(fl_proc_tasks("/nowhere", 0, &tasks, &err), FL_EMACHINE);
    assert_non_null(strstr(err.msg, "mount -t proc"));
}

/* 100 and 101 are each other's parents in both ways of telling. */
static void a_circle_of_parents_ends(void **state)
{
    (void)state;
    for (int with_children = 0; with_children < 2; with_children++) {
        struct tree t;
        struct fl_proc_tasks tasks;
        tree_make(&t);
        add_process(&t, 100, "a", 101, 0, with_children ? "101 100 " : NULL);
        add_process(&t, 101, "b", 100, 0, with_children ? "100 101 " : NULL);
        assert_int_equal(fl_proc_tasks(t.root, 100, &tasks, NULL), FL_OK);
        assert_string_equal(tids(&tasks), "100/100 101/101");
        fl_proc_tasks_free(&tasks);
        tree_remove(&t);
    }
}

static void what_cannot_be_watched_is_refused_with_a_remedy(void **state)
{
    (void)state;
    struct tree t;
    struct fl_proc_tasks tasks;
    struct fl_err err;
    char line[512];
    make_family(&t, true);
    tree_text(&t, "Tgid:\t101\n", "300/status");
    add_process(&t, 104, "gone", 1, 0, "");
    tree_text(&t, stat_line(line, sizeof line, 104, "gone", 'Z', 1, 0, 1), "104/stat");
    add_process(&t, 105, "odd", 1, 0, "");
    tree_text(&t, "105 (cut", "105/stat");
    static const struct {
        uint32_t pid;
        int sys_errno;
        const char *says;
    } cases[] = {
        { 7, ESRCH, "no process has the pid 7" },
        { UINT32_MAX, ESRCH, "no process has the pid 4294967295" },
        { 2, 0, "thread of the kernel" },
        { 300, 0, "300 is a thread of process 101" },
        { 104, ESRCH, "has ended" },
        { 105, ESRCH, "no process" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(fl_proc_tasks(t.root, cases[i].pid, &tasks, &err), FL_EUSAGE);
        assert_int_equal(err.sys_errno, cases[i].sys_errno);
        assert_non_null(strstr(err.msg, cases[i].says));
        assert_null(strchr(err.msg, '\n'));
        assert_null(tasks.task);
    }
    tree_remove(&t);
}

/* ---- real processes ------------------------------------------------------------------------- */

static void *wait_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

/* Two threads, and a child that has a child. */
static void be_a_family(int fd)
{
    pid_t pids[2];
    int ends[2];
    pthread_t thread;
    if (pipe(ends) != 0)
        return;
    pids[0] = fork();
    if (pids[0] == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pid_t grandchild = fork();
        if (grandchild == 0)
            prctl(PR_SET_PDEATHSIG, SIGKILL);
        else if (write(ends[1], &grandchild, sizeof grandchild) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    ssize_t n = read(ends[0], &pids[1], sizeof pids[1]);
    for (int i = 0; i < 2; i++)
        pthread_create(&thread, NULL, wait_for_ever, NULL);
    n += write(fd, pids, sizeof pids);
    if (n < 0)
        _exit(1);
}

static void a_real_family_is_found_whole(void **state)
{
    (void)state;
    pid_t below[2];
    struct fl_proc_tasks tasks;
    struct fl_err err;
    pid_t pid = child_start(be_a_family, below, sizeof below);
    assert_int_equal(fl_proc_tasks(FL_PROC_ROOT, (uint32_t)pid, &tasks, &err), FL_OK);
    assert_true(tasks.is_settled);
    assert_int_equal(tasks.n, 5);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(tasks.task[i].pid, pid);
    assert_int_equal(tasks.task[0].tid, pid);
    assert_int_equal(tasks.task[0].ppid, getpid());
    assert_string_equal(tasks.task[0].comm, "test_proc_tasks");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(tasks.task[3 + i].pid, below[i]);
        assert_int_equal(tasks.task[3 + i].ppid, i ? below[0] : pid);
    }
    uint32_t thread = tasks.task[1].tid;
    fl_proc_tasks_free(&tasks);
    assert_int_equal(fl_proc_tasks(FL_PROC_ROOT, thread, &tasks, &err), FL_EUSAGE);
    assert_non_null(strstr(err.msg, "is a thread of process"));
    assert_int_equal(fl_proc_tasks(FL_PROC_ROOT, 0, &tasks, &err), FL_OK);
    size_t found = 0;
    for (size_t i = 0; i < tasks.n; i++)
        found += tasks.task[i].pid == (uint32_t)pid || tasks.task[i].pid == (uint32_t)below[0];
    assert_int_equal(found, 4);
    fl_proc_tasks_free(&tasks);
    child_end(pid);
    assert_int_equal(fl_proc_tasks(FL_PROC_ROOT, (uint32_t)pid, &tasks, &err), FL_EUSAGE);
}

static void *end_at_once(void *arg)
{
    return arg;
}

static void churn(int fd)
{
    if (write(fd, "r", 1) < 0)
        _exit(1);
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, end_at_once, NULL) == 0)
            pthread_join(thread, NULL);
    }
}

static void threads_that_come_and_go_do_not_hold_it_up(void **state)
{
    (void)state;
    char ready;
    struct fl_err err;
    uint32_t pid = (uint32_t)child_start(churn, &ready, 1);
    for (int i = 0; i < 50; i++) {
        struct fl_proc_tasks tasks;
        assert_int_equal(fl_proc_tasks(FL_PROC_ROOT, pid, &tasks, &err), FL_OK);
        assert_in_range(tasks.scans, 2, 8);
        assert_true(tasks.is_settled || tasks.scans == 8);
        assert_true(tasks.n >= 1 && tasks.task[0].tid == pid);
        for (size_t k = 0; k < tasks.n; k++)
            assert_int_equal(tasks.task[k].pid, pid);
        fl_proc_tasks_free(&tasks);
    }
    child_end((pid_t)pid);
}

static void a_zombie_has_ended(void **state)
{
    (void)state;
    struct fl_err err;
    siginfo_t info;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(fl_proc_check(FL_PROC_ROOT, (uint32_t)pid, &err), FL_EUSAGE);
    assert_non_null(strstr(err.msg, "has ended"));
    waitpid(pid, NULL, 0);
}

/* In a process of another user, looking at this one. */
static void another_users_process_is_not_ours_to_watch(void **state)
{
    (void)state;
    int status;
    pid_t parent = getpid();
    if (getuid() != 0) {
        print_message("not root: cannot become another user\n");
        skip();
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct fl_err err;
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(2);
        int rc = fl_proc_check(FL_PROC_ROOT, (uint32_t)parent, &err);
        _exit(rc == FL_EMACHINE && strstr(err.msg, "root") ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descendants_come_behind_their_parents),
        cmocka_unit_test(the_machine_has_kernel_threads_told_apart),
        cmocka_unit_test(a_circle_of_parents_ends),
        cmocka_unit_test(what_cannot_be_watched_is_refused_with_a_remedy),
        cmocka_unit_test(a_real_family_is_found_whole),
        cmocka_unit_test(threads_that_come_and_go_do_not_hold_it_up),
        cmocka_unit_test(a_zombie_has_ended),
        cmocka_unit_test(another_users_process_is_not_ours_to_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
