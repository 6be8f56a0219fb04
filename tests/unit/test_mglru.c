/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Generations: scenes small enough to be worked out by hand from docs/model-mglru.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/units.h>

#include "linux/mglru.h"
#include "linux_drive.h"

#define SWAPPINESS 60

/* ---- folios without a program ------------------------------------------------------------ */

struct lists {
    struct vm vm;
    struct linux_mm lm;
};

/* @n file pages, ids 0 .. n-1, then @n anonymous ones; resident, on no list. */
static void lists_open(struct lists *l, uint32_t n)
{
    struct linux_opts opts = linux_drive_opts(1000, 1000, SWAP_SYNCHRONOUS, 0);
    struct fl_err err;
    *l = (struct lists){ .vm = { .levels = 4 } };
    opts.mglru = true;
    assert_int_equal(linux_init(&l->lm, &opts, &l->vm, &err), FL_OK);
    for (uint32_t c = 0; c < 2 * n; c++)
        assert_int_equal(contents_new(&l->vm.cs, c < n ? CONTENTS_FILE : CONTENTS_ANON), c);
    assert_int_equal(linux_room(&l->lm, 0, 2 * n, &err), FL_OK);
    for (uint32_t c = 0; c < 2 * n; c++)
        l->lm.folio[c].flags = FOLIO_RESIDENT | FOLIO_CHARGED;
}

static void lists_close(struct lists *l)
{
    assert_true(mglru_check(&l->lm));
    linux_fini(&l->lm);
    contents_fini(&l->vm.cs);
}

/* The list of @type's generation @seq, newest first, is exactly @want (ended by NO_CONTENTS). */
static void assert_list(const struct lists *l, enum mglru_type type, uint64_t seq,
                        const uint32_t *want)
{
    uint32_t c = l->lm.lru[mglru_list(type, mglru_gen(seq))].newest;
    for (; *want != NO_CONTENTS; want++, c = l->lm.folio[c].older)
        assert_int_equal(c, *want);
    assert_int_equal(c, NO_CONTENTS);
}

/* Generations 0 to 3: youngest 3, so the second youngest is 2 and the oldest 0. */
static void mglru_seq_for_follows_flags(void **state)
{
    static const struct {
        uint32_t c;
        uint16_t flags;
        bool active, rotated;
        uint64_t seq;
    } rows[] = {
        { 0, 0, true, false, 2 },
        { 0, FOLIO_WORKINGSET, true, false, 3 },
        { 0, 0, false, false, 0 },
        { 0, FOLIO_WORKINGSET, false, false, 1 },
        { 0, FOLIO_RECLAIM, false, false, 0 },
        { 0, FOLIO_RECLAIM | FOLIO_DIRTY, false, false, 2 },
        { 0, FOLIO_RECLAIM | FOLIO_WRITEBACK, false, false, 2 },
        { 0, FOLIO_WORKINGSET, false, true, 0 },
        { 1, 0, true, false, 2 },
        { 1, 0, false, false, 2 },
        { 1, FOLIO_SWAP_CACHE, false, false, 0 },
        { 1, FOLIO_SWAP_CACHE | FOLIO_WORKINGSET, false, false, 1 },
        { 1, FOLIO_SWAP_CACHE, false, true, 0 },
    };
    struct lists l;
    (void)state;
    lists_open(&l, 1);
    for (size_t i = 0; i < FL_COUNT(rows); i++) {
        l.lm.folio[rows[i].c].flags |= rows[i].flags;
        assert_int_equal(mglru_seq_for(&l.lm, rows[i].c, rows[i].active, rows[i].rotated),
                         rows[i].seq);
        l.lm.folio[rows[i].c].flags &= (uint16_t)~rows[i].flags;
    }
    l.lm.mglru->min_seq[MGLRU_FILE] = 1; /* nothing goes below the oldest */
    assert_int_equal(mglru_seq_for(&l.lm, 0, false, false), 1);
    lists_close(&l);
}

