/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of the page. The script makes a button of each head that has data-sort: "number" sorts
 * by data-value, the exact number where the cell shows a rounded one, "text" by what is shown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report_page.h"

#define LONG_ROWS 30u

static bool numeric(const struct fl_cell *cell)
{
    return cell->unit != FL_UNIT_TEXT && cell->unit != FL_UNIT_NONE;
}

static void head_row(struct page *p, const struct fl_table *t, bool sorts)
{
    page_open(p, "thead");
    page_open(p, "tr");
    for (size_t c = 0; c < t->n_columns; c++) {
        bool text = t->columns[c].unit == FL_UNIT_TEXT;
        page_open(p, "th");
        page_attribute(p, "scope", "col");
        if (c > 0 && !text)
            page_attribute(p, "class", "num");
        if (sorts)
            page_attribute(p, "data-sort", text ? "text" : "number");
        page_text(p, t->columns[c].name);
        page_close(p);
    }
    page_close(p);
    page_end(p);
}

static void one_cell(struct page *p, const struct fl_table *t, size_t row, size_t col, bool sorts)
{
    const struct fl_cell *cell = fl_table_at(t, row, col);
    page_open(p, col == 0 ? "th" : "td");
    if (col == 0)
        page_attribute(p, "scope", "row");
    if (col == 0 && numeric(cell))
        page_attribute(p, "class", "size");
    else if (col > 0 && numeric(cell))
        page_attribute(p, "class", "num");
    else if (col > 0 && t->columns[col].unit != FL_UNIT_TEXT)
        page_attribute(p, "class", "right");
    bool plain = cell->unit == FL_UNIT_COUNT && cell->value < 1000; /* shown as it is */
    if (sorts && numeric(cell) && !plain) {
        char value[24];
        snprintf(value, sizeof value, "%" PRIu64, cell->value);
        page_attribute(p, "data-value", value);
    }
    page_cell(p, cell);
    page_close(p);
}

static void rows(struct page *p, const struct fl_table *t, size_t from, size_t to, bool sorts)
{
    for (size_t r = from; r < to; r++) {
        page_open(p, "tr");
        for (size_t c = 0; c < t->n_columns; c++)
            one_cell(p, t, r, c, sorts);
        page_end(p);
    }
}

void page_table(struct page *p, const struct fl_table *t, const char *id, unsigned flags)
{
    size_t body = t->n_rows - (t->rest && t->n_rows > 0);
    bool sorts = flags & PAGE_TABLE_SORTS && body > 1;
    bool folds = flags & PAGE_TABLE_FOLDS && t->n_rows > LONG_ROWS;
    char *heading = NULL;
    if (asprintf(&heading, "%s-h", id) < 0) {
        p->failed = true;
        return;
    }
    if (folds) {
        page_open(p, "details");
        page_element(p, "summary", NULL, "Show the table");
    }
    page_open_class(p, "div", t->n_columns == 2 ? "scroll pairs" : "scroll");
    page_open(p, "table");
    page_attribute(p, "aria-labelledby", heading);
    head_row(p, t, sorts);
    page_open(p, "tbody");
    page_raw(p, "\n");
    rows(p, t, 0, body, sorts);
    page_close(p);
    if (body < t->n_rows) {
        page_open(p, "tfoot");
        rows(p, t, body, t->n_rows, false);
        page_close(p);
    }
    page_close(p);
    page_end(p);
    if (folds)
        page_end(p);
    free(heading);
}
