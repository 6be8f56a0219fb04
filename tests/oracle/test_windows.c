/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What takes many runs at once against what takes one after the other: lists with bursts, through
   fl_replay() against the slow twins, and through fl_sweep() against fl_replay().
   FAULTLINE_SEED=N: that seed alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/units.h>

#include "compare_linux.h"

static const char *const policies[] = { "fifo", "lru", "clock", "random", "opt" };

/* Sides together, sides apart, loads and stores apart. */
static const struct fl_machine machines[] = {
    { .name = "apart",
      .levels = 4,
      .asids = 2,
      .n_tlb = 3,
      .tlb = { { "I", FL_TLB_FETCH, 4, 4 },
               { "D", FL_TLB_DATA, 12, 4 },
               { "U", FL_TLB_UNIFIED, 18, 3 } } },
    { .name = "together",
      .levels = 4,
      .asids = 1,
      .n_tlb = 1,
      .tlb = { { "U", FL_TLB_UNIFIED, 16, 4 } } },
    { .name = "three sides",
      .levels = 4,
      .asids = 3,
      .n_tlb = 3,
      .tlb = { { "I", FL_TLB_FETCH, 8, 2 },
               { "L", FL_TLB_LOAD, 12, 3 },
               { "S", FL_TLB_STORE, 12, 12 } } },
};

static void each_seed(void (*one)(uint64_t seed), uint64_t n)
{
    const char *only = getenv("FAULTLINE_SEED");
#ifdef __SANITIZE_ADDRESS__
    n = (n + 2) / 3; /* the sanitizers take that much longer */
#endif
    for (uint64_t seed = only ? strtoull(only, NULL, 10) : 1; seed <= n; seed++) {
        one(seed);
        if (only)
            return;
    }
}

static void make_list(uint64_t seed, uint64_t *rng, struct item_list *list)
{
    if (seed % 3 == 0)
        random_pages(seed, (enum random_pattern)random_below(rng, RANDOM_PATTERNS), 300, 60, list);
    else
        random_processes(seed, 60 + random_below(rng, 200), list);
    random_bursts(seed, list);
}

static void replay_one(uint64_t seed)
{
    uint64_t rng = seed * 101 + 5;
    struct item_list list;
    make_list(seed, &rng, &list);
    for (size_t i = 0; i < FL_COUNT(policies); i++) {
        struct naive_opts opts = { .frames = 4 + (uint32_t)random_below(&rng, 60),
                                   .swap_pages = random_below(&rng, 3) ? UINT64_MAX
                                                                       : random_below(&rng, 16),
                                   .policy = policies[i],
                                   .machine = &machines[random_below(&rng, FL_COUNT(machines))],
                                   .seed = 1 };
        char why[WHY_BYTES] = "";
        if (!compare_replays(&list, &opts, why))
            fail_msg("seed %ju policy %s frames %u machine %s: %s", (uintmax_t)seed, opts.policy,
                     opts.frames, opts.machine->name, why);
    }
    item_list_free(&list);
}

static void replay_of_bursts_equals_the_twin(void **state)
{
    (void)state;
    each_seed(replay_one, 150);
}

static void linux_one(uint64_t seed)
{
    uint64_t rng = seed * 103 + 9;
    struct naive_linux_result sum = { 0 };
    struct item_list list;
    char why[WHY_BYTES] = "";
    struct naive_linux_opts opts = { .kernel = *fl_kernel_defaults(),
                                     .costs = fl_costs_default(),
                                     .machine = fl_machine_at(0),
                                     .limit = 30 + (uint32_t)random_below(&rng, 60),
                                     .swap_pages = UINT64_MAX };
    opts.kernel.thp = FL_THP_NEVER;
    random_pages(seed, (enum random_pattern)random_below(&rng, RANDOM_PATTERNS), 400, 90, &list);
    random_bursts(seed, &list);
    if (!compare_linux(&list, &opts, &sum, why))
        fail_msg("seed %ju limit %ju: %s", (uintmax_t)seed, (uintmax_t)opts.limit, why);
    item_list_free(&list);
}

static void linux_of_bursts_equals_the_twin(void **state)
{
    (void)state;
    each_seed(linux_one, 60);
}

/* ---- sweeps ------------------------------------------------------------------------------ */

#define SIZES 4u
#define MANY_SIZES 20u

static void compare_point(struct fl_reader *r, const struct fl_sweep_point *p, uint64_t seed)
{
    struct fl_replay_opts opts = { .frames = p->frames,
                                   .swap_pages = p->swap_pages,
                                   .policy = p->policy,
                                   .seed = p->seed,
                                   .no_tlb = true };
    struct fl_result *want;
    struct fl_err err;
    int rc = fl_replay(r, &opts, &want, &err);
    if (rc != p->rc)
        fail_msg("seed %ju %s %u: replay returns %d, the sweep %d", (uintmax_t)seed,
                 p->policy->name, p->frames, rc, p->rc);
    if (rc != FL_OK)
        return;
    if (p->minor != want->minor || p->major != want->major || p->swap_in != want->pages_in ||
        p->swap_out != want->pages_out || p->oom_kills != want->n_oom_kills)
        fail_msg("seed %ju %s %u frames, swap %jd: sweep %ju+%ju faults, %ju in, %ju out; "
                 "replay %ju+%ju, %ju, %ju",
                 (uintmax_t)seed, p->policy->name, p->frames, (intmax_t)p->swap_pages,
                 (uintmax_t)p->minor, (uintmax_t)p->major, (uintmax_t)p->swap_in,
                 (uintmax_t)p->swap_out, (uintmax_t)want->minor, (uintmax_t)want->major,
                 (uintmax_t)want->pages_in, (uintmax_t)want->pages_out);
    fl_result_free(want);
}

