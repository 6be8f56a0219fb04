/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at the slabs: counts, and whether the lists hold what they should. */
#include <stdio.h>
#include <stdlib.h>

#include "slab_priv.h"

static int occupancy_class(uint32_t used, uint32_t objects)
{
    if (used == objects)
        return 4;
    return used * 8 <= objects ? 0 : used * 4 <= objects ? 1 : used * 2 <= objects ? 2 : 3;
}

struct slab_counts slab_counts(const struct slab_sys *s, uint32_t cache)
{
    const struct slab_cache *c = &s->caches[cache];
    struct slab_counts n = { .live = c->live, .peak_slabs = c->peak_slabs };
    n.in_sheaves = slab_sheaf_objects(s, c);
    for (uint32_t i = 0; i < s->n_slabs; i++) {
        const struct slab *x = &s->slabs[i];
        if (x->place == SLAB_GONE || x->cache != cache)
            continue;
        uint32_t free = x->free + x->cpu_free;
        n.slabs++;
        n.objects += x->objects;
        n.place[x->place]++;
        n.free[x->place] += free;
        n.occupancy[occupancy_class(x->objects - free, x->objects)]++;
    }
    return n;
}

struct slab_view slab_view(const struct slab_sys *s, uint32_t id)
{
    const struct slab *x = &s->slabs[id];
    return (struct slab_view){ .cache = x->cache,
                               .objects = x->objects,
                               .free = x->free + x->cpu_free,
                               .place = x->place,
                               .cpu = x->cpu,
                               .pages = x->pages };
}

uint32_t slab_ids(const struct slab_sys *s)
{
    return s->n_slabs;
}

const struct slab_layout *slab_layout_at(const struct slab_sys *s, uint32_t cache)
{
    return &s->caches[cache].layout;
}

static bool list_sound(const struct slab_sys *s, const struct slab_list *list, uint32_t cache,
                       enum slab_place place, uint32_t cpu)
{
    uint32_t n = 0, before = SLAB_NONE;
    for (uint32_t id = list->head; id != SLAB_NONE; id = s->slabs[id].next) {
        const struct slab *x = &s->slabs[id];
        if (x->place != place || x->cache != cache || x->prev != before || !x->free || n > list->n)
            return false;
        if (place == SLAB_CPU_PARTIAL && x->cpu != cpu)
            return false;
        before = id;
        n++;
    }
    return n == list->n && list->tail == before;
}

static bool slab_sound(const struct slab *x)
{
    uint32_t free = x->free + x->cpu_free;
    if (free > x->objects || (x->place != SLAB_CURRENT && x->cpu_free))
        return false;
    return x->place != SLAB_FULL || !free;
}

static bool cache_sound(const struct slab_sys *s, uint32_t cache, char why[128])
{
    const struct slab_cache *c = &s->caches[cache];
    const struct slab_counts n = slab_counts(s, cache);
    uint64_t listed = c->node.n, current = 0, free = 0;
    if (!list_sound(s, &c->node, cache, SLAB_NODE_PARTIAL, 0))
        return snprintf(why, 128, "cache %u: the node's list is broken", cache), false;
    for (uint32_t i = 0; i < s->cpus; i++) {
        if (!list_sound(s, &c->cpu[i].partial, cache, SLAB_CPU_PARTIAL, i))
            return snprintf(why, 128, "cache %u: CPU %u's list is broken", cache, i), false;
        listed += c->cpu[i].partial.n;
        current += c->cpu[i].current != SLAB_NONE;
    }
    for (int i = 0; i < SLAB_PLACES; i++)
        free += n.free[i];
    if (n.place[SLAB_CURRENT] != current ||
        n.place[SLAB_NODE_PARTIAL] + n.place[SLAB_CPU_PARTIAL] != listed || n.slabs != c->slabs)
        return snprintf(why, 128, "cache %u: slabs are lost", cache), false;
    if (n.live + n.in_sheaves + free != n.objects)
        return snprintf(why, 128, "cache %u: objects are lost", cache), false;
    return true;
}

bool slab_check(const struct slab_sys *s, char why[128])
{
    for (uint32_t i = 0; i < s->n_slabs; i++)
        if (s->slabs[i].place != SLAB_GONE && !slab_sound(&s->slabs[i]))
            return snprintf(why, 128, "slab %u: free objects do not fit where it is", i), false;
    for (uint32_t i = 0; i < s->n_caches; i++)
        if (!cache_sound(s, i, why))
            return false;
    return true;
}
