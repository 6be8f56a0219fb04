/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Advice and locks under the Linux model, worked out by hand from docs/model-linux.md. */
#include "linux_drive.h"
#include "scene.h"

#define NEVER UINT64_MAX
#define FIRST 1024u /* page number of the mapping */

enum { WILLNEED = 3, FREE = 8, COLD = 20, PAGEOUT = 21, POPULATE_READ = 22, POPULATE_WRITE = 23 };

static void lock(struct scene *s, uint32_t mm, uint64_t vpn, uint64_t pages, enum fl_lock_mode mode)
{
    struct fl_event ev = { .kind = FL_EV_LOCK, .thread = 0 };
    ev.lock.mm = mm;
    ev.lock.mode = mode;
    ev.lock.start = vpn << 12;
    ev.lock.length = pages << 12;
    item_list_event(&s->list, &ev);
}

static void nothing_resident(struct scene *s, uint32_t file_id, uint32_t read_ahead)
{
    struct fl_event ev = { .kind = FL_EV_RESIDENT, .thread = FL_NO_THREAD };
    ev.resident.file = file_id;
    ev.resident.read_ahead_pages = read_ahead;
    item_list_event(&s->list, &ev);
}

/* One process with a mapping of 256 pages that writes pages 1 to @n of it, in order. */
static void write_upwards(struct scene *s, uint32_t n)
{
    process(s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(s, 0, FIRST, 256);
    for (uint32_t i = 1; i <= n; i++)
        writes(s, 0, 0, FIRST + i);
}

static void open_scene(struct linux_drive *d, struct scene *s, uint64_t limit, enum swap_kind kind)
{
    struct linux_opts opts = linux_drive_opts(limit, 1000, kind, NEVER);
    opts.swappiness = 200;
    linux_drive_open(d, &s->list, &opts);
}

static uint32_t contents_of(const struct linux_drive *d, uint32_t i)
{
    return d->vm.contents[linux_drive_page(d, 0, FIRST + i)];
}

static struct folio *folio_of(const struct linux_drive *d, uint32_t i)
{
    return &d->lm.folio[contents_of(d, i)];
}

static uint8_t pte_of(const struct linux_drive *d, uint32_t i)
{
    return d->lm.pte[linux_drive_page(d, 0, FIRST + i)];
}

static void the_end(struct linux_drive *d)
{
    assert_true(linux_check(&d->lm));
    linux_drive_close(d);
}

/* Page 5 is active: it becomes the newest inactive one. Page 6 is mapped by the child too. */
static void cold_pages_are_forgotten_to_be_in_use(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 40);
    process(&s, 11, 10, 1, 0, 1);
    for (uint32_t i = 1; i <= 40; i++) /* copies all but page 6 */
        if (i != 6)
            writes(&s, 1, 1, FIRST + i);
    for (uint32_t i = 1; i <= 40; i++)
        reads(&s, 0, 0, FIRST + i);
    advise(&s, 0, FIRST + 1, 10, COLD);
    open_scene(&d, &s, 100000, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, 40 + 39 + 40);
    lru_add_drain(&d.lm);
    lru_remove(&d.lm, contents_of(&d, 5));
    lru_add(&d.lm, contents_of(&d, 5), LRU_ACTIVE_ANON);
    folio_of(&d, 4)->flags |= FOLIO_REFERENCED;
    folio_of(&d, 6)->flags |= FOLIO_REFERENCED;
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.lru[LRU_ACTIVE_ANON].n, 0);
    assert_int_equal(d.lm.lru[LRU_INACTIVE_ANON].newest, contents_of(&d, 5));
    assert_true(folio_of(&d, 5)->flags & FOLIO_WORKINGSET);
    assert_false(folio_of(&d, 4)->flags & (FOLIO_REFERENCED | FOLIO_WORKINGSET));
    assert_true(folio_of(&d, 6)->flags & FOLIO_REFERENCED);
    assert_int_equal(pte_of(&d, 10) & (PTE_PRESENT | PTE_YOUNG), PTE_PRESENT);
    assert_int_equal(pte_of(&d, 6) & (PTE_PRESENT | PTE_YOUNG), PTE_PRESENT | PTE_YOUNG);
    assert_int_equal(pte_of(&d, 11) & (PTE_PRESENT | PTE_YOUNG), PTE_PRESENT | PTE_YOUNG);
    assert_int_equal(d.lm.deactivated, 1);
    the_end(&d);
}

/* All ten go though all are young, to slots 1 to 10. The group's age does not move by it, and the
   one that comes back starts active whatever the group's lists hold. */
