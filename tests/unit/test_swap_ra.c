/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Read-ahead windows. Expected numbers are worked out from the rules of mm/swap_state.c:
   pages = hits + 2; without hits 2 next to the slot before, else 1; with hits the power
   of two from that up, 4 or more; at most 2^page_cluster; at least half the window before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "linux/swap_ra.h"

#define N_SLOTS 10000u

static void assert_range(struct swap_ra_range got, uint64_t first, uint64_t last)
{
    assert_int_equal(got.first, first);
    assert_int_equal(got.end, last + 1);
}

/* 4 hits: 6, so 8. Nothing hits: half of it each time, down to one slot. */
static void swap_ra_slots_without_hits_halve_down_to_one(void **state)
{
    struct swap_ra ra = swap_ra_start(3);
    (void)state;
    assert_int_equal(ra.hits, 0); /* to begin with */
    ra.hits = 4;
    assert_range(swap_ra_slots(&ra, 1003, N_SLOTS), 1000, 1007);
    assert_range(swap_ra_slots(&ra, 2007, N_SLOTS), 2004, 2007);
    assert_range(swap_ra_slots(&ra, 3007, N_SLOTS), 3006, 3007);
    assert_range(swap_ra_slots(&ra, 4007, N_SLOTS), 4007, 4007);
    assert_range(swap_ra_slots(&ra, 5007, N_SLOTS), 5007, 5007);
}

/* 1 hit: 3, so 4. 2: 4. 3: 5, so 8. 20: 8, the most. */
static void swap_ra_slots_window_follows_the_hits(void **state)
{
    static const struct {
        uint32_t hits, pages;
    } rows[] = { { 1, 4 }, { 2, 4 }, { 3, 8 }, { 6, 8 }, { 7, 8 }, { 20, 8 } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct swap_ra ra = swap_ra_start(3);
        ra.hits = 0;
        for (uint32_t hit = 0; hit < rows[i].hits; hit++)
            swap_ra_found(&ra, NULL, 0, true);
        swap_ra_found(&ra, NULL, 0, false);
        assert_range(swap_ra_slots(&ra, 800, N_SLOTS), 800, 800 + rows[i].pages - 1);
        assert_int_equal(ra.hits, 0);
    }
}

/* page-cluster 5, 7 hits: 9, so 16; 15 hits: 17, so 32. Then half of it. */
static void swap_ra_slots_window_grows_to_page_cluster(void **state)
{
    struct swap_ra ra = swap_ra_start(5);
    (void)state;
    ra.hits = 7;
    assert_range(swap_ra_slots(&ra, 100, N_SLOTS), 96, 111);
    ra.hits = 15;
    assert_range(swap_ra_slots(&ra, 100, N_SLOTS), 96, 127);
    assert_range(swap_ra_slots(&ra, 200, N_SLOTS), 192, 207);
}

/* The slot before is remembered only from reads without a hit. */
static void swap_ra_slots_next_to_the_one_before_read_two(void **state)
{
    struct swap_ra ra = swap_ra_start(3);
    (void)state;
    ra.hits = 0;
    assert_range(swap_ra_slots(&ra, 500, N_SLOTS), 500, 500); /* before: 0 */
    assert_range(swap_ra_slots(&ra, 501, N_SLOTS), 500, 501);
    assert_range(swap_ra_slots(&ra, 500, N_SLOTS), 500, 501);
    assert_range(swap_ra_slots(&ra, 502, N_SLOTS), 502, 502);
    ra.hits = 1;
    assert_range(swap_ra_slots(&ra, 700, N_SLOTS), 700, 703); /* before: still 502 */
    assert_range(swap_ra_slots(&ra, 900, N_SLOTS), 900, 901); /* half of 4 */
    assert_range(swap_ra_slots(&ra, 700, N_SLOTS), 700, 700); /* before: 900 */
    assert_int_equal(ra.prev_slot, 700);
    ra = swap_ra_start(3);
    ra.hits = 0;
    assert_range(swap_ra_slots(&ra, 1, N_SLOTS), 1, 1); /* next to 0, but that is the header */
    assert_int_equal(ra.prev_win, 2);
}

static void swap_ra_slots_are_cut_at_the_header_and_the_end(void **state)
{
    struct swap_ra ra = swap_ra_start(3);
    (void)state;
    ra.hits = 4;
    assert_range(swap_ra_slots(&ra, 5, N_SLOTS), 1, 7);
    ra.hits = 4;
    assert_range(swap_ra_slots(&ra, 1001, 1003), 1000, 1002);
}

static void swap_ra_page_cluster_zero_reads_the_page_alone(void **state)
{
    struct swap_ra ra = swap_ra_start(0);
    struct swap_ra_vma vma = { 0 };
    bool one = false;
    (void)state;
    ra.hits = 4;
    assert_range(swap_ra_slots(&ra, 1003, N_SLOTS), 1003, 1003);
    assert_int_equal(ra.hits, 4);
    assert_range(swap_ra_pages(&ra, &vma, 1003, 0, 5000, &one), 1003, 1003);
    assert_true(one);
    assert_int_equal(vma.page, 0);
}

