/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What larger pages would save: scenes worked out by hand, and fl_replay() with huge pages. */
#include "scene.h"

#include <string.h>

#include <faultline/locality.h>

#define AT UINT64_C(0x100000) /* aligned to 2 MiB */
#define HUGE UINT64_C(512)
#define ADVICE_NO_HUGE 15

/* Four entries, of pages of any size: more pages than that in turn miss each time. */
static const struct fl_machine four = {
    .name = "four",
    .levels = 4,
    .asids = 2,
    .n_tlb = 2,
    .tlb = { { "I", FL_TLB_FETCH, 1, 1 },
             { "D", FL_TLB_DATA, 4, 4, 1u << FL_PAGE_4K | 1u << FL_PAGE_2M } },
};

static struct fl_tlb_reach *reach_on(const struct item_list *list, const struct fl_machine *machine)
{
    struct fl_reader *r = NULL;
    struct fl_tlb_reach *reach = NULL;
    struct fl_err err = { .msg = "" };
    void *bytes = NULL;
    size_t len = 0;
    if (item_list_trace(list, &bytes, &len, &err) != FL_OK ||
        fl_reader_open_mem(bytes, len, 0, &r, &err) != FL_OK ||
        fl_tlb_reach(r, machine, NULL, NULL, &reach, &err) != FL_OK)
        fail_msg("%s", err.msg);
    fl_reader_free(r);
    free(bytes);
    return reach;
}

static struct fl_tlb_reach *reach_of(const struct item_list *list)
{
    return reach_on(list, &four);
}

static void begin(struct scene *s)
{
    process(s, 7, 1, 0, FL_NO_MM, 0);
}

/* @times round @pages pages from @vpn on. */
static void go_round(struct scene *s, uint64_t vpn, uint64_t pages, unsigned times)
{
    for (unsigned k = 0; k < times; k++)
        for (uint64_t i = 0; i < pages; i++)
            writes(s, 0, 0, vpn + i);
}

/* 2 MiB hold all eight pages: one walk instead of one a write; 504 pages are never touched. */
static void pages_in_one_large_one_walk_once(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    map_anon(&s, 0, AT, HUGE);
    go_round(&s, AT, 8, 10);
    struct fl_tlb_reach *reach = reach_of(&s.list);
    assert_int_equal(reach->walks, 80);
    assert_int_equal(reach->walks_huge, 1);
    assert_int_equal(reach->walks_ragged, 0);
    assert_int_equal(reach->n_mappings, 1);
    const struct fl_tlb_reach_mapping *m = &reach->mappings[0];
    assert_int_equal(m->walks, 80);
    assert_int_equal(m->walks_huge, 1);
    assert_int_equal(m->pages, 8);
    assert_int_equal(m->huge_ranges, 1);
    assert_int_equal(m->extra_pages, HUGE - 8);
    assert_int_equal(m->start, AT << 12);
    assert_int_equal(m->length, HUGE << 12);
    assert_string_equal(m->advice,
                        "madvise(0x100000000, 2097152, MADV_HUGEPAGE) on 2.0 MiB of "
                        "anonymous, 2.0 MiB: saves 98 % of its page walks, costs 2.0 MiB");
    fl_tlb_reach_free(reach);
    scene_end(&s);
}

/* A page short of 2 MiB, or not aligned: nothing is gained, and the walks are counted as ragged. */
static void what_holds_no_whole_range_gains_nothing(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    map_anon(&s, 0, AT, HUGE - 1);
    map_anon(&s, 0, AT + 4 * HUGE + 1, HUGE);
    go_round(&s, AT, 8, 10);
    go_round(&s, AT + 4 * HUGE + 1, 8, 10);
    struct fl_tlb_reach *reach = reach_of(&s.list);
    assert_int_equal(reach->walks, 160);
    assert_int_equal(reach->walks_huge, 160);
    assert_int_equal(reach->walks_ragged, 160);
    for (size_t i = 0; i < reach->n_mappings; i++)
        assert_null(reach->mappings[i].advice);
    fl_tlb_reach_free(reach);
    scene_end(&s);
}

/* Files, shared memory, and what the program asked not to be huge. */
static void only_private_anonymous_memory_is_huge(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    file(&s, 0, 5, "/data");
    map(&s, 0, AT, HUGE, RW, 0, 0, 0);
    map(&s, 0, AT + HUGE, HUGE, RW, FL_MAP_ANON | FL_MAP_SHARED, FL_NO_FILE, 0);
    map_anon(&s, 0, AT + 2 * HUGE, HUGE);
    advise(&s, 0, AT + 2 * HUGE, HUGE, ADVICE_NO_HUGE);
    for (uint64_t k = 0; k < 3; k++)
        go_round(&s, AT + k * HUGE, 8, 10);
    struct fl_tlb_reach *reach = reach_of(&s.list);
    assert_int_equal(reach->walks, 240);
    assert_int_equal(reach->walks_huge, 240);
    assert_int_equal(reach->walks_ragged, 80); /* the last, which could be */
    assert_int_equal(reach->n_mappings, 3);
    fl_tlb_reach_free(reach);
    scene_end(&s);
}

