/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a curve of faults against RAM is found to say. Curves are drawn beside the tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include <faultline/report.h>

#define MIB UINT64_C(1048576)
#define KILLED UINT64_MAX

/* A sweep whose i-th point has (i + 1) MiB of RAM and major[i] faults. */
static struct fl_table *curve(const uint64_t *major, size_t n)
{
    json_t *points = json_array(), *report = fl_report_new();
    struct fl_table *table = NULL;
    for (size_t i = 0; i < n; i++)
        json_array_append_new(points,
                              json_pack("{s:I, s:s, s:i, s:I, s:i}", "ram_bytes",
                                        (json_int_t)((i + 1) * MIB), "policy", "lru", "minor", 9,
                                        "major", (json_int_t)(major[i] == KILLED ? 1 : major[i]),
                                        "oom_kills", major[i] == KILLED));
    json_t *sweep = json_pack("{s:s, s:o}", "schema", "faultline.sweep/1", "points", points);
    assert_int_equal(fl_document_check(sweep, "x", NULL), FL_OK);
    assert_int_equal(fl_report_add(report, sweep, NULL), FL_OK);
    assert_int_equal(fl_chart_find("curve")->build(report, 0, &table, NULL), FL_OK);
    json_decref(sweep);
    json_decref(report);
    return table;
}

/* 1000 | *
 *      |   .            straight from (1, 1000) to (6, 0): at 2 MiB x is 0.2,
 *  100 |   *            y is 0.1, depth 0.7: the knee.
 *    0 |_____*_*_*_*    MiB: 1 2 3 4 5 6 */
static void a_bend_is_the_knee_and_zero_the_end(void **state)
{
    (void)state;
    struct fl_curve_finding f;
    struct fl_table *t = curve((const uint64_t[]){ 1000, 100, 80, 60, 40, 0, 0 }, 7);
    fl_curve_find(t, 1, &f);
    assert_true(f.any && f.vanish && f.knee && !f.killed);
    assert_int_equal(f.vanish_ram_bytes, 6 * MIB);
    assert_int_equal(f.knee_ram_bytes, 2 * MIB);
    assert_int_equal(f.knee_major, 100);
    assert_int_equal(f.worst_major, 1000);
    assert_true(f.cliff); /* 1000 to 100 is a tenth */
    assert_int_equal(f.cliff_ram_bytes, 2 * MIB);
    assert_string_equal(t->title, "Major faults drop 90 % at 2.0 MiB and vanish at 6.0 MiB");
    fl_table_free(t);
}

static void a_straight_line_has_no_knee(void **state)
{
    (void)state;
    struct fl_curve_finding f;
    struct fl_table *t = curve((const uint64_t[]){ 500, 400, 300, 200, 100, 0 }, 6);
    fl_curve_find(t, 1, &f);
    assert_true(f.vanish && !f.knee && !f.cliff);
    assert_string_equal(t->title, "Major faults vanish at 6.0 MiB");
    assert_false(t->log_y); /* 500 and 100 share a decade */
    fl_table_free(t);
}

/* FIFO can have more faults with more RAM: zero at 2 MiB is not the end. */
static void vanishing_means_for_good(void **state)
{
    (void)state;
    struct fl_curve_finding f;
    struct fl_table *t = curve((const uint64_t[]){ 10, 0, 3, 0 }, 4);
    fl_curve_find(t, 1, &f);
    assert_true(f.vanish);
    assert_int_equal(f.vanish_ram_bytes, 4 * MIB);
    fl_table_free(t);
}

static void sizes_with_a_kill_are_no_points(void **state)
{
    (void)state;
    struct fl_curve_finding f;
    struct fl_table *t = curve((const uint64_t[]){ KILLED, KILLED, 7, 5 }, 4);
    fl_curve_find(t, 1, &f);
    assert_true(f.killed && f.any && !f.vanish);
    assert_int_equal(f.killed_ram_bytes, 2 * MIB);
    assert_int_equal(f.worst_major, 7);
    assert_non_null(strstr(t->footer, "killed"));
    fl_table_free(t);
}

