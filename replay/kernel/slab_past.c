/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_past.h"

#include <stdlib.h>

#include <faultline/units.h>

#include "grow.h"
#include "slab_map.h"

#define LATER (SLAB_MAP_NONE - 1) /* in the map: what is here is younger than the recording */

struct slab_past_pass {
    const struct slab_info *info;
    bool pages;
    struct slab_past out;
    uint32_t room, n_allocs;
    uint32_t cpus, *current; /* of each cache and CPU: where its last object came from */
    uint64_t now_ns;
    struct slab_map at;     /* page number -> slab, or LATER */
    struct slab_map orphan; /* freed in a slab of which nothing was known: in which microsecond */
};

static uint32_t microsecond(uint64_t ns)
{
    return ns / 1000 < SLAB_MAP_NONE ? (uint32_t)(ns / 1000) : SLAB_MAP_NONE - 1;
}

/* Has @cache not begun? */
static bool is_early(const struct slab_past_pass *p, uint32_t cache)
{
    return p->now_ns < p->info->rows[cache].since_ns;
}

struct slab_past_pass *slab_past_begin(const struct slab_info *info, uint32_t cpus, bool pages)
{
    struct slab_past_pass *p = calloc(1, sizeof *p);
    if (p)
        p->current = malloc(info->n * cpus * sizeof *p->current);
    if (!p || !p->current) {
        free(p);
        return NULL;
    }
    for (size_t i = 0; i < info->n * cpus; i++)
        p->current[i] = LATER;
    p->info = info;
    p->cpus = cpus;
    p->pages = pages;
    return p;
}

static uint64_t slab_bytes(const struct slab_info_row *row)
{
    return FL_PAGE_BYTES << row->order;
}

static int mark(struct slab_past_pass *p, uint64_t base, uint64_t bytes, uint32_t value,
                struct fl_err *err)
{
    for (uint64_t at = base; at < base + bytes; at += FL_PAGE_BYTES)
        if (!slab_map_put(&p->at, at >> FL_PAGE_SHIFT, value))
            return fl_nomem(err, "slabs of the start");
    return FL_OK;
}

static int add(struct slab_past_pass *p, uint32_t cache, uint64_t base, uint32_t *at,
               struct fl_err *err)
{
    const struct slab_info_row *row = &p->info->rows[cache];
    if (p->out.n == p->room) {
        uint32_t room = grow_room(p->room);
        if (!room || !grow(&p->out.slabs, room))
            return fl_nomem(err, "slabs of the start");
        p->room = room;
    }
    uint64_t *bits = calloc(3 * slab_words(row->objects), sizeof *bits);
    if (!bits)
        return fl_nomem(err, "slabs of the start");
    p->out.slabs[p->out.n] =
        (struct past_slab){ .base = base, .cache = cache, .order = UINT32_MAX, .bits = bits };
    *at = p->out.n++;
    return mark(p, base, slab_bytes(row), *at, err);
}

/* A slab that came since the recording began, and before the cache's start: all of it was free. */
static void all_free(struct slab_past_pass *p, struct past_slab *x)
{
    uint32_t objects = p->info->rows[x->cache].objects, words = slab_words(objects);
    for (uint32_t i = 0; i < objects; i++) {
        slab_set_bit(x->bits, i, true);
        slab_set_bit(x->bits + words, i, true);
    }
    x->free = objects;
}

static void end_of(struct slab_past_pass *p, struct past_slab *x)
{
    x->early |= !x->over && is_early(p, x->cache);
    x->over = true;
}

/* The slab of the start that the object at @ptr lies in; LATER: it lies in none. */
static int find(struct slab_past_pass *p, uint32_t cache, uint64_t ptr, uint32_t *at,
                struct fl_err *err)
{
    uint64_t bytes = slab_bytes(&p->info->rows[cache]), base = ptr & ~(bytes - 1);
    uint32_t before = slab_map_get(&p->at, base >> FL_PAGE_SHIFT);
    *at = before;
    if (before == SLAB_MAP_NONE)
        return add(p, cache, base, at, err);
    if (before != LATER) {
        struct past_slab *x = &p->out.slabs[before];
        if (!x->over && x->cache == cache)
            return FL_OK;
        end_of(p, x);
    }
    if (is_early(p, cache)) {
        int rc = add(p, cache, base, at, err);
        if (rc == FL_OK)
            all_free(p, &p->out.slabs[*at]);
        return rc;
    }
    *at = LATER;
    return before == LATER ? FL_OK : mark(p, base, bytes, LATER, err);
}

static void set_free(struct past_slab *x, uint32_t words, uint32_t i, bool free)
{
    x->free += (uint32_t)free - slab_bit(x->bits + words, i);
    slab_set_bit(x->bits, i, true);
    slab_set_bit(x->bits + words, i, free);
}

