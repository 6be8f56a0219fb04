/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pages: whatever a program is called, it stays text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include <faultline/report.h>

#include "svg_inline.h"

static const char evil[] = "<script>alert(1)</script>'\"`|\\\n*_[x](http://e)&#60;img src=x>@a #1";

/* A result whose every name is hostile. */
static json_t *hostile_report(void)
{
    json_t *report = fl_report_new();
    json_t *doc = json_pack("{s:s, s:{s:s, s:s, s:I, s:{s:s}}, s:{s:I, s:s}, s:{s:I, s:I, s:{s:I}},"
                            " s:{s:[{s:s, s:I}]}, s:[{s:s, s:s, s:s}], s:[{s:s, s:I}]}",
                            "schema", "faultline.replay/1", "trace", "path", evil, "fidelity", evil,
                            "peak_resident_pages", (json_int_t)100, "recorded", "command.argv",
                            evil, "machine", "ram_bytes", (json_int_t)409600, "policy", evil,
                            "faults", "minor", (json_int_t)5, "major", (json_int_t)7, "by_cause",
                            evil, (json_int_t)12, "oom", "kills", "comm", evil, "pid",
                            (json_int_t)3, "quality", "flag", evil, "detail", evil, "remedy", evil,
                            "by_mapping", "mapping", evil, "minor", (json_int_t)4);
    assert_non_null(doc);
    assert_int_equal(fl_document_check(doc, "x", NULL), FL_OK);
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    json_decref(doc);
    return report;
}

static char *written(const struct fl_view *view,
                     int (*write)(const struct fl_view *, FILE *, struct fl_err *), size_t *len)
{
    static char *text; /* static: gcc 12 takes a local for dangling */
    FILE *out = open_memstream(&text, len);
    assert_int_equal(write(view, out, NULL), FL_OK);
    fclose(out);
    return text;
}

static struct fl_view *view_of(const json_t *report)
{
    struct fl_view *view = NULL;
    struct fl_err err = { .msg = "" };
    if (fl_view_new(report, evil, evil, &view, &err) != FL_OK)
        fail_msg("%s", err.msg);
    return view;
}

/* How many elements called @name there are below @node. */
static size_t elements(const xmlNode *node, const char *name)
{
    size_t n = 0;
    for (; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE)
            n += (strcmp((const char *)node->name, name) == 0) + elements(node->children, name);
    return n;
}

static void hostile_names_stay_text_in_html(void **state)
{
    (void)state;
    json_t *report = hostile_report();
    struct fl_view *view = view_of(report);
    size_t len;
    char *page = written(view, fl_report_html, &len);
    xmlDoc *doc = xmlReadMemory(page, (int)len, NULL, NULL, XML_PARSE_NONET);
    assert_non_null(doc);                                               /* well-formed */
    assert_int_equal(elements(xmlDocGetRootElement(doc), "script"), 1); /* the page's own */
    assert_int_equal(elements(xmlDocGetRootElement(doc), "img"), 0);
    for (const char *p = page; (p = strstr(p, "<a ")); p++)
        if (!strstr(p, " href=\"#") || strstr(p, " href=\"#") > strchr(p, '>'))
            fail_msg("a link out of the page: %.80s", p);
    assert_int_equal(elements(xmlDocGetRootElement(doc), "h1"), 1);
    assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_int_equal(strncmp(page, "<!DOCTYPE html>", 15), 0);
    xmlFreeDoc(doc);
    free(page);
    fl_view_free(view);
    json_decref(report);
}

static void hostile_names_stay_text_in_markdown(void **state)
{
    (void)state;
    json_t *report = hostile_report();
    struct fl_view *view = view_of(report);
    size_t len;
    char *md = written(view, fl_report_md, &len), *fence = strstr(md, "```sh");
    assert_non_null(fence);
    *fence = '\0'; /* behind it everything is code */
    assert_null(strchr(md, '<'));
    assert_null(strchr(md, '@'));
    assert_null(strstr(md, "http://"));
    for (const char *p = md; (p = strchr(p, '`')); p++)
        assert_int_equal(p[-1], '\\');
    /* Each row of a table has as many bars as its head. */
    const char *head = strstr(md, "| Killed");
    size_t bars = 0, row_bars = 0;
    assert_non_null(head);
    for (const char *p = head; *p != '\n'; p++)
        bars += *p == '|';
    const char *row = strchr(strchr(head, '\n') + 1, '\n') + 1;
    for (const char *p = row; *p != '\n'; p++)
        row_bars += *p == '|';
    assert_int_equal(bars, row_bars);
    free(md);
    fl_view_free(view);
    json_decref(report);
}

