/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_follow.h"

#include <stdlib.h>

#include <faultline/units.h>

#include "grow.h"
#include "slab_follow_priv.h"

#define PAGES_ORDER_MAX 10 /* of the page allocator */

/*
 * Where objects come from is told, never chosen; but what a sheaf is filled with only when it is handed out. Where events of
 * pages tell, there is one for each slab that comes.
 */
static bool later(void *arg, uint32_t cache, uint32_t order, uint64_t *pages)
{
    const struct slab_follow *f = arg;
    struct recent *r = &f->recent[f->cpu];
    (void)order;
    *pages = SLAB_UNSEEN;
    if (!f->pages || !f->caches[cache].sheaves)
        return f->caches[cache].sheaves;
    for (uint32_t i = 0; i < RECENT; i++) {
        uint64_t *base = &r->v[(r->next + i) % RECENT].base;
        if (*base && r->v[(r->next + i) % RECENT].order == f->info->rows[cache].order) {
            *base = 0;
            return true;
        }
    }
    return false;
}

/* An object of a slab there is handed out: it is no longer one that may come. */
static void not_recent(struct slab_follow *f, uint32_t cpu, uint64_t base)
{
    for (uint32_t i = 0; i < RECENT; i++)
        if (f->recent[cpu].v[i].base == base)
            f->recent[cpu].v[i].base = 0;
}

static void over(struct slab_follow *f, struct seen *x)
{
    x->state = GONE;
    f->caches[x->cache].gone++;
    free(x->in_use);
    x->in_use = NULL;
}

static void given_back(void *arg, uint32_t cache, uint32_t order, uint64_t pages)
{
    struct slab_follow *f = arg;
    (void)order;
    if (pages == SLAB_UNNAMED || pages == SLAB_UNSEEN)
        return;
    struct seen *x = &f->seen[pages];
    if (!f->pages) {
        over(f, x);
        return;
    }
    x->state = EMPTIED;
    x->emptied_ns = f->now_ns;
    if (f->info->rows[cache].rcu)
        return;
    if (f->n_emptied == f->room_emptied) {
        uint32_t room = grow_room(f->room_emptied);
        if (!room || !grow(&f->emptied, room))
            return; /* taken for given back until an object of it is handed out */
        f->room_emptied = room;
    }
    f->emptied[f->n_emptied++] = (uint32_t)pages;
}

static struct slab_layout layout_of(const struct slab_info_row *row)
{
    struct slab_layout l = slab_layout_sized(row->size, row->order, row->objects);
    if (slab_info_sheaves(row))
        l.flags |= SLAB_SHEAVES;
    return l;
}

/* Half empty on average: how many slabs the free objects that nobody named lie in. */
void slab_follow_left(struct slab_follow *f, uint32_t cache, uint64_t left)
{
    uint32_t objects = f->info->rows[cache].objects;
    f->caches[cache].left = left;
    slab_set_unseen(f->sys, cache, (uint32_t)((2 * left + objects - 1) / objects));
}

/* ---- slabs ------------------------------------------------------------------------------- */

/* @id: of the model; SLAB_NONE: a new one, its objects in use. */
static int put_seen(struct slab_follow *f, uint32_t cache, uint64_t base, uint32_t id,
                    uint32_t *out, struct fl_err *err)
{
    if (f->n_seen == f->room_seen) {
        uint32_t room = grow_room(f->room_seen);
        if (!room || !grow(&f->seen, room))
            return fl_nomem(err, "slabs seen");
        f->room_seen = room;
    }
    struct seen x = { .base = base, .cache = cache, .id = id };
    x.in_use = calloc(f->caches[cache].words, sizeof *x.in_use);
    if (!x.in_use ||
        (id == SLAB_NONE && slab_adopt(f->sys, cache, f->n_seen, &x.id, NULL) != FL_OK)) {
        free(x.in_use);
        return fl_nomem(err, "slabs seen");
    }
    f->seen[f->n_seen] = x;
    *out = f->n_seen++;
    return FL_OK;
}

