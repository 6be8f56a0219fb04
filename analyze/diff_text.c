/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A comparison for a terminal: sentences, then tables in columns. */
#include <stdlib.h>
#include <string.h>

#include "diff.h"

#define NAME_WIDTH_MAX \
    52u /* of a first column; a path loses its beginning, other names their end */

/* Characters, not bytes; text in tables is valid UTF-8. */
static size_t width(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Where the character @n begins. */
static const char *skip(const char *s, size_t n)
{
    for (; *s && n > 0; n--)
        do
            s++;
        while (((unsigned char)*s & 0xc0) == 0x80);
    return s;
}

static char *cell_text(const struct fl_table *t, size_t row, size_t col)
{
    char *text = fl_cell_format(fl_table_at(t, row, col)), *cut = NULL;
    size_t w = text ? width(text) : 0;
    if (col > 0 || w <= NAME_WIDTH_MAX)
        return text;
    int n = *text == '/'
                ? asprintf(&cut, "…%s", skip(text, w - NAME_WIDTH_MAX + 1))
                : asprintf(&cut, "%.*s…", (int)(skip(text, NAME_WIDTH_MAX - 1) - text), text);
    free(text);
    return n < 0 ? NULL : cut;
}

static void put(FILE *out, const char *text, size_t columns, bool right, bool last)
{
    size_t pad = columns - width(text);
    if (right)
        fprintf(out, "%*s%s", (int)pad, "", text);
    else if (last)
        fputs(text, out);
    else
        fprintf(out, "%s%*s", text, (int)pad, "");
}

static bool is_right(const struct fl_table *t, size_t col)
{
    return col > 0 && t->columns[col].unit != FL_UNIT_TEXT;
}

/* The cells as text, a row of headings first; NULL: out of memory. Cells may be NULL then. */
static char **cells_of(const struct fl_table *t, size_t *widths, bool *ok)
{
    size_t n = (t->n_rows + 1) * t->n_columns;
    char **cells = calloc(n ? n : 1, sizeof *cells);
    *ok = cells != NULL;
    for (size_t i = 0; i < n && *ok; i++) {
        size_t col = i % t->n_columns;
        cells[i] = i < t->n_columns ? strdup(t->columns[col].name)
                                    : cell_text(t, i / t->n_columns - 1, col);
        *ok = cells[i] != NULL;
        if (*ok && width(cells[i]) > widths[col])
            widths[col] = width(cells[i]);
    }
    return cells;
}

static int put_table(FILE *out, const struct fl_table *t, struct fl_err *err)
{
    size_t *widths = calloc(t->n_columns + 1, sizeof *widths), n = (t->n_rows + 1) * t->n_columns;
    bool ok = false;
    char **cells = widths ? cells_of(t, widths, &ok) : NULL;
    for (size_t i = 0; i < n && ok; i++) {
        size_t col = i % t->n_columns, last = t->n_columns - 1;
        /* No blanks at a line's end. */
        while (last > 0 && !*cells[i - col + last])
            last--;
        if (col <= last) {
            fputs("  ", out);
            put(out, cells[i], widths[col], is_right(t, col), col == last);
        }
        if (col + 1 == t->n_columns)
            fputc('\n', out);
    }
    for (size_t i = 0; i < n && cells; i++)
        free(cells[i]);
    free(cells);
    free(widths);
    return ok ? FL_OK : fl_nomem(err, "printing a table");
}

int diff_text(const struct fl_view *view, FILE *out, struct fl_err *err)
{
    int rc = FL_OK;
    fprintf(out, "%s\n", view->verdict);
    for (size_t i = 0; i < view->n_lines; i++)
        fprintf(out, "  %s\n", view->lines[i]);
    for (size_t i = 0; i < view->n_sections && rc == FL_OK; i++) {
        fprintf(out, "\n%s\n", view->sections[i].heading);
        if (view->sections[i].text)
            fprintf(out, "  %s\n", view->sections[i].text);
        if (view->sections[i].table)
            rc = put_table(out, view->sections[i].table, err);
    }
    return rc;
}
