/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is thrashing and what is not, on scenes whose truth is plain. */
#include <string.h>

#include <jansson.h>

#include <faultline/thrash.h>

#include "scene.h"

#define FRAMES 100u

static struct fl_thrash *judge(struct scene *s, const char *policy, uint32_t frames)
{
    struct fl_thrash *t = NULL;
    struct fl_err err = { .msg = "" };
    replay_with(s, policy, frames, UINT64_MAX);
    if (fl_thrash_find(s->r, NULL, &t, &err) != FL_OK)
        fail_msg("%s", err.msg);
    return t;
}

static void begin(struct scene *s)
{
    process(s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(s, 0, 1, 100000);
}

static void loop(struct scene *s, uint64_t first, uint64_t pages, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++)
        for (uint64_t vpn = first; vpn < first + pages; vpn++)
            writes(s, 0, 0, vpn);
}

static void expect_none(struct scene *s, const char *policy, uint32_t frames)
{
    struct fl_thrash *t = judge(s, policy, frames);
    assert_int_equal(t->n_intervals, 0);
    assert_int_equal(strncmp(t->verdict, "No thrashing", 12), 0);
    fl_thrash_free(t);
    fl_result_free(s->r);
    s->r = NULL;
}

static void assert_near(uint64_t value, uint64_t wanted, uint64_t tolerance)
{
    assert_in_range(value, wanted - tolerance, wanted + tolerance);
}

static void a_loop_that_does_not_fit_thrashes_from_its_second_round(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    loop(&s, 1, FRAMES + 10, 50);
    struct fl_thrash *t = judge(&s, "lru", FRAMES);
    uint64_t all = 50 * (FRAMES + 10);
    assert_int_equal(t->n_intervals, 1);
    assert_near(t->intervals[0].from_access, FRAMES + 10, all / 100);
    assert_near(t->intervals[0].to_access, all, all / 100);
    assert_int_equal(t->intervals[0].pages, FRAMES + 10);
    assert_true(t->intervals[0].stall_bp > 9000);
    assert_int_equal(strncmp(t->verdict, "Thrashing", 9), 0);
    assert_int_equal(t->intervals[0].n_culprits, 1);
    fl_thrash_free(t);
    fl_result_free(s.r);
    expect_none(&s, "lru", FRAMES + 10);
    scene_end(&s);
}

static void first_touches_are_none(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    loop(&s, 1, 50 * FRAMES, 1);
    expect_none(&s, "lru", FRAMES);
    expect_none(&s, "clock", FRAMES / 10);
    scene_end(&s);
}

/* Every page comes back once: that is a second pass over them, not a set that did not fit. */
static void a_second_pass_is_none(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    loop(&s, 1, 50 * FRAMES, 2);
    expect_none(&s, "lru", FRAMES);
    scene_end(&s);
}

/* Two sets of 80 pages and room for 100: each change of phase brings one of them back once. */
static void a_change_of_phase_is_none(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    for (int phase = 0; phase < 6; phase++)
        loop(&s, phase % 2 ? 1000 : 1, 80, 100);
    expect_none(&s, "lru", FRAMES);
    struct fl_thrash *t = judge(&s, "lru", 60);
    assert_int_equal(t->n_intervals, 1); /* neither fits: all along */
    fl_thrash_free(t);
    scene_end(&s);
}

static void two_episodes_are_two(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    loop(&s, 1, 20, 500);
    loop(&s, 1000, 150, 60);
    loop(&s, 1, 20, 500);
    loop(&s, 1000, 150, 60);
    struct fl_thrash *t = judge(&s, "lru", FRAMES);
    uint64_t all = 2 * (20 * 500 + 150 * 60);
    assert_int_equal(t->n_intervals, 2);
    assert_near(t->intervals[0].from_access, 10150, all / 150);
    assert_near(t->intervals[0].to_access, 19000, all / 150);
    assert_near(t->intervals[1].from_access, 29000, all / 150);
    assert_near(t->intervals[1].to_access, all, all / 150);
    assert_non_null(strstr(t->verdict, "in 2 stretches"));
    fl_thrash_free(t);
    scene_end(&s);
}

/* Rare refaults of a program that has much else to do cost it next to nothing. */
static void rare_refaults_are_none(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    for (unsigned i = 0; i < 40 * (FRAMES + 1); i++) {
        item_list_run(&s.list,
                      &(struct naive_item){ .vpn = 1 + i % (FRAMES + 1), .reads = 4000000 });
    }
    expect_none(&s, "lru", FRAMES);
    scene_end(&s);
}

