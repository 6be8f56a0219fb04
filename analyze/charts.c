/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of charts. One is a row here, an an_NAME.c, and a plots/NAME.gp. */
#include <jansson.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"

static const struct fl_chart charts[] = {
    { "accuracy", "What the kernel did and what the model said",
      "a count against RAM, the kernel's beside each policy's", FL_CHART_OF_VALIDATION,
      an_accuracy_build, an_accuracy_build_count },
    { "buddy", "Free memory over time, by size of block",
      "free memory over time, stacked by the size of its blocks", FL_CHART_OF_RESULT,
      an_buddy_build, NULL },
    { "curve", "Faults against RAM", "major faults against RAM, one line a policy",
      FL_CHART_OF_REPORT, an_curve_build, NULL },
    { "faults", "Faults over time", "faults over time, stacked by cause", FL_CHART_OF_RESULT,
      an_faults_build, NULL },
    { "fragmentation", "Free memory that large requests cannot use",
      "unusable free space index over time, one line a size of block", FL_CHART_OF_RESULT,
      an_fragmentation_build, NULL },
    { "heat", "Where memory is touched, over time",
      "address by time, the largest mappings in bands, phases marked", FL_CHART_OF_RESULT,
      an_heat_build, NULL },
    { "oom", "Who would be killed", "the OOM killer's candidates, and whom it took",
      FL_CHART_OF_RESULT, an_oom_build, NULL },
    { "resident", "Memory over time", "resident set, swap and page tables over time",
      FL_CHART_OF_RESULT, an_resident_build, NULL },
    { "slab", "Kernel object caches", "memory of the largest caches: in use, and not",
      FL_CHART_OF_RESULT, an_slab_build, NULL },
    { "tlb-reach", "What larger pages would save",
      "page walks by mapping, with pages of 4 KiB and of 2 MiB", FL_CHART_OF_RESULT,
      an_tlb_reach_build, NULL },
    { "working-set", "Working set over time",
      "what was touched in the last accesses, for three windows", FL_CHART_OF_RESULT,
      an_working_set_build, NULL },
};

const struct fl_chart *fl_chart_at(size_t i)
{
    return i < FL_COUNT(charts) ? &charts[i] : NULL;
}

const char *fl_chart_name_at(size_t i)
{
    return i < FL_COUNT(charts) ? charts[i].name : NULL;
}

const struct fl_chart *fl_chart_find(const char *name)
{
    for (size_t i = 0; i < FL_COUNT(charts); i++)
        if (strcmp(charts[i].name, name) == 0)
            return &charts[i];
    return NULL;
}

size_t fl_chart_times(const struct fl_chart *chart, const json_t *report)
{
    switch (chart->scope) {
    case FL_CHART_OF_REPORT: return 1;
    case FL_CHART_OF_RESULT: return fl_report_results(report);
    case FL_CHART_OF_VALIDATION: return fl_report_validations(report);
    }
    return 0;
}

const char *fl_chart_count_at(size_t i)
{
    return an_count_at(i) ? an_count_at(i)->key : NULL;
}

/* ---- what they share ---------------------------------------------------------- */

static const struct an_cause causes[] = {
    { "anon_zero", "anonymous, first read", 5, false },
    { "anon_write", "anonymous, first write", 1, false },
    { "cow", "copy on write", 4, false },
    { "file_map", "file, first touch", 3, false },
    { "file_around", "file, mapped around", 7, false },
    { "shmem", "shared memory", 7, false },
    { "swap_cache", "swap cache hit", 4, false },
    { "huge", "huge page", 8, false },
    { "file_read", "file, read again", 2, true },
    { "swap_in", "swap in", 6, true },
};

const struct an_cause *an_cause_at(size_t i)
{
    return i < FL_COUNT(causes) ? &causes[i] : NULL;
}

size_t an_timeline_column(const struct an_timeline *t, const char *name)
{
    const json_t *v;
    size_t i;
    json_array_foreach(t->columns, i, v) if (json_is_string(v) &&
                                             strcmp(json_string_value(v), name) == 0) return i;
    return AN_NO_COLUMN;
}

bool an_timeline_open(const json_t *result, struct an_timeline *t)
{
    return an_timeline_open_at(result, "timeline", t);
}

bool an_timeline_open_at(const json_t *result, const char *path, struct an_timeline *t)
{
    const json_t *timeline = fl_document_at(result, path);
    t->columns = json_object_get(timeline, "columns");
    t->rows = json_object_get(timeline, "rows");
    t->n_rows = json_array_size(t->rows);
    t->is_time = false;
    if (t->n_rows == 0)
        return false;
    t->x = an_timeline_column(t, "access");
    if (t->x == AN_NO_COLUMN) {
        t->x = an_timeline_column(t, "time_ns");
        t->is_time = true;
    }
    return t->x != AN_NO_COLUMN;
}

