/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sheaves: arrays of free objects in front of a cache's slabs, two a CPU and a barn of others.
 * For the slabs, what lies in a sheaf is in use.
 */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "slab_priv.h"

#define LOOK_AHEAD 3

static struct slab_sheaf *sheaf_new(struct fl_err *err)
{
    struct slab_sheaf *f = calloc(1, sizeof *f);
    if (!f)
        fl_nomem(err, "slab sheaves");
    return f;
}

static struct slab_sheaf *take_empty(struct slab_cache *c)
{
    return c->n_empty ? c->empty[--c->n_empty] : NULL;
}

static int put_empty(struct slab_cache *c, struct slab_sheaf *f, struct fl_err *err)
{
    if (c->n_empty == c->empty_room) {
        uint32_t room = grow_room(c->empty_room);
        if (!room || !grow(&c->empty, room)) {
            free(f);
            return fl_nomem(err, "slab sheaves");
        }
        c->empty_room = room;
    }
    c->empty[c->n_empty++] = f;
    return FL_OK;
}

static int sheaf_fill(struct slab_sys *s, uint32_t cache, uint32_t cpu, struct slab_sheaf *f,
                      struct fl_err *err)
{
    while (f->n < SLAB_SHEAF_OBJECTS) {
        uint32_t id;
        int rc = slab_alloc_object(s, cache, cpu, &id, err);
        if (rc != FL_OK || id == SLAB_NONE)
            return rc;
        f->slab[f->n++] = id;
    }
    return FL_OK;
}

/*
 * From the end, and with an object those of the same slab among the next few: as build_detached_freelist() picks what
 * is freed at once.
 */
static void sheaf_empty(struct slab_sys *s, uint32_t cpu, struct slab_sheaf *f)
{
    while (f->n) {
        uint32_t id = f->slab[--f->n], others = 0;
        if (id != SLAB_NONE)
            slab_free_object(s, cpu, id);
        for (uint32_t i = f->n; i-- > 0 && others < LOOK_AHEAD;) {
            if (f->slab[i] != id) {
                others++;
                continue;
            }
            f->slab[i] = f->slab[--f->n];
            f->slab[f->n] = id;
            if (id != SLAB_NONE)
                slab_free_object(s, cpu, id);
        }
    }
}

static bool ready(struct slab_cpu *pc, struct fl_err *err)
{
    if (!pc->main)
        pc->main = sheaf_new(err);
    return pc->main;
}

static void swap_sheaves(struct slab_cpu *pc)
{
    struct slab_sheaf *f = pc->main;
    pc->main = pc->spare;
    pc->spare = f;
}

/* ---- allocation --------------------------------------------------------------------------- */

/* @pc's main sheaf is empty, its spare too: a full one from the barn, or one filled from the slabs. */
static int another_full(struct slab_sys *s, uint32_t cache, uint32_t cpu, struct fl_err *err)
{
    struct slab_cache *c = &s->caches[cache];
    struct slab_cpu *pc = &c->cpu[cpu];
    struct slab_sheaf *f;
    if (c->n_full) {
        f = pc->main;
        pc->main = c->full[--c->n_full];
        return put_empty(c, f, err);
    }
    f = pc->spare ? pc->spare : take_empty(c);
    pc->spare = NULL;
    if (!f && !(f = sheaf_new(err)))
        return FL_ENOMEM;
    int rc = sheaf_fill(s, cache, cpu, f, err);
    pc->spare = pc->main;
    pc->main = f;
    return rc;
}

/* @cpu's first sheaf is not empty then, but when there are no pages. */
static int prepare(struct slab_sys *s, uint32_t cache, uint32_t cpu, struct fl_err *err)
{
    struct slab_cpu *pc = &s->caches[cache].cpu[cpu];
    if (!ready(pc, err))
        return FL_ENOMEM;
    if (pc->main->n)
        return FL_OK;
    if (!pc->spare || !pc->spare->n)
        return another_full(s, cache, cpu, err);
    swap_sheaves(pc);
    return FL_OK;
}

int slab_sheaf_alloc(struct slab_sys *s, uint32_t cache, uint32_t cpu, uint32_t *id,
                     struct fl_err *err)
{
    struct slab_cpu *pc = &s->caches[cache].cpu[cpu];
    int rc = prepare(s, cache, cpu, err);
    *id = SLAB_NONE;
    if (rc == FL_OK && pc->main->n)
        *id = pc->main->slab[--pc->main->n];
    return rc;
}

/* ---- free --------------------------------------------------------------------------------- */

/* Both are full: the barn takes one for an empty one, or has no room and one is emptied. */
static int exchange_full(struct slab_sys *s, struct slab_cache *c, uint32_t cpu, struct fl_err *err)
{
    struct slab_cpu *pc = &c->cpu[cpu];
    if (c->n_full >= SHEAF_FULL_MAX) {
        sheaf_empty(s, cpu, pc->spare);
        swap_sheaves(pc);
        return FL_OK;
    }
    struct slab_sheaf *f = take_empty(c);
    if (!f && !(f = sheaf_new(err)))
        return FL_ENOMEM;
    c->full[c->n_full++] = pc->main;
    pc->main = f;
    return FL_OK;
}

int slab_sheaf_free(struct slab_sys *s, uint32_t cpu, uint32_t id, struct fl_err *err)
{
    struct slab_cache *c = &s->caches[s->slabs[id].cache];
    struct slab_cpu *pc = &c->cpu[cpu];
    int rc = FL_OK;
    if (!ready(pc, err))
        return FL_ENOMEM;
    if (pc->main->n == SLAB_SHEAF_OBJECTS) {
        if (!pc->spare && !(pc->spare = take_empty(c)) && !(pc->spare = sheaf_new(err)))
            return FL_ENOMEM;
        if (pc->spare->n < SLAB_SHEAF_OBJECTS)
            swap_sheaves(pc);
        else
            rc = exchange_full(s, c, cpu, err);
    }
    if (rc == FL_OK)
        pc->main->slab[pc->main->n++] = id;
    return rc;
}

