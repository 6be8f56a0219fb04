/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * swap_ra.h - which pages a swap-in reads besides the one that is wanted.
 *
 * Linux 6.18, mm/swap_state.c. Two variants: by slot, with one state for the machine,
 * and by address, with a state in each mapping. The kernel reads by address only when
 * no rotational area is active and the fault is not of shared memory without
 * a mapping at hand (swap_use_vma_readahead). In either the window is clipped, its pages
 * are read in ascending order, and those not on swap or already cached are left out.
 * Every page read but the wanted one is marked; a fault that meets the mark in the
 * swap cache clears it: a hit. O(1) throughout.
 */
#ifndef REPLAY_LINUX_SWAP_RA_H
#define REPLAY_LINUX_SWAP_RA_H

#include <stdbool.h>
#include <stdint.h>

#define SWAP_PAGE_CLUSTER UINT32_C(3)      /* swap_setup, with 16 MiB of memory or more */
#define SWAP_PAGE_CLUSTER_MAX UINT32_C(24) /* ours, so that a window fits its type */

/** struct swap_ra - the machine's state. Start from swap_ra_start(). */
struct swap_ra {
    uint32_t page_cluster; /* vm.page-cluster: at most 2^this pages are read */
    uint32_t hits;         /* since the last read */
    uint32_t prev_win;     /* pages */
    uint32_t prev_slot;
};

/** struct swap_ra_vma - a mapping's state. All zero: a new mapping. */
struct swap_ra_vma {
    uint64_t page; /* number of the last page that faulted and was, or is, on swap */
    uint8_t win, hits;
};

/** struct swap_ra_range - page or slot numbers, first <= n < end; end - first is 1 or more. */
struct swap_ra_range {
    uint64_t first, end;
};

/** swap_ra_start - the state after boot. @page_cluster: 0 to SWAP_PAGE_CLUSTER_MAX. */
struct swap_ra swap_ra_start(uint32_t page_cluster);

/**
 * swap_ra_slots - the aligned block of slots to read around @slot, @slot in it.
 * @n_slots: of the area, with its header; slot 0 is never in the block.
 * A block of one slot: no read-ahead, the kernel does not drain its LRU batches then.
 */
struct swap_ra_range swap_ra_slots(struct swap_ra *ra, uint32_t slot, uint32_t n_slots);

/**
 * swap_ra_pages - the pages to read around the faulting @page, @page among them.
 * @vma_first, @vma_end: the mapping, first <= page < end. The range is also held to the
 * 2 MiB of @page. @one: if not NULL, set to whether the window was a single page, in
 * which case the kernel does not drain its LRU batches; clipping can leave one page too.
 */
struct swap_ra_range swap_ra_pages(const struct swap_ra *ra, struct swap_ra_vma *vma, uint64_t page,
                                   uint64_t vma_first, uint64_t vma_end, bool *one);

/**
 * swap_ra_found - a fault found its page in the swap cache (swap_update_readahead).
 * Call it for each such fault, marked or not; not for huge pages.
 * @vma: NULL when read-ahead goes by slot. @marked: the page had the mark, now cleared.
 */
void swap_ra_found(struct swap_ra *ra, struct swap_ra_vma *vma, uint64_t page, bool marked);

#endif