/* Freed before it was ever handed out: at the start, or since? */
static bool was_in_use(const struct slab_past_pass *p, const struct past_slab *x, uint64_t ptr)
{
    uint32_t freed = slab_map_get(&p->orphan, ptr);
    return freed != SLAB_MAP_NONE && freed >= microsecond(p->info->rows[x->cache].since_ns);
}

/* Events before the start say what an object has come to, the first one after it what it was. */
static void touch(struct slab_past_pass *p, uint32_t at, uint64_t ptr, bool alloc, uint32_t cpu)
{
    struct past_slab *x = &p->out.slabs[at];
    const struct slab_info_row *row = &p->info->rows[x->cache];
    uint32_t i = (uint32_t)((ptr - x->base) / row->size), words = slab_words(row->objects);
    uint64_t *touched = x->bits + 2 * words;
    if ((ptr - x->base) % row->size || i >= row->objects)
        return;
    if (is_early(p, x->cache)) {
        set_free(x, words, i, !alloc);
        return;
    }
    x->used = true;
    if (slab_bit(touched, i))
        return;
    slab_set_bit(touched, i, true);
    if (!alloc || was_in_use(p, x, ptr)) {
        set_free(x, words, i, false);
        return;
    }
    set_free(x, words, i, true);
    if (x->order == UINT32_MAX) {
        x->order = p->n_allocs;
        x->cpu = cpu;
    }
}

void slab_past_time(struct slab_past_pass *p, uint64_t time_ns)
{
    p->now_ns = time_ns;
}

/* Which slab @cpu takes objects of. */
static void note_current(struct slab_past_pass *p, uint32_t cache, uint32_t cpu, uint32_t at)
{
    uint32_t *current = &p->current[(size_t)cache * p->cpus + cpu];
    if (*current != LATER && *current != at)
        p->out.slabs[*current].used_up = true;
    *current = at;
}

int slab_past_alloc(struct slab_past_pass *p, uint32_t cache, uint32_t cpu, uint64_t ptr,
                    struct fl_err *err)
{
    uint32_t at;
    int rc = find(p, cache, ptr, &at, err);
    if (rc != FL_OK)
        return rc;
    if (!is_early(p, cache))
        note_current(p, cache, cpu, at);
    if (at != LATER)
        touch(p, at, ptr, true, cpu);
    p->n_allocs += p->n_allocs < UINT32_MAX - 1;
    return rc;
}

int slab_past_release(struct slab_past_pass *p, uint32_t cache, uint64_t ptr, struct fl_err *err)
{
    uint32_t at = slab_map_get(&p->at, ptr >> FL_PAGE_SHIFT);
    int rc = FL_OK;
    if (cache < p->info->n)
        rc = find(p, cache, ptr, &at, err);
    else if (at == SLAB_MAP_NONE)
        return slab_map_put(&p->orphan, ptr, microsecond(p->now_ns))
                   ? FL_OK
                   : fl_nomem(err, "slabs of the start");
    if (rc == FL_OK && at != LATER && !p->out.slabs[at].over)
        touch(p, at, ptr, false, 0);
    return rc;
}

uint32_t slab_past_cache(const struct slab_past_pass *p, uint64_t ptr)
{
    uint32_t at = slab_map_get(&p->at, ptr >> FL_PAGE_SHIFT);
    return at < p->out.n && !p->out.slabs[at].over ? p->out.slabs[at].cache : UINT32_MAX;
}

int slab_past_pages(struct slab_past_pass *p, uint64_t base, bool taken, struct fl_err *err)
{
    uint32_t at = slab_map_get(&p->at, base >> FL_PAGE_SHIFT);
    if (at == SLAB_MAP_NONE)
        return taken ? mark(p, base, FL_PAGE_BYTES, LATER, err) : FL_OK;
    if (at != LATER)
        end_of(p, &p->out.slabs[at]);
    return FL_OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

/*
 * Was it none of the start? Without pages, one all of whose objects were handed out was a new one; shrinking leaves no empty slab;
 * and where nothing happened but that its pages went, they had waited for RCU.
 */
static bool was_none(const struct slab_past_pass *p, uint32_t at)
{
    const struct past_slab *x = &p->out.slabs[at];
    const struct slab_info_row *row = &p->info->rows[x->cache];
    bool settled = slab_info_settled(row);
    if (x->free == row->objects && (settled || !p->pages))
        return true;
    return settled && (x->early || (row->rcu && x->over && !x->used));
}

struct slab_past slab_past_end(struct slab_past_pass *p)
{
    struct slab_past out = { .slabs = p->out.slabs };
    for (uint32_t i = 0; i < p->out.n; i++)
        if (was_none(p, i))
            free(p->out.slabs[i].bits);
        else
            out.slabs[out.n++] = p->out.slabs[i];
    free(p->current);
    slab_map_free(&p->at);
    slab_map_free(&p->orphan);
    free(p);
    return out;
}

void slab_past_free(struct slab_past *past)
{
    for (uint32_t i = 0; i < past->n; i++)
        free(past->slabs[i].bits);
    free(past->slabs);
    *past = (struct slab_past){ 0 };
}