/* ---- following a real kernel ------------------------------------------------------------------ */

/* What a fill took from a slab that nobody knows yet. */
static void fill_unnamed(struct slab_sheaf *f)
{
    while (f->n < SLAB_SHEAF_OBJECTS)
        f->slab[f->n++] = SLAB_NONE;
}

static uint32_t *find_in(struct slab_sheaf *f, uint32_t id)
{
    for (uint32_t i = f ? f->n : 0; i-- > 0;)
        if (f->slab[i] == id)
            return &f->slab[i];
    return NULL;
}

static bool take_from(struct slab_sheaf *f, uint32_t id)
{
    uint32_t *at = find_in(f, id);
    if (!at)
        return false;
    f->n--;
    memmove(at, at + 1, (size_t)(&f->slab[f->n] - at) * sizeof *at);
    return true;
}

/* An object of @id in some other sheaf than @cpu's first. */
static uint32_t *find_elsewhere(struct slab_sys *s, struct slab_cache *c, uint32_t cpu, uint32_t id)
{
    uint32_t *at = find_in(c->cpu[cpu].spare, id);
    for (uint32_t i = c->n_full; !at && i-- > 0;)
        at = find_in(c->full[i], id);
    for (uint32_t i = 0; !at && i < s->cpus; i++)
        if (i != cpu && !(at = find_in(c->cpu[i].main, id)))
            at = find_in(c->cpu[i].spare, id);
    return at;
}

static void take_free(struct slab_sys *s, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    *(x->cpu_free ? &x->cpu_free : &x->free) -= 1;
    if (!x->free && !x->cpu_free && x->place != SLAB_CURRENT)
        slab_unlist(s, id);
}

bool slab_sheaf_ready(struct slab_sys *s, uint32_t cache, uint32_t cpu)
{
    struct slab_cpu *pc = &s->caches[cache].cpu[cpu];
    bool empty = !pc->main || !pc->main->n;
    if (prepare(s, cache, cpu, NULL) != FL_OK)
        return false;
    if (empty)
        fill_unnamed(pc->main);
    return true;
}

bool slab_sheaf_alloc_from(struct slab_sys *s, uint32_t cpu, uint32_t id)
{
    struct slab_cache *c = &s->caches[s->slabs[id].cache];
    struct slab_cpu *pc = &c->cpu[cpu];
    if (!slab_sheaf_ready(s, s->slabs[id].cache, cpu))
        return false;
    if (take_from(pc->main, id))
        return true;
    uint32_t other = pc->main->slab[--pc->main->n], *at = find_elsewhere(s, c, cpu, id);
    if (at) { /* the two changed places */
        *at = other;
        return true;
    }
    if (!s->slabs[id].free && !s->slabs[id].cpu_free)
        return true; /* one of @other's was taken for it before: they change names */
    take_free(s, id);
    if (other != SLAB_NONE)
        slab_free_object(s, cpu, other);
    return true;
}

static uint32_t objects_in(const struct slab_sheaf *f, uint64_t *unnamed)
{
    for (uint32_t i = 0; f && i < f->n; i++)
        *unnamed += f->slab[i] == SLAB_NONE;
    return f ? f->n : 0;
}

uint32_t slab_sheaf_unnamed(const struct slab_sys *s, uint32_t cache, uint32_t cpu)
{
    uint64_t n = 0;
    (void)objects_in(s->caches[cache].cpu[cpu].main, &n);
    return (uint32_t)n;
}

/* The one that was taken from last is handed out, and so named, first; those before it went whole. */
void slab_sheaf_named(struct slab_sys *s, uint32_t cpu, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    struct slab_sheaf *f = s->caches[x->cache].cpu[cpu].main;
    uint32_t n = slab_sheaf_unnamed(s, x->cache, cpu) % x->objects;
    n = n ? n : x->objects;
    for (uint32_t i = f ? f->n : 0; i-- > 0 && n;)
        if (f->slab[i] == SLAB_NONE) {
            take_free(s, id);
            f->slab[i] = id;
            n--;
        }
}

/* ---- all of them ---------------------------------------------------------------------------- */

void slab_sheaf_flush(struct slab_sys *s, struct slab_cache *c, uint32_t cpu)
{
    struct slab_cpu *pc = &c->cpu[cpu];
    if (pc->spare)
        sheaf_empty(s, cpu, pc->spare);
    if (pc->main)
        sheaf_empty(s, cpu, pc->main);
}

uint64_t slab_sheaf_objects(const struct slab_sys *s, const struct slab_cache *c, uint64_t *unnamed)
{
    uint64_t n = 0;
    *unnamed = 0;
    for (uint32_t i = 0; i < s->cpus; i++)
        n += objects_in(c->cpu[i].main, unnamed) + objects_in(c->cpu[i].spare, unnamed);
    for (uint32_t i = 0; i < c->n_full; i++)
        n += objects_in(c->full[i], unnamed);
    return n;
}

void slab_sheaf_fini(struct slab_sys *s, struct slab_cache *c)
{
    for (uint32_t i = 0; i < s->cpus; i++) {
        free(c->cpu[i].main);
        free(c->cpu[i].spare);
    }
    for (uint32_t i = 0; i < c->n_full; i++)
        free(c->full[i]);
    for (uint32_t i = 0; i < c->n_empty; i++)
        free(c->empty[i]);
    free(c->empty);
}
