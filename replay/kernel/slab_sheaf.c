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
#define GRACE_NS \
    UINT64_C(15000000) /* a period of RCU and what waits for its end: most take 10 to 20 ms */

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
        if (rc != FL_OK || (id == SLAB_NONE && !s->pages.follows))
            return rc;
        s->caches[cache].owed += id == SLAB_NONE;
        f->slab[f->n++] = id;
    }
    return FL_OK;
}

static bool has_used(const struct slab *x)
{
    return x->free + x->cpu_free < x->objects;
}

/*
 * An object of @id. Where what is followed has no name for it, or has more of @id's than there are, another slab of the node's
 * list stands in for the one it is of.
 */
static void give_back(struct slab_sys *s, struct slab_cache *c, uint32_t cpu, uint32_t id)
{
    if (id == SLAB_NONE && c->owed) {
        c->owed--;
        return;
    }
    if (id == SLAB_NONE || !has_used(&s->slabs[id]))
        id = c->node.head;
    if (id != SLAB_NONE && has_used(&s->slabs[id]))
        slab_free_object(s, cpu, id);
}

/*
 * From the end, and with an object those of the same slab among the next few: as build_detached_freelist() picks what
 * is freed at once.
 */
void slab_sheaf_empty(struct slab_sys *s, struct slab_cache *c, uint32_t cpu, struct slab_sheaf *f)
{
    while (f->n) {
        uint32_t id = f->slab[--f->n], others = 0;
        give_back(s, c, cpu, id);
        for (uint32_t i = f->n; i-- > 0 && others < LOOK_AHEAD;) {
            if (f->slab[i] != id) {
                others++;
                continue;
            }
            f->slab[i] = f->slab[--f->n];
            f->slab[f->n] = id;
            give_back(s, c, cpu, id);
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

/* The one that objects come from. */
static struct slab_sheaf *first_of(const struct slab_cpu *pc)
{
    return pc->lent ? pc->lent : pc->main;
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
    int rc = pc->lent ? FL_OK : prepare(s, cache, cpu, err);
    struct slab_sheaf *f = first_of(pc);
    *id = rc == FL_OK && f->n ? f->slab[--f->n] : SLAB_NONE;
    return rc;
}

/* ---- free --------------------------------------------------------------------------------- */

/* Both are full: the barn takes one for an empty one, or has no room and one is emptied. */
static int exchange_full(struct slab_sys *s, struct slab_cache *c, uint32_t cpu, struct fl_err *err)
{
    struct slab_cpu *pc = &c->cpu[cpu];
    if (c->n_full >= SHEAF_FULL_MAX) {
        slab_sheaf_empty(s, c, cpu, pc->spare);
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

/* ---- lent sheaves, bulk, and RCU ----------------------------------------------------------- */

int slab_lend(struct slab_sys *s, uint32_t cache, uint32_t cpu, struct fl_err *err)
{
    struct slab_cache *c = &s->caches[cache];
    struct slab_cpu *pc = &c->cpu[cpu];
    if (pc->lent && pc->lent->n)
        return FL_OK;
    if (!pc->lent) {
        pc->lent = pc->spare ? pc->spare : c->n_full ? c->full[--c->n_full] : take_empty(c);
        pc->spare = NULL;
    }
    if (!pc->lent && !(pc->lent = sheaf_new(err)))
        return FL_ENOMEM;
    return sheaf_fill(s, cache, cpu, pc->lent, err);
}

int slab_return(struct slab_sys *s, uint32_t cache, uint32_t cpu, struct fl_err *err)
{
    struct slab_cache *c = &s->caches[cache];
    struct slab_cpu *pc = &c->cpu[cpu];
    struct slab_sheaf *f = pc->lent;
    int rc = FL_OK;
    if (!f)
        return FL_OK;
    if (pc->spare && c->n_full >= SHEAF_FULL_MAX)
        slab_sheaf_empty(s, c, cpu, f);
    pc->lent = NULL;
    if (!pc->spare) {
        pc->spare = f;
    } else if (c->n_full >= SHEAF_FULL_MAX) {
        free(f);
    } else {
        rc = sheaf_fill(s, cache, cpu, f, err);
        c->full[c->n_full++] = f;
    }
    return rc;
}

static bool must_fill(const struct slab_cache *c, const struct slab_cpu *pc)
{
    return (!pc->main || !pc->main->n) && (!pc->spare || !pc->spare->n) && !c->n_full;
}

void slab_nowait(struct slab_sys *s, uint32_t cache, uint32_t cpu, bool on)
{
    struct slab_cache *c = &s->caches[cache];
    c->cpu[cpu].past_sheaves = on && must_fill(c, &c->cpu[cpu]);
}

/* Is there room for one more object in @pc's first sheaf, without making another? */
static bool has_room(struct slab_cache *c, struct slab_cpu *pc)
{
    if (!ready(pc, NULL) || pc->main->n < SLAB_SHEAF_OBJECTS)
        return pc->main;
    if (!pc->spare && !(pc->spare = take_empty(c)))
        return false;
    if (pc->spare->n < SLAB_SHEAF_OBJECTS) {
        swap_sheaves(pc);
        return true;
    }
    if (c->n_full >= SHEAF_FULL_MAX || !c->n_empty)
        return false;
    c->full[c->n_full++] = pc->main;
    pc->main = take_empty(c);
    return true;
}

void slab_free_bulk(struct slab_sys *s, uint32_t cpu, uint32_t id)
{
    struct slab_cache *c = &s->caches[s->slabs[id].cache];
    c->live--;
    if (c->layout.flags & SLAB_SHEAVES && has_room(c, &c->cpu[cpu]))
        c->cpu[cpu].main->slab[c->cpu[cpu].main->n++] = id;
    else
        slab_free_object(s, cpu, id);
}

static int take_off(struct slab_cache *c, uint32_t cpu, uint64_t now_ns, struct fl_err *err)
{
    if (c->n_flying == c->flying_room) {
        uint32_t room = grow_room(c->flying_room);
        if (!room || !grow(&c->flying, room))
            return fl_nomem(err, "slab sheaves");
        c->flying_room = room;
    }
    c->flying[c->n_flying++] = (struct slab_flying){ c->cpu[cpu].rcu, now_ns, cpu };
    c->cpu[cpu].rcu = NULL;
    return FL_OK;
}

int slab_free_rcu(struct slab_sys *s, uint32_t cpu, uint32_t id, uint64_t now_ns,
                  struct fl_err *err)
{
    struct slab_cache *c = &s->caches[s->slabs[id].cache];
    struct slab_cpu *pc = &c->cpu[cpu];
    if (!pc->rcu && pc->spare && !pc->spare->n) {
        pc->rcu = pc->spare;
        pc->spare = NULL;
    }
    if (!pc->rcu && !(pc->rcu = take_empty(c)) && !(pc->rcu = sheaf_new(err)))
        return FL_ENOMEM;
    pc->rcu->slab[pc->rcu->n++] = id;
    c->live--;
    return pc->rcu->n == SLAB_SHEAF_OBJECTS ? take_off(c, cpu, now_ns, err) : FL_OK;
}

int slab_rcu_run(struct slab_sys *s, uint32_t cache, uint64_t now_ns, struct fl_err *err)
{
    struct slab_cache *c = &s->caches[cache];
    uint32_t n = 0;
    int rc = FL_OK;
    for (; n < c->n_flying && c->flying[n].since_ns + GRACE_NS <= now_ns && rc == FL_OK; n++) {
        struct slab_sheaf *f = c->flying[n].sheaf;
        if (c->n_full < SHEAF_FULL_MAX)
            c->full[c->n_full++] = f;
        else
            slab_sheaf_empty(s, c, c->flying[n].cpu, f);
        c->flying[n].sheaf = NULL;
        if (!f->n && c->n_empty < SHEAF_EMPTY_MAX)
            rc = put_empty(c, f, err);
        else if (!f->n)
            free(f);
    }
    c->n_flying -= n;
    if (n)
        memmove(c->flying, c->flying + n, c->n_flying * sizeof *c->flying);
    return rc;
}

/* ---- following a real kernel ------------------------------------------------------------------ */

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
    if (!at && c->cpu[cpu].lent)
        at = find_in(c->cpu[cpu].main, id);
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
    if (pc->lent)
        return pc->lent->n || slab_lend(s, cache, cpu, NULL) == FL_OK;
    return prepare(s, cache, cpu, NULL) == FL_OK;
}

bool slab_sheaf_alloc_from(struct slab_sys *s, uint32_t cpu, uint32_t id)
{
    struct slab_cache *c = &s->caches[s->slabs[id].cache];
    struct slab_cpu *pc = &c->cpu[cpu];
    if (!slab_sheaf_ready(s, s->slabs[id].cache, cpu))
        return false;
    struct slab_sheaf *first = first_of(pc);
    if (take_from(first, id))
        return true;
    uint32_t other = first->slab[--first->n], *at = find_elsewhere(s, c, cpu, id);
    if (at) { /* the two changed places */
        *at = other;
        return true;
    }
    if (!s->slabs[id].free && !s->slabs[id].cpu_free)
        return true; /* one of @other's was taken for it before: they change names */
    take_free(s, id);
    give_back(s, c, cpu, other);
    return true;
}

/* The last one in @f that is on @pages; SLAB_NONE. */
static uint32_t last_on(const struct slab_sys *s, const struct slab_sheaf *f, uint64_t pages)
{
    for (uint32_t i = f ? f->n : 0; i-- > 0;)
        if (f->slab[i] != SLAB_NONE && s->slabs[f->slab[i]].pages == pages)
            return f->slab[i];
    return SLAB_NONE;
}

uint32_t slab_sheaf_find(const struct slab_sys *s, uint32_t cache, uint32_t cpu, uint64_t pages)
{
    const struct slab_cache *c = &s->caches[cache];
    uint32_t id = last_on(s, first_of(&c->cpu[cpu]), pages);
    for (uint32_t i = c->n_full; id == SLAB_NONE && i-- > 0;)
        id = last_on(s, c->full[i], pages);
    for (uint32_t i = 0; id == SLAB_NONE && i < s->cpus; i++) {
        id = last_on(s, c->cpu[i].main, pages);
        id = id == SLAB_NONE ? last_on(s, c->cpu[i].spare, pages) : id;
    }
    return id;
}

void slab_sheaf_mistaken(struct slab_sys *s, struct slab_cache *c, uint32_t n)
{
    for (; n && c->node.head != SLAB_NONE; n--)
        take_free(s, c->node.head);
    c->owed += n;
}
