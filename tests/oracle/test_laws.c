/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold between replays, whoever computes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/units.h>

#include "compare.h"

struct trace {
    void *bytes;
    struct fl_reader *reader;
};

static struct trace open_trace(struct item_list *list)
{
    struct trace t = { 0 };
    struct fl_err err;
    size_t len = 0;
    if (item_list_trace(list, &t.bytes, &len, &err) != FL_OK ||
        fl_reader_open_mem(t.bytes, len, 0, &t.reader, &err) != FL_OK)
        fail_msg("%s", err.msg);
    item_list_free(list);
    return t;
}

static void close_trace(struct trace *t)
{
    fl_reader_free(t->reader);
    free(t->bytes);
}

static struct fl_result *replay(struct trace *t, const char *policy, uint32_t frames, uint64_t seed)
{
    struct fl_replay_opts opts = {
        .frames = frames, .swap_pages = UINT64_MAX, .policy = fl_policy_find(policy), .seed = seed
    };
    struct fl_result *r = NULL;
    struct fl_err err;
    char why[WHY_BYTES];
    if (fl_replay(t->reader, &opts, &r, &err) != FL_OK)
        fail_msg("%s at %u frames: %s", policy, frames, err.msg);
    if (!compare_sane(r, why))
        fail_msg("%s at %u frames: %s", policy, frames, why);
    return r;
}

/* The textbook policies come first in the list. */
static const struct fl_policy_ops *textbook_at(size_t i)
{
    const struct fl_policy_ops *ops = fl_policy_at(i);
    return ops && !(ops->needs & FL_IS_KERNEL) ? ops : NULL;
}

static uint64_t misses(struct trace *t, const char *policy, uint32_t frames, uint64_t seed)
{
    struct fl_result *r = replay(t, policy, frames, seed);
    uint64_t n = r->minor + r->major;
    fl_result_free(r);
    return n;
}

/* Belady, Nelson and Shedler (CACM 12(6), 1969): more frames, more faults. */
static void belady_string_shows_the_anomaly_for_fifo_alone(void **state)
{
    static const uint32_t pages[] = { 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5 };
    struct item_list list;
    (void)state;
    pages_trace(pages, FL_COUNT(pages), &list);
    struct trace t = open_trace(&list);
    assert_int_equal(misses(&t, "fifo", 3, 1), 9);
    assert_int_equal(misses(&t, "fifo", 4, 1), 10);
    assert_int_equal(misses(&t, "lru", 3, 1), 10);
    assert_int_equal(misses(&t, "lru", 4, 1), 8);
    assert_int_equal(misses(&t, "opt", 3, 1), 7);
    assert_int_equal(misses(&t, "opt", 4, 1), 6);
    assert_int_equal(misses(&t, "fifo", 5, 1), 5);
    close_trace(&t);
}

static void no_policy_beats_opt(void **state)
{
    static const uint32_t frames[] = { 1, 2, 3, 5, 8, 13, 21, 34 };
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct item_list list;
        random_pages(seed, (enum random_pattern)(seed % RANDOM_PATTERNS), 600, 48, &list);
        struct trace t = open_trace(&list);
        for (size_t f = 0; f < FL_COUNT(frames); f++) {
            uint64_t best = misses(&t, "opt", frames[f], 1);
            for (size_t i = 0; textbook_at(i); i++) {
                uint64_t n = misses(&t, fl_policy_name_at(i), frames[f], seed);
                if (n < best)
                    fail_msg("seed %llu, %u frames: %s %llu, opt %llu", (unsigned long long)seed,
                             frames[f], fl_policy_name_at(i), (unsigned long long)n,
                             (unsigned long long)best);
            }
        }
        close_trace(&t);
    }
}

/* Stack algorithms (Mattson et al., IBM Systems Journal 9(2), 1970): inclusion. */
static void lru_and_opt_never_miss_more_with_more_frames(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct item_list list;
        random_pages(seed, (enum random_pattern)(seed % RANDOM_PATTERNS), 600, 48, &list);
        struct trace t = open_trace(&list);
        uint64_t lru = UINT64_MAX, opt = UINT64_MAX;
        for (uint32_t frames = 1; frames <= 48; frames += 3) {
            uint64_t n = misses(&t, "lru", frames, 1), m = misses(&t, "opt", frames, 1);
            if (n > lru || m > opt)
                fail_msg("seed %llu: more misses at %u frames", (unsigned long long)seed, frames);
            lru = n;
            opt = m;
        }
        close_trace(&t);
    }
}

/* With room for all, every policy misses each page once. */
static void misses_with_room_for_all_are_the_distinct_pages(void **state)
{
    struct item_list list;
    (void)state;
    random_pages(5, RANDOM_UNIFORM, 2000, 48, &list);
    struct trace t = open_trace(&list);
    for (size_t i = 0; textbook_at(i); i++) {
        struct fl_result *r = replay(&t, fl_policy_name_at(i), 48, 1);
        assert_int_equal(r->minor, 48);
        assert_int_equal(r->major, 0);
        assert_int_equal(r->evictions, 0);
        fl_result_free(r);
    }
    close_trace(&t);
}

