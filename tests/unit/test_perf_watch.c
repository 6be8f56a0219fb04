/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recordings of what runs already, and of samples: records pushed to the process tree. */
#include <sched.h>

#include "throttle.h"
#include "tree_fix.h"

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
    fix_open(&f, false);
    start_root(&f);
    rb_sample(&b, 10, 10, 1200, 0x7fff1234);
    expect(&f, &b, "200 0 sample 7 0x7fff1234 flags0x9 x1009 w40 at0x1234000 code0x401 stack2\n");
    assert_int_equal(fl_tree_counts(f.tree)->samples, 1);
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

static void samples_that_are_not_wanted_are_left_out(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    fix_open(&f, false);
    start_root(&f);
    rb_sample(&b, 10, 10, 1200, 0);
    expect(&f, &b, "");
    assert_int_equal(fl_tree_counts(f.tree)->samples, 0);
    fl_tree_free(f.tree);
}

static void throttled_time_is_kept_for_each_cpu(void **state)
{
    (void)state;
    struct fix f;
    struct recbuf b = { .n = 0 };
    uint64_t ns;
    fix_open(&f, false);
    start_root(&f);
    rb_throttle(&b, true, 0, 2000);
    rb_throttle(&b, true, 1, 3000);
    rb_throttle(&b, false, 0, 5000);
    expect(&f, &b, "");
    assert_int_equal(fl_tree_throttled(f.tree, 2, 7000, &ns), 2);
    assert_int_equal(ns, 3000 + 4000);
    assert_int_equal(fl_tree_throttled(f.tree, 1, 7000, &ns), 0);
    assert_int_equal(fl_tree_counts(f.tree)->throttled, 2);
    b.n = 0;
    rb_throttle(&b, false, 1, 3000 + 5 * FL_THROTTLE_MAX_NS);
    expect(&f, &b, "");
    fl_tree_throttled(f.tree, 2, UINT64_MAX, &ns);
    assert_int_equal(ns, 3000 + FL_THROTTLE_MAX_NS);
    fl_tree_free(f.tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(task_that_ran_before_is_no_unknown_one),
        cmocka_unit_test(task_watched_twice_is_told_once),
        cmocka_unit_test(samples_tell_access_place_and_weight),
        cmocka_unit_test(spaces_are_told_of_who_comes_and_leaves),
        cmocka_unit_test(samples_that_are_not_wanted_are_left_out),
        cmocka_unit_test(throttled_time_is_kept_for_each_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
