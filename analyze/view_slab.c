/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's object caches: what recorded events make of them, or what processes imply. */
#include <jansson.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"
#include "view.h"

#define CACHES_SHOWN_MAX 20u

/* A column, and where a cache has it. */
struct column {
    const char *name, *key;
};

static const struct column settled[] = {
    { "In use, predicted", "settled.objects" },
    { "In use, recorded", "recorded_settled.objects" },
    { "Slabs without empty ones, predicted", "settled.slabs" },
    { "Slabs without empty ones, recorded", "recorded_settled.slabs" },
};

/* Are there caches that were shrunk at the end? */
static bool has_settled(const json_t *caches)
{
    const json_t *v;
    size_t i;
    json_array_foreach(caches, i, v) if (json_object_get(v, "recorded_settled")) return true;
    return false;
}

struct fl_table *view_slab_table(const json_t *result)
{
    const json_t *caches = fl_document_at(result, "slab.caches"), *v;
    const char *source = fl_document_text(result, "slab.source");
    bool recorded = source && strcmp(source, "events") == 0;
    size_t i, more = has_settled(caches) ? FL_COUNT(settled) : 0;
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
    for (size_t k = 0; k < more; k++)
        fl_table_column(t, settled[k].name, FL_UNIT_COUNT, 0);
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
        for (size_t k = 0; k < more; k++)
            view_put_count(t, row, column++, v, settled[k].key);
        view_put_count(t, row, column, v, "internal_waste_bytes");
        if (i + 1 == CACHES_SHOWN_MAX)
            break;
    }
    return t;
}
