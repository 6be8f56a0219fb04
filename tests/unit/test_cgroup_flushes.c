/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of a trace, and the real thing where this machine lets us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <faultline/flushes.h>

static void a_flush_has_its_time_before_its_name(void **state)
{
    (void)state;
    assert_int_equal(fl_flushes_parse("  kworker/u8:0-12   [001] .....  5274.568054: "
                                      "memcg_flush_stats: memcg_id=1 force=1"),
                     5274568054000);
    assert_int_equal(fl_flushes_parse("a b-1 [000] ..... 0.5: memcg_flush_stats: x"), 500000000);
    assert_int_equal(fl_flushes_parse("1.000000001: memcg_flush_stats: x"), 1000000001);
}

static void other_lines_are_no_flush(void **state)
{
    (void)state;
    assert_int_equal(fl_flushes_parse(""), 0);
    assert_int_equal(fl_flushes_parse("CPU:1 [LOST 3 EVENTS]"), 0);
    assert_int_equal(fl_flushes_parse("x-1 [000] 7.5: memcg_rstat_stats: memcg_id=1"), 0);
    assert_int_equal(fl_flushes_parse(": memcg_flush_stats: memcg_id=1"), 0);
    assert_int_equal(fl_flushes_parse("12: memcg_flush_stats: memcg_id=1"), 0);
    assert_int_equal(fl_flushes_parse(".: memcg_flush_stats: memcg_id=1"), 0);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Kept here by the machine's own clock: flushes come, and a phase is waited for. */
static void live_flushes_are_seen(void **state)
{
    (void)state;
    static const uint64_t phase_ns = 100000000;
    struct fl_guard *guard = NULL;
    struct fl_flushes *f = NULL;
    struct fl_err err = { .msg = "" };
    uint64_t at_ns = 0;
    char instance[64];
    if (fl_guard_start(&guard, &err) != FL_OK || fl_flushes_open(guard, &f, &err) != FL_OK) {
        print_message("skipped: %s\n", err.msg);
        fl_guard_end(guard, NULL);
        skip();
    }
    snprintf(instance, sizeof instance, "/sys/kernel/tracing/instances/faultline-%d", getpid());
    uint64_t start_ns = now_ns();
    if (fl_flushes_wait_phase(f, phase_ns, NULL, &err) != FL_OK)
        fail_msg("%s", err.msg);
    assert_true(now_ns() >= start_ns + phase_ns);
    start_ns = now_ns();
    if (fl_flushes_first_after(f, start_ns, NULL, &at_ns, &err) != FL_OK)
        fail_msg("%s", err.msg);
    assert_in_range(at_ns, start_ns, now_ns());
    volatile sig_atomic_t stop = 1;
    assert_int_equal(fl_flushes_first_after(f, now_ns() + 1, &stop, &at_ns, &err), FL_OK);
    assert_int_equal(at_ns, 0);
    fl_flushes_close(f);
    assert_int_equal(fl_guard_end(guard, &err), FL_OK);
    assert_int_not_equal(access(instance, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flush_has_its_time_before_its_name),
        cmocka_unit_test(other_lines_are_no_flush),
        cmocka_unit_test(live_flushes_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
