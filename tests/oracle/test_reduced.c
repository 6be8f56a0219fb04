/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reduced layer against the full stream: lists with bursts, many floors, lru and opt in memories
   of the floor and more; and below it, where the two must be able to differ.
   FAULTLINE_SEED=N: that seed alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <faultline/lru_timeline.h>
#include <faultline/units.h>

#include "random_trace.h"

#define CODES 6u

struct bytes {
    void *p;
    size_t len;
};

static void each_seed(void (*one)(uint64_t seed), uint64_t n)
{
    const char *only = getenv("FAULTLINE_SEED");
#ifdef __SANITIZE_ADDRESS__
    n = (n + 2) / 3;
#endif
    for (uint64_t seed = only ? strtoull(only, NULL, 10) : 1; seed <= n; seed++) {
        one(seed);
        if (only)
            return;
    }
}

/* Threads go from code to code, of two files and of none; one file is the C library. */
static void give_codes(uint64_t *rng, struct item_list *list)
{
    struct item_list with = { 0 };
    uint32_t files = 0;
    bool given = false;
    for (size_t i = 0; i < list->n; i++) {
        struct naive_item *it = &list->at[i];
        if (!it->is_run && it->event.kind == FL_EV_FILE && files++ == 1)
            it->event.file.path = "/lib/libc.so.6";
        if (it->is_run && !given) {
            for (uint32_t c = 0; c < CODES; c++) {
                struct fl_event ev = { .kind = FL_EV_CODE, .thread = FL_NO_THREAD };
                ev.code.code = c;
                ev.code.file = files > 2 && c % 3 ? c % 3 : FL_NO_FILE;
                ev.code.name = c % 2 ? "f" : "g";
                ev.time_ns = i ? list->at[i - 1].event.time_ns : 0;
                item_list_event(&with, &ev);
            }
            given = true;
        }
        if (!it->is_run) {
            item_list_event(&with, &it->event);
            continue;
        }
        it->has_code = random_below(rng, 4) == 0;
        it->code = (uint32_t)random_below(rng, CODES);
        item_list_run(&with, it);
    }
    item_list_free(list);
    *list = with;
}

static void make_list(uint64_t seed, uint64_t *rng, struct item_list *list)
{
    if (seed % 8 == 4)
        random_pages(seed, (enum random_pattern)random_below(rng, RANDOM_PATTERNS), 400, 60, list);
    else if (seed % 8 == 0) /* more pages than a block's recency lists have */
        random_pages(seed, (enum random_pattern)random_below(rng, RANDOM_PATTERNS), 1500, 250,
                     list);
    else
        random_processes(seed, 80 + random_below(rng, 300), list);
    random_bursts(seed, list);
    give_codes(rng, list);
}

static struct bytes write_list(const struct item_list *list, uint32_t block_runs, uint32_t floor,
                               uint32_t coarse)
{
    struct fl_writer_opts opts = { .block_runs = block_runs,
                                   .zstd_level = 1,
                                   .layer_floor = floor,
                                   .layer_coarse = coarse,
                                   .layer_always = true };
    struct fl_err err = { .msg = "" };
    struct fl_writer *w;
    struct bytes b;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, &opts, &w, &err), FL_OK);
    for (size_t i = 0; i < list->n; i++) {
        const struct naive_item *it = &list->at[i];
        if (it->is_run && it->has_code)
            fl_writer_code(w, it->thread, it->code == CODES - 1 ? FL_NO_CODE : it->code);
        int rc = it->is_run ? fl_writer_run(w, it->thread, it->actor, it->mm, it->vpn, it->reads,
                                            it->writes, it->fetches, &err)
                            : fl_writer_event(w, &it->event, &err);
        if (rc != FL_OK)
            fail_msg("item %zu: %s", i, err.msg);
    }
    assert_int_equal(fl_writer_close(w, &b.p, &b.len, &err), FL_OK);
    return b;
}

