/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_follow.h"

#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "grow.h"
#include "slab.h"
#include "slab_map.h"

enum kind {
    MAYBE_NEW, /* appeared with an allocation, and its CPU has not left it */
    NEW,       /* all its objects are known */
    OLD        /* older than the recording: objects without events are in use */
};

struct seen {
    uint64_t base;
    uint32_t id, cache;         /* id: the model's; SLAB_NONE: given back */
    uint32_t touched, by_alloc; /* objects with an event; those whose first one was an allocation */
    enum kind kind;
    bool hidden;    /* its free objects were a CPU's, which slabinfo counts as in use */
    uint64_t *bits; /* with an event; in use of those */
};

struct follow_cache {
    uint32_t *current;              /* of each CPU: where its last object came from */
    bool *begun;                    /* of each CPU: it has allocated */
    uint64_t start_free, free_used; /* on the node's list at the start; those of them found since */
    uint64_t born, gone, unseen_frees, unseen_allocs;
    uint64_t old; /* slabs of the start that were seen */
    uint32_t words;
};

struct slab_follow {
    const struct slab_info *info;
    uint32_t cpus;
    struct slab_sys *sys;
    struct follow_cache *caches;
    struct seen *seen;
    uint32_t n_seen, room_seen;
    struct slab_map pages;  /* page number -> the slab seen there last */
    struct slab_map orphan; /* freed, of a slab that was not seen yet */
};

static bool no_pages(void *arg, uint32_t cache, uint32_t order, uint64_t *pages)
{
    (void)arg, (void)cache, (void)order, (void)pages;
    return false; /* where objects come from is told, never chosen */
}

static void given_back(void *arg, uint32_t cache, uint32_t order, uint64_t pages)
{
    struct slab_follow *f = arg;
    (void)order;
    f->seen[pages].id = SLAB_NONE;
    f->caches[cache].gone++;
    free(f->seen[pages].bits);
    f->seen[pages].bits = NULL;
}

static struct slab_layout layout_of(const struct slab_info_row *row)
{
    struct slab_layout l = slab_layout_sized(row->size, row->order, row->objects);
    if (strcmp(row->name, "vm_area_struct") == 0 || strcmp(row->name, "maple_node") == 0)
        l.flags |= SLAB_SHEAVES;
    return l;
}

static uint64_t free_left(const struct follow_cache *c)
{
    return c->start_free > c->free_used ? c->start_free - c->free_used : 0;
}

/* Half empty on average: how many slabs the free objects that are still to be found lie in. */
static uint64_t partial_left(const struct slab_follow *f, uint32_t cache)
{
    uint32_t objects = f->info->rows[cache].objects;
    return (2 * free_left(&f->caches[cache]) + objects - 1) / objects;
}

static void note_unseen(struct slab_follow *f, uint32_t cache)
{
    slab_set_unseen(f->sys, cache, (uint32_t)partial_left(f, cache));
}

static bool add_cache(struct slab_follow *f, uint32_t i)
{
    const struct slab_info_row *row = &f->info->rows[i];
    struct slab_layout layout = layout_of(row);
    struct follow_cache *c = &f->caches[i];
    uint32_t cache;
    if (slab_cache_add(f->sys, &layout, &cache, NULL) != FL_OK)
        return false;
    c->words = (row->objects + 63) / 64;
    c->start_free = row->state.all_objects - row->state.objects;
    c->current = malloc(f->cpus * sizeof *c->current);
    c->begun = calloc(f->cpus, sizeof *c->begun);
    for (uint32_t k = 0; c->current && k < f->cpus; k++)
        c->current[k] = SLAB_NONE;
    note_unseen(f, i);
    return c->current && c->begun;
}

