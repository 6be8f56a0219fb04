/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The speed of a program from its run time, and flushes by the clock that it moves. */
#include "scene.h"

enum { PAGES = 8, ROUNDS = 1000 };
#define ACCESSES (PAGES * ROUNDS)

/* Eight pages written in turn, a thousand times: 8 minor faults. */
static void tell(struct scene *s)
{
    process(s, 1, 0, 0, FL_NO_MM, 0);
    map_anon(s, 0, 16, PAGES);
    for (int i = 0; i < ACCESSES; i++)
        writes(s, 0, 0, 16 + (uint64_t)i % PAGES);
}

static struct fl_costs fit(uint64_t native_ns, uint64_t *peak_pages)
{
    struct fl_costs costs = { .source = "made up" };
    struct fl_reader *r = NULL;
    struct fl_err err = { .msg = "" };
    struct scene s = { 0 };
    void *bytes;
    size_t len;
    costs.ps[FL_COST_FAULT_ANON_WRITE] = 1000000; /* 1 us: 8 us in all */
    tell(&s);
    assert_int_equal(item_list_trace(&s.list, &bytes, &len, &err), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
    assert_int_equal(fl_costs_fit_access(r, native_ns, &costs, peak_pages, &err), FL_OK);
    fl_reader_free(r);
    free(bytes);
    item_list_free(&s.list);
    return costs;
}

static void what_faults_leave_is_shared_among_accesses(void **state)
{
    (void)state;
    uint64_t peak_pages;
    struct fl_costs costs = fit(8000 + 3 * ACCESSES, &peak_pages);
    assert_int_equal(costs.ps[FL_COST_ACCESS], 3000);
    assert_true(costs.given[FL_COST_ACCESS]);
    assert_int_equal(costs.ps[FL_COST_FAULT_ANON_WRITE], 1000000);
    assert_int_equal(peak_pages, PAGES);
}

static void no_access_is_faster_than_the_floor(void **state)
{
    (void)state;
    assert_int_equal(fit(8000, NULL).ps[FL_COST_ACCESS], FL_COST_ACCESS_PS_MIN);
    assert_int_equal(fit(1, NULL).ps[FL_COST_ACCESS], FL_COST_ACCESS_PS_MIN);
}

/* Flushes are looked for in faults: the 8th and last comes after 7 accesses of 1 ms, 7 ms in all. */
static void flushes_are_counted_by_the_models_clock(void **state)
{
    (void)state;
    static const struct {
        uint32_t first_flush_ms;
        uint64_t flushes;
    } cases[] = { { 0, 1 }, { 7, 1 }, { 8, 0 } };
    struct fl_costs costs = { .source = "made up" };
    costs.ps[FL_COST_ACCESS] = 1000000000;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fl_kernel_opts kernel = *fl_kernel_defaults();
        struct fl_replay_opts opts = { .frames = 1000,
                                       .swap_pages = UINT64_MAX,
                                       .policy = fl_policy_find("linux"),
                                       .costs = &costs,
                                       .kernel = &kernel,
                                       .no_tlb = true };
        struct scene s = { 0 };
        kernel.first_flush_ms = cases[i].first_flush_ms;
        process(&s, 1, 0, 0, FL_NO_MM, 0);
        map_anon(&s, 0, 16, PAGES);
        for (uint64_t page = 0; page < PAGES; page++)
            writes(&s, 0, 0, 16 + page);
        assert_int_equal(try_replay(&s, &opts), FL_OK);
        assert_int_equal(s.r->stat_flushes, cases[i].flushes);
        fl_result_free(s.r);
        item_list_free(&s.list);
    }
}

/* Many passes over more than there is room for; how often were the statistics flushed? */
static uint64_t flushes_of(const struct fl_seen_flushes *seen, uint64_t *moved)
{
    enum { MANY = 400, ROOM = 200, PASSES = 4 };
    struct fl_kernel_opts kernel = *fl_kernel_defaults();
    struct fl_replay_opts opts = { .frames = ROOM,
                                   .swap_pages = UINT64_MAX,
                                   .policy = fl_policy_find("linux"),
                                   .kernel = &kernel,
                                   .no_tlb = true };
    struct scene s = { 0 };
    kernel.flushes = seen;
    process(&s, 1, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 16, MANY);
    for (uint64_t i = 0; i < (uint64_t)MANY * PASSES; i++)
        writes(&s, 0, 0, 16 + i % MANY);
    assert_int_equal(try_replay(&s, &opts), FL_OK);
    uint64_t n = s.r->stat_flushes;
    *moved = s.r->major + s.r->pages_in + s.r->pages_out;
    fl_result_free(s.r);
    item_list_free(&s.list);
    return n;
}

/* Flushes of a real run come with the work, not with the clock, which they are far ahead of here. */
static void seen_flushes_come_where_they_did_in_the_work(void **state)
{
    (void)state;
    const uint64_t late_ns = UINT64_C(1000000000000);
    uint64_t all, moved;
    struct fl_seen_flush flush[] = { { late_ns, 50 }, { 2 * late_ns, 60 }, { 3 * late_ns, 0 } };
    struct fl_seen_flushes seen = { .flush = flush, .end = { late_ns, UINT64_MAX } };
    assert_int_equal(flushes_of(&seen, &all), 0);
    assert_true(all > 1000);
    seen.n = 2;
    assert_int_equal(flushes_of(&seen, &moved), 2);
    seen.n = 3;
    flush[2].moved = all - 100;
    assert_int_equal(flushes_of(&seen, &moved), 3);
    flush[2].moved = 2 * all;
    assert_int_equal(flushes_of(&seen, &moved), 2);
    /* Where nothing moves, by the clock: before the first page has gone. */
    seen.n = 1;
    flush[0] = (struct fl_seen_flush){ 0, 0 };
    assert_int_equal(flushes_of(&seen, &moved), 1);
    /* Beyond the run's end the clock goes on, here past its time. */
    seen.end = (struct fl_seen_flush){ 0, 100 };
    assert_int_equal(flushes_of(&seen, &moved), 2);
}

static void a_devices_costs_are_those_of_its_kind(void **state)
{
    (void)state;
    assert_int_equal(fl_swap_kind_device(FL_SWAP_ZRAM), FL_SWAP_DEVICE_ZRAM);
    assert_int_equal(fl_swap_kind_device(FL_SWAP_SSD), FL_SWAP_DEVICE_DISK);
    assert_int_equal(fl_swap_kind_device(FL_SWAP_DISK), FL_SWAP_DEVICE_DISK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_faults_leave_is_shared_among_accesses),
        cmocka_unit_test(no_access_is_faster_than_the_floor),
        cmocka_unit_test(flushes_are_counted_by_the_models_clock),
        cmocka_unit_test(seen_flushes_come_where_they_did_in_the_work),
        cmocka_unit_test(a_devices_costs_are_those_of_its_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