/* 1 and no read: tier 0; 2: 1; 3 and 4: 2; a fifth sets PG_workingset: 3. */
static void mglru_reads_raise_the_tier(void **state)
{
    static const uint32_t refs[] = { 1, 2, 3, 4, 4, 4 }, tier[] = { 0, 1, 2, 2, 3, 3 };
    struct lists l;
    (void)state;
    lists_open(&l, 1);
    assert_int_equal(mglru_tier(&l.lm, 0), 0);
    for (size_t i = 0; i < FL_COUNT(refs); i++) {
        folio_mark_accessed(&l.lm, 0);
        assert_int_equal(mglru_refs(&l.lm, 0), refs[i]);
        assert_int_equal(mglru_tier(&l.lm, 0), tier[i]);
        assert_int_equal(mglru_read_often(&l.lm, 0), i >= 4);
    }
    lists_close(&l);
}

/* Folios 0 (older) and 1 in the oldest generation, 2 in the next. A new generation needs room:
   0, then 1 go behind 2, and both count as protected. */
static void mglru_age_merges_the_oldest_of_four_generations(void **state)
{
    struct lists l;
    (void)state;
    lists_open(&l, 3);
    l.lm.folio[2].flags |= FOLIO_WORKINGSET;
    folio_mark_accessed(&l.lm, 1);
    folio_mark_accessed(&l.lm, 1); /* tier 1, and forgotten with the move */
    for (uint32_t c = 0; c < 3; c++)
        mglru_add(&l.lm, c, false);
    assert_list(&l, MGLRU_FILE, 0, (uint32_t[]){ 1, 0, NO_CONTENTS });
    assert_list(&l, MGLRU_FILE, 1, (uint32_t[]){ 2, NO_CONTENTS });
    mglru_age(&l.lm, SWAPPINESS);
    assert_int_equal(l.lm.mglru->max_seq, 4);
    assert_int_equal(l.lm.mglru->min_seq[MGLRU_FILE], 1);
    assert_int_equal(l.lm.mglru->min_seq[MGLRU_ANON], 1);
    assert_list(&l, MGLRU_FILE, 1, (uint32_t[]){ 2, 0, 1, NO_CONTENTS });
    assert_int_equal(mglru_refs(&l.lm, 1), 0);
    l.lm.mglru->counts[MGLRU_FILE][0].refaulted = 7;
    /* the two were counted in tiers 0 and 1, and carried over by halves: 1/2 is 0 */
    assert_int_equal(l.lm.mglru->counts[MGLRU_FILE][0].protected_, 0);
    mglru_carry_over(l.lm.mglru, MGLRU_FILE);
    assert_int_equal(l.lm.mglru->counts[MGLRU_FILE][0].avg_refaulted, 3);
    lists_close(&l);
}

/* Without swappiness the oldest anonymous generation is not merged: it becomes the youngest. */
static void mglru_age_without_swappiness_turns_anonymous_pages_young(void **state)
{
    struct lists l;
    (void)state;
    lists_open(&l, 1);
    l.lm.folio[1].flags |= FOLIO_SWAP_CACHE;
    mglru_add(&l.lm, 1, false);
    assert_int_equal(mglru_gen_of(l.lm.mglru, 1), 0);
    mglru_age(&l.lm, 0);
    assert_int_equal(mglru_gen_of(l.lm.mglru, 1), mglru_gen(l.lm.mglru->max_seq));
    assert_int_equal(l.lm.mglru->counts[MGLRU_ANON][0].avg_total, 0);
    lists_close(&l);
}

/* No anonymous page, files in the oldest generation: anonymous stops one ahead of it. */
static void mglru_drop_empty_keeps_types_together(void **state)
{
    struct lists l;
    (void)state;
    lists_open(&l, 1);
    mglru_add(&l.lm, 0, false);
    assert_true(mglru_drop_empty(&l.lm, SWAPPINESS));
    assert_int_equal(l.lm.mglru->min_seq[MGLRU_ANON], 1);
    assert_int_equal(l.lm.mglru->min_seq[MGLRU_FILE], 0);
    assert_false(mglru_drop_empty(&l.lm, SWAPPINESS));
    lru_remove(&l.lm, 0);
    assert_true(mglru_drop_empty(&l.lm, SWAPPINESS)); /* both, up to two generations */
    assert_int_equal(l.lm.mglru->min_seq[MGLRU_ANON], 2);
    assert_int_equal(l.lm.mglru->min_seq[MGLRU_FILE], 2);
    lists_close(&l);
}

