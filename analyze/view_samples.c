/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What samples stand for: every number with the interval that holds the true one. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"
#include "view.h"

#define ROWS_MAX 20u

bool view_is_sampled(const json_t *result)
{
    return json_is_object(json_object_get(result, "samples"));
}

/* "1,200 to 1,400" of what was estimated. */
static char *range_text(struct view_builder *b, const json_t *estimated)
{
    uint64_t low = 0, high;
    fl_document_count(estimated, "low", &low);
    return fl_document_count(estimated, "high", &high)
               ? view_text(b, "%s to %s", view_count(low), view_count(high))
               : view_text(b, "%s and more", view_count(low));
}

static void put_estimate(struct view_builder *b, struct fl_table *t, size_t row, size_t col,
                         const json_t *entry)
{
    const json_t *estimated = json_object_get(entry, "estimated");
    char *range = range_text(b, estimated);
    view_put_count(t, row, col, estimated, "value");
    fl_table_text(t, row, col + 1, range ? range : "");
    free(range);
}

static struct fl_table *events_table(struct view_builder *b, const json_t *result)
{
    const json_t *v;
    struct fl_table *t = fl_table_new("sampled");
    size_t i;
    fl_table_column(t, "Event", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Samples", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Lost", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Seen", FL_UNIT_BP, 0);
    fl_table_column(t, "Estimated in all", FL_UNIT_COUNT, 0);
    fl_table_column(t, "95 % interval", FL_UNIT_TEXT, 0);
    json_array_foreach(fl_document_at(result, "samples.events"), i, v)
    {
        const char *name = fl_document_text(v, "event");
        size_t row = fl_table_row(t);
        fl_table_text(t, row, 0, name ? name : "");
        view_put_count(t, row, 1, v, "samples");
        view_put_count(t, row, 2, v, "lost");
        view_put_count(t, row, 3, v, "seen_bp");
        put_estimate(b, t, row, 4, v);
        if (i + 1 == ROWS_MAX)
            break;
    }
    return t;
}

static void put_name(struct view_builder *b, struct fl_table *t, size_t row, const json_t *v,
                     const char *key)
{
    const json_t *functions = json_object_get(v, "functions"), *f;
    const char *name = fl_document_text(v, key);
    char *text = NULL;
    uint64_t pid;
    size_t i;
    if (fl_document_count(v, "pid", &pid))
        text = view_text(b, "%s (%llu)", name ? name : "", (unsigned long long)pid);
    json_array_foreach(functions, i, f)
    {
        const char *frame = json_string_value(f);
        char *longer = i ? view_text(b, "%s < %s", text ? text : "", frame ? frame : "")
                         : view_text(b, "%s", frame ? frame : "");
        free(text);
        text = longer;
    }
    fl_table_text(t, row, 0, text ? text : name ? name : "");
    free(text);
}

static struct fl_table *list_table(struct view_builder *b, const json_t *result, const char *list,
                                   const char *key, const char *heading)
{
    const json_t *all = json_object_get(result, list), *v;
    size_t i;
    if (json_array_size(all) == 0)
        return NULL;
    struct fl_table *t = fl_table_new(list);
    fl_table_column(t, heading, FL_UNIT_TEXT, 0);
    fl_table_column(t, "Samples", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Estimated", FL_UNIT_COUNT, 0);
    fl_table_column(t, "95 % interval", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Share", FL_UNIT_BP, 0);
    json_array_foreach(all, i, v)
    {
        size_t row = fl_table_row(t);
        put_name(b, t, row, v, key);
        view_put_count(t, row, 1, v, "samples");
        put_estimate(b, t, row, 2, v);
        view_put_count(t, row, 4, v, "share_bp");
        if (i + 1 == ROWS_MAX)
            break;
    }
    return t;
}

static const struct {
    const char *id, *heading, *list, *key, *column;
} lists[] = {
    { "processes", "Estimated, by process", "by_process", "comm", "Process" },
    { "mappings", "Estimated, by mapping", "by_mapping", "mapping", "Mapping" },
    { "functions", "Estimated, by function", "by_function", "function", "Function" },
    { "chains", "Estimated, by call chain", "call_chains", "function", "Function and its callers" },
    { "sources", "Estimated, by where the data was", "by_source", "source", "Data from" },
    { "tlb", "Estimated, by translation", "by_tlb", "tlb", "TLB" },
};

void view_samples(struct view_builder *b, size_t i)
{
    const json_t *result = fl_report_result(b->report, i);
    view_list(b, i, "sampled", "Samples, and what they stand for", events_table(b, result));
    for (size_t k = 0; k < FL_COUNT(lists); k++)
        view_list(b, i, lists[k].id, lists[k].heading,
                  list_table(b, result, lists[k].list, lists[k].key, lists[k].column));
}

char *view_samples_verdict(struct view_builder *b, const json_t *result, const char *name)
{
    const json_t *samples = json_object_get(result, "samples");
    const json_t *top = json_array_get(json_object_get(result, "by_mapping"), 0);
    const char *mapping = fl_document_text(top, "mapping");
    uint64_t n = 0, value = 0, share = 0;
    char there[200] = "";
    fl_document_count(samples, "samples", &n);
    fl_document_count(samples, "estimated.value", &value);
    fl_document_count(top, "share_bp", &share);
    if (n == 0)
        return view_text(b, "No sample was taken in %s.", name);
    if (mapping)
        snprintf(there, sizeof there, "; %llu %% of it is in %.120s",
                 (unsigned long long)((share + 50) / 100), mapping);
    char *range = range_text(b, json_object_get(samples, "estimated"));
    char *text = view_text(b, "%s samples of %s stand for about %s events (95 %%: %s)%s.",
                           view_count(n), name, view_count(value), range ? range : "", there);
    free(range);
    return text;
}

static void line_leader(struct view_builder *b, const json_t *result, size_t k, const char *what)
{
    const json_t *top = json_array_get(json_object_get(result, lists[k].list), 0);
    const char *name = fl_document_text(top, lists[k].key);
    uint64_t share = 0;
    char *range = range_text(b, json_object_get(top, "estimated"));
    if (name && fl_document_count(top, "share_bp", &share))
        view_line(b, "Most of one %s: %s, estimated %s (%llu %%).", what, name, range ? range : "",
                  (unsigned long long)((share + 50) / 100));
    free(range);
}

void view_samples_lines(struct view_builder *b, const json_t *result)
{
    uint64_t pages, bytes;
    line_leader(b, result, 0, "process");
    line_leader(b, result, 1, "mapping");
    line_leader(b, result, 2, "function");
    if (fl_document_count(result, "footprint.pages_at_least", &pages) && pages > 0 &&
        fl_document_count(result, "footprint.bytes_at_least", &bytes))
        view_line(b, "Pages seen: %s (%s); those touched are as many or more.", view_count(pages),
                  view_bytes(bytes));
}
