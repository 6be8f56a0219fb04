/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is flushed when, what a walk costs, and tables of 5 levels: counted by hand. */
#include "scene.h"

/* One entry a side: every change of page walks. */
static const struct fl_machine bare = {
    .name = "bare",
    .levels = 4,
    .asids = 2,
    .n_tlb = 2,
    .tlb = { { "I", FL_TLB_FETCH, 1, 1 }, { "D", FL_TLB_DATA, 1, 1 } },
};

static const struct fl_result *replay_on(struct scene *s, const struct fl_machine *machine,
                                         uint32_t frames)
{
    struct fl_replay_opts opts = { .frames = frames,
                                   .swap_pages = UINT64_MAX,
                                   .policy = fl_policy_find("lru"),
                                   .machine = machine };
    fl_result_free(s->r);
    assert_int_equal(try_replay(s, &opts), FL_OK);
    return s->r;
}

static void one_process(struct scene *s)
{
    process(s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(s, 0, 1, 40);
}

/* Pages 1 and 33 span 33: each page's flush; 1 and 34 span 34: the space's. Page 40 is walked to
 * again only in the second case. */
static void a_range_of_more_than_33_pages_flushes_the_space(void **state)
{
    (void)state;
    for (uint64_t last = 33; last <= 34; last++) {
        struct scene s = { 0 };
        one_process(&s);
        reads(&s, 0, 0, 1);
        reads(&s, 0, 0, last);
        reads(&s, 0, 0, 40);
        unmap(&s, 0, 1, last);
        reads(&s, 0, 0, 40);
        const struct fl_result *r = replay_on(&s, &scene_machine, FL_FRAMES_UNLIMITED);
        assert_int_equal(r->tlb_flushes_by[FL_FLUSH_RANGE], last == 34);
        assert_int_equal(r->tlb_page_flushes, last == 33 ? 33 : 0);
        assert_int_equal(r->walks, last == 33 ? 3 : 4);
        scene_end(&s);
    }
}

/* Nothing was touched in the range: nothing to flush. */
static void untouched_pages_are_not_flushed(void **state)
{
    struct scene s = { 0 };
    (void)state;
    one_process(&s);
    reads(&s, 0, 0, 40);
    unmap(&s, 0, 1, 39);
    const struct fl_result *r = replay_on(&s, &scene_machine, FL_FRAMES_UNLIMITED);
    assert_int_equal(r->tlb_flushes, 1); /* the switch to it */
    assert_int_equal(r->tlb_page_flushes, 0);
    scene_end(&s);
}

/* A remap of pages 1-2 onto 20-21: the new place and the old one are operations of their own. */
static void remap_flushes_the_two_places_apart(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 2);
    map_anon(&s, 0, 120, 2);
    reads(&s, 0, 0, 1);
    reads(&s, 0, 0, 2);
    reads(&s, 0, 0, 120);
    remap(&s, 0, 1, 2, 120, 2);
    const struct fl_result *r = replay_on(&s, &scene_machine, FL_FRAMES_UNLIMITED);
    assert_int_equal(r->tlb_flushes_by[FL_FLUSH_RANGE], 0);
    assert_int_equal(r->tlb_page_flushes, 1 + 2);
    scene_end(&s);
}

/* 1 frame, page 1 of two spaces in turns a b a: b's fault takes a's page while b runs, so a is
 * flushed whole when it comes back; its fault takes b's. Broadcast flushes reach both at once. */
static void what_a_waiting_space_loses_flushes_it_when_it_runs(void **state)
{
    struct scene s = { 0 };
    struct fl_machine arm = scene_machine;
    (void)state;
    arm.broadcast = true;
    for (uint32_t i = 0; i < 2; i++) {
        process(&s, 10 + i, 0, i, FL_NO_MM, i);
        map_anon(&s, i, 1, 1);
    }
    reads(&s, 0, 0, 1);
    reads(&s, 1, 1, 1);
    reads(&s, 0, 0, 1);
    const struct fl_result *r = replay_on(&s, &scene_machine, 1);
    assert_int_equal(r->tlb_flushes_by[FL_FLUSH_SWITCH], 2);
    assert_int_equal(r->tlb_flushes_by[FL_FLUSH_STALE], 1);
    assert_int_equal(r->tlb_page_flushes, 0);
    r = replay_on(&s, &arm, 1);
    assert_int_equal(r->tlb_flushes, 0);
    assert_int_equal(r->tlb_page_flushes, 2);
    scene_end(&s);
}