static uint32_t seen_at(const struct slab_follow *f, uint64_t ptr)
{
    return slab_map_get(&f->at, ptr >> FL_PAGE_SHIFT);
}

/* What was known at a page is there no longer. */
static void end_of(struct slab_follow *f, struct seen *x)
{
    if (x->state == HERE)
        slab_drop(f->sys, x->id);
    if (x->state == EMPTIED)
        over(f, x);
}

static int appear_as(struct slab_follow *f, uint32_t cache, uint64_t ptr, uint32_t id,
                     uint32_t *out, struct fl_err *err)
{
    uint64_t bytes = FL_PAGE_BYTES << f->info->rows[cache].order, base = ptr & ~(bytes - 1);
    int rc = put_seen(f, cache, base, id, out, err);
    for (uint64_t at = base; rc == FL_OK && at < base + bytes; at += FL_PAGE_BYTES) {
        uint32_t before = seen_at(f, at);
        if (before != SLAB_MAP_NONE)
            end_of(f, &f->seen[before]);
        if (!slab_map_put(&f->at, at >> FL_PAGE_SHIFT, *out))
            rc = fl_nomem(err, "slabs seen");
    }
    return rc;
}

int slab_follow_appear(struct slab_follow *f, uint32_t cache, uint64_t ptr, uint32_t *out,
                       struct fl_err *err)
{
    return appear_as(f, cache, ptr, SLAB_NONE, out, err);
}

int slab_follow_come_back(struct slab_follow *f, uint32_t at, struct fl_err *err)
{
    struct seen *x = &f->seen[at];
    int rc = slab_adopt(f->sys, x->cache, at, &x->id, err);
    if (rc == FL_OK) {
        x->state = HERE;
        slab_correct(f->sys, x->id, f->info->rows[x->cache].objects);
    }
    return rc;
}

void slab_follow_take_back(struct slab_follow *f)
{
    while (f->n_emptied) {
        uint32_t at = f->emptied[--f->n_emptied];
        if (f->seen[at].state == EMPTIED)
            (void)slab_follow_come_back(f, at,
                                        NULL); /* it stays given back where memory is short */
    }
}

struct slab_follow *slab_follow_new(const struct slab_info *info, const struct slab_past *past,
                                    uint32_t cpus, bool pages)
{
    struct slab_follow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    struct slab_pages from = { later, given_back, f, true };
    f->info = info;
    f->cpus = cpus;
    f->pages = pages;
    f->sys = slab_sys_new(cpus, &from);
    f->caches = calloc(info->n, sizeof *f->caches);
    f->recent = calloc(cpus, sizeof *f->recent);
    bool ok = f->sys && f->caches && f->recent;
    for (uint32_t i = 0; ok && i < info->n; i++) {
        struct slab_layout layout = layout_of(&info->rows[i]);
        uint32_t cache;
        f->caches[i].words = slab_words(info->rows[i].objects);
        f->caches[i].sheaves = layout.flags & SLAB_SHEAVES;
        ok = slab_cache_add(f->sys, &layout, &cache, NULL) == FL_OK;
    }
    if (ok && slab_start_plan(f, past))
        return f;
    slab_follow_free(f);
    return NULL;
}

void slab_follow_free(struct slab_follow *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; i < f->n_seen; i++)
        free(f->seen[i].in_use);
    slab_sys_free(f->sys);
    slab_map_free(&f->at);
    free(f->emptied);
    free(f->turns);
    free(f->recent);
    free(f->caches);
    free(f->seen);
    free(f);
}

/* ---- events -------------------------------------------------------------------------------- */