static void paged_out_pages_go_at_once(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 40);
    advise(&s, 0, FIRST + 1, 10, PAGEOUT);
    reads(&s, 0, 0, FIRST + 3);
    open_scene(&d, &s, 100000, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, 40);
    uint64_t usage = d.lm.usage;
    linux_drive_run(&d, 41);
    assert_int_equal(d.lm.evictions, 10);
    assert_int_equal(d.lm.pages_out, 10);
    assert_int_equal(d.lm.resident, 31);
    assert_in_range(d.lm.usage, usage - 10, usage - 9); /* one is back, perhaps from the stock */
    assert_int_equal(folio_of(&d, 1)->slot, 1);
    assert_int_equal(folio_of(&d, 10)->slot, 10);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 1);
    assert_int_equal(d.lm.refaults, 1);
    assert_int_equal(d.lm.nonresident_age, 1);
    lru_add_drain(&d.lm);
    assert_int_equal(folio_of(&d, 3)->list, LRU_ACTIVE_ANON);
    the_end(&d);
}

/* On a disk they are written and stay until reclaim comes by. */
static void paged_out_pages_wait_in_the_swap_cache(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 40);
    advise(&s, 0, FIRST + 1, 10, PAGEOUT);
    reads(&s, 0, 0, FIRST + 3);
    open_scene(&d, &s, 100000, SWAP_SSD);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.pages_out, 10);
    assert_int_equal(d.lm.evictions, 0);
    assert_int_equal(d.lm.resident, 40);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 0);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_CACHE], 1);
    assert_int_equal(d.lm.n_batch, 10);
    the_end(&d);
}

/* Ten are free to go, of which page 3 is written again. Nothing is written out for the nine, and
   the next touch of one finds a new page. */
static void free_pages_go_without_swap_unless_written(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 40);
    advise(&s, 0, FIRST + 1, 10, FREE);
    writes(&s, 0, 0, FIRST + 3);
    reads(&s, 0, 0, FIRST + 4);
    advise(&s, 0, FIRST + 1, 10, PAGEOUT);
    reads(&s, 0, 0, FIRST + 1);
    writes(&s, 0, 0, FIRST + 2);
    open_scene(&d, &s, 100000, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, 42);
    assert_int_equal(d.lm.lru[LRU_INACTIVE_FILE].n, 10);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_WRITE], 40);
    assert_int_equal(pte_of(&d, 10) & (PTE_YOUNG | PTE_DIRTY | PTE_PRESENT), PTE_PRESENT);
    assert_true(linux_check(&d.lm));
    linux_drive_run(&d, 43);
    assert_int_equal(d.lm.evictions, 9);
    assert_int_equal(d.lm.pages_out, 0);
    assert_int_equal(d.lm.swap.used, 0);
    assert_int_equal(d.lm.lru[LRU_INACTIVE_FILE].n, 0);
    assert_int_equal(folio_of(&d, 3)->flags & (FOLIO_RESIDENT | FOLIO_DIRTY),
                     FOLIO_RESIDENT | FOLIO_DIRTY);
    assert_false(folio_of(&d, 3)->lazyfree);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_ZERO], 1);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_WRITE], 41);
    assert_int_equal(d.lm.refaults, 0);
    the_end(&d);
}

static void free_drops_what_is_on_swap(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 40);
    advise(&s, 0, FIRST + 1, 10, PAGEOUT);
    advise(&s, 0, FIRST + 1, 4, FREE);
    reads(&s, 0, 0, FIRST + 1);
    writes(&s, 0, 0, FIRST + 2);
    reads(&s, 0, 0, FIRST + 5);
    open_scene(&d, &s, 100000, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, 41);
    assert_int_equal(d.lm.swap.used, 6);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_ZERO], 1);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_WRITE], 41);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 1);
    the_end(&d);
}

/* Ten pages out, five of them back into the swap cache: minor faults for those. */
static void needed_pages_come_into_the_swap_cache(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 40);
    advise(&s, 0, FIRST + 1, 10, PAGEOUT);
    advise(&s, 0, FIRST + 1, 5, WILLNEED);
    for (uint32_t i = 1; i <= 10; i++)
        reads(&s, 0, 0, FIRST + i);
    open_scene(&d, &s, 100000, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.pages_in, 10);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_CACHE], 5);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 5);
    assert_int_equal(d.lm.readahead_pages, 0);
    the_end(&d);
}

/* A file of 256 pages, none in memory. 20 are asked for, 8 is what the device reads ahead. Of a
   fault at page 0 the neighbours are mapped along; page 8 is a miss. */