struct slab_follow *slab_follow_new(const struct slab_info *info, uint32_t cpus)
{
    struct slab_follow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    struct slab_pages pages = { no_pages, given_back, f };
    f->info = info;
    f->cpus = cpus;
    f->sys = slab_sys_new(cpus, &pages);
    f->caches = calloc(info->n, sizeof *f->caches);
    bool ok = f->sys && f->caches;
    for (uint32_t i = 0; ok && i < info->n; i++)
        ok = add_cache(f, i);
    if (ok)
        return f;
    slab_follow_free(f);
    return NULL;
}

void slab_follow_free(struct slab_follow *f)
{
    if (!f)
        return;
    for (size_t i = 0; f->caches && i < f->info->n; i++) {
        free(f->caches[i].current);
        free(f->caches[i].begun);
    }
    for (uint32_t i = 0; i < f->n_seen; i++)
        free(f->seen[i].bits);
    slab_sys_free(f->sys);
    slab_map_free(&f->pages);
    slab_map_free(&f->orphan);
    free(f->caches);
    free(f->seen);
    free(f);
}

/* ---- objects ---------------------------------------------------------------------------- */

static bool bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

static void set_bit(uint64_t *bits, uint32_t i, bool on)
{
    bits[i / 64] = (bits[i / 64] & ~(UINT64_C(1) << (i % 64))) | (uint64_t)on << (i % 64);
}

static uint64_t *in_use(const struct slab_follow *f, const struct seen *x)
{
    return x->bits + f->caches[x->cache].words;
}

/* Which of the slab's objects lies at @ptr; false: none begins there. */
static bool object_at(const struct slab_follow *f, const struct seen *x, uint64_t ptr, uint32_t *i)
{
    const struct slab_info_row *row = &f->info->rows[x->cache];
    uint64_t offset = ptr - x->base;
    *i = (uint32_t)(offset / row->size);
    return offset % row->size == 0 && *i < row->objects;
}

static void touch(struct seen *x, uint32_t i, bool alloc)
{
    if (bit(x->bits, i))
        return;
    set_bit(x->bits, i, true);
    x->touched++;
    x->by_alloc += alloc;
}

/* ---- slabs ------------------------------------------------------------------------------- */

static uint32_t seen_at(const struct slab_follow *f, uint64_t ptr)
{
    return slab_map_get(&f->pages, ptr >> FL_PAGE_SHIFT);
}

/* A slab of @cache around @ptr, known from here on; its objects are taken to be in use. */
static int appear(struct slab_follow *f, uint32_t cache, uint64_t ptr, uint32_t *out,
                  struct fl_err *err)
{
    const struct slab_info_row *row = &f->info->rows[cache];
    uint64_t bytes = FL_PAGE_BYTES << row->order;
    if (f->n_seen == f->room_seen) {
        uint32_t room = grow_room(f->room_seen);
        if (!room || !grow(&f->seen, room))
            return fl_nomem(err, "slabs seen");
        f->room_seen = room;
    }
    struct seen x = { .base = ptr & ~(bytes - 1), .cache = cache, .kind = OLD };
    x.bits = calloc(2 * f->caches[cache].words, sizeof *x.bits);
    if (!x.bits || slab_adopt(f->sys, cache, f->n_seen, &x.id, NULL) != FL_OK) {
        free(x.bits);
        return fl_nomem(err, "slabs seen");
    }
    f->seen[f->n_seen] = x;
    *out = f->n_seen++;
    for (uint64_t at = x.base; at < x.base + bytes; at += FL_PAGE_BYTES) {
        uint32_t before = seen_at(f, at);
        /* The pages belong to another slab now, so the one known there was given back unseen. */
        if (before != SLAB_MAP_NONE && f->seen[before].id != SLAB_NONE)
            slab_drop(f->sys, f->seen[before].id);
        if (!slab_map_put(&f->pages, at >> FL_PAGE_SHIFT, *out))
            return fl_nomem(err, "slabs seen");
    }
    return FL_OK;
}

