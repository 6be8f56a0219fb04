/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * buddy_zones.h - a machine's zones, each with its buddy allocator and per-CPU lists.
 *
 * Source: Linux 6.18, mm/page_alloc.c (get_page_from_freelist). One node.
 */
#ifndef REPLAY_BUDDY_ZONES_H
#define REPLAY_BUDDY_ZONES_H

#include "buddy_pcp.h"

#include "linux/zones.h"

#define BUDDY_CPUS_MAX 256u

struct buddy_zones {
    struct zones zones; /* watermarks and reserves; @free is that of the lists */
    struct buddy *buddy[ZONES];
    struct buddy_pcp *pcp[ZONES]; /* by CPU */
    uint32_t cpus;
    uint64_t failed;   /* requests */
    uint64_t no_large; /* of them: pages enough, but no block large enough */
};

/**
 * buddy_zones_new - lay out @config's machine from page 0 on; all pages but the base are free.
 * @cpus: 1 to BUDDY_CPUS_MAX. The base is the end of each zone.
 * Errors: FL_ENOMEM; FL_EUSAGE as of zones_init().
 */
int buddy_zones_new(const struct zones_config *config, uint32_t cpus, struct buddy_zones **out,
                    struct fl_err *err);
void buddy_zones_free(struct buddy_zones *z); /* NULL is fine */

/**
 * buddy_zones_take - a block of @order for @type on @cpu, from the first zone in which @mark
 * would be left: Normal without mixing types, DMA32, DMA, then all once more with mixing.
 * Returns: false when no zone has one.
 */
bool buddy_zones_take(struct buddy_zones *z, uint32_t cpu, uint32_t order, enum buddy_type type,
                      enum watermark mark, uint64_t *pfn);

/** buddy_zones_give - the block goes back, through @cpu's lists. */
void buddy_zones_give(struct buddy_zones *z, uint32_t cpu, uint64_t pfn, uint32_t order);

/** buddy_zones_reclaiming - kswapd begins or ends: while it works CPUs keep few pages. */
void buddy_zones_reclaiming(struct buddy_zones *z, bool reclaiming);

/** buddy_zones_zone - the zone that has page @pfn. */
enum zone_type buddy_zones_zone(const struct buddy_zones *z, uint64_t pfn);

/** buddy_zones_drain - all CPUs' pages go to their zones' lists (drain_all_pages). */
void buddy_zones_drain(struct buddy_zones *z);

/** buddy_zones_decay - once a second: CPUs that need fewer pages keep fewer (vmstat_update). */
void buddy_zones_decay(struct buddy_zones *z);

/** buddy_zones_on_cpus - pages on @zone's per-CPU lists. */
uint64_t buddy_zones_on_cpus(const struct buddy_zones *z, enum zone_type zone);

/** buddy_zones_ok - would @mark be left after an allocation of @order (zone_watermark_ok)? */
bool buddy_zones_ok(const struct buddy_zones *z, enum zone_type zone, uint32_t order,
                    enum watermark mark);

#endif
