/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chart in the page: two drawings of it, its numbers as a table for those who do not see it, and
 * as JSON for the script, which shows those under the pointer.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "report_page.h"
#include "svg_inline.h"

#define NUMBERS_MAX 50u /* rows; report.json has all */

/* ---- numbers as a table -------------------------------------------------------- */

static uint64_t sum_of(const struct fl_table *t, size_t from, size_t to, size_t col)
{
    uint64_t sum = 0;
    for (size_t r = from; r < to; r++) {
        const struct fl_cell *cell = fl_table_at(t, r, col);
        bool number = cell->unit != FL_UNIT_TEXT && cell->unit != FL_UNIT_NONE;
        if (number && __builtin_add_overflow(sum, cell->value, &sum))
            return UINT64_MAX;
    }
    return sum;
}

/* One row of @thin for rows @from to @to of @t: their sum if they are stretches, else the first. */
static void add_thin_row(struct fl_table *thin, const struct fl_table *t, size_t from, size_t to)
{
    size_t row = fl_table_row(thin);
    for (size_t c = 0; c < t->n_columns; c++) {
        const struct fl_cell *cell = fl_table_at(t, from, c);
        if (cell->unit == FL_UNIT_TEXT)
            fl_table_text(thin, row, c, cell->text);
        else if (t->stacked && c > 0)
            fl_table_put(thin, row, c, sum_of(t, from, to, c));
        else if (cell->unit != FL_UNIT_NONE)
            fl_table_put_as(thin, row, c, cell->unit, cell->value);
    }
}

/* @t with NUMBERS_MAX rows at most, the first and, of points, the last among them. */
static struct fl_table *thinned(const struct fl_table *t, size_t *step)
{
    struct fl_table *thin = fl_table_new(t->name);
    size_t n = t->n_rows - (t->stacked && t->n_rows > 1);
    *step = n > NUMBERS_MAX ? (n - 1 + NUMBERS_MAX - 2) / (NUMBERS_MAX - 1) : 1;
    for (size_t c = 0; c < t->n_columns; c++)
        fl_table_column(thin, t->columns[c].name, t->columns[c].unit, 0);
    for (size_t r = 0; r < n; r += *step)
        add_thin_row(thin, t, r, r + *step < n ? r + *step : n);
    if (!t->stacked && n > 1 && (n - 1) % *step)
        add_thin_row(thin, t, n - 1, n);
    return thin;
}

/* Is the whole table in a section of its own? Returns that section's heading, or NULL. */
static const char *own_section(const struct page *p, const struct fl_view_chart *c, const char *id)
{
    for (size_t i = 0; i < p->view->n_sections; i++)
        if (strcmp(p->view->sections[i].id, id) == 0 && p->view->sections[i].table &&
            p->view->sections[i].table->n_rows == c->table->n_rows)
            return p->view->sections[i].heading;
    return NULL;
}

static void numbers(struct page *p, const struct fl_view_chart *c)
{
    char id[96], ref[100], note[160];
    size_t step;
    snprintf(id, sizeof id, "%s-table", c->id);
    const char *elsewhere = own_section(p, c, id);
    if (elsewhere) {
        page_open_class(p, "p", "numbers");
        page_text(p, "The numbers: ");
        page_open(p, "a");
        snprintf(ref, sizeof ref, "#%s", id);
        page_attribute(p, "href", ref);
        page_text(p, elsewhere);
        page_close(p);
        page_end(p);
        return;
    }
    struct fl_table *thin = thinned(c->table, &step);
    if (fl_table_ok(thin, NULL) != FL_OK)
        p->failed = true;
    else {
        page_open_class(p, "details", "numbers");
        page_element(p, "summary", NULL, "Show the numbers");
        if (step > 1) {
            snprintf(note, sizeof note,
                     c->table->stacked
                         ? "Each row sums up %zu stretches of the chart; report.json has each."
                         : "One row of every %zu, and the last; report.json has them all.",
                     step);
            page_element(p, "p", "note", note);
        }
        page_table(p, thin, c->id, PAGE_TABLE_SORTS);
        page_end(p);
    }
    fl_table_free(thin);
}

/* ---- numbers for the script ----------------------------------------------------- */

static json_t *area_json(const struct fl_plot_area *a)
{
    return json_pack("[f, f, f, f, f, f, f, f]", a->left, a->top, a->right, a->bottom, a->x_min,
                     a->x_max, a->y_min, a->y_max);
}

