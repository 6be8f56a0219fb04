/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every comparison keeps, over documents by chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "diff_fix.h"

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* Lists and a curve by chance, of names that need every rule. */
static json_t *random_report(uint64_t *seed)
{
    static const char *const mappings[] = {
        "[heap]",        "/a/libx.so.1",       "/b/libx.so.2",
        "anonymous (f)", "anonymous (f.cold)", "anonymous, 8 B"
    };
    json_t *by_mapping = json_array(), *by_process = json_array(), *points = json_array();
    json_int_t minor = 0, major = 0;
    for (size_t i = 0; i < sizeof mappings / sizeof mappings[0]; i++) {
        json_int_t n[3] = { (json_int_t)(next(seed) % 5), (json_int_t)(next(seed) % 3),
                            (json_int_t)(next(seed) % 4) };
        if (n[2] == 0)
            continue;
        minor += n[0];
        major += n[1];
        json_array_append_new(by_mapping, json_pack("{s:s, s:I, s:I, s:I}", "mapping", mappings[i],
                                                    "minor", n[0], "major", n[1], "pages", n[2]));
        json_array_append_new(by_process,
                              json_pack("{s:I, s:s, s:I, s:I}", "pid",
                                        (json_int_t)(100 + next(seed) % 50), "comm",
                                        i % 2 ? "even" : "odd", "minor", n[0], "major", n[1]));
    }
    for (int i = 1; i <= 6; i++)
        json_array_append_new(points,
                              json_pack("{s:i, s:s, s:i, s:i, s:i}", "ram_bytes", i * 4096,
                                        "policy", "lru", "minor", 3, "major",
                                        (int)(next(seed) % 300), "oom_kills", next(seed) % 8 == 0));
    json_t *report =
        report_of(json_pack("{s:s, s:o}", "schema", "faultline.sweep/1", "points", points));
    json_t *result = json_pack("{s:s, s:{s:s}, s:{s:I, s:I}, s:o, s:o}", "schema",
                               "faultline.replay/1", "trace", "fidelity", "exact", "faults",
                               "minor", minor, "major", major + 2, "by_mapping", by_mapping,
                               "by_process", by_process);
    assert_int_equal(fl_report_add(report, result, NULL), FL_OK);
    json_decref(result);
    return report;
}

static void a_document_does_not_differ_from_itself(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 200; round++) {
        uint64_t seed = round;
        json_t *a = random_report(&seed);
        struct pair p = compare(a, json_deep_copy(a));
        assert_false(p.d->changed);
        assert_int_equal(strncmp(p.verdict, "Nothing changed: ", 17), 0);
        for (unsigned k = 0; k < DIFF_RANKINGS; k++)
            for (size_t i = 0; i < p.d->results[0].by[k].n; i++) {
                const struct diff_row *row = &p.d->results[0].by[k].rows[i];
                assert_int_equal(row->how, DIFF_SAME);
                assert_int_equal(row->share_bp, 0);
            }
        assert_int_equal(p.d->curves[0].n_ranges, 0);
        done(&p);
    }
}

static void rows_mirror(const struct diff_ranking *x, const struct diff_ranking *y)
{
    assert_int_equal(x->n, y->n);
    assert_int_equal(x->count, y->count);
    for (size_t i = 0; i < x->n; i++) {
        assert_int_equal(x->rows[i].share_bp, y->rows[i].share_bp);
        assert_int_equal(x->rows[i].taken_bp, y->rows[i].taken_bp);
        for (unsigned c = 0; c < DIFF_COUNTS; c++) {
            assert_int_equal(x->rows[i].n[c][DIFF_A], y->rows[i].n[c][DIFF_B]);
            assert_int_equal(x->rows[i].n[c][DIFF_B], y->rows[i].n[c][DIFF_A]);
        }
    }
}

static void curves_mirror(const struct diff_curve *x, const struct diff_curve *y)
{
    assert_int_equal(x->n, y->n);
    assert_int_equal(x->n_differing, y->n_differing);
    assert_int_equal(x->most, y->most);
    assert_int_equal(x->n_ranges, y->n_ranges);
    for (size_t i = 0; i < x->n; i++)
        assert_int_equal(x->points[i].major[DIFF_A], y->points[i].major[DIFF_B]);
}

static void exchanging_the_sides_exchanges_the_signs(void **state)
{
    (void)state;
    size_t changed = 0;
    for (uint64_t round = 1; round <= 500; round++) {
        uint64_t seed = round;
        json_t *a = random_report(&seed), *b = random_report(&seed);
        struct pair there = compare(json_incref(a), json_incref(b)), back = compare(b, a);
        assert_int_equal(there.d->changed, back.d->changed);
        changed += there.d->changed;
        for (unsigned k = 0; k < DIFF_RANKINGS; k++)
            rows_mirror(&there.d->results[0].by[k], &back.d->results[0].by[k]);
        curves_mirror(&there.d->curves[0], &back.d->curves[0]);
        done(&there);
        done(&back);
    }
    assert_true(changed > 400);
}

/* Every change is somebody's: rows, and what is in none, add up to the totals' change. */
static void rows_and_rest_add_up(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 200; round++) {
        uint64_t seed = round, total[DIFF_SIDES] = { 0 };
        struct pair p = compare(random_report(&seed), random_report(&seed));
        const struct diff_ranking *by = &p.d->results[0].by[DIFF_BY_MAPPING];
        for (int side = 0; side < DIFF_SIDES; side++) {
            uint64_t want;
            total[side] = by->rest.n[DIFF_MAJOR][side];
            for (size_t i = 0; i < by->n; i++)
                total[side] += by->rows[i].n[DIFF_MAJOR][side];
            assert_true(fl_document_count(p.d->results[0].of[side], "faults.major", &want));
            if (by->has[DIFF_MAJOR])
                assert_int_equal(total[side], want);
        }
        done(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_does_not_differ_from_itself),
        cmocka_unit_test(exchanging_the_sides_exchanges_the_signs),
        cmocka_unit_test(rows_and_rest_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
