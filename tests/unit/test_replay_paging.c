/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Swap, write-back, the TLB and running out of memory: every count worked out by hand. */
#include "scene.h"

/* 2 frames, fifo. Contents in the frames, what each reference does, slots held afterwards:
 *   write 1   [1'][ ]   anon_write
 *   read 2    [1'][2]   anon_zero
 *   read 3    [3][2]    1 goes: slot, written out (1)          slots: 1
 *   read 1    [3][1]    2 goes: slot, never written            slots: 1 2   swap_in
 *   read 2    [2][1]    3 goes: slot, never written            slots: 1 2 3 swap_in
 *   read 3    [2][3]    1 goes: has its slot, clean            slots: 1 2 3 swap_in
 *   write 2   [2'][3]   2 gives its slot up                    slots: 1 3
 *   read 1    [1][3]    2 goes: slot, written out (2)          slots: 1 2 3 swap_in */
static void swap_slots_are_kept_until_the_page_is_written(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 3);
    writes(&s, 0, 0, 1);
    reads(&s, 0, 0, 2);
    reads(&s, 0, 0, 3);
    reads(&s, 0, 0, 1);
    reads(&s, 0, 0, 2);
    reads(&s, 0, 0, 3);
    writes(&s, 0, 0, 2);
    reads(&s, 0, 0, 1);
    const struct fl_result *r = replay_with(&s, "fifo", 2, UINT64_MAX);
    assert_int_equal(r->minor, 3);
    assert_int_equal(r->major, 4);
    assert_int_equal(r->faults[FL_CAUSE_SWAP_IN], 4);
    assert_int_equal(r->evictions, 5);
    assert_int_equal(r->pages_in, 4);
    assert_int_equal(r->pages_out, 2);
    assert_int_equal(r->swap_peak_pages, 3);
    assert_int_equal(r->resident_peak_pages, 2);
    assert_int_equal(r->unlimited_peak_pages, 3);
    scene_end(&s);
}

/* 1 frame. File page 10 (shared) written: file_map. Anon 1: 10 goes, written back. 10 read: back
 * from the file. Anon 1 again: 10 goes, clean, so dropped; 1 comes from swap, written out once. */
static void file_pages_are_written_back_once_and_read_again(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    file(&s, 0, 7, "/data");
    map(&s, 0, 10, 1, RW, FL_MAP_SHARED, 0, 0);
    map_anon(&s, 0, 1, 1);
    writes(&s, 0, 0, 10);
    writes(&s, 0, 0, 1);
    reads(&s, 0, 0, 10);
    reads(&s, 0, 0, 1);
    const struct fl_result *r = replay_with(&s, "lru", 1, UINT64_MAX);
    assert_int_equal(r->faults[FL_CAUSE_FILE_MAP], 1);
    assert_int_equal(r->faults[FL_CAUSE_ANON_WRITE], 1);
    assert_int_equal(r->faults[FL_CAUSE_FILE_READ], 1);
    assert_int_equal(r->faults[FL_CAUSE_SWAP_IN], 1);
    assert_int_equal(r->file_pages_written, 1);
    assert_int_equal(r->file_pages_read, 1);
    assert_int_equal(r->pages_out, 1);
    assert_int_equal(r->pages_in, 1);
    assert_int_equal(r->swap_peak_pages, 1);
    scene_end(&s);
}

/* Levels I (1 entry), D (2 entries), U (2 sets x 2 ways, set = page mod 2).  * miss; latest first
 *   read 1      D*  U*       walk 1      D: 1       U0: -     U1: 1
 *   read 3 x4   D*  U*       walk 2      D: 3 1     U0: -     U1: 3 1   (D: 3 hits besides)
 *   fetch 5     I*  U*       walk 3      I: 5       U0: -     U1: 5 3
 *    + read 5   D*  U hit                D: 5 3               the same run: fetches go first
 *   read 3      D hit                    D: 3 5
 *   read 1      D*  U*       walk 4      D: 1 3     U0: -     U1: 1 5
 *   read 2      D*  U*       walk 5      D: 2 1     U0: 2     U1: 1 5
 *   kernel read 1: no lookup */
static void tlb_levels_are_looked_up_in_turn_and_filled_where_missed(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map(&s, 0, 1, 5, 7, FL_MAP_ANON, FL_NO_FILE, 0);
    reads(&s, 0, 0, 1);
    item_list_run(&s.list, &(struct naive_item){ .vpn = 3, .reads = 4 });
    reads(&s, 0, 0, 5);
    item_list_run(&s.list, &(struct naive_item){ .vpn = 5, .fetches = 1 });
    reads(&s, 0, 0, 3);
    reads(&s, 0, 0, 1);
    reads(&s, 0, 0, 2);
    item_list_run(&s.list, &(struct naive_item){ .vpn = 1, .reads = 1, .actor = FL_ACTOR_KERNEL });
    const struct fl_result *r = replay_with(&s, "lru", FL_FRAMES_UNLIMITED, UINT64_MAX);
    assert_int_equal(r->n_tlb, 3);
    assert_string_equal(r->tlb[0].name, "I");
    assert_int_equal(r->tlb[0].lookups, 1);
    assert_int_equal(r->tlb[0].misses, 1);
    assert_int_equal(r->tlb[1].lookups, 9);
    assert_int_equal(r->tlb[1].misses, 5);
    assert_int_equal(r->tlb[1].hits, 4);
    assert_int_equal(r->tlb[2].lookups, 6);
    assert_int_equal(r->tlb[2].hits, 1);
    assert_int_equal(r->tlb[2].misses, 5);
    assert_int_equal(r->walks, 5);
    assert_int_equal(r->walk_refs, 20);
    assert_int_equal(r->tlb_flushes, 1); /* of the ASID that the space got */
    scene_end(&s);
}

