/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/table.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

static const struct fl_cell empty_cell = { .unit = FL_UNIT_NONE };

struct fl_table *fl_table_new(const char *name)
{
    struct fl_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->name = fl_text_clean(name, 0);
    if (!t->name) {
        free(t);
        return NULL;
    }
    return t;
}

void fl_table_free(struct fl_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
        free(t->cells[i].text);
    for (size_t i = 0; i < t->n_columns; i++)
        free(t->columns[i].name);
    for (size_t i = 0; i < t->n_marks; i++)
        free(t->marks[i].label);
    free(t->cells);
    free(t->columns);
    free(t->marks);
    free(t->name);
    free(t->title);
    free(t->footer);
    free(t->x_name);
    free(t->y_name);
    free(t);
}

void fl_table_column(struct fl_table *t, const char *name, enum fl_unit unit, unsigned style)
{
    if (!t || t->n_rows > 0)
        return;
    struct fl_column *grown = reallocarray(t->columns, t->n_columns + 1, sizeof *grown);
    if (!grown) {
        t->failed = true;
        return;
    }
    t->columns = grown;
    char *copy = fl_text_clean(name, 0);
    if (!copy) {
        t->failed = true;
        return;
    }
    t->columns[t->n_columns++] = (struct fl_column){ .name = copy, .unit = unit, .style = style };
}

void fl_table_role(struct fl_table *t, enum fl_role role)
{
    if (t && t->n_columns > 0)
        t->columns[t->n_columns - 1].role = role;
}

size_t fl_table_row(struct fl_table *t)
{
    if (!t)
        return 0;
    if (t->n_rows == t->cap_rows) {
        size_t cap = t->cap_rows ? t->cap_rows * 2 : 16;
        struct fl_cell *grown =
            reallocarray(t->cells, cap * (t->n_columns ? t->n_columns : 1), sizeof *grown);
        if (!grown) {
            t->failed = true;
            return SIZE_MAX;
        }
        t->cells = grown;
        t->cap_rows = cap;
    }
    if (t->n_columns > 0)
        memset(&t->cells[t->n_rows * t->n_columns], 0, t->n_columns * sizeof *t->cells);
    return t->n_rows++;
}

static struct fl_cell *cell_at(struct fl_table *t, size_t row, size_t col)
{
    if (!t || row >= t->n_rows || col >= t->n_columns)
        return NULL;
    return &t->cells[row * t->n_columns + col];
}

void fl_table_put_as(struct fl_table *t, size_t row, size_t col, enum fl_unit unit, uint64_t value)
{
    struct fl_cell *cell = cell_at(t, row, col);
    if (!cell || unit == FL_UNIT_TEXT)
        return;
    free(cell->text);
    *cell = (struct fl_cell){ .unit = unit, .value = value };
}

void fl_table_put(struct fl_table *t, size_t row, size_t col, uint64_t value)
{
    if (t && col < t->n_columns)
        fl_table_put_as(t, row, col, t->columns[col].unit, value);
}

void fl_table_text(struct fl_table *t, size_t row, size_t col, const char *text)
{
    struct fl_cell *cell = cell_at(t, row, col);
    if (!cell)
        return;
    char *copy = fl_text_clean(text, 4096);
    if (!copy) {
        t->failed = true;
        return;
    }
    free(cell->text);
    *cell = (struct fl_cell){ .unit = FL_UNIT_TEXT, .text = copy };
}

void fl_table_mark(struct fl_table *t, char axis, uint64_t value, const char *label)
{
    if (!t)
        return;
    struct fl_mark *grown = reallocarray(t->marks, t->n_marks + 1, sizeof *grown);
    if (!grown) {
        t->failed = true;
        return;
    }
    t->marks = grown;
    char *copy = fl_text_clean(label, 200);
    if (!copy) {
        t->failed = true;
        return;
    }
    t->marks[t->n_marks++] = (struct fl_mark){ .axis = axis, .value = value, .label = copy };
}

void fl_table_label(struct fl_table *t, char **field, const char *fmt, ...)
{
    if (!t)
        return;
    char *raw = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&raw, fmt, ap);
    va_end(ap);
    char *clean = n < 0 ? NULL : fl_text_clean(raw, 1000);
    if (n >= 0)
        free(raw);
    if (!clean) {
        t->failed = true;
        return;
    }
    free(*field);
    *field = clean;
}

const struct fl_cell *fl_table_at(const struct fl_table *t, size_t row, size_t col)
{
    if (!t || row >= t->n_rows || col >= t->n_columns)
        return &empty_cell;
    return &t->cells[row * t->n_columns + col];
}

uint64_t fl_table_max(const struct fl_table *t, size_t col)
{
    uint64_t max = 0;
    for (size_t r = 0; t && r < t->n_rows; r++) {
        const struct fl_cell *cell = fl_table_at(t, r, col);
        if (cell->unit != FL_UNIT_NONE && cell->unit != FL_UNIT_TEXT && cell->value > max)
            max = cell->value;
    }
    return max;
}

int fl_table_ok(const struct fl_table *t, struct fl_err *err)
{
    return !t || t->failed ? fl_nomem(err, "building a table") : FL_OK;
}

/* Three significant digits or so: a duration is read, not computed with. */
static void format_ns(char *buf, size_t size, uint64_t ns)
{
    if (ns >= UINT64_C(1000000000))
        snprintf(buf, size, "%llu.%02llu s", (unsigned long long)(ns / 1000000000u),
                 (unsigned long long)(ns / 10000000u % 100u));
    else if (ns >= 1000000u)
        snprintf(buf, size, "%llu.%llu ms", (unsigned long long)(ns / 1000000u),
                 (unsigned long long)(ns / 100000u % 10u));
    else
        snprintf(buf, size, "%llu.%llu us", (unsigned long long)(ns / 1000u),
                 (unsigned long long)(ns / 100u % 10u));
}

char *fl_cell_format(const struct fl_cell *cell)
{
    char buf[64] = "";
    switch (cell->unit) {
    case FL_UNIT_NONE: break;
    case FL_UNIT_TEXT: return strdup(cell->text ? cell->text : "");
    case FL_UNIT_COUNT: fl_format_count(buf, cell->value); break;
    case FL_UNIT_BYTES:
        if (cell->value == FL_SIZE_MAX_BYTES)
            snprintf(buf, sizeof buf, "unlimited");
        else
            fl_format_bytes(buf, cell->value);
        break;
    case FL_UNIT_BP:
        snprintf(buf, sizeof buf, "%llu.%02llu %%", (unsigned long long)(cell->value / 100),
                 (unsigned long long)(cell->value % 100));
        break;
    case FL_UNIT_NS: format_ns(buf, sizeof buf, cell->value); break;
    }
    return strdup(buf);
}
