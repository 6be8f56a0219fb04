/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy_fix.h"

/* 3 frames, pages 1 2 3 1 4.  Most recent first:
 *   3 2 1  --1-->  1 3 2  --4: 2 evicted-->  4 1 3                                 */
static void lru_page_touched_again_outlives_older_ones(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "lru", 3, 1);
    TOUCH(&f, 1, 2, 3, 1, 4);
    assert_frames(&f, PAGES(1, 4, 3));
    assert_int_equal(f.evicted[0], 2);
    policy_stop(&f);
}

/* Belady's string, 3 frames. Stack after each reference, most recent first:
 *   1 | 21 | 321 | 432 | 143 | 214 | 521 | 152 hit | 215 hit | 321 | 432 | 543
 *   faults: all twelve but two = 10                                              */
static void lru_belady_string_three_frames_ten_faults(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "lru", 3, 1);
    TOUCH(&f, 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5);
    assert_int_equal(f.faults, 10);
    assert_memory_equal(f.evicted, PAGES(1, 2, 3, 4, 5, 1, 2), 7 * sizeof(uint32_t));
    policy_stop(&f);
}

/* 4 frames, after the first four:
 *   4321 | 1432 hit | 2143 hit | 5214 | 1524 hit | 2154 hit | 3215 | 4321 | 5432
 *   faults at 1 2 3 4, 5, and the last 3 4 5: 8                                   */
static void lru_belady_string_four_frames_eight_faults(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "lru", 4, 1);
    TOUCH(&f, 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5);
    assert_int_equal(f.faults, 8);
    assert_memory_equal(f.evicted, PAGES(3, 4, 5, 1), 4 * sizeof(uint32_t));
    policy_stop(&f);
}

/* A loop of 4 pages in 3 frames: each page goes just before it is wanted again. */
static void lru_loop_one_page_too_long_always_misses(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "lru", 3, 1);
    TOUCH(&f, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4);
    assert_int_equal(f.faults, 12);
    policy_stop(&f);
}

/* 3 frames, pages 1 2 3, 1 ceases to exist (the oldest), 4 takes its frame.
 *   321  --free 1-->  32  --4-->  432  --5: 2 evicted-->  543                      */
static void lru_freed_oldest_page_is_not_the_next_victim(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "lru", 3, 1);
    TOUCH(&f, 1, 2, 3);
    free_page(&f, 1);
    TOUCH(&f, 4, 5);
    assert_frames(&f, PAGES(4, 5, 3));
    policy_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lru_page_touched_again_outlives_older_ones),
        cmocka_unit_test(lru_belady_string_three_frames_ten_faults),
        cmocka_unit_test(lru_belady_string_four_frames_eight_faults),
        cmocka_unit_test(lru_loop_one_page_too_long_always_misses),
        cmocka_unit_test(lru_freed_oldest_page_is_not_the_next_victim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
