/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Huge pages of policy linux: small scenes worked out by hand. */
#include "scene.h"

#define AT UINT64_C(0x100000) /* aligned to 2 MiB */
#define HUGE UINT64_C(512)
#define ADVICE_DONTNEED 4
#define ADVICE_HUGE 14
#define ADVICE_NO_HUGE 15

/* One level that holds every size, so that a walk is a mapping seen for the first time. */
static const struct fl_machine machine = {
    .name = "huge",
    .levels = 4,
    .asids = 2,
    .n_tlb = 2,
    .tlb = { { "I", FL_TLB_FETCH, 1, 1 },
             { "D", FL_TLB_DATA, 64, 64, 1u << FL_PAGE_4K | 1u << FL_PAGE_2M } },
};

static const struct fl_result *replay_thp(struct scene *s, uint32_t frames,
                                          enum fl_swap_kind device, enum fl_thp_mode thp)
{
    struct fl_kernel_opts kernel = *fl_kernel_defaults();
    struct fl_replay_opts opts = { .frames = frames,
                                   .swap_pages = 4096,
                                   .policy = fl_policy_find("linux"),
                                   .kernel = &kernel,
                                   .machine = &machine };
    kernel.thp = thp;
    kernel.swap_kind = device;
    assert_int_equal(try_replay(s, &opts), FL_OK);
    return s->r;
}

/* A process with @n times 2 MiB that may be huge. */
static void begin(struct scene *s, uint64_t n)
{
    process(s, 7, 1, 0, FL_NO_MM, 0);
    map_anon(s, 0, AT, n * HUGE);
    advise(s, 0, AT, n * HUGE, ADVICE_HUGE);
}

static void a_write_maps_all_of_it(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s, 1);
    for (uint64_t i = 0; i < HUGE; i++)
        writes(&s, 0, 0, AT + i);
    const struct fl_result *r = replay_thp(&s, 4096, FL_SWAP_ZRAM, FL_THP_MADVISE);
    assert_int_equal(r->minor, 1);
    assert_int_equal(r->faults[FL_CAUSE_HUGE], 1);
    assert_int_equal(r->thp.faults, 1);
    assert_int_equal(r->resident_peak_pages, HUGE);
    assert_int_equal(r->page_tables_peak, 4); /* the lowest waits for a split */
    assert_int_equal(r->walks, 1);
    assert_int_equal(r->walk_refs, 3); /* a level less than 4 */
    scene_end(&s);
}

static void reads_map_the_huge_zero_page(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s, 1);
    for (uint64_t i = 0; i < HUGE; i++)
        reads(&s, 0, 0, AT + i);
    writes(&s, 0, 0, AT + 5);
    reads(&s, 0, 0, AT + 6);
    const struct fl_result *r = replay_thp(&s, 4096, FL_SWAP_ZRAM, FL_THP_MADVISE);
    assert_int_equal(r->minor, 2);
    assert_int_equal(r->thp.zero_faults, 1);
    assert_int_equal(r->thp.faults, 1);
    assert_int_equal(r->resident_peak_pages, HUGE);
    scene_end(&s);
}

/* Which mappings may, by mode and advice; what is not aligned, or too short, never. */
static void modes_and_advice_say_where(void **state)
{
    static const struct {
        enum fl_thp_mode mode;
        uint32_t advice;
        uint64_t shift, pages, huge;
    } cases[] = {
        { FL_THP_MADVISE, 0, 0, 512, 0 },
        { FL_THP_MADVISE, ADVICE_HUGE, 0, 512, 1 },
        { FL_THP_NEVER, ADVICE_HUGE, 0, 512, 0 },
        { FL_THP_ALWAYS, 0, 0, 512, 1 },
        { FL_THP_ALWAYS, ADVICE_NO_HUGE, 0, 512, 0 },
        { FL_THP_ALWAYS, 0, 0, 511, 0 },
        { FL_THP_ALWAYS, 0, 1, 512, 0 },
        { FL_THP_ALWAYS, 0, 1, 1023, 1 }, /* its second half */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s = { 0 };
        process(&s, 7, 1, 0, FL_NO_MM, 0);
        map_anon(&s, 0, AT + cases[i].shift, cases[i].pages);
        if (cases[i].advice)
            advise(&s, 0, AT + cases[i].shift, cases[i].pages, cases[i].advice);
        writes(&s, 0, 0, AT + cases[i].shift);
        writes(&s, 0, 0, AT + cases[i].shift + cases[i].pages - 1);
        const struct fl_result *r = replay_thp(&s, 4096, FL_SWAP_ZRAM, cases[i].mode);
        assert_int_equal(r->thp.faults, cases[i].huge);
        scene_end(&s);
    }
}

