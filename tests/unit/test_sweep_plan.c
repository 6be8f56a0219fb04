/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans of sweeps: every point once, in the memory they say; and who of several does what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <faultline/import.h>
#include <faultline/units.h>

#include "page_stream.h"
#include "sweep.h"

#define N_SIZES 16u

static const char *const policies[] = { "lru", "opt", "fifo", "clock", "linux", "mglru" };
#define N_ALL (FL_COUNT(policies) * N_SIZES * 2u)

/* Each policy with and without a limit to swap, at sizes up to @most frames. */
static void all_points(struct fl_sweep_point points[N_ALL], uint32_t most)
{
    for (unsigned i = 0; i < N_ALL; i++)
        points[i] = (struct fl_sweep_point){
            .policy = fl_policy_find(policies[i / (2 * N_SIZES)]),
            .frames = most / N_SIZES * (i % N_SIZES + 1),
            .swap_pages = i / N_SIZES % 2 ? most * 2u : UINT64_MAX,
        };
}

static struct sweep_trace a_trace(struct fl_sweep_point *points, struct fl_sweep_point **list,
                                  size_t n)
{
    for (size_t i = 0; i < n; i++)
        list[i] = &points[i];
    return (
        struct sweep_trace){ .distinct_pages = 100000, .runs = 1000000, .points = list, .n = n };
}

static void a_plan_has_every_point_once_whatever_threads_and_memory(void **state)
{
    struct fl_sweep_point points[N_ALL], *list[N_ALL];
    struct sweep_trace trace = a_trace(points, list, N_ALL);
    (void)state;
    all_points(points, 64000);
    for (unsigned threads = 1; threads <= 32; threads *= 2)
        for (uint64_t most = 0; most <= UINT64_C(4) << 30; most = most ? most * 4 : 1 << 20) {
            struct sweep_plan plan;
            unsigned seen[N_ALL] = { 0 };
            assert_int_equal(sweep_plan(&trace, 1, threads, most, false, &plan, NULL), FL_OK);
            for (size_t j = 0; j < plan.n_jobs; j++)
                for (size_t i = 0; i < plan.jobs[j].n; i++) {
                    assert_int_equal(sweep_kind_of(plan.jobs[j].points[i]), plan.jobs[j].kind);
                    seen[plan.jobs[j].points[i] - points]++;
                }
            for (size_t i = 0; i < N_ALL; i++)
                assert_int_equal(seen[i], 1);
            assert_int_equal(plan.n_points, N_ALL);
            assert_true(plan.threads >= 1 && plan.threads <= threads);
            sweep_plan_free(&plan);
        }
}

static void less_memory_takes_more_passes_and_too_little_is_refused(void **state)
{
    struct fl_sweep_point points[N_ALL], *list[N_ALL];
    struct sweep_trace trace = a_trace(points, list, N_ALL);
    struct sweep_plan plan;
    struct fl_err err = { 0 };
    uint64_t bytes;
    size_t passes = 0;
    (void)state;
    all_points(points, 64000);
    assert_int_equal(sweep_plan(&trace, 1, 4, UINT64_MAX, true, &plan, &err), FL_OK);
    bytes = plan.bytes;
    sweep_plan_free(&plan);
    for (; sweep_plan(&trace, 1, 4, bytes, true, &plan, &err) == FL_OK; bytes = bytes * 3 / 4) {
        assert_true(plan.bytes <= bytes);
        assert_true(plan.threads < 4 || plan.n_passes >= passes);
        passes = plan.n_passes;
        sweep_plan_free(&plan);
    }
    assert_int_equal(err.code, FL_EUSAGE);
    assert_non_null(strstr(err.msg, "--memory"));
    assert_true(bytes < UINT64_C(64) << 20);
}

/* ---- memory as it turns out ------------------------------------------------------------------ */

#define PAGES 200000u
#define PROCESS_BYTES (UINT64_C(6) << 20) /* of this program, before it does anything */

static void make_trace(const char *path)
{
    struct page_stream *s = page_stream_new(PAGE_STREAM_MIX, PAGES, 1);
    FILE *f = tmpfile();
    struct fl_totals totals;
    assert_true(s && f);
    for (uint64_t i = 0; i < PAGES + 400000u; i++) { /* every page, and some again */
        uint64_t page = i < PAGES ? i : page_stream_next(s);
        assert_int_equal(fwrite(&page, sizeof page, 1, f), 1);
    }
    rewind(f);
    assert_int_equal(fl_import(fl_importer_find("pages"), f, "refs", path, NULL, &totals, NULL),
                     FL_OK);
    fclose(f);
    page_stream_free(s);
}

/* The peak of a process that runs @plan. */
static uint64_t peak_of(const struct sweep_plan *plan)
{
    struct rusage usage;
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        const struct sweep_progress nobody = { NULL, NULL };
        _exit(sweep_plan_run(plan, &nobody, NULL, NULL, NULL) != FL_OK);
    }
    assert_int_equal(wait4(pid, &status, 0, &usage), pid);
    assert_int_equal(status, 0);
    return (uint64_t)usage.ru_maxrss * 1024;
}

