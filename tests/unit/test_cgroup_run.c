/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands in real groups, without swap. Skipped where groups cannot be made. */
#include <stdbool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <faultline/cgroup.h>

struct fixture {
    struct fl_guard *guard;
    struct fl_cgroup_site site;
    struct fl_cgroup group;
    bool ready;
};

static int setup(void **state)
{
    static unsigned n;
    static bool busy; /* somebody else's for longer than we wait */
    struct fixture *f = calloc(1, sizeof *f);
    struct fl_err err;
    char name[64];
    *state = f;
    if (!f)
        return -1;
    int rc = fl_guard_start(&f->guard, &err);
    for (int i = 0; rc == FL_EMACHINE && !busy && i < 100; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
        rc = fl_guard_start(&f->guard, &err);
    }
    busy = rc == FL_EMACHINE;
    snprintf(name, sizeof name, "faultline-test-%d-%u", getpid(), ++n);
    if (rc == FL_OK)
        rc = fl_cgroup_find(f->guard, &f->site, &err);
    if (rc == FL_OK)
        rc = fl_cgroup_make(&f->site, name, 64 << 20, f->guard, &f->group, &err);
    f->ready = rc == FL_OK;
    if (!f->ready)
        printf("skipped: %s\n", err.msg);
    return rc == FL_OK || rc == FL_EMACHINE ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct fl_err err;
    int rc = fl_guard_end(f->guard, &err);
    bool gone = !f->ready || access(f->group.dir, F_OK) != 0;
    free(f);
    return rc == FL_OK && gone ? 0 : -1;
}

static struct fixture *ready(void **state)
{
    struct fixture *f = *state;
    if (!f->ready)
        skip();
    return f;
}

static struct fl_run run_shell(const struct fixture *f, const char *script, uint64_t timeout_ms)
{
    char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, strdup(script), NULL };
    struct fl_run_opts opts = { .argv = argv, .timeout_ns = timeout_ms * 1000000 };
    struct fl_run run;
    struct fl_err err;
    int rc = fl_run(&f->group, &opts, &run, &err);
    free(argv[2]);
    if (rc != FL_OK)
        fail_msg("%s", err.msg);
    return run;
}

static void a_status_and_some_faults_come_back(void **state)
{
    struct fl_run run = run_shell(ready(state), "exit 7", 10000);
    assert_int_equal(WEXITSTATUS(run.wait_status), 7);
    assert_true(run.minor > 20 && run.minor < 5000);
    assert_true(run.wall_ns > 0 && run.peak_bytes > 0 && run.peak_bytes < 64 << 20);
    assert_false(run.timed_out || run.stopped);
    assert_int_equal(run.outlived, 0);
    assert_int_equal(run.oom_kills, 0);
}

static void children_count_whoever_waits_for_them(void **state)
{
    struct fixture *f = ready(state);
    uint64_t one = run_shell(f, "true", 10000).minor;
    uint64_t waited = run_shell(f, "(:); (:); (:)", 10000).minor;
    uint64_t orphan = run_shell(f, "(sh -c : &) ; sleep 0.3", 10000).minor;
    assert_true(waited > one);
    assert_true(orphan > run_shell(f, "sleep 0.3", 10000).minor);
}

static void what_outlives_the_command_is_killed(void **state)
{
    struct fl_run run = run_shell(ready(state), "sleep 100 & sleep 100 & exit 0", 10000);
    assert_int_equal(run.outlived, 2);
    assert_true(run.wall_ns < UINT64_C(5000000000));
    assert_int_equal(run.n_victims, 0);
}

static void a_run_that_takes_too_long_is_killed(void **state)
{
    struct fl_run run = run_shell(ready(state), "sleep 100", 200);
    assert_true(run.timed_out);
    assert_true(WIFSIGNALED(run.wait_status));
    assert_int_equal(run.oom_kills, 0);
}

static void a_stop_kills_the_run(void **state)
{
    struct fixture *f = ready(state);
    char *argv[] = { (char[]){ "sleep" }, (char[]){ "100" }, NULL };
    volatile sig_atomic_t stop = 1;
    struct fl_run_opts opts = { .argv = argv, .timeout_ns = 10000000000, .stop = &stop };
    struct fl_run run;
    struct fl_err err;
    assert_int_equal(fl_run(&f->group, &opts, &run, &err), FL_OK);
    assert_true(run.stopped);
}

static void only_the_group_s_processes_are_killed(void **state)
{
    struct fixture *f = ready(state);
    struct fl_err err;
    pid_t inside = fork();
    if (inside == 0) {
        if (fl_cgroup_join(&f->group, &err) == FL_OK)
            pause();
        _exit(1);
    }
    pid_t outside = fork();
    if (outside == 0)
        for (;;)
            pause();
    int killed = 0;
    for (int i = 0; i < 200 && killed == 0; i++) {
        killed = fl_cgroup_kill(f->group.dir, 1000);
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    int status;
    assert_int_equal(killed, 1);
    assert_int_equal(waitpid(inside, &status, 0), inside);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(waitpid(outside, &status, WNOHANG), 0);
    kill(outside, SIGKILL);
    waitpid(outside, &status, 0);
}

static void missing_commands_and_cpus_say_so(void **state)
{
    struct fixture *f = ready(state);
    char *argv[] = { (char[]){ "no-such-command-anywhere" }, NULL };
    char *true_argv[] = { (char[]){ "true" }, NULL };
    struct fl_run_opts opts = { .argv = argv, .timeout_ns = 10000000000 };
    struct fl_run run;
    struct fl_err err;
    cpu_set_t cpus;
    assert_int_equal(fl_run(&f->group, &opts, &run, &err), FL_EUSAGE);
    CPU_ZERO(&cpus);
    opts.argv = true_argv;
    opts.cpus = &cpus;
    assert_int_equal(fl_run(&f->group, &opts, &run, &err), FL_EMACHINE);
    assert_non_null(strstr(err.msg, "--cpus"));
}

static int refuse(void *arg, struct fl_err *err)
{
    ++*(int *)arg; /* in the other process's memory */
    return fl_fail(err, FL_EDATA, "not today");
}

static void a_call_brings_back_its_error_and_nothing_else(void **state)
{
    struct fixture *f = ready(state);
    struct fl_err err;
    int n = 0;
    assert_int_equal(fl_cgroup_call(&f->group, refuse, &n, NULL, &err), FL_EDATA);
    assert_string_equal(err.msg, "not today");
    assert_int_equal(n, 0);
}

int main(void)
{
#define LIVE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        LIVE(a_status_and_some_faults_come_back),
        LIVE(children_count_whoever_waits_for_them),
        LIVE(what_outlives_the_command_is_killed),
        LIVE(a_run_that_takes_too_long_is_killed),
        LIVE(a_stop_kills_the_run),
        LIVE(only_the_group_s_processes_are_killed),
        LIVE(missing_commands_and_cpus_say_so),
        LIVE(a_call_brings_back_its_error_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