int slab_follow_time(struct slab_follow *f, uint64_t time_ns, struct fl_err *err)
{
    f->now_ns = time_ns;
    while (f->next_turn < f->info->n && f->turns[f->next_turn].since_ns <= time_ns)
        if (!slab_start_turn(f))
            return fl_nomem(err, "slabs of the start");
    return FL_OK;
}

bool slab_follow_begun(const struct slab_follow *f, uint32_t cache)
{
    return f->caches[cache].started;
}

/* Which of the slab's objects lies at @ptr; false: none begins there. */
static bool object_at(const struct slab_follow *f, const struct seen *x, uint64_t ptr, uint32_t *i)
{
    const struct slab_info_row *row = &f->info->rows[x->cache];
    uint64_t offset = ptr - x->base;
    *i = (uint32_t)(offset / row->size);
    return offset % row->size == 0 && *i < row->objects;
}

/* A new slab: the node had no free object left, now or when a sheaf was filled. */
static int be_born(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint64_t ptr, uint32_t *at,
                   struct fl_err *err)
{
    uint64_t bytes = FL_PAGE_BYTES << f->info->rows[cache].order;
    uint32_t id = slab_expect(f->sys, cache, cpu, SLAB_UNSEEN, f->n_seen);
    not_recent(f, cpu, ptr & ~(bytes - 1));
    int rc = appear_as(f, cache, ptr, id, at, err);
    if (rc != FL_OK)
        return rc;
    f->caches[cache].born++;
    slab_follow_left(f, cache, 0);
    if (id == SLAB_NONE)
        slab_enter(f->sys, cpu, f->seen[*at].id);
    return FL_OK;
}

int slab_follow_alloc(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint64_t ptr,
                      struct fl_err *err)
{
    slab_follow_take_back(f);
    f->cpu = cpu;
    uint32_t at = seen_at(f, ptr), i;
    int rc = FL_OK;
    bool same = at != SLAB_MAP_NONE && f->seen[at].cache == cache;
    if (same && f->seen[at].state == EMPTIED)
        rc = slab_follow_come_back(f, at, err);
    else if (!same || f->seen[at].state == GONE)
        rc = be_born(f, cache, cpu, ptr, &at, err);
    if (rc != FL_OK || !object_at(f, &f->seen[at], ptr, &i))
        return rc;
    if (slab_bit(f->seen[at].in_use, i)) {
        f->caches[cache].unseen_frees++;
        rc = slab_free(f->sys, cpu, f->seen[at].id, err);
        slab_follow_take_back(f); /* emptied by that: it was not */
        if (rc == FL_OK && f->seen[at].state == EMPTIED)
            rc = slab_follow_come_back(f, at, err);
        if (rc == FL_OK && f->seen[at].state == GONE)
            rc = be_born(f, cache, cpu, ptr, &at, err);
    }
    if (rc != FL_OK)
        return rc;
    slab_set_bit(f->seen[at].in_use, i, true);
    slab_alloc_from(f->sys, cpu, f->seen[at].id);
    return FL_OK;
}

int slab_follow_release(struct slab_follow *f, uint32_t *which, uint32_t cpu, uint64_t ptr,
                        bool *known, struct fl_err *err)
{
    slab_follow_take_back(f);
    uint32_t at = seen_at(f, ptr), i;
    if (at == SLAB_MAP_NONE || f->seen[at].state == GONE || !object_at(f, &f->seen[at], ptr, &i) ||
        (*which < f->info->n && f->seen[at].cache != *which)) {
        *known = *which < f->info->n;
        return FL_OK;
    }
    struct seen *x = &f->seen[at];
    *known = true;
    *which = x->cache;
    if (x->state == EMPTIED || !slab_bit(x->in_use, i)) {
        f->caches[x->cache].unseen_allocs++; /* and it was free before: as it is now */
        return FL_OK;
    }
    slab_set_bit(x->in_use, i, false);
    struct slab_view v = slab_view(f->sys, x->id);
    return v.free < v.objects ? slab_free(f->sys, cpu, x->id, err) : FL_OK;
}