static void sweep_equals_replay_point_for_point(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct fl_sweep_point points[48] = { { 0 } };
        size_t n = 0;
        uint64_t rng = seed;
        struct item_list list;
        struct fl_err err;
        if (seed % 2)
            random_processes(seed, 400, &list);
        else
            random_pages(seed, (enum random_pattern)(seed / 2 % RANDOM_PATTERNS), 500, 40, &list);
        struct trace t = open_trace(&list);
        for (size_t i = 0; textbook_at(i); i++)
            for (int k = 0; k < 6 && n < FL_COUNT(points); k++)
                points[n++] = (struct fl_sweep_point){
                    .policy = fl_policy_at(i),
                    .frames = k == 5 ? FL_FRAMES_UNLIMITED : 1 + (uint32_t)random_below(&rng, 40),
                    .swap_pages = k == 4 ? random_below(&rng, 12) : UINT64_MAX,
                    .seed = 1 + random_below(&rng, 9)
                };
        int rc = fl_sweep(t.reader, points, n, NULL, NULL, &err);
        for (size_t i = 0; i < n; i++) {
            struct fl_replay_opts opts = { .frames = points[i].frames,
                                           .swap_pages = points[i].swap_pages,
                                           .policy = points[i].policy,
                                           .seed = points[i].seed };
            struct fl_result *r = NULL;
            if (fl_replay(t.reader, &opts, &r, &err) != FL_OK) {
                /* Nobody to kill at this point: then the sweep cannot have gone well. */
                assert_int_not_equal(rc, FL_OK);
                continue;
            }
            if (rc == FL_OK &&
                (points[i].minor != r->minor || points[i].major != r->major ||
                 points[i].swap_in != r->pages_in || points[i].swap_out != r->pages_out ||
                 points[i].oom_kills != r->n_oom_kills))
                fail_msg("seed %llu %s %u frames swap %lld: minor %llu/%llu major %llu/%llu in "
                         "%llu/%llu out %llu/%llu kills %llu/%zu",
                         (unsigned long long)seed, opts.policy->name, opts.frames,
                         (long long)opts.swap_pages, (unsigned long long)points[i].minor,
                         (unsigned long long)r->minor, (unsigned long long)points[i].major,
                         (unsigned long long)r->major, (unsigned long long)points[i].swap_in,
                         (unsigned long long)r->pages_in, (unsigned long long)points[i].swap_out,
                         (unsigned long long)r->pages_out, (unsigned long long)points[i].oom_kills,
                         r->n_oom_kills);
            fl_result_free(r);
        }
        close_trace(&t);
    }
}

static void footprint_is_the_peak_of_a_replay_without_limit(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct item_list list;
        struct fl_err err;
        uint64_t peak = 0;
        random_processes(seed, 400, &list);
        struct trace t = open_trace(&list);
        if (fl_footprint(t.reader, &peak, &err) != FL_OK)
            fail_msg("%s", err.msg);
        struct fl_result *r = replay(&t, "lru", FL_FRAMES_UNLIMITED, 1);
        assert_int_equal(r->unlimited_peak_pages, peak);
        assert_int_equal(r->resident_peak_pages, peak);
        assert_int_equal(r->evictions, 0);
        assert_int_equal(r->major, 0);
        fl_result_free(r);
        r = replay(&t, "lru", (uint32_t)peak + 1, 1);
        assert_int_equal(r->unlimited_peak_pages, peak);
        assert_int_equal(r->resident_peak_pages, peak);
        fl_result_free(r);
        close_trace(&t);
    }
}

/* Same trace, same question: the same answer, also after other questions. */
static void replay_again_gives_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct item_list list;
        random_processes(seed, 400, &list);
        struct trace t = open_trace(&list);
        for (size_t i = 0; textbook_at(i); i++) {
            struct fl_result *a = replay(&t, fl_policy_name_at(i), 7, 3);
            struct fl_result *b = replay(&t, fl_policy_name_at(i), 7, 3);
            assert_memory_equal(a->faults, b->faults, sizeof a->faults);
            assert_int_equal(a->evictions, b->evictions);
            assert_int_equal(a->walks, b->walks);
            assert_int_equal(a->n_rows, b->n_rows);
            assert_memory_equal(a->rows, b->rows, a->n_rows * sizeof *a->rows);
            fl_result_free(a);
            fl_result_free(b);
        }
        close_trace(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(belady_string_shows_the_anomaly_for_fifo_alone),
        cmocka_unit_test(no_policy_beats_opt),
        cmocka_unit_test(lru_and_opt_never_miss_more_with_more_frames),
        cmocka_unit_test(misses_with_room_for_all_are_the_distinct_pages),
        cmocka_unit_test(sweep_equals_replay_point_for_point),
        cmocka_unit_test(footprint_is_the_peak_of_a_replay_without_limit),
        cmocka_unit_test(replay_again_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