static struct fl_reader *open_bytes(const struct bytes *b)
{
    struct fl_err err = { .msg = "" };
    struct fl_reader *r = NULL;
    if (fl_reader_open_mem(b->p, b->len, 0, &r, &err) != FL_OK)
        fail_msg("%s", err.msg);
    return r;
}

/* The layer of @b for memories of @frames as a trace of its own, so that it can be asked anything. */
static struct bytes layer_alone(const struct bytes *b, uint32_t frames)
{
    struct fl_reader *r = open_bytes(b);
    struct fl_err err = { .msg = "" };
    struct fl_writer *w;
    struct fl_item item;
    struct bytes out;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, NULL, &w, &err), FL_OK);
    assert_int_equal(fl_reader_rewind_reduced(r, frames, &err), FL_OK);
    for (;;) {
        if (fl_reader_next(r, &item, &err) != FL_OK)
            fail_msg("%s", err.msg);
        if (item.kind == FL_ITEM_END)
            break;
        if (item.kind == FL_ITEM_EVENT)
            assert_int_equal(fl_writer_event(w, &item.event, &err), FL_OK);
        for (size_t i = 0; item.kind == FL_ITEM_RUNS && i < item.runs.n; i++) {
            struct fl_page page = fl_reader_page(r, item.runs.page[i]);
            assert_int_equal(fl_writer_run(w, item.runs.thread, item.runs.actor, page.mm, page.vpn,
                                           item.runs.reads[i], item.runs.writes[i],
                                           item.runs.fetches[i], &err),
                             FL_OK);
        }
    }
    assert_int_equal(fl_writer_close(w, &out.p, &out.len, &err), FL_OK);
    fl_reader_free(r);
    return out;
}

/* What a replay tells, but for the ends of its rows; NULL: nobody may be killed. */
static char *answer(const struct bytes *b, const struct fl_replay_opts *opts, uint64_t *segv)
{
    struct fl_reader *r = open_bytes(b);
    struct fl_err err = { .msg = "" };
    struct fl_result *res = NULL;
    char *text = NULL;
    int rc = fl_replay(r, opts, &res, &err);
    if (rc != FL_OK && rc != FL_EDATA)
        fail_msg("%s", err.msg);
    if (rc == FL_OK) {
        json_t *doc = fl_result_json(res, r, json_object());
        *segv = res->segv;
        json_object_del(doc, "timeline");
        if (opts->no_owners) { /* of a trace made of the layer: a read and a write may be one run */
            json_object_del(json_object_get(doc, "faults"), "by_cause");
            json_object_del(doc, "time");
        }
        json_object_del(json_object_get(doc, "oom"), "candidates");
        json_object_del(json_object_get(doc, "oom"), "candidates_at_access");
        text = json_dumps(doc, JSON_INDENT(1) | JSON_SORT_KEYS);
        json_decref(doc);
    }
    fl_result_free(res);
    fl_reader_free(r);
    return text;
}

/* Some characters before the first that is not the same. */
static size_t differs(const char *a, const char *b)
{
    size_t at = 0;
    while (a[at] && a[at] == b[at])
        at++;
    return at > 100 ? at - 100 : 0;
}

static void same_answers(const struct bytes *full, const struct bytes *layered,
                         const struct fl_replay_opts *opts, const char *what, uint64_t seed)
{
    uint64_t segv = 0;
    char *a = answer(full, opts, &segv), *b = answer(layered, opts, &segv);
    if (!a != !b || (a && strcmp(a, b))) {
        size_t at = a && b ? differs(a, b) : 0;
        fail_msg("seed %ju: %s, %s, %u frames: full\n%.400s\nreduced\n%.400s", (uintmax_t)seed,
                 what, opts->policy->name, opts->frames, a ? a + at : "", b ? b + at : "");
    }
    free(a);
    free(b);
}