static void the_verdict_says_the_worst_first(void **state)
{
    (void)state;
    json_t *report = fl_report_new(),
           *doc = json_pack("{s:s, s:{s:s, s:s, s:I}, s:{s:I, s:s}, s:{s:I, s:I}}", "schema",
                            "faultline.replay/1", "trace", "path", "/t/cc1.flt", "fidelity",
                            "exact", "accesses", (json_int_t)4000000, "machine", "ram_bytes",
                            (json_int_t)2097152, "policy", "lru", "faults", "minor", (json_int_t)5,
                            "major", (json_int_t)2000);
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    struct fl_view *view = view_of(report);
    assert_string_equal(view->verdict, "In 2.0 MiB of RAM, cc1.flt takes 2,000 major faults under "
                                       "lru, 500 per million accesses.");
    fl_view_free(view);
    json_object_set_new(doc, "oom", json_pack("{s:[{s:s}]}", "kills", "comm", "cc1"));
    json_decref(report);
    report = fl_report_new();
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    view = view_of(report);
    assert_non_null(strstr(view->verdict, "kills cc1"));
    fl_view_free(view);
    json_decref(doc);
    json_decref(report);
}

/* The killed run's two faults are fewer than the others', and no merit. */
static void a_killed_run_is_not_the_one_with_the_fewest_faults(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        int major;
        bool killed;
    } runs[] = { { "dies", 2, true }, { "good", 30, false }, { "bad", 400, false } };
    json_t *report = fl_report_new();
    struct fl_view *view;
    for (size_t i = 0; i < 4; i++) {
        json_t *kills = json_array(), *doc;
        if (runs[i % 3].killed)
            json_array_append_new(kills, json_pack("{s:s}", "comm", "cc1"));
        doc = json_pack("{s:s, s:{s:s, s:s}, s:{s:i, s:i}, s:{s:o}}", "schema",
                        "faultline.replay/1", "trace", "path", runs[i % 3].label, "fidelity",
                        "exact", "faults", "minor", 5, "major", runs[i % 3].major, "oom", "kills",
                        kills);
        assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
        json_decref(doc);
    }
    view = view_of(report);
    assert_non_null(strstr(view->verdict, "In 2 of 4 results a process is killed; of the rest"));
    assert_non_null(strstr(view->verdict, "good"));
    assert_non_null(strstr(view->verdict, "has the fewest major faults, 30."));
    fl_view_free(view);
    json_decref(report);
}

static void an_empty_report_is_refused(void **state)
{
    (void)state;
    json_t *report = fl_report_new();
    struct fl_view *view = NULL;
    assert_int_equal(fl_view_new(report, "x", NULL, &view, NULL), FL_EDATA);
    json_decref(report);
}

static void inlined_pictures_have_ids_of_their_own_and_no_scripts(void **state)
{
    (void)state;
    static const char svg[] =
        "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' "
        "xmlns:xlink='http://www.w3.org/1999/xlink' width='9' viewBox='0 0 9 9'><title>x</title>"
        "<script>alert(1)</script><g id='dot' onclick='x()' fill='#00ff00'/>"
        "<use xlink:href='#dot' clip-path='url(#clip)'/>"
        "<image xlink:href='data:image/png;base64,iVBORw0KGgo='/>"
        "<image xlink:href='data:image/svg+xml;base64,PHN2Zz4='/>"
        "<image href='http://example.org/x.png'/>"
        "<image href='data:image/png;base64,\"&gt;&lt;x'/></svg>";
    char *out = NULL;
    assert_int_equal(svg_inline(svg, sizeof svg - 1, "p", "wide", "a \"label\"", &out, NULL),
                     FL_OK);
    assert_non_null(strstr(out, "id=\"p-dot\""));
    assert_non_null(strstr(out, "xlink:href=\"#p-dot\""));
    assert_non_null(strstr(out, "url(#p-clip)"));
    assert_non_null(strstr(out, "fill=\"#00ff00\""));
    assert_non_null(strstr(out, "aria-label=\"a &quot;label&quot;\""));
    assert_non_null(strstr(out, "xlink:href=\"data:image/png;base64,iVBORw0KGgo=\""));
    assert_null(strstr(out, "svg+xml")); /* a picture is a PNG in the file itself, or none */
    assert_null(strstr(out, "example.org"));
    assert_null(strstr(out, "&lt;x"));
    assert_null(strstr(out, "script"));
    assert_null(strstr(out, "onclick"));
    assert_null(strstr(out, "width="));
    assert_null(strstr(out, "<title"));
    free(out);
    assert_int_equal(svg_inline("<p/>", 4, "p", "c", "l", &out, NULL), FL_EFORMAT);
    assert_int_equal(svg_inline("", 0, "p", "c", "l", &out, NULL), FL_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_names_stay_text_in_html),
        cmocka_unit_test(hostile_names_stay_text_in_markdown),
        cmocka_unit_test(the_verdict_says_the_worst_first),
        cmocka_unit_test(a_killed_run_is_not_the_one_with_the_fewest_faults),
        cmocka_unit_test(an_empty_report_is_refused),
        cmocka_unit_test(inlined_pictures_have_ids_of_their_own_and_no_scripts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
