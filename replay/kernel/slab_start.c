/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where slabs stood when the recording began, from slabinfo, the lists' lengths, and what became of them. */
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "slab_follow_priv.h"

struct placed {
    uint32_t at;  /* SLAB_NONE: one that no event named */
    uint32_t cpu; /* it waits on this one's list; SLAB_NONE: on none */
    uint32_t free;
    uint32_t untold; /* objects without an event that may be free too */
    uint32_t place;  /* on the node's list; UINT32_MAX: it was not told */
};

/* The slabs of one cache. */
struct group {
    struct slab_follow *f;
    uint32_t cache, n, partial; /* partial: of the first n, on the node's list */
    struct placed *v;
    uint64_t named, left; /* free objects on the node's list: with an event, and without */
};

/*
 * Slabs that CPUs had at the start. A CPU takes objects from its current slab first, then from those that wait on its
 * list, last from the node's: the slabs it used first were its own.
 */
struct cpus {
    uint32_t *left; /* of each CPU: how many of its own were not found yet */
    uint64_t
        hidden; /* where nobody told how many: free objects in them, which slabinfo does not count as such */
};

/* One more for each CPU that had a current slab: where some wait, work was done just before. */
static void add_current(const struct group *g, const struct past_slab *slabs, struct cpus *c)
{
    const struct slab_info_row *row = &g->f->info->rows[g->cache];
    uint32_t n = row->current;
    for (int idle = 0; idle <= 1; idle++)
        for (uint32_t i = 0; i < g->n && n; i++) {
            uint32_t cpu = slabs[i].cpu % g->f->cpus;
            bool none = row->waiting[cpu] == 0;
            if (slabs[i].free && none == idle && c->left[cpu] == row->waiting[cpu]) {
                c->left[cpu]++;
                n--;
            }
        }
}

static bool was_cpus(const struct group *g, const struct past_slab *x, struct cpus *c)
{
    bool told = g->f->info->rows[g->cache].waiting, own;
    uint32_t *left = &c->left[x->cpu % g->f->cpus];
    own = x->free && (told ? *left : c->hidden);
    if (own && told)
        --*left;
    else if (own)
        c->hidden -= c->hidden < x->free ? c->hidden : x->free;
    return own;
}

static bool add_named(struct group *g, const struct past_slab *slabs, struct cpus *cpus)
{
    const struct slab_info_row *row = &g->f->info->rows[g->cache];
    uint64_t on_node = row->state.all_objects - row->state.objects, all = 0;
    uint32_t words = g->f->caches[g->cache].words;
    for (uint32_t i = 0; i < g->n; i++)
        all += slabs[i].free;
    cpus->hidden = all > on_node ? all - on_node : 0;
    for (uint32_t i = 0; i < g->n; i++) {
        const struct past_slab *x = &slabs[i];
        struct placed *to = &g->v[i];
        *to = (struct placed){ .cpu = SLAB_NONE, .free = x->free, .place = UINT32_MAX };
        if (slab_follow_appear(g->f, g->cache, x->base, &to->at, NULL) != FL_OK)
            return false;
        for (uint32_t k = 0; k < row->objects; k++) {
            slab_set_bit(g->f->seen[to->at].in_use, k, !slab_bit(x->bits + words, k));
            to->untold += !x->used_up && !slab_bit(x->bits, k);
        }
        if (was_cpus(g, x, cpus))
            to->cpu = x->cpu % g->f->cpus;
        g->named += to->cpu == SLAB_NONE ? x->free : 0;
        g->partial += to->cpu == SLAB_NONE && x->free;
    }
    g->left = on_node > g->named ? on_node - g->named : 0;
    return true;
}

/* ---- slabs that were told one by one ------------------------------------------------------ */

