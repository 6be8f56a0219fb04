/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time from counts, worked out by hand from docs/model.md, "Time (estimate)". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include <faultline/costs.h>
#include <faultline/replay.h>

/* Each cost another power of two microseconds, so that every sum tells its parts. */
static struct fl_costs powers(enum fl_swap_device device)
{
    struct fl_costs costs = { .source = "powers of two", .swap_device = device };
    for (int c = 0; c < FL_COST_COUNT; c++)
        costs.ps[c] = UINT64_C(1000000) << c;
    return costs;
}

static uint64_t us(enum fl_cost cost)
{
    return UINT64_C(1000) << cost;
}

static struct fl_time estimate(struct fl_result *r, const struct fl_costs *costs)
{
    struct fl_time t;
    r->opts.costs = costs;
    if (!r->opts.machine)
        r->opts.machine = fl_machine_find("teaching");
    fl_time_estimate(r, &t);
    return t;
}

static void nothing_takes_no_time(void **state)
{
    (void)state;
    struct fl_result r = { .n_rows = 0 };
    struct fl_time t = estimate(&r, NULL);
    assert_int_equal(t.total_ns, 0);
    assert_int_equal(t.slowdown_bp, 0);
    assert_int_equal(t.stall_bp, 0);
    assert_string_equal(t.source, fl_costs_default()->source);
}

static void accesses_of_the_killed_take_no_time(void **state)
{
    (void)state;
    struct fl_costs costs = powers(FL_SWAP_DEVICE_ZRAM);
    struct fl_timeline_row rows[] = { { .accesses = 60 }, { .accesses = 40 } };
    struct fl_result r = { .rows = rows, .n_rows = 2, .skipped_accesses = 30 };
    struct fl_time t = estimate(&r, &costs);
    assert_int_equal(t.user_ns, 70 * us(FL_COST_ACCESS));
    assert_int_equal(t.total_ns, t.user_ns);
    assert_int_equal(t.slowdown_bp, 10000);
}

static void every_minor_cause_has_a_cost_of_its_own(void **state)
{
    (void)state;
    struct fl_costs costs = powers(FL_SWAP_DEVICE_ZRAM);
    uint64_t seen = 0;
    for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++) {
        if (fl_cause_is_major((enum fl_cause)c) || c == FL_CAUSE_FILE_AROUND)
            continue;
        struct fl_result r = { .minor = 1 };
        r.faults[c] = 1;
        struct fl_time t = estimate(&r, &costs);
        if (t.minor_fault_ns < us(FL_COST_FAULT_ANON_ZERO) || (seen & (t.minor_fault_ns / 1000)))
            fail_msg("cause %s has no cost of its own", fl_cause_name((enum fl_cause)c));
        seen |= t.minor_fault_ns / 1000;
        assert_int_equal(t.total_ns, t.minor_fault_ns);
    }
}

static void swapping_costs_what_its_device_costs(void **state)
{
    (void)state;
    struct fl_costs zram = powers(FL_SWAP_DEVICE_ZRAM), disk = powers(FL_SWAP_DEVICE_DISK);
    /* 5 evictions, 3 of them written; 2 faults brought 6 pages */
    struct fl_result r = { .evictions = 5, .pages_out = 3, .pages_in = 6 };
    r.faults[FL_CAUSE_SWAP_IN] = 2;
    struct fl_time t = estimate(&r, &zram);
    assert_int_equal(t.swap_in_ns, 2 * us(FL_COST_SWAP_IN_SYNC) + 4 * us(FL_COST_SWAP_READAHEAD));
    assert_int_equal(t.swap_out_ns, 3 * us(FL_COST_SWAP_OUT_SYNC) + 2 * us(FL_COST_RECLAIM));
    assert_int_equal(t.total_ns, t.swap_in_ns + t.swap_out_ns);
    assert_int_equal(t.stall_bp, 10000);
    assert_string_equal(t.swap_device, "zram");
    t = estimate(&r, &disk);
    assert_int_equal(t.swap_in_ns, 2 * us(FL_COST_SWAP_IN_DISK) + 4 * us(FL_COST_SWAP_READAHEAD));
    assert_int_equal(t.swap_out_ns, 3 * us(FL_COST_SWAP_OUT_DISK) + 2 * us(FL_COST_RECLAIM));
    assert_string_equal(t.swap_device, "disk");
}

static void file_pages_wait_for_a_request_each_fault(void **state)
{
    (void)state;
    struct fl_costs costs = powers(FL_SWAP_DEVICE_DISK);
    struct fl_result r = { .file_pages_read = 9 };
    r.faults[FL_CAUSE_FILE_READ] = 2;
    struct fl_time t = estimate(&r, &costs);
    assert_int_equal(t.file_read_ns, 2 * us(FL_COST_FILE_READ) + 7 * us(FL_COST_FILE_READAHEAD));
}

