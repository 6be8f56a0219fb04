/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Are the free lists what they must be? And figures of what is free; linux/mm/vmstat.c. */
#include <stdio.h>

#include "buddy_priv.h"

/* One list: linked both ways, its blocks aligned, inside the zone, of its type, and unmerged
   only where they have to be. Returns: false with @why. */
static bool check_list(const struct buddy *b, uint32_t order, enum buddy_type type, char *why,
                       size_t why_bytes)
{
    const struct buddy_list *l = &b->list[order][type];
    uint64_t n = 0, size = UINT64_C(1) << order;
    uint32_t before = 0;
    for (uint32_t at = l->first; at; at = b->next[at - 1]) {
        uint64_t pfn = b->base + at - 1, other = pfn ^ size;
        const char *wrong = NULL;
        if (n++ > l->n)
            wrong = "is on a list in a circle";
        else if (b->prev[at - 1] != before)
            wrong = "is not linked back";
        else if (b->state[at - 1] != order + 1)
            wrong = "is on a list of another order";
        else if (pfn & (size - 1) || pfn < b->start || pfn + size > b->end)
            wrong = "is not aligned or not in the zone";
        else if (buddy_type_of(b, pfn) != type)
            wrong = "is on a list of another type than its pageblock's";
        else if (order < BUDDY_ORDERS - 1 && buddy_is_free(b, other, order) &&
                 (buddy_type_of(b, other) == type ||
                  (buddy_type_of(b, other) < BUDDY_PCP_TYPES && type < BUDDY_PCP_TYPES)))
            wrong = "is free, and so is its buddy";
        if (wrong) {
            snprintf(why, why_bytes, "block %llu of order %u %s", (unsigned long long)pfn, order,
                     wrong);
            return false;
        }
        before = at;
    }
    if (n == l->n && l->last == before)
        return true;
    snprintf(why, why_bytes, "order %u, %s: %llu blocks on the list, %llu counted", order,
             buddy_type_name(type), (unsigned long long)n, (unsigned long long)l->n);
    return false;
}

bool buddy_check(const struct buddy *b, char *why, size_t why_bytes)
{
    uint64_t listed = 0, found = 0, pages = 0, covered = 0;
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
        for (int t = 0; t < BUDDY_TYPES; t++) {
            if (!check_list(b, o, (enum buddy_type)t, why, why_bytes))
                return false;
            listed += b->list[o][t].n;
            pages += b->list[o][t].n << o;
        }
    for (uint64_t at = b->start; at < b->end; at++) { /* heads are on lists and do not overlap */
        uint32_t state = b->state[buddy_index(b, at)];
        if (!state || (state & BUDDY_MOVABLE_USE))
            continue;
        found++;
        if (at < covered) {
            snprintf(why, why_bytes, "block %llu lies in another one", (unsigned long long)at);
            return false;
        }
        covered = at + (UINT64_C(1) << (state - 1));
    }
    if (found == listed && pages == b->free_pages)
        return true;
    snprintf(why, why_bytes, "%llu free blocks, %llu on lists; %llu pages free, %llu counted",
             (unsigned long long)found, (unsigned long long)listed, (unsigned long long)pages,
             (unsigned long long)b->free_pages);
    return false;
}

/* ---- figures ---------------------------------------------------------------------------- */

void buddy_blocks(const struct buddy *b, int64_t blocks[BUDDY_ORDERS])
{
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++) {
        blocks[o] = 0;
        for (int t = 0; t < BUDDY_TYPES; t++)
            blocks[o] += (int64_t)b->list[o][t].n;
    }
}

struct contig {
    int64_t free, blocks, suitable; /* pages; blocks of any order; blocks of @order to take from */
};

/* fill_contig_page_info */
static struct contig contig(const int64_t blocks[BUDDY_ORDERS], uint32_t order)
{
    struct contig c = { 0, 0, 0 };
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++) {
        c.blocks += blocks[o];
        c.free += blocks[o] * (INT64_C(1) << o);
        if (o >= order)
            c.suitable += blocks[o] * (INT64_C(1) << (o - order));
    }
    return c;
}

int64_t buddy_fragmentation_index(const int64_t blocks[BUDDY_ORDERS], uint32_t order)
{
    struct contig c = contig(blocks, order);
    if (c.blocks <= 0)
        return 0;
    if (c.suitable > 0)
        return -1000;
    return 1000 - (1000 + c.free * 1000 / (INT64_C(1) << order)) / c.blocks;
}

int64_t buddy_unusable_index(const int64_t blocks[BUDDY_ORDERS], uint32_t order)
{
    struct contig c = contig(blocks, order);
    if (c.free <= 0)
        return 1000;
    return (c.free - c.suitable * (INT64_C(1) << order)) * 1000 / c.free;
}

int buddy_largest(const int64_t blocks[BUDDY_ORDERS])
{
    for (int o = BUDDY_ORDERS - 1; o >= 0; o--)
        if (blocks[o] > 0)
            return o;
    return -1;
}
