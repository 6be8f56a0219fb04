/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory of running processes at the start and the end of a recording. */
#include <jansson.h>

#include "an.h"
#include "view.h"

#define LIVE_SHOWN_MAX 20u

struct fl_table *view_live_table(const json_t *result)
{
    const json_t *list = json_object_get(result, "live"), *v;
    size_t i;
    if (json_array_size(list) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("live");
    fl_table_column(t, "Process", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Resident at start", FL_UNIT_BYTES, 0);
    fl_table_column(t, "Resident at end", FL_UNIT_BYTES, 0);
    fl_table_column(t, "Swapped at start", FL_UNIT_BYTES, 0);
    fl_table_column(t, "Swapped at end", FL_UNIT_BYTES, 0);
    fl_table_column(t, "OOM score at end", FL_UNIT_COUNT, 0);
    json_array_foreach(list, i, v)
    {
        size_t row = fl_table_row(t);
        view_put_name(t, row, v, "comm");
        view_put_count(t, row, 1, v, "start.resident_bytes");
        view_put_count(t, row, 2, v, "end.resident_bytes");
        view_put_count(t, row, 3, v, "start.swapped_bytes");
        view_put_count(t, row, 4, v, "end.swapped_bytes");
        view_put_count(t, row, 5, v, "end.oom_score");
        if (i + 1 == LIVE_SHOWN_MAX)
            break;
    }
    return t;
}