/* JavaScript's numbers are exact up to 2^53; what is larger goes as text. */
static json_t *cell_json(const struct fl_cell *cell)
{
    char text[24];
    if (cell->unit == FL_UNIT_NONE || cell->unit == FL_UNIT_TEXT)
        return json_null();
    if (cell->value < UINT64_C(1) << 53)
        return json_integer((json_int_t)cell->value);
    snprintf(text, sizeof text, "%llu", (unsigned long long)cell->value);
    return json_string(text);
}

static json_t *columns_json(const struct fl_table *t)
{
    static const char *const units[] = { "", "", "count", "bytes", "bp", "ns" };
    static const char *const roles[] = { "line", "points", "cross", "low", "high" };
    json_t *columns = json_array();
    for (size_t c = 0; c < t->n_columns; c++) {
        const struct fl_column *col = &t->columns[c];
        unsigned hue = col->style ? col->style : c > 0 ? (unsigned)((c - 1) % 8 + 1) : 0;
        json_array_append_new(columns, json_pack("{s:s, s:s, s:s, s:i}", "name", col->name, "unit",
                                                 units[col->unit], "role", roles[col->role], "hue",
                                                 (int)hue));
    }
    return columns;
}

static json_t *data_json(const struct fl_view_chart *c)
{
    const struct fl_table *t = c->table;
    json_t *data = json_pack("{s:s, s:b, s:b, s:o, s:o}", "x", t->x_name ? t->x_name : "",
                             "stacked", t->stacked, "log", c->area.log_y, "wide",
                             area_json(&c->area), "columns", columns_json(t));
    if (c->svg_narrow && c->area_narrow.known)
        json_object_set_new(data, "narrow", area_json(&c->area_narrow));
    json_t *list = json_array();
    for (size_t r = 0; r < t->n_rows; r++) {
        json_t *row = json_array();
        for (size_t k = 0; k < t->n_columns; k++)
            json_array_append_new(row, cell_json(fl_table_at(t, r, k)));
        json_array_append_new(list, row);
    }
    json_object_set_new(data, "rows", list);
    return data;
}

/* JSON that is the same in HTML and in XML, and ends no element: '<', '>' and '&' as escapes. */
static void put_json(struct page *p, const json_t *data)
{
    char *text = json_dumps(data, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12)),
         *safe = NULL;
    size_t len;
    FILE *out = text ? open_memstream(&safe, &len) : NULL;
    for (const char *s = text; out && *s; s++)
        if (*s == '<' || *s == '>' || *s == '&')
            fprintf(out, "\\u%04x", (unsigned)*s);
        else
            fputc(*s, out);
    if (!out || fclose(out) != 0)
        p->failed = true;
    else
        page_raw(p, safe);
    free(safe);
    free(text);
}

static void script_data(struct page *p, const struct fl_view_chart *c)
{
    json_t *data = data_json(c);
    page_open(p, "script");
    page_attribute(p, "type", "application/json");
    put_json(p, data);
    page_end(p);
    json_decref(data);
}

/* ---- the figure ------------------------------------------------------------------- */

static int draw(struct page *p, const struct fl_view_chart *c, const char *svg, size_t len,
                const char *size, struct fl_err *err)
{
    char prefix[96], *element_text = NULL;
    snprintf(prefix, sizeof prefix, "%s-%s", c->id, size);
    int rc = svg_inline(svg, len, prefix, size, c->table->title ? c->table->title : c->id,
                        &element_text, err);
    if (rc == FL_OK)
        page_raw(p, element_text);
    page_raw(p, "\n");
    free(element_text);
    return rc;
}

int page_chart(struct page *p, const struct fl_view_chart *c, struct fl_err *err)
{
    int rc = FL_OK;
    if (c->svg) {
        page_open(p, "figure");
        page_attribute(p, "id", c->id);
        page_open(p, "figcaption");
        page_heading(p, "h3", c->id, c->chart->heading);
        page_end(p);
        page_open_class(p, "div", c->svg_narrow ? "chart both" : "chart");
        page_raw(p, "\n");
        rc = draw(p, c, c->svg, c->svg_len, "wide", err);
        if (rc == FL_OK && c->svg_narrow)
            rc = draw(p, c, c->svg_narrow, c->svg_narrow_len, "narrow", err);
        page_end(p);
        if (c->area.known)
            script_data(p, c);
        if (!c->table->picture)
            numbers(p, c);
        page_end(p);
    } else if (c->note) {
        page_open_class(p, "div", "absent");
        page_heading(p, "h3", c->id, c->chart->heading);
        page_element(p, "p", NULL, c->note);
        page_end(p);
    }
    return rc;
}
