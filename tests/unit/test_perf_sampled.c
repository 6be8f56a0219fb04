/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Planned events with their leaders and totals: sums by hand, and opened on this kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "perf_open.h"
#include "session.h"

static void cpu_lists_name_cpus(void **state)
{
    (void)state;
    assert_true(fl_cpu_in_list("", 7));
    assert_true(fl_cpu_in_list("0-3,8", 3) && fl_cpu_in_list("0-3,8", 8));
    assert_false(fl_cpu_in_list("0-3,8", 4) || fl_cpu_in_list("0-3,8", 9));
    assert_false(fl_cpu_in_list("1", 0) || fl_cpu_in_list("x", 0));
}

/* A task of 1,000 ns, 600 of them on CPU 0 and 400 on CPU 1, an event that had a counter in half
   of each; the kernel calls it wanted for all 1,000 on both. */
static void time_wanted_is_time_on_that_cpu(void **state)
{
    (void)state;
    struct fl_perf_extra_sum sum = { 0 }, got = { .count = 30, .enabled_ns = 1000 };
    struct fl_perf_fd f = { .role = FL_FD_EVENT };
    got.running_ns = 300;
    fl_perf_add_up(&sum, &f, &got, 600);
    got.running_ns = 200;
    fl_perf_add_up(&sum, &f, &got, 400);
    assert_int_equal(sum.enabled_ns, 1000);
    assert_int_equal(sum.running_ns, 500);
    assert_int_equal(sum.count, 60);
    f.role = FL_FD_TOTAL;
    fl_perf_add_up(&sum, &f, &got, 400); /* 30 in half of the time */
    assert_int_equal(sum.total, 60);
    assert_int_equal(sum.count, 60);
    f.role = FL_FD_LEADER;
    got.lost = 2;
    fl_perf_add_up(&sum, &f, &got, 400);
    assert_int_equal(sum.count, 60);
    assert_int_equal(sum.lost, 2);
}

/* Switched on after the event that tells how long the task ran: nothing was missed. */
static void event_switched_on_later_took_no_turns(void **state)
{
    (void)state;
    struct fl_perf_extra_sum sum = { 0 };
    const struct fl_perf_extra_sum got = { .enabled_ns = 900, .running_ns = 900 };
    fl_perf_add_up(&sum, &(struct fl_perf_fd){ .role = FL_FD_EVENT }, &got, 1000);
    assert_int_equal(sum.enabled_ns, 900);
}

static void operations_without_memory_are_not_kept(void **state)
{
    (void)state;
    struct fl_pmu_event ibs = { .kind = FL_PMU_KIND_IBS, .no_exclude = true },
                        pebs = { .kind = FL_PMU_KIND_PEBS };
    struct fl_perf_rec rec = { .misc = PERF_RECORD_MISC_USER };
    rec.access.data_source = PERF_MEM_S(OP, NA);
    assert_false(fl_session_sample_keep(&ibs, false, &rec));
    assert_true(fl_session_sample_keep(&pebs, false, &rec));
    rec.access.data_source = PERF_MEM_S(OP, STORE);
    assert_true(fl_session_sample_keep(&ibs, false, &rec));
    rec.misc = PERF_RECORD_MISC_KERNEL; /* where the kernel leaves no mode out, we do */
    assert_true(fl_session_sample_keep(&ibs, false, &rec));
    assert_false(fl_session_sample_keep(&ibs, true, &rec));
    assert_true(fl_session_sample_keep(&pebs, true, &rec));
}

#define PAGES 997u

static struct fl_pmu_event page_faults(void)
{
    struct fl_pmu_host here = fl_pmu_host_here();
    struct fl_pmu_plan plan;
    struct fl_err err = { 0 };
    const struct fl_pmu_request req = { .event = "perf::PAGE-FAULTS", .period = 7 };
    if (fl_pmu_plan(&here, &req, &plan, &err) != FL_OK ||
        fl_pmu_settle(&plan.v[0], fl_pmu_try_here, NULL, &err) != FL_OK) {
        print_message("skipped: %s\n", err.msg);
        skip();
    }
    return plan.v[0];
}

static struct fl_perf_extra_sum count_faults(const struct fl_pmu_event *event, size_t *n_fds)
{
    const struct fl_perf_extra extra = { .source = FL_SRC_SAMPLE, .name = "x", .sampled = event };
    pid_t self = getpid();
    const struct fl_perf_plan plan = {
        .target = FL_TARGET_TASKS, .tasks = &self, .n_tasks = 1, .extra = &extra, .n_extra = 1
    };
    struct fl_perf_set set;
    struct fl_perf_sums sums;
    struct fl_perf_extra_sum sum = { 0 };
    struct fl_err err = { 0 };
    if (fl_perf_open(&set, &plan, &err) != FL_OK || fl_perf_ready(&set, &err) != FL_OK) {
        fl_perf_close(&set);
        print_message("skipped: %s\n", err.msg);
        skip();
    }
    *n_fds = set.n_fds;
    char *area =
        mmap(NULL, PAGES << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(area != MAP_FAILED);
    madvise(area, PAGES << 12, MADV_NOHUGEPAGE);
    assert_int_equal(fl_perf_enable(&set, true, &err), FL_OK);
    for (size_t i = 0; i < PAGES; i++)
        ((volatile char *)area)[i << 12] = 1;
    assert_int_equal(fl_perf_enable(&set, false, &err), FL_OK);
    assert_int_equal(fl_perf_read(&set, &sums, &sum, &err), FL_OK);
    munmap(area, PAGES << 12);
    fl_perf_close(&set);
    return sum;
}

/* The same events as Sapphire Rapids needs, of software: a leader before each, a total beside. */
static void event_with_leader_and_total_counts_in_both(void **state)
{
    (void)state;
    struct fl_pmu_event event = page_faults();
    size_t n, n_alone, cpus = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    event.leader = event.total = event.attr;
    event.leader.sample_period = event.total.sample_period = 0;
    event.leader.config = PERF_COUNT_SW_DUMMY;
    struct fl_perf_extra_sum alone = count_faults(&event, &n_alone);
    event.has_leader = event.has_total = true;
    struct fl_perf_extra_sum sum = count_faults(&event, &n);
    assert_int_equal(n, n_alone + 2 * cpus);
    /* A few are the calls' own, an eighth the shadow memory of AddressSanitizer. */
    assert_true(alone.count >= PAGES && alone.count < PAGES + PAGES / 4);
    assert_true(sum.count >= PAGES && sum.count < PAGES + PAGES / 4);
    assert_true(sum.total >= PAGES && sum.total < PAGES + PAGES / 4);
    assert_int_equal(alone.total, 0);
    assert_true(sum.running_ns > 0 && sum.enabled_ns >= sum.running_ns);
    assert_true((double)sum.running_ns > 0.99 * (double)sum.enabled_ns);
}

static void event_of_some_cpus_is_opened_there_alone(void **state)
{
    (void)state;
    struct fl_pmu_event event = page_faults();
    size_t all, none, cpus = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    count_faults(&event, &all);
    strcpy(event.cpus, "100000");
    struct fl_perf_extra_sum sum = count_faults(&event, &none);
    assert_int_equal(all - none, cpus);
    assert_int_equal(sum.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_lists_name_cpus),
        cmocka_unit_test(time_wanted_is_time_on_that_cpu),
        cmocka_unit_test(event_switched_on_later_took_no_turns),
        cmocka_unit_test(operations_without_memory_are_not_kept),
        cmocka_unit_test(event_with_leader_and_total_counts_in_both),
        cmocka_unit_test(event_of_some_cpus_is_opened_there_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