/* Some of those without an event are free too, so that there are @to->free. */
static void free_more(struct group *g, const struct past_slab *x, const struct placed *to)
{
    uint64_t *in_use = g->f->seen[to->at].in_use;
    uint32_t objects = g->f->info->rows[g->cache].objects, n = 0;
    for (uint32_t k = 0; k < objects; k++)
        n += !slab_bit(in_use, k);
    for (uint32_t k = 0; k < objects && n < to->free; k++)
        if (slab_bit(in_use, k) && (!x || !slab_bit(x->bits, k))) {
            slab_set_bit(in_use, k, false);
            n++;
        }
}

/* No event is of it. */
static bool add_quiet(struct group *g, uint64_t base, uint32_t *at)
{
    if (slab_follow_appear(g->f, g->cache, base, at, NULL) != FL_OK)
        return false;
    for (uint32_t i = 0; i < g->f->info->rows[g->cache].objects; i++)
        slab_set_bit(g->f->seen[*at].in_use, i, true);
    g->v[g->n++] = (struct placed){ .at = *at, .cpu = SLAB_NONE };
    return true;
}

static bool put_listed(struct group *g, uint32_t place, const struct past_slab *slabs, uint32_t n)
{
    const struct slab_info_row *row = &g->f->info->rows[g->cache];
    uint64_t base = row->list[place].at & ~((FL_PAGE_BYTES << row->order) - 1);
    uint32_t at = slab_map_get(&g->f->at, base >> FL_PAGE_SHIFT), k = 0;
    while (k < n && g->v[k].at != at)
        k++;
    if (k == n && !add_quiet(g, base, &at))
        return false;
    struct placed *to = &g->v[k < n ? k : g->n - 1];
    to->place = place;
    to->free = row->list[place].free;
    to->untold = 0;
    free_more(g, k < n ? &slabs[k] : NULL, to);
    return true;
}

/* The list is right, whatever was concluded; when all of it was told, other slabs are not on it. */
static bool add_listed(struct group *g, const struct past_slab *slabs, uint32_t n)
{
    const struct slab_info_row *row = &g->f->info->rows[g->cache];
    uint64_t on_node = row->state.all_objects - row->state.objects;
    for (uint32_t i = 0; i < row->n_list; i++)
        if (!put_listed(g, i, slabs, n))
            return false;
    g->named = g->partial = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        if (row->n_list == row->partial && g->v[i].place == UINT32_MAX)
            g->v[i].free = g->v[i].untold = 0;
        g->named += g->v[i].free;
        g->partial += g->v[i].free != 0;
    }
    g->left = on_node > g->named ? on_node - g->named : 0;
    return true;
}

/* ---- slabs that were only counted --------------------------------------------------------- */

/* Partly used slabs of the node that no event named. */
static void add_unnamed(struct group *g, uint32_t n)
{
    uint32_t objects = g->f->info->rows[g->cache].objects;
    for (uint32_t i = 0; i < n; i++)
        g->v[g->n++] = (struct placed){
            .at = SLAB_NONE, .cpu = SLAB_NONE, .untold = objects, .place = UINT32_MAX
        };
}

/* Objects that no event named are as likely free in one slab of the node's list as in another. */
static void share_left(struct group *g, const struct past_slab *slabs)
{
    uint64_t all = 0, sum = 0, given = 0;
    for (uint32_t i = 0; i < g->n; i++)
        all += g->v[i].untold;
    for (uint32_t i = 0; i < g->n && all; i++) {
        struct placed *x = &g->v[i];
        sum += x->untold;
        uint64_t share = g->left * sum / all - given;
        share = share < x->untold ? share : x->untold;
        given += share;
        x->free += (uint32_t)share;
        for (uint32_t k = 0; x->at != SLAB_NONE && share; k++)
            if (!slab_bit(slabs[i].bits, k)) {
                slab_set_bit(g->f->seen[x->at].in_use, k, false);
                share--;
            }
    }
    g->left -= given < g->left ? given : g->left;
}

static int fullest_first(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->free != y->free ? (x->free < y->free ? -1 : 1) : 0;
}