static void fork_flushes_the_parent(void **state)
{
    struct scene s = { 0 };
    (void)state;
    one_process(&s);
    reads(&s, 0, 0, 1);
    process(&s, 11, 10, 1, 0, 1);
    reads(&s, 0, 0, 1);
    const struct fl_result *r = replay_on(&s, &scene_machine, FL_FRAMES_UNLIMITED);
    assert_int_equal(r->tlb_flushes_by[FL_FLUSH_FORK], 1);
    assert_int_equal(r->walks, 2);
    scene_end(&s);
}

/* 2 ASIDs: 0 to a, 1 to b; a exits and the kernel gets 0, so b, which waits, keeps 1 and its entry.
 * The exec of b gives its new space 1, the next in turn, and nothing to the kernel. */
static void exit_runs_the_kernel_and_exec_does_not(void **state)
{
    struct scene s = { 0 };
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        process(&s, 10 + i, 0, i, FL_NO_MM, i);
        map_anon(&s, i, 1, 1);
    }
    reads(&s, 0, 0, 1);
    reads(&s, 1, 1, 1);
    item_list_run(&s.list, &(struct naive_item){ .vpn = 1, .writes = 1 });
    process_exit(&s, 10);
    reads(&s, 1, 1, 1);
    const struct fl_result *r = replay_on(&s, &scene_machine, FL_FRAMES_UNLIMITED);
    assert_int_equal(r->tlb_flushes, 3);
    assert_int_equal(r->walks, 2);
    process_exec(&s, 11, 2);
    map_anon(&s, 2, 1, 1);
    reads(&s, 1, 2, 1);
    r = replay_on(&s, &scene_machine, FL_FRAMES_UNLIMITED);
    assert_int_equal(r->tlb_flushes, 4);
    assert_int_equal(r->tlb_flushes_by[FL_FLUSH_SWITCH], 4);
    assert_int_equal(r->walks, 3);
    scene_end(&s);
}

/* Without PCID every switch flushes: a b a. */
static void one_asid_flushes_on_every_switch(void **state)
{
    struct scene s = { 0 };
    struct fl_machine old = scene_machine;
    (void)state;
    old.asids = 1;
    for (uint32_t i = 0; i < 2; i++) {
        process(&s, 10 + i, 0, i, FL_NO_MM, i);
        map_anon(&s, i, 1, 1);
    }
    for (uint32_t i = 0; i < 3; i++)
        reads(&s, i % 2, i % 2, 1);
    const struct fl_result *r = replay_on(&s, &old, FL_FRAMES_UNLIMITED);
    assert_int_equal(r->tlb_flushes_by[FL_FLUSH_SWITCH], 3);
    assert_int_equal(r->walks, 3);
    scene_end(&s);
}

/* Pages 1 and 2 are under PDE 0, 201h under PDE 1, 40001h under PDE 200h and PDPTE 1.
 *             PDE (2, LRU)     PDPTE (1)    references
 *   read 1    miss: 0          miss: 0      4
 *   read 2    hit                           1
 *   read 201  miss: 0 1        hit          2
 *   read 40001 miss: 200 1     miss: 1      4
 *   read 1    miss: 200 0      miss: 0      4 */
static void walk_caches_save_the_upper_levels(void **state)
{
    struct scene s = { 0 };
    struct fl_machine m = bare;
    (void)state;
    m.n_walk = 2;
    m.walk[0] = (struct fl_walk_cache){ 2, 2, 2 };
    m.walk[1] = (struct fl_walk_cache){ 3, 1, 1 };
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 0x41000);
    for (size_t i = 0; i < 5; i++)
        reads(&s, 0, 0, (const uint64_t[]){ 1, 2, 0x201, 0x40001, 1 }[i]);
    const struct fl_result *r = replay_on(&s, &m, FL_FRAMES_UNLIMITED);
    assert_int_equal(r->walks, 5);
    assert_int_equal(r->walk_refs, 4 + 1 + 2 + 4 + 4);
    assert_int_equal(r->n_walk, 2);
    assert_string_equal(r->walk[0].name, "PDE");
    assert_int_equal(r->walk[0].lookups, 5);
    assert_int_equal(r->walk[0].hits, 1);
    assert_int_equal(r->walk[1].lookups, 4);
    assert_int_equal(r->walk[1].hits, 1);
    r = replay_on(&s, &bare, FL_FRAMES_UNLIMITED);
    assert_int_equal(r->walk_refs, 20);
    scene_end(&s);
}

/* Reads of 1, 201h and 2 cost 4 + 2 + 1. Unmapping 2 empties the caches of its space (4 + 2 more for
 * 1 and 201h), or takes its own way from them (4 + 1). */
