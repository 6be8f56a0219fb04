/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * slab.h - SLUB: which slab each object lies in, on which list each slab is.
 *
 *     struct slab_sys *s = slab_sys_new(cpus, &pages);
 *     slab_cache_add(s, &layout, &cache, &err);
 *     slab_alloc(s, cache, cpu, &id, &err);   an object of slab id
 *     slab_free(s, cpu, id, &err);            one of its objects
 *
 * An object is known by its slab alone: where in the slab it lies is random in the kernel
 * (CONFIG_SLAB_FREELIST_RANDOM) and changes no count.
 *
 * Source: Linux 6.18, mm/slub.c. One node; no debugging; no memory pressure inside an allocation.
 */
#ifndef REPLAY_SLAB_H
#define REPLAY_SLAB_H

#include "slab_layout.h"

#define SLAB_NONE UINT32_MAX

/** The page allocator behind the slabs. */
struct slab_pages {
    /* 2^@order pages for a slab of @cache; false: there are none. @*pages: what free() is given. */
    bool (*alloc)(void *arg, uint32_t cache, uint32_t order, uint64_t *pages);
    void (*free)(void *arg, uint32_t cache, uint32_t order, uint64_t pages);
    void *arg;
    /* What was done is followed: a sheaf is filled in any case, with objects of slabs that are taken for used up if need be. */
    bool follows;
};

enum slab_place {
    SLAB_FULL,         /* on no list */
    SLAB_CURRENT,      /* a CPU allocates from it */
    SLAB_CPU_PARTIAL,  /* waits on a CPU's list */
    SLAB_NODE_PARTIAL, /* waits on the node's list */
    SLAB_GONE,         /* its pages are given back; the id may be used again */
    SLAB_PLACES
};

struct slab_sys;

/** slab_sys_new - @cpus >= 1; @pages is copied. NULL: out of memory. */
struct slab_sys *slab_sys_new(uint32_t cpus, const struct slab_pages *pages);
/** slab_sys_free - gives no pages back. NULL is fine. */
void slab_sys_free(struct slab_sys *s);

/** slab_cache_add - an empty cache; @*cache counts from 0. FL_ENOMEM. */
int slab_cache_add(struct slab_sys *s, const struct slab_layout *layout, uint32_t *cache,
                   struct fl_err *err);

/**
 * slab_alloc - an object of @cache on @cpu; @*id: the slab it lies in, SLAB_NONE when the page
 * allocator has nothing. FL_ENOMEM. Cost: O(1) amortised.
 */
int slab_alloc(struct slab_sys *s, uint32_t cache, uint32_t cpu, uint32_t *id, struct fl_err *err);

/** slab_free - one object of slab @id goes back on @cpu. FL_ENOMEM. */
int slab_free(struct slab_sys *s, uint32_t cpu, uint32_t id, struct fl_err *err);

/* ---- what the caches with sheaves have besides ---- */

/** slab_lend - objects that @cpu takes come from a sheaf of their own now, full at first, until it is returned. FL_ENOMEM. */
int slab_lend(struct slab_sys *s, uint32_t cache, uint32_t cpu, struct fl_err *err);
/** slab_return - it comes back, if one was lent. FL_ENOMEM. */
int slab_return(struct slab_sys *s, uint32_t cache, uint32_t cpu, struct fl_err *err);
/** slab_nowait - @cpu's next object comes from its slab, if its sheaves and the barn are empty; or, not @on, as ever. */
void slab_nowait(struct slab_sys *s, uint32_t cache, uint32_t cpu, bool on);
/** slab_free_bulk - as slab_free(), one of many: what sheaves have no room for goes to the slabs. */
void slab_free_bulk(struct slab_sys *s, uint32_t cpu, uint32_t id);
/** slab_free_rcu - one of slab @id, when RCU lets it go. FL_ENOMEM. */
int slab_free_rcu(struct slab_sys *s, uint32_t cpu, uint32_t id, uint64_t now_ns,
                  struct fl_err *err);
/** slab_rcu_run - what was freed so, as far as RCU has let it go by @now_ns. FL_ENOMEM. */
int slab_rcu_run(struct slab_sys *s, uint32_t cache, uint64_t now_ns, struct fl_err *err);

