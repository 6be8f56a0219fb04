/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults of an events trace by function and by call chain, in results, reports and diffs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>

#include <faultline/trace.h>

#include "diff_fix.h"

static void put(struct fl_writer *w, struct fl_event ev)
{
    struct fl_err err = { .msg = "" };
    if (fl_writer_event(w, &ev, &err) != FL_OK)
        fail_msg("%s", err.msg);
}

/* A trace of one process with two files. */
static struct fl_writer *start(void)
{
    struct fl_writer *w;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EVENTS, NULL, NULL, &w, NULL), FL_OK);
    put(w, (struct fl_event){ .kind = FL_EV_PROCESS,
                              .thread = FL_NO_THREAD,
                              .process = { 7, 1, 0, FL_NO_MM, 0, "prog" } });
    put(w, (struct fl_event){ .kind = FL_EV_THREAD, .thread = 0, .thread_start = { 7, 7 } });
    put(w, (struct fl_event){ .kind = FL_EV_FILE, .file = { 0, 1, 2, 99, "/bin/prog" } });
    put(w, (struct fl_event){ .kind = FL_EV_FILE, .file = { 1, 1, 3, 99, "/l/libx.so" } });
    return w;
}

static void code(struct fl_writer *w, uint32_t id, uint32_t file, uint64_t offset, const char *name)
{
    put(w, (struct fl_event){ .kind = FL_EV_CODE, .code = { id, file, offset, name } });
}

static void stack(struct fl_writer *w, uint32_t id, uint32_t parent, uint32_t of)
{
    put(w, (struct fl_event){ .kind = FL_EV_STACK, .stack = { id, parent, of } });
}

static void faults(struct fl_writer *w, unsigned n, unsigned flags, uint32_t of, uint32_t chain)
{
    while (n-- > 0)
        put(w, (struct fl_event){ .kind = FL_EV_FAULT, .fault = { 4096, 5, flags, of, chain } });
}

static json_t *finish(struct fl_writer *w)
{
    void *bytes;
    size_t len;
    struct fl_reader *r;
    json_t *result = NULL;
    struct fl_err err = { .msg = "" };
    assert_int_equal(fl_writer_close(w, &bytes, &len, NULL), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, NULL), FL_OK);
    json_t *trace = json_pack("{s:s, s:s}", "fidelity", "events", "path", "/t/x.flt");
    if (fl_observe(r, trace, &result, &err) != FL_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(fl_document_check(result, "x", NULL), FL_OK);
    fl_reader_free(r);
    free(bytes);
    return result;
}

static void key_is(const json_t *result, const char *key, const char *want)
{
    json_t *list = parse(want);
    char *got = json_dumps(json_object_get(result, key), JSON_SORT_KEYS | JSON_COMPACT);
    if (!json_equal(json_object_get(result, key), list))
        fail_msg("%s is %s", key, got);
    free(got);
    json_decref(list);
}

/*  main -+- fill      3 minor
 *        `- helper -- (libx.so, no symbol)  1 major, 4 minor
 *  fill of libx.so, no chain: 2 minor, 1 unknown; no code: 1 minor           total 12 */
static struct fl_writer *usual(unsigned fill)
{
    struct fl_writer *w = start();
    code(w, 0, 0, 64, "main");
    code(w, 1, 0, 128, "fill");
    code(w, 2, 1, 64, "helper");
    code(w, 3, 1, 0, "");
    code(w, 4, 1, 900, "fill");
    code(w, 5, 0, 500, "never");
    stack(w, 0, FL_NO_STACK, 0);
    stack(w, 1, 0, 1);
    stack(w, 2, 0, 2);
    stack(w, 3, 2, 3);
    faults(w, fill, FL_FAULT_MINOR, 1, 1);
    faults(w, 1, FL_FAULT_MAJOR, 3, 3);
    faults(w, 4, FL_FAULT_MINOR, 3, 3);
    faults(w, 2, FL_FAULT_MINOR, 4, FL_NO_STACK);
    faults(w, 1, 0, 4, FL_NO_STACK);
    faults(w, 1, FL_FAULT_MINOR, FL_NO_CODE, FL_NO_STACK);
    return w;
}

static void faults_are_counted_by_function_and_by_chain(void **state)
{
    (void)state;
    json_t *result = finish(usual(3));
    key_is(result, "by_function",
           "[{'function':'fill','minor':5,'major':0,'unknown':1},"
           "{'function':'[in libx.so]','minor':4,'major':1}]");
    key_is(result, "call_chains",
           "[{'functions':['[in libx.so]','helper','main'],'minor':4,'major':1,'share_bp':4167},"
           "{'functions':['fill','main'],'minor':3,'major':0,'share_bp':2500}]");
    json_decref(result);
}

static void a_trace_without_places_has_neither_list(void **state)
{
    (void)state;
    struct fl_writer *w = start();
    faults(w, 3, FL_FAULT_MINOR, FL_NO_CODE, FL_NO_STACK);
    json_t *result = finish(w);
    assert_null(json_object_get(result, "by_function"));
    assert_null(json_object_get(result, "call_chains"));
    json_decref(result);
    w = start();
    code(w, 0, FL_NO_FILE, 0, "[kernel]");
    faults(w, 3, FL_FAULT_MINOR, 0, FL_NO_STACK);
    result = finish(w);
    key_is(result, "by_function", "[{'function':'[kernel]','minor':3,'major':0}]");
    assert_null(json_object_get(result, "call_chains"));
    json_decref(result);
}