static bool put(struct group *g)
{
    struct slab_sys *sys = g->f->sys;
    for (uint32_t i = 0; i < g->n; i++) { /* CPUs' lists: as they were used */
        struct placed *x = &g->v[i];
        if (x->cpu == SLAB_NONE)
            continue;
        slab_correct(sys, g->f->seen[x->at].id, x->free);
        slab_wait(sys, x->cpu, g->f->seen[x->at].id);
        x->free = 0;
    }
    qsort(g->v, g->n, sizeof *g->v, fullest_first); /* the node's: as it sorts it when it shrinks */
    for (uint32_t i = 0; i < g->n; i++) {
        uint32_t id = g->v[i].at == SLAB_NONE ? SLAB_NONE : g->f->seen[g->v[i].at].id;
        if (!g->v[i].free)
            continue;
        if (id == SLAB_NONE && slab_adopt(sys, g->cache, SLAB_UNNAMED, &id, NULL) != FL_OK)
            return false;
        slab_correct(sys, id, g->v[i].free);
    }
    return true;
}

static bool start_cache(struct slab_follow *f, uint32_t cache, const struct past_slab *slabs,
                        uint32_t n)
{
    const struct slab_info_row *row = &f->info->rows[cache];
    struct group g = { .f = f, .cache = cache, .n = n };
    uint64_t unseen = row->state.slabs > n ? row->state.slabs - n : 0;
    struct cpus cpus = { .left = calloc(f->cpus, sizeof *cpus.left) };
    g.v = calloc((size_t)n + row->n_list + unseen + 1, sizeof *g.v);
    bool ok = cpus.left && g.v;
    if (ok && row->waiting) {
        memcpy(cpus.left, row->waiting, f->cpus * sizeof *cpus.left);
        add_current(&g, slabs, &cpus);
    }
    ok = ok && add_named(&g, slabs, &cpus) && (!row->list || add_listed(&g, slabs, n));
    if (ok) {
        uint64_t more = row->partial == SLAB_UNTOLD ? (2 * g.left + row->objects - 1) / row->objects
                        : row->partial > g.partial  ? row->partial - g.partial
                                                    : 0;
        for (uint32_t i = 0; i < n; i++) /* not on the node's list */
            if (g.v[i].cpu != SLAB_NONE || (!g.v[i].free && more <= unseen))
                g.v[i].untold = 0;
        add_unnamed(&g, (uint32_t)(more < unseen ? more : unseen));
        share_left(&g, slabs);
        ok = put(&g);
        slab_follow_left(f, cache, g.left);
    }
    free(cpus.left);
    free(g.v);
    return ok;
}

static int by_cache(const void *a, const void *b)
{
    const struct past_slab *x = a, *y = b;
    if (x->cache != y->cache)
        return x->cache < y->cache ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_time(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    if (x->since_ns != y->since_ns)
        return x->since_ns < y->since_ns ? -1 : 1;
    return x->cache < y->cache ? -1 : 1;
}

bool slab_start_plan(struct slab_follow *f, const struct slab_past *past)
{
    uint32_t at = 0;
    if (past->n)
        qsort(past->slabs, past->n, sizeof *past->slabs, by_cache);
    if (!(f->turns = calloc(f->info->n, sizeof *f->turns)))
        return false;
    for (uint32_t cache = 0; cache < f->info->n; cache++) {
        struct turn *t = &f->turns[cache];
        *t = (struct turn){ .since_ns = f->info->rows[cache].since_ns, .cache = cache };
        while (at + t->n < past->n && past->slabs[at + t->n].cache == cache)
            t->n++;
        t->slabs = t->n ? &past->slabs[at] : NULL;
        at += t->n;
    }
    qsort(f->turns, f->info->n, sizeof *f->turns, by_time);
    return true;
}

bool slab_start_turn(struct slab_follow *f)
{
    const struct turn *t = &f->turns[f->next_turn++];
    f->caches[t->cache].started = true;
    return start_cache(f, t->cache, t->slabs, t->n);
}
