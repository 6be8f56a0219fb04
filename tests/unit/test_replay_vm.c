/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual memory, page tables and sharing: scenes with every count worked out by hand. */
#include "scene.h"

#define UNLIMITED FL_FRAMES_UNLIMITED, UINT64_MAX

/* pages     parent      child
 *   1        A            -      written by the parent: anon_write x3 (A B C)
 *   2        B            -
 *   3        C            -
 * fork:      A B C       A B C   3 contents, 6 virtual pages: 3 shared, 3 saved
 * child reads 1:  nothing;  child writes 1: cow (D);  parent writes 1: alone with A, no fault
 * parent writes 2: cow (E); child writes 2: alone with B, no fault. Contents at most: A B C D E */
static void fork_copies_on_the_first_write_of_either_side(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 3);
    for (uint64_t vpn = 1; vpn <= 3; vpn++)
        writes(&s, 0, 0, vpn);
    process(&s, 11, 10, 1, 0, 1);
    reads(&s, 1, 1, 1);
    writes(&s, 1, 1, 1);
    writes(&s, 0, 0, 1);
    writes(&s, 0, 0, 2);
    writes(&s, 1, 1, 2);
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->faults[FL_CAUSE_ANON_WRITE], 3);
    assert_int_equal(r->faults[FL_CAUSE_COW], 2);
    assert_int_equal(r->minor, 5);
    assert_int_equal(r->major, 0);
    assert_int_equal(r->shared_pages, 3);
    assert_int_equal(r->saved_pages, 3);
    assert_int_equal(r->resident_peak_pages, 5);
    assert_int_equal(r->unlimited_peak_pages, 5);
    /* A root and one table on each of 3 levels, twice; flat: 2 x 8 x 512^4 bytes. */
    assert_int_equal(r->page_tables_peak, 8);
    assert_true(r->flat_bytes_avoided == (UINT64_C(1) << 40) - 8 * 4096);
    scene_end(&s);
}

/* A private file mapping that never held an anonymous page is not copied by fork; one that did, is.
 *   mapping X, page 10: read (file_map). Mapping Y, pages 20 21: read (file_map), written (cow).
 *   fork; child reads 10: file_map again; 20: nothing, copied with Y; 21: nothing.
 *   child writes 20, an object's page: cow, though it is alone in writing; 21: shared: cow */
static void fork_copies_file_pages_only_beside_anonymous_ones(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    file(&s, 0, 7, "/lib/x.so");
    map(&s, 0, 10, 1, RW, 0, 0, 0);
    map(&s, 0, 20, 2, RW, 0, 0, 4);
    reads(&s, 0, 0, 10);
    reads(&s, 0, 0, 20);
    writes(&s, 0, 0, 21);
    process(&s, 11, 10, 1, 0, 1);
    reads(&s, 1, 1, 10);
    reads(&s, 1, 1, 20);
    reads(&s, 1, 1, 21);
    writes(&s, 1, 1, 20);
    writes(&s, 1, 1, 21);
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->faults[FL_CAUSE_FILE_MAP], 3);
    assert_int_equal(r->faults[FL_CAUSE_COW], 3);
    assert_int_equal(r->minor, 6);
    /* After the child's read of 10: pages 10, 20, 21 each mapped twice. */
    assert_int_equal(r->shared_pages, 3);
    assert_int_equal(r->saved_pages, 3);
    scene_end(&s);
}

/* vfork shares the space; exec leaves it to the parent.
 *   parent writes 1; child (same space) writes 1 and 2; child execs, touches page 1 of its own.
 *   anon_write: 1, 2, and 1 in the new space. The parent still has 1 and 2. */
static void vfork_child_uses_the_parents_pages_until_exec(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 3);
    writes(&s, 0, 0, 1);
    process(&s, 11, 10, 0, FL_NO_MM, 1);
    writes(&s, 1, 0, 1);
    writes(&s, 1, 0, 2);
    process_exec(&s, 11, 1);
    map_anon(&s, 1, 1, 3);
    writes(&s, 1, 1, 1);
    reads(&s, 0, 0, 1);
    reads(&s, 0, 0, 2);
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->faults[FL_CAUSE_ANON_WRITE], 3);
    assert_int_equal(r->minor, 3);
    assert_int_equal(r->resident_peak_pages, 3);
    assert_int_equal(r->saved_pages, 0);
    scene_end(&s);
}

/* Two pages of one shared object, touched by both sides of a fork: shmem each time it is new to a
 * space, though the second finds it there. With the parent gone the object lives in the child. */
