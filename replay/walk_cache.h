/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * walk_cache.h - caches of the page-table entries above the leaf: LRU in each set.
 *
 * docs/model.md section 4, "Walks". What an entry of a table of level j points at is the table of
 * height j - 1, whose id is the key.
 */
#ifndef REPLAY_WALK_CACHE_H
#define REPLAY_WALK_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/machine.h>

#include "lru_sets.h"
#include "tlb_tables.h"

struct walk_cache {
    struct fl_walk_cache geometry;
    struct lru_sets sets;
    uint64_t lookups, hits;
};

struct walk_caches {
    struct walk_cache cache[FL_WALK_CACHES_MAX]; /* lowest level first */
    uint32_t n, levels;
    bool flush_page;
    uint32_t held; /* the space that has entries here; WALK_NONE, WALK_MANY */
};

#define WALK_NONE UINT32_MAX
#define WALK_MANY (UINT32_MAX - 2) /* no space has this number */

/** walk_caches_init - false: out of memory; walk_caches_fini() is then still due. */
bool walk_caches_init(struct walk_caches *w, const struct fl_machine *machine);
void walk_caches_fini(struct walk_caches *w);

/**
 * walk_caches_walk - a walk to a page that @table, of height 1, maps, in a mapping of @size: its
 * memory references.
 */
uint32_t walk_caches_walk(struct walk_caches *w, const struct tlb_tables *t, uint32_t table,
                          enum fl_page_size size);

/** walk_caches_drop_page - the translation of a page that @table maps was flushed alone. */
void walk_caches_drop_page(struct walk_caches *w, const struct tlb_tables *t, uint32_t table);

/** walk_caches_drop_space - everything of @mm. */
void walk_caches_drop_space(struct walk_caches *w, const struct tlb_tables *t, uint32_t mm);

#endif