uint32_t slab_follow_cache(const struct slab_follow *f, uint64_t ptr)
{
    uint32_t at = seen_at(f, ptr);
    return at == SLAB_MAP_NONE || f->seen[at].state == GONE ? SLAB_NONE : f->seen[at].cache;
}

/* The slab here of which the object at @ptr is one in use, or not; NULL. */
static struct seen *object_of(struct slab_follow *f, uint32_t cache, uint64_t ptr, bool used,
                              uint32_t *i)
{
    uint32_t at = seen_at(f, ptr);
    struct seen *x = at == SLAB_MAP_NONE ? NULL : &f->seen[at];
    if (!x || x->cache != cache || x->state != HERE || !object_at(f, x, ptr, i) ||
        slab_bit(x->in_use, *i) != used)
        return NULL;
    return x;
}

static struct seen *object_goes(struct slab_follow *f, uint32_t cache, uint64_t ptr, bool *known)
{
    uint32_t i = 0;
    slab_follow_take_back(f);
    struct seen *x = object_of(f, cache, ptr, true, &i);
    *known = x;
    if (x)
        slab_set_bit(x->in_use, i, false);
    return x;
}

void slab_follow_bulk(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint64_t ptr,
                      bool *known)
{
    struct seen *x = object_goes(f, cache, ptr, known);
    if (x && slab_view(f->sys, x->id).free < f->info->rows[cache].objects)
        slab_free_bulk(f->sys, cpu, x->id);
}

int slab_follow_rcu(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint64_t ptr, bool *known,
                    struct fl_err *err)
{
    struct seen *x = object_goes(f, cache, ptr, known);
    return x ? slab_free_rcu(f->sys, cpu, x->id, f->now_ns, err) : FL_OK;
}

void slab_follow_exchange(struct slab_follow *f, uint32_t cache, uint64_t freed, uint64_t used)
{
    uint32_t i = 0, k = 0;
    struct seen *x = object_of(f, cache, freed, false, &i),
                *y = object_of(f, cache, used, true, &k);
    if (!x || !y)
        return;
    slab_set_bit(x->in_use, i, true);
    slab_set_bit(y->in_use, k, false);
}

int slab_follow_from(struct slab_follow *f, uint32_t cache, uint32_t cpu, enum slab_from from,
                     struct fl_err *err)
{
    slab_follow_take_back(f);
    f->cpu = cpu;
    int rc = slab_rcu_run(f->sys, cache, f->now_ns, err);
    if (rc == FL_OK && from == SLAB_FROM_LENT)
        return slab_lend(f->sys, cache, cpu, err);
    if (rc == FL_OK)
        rc = slab_return(f->sys, cache, cpu, err);
    if (rc == FL_OK)
        slab_nowait(f->sys, cache, cpu, from == SLAB_FROM_NOWAIT);
    return rc;
}

void slab_follow_pages(struct slab_follow *f, uint64_t base)
{
    uint32_t at = seen_at(f, base);
    if (at == SLAB_MAP_NONE || f->seen[at].state == GONE || f->seen[at].base != base)
        return;
    end_of(f, &f->seen[at]);
}

void slab_follow_taken(struct slab_follow *f, uint32_t cpu, uint64_t base, uint32_t order,
                       bool slab)
{
    struct recent *r = &f->recent[cpu];
    uint64_t end = base + (FL_PAGE_BYTES << (order < PAGES_ORDER_MAX ? order : PAGES_ORDER_MAX));
    for (uint64_t at = base; at < end; at += FL_PAGE_BYTES) {
        uint32_t seen = seen_at(f, at);
        if (seen != SLAB_MAP_NONE && f->seen[seen].state == EMPTIED)
            over(f, &f->seen[seen]);
    }
    if (slab) {
        r->v[r->next % RECENT].base = base;
        r->v[r->next++ % RECENT].order = order;
    }
}
