/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What does not depend on RAM, as tables and sentences: working set, phases, sharing, TLB reach. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"
#include "view.h"

#define ROWS_MAX 20u

static unsigned percent(uint64_t part, uint64_t whole)
{
    return (unsigned)((an_share_bp(part, whole) + 50) / 100);
}

static const char *text_of(const json_t *doc, const char *key)
{
    const char *text = fl_document_text(doc, key);
    return text ? text : "";
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct fl_table *view_windows_table(const json_t *result)
{
    const json_t *windows = fl_document_at(result, "locality.windows"), *w;
    uint64_t page = an_page_bytes(result), all = an_count(result, "locality.accesses");
    size_t i;
    if (json_array_size(windows) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("windows");
    fl_table_column(t, "Window, in accesses", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Of the run", FL_UNIT_BP, 0);
    fl_table_column(t, "Touched in it, on average", FL_UNIT_BYTES, 0);
    fl_table_column(t, "At most", FL_UNIT_BYTES, 0);
    json_array_foreach(windows, i, w)
    {
        size_t row = fl_table_row(t);
        fl_table_put(t, row, 0, an_count(w, "accesses"));
        fl_table_put(t, row, 1, an_share_bp(an_count(w, "accesses"), all));
        fl_table_put(t, row, 2, an_mul(an_count(w, "mean_pages"), page));
        fl_table_put(t, row, 3, an_mul(an_count(w, "peak_pages"), page));
        if (i + 1 == ROWS_MAX)
            break;
    }
    return t;
}

/* The faults of each phase: those of the timeline's rows whose middle is in it. */
static void put_faults(struct fl_table *t, const json_t *result, const json_t *phases, size_t col)
{
    static const char *const keys[] = { "minor", "major", "refaults" };
    struct an_timeline line;
    uint64_t from = 0;
    if (!an_timeline_open(result, &line) || line.is_time)
        return;
    size_t phase = 0, n = t->n_rows;
    uint64_t *sums = calloc(n ? n * FL_COUNT(keys) : 1, sizeof *sums);
    if (!sums) {
        t->failed = true;
        return;
    }
    for (size_t r = 0; r < line.n_rows && n > 0; r++) {
        uint64_t to = an_timeline_get(&line, r, line.x), middle = from + (to - from) / 2;
        while (phase + 1 < n && middle >= an_count(json_array_get(phases, phase), "to_access"))
            phase++;
        for (size_t k = 0; k < FL_COUNT(keys); k++)
            sums[phase * FL_COUNT(keys) + k] +=
                an_timeline_get(&line, r, an_timeline_column(&line, keys[k]));
        from = to;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < FL_COUNT(keys); k++)
            fl_table_put(t, i, col + k, sums[i * FL_COUNT(keys) + k]);
    free(sums);
}

struct fl_table *view_phases_table(const json_t *result)
{
    const json_t *phases = fl_document_at(result, "locality.phases"), *p;
    uint64_t page = an_page_bytes(result);
    size_t i;
    if (json_array_size(phases) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("phases");
    fl_table_column(t, "Phase", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Which is", FL_UNIT_TEXT, 0);
    fl_table_column(t, "From access", FL_UNIT_COUNT, 0);
    fl_table_column(t, "To access", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Touches", FL_UNIT_BYTES, 0);
    fl_table_column(t, "Of it new", FL_UNIT_BYTES, 0);
    fl_table_column(t, "In common with the one before", FL_UNIT_BP, 0);
    fl_table_column(t, "Hottest mapping", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Minor faults", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Major faults", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Evicted pages that came back", FL_UNIT_COUNT, 0);
    json_array_foreach(phases, i, p)
    {
        size_t row = fl_table_row(t);
        fl_table_put(t, row, 0, i + 1);
        fl_table_text(t, row, 1, text_of(p, "label"));
        fl_table_put(t, row, 2, an_count(p, "from_access"));
        fl_table_put(t, row, 3, an_count(p, "to_access"));
        fl_table_put(t, row, 4, an_mul(an_count(p, "pages"), page));
        fl_table_put(t, row, 5, an_mul(an_count(p, "new_pages"), page));
        if (i > 0)
            fl_table_put(t, row, 6, an_count(p, "common_bp"));
        fl_table_text(t, row, 7, text_of(p, "hottest"));
        if (i + 1 == ROWS_MAX)
            break;
    }
    put_faults(t, result, phases, 8);
    return t;
}

struct fl_table *view_sets_table(const json_t *result)
{
    const json_t *list = fl_document_at(result, "locality.sets.by_process"), *p;
    uint64_t page = an_page_bytes(result);
    size_t i;
    if (json_array_size(list) < 2)
        return NULL;
    struct fl_table *t = fl_table_new("sets");
    fl_table_column(t, "Process", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Touched", FL_UNIT_BYTES, 0);
    fl_table_column(t, "Memory only it touched", FL_UNIT_BYTES, 0);
    json_array_foreach(list, i, p)
    {
        char *name = NULL;
        size_t row = fl_table_row(t);
        if (asprintf(&name, "%s (%llu)", text_of(p, "comm"),
                     (unsigned long long)an_count(p, "pid")) < 0)
            name = NULL;
        fl_table_text(t, row, 0, name ? name : "");
        free(name);
        fl_table_put(t, row, 1, an_mul(an_count(p, "pages"), page));
        fl_table_put(t, row, 2, an_mul(an_count(p, "unique_pages"), page));
        if (i + 1 == ROWS_MAX)
            break;
    }
    return t;
}

struct fl_table *view_reach_table(const json_t *result)
{
    const json_t *list = fl_document_at(result, "tlb_reach.mappings"), *m;
    uint64_t page = an_page_bytes(result);
    size_t i;
    if (json_array_size(list) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("reach");
    fl_table_column(t, "Mapping", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Touched", FL_UNIT_BYTES, 0);
    fl_table_column(t, "Page walks", FL_UNIT_COUNT, 0);
    fl_table_column(t, "With 2 MiB pages", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Saved", FL_UNIT_BP, 0);
    fl_table_column(t, "Beside whole 2 MiB", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Costs", FL_UNIT_BYTES, 0);
    fl_table_column(t, "How", FL_UNIT_TEXT, 0);
    json_array_foreach(list, i, m)
    {
        uint64_t walks = an_count(m, "walks"), huge = an_count(m, "walks_huge");
        size_t row = fl_table_row(t);
        fl_table_text(t, row, 0, text_of(m, "mapping"));
        fl_table_put(t, row, 1, an_mul(an_count(m, "pages"), page));
        fl_table_put(t, row, 2, walks);
        fl_table_put(t, row, 3, huge);
        if (walks >= huge)
            fl_table_put(t, row, 4, an_share_bp(walks - huge, walks));
        fl_table_put(t, row, 5, an_count(m, "walks_ragged"));
        if (an_count(m, "huge_ranges"))
            fl_table_put(t, row, 6, an_count(m, "extra_bytes"));
        fl_table_text(t, row, 7, text_of(m, "advice"));
        if (i + 1 == ROWS_MAX)
            break;
    }
    return t;
}

/* ---- sentences ------------------------------------------------------------------------------- */

static void line_working_set(struct view_builder *b, const json_t *result)
{
    const json_t *windows = fl_document_at(result, "locality.windows");
    const json_t *w = json_array_get(windows, json_array_size(windows) / 2);
    uint64_t page = an_page_bytes(result), all = an_count(result, "locality.accesses");
    if (w)
        view_line(b, "Working set: %s on average, %s at most, in any %u %% of the run.",
                  view_bytes(an_mul(an_count(w, "mean_pages"), page)),
                  view_bytes(an_mul(an_count(w, "peak_pages"), page)),
                  percent(an_count(w, "accesses"), all));
}

/* How many there are, and which is the longest. */
static void line_phases(struct view_builder *b, const json_t *result)
{
    const json_t *phases = fl_document_at(result, "locality.phases"), *p, *longest = NULL;
    uint64_t page = an_page_bytes(result), most = 0, all = an_count(result, "locality.accesses");
    size_t i, number = 0, n = json_array_size(phases);
    json_array_foreach(phases, i, p)
    {
        uint64_t from = an_count(p, "from_access"), to = an_count(p, "to_access");
        if (to <= from || to - from <= most)
            continue;
        most = to - from;
        longest = p;
        number = i + 1;
    }
    if (n > 1 && longest)
        view_line(b,
                  "Phases: %zu; the longest, number %zu, is %u %% of the run, %s, and touches %s.",
                  n, number, percent(most, all), text_of(longest, "label"),
                  view_bytes(an_mul(an_count(longest, "pages"), page)));
    else if (longest)
        view_line(b, "Phases: one; it touches %s.",
                  view_bytes(an_mul(an_count(longest, "pages"), page)));
}

static void line_reach(struct view_builder *b, const json_t *result)
{
    const json_t *list = fl_document_at(result, "tlb_reach.mappings"), *m, *best = NULL;
    uint64_t most = 0;
    size_t i;
    json_array_foreach(list, i, m)
    {
        uint64_t walks = an_count(m, "walks"), huge = an_count(m, "walks_huge");
        if (*text_of(m, "advice") && walks > huge && walks - huge > most) {
            most = walks - huge;
            best = m;
        }
    }
    if (best)
        view_line(b, "Larger pages: %s.", text_of(best, "advice"));
}

void view_locality_lines(struct view_builder *b, const json_t *result)
{
    line_working_set(b, result);
    line_phases(b, result);
    line_reach(b, result);
}
