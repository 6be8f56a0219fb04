/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several zones: which one a block is from, said again the slow way; and laws over random
   sequences: nothing is lost, nothing is handed out twice, no zone goes below its watermark.
   FAULTLINE_SEED=N: that seed alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buddy_zones.h"

#define RAM_PAGES (UINT64_C(4608) << 8) /* 4 GiB and a Normal zone that is soon used up */
#define CPUS 2u
#define HELD_MAX RAM_PAGES
#define STEPS 400000u

struct held {
    uint32_t pfn, order;
};

struct world {
    struct buddy_zones *z;
    struct held *held;
    uint32_t n_held;
    uint64_t held_pages, all;
    uint8_t *used; /* by page */
    uint64_t rng, seed, from[ZONES], refused;
};

static uint32_t pick(struct world *w, uint32_t below)
{
    w->rng = w->rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((w->rng >> 33) % below);
}

static uint64_t on_cpus(const struct buddy_zones *z, int zone)
{
    uint64_t pages = 0;
    for (uint32_t c = 0; c < z->cpus; c++)
        pages += (uint64_t)z->pcp[zone][c].count;
    return pages;
}

static uint64_t free_or_on_cpus(const struct buddy_zones *z)
{
    uint64_t pages = 0;
    for (int i = 0; i < ZONES; i++)
        pages += z->buddy[i]->free_pages + on_cpus(z, i);
    return pages;
}

static void set_up(struct world *w, uint64_t seed)
{
    struct zones_config config = { .ram_pages = RAM_PAGES,
                                   .base_pages = zones_typical_base(RAM_PAGES),
                                   .scale_factor = 10 };
    *w = (struct world){ .rng = seed * 2 + 1, .seed = seed };
    assert_int_equal(buddy_zones_new(&config, CPUS, &w->z, NULL), FL_OK);
    w->held = calloc(HELD_MAX, sizeof *w->held);
    w->used = calloc(RAM_PAGES, 1);
    assert_non_null(w->held);
    assert_non_null(w->used);
    w->all = free_or_on_cpus(w->z);
    assert_int_equal(w->all, RAM_PAGES - config.base_pages);
}

static void tear_down(struct world *w)
{
    char why[160] = "";
    for (int i = 0; i < ZONES; i++)
        if (!buddy_check(w->z->buddy[i], why, sizeof why))
            fail_msg("seed %llu, zone %d: %s", (unsigned long long)w->seed, i, why);
    assert_int_equal(free_or_on_cpus(w->z) + w->held_pages, w->all);
    buddy_zones_free(w->z);
    free(w->held);
    free(w->used);
}

/* __zone_watermark_ok from the lists themselves, counted block by block. */
static bool slow_ok(const struct buddy *b, const struct zone *zone, uint32_t order,
                    enum watermark mark)
{
    uint64_t pages = 0, reserved = 0, large = 0;
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
        for (int t = 0; t < BUDDY_TYPES; t++)
            for (uint64_t at = buddy_walk(b, o, (enum buddy_type)t, UINT64_MAX); at != UINT64_MAX;
                 at = buddy_walk(b, o, (enum buddy_type)t, at)) {
                pages += UINT64_C(1) << o;
                reserved += t == BUDDY_HIGHATOMIC ? UINT64_C(1) << o : 0;
                large += o >= order && t < (int)BUDDY_PCP_TYPES;
            }
    int64_t left = (int64_t)(pages - reserved) - ((INT64_C(1) << order) - 1);
    return left > (int64_t)(zone->mark[mark] + b->boost + zone->reserve) && large;
}

static int zone_of(const struct buddy_zones *z, uint64_t pfn)
{
    for (int i = 0; i < ZONES; i++)
        if (pfn >= z->buddy[i]->start && pfn < z->buddy[i]->end)
            return i;
    fail_msg("page %llu is in no zone", (unsigned long long)pfn);
    return -1;
}

static bool take(struct world *w, uint32_t order, enum buddy_type type, enum watermark mark)
{
    uint64_t pfn, failed = w->z->failed;
    if (!buddy_zones_take(w->z, pick(w, CPUS), order, type, mark, &pfn)) {
        assert_int_equal(w->z->failed, failed + 1);
        w->refused++;
        return false;
    }
    assert_int_equal(pfn & ((UINT64_C(1) << order) - 1), 0);
    w->from[zone_of(w->z, pfn)] += UINT64_C(1) << order;
    for (uint32_t i = 0; i < 1u << order; i++) {
        assert_int_equal(w->used[pfn + i], 0);
        w->used[pfn + i] = 1;
    }
    w->held[w->n_held++] = (struct held){ (uint32_t)pfn, order };
    w->held_pages += UINT64_C(1) << order;
    return true;
}

