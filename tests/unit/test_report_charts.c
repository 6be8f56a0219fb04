/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A chart in the page: where its numbers lie, its numbers as table and as data, its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include <faultline/plot.h>
#include <faultline/report.h>
#include <faultline/units.h>

#include "report_js.h"
#include "svg_inline.h"
#include "svg_path.h"

/* ---- shapes ---------------------------------------------------------------------- */

static void shortens_to(const char *data, bool polygon, const char *want)
{
    char *text = svg_path_shorten(data, polygon);
    assert_non_null(text);
    assert_string_equal(text, want);
    free(text);
}

static void shapes_keep_their_outline_in_fewer_bytes(void **state)
{
    (void)state;
    shortens_to("M10.00,20.00 L30.00,20.00 L30.00,15.50", false, "M10 20h20v-4.5");
    shortens_to("M0.04,0.06 L1.26,-0.54", false, "M0 .1l1.3-.6");
    shortens_to("M1,1 L2,1 3,1 3,1 4,1", false, "M1 1h3"); /* on one line */
    shortens_to("M1,1 L1,9 L1,3", false, "M1 1v8-6");      /* a spike is kept */
    shortens_to("M1,1 L2,1 Z M5,5 L6,7", false, "M1 1h1zM5 5l1 2");
    shortens_to("M0,0 L5,0 L5,5 Z", false, "M0 0h5v5z");
    shortens_to("0,0 4,0 4,2 8,2 8,0", true, "M0 0h4v2h4v-2z");
    shortens_to("0,5 4,5 9,5 2,5", true, ""); /* nothing to fill */
    shortens_to("", true, "");
    assert_null(svg_path_shorten("M0,0 h2", false));
    assert_null(svg_path_shorten("L0,0", false));
    assert_null(svg_path_shorten("M0", false));
    assert_null(svg_path_shorten("M1e9,0", false));
    assert_null(svg_path_shorten("1,2 x", true));
}

static void pictures_take_the_pages_colours_and_lose_what_is_empty(void **state)
{
    (void)state;
    static const char svg[] =
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><rect fill='#ffffff'/>"
        "<g><g>\n</g></g><g color='black'><polygon fill = 'rgb(  0, 114, 178)' points = '0,0 4,0 "
        "4,4'/><polygon fill = 'rgb(  0, 114, 178)' points = '4,0 8,0 8,4'/><polygon fill='#123456'"
        " points='0,0 1,0 1,1'/><polygon fill='#123456' points='0,0 1,0'/></g>"
        "<path stroke='none' d='M0,0 L1,0 L2,0'/></svg>";
    char *out = NULL;
    assert_int_equal(svg_inline(svg, sizeof svg - 1, "p", "wide", "l", &out, NULL), FL_OK);
    assert_non_null(strstr(out, "<rect fill=\"var(--card,#ffffff)\"/>"
                                "<g color=\"var(--ink,#000000)\">"
                                "<path fill=\"var(--s1,#0072b2)\" d=\"M0 0h4v4zM4 0h4v4z\"/>"
                                "<path fill=\"#123456\" d=\"M0 0h1v1z\"/></g>"
                                "<path stroke=\"none\" d=\"M0 0h2\"/></svg>"));
    free(out);
}

/* ---- where the numbers lie -------------------------------------------------------- */

static struct fl_table *line_table(size_t rows, bool stacked)
{
    struct fl_table *t = fl_table_new(stacked ? "faults" : "curve");
    fl_table_column(t, "RAM", FL_UNIT_BYTES, 0);
    fl_table_column(t, "</script><!--<b>", FL_UNIT_COUNT, 0);
    fl_table_column(t, "opt", FL_UNIT_COUNT, 3);
    for (size_t i = 0; i < rows; i++) {
        size_t row = fl_table_row(t);
        fl_table_put(t, row, 0, i << 20);
        fl_table_put(t, row, 1, 1000 + i);
        if (i != 3)
            fl_table_put(t, row, 2, UINT64_C(1) << (i == 4 ? 60 : 34));
    }
    t->stacked = stacked;
    fl_table_label(t, &t->title, "]]></script><script>alert(1)</script>");
    fl_table_label(t, &t->x_name, "RAM & more");
    return t;
}

/* Of a power of ten; of half of one, which is where a logarithmic axis begins, a bit less. */
static double exponent(double power)
{
    double n = power < 1 ? -0.30102999566398120 : 0;
    for (; power >= 9.999; power /= 10)
        n++;
    return n;
}

static bool near(double a, double b)
{
    return a - b < 0.02 && b - a < 0.02; /* gnuplot works in hundredths of a pixel */
}

