/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another oom_score_adj than the recorded one, and what would have saved the killed. */
#include "scene.h"

#include <string.h>

/* try_replay(), which forgets what it gave before. */
static int replay_again(struct scene *s, const struct fl_replay_opts *opts)
{
    fl_result_free(s->r);
    return try_replay(s, opts);
}

static void adjust(struct scene *s, uint32_t pid, int32_t adj)
{
    struct fl_event ev = { .kind = FL_EV_OOM_ADJ, .thread = FL_NO_THREAD };
    ev.oom_adj.pid = pid;
    ev.oom_adj.oom_score_adj = adj;
    item_list_event(&s->list, &ev);
}

static void touch(struct scene *s, uint32_t i, uint64_t from, uint64_t to)
{
    for (uint64_t vpn = from; vpn <= to; vpn++)
        writes(s, i, i, vpn);
}

static struct fl_replay_opts asking(uint32_t frames, uint64_t swap, const struct fl_oom_adj *adj,
                                    size_t n)
{
    return (struct fl_replay_opts){ .policy = fl_policy_find("lru"),
                                    .machine = &scene_machine,
                                    .frames = frames,
                                    .swap_pages = swap,
                                    .oom_adj = adj,
                                    .n_oom_adj = n,
                                    .seed = 1 };
}

static int32_t adj_of(const struct scene *s, uint32_t pid)
{
    for (size_t i = 0; i < s->r->n_oom_candidates; i++)
        if (s->r->oom_candidates[i].pid == pid)
            return s->r->oom_candidates[i].oom_score_adj;
    fail_msg("no candidate %u", pid);
    return 0;
}

/* 10 -> 11 -> 12 and 10 -> 13; 13 sets its own; 10 is set to 50, and then makes 14. */
static void children_inherit_until_the_trace_sets_them(void **state)
{
    static const struct fl_oom_adj of_10[] = { { 10, 300 } }, of_11[] = { { 11, -7 }, { 13, 9 } };
    static const struct fl_oom_adj of_99[] = { { 10, 1 }, { 99, 1 } };
    struct scene s = { .r = NULL };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    process(&s, 11, 10, 1, FL_NO_MM, 1);
    process(&s, 12, 11, 2, FL_NO_MM, 2);
    process(&s, 13, 10, 3, FL_NO_MM, 3);
    adjust(&s, 13, -20);
    adjust(&s, 10, 50);
    process(&s, 14, 10, 4, FL_NO_MM, 4); /* the trace says 0: not what 10 has by then */
    for (uint32_t i = 0; i < 5; i++) {
        map_anon(&s, i, 1, 10);
        touch(&s, i, 1, 5);
    }
    const struct {
        const struct fl_oom_adj *adj;
        size_t n;
        int32_t want[5];
        uint32_t unknown;
    } cases[] = {
        { NULL, 0, { 50, 0, 0, -20, 0 }, 0 },
        { of_10, 1, { 300, 300, 300, -20, 0 }, 0 },
        { of_11, 2, { 50, -7, -7, 9, 0 }, 0 },
        { of_99, 2, { 1, 1, 1, -20, 0 }, 99 },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct fl_replay_opts opts = asking(1000, 0, cases[k].adj, cases[k].n);
        assert_int_equal(replay_again(&s, &opts), FL_OK);
        for (uint32_t i = 0; i < 5; i++)
            assert_int_equal(adj_of(&s, 10 + i), cases[k].want[i]);
        assert_int_equal(s.r->oom_adj_unknown, cases[k].unknown);
    }
    scene_end(&s);
}

/* ---- what saves ------------------------------------------------------------------------------- */

