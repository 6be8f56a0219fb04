/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables, cleaned text, and charts drawn from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxml/parser.h>

#include <faultline/plot.h>
#include <faultline/units.h>

static void cleans_to(const char *raw, size_t max, const char *want)
{
    char *clean = fl_text_clean(raw, max);
    assert_string_equal(clean, want);
    free(clean);
}

static void text_is_cleaned_to_one_line_of_utf8(void **state)
{
    (void)state;
    cleans_to("plain <b>&'\"`\\", 0, "plain <b>&'\"`\\");
    cleans_to(NULL, 0, "");
    cleans_to("a\nb\tc\x7f", 0,
              "a\xE2\x90\x8A"
              "b\xE2\x90\x89"
              "c\xE2\x90\xA1");
    cleans_to("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 0, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    cleans_to("x\xFFy", 0, "x\xEF\xBF\xBDy");                             /* no UTF-8 at all */
    cleans_to("\xC0\xAF", 0, "\xEF\xBF\xBD\xEF\xBF\xBD");                 /* overlong slash */
    cleans_to("\xED\xA0\x80", 0, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* surrogate */
    cleans_to("\xE2\x82", 0, "\xEF\xBF\xBD\xEF\xBF\xBD");                 /* cut short */
    cleans_to("\xE2\x80\xAE"
              "gpj",
              0, "\xEF\xBF\xBDgpj");              /* right-to-left override */
    cleans_to("a\xD8\x9C", 0, "a\xEF\xBF\xBD");   /* Arabic letter mark */
    cleans_to("\xEF\xBF\xBF", 0, "\xEF\xBF\xBD"); /* U+FFFF: not XML */
    cleans_to("abcdef", 3, "abc\xE2\x80\xA6");
    cleans_to("ab\xE2\x82\xAC", 3, "ab\xE2\x80\xA6"); /* cut within a character */
}

static void formats_to(enum fl_unit unit, uint64_t value, const char *want)
{
    struct fl_cell cell = { .unit = unit, .value = value };
    char *text = fl_cell_format(&cell);
    assert_string_equal(text, want);
    free(text);
}

static void cells_are_written_with_their_units(void **state)
{
    (void)state;
    formats_to(FL_UNIT_NONE, 5, "");
    formats_to(FL_UNIT_COUNT, 1234567, "1,234,567");
    formats_to(FL_UNIT_BYTES, 1048576, "1.0 MiB");
    formats_to(FL_UNIT_BYTES, FL_SIZE_MAX_BYTES, "unlimited");
    formats_to(FL_UNIT_BP, 1203, "12.03 %");
    formats_to(FL_UNIT_NS, 2500000000u, "2.50 s");
    formats_to(FL_UNIT_NS, 1200000, "1.2 ms");
    formats_to(FL_UNIT_NS, 1500, "1.5 us");
}

static void cells_outside_a_table_are_empty_and_ignored(void **state)
{
    (void)state;
    struct fl_table *t = fl_table_new("t");
    fl_table_column(t, "a", FL_UNIT_COUNT, 0);
    fl_table_row(t);
    fl_table_put(t, 0, 0, 7);
    fl_table_put(t, 1, 0, 8);
    fl_table_put(t, 0, 1, 9);
    fl_table_text(t, 5, 5, "x");
    fl_table_column(t, "late", FL_UNIT_COUNT, 0); /* after a row: refused */
    assert_int_equal(t->n_columns, 1);
    assert_int_equal(fl_table_at(t, 0, 0)->value, 7);
    assert_int_equal(fl_table_at(t, 1, 0)->unit, FL_UNIT_NONE);
    assert_int_equal(fl_table_max(t, 0), 7);
    assert_int_equal(fl_table_ok(t, NULL), FL_OK);
    assert_int_equal(fl_table_ok(NULL, NULL), FL_ENOMEM);
    fl_table_free(t);
    fl_table_free(NULL);
}

/* ---- drawing, where there is a gnuplot -------------------------------------------- */

static const char evil[] =
    "'; system('touch evil-was-run') #`touch evil-was-run`\n]]><script>&\"\\@x";

static struct fl_table *small_curve(void)
{
    struct fl_table *t = fl_table_new("curve");
    fl_table_column(t, "RAM", FL_UNIT_BYTES, 0);
    fl_table_column(t, evil, FL_UNIT_COUNT, 0);
    fl_table_column(t, "opt", FL_UNIT_COUNT, 0);
    for (uint64_t i = 1; i <= 5; i++) {
        size_t row = fl_table_row(t);
        fl_table_put(t, row, 0, i << 20);
        fl_table_put(t, row, 1, 1000 / i);
        if (i != 3)
            fl_table_put(t, row, 2, 500 / i);
    }
    fl_table_label(t, &t->title, "%s", evil);
    fl_table_label(t, &t->footer, "%s", evil);
    fl_table_label(t, &t->x_name, "%s", evil);
    fl_table_label(t, &t->y_name, "faults");
    fl_table_mark(t, 'x', 2 << 20, evil);
    return t;
}

static int needs_gnuplot(void)
{
    if (fl_plot_available())
        return 1;
    print_message("skipped: gnuplot is not installed\n");
    return 0;
}

static void hostile_names_stay_text_in_a_chart(void **state)
{
    (void)state;
    if (!needs_gnuplot())
        skip();
    struct fl_table *t = small_curve();
    struct fl_plot_opts opts = { .format = FL_PLOT_SVG, .id = "evil\"><x" };
    char *svg = NULL, *again = NULL;
    size_t len = 0, len_again = 0;
    struct fl_err err = { .msg = "" };
    if (fl_plot_render(t, &opts, &svg, &len, &err) != FL_OK)
        fail_msg("%s", err.msg);
    xmlDoc *doc = xmlReadMemory(svg, (int)len, NULL, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    xmlFreeDoc(doc);
    assert_null(strstr(svg, "<script"));
    assert_non_null(strstr(svg, "touch evil-was-run")); /* shown, in the title */
    assert_int_not_equal(access("evil-was-run", F_OK), 0);
    assert_int_equal(fl_plot_render(t, &opts, &again, &len_again, NULL), FL_OK);
    assert_int_equal(len, len_again);
    assert_memory_equal(svg, again, len);
    free(svg);
    free(again);
    fl_table_free(t);
}

static void a_terminal_gets_characters(void **state)
{
    (void)state;
    if (!needs_gnuplot())
        skip();
    struct fl_table *t = small_curve();
    struct fl_plot_opts opts = { .format = FL_PLOT_TERM };
    char *text = NULL;
    size_t len = 0;
    struct fl_err err = { .msg = "" };
    if (fl_plot_render(t, &opts, &text, &len, &err) != FL_OK)
        fail_msg("%s", err.msg);
    assert_non_null(strstr(text, "system("));
    assert_null(strchr(text, '\033'));
    free(text);
    fl_table_free(t);
}

static void without_gnuplot_the_remedy_is_named(void **state)
{
    (void)state;
    struct fl_table *t = small_curve();
    struct fl_plot_opts opts = { .format = FL_PLOT_SVG };
    struct fl_err err = { .msg = "" };
    char *path = strdup(getenv("PATH")), *svg = NULL;
    size_t len;
    setenv("PATH", "/nonexistent", 1);
    assert_false(fl_plot_available());
    assert_int_equal(fl_plot_render(t, &opts, &svg, &len, &err), FL_EMACHINE);
    assert_non_null(strstr(err.msg, "gnuplot-nox"));
    setenv("PATH", path, 1);
    free(path);
    fl_table_free(t);
}

static void a_chart_without_script_or_rows_is_refused(void **state)
{
    (void)state;
    struct fl_plot_opts opts = { .format = FL_PLOT_SVG };
    struct fl_table *t = fl_table_new("../../etc/passwd");
    char *svg = NULL;
    size_t len;
    fl_table_column(t, "x", FL_UNIT_COUNT, 0);
    fl_table_column(t, "y", FL_UNIT_COUNT, 0);
    assert_int_equal(fl_plot_render(t, &opts, &svg, &len, NULL), FL_EDATA);
    fl_table_row(t);
    fl_table_put(t, 0, 0, 1);
    fl_table_text(t, 0, 1, "killed");
    assert_int_equal(fl_plot_render(t, &opts, &svg, &len, NULL), FL_EDATA);
    fl_table_put(t, 0, 1, 1);
    assert_int_equal(fl_plot_render(t, &opts, &svg, &len, NULL), FL_EMACHINE);
    fl_table_free(t);
}

/* The scripts lie in share/ of the build folder, some levels above this program. */
static int find_scripts(void **state)
{
    char exe[PATH_MAX], share[PATH_MAX + 64];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    (void)state;
    if (len <= 0 || getenv("FAULTLINE_SHARE"))
        return 0;
    exe[len] = '\0';
    for (char *slash; (slash = strrchr(exe, '/')); *slash = '\0') {
        *slash = '\0';
        snprintf(share, sizeof share, "%s/share/faultline", exe);
        if (access(share, F_OK) == 0) {
            setenv("FAULTLINE_SHARE", share, 1);
            break;
        }
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cleaned_to_one_line_of_utf8),
        cmocka_unit_test(cells_are_written_with_their_units),
        cmocka_unit_test(cells_outside_a_table_are_empty_and_ignored),
        cmocka_unit_test(hostile_names_stay_text_in_a_chart),
        cmocka_unit_test(a_terminal_gets_characters),
        cmocka_unit_test(without_gnuplot_the_remedy_is_named),
        cmocka_unit_test(a_chart_without_script_or_rows_is_refused),
    };
    return cmocka_run_group_tests(tests, find_scripts, NULL);
}
