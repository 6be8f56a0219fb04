/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resident set, swap and page tables over time, against the RAM that was given. */
#include <string.h>

#include <faultline/units.h>

#include "an.h"

static void write_title(struct fl_table *out, const struct json_t *result,
                        const struct an_timeline *t, size_t resident, size_t swapped,
                        uint64_t page_bytes, bool limited, uint64_t limit)
{
    char peak[FL_FORMAT_BYTES], ram[FL_FORMAT_BYTES], swap[FL_FORMAT_BYTES];
    uint64_t peak_bytes = an_mul(an_timeline_max(t, resident), page_bytes);
    uint64_t swap_bytes = an_mul(an_timeline_max(t, swapped), page_bytes);
    uint64_t swap_pages;
    size_t full = 0;
    /* Rows tell of their ends only; the result knows the peak between them. */
    if (fl_document_count(result, "swap.peak_pages", &swap_pages))
        swap_bytes = an_mul(swap_pages, page_bytes);
    fl_format_bytes(peak, peak_bytes);
    fl_format_bytes(ram, limit);
    fl_format_bytes(swap, swap_bytes);
    /* "Full" leaves out the last 1 %: kernels keep a few frames free. */
    for (size_t r = 0; limited && r < t->n_rows; r++)
        full += an_mul(an_timeline_get(t, r, resident), page_bytes) >= limit - limit / 100;
    if (limited && full > 0)
        fl_table_label(out, &out->title,
                       "The resident set fills the %s of RAM for %zu %% of the run%s%s%s", ram,
                       full * 100 / t->n_rows, swap_bytes ? "; up to " : "", swap_bytes ? swap : "",
                       swap_bytes ? " in swap" : "");
    else if (limited)
        fl_table_label(out, &out->title, "The resident set peaks at %s, within the %s of RAM", peak,
                       ram);
    else
        fl_table_label(out, &out->title, "The resident set peaks at %s", peak);
}

int an_resident_build(const struct json_t *report, size_t i, struct fl_table **out,
                      struct fl_err *err)
{
    static const struct {
        const char *key, *words;
        unsigned style;
    } sizes[] = { { "resident_pages", "resident", 1 },
                  { "swapped_pages", "in swap", 6 },
                  { "page_tables", "page tables", 3 } };
    const struct json_t *result = fl_report_result(report, i);
    struct an_timeline t;
    size_t columns[FL_COUNT(sizes)], n = 0;
    uint64_t page_bytes = an_page_bytes(result), limit = 0;
    if (!an_timeline_open(result, &t) || an_timeline_column(&t, "resident_pages") == AN_NO_COLUMN)
        return fl_fail(err, FL_EDATA, "chart resident: the result has no resident set over time");
    struct fl_table *table = fl_table_new("resident");
    if (!table)
        return fl_nomem(err, "chart resident");
    an_timeline_axis(&t, table);
    for (size_t k = 0; k < FL_COUNT(sizes); k++) {
        size_t column = an_timeline_column(&t, sizes[k].key);
        if (column == AN_NO_COLUMN || (k > 0 && an_timeline_max(&t, column) == 0))
            continue;
        columns[n++] = column;
        fl_table_column(table, sizes[k].words, FL_UNIT_BYTES, sizes[k].style);
    }
    size_t row = fl_table_row(table); /* before the first access nothing is resident */
    for (size_t c = 0; c <= n; c++)
        fl_table_put(table, row, c, 0);
    for (size_t r = 0; r < t.n_rows; r++) {
        row = fl_table_row(table);
        fl_table_put(table, row, 0, an_timeline_get(&t, r, t.x));
        for (size_t c = 0; c < n; c++)
            fl_table_put(table, row, c + 1, an_mul(an_timeline_get(&t, r, columns[c]), page_bytes));
    }
    uint64_t peak = fl_table_max(table, 1);
    bool limited = an_ram_limit(result, &limit);
    write_title(table, result, &t, columns[0], an_timeline_column(&t, "swapped_pages"), page_bytes,
                limited, limit);
    /* A limit far above everything would flatten what there is to see. */
    if (limited && limit / 2 <= peak) {
        char text[FL_FORMAT_BYTES], label[FL_FORMAT_BYTES + 16];
        snprintf(label, sizeof label, "RAM %s", fl_format_bytes(text, limit));
        fl_table_mark(table, 'y', limit, label);
    }
    fl_table_label(table, &table->y_name, "memory");
    an_footer(table, result, NULL);
    return an_finish(table, out, err);
}
