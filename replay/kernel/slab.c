/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab.h"

#include <stdlib.h>

#include "grow.h"
#include "slab_priv.h"

struct slab_sys *slab_sys_new(uint32_t cpus, const struct slab_pages *pages)
{
    struct slab_sys *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->cpus = cpus;
    s->pages = *pages;
    s->gone = SLAB_NONE;
    return s;
}

void slab_sys_free(struct slab_sys *s)
{
    for (uint32_t i = 0; s && i < s->n_caches; i++) {
        slab_sheaf_fini(s, &s->caches[i]);
        free(s->caches[i].cpu);
    }
    if (s) {
        free(s->caches);
        free(s->slabs);
    }
    free(s);
}

int slab_cache_add(struct slab_sys *s, const struct slab_layout *layout, uint32_t *cache,
                   struct fl_err *err)
{
    const struct slab_list none = { SLAB_NONE, SLAB_NONE, 0 };
    if (s->n_caches == s->caches_room) {
        uint32_t room = grow_room(s->caches_room);
        if (!room || !grow(&s->caches, room))
            return fl_nomem(err, "slab caches");
        s->caches_room = room;
    }
    struct slab_cpu *cpu = calloc(s->cpus, sizeof *cpu);
    if (!cpu)
        return fl_nomem(err, "slab caches");
    for (uint32_t i = 0; i < s->cpus; i++)
        cpu[i] = (struct slab_cpu){ .current = SLAB_NONE, .partial = none };
    s->caches[s->n_caches] = (struct slab_cache){ .layout = *layout, .cpu = cpu, .node = none };
    *cache = s->n_caches++;
    return FL_OK;
}

/* ---- allocation ----------------------------------------------------------------------- */

static void make_current(struct slab_sys *s, uint32_t cpu, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    s->caches[x->cache].cpu[cpu].current = id;
    x->place = SLAB_CURRENT;
    x->cpu = cpu;
    x->cpu_free = x->free;
    x->free = 0;
}

static int new_slab(struct slab_sys *s, uint32_t cache, uint32_t *id, struct fl_err *err)
{
    const struct slab_layout l = s->caches[cache].layout;
    uint64_t pages = 0;
    uint32_t order = l.order;
    *id = SLAB_NONE;
    if (!s->pages.alloc(s->pages.arg, cache, order, &pages)) {
        order = l.min_order;
        if (order >= l.order || !s->pages.alloc(s->pages.arg, cache, order, &pages))
            return FL_OK;
    }
    int rc = slab_id_new(s, cache, id, err);
    if (rc != FL_OK) {
        s->pages.free(s->pages.arg, cache, order, pages);
        return rc;
    }
    struct slab *x = &s->slabs[*id];
    x->order = order;
    x->objects = x->free = slab_objects(order, l.size);
    x->pages = pages;
    return FL_OK;
}

/* A slab with free objects, current on @cpu; SLAB_NONE: no pages. */
static int next_slab(struct slab_sys *s, uint32_t cache, uint32_t cpu, uint32_t *id,
                     struct fl_err *err)
{
    struct slab_cache *c = &s->caches[cache];
    struct slab_cpu *pc = &c->cpu[cpu];
    int rc = FL_OK;
    if ((*id = pc->partial.head) != SLAB_NONE) {
        slab_list_remove(s, &pc->partial, *id);
    } else if ((*id = c->node.head) != SLAB_NONE) {
        slab_list_remove(s, &c->node, *id);
        slab_refill_cpu_partial(s, c, cpu);
    } else {
        rc = new_slab(s, cache, id, err);
    }
    if (rc == FL_OK && *id != SLAB_NONE)
        make_current(s, cpu, *id);
    return rc;
}

/* The current slab of @cpu, if an object can be had from it; else there is none from here on. */
static uint32_t usable_current(struct slab_sys *s, struct slab_cpu *pc)
{
    uint32_t id = pc->current;
    if (id == SLAB_NONE)
        return SLAB_NONE;
    struct slab *x = &s->slabs[id];
    if (!x->cpu_free) {
        x->cpu_free = x->free;
        x->free = 0;
    }
    if (x->cpu_free)
        return id;
    x->place = SLAB_FULL;
    pc->current = SLAB_NONE;
    return SLAB_NONE;
}

