/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Medians, errors, JSON and the table, over runs made up here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "validate.h"

static double error_of(uint64_t predicted, uint64_t measured)
{
    double percent = -1;
    assert_true(validate_percent(predicted, measured, &percent));
    return percent;
}

static void errors_are_percent_of_the_measured(void **state)
{
    (void)state;
    assert_true(error_of(103, 100) == 3.0);
    assert_true(error_of(97, 100) == -3.0);
    assert_true(error_of(0, 100) == -100.0);
    assert_true(error_of(10001, 30000) == -66.66);
    assert_true(error_of(20001, 30000) == -33.33);
    assert_true(error_of(100, 100) == 0.0);
    assert_true(error_of(UINT64_MAX, 1) > 1e20);
}

static void nothing_of_nothing_is_right_and_something_has_no_percent(void **state)
{
    (void)state;
    double percent = -1;
    assert_true(error_of(0, 0) == 0.0);
    assert_false(validate_percent(1, 0, &percent));
}

static struct validate_spread spread_of(unsigned n, const uint64_t *majors)
{
    struct fl_run runs[8] = { 0 };
    struct validate_point p = { .runs = runs, .n_runs = n };
    for (unsigned i = 0; i < n; i++)
        runs[i].major = majors[i];
    return validate_spread(&p, V_MAJOR);
}

static void assert_spread(struct validate_spread s, uint64_t min, uint64_t median, uint64_t max)
{
    assert_int_equal(s.min, min);
    assert_int_equal(s.median, median);
    assert_int_equal(s.max, max);
}

static void spreads(void **state)
{
    (void)state;
    assert_spread(spread_of(0, NULL), 0, 0, 0);
    assert_spread(spread_of(1, (const uint64_t[]){ 7 }), 7, 7, 7);
    assert_spread(spread_of(5, (const uint64_t[]){ 9, 1, 8, 2, 5 }), 1, 5, 9);
    assert_spread(spread_of(5, (const uint64_t[]){ 4, 4, 4, 1, 4 }), 1, 4, 4);
    assert_spread(spread_of(2, (const uint64_t[]){ 8, 5 }), 5, 6, 8); /* 6.5, rounded down */
    assert_spread(spread_of(4, (const uint64_t[]){ UINT64_MAX, UINT64_MAX, 1, UINT64_MAX }), 1,
                  UINT64_MAX, UINT64_MAX);
}

/* ---- outcomes ------------------------------------------------------------------------- */

/* Majors tell the runs apart: 1.. of the kernel's, 101.. of the model's; kills as given. */
struct world {
    struct fl_run runs[8];
    struct validate_answer answers[8];
    struct validate_point p;
};

static void world(struct world *w, const char *kernel, const char *model)
{
    *w = (struct world){ .p = { .n_runs = (unsigned)strlen(kernel),
                                .predicted = { { .n = (unsigned)strlen(model) } } } };
    w->p.runs = w->runs;
    w->p.predicted[0].answers = w->answers;
    for (unsigned i = 0; kernel[i]; i++)
        w->runs[i] = (struct fl_run){ .major = i + 1, .oom_kills = kernel[i] == 'K' };
    for (unsigned i = 0; model[i]; i++) {
        w->answers[i].count[V_MAJOR] = 101 + i;
        w->answers[i].count[V_OOM] = model[i] == 'K';
    }
}

static void only_runs_that_ended_as_most_did_are_compared(void **state)
{
    (void)state;
    struct world w;
    double percent;
    world(&w, "KKsKs", "sKsK"); /* majors 1, 2, 4 of the kernel; 102, 104 of the model */
    assert_int_equal(validate_killed(&w.p), 3);
    assert_int_equal(validate_foretold(&w.p, 0), 2);
    assert_spread(validate_spread(&w.p, V_MAJOR), 1, 2, 4);
    assert_int_equal(validate_spread(&w.p, V_MAJOR).n, 3);
    assert_spread(validate_spread(&w.p, V_OOM), 0, 1, 1);
    assert_spread(validate_predicted(&w.p, 0, V_MAJOR), 102, 103, 104);
    assert_true(validate_comparable(&w.p, 0));
    assert_false(validate_agrees(&w.p, 0)); /* half of the model's is not most */
    assert_true(validate_error(&w.p, 0, V_MAJOR, &percent));
    assert_true(percent == 5050.0);
    assert_false(validate_error(&w.p, 0, V_OOM, &percent));
    assert_false(validate_in_range(&w.p, 0, V_MAJOR));
    w.answers[1].count[V_MAJOR] = 1;
    w.answers[3].count[V_MAJOR] = 4;
    assert_true(validate_in_range(&w.p, 0, V_MAJOR));
}

