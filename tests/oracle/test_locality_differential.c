/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fl_locality() against its slow twin over random lists, and the laws that it keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/locality.h>

#include "naive_locality.h"
#include "random_trace.h"

static void check_windows(const struct fl_locality *l, const struct naive_touches *t, uint64_t seed)
{
    for (uint32_t w = 0; w < FL_LOCALITY_WINDOWS; w++) {
        uint64_t sum = 0, peak = 0;
        for (uint32_t c = 0; c < FL_LOCALITY_COLUMNS; c++) {
            uint32_t length = 1u << w, from = c + 1 > length ? c + 1 - length : 0;
            uint64_t want = naive_pages_in(t, from, c + 1);
            if (l->working_set[w][c] != want)
                fail_msg("seed %llu: window %u, column %u: %llu pages, twin %llu",
                         (unsigned long long)seed, length, c,
                         (unsigned long long)l->working_set[w][c], (unsigned long long)want);
            sum += want;
            peak = want > peak ? want : peak;
        }
        assert_int_equal(l->window[w].mean_pages, (sum + 128) / 256);
        assert_int_equal(l->window[w].peak_pages, peak);
    }
}

static void check_phases(const struct fl_locality *l, const struct naive_touches *t)
{
    assert_true(l->n_phases >= 1 || !l->distinct_pages);
    for (size_t i = 0; i < l->n_phases; i++) {
        const struct fl_phase *p = &l->phases[i], *before = i ? p - 1 : NULL;
        assert_int_equal(p->pages, naive_pages_in(t, p->from_column, p->to_column));
        assert_int_equal(p->new_pages, naive_first_touches(t, p->from_column, p->to_column));
        assert_int_equal(p->from_column, before ? before->to_column : 0);
        assert_int_equal(p->from_access, before ? before->to_access : 0);
        if (before)
            assert_int_equal(p->common_pages,
                             naive_common(t, before->from_column, before->to_column, p->from_column,
                                          p->to_column));
    }
    if (l->n_phases)
        assert_int_equal(l->phases[l->n_phases - 1].to_column, FL_LOCALITY_COLUMNS);
}

static void check_sets(const struct fl_locality *l, const struct naive_touches *t)
{
    assert_int_equal(l->distinct_pages, naive_pages_in(t, 0, FL_LOCALITY_COLUMNS));
    assert_int_equal(l->contents, naive_contents(t));
    assert_int_equal(l->shared_contents, naive_contents_shared(t));
    for (uint32_t c = 0; c < FL_LOCALITY_COLUMNS; c++)
        assert_int_equal(l->new_pages[c], naive_first_touches(t, c, c + 1));
    for (size_t i = 0; i < l->n_processes; i++) {
        uint64_t unique = 0; /* a pid can be used again: one of that name has these */
        bool found = false;
        for (size_t p = 0; p < t->n_processes && !found; p++) {
            unique = naive_contents_only_of(t, p);
            found = t->processes[p].pid == l->processes[i].pid &&
                    unique == l->processes[i].unique_pages;
        }
        assert_true(found);
    }
}

/* Law: windows grow, columns' first touches are all pages, mappings are all of them. */
static void check_laws(const struct fl_locality *l)
{
    uint64_t first = 0, pages = 0;
    for (uint32_t c = 0; c < FL_LOCALITY_COLUMNS; c++) {
        first += l->new_pages[c];
        for (uint32_t w = 1; w < FL_LOCALITY_WINDOWS; w++)
            assert_true(l->working_set[w][c] >= l->working_set[w - 1][c]);
        assert_true(l->working_set[FL_LOCALITY_WINDOWS - 1][c] <= l->distinct_pages);
    }
    assert_int_equal(first, l->distinct_pages);
    for (size_t m = 0; m < l->n_mappings; m++) {
        pages += l->mappings[m].pages;
        assert_true(m == 0 || l->mappings[m].pages <= l->mappings[m - 1].pages);
    }
    assert_true(l->left_out_mappings ? pages < l->distinct_pages : pages == l->distinct_pages);
}

static void locality_of_random_processes_equals_the_twin(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct item_list list;
        struct naive_touches t;
        random_processes(seed, 60 + seed * 3, &list);
        naive_touches(list.at, list.n, &t);
        struct fl_locality *l = item_list_locality(&list);
        assert_int_equal(l->accesses, t.accesses);
        check_windows(l, &t, seed);
        check_phases(l, &t);
        check_sets(l, &t);
        check_laws(l);
        fl_locality_free(l);
        naive_touches_free(&t);
        item_list_free(&list);
    }
}

/* One mapping: page number is place, so that rows are known. */
static void check_heat(const struct fl_locality_mapping *m, const struct naive_touches *t,
                       uint32_t pages)
{
    uint64_t vpn[64], lowest = UINT64_MAX;
    uint32_t n = 0;
    for (size_t i = 0; i < t->list.n; i++)
        lowest = t->list.at[i].vpn < lowest ? t->list.at[i].vpn : lowest;
    for (uint64_t at = lowest; at < lowest + pages; at++)
        for (size_t i = 0; i < t->list.n; i++)
            if (t->list.at[i].vpn == at) {
                vpn[n++] = at;
                break;
            }
    assert_int_equal(n, m->pages);
    for (uint32_t row = 0; row < m->n_rows; row++)
        for (uint32_t x = 0; x < FL_HEAT_COLUMNS; x++) {
            uint32_t from = n * row / m->n_rows, to = n * (row + 1) / m->n_rows, hot = 0;
            for (uint32_t i = from; i < to; i++) {
                bool touched = false;
                for (size_t k = 0; k < t->list.n; k++)
                    touched |= t->list.at[k].vpn == vpn[i] && t->list.at[k].column / 2 == x;
                hot += touched;
            }
            assert_int_equal(m->heat[row][x], (hot * 100 + to - from - 1) / (to - from));
        }
}

static void heat_of_random_pages_equals_the_twin(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct item_list list;
        struct naive_touches t;
        uint32_t pages = seed % 2 ? 60 : 20; /* more and fewer than rows */
        random_pages(seed, (enum random_pattern)(seed % RANDOM_PATTERNS), 600, pages, &list);
        naive_touches(list.at, list.n, &t);
        struct fl_locality *l = item_list_locality(&list);
        assert_int_equal(l->n_mappings, 1);
        check_windows(l, &t, seed);
        check_heat(&l->mappings[0], &t, pages);
        check_laws(l);
        fl_locality_free(l);
        naive_touches_free(&t);
        item_list_free(&list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heat_of_random_pages_equals_the_twin),
        cmocka_unit_test(locality_of_random_processes_equals_the_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
