/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was measured, in charts and reports. The numbers are worked out beside the tests. */
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

#define MIB 1048576

static const char evil[] = "<script>alert(1)</script>'\"`|\\\n*_[x](http://e)&#60;img src=x>@a #1";

/* What a policy says of each of two runs; @oom of them killed, the last ones. */
static json_t *said(int first, int second, int oom, json_t *error)
{
    json_t *o = json_object(), *runs = json_object(), *errors = json_object();
    static const char *const names[] = { "minor", "major", "swap_in", "swap_out" };
    for (size_t i = 0; i < 4; i++) {
        json_object_set_new(o, names[i], json_integer((first + second) / 2));
        json_object_set_new(runs, names[i], json_pack("[i,i]", first, second));
        json_object_set(errors, names[i], error);
    }
    json_object_set_new(o, "oom", json_integer(oom > 1));
    json_object_set_new(runs, "oom", json_pack("[i,i]", oom > 1, oom > 0));
    json_object_set_new(o, "predicted_runs", runs);
    json_object_set_new(o, "error_pct", errors);
    json_decref(error);
    return o;
}

static json_t *outcome(json_t *of, bool agrees)
{
    json_object_set_new(of, "outcome",
                        json_pack("{s:b,s:b}", "agrees", agrees, "comparable", agrees));
    return of;
}

static json_t *limit(int mib, int least, int median, int most, int killed)
{
    json_t *p = json_pack("{s:i,s:{s:[i,i,i]},s:{},s:{}}", "ram_bytes", mib * MIB, "kernel", "oom",
                          killed > 0, killed > 1, killed > 2, "spread", "policies");
    static const char *const names[] = { "minor", "major", "swap_in", "swap_out" };
    for (size_t i = 0; i < 4; i++)
        json_object_set_new(
            json_object_get(p, "spread"), names[i],
            json_pack("{s:i,s:i,s:i}", "min", least, "median", median, "max", most));
    return p;
}

static void says(json_t *point, const char *policy, json_t *what)
{
    json_object_set_new(json_object_get(point, "policies"), policy, what);
}

/*
 * Limits not in order. linux: 1 % and 3 % off, and at 1 MiB it lets live what the kernel killed;
 * lru: 10 %, 20 % and 30 % off.
 */
static json_t *measurement(void)
{
    json_t *high = limit(3, 90, 100, 110, 0), *mid = limit(2, 190, 200, 210, 1);
    json_t *low = limit(1, 300, 300, 300, 3);
    says(high, "lru", said(110, 110, 0, json_real(10)));
    says(high, "linux", said(95, 107, 0, json_real(1)));
    says(mid, "linux", said(190, 900, 1, json_real(-3)));
    says(mid, "lru", said(160, 160, 0, json_integer(-20)));
    says(low, "linux", outcome(said(300, 300, 0, json_null()), false));
    says(low, "lru", outcome(said(390, 390, 2, json_real(30)), true));
    json_t *doc = json_pack("{s:s,s:s,s:s,s:i,s:{s:s,s:s},s:{s:s},s:{s:s},s:[o,o,o],s:[{s:s}]}",
                            "schema", "faultline.validate/1", "command", "./prog 7", "policy",
                            "linux", "runs", 3, "trace", "sha256", "abc", "fidelity", "exact",
                            "host", "kernel", "6.18.1", "swap", "kind", "zram", "points", high, low,
                            mid, "quality", "flag", "damon");
    assert_non_null(doc);
    return doc;
}

