/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which zone a block is from; linux/mm/page_alloc.c. */
#include <stdlib.h>

#include "buddy_zones.h"

/* As large blocks as fit: memory appears so at boot (__free_memory_core). */
static void give_range(struct buddy *b, uint64_t at, uint64_t end)
{
    while (at < end) {
        uint32_t order = BUDDY_ORDERS - 1;
        while ((at & ((UINT64_C(1) << order) - 1)) || at + (UINT64_C(1) << order) > end)
            order--;
        buddy_give(b, at, order);
        at += UINT64_C(1) << order;
    }
    b->stats = (struct buddy_stats){ 0 };
}

static int set_up_zone(struct buddy_zones *z, int i, uint64_t start, struct fl_err *err)
{
    struct zone *zone = &z->zones.zone[i];
    z->buddy[i] = buddy_new(start, zone->present, BUDDY_MOVABLE);
    z->pcp[i] = calloc(z->cpus, sizeof *z->pcp[i]);
    if (!z->buddy[i] || !z->pcp[i])
        return fl_nomem(err, "the page allocator");
    z->buddy[i]->managed = zone->managed;
    z->buddy[i]->high_mark = zone->mark[WMARK_HIGH];
    for (uint32_t cpu = 0; cpu < z->cpus; cpu++)
        buddy_pcp_init(&z->pcp[i][cpu], zone->managed, zone->mark[WMARK_LOW], z->cpus);
    give_range(z->buddy[i], start, start + zone->free);
    return FL_OK;
}

int buddy_zones_new(const struct zones_config *config, uint32_t cpus, struct buddy_zones **out,
                    struct fl_err *err)
{
    uint64_t start = 0;
    struct buddy_zones *z = calloc(1, sizeof *z);
    *out = NULL;
    if (!z)
        return fl_nomem(err, "the page allocator");
    z->cpus = cpus;
    int rc = zones_init(&z->zones, config, err);
    for (int i = 0; i < ZONES && rc == FL_OK; i++) {
        rc = set_up_zone(z, i, start, err);
        start += z->zones.zone[i].present;
    }
    if (rc != FL_OK)
        buddy_zones_free(z);
    else
        *out = z;
    return rc;
}

void buddy_zones_free(struct buddy_zones *z)
{
    if (!z)
        return;
    for (int i = 0; i < ZONES; i++) {
        buddy_free(z->buddy[i]);
        free(z->pcp[i]);
    }
    free(z);
}

bool buddy_zones_ok(const struct buddy_zones *z, enum zone_type zone, uint32_t order,
                    enum watermark mark)
{
    const struct buddy *b = z->buddy[zone];
    const struct zone *of = &z->zones.zone[zone];
    uint64_t unusable = (UINT64_C(1) << order) - 1 + b->free_of[BUDDY_HIGHATOMIC];
    if (b->free_pages < unusable ||
        b->free_pages - unusable <= of->mark[mark] + b->boost + of->reserve)
        return false;
    for (uint32_t o = order; o < BUDDY_ORDERS; o++)
        for (uint32_t t = 0; t < BUDDY_PCP_TYPES; t++)
            if (b->list[o][t].n)
                return true;
    return false;
}

static bool take_from(struct buddy_zones *z, int zone, uint32_t cpu, uint32_t order,
                      enum buddy_type type, unsigned flags, uint64_t *pfn)
{
    struct buddy *b = z->buddy[zone];
    struct buddy_pcp *p = &z->pcp[zone][cpu];
    b->below_high |= !buddy_zones_ok(z, (enum zone_type)zone, order, WMARK_HIGH);
    bool found = false;
    if (buddy_pcp_keeps(order) && type < BUDDY_PCP_TYPES)
        found = buddy_pcp_take(b, p, order, type, flags, pfn);
    if (!found)
        found = buddy_take(b, order, type, flags, pfn);
    if (found && type == BUDDY_MOVABLE)
        buddy_note_movable(b, *pfn, order, true);
    z->zones.zone[zone].free = b->free_pages;
    return found;
}

bool buddy_zones_take(struct buddy_zones *z, uint32_t cpu, uint32_t order, enum buddy_type type,
                      enum watermark mark, uint64_t *pfn)
{
    bool enough = false;
    for (int mixing = 0; mixing < 2; mixing++)
        for (int i = ZONES - 1; i >= 0; i--) {
            if (!z->buddy[i]->managed)
                continue;
            enough |= z->buddy[i]->free_pages >= z->zones.zone[i].mark[mark] +
                                                     z->zones.zone[i].reserve +
                                                     (UINT64_C(1) << order);
            if (buddy_zones_ok(z, (enum zone_type)i, order, mark) &&
                take_from(z, i, cpu, order, type, mixing ? 0 : BUDDY_NOFRAGMENT, pfn))
                return true;
        }
    z->failed++;
    z->no_large += enough;
    return false;
}

enum zone_type buddy_zones_zone(const struct buddy_zones *z, uint64_t pfn)
{
    int i = ZONES - 1;
    while (i > 0 && pfn < z->buddy[i]->start)
        i--;
    return (enum zone_type)i;
}

void buddy_zones_give(struct buddy_zones *z, uint32_t cpu, uint64_t pfn, uint32_t order)
{
    enum zone_type i = buddy_zones_zone(z, pfn);
    struct buddy *b = z->buddy[i];
    buddy_note_movable(b, pfn, order, false);
    uint64_t before = b->free_pages;
    if (buddy_pcp_keeps(order))
        buddy_pcp_give(b, &z->pcp[i][cpu], pfn, order);
    else
        buddy_give(b, pfn, order);
    z->zones.zone[i].free = b->free_pages;
    if (b->below_high && b->free_pages > before)
        b->below_high = !buddy_zones_ok(z, i, 0, WMARK_HIGH);
}

void buddy_zones_reclaiming(struct buddy_zones *z, bool reclaiming)
{
    for (int i = 0; i < ZONES; i++)
        z->buddy[i]->reclaiming = reclaiming;
}

void buddy_zones_drain(struct buddy_zones *z)
{
    for (int i = 0; i < ZONES; i++) {
        for (uint32_t cpu = 0; cpu < z->cpus; cpu++)
            buddy_pcp_drain(z->buddy[i], &z->pcp[i][cpu], z->pcp[i][cpu].count, 0);
        z->zones.zone[i].free = z->buddy[i]->free_pages;
    }
}

void buddy_zones_decay(struct buddy_zones *z)
{
    for (int i = 0; i < ZONES; i++) {
        for (uint32_t cpu = 0; cpu < z->cpus; cpu++)
            buddy_pcp_decay(z->buddy[i], &z->pcp[i][cpu]);
        z->zones.zone[i].free = z->buddy[i]->free_pages;
    }
}

uint64_t buddy_zones_on_cpus(const struct buddy_zones *z, enum zone_type zone)
{
    uint64_t pages = 0;
    for (uint32_t cpu = 0; cpu < z->cpus; cpu++)
        pages += (uint64_t)z->pcp[zone][cpu].count;
    return pages;
}
