/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Estimates from samples: against numbers that can be looked up, and against 2000 random
 * recordings of a known truth each. Seeds are fixed and printed with what they gave.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <faultline/sampling.h>

#include "throttle.h"

#define DRAWS 2000

static uint64_t rng;

static uint64_t next_u64(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

static double uniform(void)
{
    return (double)(next_u64() >> 11) / 9007199254740992.0;
}

/* A Poisson count, by waiting times. */
static uint64_t poisson(double mean)
{
    uint64_t n = 0;
    double at = 0;
    while ((at -= log(1 - uniform())) < mean)
        n++;
    return n;
}

static void expect_near(double got, double want, double relative)
{
    if (fabs(got - want) > relative * fabs(want))
        fail_msg("%.9g is not %.9g", got, want);
}

static void expect_covers(const char *what, uint64_t seed, unsigned held, double low, double high)
{
    double part = (double)held / DRAWS;
    print_message("%s, seed %llu: held in %.2f %% of %d\n", what, (unsigned long long)seed,
                  100 * part, DRAWS);
    assert_true(part >= low && part <= high);
}

static struct fl_samples equal_samples(uint64_t n, uint64_t period)
{
    struct fl_samples s = { .period_max = period };
    for (uint64_t i = 0; i < n; i++)
        fl_samples_add(&s, period);
    return s;
}

/* Exact 95 % limits of a Poisson count, from any table: 0: 0..3.689, 1: 0.0253..5.572,
 * 10: 4.795..18.390, 100: 81.364..121.627. The approximation is within 5 % from 1 up. */
static void count_interval_is_the_tabled_one(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        double low, high;
    } rows[] = { { 10, 4.795, 18.390 }, { 30, 20.241, 42.827 }, { 100, 81.364, 121.627 } };
    struct fl_estimate e;
    for (size_t i = 0; i < 3; i++) {
        struct fl_samples s = equal_samples(rows[i].n, 1000);
        fl_estimate_count(&s, NULL, &e);
        expect_near(e.value, 1000 * (double)rows[i].n, 1e-12);
        expect_near(e.low, 1000 * rows[i].low, 0.005);
        expect_near(e.high, 1000 * rows[i].high, 0.005);
        assert_true(e.at_least == e.low);
    }
    struct fl_samples one = equal_samples(1, 1), none = equal_samples(0, 1000);
    fl_estimate_count(&one, NULL, &e);
    assert_true(e.low > 0 && e.low < 0.05);
    expect_near(e.high, 5.572, 0.01);
    fl_estimate_count(&none, NULL, &e);
    assert_true(e.value == 0 && e.low == 0);
    expect_near(e.high, 3689, 0.01);
}

/* Wilson's interval of 10 of 100, as textbooks give it: 0.0552 to 0.1744. */
static void share_interval_is_wilsons(void **state)
{
    (void)state;
    struct fl_estimate e;
    fl_estimate_share(10, 100, &e);
    expect_near(e.value, 0.1, 1e-12);
    expect_near(e.low, 0.0552, 0.002);
    expect_near(e.high, 0.1744, 0.002);
    fl_estimate_part(10, 100, 50000, &e);
    expect_near(e.value, 5000, 1e-12);
    expect_near(e.high, 8720, 0.002);
    fl_estimate_share(0, 50, &e);
    assert_true(e.low == 0 && e.high > 0.05 && e.high < 0.1);
    fl_estimate_share(50, 50, &e);
    assert_true(e.high == 1 && e.low > 0.9);
    fl_estimate_share(0, 0, &e);
    assert_true(e.low == 0 && e.high == 1);
}

static void count_interval_holds_in_95_of_100_recordings(void **state)
{
    (void)state;
    static const double means[] = { 5, 40, 400 };
    for (size_t i = 0; i < 3; i++) {
        unsigned held = 0;
        uint64_t seed = rng = 20260101 + i;
        for (int d = 0; d < DRAWS; d++) {
            struct fl_estimate e;
            struct fl_samples s = equal_samples(poisson(means[i]), 10007);
            fl_estimate_count(&s, NULL, &e);
            held += e.low <= means[i] * 10007 && means[i] * 10007 <= e.high;
        }
        expect_covers("equal periods", seed, held, 0.94, 0.985);
    }
}

