/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a program thrashes, as a table. */
#include <jansson.h>

#include "an.h"
#include "view.h"

#define INTERVALS_SHOWN_MAX 30u

static void put_share(struct fl_table *t, size_t row, size_t col, uint64_t position, uint64_t all)
{
    if (all)
        fl_table_put(t, row, col, an_share_bp(position, all));
}

static struct fl_table *intervals_table(const json_t *result)
{
    const json_t *list = fl_document_at(result, "thrash.intervals"), *v;
    uint64_t all = 0, from, to;
    size_t i;
    if (json_array_size(list) == 0)
        return NULL;
    fl_document_count(result, "trace.accesses", &all);
    struct fl_table *t = fl_table_new("thrashing");
    fl_table_column(t, "Driven by", FL_UNIT_TEXT, 0);
    fl_table_column(t, "From", FL_UNIT_BP, 0);
    fl_table_column(t, "To", FL_UNIT_BP, 0);
    fl_table_column(t, "From access", FL_UNIT_COUNT, 0);
    fl_table_column(t, "To access", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Refaults", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Per million accesses", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Time lost (estimate)", FL_UNIT_BP, 0);
    fl_table_column(t, "RAM that would end it", FL_UNIT_BYTES, 0);
    json_array_foreach(list, i, v)
    {
        const char *culprit = fl_document_text(v, "culprit");
        size_t row = fl_table_row(t);
        fl_table_text(t, row, 0, culprit ? culprit : "");
        if (fl_document_count(v, "from_access", &from))
            put_share(t, row, 1, from, all);
        if (fl_document_count(v, "to_access", &to))
            put_share(t, row, 2, to, all);
        view_put_count(t, row, 3, v, "from_access");
        view_put_count(t, row, 4, v, "to_access");
        view_put_count(t, row, 5, v, "refaults");
        view_put_count(t, row, 6, v, "refault_rate");
        view_put_count(t, row, 7, v, "stall_share_bp");
        view_put_count(t, row, 8, v, "ram_to_end_bytes");
        if (i + 1 == INTERVALS_SHOWN_MAX)
            break;
    }
    return t;
}

void view_thrash(struct view_builder *b, size_t i)
{
    struct fl_table *t = intervals_table(fl_report_result(b->report, i));
    if (t)
        view_list(b, i, "thrashing", "Thrashing", t);
}