static void needed_pages_of_a_file_are_read(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    file(&s, 0, 77, "/data");
    nothing_resident(&s, 0, 8);
    map(&s, 0, FIRST, 64, FL_PROT_READ, 0, 0, 0);
    advise(&s, 0, FIRST, 20, WILLNEED);
    for (uint32_t i = 0; i < 9; i++)
        reads(&s, 0, 0, FIRST + i);
    open_scene(&d, &s, 100000, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, 1);
    assert_int_equal(d.lm.file_pages_read, 8);
    assert_int_equal(d.lm.faults[FL_CAUSE_FILE_AROUND], 1);
    linux_drive_run(&d, 8);
    assert_int_equal(d.lm.faults[FL_CAUSE_FILE_AROUND], 1);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.faults[FL_CAUSE_FILE_READ], 1);
    the_end(&d);
}

/* The faults are counted as they happen; the pages come in marked as accessed. */
static void populated_pages_are_there(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 1);
    advise(&s, 0, FIRST, 16, POPULATE_WRITE);
    advise(&s, 0, FIRST + 16, 16, POPULATE_READ);
    for (uint32_t i = 0; i < 32; i++)
        reads(&s, 0, 0, FIRST + i);
    for (uint32_t i = 0; i < 16; i++)
        writes(&s, 0, 0, FIRST + i);
    open_scene(&d, &s, 100000, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, 2);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_WRITE], 16);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_ZERO], 16);
    assert_int_equal(d.lm.resident, 16);
    assert_true(folio_of(&d, 0)->flags & FOLIO_REFERENCED);
    assert_int_equal(d.lm.n_batch, 0);
    assert_true(linux_check(&d.lm));
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_WRITE], 16);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_ZERO], 16);
    the_end(&d);
}

/*
 * More than there is room for: the first of them are on swap by the time they are touched. All are
 * referenced twice over, so the first reclaim makes all active; that is an OOM kill unless reclaim
 * knows of it, hence the exact statistics.
 */
static void populating_beyond_the_limit_swaps(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 0);
    advise(&s, 0, FIRST, 256, POPULATE_WRITE);
    reads(&s, 0, 0, FIRST);
    open_scene(&d, &s, 140, SWAP_SYNCHRONOUS);
    d.lm.opts.no_groups = true;
    linux_drive_run(&d, NEVER);
    assert_true(d.lm.activated > 100);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_WRITE], 256);
    assert_in_range(d.lm.pages_out, 256 - 140, 256);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 1);
    the_end(&d);
}

/* 64 locked pages, brought in by as many minor faults, survive what follows. */
static void locked_pages_stay(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 4);
    lock(&s, 0, FIRST, 64, FL_LOCK_NOW);
    for (uint32_t i = 64; i < 256; i++)
        writes(&s, 0, 0, FIRST + i);
    for (uint32_t i = 0; i < 64; i++)
        reads(&s, 0, 0, FIRST + i);
    lock(&s, 0, FIRST, 64, FL_LOCK_OFF);
    open_scene(&d, &s, 140, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, 5);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_WRITE], 65);
    assert_int_equal(folio_of(&d, 2)->list, LRU_UNEVICTABLE);
    assert_int_equal(d.lm.lru[LRU_INACTIVE_ANON].n, 0);
    struct leaf leaf = { .id = linux_drive_page(&d, 0, FIRST + 2) + 1 };
    assert_int_equal(linux_page_state(&d.lm, &leaf, contents_of(&d, 2)), OOM_PAGE_RESIDENT);
    linux_drive_run(&d, 4 + 192 + 64);
    assert_true(d.lm.evictions > 0);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 0);
    assert_true(linux_check(&d.lm));
    uint32_t before = d.lm.lru[LRU_INACTIVE_ANON].n + d.lm.n_batch;
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.lru[LRU_INACTIVE_ANON].n, before + 64);
    assert_int_equal(d.lm.lru[LRU_INACTIVE_ANON].newest, contents_of(&d, 63));
    the_end(&d);
}

/* Nothing is brought in; what comes is locked. MAP_LOCKED brings in all of the second mapping. */
static void pages_are_locked_as_they_come(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 1);
    lock(&s, 0, 0, FL_LOCK_ALL >> 12, FL_LOCK_ON_FAULT);
    writes(&s, 0, 0, FIRST + 2);
    reads(&s, 0, 0, FIRST + 3);
    map(&s, 0, FIRST + 1000, 8, RW, FL_MAP_ANON | FL_MAP_LOCKED, FL_NO_FILE, 0);
    unmap(&s, 0, FIRST + 1000, 3);
    writes(&s, 0, 0, FIRST + 1005);
    open_scene(&d, &s, 100000, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, 3);
    assert_int_equal(d.lm.resident, 2);
    assert_int_equal(folio_of(&d, 1)->list, LRU_UNEVICTABLE);
    assert_int_equal(folio_of(&d, 2)->list, LRU_UNEVICTABLE);
    assert_int_equal(pte_of(&d, 3), PTE_PRESENT | PTE_YOUNG | PTE_ZERO_PAGE);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.resident, 2 + 5);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_WRITE], 2 + 8);
    assert_int_equal(folio_of(&d, 1005)->list, LRU_UNEVICTABLE);
    the_end(&d);
}