/* Part of it goes: the rest is in small entries, and no fault is taken for them. */
static void partial_changes_split_the_entry(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct scene s = { 0 };
        begin(&s, 1);
        for (uint64_t i = 0; i < HUGE; i++)
            writes(&s, 0, 0, AT + i);
        if (how == 0)
            unmap(&s, 0, AT + 511, 1);
        else if (how == 1)
            protect(&s, 0, AT + 511, 1, FL_PROT_READ);
        else
            advise(&s, 0, AT + 511, 1, ADVICE_DONTNEED);
        for (uint64_t i = 0; i < 511; i++)
            writes(&s, 0, 0, AT + i);
        if (how)
            reads(&s, 0, 0, AT + 511);
        const struct fl_result *r = replay_thp(&s, 4096, FL_SWAP_ZRAM, FL_THP_MADVISE);
        assert_int_equal(r->faults[FL_CAUSE_HUGE], 1);
        assert_int_equal(r->minor, how == 2 ? 2 : 1);
        assert_int_equal(r->walks, 1 + 511 + (how != 0));
        assert_int_equal(r->thp.splits, 0); /* the folio stays whole */
        scene_end(&s);
    }
}

/* After a fork one write copies one page; with the child gone, one fault makes all writable. */
static void fork_shares_it(void **state)
{
    (void)state;
    for (int alone = 0; alone < 2; alone++) {
        struct scene s = { 0 };
        begin(&s, 1);
        writes(&s, 0, 0, AT);
        process(&s, 8, 7, 1, 0, 1);
        reads(&s, 1, 1, AT + 9);
        if (alone)
            process_exit(&s, 8);
        writes(&s, 0, 0, AT + 1);
        writes(&s, 0, 0, AT + 2);
        const struct fl_result *r = replay_thp(&s, 4096, FL_SWAP_ZRAM, FL_THP_MADVISE);
        assert_int_equal(r->faults[FL_CAUSE_HUGE], 1);
        assert_int_equal(r->faults[FL_CAUSE_COW], alone ? 1 : 2);
        assert_int_equal(r->minor, alone ? 2 : 3);
        assert_int_equal(r->resident_peak_pages, alone ? HUGE : HUGE + 2);
        scene_end(&s);
    }
}

/* A limit of three and a half: on zram whole ones go out; in a file they are split, and of each
   only what was written is written. */
static void reclaim_swaps_whole_or_splits(void **state)
{
    static const enum fl_swap_kind kinds[] = { FL_SWAP_ZRAM, FL_SWAP_DISK };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct scene s = { 0 };
        begin(&s, 6);
        for (uint64_t h = 0; h < 6; h++)
            writes(&s, 0, 0, AT + h * HUGE + 3);
        const struct fl_result *r = replay_thp(&s, 1792, kinds[i], FL_THP_MADVISE);
        assert_int_equal(r->n_oom_kills, 0);
        assert_int_equal(r->thp.faults, 6);
        assert_int_equal(r->thp.fallbacks, 0);
        assert_true(i ? r->thp.splits >= 3 : r->thp.swapouts >= 3);
        assert_int_equal(i ? r->thp.swapouts : r->thp.splits, 0);
        assert_int_equal(r->thp.swapout_fallbacks, i ? r->thp.splits : 0);
        assert_true(i ? r->pages_out <= r->thp.splits : r->pages_out == r->thp.swapouts * HUGE);
        scene_end(&s);
    }
}

/* No room for 512 pages, and no swap: small pages instead, and nobody is killed. */
static void without_room_it_falls_back(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s, 1);
    writes(&s, 0, 0, AT);
    writes(&s, 0, 0, AT + 1);
    const struct fl_result *r = replay_thp(&s, 400, FL_SWAP_ZRAM, FL_THP_MADVISE);
    assert_int_equal(r->thp.fallbacks, 1); /* the second finds a table there */
    assert_int_equal(r->faults[FL_CAUSE_ANON_WRITE], 2);
    assert_int_equal(r->n_oom_kills, 0);
    scene_end(&s);
}

/* 20 seconds of the model's clock pass between small pages and the next write. */
static void khugepaged_collapses(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 7, 1, 0, FL_NO_MM, 0);
    map_anon(&s, 0, AT, HUGE);
    writes(&s, 0, 0, AT + 4);
    advise(&s, 0, AT, HUGE, ADVICE_HUGE);
    for (int i = 0; i < 40; i++) {
        struct naive_item run = { .vpn = AT + 4, .reads = UINT32_MAX };
        item_list_run(&s.list, &run);
        advise(&s, 0, AT, HUGE, ADVICE_HUGE);
    }
    writes(&s, 0, 0, AT + 100);
    const struct fl_result *r = replay_thp(&s, 4096, FL_SWAP_ZRAM, FL_THP_MADVISE);
    assert_int_equal(r->thp.collapses, 1);
    assert_int_equal(r->minor, 1);
    assert_int_equal(r->resident_peak_pages, HUGE);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_maps_all_of_it),
        cmocka_unit_test(reads_map_the_huge_zero_page),
        cmocka_unit_test(modes_and_advice_say_where),
        cmocka_unit_test(partial_changes_split_the_entry),
        cmocka_unit_test(fork_shares_it),
        cmocka_unit_test(reclaim_swaps_whole_or_splits),
        cmocka_unit_test(without_room_it_falls_back),
        cmocka_unit_test(khugepaged_collapses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
