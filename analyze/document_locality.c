/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys `locality` and `tlb_reach` of a result, which may come from anyone. */
#include "document.h"

#include <jansson.h>

#include <faultline/locality.h>
#include <faultline/report.h>
#include <faultline/units.h>

#define MAPPINGS_MAX 256u

/* A list of objects, not too long; NULL is one. */
static int check_objects(const json_t *doc, const char *path, const char *name, struct fl_err *err)
{
    const json_t *list = fl_document_at(doc, path), *v;
    size_t i;
    if (list && (!json_is_array(list) || json_array_size(list) > MAPPINGS_MAX))
        return fl_fail(err, FL_EFORMAT, "%s: \"%s\" must be an array of at most %u", name, path,
                       MAPPINGS_MAX);
    json_array_foreach(list, i, v) if (!json_is_object(v)) return fl_fail(
        err, FL_EFORMAT, "%s: entry %zu of \"%s\" is not an object", name, i, path);
    return FL_OK;
}

static int check_heat(const json_t *map, const char *name, struct fl_err *err)
{
    const json_t *rows = json_object_get(map, "rows"), *row, *cell;
    size_t r, c;
    if (!json_is_array(rows) || json_array_size(rows) > FL_HEAT_ROWS_MAX)
        return fl_fail(err, FL_EFORMAT, "%s: a heat map needs \"rows\", at most %u", name,
                       FL_HEAT_ROWS_MAX);
    json_array_foreach(rows, r, row)
    {
        if (!json_is_array(row) || json_array_size(row) > FL_HEAT_COLUMNS)
            return fl_fail(err, FL_EFORMAT, "%s: row %zu of a heat map is no array of at most %u",
                           name, r, FL_HEAT_COLUMNS);
        json_array_foreach(
            row, c, cell) if (!json_is_integer(cell) || json_integer_value(cell) < 0 ||
                              json_integer_value(cell) >
                                  100) return fl_fail(err, FL_EFORMAT,
                                                      "%s: a cell of a heat map must be 0 to 100",
                                                      name);
    }
    return FL_OK;
}

int document_check_locality(const json_t *doc, const char *name, struct fl_err *err)
{
    static const char *const lists[] = { "locality.windows",   "locality.phases",
                                         "locality.heat",      "locality.mappings",
                                         "tlb_reach.mappings", "locality.sets.by_process" };
    const json_t *v;
    size_t i;
    int rc = FL_OK;
    for (size_t k = 0; k < FL_COUNT(lists) && rc == FL_OK; k++)
        rc = check_objects(doc, lists[k], name, err);
    json_array_foreach(fl_document_at(doc, "locality.heat"), i, v)
    {
        if (rc == FL_OK)
            rc = check_heat(v, name, err);
    }
    return rc;
}
