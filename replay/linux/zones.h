/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * zones.h - a machine's memory as its zones: linux/mm/page_alloc.c, mm_init.c.
 *
 * Numbers of pages only: which page of a zone is taken is the buddy allocator's business.
 * Zones are laid out as on x86-64: DMA is the first 16 MiB, DMA32 what follows below 4 GiB,
 * Normal the rest. Holes are left out: RAM is taken to begin at 0 and to be in one piece.
 */
#ifndef REPLAY_LINUX_ZONES_H
#define REPLAY_LINUX_ZONES_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/err.h>

enum zone_type { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONES };
#define ZONE_NONE ZONES

enum watermark { WMARK_MIN, WMARK_LOW, WMARK_HIGH, WMARK_PROMO, WMARKS };

/* All in pages. */
struct zone {
    uint64_t present; /* of RAM */
    uint64_t managed; /* given to the allocator at boot */
    uint64_t free;
    uint64_t mark[WMARKS];
    uint64_t reserve; /* lowmem_reserve against allocations that every zone could serve */
};

struct zones {
    struct zone zone[ZONES];
    uint64_t min_free_kbytes;
};

struct zones_config {
    uint64_t ram_pages;
    uint64_t base_pages;      /* in use by all but the traced: see zones_typical_base() */
    uint64_t min_free_kbytes; /* vm.min_free_kbytes; 0: as the kernel computes it */
    uint32_t scale_factor;    /* vm.watermark_scale_factor, in 1/10000 */
    bool khugepaged;          /* huge pages are on, so khugepaged raises min_free_kbytes */
};

/**
 * zones_typical_base - what a machine of @ram_pages has in use besides its programs, in pages:
 * 64 bytes of struct page a page, and 128 MiB for the rest of the kernel, as measured on Linux
 * 6.18 on x86-64 (docs/model-linux.md). Other programs are not in it.
 */
uint64_t zones_typical_base(uint64_t ram_pages);

/**
 * zones_init - lay out a machine whose base is in use and whose other pages are free.
 * The base comes from the highest zone down: memory is handed out in that order at boot.
 * Errors: FL_EUSAGE when less than the high watermark would be left in every zone.
 */
int zones_init(struct zones *z, const struct zones_config *config, struct fl_err *err);

/** zones_set_watermarks - from the zones' managed pages (__setup_per_zone_wmarks). */
void zones_set_watermarks(struct zones *z, uint64_t min_free_kbytes, uint32_t scale_factor);

/** zones_min_free_kbytes - as the kernel computes it from managed pages (init_per_zone_wmark_min,
 *  and with @khugepaged set_recommended_min_free_kbytes). */
uint64_t zones_min_free_kbytes(const struct zones *z, uint32_t scale_factor, bool khugepaged);

/** zones_set_reserves - lowmem_reserve, at the default ratios (setup_per_zone_lowmem_reserve). */
void zones_set_reserves(struct zones *z);

/** zone_is_ok - more than @mark and the reserve would be left of @free (__zone_watermark_ok). */
static inline bool zone_is_ok(const struct zone *zone, uint64_t free, enum watermark mark)
{
    return free > zone->mark[mark] + zone->reserve;
}

/**
 * zones_pick - the first zone that @mark lets an allocation take a page from, in the order of
 * fallback: Normal, DMA32, DMA (get_page_from_freelist). Returns: ZONE_NONE when there is none.
 */
enum zone_type zones_pick(const struct zones *z, enum watermark mark);

/** zones_balanced - one zone is ok at its high watermark: kswapd may sleep (pgdat_balanced). */
bool zones_balanced(const struct zones *z);

uint64_t zones_free(const struct zones *z);
uint64_t zones_managed(const struct zones *z);
/** zones_mark - the sum of all zones' @mark. */
uint64_t zones_mark(const struct zones *z, enum watermark mark);

/** zones_cluster_target - what kswapd wants to reclaim in one pass (kswapd_shrink_node). */
uint64_t zones_cluster_target(const struct zones *z);

#endif