/* A heap that grows: its range is huge once it holds all of it, and no more when it is cut. */
static void a_range_is_huge_from_when_it_is_whole(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    map_anon(&s, 0, AT, HUGE / 2);
    go_round(&s, AT, 8, 1); /* 8 walks of both */
    map_anon(&s, 0, AT + HUGE / 2, HUGE / 2);
    go_round(&s, AT, 8, 2); /* 16; 1 */
    unmap(&s, 0, AT + HUGE - 1, 1);
    go_round(&s, AT, 8, 1); /* 8 of both */
    struct fl_tlb_reach *reach = reach_of(&s.list);
    assert_int_equal(reach->walks, 8 + 16 + 8);
    assert_int_equal(reach->walks_huge, 8 + 1 + 8);
    assert_int_equal(reach->walks_ragged, 16);
    fl_tlb_reach_free(reach);
    scene_end(&s);
}

/* A moved range loses its entry: a page touched after that walks again. */
static void an_unmapped_range_is_flushed(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    for (unsigned k = 0; k < 5; k++) {
        map_anon(&s, 0, AT, HUGE);
        writes(&s, 0, 0, AT);
        writes(&s, 0, 0, AT + 1);
        unmap(&s, 0, AT, HUGE);
    }
    struct fl_tlb_reach *reach = reach_of(&s.list);
    assert_int_equal(reach->walks, 10);
    assert_int_equal(reach->walks_huge, 5);
    fl_tlb_reach_free(reach);
    scene_end(&s);
}

static uint64_t replayed_walks(struct scene *s, const struct fl_machine *machine,
                               enum fl_thp_mode thp)
{
    struct fl_kernel_opts kernel = *fl_kernel_defaults();
    struct fl_replay_opts opts = { .frames = FL_FRAMES_UNLIMITED,
                                   .swap_pages = UINT64_MAX,
                                   .policy = fl_policy_find("linux"),
                                   .kernel = &kernel,
                                   .machine = machine };
    kernel.thp = thp;
    assert_int_equal(try_replay(s, &opts), FL_OK);
    uint64_t walks = s->r->walks;
    fl_result_free(s->r);
    s->r = NULL;
    return walks;
}

/*
 * Mappings that are whole when they are first touched, by writes: here the kernel's huge pages at
 * fault are all there can be, so that both must agree, with always and never.
 */
static void agrees_with_the_replay_of_huge_pages(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        const struct fl_machine *machine = seed % 2 ? &four : fl_machine_at(0);
        struct scene s = { 0 };
        uint64_t rng = seed;
        begin(&s);
        map_anon(&s, 0, AT, 3 * HUGE);              /* aligned */
        map_anon(&s, 0, AT + 8 * HUGE + 100, 1000); /* less than one whole range in it */
        file(&s, 0, 5, "/data");
        map(&s, 0, AT + 16 * HUGE, HUGE, FL_PROT_READ, 0, 0, 0);
        map(&s, 0, AT + 20 * HUGE, 3, FL_PROT_READ | FL_PROT_EXEC, 0, 0, 0);
        for (uint32_t i = 0; i < 8000; i++) {
            uint64_t lot = random_below(&rng, 5);
            if (lot == 4)
                item_list_run(&s.list, &(struct naive_item){ .vpn = AT + 20 * HUGE + i % 3,
                                                             .fetches = 2,
                                                             .reads = i % 2 });
            else if (lot == 0)
                writes(&s, 0, 0, AT + 8 * HUGE + 100 + random_below(&rng, 1000));
            else if (lot == 1)
                reads(&s, 0, 0, AT + 16 * HUGE + random_below(&rng, HUGE));
            else
                writes(&s, 0, 0, AT + random_below(&rng, 3 * HUGE));
        }
        struct fl_tlb_reach *reach = reach_on(&s.list, machine);
        assert_int_equal(reach->walks, replayed_walks(&s, machine, FL_THP_NEVER));
        assert_int_equal(reach->walks_huge, replayed_walks(&s, machine, FL_THP_ALWAYS));
        assert_true(reach->walks_huge < reach->walks);
        uint64_t walks = 0, huge = 0;
        for (size_t i = 0; i < reach->n_mappings; i++) {
            walks += reach->mappings[i].walks;
            huge += reach->mappings[i].walks_huge;
        }
        assert_int_equal(walks, reach->walks);
        assert_int_equal(huge, reach->walks_huge);
        fl_tlb_reach_free(reach);
        scene_end(&s);
    }
}

/* The same where the program asks for it itself, of one mapping only. */
static void agrees_with_the_replay_of_advised_memory(void **state)
{
    struct scene s = { 0 };
    uint64_t rng = 9;
    (void)state;
    begin(&s);
    map_anon(&s, 0, AT, 2 * HUGE);
    advise(&s, 0, AT, 2 * HUGE, 14);
    for (int i = 0; i < 2000; i++)
        writes(&s, 0, 0, AT + random_below(&rng, 2 * HUGE));
    struct fl_tlb_reach *reach = reach_of(&s.list);
    assert_int_equal(reach->walks_huge, replayed_walks(&s, &four, FL_THP_MADVISE));
    fl_tlb_reach_free(reach);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_in_one_large_one_walk_once),
        cmocka_unit_test(what_holds_no_whole_range_gains_nothing),
        cmocka_unit_test(only_private_anonymous_memory_is_huge),
        cmocka_unit_test(a_range_is_huge_from_when_it_is_whole),
        cmocka_unit_test(an_unmapped_range_is_flushed),
        cmocka_unit_test(agrees_with_the_replay_of_huge_pages),
        cmocka_unit_test(agrees_with_the_replay_of_advised_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