/* And no wild guess: within ten times of it. */
static void a_plan_takes_no_more_memory_than_it_says(void **state)
{
    char path[] = "/tmp/test_sweep_plan.XXXXXX";
    int fd = mkstemp(path);
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    assert_true(fd >= 0);
    close(fd);
    make_trace(path);
    for (unsigned k = 0; k < 2 * FL_COUNT(policies); k++) {
        struct fl_sweep_point points[8], *list[8];
        struct sweep_trace trace = a_trace(points, list, 8);
        struct sweep_plan plan;
        trace.path = path;
        trace.distinct_pages = PAGES;
        for (unsigned i = 0; i < 8; i++)
            points[i] = (struct fl_sweep_point){ .policy = fl_policy_find(policies[k / 2]),
                                                 .frames = PAGES / 10 * (i + 2),
                                                 .swap_pages = k % 2 ? PAGES : UINT64_MAX };
        assert_int_equal(sweep_plan(&trace, 1, 2, UINT64_MAX, true, &plan, NULL), FL_OK);
        uint64_t peak = peak_of(&plan);
        printf("%-5s swap %-7s: says %4ju MiB, takes %4ju MiB\n", policies[k / 2],
               k % 2 ? "limited" : "max", (uintmax_t)plan.bytes >> 20, (uintmax_t)peak >> 20);
        assert_true(peak <= plan.bytes + PROCESS_BYTES);
        assert_true(plan.bytes <= 10 * peak);
        sweep_plan_free(&plan);
    }
    unlink(path);
}

/* ---- shares ---------------------------------------------------------------------------------- */

static void shares_are_whole_and_alike(void **state)
{
    struct fl_sweep_point points[N_ALL];
    uint32_t owner[3 * N_ALL];
    (void)state;
    all_points(points, 64000);
    for (unsigned shards = 1; shards <= 9; shards++) {
        struct sweep_share shares[3];
        uint64_t cost[9] = { 0 }, all = 0, most = 0;
        memset(owner, 0xff, sizeof owner);
        for (unsigned t = 0; t < 3; t++)
            shares[t] = (struct sweep_share){ 1, points, owner + t * N_ALL, N_ALL };
        assert_int_equal(sweep_share_out(shares, 3, shards, NULL), FL_OK);
        for (unsigned i = 0; i < 3 * N_ALL; i++) {
            const struct fl_sweep_point *p = &points[i % N_ALL];
            enum sweep_kind kind = sweep_kind_of(p);
            assert_true(owner[i] < shards);
            if (kind == SWEEP_CURVE || kind == SWEEP_FUTURE) { /* together, and cheap */
                assert_int_equal(owner[i], owner[i / N_SIZES * N_SIZES]);
                continue;
            }
            cost[owner[i]] += sweep_cost(p);
            all += sweep_cost(p);
        }
        for (unsigned s = 0; s < shards; s++)
            most = cost[s] > most ? cost[s] : most;
        assert_true(most <= all / shards + 2 * 16);
    }
}

/* 64 sizes of one policy over 8 shards: 8 each, the small ones among all. */
static void shares_mix_small_and_large(void **state)
{
    struct fl_sweep_point points[64];
    uint32_t owner[64], n[8] = { 0 }, sum[8] = { 0 };
    struct sweep_share share = { 7, points, owner, 64 };
    (void)state;
    for (unsigned i = 0; i < 64; i++)
        points[i] = (struct fl_sweep_point){ .policy = fl_policy_find("linux"),
                                             .frames = i + 1,
                                             .swap_pages = UINT64_MAX };
    assert_int_equal(sweep_share_out(&share, 1, 8, NULL), FL_OK);
    for (unsigned i = 0; i < 64; i++) {
        n[owner[i]]++;
        sum[owner[i]] += i;
    }
    for (unsigned s = 0; s < 8; s++) {
        assert_int_equal(n[s], 8);
        assert_in_range(sum[s] / 8, 26, 37); /* the mean of all is 31.5 */
    }
}

/* Of ten traces, each shard opens as few as can be. */
static void shares_of_many_traces_keep_to_few_of_them(void **state)
{
    struct fl_sweep_point points[N_ALL];
    uint32_t *owner = calloc(10 * N_ALL, sizeof *owner);
    struct sweep_share shares[10];
    (void)state;
    assert_non_null(owner);
    all_points(points, 64000);
    for (unsigned t = 0; t < 10; t++)
        shares[t] = (struct sweep_share){ 100 + t, points, owner + t * N_ALL, N_ALL };
    assert_int_equal(sweep_share_out(shares, 10, 5, NULL), FL_OK);
    for (unsigned s = 0; s < 5; s++) {
        unsigned opened = 0;
        for (unsigned t = 0; t < 10; t++) {
            bool has = false;
            for (unsigned i = 0; i < N_ALL; i++)
                has |= owner[t * N_ALL + i] == s;
            opened += has;
        }
        assert_in_range(opened, 2, 3);
    }
    free(owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_has_every_point_once_whatever_threads_and_memory),
        cmocka_unit_test(less_memory_takes_more_passes_and_too_little_is_refused),
        cmocka_unit_test(a_plan_takes_no_more_memory_than_it_says),
        cmocka_unit_test(shares_are_whole_and_alike),
        cmocka_unit_test(shares_mix_small_and_large),
        cmocka_unit_test(shares_of_many_traces_keep_to_few_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
