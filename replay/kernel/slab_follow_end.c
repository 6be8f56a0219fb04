/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a followed cache has come to: as it stands, and when the kernel has shrunk it. */
#include "slab_follow_priv.h"

/* Grace periods of RCU end sooner, most within 20 ms. Who was emptied longer ago was kept. */
#define RCU_WAIT_NS UINT64_C(1000000000)

#define UNSEEN_MAX 20 /* one in so many slabs may go unseen */

/* Slabs of @cache whose pages wait for RCU; @*old: that were emptied longer ago than it takes, or do not wait. */
static uint64_t emptied(const struct slab_follow *f, uint32_t cache, uint64_t *old)
{
    uint64_t n = 0;
    *old = 0;
    for (uint32_t i = 0; i < f->n_seen; i++) {
        const struct seen *x = &f->seen[i];
        if (x->cache != cache || x->state != EMPTIED)
            continue;
        if (f->info->rows[cache].rcu && f->now_ns - x->emptied_ns <= RCU_WAIT_NS)
            n++;
        else
            ++*old;
    }
    return n;
}

/*
 * Emptied so short a time ago that the pages wait for RCU still; or before, where so many went without an event that
 * these must have too. @*kept: the others.
 */
static uint64_t on_their_way(const struct slab_follow *f, uint32_t cache, uint64_t *kept)
{
    uint64_t old, n = emptied(f, cache, &old);
    bool went = f->info->rows[cache].rcu && old * UNSEEN_MAX > f->caches[cache].gone;
    *kept = went ? 0 : old;
    return went ? n + old : n;
}

/* In sheaves, or emptied since, but none of its objects was handed out. */
static bool is_unseen(const struct slab_follow *f, uint32_t cache, uint32_t id)
{
    struct slab_view v = slab_view(f->sys, id);
    return v.cache == cache && v.place != SLAB_GONE && v.pages == SLAB_UNSEEN;
}

static uint64_t unseen_slabs(const struct slab_follow *f, uint32_t cache)
{
    uint64_t n = 0;
    for (uint32_t id = 0; id < slab_ids(f->sys); id++)
        n += is_unseen(f, cache, id);
    return n;
}

/* Free objects of the node's slabs that are in no slab that is known. */
static uint64_t left_of(const struct slab_follow *f, uint32_t cache)
{
    const struct fl_slab_state *start = &f->info->rows[cache].state;
    if (f->caches[cache].started)
        return f->caches[cache].left;
    return start->all_objects - start->objects; /* nothing came after it */
}

static struct fl_slab_state state_of(const struct slab_follow *f, uint32_t cache, uint64_t born,
                                     uint64_t gone, uint64_t left)
{
    const struct slab_info_row *info = &f->info->rows[cache];
    uint64_t slabs = info->state.slabs + born;
    struct fl_slab_state s = { .slabs = slabs > gone ? slabs - gone : 0 };
    s.all_objects = s.slabs * info->objects;
    s.objects = s.all_objects > left ? s.all_objects - left : 0;
    return s;
}

void slab_follow_look(struct slab_follow *f, uint32_t cache, struct fl_slab_row *row)
{
    const struct follow_cache *c = &f->caches[cache];
    const struct slab_info_row *info = &f->info->rows[cache];
    uint64_t kept;
    slab_follow_take_back(f);
    row->slabs_given_back = c->gone + on_their_way(f, cache, &kept);
    row->slabs_new = c->born + (c->sheaves ? unseen_slabs(f, cache) : 0);
    struct slab_counts n = slab_counts(f->sys, cache);
    uint64_t left = left_of(f, cache) + kept * info->objects + n.free[SLAB_NODE_PARTIAL];
    row->predicted = state_of(f, cache, row->slabs_new, row->slabs_given_back, left);
    row->unseen_frees = c->unseen_frees;
    row->unseen_allocs = c->unseen_allocs;
    row->free_bytes = (left + n.free[SLAB_CURRENT] + n.free[SLAB_CPU_PARTIAL]) * info->size;
    for (int i = 0; i < FL_SLAB_OCCUPANCY; i++)
        row->occupancy[i] = n.occupancy[i];
}

/* ---- shrunk ------------------------------------------------------------------------------------ */

static uint32_t used_of(const struct slab_follow *f, const struct seen *x)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->caches[x->cache].words; i++)
        n += (uint32_t)__builtin_popcountll(x->in_use[i]);
    return n;
}

/* What addresses tell is right, whatever slab the rules took an object of a sheaf for. */
static int correct(struct slab_follow *f, uint32_t at, struct fl_err *err)
{
    struct seen *x = &f->seen[at];
    uint32_t objects = f->info->rows[x->cache].objects, used = used_of(f, x);
    int rc = x->state == EMPTIED && used ? slab_follow_come_back(f, at, err) : FL_OK;
    if (rc != FL_OK || x->state != HERE)
        return rc;
    slab_correct(f->sys, x->id, objects - used);
    if (!used)
        slab_drop(f->sys, x->id);
    return FL_OK;
}

/* They came to fill a sheaf, and nobody got an object of them. */
static void drop_unseen(struct slab_follow *f, uint32_t cache)
{
    for (uint32_t id = 0; id < slab_ids(f->sys); id++)
        if (is_unseen(f, cache, id))
            slab_drop(f->sys, id);
}

int slab_follow_settle(struct slab_follow *f, uint32_t cache, struct fl_slab_state *out,
                       struct fl_err *err)
{
    const struct follow_cache *c = &f->caches[cache];
    int rc = FL_OK;
    slab_follow_take_back(f);
    slab_shrink(f->sys, cache);
    drop_unseen(f, cache);
    for (uint32_t i = 0; i < f->n_seen && rc == FL_OK; i++)
        if (f->seen[i].cache == cache && f->seen[i].state != GONE)
            rc = correct(f, i, err);
    /* none is empty then: where the pages stayed, an object of it is in use that no event told of */
    slab_follow_take_back(f);
    if (rc != FL_OK)
        return rc;
    uint64_t old, gone = emptied(f, cache, &old) + c->gone;
    struct slab_counts n = slab_counts(f->sys, cache);
    *out = state_of(f, cache, c->born, gone + old, left_of(f, cache) + n.free[SLAB_NODE_PARTIAL]);
    return FL_OK;
}