/* Read twice: tier 1. Recent for three generations, then forgotten. */
static void mglru_refault_counts_in_the_tier_it_was_evicted_from(void **state)
{
    struct lists l;
    (void)state;
    lists_open(&l, 1);
    folio_mark_accessed(&l.lm, 0);
    folio_mark_accessed(&l.lm, 0);
    for (uint64_t max_seq = 3; max_seq <= 4; max_seq++) {
        l.lm.folio[0].flags |= FOLIO_WORKINGSET;
        workingset_evicted(&l.lm, 0);
        l.lm.folio[0].flags &= (uint16_t)~FOLIO_WORKINGSET;
        l.lm.mglru->max_seq = max_seq;
        assert_false(workingset_refault(&l.lm, 0));
        assert_int_equal((l.lm.folio[0].flags & FOLIO_WORKINGSET) != 0, max_seq == 3);
        l.lm.folio[0].flags &= (uint16_t)~FOLIO_WORKINGSET;
        assert_int_equal(l.lm.mglru->counts[MGLRU_FILE][3].refaulted, 1);
    }
    l.lm.mglru->max_seq = 3;
    workingset_evicted(&l.lm, 0);
    assert_false(workingset_refault(&l.lm, 0));
    assert_int_equal(l.lm.mglru->counts[MGLRU_FILE][1].evicted, 1);
    assert_int_equal(l.lm.mglru->counts[MGLRU_FILE][1].refaulted, 1);
    lists_close(&l);
}

/* ---- the controller ------------------------------------------------------------------------ */

/* 64 of 1000 against none of 1000: 64 * 1064 * 2 > 1 * 1000 * 3, so tier 1 is protected;
   against 100: 136192 <= 101 * 1000 * 3, so it is not. Fewer than 64 never are. */
static void mglru_tier_to_evict_compares_with_the_first(void **state)
{
    struct mglru g = { .max_seq = 3 };
    struct mglru_counts *n = g.counts[MGLRU_FILE];
    (void)state;
    assert_int_equal(mglru_tier_to_evict(&g, MGLRU_FILE), 3);
    n[0].evicted = 1000;
    n[1] = (struct mglru_counts){ .refaulted = 64, .avg_total = 1000 };
    assert_int_equal(mglru_tier_to_evict(&g, MGLRU_FILE), 0);
    n[0].avg_refaulted = 100;
    assert_int_equal(mglru_tier_to_evict(&g, MGLRU_FILE), 3);
    n[0].avg_refaulted = 0;
    n[1].refaulted = 63;
    assert_int_equal(mglru_tier_to_evict(&g, MGLRU_FILE), 3);
    n[3] = (struct mglru_counts){ .avg_refaulted = 64, .protected_ = 1000 };
    assert_int_equal(mglru_tier_to_evict(&g, MGLRU_FILE), 2);
    assert_int_equal(mglru_tier_to_evict(&g, MGLRU_ANON), 3);
}

/* 100 of 1000 file pages back, swappiness 60: 100 * 1064 * 60 > 1 * 1000 * 140, anonymous;
   with 100 anonymous back as well 6384000 <= 101 * 1000 * 140, files. */
static void mglru_type_to_scan_weighs_refaults_by_swappiness(void **state)
{
    struct mglru g = { .max_seq = 3 };
    (void)state;
    assert_int_equal(mglru_type_to_scan(&g, 60), MGLRU_FILE);
    g.counts[MGLRU_FILE][0] = (struct mglru_counts){ .refaulted = 60, .evicted = 500 };
    g.counts[MGLRU_FILE][2] = (struct mglru_counts){ .refaulted = 40, .protected_ = 500 };
    g.counts[MGLRU_ANON][0] = (struct mglru_counts){ .evicted = 1000 };
    assert_int_equal(mglru_type_to_scan(&g, 60), MGLRU_ANON);
    assert_int_equal(mglru_type_to_scan(&g, 1), MGLRU_FILE);
    assert_int_equal(mglru_type_to_scan(&g, 0), MGLRU_FILE);
    g.counts[MGLRU_ANON][0].refaulted = 100;
    assert_int_equal(mglru_type_to_scan(&g, 60), MGLRU_FILE);
    assert_int_equal(mglru_type_to_scan(&g, 200), MGLRU_ANON);
}

/* Folios 0 to 2 in the oldest generation; 1 was read twice, and of its tier 64 of 1000 came back,
   of the first none of 1000: the limit is tier 0. The other two are evicted, 1 moves on. With
   its folios gone the oldest generation is, and (1000 + 1) / 2 is carried over. */