static uint32_t some_floor(uint64_t *rng)
{
    static const uint32_t floors[] = { 1, 2, 3, 5, 8, 13, 21, 34, 80, 120 };
    return floors[random_below(rng, FL_COUNT(floors))];
}

static void replay_one(uint64_t seed)
{
    uint64_t rng = seed * 7 + 3;
    struct item_list list = { 0 };
    make_list(seed, &rng, &list);
    uint32_t floor = some_floor(&rng), block_runs = 20 + (uint32_t)random_below(&rng, 3000);
    uint32_t coarse = seed % 3 ? floor + 1 + (uint32_t)random_below(&rng, 40) : 0;
    struct bytes full = write_list(&list, block_runs, 0, 0);
    struct bytes layered = write_list(&list, block_runs, floor, coarse);
    for (unsigned i = 0; i < 12; i++) {
        uint32_t from = i % 3 && coarse ? coarse : floor;
        struct fl_replay_opts opts = { .policy = fl_policy_find(i % 2 ? "opt" : "lru"),
                                       .frames =
                                           from + (uint32_t)random_below(&rng, i < 6 ? 3 : 50),
                                       .swap_pages = i % 4 ? UINT64_MAX : random_below(&rng, 30),
                                       .no_tlb = true };
        same_answers(&full, &layered, &opts, "with its layer", seed);
    }
    struct fl_replay_opts all = { .policy = fl_policy_find("clock"),
                                  .frames = FL_FRAMES_UNLIMITED,
                                  .swap_pages = UINT64_MAX,
                                  .no_tlb = true };
    same_answers(&full, &layered, &all, "without a limit", seed);
    item_list_free(&list);
    free(full.p);
    free(layered.p);
}

static void replays_of_the_layer_equal_those_of_the_stream(void **state)
{
    (void)state;
    each_seed(replay_one, 220);
}

/* ---- sweeps, peaks and curves --------------------------------------------------------------- */

static void sweep_one(uint64_t seed)
{
    uint64_t rng = seed * 11 + 1, peak[2];
    struct item_list list = { 0 };
    make_list(seed, &rng, &list);
    uint32_t floor = some_floor(&rng);
    struct bytes b[2] = { write_list(&list, 500, 0, 0),
                          write_list(&list, 500, floor, floor + 1 + (uint32_t)(seed % 8)) };
    uint32_t first = seed % 2 ? floor : floor + 8; /* all points over the one layer or the other */
    struct fl_sweep_point points[2][8];
    struct fl_lru_timeline *t[2];
    struct fl_err err = { .msg = "" };
    for (unsigned k = 0; k < 2; k++) {
        struct fl_reader *r = open_bytes(&b[k]);
        for (uint32_t i = 0; i < 8; i++)
            points[k][i] = (struct fl_sweep_point){ .policy = fl_policy_find(i < 6 ? "lru" : "opt"),
                                                    .swap_pages = UINT64_MAX,
                                                    .frames = first + i * i };
        assert_int_equal(fl_sweep(r, points[k], 8, NULL, NULL, &err), FL_OK);
        assert_int_equal(fl_footprint(r, &peak[k], &err), FL_OK);
        assert_int_equal(fl_lru_timeline_new(r, floor, NULL, 0, NULL, NULL, &t[k], &err), FL_OK);
        fl_reader_free(r);
    }
    for (uint32_t i = 0; i < 8; i++)
        if (points[0][i].minor != points[1][i].minor || points[0][i].major != points[1][i].major ||
            points[0][i].swap_in != points[1][i].swap_in ||
            points[0][i].swap_out != points[1][i].swap_out)
            fail_msg("seed %ju: floor %u, point %u", (uintmax_t)seed, floor, i);
    assert_int_equal(peak[0], peak[1]);
    assert_int_equal(t[0]->n_curve, t[1]->n_curve);
    assert_memory_equal(t[0]->curve_major, t[1]->curve_major,
                        t[0]->n_curve * sizeof *t[0]->curve_major);
    assert_int_equal(t[0]->n_rows, t[1]->n_rows);
    for (uint32_t row = 0; row < t[0]->n_rows; row++)
        for (uint32_t bucket = floor; bucket < FL_LRU_BUCKETS; bucket++)
            if (t[0]->distances[row][bucket] != t[1]->distances[row][bucket])
                fail_msg("seed %ju: floor %u, row %u, bucket %u", (uintmax_t)seed, floor, row,
                         bucket);
    fl_lru_timeline_free(t[0]);
    fl_lru_timeline_free(t[1]);
    item_list_free(&list);
    free(b[0].p);
    free(b[1].p);
}