static json_t *report_of(json_t *doc)
{
    json_t *report = fl_report_new();
    struct fl_err err = { .msg = "" };
    if (fl_document_check(doc, "x", &err) != FL_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    json_decref(doc);
    return report;
}

static size_t column(const struct fl_table *t, const char *name)
{
    for (size_t c = 0; c < t->n_columns; c++)
        if (strcmp(t->columns[c].name, name) == 0)
            return c;
    fail_msg("no column %s", name);
    return 0;
}

static uint64_t at(const struct fl_table *t, size_t row, const char *name)
{
    const struct fl_cell *cell = fl_table_at(t, row, column(t, name));
    assert_int_equal(cell->unit, FL_UNIT_COUNT);
    return cell->value;
}

static bool is_empty(const struct fl_table *t, size_t row, const char *name)
{
    return fl_table_at(t, row, column(t, name))->unit == FL_UNIT_NONE;
}

static struct fl_table *accuracy(const json_t *report)
{
    struct fl_table *t = NULL;
    struct fl_err err = { .msg = "" };
    if (fl_chart_find("accuracy")->build(report, 0, &t, &err) != FL_OK)
        fail_msg("%s", err.msg);
    return t;
}

static void the_chart_has_the_kernel_with_its_range_and_each_policy(void **state)
{
    (void)state;
    json_t *report = report_of(measurement());
    struct fl_table *t = accuracy(report);
    assert_int_equal(t->n_rows, 3);
    for (size_t r = 0; r < 3; r++) /* rising */
        assert_int_equal(fl_table_at(t, r, 0)->value, (r + 1) * MIB);
    assert_int_equal(at(t, 2, "kernel"), 100);
    assert_int_equal(at(t, 2, "kernel, least"), 90);
    assert_int_equal(at(t, 2, "kernel, most"), 110);
    assert_int_equal(at(t, 2, "linux"), 101);
    assert_int_equal(at(t, 2, "linux, least"), 95);
    assert_int_equal(at(t, 2, "linux, most"), 107);
    assert_int_equal(at(t, 1, "lru"), 160);
    /* lru gives one answer: it has no range. linux comes first, it is judged. */
    assert_int_equal(column(t, "lru"), t->n_columns - 1);
    assert_true(column(t, "linux") < column(t, "lru"));
    assert_int_equal(t->columns[column(t, "kernel")].role, FL_ROLE_POINTS);
    assert_int_equal(t->columns[column(t, "linux, most")].role, FL_ROLE_HIGH);
    assert_string_equal(t->title, "linux is 2.0 % off the kernel's major faults, lru 20 % (median "
                                  "of 2 of 3 limits; wrong about kills at 1 of them)");
    assert_non_null(strstr(t->footer, "Linux 6.18.1, swap zram, 3 runs a limit"));
    assert_non_null(strstr(t->footer, "quality: damon"));
    fl_table_free(t);
    json_decref(report);
}

static void kills_are_marked_and_only_like_runs_compared(void **state)
{
    (void)state;
    json_t *report = report_of(measurement());
    struct fl_table *t = accuracy(report);
    /* One of three was killed at 2 MiB, all at 1 MiB. */
    assert_int_equal(at(t, 0, "kernel kills"), 300);
    assert_int_equal(at(t, 1, "kernel kills"), 200);
    assert_true(is_empty(t, 2, "kernel kills"));
    assert_int_equal(t->columns[column(t, "kernel kills")].role, FL_ROLE_CROSS);
    assert_true(is_empty(t, 0, "linux"));            /* it says that nobody is killed */
    assert_int_equal(at(t, 1, "linux, least"), 190); /* the 900 is of a run it says is killed */
    assert_int_equal(at(t, 1, "linux, most"), 545);  /* the median it gave */
    fl_table_free(t);
    json_decref(report);
}

static void another_count_can_be_asked_for(void **state)
{
    (void)state;
    json_t *report = report_of(measurement());
    const struct fl_chart *chart = fl_chart_find("accuracy");
    struct fl_table *t = NULL;
    assert_int_equal(chart->build_count(report, 0, "swap_in", &t, NULL), FL_OK);
    assert_non_null(strstr(t->title, "pages swapped in"));
    assert_string_equal(t->y_name, "pages swapped in");
    fl_table_free(t);
    assert_int_equal(chart->build_count(report, 0, "oom", &t, NULL), FL_EUSAGE);
    assert_int_equal(chart->build(report, 1, &t, NULL), FL_EDATA);
    assert_int_equal(fl_chart_times(chart, report), 1);
    json_decref(report);
}

static void no_fault_at_all_is_said_so(void **state)
{
    (void)state;
    json_t *doc = measurement(), *points = json_array(), *p = limit(4, 0, 0, 0, 0);
    says(p, "linux", said(0, 0, 0, json_real(0)));
    json_array_append_new(points, p);
    json_object_set_new(doc, "points", points);
    json_t *report = report_of(doc);
    struct fl_table *t = accuracy(report);
    assert_string_equal(t->title, "The kernel had no major faults at any of 1 limits");
    fl_table_free(t);
    json_decref(report);
}

static void wrong_types_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path[4], *says;
    } cases[] = {
        { { "policy" }, "policy" },
        { { "points" }, "points" },
        { { "swap" }, "swap" },
        { { "quality" }, "quality" },
        { { "points", "ram_bytes" }, "point 0" },
        { { "points", "spread" }, "spread" },
        { { "points", "spread", "major" }, "point 0" },
        { { "points", "spread", "major", "min" }, "min" },
        { { "points", "kernel", "oom" }, "oom" },
        { { "points", "policies", "linux" }, "point 0" },
        { { "points", "policies", "linux", "major" }, "major" },
        { { "points", "policies", "linux", "error_pct" }, "error_pct" },
        { { "points", "policies", "linux", "predicted_runs" }, "predicted_runs" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *doc = measurement(), *in = doc;
        struct fl_err err = { .msg = "" };
        size_t k = 0;
        for (; k < 3 && cases[i].path[k + 1]; k++) {
            in = json_object_get(in, cases[i].path[k]);
            if (json_is_array(in))
                in = json_array_get(in, 0);
        }
        assert_int_equal(json_object_set_new(in, cases[i].path[k], json_true()), 0);
        if (fl_document_check(doc, "x", &err) != FL_EFORMAT || !strstr(err.msg, cases[i].says))
            fail_msg("case %zu: \"%s\" lacks %s", i, err.msg, cases[i].says);
        json_decref(doc);
    }
}

