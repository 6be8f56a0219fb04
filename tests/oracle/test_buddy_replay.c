/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone that allocates and frees, traced as the kernel would trace it; the replay sees the counts
   at its start and the events, never where blocks lie, and must come to the same end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/trace.h>

#include "buddy_replay.h"

#define START 4096u
#define PAGES 65536u
#define STEPS 100000

enum { P_LOCKED, P_DRAIN, P_FREE, P_EXTFRAG, P_ALLOC };

struct scene {
    struct buddy *zone;
    struct fl_writer *w;
    struct {
        uint64_t pfn;
        uint32_t order;
    } held[PAGES];
    uint32_t n;
    uint64_t rng, now;
};

static uint32_t pick(struct scene *s, uint32_t below)
{
    s->rng = s->rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(s->rng >> 33) % below;
}

static void emit(struct scene *s, const struct fl_event *ev)
{
    struct fl_err err = { .msg = "" };
    struct fl_event at = *ev;
    at.thread = FL_NO_THREAD;
    at.time_ns = s->now += 100;
    if (fl_writer_event(s->w, &at, &err) != FL_OK)
        fail_msg("%s", err.msg);
}

static void emit_probe(struct scene *s, uint32_t id, const char *signature)
{
    struct fl_event ev = { .kind = FL_EV_PROBE };
    ev.probe.probe = id;
    ev.probe.signature = signature;
    emit(s, &ev);
}

static void emit_hit(struct scene *s, uint32_t probe, uint64_t pfn, uint32_t order, int type)
{
    struct fl_event ev = { .kind = FL_EV_HIT };
    if (!s->w)
        return;
    ev.hit.probe = probe;
    ev.hit.n_values = probe == P_FREE ? 2 : 3;
    ev.hit.values[0] = (int64_t)pfn;
    ev.hit.values[1] = order;
    ev.hit.values[2] = type;
    emit(s, &ev);
}

static void take(struct scene *s)
{
    static const uint8_t orders[8] = { 0, 0, 0, 0, 0, 1, 2, 3 };
    uint32_t order = orders[pick(s, 8)];
    uint64_t pfn;
    if (s->n == PAGES || !buddy_take(s->zone, order, BUDDY_MOVABLE, 0, &pfn))
        return;
    s->held[s->n].pfn = pfn;
    s->held[s->n++].order = order;
    emit_hit(s, P_LOCKED, pfn, order, BUDDY_MOVABLE);
}

static void give(struct scene *s)
{
    if (!s->n)
        return;
    uint32_t i = pick(s, s->n);
    uint64_t pfn = s->held[i].pfn;
    uint32_t order = s->held[i].order;
    s->held[i] = s->held[--s->n];
    buddy_give(s->zone, pfn, order);
    emit_hit(s, P_FREE, pfn, order, 0);
    emit_hit(s, P_DRAIN, pfn, order, BUDDY_MOVABLE);
}

/* Takes and gives until @want pages are in use, then as many of the one as of the other. */
static void work(struct scene *s, uint32_t steps, uint64_t want)
{
    for (uint32_t i = 0; i < steps; i++)
        if (PAGES - s->zone->free_pages < want ? pick(s, 8) < 7 : pick(s, 8) < 3)
            take(s);
        else
            give(s);
}

static void emit_texts(struct scene *s, uint32_t moment)
{
    char text[1024];
    int64_t blocks[BUDDY_ORDERS];
    struct fl_event ev = { .kind = FL_EV_SNAPSHOT };
    ev.snapshot.moment = moment;
    ev.snapshot.text = text;
    snprintf(text, sizeof text,
             "zoneinfo\nNode 0, zone   Normal\n  pages free     %llu\n        spanned  %u\n"
             "        present  %u\n        managed  %u\n  start_pfn:           %u\n",
             (unsigned long long)s->zone->free_pages, PAGES, PAGES, PAGES, START);
    emit(s, &ev);
    int at = snprintf(text, sizeof text, "buddyinfo\nNode 0, zone   Normal ");
    buddy_blocks(s->zone, blocks);
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%6lld ", (long long)blocks[o]);
    snprintf(text + at, sizeof text - (size_t)at, "\n");
    emit(s, &ev);
}

static struct buddy_replay *replay_of(struct scene *s)
{
    void *bytes;
    size_t len;
    struct fl_err err = { .msg = "" };
    struct fl_reader *r;
    struct buddy_replay *replay;
    assert_int_equal(fl_writer_close(s->w, &bytes, &len, &err), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
    if (buddy_replay_trace(r, &replay, &err) != FL_OK)
        fail_msg("%s", err.msg);
    fl_reader_free(r);
    free(bytes);
    return replay;
}

static void begin(struct scene *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->rng = seed;
    s->zone = buddy_new(START, PAGES, BUDDY_MOVABLE);
    assert_non_null(s->zone);
    for (uint64_t pfn = START; pfn < START + PAGES; pfn += 1024)
        buddy_give(s->zone, pfn, 10);
}

static void record(struct scene *s)
{
    struct fl_err err = { .msg = "" };
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EVENTS, NULL, NULL, &s->w, &err), FL_OK);
    emit_texts(s, FL_SNAPSHOT_START);
    emit_probe(s, P_LOCKED, "kmem:mm_page_alloc_zone_locked pfn:u order:u migratetype:i");
    emit_probe(s, P_DRAIN, "kmem:mm_page_pcpu_drain pfn:u order:u migratetype:i");
    emit_probe(s, P_FREE, "kmem:mm_page_free pfn:u order:u");
    emit_probe(s, P_EXTFRAG,
               "kmem:mm_page_alloc_extfrag pfn:u alloc_order:i fallback_order:i "
               "alloc_migratetype:i fallback_migratetype:i change_ownership:i");
}