/* Frequency mode: periods between 100 and 10,000; truth is the sum of mean times period. */
static void count_interval_holds_with_periods_that_vary(void **state)
{
    (void)state;
    unsigned held = 0;
    uint64_t seed = rng = 7001;
    const double truth = 30 * 100 + 30 * 1000 + 30 * 10000;
    for (int d = 0; d < DRAWS; d++) {
        struct fl_samples s = { .period_max = 10000 };
        struct fl_estimate e;
        for (uint64_t period = 100; period <= 10000; period *= 10)
            for (uint64_t n = poisson(30); n; n--)
                fl_samples_add(&s, period);
        fl_estimate_count(&s, NULL, &e);
        held += e.low <= truth && truth <= e.high;
    }
    expect_covers("varying periods", seed, held, 0.94, 0.99);
}

/* A program of 10,000 accesses, 2,000 or so on one page; every 50th is sampled. */
static void part_interval_holds_for_a_page_of_a_sampled_program(void **state)
{
    (void)state;
    unsigned share_held = 0, count_held = 0;
    uint64_t seed = rng = 4242;
    for (int d = 0; d < DRAWS; d++) {
        struct fl_samples s = { .period_max = 50 };
        struct fl_estimate e;
        uint64_t truth = 0;
        for (int i = 0; i < 10000; i++) {
            bool on_page = uniform() < 0.2;
            truth += on_page;
            if (on_page && i % 50 == 49)
                fl_samples_add(&s, 50);
        }
        fl_estimate_part(s.n, 200, 10000, &e);
        share_held += e.low <= (double)truth && (double)truth <= e.high;
        fl_estimate_count(&s, NULL, &e);
        count_held += e.low <= (double)truth && (double)truth <= e.high;
    }
    expect_covers("part of a counted total", seed, share_held, 0.94, 0.975);
    /* Nobody counted the total here: wider than it would have to be, never too narrow. */
    expect_covers("count of a part", seed, count_held, 0.95, 0.999);
}

/* Counters that take turns see a random half of the time; a tenth of the samples find no room. */
static void count_interval_holds_when_half_is_not_seen(void **state)
{
    (void)state;
    unsigned held = 0;
    uint64_t seed = rng = 99;
    const double mean = 300;
    for (int d = 0; d < DRAWS; d++) {
        struct fl_sampling_loss loss = { .enabled_ns = 2000, .running_ns = 1000 };
        struct fl_samples s = { .period_max = 1000 };
        struct fl_estimate e;
        for (uint64_t n = poisson(mean / 2); n; n--) {
            if (uniform() < 0.1) {
                loss.lost++;
                continue;
            }
            loss.taken++;
            fl_samples_add(&s, 1000);
        }
        fl_estimate_count(&s, &loss, &e);
        held += e.low <= mean * 1000 && mean * 1000 <= e.high;
        assert_true(e.at_least < e.low && e.at_least > 0);
    }
    expect_covers("half unseen", seed, held, 0.93, 0.975);
}

static void seen_is_the_product_of_what_was_left(void **state)
{
    (void)state;
    struct fl_sampling_loss loss = { 0 };
    assert_true(fl_sampling_seen(&loss) == 1);
    loss = (struct fl_sampling_loss){ .enabled_ns = 1000, .running_ns = 500, .throttled_ns = 100 };
    expect_near(fl_sampling_seen(&loss), 0.5 * 0.8, 1e-12);
    loss.taken = 30, loss.lost = 10;
    expect_near(fl_sampling_seen(&loss), 0.5 * 0.8 * 0.75, 1e-12);
    loss.throttled_ns = 500;
    assert_true(fl_sampling_seen(&loss) == 0);
    loss = (struct fl_sampling_loss){ .enabled_ns = 1000 };
    struct fl_samples s = equal_samples(3, 10);
    struct fl_estimate e;
    fl_estimate_count(&s, &loss, &e);
    assert_true(isinf(e.high) && e.at_least > 0 && !isnan(e.value));
}

