/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <faultline/command.h>

#include "perf_child.h"

struct fix {
    char dir[64], with_tool[128], without[128];
};

static void make_file(const char *path, mode_t mode)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    close(fd);
}

/* DIR/one/tool cannot be run, DIR/two/tool can. */
static int set_up(void **state)
{
    static struct fix f;
    char path[256];
    strcpy(f.dir, "/tmp/fl_child_XXXXXX");
    if (!mkdtemp(f.dir))
        return -1;
    snprintf(f.without, sizeof f.without, "%s/one", f.dir);
    snprintf(f.with_tool, sizeof f.with_tool, "%s/two", f.dir);
    mkdir(f.without, 0700);
    mkdir(f.with_tool, 0700);
    snprintf(path, sizeof path, "%s/tool", f.without);
    make_file(path, 0600);
    snprintf(path, sizeof path, "%s/tool", f.with_tool);
    make_file(path, 0700);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;
    char path[256];
    snprintf(path, sizeof path, "%s/tool", f->without);
    unlink(path);
    snprintf(path, sizeof path, "%s/tool", f->with_tool);
    unlink(path);
    rmdir(f->without);
    rmdir(f->with_tool);
    return rmdir(f->dir);
}

static void set_path(const char *first, const char *second)
{
    char text[512];
    snprintf(text, sizeof text, "%s:%s", first, second);
    setenv("PATH", text, 1);
}

static void child_find_takes_the_first_in_path_that_can_be_run(void **state)
{
    struct fix *f = *state;
    char found[FL_COMMAND_PATH_BYTES], want[256];
    char *saved = strdup(getenv("PATH"));
    set_path(f->without, f->with_tool);
    snprintf(want, sizeof want, "%s/tool", f->with_tool);
    assert_int_equal(fl_command_find("tool", found), 0);
    assert_string_equal(found, want);
    assert_int_equal(fl_command_find("missing", found), 127);
    assert_int_equal(fl_command_find("", found), 127);
    set_path(f->without, "/nowhere");
    assert_int_equal(fl_command_find("tool", found), 126);
    setenv("PATH", saved, 1);
    free(saved);
}

static void child_find_takes_a_name_with_a_slash_as_it_is(void **state)
{
    struct fix *f = *state;
    char found[FL_COMMAND_PATH_BYTES], path[256];
    snprintf(path, sizeof path, "%s/tool", f->without);
    assert_int_equal(fl_command_find(path, found), 126);
    snprintf(path, sizeof path, "%s/tool", f->with_tool);
    assert_int_equal(fl_command_find(path, found), 0);
    assert_string_equal(found, path);
    assert_int_equal(fl_command_find(f->dir, found), 126); /* a directory */
    assert_int_equal(fl_command_find("/no/such/file", found), 127);
}

static void child_does_not_run_before_it_is_let_go(void **state)
{
    struct fix *f = *state;
    char mark[128];
    struct fl_child child;
    struct fl_err err = { 0 };
    sigset_t mask;
    int why = -1;
    snprintf(mark, sizeof mark, "%s/mark", f->dir);
    char *argv[] = { "sh", "-c", ": >\"$0\"; exit 9", mark, NULL };
    sigemptyset(&mask);
    assert_int_equal(fl_child_spawn(&child, "/bin/sh", argv, &mask, &err), FL_OK);
    usleep(20000);
    assert_int_equal(access(mark, F_OK), -1);
    assert_false(fl_child_poll(&child));
    assert_int_equal(fl_child_go(&child, &why, &err), FL_OK);
    assert_int_equal(why, 0);
    while (!fl_child_poll(&child))
        usleep(1000);
    assert_int_equal(WEXITSTATUS(child.wait_status), 9);
    assert_true(child.usage.ru_minflt > 0);
    assert_int_equal(unlink(mark), 0);
    fl_child_free(&child);
}

static void child_that_cannot_exec_says_why(void **state)
{
    struct fl_child child;
    struct fl_err err = { 0 };
    sigset_t mask;
    int why = 0;
    char *argv[] = { "x", NULL };
    (void)state;
    sigemptyset(&mask);
    assert_int_equal(fl_child_spawn(&child, "/no/such/file", argv, &mask, &err), FL_OK);
    assert_int_equal(fl_child_go(&child, &why, &err), FL_OK);
    assert_int_equal(why, ENOENT);
    assert_true(child.reaped);
    fl_child_free(&child);
}

static void child_never_let_go_ends_with_its_recorder(void **state)
{
    struct fl_child child;
    struct fl_err err = { 0 };
    sigset_t mask;
    char *argv[] = { "sh", "-c", "sleep 100", NULL };
    (void)state;
    sigemptyset(&mask);
    assert_int_equal(fl_child_spawn(&child, "/bin/sh", argv, &mask, &err), FL_OK);
    pid_t pid = child.pid;
    fl_child_free(&child);
    assert_int_equal(kill(pid, 0), -1); /* ended, and waited for */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_find_takes_the_first_in_path_that_can_be_run),
        cmocka_unit_test(child_find_takes_a_name_with_a_slash_as_it_is),
        cmocka_unit_test(child_does_not_run_before_it_is_let_go),
        cmocka_unit_test(child_that_cannot_exec_says_why),
        cmocka_unit_test(child_never_let_go_ends_with_its_recorder),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