/** slab_flush - what @cpu holds of @cache goes to the node: sheaves, then slabs. */
void slab_flush(struct slab_sys *s, uint32_t cache, uint32_t cpu);
/**
 * slab_shrink - as the kernel shrinks a cache, until there is nothing more to give up: all that is free is in slabs
 * of the node's list, what RCU held back too, and no slab is empty. The list's order is left as it is.
 */
void slab_shrink(struct slab_sys *s, uint32_t cache);

/* ---- following what a real kernel did ------------------------------------------------ */

/** slab_adopt - a slab that exists, all objects in use, on no list; @pages as the callback's. */
int slab_adopt(struct slab_sys *s, uint32_t cache, uint64_t pages, uint32_t *id,
               struct fl_err *err);

/**
 * slab_alloc_from - as slab_alloc(), but the object was seen to lie in slab @id, wherever that is.
 * The CPU's slab before it leaves as a flushed one does, or as one that others freed into when it was used up; another CPU's
 * stays that one's. False: @id has no free object.
 */
bool slab_alloc_from(struct slab_sys *s, uint32_t cpu, uint32_t id);

/**
 * slab_expect - @cpu is about to get an object of @cache, of a slab that was not seen yet: a sheaf that must be filled is, for
 * which slabs come that the callback has on @pages. Returns: the one of these that it is likely to be of, which is on @becomes
 * from here on; SLAB_NONE: none of them.
 */
uint32_t slab_expect(struct slab_sys *s, uint32_t cache, uint32_t cpu, uint64_t pages,
                     uint64_t becomes);

/** slab_enter - slab @id, just adopted, becomes @cpu's current one with all objects free. */
void slab_enter(struct slab_sys *s, uint32_t cpu, uint32_t id);

/** slab_correct - @id has @free free objects, it is learnt; where it stands does not change. */
void slab_correct(struct slab_sys *s, uint32_t id, uint32_t free);

/** slab_wait - @id, which has free objects and is no CPU's current one, waits on @cpu's list, behind the others. */
void slab_wait(struct slab_sys *s, uint32_t cpu, uint32_t id);

/** slab_drop - @id was given back unseen. The callback is told. */
void slab_drop(struct slab_sys *s, uint32_t id);

/** slab_set_unseen - partial slabs on the node's list that the model does not know one by one. */
void slab_set_unseen(struct slab_sys *s, uint32_t cache, uint32_t partial);

/* ---- looking ------------------------------------------------------------------------ */

#define SLAB_OCCUPANCY 5 /* classes: up to 1/8, 1/4, 1/2, less than all, all objects in use */

struct slab_counts {
    uint64_t slabs, objects; /* there is room for */
    uint64_t live;           /* handed out */
    uint64_t in_sheaves;     /* free for users, in use for the slabs */
    uint64_t place[SLAB_PLACES];
    uint64_t free[SLAB_PLACES]; /* free objects of the slabs there */
    uint64_t occupancy[SLAB_OCCUPANCY];
    uint64_t peak_slabs;
};

/**
 * slab_counts - of @cache as it is. What /proc/slabinfo calls active_objs is @objects less
 * @free[SLAB_NODE_PARTIAL]. Cost: O(slabs).
 */
struct slab_counts slab_counts(const struct slab_sys *s, uint32_t cache);

struct slab_view {
    uint32_t cache, objects, free; /* free: all of it, the CPU's own list too */
    enum slab_place place;
    uint32_t cpu; /* of CURRENT and CPU_PARTIAL */
    uint64_t pages;
};
struct slab_view slab_view(const struct slab_sys *s, uint32_t id);
uint32_t slab_ids(const struct slab_sys *s); /* ids are below this */
const struct slab_layout *slab_layout_at(const struct slab_sys *s, uint32_t cache);

/**
 * slab_check - every list holds what is marked so and nothing else, no count is out of range, no
 * CPU list is longer than its limit allows. @why: 128 bytes for what is not so. Cost: O(slabs).
 */
bool slab_check(const struct slab_sys *s, char why[128]);

#endif