static void mglru_shrink_protects_tiers_that_come_back(void **state)
{
    struct scan_control sc = { .want = 32, .may_swap = true };
    struct lists l;
    (void)state;
    lists_open(&l, 3);
    struct mglru_counts *n = l.lm.mglru->counts[MGLRU_FILE];
    l.lm.resident = l.lm.usage = 6;
    folio_mark_accessed(&l.lm, 1);
    folio_mark_accessed(&l.lm, 1);
    for (uint32_t c = 0; c < 3; c++)
        mglru_add(&l.lm, c, false);
    n[0].evicted = 1000;
    n[1] = (struct mglru_counts){ .refaulted = 64, .evicted = 1000 };
    mglru_shrink(&l.lm, &sc);
    assert_int_equal(sc.reclaimed, 2);
    assert_false(l.lm.folio[0].flags & FOLIO_RESIDENT);
    assert_true(l.lm.folio[1].flags & FOLIO_RESIDENT);
    assert_list(&l, MGLRU_FILE, 1, (uint32_t[]){ 1, NO_CONTENTS });
    assert_int_equal(l.lm.mglru->min_seq[MGLRU_FILE], 1);
    assert_int_equal(n[1].avg_total, 500);
    assert_int_equal(n[1].avg_refaulted, 32);
    assert_int_equal(n[0].evicted, 2);
    lists_close(&l);
}

/* ---- page tables ---------------------------------------------------------------------------- */

#define BASE 8192u /* page 0 of the first of two tables */
#define PAGES 600u

static void event(struct item_list *list, struct fl_event ev)
{
    item_list_event(list, &ev);
}

/* One process that writes its 600 pages once; nothing is short. */
static void program_open(struct linux_drive *d)
{
    struct linux_opts opts = linux_drive_opts(2000, 2000, SWAP_SYNCHRONOUS, 0);
    struct item_list list = { 0 };
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD };
    ev.process.pid = 1;
    ev.process.copied_mm = FL_NO_MM;
    ev.process.comm = "scene";
    event(&list, ev);
    ev = (struct fl_event){ .kind = FL_EV_THREAD, .thread = 0 };
    ev.thread_start.pid = ev.thread_start.tid = 1;
    event(&list, ev);
    ev = (struct fl_event){ .kind = FL_EV_MAP, .thread = FL_NO_THREAD };
    ev.map.start = (uint64_t)BASE << 12;
    ev.map.length = (uint64_t)PAGES << 12;
    ev.map.prot = FL_PROT_READ | FL_PROT_WRITE;
    ev.map.flags = FL_MAP_ANON;
    ev.map.file = FL_NO_FILE;
    event(&list, ev);
    for (uint32_t i = 0; i < PAGES; i++)
        item_list_run(&list, &(struct naive_item){ .vpn = BASE + i, .writes = 1 });
    opts.mglru = true;
    linux_drive_open(d, &list, &opts);
    linux_drive_run(d, UINT64_MAX);
    lru_add_drain(&d->lm);
}

static uint32_t page_of(const struct linux_drive *d, uint32_t i)
{
    return linux_drive_page(d, 0, BASE + i);
}

static void touch(struct linux_drive *d, uint32_t i)
{
    uint32_t page = page_of(d, i);
    struct fl_err err;
    assert_int_equal(linux_run(&d->lm, page, d->vm.contents[page], 0, &err), FL_OK);
}

static bool young(const struct linux_drive *d, uint32_t i)
{
    return d->lm.pte[page_of(d, i)] & PTE_YOUNG;
}

static int gen(const struct linux_drive *d, uint32_t i)
{
    return mglru_gen_of(d->lm.mglru, d->vm.contents[page_of(d, i)]);
}

/* First walk: every page was accessed, by the fault: noted, and none moves. Second: pages 0 to 9
   go to the youngest generation, 4; the table of 512 had too few of them to be walked a third
   time, the table of 88 has eleven and is. */
