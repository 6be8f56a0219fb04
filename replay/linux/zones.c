/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/units.h>

#include "zones.h"

#define DMA_END (UINT64_C(16) << 20 >> FL_PAGE_SHIFT)  /* MAX_DMA_PFN */
#define DMA32_END (UINT64_C(4) << 30 >> FL_PAGE_SHIFT) /* MAX_DMA32_PFN */

#define STRUCT_PAGE_BYTES 64u
#define KERNEL_PAGES (UINT64_C(128) << 20 >> FL_PAGE_SHIFT)

#define MIN_FREE_KBYTES_LEAST 128u
#define MIN_FREE_KBYTES_MOST 262144u
#define PAGEBLOCK_PAGES 512u
#define MIGRATE_PCPTYPES 3u
#define SWAP_CLUSTER_MAX 32u

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The largest number whose square is not above @x. */
static uint64_t int_sqrt(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1)
        if ((root + bit) * (root + bit) <= x)
            root += bit;
    return root;
}

uint64_t zones_free(const struct zones *z)
{
    uint64_t n = 0;
    for (int i = 0; i < ZONES; i++)
        n += z->zone[i].free;
    return n;
}

uint64_t zones_managed(const struct zones *z)
{
    uint64_t n = 0;
    for (int i = 0; i < ZONES; i++)
        n += z->zone[i].managed;
    return n;
}

uint64_t zones_mark(const struct zones *z, enum watermark mark)
{
    uint64_t n = 0;
    for (int i = 0; i < ZONES; i++)
        n += z->zone[i].mark[mark];
    return n;
}

uint64_t zones_cluster_target(const struct zones *z)
{
    uint64_t n = 0;
    for (int i = 0; i < ZONES; i++)
        if (z->zone[i].managed)
            n += larger(z->zone[i].mark[WMARK_HIGH], SWAP_CLUSTER_MAX);
    return n;
}

uint64_t zones_min_free_kbytes(const struct zones *z, uint32_t scale_factor, bool khugepaged)
{
    uint64_t managed = zones_managed(z), above_high = 0, populated = 0;
    uint64_t kbytes = int_sqrt(managed * (FL_PAGE_BYTES / 1024) * 16);
    kbytes = smaller(larger(kbytes, MIN_FREE_KBYTES_LEAST), MIN_FREE_KBYTES_MOST);
    if (!khugepaged)
        return kbytes;

    struct zones computed = *z; /* the cap counts from the marks that were there before */
    zones_set_watermarks(&computed, kbytes, scale_factor);
    for (int i = 0; i < ZONES; i++) {
        const struct zone *zone = &computed.zone[i];
        populated += zone->present != 0;
        if (zone->managed > zone->mark[WMARK_HIGH])
            above_high += zone->managed - zone->mark[WMARK_HIGH];
    }
    uint64_t wanted = PAGEBLOCK_PAGES * populated * (2 + MIGRATE_PCPTYPES * MIGRATE_PCPTYPES);
    wanted = smaller(wanted, above_high / 20);
    return larger(kbytes, wanted * (FL_PAGE_BYTES / 1024));
}

void zones_set_watermarks(struct zones *z, uint64_t min_free_kbytes, uint32_t scale_factor)
{
    uint64_t managed = zones_managed(z), min = min_free_kbytes / (FL_PAGE_BYTES / 1024);
    z->min_free_kbytes = min_free_kbytes;
    for (int i = 0; i < ZONES && managed; i++) {
        struct zone *zone = &z->zone[i];
        uint64_t share = min * zone->managed / managed;
        uint64_t gap = larger(share / 4, zone->managed * scale_factor / 10000);
        for (int mark = WMARK_MIN; mark < WMARKS; mark++)
            zone->mark[mark] = share + (uint64_t)mark * gap;
    }
}

void zones_set_reserves(struct zones *z)
{
    static const uint32_t ratio[ZONES] = { 256, 256, 32 }; /* vm.lowmem_reserve_ratio */
    uint64_t above = 0;
    for (int i = ZONES - 1; i >= 0; i--) {
        z->zone[i].reserve = z->zone[i].managed ? above / ratio[i] : 0;
        above += z->zone[i].managed;
    }
}

uint64_t zones_typical_base(uint64_t ram_pages)
{
    return ram_pages * STRUCT_PAGE_BYTES / FL_PAGE_BYTES + KERNEL_PAGES;
}

/* @n pages, from the highest zone down; out of what is managed too, or only out of what is free. */
static void use_up(struct zones *z, uint64_t n, bool managed)
{
    for (int i = ZONES - 1; i >= 0; i--) {
        struct zone *zone = &z->zone[i];
        uint64_t taken = smaller(n, zone->free);
        zone->free -= taken;
        if (managed)
            zone->managed -= taken;
        n -= taken;
    }
}

int zones_init(struct zones *z, const struct zones_config *config, struct fl_err *err)
{
    uint64_t ram = config->ram_pages;
    uint64_t end[ZONES] = { smaller(ram, DMA_END), smaller(ram, DMA32_END), ram };

    *z = (struct zones){ 0 };
    for (int i = 0; i < ZONES; i++) {
        struct zone *zone = &z->zone[i];
        zone->present = end[i] - (i ? end[i - 1] : 0);
        zone->managed = zone->free = zone->present;
    }
    uint64_t page_structs = smaller(config->base_pages, ram * STRUCT_PAGE_BYTES / FL_PAGE_BYTES);
    use_up(z, page_structs, true);
    uint64_t min_free = config->min_free_kbytes;
    if (!min_free)
        min_free = zones_min_free_kbytes(z, config->scale_factor, config->khugepaged);
    zones_set_watermarks(z, min_free, config->scale_factor);
    zones_set_reserves(z);
    use_up(z, config->base_pages - page_structs, false);
    if (config->base_pages < ram && zones_balanced(z))
        return FL_OK;
    char has[FL_FORMAT_BYTES], base[FL_FORMAT_BYTES];
    return fl_fail(err, FL_EUSAGE,
                   "a machine of %s, of which %s are in use, has no memory to give: more --ram, a "
                   "smaller --base, or --scope memcg",
                   fl_format_bytes(has, ram * FL_PAGE_BYTES),
                   fl_format_bytes(base, config->base_pages * FL_PAGE_BYTES));
}

enum zone_type zones_pick(const struct zones *z, enum watermark mark)
{
    for (int i = ZONES - 1; i >= 0; i--)
        if (z->zone[i].free && zone_is_ok(&z->zone[i], z->zone[i].free, mark))
            return (enum zone_type)i;
    return ZONE_NONE;
}

bool zones_balanced(const struct zones *z)
{
    for (int i = 0; i < ZONES; i++)
        if (z->zone[i].managed && zone_is_ok(&z->zone[i], z->zone[i].free, WMARK_HIGH))
            return true;
    return false;
}