static void a_report_keeps_it_and_can_be_read_again(void **state)
{
    (void)state;
    json_t *report = report_of(measurement()), *again = fl_report_new();
    assert_int_equal(fl_report_validations(report), 1);
    assert_string_equal(fl_document_text(fl_report_validation(report, 0), "label"), "./prog 7");
    assert_int_equal(fl_document_check(report, "x", NULL), FL_OK);
    assert_int_equal(fl_report_add(again, report, NULL), FL_OK);
    assert_true(json_equal(again, report));
    json_object_set_new(json_array_get(json_object_get(again, "validations"), 0), "policy",
                        json_null());
    assert_int_equal(fl_document_check(again, "x", NULL), FL_EFORMAT);
    json_decref(again);
    json_decref(report);
}

/* ---- pages ---------------------------------------------------------------------------- */

static const struct fl_section *section(const struct fl_view *view, const char *id)
{
    for (size_t i = 0; i < view->n_sections; i++)
        if (strcmp(view->sections[i].id, id) == 0)
            return &view->sections[i];
    fail_msg("no section %s", id);
    return NULL;
}

static const char *text_at(const struct fl_table *t, size_t row, size_t col)
{
    const char *text = fl_table_at(t, row, col)->text;
    return text ? text : "";
}

static void the_sections_say_how_far_off_each_policy_is(void **state)
{
    (void)state;
    json_t *report = report_of(measurement());
    struct fl_view *view = NULL;
    assert_int_equal(fl_view_new(report, "x", NULL, &view, NULL), FL_OK);
    assert_non_null(strstr(view->verdict, "linux is 2.0 % off the kernel's major faults"));
    const struct fl_table *sum = section(view, "against-kernel")->table;
    assert_string_equal(text_at(sum, 0, 0), "linux");
    assert_string_equal(text_at(sum, 0, 1), "2.0 %, worst 3.0 %, of 2 limits");
    assert_string_equal(text_at(sum, 0, 5), "1 of 3 limits");
    assert_string_equal(text_at(sum, 1, 1), "20 %, worst 30 %");
    assert_string_equal(text_at(sum, 1, 5), "0 of 3 limits");
    const struct fl_table *all = section(view, "limits")->table;
    /* Per limit four counts, and how many were killed where any was: at 1 and 2 MiB. */
    assert_int_equal(all->n_rows, 3 * 4 + 2);
    assert_string_equal(text_at(all, 0, 1), "major faults");
    assert_string_equal(text_at(all, 0, 3), "ends otherwise");
    assert_string_equal(text_at(all, 0, 4), "-");
    assert_string_equal(text_at(all, 4, 2), "3 of 3 runs");
    assert_string_equal(text_at(all, 4, 4), "differs");
    assert_string_equal(text_at(all, 4, 6), "agrees");
    assert_string_equal(text_at(all, 10, 2), "100 [90 .. 110]");
    assert_string_equal(text_at(all, 10, 3), "101 [95 .. 107]");
    assert_string_equal(text_at(all, 10, 4), "+1.0 %");
    assert_int_equal(view->n_charts, 1);
    assert_string_equal(view->charts[0].section, "against-kernel");
    fl_view_free(view);
    json_decref(report);
}