/* 10 has 700 pages and 11 has 500, side by side, of 1100 frames; 12 may not be killed. */
static void make_two(struct scene *s)
{
    for (uint32_t i = 0; i < 3; i++) {
        process(s, 10 + i, 0, i, FL_NO_MM, i);
        map_anon(s, i, 1, 1000);
    }
    adjust(s, 12, -1000);
    touch(s, 2, 1, 100);
    for (uint64_t step = 0; step < 100; step++) {
        touch(s, 0, step * 7 + 1, step * 7 + 7);
        touch(s, 1, step * 5 + 1, step * 5 + 5);
    }
}

static bool kills(struct scene *s, const struct fl_replay_opts *opts, uint32_t pid)
{
    int rc = replay_again(s, opts);
    if (rc == FL_EDATA)
        return true; /* nobody may be killed */
    assert_int_equal(rc, FL_OK);
    for (size_t i = 0; i < s->r->n_oom_kills; i++)
        if (s->r->oom_kills[i].pid == pid)
            return true;
    return false;
}

static void ask(struct scene *s, const struct fl_replay_opts *opts, struct fl_saved_by *out)
{
    struct fl_reader *reader;
    void *bytes;
    size_t len;
    struct fl_err err;
    assert_int_equal(replay_again(s, opts), FL_OK);
    assert_int_equal(item_list_trace(&s->list, &bytes, &len, &err), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &reader, &err), FL_OK);
    assert_int_equal(fl_saved_by(reader, opts, s->r, out, &err), FL_OK);
    fl_reader_free(reader);
    free(bytes);
}

/* Against a replay of every value in between. */
static void what_is_named_is_the_least(void **state)
{
    struct scene s = { .r = NULL };
    struct fl_saved_by saved;
    (void)state;
    make_two(&s);
    struct fl_replay_opts opts = asking(1100, 0, NULL, 0);
    ask(&s, &opts, &saved);
    assert_int_equal(saved.pid, 10);
    assert_int_equal(saved.frames, 1300); /* all that is ever there */
    assert_in_range(saved.replays, 3, 60);
    for (uint32_t frames = 1290; frames <= 1300; frames++) {
        struct fl_replay_opts with = asking(frames, 0, NULL, 0);
        assert_int_equal(kills(&s, &with, 10), frames < saved.frames);
    }
    for (uint64_t swap = 1; swap <= saved.swap_pages;
         swap += swap + 10 < saved.swap_pages ? 10 : 1) {
        struct fl_replay_opts with = asking(1100, swap, NULL, 0);
        assert_int_equal(kills(&s, &with, 10), swap < saved.swap_pages);
    }
    int32_t highest = -1000;
    for (int32_t adj = -1000; adj <= 0; adj += 5) {
        struct fl_oom_adj one = { 10, adj };
        struct fl_replay_opts with = asking(1100, 0, &one, 1);
        if (!kills(&s, &with, 10))
            highest = adj;
    }
    assert_in_range(saved.oom_score_adj - highest + 5, 5, 9);
    scene_end(&s);
}

static void nothing_saves_who_is_alone(void **state)
{
    struct scene s = { .r = NULL };
    struct fl_saved_by saved;
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 100);
    touch(&s, 0, 1, 60);
    struct fl_replay_opts opts = asking(20, 0, NULL, 0);
    ask(&s, &opts, &saved);
    assert_int_equal(saved.pid, 10);
    assert_int_equal(saved.frames, 60);
    assert_int_equal(saved.oom_score_adj, FL_SAVED_NO_ADJ);
    struct fl_replay_opts fits = asking(60, 0, NULL, 0);
    ask(&s, &fits, &saved);
    assert_true(saved.pid == 0 && saved.replays == 0);
    /* what was asked already stays asked: 10 with 1000 more is as alone as before */
    struct fl_oom_adj more = { 10, 1000 };
    struct fl_replay_opts again = asking(20, UINT64_MAX, &more, 1);
    ask(&s, &again, &saved);
    assert_int_equal(saved.pid, 0); /* unlimited swap kills nobody */
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_inherit_until_the_trace_sets_them),
        cmocka_unit_test(what_is_named_is_the_least),
        cmocka_unit_test(nothing_saves_who_is_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