static void sweep_points(uint64_t seed, uint64_t *rng, struct fl_sweep_point *points, size_t n)
{
    struct item_list list;
    struct fl_reader *r;
    struct fl_err err;
    size_t len;
    void *bytes;
    make_list(seed, rng, &list);
    assert_int_equal(item_list_trace(&list, &bytes, &len, &err), FL_OK);
    item_list_free(&list);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
    int rc = fl_sweep(r, points, n, NULL, NULL, &err);
    if (rc != FL_OK && rc != FL_EDATA)
        fail_msg("seed %ju: %s", (uintmax_t)seed, err.msg);
    for (size_t i = 0; i < n; i++)
        compare_point(r, &points[i], seed);
    fl_reader_free(r);
    free(bytes);
}

static void sweep_one(uint64_t seed)
{
    struct fl_sweep_point points[(FL_COUNT(policies) + 2) * SIZES] = { { 0 } };
    uint64_t rng = seed * 107 + 3;
    size_t n = 0;
    for (size_t i = 0; i < FL_COUNT(policies) + 2; i++)
        for (unsigned s = 0; s < SIZES; s++) {
            bool kernel = i >= FL_COUNT(policies);
            const char *name = kernel ? (i % 2 ? "linux" : "mglru") : policies[i];
            points[n++] = (struct fl_sweep_point){
                .policy = fl_policy_find(name),
                .frames = (kernel ? 40 : 16) + (uint32_t)random_below(&rng, 50),
                .swap_pages = random_below(&rng, 4) ? UINT64_MAX : random_below(&rng, 30),
                .seed = 1 + s
            };
        }
    sweep_points(seed, &rng, points, n);
}

/* So many sizes of the kernel's policies that the largest may stand for others, and a few. */
static void sweep_many(uint64_t seed)
{
    struct fl_sweep_point points[MANY_SIZES + SIZES] = { { 0 } };
    uint64_t rng = seed * 211 + 5;
    uint64_t swap_pages = random_below(&rng, 3) ? UINT64_MAX : random_below(&rng, 60);
    for (size_t i = 0; i < FL_COUNT(points); i++)
        points[i] = (struct fl_sweep_point){
            .policy = fl_policy_find((seed % 2 == 0) == (i < SIZES) ? "linux" : "mglru"),
            .frames = 40 + (uint32_t)random_below(&rng, 120),
            .swap_pages = swap_pages,
            .seed = 1,
        };
    sweep_points(seed, &rng, points, FL_COUNT(points));
}

static void sweep_of_many_sizes_equals_replays(void **state)
{
    (void)state;
    each_seed(sweep_many, 100);
}

static void sweep_of_bursts_equals_replays(void **state)
{
    (void)state;
    each_seed(sweep_one, 200);
}

/* A curve of opt holds so many sizes and no more: there are several then. */
static void more_sizes_than_a_pass_takes_are_answered(void **state)
{
    enum { SIZES_OF_ALL = 600 };
    static struct fl_sweep_point points[SIZES_OF_ALL];
    struct item_list list;
    struct fl_reader *r;
    struct fl_err err;
    uint64_t rng = 7;
    size_t len;
    void *bytes;
    (void)state;
    random_pages(3, RANDOM_ZIPF, 9000, 700, &list);
    random_bursts(3, &list);
    assert_int_equal(item_list_trace(&list, &bytes, &len, &err), FL_OK);
    item_list_free(&list);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
    for (uint32_t i = 0; i < SIZES_OF_ALL; i++)
        points[i] = (struct fl_sweep_point){ .policy = fl_policy_find(i % 9 ? "opt" : "lru"),
                                             .frames = 1 + (uint32_t)random_below(&rng, 750),
                                             .swap_pages = UINT64_MAX };
    assert_int_equal(fl_sweep(r, points, SIZES_OF_ALL, NULL, NULL, &err), FL_OK);
    for (uint32_t i = 0; i < SIZES_OF_ALL; i += 5)
        compare_point(r, &points[i], 3);
    fl_reader_free(r);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_of_bursts_equals_the_twin),
        cmocka_unit_test(linux_of_bursts_equals_the_twin),
        cmocka_unit_test(sweep_of_bursts_equals_replays),
        cmocka_unit_test(sweep_of_many_sizes_equals_replays),
        cmocka_unit_test(more_sizes_than_a_pass_takes_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