static void has_line(const char *svg, double x1, double y1, double x2, double y2)
{
    double v[4];
    for (const char *p = svg; (p = strstr(p, "d='M")); p++)
        if (sscanf(p, "d='M%lf,%lf L%lf,%lf", &v[0], &v[1], &v[2], &v[3]) == 4 && near(v[0], x1) &&
            near(v[1], y1) && near(v[2], x2) && near(v[3], y2))
            return;
    fail_msg("no line from %.2f, %.2f to %.2f, %.2f", x1, y1, x2, y2);
}

/* gnuplot draws a mark as a line across the frame: it must be where the area says. */
static void mark_is_drawn_at(const struct fl_table *t, unsigned width, unsigned height,
                             uint64_t x_value, uint64_t y_value)
{
    struct fl_plot_area a = { .known = false };
    struct fl_plot_opts opts = {
        .format = FL_PLOT_SVG, .width = width, .height = height, .area = &a
    };
    struct fl_err err = { .msg = "" };
    char *svg = NULL;
    size_t len;
    if (fl_plot_render(t, &opts, &svg, &len, &err) != FL_OK)
        fail_msg("%s", err.msg);
    assert_true(a.known);
    double x = a.left + ((double)x_value - a.x_min) / (a.x_max - a.x_min) * (a.right - a.left);
    double part = a.log_y ? (exponent((double)y_value) - exponent(a.y_min)) /
                                (exponent(a.y_max) - exponent(a.y_min))
                          : ((double)y_value - a.y_min) / (a.y_max - a.y_min);
    double y = a.bottom - part * (a.bottom - a.top);
    has_line(svg, x, a.bottom, x, a.top);
    has_line(svg, a.left, y, a.right, y);
    free(svg);
}

static void the_frame_is_where_gnuplot_draws_it(void **state)
{
    (void)state;
    if (!fl_plot_available()) {
        print_message("skipped: gnuplot is not installed\n");
        skip();
    }
    for (int log_y = 0; log_y < 2; log_y++) {
        struct fl_table *t = line_table(3, false);
        t->log_y = log_y;
        fl_table_mark(t, 'x', 1 << 20, "x");
        fl_table_mark(t, 'y', UINT64_C(10000000000), "y");
        mark_is_drawn_at(t, 960, 420, 1 << 20, t->marks[1].value);
        mark_is_drawn_at(t, 420, 380, 1 << 20, t->marks[1].value);
        fl_table_free(t);
    }
}

/* ---- in the page -------------------------------------------------------------------- */

/* A report of one small result whose chart is @t, drawn or so. */
static xmlDoc *page_of(struct fl_table *t, char **text)
{
    static const char svg[] = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'/>";
    json_t *report = fl_report_new(),
           *doc = json_pack("{s:s, s:{s:s, s:s}, s:{s:I, s:I}}", "schema", "faultline.replay/1",
                            "trace", "path", "x.flt", "fidelity", "exact", "faults", "minor",
                            (json_int_t)5, "major", (json_int_t)7);
    struct fl_view *view = NULL;
    size_t len;
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    assert_int_equal(fl_view_new(report, "x", NULL, &view, NULL), FL_OK);
    assert_int_equal(view->n_charts, 0);
    view->charts = calloc(1, sizeof *view->charts);
    view->n_charts = 1;
    view->charts[0] = (struct fl_view_chart){
        .chart = fl_chart_find(t->name),
        .table = t,
        .id = strdup("c"),
        .svg = strdup(svg),
        .svg_len = sizeof svg - 1,
        .area = { 10, 90, 5, 50, 0, 1 << 30, 0, 1e18, false, true },
    };
    FILE *out = open_memstream(text, &len);
    assert_int_equal(fl_report_html(view, out, NULL), FL_OK);
    fclose(out);
    xmlDoc *page = xmlReadMemory(*text, (int)len, NULL, NULL, XML_PARSE_NONET);
    assert_non_null(page); /* well-formed */
    fl_view_free(view);
    json_decref(doc);
    json_decref(report);
    return page;
}

/* The @n-th element called @name in document order, counting down. */
static xmlNode *element(xmlNode *node, const char *name, int *n)
{
    for (; node; node = node->next) {
        xmlNode *below;
        if (node->type != XML_ELEMENT_NODE)
            continue;
        if (strcmp((const char *)node->name, name) == 0 && (*n)-- == 0)
            return node;
        if ((below = element(node->children, name, n)))
            return below;
    }
    return NULL;
}

static xmlNode *nth(xmlDoc *page, const char *name, int n)
{
    return element(xmlDocGetRootElement(page), name, &n);
}

