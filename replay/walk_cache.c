/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "walk_cache.h"

bool walk_caches_init(struct walk_caches *w, const struct fl_machine *machine)
{
    *w = (struct walk_caches){ .levels = machine->levels,
                               .flush_page = machine->walk_flush_page,
                               .held = WALK_NONE };
    for (; w->n < machine->n_walk; w->n++) {
        struct walk_cache *c = &w->cache[w->n];
        *c = (struct walk_cache){ .geometry = machine->walk[w->n] };
        if (!lru_sets_init(&c->sets, c->geometry.entries, c->geometry.ways))
            return false;
    }
    return true;
}

void walk_caches_fini(struct walk_caches *w)
{
    for (uint32_t i = 0; i < w->n; i++)
        lru_sets_fini(&w->cache[i].sets);
    *w = (struct walk_caches){ 0 };
}

uint32_t walk_caches_walk(struct walk_caches *w, const struct tlb_tables *t, uint32_t table,
                          enum fl_page_size size)
{
    uint32_t leaf = (uint32_t)size + 1;
    if (!w->n)
        return w->levels - leaf + 1;
    uint32_t mm = t->at[table].mm;
    if (__builtin_expect(w->held != mm, 0))
        w->held = w->held == WALK_NONE ? mm : WALK_MANY;
    for (uint32_t i = 0; i < w->n; i++) {
        struct walk_cache *c = &w->cache[i];
        if (c->geometry.level <= leaf) /* holds no entry that maps a page */
            continue;
        while (t->at[table].height + 1u < c->geometry.level)
            table = t->at[table].up;
        c->lookups++;
        if (lru_sets_use(&c->sets, table, t->number[table])) {
            c->hits++;
            return c->geometry.level - leaf;
        }
    }
    return w->levels - leaf + 1;
}

void walk_caches_drop_page(struct walk_caches *w, const struct tlb_tables *t, uint32_t table)
{
    if (w->held == WALK_NONE)
        return;
    if (!w->flush_page) {
        walk_caches_drop_space(w, t, t->at[table].mm);
        return;
    }
    for (uint32_t i = 0; i < w->n; i++) {
        uint32_t way = tlb_tables_at(t, table, w->cache[i].geometry.level - 1);
        lru_sets_drop(&w->cache[i].sets, way, t->number[way]);
    }
}

struct space {
    const struct tlb_tables *tables;
    uint32_t mm, left; /* another that has entries; WALK_NONE, WALK_MANY */
};

static bool is_of_space(void *arg, uint32_t key)
{
    struct space *s = arg;
    uint32_t mm = s->tables->at[key].mm;
    if (mm == s->mm)
        return true;
    if (s->left != mm)
        s->left = s->left == WALK_NONE ? mm : WALK_MANY;
    return false;
}

void walk_caches_drop_space(struct walk_caches *w, const struct tlb_tables *t, uint32_t mm)
{
    struct space space = { .tables = t, .mm = mm, .left = WALK_NONE };
    if (w->held != mm && w->held != WALK_MANY)
        return;
    for (uint32_t i = 0; i < w->n; i++)
        if (w->held == mm)
            lru_sets_clear(&w->cache[i].sets);
        else
            lru_sets_drop_if(&w->cache[i].sets, is_of_space, &space);
    w->held = space.left;
}