static void give(struct world *w, uint32_t i)
{
    struct held h = w->held[i];
    memset(w->used + h.pfn, 0, (size_t)1 << h.order);
    w->held[i] = w->held[--w->n_held];
    w->held_pages -= UINT64_C(1) << h.order;
    buddy_zones_give(w->z, pick(w, CPUS), h.pfn, h.order);
}

/* Pages of one size until there is none: Normal first, then DMA32; DMA's reserve is larger than
   DMA. Each zone ends just at its watermark, as far as its lists know. */
static void zones_are_used_in_order_down_to_their_watermarks(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 1);
    int last = ZONE_NORMAL;
    while (take(&w, 0, BUDDY_MOVABLE, WMARK_LOW)) {
        int zone = zone_of(w.z, w.held[w.n_held - 1].pfn);
        assert_true(zone <= last);
        last = zone;
    }
    assert_int_equal(last, ZONE_DMA32);
    assert_true(w.from[ZONE_NORMAL] > 0 && w.from[ZONE_DMA32] > w.from[ZONE_NORMAL]);
    assert_int_equal(w.from[ZONE_DMA], 0);
    for (int i = 0; i < ZONES; i++) {
        const struct zone *zone = &w.z->zones.zone[i];
        const struct buddy *b = w.z->buddy[i];
        assert_false(slow_ok(b, zone, 0, WMARK_LOW));
        assert_int_equal(zone->free, b->free_pages);
        /* no lower than one refill of a CPU's list takes it */
        assert_true(i == ZONE_DMA || b->free_pages + 2048 > zone->mark[WMARK_LOW] + zone->reserve);
    }
    assert_int_equal(w.z->no_large, 0);
    while (w.n_held)
        give(&w, w.n_held - 1);
    tear_down(&w);
}

/* Every second page held: pages enough, and blocks of 512 only in what the watermarks kept. */
static void a_request_that_fails_for_want_of_a_large_block_is_told_apart(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 2);
    while (take(&w, 0, BUDDY_MOVABLE, WMARK_MIN)) {
    }
    for (uint32_t i = w.n_held; i-- > 0;)
        if (!(w.held[i].pfn & 1))
            give(&w, i);
    uint64_t no_large = w.z->no_large;
    uint32_t found = 0;
    while (take(&w, 9, BUDDY_MOVABLE, WMARK_LOW))
        found++;
    assert_true(found < 64);
    assert_int_equal(w.z->no_large, no_large + 1);
    assert_true(take(&w, 0, BUDDY_MOVABLE, WMARK_LOW));
    for (int i = 0; i < ZONES; i++)
        assert_int_equal(buddy_zones_ok(w.z, (enum zone_type)i, 9, WMARK_LOW),
                         slow_ok(w.z->buddy[i], &w.z->zones.zone[i], 9, WMARK_LOW));
    tear_down(&w);
}

static void random_sequence(uint64_t seed)
{
    static const uint8_t orders[16] = { 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 6, 9, 10 };
    struct world w;
    set_up(&w, seed);
    for (uint32_t step = 0; step < STEPS; step++) {
        bool filling = step / 40000 % 2 == 0;
        if (pick(&w, 8) < (filling ? 7u : 2u) || !w.n_held)
            take(&w, orders[pick(&w, 16)], (enum buddy_type)pick(&w, BUDDY_PCP_TYPES),
                 pick(&w, 4) ? WMARK_LOW : WMARK_MIN);
        else
            give(&w, pick(&w, w.n_held));
        if (step % 20000 == 0)
            for (int i = 0; i < ZONES; i++)
                for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
                    assert_int_equal(buddy_zones_ok(w.z, (enum zone_type)i, o, WMARK_HIGH),
                                     slow_ok(w.z->buddy[i], &w.z->zones.zone[i], o, WMARK_HIGH));
    }
    assert_true(w.refused > 0 && w.from[ZONE_NORMAL] > 0 && w.from[ZONE_DMA32] > 0);
    tear_down(&w);
}

static void nothing_is_lost_and_nothing_is_there_twice(void **state)
{
    (void)state;
    const char *one = getenv("FAULTLINE_SEED");
    if (one)
        random_sequence(strtoull(one, NULL, 10));
    for (uint64_t seed = 1; seed <= 3 && !one; seed++)
        random_sequence(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_are_used_in_order_down_to_their_watermarks),
        cmocka_unit_test(a_request_that_fails_for_want_of_a_large_block_is_told_apart),
        cmocka_unit_test(nothing_is_lost_and_nothing_is_there_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
