/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_info.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

/* "name active_objs num_objs objsize objperslab pagesperslab : tunables l b s : slabdata a n s" */
static bool parse_line(const char *line, struct slab_info_row *row)
{
    uint32_t pages;
    struct fl_slab_state *s = &row->state;
    const char *colon = strstr(line, ": slabdata");
    if (line[0] == '#' || !colon)
        return false;
    if (sscanf(line, "%47s %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNu32 " %" SCNu32, row->name,
               &s->objects, &s->all_objects, &row->size, &row->objects, &pages) != 6 ||
        sscanf(colon, ": slabdata %*u %" SCNu64, &s->slabs) != 1)
        return false;
    if (!row->size || row->size > SLAB_OBJECT_MAX || !pages || pages > 1024 ||
        (pages & (pages - 1)) || !row->objects || s->objects > s->all_objects)
        return false;
    row->order = (uint32_t)__builtin_ctz(pages);
    return slab_objects(row->order, row->size) >= row->objects;
}

int slab_info_parse(const char *text, size_t bytes, struct slab_info *out, struct fl_err *err)
{
    size_t room = 0;
    char line[512];
    *out = (struct slab_info){ 0 };
    for (const char *at = text, *end = text + bytes; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        if (out->n == room) {
            room = room ? 2 * room : 256;
            struct slab_info_row *rows = reallocarray(out->rows, room, sizeof *rows);
            if (!rows) {
                slab_info_free(out);
                return fl_nomem(err, "slabinfo");
            }
            out->rows = rows;
        }
        if (len < sizeof line) {
            memcpy(line, at, len);
            line[len] = '\0';
            out->n += parse_line(line, &out->rows[out->n]);
        }
        at += len + 1;
    }
    if (out->n)
        return FL_OK;
    slab_info_free(out);
    return fl_fail(err, FL_EFORMAT, "slabinfo has no line of a cache; record again as root");
}

void slab_info_free(struct slab_info *info)
{
    free(info->rows);
    *info = (struct slab_info){ 0 };
}

const struct slab_info_row *slab_info_find(const struct slab_info *info, const char *name)
{
    for (size_t i = 0; i < info->n; i++)
        if (strcmp(info->rows[i].name, name) == 0)
            return &info->rows[i];
    return NULL;
}
