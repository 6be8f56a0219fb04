/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "fill_result.h"

void result_of_tlb(struct fl_result *res, const struct tlb *tlb)
{
    res->n_tlb = tlb->n_levels;
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        const struct tlb_level *level = &tlb->level[i];
        res->tlb[i] = (struct fl_tlb_counts){ .name = level->geometry.name,
                                              .lookups = level->lookups,
                                              .hits = level->lookups - level->misses,
                                              .misses = level->misses };
    }
    res->n_walk = tlb->walk_caches.n;
    for (uint32_t i = 0; i < res->n_walk; i++) {
        const struct walk_cache *c = &tlb->walk_caches.cache[i];
        res->walk[i] = (struct fl_tlb_counts){ .name = fl_walk_cache_name(c->geometry.level),
                                               .lookups = c->lookups,
                                               .hits = c->hits,
                                               .misses = c->lookups - c->hits };
    }
    res->walks = tlb->walks;
    res->walk_refs = tlb->walk_refs;
    res->tlb_later_hits = tlb->later_hits;
    for (int kind = 0; kind < FL_FLUSH_KINDS; kind++) {
        res->tlb_flushes_by[kind] = tlb->flushes[kind];
        res->tlb_flushes += tlb->flushes[kind];
    }
    res->tlb_page_flushes = tlb->page_flushes;
}

void result_of_paging(struct fl_result *res, const struct paging_counts *n)
{
    for (int c = 0; c < FL_CAUSE_COUNT; c++)
        res->faults[c] = n->faults[c];
    res->evictions = n->evictions;
    res->pages_in = n->pages_in;
    res->pages_out = n->pages_out;
    res->swap_peak_pages = n->slots_peak;
    res->file_pages_read = n->file_pages_read;
    res->file_pages_written = n->file_pages_written;
    res->resident_peak_pages = n->resident_peak;
}

void result_of_kernel(struct fl_result *res, const struct linux_mm *k)
{
    for (int c = 0; c < FL_CAUSE_COUNT; c++)
        res->faults[c] = k->faults[c];
    res->evictions = k->evictions;
    res->pages_in = k->pages_in;
    res->pages_out = k->pages_out;
    res->swap_peak_pages = k->swap.used_peak;
    res->file_pages_read = k->file_pages_read;
    res->file_pages_written = k->file_pages_written;
    res->resident_peak_pages = k->resident_peak;
    res->readahead_pages = k->readahead_pages;
    res->readahead_hits = k->readahead_hits;
    res->file_readahead_pages = k->file_readahead_pages;
    res->file_readahead_hits = k->file_readahead_hits;
    res->scanned = k->scanned;
    res->activated = k->activated;
    res->deactivated = k->deactivated;
    res->refaults = k->refaults;
    res->reclaims = k->direct_reclaims;
    res->background = k->background_reclaimed;
    if (k->frames) {
        res->host_pages = k->opts.machine ? 0 : k->opts.zones.ram_pages;
        res->base_pages = k->opts.zones.base_pages;
        res->min_free_kbytes = k->frames->zones.min_free_kbytes;
        machine_counts(k, &res->buddy);
    }
    res->kernel_pages_peak = k->kernel_pages_peak;
    res->usage_peak = k->usage_peak;
    res->thp = (struct fl_thp_counts){ .mode = k->opts.thp,
                                       .faults = k->thp.faults,
                                       .zero_faults = k->thp.zero_faults,
                                       .fallbacks = k->thp.fallbacks,
                                       .collapses = k->thp.collapses,
                                       .splits = k->thp.splits,
                                       .swapouts = k->thp.swapouts,
                                       .swapout_fallbacks = k->thp.swapout_fallbacks };
    res->stat_flushes = k->stat_flushes;
}

void fl_result_free(struct fl_result *result)
{
    if (!result)
        return;
    fl_attribution_free(result->attribution);
    free(result->oom_kills);
    free(result->oom_candidates);
    free(result->rows);
    free(result);
}
