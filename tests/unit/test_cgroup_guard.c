/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guard: what was made is gone afterwards, also when its owner is killed. */
#include <stdbool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <faultline/guard.h>

struct files {
    char dir[64], one[128], two[128];
};

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int setup(void **state)
{
    struct files *f = calloc(1, sizeof *f);
    *state = f;
    strcpy(f->dir, "/tmp/faultline-guard-XXXXXX");
    if (!f || !mkdtemp(f->dir))
        return -1;
    snprintf(f->one, sizeof f->one, "%s/one", f->dir);
    snprintf(f->two, sizeof f->two, "%s/two", f->dir);
    return 0;
}

static int teardown(void **state)
{
    struct files *f = *state;
    unlink(f->one);
    unlink(f->two);
    rmdir(f->dir);
    free(f);
    return 0;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/* Somebody else on this machine may hold the lock for a while. */
static struct fl_guard *start(void)
{
    static bool busy;
    struct fl_guard *g = NULL;
    struct fl_err err;
    int rc = fl_guard_start(&g, &err);
    for (int i = 0; rc == FL_EMACHINE && !busy && i < 100; i++) {
        pause_ms(100);
        rc = fl_guard_start(&g, &err);
    }
    busy = rc == FL_EMACHINE;
    if (busy)
        skip();
    assert_int_equal(rc, FL_OK);
    return g;
}

static void guard(struct fl_guard *g, const char *path)
{
    struct fl_err err;
    assert_int_equal(fl_guard_add(g, FL_UNDO_FILE, path, &err), FL_OK);
    make_file(path);
}

static void steps_are_undone_down_to_a_mark(void **state)
{
    struct files *f = *state;
    struct fl_guard *g = start();
    struct fl_err err;
    guard(g, f->one);
    unsigned mark = fl_guard_mark(g);
    guard(g, f->two);
    assert_int_equal(fl_guard_undo(g, mark, &err), FL_OK);
    assert_int_equal(access(f->two, F_OK), -1);
    assert_int_equal(access(f->one, F_OK), 0);
    assert_int_equal(fl_guard_end(g, &err), FL_OK);
    assert_int_equal(access(f->one, F_OK), -1);
}

static void what_is_gone_already_is_no_failure(void **state)
{
    struct files *f = *state;
    struct fl_guard *g = start();
    struct fl_err err;
    assert_int_equal(fl_guard_add(g, FL_UNDO_FILE, f->one, &err), FL_OK);
    assert_int_equal(fl_guard_add(g, FL_UNDO_SWAP, f->one, &err), FL_OK);
    assert_int_equal(fl_guard_add(g, FL_UNDO_ZRAM, f->one, &err), FL_OK);
    assert_int_equal(fl_guard_add(g, FL_UNDO_ZRAM_DEVICE, f->one, &err), FL_OK);
    assert_int_equal(fl_guard_add(g, FL_UNDO_GROUP, f->one, &err), FL_OK);
    int swap_rights = geteuid() == 0 ? FL_OK : FL_EIO;
    assert_int_equal(fl_guard_end(g, &err), swap_rights);
}

static void what_stays_behind_is_named(void **state)
{
    struct files *f = *state;
    struct fl_guard *g = start();
    struct fl_err err;
    make_file(f->one);
    /* a folder with something in it cannot be unlinked */
    assert_int_equal(fl_guard_add(g, FL_UNDO_FILE, f->dir, &err), FL_OK);
    assert_int_equal(fl_guard_end(g, &err), FL_EIO);
    assert_non_null(strstr(err.msg, f->dir));
}

static void a_second_guard_is_refused(void **state)
{
    (void)state;
    struct fl_guard *g = start(), *other = NULL;
    struct fl_err err;
    assert_int_equal(fl_guard_start(&other, &err), FL_EMACHINE);
    assert_null(other);
    assert_int_equal(fl_guard_end(g, &err), FL_OK);
    fl_guard_end(NULL, NULL);
}

static void the_list_has_an_end(void **state)
{
    struct files *f = *state;
    struct fl_guard *g = start();
    struct fl_err err;
    for (int i = 0; i < 32; i++)
        assert_int_equal(fl_guard_add(g, FL_UNDO_FILE, f->one, &err), FL_OK);
    assert_int_equal(fl_guard_add(g, FL_UNDO_FILE, f->one, &err), FL_EINTERNAL);
    assert_int_equal(fl_guard_end(g, &err), FL_OK);
}

static void a_killed_owner_leaves_nothing(void **state)
{
    struct files *f = *state;
    struct fl_err err;
    fl_guard_end(start(), &err); /* is the lock to be had? */
    pid_t owner = fork();
    if (owner == 0) {
        struct fl_guard *g;
        if (fl_guard_start(&g, &err) == FL_OK &&
            fl_guard_add(g, FL_UNDO_FILE, f->one, &err) == FL_OK &&
            close(open(f->one, O_CREAT | O_WRONLY, 0600)) == 0)
            for (;;)
                pause();
        _exit(1);
    }
    for (int i = 0; i < 500 && access(f->one, F_OK) != 0; i++)
        pause_ms(10);
    assert_int_equal(access(f->one, F_OK), 0);
    kill(owner, SIGKILL);
    assert_int_equal(waitpid(owner, NULL, 0), owner);
    for (int i = 0; i < 500 && access(f->one, F_OK) == 0; i++)
        pause_ms(10);
    assert_int_equal(access(f->one, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(steps_are_undone_down_to_a_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_gone_already_is_no_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(what_stays_behind_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_guard_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_list_has_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_killed_owner_leaves_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