static void throttle_time_is_from_stop_to_start(void **state)
{
    (void)state;
    struct fl_throttle t = { 0 };
    fl_throttle_record(&t, false, 5); /* began before us */
    fl_throttle_record(&t, true, 100);
    fl_throttle_record(&t, false, 140);
    fl_throttle_record(&t, true, 200);
    fl_throttle_record(&t, true, 220); /* the start between was lost */
    fl_throttle_record(&t, false, 230);
    assert_int_equal(t.times, 3);
    assert_int_equal(fl_throttle_ns(&t, 1000), 70);
    fl_throttle_record(&t, true, 900);
    assert_int_equal(fl_throttle_ns(&t, 1000), 170);
    assert_int_equal(fl_throttle_ns(&t, 800), 70);
    fl_throttle_record(&t, false, 850); /* out of order: nothing is subtracted */
    assert_int_equal(fl_throttle_ns(&t, 1000), 70);
}

static void say(struct fl_throttles *all, uint32_t index, uint32_t cpu, bool stop, uint64_t time_ns)
{
    const struct fl_perf_rec rec = { .type = stop ? PERF_RECORD_THROTTLE : PERF_RECORD_UNTHROTTLE,
                                     .source = FL_SRC_SAMPLE,
                                     .index = index,
                                     .cpu = cpu,
                                     .time_ns = time_ns };
    assert_true(fl_throttles_record(all, &rec));
}

/* CPU 0 from 2000 to 5000, CPU 1 from 3000 on: a stop that the task slept through. */
static void throttle_time_is_kept_for_each_cpu(void **state)
{
    (void)state;
    struct fl_throttles all = { 0 };
    uint64_t ns;
    say(&all, 2, 0, true, 2000);
    say(&all, 2, 1, true, 3000);
    say(&all, 2, 0, false, 5000);
    assert_int_equal(fl_throttles_sum(&all, FL_SRC_SAMPLE, 2, 7000, &ns), 2);
    assert_int_equal(ns, 3000 + 4000);
    assert_int_equal(fl_throttles_sum(&all, FL_SRC_SAMPLE, 1, 7000, &ns), 0);
    assert_int_equal(fl_throttles_sum(&all, FL_SRC_PROBE, 2, 7000, &ns), 0);
    say(&all, 2, 1, false, 3000 + 5 * FL_THROTTLE_MAX_NS);
    assert_int_equal(fl_throttles_sum(&all, FL_SRC_SAMPLE, 2, UINT64_MAX, &ns), 2);
    assert_int_equal(ns, 3000 + FL_THROTTLE_MAX_NS);
    for (uint32_t cpu = 2; cpu < 100; cpu++) /* more than there is room for at first */
        say(&all, 2, cpu, true, 100);
    assert_int_equal(fl_throttles_sum(&all, FL_SRC_SAMPLE, 2, 200, &ns), 100);
    assert_int_equal(ns, 3000 + FL_THROTTLE_MAX_NS + 98 * 100);
    fl_throttles_clear(&all);
}

/* Loads and stores of a known truth, sampled apart and added: 2,000 times. */
static void sum_interval_holds_in_95_of_100_recordings(void **state)
{
    (void)state;
    unsigned held = 0;
    const double truth = 60 * 1000 + 25 * 4000;
    rng = 20260104;
    for (unsigned i = 0; i < DRAWS; i++) {
        const struct fl_samples loads = equal_samples(poisson(60), 1000),
                                stores = equal_samples(poisson(25), 4000);
        struct fl_estimate parts[2], sum;
        fl_estimate_count(&loads, NULL, &parts[0]);
        fl_estimate_count(&stores, NULL, &parts[1]);
        fl_estimate_sum(parts, 2, &sum);
        expect_near(sum.value, parts[0].value + parts[1].value, 1e-12);
        held += sum.low <= truth && truth <= sum.high;
    }
    expect_covers("sums", 20260104, held, 0.945, 0.985);
    struct fl_estimate none;
    fl_estimate_sum(NULL, 0, &none);
    assert_true(none.value == 0 && none.low == 0 && none.high == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(count_interval_is_the_tabled_one),
        cmocka_unit_test(share_interval_is_wilsons),
        cmocka_unit_test(count_interval_holds_in_95_of_100_recordings),
        cmocka_unit_test(count_interval_holds_with_periods_that_vary),
        cmocka_unit_test(part_interval_holds_for_a_page_of_a_sampled_program),
        cmocka_unit_test(count_interval_holds_when_half_is_not_seen),
        cmocka_unit_test(seen_is_the_product_of_what_was_left),
        cmocka_unit_test(throttle_time_is_from_stop_to_start),
        cmocka_unit_test(throttle_time_is_kept_for_each_cpu),
        cmocka_unit_test(sum_interval_holds_in_95_of_100_recordings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