int slab_alloc_object(struct slab_sys *s, uint32_t cache, uint32_t cpu, uint32_t *id,
                      struct fl_err *err)
{
    int rc = FL_OK;
    *id = usable_current(s, &s->caches[cache].cpu[cpu]);
    if (*id == SLAB_NONE)
        rc = next_slab(s, cache, cpu, id, err);
    if (rc == FL_OK && *id != SLAB_NONE)
        s->slabs[*id].cpu_free--;
    return rc;
}

int slab_alloc(struct slab_sys *s, uint32_t cache, uint32_t cpu, uint32_t *id, struct fl_err *err)
{
    struct slab_cache *c = &s->caches[cache];
    int rc = c->layout.flags & SLAB_SHEAVES ? slab_sheaf_alloc(s, cache, cpu, id, err)
                                            : slab_alloc_object(s, cache, cpu, id, err);
    if (rc == FL_OK && *id != SLAB_NONE)
        c->live++;
    return rc;
}

/* ---- free --------------------------------------------------------------------------------- */

void slab_free_object(struct slab_sys *s, uint32_t cpu, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    struct slab_cache *c = &s->caches[x->cache];
    if (x->place == SLAB_CURRENT) {
        *(x->cpu == cpu ? &x->cpu_free : &x->free) += 1;
        x->freer = cpu;
        return;
    }
    x->free++;
    if (x->place == SLAB_FULL) {
        if (c->layout.cpu_partial_slabs)
            slab_put_cpu_partial(s, cpu, id, true);
        else if (x->free == x->objects && c->node.n + c->unseen_partial >= c->layout.min_partial)
            slab_discard(s, id);
        else
            slab_to_node(s, id, false);
    } else if (x->place == SLAB_NODE_PARTIAL && x->free == x->objects &&
               c->node.n + c->unseen_partial >= c->layout.min_partial) {
        slab_list_remove(s, &c->node, id);
        slab_discard(s, id);
    }
}

int slab_free(struct slab_sys *s, uint32_t cpu, uint32_t id, struct fl_err *err)
{
    struct slab_cache *c = &s->caches[s->slabs[id].cache];
    c->live--;
    if (c->layout.flags & SLAB_SHEAVES)
        return slab_sheaf_free(s, cpu, id, err);
    slab_free_object(s, cpu, id);
    return FL_OK;
}

void slab_flush(struct slab_sys *s, uint32_t cache, uint32_t cpu)
{
    struct slab_cache *c = &s->caches[cache];
    slab_sheaf_flush(s, c, cpu);
    if (c->cpu[cpu].current != SLAB_NONE)
        slab_deactivate(s, c->cpu[cpu].current);
    slab_drain_cpu_partial(s, c, cpu);
}

void slab_shrink(struct slab_sys *s, uint32_t cache)
{
    struct slab_cache *c = &s->caches[cache];
    slab_sheaf_give_up(s, c);
    for (uint32_t cpu = 0; cpu < s->cpus; cpu++)
        slab_flush(s, cache, cpu);
    for (uint32_t id = c->node.head, next; id != SLAB_NONE; id = next) {
        next = s->slabs[id].next;
        if (s->slabs[id].free == s->slabs[id].objects) {
            slab_list_remove(s, &c->node, id);
            slab_discard(s, id);
        }
    }
}

/* ---- following what a real kernel did ------------------------------------------------------ */

int slab_adopt(struct slab_sys *s, uint32_t cache, uint64_t pages, uint32_t *id, struct fl_err *err)
{
    int rc = slab_id_new(s, cache, id, err);
    if (rc == FL_OK) {
        s->slabs[*id].pages = pages;
        s->caches[cache].live += s->slabs[*id].objects;
    }
    return rc;
}

/*
 * @cpu went on to another slab than @id. If all that is free there was given back by others, that came after: there was nothing
 * when @cpu looked, and who gave it back has put the slab on its list.
 */
