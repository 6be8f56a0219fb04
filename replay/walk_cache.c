/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "walk_cache.h"

#define TABLE_BITS 9u

bool walk_caches_init(struct walk_caches *w, const struct fl_machine *machine)
{
    *w = (struct walk_caches){ .levels = machine->levels, .flush_page = machine->walk_flush_page };
    for (; w->n < machine->n_walk; w->n++) {
        struct walk_cache *c = &w->cache[w->n];
        *c = (struct walk_cache){ .geometry = machine->walk[w->n] };
        c->entry = calloc(c->geometry.entries, sizeof *c->entry);
        if (!c->entry)
            return false;
    }
    return true;
}

void walk_caches_fini(struct walk_caches *w)
{
    for (uint32_t i = 0; i < w->n; i++)
        free(w->cache[i].entry);
    *w = (struct walk_caches){ 0 };
}

static uint64_t number_at(const struct walk_cache *c, uint64_t vpn)
{
    return vpn >> TABLE_BITS * (c->geometry.level - 1);
}

/* Its entry, or NULL; *@oldest: the one to fill, in that case. */
static struct walk_entry *find(const struct walk_cache *c, uint32_t mm, uint64_t number,
                               struct walk_entry **oldest)
{
    uint32_t ways = c->geometry.ways, sets = c->geometry.entries / ways;
    struct walk_entry *set = &c->entry[(number % sets) * ways];
    *oldest = set;
    for (struct walk_entry *e = set; e < set + ways; e++) {
        if (e->last_use && e->mm == mm && e->number == number)
            return e;
        if (e->last_use < (*oldest)->last_use)
            *oldest = e;
    }
    return NULL;
}

uint32_t walk_caches_walk(struct walk_caches *w, uint32_t mm, uint64_t vpn, enum fl_page_size size)
{
    uint32_t leaf = (uint32_t)size + 1, refs = w->levels - leaf + 1;
    w->now++;
    for (uint32_t i = 0; i < w->n; i++) {
        struct walk_cache *c = &w->cache[i];
        struct walk_entry *oldest;
        if (c->geometry.level <= leaf) /* holds no entry that maps a page */
            continue;
        struct walk_entry *e = find(c, mm, number_at(c, vpn), &oldest);
        c->lookups++;
        if (e) {
            c->hits++;
            e->last_use = w->now;
            refs = c->geometry.level - leaf;
            break;
        }
        *oldest = (struct walk_entry){ .number = number_at(c, vpn), .last_use = w->now, .mm = mm };
    }
    return refs;
}

void walk_caches_drop_page(struct walk_caches *w, uint32_t mm, uint64_t vpn)
{
    struct walk_entry *unused;
    if (!w->flush_page) {
        walk_caches_drop_space(w, mm);
        return;
    }
    for (uint32_t i = 0; i < w->n; i++) {
        struct walk_entry *e = find(&w->cache[i], mm, number_at(&w->cache[i], vpn), &unused);
        if (e)
            *e = (struct walk_entry){ 0 };
    }
}

void walk_caches_drop_space(struct walk_caches *w, uint32_t mm)
{
    for (uint32_t i = 0; i < w->n; i++)
        for (uint32_t k = 0; k < w->cache[i].geometry.entries; k++)
            if (w->cache[i].entry[k].mm == mm)
                w->cache[i].entry[k] = (struct walk_entry){ 0 };
}