static void the_scripts_data_has_every_number(void **state)
{
    (void)state;
    char *text;
    xmlDoc *page = page_of(line_table(5, false), &text);
    xmlNode *script = nth(page, "script", 0);
    char *content = (char *)xmlNodeGetContent(script);
    assert_null(strpbrk(content, "<>&"));
    assert_null(nth(page, "script", 2)); /* data and the page's own, no more */
    assert_null(nth(page, "b", 0));
    json_t *data = json_loads(content, 0, NULL), *column, *row;
    assert_non_null(data);
    assert_string_equal(json_string_value(json_object_get(data, "x")), "RAM & more");
    column = json_array_get(json_object_get(data, "columns"), 1);
    assert_string_equal(json_string_value(json_object_get(column, "name")), "</script><!--<b>");
    assert_int_equal(json_array_size(json_object_get(data, "rows")), 5);
    row = json_array_get(json_object_get(data, "rows"), 3);
    assert_int_equal(json_integer_value(json_array_get(row, 0)), 3 << 20);
    assert_int_equal(json_integer_value(json_array_get(row, 1)), 1003);
    assert_true(json_is_null(json_array_get(row, 2)));
    row =
        json_array_get(json_object_get(data, "rows"), 4); /* more than JavaScript counts exactly */
    assert_string_equal(json_string_value(json_array_get(row, 2)), "1152921504606846976");
    json_decref(data);
    xmlFree(content);
    xmlFreeDoc(page);
    free(text);
}

static size_t rows_of(const xmlNode *table, const char *part)
{
    size_t n = 0;
    for (const xmlNode *c = table->children; c; c = c->next)
        if (c->type == XML_ELEMENT_NODE && strcmp((const char *)c->name, part) == 0)
            n += xmlChildElementCount((xmlNode *)(uintptr_t)c);
    return n;
}

static void the_numbers_are_a_table_of_fifty_rows_at_most(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 2, 49, 50, 51, 99, 100, 511, 100000 };
    for (size_t i = 0; i < FL_COUNT(sizes); i++) {
        char *text;
        xmlDoc *page = page_of(line_table(sizes[i], false), &text);
        size_t n = rows_of(nth(page, "table", 0), "tbody");
        assert_in_range(n, sizes[i] < 50 ? sizes[i] : 25, sizes[i] < 50 ? sizes[i] : 50);
        assert_int_equal(strstr(text, "One row of every") != NULL, sizes[i] > 50);
        if (sizes[i] > 1) { /* the last row is there */
            char last[40];
            snprintf(last, sizeof last, "data-value=\"%zu\">", 1000 + sizes[i] - 1);
            assert_non_null(strstr(text, last));
        }
        xmlFreeDoc(page);
        free(text);
    }
}

/* 511 stretches and the row that ends them: sums of eleven, and no stretch twice or left out. */
static void stretches_are_summed_up(void **state)
{
    (void)state;
    char *text;
    struct fl_table *t = line_table(512, true);
    uint64_t want = 0, sum = 0;
    for (size_t r = 0; r < 511; r++)
        want += fl_table_at(t, r, 1)->value;
    xmlDoc *page = page_of(t, &text);
    assert_non_null(strstr(text, "Each row sums up 11 stretches"));
    assert_int_equal(rows_of(nth(page, "table", 0), "tbody"), 47);
    for (int i = 0; i < 47; i++) {
        xmlChar *value = xmlGetProp(nth(page, "td", 2 * i), BAD_CAST "data-value");
        assert_non_null(value);
        sum += strtoull((const char *)value, NULL, 10);
        xmlFree(value);
    }
    assert_int_equal(sum, want);
    xmlFreeDoc(page);
    free(text);
}

static void the_policy_lets_this_script_run_and_no_other(void **state)
{
    (void)state;
    char *text, hash[REPORT_JS_HASH_CHARS], digest[64] = "", want[128];
    xmlDoc *page = page_of(line_table(2, false), &text);
    char *script = (char *)xmlNodeGetContent(nth(page, "script", 1));
    struct sha256_ctx ctx;
    uint8_t sum[SHA256_DIGEST_SIZE];
    assert_string_equal(script, report_js); /* the same bytes in XML and in HTML */
    assert_null(strpbrk(report_js, "<&"));
    sha256_init(&ctx);
    sha256_update(&ctx, strlen(script), (const uint8_t *)script);
    sha256_digest(&ctx, sizeof sum, sum);
    base64_encode_raw(digest, sizeof sum, sum);
    snprintf(want, sizeof want, "sha256-%s", digest);
    assert_string_equal(report_js_hash(hash), want);
    snprintf(want, sizeof want, "script-src '%s'", hash);
    assert_non_null(strstr(text, want));
    assert_null(strstr(text, "script-src 'unsafe-inline'"));
    xmlFree(script);
    xmlFreeDoc(page);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_keep_their_outline_in_fewer_bytes),
        cmocka_unit_test(pictures_take_the_pages_colours_and_lose_what_is_empty),
        cmocka_unit_test(the_frame_is_where_gnuplot_draws_it),
        cmocka_unit_test(the_scripts_data_has_every_number),
        cmocka_unit_test(the_numbers_are_a_table_of_fifty_rows_at_most),
        cmocka_unit_test(stretches_are_summed_up),
        cmocka_unit_test(the_policy_lets_this_script_run_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