static size_t elements(const xmlNode *node, const char *name)
{
    size_t n = 0;
    for (; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE)
            n += (strcmp((const char *)node->name, name) == 0) + elements(node->children, name);
    return n;
}

static void hostile_names_stay_text(void **state)
{
    (void)state;
    json_t *doc = measurement(), *points = json_object_get(doc, "points"), *p;
    char *page = NULL, *md = NULL;
    size_t i, len, md_len;
    json_array_foreach(points, i, p) says(p, evil, said(1, 2, 1, json_real(1e300)));
    json_object_set_new(doc, "command", json_string(evil));
    json_object_set_new(json_object_get(doc, "host"), "kernel", json_string(evil));
    json_object_set_new(json_object_get(doc, "swap"), "kind", json_string(evil));
    json_t *report = report_of(doc);
    struct fl_view *view = NULL;
    assert_int_equal(fl_view_new(report, evil, NULL, &view, NULL), FL_OK);
    FILE *out = open_memstream(&page, &len);
    assert_int_equal(fl_report_html(view, out, NULL), FL_OK);
    fclose(out);
    xmlDoc *xml = xmlReadMemory(page, (int)len, NULL, NULL, XML_PARSE_NONET);
    assert_non_null(xml);
    assert_int_equal(elements(xmlDocGetRootElement(xml), "script"), 1); /* its own */
    assert_int_equal(elements(xmlDocGetRootElement(xml), "img"), 0);
    xmlFreeDoc(xml);
    out = open_memstream(&md, &md_len);
    assert_int_equal(fl_report_md(view, out, NULL), FL_OK);
    fclose(out);
    *strstr(md, "```sh") = '\0';
    assert_null(strchr(md, '<'));
    assert_null(strchr(md, '@'));
    free(page);
    free(md);
    fl_view_free(view);
    json_decref(report);
}

/* ---- the curve --------------------------------------------------------------------------- */

static json_t *sweep(const char *sha, const char *command, const char *policy)
{
    return json_pack("{s:s,s:{s:s,s:{s:s}},s:[{s:i,s:s,s:i,s:i},{s:i,s:s,s:i,s:i}]}", "schema",
                     "faultline.sweep/1", "trace", "sha256", sha, "recorded", "command.argv",
                     command, "points", "ram_bytes", MIB, "policy", policy, "minor", 9, "major",
                     280, "ram_bytes", 4 * MIB, "policy", policy, "minor", 9, "major", 0);
}

static struct fl_table *curve(const char *sha, const char *command)
{
    json_t *report = report_of(measurement()), *doc = sweep(sha, command, "lru");
    struct fl_table *t = NULL;
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    assert_int_equal(fl_chart_find("curve")->build(report, 0, &t, NULL), FL_OK);
    json_decref(doc);
    json_decref(report);
    return t;
}