static void leave(struct slab_sys *s, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    if (x->cpu_free || !x->free || !s->caches[x->cache].layout.cpu_partial_slabs) {
        slab_deactivate(s, id);
        return;
    }
    s->caches[x->cache].cpu[x->cpu].current = SLAB_NONE;
    x->place = SLAB_FULL;
    slab_put_cpu_partial(s, x->freer, id, true);
}

static void replace_current(struct slab_sys *s, uint32_t cpu, uint32_t id)
{
    struct slab_cache *c = &s->caches[s->slabs[id].cache];
    uint32_t before = c->cpu[cpu].current;
    bool from_node = s->slabs[id].place == SLAB_NODE_PARTIAL;
    if (before == id)
        return;
    if (before != SLAB_NONE)
        leave(s, before);
    if (s->slabs[id].place == SLAB_GONE)
        return;
    slab_unlist(s, id);
    if (from_node && c->cpu[cpu].partial.n == 0)
        slab_refill_cpu_partial(s, c, cpu);
    make_current(s, cpu, id);
}

/* Does @cpu take objects out of sheaves, now? */
static bool has_sheaves(const struct slab_cache *c, uint32_t cpu)
{
    return c->layout.flags & SLAB_SHEAVES && !c->cpu[cpu].past_sheaves;
}

bool slab_alloc_from(struct slab_sys *s, uint32_t cpu, uint32_t id)
{
    struct slab_cache *c = &s->caches[s->slabs[id].cache];
    struct slab *x = &s->slabs[id];
    if (has_sheaves(c, cpu)) {
        bool had = slab_sheaf_alloc_from(s, cpu, id);
        c->live += had;
        return had;
    }
    if (!x->free && !x->cpu_free)
        return false;
    if (x->place != SLAB_CURRENT) /* else its task moved from there before it told */
        replace_current(s, cpu, id);
    if (!x->cpu_free) {
        x->cpu_free = x->free;
        x->free = 0;
    }
    x->cpu_free--;
    c->live++;
    return true;
}

uint32_t slab_expect(struct slab_sys *s, uint32_t cache, uint32_t cpu, uint64_t pages,
                     uint64_t becomes)
{
    if (!has_sheaves(&s->caches[cache], cpu) || !slab_sheaf_ready(s, cache, cpu))
        return SLAB_NONE;
    uint32_t id = slab_sheaf_find(s, cache, cpu, pages);
    if (id != SLAB_NONE)
        s->slabs[id].pages = becomes;
    return id;
}

void slab_enter(struct slab_sys *s, uint32_t cpu, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    s->caches[x->cache].live -= x->objects - x->free;
    x->free = x->objects;
    replace_current(s, cpu, id);
}

void slab_correct(struct slab_sys *s, uint32_t id, uint32_t free)
{
    struct slab *x = &s->slabs[id];
    struct slab_cache *c = &s->caches[x->cache];
    uint32_t had = x->free + x->cpu_free;
    c->live += had;
    c->live -= free;
    if (x->place == SLAB_CURRENT) {
        x->cpu_free = free;
        x->free = 0;
    } else {
        x->free = free;
        if (!free)
            slab_unlist(s, id);
        else if (x->place == SLAB_FULL)
            slab_to_node(s, id, false);
    }
}

void slab_wait(struct slab_sys *s, uint32_t cpu, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    slab_unlist(s, id);
    x->place = SLAB_CPU_PARTIAL;
    x->cpu = cpu;
    slab_list_add(s, &s->caches[x->cache].cpu[cpu].partial, id, false);
}

void slab_drop(struct slab_sys *s, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    slab_unlist(s, id);
    struct slab_cache *c = &s->caches[x->cache];
    uint32_t used = x->objects - x->free;
    c->live -= used;
    slab_discard(s, id);
    if (s->pages.follows && c->layout.flags & SLAB_SHEAVES)
        slab_sheaf_mistaken(s, c, used);
}

void slab_set_unseen(struct slab_sys *s, uint32_t cache, uint32_t partial)
{
    s->caches[cache].unseen_partial = partial;
}