/* 1 frame, pages 1 and 3: each eviction drops the translation, so every read walks; with room for
 * both, only the first two do. */
static void eviction_drops_the_translation(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 3);
    for (int i = 0; i < 5; i++) {
        reads(&s, 0, 0, 1);
        reads(&s, 0, 0, 3);
    }
    assert_int_equal(replay_with(&s, "lru", 1, UINT64_MAX)->walks, 10);
    fl_result_free(s.r);
    assert_int_equal(replay_with(&s, "lru", 2, UINT64_MAX)->walks, 2);
    scene_end(&s);
}

/* 2 ASIDs, 3 spaces, one page each, in turns a b c a: 0 to a, 1 to b, 0 to c, 1 to a. Then c ends,
 * and b gets 0. Each is a flush, and every read walks. */
static void asids_are_assigned_in_turn_and_flushed(void **state)
{
    struct scene s = { 0 };
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        process(&s, 10 + i, 0, i, FL_NO_MM, i);
        map_anon(&s, i, 1, 1);
    }
    reads(&s, 0, 0, 1);
    reads(&s, 1, 1, 1);
    reads(&s, 2, 2, 1);
    reads(&s, 0, 0, 1);
    process_exit(&s, 12);
    reads(&s, 1, 1, 1);
    const struct fl_result *r = replay_with(&s, "lru", FL_FRAMES_UNLIMITED, UINT64_MAX);
    assert_int_equal(r->tlb_flushes, 5);
    assert_int_equal(r->tlb_flushes_by[FL_FLUSH_SWITCH], 5);
    assert_int_equal(r->walks, 5);
    scene_end(&s);
}

/* 2 frames, 1 slot, fifo.  Process 10 has pages 1 2 3, process 11 page 1 of its own.
 *   10 writes 1: [10:1][ ]      10 writes 2: [10:1][10:2]
 *   11 writes 1: 10:1 goes to the slot            [11:1][10:2]
 *   11 writes 2: 10:2 must go, no slot is free. Badness, 3 tables each below the root:
 *       10: 1 resident + 1 swapped + 3 = 5;   11: 1 + 0 + 3 = 4 (page 2 has no frame yet)
 *       10 is killed at access 3; its frame is free: [11:1][11:2]
 *   10 reads 1 (two accesses): skipped.  11 reads 1: a touch. */
static void out_of_memory_kills_the_largest_and_skips_its_runs(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    process(&s, 11, 0, 1, FL_NO_MM, 1);
    map_anon(&s, 0, 1, 3);
    map_anon(&s, 1, 1, 2);
    writes(&s, 0, 0, 1);
    writes(&s, 0, 0, 2);
    writes(&s, 1, 1, 1);
    writes(&s, 1, 1, 2);
    item_list_run(&s.list, &(struct naive_item){ .vpn = 1, .reads = 2 });
    reads(&s, 1, 1, 1);
    const struct fl_result *r = replay_with(&s, "fifo", 2, 1);
    assert_int_equal(r->n_oom_kills, 1);
    assert_int_equal(r->oom_kills[0].pid, 10);
    assert_int_equal(r->oom_kills[0].badness, 5);
    assert_int_equal(r->oom_kills[0].rss_pages, 1);
    assert_int_equal(r->oom_kills[0].swap_pages, 1);
    assert_int_equal(r->oom_kills[0].at_access, 3);
    assert_string_equal(r->oom_kills[0].comm, "scene");
    assert_int_equal(r->skipped_accesses, 2);
    assert_int_equal(r->evictions, 1);
    assert_int_equal(r->minor, 4);
    assert_int_equal(r->major, 0);
    assert_int_equal(r->unlimited_peak_pages, 4);
    scene_end(&s);
}

/* Pid 1 is never killed: with nobody else the replay ends in an error with a message. */
static void out_of_memory_with_only_init_is_an_error(void **state)
{
    struct scene s = { 0 };
    struct fl_replay_opts opts = { .frames = 1, .policy = fl_policy_find("lru") };
    (void)state;
    process(&s, 1, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 2);
    writes(&s, 0, 0, 1);
    writes(&s, 0, 0, 2);
    assert_true(try_replay(&s, &opts) < 0);
    scene_end(&s);
}

static void no_frames_at_all_is_usage(void **state)
{
    struct scene s = { 0 };
    struct fl_replay_opts opts = { .frames = 0, .policy = fl_policy_find("lru") };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    assert_int_equal(try_replay(&s, &opts), FL_EUSAGE);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swap_slots_are_kept_until_the_page_is_written),
        cmocka_unit_test(file_pages_are_written_back_once_and_read_again),
        cmocka_unit_test(tlb_levels_are_looked_up_in_turn_and_filled_where_missed),
        cmocka_unit_test(eviction_drops_the_translation),
        cmocka_unit_test(asids_are_assigned_in_turn_and_flushed),
        cmocka_unit_test(out_of_memory_kills_the_largest_and_skips_its_runs),
        cmocka_unit_test(out_of_memory_with_only_init_is_an_error),
        cmocka_unit_test(no_frames_at_all_is_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