static void half_killed_counts_as_survived(void **state)
{
    (void)state;
    struct world w;
    world(&w, "KsKs", "s");
    assert_spread(validate_spread(&w.p, V_MAJOR), 2, 3, 4);
    assert_true(validate_agrees(&w.p, 0));
    assert_true(validate_comparable(&w.p, 0));
}

static void other_outcomes_have_counts_but_no_error(void **state)
{
    (void)state;
    struct world w;
    double percent;
    world(&w, "KKK", "ss");
    assert_false(validate_comparable(&w.p, 0));
    assert_spread(validate_predicted(&w.p, 0, V_MAJOR), 101, 101, 102);
    for (unsigned c = 0; c < V_COUNT; c++) {
        assert_false(validate_error(&w.p, 0, (enum validate_count)c, &percent));
        assert_false(validate_in_range(&w.p, 0, (enum validate_count)c));
    }
    world(&w, "sss", "KK");
    assert_false(validate_comparable(&w.p, 0));
    assert_false(validate_agrees(&w.p, 0));
}

/* ---- documents ------------------------------------------------------------------------ */

/* One limit of 1 MiB, three runs; lru is 10 % high in majors. */
static struct validate_answer lru_says[1];

static void fill(struct validate *v, struct validate_point *p, struct fl_run runs[3])
{
    static char command[] = "sort 'a b'";
    static const uint64_t majors[] = { 100, 98, 105 };
    for (unsigned i = 0; i < 3; i++) {
        runs[i] = (struct fl_run){ .minor = 1000, .major = majors[i] };
        fl_vm_counts_parse("pswpin 90\nswpin_zero 5\npswpout 200\nswpout_zero 0\n",
                           &runs[i].machine);
    }
    static struct fl_seen_flush one = { .at_ns = 5, .moved = 6 };
    static struct validate_seen seen[3] = {
        { .statistics = { .n = 0 }, .whole_tlb = UINT64_MAX },
        { .statistics = { &one, 1, { .at_ns = 2000000005, .moved = 7 } }, .whole_tlb = 150 },
        { .statistics = { NULL, 0, { 9, 1 } } }
    };
    *p = (struct validate_point){ .ram_bytes = 1 << 20,
                                  .runs = runs,
                                  .seen = seen,
                                  .n_runs = 3,
                                  .predicted = { { .answers = lru_says, .n = 1 } } };
    lru_says[0] = (struct validate_answer){ .count = { 1000, 110, 95, 190, 0 } };
    *v = (struct validate){ .command = command,
                            .runs = 3,
                            .policies = { fl_policy_find("lru") },
                            .n_policies = 1,
                            .aligned = true,
                            .cgroup_version = 1,
                            .swappiness = 60,
                            .swap = { .kind = FL_SWAPDEV_ZRAM, .pages = 100 },
                            .points = p,
                            .n_points = 1 };
}

static json_int_t integer(const json_t *o, const char *a, const char *b)
{
    const json_t *j = json_object_get(json_object_get(o, a), b);
    assert_true(json_is_integer(j));
    return json_integer_value(j);
}

static void json_has_the_keys_and_the_errors(void **state)
{
    (void)state;
    struct validate v;
    struct validate_point p;
    struct fl_run runs[3];
    fill(&v, &p, runs);
    json_t *doc = validate_json(&v, json_object(), json_array());
    assert_non_null(doc);
    assert_string_equal(json_string_value(json_object_get(doc, "schema")), "faultline.validate/1");
    assert_string_equal(json_string_value(json_object_get(doc, "command")), "sort 'a b'");
    assert_string_equal(json_string_value(json_object_get(doc, "policy")), "lru");
    const json_t *point = json_array_get(json_object_get(doc, "points"), 0);
    const json_t *kernel = json_object_get(point, "kernel"),
                 *errors = json_object_get(point, "error_pct");
    assert_int_equal(json_array_size(json_object_get(kernel, "major")), 3);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(kernel, "major"), 1)), 98);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(kernel, "swap_in"), 0)), 95);
    assert_int_equal(integer(point, "predicted", "major"), 110);
    assert_true(json_real_value(json_object_get(errors, "major")) == 10.0);
    assert_true(json_real_value(json_object_get(errors, "swap_in")) == 0.0);
    assert_true(json_real_value(json_object_get(errors, "swap_out")) == -5.0);
    assert_true(json_real_value(json_object_get(errors, "oom")) == 0.0);
    assert_int_equal(integer(point, "outcome", "kernel_runs"), 3);
    assert_int_equal(integer(point, "outcome", "predicted_killed"), 0);
    assert_true(json_is_false(json_object_get(json_object_get(point, "in_range"), "major")));
    const json_t *flushes = json_object_get(kernel, "first_flush_ns");
    assert_true(json_is_null(json_array_get(flushes, 0)));
    assert_int_equal(json_integer_value(json_array_get(flushes, 1)), 5);
    const json_t *whole = json_object_get(kernel, "whole_tlb_flushes");
    assert_true(json_is_null(json_array_get(whole, 0)));
    assert_int_equal(json_integer_value(json_array_get(whole, 1)), 150);
    assert_int_equal(json_integer_value(json_array_get(whole, 2)), 0);
    const json_t *answers = json_object_get(point, "predicted_runs");
    assert_int_equal(json_array_size(json_object_get(answers, "major")), 1);
    assert_null(json_object_get(answers, "first_flush_ms"));
    const json_t *lru = json_object_get(json_object_get(point, "policies"), "lru");
    assert_true(json_is_false(json_object_get(json_object_get(lru, "in_range"), "major")));
    assert_true(json_is_true(json_object_get(json_object_get(lru, "in_range"), "minor")));
    json_decref(doc);
}