static void sweeps_peaks_and_curves_are_equal(void **state)
{
    (void)state;
    each_seed(sweep_one, 150);
}

/* ---- what the layer is by itself -------------------------------------------------------------- */

static unsigned n_below, n_above, n_shorter, n_coarser;

/* The layer with @floor of @layered, beside the stream; returns its runs. */
static uint64_t alone_layer(const struct bytes *full, const struct bytes *layered, uint32_t floor,
                            uint64_t seed)
{
    struct bytes alone = layer_alone(layered, floor);
    struct fl_reader *a = open_bytes(full), *b = open_bytes(&alone);
    uint64_t segv = 0, runs = fl_reader_totals(b)->runs;
    assert_int_equal(fl_totals_accesses(fl_reader_totals(a)),
                     fl_totals_accesses(fl_reader_totals(b)));
    assert_int_equal(fl_reader_totals(a)->events, fl_reader_totals(b)->events);
    n_shorter += runs < fl_reader_totals(a)->runs / 2;
    fl_reader_free(a);
    fl_reader_free(b);
    for (uint32_t frames = floor > 12 ? floor - 12 : 1; frames < floor + 12; frames++) {
        struct fl_replay_opts opts = { .policy = fl_policy_find(seed % 2 ? "opt" : "lru"),
                                       .frames = frames,
                                       .swap_pages = UINT64_MAX,
                                       .no_owners = true,
                                       .no_tlb = true };
        char *x = answer(full, &opts, &segv), *y = answer(&alone, &opts, &segv);
        if (segv) { /* then nothing is promised */
        } else if (frames < floor) {
            n_below += strcmp(x, y) != 0;
        } else if (strcmp(x, y)) {
            fail_msg("seed %ju: floor %u, %u frames:\n%.300s\n%.300s", (uintmax_t)seed, floor,
                     frames, x + differs(x, y), y + differs(x, y));
        } else {
            n_above++;
        }
        free(x);
        free(y);
    }
    free(alone.p);
    return runs;
}

static void alone_one(uint64_t seed)
{
    uint64_t rng = seed * 13 + 7;
    struct item_list list = { 0 };
    make_list(seed, &rng, &list);
    uint32_t floor = 8 + (uint32_t)random_below(&rng, 20),
             above = floor + 1 + (uint32_t)(seed % 30);
    uint32_t block_runs = seed % 2 ? 5000 : 100;
    struct bytes full = write_list(&list, block_runs, 0, 0);
    struct bytes layered = write_list(&list, block_runs, floor, above);
    uint64_t runs = alone_layer(&full, &layered, floor, seed);
    n_coarser += alone_layer(&full, &layered, above, seed) < runs;
    item_list_free(&list);
    free(full.p);
    free(layered.p);
}

static void the_layer_alone_is_exact_from_its_floor_on_and_not_below(void **state)
{
    (void)state;
    each_seed(alone_one, 60);
    if (getenv("FAULTLINE_SEED"))
        return;
    assert_true(n_below > 50);
    assert_true(n_above > 50);
    assert_true(n_shorter > 10);
    assert_true(n_coarser > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replays_of_the_layer_equal_those_of_the_stream),
        cmocka_unit_test(sweeps_peaks_and_curves_are_equal),
        cmocka_unit_test(the_layer_alone_is_exact_from_its_floor_on_and_not_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
