/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults over time by cause: which cause there is most of, and how bunched they are. */
#include <jansson.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"

struct series {
    size_t column;
    const char *words;
    unsigned style;
    bool major;
};

#define SERIES_MAX 16

/* The causes that occur; where a timeline has none, minor and major as they are. */
static size_t pick_series(const struct an_timeline *t, struct series *out)
{
    static const struct series plain[] = { { 0, "minor", 1, false },
                                           { 0, "major", 6, true },
                                           { 0, "unknown", 8, false } };
    const struct an_cause *cause;
    size_t n = 0;
    for (size_t i = 0; (cause = an_cause_at(i)) && n < SERIES_MAX; i++) {
        size_t column = an_timeline_column(t, cause->key);
        if (column != AN_NO_COLUMN && an_timeline_sum(t, column) > 0)
            out[n++] = (struct series){ column, cause->words, cause->style, cause->major };
    }
    if (n > 0)
        return n;
    for (size_t i = 0; i < FL_COUNT(plain); i++) {
        size_t column = an_timeline_column(t, plain[i].words);
        if (column != AN_NO_COLUMN && an_timeline_sum(t, column) > 0) {
            out[n] = plain[i];
            out[n++].column = column;
        }
    }
    return n;
}

static void write_title(struct fl_table *out, const struct an_timeline *t,
                        const struct series *series, size_t n)
{
    uint64_t total = 0, best = 0;
    size_t biggest = 0, half_row = 0;
    char count[FL_FORMAT_BYTES];
    for (size_t i = 0; i < n; i++) {
        uint64_t sum = an_timeline_sum(t, series[i].column);
        if (sum > best) {
            best = sum;
            biggest = i;
        }
        if (__builtin_add_overflow(total, sum, &total))
            total = UINT64_MAX;
    }
    uint64_t so_far = 0;
    for (size_t r = 0; r < t->n_rows && so_far < total / 2 + total % 2; r++) {
        for (size_t i = 0; i < n; i++)
            so_far += an_timeline_get(t, r, series[i].column);
        half_row = r;
    }
    fl_format_count(count, total);
    unsigned percent = (unsigned)((double)best * 100.0 / (double)total + 0.5);
    unsigned where = (unsigned)((half_row + 1) * 100 / t->n_rows);
    char when[40] = "at the very start";
    if (where > 1)
        snprintf(when, sizeof when, "in the first %u %% of the run", where);
    if (n == 1)
        fl_table_label(out, &out->title, "All %s faults are %s; half come %s", count,
                       series[0].words, when);
    else
        fl_table_label(out, &out->title, "%s faults, %u %% of them %s; half come %s", count,
                       percent, series[biggest].words, when);
}

#define INTERVALS_MARKED_MAX 3u

/* Where thrashing begins and ends; nothing when that is too often to be read. */
static void mark_thrashing(struct fl_table *table, const struct json_t *result)
{
    const json_t *intervals = fl_document_at(result, "thrash.intervals"), *v;
    uint64_t from, to;
    size_t i;
    if (json_array_size(intervals) > INTERVALS_MARKED_MAX)
        return;
    json_array_foreach(intervals, i, v)
    {
        if (!fl_document_count(v, "from_access", &from) || !fl_document_count(v, "to_access", &to))
            continue;
        fl_table_mark(table, 'x', from, "thrashing from here");
        fl_table_mark(table, 'x', to, "to here");
    }
}

int an_faults_build(const struct json_t *report, size_t i, struct fl_table **out,
                    struct fl_err *err)
{
    const struct json_t *result = fl_report_result(report, i);
    struct an_timeline t;
    struct series series[SERIES_MAX];
    if (!an_timeline_open(result, &t))
        return fl_fail(err, FL_EDATA, "chart faults: the result has no timeline");
    size_t n = pick_series(&t, series);
    if (n == 0)
        return fl_fail(err, FL_EDATA, "chart faults: the result's timeline has no fault in it");
    struct fl_table *table = fl_table_new("faults");
    if (!table)
        return fl_nomem(err, "chart faults");
    fl_table_column(table, t.is_time ? "time, from" : "accesses, from",
                    t.is_time ? FL_UNIT_NS : FL_UNIT_COUNT, 0);
    for (size_t k = 0; k < n; k++)
        fl_table_column(table, series[k].words, FL_UNIT_COUNT, series[k].style);
    table->stacked = true;
    /* A row's counts belong to the stretch before its position: shift, and close the end. */
    uint64_t from = 0, width = an_timeline_get(&t, 0, t.x);
    bool even = true;
    for (size_t r = 0; r <= t.n_rows; r++) {
        size_t at = r < t.n_rows ? r : t.n_rows - 1, row = fl_table_row(table);
        fl_table_put(table, row, 0, from);
        for (size_t k = 0; k < n; k++)
            fl_table_put(table, row, k + 1, an_timeline_get(&t, at, series[k].column));
        uint64_t to = an_timeline_get(&t, at, t.x);
        if (r + 1 < t.n_rows && to - from != width)
            even = false;
        from = to;
    }
    write_title(table, &t, series, n);
    if (!t.is_time)
        mark_thrashing(table, result);
    fl_table_label(table, &table->x_name, t.is_time ? "time" : "memory accesses of the program");
    char count[FL_FORMAT_BYTES];
    fl_format_count(count, width);
    if (t.is_time)
        fl_table_label(table, &table->y_name, "faults per %.1f ms", (double)width / 1e6);
    else if (even && t.n_rows > 1)
        fl_table_label(table, &table->y_name, "faults per %s accesses", count);
    else
        fl_table_label(table, &table->y_name, "faults per stretch of the run");
    an_footer(table, result, NULL);
    return an_finish(table, out, err);
}
