/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of /proc: zoneinfo, buddyinfo, pagetypeinfo. They are not trusted. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buddy_replay.h"

#define PFN_MOST (UINT64_C(1) << 40)

static const char *next_line(const char *at)
{
    const char *end = strchr(at, '\n');
    return end ? end + 1 : at + strlen(at);
}

/* "Node 0, zone   Normal" at the begin of a line; @after: what follows. */
static bool zone_line(const char *line, uint32_t *node, char name[16], const char **after)
{
    int n = 0;
    if (sscanf(line, "Node %" SCNu32 ", zone %15[A-Za-z0-9]%n", node, name, &n) != 2 || !n)
        return false;
    *after = line + n;
    return true;
}

static struct buddy_zone_replay *zone_of(struct buddy_replay *replay, uint32_t node,
                                         const char *name)
{
    for (uint32_t i = 0; i < replay->n_zones; i++) {
        struct buddy_zone_replay *z = &replay->zone[i];
        size_t len = strcspn(z->name, "@");
        if (z->node == node && strlen(name) == len && !memcmp(z->name, name, len))
            return z;
    }
    return NULL;
}

/* One line of a zone's part of zoneinfo. */
static void zone_field(struct buddy_zone_replay *z, const char *line, int64_t *pcp, bool end)
{
    uint64_t v;
    if (sscanf(line, " spanned %" SCNu64, &v) == 1 && !end)
        z->spanned = v;
    else if (sscanf(line, " managed %" SCNu64, &v) == 1)
        *(end ? &z->managed_at_end : &z->managed) = v;
    else if (sscanf(line, " start_pfn: %" SCNu64, &v) == 1 && !end)
        z->start_pfn = v;
    else if (sscanf(line, " count: %" SCNu64, &v) == 1 && v < PFN_MOST)
        *pcp += (int64_t)v;
}

static void read_zones(struct buddy_replay *replay, const char *text, bool end)
{
    struct buddy_zone_replay *z = NULL;
    for (const char *line = text; *line; line = next_line(line)) {
        char name[16];
        uint32_t node;
        const char *after;
        if (zone_line(line, &node, name, &after)) {
            z = zone_of(replay, node, name);
            if (!z && !end && replay->n_zones < BUDDY_ZONES_MAX) {
                z = &replay->zone[replay->n_zones++];
                z->node = node;
                snprintf(z->name, sizeof z->name, node ? "%.8s@%u" : "%.15s", name, node);
            }
        } else if (z) {
            zone_field(z, line, end ? &z->pcp_at_end : &z->pcp_at_start, end);
        }
    }
}

void buddy_read_zones(struct buddy_replay *replay, const char *text)
{
    uint32_t kept = 0;
    read_zones(replay, text, false);
    for (uint32_t i = 0; i < replay->n_zones; i++) { /* empty ones have no place */
        struct buddy_zone_replay z = replay->zone[i];
        if (z.spanned && z.spanned < UINT32_MAX / 2 && z.start_pfn < PFN_MOST)
            replay->zone[kept++] = z;
    }
    replay->n_zones = kept;
}

void buddy_read_zones_end(struct buddy_replay *replay, const char *text)
{
    read_zones(replay, text, true);
}

/* Up to BUDDY_ORDERS numbers; one that the kernel gave up counting (">100000") is -1. */
static void numbers(const char *at, int64_t out[BUDDY_ORDERS])
{
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++) {
        char *end;
        at += strspn(at, " ");
        bool more = *at == '>';
        uint64_t v = *at == '\n' ? 0 : strtoull(at + more, &end, 10);
        if (*at == '\n' || end == at + more)
            out[o] = 0;
        else
            at = end, out[o] = more || v > PFN_MOST ? -1 : (int64_t)v;
    }
}

bool buddy_read_blocks(struct buddy_replay *replay, const char *text, bool at_end)
{
    bool found = false;
    for (const char *line = text; *line; line = next_line(line)) {
        char name[16];
        uint32_t node;
        const char *after;
        struct buddy_zone_replay *z;
        if (zone_line(line, &node, name, &after) && (z = zone_of(replay, node, name))) {
            numbers(after, at_end ? z->at_end : z->at_start);
            found = true;
        }
    }
    return found;
}

void buddy_read_types(struct buddy_replay *replay, const char *text)
{
    for (const char *line = text; *line; line = next_line(line)) {
        char name[16], type[16];
        uint32_t node;
        const char *after;
        struct buddy_zone_replay *z;
        int64_t n[BUDDY_ORDERS];
        int len = 0;
        if (!zone_line(line, &node, name, &after) ||
            sscanf(after, ", type %15[A-Za-z]%n", type, &len) != 1 || !len ||
            !(z = zone_of(replay, node, name)))
            continue;
        numbers(after + len, n);
        for (int t = 0; t < BUDDY_TYPES; t++)
            for (uint32_t o = 0;
                 !strcmp(type, buddy_type_name((enum buddy_type)t)) && o < BUDDY_ORDERS; o++) {
                z->unknown[o][t] = n[o];
                replay->has_types = true;
            }
    }
    for (uint32_t i = 0; i < replay->n_zones; i++) /* buddyinfo's counts are whole */
        for (uint32_t o = 0; o < BUDDY_ORDERS; o++) {
            struct buddy_zone_replay *z = &replay->zone[i];
            int64_t rest = z->at_start[o];
            int open = BUDDY_MOVABLE;
            for (int t = 0; t < BUDDY_TYPES; t++) {
                if (z->unknown[o][t] < 0) {
                    open = t;
                    z->unknown[o][t] = 0;
                }
                rest -= z->unknown[o][t];
            }
            z->unknown[o][open] += rest;
        }
}