/* From a zone of which nothing is in use, everything is known. */
static void test_empty_start_is_exact(void **state)
{
    static struct scene s;
    (void)state;
    begin(&s, 11);
    record(&s);
    work(&s, STEPS, PAGES * 3 / 4);
    emit_texts(&s, FL_SNAPSHOT_END);
    struct buddy_replay *r = replay_of(&s);
    assert_int_equal(r->n_zones, 1);
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
        assert_int_equal(r->zone[0].predicted[o], r->zone[0].at_end[o]);
    assert_int_equal(r->zone[0].unexplained + r->zone[0].unseen_gives + r->zone[0].unseen_takes, 0);
    assert_true(r->n_rows > 100);
    buddy_replay_free(r);
    buddy_free(s.zone);
}

/* From one that is full of holes, and stays so: no block of order 9 is left. */
static void test_fragmented_start_is_close(void **state)
{
    static struct scene s;
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        begin(&s, seed);
        work(&s, STEPS, PAGES);
        work(&s, STEPS, PAGES * 9 / 10);
        record(&s);
        work(&s, STEPS, PAGES * 9 / 10);
        emit_texts(&s, FL_SNAPSHOT_END);
        struct buddy_replay *r = replay_of(&s);
        const struct buddy_zone_replay *z = &r->zone[0];
        int64_t index = buddy_fragmentation_index(z->at_end, 9);
        int64_t mine = buddy_fragmentation_index(z->predicted, 9);
        print_message(
            "seed %llu: %lld of %lld pages free, index %lld of %lld, %llu assumed merges\n",
            (unsigned long long)seed, (long long)buddy_pages(z->predicted),
            (long long)buddy_pages(z->at_end), (long long)mine, (long long)index,
            (unsigned long long)z->assumed_merges);
        assert_true(index > 0); /* it is fragmentation that such a request would fail for */
        assert_in_range(mine + 1000, index + 950, index + 1050);
        assert_int_equal(buddy_pages(z->predicted), buddy_pages(z->at_end));
        for (uint32_t o = 0; o < 4; o++) { /* where the numbers are large enough */
            print_message("  order %u: %lld of %lld\n", o, (long long)z->predicted[o],
                          (long long)z->at_end[o]);
            assert_true(llabs(z->predicted[o] - z->at_end[o]) <= z->at_end[o] / 4 + 40);
        }
        buddy_replay_free(r);
        buddy_free(s.zone);
    }
}

/* What a trace says is not trusted. */
static void test_wild_events_do_no_harm(void **state)
{
    static struct scene s;
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        begin(&s, seed);
        work(&s, 5000, PAGES / 2);
        record(&s);
        emit_probe(&s, P_ALLOC, "kmem:mm_page_alloc pfn:u order:u migratetype:i");
        for (int i = 0; i < 5000; i++) {
            struct fl_event ev = { .kind = FL_EV_HIT };
            uint32_t order = pick(&s, 12);
            ev.hit.probe = pick(&s, 5);
            ev.hit.n_values = pick(&s, 8) ? 6 : pick(&s, 6);
            ev.hit.cpu = pick(&s, 3) ? 0 : UINT32_MAX;
            ev.hit.values[0] = (int64_t)((START + pick(&s, PAGES + 4096)) & ~((1u << order) - 1));
            if (!pick(&s, 50))
                ev.hit.values[0] = pick(&s, 2) ? -1 : INT64_MAX;
            ev.hit.values[1] = pick(&s, 40) ? (int64_t)order : -7;
            for (int k = 2; k < 6; k++)
                ev.hit.values[k] = (int64_t)pick(&s, 12) - 2;
            emit(&s, &ev);
        }
        emit_texts(&s, FL_SNAPSHOT_END);
        struct buddy_replay *r = replay_of(&s);
        char why[160] = "";
        if (!buddy_check(r->zone[0].known, why, sizeof why))
            fail_msg("seed %llu: %s", (unsigned long long)seed, why);
        buddy_replay_free(r);
        buddy_free(s.zone);
    }
}

static void test_other_traces_are_refused(void **state)
{
    struct fl_err err = { .msg = "" };
    struct fl_writer *w;
    struct fl_reader *r;
    struct buddy_replay *replay = NULL;
    void *bytes;
    size_t len;
    (void)state;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EVENTS, NULL, NULL, &w, &err), FL_OK);
    assert_int_equal(fl_writer_close(w, &bytes, &len, &err), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
    assert_int_equal(buddy_replay_trace(r, &replay, &err), FL_EDATA);
    assert_non_null(strstr(err.msg, "--kernel"));
    assert_null(replay);
    fl_reader_free(r);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_start_is_exact),
        cmocka_unit_test(test_fragmented_start_is_close),
        cmocka_unit_test(test_wild_events_do_no_harm),
        cmocka_unit_test(test_other_traces_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
