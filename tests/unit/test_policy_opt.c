/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy_fix.h"

/* Belady's string, 3 frames. What each resident page waits for, at each eviction:
 *   1 2 3 . . .  --4: next 1@5 2@6 3@10, 3 goes-->  [1][2][4]   1 and 2 hit
 *   --5: next 1@8 2@9 4@11, 4 goes-->  [1][2][5]                1 and 2 hit
 *   --3: 1 and 2 never, 5@12: lowest frame, 1 goes-->  [3][2][5]
 *   --4: 3 and 2 never: 3 goes-->  [4][2][5]                    5 hits
 *   7 faults                                                                       */
static void opt_belady_string_three_frames_seven_faults(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "opt", 3, 1);
    TOUCH(&f, 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5);
    assert_int_equal(f.faults, 7);
    assert_memory_equal(f.evicted, PAGES(3, 4, 1, 3), 4 * sizeof(uint32_t));
    assert_frames(&f, PAGES(4, 2, 5));
    policy_stop(&f);
}

/* 4 frames: 1 2 3 4 fill; --5: next 1@8 2@9 3@10 4@11, 4 goes-->  [1][2][3][5]
 *   1 2 3 hit; --4: 1 2 3 never, 1 goes-->  [4][2][3][5]; 5 hits: 6 faults          */
static void opt_belady_string_four_frames_six_faults(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "opt", 4, 1);
    TOUCH(&f, 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5);
    assert_int_equal(f.faults, 6);
    assert_memory_equal(f.evicted, PAGES(4, 1), 2 * sizeof(uint32_t));
    policy_stop(&f);
}

/* Never is farther than any position, and among nevers the lowest frame goes.
 *   [1: @90][3: never][2: never]  --4-->  3 goes: page numbers do not matter
 *   [1: @90][4: @95][2: never]    --5-->  2 goes                                   */
static void opt_never_used_again_lowest_frame_goes_first(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "opt", 3, 1);
    touch_page(&f, 1, 90);
    touch_page(&f, 3, FL_NEVER_USED);
    touch_page(&f, 2, FL_NEVER_USED);
    touch_page(&f, 4, 95);
    assert_frames(&f, PAGES(1, 4, 2));
    touch_page(&f, 5, 91);
    assert_frames(&f, PAGES(1, 4, 5));
    touch_page(&f, 6, 99); /* 1@90 4@95 5@91: 4 is the farthest */
    assert_frames(&f, PAGES(1, 6, 5));
    policy_stop(&f);
}

/* A touch moves the page's next use: 1@5 becomes 1@50.
 *   [1: @5][2: @20]  --1, now @50-->  [1: @50][2: @20]  --3-->  1 goes              */
static void opt_touch_renews_the_next_use(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "opt", 2, 1);
    touch_page(&f, 1, 5);
    touch_page(&f, 2, 20);
    touch_page(&f, 1, 50);
    touch_page(&f, 3, 60);
    assert_frames(&f, PAGES(3, 2));
    policy_stop(&f);
}

/* After a kill a touch may also bring the next use nearer: 1@50 becomes 1@10.
 *   [1: @50][2: @40][3: @30]  --1, now @10-->  [1: @10][2: @40][3: @30]  --4-->  2 goes  */
static void opt_touch_may_bring_the_next_use_nearer(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "opt", 3, 1);
    touch_page(&f, 1, 50);
    touch_page(&f, 2, 40);
    touch_page(&f, 3, 30);
    touch_page(&f, 1, 10);
    touch_page(&f, 4, 60);
    assert_frames(&f, PAGES(1, 4, 3));
    policy_stop(&f);
}

/* A page that ceased to exist is no victim, however far its next use was. */
static void opt_freed_page_is_forgotten(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "opt", 3, 1);
    touch_page(&f, 1, FL_NEVER_USED);
    touch_page(&f, 2, 30);
    touch_page(&f, 3, 20);
    free_page(&f, 1);
    touch_page(&f, 4, 10);
    touch_page(&f, 5, 40); /* 4@10 2@30 3@20: 2 goes */
    assert_frames(&f, PAGES(4, 5, 3));
    policy_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opt_belady_string_three_frames_seven_faults),
        cmocka_unit_test(opt_belady_string_four_frames_six_faults),
        cmocka_unit_test(opt_never_used_again_lowest_frame_goes_first),
        cmocka_unit_test(opt_touch_renews_the_next_use),
        cmocka_unit_test(opt_touch_may_bring_the_next_use_nearer),
        cmocka_unit_test(opt_freed_page_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
