/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets by rows and by queues against a list of each set's keys, the most recent first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lru_sets.h"

enum { KEYS = 900, SETS_MAX = 7, WAYS_MAX = 300, STEPS = 6000 };

struct twin {
    uint32_t key[SETS_MAX][WAYS_MAX], n[SETS_MAX];
};

static uint64_t rng;

static uint32_t below(uint32_t n)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((rng >> 33) % n);
}

/* Numbers as far apart as those of pages may be. */
static uint64_t number_of(uint32_t key)
{
    return key % 3 ? key : (UINT64_C(1) << 52) - 1 - key;
}

static bool twin_take(struct twin *t, uint32_t set, uint32_t key)
{
    for (uint32_t i = 0; i < t->n[set]; i++)
        if (t->key[set][i] == key) {
            memmove(&t->key[set][i], &t->key[set][i + 1],
                    (--t->n[set] - i) * sizeof t->key[set][0]);
            return true;
        }
    return false;
}

static void twin_put(struct twin *t, uint32_t set, uint32_t key, uint32_t ways)
{
    t->n[set] += t->n[set] < ways;
    memmove(&t->key[set][1], &t->key[set][0], (t->n[set] - 1) * sizeof t->key[set][0]);
    t->key[set][0] = key;
}

static bool is_third(void *arg, uint32_t key)
{
    (void)arg;
    return key % 3 == 0;
}

static void step(struct lru_sets *s, struct twin *t)
{
    uint32_t what = below(2000), key = below(below(2) ? KEYS : KEYS / 6);
    uint32_t set = (uint32_t)(number_of(key) % s->sets);
    if (what >= 200) {
        bool had = twin_take(t, set, key);
        assert_int_equal(lru_sets_has(s, key, number_of(key)), had);
        assert_int_equal(lru_sets_use(s, key, number_of(key)), had);
        twin_put(t, set, key, s->ways);
    } else if (what >= 4) {
        lru_sets_drop(s, key, number_of(key));
        twin_take(t, set, key);
    } else if (what >= 2) {
        lru_sets_drop_if(s, is_third, NULL);
        for (uint32_t k = 0; k < KEYS; k += 3)
            twin_take(t, (uint32_t)(number_of(k) % s->sets), k);
    } else {
        lru_sets_clear(s);
        memset(t->n, 0, sizeof t->n);
    }
}

/* Returns whether the sets were rows. */
static bool one_geometry(uint32_t sets, uint32_t ways)
{
    static struct twin t;
    struct lru_sets s;
    memset(&t, 0, sizeof t);
    assert_true(lru_sets_init(&s, sets * ways, ways));
    for (int i = 0; i < STEPS; i++)
        step(&s, &t);
    bool rows = !s.queue;
    lru_sets_fini(&s);
    return rows;
}

static void any_geometry_equals_lists(void **state)
{
    static const uint32_t ways[] = { 1,  2,  3,  4,   5,   8,   11,  12,  15,
                                     16, 17, 31, 127, 128, 129, 150, 200, 300 };
    uint32_t n[2] = { 0 };
    (void)state;
    rng = 1;
    for (uint32_t sets = 1; sets <= SETS_MAX; sets++)
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
            n[one_geometry(sets, ways[i])]++;
    assert_true(n[0] && n[1]);
}

/* 13,107 sets of 5 ways have 65,535 entries, more with the unused ones; they are too many for the
   product. */
static void the_largest_keep_apart_what_they_hold(void **state)
{
    struct lru_sets s;
    (void)state;
    assert_true(lru_sets_init(&s, 65535, 5));
    for (uint64_t number = (UINT64_C(1) << 52) - 40000; number < UINT64_C(1) << 52; number += 7)
        assert_int_equal(lru_sets_set(&s, number), number % 13107);
    for (uint32_t key = 0; key < 5; key++)
        assert_false(lru_sets_use(&s, key, 13106));
    for (uint32_t key = 0; key < 5; key++)
        assert_true(lru_sets_use(&s, key, 13106));
    assert_false(lru_sets_use(&s, 5, 13106));
    assert_false(lru_sets_has(&s, 0, 13106));
    assert_true(lru_sets_use(&s, 1, 13106));
    lru_sets_fini(&s);
}

/* One set of 65,536 ways: the oldest goes, and the last entry there is can be found. */
static void the_largest_set_is_a_queue(void **state)
{
    struct lru_sets s;
    (void)state;
    assert_true(lru_sets_init(&s, 65536, 65536));
    for (uint32_t key = 0; key < 65537; key++)
        assert_false(lru_sets_use(&s, key, key));
    assert_false(lru_sets_has(&s, 0, 0));
    for (uint32_t key = 1; key < 65537; key++)
        assert_true(lru_sets_use(&s, key, key));
    lru_sets_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_geometry_equals_lists),
        cmocka_unit_test(the_largest_keep_apart_what_they_hold),
        cmocka_unit_test(the_largest_set_is_a_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
