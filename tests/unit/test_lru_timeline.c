/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults over time in every memory at once: equal to a replay in each. */
#include <faultline/lru_timeline.h>

#include "scene.h"

#define PAGES 50u

static struct fl_reader *reader_of(struct scene *s, void **bytes)
{
    struct fl_reader *reader = NULL;
    struct fl_err err = { .msg = "" };
    size_t len = 0;
    if (item_list_trace(&s->list, bytes, &len, &err) != FL_OK ||
        fl_reader_open_mem(*bytes, len, 0, &reader, &err) != FL_OK)
        fail_msg("%s", err.msg);
    return reader;
}

static void every_memory_has_the_faults_of_its_replay(void **state)
{
    struct scene s = { 0 };
    struct fl_lru_timeline *t = NULL;
    void *bytes = NULL;
    uint32_t x = 1;
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, PAGES);
    for (int i = 0; i < 4000; i++) {
        x = x * 1664525u + 1013904223u;
        writes(&s, 0, 0, 1 + (x >> 16) % (i < 2000 ? PAGES : PAGES / 5));
    }
    struct fl_reader *reader = reader_of(&s, &bytes);
    assert_int_equal(fl_lru_timeline_new(reader, 0, NULL, 0, NULL, NULL, &t, NULL), FL_OK);
    assert_int_equal(t->peak_pages, PAGES);
    for (uint32_t frames = 1; frames <= PAGES; frames++) {
        const struct fl_result *r = replay_with(&s, "lru", frames, UINT64_MAX);
        uint64_t before = fl_lru_timeline_between(t, frames - 1, 0, 2048).major, all;
        assert_int_equal(t->frames[frames - 1], frames);
        all = fl_lru_timeline_between(t, frames - 1, 0, UINT64_MAX).major;
        assert_int_equal(all, r->major);
        /* The second half is at home in a fifth of the pages: all it can cost is their way back. */
        if (frames >= PAGES / 5)
            assert_true(all - before <= PAGES / 5);
        fl_result_free(s.r);
        s.r = NULL;
    }
    for (uint32_t i = 0; i < t->n_curve; i++) {
        const struct fl_result *r = replay_with(&s, "lru", t->curve_frames[i], UINT64_MAX);
        assert_int_equal(t->curve_major[i], r->major);
        fl_result_free(s.r);
        s.r = NULL;
    }
    fl_lru_timeline_free(t);
    fl_reader_free(reader);
    free(bytes);
    scene_end(&s);
}

static void buckets_rise_and_reach_every_distance(void **state)
{
    struct scene s = { 0 };
    struct fl_lru_timeline *t = NULL;
    void *bytes = NULL;
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 1000);
    for (int round = 0; round < 2; round++)
        for (uint64_t vpn = 1; vpn <= 1000; vpn++)
            writes(&s, 0, 0, vpn);
    struct fl_reader *reader = reader_of(&s, &bytes);
    assert_int_equal(fl_lru_timeline_new(reader, 0, NULL, 0, NULL, NULL, &t, NULL), FL_OK);
    for (uint32_t b = 1; b < FL_LRU_BUCKETS; b++)
        assert_true(t->frames[b] > t->frames[b - 1] || t->frames[b] == UINT32_MAX);
    /* All distances are 1000: the bucket they are in reaches that far, the one before does not. */
    assert_true(t->frames[t->n_buckets - 1] >= 1000 && t->frames[t->n_buckets - 2] < 1000);
    assert_int_equal(fl_lru_timeline_between(t, t->n_buckets - 2, 0, UINT64_MAX).major, 1000);
    assert_int_equal(fl_lru_timeline_between(t, t->n_buckets - 1, 0, UINT64_MAX).major, 0);
    fl_lru_timeline_free(t);
    fl_reader_free(reader);
    free(bytes);
    scene_end(&s);
}

