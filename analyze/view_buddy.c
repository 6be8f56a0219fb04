/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Free blocks by order: what the replay of the allocator has, beside what was recorded. */
#include <jansson.h>

#include <faultline/units.h>

#include "view.h"

struct fl_table *view_buddy_table(const struct json_t *result)
{
    static const struct {
        const char *key, *words;
    } counts[] = { { "start", "Free at the start" },
                   { "free", "At the end, replayed" },
                   { "recorded_end", "At the end, recorded" },
                   { "allocs", "Requests" },
                   { "frees", "Frees" },
                   { "splits", "Splits" },
                   { "merges", "Merges" } };
    const json_t *orders = fl_document_at(result, "buddy.orders"), *order;
    size_t i;
    if (json_array_size(orders) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("buddy");
    fl_table_column(t, "Order", FL_UNIT_COUNT, 0);
    for (size_t k = 0; k < FL_COUNT(counts); k++)
        fl_table_column(t, counts[k].words, FL_UNIT_COUNT, 0);
    json_array_foreach(orders, i, order)
    {
        size_t row = fl_table_row(t);
        view_put_count(t, row, 0, order, "order");
        for (size_t k = 0; k < FL_COUNT(counts); k++)
            view_put_count(t, row, k + 1, order, counts[k].key);
    }
    return t;
}
