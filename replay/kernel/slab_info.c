/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_info.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#define LINE_BYTES 8192

/* SLAB_TYPESAFE_BY_RCU, as Linux 6.18 creates them. */
static bool waits_for_rcu(const char *name)
{
    static const char *const names[] = { "vm_area_struct", "anon_vma",      "filp",
                                         "bfilp",          "sighand_cache", "TCP",
                                         "TCPv6",          "MPTCP",         "MPTCPv6",
                                         "io_kiocb",       "nf_conntrack",  "jbd2_journal_head",
                                         "p9_req_t" };
    for (size_t i = 0; i < FL_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "bio-", 4) == 0 || strncmp(name, "request_sock_", 13) == 0 ||
           strncmp(name, "tw_sock_", 8) == 0;
}

bool slab_info_sheaves(const struct slab_info_row *row)
{
    return strcmp(row->name, "vm_area_struct") == 0 || strcmp(row->name, "maple_node") == 0;
}

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
    row->partial = SLAB_UNTOLD;
    row->waiting = NULL;
    row->current = 0;
    row->since_ns = 0;
    row->list = NULL;
    row->n_list = 0;
    row->rcu = waits_for_rcu(row->name);
    row->order = (uint32_t)__builtin_ctz(pages);
    return slab_objects(row->order, row->size) >= row->objects;
}

/* The next line of a text, cut to what @line holds; false: there is none. */
static bool next_line(const char **at, const char *end, char line[LINE_BYTES])
{
    if (*at >= end)
        return false;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t len = (size_t)((stop ? stop : end) - *at),
           kept = len < LINE_BYTES ? len : LINE_BYTES - 1;
    memcpy(line, *at, kept);
    line[kept] = '\0';
    *at += len + 1;
    return true;
}

int slab_info_parse(const char *text, size_t bytes, struct slab_info *out, struct fl_err *err)
{
    size_t room = 0;
    char line[LINE_BYTES];
    *out = (struct slab_info){ 0 };
    for (const char *at = text; next_line(&at, text + bytes, line);) {
        if (out->n == room) {
            room = room ? 2 * room : 256;
            struct slab_info_row *rows = reallocarray(out->rows, room, sizeof *rows);
            if (!rows) {
                slab_info_free(out);
                return fl_nomem(err, "slabinfo");
            }
            out->rows = rows;
        }
        out->n += parse_line(line, &out->rows[out->n]);
    }
    if (out->n)
        return FL_OK;
    slab_info_free(out);
    return fl_fail(err, FL_EFORMAT, "slabinfo has no line of a cache; record again as root");
}

/* " C0=42(4) C1=21(2)": those in parentheses; their sum. */
static uint32_t parse_cpus(const char *text, uint32_t cpus, uint32_t *out)
{
    uint32_t cpu, slabs, sum = 0;
    for (const char *at = text; (at = strstr(at, " C")); at += 2)
        if (sscanf(at, " C%" SCNu32 "=%*u(%" SCNu32 ")", &cpu, &slabs) == 2 && cpu < cpus)
            sum += out[cpu] = slabs;
    return sum;
}

/* " settled FROM TO SLABS ROOM ACTIVE" */
static void parse_settled(const char *line, struct slab_info_row *row)
{
    uint64_t from;
    struct fl_slab_state s;
    const char *at = strstr(line, " settled ");
    if (!at ||
        sscanf(at, " settled %" SCNu64 " %*u %" SCNu64 " %" SCNu64 " %" SCNu64, &from, &s.slabs,
               &s.all_objects, &s.objects) != 4 ||
        s.objects > s.all_objects)
        return;
    row->since_ns = from ? from : 1;
    row->state = s;
}

int slab_info_lists(struct slab_info *info, const char *text, size_t bytes, uint32_t cpus,
                    struct fl_err *err)
{
    char line[LINE_BYTES], name[SLAB_NAME_BYTES];
    uint32_t partial, at_cpus;
    for (const char *at = text; next_line(&at, text + bytes, line);) {
        struct slab_info_row *row = NULL;
        if (sscanf(line, "%47s %" SCNu32 " %" SCNu32, name, &partial, &at_cpus) == 3)
            row = (struct slab_info_row *)slab_info_find(info, name);
        if (!row || row->waiting)
            continue;
        row->partial = partial;
        if (!(row->waiting = calloc(cpus, sizeof *row->waiting)))
            return fl_nomem(err, "slab lists");
        uint32_t waiting = parse_cpus(line, cpus, row->waiting);
        row->current = at_cpus > waiting ? at_cpus - waiting : 0;
        parse_settled(line, row);
    }
    return FL_OK;
}

/* "AT=FREE", of a slab that has objects free. */
static bool parse_listed(const char *word, uint32_t objects, struct slab_listed *out)
{
    return sscanf(word, "%" SCNx64 "=%" SCNu32, &out->at, &out->free) == 2 && out->at &&
           out->free && out->free <= objects;
}

/* " AT=FREE AT=FREE": as far as they can be. */
static int parse_list(char *line, struct slab_info_row *row, struct fl_err *err)
{
    char *rest = NULL;
    row->list = calloc(strlen(line) / 2 + 1, sizeof *row->list);
    if (!row->list)
        return fl_nomem(err, "slab lists");
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (!parse_listed(word, row->objects, &row->list[row->n_list]))
            break;
        row->n_list++;
    }
    return FL_OK;
}

int slab_info_partial(struct slab_info *info, const char *text, size_t bytes, struct fl_err *err)
{
    char line[LINE_BYTES], name[SLAB_NAME_BYTES];
    int rc = FL_OK;
    for (const char *at = text; rc == FL_OK && next_line(&at, text + bytes, line);) {
        struct slab_info_row *row = NULL;
        if (sscanf(line, "%47s", name) == 1)
            row = (struct slab_info_row *)slab_info_find(info, name);
        if (row && slab_info_settled(row) && !row->list)
            rc = parse_list(line + strcspn(line, " "), row, err);
    }
    return rc;
}

void slab_info_free(struct slab_info *info)
{
    for (size_t i = 0; i < info->n; i++) {
        free(info->rows[i].list);
        free(info->rows[i].waiting);
    }
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

uint32_t slab_info_index(const struct slab_info *info, const char *name)
{
    const struct slab_info_row *row = slab_info_find(info, name);
    return row ? (uint32_t)(row - info->rows) : UINT32_MAX;
}
