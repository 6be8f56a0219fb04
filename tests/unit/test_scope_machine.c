/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scope machine: laws of the page allocator and kswapd, then whole replays. */
#include "linux/linux_mm.h"
#include "scene.h"

#define GIB_PAGES UINT64_C(262144)

/* ---- the allocator by itself -------------------------------------------------------------- */

struct box {
    struct vm vm;
    struct linux_mm lm;
    uint64_t least_free[ZONES];
};

static void box_open(struct box *b, uint64_t ram_pages, uint64_t swap_pages)
{
    struct linux_opts opts = { .swap_pages = swap_pages,
                               .swap_kind = SWAP_SYNCHRONOUS,
                               .swappiness = 60,
                               .group_v2 = true,
                               .machine = true,
                               .zones = { .ram_pages = ram_pages, .scale_factor = 10 },
                               .costs = fl_costs_default() };
    struct fl_err err = { .msg = "" };
    *b = (struct box){ 0 };
    if (linux_init(&b->lm, &opts, &b->vm, &err) != FL_OK)
        fail_msg("%s", err.msg);
    for (int i = 0; i < ZONES; i++)
        b->least_free[i] = b->lm.frames->zones.zone[i].free;
}

static void box_close(struct box *b)
{
    linux_fini(&b->lm);
    contents_fini(&b->vm.cs);
}

/* Every managed page is free, on a CPU's list, a folio's, or of no folio; no zone is below its min and reserve
   unless it was never above them. */
static void assert_laws(struct box *b)
{
    const struct linux_mm *lm = &b->lm;
    uint64_t used = 0, listed = lm->n_batch, all = 0, on_cpus = 0;
    for (int i = 0; i < ZONES; i++) {
        const struct zone *zone = &lm->frames->zones.zone[i];
        uint64_t kept = buddy_zones_on_cpus(lm->frames, (enum zone_type)i);
        /* a CPU's list may be filled from what is below the mark, and is not used then */
        if (zone->free + kept != zone->managed)
            assert_true(zone->free + kept >= zone->mark[WMARK_MIN] + zone->reserve);
        used += lm->in_folios[i];
        all += zone->managed - zone->free;
        on_cpus += kept;
        if (zone->free < b->least_free[i])
            b->least_free[i] = zone->free;
    }
    for (int list = 0; list < LRU_LISTS; list++)
        listed += lm->lru[list].n;
    for (int use = 0; use < PAGE_USES; use++)
        used += lm->held[use].n;
    assert_int_equal(used, lm->usage);
    assert_int_equal(used + on_cpus, all);
    assert_int_equal(listed, lm->resident);
}

/* A new anonymous page that nothing maps; the program takes a microsecond to come to it. */
static bool new_folio(struct box *b)
{
    struct linux_mm *lm = &b->lm;
    uint32_t c = contents_new(&b->vm.cs, CONTENTS_ANON);
    assert_int_not_equal(c, NO_CONTENTS);
    assert_int_equal(linux_room(lm, 0, c + 1, NULL), FL_OK);
    lm->now_ps += 1000000;
    if (!take_page(lm))
        return false;
    folio_resident(lm, c);
    lru_add_new(lm, c, LRU_INACTIVE_ANON);
    return true;
}

static void pages_are_conserved_and_the_reserve_is_left(void **state)
{
    struct box b;
    (void)state;
    box_open(&b, 16384, UINT64_MAX);
    for (uint32_t i = 0; i < 50000; i++) {
        assert_true(new_folio(&b));
        if (i % 64 == 0)
            assert_laws(&b);
    }
    assert_laws(&b);
    assert_int_equal(b.lm.kills, 0);
    assert_true(b.lm.evictions >= 50000 - 16384);
    assert_true(b.lm.background_reclaimed <= b.lm.evictions);
    /* kswapd sees that the upper zone does not stay below its low mark */
    assert_true(b.lm.frames->zones.zone[ZONE_DMA32].free >=
                b.lm.frames->zones.zone[ZONE_DMA32].mark[WMARK_MIN]);
    for (uint32_t c = 0; c < b.vm.cs.n; c++)
        linux_forget(&b.lm, c);
    buddy_zones_drain(b.lm.frames);
    assert_int_equal(zones_free(&b.lm.frames->zones), 16384);
    assert_int_equal(b.lm.usage, 0);
    assert_int_equal(b.lm.swap.used, 0);
    box_close(&b);
}