/*
 * Its CPU has gone on to another slab. If not all objects were handed out, the others are in use
 * since before the recording, but for those that were freed while nobody knew whose they were.
 */
static void settle(struct slab_follow *f, uint32_t at)
{
    struct seen *x = &f->seen[at];
    const struct slab_info_row *row = &f->info->rows[x->cache];
    struct follow_cache *c = &f->caches[x->cache];
    if (x->id == SLAB_NONE || x->kind != MAYBE_NEW)
        return;
    bool was_there = x->hidden && c->old < row->state.slabs;
    if (x->by_alloc == row->objects && !was_there) {
        x->kind = NEW;
        c->born++;
        return;
    }
    uint32_t pinned = 0;
    c->old++;
    for (uint32_t i = 0; i < row->objects; i++)
        pinned += !bit(x->bits, i) &&
                  slab_map_get(&f->orphan, x->base + (uint64_t)i * row->size) == SLAB_MAP_NONE;
    struct slab_view v = slab_view(f->sys, x->id);
    x->kind = OLD;
    slab_correct(f->sys, x->id, v.free > pinned ? v.free - pinned : 0);
    if (!x->hidden)
        c->free_used += x->by_alloc;
    note_unseen(f, x->cache);
}

/* It was taken for an old one, and all its objects have been handed out since: it was new. */
static void reconsider(struct slab_follow *f, struct seen *x)
{
    struct follow_cache *c = &f->caches[x->cache];
    if (x->kind != OLD || x->hidden || x->by_alloc != f->info->rows[x->cache].objects)
        return;
    x->kind = NEW;
    c->born++;
    c->old--;
    if (!x->hidden)
        c->free_used -= c->free_used < x->by_alloc ? c->free_used : x->by_alloc;
    note_unseen(f, x->cache);
}

/* @cpu's objects of @cache come from slab @at now. */
static void move_to(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint32_t at)
{
    struct follow_cache *c = &f->caches[cache];
    uint32_t before = c->current[cpu];
    if (before == at)
        return;
    c->current[cpu] = at;
    c->begun[cpu] = true;
    if (before != SLAB_NONE && f->seen[before].cache == cache)
        settle(f, before);
}

static int appear_by_alloc(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint64_t ptr,
                           uint32_t *at, struct fl_err *err)
{
    bool reused = seen_at(f, ptr) != SLAB_MAP_NONE;
    int rc = appear(f, cache, ptr, at, err);
    if (rc != FL_OK)
        return rc;
    struct seen *x = &f->seen[*at];
    x->kind = reused ? NEW : MAYBE_NEW; /* these pages have been given back before */
    x->hidden = !f->caches[cache].begun[cpu];
    f->caches[cache].born += reused;
    slab_enter(f->sys, cpu, x->id);
    return FL_OK;
}

/* ---- events -------------------------------------------------------------------------------- */

int slab_follow_alloc(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint64_t ptr,
                      struct fl_err *err)
{
    struct follow_cache *c = &f->caches[cache];
    uint32_t at = seen_at(f, ptr), i;
    int rc = FL_OK;
    if (at == SLAB_MAP_NONE || f->seen[at].id == SLAB_NONE || f->seen[at].cache != cache)
        rc = appear_by_alloc(f, cache, cpu, ptr, &at, err);
    if (rc != FL_OK || !object_at(f, &f->seen[at], ptr, &i))
        return rc;
    struct seen *x = &f->seen[at];
    if (bit(in_use(f, x), i)) {
        c->unseen_frees++;
        set_bit(in_use(f, x), i, false);
        rc = slab_free(f->sys, cpu, x->id, err);
    } else if (x->kind == OLD && !bit(x->bits, i)) {
        struct slab_view v = slab_view(f->sys, x->id);
        if (v.free < v.objects)
            slab_correct(f->sys, x->id, v.free + 1);
        c->free_used += !x->hidden;
        note_unseen(f, cache);
    }
    move_to(f, cache, cpu, at);
    if (rc == FL_OK && f->seen[at].id == SLAB_NONE) /* emptied by that free: it was not */
        rc = appear_by_alloc(f, cache, cpu, ptr, &at, err);
    if (rc != FL_OK)
        return rc;
    x = &f->seen[at];
    touch(x, i, true);
    set_bit(in_use(f, x), i, true);
    slab_alloc_from(f->sys, cpu, x->id);
    reconsider(f, x);
    return FL_OK;
}

