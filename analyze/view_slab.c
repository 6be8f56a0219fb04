/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's object caches: what recorded events make of them, or what processes imply. */
#include <jansson.h>
#include <string.h>

#include "an.h"
#include "view.h"

#define CACHES_SHOWN_MAX 20u

struct fl_table *view_slab_table(const json_t *result)
{
    const json_t *caches = fl_document_at(result, "slab.caches"), *v;
    const char *source = fl_document_text(result, "slab.source");
    bool recorded = source && strcmp(source, "events") == 0;
    size_t i;
    if (json_array_size(caches) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("slab");
    fl_table_column(t, "Cache", FL_UNIT_TEXT, 0);
    fl_table_column(t, recorded ? "Objects, predicted" : "Objects", FL_UNIT_COUNT, 0);
    if (recorded)
        fl_table_column(t, "Objects, recorded", FL_UNIT_COUNT, 0);
    fl_table_column(t, recorded ? "Slabs, predicted" : "Slabs", FL_UNIT_COUNT, 0);
    if (recorded)
        fl_table_column(t, "Slabs, recorded", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Internal waste", FL_UNIT_BYTES, 0);
    json_array_foreach(caches, i, v)
    {
        size_t row = fl_table_row(t), column = 1;
        view_put_name(t, row, v, "name");
        view_put_count(t, row, column++, v, "objects");
        if (recorded)
            view_put_count(t, row, column++, v, "recorded_end.objects");
        view_put_count(t, row, column++, v, "slabs");
        if (recorded)
            view_put_count(t, row, column++, v, "recorded_end.slabs");
        view_put_count(t, row, column, v, "internal_waste_bytes");
        if (i + 1 == CACHES_SHOWN_MAX)
            break;
    }
    return t;
}
