/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * buddy_pcp.h - one CPU's pages of one zone, so that most allocations take no lock.
 *
 * Pages here are in use as far as the zone's free lists know. Orders 0 to 3 are kept, and order 9.
 *
 * Source: Linux 6.18, mm/page_alloc.c (struct per_cpu_pages), CONFIG_PCP_BATCH_SCALE_MAX=5.
 */
#ifndef REPLAY_BUDDY_PCP_H
#define REPLAY_BUDDY_PCP_H

#include "buddy.h"

#define BUDDY_PCP_LISTS 14u /* orders 0-3 of three types, order 9 movable or not */

struct buddy_pcp {
    int64_t count; /* pages */
    int64_t high, high_min, high_max, batch;
    int64_t free_count; /* pages freed since there was last an allocation, roughly */
    uint32_t alloc_factor;
    bool after_high_order;
    struct buddy_list list[BUDDY_PCP_LISTS]; /* linked through the zone's arrays */
};

/** buddy_pcp_batch, buddy_pcp_init - the sizes for a zone of @managed pages (zone_batchsize,
 *  zone_highsize), @low_mark its low watermark. */
int64_t buddy_pcp_batch(uint64_t managed);
void buddy_pcp_init(struct buddy_pcp *p, uint64_t managed, uint64_t low_mark, uint32_t cpus);

/** buddy_pcp_keeps - does a block of this order lie on such lists? */
bool buddy_pcp_keeps(uint32_t order);

/** buddy_pcp_take - from the list, refilled from the zone when it is empty (rmqueue_pcplist). */
bool buddy_pcp_take(struct buddy *b, struct buddy_pcp *p, uint32_t order, enum buddy_type type,
                    unsigned flags, uint64_t *pfn);

/** buddy_pcp_give - onto the list of its pageblock's type; some go to the zone when there are
 *  too many (free_frozen_page_commit). */
void buddy_pcp_give(struct buddy *b, struct buddy_pcp *p, uint64_t pfn, uint32_t order);

/** buddy_pcp_drain - @pages at least go to the zone, from list @from on (free_pcppages_bulk). */
void buddy_pcp_drain(struct buddy *b, struct buddy_pcp *p, int64_t pages, uint32_t from);

/** buddy_pcp_decay - once a second: fewer pages when the CPU needs fewer (decay_pcp_high). */
void buddy_pcp_decay(struct buddy *b, struct buddy_pcp *p);

#endif