/* What was measured is written, read, and written again the same. */
static void a_result_is_taken_up_again(void **state)
{
    (void)state;
    static const char path[] = "test_validate.json";
    struct validate v, again = { .policies = { fl_policy_find("lru") }, .n_policies = 1 };
    struct validate_point p;
    struct fl_run runs[3];
    struct fl_err err;
    fill(&v, &p, runs);
    v.native = (struct fl_run){ .cpu_ns = 7, .wall_ns = 8, .wait_status = 3 << 8 };
    v.swap.rotational = true;
    runs[1].oom_kills = 1;
    runs[1].wait_status = SIGKILL;
    runs[1].outlived = 2;
    runs[1].n_victims = 1;
    runs[1].victims[0] = (struct fl_run_victim){ .pid = 9, .comm = "sort" };
    json_t *doubts = json_array();
    fl_quality_add(doubts, "damon", "it was on");
    json_t *first = validate_json(&v, json_object(), json_incref(doubts));
    assert_int_equal(json_dump_file(first, path, 0), 0);
    assert_int_equal(validate_load(&again, path, &err), FL_OK);
    assert_int_equal(again.n_points, 1);
    again.points[0].predicted[0] = p.predicted[0];
    json_t *quality = json_array();
    validate_doubts(&again, quality);
    json_t *second = validate_json(&again, json_object(), quality);
    assert_true(json_equal(first, second));
    json_decref(first);
    json_decref(second);
    json_decref(doubts);
    again.points[0].predicted[0].answers = NULL;
    assert_int_equal(validate_end(&again, &err), FL_OK);
    unlink(path);
}

static void a_result_without_all_of_the_runs_is_refused(void **state)
{
    (void)state;
    static const char path[] = "test_validate.json";
    struct validate v, again = { .n_policies = 0 };
    struct validate_point p;
    struct fl_run runs[3];
    struct fl_err err;
    fill(&v, &p, runs);
    json_t *doc = validate_json(&v, json_object(), json_array());
    json_t *kernel = json_object_get(json_array_get(json_object_get(doc, "points"), 0), "kernel");
    json_array_remove(json_object_get(kernel, "wall_ns"), 2);
    assert_int_equal(json_dump_file(doc, path, 0), 0);
    assert_int_equal(validate_load(&again, path, &err), FL_EFORMAT);
    assert_non_null(strstr(err.msg, "wall_ns"));
    assert_int_equal(validate_end(&again, &err), FL_OK);
    json_decref(doc);
    unlink(path);
}

static void without_runs_there_is_no_error(void **state)
{
    (void)state;
    struct validate v;
    struct validate_point p;
    struct fl_run runs[3];
    fill(&v, &p, runs);
    p.n_runs = 0;
    p.timeouts = 1;
    json_t *doc = validate_json(&v, json_object(), json_array());
    const json_t *point = json_array_get(json_object_get(doc, "points"), 0);
    assert_int_equal(integer(point, "kernel", "timeouts"), 1);
    assert_true(json_is_null(json_object_get(json_object_get(point, "error_pct"), "minor")));
    json_decref(doc);
}

