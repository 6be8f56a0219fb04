/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A report document as what people read: put together here, written by report_*.c. */
#include "view.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"

const char *view_count(uint64_t n)
{
    static _Thread_local char bufs[8][FL_FORMAT_BYTES];
    static _Thread_local unsigned turn;
    return fl_format_count(bufs[turn++ % 8], n);
}

const char *view_bytes(uint64_t bytes)
{
    static _Thread_local char bufs[8][FL_FORMAT_BYTES];
    static _Thread_local unsigned turn;
    return fl_format_bytes(bufs[turn++ % 8], bytes);
}

void view_put_count(struct fl_table *t, size_t row, size_t col, const json_t *doc, const char *path)
{
    uint64_t value;
    if (fl_document_count(doc, path, &value))
        fl_table_put(t, row, col, value);
}

static char *clean_format(struct view_builder *b, const char *fmt, va_list ap)
{
    char *raw = NULL, *clean = NULL;
    if (vasprintf(&raw, fmt, ap) >= 0) {
        clean = fl_text_clean(raw, 2000);
        free(raw);
    }
    if (!clean)
        b->failed = true;
    return clean;
}

char *view_text(struct view_builder *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = clean_format(b, fmt, ap);
    va_end(ap);
    return text;
}

void view_line(struct view_builder *b, const char *fmt, ...)
{
    if (b->view->n_lines >= FL_VIEW_LINES)
        return;
    va_list ap;
    va_start(ap, fmt);
    char *text = clean_format(b, fmt, ap);
    va_end(ap);
    if (text)
        b->view->lines[b->view->n_lines++] = text;
}

void view_section(struct view_builder *b, const char *id, const char *heading, const char *text,
                  struct fl_table *table)
{
    struct fl_view *v = b->view;
    struct fl_section *grown = reallocarray(v->sections, v->n_sections + 1, sizeof *grown);
    if (!grown || (table && fl_table_ok(table, NULL) != FL_OK)) {
        if (grown)
            v->sections = grown;
        fl_table_free(table);
        b->failed = true;
        return;
    }
    v->sections = grown;
    v->sections[v->n_sections++] = (struct fl_section){
        .id = view_text(b, "%s", id),
        .heading = view_text(b, "%s", heading),
        .text = text ? view_text(b, "%s", text) : NULL,
        .table = table,
    };
}

/* ---- charts ------------------------------------------------------------------------ */

static void add_chart(struct view_builder *b, const struct fl_chart *chart, size_t i,
                      const char *curve_note)
{
    struct fl_view *v = b->view;
    struct fl_table *table = NULL;
    struct fl_err err;
    int rc = chart->build(b->report, i, &table, &err);
    bool curve = strcmp(chart->name, "curve") == 0;
    if (rc == FL_ENOMEM)
        b->failed = true;
    if (rc != FL_OK && !(curve && curve_note))
        return; /* what is not in the data has no place in the page */
    struct fl_view_chart *grown = reallocarray(v->charts, v->n_charts + 1, sizeof *grown);
    if (!grown) {
        fl_table_free(table);
        b->failed = true;
        return;
    }
    v->charts = grown;
    bool many = chart->scope != FL_CHART_OF_REPORT && fl_chart_times(chart, b->report) > 1;
    bool measured = chart->scope == FL_CHART_OF_VALIDATION;
    char number[24] = "";
    if (many)
        snprintf(number, sizeof number, "-%zu", i + 1);
    v->charts[v->n_charts++] = (struct fl_view_chart){
        .chart = chart,
        .table = table,
        .id = view_text(b, "%s%s", chart->name, number),
        .note = table ? NULL : view_text(b, "Left out: %s.", curve_note),
        .section = measured ? view_text(b, VIEW_MEASURED_ID "%s", number) : NULL,
    };
    const json_t *of = measured ? fl_report_validation(b->report, i)
                                : fl_report_result(b->report, i);
    const char *label = fl_document_text(of, "label");
    if (many && table && label) {
        char *title = view_text(b, "%s: %s", label, table->title ? table->title : "");
        if (title) {
            free(table->title);
            table->title = title;
        }
    }
}

#define CHARTED_RESULTS_MAX 8u /* of each chart: a page must stay one that loads */

static void add_charts(struct view_builder *b, const char *curve_note)
{
    const struct fl_chart *chart;
    for (size_t c = 0; (chart = fl_chart_at(c)); c++) {
        size_t n = fl_chart_times(chart, b->report);
        for (size_t i = 0; i < n && i < CHARTED_RESULTS_MAX; i++)
            add_chart(b, chart, i, curve_note);
    }
}

static void add_curve_table(struct view_builder *b)
{
    struct fl_table *table = NULL;
    const struct fl_chart *chart = fl_chart_find("curve");
    if (chart && chart->build(b->report, 0, &table, NULL) == FL_OK)
        view_section(b, "curve-table", "Major faults at each RAM size", NULL, table);
}

/* ---- all of it --------------------------------------------------------------------------- */

static char *make_title(struct view_builder *b)
{
    size_t n = fl_report_results(b->report);
    const json_t *first = n ? fl_report_result(b->report, 0) : fl_report_sweep(b->report, 0);
    const char *path = fl_document_text(first, "trace.path");
    const char *base = path && strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (n > 1)
        return view_text(b, "%zu results compared", n);
    if (!first)
        base = fl_document_text(fl_report_validation(b->report, 0), "label");
    return view_text(b, "%s", base && *base ? base : "Memory report");
}

int fl_view_new(const json_t *report, const char *command, const char *curve_note,
                struct fl_view **out, struct fl_err *err)
{
    struct view_builder b = { .report = report };
    if (fl_report_results(report) == 0 && !fl_report_sweep(report, 0) &&
        fl_report_validations(report) == 0)
        return fl_fail(err, FL_EDATA, "the inputs have no result to report");
    b.view = calloc(1, sizeof *b.view);
    if (!b.view)
        return fl_nomem(err, "the report");
    b.view->title = make_title(&b);
    b.view->command = view_text(&b, "%s", command);
    add_charts(&b, curve_note);
    const struct fl_table *curve = NULL;
    for (size_t i = 0; i < b.view->n_charts; i++)
        if (strcmp(b.view->charts[i].chart->name, "curve") == 0)
            curve = b.view->charts[i].table;
    view_findings(&b, curve);
    view_figures(&b);
    view_measured(&b);
    view_tables(&b);
    if (curve)
        add_curve_table(&b);
    view_provenance(&b);
    if (b.failed || fl_table_ok(b.view->figures, NULL) != FL_OK) {
        fl_view_free(b.view);
        return fl_nomem(err, "the report");
    }
    *out = b.view;
    return FL_OK;
}

void fl_view_free(struct fl_view *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n_lines; i++)
        free(v->lines[i]);
    for (size_t i = 0; i < v->n_charts; i++) {
        fl_table_free(v->charts[i].table);
        free(v->charts[i].id);
        free(v->charts[i].note);
        free(v->charts[i].section);
        free(v->charts[i].svg);
        free(v->charts[i].svg_narrow);
    }
    for (size_t i = 0; i < v->n_sections; i++) {
        fl_table_free(v->sections[i].table);
        free(v->sections[i].id);
        free(v->sections[i].heading);
        free(v->sections[i].text);
    }
    fl_table_free(v->figures);
    free(v->charts);
    free(v->sections);
    free(v->title);
    free(v->verdict);
    free(v->command);
    free(v);
}
