/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy_fix.h"

/* 3 frames, pages 1 2 3 1 4.  > oldest
 *   [>1][2][3]  --1: nothing moves-->  [>1][2][3]  --4: 1 evicted-->  [4][>2][3]   */
static void fifo_page_touched_again_still_goes_first(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "fifo", 3, 1);
    TOUCH(&f, 1, 2, 3, 1, 4);
    assert_frames(&f, PAGES(4, 2, 3));
    assert_int_equal(f.faults, 4);
    policy_stop(&f);
}

/* Belady, Nelson and Shedler's string. 3 frames, columns after each fault:
 *   1 2 3 4 1 2 5 | 1 2 | 3 4 | 5     9 faults
 *   1 1 1 4 4 4 5   5 5   5 5   5
 *     2 2 2 1 1 1   . .   3 3   .
 *       3 3 3 2 2   . .   2 4   .                                                  */
static void fifo_belady_string_three_frames_nine_faults(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "fifo", 3, 1);
    TOUCH(&f, 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5);
    assert_int_equal(f.faults, 9);
    assert_frames(&f, PAGES(5, 3, 4));
    policy_stop(&f);
}

/* The same with 4 frames: 1 and 2 hit once each, then every reference but none of the rest:
 *   1 2 3 4 | 1 2 | 5 1 2 3 4 5      4 + 0 + 6 = 10 faults
 *   evicted:          1 2 3 4 5 1                                                  */
static void fifo_belady_string_four_frames_ten_faults(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "fifo", 4, 1);
    TOUCH(&f, 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5);
    assert_int_equal(f.faults, 10);
    assert_memory_equal(f.evicted, PAGES(1, 2, 3, 4, 5, 1), 6 * sizeof(uint32_t));
    assert_frames(&f, PAGES(4, 5, 2, 3));
    policy_stop(&f);
}

/* 3 frames, pages 1 2 3; 2 ceases to exist; then 4 5.
 *   [>1][2][3]  --free 2-->  [>1][ ][3]  --4-->  [>1][4][3]  --5: 1 evicted-->  [5][4][>3]
 *   --6: 3 evicted, 4 came later-->  [5][>4][6]                                     */
static void fifo_freed_frame_goes_to_the_back_of_the_queue(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "fifo", 3, 1);
    TOUCH(&f, 1, 2, 3);
    free_page(&f, 2);
    TOUCH(&f, 4, 5);
    assert_frames(&f, PAGES(5, 4, 3));
    TOUCH(&f, 6);
    assert_frames(&f, PAGES(5, 4, 6));
    policy_stop(&f);
}

/* 1 frame: every change of page evicts the other.  1 1 2 2 1 -> faults at 1, 2, 1. */
static void fifo_single_frame_is_always_the_victim(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "fifo", 1, 1);
    TOUCH(&f, 1, 1, 2, 2, 1);
    assert_int_equal(f.faults, 3);
    assert_memory_equal(f.evicted, PAGES(1, 2), 2 * sizeof(uint32_t));
    policy_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifo_page_touched_again_still_goes_first),
        cmocka_unit_test(fifo_belady_string_three_frames_nine_faults),
        cmocka_unit_test(fifo_belady_string_four_frames_ten_faults),
        cmocka_unit_test(fifo_freed_frame_goes_to_the_back_of_the_queue),
        cmocka_unit_test(fifo_single_frame_is_always_the_victim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