static void shared_anonymous_memory_faults_once_in_each_space(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map(&s, 0, 1, 2, RW, FL_MAP_ANON | FL_MAP_SHARED, FL_NO_FILE, 0);
    writes(&s, 0, 0, 1);
    process(&s, 11, 10, 1, 0, 1);
    reads(&s, 1, 1, 1); /* shmem: not copied by the fork */
    writes(&s, 1, 1, 2);
    reads(&s, 0, 0, 2); /* shmem */
    process_exit(&s, 10);
    reads(&s, 1, 1, 1);
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->faults[FL_CAUSE_SHMEM], 4);
    assert_int_equal(r->minor, 4);
    assert_int_equal(r->resident_peak_pages, 2);
    assert_int_equal(r->shared_pages, 2);
    assert_int_equal(r->saved_pages, 2);
    scene_end(&s);
}

/* Unmapped anonymous pages free their frames; pages of a file stay in the page cache.
 *   anon 1 2, file 10 11: 4 frames. Unmap all: 2 remain. Anon 1 2 again: 4, not 6.
 *   The file mapped again: file_map, as the mapping is new, but minor: the pages are there. */
static void unmap_frees_anonymous_pages_and_keeps_the_page_cache(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    file(&s, 0, 7, "/data");
    for (int round = 0; round < 2; round++) {
        map_anon(&s, 0, 1, 2);
        map(&s, 0, 10, 2, FL_PROT_READ, FL_MAP_SHARED, 0, 0);
        writes(&s, 0, 0, 1);
        reads(&s, 0, 0, 2);
        reads(&s, 0, 0, 10);
        reads(&s, 0, 0, 11);
        unmap(&s, 0, 1, 11);
    }
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->faults[FL_CAUSE_ANON_WRITE], 2);
    assert_int_equal(r->faults[FL_CAUSE_ANON_ZERO], 2);
    assert_int_equal(r->faults[FL_CAUSE_FILE_MAP], 4);
    assert_int_equal(r->resident_peak_pages, 4);
    scene_end(&s);
}

/* Two ids, one inode: one page of memory. A memfd's cause is shmem. */
static void files_are_told_apart_by_inode_not_by_id(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    file(&s, 0, 7, "/data");
    file(&s, 1, 7, "/hard-link");
    file(&s, 2, 8, "memfd:pool");
    map(&s, 0, 10, 1, FL_PROT_READ, FL_MAP_SHARED, 0, 5);
    map(&s, 0, 20, 2, FL_PROT_READ, FL_MAP_SHARED, 1, 4);
    map(&s, 0, 30, 1, FL_PROT_READ, FL_MAP_SHARED, 2, 5);
    reads(&s, 0, 0, 10); /* page 5 of the inode */
    reads(&s, 0, 0, 21); /* page 4 + 1: the same */
    reads(&s, 0, 0, 30);
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->faults[FL_CAUSE_FILE_MAP], 2);
    assert_int_equal(r->faults[FL_CAUSE_SHMEM], 1);
    assert_int_equal(r->resident_peak_pages, 2);
    assert_int_equal(r->saved_pages, 1);
    scene_end(&s);
}

/* DONTNEED drops contents, not the mapping; other advice does nothing.
 *   write 1 2, WILLNEED, read 1: nothing. DONTNEED 1: read 1: anon_zero; 2 is still there. */
static void dontneed_drops_the_pages_and_keeps_the_mapping(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 2);
    writes(&s, 0, 0, 1);
    writes(&s, 0, 0, 2);
    advise(&s, 0, 1, 2, 3);
    reads(&s, 0, 0, 1);
    advise(&s, 0, 1, 1, 4);
    reads(&s, 0, 0, 1);
    reads(&s, 0, 0, 2);
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->faults[FL_CAUSE_ANON_WRITE], 2);
    assert_int_equal(r->faults[FL_CAUSE_ANON_ZERO], 1);
    assert_int_equal(r->segv, 0);
    assert_int_equal(r->resident_peak_pages, 2);
    scene_end(&s);
}

/* Pages 1 2 (read-write): write 1; read-only from 2 on: writing 2 faults, reading does not.
 * Page 9 is mapped nowhere. A system call's miss counts nothing; a fetch needs EXEC; WRITE implies
 * reading; the vdso counts nowhere, whatever is done to it. Segv: write 2, read 9, fetch 1. */
