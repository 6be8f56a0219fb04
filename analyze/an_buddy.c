/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Free memory over time by the size of its blocks: how much of it large requests can use. */
#include <faultline/units.h>

#include "an.h"

/* Orders that are shown as one; the largest at the bottom of the pile. */
static const struct {
    unsigned from, to;
    const char *words;
    unsigned style;
} sizes[] = { { 10, 10, "4 MiB", 1 },
              { 9, 9, "2 MiB", 3 },
              { 4, 8, "64 KiB to 1 MiB", 2 },
              { 1, 3, "8 to 32 KiB", 5 },
              { 0, 0, "4 KiB", 6 } };

static uint64_t bytes_of(const struct an_timeline *t, size_t row, size_t k,
                         const size_t columns[AN_ORDERS], uint64_t page_bytes)
{
    uint64_t pages = 0;
    for (unsigned o = sizes[k].from; o <= sizes[k].to; o++)
        if (__builtin_add_overflow(
                pages, an_mul(an_timeline_get(t, row, columns[o]), UINT64_C(1) << o), &pages))
            return UINT64_MAX;
    return an_mul(pages, page_bytes);
}

static void write_title(struct fl_table *table, const struct an_timeline *t,
                        const size_t columns[AN_ORDERS], uint64_t page_bytes)
{
    char large[FL_FORMAT_BYTES], all[FL_FORMAT_BYTES];
    uint64_t sum = 0, usable = 0;
    for (size_t k = 0; k < FL_COUNT(sizes); k++) {
        uint64_t bytes = bytes_of(t, t->n_rows - 1, k, columns, page_bytes);
        bool fits = sizes[k].from >= 9;
        if (__builtin_add_overflow(sum, bytes, &sum))
            sum = UINT64_MAX;
        if (fits && __builtin_add_overflow(usable, bytes, &usable))
            usable = UINT64_MAX;
    }
    fl_table_label(table, &table->title, "Of %s free at the end, %s are in blocks of 2 MiB or more",
                   fl_format_bytes(all, sum), fl_format_bytes(large, usable));
}

int an_buddy_build(const struct json_t *report, size_t i, struct fl_table **out, struct fl_err *err)
{
    const struct json_t *result = fl_report_result(report, i);
    struct an_timeline t;
    size_t columns[AN_ORDERS];
    if (!an_free_blocks(result, &t, columns))
        return fl_fail(err, FL_EDATA,
                       "chart buddy: the result has no free blocks over time; make it with "
                       "`faultline replay --allocator`, or --policy linux --scope machine");
    struct fl_table *table = fl_table_new("buddy");
    if (!table)
        return fl_nomem(err, "chart buddy");
    an_timeline_axis(&t, table);
    for (size_t k = 0; k < FL_COUNT(sizes); k++)
        fl_table_column(table, sizes[k].words, FL_UNIT_BYTES, sizes[k].style);
    table->stacked = true;
    for (size_t r = 0; r < t.n_rows; r++) {
        size_t row = fl_table_row(table);
        fl_table_put(table, row, 0, an_timeline_get(&t, r, t.x));
        for (size_t k = 0; k < FL_COUNT(sizes); k++)
            fl_table_put(table, row, k + 1, bytes_of(&t, r, k, columns, an_page_bytes(result)));
    }
    write_title(table, &t, columns, an_page_bytes(result));
    fl_table_label(table, &table->y_name, "free memory, by size of block");
    an_footer(table, result, NULL);
    return an_finish(table, out, err);
}
