/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The buddy allocator and its per-CPU lists against their slow twin over random sequences: the
   same block from every call, the same lists in the same order.
   FAULTLINE_SEED=N: that seed alone. FAULTLINE_STEPS=N: so many steps a seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buddy.h"
#include "buddy_pcp.h"
#include "naive_buddy.h"

#define FIRST 1u
#define PAGES 5000u /* neither end is a pageblock's */
#define CPUS 2
#define SEEDS 6

struct held {
    uint32_t page, order;
};

struct world {
    struct buddy *fast;
    struct buddy_pcp fast_cpu[CPUS];
    struct naive_buddy slow;
    struct naive_cpu slow_cpu[CPUS];
    struct held held[PAGES];
    uint32_t n_held, held_pages;
    bool used[PAGES];
    uint64_t rng, seed, step;
    uint64_t taken, refused, steals, claims, reverted;
};

static uint32_t pick(struct world *w, uint32_t below)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (uint32_t)((w->rng >> 20) % below);
}

#define SAME(w, a, b)                                                                           \
    do {                                                                                        \
        long long a_ = (long long)(a), b_ = (long long)(b);                                     \
        if (a_ != b_)                                                                           \
            fail_msg("seed %llu, step %llu: %s is %lld, the twin says %lld",                    \
                     (unsigned long long)(w)->seed, (unsigned long long)(w)->step, #a, a_, b_); \
    } while (0)

static void compare_lists(struct world *w)
{
    static uint32_t pages[NAIVE_PAGES];
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
        for (int t = 0; t < BUDDY_TYPES; t++) {
            uint32_t n = naive_buddy_list(&w->slow, o, t, pages);
            uint64_t at = UINT64_MAX;
            SAME(w, w->fast->list[o][t].n, n);
            for (uint32_t i = 0; i < n; i++) {
                at = buddy_walk(w->fast, o, (enum buddy_type)t, at);
                SAME(w, at, pages[i]);
            }
            SAME(w, buddy_walk(w->fast, o, (enum buddy_type)t, at), n ? -1 : -1);
        }
    for (int c = 0; c < CPUS; c++) {
        SAME(w, w->fast_cpu[c].count, naive_cpu_pages(&w->slow_cpu[c]));
        SAME(w, w->fast_cpu[c].high, w->slow_cpu[c].high);
        SAME(w, w->fast_cpu[c].free_count, w->slow_cpu[c].freed);
    }
}

/* Laws that need no twin: nothing is lost, and nothing is there twice. */
static void check_laws(struct world *w)
{
    char why[160] = "";
    if (!buddy_check(w->fast, why, sizeof why))
        fail_msg("seed %llu, step %llu: %s", (unsigned long long)w->seed,
                 (unsigned long long)w->step, why);
    int64_t cpus = 0;
    for (int c = 0; c < CPUS; c++)
        cpus += w->fast_cpu[c].count;
    SAME(w, w->fast->free_pages + (uint64_t)cpus + w->held_pages, PAGES - FIRST);
}

static void take(struct world *w)
{
    static const uint8_t orders[16] = { 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 7, 9, 10 };
    uint32_t order = orders[pick(w, 16)], c = pick(w, CPUS), slow_page = 0;
    int type = (int)pick(w, 3);
    bool may = pick(w, 3) != 0, own = true, movable = type == BUDDY_MOVABLE && pick(w, 8);
    unsigned flags = may ? 0 : BUDDY_NOFRAGMENT;
    uint64_t page = 0;
    bool got, slow_got;
    if (buddy_pcp_keeps(order) && pick(w, 2)) {
        got = buddy_pcp_take(w->fast, &w->fast_cpu[c], order, (enum buddy_type)type, flags, &page);
        slow_got = naive_cpu_take(&w->slow, &w->slow_cpu[c], order, type, may, &slow_page);
    } else {
        got = buddy_take(w->fast, order, (enum buddy_type)type, flags, &page);
        slow_got = naive_buddy_take(&w->slow, order, type, may, &own, &slow_page);
    }
    SAME(w, got, slow_got);
    w->taken += got;
    w->refused += !got;
    if (!got)
        return;
    SAME(w, page, slow_page);
    assert_int_equal(page & ((UINT64_C(1) << order) - 1), 0);
    for (uint32_t i = 0; i < 1u << order; i++) {
        assert_false(w->used[page + i]);
        w->used[page + i] = true;
    }
    buddy_note_movable(w->fast, page, order, movable);
    naive_buddy_use(&w->slow, slow_page, order, movable);
    w->held[w->n_held++] = (struct held){ slow_page, order };
    w->held_pages += 1u << order;
}

static void give(struct world *w)
{
    if (!w->n_held)
        return;
    uint32_t i = pick(w, w->n_held), c = pick(w, CPUS);
    struct held h = w->held[i];
    w->held[i] = w->held[--w->n_held];
    for (uint32_t k = 0; k < 1u << h.order; k++)
        w->used[h.page + k] = false;
    w->held_pages -= 1u << h.order;
    buddy_note_movable(w->fast, h.page, h.order, false);
    naive_buddy_use(&w->slow, h.page, h.order, false);
    if (buddy_pcp_keeps(h.order) && pick(w, 2)) {
        buddy_pcp_give(w->fast, &w->fast_cpu[c], h.page, h.order);
        naive_cpu_give(&w->slow, &w->slow_cpu[c], h.page, h.order);
    } else {
        buddy_give(w->fast, h.page, h.order);
        naive_buddy_give(&w->slow, h.page, h.order);
    }
}

/* A pageblock becomes another type's, the reserve's or nobody's; later it is movable again. */
static void retype(struct world *w)
{
    uint32_t page = BUDDY_BLOCK_PAGES * (1 + pick(w, PAGES / BUDDY_BLOCK_PAGES - 1));
    int old = (int)buddy_type_of(w->fast, page);
    int type = old >= BUDDY_HIGHATOMIC ? BUDDY_MOVABLE : (int)pick(w, BUDDY_TYPES);
    w->reverted += old >= BUDDY_HIGHATOMIC;
    buddy_retype(w->fast, page, (enum buddy_type)type);
    naive_buddy_retype(&w->slow, page, type);
}

static void start(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->fast = buddy_new(FIRST, PAGES - FIRST, BUDDY_MOVABLE);
    assert_non_null(w->fast);
    naive_buddy_init(&w->slow, FIRST, PAGES, BUDDY_MOVABLE);
    for (int c = 0; c < CPUS; c++) {
        w->fast_cpu[c] = (struct buddy_pcp){ .batch = 7, .high_min = 28, .high = 28 };
        w->fast_cpu[c].high_max = seed % 3 ? 300 : 28;
        w->slow_cpu[c] = (struct naive_cpu){ .batch = 7, .high_min = 28, .high = 28 };
        w->slow_cpu[c].high_max = w->fast_cpu[c].high_max;
    }
    for (uint32_t page = FIRST; page < PAGES; page++) {
        buddy_give(w->fast, page, 0);
        naive_buddy_give(&w->slow, page, 0);
    }
}

static void run(struct world *w, uint64_t seed, uint64_t steps)
{
    start(w, seed);
    bool filling = true;
    for (w->step = 0; w->step < steps; w->step++) {
        if (pick(w, 400) == 0)
            filling = w->held_pages < PAGES / 3 || (w->held_pages < 4 * PAGES / 5 && pick(w, 2));
        uint32_t what = pick(w, 1000);
        if (what < 4) {
            retype(w);
        } else if (what < 8) {
            uint32_t c = pick(w, CPUS);
            buddy_pcp_decay(w->fast, &w->fast_cpu[c]);
            naive_cpu_second(&w->slow, &w->slow_cpu[c]);
        } else if (what < 12) {
            w->fast->below_high = pick(w, 3) == 0;
            w->fast->reclaiming = pick(w, 3) == 0;
            for (uint32_t c = 0; c < CPUS; c++) {
                w->slow_cpu[c].scarce = w->fast->below_high;
                w->slow_cpu[c].reclaim = w->fast->reclaiming;
            }
        } else if (what < (filling ? 620 : 400)) {
            take(w);
        } else {
            give(w);
        }
        SAME(w, w->fast->free_pages,
             PAGES - FIRST - w->held_pages - (uint64_t)naive_cpu_pages(&w->slow_cpu[0]) -
                 (uint64_t)naive_cpu_pages(&w->slow_cpu[1]));
        if (w->step % 97 == 0) {
            compare_lists(w);
            check_laws(w);
        }
    }
    compare_lists(w);
    check_laws(w);
    w->steals = w->fast->stats.steals;
    w->claims = w->fast->stats.claims;
    print_message("seed %llu: %llu taken, %llu refused, %llu claims, %llu steals\n",
                  (unsigned long long)seed, (unsigned long long)w->taken,
                  (unsigned long long)w->refused, (unsigned long long)w->claims,
                  (unsigned long long)w->steals);
    /* the sequence met what it is for */
    if (steps >= 10000) {
        assert_true(w->taken > steps / 10 && w->refused > 0);
        assert_true(w->claims > 10 && w->steals > 10 && w->reverted > 0);
    }
    while (w->n_held)
        give(w);
    for (int c = 0; c < CPUS; c++)
        buddy_pcp_drain(w->fast, &w->fast_cpu[c], INT64_MAX, 0);
    check_laws(w);
    assert_int_equal(w->fast->free_pages, PAGES - FIRST);
    buddy_free(w->fast);
}

static void test_agrees_with_twin(void **state)
{
    static struct world w;
    const char *seed = getenv("FAULTLINE_SEED"), *steps = getenv("FAULTLINE_STEPS");
    uint64_t n = steps ? strtoull(steps, NULL, 10) : 100000;
    (void)state;
    if (seed)
        run(&w, strtoull(seed, NULL, 10), n);
    else
        for (uint64_t s = 1; s <= SEEDS; s++)
            run(&w, s, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_agrees_with_twin) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