static void a_page_flush_reaches_the_walk_caches(void **state)
{
    struct scene s = { 0 };
    struct fl_machine m = bare;
    (void)state;
    m.n_walk = 2;
    m.walk[0] = (struct fl_walk_cache){ 2, 4, 4 };
    m.walk[1] = (struct fl_walk_cache){ 3, 4, 4 };
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 0x300);
    reads(&s, 0, 0, 1);
    reads(&s, 0, 0, 0x201);
    reads(&s, 0, 0, 2);
    unmap(&s, 0, 2, 1);
    reads(&s, 0, 0, 1);
    reads(&s, 0, 0, 0x201);
    assert_int_equal(replay_on(&s, &m, FL_FRAMES_UNLIMITED)->walk_refs, 4 + 2 + 1 + 4 + 2);
    m.walk_flush_page = true;
    assert_int_equal(replay_on(&s, &m, FL_FRAMES_UNLIMITED)->walk_refs, 4 + 2 + 1 + 4 + 1);
    scene_end(&s);
}

static void loads_and_stores_may_have_levels_of_their_own(void **state)
{
    static const struct fl_machine split = {
        .name = "split",
        .levels = 4,
        .asids = 2,
        .n_tlb = 4,
        .tlb = { { "I", FL_TLB_FETCH, 1, 1 },
                 { "L", FL_TLB_LOAD, 1, 1 },
                 { "S", FL_TLB_STORE, 1, 1 },
                 { "U", FL_TLB_UNIFIED, 4, 4 } },
    };
    struct scene s = { 0 };
    (void)state;
    one_process(&s);
    item_list_run(&s.list, &(struct naive_item){ .vpn = 1, .reads = 2, .writes = 3 });
    const struct fl_result *r = replay_on(&s, &split, FL_FRAMES_UNLIMITED);
    assert_int_equal(r->tlb[1].lookups, 2);
    assert_int_equal(r->tlb[1].misses, 1);
    assert_int_equal(r->tlb[2].lookups, 3);
    assert_int_equal(r->tlb[2].misses, 1);
    assert_int_equal(r->tlb[3].lookups, 2);
    assert_int_equal(r->tlb[3].hits, 1);
    assert_int_equal(r->tlb_later_hits, 1);
    assert_int_equal(r->walks, 1);
    scene_end(&s);
}

/* A page just below 2^47, one above 2^48, one just below 2^57: with 5 levels the first needs 4
 * tables below the root, and so does each of the others: their top entries differ. */
static void five_levels_reach_57_bits_and_four_48(void **state)
{
    static const uint64_t vpn[] = { (1ull << 35) - 1, (1ull << 36) + 5, (1ull << 45) - 1 };
    struct fl_machine deep = bare;
    (void)state;
    deep.levels = 5;
    struct scene s = { 0 };
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    for (size_t i = 0; i < 3; i++) {
        map_anon(&s, 0, vpn[i], 1);
        writes(&s, 0, 0, vpn[i]);
    }
    const struct fl_result *r = replay_on(&s, &deep, FL_FRAMES_UNLIMITED);
    assert_int_equal(r->levels, 5);
    assert_int_equal(r->page_tables_peak, 1 + 3 * 4);
    assert_int_equal(r->flat_bytes_avoided, (8ull << 45) - 13 * 4096);
    assert_int_equal(r->walk_refs, 3 * 5);
    assert_int_equal(r->minor, 3);
    fl_result_free(s.r);
    struct fl_replay_opts opts = { .frames = 8, .policy = fl_policy_find("lru"), .machine = &bare };
    assert_int_equal(try_replay(&s, &opts), FL_EDATA);
    scene_end(&s);
    /* what is above 2^47 but below 2^48 fits into 4 */
    s = (struct scene){ 0 };
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, (1ull << 36) - 1, 1);
    writes(&s, 0, 0, (1ull << 36) - 1);
    assert_int_equal(replay_on(&s, &bare, FL_FRAMES_UNLIMITED)->page_tables_peak, 4);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_of_more_than_33_pages_flushes_the_space),
        cmocka_unit_test(untouched_pages_are_not_flushed),
        cmocka_unit_test(remap_flushes_the_two_places_apart),
        cmocka_unit_test(what_a_waiting_space_loses_flushes_it_when_it_runs),
        cmocka_unit_test(fork_flushes_the_parent),
        cmocka_unit_test(exit_runs_the_kernel_and_exec_does_not),
        cmocka_unit_test(one_asid_flushes_on_every_switch),
        cmocka_unit_test(walk_caches_save_the_upper_levels),
        cmocka_unit_test(a_page_flush_reaches_the_walk_caches),
        cmocka_unit_test(loads_and_stores_may_have_levels_of_their_own),
        cmocka_unit_test(five_levels_reach_57_bits_and_four_48),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
