/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a TLB keeps: of many translations, the shares that the formula says are left. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "linux/translations.h"

enum { PAGES = 40000, ENTRIES = 3072 };

static struct translations tlb_of(uint32_t entries, uint64_t seed)
{
    struct translations t;
    struct fl_tlb_kept tlb = { .entries = entries, .per_fault = 7, .per_page_out = 39 };
    assert_int_equal(translations_init(&t, &tlb, seed, NULL), FL_OK);
    assert_int_equal(translations_room(&t, PAGES, NULL), FL_OK);
    return t;
}

static uint32_t there(const struct translations *t)
{
    uint32_t n = 0;
    for (uint32_t page = 0; page < PAGES; page++)
        n += translation_there(t, page);
    return n;
}

/* All at a time, as if they had been filled together: how many are there after so many fillings. */
static void the_share_left_falls_exponentially(void **state)
{
    static const uint32_t fillings[] = { 0, 100, 1000, ENTRIES, 2 * ENTRIES, 4 * ENTRIES };
    struct translations t = tlb_of(ENTRIES, 1);
    (void)state;
    for (uint32_t page = 0; page < PAGES; page++) {
        t.filled = 0;
        translation_filled(&t, page);
    }
    for (size_t i = 0; i < sizeof fillings / sizeof *fillings; i++) {
        double want = exp(-(double)fillings[i] / ENTRIES);
        t.filled = 1 + fillings[i];
        assert_true(fabs((double)there(&t) / PAGES - want) < 0.01);
    }
    translations_fini(&t);
}

/* One after the other: of those that were ever filled the TLB holds about as many as it has entries. */
static void it_holds_as_many_as_it_has_entries(void **state)
{
    struct translations t = tlb_of(ENTRIES, 5);
    (void)state;
    for (uint32_t page = 0; page < PAGES; page++)
        translation_filled(&t, page);
    assert_in_range(there(&t), ENTRIES * 95 / 100, ENTRIES * 105 / 100);
    translation_flushed(&t, PAGES - 1);
    assert_false(translation_there(&t, PAGES - 1));
    translation_flushed(&t, PAGES + 5); /* of a page never used: nothing */
    translations_fini(&t);
}

static void equal_seeds_draw_equally(void **state)
{
    struct translations a = tlb_of(ENTRIES, 3), b = tlb_of(ENTRIES, 3), c = tlb_of(ENTRIES, 4);
    uint32_t same = 0;
    (void)state;
    for (uint32_t page = 0; page < PAGES; page++) {
        translation_filled(&a, page);
        translation_filled(&b, page);
        translation_filled(&c, page);
        assert_true(a.until[page] == b.until[page]);
        same += a.until[page] == c.until[page];
    }
    assert_true(same < PAGES / 100);
    translations_fini(&a);
    translations_fini(&b);
    translations_fini(&c);
}

static void without_entries_nothing_is_kept(void **state)
{
    struct translations t = tlb_of(0, 1);
    (void)state;
    assert_false(translations_kept(&t));
    assert_null(t.until);
    translation_flushed(&t, 0);
    translations_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_left_falls_exponentially),
        cmocka_unit_test(it_holds_as_many_as_it_has_entries),
        cmocka_unit_test(equal_seeds_draw_equally),
        cmocka_unit_test(without_entries_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
