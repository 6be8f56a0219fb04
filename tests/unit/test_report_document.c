/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Result documents: what is let in, what is refused, and how they are put together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/report.h>

#define GOOD                                                                         \
    "{'schema':'faultline.replay/1','trace':{'path':'/t/a.flt','fidelity':'exact'}," \
    "'machine':{'ram_bytes':1048576,'policy':'lru'},'faults':{'minor':5,'major':2}"

/* JSON with single quotes, to be readable here. */
static json_t *parse(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *doc = json_loads(copy, 0, NULL);
    free(copy);
    assert_non_null(doc);
    return doc;
}

static void refused(const char *text, int code, const char *says)
{
    struct fl_err err = { .msg = "" };
    json_t *doc = parse(text);
    int rc = fl_document_check(doc, "x.json", &err);
    if (rc != code || !strstr(err.msg, says) || strchr(err.msg, '\n'))
        fail_msg("%s: got %d \"%s\", want %d with \"%s\"", text, rc, err.msg, code, says);
    json_decref(doc);
}

static void a_replay_with_the_needed_keys_is_accepted(void **state)
{
    (void)state;
    json_t *doc = parse(GOOD "}");
    assert_int_equal(fl_document_check(doc, "x", NULL), FL_OK);
    json_decref(doc);
}

static void what_is_no_result_is_refused_with_its_reason(void **state)
{
    (void)state;
    refused("{}", FL_EFORMAT, "schema");
    refused("[1]", FL_EFORMAT, "schema");
    refused("{'schema':7}", FL_EFORMAT, "schema");
    refused("{'schema':'other/1'}", FL_EFORMAT, "other/1");
    refused("{'schema':'faultline.replay/9'}", FL_EVERSION, "faultline.replay/9");
    refused("{'schema':'faultline.replay/1'}", FL_EFORMAT, "trace");
    refused("{'schema':'faultline.sweep/1'}", FL_EFORMAT, "points");
    refused("{'schema':'faultline.report/1','results':{}}", FL_EFORMAT, "results");
    refused("{'schema':'faultline.report/1','results':[3]}", FL_EFORMAT, "object");
}

static void wrong_types_are_refused_wherever_they_are(void **state)
{
    (void)state;
    refused("{'schema':'faultline.replay/1','trace':{'fidelity':'exact'},"
            "'faults':{'minor':-1,'major':0}}",
            FL_EFORMAT, "faults.minor");
    refused(GOOD ",'swap':[]}", FL_EFORMAT, "swap");
    refused(GOOD ",'tlb':{'levels':[1]}}", FL_EFORMAT, "tlb.levels");
    refused(GOOD ",'quality':['bad']}", FL_EFORMAT, "quality");
    refused(GOOD ",'timeline':{'columns':['access','minor'],'rows':[[1]]}}", FL_EFORMAT, "row 0");
    refused(GOOD ",'timeline':{'columns':['access'],'rows':[[1.5]]}}", FL_EFORMAT, "column 0");
    refused(GOOD ",'timeline':{'columns':'access','rows':[]}}", FL_EFORMAT, "timeline");
    refused("{'schema':'faultline.sweep/1','points':[{'ram_bytes':'lots','policy':'lru',"
            "'minor':1,'major':1}]}",
            FL_EFORMAT, "ram_bytes");
}

static void accessors_survive_any_type(void **state)
{
    (void)state;
    json_t *doc = parse("{'a':{'b':-3,'c':'x','d':[{'e':1}]},'f':4}");
    uint64_t n = 99;
    assert_false(fl_document_count(doc, "a.b", &n));
    assert_false(fl_document_count(doc, "a.c", &n));
    assert_false(fl_document_count(doc, "a.d.e", &n));
    assert_false(fl_document_count(doc, "f.g.h", &n));
    assert_int_equal(n, 99);
    assert_true(fl_document_count(doc, "f", &n));
    assert_int_equal(n, 4);
    assert_null(fl_document_text(doc, "f"));
    assert_string_equal(fl_document_text(doc, "a.c"), "x");
    assert_null(fl_document_at(NULL, "a"));
    json_decref(doc);
}

static void results_of_one_trace_get_labels_of_their_own(void **state)
{
    (void)state;
    json_t *report = fl_report_new(), *doc = parse(GOOD "}");
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    assert_int_equal(fl_report_results(report), 2);
    assert_string_equal(fl_document_text(fl_report_result(report, 0), "label"),
                        "a.flt, 1.0 MiB, lru");
    assert_string_equal(fl_document_text(fl_report_result(report, 1), "label"),
                        "a.flt, 1.0 MiB, lru #2");
    assert_string_equal(fl_document_text(fl_report_result(report, 0), "source"), "model");
    assert_null(fl_report_result(report, 2));
    /* The whole is a document too, and adding it brings everything along. */
    assert_int_equal(fl_document_check(report, "x", NULL), FL_OK);
    json_t *again = fl_report_new();
    assert_int_equal(fl_report_add(again, report, NULL), FL_OK);
    assert_true(json_equal(again, report));
    json_decref(again);
    json_decref(report);
    json_decref(doc);
}

/* Cut a good file at every length: each is refused or read, none is a crash. */
static void cut_files_are_refused_in_one_line(void **state)
{
    (void)state;
    char path[] = "/tmp/fl_doc_XXXXXX", *text = strdup(GOOD "}");
    size_t len = strlen(text);
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t n = 0; n <= len; n++) {
        struct fl_err err = { .msg = "" };
        json_t *doc = NULL;
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, text, n, 0), (ssize_t)n);
        int rc = fl_document_load(path, &doc, &err);
        assert_int_equal(rc, n == len ? FL_OK : FL_EFORMAT);
        assert_null(strchr(err.msg, '\n'));
        json_decref(doc);
    }
    close(fd);
    unlink(path);
    free(text);
    assert_int_equal(fl_document_load("/dev/zero", &(json_t *){ NULL }, NULL), FL_EFORMAT);
    assert_int_equal(fl_document_load("/nonexistent", &(json_t *){ NULL }, NULL), FL_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replay_with_the_needed_keys_is_accepted),
        cmocka_unit_test(what_is_no_result_is_refused_with_its_reason),
        cmocka_unit_test(wrong_types_are_refused_wherever_they_are),
        cmocka_unit_test(accessors_survive_any_type),
        cmocka_unit_test(results_of_one_trace_get_labels_of_their_own),
        cmocka_unit_test(cut_files_are_refused_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