int slab_follow_release(struct slab_follow *f, uint32_t *which, uint32_t cpu, uint64_t ptr,
                        bool *known, struct fl_err *err)
{
    uint32_t cache = *which;
    uint32_t at = seen_at(f, ptr), i;
    bool here = at != SLAB_MAP_NONE && f->seen[at].id != SLAB_NONE;
    int rc = FL_OK;
    *known = true;
    if (cache == SLAB_NONE && !here) {
        *known = false;
        return slab_map_put(&f->orphan, ptr, 0) ? FL_OK : fl_nomem(err, "slabs seen");
    }
    if (cache != SLAB_NONE && (!here || f->seen[at].cache != cache)) {
        rc = appear(f, cache, ptr, &at, err);
        f->caches[cache].old += rc == FL_OK;
    }
    if (rc == FL_OK && !object_at(f, &f->seen[at], ptr, &i))
        *known = false;
    if (rc != FL_OK || !*known)
        return rc;
    struct seen *x = &f->seen[at];
    *which = x->cache;
    if (bit(x->bits, i) && !bit(in_use(f, x), i)) {
        f->caches[x->cache].unseen_allocs++; /* and it was free before: as it is now */
        return FL_OK;
    }
    if (!bit(x->bits, i))
        settle(f, at); /* an object older than the recording: so is the slab */
    touch(x, i, false);
    set_bit(in_use(f, x), i, false);
    struct slab_view v = slab_view(f->sys, x->id);
    return v.free < v.objects ? slab_free(f->sys, cpu, x->id, err) : FL_OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Those that a CPU still allocates from: new, unless the node still had free objects to give. */
static void settle_last(struct slab_follow *f, uint32_t at)
{
    struct seen *x = &f->seen[at];
    struct follow_cache *c = &f->caches[x->cache];
    if (x->id == SLAB_NONE || x->kind != MAYBE_NEW)
        return;
    if (x->hidden || c->start_free >= c->free_used + x->by_alloc) {
        settle(f, at);
    } else {
        x->kind = NEW;
        c->born++;
    }
}

void slab_follow_end(struct slab_follow *f, uint32_t cache, struct fl_slab_row *row)
{
    struct follow_cache *c = &f->caches[cache];
    const struct fl_slab_state *start = &f->info->rows[cache].state;
    for (uint32_t i = 0; i < f->n_seen; i++)
        if (f->seen[i].cache == cache)
            settle_last(f, i);
    struct slab_counts n = slab_counts(f->sys, cache);
    uint64_t left = free_left(c);
    uint64_t slabs = start->slabs + c->born;
    row->slabs_new = c->born;
    row->slabs_given_back = c->gone;
    row->predicted.slabs = slabs > c->gone ? slabs - c->gone : 0;
    row->predicted.all_objects = row->predicted.slabs * f->info->rows[cache].objects;
    left += n.free[SLAB_NODE_PARTIAL];
    row->predicted.objects = row->predicted.all_objects > left ? row->predicted.all_objects - left
                                                               : 0;
    row->unseen_frees = c->unseen_frees;
    row->unseen_allocs = c->unseen_allocs;
    row->free_bytes =
        (left + n.free[SLAB_CURRENT] + n.free[SLAB_CPU_PARTIAL]) * f->info->rows[cache].size;
    for (int i = 0; i < FL_SLAB_OCCUPANCY; i++)
        row->occupancy[i] = n.occupancy[i];
}
