/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Denning's working set over time, for a short, a middle and a long window. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"

#define WINDOWS_MAX 8u
#define PREFIX "window_"

/* "4.5 million": as precise as a legend needs. */
static void put_accesses(char *buf, size_t size, uint64_t n)
{
    if (n >= 1000000000)
        snprintf(buf, size, "%.1f billion", (double)n / 1e9);
    else if (n >= 1000000)
        snprintf(buf, size, "%.1f million", (double)n / 1e6);
    else if (n >= 10000)
        snprintf(buf, size, "%.0f thousand", (double)n / 1e3);
    else
        snprintf(buf, size, "%" PRIu64, n);
}

static bool window_length(const char *column, uint64_t *accesses)
{
    return strncmp(column, PREFIX, strlen(PREFIX)) == 0 &&
           fl_parse_u64(column + strlen(PREFIX), accesses, NULL) == FL_OK;
}

/* The middle one of the windows listed: what the title tells. */
static void write_title(struct fl_table *t, const json_t *result)
{
    const json_t *windows = fl_document_at(result, "locality.windows");
    const json_t *w = json_array_get(windows, json_array_size(windows) / 2);
    uint64_t accesses = 0, mean = 0, peak = 0, resident = 0, page = an_page_bytes(result);
    char mean_text[FL_FORMAT_BYTES], peak_text[FL_FORMAT_BYTES], resident_text[FL_FORMAT_BYTES];
    char length[40];
    fl_document_count(w, "accesses", &accesses);
    fl_document_count(w, "mean_pages", &mean);
    fl_document_count(w, "peak_pages", &peak);
    fl_document_count(result, "locality.sets.resident_peak_pages", &resident);
    put_accesses(length, sizeof length, accesses);
    fl_table_label(
        t, &t->title,
        "Within %s accesses the program uses %s on average and %s at most, of %s resident", length,
        fl_format_bytes(mean_text, an_mul(mean, page)),
        fl_format_bytes(peak_text, an_mul(peak, page)),
        fl_format_bytes(resident_text, an_mul(resident, page)));
    if (resident > 0) {
        char label[FL_FORMAT_BYTES + 32];
        snprintf(label, sizeof label, "peak resident set %s", resident_text);
        fl_table_mark(t, 'y', an_mul(resident, page), label);
    }
}

int an_working_set_build(const struct json_t *report, size_t i, struct fl_table **out,
                         struct fl_err *err)
{
    const json_t *result = fl_report_result(report, i);
    struct an_timeline t;
    size_t columns[WINDOWS_MAX], n = 0;
    uint64_t page = an_page_bytes(result);
    if (!an_timeline_open_at(result, "locality.timeline", &t))
        return fl_fail(err, FL_EDATA,
                       "chart working-set: the result has no working set; make it with `faultline "
                       "replay --locality` or `faultline report`");
    struct fl_table *table = fl_table_new("working-set");
    if (!table)
        return fl_nomem(err, "chart working-set");
    fl_table_column(table, "to", FL_UNIT_COUNT, 0);
    for (size_t c = json_array_size(t.columns); c-- > 0 && n < WINDOWS_MAX;) {
        static const unsigned styles[] = { 1, 2, 3 };
        const char *name = json_string_value(json_array_get(t.columns, c));
        char length[40], words[64];
        uint64_t accesses;
        if (!name || !window_length(name, &accesses))
            continue;
        put_accesses(length, sizeof length, accesses);
        snprintf(words, sizeof words, "last %s", length);
        fl_table_column(table, words, FL_UNIT_BYTES, styles[n % FL_COUNT(styles)]);
        columns[n++] = c;
    }
    size_t resident = an_timeline_column(&t, "resident_pages");
    if (resident != AN_NO_COLUMN && n < WINDOWS_MAX) {
        fl_table_column(table, "resident", FL_UNIT_BYTES, 8);
        columns[n++] = resident;
    }
    size_t row = fl_table_row(table); /* before the first access nothing has been touched */
    for (size_t c = 0; c <= n; c++)
        fl_table_put(table, row, c, 0);
    for (size_t r = 0; r < t.n_rows; r++) {
        row = fl_table_row(table);
        fl_table_put(table, row, 0, an_timeline_get(&t, r, t.x));
        for (size_t c = 0; c < n; c++)
            fl_table_put(table, row, c + 1, an_mul(an_timeline_get(&t, r, columns[c]), page));
    }
    write_title(table, result);
    fl_table_label(table, &table->x_name, "memory accesses of the program");
    fl_table_label(table, &table->y_name, "touched in the last accesses");
    an_footer(table, result, "whatever the RAM");
    return an_finish(table, out, err);
}
