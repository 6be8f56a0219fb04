/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fl_replay() against its slow twin over random lists. FAULTLINE_SEED=N: that seed alone. */
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

/* So small that every rule of the TLB is met: odd sets, few entries, two spaces. */
static const struct fl_machine tiny = {
    .name = "tiny",
    .levels = 4,
    .asids = 2,
    .n_tlb = 3,
    .tlb = { { "I", FL_TLB_FETCH, 2, 2 },
             { "D", FL_TLB_DATA, 6, 2 },
             { "U", FL_TLB_UNIFIED, 9, 3 } },
};
static const struct fl_machine three_levels = {
    .name = "three levels",
    .levels = 5,
    .asids = 1,
    .n_tlb = 4,
    .tlb = { { "I", FL_TLB_FETCH, 1, 1 },
             { "D", FL_TLB_DATA, 2, 1 },
             { "U", FL_TLB_UNIFIED, 4, 4 },
             { "V", FL_TLB_UNIFIED, 10, 2 } },
    .n_walk = 3,
    .walk = { { 2, 1, 1 }, { 3, 3, 3 }, { 5, 2, 1 } },
};
/* Every other rule: sides of their own, walk caches by page, short ranges. */
static const struct fl_machine odd = {
    .name = "odd",
    .levels = 4,
    .asids = 3,
    .flush_pages = 2,
    .n_tlb = 5,
    .tlb = { { "I", FL_TLB_FETCH, 3, 1, 1 },
             { "L", FL_TLB_LOAD, 3, 3, 5 },
             { "S", FL_TLB_STORE, 2, 2, 1 },
             { "L2", FL_TLB_LOAD, 5, 1, 1 },
             { "U", FL_TLB_UNIFIED, 7, 7, 3 } },
    .walk_flush_page = true,
    .n_walk = 2,
    .walk = { { 2, 2, 2 }, { 4, 1, 1 } },
};
static const struct fl_machine broadcast = {
    .name = "broadcast",
    .levels = 4,
    .asids = 3,
    .flush_pages = 4,
    .broadcast = true,
    .n_tlb = 3,
    .tlb = { { "I", FL_TLB_FETCH, 2, 2 },
             { "D", FL_TLB_DATA, 4, 2 },
             { "U", FL_TLB_UNIFIED, 9, 3 } },
    .n_walk = 1,
    .walk = { { 2, 2, 1 } },
};

static const char *const policies[] = { "fifo", "lru", "clock", "random", "opt" };
static const uint32_t frame_counts[] = { 1, 2, 3, 5, 8, 16, 64, FL_FRAMES_UNLIMITED };

static const struct fl_machine *any_machine(uint64_t *rng)
{
    static const struct fl_machine *const small[] = { &tiny, &three_levels, &odd, &broadcast };
    size_t built_in = 0;
    while (fl_machine_at(built_in))
        built_in++;
    size_t pick = random_below(rng, 6 * built_in);
    return pick < built_in ? fl_machine_at(pick) : small[pick % FL_COUNT(small)];
}

static void check(const struct item_list *list, const struct naive_opts *opts, uint64_t seed)
{
    char why[WHY_BYTES] = "";
    if (compare_replays(list, opts, why))
        return;
    struct item_list small = { 0 };
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i].is_run)
            item_list_run(&small, &list->at[i]);
        else
            item_list_event(&small, &list->at[i].event);
    compare_shrink(&small, opts);
    compare_replays(&small, opts, why);
    compare_print(&small);
    item_list_free(&small);
    fail_msg("seed %llu policy %s frames %u swap %lld machine %s no_tlb %d seed %llu: %s",
             (unsigned long long)seed, opts->policy, opts->frames, (long long)opts->swap_pages,
             opts->machine->name, opts->no_tlb, (unsigned long long)opts->seed, why);
}

static void one_seed(uint64_t seed)
{
    uint64_t rng = seed * 77 + 1;
    struct item_list list;
    random_processes(seed, 60 + random_below(&rng, 300), &list);
    for (size_t i = 0; i < FL_COUNT(policies); i++)
        for (int again = 0; again < 2; again++) {
            struct naive_opts opts = {
                .frames = frame_counts[random_below(&rng, FL_COUNT(frame_counts))],
                .swap_pages = random_below(&rng, 2) ? UINT64_MAX : random_below(&rng, 16),
                .policy = policies[i],
                .machine = any_machine(&rng),
                .no_tlb = random_below(&rng, 4) == 0,
                .seed = 1 + random_below(&rng, 1000),
            };
            check(&list, &opts, seed);
        }
    item_list_free(&list);
}

static void replay_of_random_processes_equals_the_twin(void **state)
{
    const char *only = getenv("FAULTLINE_SEED");
    (void)state;
    if (only) {
        one_seed(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= 500; seed++)
        one_seed(seed);
}

static void replay_of_random_pages_equals_the_twin(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct item_list list;
        uint64_t rng = seed;
        random_pages(seed, (enum random_pattern)(seed % RANDOM_PATTERNS), 400, 40, &list);
        for (size_t i = 0; i < FL_COUNT(policies); i++)
            for (size_t f = 0; f < FL_COUNT(frame_counts); f += 1 + random_below(&rng, 3)) {
                struct naive_opts opts = { .frames = frame_counts[f],
                                           .swap_pages = UINT64_MAX,
                                           .policy = policies[i],
                                           .machine = &tiny,
                                           .seed = seed };
                check(&list, &opts, seed);
            }
        item_list_free(&list);
    }
}

/* The lists are worth something only if every rule is met in them. */
static void random_processes_meet_every_rule(void **state)
{
    struct naive_result sum = { 0 }, *r = calloc(1, sizeof *r);
    (void)state;
    assert_non_null(r);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct item_list list;
        random_processes(seed, 300, &list);
        struct naive_opts opts = { .frames = 5,
                                   .swap_pages = seed % 2 ? UINT64_MAX : 6,
                                   .policy = "clock",
                                   .machine = seed % 3 ? &tiny : &odd,
                                   .seed = 1 };
        naive_replay(list.at, list.n, &opts, r);
        for (int c = 0; c < FL_CAUSE_COUNT; c++)
            sum.faults[c] += r->faults[c];
        sum.segv += r->segv;
        sum.pages_out += r->pages_out;
        sum.file_pages_written += r->file_pages_written;
        for (int kind = 0; kind < FL_FLUSH_KINDS; kind++)
            sum.tlb_flushes_by[kind] += r->tlb_flushes_by[kind];
        sum.tlb_page_flushes += r->tlb_page_flushes;
        sum.saved_pages += r->saved_pages;
        sum.n_kills += r->n_kills;
        sum.skipped_accesses += r->skipped_accesses;
        item_list_free(&list);
    }
    free(r);
    for (int c = 1; c < FL_CAUSE_COUNT; c++)
        if (c != FL_CAUSE_FILE_AROUND && c != FL_CAUSE_SWAP_CACHE && c != FL_CAUSE_HUGE)
            assert_true(sum.faults[c] > 50); /* those are the kernel's policies' */
    assert_true(sum.segv > 50 && sum.pages_out > 50 && sum.file_pages_written > 50);
    for (int kind = 0; kind < FL_FLUSH_EXIT; kind++)
        assert_true(sum.tlb_flushes_by[kind] > 20);
    assert_true(sum.tlb_page_flushes > 50 && sum.saved_pages > 50);
    assert_true(sum.n_kills > 20 && sum.skipped_accesses > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_processes_meet_every_rule),
        cmocka_unit_test(replay_of_random_pages_equals_the_twin),
        cmocka_unit_test(replay_of_random_processes_equals_the_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
