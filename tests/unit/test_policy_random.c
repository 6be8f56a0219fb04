/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy_fix.h"

/* SplitMix64's published first outputs for seed 1234567:
 *   6457827717110365317 3203168211198807973 9817491932198370423 4593380528125082431
 *   16408922859458223821
 * modulo 4 frames: 1 1 3 3 1. Pages 0-3 fill the frames in order, then 10 ... 14:
 *   [0][1][2][3] -10-> [0][10][2][3] -11-> [0][11][2][3] -12-> [0][11][2][12]
 *   -13-> [0][11][2][13] -14-> [0][14][2][13]                                      */
static void random_victims_follow_the_published_generator(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "random", 4, 1234567);
    TOUCH(&f, 0, 1, 2, 3, 10, 11, 12, 13, 14);
    assert_memory_equal(f.evicted, PAGES(1, 10, 3, 12, 11), 5 * sizeof(uint32_t));
    assert_frames(&f, PAGES(0, 14, 2, 13));
    policy_stop(&f);
}

/* The same outputs modulo 3: their digit sums are 81 79 90 73 89, so 0 1 0 1 2. */
static void random_frames_need_not_be_a_power_of_two(void **state)
{
    struct policy_fix f;
    (void)state;
    policy_start(&f, "random", 3, 1234567);
    TOUCH(&f, 0, 1, 2, 10, 11, 12, 13, 14);
    assert_memory_equal(f.evicted, PAGES(0, 1, 10, 11, 2), 5 * sizeof(uint32_t));
    policy_stop(&f);
}

static void random_same_seed_same_victims_other_seed_others(void **state)
{
    struct policy_fix f[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        policy_start(&f[i], "random", 8, i < 2 ? 1 : 2);
        for (uint32_t page = 0; page < 40; page++)
            touch_page(&f[i], page, 0);
    }
    assert_memory_equal(f[0].evicted, f[1].evicted, 32 * sizeof(uint32_t));
    assert_memory_not_equal(f[0].evicted, f[2].evicted, 32 * sizeof(uint32_t));
    for (size_t i = 0; i < 3; i++)
        policy_stop(&f[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_victims_follow_the_published_generator),
        cmocka_unit_test(random_frames_need_not_be_a_power_of_two),
        cmocka_unit_test(random_same_seed_same_victims_other_seed_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