/* Nothing wakes kswapd as long as a zone is above low; then it goes on to high. */
static void kswapd_works_between_low_and_high(void **state)
{
    struct box b;
    (void)state;
    box_open(&b, 16384, UINT64_MAX);
    while (zones_pick(&b.lm.frames->zones, WMARK_LOW) != ZONE_NONE) {
        assert_true(new_folio(&b));
        assert_false(b.lm.kswapd.awake);
    }
    assert_int_equal(b.lm.evictions, 0);
    assert_true(new_folio(&b));
    assert_true(b.lm.kswapd.awake);
    for (uint32_t i = 0; i < 1000 && b.lm.kswapd.awake; i++) {
        b.lm.now_ps += UINT64_C(1000000000); /* the program pauses for a millisecond */
        kswapd_run(&b.lm);
    }
    assert_false(b.lm.kswapd.awake);
    assert_true(zones_balanced(&b.lm.frames->zones));
    assert_int_equal(b.lm.direct_reclaims, 0);
    assert_int_equal(b.lm.background_reclaimed, b.lm.evictions);
    assert_laws(&b);
    box_close(&b);
}

/* A program that takes no time leaves kswapd none: it has to reclaim by itself. */
static void a_faster_program_reclaims_directly(void **state)
{
    struct box b;
    (void)state;
    box_open(&b, 16384, UINT64_MAX);
    for (uint32_t i = 0; i < 30000; i++) {
        uint64_t before = b.lm.now_ps;
        assert_true(new_folio(&b));
        b.lm.now_ps = before;
    }
    assert_laws(&b);
    assert_true(b.lm.direct_reclaims > 0);
    assert_int_equal(b.lm.background_reclaimed, 0);
    box_close(&b);
}

static bool nobody_to_kill(void *arg)
{
    (*(uint32_t *)arg)++;
    return false;
}

/* Without swap the last page is refused with min and the reserve still there, and kswapd gives
   up after 16 rounds. */
static void without_swap_memory_ends(void **state)
{
    struct box b;
    uint32_t asked = 0, n = 0;
    (void)state;
    box_open(&b, 16384, 0);
    b.lm.kill = nobody_to_kill;
    b.lm.arg = &asked;
    while (new_folio(&b))
        n++;
    assert_laws(&b);
    assert_int_equal(asked, 1);
    assert_int_equal(b.lm.evictions, 0);
    assert_true(n < 16384 - zones_mark(&b.lm.frames->zones, WMARK_MIN));
    assert_int_equal(zones_pick(&b.lm.frames->zones, WMARK_MIN), ZONE_NONE);
    b.lm.now_ps += UINT64_C(1000000000000);
    kswapd_run(&b.lm);
    assert_false(b.lm.kswapd.awake);
    assert_int_equal(b.lm.kswapd.failures, 16);
    box_close(&b);
}

/* Every second frame is free: 30 MiB, and not one huge page. */
static void a_huge_page_needs_a_block(void **state)
{
    struct box b;
    uint32_t given = 0;
    (void)state;
    box_open(&b, 16384, 0);
    while (zones_pick(&b.lm.frames->zones, WMARK_LOW) != ZONE_NONE)
        assert_true(new_folio(&b));
    for (uint32_t c = 0; c < b.vm.cs.n; c++)
        if (b.lm.frame_of[c] & 1) {
            linux_forget(&b.lm, c);
            given++;
        }
    buddy_zones_drain(b.lm.frames);
    assert_true(given > 6000);
    uint64_t no_large = b.lm.frames->no_large;
    uint32_t huge = 0;
    while (take_huge(&b.lm, false))
        huge++;
    assert_true(huge <= 2); /* what the marks had kept */
    assert_int_equal(b.lm.frames->no_large, no_large + 1);
    struct fl_buddy_counts counts;
    machine_counts(&b.lm, &counts);
    assert_true(counts.free[0] + counts.free[9] * 512 > 6000 - 512);
    assert_int_equal(counts.least_free[9] + counts.least_free[10] > 0, false);
    assert_laws(&b);
    box_close(&b);
}

