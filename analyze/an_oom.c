/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The OOM killer's candidates, worst first, and who was taken. Marks name the processes. */
#include <jansson.h>
#include <stdlib.h>

#include <faultline/units.h>

#include "an.h"

#define BARS_MAX 8u

static bool was_killed(const json_t *result, const json_t *candidate)
{
    const json_t *kills = fl_document_at(result, "oom.kills"), *kill;
    size_t i;
    json_array_foreach(kills, i,
                       kill) if (an_count(kill, "pid") == an_count(candidate, "pid")) return true;
    return false;
}

/* "left (412): badness 1040, killed" */
static void mark_bar(struct fl_table *t, uint64_t at, const json_t *result, const json_t *candidate)
{
    char *label = NULL;
    const char *comm = fl_document_text(candidate, "comm");
    char *name = fl_text_clean(comm ? comm : "", 24);
    const json_t *badness = json_object_get(candidate, "badness");
    bool safe = json_is_true(json_object_get(candidate, "protected"));
    if (name && asprintf(&label, "%s (%llu): badness %lld%s", name,
                         (unsigned long long)an_count(candidate, "pid"),
                         (long long)json_integer_value(badness),
                         was_killed(result, candidate) ? ", killed"
                         : safe                        ? ", protected"
                                                       : "") >= 0)
        fl_table_mark(t, 'y', at, label);
    else
        t->failed = true;
    free(label);
    free(name);
}

static void write_title(struct fl_table *t, const json_t *result, const json_t *first, size_t n)
{
    const json_t *kill = json_array_get(fl_document_at(result, "oom.kills"), 0);
    const char *killed = fl_document_text(kill, "comm"), *comm = fl_document_text(first, "comm");
    if (killed)
        fl_table_label(t, &t->title, "The OOM killer takes %s, the worst of %zu processes", killed,
                       n);
    else
        fl_table_label(t, &t->title,
                       "If memory ran out, %s would be killed first, of %zu processes",
                       comm ? comm : "a process", n);
}

int an_oom_build(const struct json_t *report, size_t i, struct fl_table **out, struct fl_err *err)
{
    const json_t *result = fl_report_result(report, i), *v;
    const json_t *list = fl_document_at(result, "oom.candidates");
    const json_t *first = json_array_get(list, 0);
    uint64_t page = an_page_bytes(result);
    size_t n = json_array_size(list), shown = n < BARS_MAX ? n : BARS_MAX, k;
    if (n < 2 || json_is_true(json_object_get(first, "protected")))
        return fl_fail(err, FL_EDATA,
                       "chart oom: the result has no two processes that the OOM killer could "
                       "choose between");
    struct fl_table *t = fl_table_new("oom");
    if (!t)
        return fl_nomem(err, "chart oom");
    fl_table_column(t, "process", FL_UNIT_COUNT, 0);
    fl_table_column(t, "resident", FL_UNIT_BYTES, 1);
    fl_table_column(t, "in swap", FL_UNIT_BYTES, 6);
    fl_table_column(t, "page tables", FL_UNIT_BYTES, 3);
    json_array_foreach(list, k, v)
    {
        if (k == shown)
            break;
        size_t row = fl_table_row(t);
        fl_table_put(t, row, 0, shown - k);
        fl_table_put(t, row, 1, an_mul(an_count(v, "rss_pages"), page));
        fl_table_put(t, row, 2, an_mul(an_count(v, "swap_pages"), page));
        fl_table_put(t, row, 3, an_mul(an_count(v, "page_table_pages"), page));
        mark_bar(t, shown - k, result, v);
    }
    write_title(t, result, first, n);
    fl_table_label(t, &t->x_name, "memory that counts");
    fl_table_label(t, &t->y_name, "memory that counts");
    an_footer(t, result, "badness is in pages, with oom_score_adj as a share of all memory");
    return an_finish(t, out, err);
}
