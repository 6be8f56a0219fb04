/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy linux against its slow twin over random lists. FAULTLINE_SEED=N: that seed alone;
   FAULTLINE_SEEDS=N: as many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <faultline/units.h>

#include "compare_linux.h"

/* Lists of one process agree all. Others differ now and then, as the model keeps one count of the
   accessed entries that forks, moves and fault-around leave to pages not used since, and the twin
   the entries themselves. What share may, in %. */
enum kind { PAGES, PROCESSES, FILE_IO, KINDS };
static const unsigned may_differ[KINDS] = { 0, 2, 9 };

struct tally {
    struct naive_linux_result sum;
    unsigned lists[KINDS], differ[KINDS];
};

static void describe(const struct item_list *list, const struct naive_linux_opts *opts,
                     uint64_t seed, const char *why)
{
    print_message("seed %llu, %zu items, limit %u swap %lld %s cluster %u swappiness %u flush %u "
                  "memcg %s TLB %u: %s\n",
                  (unsigned long long)seed, list->n, opts->limit, (long long)opts->swap_pages,
                  fl_swap_kind_name_at(opts->kernel.swap_kind), opts->kernel.page_cluster,
                  opts->kernel.swappiness, opts->kernel.first_flush_ms,
                  fl_memcg_name_at(opts->kernel.memcg), opts->costs->tlb.entries, why);
}

static void check(struct item_list *list, const struct naive_linux_opts *opts, enum kind kind,
                  struct tally *tally, uint64_t seed)
{
    char why[WHY_BYTES] = "";
    tally->lists[kind]++;
    if (compare_linux(list, opts, &tally->sum, why))
        return;
    tally->differ[kind]++;
    describe(list, opts, seed, why);
    if (kind != PAGES && !getenv("FAULTLINE_SEED"))
        return;
    compare_linux_shrink(list, opts);
    compare_linux(list, opts, NULL, why);
    compare_print(list);
    describe(list, opts, seed, why);
    fail();
}

/* What each thing costs: so much that the statistics are flushed after some hundred accesses, or
   after some, or never. */
static void random_costs(struct fl_costs *costs, enum fl_swap_kind kind, uint64_t *rng)
{
    static const uint64_t scale[] = { 1, 1000, 10000, 100000, 1000000 };
    uint64_t by = scale[random_below(rng, FL_COUNT(scale))];
    *costs = *fl_costs_default();
    costs->swap_device = fl_swap_kind_device(kind);
    for (int c = 0; c < FL_COST_COUNT; c++)
        if (c != FL_COST_DISK_REQUEST && c != FL_COST_DISK_PAGE)
            costs->ps[c] = by == 1 ? costs->ps[c] : 1 + random_below(rng, 100000) * by / 10;
}

/* A disk that takes long or not for a request and for a page, and tells of each or of all. */
static void random_disk(struct fl_costs *costs, uint64_t rng)
{
    uint64_t most = random_below(&rng, 2) ? 100000000 : 10000;
    costs->ps[FL_COST_DISK_REQUEST] = random_below(&rng, most);
    costs->ps[FL_COST_DISK_PAGE] = random_below(&rng, most);
    costs->disk_singly = random_below(&rng, 2);
}

/* Every other time a TLB keeps translations, many or few. */
static struct fl_tlb_kept random_tlb(uint64_t rng)
{
    if (random_below(&rng, 2))
        return (struct fl_tlb_kept){ .entries = 0 };
    return (struct fl_tlb_kept){ .entries = 1 + (uint32_t)random_below(&rng, 300),
                                 .per_fault = (uint32_t)random_below(&rng, 4),
                                 .per_page_out = (uint32_t)random_below(&rng, 4) };
}

/* The twin knows MADV_NORMAL, RANDOM, SEQUENTIAL, DONTNEED and REMOVE. */
static void leave_out_advice(struct item_list *list)
{
    struct item_list with = { 0 };
    for (size_t i = 0; i < list->n; i++) {
        const struct naive_item *it = &list->at[i];
        uint32_t advice = it->event.advise.advice;
        if (it->is_run)
            item_list_run(&with, it);
        else if (it->event.kind != FL_EV_ADVISE || advice <= 2 || advice == 4 || advice == 9)
            item_list_event(&with, &it->event);
    }
    item_list_free(list);
    *list = with;
}

