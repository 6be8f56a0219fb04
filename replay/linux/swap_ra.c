/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions named in comments are those of Linux 6.18, mm/swap_state.c. */
#include <stddef.h>

#include "swap_ra.h"

#define PMD_PAGES UINT64_C(512)
#define VMA_FIRST_HITS 4u /* before anything is known: the first window is of 8 pages */
#define VMA_HITS_MAX 63   /* six bits in the kernel */
#define VMA_ORDER_MAX 5   /* SWAP_RA_ORDER_CEILING */

/* The kernel keeps one count for the machine, not for a program: others have used it up before. */
struct swap_ra swap_ra_start(uint32_t page_cluster)
{
    return (struct swap_ra){ .page_cluster = page_cluster };
}

/* Pages to read (__swapin_nr_pages). @next_to: the fault is next to the one before. */
static uint32_t window(uint32_t hits, bool next_to, uint32_t most, uint32_t prev_win)
{
    uint32_t win = 4;
    if (!hits)
        win = next_to ? 2 : 1;
    else
        while (win < hits + 2 && win < most)
            win *= 2;
    if (win > most)
        win = most;
    return win < prev_win / 2 ? prev_win / 2 : win;
}

/* (swapin_nr_pages, swap_cluster_readahead) */
struct swap_ra_range swap_ra_slots(struct swap_ra *ra, uint32_t slot, uint32_t n_slots)
{
    uint64_t at = slot, prev = ra->prev_slot;
    struct swap_ra_range range = { at, at + 1 };
    if (!ra->page_cluster)
        return range;
    uint32_t hits = ra->hits, win = window(hits, at == prev + 1 || at + 1 == prev,
                                           UINT32_C(1) << ra->page_cluster, ra->prev_win);
    ra->hits = 0;
    if (!hits)
        ra->prev_slot = slot;
    ra->prev_win = win;
    if (win == 1)
        return range;
    range.first = at / win * win;
    range.end = range.first + win;
    if (!range.first)
        range.first = 1;
    if (range.end > n_slots)
        range.end = n_slots;
    return range;
}

/* Pages before the faulting one: none going up, all others going down, else half
   of them, rounded down (swap_vma_ra_win). */
static uint64_t pages_before(uint64_t page, uint64_t prev, uint32_t win)
{
    if (page == prev + 1)
        return 0;
    return prev == page + 1 ? win - 1 : (win - 1) / 2;
}

static uint32_t vma_hits(const struct swap_ra_vma *vma)
{
    return vma->page || vma->win || vma->hits ? vma->hits : VMA_FIRST_HITS;
}

struct swap_ra_range swap_ra_pages(const struct swap_ra *ra, struct swap_ra_vma *vma, uint64_t page,
                                   uint64_t vma_first, uint64_t vma_end, bool *one)
{
    struct swap_ra_range range = { page, page + 1 };
    uint32_t order = ra->page_cluster < VMA_ORDER_MAX ? ra->page_cluster : VMA_ORDER_MAX;
    uint64_t prev = vma->page, pmd = page / PMD_PAGES * PMD_PAGES;
    uint32_t win = 1;
    if (order) {
        win = window(vma_hits(vma), page == prev + 1 || page + 1 == prev, UINT32_C(1) << order,
                     vma->win);
        *vma = (struct swap_ra_vma){ .page = page, .win = (uint8_t)win };
    }
    if (one)
        *one = win == 1;
    if (win == 1)
        return range;
    uint64_t before = pages_before(page, prev, win);
    /* What is cut off below is not added above. */
    range.end = page - before + win;
    range.first = before < page ? page - before : 0;
    if (range.first < vma_first)
        range.first = vma_first;
    if (range.first < pmd)
        range.first = pmd;
    if (range.end > vma_end)
        range.end = vma_end;
    if (range.end > pmd + PMD_PAGES)
        range.end = pmd + PMD_PAGES;
    return range;
}

void swap_ra_found(struct swap_ra *ra, struct swap_ra_vma *vma, uint64_t page, bool marked)
{
    if (!vma) {
        ra->hits += marked;
        return;
    }
    uint32_t hits = vma_hits(vma) + marked;
    vma->page = page;
    vma->hits = (uint8_t)(hits < VMA_HITS_MAX ? hits : VMA_HITS_MAX);
}