static void a_redacted_trace_has_functions_without_names(void **state)
{
    (void)state;
    struct fl_writer *w;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EVENTS, NULL, NULL, &w, NULL), FL_OK);
    put(w, (struct fl_event){ .kind = FL_EV_FILE, .thread = FL_NO_THREAD, .file = { .path = "" } });
    put(w,
        (struct fl_event){ .kind = FL_EV_CODE, .thread = FL_NO_THREAD, .code = { 0, 0, 9, "" } });
    put(w, (struct fl_event){ .kind = FL_EV_FAULT,
                              .thread = FL_NO_THREAD,
                              .fault = { 4096, 5, FL_FAULT_MINOR, 0, FL_NO_STACK } });
    json_t *result = finish(w);
    key_is(result, "by_function", "[{'function':'[unknown]','minor':1,'major':0}]");
    json_decref(result);
}

/* 12 chains, the i-th with i faults: the ten with most. */
static void the_ten_hottest_chains_are_listed(void **state)
{
    (void)state;
    struct fl_writer *w = start();
    code(w, 0, 0, 64, "f");
    for (uint32_t i = 0; i < 12; i++) {
        stack(w, i, i ? i - 1 : FL_NO_STACK, 0);
        faults(w, i + 1, FL_FAULT_MAJOR, 0, i);
    }
    json_t *result = finish(w), *chain;
    size_t i;
    assert_int_equal(json_array_size(json_object_get(result, "call_chains")), 10);
    json_array_foreach(json_object_get(result, "call_chains"), i, chain)
    {
        uint64_t major;
        assert_true(fl_document_count(chain, "major", &major));
        assert_int_equal(major, 12 - i);
        assert_int_equal(json_array_size(json_object_get(chain, "functions")), 12 - i);
    }
    json_decref(result);
}

static const struct fl_section *section_of(const struct fl_view *view, const char *id)
{
    for (size_t i = 0; i < view->n_sections; i++)
        if (strcmp(view->sections[i].id, id) == 0)
            return &view->sections[i];
    return NULL;
}

static void a_report_shows_functions_and_chains(void **state)
{
    (void)state;
    struct fl_view *view = NULL;
    struct fl_err err = { .msg = "" };
    struct fl_writer *w = usual(3);
    for (uint32_t i = 4; i < 16; i++)
        stack(w, i, i - 1, 2);
    faults(w, 100, FL_FAULT_MINOR, 2, 15);
    json_t *report = report_of(finish(w));
    if (fl_view_new(report, "c", NULL, &view, &err) != FL_OK)
        fail_msg("%s", err.msg);
    const struct fl_section *functions = section_of(view, "functions");
    const struct fl_section *chains = section_of(view, "chains");
    assert_non_null(functions);
    assert_non_null(chains);
    assert_string_equal(chains->heading, "Hot call chains");
    assert_int_equal(chains->table->n_rows, 3);
    assert_string_equal(fl_table_at(chains->table, 0, 0)->text,
                        "helper, called by helper, by helper, by helper, by helper, by helper, "
                        "by helper, by helper, by 7 more");
    assert_string_equal(fl_table_at(chains->table, 1, 0)->text,
                        "[in libx.so], called by helper, by main");
    assert_int_equal(fl_table_at(chains->table, 1, 1)->value, 4);
    assert_int_equal(fl_table_at(chains->table, 1, 2)->value, 1);
    assert_int_equal(fl_table_at(chains->table, 1, 3)->value, 446); /* 5 of 112 */
    assert_string_equal(fl_table_at(functions->table, 0, 0)->text, "helper");
    bool told = false;
    for (size_t i = 0; i < view->n_lines; i++)
        told |= strstr(view->lines[i], "Most faults of one function: helper, 100 (89 %).") != NULL;
    assert_true(told);
    fl_view_free(view);
    json_decref(report);
}

static void a_diff_says_which_function_it_was(void **state)
{
    (void)state;
    struct pair p = compare(report_of(finish(usual(3))), report_of(finish(usual(303))));
    const struct diff_ranking *by = &p.d->results[0].by[DIFF_BY_FUNCTION];
    assert_true(by->there);
    assert_string_equal(by->rows[0].name[DIFF_A], "fill");
    assert_int_equal(by->rows[0].n[DIFF_MINOR][DIFF_A], 5);
    assert_int_equal(by->rows[0].n[DIFF_MINOR][DIFF_B], 305);
    assert_true(by->rows[0].share_bp > 9900);
    done(&p);
}

static void chains_of_any_shape_are_survived(void **state)
{
    (void)state;
    static const char *const lists[] = {
        ",'call_chains':[]",
        ",'call_chains':[{}]",
        ",'call_chains':[{'functions':7,'minor':'x','share_bp':-1}]",
        ",'call_chains':[{'functions':[7,null,'\\u202e<b>'],'minor':9223372036854775807}]",
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct fl_view *view = NULL;
        json_t *report = replay(64, 3, 2, lists[i]);
        assert_int_equal(fl_view_new(report, "c", NULL, &view, NULL), FL_OK);
        fl_view_free(view);
        json_decref(report);
    }
    json_t *doc = replay_doc(64, 3, 2, ",'call_chains':[7]");
    assert_int_equal(fl_document_check(doc, "x", NULL), FL_EFORMAT);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_counted_by_function_and_by_chain),
        cmocka_unit_test(a_trace_without_places_has_neither_list),
        cmocka_unit_test(a_redacted_trace_has_functions_without_names),
        cmocka_unit_test(the_ten_hottest_chains_are_listed),
        cmocka_unit_test(a_report_shows_functions_and_chains),
        cmocka_unit_test(a_diff_says_which_function_it_was),
        cmocka_unit_test(chains_of_any_shape_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
