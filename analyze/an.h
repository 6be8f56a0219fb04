/* SPDX-License-Identifier: GPL-2.0-or-later */
/* an.h - what the analyses share: reading a timeline, a chart's footer. */
#ifndef FAULTLINE_AN_H
#define FAULTLINE_AN_H

#include <faultline/report.h>

#include "measured.h"

#define AN_NO_COLUMN SIZE_MAX
#define AN_ORDERS 11u /* sizes of block that the page allocator has */

/** A result's timeline. */
struct an_timeline {
    const struct json_t *columns, *rows;
    size_t n_rows, x; /* x: the column of positions */
    bool is_time;     /* x is nanoseconds; else accesses */
};

/** an_timeline_open - false when @result has none. */
bool an_timeline_open(const struct json_t *result, struct an_timeline *t);
/** an_timeline_open_at - the same of another one, at @path of @result. */
bool an_timeline_open_at(const struct json_t *result, const char *path, struct an_timeline *t);
/** an_timeline_column - its index, AN_NO_COLUMN when there is none of that name. */
size_t an_timeline_column(const struct an_timeline *t, const char *name);
/** an_timeline_get - a cell; 0 outside. */
uint64_t an_timeline_get(const struct an_timeline *t, size_t row, size_t column);
/** an_timeline_axis - the positions as column 0 of @table, which has none yet, and its x axis. */
void an_timeline_axis(const struct an_timeline *t, struct fl_table *table);
/** an_timeline_sum, an_timeline_max - over a column. */
uint64_t an_timeline_sum(const struct an_timeline *t, size_t column);
uint64_t an_timeline_max(const struct an_timeline *t, size_t column);

/** an_free_blocks - the page allocator's, by order, over time; false when @result has none. */
bool an_free_blocks(const struct json_t *result, struct an_timeline *t, size_t columns[AN_ORDERS]);

/** an_count - the count at @key of @entry; 0 when there is none. */
uint64_t an_count(const struct json_t *entry, const char *key);
/** an_page_bytes - the result's page size, 4096 when it does not say. */
uint64_t an_page_bytes(const struct json_t *result);
/** an_ram_limit - bytes of RAM it was given; false when there was no limit. */
bool an_ram_limit(const struct json_t *result, uint64_t *bytes);
/** an_recorded - a metadata key of the result's trace, or NULL. */
const char *an_recorded(const struct json_t *result, const char *key);
/** an_footer - fidelity, how it was got, quality flags, into @t->footer. */
void an_footer(struct fl_table *t, const struct json_t *result, const char *extra);
/** an_mul - a * b, UINT64_MAX when that is too much. */
uint64_t an_mul(uint64_t a, uint64_t b);
/** an_share_bp - @part of @whole in basis points, to the nearest; 0 of nothing. */
uint64_t an_share_bp(uint64_t part, uint64_t whole);
/** an_finish - the chart's table @t into @out; frees it if something in it failed. FL_ENOMEM. */
int an_finish(struct fl_table *t, struct fl_table **out, struct fl_err *err);

/** Why a fault was taken, in words. */
struct an_cause {
    const char *key, *words;
    unsigned style; /* colour slot */
    bool major;
};
/** an_cause_at - the i-th; NULL past the end. */
const struct an_cause *an_cause_at(size_t i);

/** an_flags - the quality flags of @doc, comma-separated, in @buf; or "no flags". */
const char *an_flags(const struct json_t *doc, char *buf, size_t size);
/** an_wants_log - do the counts of @t span so many decades that a log axis shows more? */
bool an_wants_log(const struct fl_table *t);

/* The charts' tables; rows of charts.c. */
int an_accuracy_build(const struct json_t *report, size_t i, struct fl_table **out,
                      struct fl_err *err);
int an_accuracy_build_count(const struct json_t *report, size_t i, const char *count,
                            struct fl_table **out, struct fl_err *err);
int an_buddy_build(const struct json_t *report, size_t i, struct fl_table **out,
                   struct fl_err *err);
int an_faults_build(const struct json_t *report, size_t i, struct fl_table **out,
                    struct fl_err *err);
int an_fragmentation_build(const struct json_t *report, size_t i, struct fl_table **out,
                           struct fl_err *err);
int an_slab_build(const struct json_t *report, size_t i, struct fl_table **out, struct fl_err *err);
int an_heat_build(const struct json_t *report, size_t i, struct fl_table **out, struct fl_err *err);
int an_tlb_reach_build(const struct json_t *report, size_t i, struct fl_table **out,
                       struct fl_err *err);
int an_working_set_build(const struct json_t *report, size_t i, struct fl_table **out,
                         struct fl_err *err);
int an_resident_build(const struct json_t *report, size_t i, struct fl_table **out,
                      struct fl_err *err);
int an_oom_build(const struct json_t *report, size_t i, struct fl_table **out, struct fl_err *err);
int an_curve_build(const struct json_t *report, size_t i, struct fl_table **out,
                   struct fl_err *err);

#endif