static void the_curve_tells_what_would_end_it(void **state)
{
    struct scene s = { 0 };
    struct fl_lru_timeline *curve = NULL;
    struct fl_reader *reader = NULL;
    struct fl_thrash *t = NULL;
    void *bytes = NULL;
    size_t len = 0;
    (void)state;
    begin(&s);
    loop(&s, 1, 300, 1); /* and never again */
    loop(&s, 1000, 150, 60);
    replay_with(&s, "lru", FRAMES, UINT64_MAX);
    assert_int_equal(item_list_trace(&s.list, &bytes, &len, NULL), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &reader, NULL), FL_OK);
    assert_int_equal(fl_lru_timeline_new(reader, 0, NULL, 0, NULL, NULL, &curve, NULL), FL_OK);
    assert_int_equal(fl_thrash_find(s.r, curve, &t, NULL), FL_OK);
    assert_int_equal(t->n_intervals, 1);
    assert_in_range(t->intervals[0].ram_to_end_pages, 150, 153);
    assert_true(t->has_curve);
    assert_in_range(t->cliff_pages, 150, 150 + 450 / 20);
    fl_thrash_free(t);
    fl_lru_timeline_free(curve);
    fl_reader_free(reader);
    free(bytes);
    scene_end(&s);
}

/* In a run so short that its rows are shorter than the windows that the curve is made of. */
static void a_short_loop_ends_when_it_fits(void **state)
{
    struct scene s = { 0 };
    struct fl_reader *reader = NULL;
    struct fl_thrash *t = NULL;
    void *bytes = NULL;
    size_t len = 0;
    (void)state;
    begin(&s);
    loop(&s, 1, 160, 15);
    replay_with(&s, "lru", 22, UINT64_MAX);
    assert_int_equal(item_list_trace(&s.list, &bytes, &len, NULL), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &reader, NULL), FL_OK);
    assert_int_equal(fl_thrash_of(reader, s.r, NULL, NULL, &t, NULL), FL_OK);
    assert_int_equal(t->n_intervals, 1);
    assert_in_range(t->intervals[0].ram_to_end_pages, 160, 162);
    fl_thrash_free(t);
    fl_reader_free(reader);
    free(bytes);
    scene_end(&s);
}

/* Two processes take turns; one has nearly all the pages. */
static void the_culprit_is_who_brings_pages_back(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    process(&s, 11, 10, 1, FL_NO_MM, 1);
    map_anon(&s, 0, 1, 8);
    map_anon(&s, 1, 1, 256);
    for (int round = 0; round < 60; round++) {
        for (uint64_t vpn = 1; vpn <= 4; vpn++)
            writes(&s, 0, 0, vpn);
        for (uint64_t vpn = 1; vpn <= 120; vpn++)
            writes(&s, 1, 1, vpn);
    }
    struct fl_thrash *t = judge(&s, "lru", FRAMES);
    assert_int_equal(t->n_intervals, 1);
    json_t *json = fl_thrash_json(t, s.r);
    const json_t *iv = json_array_get(json_object_get(json, "intervals"), 0);
    const char *culprit = json_string_value(json_object_get(iv, "culprit"));
    assert_string_equal(culprit, "scene (11), anonymous, 1.0 MiB");
    assert_int_equal(json_integer_value(json_object_get(
                         json_array_get(json_object_get(iv, "culprits"), 0), "pid")),
                     11);
    json_decref(json);
    fl_thrash_free(t);
    scene_end(&s);
}

/* One process has refaults in 9 mappings, another a few less in each of 12: it has more in all. */
static void the_process_that_has_most_in_all_is_named_first(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    process(&s, 11, 10, 1, FL_NO_MM, 1);
    for (uint64_t i = 0; i < 9; i++)
        map_anon(&s, 0, 1000 * i, 100 + i);
    for (uint64_t i = 0; i < 12; i++)
        map_anon(&s, 1, 1000 * i, 200 + i);
    for (int round = 0; round < 30; round++) {
        for (uint64_t i = 0; i < 9 * 11; i++)
            writes(&s, 0, 0, i / 11 * 1000 + i % 11);
        for (uint64_t i = 0; i < 12 * 10; i++)
            writes(&s, 1, 1, i / 10 * 1000 + i % 10);
    }
    struct fl_thrash *t = judge(&s, "lru", FRAMES);
    assert_int_equal(t->n_intervals, 1);
    assert_int_equal(t->intervals[0].culprits[0].process, 0);
    assert_int_equal(t->intervals[0].n_drivers, 2);
    assert_int_equal(t->intervals[0].drivers[0].process, 1);
    assert_in_range(t->intervals[0].drivers[0].refaults, 29 * 120 - 10, 29 * 120);
    assert_in_range(t->intervals[0].drivers[1].refaults, 29 * 99 - 10, 29 * 99);
    assert_non_null(strstr(t->verdict, "of scene (11), anonymous, 800 KiB; scene (10), anonymous"));
    fl_thrash_free(t);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_that_does_not_fit_thrashes_from_its_second_round),
        cmocka_unit_test(first_touches_are_none),
        cmocka_unit_test(a_second_pass_is_none),
        cmocka_unit_test(a_change_of_phase_is_none),
        cmocka_unit_test(two_episodes_are_two),
        cmocka_unit_test(rare_refaults_are_none),
        cmocka_unit_test(the_curve_tells_what_would_end_it),
        cmocka_unit_test(a_short_loop_ends_when_it_fits),
        cmocka_unit_test(the_culprit_is_who_brings_pages_back),
        cmocka_unit_test(the_process_that_has_most_in_all_is_named_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
