/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who was killed for lack of memory, and who would be next. */
#include <jansson.h>
#include <stdlib.h>

#include "an.h"
#include "view.h"

#define ROWS_SHOWN_MAX 20u

static void put_pages(struct fl_table *t, size_t row, size_t col, const json_t *entry,
                      const char *key, uint64_t page_bytes)
{
    uint64_t pages;
    if (fl_document_count(entry, key, &pages))
        fl_table_put(t, row, col, an_mul(pages, page_bytes));
}

static struct fl_table *kills_table(const json_t *result)
{
    const json_t *kills = fl_document_at(result, "oom.kills"), *kill;
    uint64_t page = an_page_bytes(result);
    size_t i;
    if (json_array_size(kills) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("oom");
    fl_table_column(t, "Killed", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Process id", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Badness", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Resident", FL_UNIT_BYTES, 0);
    fl_table_column(t, "In swap", FL_UNIT_BYTES, 0);
    fl_table_column(t, "At access", FL_UNIT_COUNT, 0);
    json_array_foreach(kills, i, kill)
    {
        const char *comm = fl_document_text(kill, "comm");
        size_t row = fl_table_row(t);
        fl_table_text(t, row, 0, comm ? comm : "");
        view_put_count(t, row, 1, kill, "pid");
        view_put_count(t, row, 2, kill, "badness");
        put_pages(t, row, 3, kill, "rss_pages", page);
        put_pages(t, row, 4, kill, "swap_pages", page);
        view_put_count(t, row, 5, kill, "at_access");
        if (i + 1 == ROWS_SHOWN_MAX)
            break;
    }
    return t;
}

/* Badness can be below zero, which a table's numbers cannot. */
static void put_signed(struct fl_table *t, size_t row, size_t col, const json_t *entry,
                       const char *key)
{
    const json_t *v = json_object_get(entry, key);
    char *text = NULL;
    if (!json_is_integer(v))
        return;
    if (json_integer_value(v) >= 0)
        fl_table_put(t, row, col, (uint64_t)json_integer_value(v));
    else if (asprintf(&text, "%lld", (long long)json_integer_value(v)) >= 0)
        fl_table_text(t, row, col, text);
    free(text);
}

static struct fl_table *candidates_table(const json_t *result)
{
    const json_t *list = fl_document_at(result, "oom.candidates"), *v;
    uint64_t page = an_page_bytes(result);
    size_t i;
    if (json_array_size(list) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("oom-candidates");
    fl_table_column(t, "Process", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Process id", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Badness", FL_UNIT_COUNT, 0);
    fl_table_column(t, "oom_score_adj", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Resident", FL_UNIT_BYTES, 0);
    fl_table_column(t, "In swap", FL_UNIT_BYTES, 0);
    fl_table_column(t, "Page tables", FL_UNIT_BYTES, 0);
    fl_table_column(t, "May be killed", FL_UNIT_TEXT, 0);
    json_array_foreach(list, i, v)
    {
        const char *comm = fl_document_text(v, "comm");
        size_t row = fl_table_row(t);
        fl_table_text(t, row, 0, comm ? comm : "");
        view_put_count(t, row, 1, v, "pid");
        put_signed(t, row, 2, v, "badness");
        put_signed(t, row, 3, v, "oom_score_adj");
        put_pages(t, row, 4, v, "rss_pages", page);
        put_pages(t, row, 5, v, "swap_pages", page);
        put_pages(t, row, 6, v, "page_table_pages", page);
        fl_table_text(t, row, 7, json_is_true(json_object_get(v, "protected")) ? "no" : "yes");
        if (i + 1 == ROWS_SHOWN_MAX)
            break;
    }
    return t;
}

void view_oom(struct view_builder *b, size_t i)
{
    const json_t *result = fl_report_result(b->report, i);
    bool killed = json_array_size(fl_document_at(result, "oom.kills")) > 0;
    struct fl_table *kills = kills_table(result), *candidates = candidates_table(result);
    view_oom_why(b, i);
    if (kills)
        view_list(b, i, "oom", "Killed for lack of memory", kills);
    if (candidates)
        view_list(b, i, "oom-candidates",
                  killed ? "Candidates of the OOM killer, at the first kill"
                         : "Candidates of the OOM killer, when they had most memory",
                  candidates);
}
