/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy_fix.h"

/* 3 frames, pages 1 2 3 1 4.  > hand, * referenced
 *   [>1*][2*][3*]  --4: bits cleared, 1 evicted-->  [4*][>2][3]   */
static void clock_all_referenced_evicts_at_hand(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "clock", 3, 1);
    TOUCH(&f, 1, 2, 3, 1, 4);
    assert_frames(&f, PAGES(4, 2, 3));
    policy_stop(&f);
}

/* 3 frames, pages 1 2 3 4 2 5.
 *   [4*][>2][3]  --2-->  [4*][>2*][3]  --5: 2 spared, 3 evicted-->  [>4*][2][5*]   */
static void clock_referenced_page_gets_a_second_chance(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "clock", 3, 1);
    TOUCH(&f, 1, 2, 3, 4, 2, 5);
    assert_frames(&f, PAGES(4, 2, 5));
    policy_stop(&f);
}

/* The same, then 6.
 *   [>4*][2][5*]  --6: 4 spared, 2 evicted-->  [4][6*][>5*]
 *   --7: 5 spared, 4 evicted-->  [7*][>6*][5]                                      */
static void clock_hand_goes_on_from_where_it_stopped(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "clock", 3, 1);
    TOUCH(&f, 1, 2, 3, 4, 2, 5, 6);
    assert_frames(&f, PAGES(4, 6, 5));
    TOUCH(&f, 7);
    assert_frames(&f, PAGES(7, 6, 5));
    policy_stop(&f);
}

/* 3 frames, pages 1 2 3 4; 2 ceases to exist; 5 takes its frame, then 6.
 *   [4*][>2][3]  --free 2, 5-->  [4*][>5*][3]  --6: 5 spared, 3 evicted-->  [>4*][5][6*] */
static void clock_page_in_a_freed_frame_is_referenced(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "clock", 3, 1);
    TOUCH(&f, 1, 2, 3, 4);
    free_page(&f, 2);
    TOUCH(&f, 5, 6);
    assert_frames(&f, PAGES(4, 5, 6));
    policy_stop(&f);
}

static void clock_single_frame_is_always_the_victim(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "clock", 1, 1);
    TOUCH(&f, 1, 1, 2, 2, 1);
    assert_int_equal(f.faults, 3);
    policy_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_all_referenced_evicts_at_hand),
        cmocka_unit_test(clock_referenced_page_gets_a_second_chance),
        cmocka_unit_test(clock_hand_goes_on_from_where_it_stopped),
        cmocka_unit_test(clock_page_in_a_freed_frame_is_referenced),
        cmocka_unit_test(clock_single_frame_is_always_the_victim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