static void mglru_age_walks_page_tables(void **state)
{
    struct linux_drive d;
    (void)state;
    program_open(&d);
    assert_int_equal(gen(&d, 0), 2);
    mglru_age(&d.lm, SWAPPINESS);
    assert_int_equal(d.lm.mglru->tables_walked, 2);
    assert_false(young(&d, 0) || young(&d, PAGES - 1));
    assert_int_equal(gen(&d, 0), 2);

    for (uint32_t i = 0; i < 10; i++)
        touch(&d, i);
    for (uint32_t i = 512; i < 512 + 11; i++)
        touch(&d, i);
    mglru_age(&d.lm, SWAPPINESS);
    assert_int_equal(d.lm.mglru->tables_walked, 4);
    assert_int_equal(gen(&d, 9), mglru_gen(4));
    assert_int_equal(gen(&d, 10), 2);
    assert_int_equal(gen(&d, 522), mglru_gen(4));
    assert_int_equal(d.lm.mglru->pages[MGLRU_ANON][mglru_gen(4)], 21);

    touch(&d, 20);
    touch(&d, 530);
    mglru_age(&d.lm, SWAPPINESS);
    assert_int_equal(d.lm.mglru->tables_walked, 5);
    assert_true(young(&d, 20));
    assert_false(young(&d, 530));
    assert_true(linux_check(&d.lm));
    linux_drive_close(&d);
}

/* A space that has not run since is not walked, unless nobody else has either: then its program
   was switched away and back meanwhile. */
static void mglru_age_leaves_idle_spaces_alone(void **state)
{
    struct linux_drive d;
    (void)state;
    program_open(&d);
    mglru_age(&d.lm, SWAPPINESS);
    mglru_age(&d.lm, SWAPPINESS);
    assert_int_equal(d.lm.mglru->tables_walked, 4);
    touch(&d, 0);
    mglru_age(&d.lm, SWAPPINESS);
    uint64_t walked = d.lm.mglru->tables_walked;
    d.lm.mglru->first_new_space = 1;
    d.lm.mglru->ran_last = 1;
    mglru_age(&d.lm, SWAPPINESS);
    assert_int_equal(d.lm.mglru->walks, 4);
    assert_int_equal(d.lm.mglru->tables_walked, walked);
    linux_drive_close(&d);
}

/* 64 entries: in the middle 32 on either side, at an end of the table the first or the last. */
static void mglru_look_around_stays_in_its_window(void **state)
{
    static const struct {
        uint32_t at, first, end;
    } rows[] = { { 3, 0, 64 }, { 100, 68, 132 }, { 510, 448, 512 }, { 599, 536, 600 } };
    (void)state;
    for (size_t r = 0; r < FL_COUNT(rows); r++) {
        struct linux_drive d;
        program_open(&d);
        mglru_look_around(&d.lm, page_of(&d, rows[r].at));
        for (uint32_t i = 0; i < PAGES; i++)
            assert_int_equal(young(&d, i), i < rows[r].first || i >= rows[r].end);
        assert_int_equal(gen(&d, rows[r].at), 2); /* seen once */
        touch(&d, rows[r].first);
        mglru_look_around(&d.lm, page_of(&d, rows[r].at));
        assert_int_equal(gen(&d, rows[r].first), 2); /* twice: in the batch */
        lru_add_drain(&d.lm);
        assert_int_equal(gen(&d, rows[r].first), 3);
        assert_true(linux_check(&d.lm));
        linux_drive_close(&d);
    }
}

static bool present(const struct linux_drive *d, uint32_t i)
{
    return d->lm.pte[page_of(d, i)] & PTE_PRESENT;
}

/* Two walks open generations 4 and 5. Pages 0 to 99, accessed between them, belong to 4, but all
   lie on the list of 2, the oldest. 600 >> 4 = 37 looked at: they were promoted, none goes.
   600 >> 2 = 150: the other 63 and then 64 that go; 536 >> 2 = 134 is more than these 127, so
   another 64. */
static void mglru_shrink_sorts_then_evicts_the_oldest_generation(void **state)
{
    struct linux_drive d;
    struct scan_control sc = { .want = 32, .may_swap = true, .priority = 4 };
    (void)state;
    program_open(&d);
    mglru_age(&d.lm, SWAPPINESS);
    for (uint32_t i = 0; i < 100; i++)
        touch(&d, i);
    mglru_age(&d.lm, SWAPPINESS);
    mglru_shrink(&d.lm, &sc);
    assert_int_equal(sc.reclaimed, 0);
    assert_int_equal(d.lm.lru[mglru_list(MGLRU_ANON, mglru_gen(4))].n, 37);
    sc.priority = 2;
    mglru_shrink(&d.lm, &sc);
    assert_int_equal(sc.reclaimed, 128);
    assert_int_equal(d.lm.lru[mglru_list(MGLRU_ANON, mglru_gen(4))].n, 100);
    for (uint32_t i = 0; i < PAGES; i++)
        assert_int_equal(present(&d, i), i < 100 || i >= 228);
    assert_int_equal(d.lm.mglru->counts[MGLRU_ANON][0].evicted, 128);
    assert_true(linux_check(&d.lm));
    linux_drive_close(&d);
}