static void segv_counts_once_a_run_and_only_for_the_threads_own(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 2);
    map(&s, 0, 5, 1, FL_PROT_WRITE, FL_MAP_ANON, FL_NO_FILE, 0);
    map(&s, 0, 7, 1, FL_PROT_READ, FL_MAP_ANON | FL_MAP_SPECIAL, FL_NO_FILE, 0);
    writes(&s, 0, 0, 1);
    protect(&s, 0, 2, 1, FL_PROT_READ);
    item_list_run(&s.list, &(struct naive_item){ .vpn = 2, .writes = 5 }); /* segv, once */
    reads(&s, 0, 0, 9);                                                    /* segv */
    item_list_run(&s.list, &(struct naive_item){ .vpn = 9, .reads = 1, .actor = FL_ACTOR_KERNEL });
    item_list_run(&s.list, &(struct naive_item){ .vpn = 1, .fetches = 1 }); /* segv */
    reads(&s, 0, 0, 5);
    reads(&s, 0, 0, 7);
    writes(&s, 0, 0, 7);
    reads(&s, 0, 0, 2);
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->segv, 3);
    assert_int_equal(r->faults[FL_CAUSE_ANON_WRITE], 1);
    assert_int_equal(r->faults[FL_CAUSE_ANON_ZERO], 2); /* 5 and 2 */
    assert_int_equal(r->minor, 3);
    scene_end(&s);
}

/* Pages 1 2 written, moved to 100 101 and grown by one: 100 101 keep their contents, 102 is new,
 * 1 is gone. Then shrunk in place to one page: 101 is gone. */
static void remap_moves_the_contents_and_grows_or_shrinks_the_mapping(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 2);
    map_anon(&s, 0, 101, 1); /* in the way: unmapped by the move */
    writes(&s, 0, 0, 1);
    writes(&s, 0, 0, 2);
    writes(&s, 0, 0, 101);
    remap(&s, 0, 1, 2, 100, 3);
    reads(&s, 0, 0, 100);
    reads(&s, 0, 0, 101);
    reads(&s, 0, 0, 102); /* anon_zero */
    reads(&s, 0, 0, 1);   /* segv */
    remap(&s, 0, 100, 3, 100, 1);
    reads(&s, 0, 0, 100);
    reads(&s, 0, 0, 101); /* segv */
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->faults[FL_CAUSE_ANON_WRITE], 3);
    assert_int_equal(r->faults[FL_CAUSE_ANON_ZERO], 1);
    assert_int_equal(r->segv, 2);
    assert_int_equal(r->resident_peak_pages, 3);
    scene_end(&s);
}

/* Page 0x1ff and page 0x200 need two lowest tables, under one of each higher level: 1 + 2 + 1 + 1.
 * Page 0x1ff unmapped, its table goes: 4. A page a terabyte up adds one of each level: 7. */
static void page_tables_come_with_touches_and_go_with_mappings(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 0x1ff, 1);
    map_anon(&s, 0, 0x200, 1);
    map_anon(&s, 0, UINT64_C(1) << 28, 1);
    writes(&s, 0, 0, 0x1ff);
    writes(&s, 0, 0, 0x200);
    unmap(&s, 0, 0x1ff, 1);
    writes(&s, 0, 0, UINT64_C(1) << 28);
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->page_tables_peak, 7);
    assert_true(r->flat_bytes_avoided == (UINT64_C(1) << 39) - UINT64_C(7) * 4096);
    scene_end(&s);
}

/* Pages 0x1fe-0x201, the first and the last touched: root, one table on levels 3 and 2, two on
 * level 1: 5. One page moves to 0x40001: the rest is unmapped (4), the new place needs its own
 * tables on levels 2 and 1 (6, the peak; 7 if the move came first), the old ones go (4).  */
static void remap_unmaps_the_rest_before_it_moves(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 0x1fe, 4);
    writes(&s, 0, 0, 0x1fe);
    writes(&s, 0, 0, 0x201);
    remap(&s, 0, 0x1fe, 4, 0x40001, 1);
    const struct fl_result *r = replay_with(&s, "lru", UNLIMITED);
    assert_int_equal(r->page_tables_peak, 6);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_copies_on_the_first_write_of_either_side),
        cmocka_unit_test(fork_copies_file_pages_only_beside_anonymous_ones),
        cmocka_unit_test(vfork_child_uses_the_parents_pages_until_exec),
        cmocka_unit_test(shared_anonymous_memory_faults_once_in_each_space),
        cmocka_unit_test(unmap_frees_anonymous_pages_and_keeps_the_page_cache),
        cmocka_unit_test(files_are_told_apart_by_inode_not_by_id),
        cmocka_unit_test(dontneed_drops_the_pages_and_keeps_the_mapping),
        cmocka_unit_test(segv_counts_once_a_run_and_only_for_the_threads_own),
        cmocka_unit_test(remap_moves_the_contents_and_grows_or_shrinks_the_mapping),
        cmocka_unit_test(remap_unmaps_the_rest_before_it_moves),
        cmocka_unit_test(page_tables_come_with_touches_and_go_with_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
