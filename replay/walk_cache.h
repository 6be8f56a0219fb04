/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * walk_cache.h - caches of the page-table entries above the leaf: LRU in each set.
 *
 * docs/model.md section 4, "Walks". Asked only when every TLB level missed, so sets
 * are searched one entry after the other.
 */
#ifndef REPLAY_WALK_CACHE_H
#define REPLAY_WALK_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/machine.h>

struct walk_entry {
    uint64_t number, last_use; /* number: page number >> 9 * (level - 1); last_use 0: empty */
    uint32_t mm;
};

struct walk_cache {
    struct fl_walk_cache geometry;
    struct walk_entry *entry;
    uint64_t lookups, hits;
};

struct walk_caches {
    struct walk_cache cache[FL_WALK_CACHES_MAX]; /* lowest level first */
    uint32_t n, levels;
    bool flush_page;
    uint64_t now;
};

/** walk_caches_init - false: out of memory; walk_caches_fini() is then still due. */
bool walk_caches_init(struct walk_caches *w, const struct fl_machine *machine);
void walk_caches_fini(struct walk_caches *w);

/** walk_caches_walk - a walk to the page @vpn of @mm, mapped with @size: its memory references. */
uint32_t walk_caches_walk(struct walk_caches *w, uint32_t mm, uint64_t vpn, enum fl_page_size size);

/** walk_caches_drop_page - the translation of @vpn was flushed alone. */
void walk_caches_drop_page(struct walk_caches *w, uint32_t mm, uint64_t vpn);

/** walk_caches_drop_space - everything of @mm. */
void walk_caches_drop_space(struct walk_caches *w, uint32_t mm);

#endif