/* Eviction looks at the entry again: page 0, noted as accessed by the first walk and accessed
   since the second, is activated as part of the working set. */
static void mglru_shrink_spares_what_was_accessed_since(void **state)
{
    struct linux_drive d;
    struct scan_control sc = { .want = 32, .may_swap = true, .priority = 4 };
    (void)state;
    program_open(&d);
    mglru_age(&d.lm, SWAPPINESS);
    mglru_age(&d.lm, SWAPPINESS);
    touch(&d, 0);
    mglru_shrink(&d.lm, &sc); /* 600 >> 4: pages 0 to 36, all without a reference since */
    assert_int_equal(sc.reclaimed, 36);
    assert_true(present(&d, 0) && !present(&d, 36) && present(&d, 37));
    assert_int_equal(gen(&d, 0), mglru_gen(d.lm.mglru->max_seq));
    assert_true(d.lm.folio[d.vm.contents[page_of(&d, 0)]].flags & FOLIO_WORKINGSET);
    assert_true(linux_check(&d.lm));
    linux_drive_close(&d);
}

/* Evicting page 40 looks around it, from 8 to 71, and page 70 is to be activated. But eviction
   comes to it first: it is unmapped, cannot be freed as the batch holds it, and stays in the
   swap cache. */
static void mglru_shrink_unmaps_what_waits_to_be_activated(void **state)
{
    struct linux_drive d;
    struct scan_control sc = { .want = 32, .may_swap = true, .priority = 2 };
    (void)state;
    program_open(&d);
    mglru_age(&d.lm, SWAPPINESS);
    mglru_age(&d.lm, SWAPPINESS);
    touch(&d, 40);
    touch(&d, 70);
    mglru_shrink(&d.lm, &sc); /* 600 >> 2: pages 0 to 191 but the two */
    assert_int_equal(sc.reclaimed, 190);
    const struct folio *f = &d.lm.folio[d.vm.contents[page_of(&d, 70)]];
    assert_true(present(&d, 40) && !present(&d, 70));
    assert_int_equal(f->flags & (FOLIO_RESIDENT | FOLIO_SWAP_CACHE | FOLIO_DIRTY),
                     FOLIO_RESIDENT | FOLIO_SWAP_CACHE | FOLIO_DIRTY);
    uint64_t in = d.lm.pages_in;
    touch(&d, 70);
    assert_true(present(&d, 70));
    assert_int_equal(d.lm.pages_in, in);
    lru_add_drain(&d.lm);
    assert_int_equal(gen(&d, 70), mglru_gen(d.lm.mglru->max_seq));
    assert_true(linux_check(&d.lm));
    linux_drive_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mglru_seq_for_follows_flags),
        cmocka_unit_test(mglru_reads_raise_the_tier),
        cmocka_unit_test(mglru_age_merges_the_oldest_of_four_generations),
        cmocka_unit_test(mglru_age_without_swappiness_turns_anonymous_pages_young),
        cmocka_unit_test(mglru_drop_empty_keeps_types_together),
        cmocka_unit_test(mglru_refault_counts_in_the_tier_it_was_evicted_from),
        cmocka_unit_test(mglru_tier_to_evict_compares_with_the_first),
        cmocka_unit_test(mglru_type_to_scan_weighs_refaults_by_swappiness),
        cmocka_unit_test(mglru_shrink_protects_tiers_that_come_back),
        cmocka_unit_test(mglru_age_walks_page_tables),
        cmocka_unit_test(mglru_age_leaves_idle_spaces_alone),
        cmocka_unit_test(mglru_look_around_stays_in_its_window),
        cmocka_unit_test(mglru_shrink_sorts_then_evicts_the_oldest_generation),
        cmocka_unit_test(mglru_shrink_spares_what_was_accessed_since),
        cmocka_unit_test(mglru_shrink_unmaps_what_waits_to_be_activated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
