/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Charts of the kernel's own memory: free blocks and object caches. Numbers worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include <faultline/report.h>

static json_t *report_of(json_t *result)
{
    json_t *report = fl_report_new();
    json_object_set_new(result, "schema", json_string("faultline.replay/1"));
    assert_int_equal(fl_report_add(report, result, NULL), FL_OK);
    json_decref(result);
    return report;
}

static struct fl_table *build(const char *chart, const json_t *report, int want)
{
    struct fl_table *t = NULL;
    assert_int_equal(fl_chart_find(chart)->build(report, 0, &t, NULL), want);
    assert_true((t != NULL) == (want == FL_OK));
    return t;
}

/* Two moments: free blocks of orders 0 and 9, of 0 and 4. */
static json_t *free_blocks(int singles, int large, int singles_later, int middle_later)
{
    json_t *columns = json_pack("[s,s]", "time_ns", "events");
    json_t *first = json_pack("[i,i]", 0, 0), *second = json_pack("[i,i]", 1000, 7);
    for (int o = 0; o < 11; o++) {
        json_array_append_new(columns, json_sprintf("free_order_%d", o));
        json_array_append_new(first, json_integer(o == 0 ? singles : o == 9 ? large : 0));
        json_array_append_new(second, json_integer(o == 0   ? singles_later
                                                   : o == 4 ? middle_later
                                                            : 0));
    }
    return json_pack("{s:{s:o,s:[o,o]}}", "timeline", "columns", columns, "rows", first, second);
}

/* 512 pages in a block of order 9 and 512 single ones: half is unusable from order 1 up. Later
   512 - 48 single and three of 16 pages: of order 4 3/32 can be had. B = 467, F = 512:
   1 - (1 + 1) / 467 = 0.9957. */
static void unusable_is_what_lies_in_smaller_blocks(void **state)
{
    (void)state;
    json_t *report = report_of(free_blocks(512, 1, 464, 3));
    struct fl_table *t = build("fragmentation", report, FL_OK);
    assert_int_equal(t->n_rows, 2);
    for (size_t c = 1; c < t->n_columns; c++)
        assert_int_equal(fl_table_at(t, 0, c)->value, 5000);
    assert_int_equal(fl_table_at(t, 1, 1)->value, 9063); /* 29/32, of 16 KiB and 64 KiB */
    assert_int_equal(fl_table_at(t, 1, 2)->value, 9063);
    assert_int_equal(fl_table_at(t, 1, 3)->value, 10000);
    assert_int_equal(fl_table_at(t, 1, 4)->value, 10000);
    assert_non_null(strstr(t->title, "no block of 2.0 MiB"));
    assert_non_null(strstr(t->title, "0.99"));
    fl_table_free(t);
    json_decref(report);
}

static void the_allocators_own_timeline_comes_first(void **state)
{
    (void)state;
    json_t *result = json_object(), *faults = free_blocks(1, 0, 1, 0);
    json_object_set_new(result, "buddy", free_blocks(0, 1, 0, 1));
    json_object_update(result, faults); /* a timeline of something else */
    json_t *report = report_of(result);
    struct fl_table *t = build("buddy", report, FL_OK);
    assert_string_equal(t->title,
                        "Of 64.0 KiB free at the end, 0 B are in blocks of 2 MiB or more");
    fl_table_free(t);
    json_decref(faults);
    json_decref(report);
}

static void where_large_blocks_are_the_title_says_what_is_not(void **state)
{
    (void)state;
    json_t *report = report_of(free_blocks(0, 1, 0, 0));
    struct fl_table *t = build("fragmentation", report, FL_OK); /* none free at the end: 0 of 0 */
    assert_int_equal(fl_table_at(t, 1, 4)->value, 0);
    assert_string_equal(t->title, "Of free memory 0.0 % is in blocks of less than 2.0 MiB; 0.0 % "
                                  "at the start");
    fl_table_free(t);
    json_decref(report);
}

static json_t *cache(const char *name, int objects, int bytes, int slabs, int waste)
{
    return json_pack("{s:s,s:i,s:i,s:i,s:i}", "name", name, "objects", objects, "object_bytes",
                     bytes, "slabs", slabs, "internal_waste_bytes", waste);
}

static void caches_are_largest_first_and_unused_is_beside_used(void **state)
{
    (void)state;
    json_t *report =
        report_of(json_pack("{s:{s:[o,o,o]}}", "slab", "caches", cache("pid", 10, 100, 1, 3096),
                            cache("none", 0, 64, 0, 0), cache("dentry", 1000, 192, 50, 12800)));
    struct fl_table *t = build("slab", report, FL_OK);
    assert_int_equal(t->n_rows, 2); /* an empty cache has no bar */
    assert_int_equal(fl_table_at(t, 0, 0)->value, 2);
    assert_int_equal(fl_table_at(t, 0, 1)->value, 192000);
    assert_int_equal(fl_table_at(t, 0, 2)->value, 12800);
    assert_int_equal(fl_table_at(t, 1, 1)->value, 1000);
    assert_string_equal(t->marks[0].label, "dentry: 1,000 objects, 50 slabs");
    assert_string_equal(t->title, "Of 204 KiB of kernel objects, 15.5 KiB (7.6 %) are not in use");
    fl_table_free(t);
    json_decref(report);
}

static void without_such_a_result_there_is_no_chart(void **state)
{
    (void)state;
    json_t *report = report_of(json_pack("{s:{s:[]}}", "slab", "caches"));
    build("slab", report, FL_EDATA);
    build("fragmentation", report, FL_EDATA);
    build("buddy", report, FL_EDATA);
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unusable_is_what_lies_in_smaller_blocks),
        cmocka_unit_test(the_allocators_own_timeline_comes_first),
        cmocka_unit_test(where_large_blocks_are_the_title_says_what_is_not),
        cmocka_unit_test(caches_are_largest_first_and_unused_is_beside_used),
        cmocka_unit_test(without_such_a_result_there_is_no_chart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
