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
    struct slab_map at;      /* page number -> slab, or LATER */
    struct slab_map orphan;  /* freed in a slab of which nothing was known */
};

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
    uint64_t *bits = calloc(2 * slab_words(row->objects), sizeof *bits);
    if (!bits)
        return fl_nomem(err, "slabs of the start");
    p->out.slabs[p->out.n] =
        (struct past_slab){ .base = base, .cache = cache, .order = UINT32_MAX, .bits = bits };
    *at = p->out.n++;
    return mark(p, base, slab_bytes(row), *at, err);
}

/* The slab of the start that the object at @ptr lies in; LATER: it lies in none. */
static int find(struct slab_past_pass *p, uint32_t cache, uint64_t ptr, uint32_t *at,
                struct fl_err *err)
{
    uint64_t bytes = slab_bytes(&p->info->rows[cache]), base = ptr & ~(bytes - 1);
    *at = slab_map_get(&p->at, base >> FL_PAGE_SHIFT);
    if (*at == SLAB_MAP_NONE)
        return add(p, cache, base, at, err);
    if (*at == LATER || (!p->out.slabs[*at].over && p->out.slabs[*at].cache == cache))
        return FL_OK;
    p->out.slabs[*at].over = true;
    *at = LATER;
    return mark(p, base, bytes, LATER, err);
}

/* The first event of an object says what it was. */
static void touch(struct slab_past_pass *p, uint32_t at, uint64_t ptr, bool alloc, uint32_t cpu)
{
    struct past_slab *x = &p->out.slabs[at];
    const struct slab_info_row *row = &p->info->rows[x->cache];
    uint32_t i = (uint32_t)((ptr - x->base) / row->size), words = slab_words(row->objects);
    if ((ptr - x->base) % row->size || i >= row->objects || slab_bit(x->bits, i))
        return;
    slab_set_bit(x->bits, i, true);
    if (!alloc || slab_map_get(&p->orphan, ptr) != SLAB_MAP_NONE)
        return;
    slab_set_bit(x->bits + words, i, true);
    x->free++;
    if (x->order == UINT32_MAX) {
        x->order = p->n_allocs;
        x->cpu = cpu;
    }
}

int slab_past_alloc(struct slab_past_pass *p, uint32_t cache, uint32_t cpu, uint64_t ptr,
                    struct fl_err *err)
{
    uint32_t at;
    int rc = find(p, cache, ptr, &at, err);
    if (rc != FL_OK)
        return rc;
    uint32_t *current = &p->current[(size_t)cache * p->cpus + cpu];
    if (*current != LATER && *current != at)
        p->out.slabs[*current].used_up = true;
    *current = at;
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
        return slab_map_put(&p->orphan, ptr, 0) ? FL_OK : fl_nomem(err, "slabs of the start");
    if (rc == FL_OK && at != LATER && !p->out.slabs[at].over)
        touch(p, at, ptr, false, 0);
    return rc;
}

int slab_past_pages(struct slab_past_pass *p, uint64_t base, bool taken, struct fl_err *err)
{
    uint32_t at = slab_map_get(&p->at, base >> FL_PAGE_SHIFT);
    if (at == SLAB_MAP_NONE)
        return taken ? mark(p, base, FL_PAGE_BYTES, LATER, err) : FL_OK;
    if (at != LATER)
        p->out.slabs[at].over = true;
    return FL_OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Without pages: all of its objects were handed out, so it was a new one. */
static bool was_new(const struct slab_past_pass *p, uint32_t at)
{
    const struct past_slab *x = &p->out.slabs[at];
    return !p->pages && x->free == p->info->rows[x->cache].objects;
}

struct slab_past slab_past_end(struct slab_past_pass *p)
{
    struct slab_past out = { .slabs = p->out.slabs };
    for (uint32_t i = 0; i < p->out.n; i++)
        if (was_new(p, i))
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