/* Saying that small memories do not matter changes nothing about the others. */
static void windows_change_nothing_above_their_size(void **state)
{
    struct scene s = { 0 };
    struct fl_lru_timeline *all = NULL, *some = NULL;
    void *bytes = NULL;
    uint32_t x = 7;
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 600);
    for (int i = 0; i < 60000; i++) {
        x = x * 1664525u + 1013904223u;
        uint32_t near = (x >> 8) % 40, far = (x >> 8) % 600;
        writes(&s, 0, 0, 1 + ((x >> 24) < 250 ? near : far));
    }
    struct fl_reader *reader = reader_of(&s, &bytes);
    assert_int_equal(fl_lru_timeline_new(reader, 0, NULL, 0, NULL, NULL, &all, NULL), FL_OK);
    assert_int_equal(fl_lru_timeline_new(reader, 64, NULL, 0, NULL, NULL, &some, NULL), FL_OK);
    assert_int_equal(all->n_buckets, some->n_buckets);
    for (uint32_t b = 63; b < all->n_buckets; b++) {
        struct fl_lru_refaults x1 = fl_lru_timeline_between(all, b, 0, UINT64_MAX);
        struct fl_lru_refaults x2 = fl_lru_timeline_between(some, b, 0, UINT64_MAX);
        assert_int_equal(x1.major, x2.major);
        assert_int_equal(x1.again, x2.again);
        assert_int_equal(x1.near, x2.near);
        for (uint32_t r = 0; b > 63 && r < all->n_rows; r++) {
            assert_int_equal(all->distances[r][b], some->distances[r][b]);
            assert_int_equal(all->again[r][b], some->again[r][b]);
        }
    }
    assert_true(fl_lru_timeline_between(all, 63, 0, UINT64_MAX).major > 100);
    for (uint32_t i = 0; i < some->n_curve; i++)
        assert_int_equal(some->curve_major[i], all->curve_major[all->n_curve - some->n_curve + i]);
    fl_lru_timeline_free(all);
    fl_lru_timeline_free(some);
    fl_reader_free(reader);
    free(bytes);
    scene_end(&s);
}

/* Loops of 12 and of 30 pages in ten frames: twenty would hold the first, not the second. */
static void near_is_what_twice_the_memory_holds(void **state)
{
    struct scene s = { 0 };
    struct fl_lru_timeline *t = NULL;
    void *bytes = NULL;
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 60);
    for (int round = 0; round < 11; round++)
        for (uint64_t vpn = 1; vpn <= 12; vpn++)
            writes(&s, 0, 0, vpn);
    for (int round = 0; round < 5; round++)
        for (uint64_t vpn = 21; vpn <= 50; vpn++)
            writes(&s, 0, 0, vpn);
    struct fl_reader *reader = reader_of(&s, &bytes);
    assert_int_equal(fl_lru_timeline_new(reader, 0, NULL, 0, NULL, NULL, &t, NULL), FL_OK);
    struct fl_lru_refaults sum = fl_lru_timeline_between(t, 10 - 1, 0, UINT64_MAX);
    assert_int_equal(sum.major, 10 * 12 + 4 * 30);
    assert_int_equal(sum.near, 10 * 12);
    assert_int_equal(sum.again, 9 * 12 + 3 * 30); /* a page's first refault is none */
    fl_lru_timeline_free(t);
    fl_reader_free(reader);
    free(bytes);
    scene_end(&s);
}

static void curve_sizes_are_even_and_rise(void **state)
{
    uint32_t frames[FL_CURVE_SIZES];
    (void)state;
    uint32_t n = fl_curve_sizes(10000, frames);
    assert_int_equal(n, FL_CURVE_SIZES);
    assert_int_equal(frames[0], 500);
    assert_int_equal(frames[n - 2], 10000);
    assert_int_equal(frames[n - 1], 10500);
    assert_int_equal(fl_curve_sizes(0, frames), 1);
    assert_int_equal(frames[0], 1);
    n = fl_curve_sizes(3, frames);
    for (uint32_t i = 1; i < n; i++)
        assert_true(frames[i] > frames[i - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_memory_has_the_faults_of_its_replay),
        cmocka_unit_test(buckets_rise_and_reach_every_distance),
        cmocka_unit_test(windows_change_nothing_above_their_size),
        cmocka_unit_test(near_is_what_twice_the_memory_holds),
        cmocka_unit_test(curve_sizes_are_even_and_rise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