/* A group that may have 12000 pages of a machine whose every second frame is free: it pays for no huge page that there is no block for. */
static void a_group_needs_a_block_of_its_machine(void **state)
{
    struct linux_opts opts = {
        .swap_pages = 0,
        .limit_pages = 12000,
        .group_v2 = true,
        .zones = { .ram_pages = 12400, .min_free_kbytes = 64, .scale_factor = 10 },
        .costs = fl_costs_default()
    };
    struct box b = { 0 };
    struct fl_err err = { .msg = "" };
    (void)state;
    assert_int_equal(linux_init(&b.lm, &opts, &b.vm, &err), FL_OK);
    while (b.lm.usage < 11900)
        assert_true(new_folio(&b));
    for (uint32_t c = 0; c < b.vm.cs.n; c++)
        if (b.lm.frame_of[c] & 1)
            linux_forget(&b.lm, c);
    buddy_zones_drain(b.lm.frames);
    uint64_t usage = b.lm.usage;
    assert_true(usage < 7000);
    uint32_t huge = 0;
    while (take_huge(&b.lm, true))
        huge++;
    assert_true(huge <= 2); /* what was never taken */
    assert_int_equal(b.lm.usage, usage + huge * 512);
    struct fl_buddy_counts before, after;
    machine_counts(&b.lm, &before);
    give_pages(&b.lm, huge * 512); /* each goes back as it was taken */
    machine_counts(&b.lm, &after);
    assert_int_equal(after.frees[9], before.frees[9] + huge);
    assert_int_equal(after.frees[0], before.frees[0]);
    assert_int_equal(b.lm.usage, usage);
    opts.limit_pages = 12400;
    struct linux_mm other;
    assert_int_equal(linux_init(&other, &opts, &b.vm, &err), FL_EUSAGE);
    linux_fini(&other);
    box_close(&b);
}

/* ---- replays ------------------------------------------------------------------------------ */

static const struct fl_result *replay_machine(struct scene *s, uint32_t frames, uint64_t swap,
                                              const char *scope)
{
    struct fl_kernel_opts kernel = *fl_kernel_defaults();
    struct fl_replay_opts opts = { .frames = frames,
                                   .swap_pages = swap,
                                   .policy = fl_policy_find("linux"),
                                   .kernel = &kernel,
                                   .scope = scope,
                                   .no_tlb = true };
    kernel.base_pages = 0;
    assert_int_equal(try_replay(s, &opts), FL_OK);
    return s->r;
}

/* 2 GiB of RAM, and a little more written than that; then the first GiB once more. */
static void two_gib_machine_swaps_what_does_not_fit(void **state)
{
    const uint64_t n = 2 * GIB_PAGES + 20000, again = GIB_PAGES / 4;
    struct scene s = { 0 };
    (void)state;
    process(&s, 7, 1, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 0x100000, n);
    for (uint64_t i = 0; i < n; i++)
        writes(&s, 0, 0, 0x100000 + i);
    for (uint64_t i = 0; i < again; i++)
        reads(&s, 0, 0, 0x100000 + i);
    const struct fl_result *r = replay_machine(&s, 2 * GIB_PAGES, UINT64_MAX, "machine");
    uint64_t tables = r->page_tables_peak;
    assert_int_equal(r->n_oom_kills, 0);
    assert_int_equal(r->faults[FL_CAUSE_ANON_WRITE], n);
    /* all that was taken, and the least that had to stay free: 45056 KiB */
    assert_true(r->resident_peak_pages + tables <= 2 * GIB_PAGES - 11264);
    assert_true(r->resident_peak_pages > 2 * GIB_PAGES * 95 / 100);
    assert_int_equal(r->pages_in, r->faults[FL_CAUSE_SWAP_IN]);
    assert_true(r->pages_in <= again && r->pages_in > 20000);
    assert_true(r->evictions >= n + r->pages_in - 2 * GIB_PAGES);
    assert_true(r->background <= r->evictions && r->background > 0);
    uint64_t free_at_end = 0, taken = 0;
    for (uint32_t o = 0; o < FL_ORDERS; o++) {
        free_at_end += r->buddy.free[o] << o;
        taken += r->buddy.allocs[o] << o;
    }
    assert_true(r->buddy.is_there && free_at_end > 0 && free_at_end < GIB_PAGES);
    assert_true(taken >= 2 * GIB_PAGES * 95 / 100); /* all went through the free lists once */
    scene_end(&s);
}