/* The child has the page, not the lock; without the parent it is an ordinary page. */
static void a_child_does_not_inherit_locks(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    write_upwards(&s, 1);
    lock(&s, 0, FIRST, 4, FL_LOCK_NOW);
    process(&s, 11, 10, 1, 0, 1);
    reads(&s, 1, 1, FIRST + 1);
    process_exit(&s, 10);
    reads(&s, 1, 1, FIRST + 2);
    writes(&s, 1, 1, FIRST + 3);
    open_scene(&d, &s, 100000, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, 2);
    uint32_t c = contents_of(&d, 1);
    assert_int_equal(d.lm.folio[c].mapped, 2);
    assert_int_equal(d.lm.folio[c].mlock_count, 1);
    linux_drive_run(&d, 3);
    assert_int_equal(d.lm.folio[c].list, LRU_INACTIVE_ANON);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 0);
    the_end(&d);
}

/* The read that mlock waits for is not held against it: the fault that then succeeds is minor. */
static void locking_a_file_reads_it_by_minor_faults(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    file(&s, 0, 77, "/data");
    nothing_resident(&s, 0, 8);
    map(&s, 0, FIRST, 4, FL_PROT_READ, 0, 0, 0);
    lock(&s, 0, FIRST, 4, FL_LOCK_NOW);
    for (uint32_t i = 0; i < 4; i++)
        reads(&s, 0, 0, FIRST + i);
    open_scene(&d, &s, 100000, SWAP_SYNCHRONOUS);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.file_pages_read, 8);
    assert_int_equal(d.lm.faults[FL_CAUSE_FILE_READ], 0);
    assert_int_equal(d.lm.faults[FL_CAUSE_FILE_MAP], 1);
    assert_int_equal(folio_of(&d, 3)->list, LRU_UNEVICTABLE);
    the_end(&d);
}

/* Two huge pages, the second populated by one fault; all is written, so nothing of them is zeros.
   What advice or a lock meets is split first. */
static void huge_pages_are_split_for_advice(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    struct linux_opts opts = linux_drive_opts(100000, 10000, SWAP_SYNCHRONOUS, NEVER);
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, FIRST, 1024);
    for (uint32_t i = 0; i < 512; i++)
        writes(&s, 0, 0, FIRST + i);
    advise(&s, 0, FIRST + 512, 512, POPULATE_WRITE);
    for (uint32_t i = 512; i < 1024; i++)
        writes(&s, 0, 0, FIRST + i);
    advise(&s, 0, FIRST, 100, PAGEOUT);
    lock(&s, 0, FIRST + 512, 512, FL_LOCK_NOW);
    advise(&s, 0, FIRST + 100, 412, FREE);
    reads(&s, 0, 0, FIRST + 1);
    reads(&s, 0, 0, FIRST + 200);
    opts.thp = FL_THP_ALWAYS;
    linux_drive_open(&d, &s.list, &opts);
    linux_drive_run(&d, 1024);
    assert_int_equal(d.lm.thp.faults, 2);
    assert_int_equal(d.lm.resident, 1024);
    assert_true(linux_check(&d.lm));
    linux_drive_run(&d, 1025);
    assert_int_equal(d.lm.thp.splits, 2);
    assert_int_equal(d.lm.evictions, 100);
    assert_int_equal(d.lm.pages_out, 100);
    assert_int_equal(d.lm.lru[LRU_INACTIVE_FILE].n, 412);
    assert_int_equal(folio_of(&d, 600)->list, LRU_UNEVICTABLE);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 1);
    the_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_pages_are_forgotten_to_be_in_use),
        cmocka_unit_test(paged_out_pages_go_at_once),
        cmocka_unit_test(paged_out_pages_wait_in_the_swap_cache),
        cmocka_unit_test(free_pages_go_without_swap_unless_written),
        cmocka_unit_test(free_drops_what_is_on_swap),
        cmocka_unit_test(needed_pages_come_into_the_swap_cache),
        cmocka_unit_test(needed_pages_of_a_file_are_read),
        cmocka_unit_test(populated_pages_are_there),
        cmocka_unit_test(populating_beyond_the_limit_swaps),
        cmocka_unit_test(locked_pages_stay),
        cmocka_unit_test(pages_are_locked_as_they_come),
        cmocka_unit_test(a_child_does_not_inherit_locks),
        cmocka_unit_test(huge_pages_are_split_for_advice),
        cmocka_unit_test(locking_a_file_reads_it_by_minor_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