static void the_table_has_both_and_the_doubts(void **state)
{
    (void)state;
    struct validate v;
    struct validate_point p;
    struct fl_run runs[3];
    char *text = NULL;
    size_t n;
    fill(&v, &p, runs);
    v.swap.was_on = true;
    v.foreign_swaps = 3;
    json_t *quality = json_array();
    validate_doubts(&v, quality);
    FILE *out = open_memstream(&text, &n);
    validate_text(&v, quality, out);
    fclose(out);
    assert_non_null(strstr(text, "98 .. 105"));
    assert_non_null(strstr(text, "+10.0 %"));
    assert_non_null(strstr(text, "0 of 3"));
    assert_non_null(strstr(text, "agrees"));
    assert_non_null(strstr(text, "swap_was_on: "));
    assert_non_null(strstr(text, "foreign_swap: 3 pages"));
    assert_non_null(strstr(text, "zero_pages: 15 pages"));
    free(text);
    json_decref(quality);
}

static void every_doubt_has_a_remedy(void **state)
{
    (void)state;
    struct validate v;
    struct validate_point p;
    struct fl_run runs[3];
    size_t i;
    json_t *doubt, *quality = json_array();
    fill(&v, &p, runs);
    v.host = (struct validate_host){ true, true, true, true, 3 };
    v.swap.was_on = true;
    v.swap.devices = 2;
    v.foreign_swaps = 1;
    v.native.wait_status = 1 << 8;
    runs[0].outlived = 2;
    runs[1].oom_kills = 1;
    v.aligned = false;
    snprintf(v.unaligned, sizeof v.unaligned, "no tracing");
    p.timeouts = 1;
    validate_doubts(&v, quality);
    assert_int_equal(json_array_size(quality), 14);
    json_array_foreach(quality, i, doubt)
        assert_true(json_is_string(json_object_get(doubt, "remedy")) &&
                    *json_string_value(json_object_get(doubt, "remedy")));
    json_decref(quality);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void default_limits_are_five_of_the_measured_peak(void **state)
{
    (void)state;
    static const uint64_t percent_x100[] = { 4000, 5375, 6750, 8125, 9500 };
    struct validate v = { .runs = 1, .native = { .peak_bytes = 1000 * 4096 + 17 } };
    struct fl_err err;
    assert_int_equal(validate_points(&v, NULL, NULL, &err), FL_OK);
    assert_int_equal(v.n_points, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(v.points[i].ram_bytes,
                         v.native.peak_bytes * percent_x100[i] / 10000 / 4096 * 4096);
    assert_int_equal(validate_end(&v, &err), FL_OK);
}

static void given_limits_are_whole_pages(void **state)
{
    (void)state;
    struct validate v = { .runs = 2 };
    struct fl_err err;
    assert_int_equal(validate_points(&v, "5000,1M", NULL, &err), FL_OK);
    assert_int_equal(v.n_points, 2);
    assert_int_equal(v.points[0].ram_bytes, 4096);
    assert_int_equal(v.points[1].ram_bytes, 1 << 20);
    assert_int_equal(validate_end(&v, &err), FL_OK);
    assert_int_equal(validate_points(&v, "1M,4095", NULL, &err), FL_EUSAGE);
    assert_int_equal(validate_end(&v, &err), FL_OK);
    assert_int_equal(validate_points(&v, "max", NULL, &err), FL_EUSAGE);
    assert_int_equal(validate_end(&v, &err), FL_OK);
}

static void without_a_measured_peak_limits_must_be_given(void **state)
{
    (void)state;
    struct validate v = { .runs = 1 };
    struct fl_err err;
    assert_int_equal(validate_points(&v, NULL, NULL, &err), FL_EMACHINE);
    assert_non_null(strstr(err.msg, "--ram"));
    assert_int_equal(validate_end(&v, &err), FL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_percent_of_the_measured),
        cmocka_unit_test(nothing_of_nothing_is_right_and_something_has_no_percent),
        cmocka_unit_test(spreads),
        cmocka_unit_test(only_runs_that_ended_as_most_did_are_compared),
        cmocka_unit_test(half_killed_counts_as_survived),
        cmocka_unit_test(other_outcomes_have_counts_but_no_error),
        cmocka_unit_test(json_has_the_keys_and_the_errors),
        cmocka_unit_test(a_result_is_taken_up_again),
        cmocka_unit_test(a_result_without_all_of_the_runs_is_refused),
        cmocka_unit_test(without_runs_there_is_no_error),
        cmocka_unit_test(the_table_has_both_and_the_doubts),
        cmocka_unit_test(every_doubt_has_a_remedy),
        cmocka_unit_test(default_limits_are_five_of_the_measured_peak),
        cmocka_unit_test(given_limits_are_whole_pages),
        cmocka_unit_test(without_a_measured_peak_limits_must_be_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
