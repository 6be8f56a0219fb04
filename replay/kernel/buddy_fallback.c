/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a type has no block left: from another one; linux/mm/page_alloc.c. */
#include "buddy_priv.h"

#define BOOST_FACTOR 15000u /* vm.watermark_boost_factor, in 1/10000 */

static const enum buddy_type fallbacks[BUDDY_PCP_TYPES][BUDDY_PCP_TYPES - 1] = {
    [BUDDY_UNMOVABLE] = { BUDDY_RECLAIMABLE, BUDDY_MOVABLE },
    [BUDDY_MOVABLE] = { BUDDY_RECLAIMABLE, BUDDY_UNMOVABLE },
    [BUDDY_RECLAIMABLE] = { BUDDY_UNMOVABLE, BUDDY_MOVABLE },
};

/* The type to take a block of @order from; BUDDY_TYPES: there is none. */
static enum buddy_type donor(const struct buddy *b, uint32_t order, enum buddy_type type)
{
    if (type < BUDDY_PCP_TYPES)
        for (uint32_t i = 0; i < BUDDY_PCP_TYPES - 1; i++)
            if (b->list[order][fallbacks[type][i]].n)
                return fallbacks[type][i];
    return BUDDY_TYPES;
}

/* boost_watermark: kswapd is to free more, so that the next one need not mix types. */
static void boost(struct buddy *b)
{
    if (!b->managed || BUDDY_BLOCK_PAGES * UINT64_C(4) > b->managed)
        return;
    uint64_t most = b->high_mark * BOOST_FACTOR / 10000;
    if (!most)
        return;
    if (most < BUDDY_BLOCK_PAGES)
        most = BUDDY_BLOCK_PAGES;
    b->boost += BUDDY_BLOCK_PAGES;
    if (b->boost > most)
        b->boost = most;
}

/* Are at least half of the pageblock's pages free, or used as @want pages are? Pages of movable
   requests can be told from the others; unmovable ones cannot be told from reclaimable ones. */
static bool mostly_alike(const struct buddy *b, uint64_t block, enum buddy_type want,
                         enum buddy_type from)
{
    uint64_t free = 0, movable = 0, n, end = block + BUDDY_BLOCK_PAGES, alike = 0;
    for (uint64_t at = block; at < end; at += n) {
        uint32_t state = b->state[buddy_index(b, at)];
        n = state ? UINT64_C(1) << ((state & ~BUDDY_MOVABLE_USE) - 1) : 1;
        if (state & BUDDY_MOVABLE_USE)
            movable += at + n > end ? end - at : n;
        else if (state)
            free += n;
    }
    if (want == BUDDY_MOVABLE)
        alike = movable;
    else if (from == BUDDY_MOVABLE)
        alike = BUDDY_BLOCK_PAGES - free - movable;
    return free + alike >= BUDDY_BLOCK_PAGES / 2;
}

/* A whole pageblock becomes @type's. */
static bool claim_block(struct buddy *b, uint64_t head, uint32_t order, uint32_t held,
                        enum buddy_type type, enum buddy_type from, uint64_t *pfn)
{
    if (held >= BUDDY_BLOCK_ORDER) {
        buddy_remove(b, head, held, from);
        for (uint64_t at = head; at < head + (UINT64_C(1) << held); at += BUDDY_BLOCK_PAGES)
            buddy_set_type(b, at, type);
        buddy_expand(b, head, order, held, type);
        *pfn = head;
        return true;
    }
    boost(b);
    uint64_t block = head & ~(uint64_t)(BUDDY_BLOCK_PAGES - 1);
    if (block < b->start || block + BUDDY_BLOCK_PAGES > b->end ||
        !mostly_alike(b, block, type, from))
        return false;
    buddy_retype(b, block, type);
    return buddy_smallest(b, order, type, pfn);
}

bool buddy_claim(struct buddy *b, uint32_t order, enum buddy_type type, unsigned flags,
                 uint64_t *pfn)
{
    uint32_t least = order;
    if (order < BUDDY_BLOCK_ORDER && (flags & BUDDY_NOFRAGMENT))
        least = BUDDY_BLOCK_ORDER;
    for (uint32_t o = BUDDY_ORDERS; o-- > least;) {
        /* a small movable request leaves small blocks to their type: it can be moved out again */
        if (type == BUDDY_MOVABLE && o < BUDDY_BLOCK_ORDER / 2)
            return false;
        enum buddy_type from = donor(b, o, type);
        if (from == BUDDY_TYPES)
            continue;
        uint64_t head = b->base + b->list[o][from].first - 1;
        if (claim_block(b, head, order, o, type, from, pfn)) {
            b->stats.claims++;
            return true;
        }
    }
    return false;
}

bool buddy_steal(struct buddy *b, uint32_t order, enum buddy_type type, uint64_t *pfn)
{
    for (uint32_t o = order; o < BUDDY_ORDERS; o++) {
        enum buddy_type from = donor(b, o, type);
        if (from == BUDDY_TYPES)
            continue;
        *pfn = b->base + b->list[o][from].first - 1;
        buddy_remove(b, *pfn, o, from);
        buddy_expand(b, *pfn, order, o, from);
        b->stats.steals++;
        return true;
    }
    return false;
}