static void nothing_to_find_is_found_in_nothing(void **state)
{
    (void)state;
    struct fl_curve_finding f;
    struct fl_table *t = curve((const uint64_t[]){ KILLED }, 1);
    fl_curve_find(t, 1, &f);
    assert_false(f.any || f.vanish || f.knee || f.cliff);
    fl_curve_find(t, 7, &f);
    assert_false(f.any);
    fl_curve_find(NULL, 1, &f);
    assert_false(f.any);
    fl_table_free(t);
    t = curve((const uint64_t[]){ 0, 0 }, 2);
    assert_string_equal(t->title, "No major fault at any of these sizes");
    fl_table_free(t);
    json_t *report = fl_report_new();
    struct fl_err err;
    assert_int_equal(fl_chart_find("curve")->build(report, 0, &t, &err), FL_EDATA);
    assert_non_null(strstr(err.msg, "sweep"));
    json_decref(report);
}

/* At 1 and 2 MiB of RAM: major faults or a kill, by swap size; no curve has a fault to show. */
static void the_title_is(const uint64_t (*major)[2], const uint64_t *swap_bytes, size_t n,
                         const char *title)
{
    json_t *points = json_array(), *report = fl_report_new();
    struct fl_table *table = NULL;
    for (size_t i = 0; i < 2 * n; i++) {
        bool killed = major[i / 2][i % 2] == KILLED;
        json_array_append_new(
            points, json_pack("{s:I, s:s, s:i, s:I, s:i, s:I}", "ram_bytes",
                              (json_int_t)((i % 2 + 1) * MIB), "policy", "lru", "minor", 9, "major",
                              (json_int_t)(killed ? 0 : major[i / 2][i % 2]), "oom_kills", killed,
                              "swap_bytes", (json_int_t)swap_bytes[i / 2]));
    }
    json_t *sweep = json_pack("{s:s, s:o}", "schema", "faultline.sweep/1", "points", points);
    assert_int_equal(fl_document_check(sweep, "x", NULL), FL_OK);
    assert_int_equal(fl_report_add(report, sweep, NULL), FL_OK);
    assert_int_equal(fl_chart_find("curve")->build(report, 0, &table, NULL), FL_OK);
    assert_string_equal(table->title, title);
    fl_table_free(table);
    json_decref(sweep);
    json_decref(report);
}

static void where_none_faults_but_some_are_killed_the_title_says_so(void **state)
{
    (void)state;
    static const uint64_t swaps[] = { 4096, 8192, 12288 };
    the_title_is((const uint64_t[][2]){ { KILLED, 0 } }, swaps, 1,
                 "At 1.0 MiB and below a process is killed; above there is no major fault");
    /* survivors at 1 MiB alone: nothing is known above the kill */
    the_title_is((const uint64_t[][2]){ { 0, KILLED } }, swaps, 1,
                 "At 2.0 MiB and below a process is killed");
    /* the kill is another curve's than the first without faults */
    the_title_is((const uint64_t[][2]){ { 0, 0 }, { KILLED, 0 } }, swaps, 2,
                 "At 1.0 MiB and below a process is killed under lru, swap 8.0 KiB; above there is "
                 "no major fault");
    the_title_is((const uint64_t[][2]){ { KILLED, KILLED }, { 0, 0 } }, swaps, 2,
                 "At 2.0 MiB and below a process is killed under lru, swap 4.0 KiB");
    the_title_is((const uint64_t[][2]){ { KILLED, 3 }, { 0, 0 } }, swaps, 2,
                 "Major faults under lru, swap 4.0 KiB remain at every size up to 2.0 MiB");
    the_title_is((const uint64_t[][2]){ { 0, 0 }, { 0, 0 }, { 0, 0 } }, swaps, 3,
                 "No major fault at any of these sizes under lru, swap 4.0 KiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bend_is_the_knee_and_zero_the_end),
        cmocka_unit_test(a_straight_line_has_no_knee),
        cmocka_unit_test(vanishing_means_for_good),
        cmocka_unit_test(sizes_with_a_kill_are_no_points),
        cmocka_unit_test(nothing_to_find_is_found_in_nothing),
        cmocka_unit_test(where_none_faults_but_some_are_killed_the_title_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
