/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address by time: a band for each of the largest mappings, largest on top, lowest address at its
 * bottom. Marks of axis y are where bands begin, with their names; of axis x, where phases do.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"

#define BANDS_MAX 8u
#define SMALL_SHARE 500u /* of the largest: too small for a band */
#define BAND_ROWS 48u    /* in the table, whatever a mapping has: plots/heat.gp counts on it */
#define HEIGHT 9000u     /* of all bands, in the table's units */

struct band {
    const json_t *rows;
    const char *mapping;
    uint64_t pages;
    size_t n_rows, n_columns;
    unsigned height, base;
};

static uint64_t cell(const struct band *b, size_t row, size_t column)
{
    json_int_t v = json_integer_value(json_array_get(json_array_get(b->rows, row), column));
    return v < 0 ? 0 : v > 100 ? 100 : (uint64_t)v;
}

static size_t find_bands(const json_t *result, struct band bands[BANDS_MAX])
{
    const json_t *heat = fl_document_at(result, "locality.heat"), *v;
    size_t i, n = 0;
    json_array_foreach(heat, i, v)
    {
        struct band b = { .rows = json_object_get(v, "rows"),
                          .mapping = fl_document_text(v, "mapping") };
        uint64_t columns = 0;
        b.n_rows = json_array_size(b.rows);
        if (n == BANDS_MAX || !b.mapping || !b.n_rows ||
            !fl_document_count(v, "columns", &columns) || columns == 0 || columns > 4096 ||
            (n > 0 && columns != bands[0].n_columns))
            continue;
        b.n_columns = (size_t)columns;
        fl_document_count(v, "pages", &b.pages);
        if (n > 0 && b.pages < bands[0].pages / SMALL_SHARE)
            continue;
        bands[n++] = b;
    }
    return n;
}

/* Heights go by the logarithm of the size: what is small can still be seen. */
static unsigned weight(const struct band *b)
{
    return 64u - (unsigned)__builtin_clzll(b->pages | 1);
}

static void lay_out(struct band *bands, size_t n)
{
    unsigned sum = 0, base = 0;
    for (size_t i = 0; i < n; i++)
        sum += weight(&bands[i]);
    for (size_t i = n; i-- > 0;) {
        bands[i].base = base;
        bands[i].height = HEIGHT * weight(&bands[i]) / sum;
        base += bands[i].height;
    }
}

static void put_band(struct fl_table *t, const struct band *b, uint64_t accesses)
{
    for (size_t r = 0; r < BAND_ROWS; r++)
        for (size_t c = 0; c < b->n_columns; c++) {
            size_t row = fl_table_row(t);
            uint64_t at = (uint64_t)((double)accesses * ((double)c + 0.5) / (double)b->n_columns);
            fl_table_put(t, row, 0, at);
            fl_table_put(t, row, 1, b->base + b->height * (2 * r + 1) / (2 * BAND_ROWS));
            fl_table_put(t, row, 2, cell(b, r * b->n_rows / BAND_ROWS, c));
        }
}

/* "libc.so.6, 1.8 MiB": a path is known by its end. */
static void mark_band(struct fl_table *t, const struct band *b, uint64_t page_bytes)
{
    char *label = NULL, size[FL_FORMAT_BYTES];
    const char *slash = b->mapping[0] == '/' ? strrchr(b->mapping, '/') : NULL;
    fl_format_bytes(size, an_mul(b->pages, page_bytes));
    char *name = fl_text_clean(slash && slash[1] ? slash + 1 : b->mapping, 30);
    if (name && asprintf(&label, "%s: %s", name, size) >= 0)
        fl_table_mark(t, 'y', b->base, label);
    else
        t->failed = true;
    free(label);
    free(name);
}

static void mark_phases(struct fl_table *t, const json_t *result)
{
    const json_t *phases = fl_document_at(result, "locality.phases"), *v;
    uint64_t from;
    size_t i;
    if (json_array_size(phases) < 2)
        return;
    json_array_foreach(phases, i, v)
    {
        char number[24];
        snprintf(number, sizeof number, "%zu", i + 1);
        if (i < 64 && fl_document_count(v, "from_access", &from))
            fl_table_mark(t, 'x', from, number);
    }
}

static void write_title(struct fl_table *t, const struct band *top, const json_t *result)
{
    uint64_t sum = 0, distinct = 0;
    for (size_t r = 0; r < top->n_rows; r++)
        for (size_t c = 0; c < top->n_columns; c++)
            sum += cell(top, r, c);
    fl_document_count(result, "locality.sets.distinct_pages", &distinct);
    fl_table_label(t, &t->title,
                   "%s has %u %% of the pages touched; at any time %u %% of them are in use",
                   top->mapping,
                   distinct ? (unsigned)((double)top->pages * 100.0 / (double)distinct + 0.5) : 0,
                   (unsigned)((double)sum / (double)(top->n_rows * top->n_columns) + 0.5));
}

int an_heat_build(const struct json_t *report, size_t i, struct fl_table **out, struct fl_err *err)
{
    const json_t *result = fl_report_result(report, i);
    struct band bands[BANDS_MAX];
    uint64_t accesses = 0;
    size_t n = find_bands(result, bands);
    if (n == 0 || !fl_document_count(result, "locality.accesses", &accesses) || !accesses)
        return fl_fail(err, FL_EDATA,
                       "chart heat: the result has no heat map; make it with `faultline replay "
                       "--locality` or `faultline report`");
    struct fl_table *t = fl_table_new("heat");
    if (!t)
        return fl_nomem(err, "chart heat");
    fl_table_column(t, "at", FL_UNIT_COUNT, 0);
    fl_table_column(t, "place", FL_UNIT_COUNT, 0);
    fl_table_column(t, "touched", FL_UNIT_COUNT, 0);
    t->picture = true;
    lay_out(bands, n);
    for (size_t b = 0; b < n; b++) {
        put_band(t, &bands[b], accesses);
        mark_band(t, &bands[b], an_page_bytes(result));
    }
    mark_phases(t, result);
    write_title(t, &bands[0], result);
    fl_table_label(t, &t->x_name, "memory accesses of the program");
    fl_table_label(t, &t->y_name, "%% of the pages there touched");
    size_t more = json_array_size(fl_document_at(result, "locality.heat")) - n;
    char extra[96] = "numbers on top: phases";
    if (more)
        snprintf(extra, sizeof extra, "numbers on top: phases; %zu smaller mappings left out",
                 more);
    an_footer(t, result, extra);
    return an_finish(t, out, err);
}
