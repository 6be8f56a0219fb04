/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "perf_idmap.h"

static void idmap_empty_finds_nothing(void **state)
{
    (void)state;
    struct fl_idmap map = { 0 };
    uint32_t v = 5;
    assert_false(fl_idmap_get(&map, 0, 0, 0, &v));
    assert_int_equal(v, 5);
    fl_idmap_clear(&map);
}

static void idmap_tells_keys_apart_in_every_part(void **state)
{
    (void)state;
    struct fl_idmap map = { 0 };
    uint32_t v;
    assert_true(fl_idmap_put(&map, 0, 0, 0, 10));
    assert_true(fl_idmap_put(&map, 1, 0, 0, 11));
    assert_true(fl_idmap_put(&map, 0, 1, 0, 12));
    assert_true(fl_idmap_put(&map, 0, 0, UINT64_MAX, 13));
    assert_true(fl_idmap_put(&map, 0, 1, 0, 14)); /* replaces 12 */
    assert_int_equal(map.n, 4);
    assert_true(fl_idmap_get(&map, 0, 0, 0, &v) && v == 10);
    assert_true(fl_idmap_get(&map, 1, 0, 0, &v) && v == 11);
    assert_true(fl_idmap_get(&map, 0, 1, 0, &v) && v == 14);
    assert_true(fl_idmap_get(&map, 0, 0, UINT64_MAX, &v) && v == 13);
    assert_false(fl_idmap_get(&map, 1, 1, 0, &v));
    fl_idmap_clear(&map);
}

/* Slow twin: an array, for keys 0 .. 4999 put in random order, some twice. */
static void idmap_equals_an_array_through_its_growth(void **state)
{
    (void)state;
    static uint32_t want[5000];
    struct fl_idmap map = { 0 };
    uint64_t seed = 7;
    uint32_t v;
    for (uint32_t i = 1; i <= 8000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t key = (seed >> 33) % 5000;
        want[key] = i;
        assert_true(fl_idmap_put(&map, key, 2, 3, i));
    }
    size_t n = 0;
    for (uint64_t key = 0; key < 5000; key++) {
        n += want[key] != 0;
        assert_int_equal(fl_idmap_get(&map, key, 2, 3, &v), want[key] != 0);
        if (want[key])
            assert_int_equal(v, want[key]);
    }
    assert_int_equal(map.n, n);
    fl_idmap_clear(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idmap_empty_finds_nothing),
        cmocka_unit_test(idmap_tells_keys_apart_in_every_part),
        cmocka_unit_test(idmap_equals_an_array_through_its_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