bool an_free_blocks(const json_t *result, struct an_timeline *t, size_t columns[AN_ORDERS])
{
    bool found = an_timeline_open_at(result, "buddy.timeline", t) || an_timeline_open(result, t);
    for (unsigned o = 0; found && o < AN_ORDERS; o++) {
        char name[24];
        snprintf(name, sizeof name, "free_order_%u", o);
        columns[o] = an_timeline_column(t, name);
        found = columns[o] != AN_NO_COLUMN;
    }
    return found;
}

void an_timeline_axis(const struct an_timeline *t, struct fl_table *table)
{
    fl_table_column(table, t->is_time ? "time" : "accesses",
                    t->is_time ? FL_UNIT_NS : FL_UNIT_COUNT, 0);
    fl_table_label(table, &table->x_name, t->is_time ? "time" : "memory accesses of the program");
}

uint64_t an_count(const json_t *entry, const char *key)
{
    uint64_t value = 0;
    fl_document_count(entry, key, &value);
    return value;
}

uint64_t an_timeline_get(const struct an_timeline *t, size_t row, size_t column)
{
    json_int_t v = json_integer_value(json_array_get(json_array_get(t->rows, row), column));
    return v > 0 ? (uint64_t)v : 0;
}

uint64_t an_timeline_sum(const struct an_timeline *t, size_t column)
{
    uint64_t sum = 0;
    for (size_t r = 0; column != AN_NO_COLUMN && r < t->n_rows; r++)
        if (__builtin_add_overflow(sum, an_timeline_get(t, r, column), &sum))
            return UINT64_MAX;
    return sum;
}

uint64_t an_timeline_max(const struct an_timeline *t, size_t column)
{
    uint64_t max = 0;
    for (size_t r = 0; column != AN_NO_COLUMN && r < t->n_rows; r++)
        if (an_timeline_get(t, r, column) > max)
            max = an_timeline_get(t, r, column);
    return max;
}

uint64_t an_page_bytes(const json_t *result)
{
    uint64_t bytes;
    return fl_document_count(result, "machine.page_bytes", &bytes) && bytes > 0 ? bytes
                                                                                : FL_PAGE_BYTES;
}

bool an_ram_limit(const json_t *result, uint64_t *bytes)
{
    /* A limit beyond any machine is how an unlimited one can be written as a number. */
    return fl_document_count(result, "machine.ram_bytes", bytes) && *bytes > 0 &&
           *bytes < UINT64_C(1) << 43;
}

const char *an_recorded(const json_t *result, const char *key)
{
    const json_t *trace = json_object_get(result, "trace"); /* keys have dots: no path */
    return json_string_value(json_object_get(json_object_get(trace, "recorded"), key));
}

uint64_t an_mul(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

uint64_t an_share_bp(uint64_t part, uint64_t whole)
{
    return whole ? (uint64_t)((double)part * 10000.0 / (double)whole + 0.5) : 0;
}

int an_finish(struct fl_table *t, struct fl_table **out, struct fl_err *err)
{
    int rc = fl_table_ok(t, err);
    if (rc != FL_OK)
        fl_table_free(t);
    else
        *out = t;
    return rc;
}

/* A logarithm shows more when the counts span decades; below that it only distorts. */
bool an_wants_log(const struct fl_table *t)
{
    uint64_t low = UINT64_MAX, high = 0;
    for (size_t c = 1; c < t->n_columns; c++)
        for (size_t r = 0; r < t->n_rows; r++) {
            const struct fl_cell *cell = fl_table_at(t, r, c);
            if (cell->unit != FL_UNIT_COUNT || cell->value == 0)
                continue;
            low = cell->value < low ? cell->value : low;
            high = cell->value > high ? cell->value : high;
        }
    return high > 0 && high / low >= 100;
}

const char *an_flags(const json_t *doc, char *flags, size_t size)
{
    const json_t *quality = json_object_get(doc, "quality"), *v;
    size_t i, at = 0, shown = 0;
    flags[0] = '\0';
    json_array_foreach(quality, i, v)
    {
        const char *flag = fl_document_text(v, "flag");
        int n = flag ? snprintf(flags + at, size - at, "%s%s", shown ? ", " : "", flag) : 0;
        if (n < 0 || (size_t)n >= size - at)
            break;
        at += (size_t)n;
        shown += flag != NULL;
    }
    return shown ? flags : "no flags";
}

void an_footer(struct fl_table *t, const json_t *result, const char *extra)
{
    const char *fidelity = fl_document_text(result, "trace.fidelity");
    const char *source = fl_document_text(result, "source");
    bool observed = source && strcmp(source, "observed") == 0;
    char flags[300];
    fl_table_label(t, &t->footer, "faultline: %s from %s trace; quality: %s%s%s",
                   observed ? "observed" : "modelled", fidelity ? fidelity : "unknown",
                   an_flags(result, flags, sizeof flags), extra ? "; " : "", extra ? extra : "");
}
