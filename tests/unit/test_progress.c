/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far a command is: what a terminal gets to see, and what a replay tells. */
#include "scene.h"

#include <stdio.h>

#include <faultline/cmd.h>

static void nothing_is_shown_in_the_first_second(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    struct fl_progress p;
    assert_non_null(f);
    fl_progress_begin(&p, "replay", f);
    fl_progress_step(&p, 0);
    fl_progress_step(&p, 5000);
    fl_progress_end(&p);
    fclose(f);
    assert_string_equal(text, "");
    free(text);
}

static void later_a_step_is_shown_once_and_wiped_at_the_end(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    struct fl_progress p;
    assert_non_null(f);
    fl_progress_begin(&p, "replay", f);
    p.from_ns = 0;
    fl_progress_step(&p, 700);
    fl_progress_step(&p, 719);
    fl_progress_step(&p, 10000);
    fl_progress_end(&p);
    fl_progress_end(&p);
    fclose(f);
    assert_string_equal(text, "\rreplay:   7 %\033[K\rreplay: 100 %\033[K\r\033[K");
    free(text);
}

static void without_a_terminal_nothing_is_shown(void **state)
{
    (void)state;
    struct fl_progress p;
    fl_progress_begin(&p, "replay", NULL);
    p.from_ns = 0;
    fl_progress_step(&p, 700);
    assert_false(p.visible);
    fl_progress_end(&p);
}

static void what_is_left_goes_by_what_is_done(void **state)
{
    (void)state;
    const uint64_t second = 1000000000u;
    char buf[FL_PROGRESS_LEFT];
    assert_string_equal(fl_progress_left(buf, 30 * second, 5000), "30 s");
    assert_string_equal(fl_progress_left(buf, 60 * second, 2500), "3 min");
    assert_string_equal(fl_progress_left(buf, 3600 * second, 3200), "2 h 7 min");
    assert_string_equal(fl_progress_left(buf, 10 * second, 10000), "0 s");
    assert_string_equal(fl_progress_left(buf, 10 * second, 99), "");  /* too little is done, */
    assert_string_equal(fl_progress_left(buf, second / 2, 5000), ""); /* or it is too early */
}

struct told {
    unsigned calls, last_bp;
};

static void listen(void *arg, unsigned done_bp)
{
    struct told *told = arg;
    assert_in_range(done_bp, told->last_bp, 10000);
    told->last_bp = done_bp;
    told->calls++;
}

/* Two threads take turns, so each run is a stretch of its own: 4000 stretches, about 1000 calls. */
static void a_replay_tells_how_far_it_is_and_not_too_often(void **state)
{
    struct scene s = { 0 };
    struct told told = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    process(&s, 11, 10, 1, 0, 1);
    map_anon(&s, 0, 1, 2);
    map_anon(&s, 1, 1, 2);
    for (unsigned i = 0; i < 4000; i++)
        writes(&s, i % 2, i % 2, 1 + i / 2 % 2);
    struct fl_replay_opts opts = { .frames = 8,
                                   .swap_pages = UINT64_MAX,
                                   .policy = fl_policy_find("lru"),
                                   .machine = &scene_machine,
                                   .progress = listen,
                                   .progress_arg = &told };
    assert_int_equal(try_replay(&s, &opts), FL_OK);
    assert_in_range(told.calls, 2, 1001);
    assert_in_range(told.last_bp, 9900, 10000);
    assert_null(s.r->opts.progress);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_shown_in_the_first_second),
        cmocka_unit_test(later_a_step_is_shown_once_and_wiped_at_the_end),
        cmocka_unit_test(without_a_terminal_nothing_is_shown),
        cmocka_unit_test(what_is_left_goes_by_what_is_done),
        cmocka_unit_test(a_replay_tells_how_far_it_is_and_not_too_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