/* A new mapping has 4 hits: 8 pages, 3 to the left of the fault and 4 to its right. */
static void swap_ra_pages_first_window_is_centred_then_follows_the_direction(void **state)
{
    struct swap_ra ra = swap_ra_start(3);
    struct swap_ra_vma vma = { 0 };
    bool one = true;
    (void)state;
    assert_range(swap_ra_pages(&ra, &vma, 1100, 1000, 2000, &one), 1097, 1104);
    assert_false(one);
    assert_range(swap_ra_pages(&ra, &vma, 1101, 1000, 2000, &one), 1101, 1104); /* up, 4 */
    assert_range(swap_ra_pages(&ra, &vma, 1100, 1000, 2000, &one), 1099, 1100); /* down, 2 */
    assert_range(swap_ra_pages(&ra, &vma, 1300, 1000, 2000, &one), 1300, 1300); /* 1 */
    assert_true(one);
    assert_range(swap_ra_pages(&ra, &vma, 1301, 1000, 2000, &one), 1301, 1302); /* up, 2 */
    assert_false(one);
}

/* Every fault that finds its page moves the place, hits come only from marked pages:
   8 pages from 1100 up; 1101 ... 1104 are found, 1104 unmarked; 1105 is next to 1104:
   3 hits, so 8 pages from there up. */
static void swap_ra_pages_found_move_the_place_and_count_hits(void **state)
{
    struct swap_ra ra = swap_ra_start(3);
    struct swap_ra_vma vma = { .page = 1099, .win = 8, .hits = 3 };
    (void)state;
    ra.hits = 4;
    assert_range(swap_ra_pages(&ra, &vma, 1100, 1000, 2000, NULL), 1100, 1107);
    assert_int_equal(vma.hits, 0);
    for (uint64_t page = 1101; page <= 1104; page++)
        swap_ra_found(&ra, &vma, page, page != 1104);
    assert_int_equal(vma.page, 1104);
    assert_int_equal(vma.win, 8);
    assert_int_equal(vma.hits, 3);
    assert_range(swap_ra_pages(&ra, &vma, 1105, 1000, 2000, NULL), 1105, 1112);
    assert_int_equal(ra.hits, 4); /* the machine's are left alone */
    for (int i = 0; i < 100; i++)
        swap_ra_found(&ra, &vma, 1106, true);
    assert_int_equal(vma.hits, 63);
}

/* A page found before the first read leaves the 4 hits in place. */
static void swap_ra_pages_found_in_a_new_mapping_keep_its_first_hits(void **state)
{
    struct swap_ra ra = swap_ra_start(3);
    struct swap_ra_vma vma = { 0 };
    (void)state;
    swap_ra_found(&ra, &vma, 1200, false);
    assert_int_equal(vma.hits, 4);
    assert_range(swap_ra_pages(&ra, &vma, 1201, 1000, 2000, NULL), 1201, 1208);
}

/* 1024 = 2 * 512 is where a 2 MiB range starts. */
static void swap_ra_pages_are_cut_at_the_mapping_and_its_2mib(void **state)
{
    struct swap_ra ra = swap_ra_start(3);
    struct swap_ra_vma vma = { 0 };
    (void)state;
    assert_range(swap_ra_pages(&ra, &vma, 1025, 0, 5000, NULL), 1024, 1029);
    vma = (struct swap_ra_vma){ 0 };
    assert_range(swap_ra_pages(&ra, &vma, 1022, 0, 5000, NULL), 1019, 1023);
    vma = (struct swap_ra_vma){ 0 };
    assert_range(swap_ra_pages(&ra, &vma, 1100, 1099, 1102, NULL), 1099, 1101);
    vma = (struct swap_ra_vma){ 0 };
    assert_range(swap_ra_pages(&ra, &vma, 1, 0, 5000, NULL), 1, 8); /* up from 0 */
    vma = (struct swap_ra_vma){ 0 };
    assert_range(swap_ra_pages(&ra, &vma, 2, 0, 5000, NULL), 0, 6);
}

/* page-cluster 8 would be 256 pages; by address 32 are the most. */
static void swap_ra_pages_window_is_32_at_most(void **state)
{
    struct swap_ra ra = swap_ra_start(8);
    struct swap_ra_vma vma = { .page = 5, .win = 4, .hits = 63 };
    (void)state;
    assert_range(swap_ra_pages(&ra, &vma, 1200, 0, 5000, NULL), 1185, 1216);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swap_ra_slots_without_hits_halve_down_to_one),
        cmocka_unit_test(swap_ra_slots_window_follows_the_hits),
        cmocka_unit_test(swap_ra_slots_window_grows_to_page_cluster),
        cmocka_unit_test(swap_ra_slots_next_to_the_one_before_read_two),
        cmocka_unit_test(swap_ra_slots_are_cut_at_the_header_and_the_end),
        cmocka_unit_test(swap_ra_page_cluster_zero_reads_the_page_alone),
        cmocka_unit_test(swap_ra_pages_first_window_is_centred_then_follows_the_direction),
        cmocka_unit_test(swap_ra_pages_found_move_the_place_and_count_hits),
        cmocka_unit_test(swap_ra_pages_found_in_a_new_mapping_keep_its_first_hits),
        cmocka_unit_test(swap_ra_pages_are_cut_at_the_mapping_and_its_2mib),
        cmocka_unit_test(swap_ra_pages_window_is_32_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