static void the_curve_has_the_kernels_points_of_the_same_program(void **state)
{
    (void)state;
    static const char *const same[][2] = { { "abc", "other" }, { "def", "./prog 7" } };
    for (size_t i = 0; i < 2; i++) {
        struct fl_table *t = curve(same[i][0], same[i][1]);
        assert_int_equal(t->n_rows, 4); /* 1 and 4 MiB of the sweep, 1, 2 and 3 measured */
        assert_int_equal(at(t, 1, "kernel"), 200);
        assert_int_equal(at(t, 2, "kernel, least"), 90);
        assert_int_equal(at(t, 2, "kernel, most"), 110);
        assert_string_equal(text_at(t, 0, column(t, "kernel")), "killed");
        assert_true(is_empty(t, 3, "kernel"));
        assert_true(is_empty(t, 1, "lru"));
        /* The finding is of the one curve. */
        assert_string_equal(t->title, "Major faults vanish at 4.0 MiB");
        fl_table_free(t);
    }
    struct fl_table *t = curve("def", "other");
    assert_int_equal(t->n_columns, 2);
    assert_int_equal(t->n_rows, 2);
    fl_table_free(t);
}

/* ---- policy linux beside another ------------------------------------------------------------ */

static json_t *result(const char *policy)
{
    return json_pack("{s:s,s:{s:s,s:s,s:s},s:{s:i,s:s},s:{s:i,s:i}}", "schema",
                     "faultline.replay/1", "trace", "path", "/t/a.flt", "sha256", "abc", "fidelity",
                     "exact", "machine", "ram_bytes", MIB, "policy", policy, "faults", "minor", 5,
                     "major", 300);
}

static bool says_line(const struct fl_view *view, const char *text)
{
    for (size_t i = 0; i < view->n_lines; i++)
        if (strstr(view->lines[i], text))
            return true;
    return false;
}

static struct fl_view *view_with(const char *of, const char *swept)
{
    json_t *report = report_of(result(of)), *doc = sweep("abc", "./prog 7", swept);
    struct fl_view *view = NULL;
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    assert_int_equal(fl_view_new(report, "x", NULL, &view, NULL), FL_OK);
    json_decref(doc);
    json_decref(report);
    return view;
}

static void linux_is_told_beside_another_policy(void **state)
{
    (void)state;
    struct fl_view *view = view_with("lru", "linux");
    assert_true(says_line(view, "Policy linux at 1.0 MiB of RAM: 9 minor, 280 major."));
    fl_view_free(view);
    view = view_with("linux", "linux");
    assert_false(says_line(view, "Policy linux at"));
    fl_view_free(view);
}

static void a_verdict_takes_its_end_from_its_own_policys_curve(void **state)
{
    (void)state;
    struct fl_view *view = view_with("linux", "linux");
    assert_non_null(strstr(view->verdict, "from 4.0 MiB on there would be none"));
    fl_view_free(view);
    view = view_with("linux", "lru");
    assert_null(strstr(view->verdict, "there would be none"));
    assert_true(says_line(view, "Major faults end (lru)"));
    fl_view_free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chart_has_the_kernel_with_its_range_and_each_policy),
        cmocka_unit_test(kills_are_marked_and_only_like_runs_compared),
        cmocka_unit_test(another_count_can_be_asked_for),
        cmocka_unit_test(no_fault_at_all_is_said_so),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(a_report_keeps_it_and_can_be_read_again),
        cmocka_unit_test(the_sections_say_how_far_off_each_policy_is),
        cmocka_unit_test(hostile_names_stay_text),
        cmocka_unit_test(the_curve_has_the_kernels_points_of_the_same_program),
        cmocka_unit_test(linux_is_told_beside_another_policy),
        cmocka_unit_test(a_verdict_takes_its_end_from_its_own_policys_curve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