static void tlb_misses_cost_by_the_level_that_had_it(void **state)
{
    (void)state;
    struct fl_costs costs = powers(FL_SWAP_DEVICE_ZRAM);
    /* teaching: two first levels, a unified one; 100 first-level misses, 60 found, 40 walks */
    struct fl_result r = { .n_tlb = 3, .walks = 40, .walk_refs = 160, .tlb_later_hits = 60 };
    r.tlb[0] = (struct fl_tlb_counts){ .lookups = 500, .hits = 480, .misses = 20 };
    r.tlb[1] = (struct fl_tlb_counts){ .lookups = 500, .hits = 420, .misses = 80 };
    r.tlb[2] = (struct fl_tlb_counts){ .lookups = 100, .hits = 60, .misses = 40 };
    struct fl_time t = estimate(&r, &costs);
    assert_true(t.has_tlb);
    assert_int_equal(t.tlb_walk_ns, 60 * us(FL_COST_TLB_L2_HIT) + 40 * us(FL_COST_WALK));
    /* with walk caches: 7 references beyond the first of each walk */
    struct fl_machine caches = *fl_machine_find("teaching");
    caches.n_walk = 1;
    r.walk_refs = 47;
    r.opts.machine = &caches;
    t = estimate(&r, &costs);
    assert_int_equal(t.tlb_walk_ns, 60 * us(FL_COST_TLB_L2_HIT) + 40 * us(FL_COST_WALK) +
                                        7 * us(FL_COST_WALK_REF));
    r.n_tlb = 0;
    t = estimate(&r, &costs);
    assert_false(t.has_tlb);
    assert_int_equal(t.tlb_walk_ns, 0);
}

static void slowdown_is_against_everything_resident(void **state)
{
    (void)state;
    struct fl_costs costs = { .source = "round numbers" };
    costs.ps[FL_COST_ACCESS] = 1000;
    costs.ps[FL_COST_FAULT_ANON_WRITE] = 100000;
    costs.ps[FL_COST_SWAP_IN_SYNC] = 3000000;
    costs.ps[FL_COST_SWAP_OUT_SYNC] = 2000000;
    /* 1000 + 10 * 100 = 2000 ns with all resident; 1 * 3000 + 2 * 2000 = 7000 ns more */
    struct fl_timeline_row row = { .accesses = 1000 };
    struct fl_result r = {
        .rows = &row, .n_rows = 1, .evictions = 2, .pages_out = 2, .pages_in = 1
    };
    r.faults[FL_CAUSE_ANON_WRITE] = 10;
    r.faults[FL_CAUSE_SWAP_IN] = 1;
    struct fl_time t = estimate(&r, &costs);
    assert_int_equal(t.resident_ns, 2000);
    assert_int_equal(t.total_ns, 9000);
    assert_int_equal(t.slowdown_bp, 45000);
    assert_int_equal(t.stall_bp, 7777);
}

static void sums_saturate(void **state)
{
    (void)state;
    struct fl_costs costs = powers(FL_SWAP_DEVICE_ZRAM);
    struct fl_result r = { .pages_out = UINT64_MAX,
                           .evictions = UINT64_MAX,
                           .pages_in = UINT64_MAX,
                           .file_pages_read = UINT64_MAX };
    r.faults[FL_CAUSE_ANON_WRITE] = UINT64_MAX;
    struct fl_time t = estimate(&r, &costs);
    assert_true(t.total_ns == UINT64_MAX);
    assert_int_equal(t.slowdown_bp, 10000);
}

static void the_json_says_that_it_is_an_estimate_and_of_what(void **state)
{
    (void)state;
    struct fl_result r = { .evictions = 1 };
    struct fl_costs costs = powers(FL_SWAP_DEVICE_ZRAM);
    struct fl_time t = estimate(&r, &costs);
    json_t *json = fl_time_json(&t);
    assert_true(json_is_true(json_object_get(json, "estimated")));
    assert_string_equal(json_string_value(json_object_get(json, "costs_source")), "powers of two");
    assert_int_equal(json_integer_value(json_object_get(json, "total_ns")), us(FL_COST_RECLAIM));
    assert_null(json_object_get(json, "tlb_walk_ns"));
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_takes_no_time),
        cmocka_unit_test(accesses_of_the_killed_take_no_time),
        cmocka_unit_test(every_minor_cause_has_a_cost_of_its_own),
        cmocka_unit_test(swapping_costs_what_its_device_costs),
        cmocka_unit_test(file_pages_wait_for_a_request_each_fault),
        cmocka_unit_test(tlb_misses_cost_by_the_level_that_had_it),
        cmocka_unit_test(slowdown_is_against_everything_resident),
        cmocka_unit_test(sums_saturate),
        cmocka_unit_test(the_json_says_that_it_is_an_estimate_and_of_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
