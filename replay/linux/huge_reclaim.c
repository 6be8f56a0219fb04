/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Huge pages under reclaim: linux/mm/vmscan.c shrink_folio_list, huge_memory.c. */
#include "linux_mm.h"

/* Written as one; its slots then are of single pages (try_to_unmap has split the entries). */
static void swap_out_whole(struct linux_mm *lm, uint32_t h, struct batch *batch)
{
    const uint32_t *contents = lm->thp.huge[h].contents;
    uint32_t rest[HUGE_PAGES];
    uint64_t age = lm->nonresident_age;
    uint32_t head = contents[lm->thp.huge[h].head];
    for (uint32_t i = 0; i < HUGE_PAGES; i++)
        lm->folio[contents[i]].zero = false; /* it is the whole that is not zeros */
    uint32_t n = huge_split(lm, h, rest);
    lm->thp.splits--;
    rest[n++] = head;
    for (uint32_t i = 0; i < n; i++) {
        folio_unmap(lm, rest[i]);
        lm->nonresident_age = age; /* the same for all */
        shrink_written(lm, rest[i], batch);
    }
    lm->nonresident_age = age + n;
    lm->thp.swapouts++;
}

bool huge_swap_out(struct linux_mm *lm, uint32_t c, struct batch *batch)
{
    uint32_t h = lm->folio[c].huge - 1u;
    if (lm->thp.huge[h].n_live == HUGE_PAGES) {
        if (swap_cache_enter_huge(lm, lm->thp.huge[h].contents)) {
            swap_out_whole(lm, h, batch);
            return true;
        }
        lm->thp.swapout_fallbacks++;
    }
    batch->n_rest = huge_split(lm, h, batch->rest);
    return false;
}

/*
 * The shrinker scans as many of the folios with pages that nobody maps as are queued, twice,
 * shifted by the priority; it does nothing with less than all, unless that is 128 (do_shrink_slab).
 */
void huge_split_deferred(struct linux_mm *lm, int priority)
{
    uint32_t queued = 0;
    if (!lm->thp.unmapped_pages)
        return;
    for (uint32_t h = 0; h < lm->thp.n_huge; h++)
        queued += lm->thp.huge[h].n_live && lm->thp.huge[h].n_live < HUGE_PAGES;
    uint64_t scan = (uint64_t)(queued >> priority) * 2;
    if (scan < queued && scan < 128)
        return;
    for (uint32_t h = 0; h < lm->thp.n_huge && scan; h++)
        if (lm->thp.huge[h].n_live && lm->thp.huge[h].n_live < HUGE_PAGES) {
            huge_split(lm, h, NULL);
            scan--;
        }
}