static void one_seed(uint64_t seed, struct tally *tally)
{
    static const uint64_t swaps[] = { 0, 3, 17, 60, 400, UINT64_MAX, UINT64_MAX };
    static const uint32_t swappiness[] = { 60, 60, 60, 0, 1, 100, 200 };
    uint64_t rng = seed * 1000003 + 17;
    struct item_list list;
    struct fl_costs costs;
    struct naive_linux_opts opts = { .kernel = *fl_kernel_defaults(), .costs = &costs };
    opts.machine = fl_machine_at(0);
    opts.kernel.thp = FL_THP_NEVER;
    opts.kernel.memcg = random_below(&rng, 3) ? FL_MEMCG_V1 : FL_MEMCG_V2;
    opts.kernel.swap_kind = (enum fl_swap_kind)random_below(&rng, 3);
    opts.kernel.page_cluster = random_below(&rng, 3) ? 3 : (uint32_t)random_below(&rng, 7);
    opts.kernel.swappiness = swappiness[random_below(&rng, FL_COUNT(swappiness))];
    opts.kernel.first_flush_ms = (uint32_t)random_below(&rng, 2001);
    opts.swap_pages = swaps[random_below(&rng, FL_COUNT(swaps))];
    random_costs(&costs, opts.kernel.swap_kind, &rng);
    random_disk(&costs, seed * 1000037 + 5);
    costs.tlb = random_tlb(seed * 1000033 + 7);
    opts.seed = seed;
    opts.kernel.whole_flushes_from = seed % 3 ? FL_FLUSHES_NEVER : seed % 60;
    if (seed % 4 == 0) {
        uint32_t pages = 40 + (uint32_t)random_below(&rng, 120);
        random_pages(seed, (enum random_pattern)random_below(&rng, RANDOM_PATTERNS),
                     200 + random_below(&rng, 1500), pages, &list);
        opts.limit = 20 + pages / 4 + (uint32_t)random_below(&rng, pages);
    } else {
        random_processes(seed, 60 + random_below(&rng, 500), &list);
        leave_out_advice(&list);
        opts.limit = 12 + (uint32_t)random_below(&rng, 150);
        if (seed % 4 != 1)
            random_file_io(seed, &list);
    }
    check(&list, &opts, seed % 4 == 0 ? PAGES : seed % 4 == 1 ? PROCESSES : FILE_IO, tally, seed);
    item_list_free(&list);
}

static void policy_linux_equals_the_twin(void **state)
{
    const char *only = getenv("FAULTLINE_SEED"), *many = getenv("FAULTLINE_SEEDS");
    uint64_t seeds = many ? strtoull(many, NULL, 10) : 800;
    struct tally *tally = calloc(1, sizeof *tally);
    (void)state;
    assert_non_null(tally);
    if (only) {
        one_seed(strtoull(only, NULL, 10), tally);
        free(tally);
        return;
    }
    for (uint64_t seed = 1; seed <= seeds; seed++)
        one_seed(seed, tally);
    for (int kind = 0; kind < KINDS; kind++)
        assert_true(tally->differ[kind] * 100 <= may_differ[kind] * tally->lists[kind]);
    const struct naive_linux_result *sum = &tally->sum;
    /* The lists are worth something only if every rule is met in them. */
    for (int c = 1; c < FL_CAUSE_COUNT; c++)
        if (c != FL_CAUSE_HUGE && sum->r.faults[c] < 100)
            fail_msg("only %llu faults of %s", (unsigned long long)sum->r.faults[c],
                     fl_cause_name((enum fl_cause)c));
    assert_true(sum->r.n_kills > 50 && sum->r.pages_out > 1000 && sum->r.file_pages_written > 100);
    assert_true(sum->activated > 1000 && sum->deactivated > 1000 && sum->refaults > 1000);
    assert_true(sum->stat_flushes > 300 && sum->readahead_pages > 100);
    assert_true(sum->readahead_hits > 100);
    free(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_linux_equals_the_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