/* The same trace needs fewer pages of a group of that size, which keeps nothing free. */
static void a_machine_gives_less_than_a_group(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 7, 1, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 0x100000, 16000);
    for (uint64_t i = 0; i < 32000; i++)
        writes(&s, 0, 0, 0x100000 + i % 16000);
    assert_int_equal(replay_machine(&s, 16384, UINT64_MAX, "memcg")->evictions, 0);
    fl_result_free(s.r);
    assert_true(replay_machine(&s, 16384, UINT64_MAX, "machine")->evictions > 0);
    fl_result_free(s.r);
    assert_int_equal(replay_machine(&s, 32768, UINT64_MAX, "machine")->evictions, 0);
    scene_end(&s);
}

static void resident(struct scene *s, uint32_t id, uint64_t first, uint64_t pages)
{
    struct fl_event ev = { .kind = FL_EV_RESIDENT, .thread = FL_NO_THREAD };
    ev.resident.file = id;
    ev.resident.offset = first << 12;
    ev.resident.length = pages << 12;
    item_list_event(&s->list, &ev);
}

/* A file of 1 MiB is warm. It takes up RAM, and is the first to go: its pages are read again. */
static void the_warm_page_cache_is_reclaimed_first(void **state)
{
    static const struct {
        uint64_t anon;
        bool evicted;
    } cases[] = { { 8000, false }, { 16200, true } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s = { 0 };
        process(&s, 7, 1, 0, FL_NO_MM, 0);
        file(&s, 0, 11, "/warm");
        resident(&s, 0, 0, 256);
        map(&s, 0, 0x1000, 256, FL_PROT_READ, 0, 0, 0);
        map_anon(&s, 0, 0x100000, cases[i].anon);
        for (uint64_t at = 0; at < cases[i].anon; at++)
            writes(&s, 0, 0, 0x100000 + at);
        for (uint64_t at = 0; at < 256; at++)
            reads(&s, 0, 0, 0x1000 + at);
        const struct fl_result *r = replay_machine(&s, 16384, UINT64_MAX, "machine");
        assert_int_equal(r->faults[FL_CAUSE_FILE_READ] > 0, cases[i].evicted);
        assert_int_equal(r->file_pages_read > 0, cases[i].evicted);
        scene_end(&s);
    }
}

/* Swap of a group of cgroup v2 is its own limit; without any, the machine's OOM killer comes. */
static void a_machine_without_swap_kills(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 7, 1, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 0x100000, 20000);
    for (uint64_t i = 0; i < 20000; i++)
        writes(&s, 0, 0, 0x100000 + i);
    const struct fl_result *r = replay_machine(&s, 16384, 0, "machine");
    assert_int_equal(r->n_oom_kills, 1);
    assert_true(r->oom_kills[0].rss_pages > 15000 && r->oom_kills[0].rss_pages < 16384);
    assert_int_equal(r->pages_out, 0);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_conserved_and_the_reserve_is_left),
        cmocka_unit_test(kswapd_works_between_low_and_high),
        cmocka_unit_test(a_faster_program_reclaims_directly),
        cmocka_unit_test(without_swap_memory_ends),
        cmocka_unit_test(a_huge_page_needs_a_block),
        cmocka_unit_test(a_group_needs_a_block_of_its_machine),
        cmocka_unit_test(two_gib_machine_swaps_what_does_not_fit),
        cmocka_unit_test(a_machine_gives_less_than_a_group),
        cmocka_unit_test(the_warm_page_cache_is_reclaimed_first),
        cmocka_unit_test(a_machine_without_swap_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
