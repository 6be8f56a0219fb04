/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * slab_follow.h - slabs of a real kernel, by the addresses of objects that it hands out and takes.
 *
 * A slab lies on a multiple of its own length, so an object's address names its slab, and the events of
 * pages tell when that comes and goes. What addresses do not tell is decided by SLUB's rules (slab.h): on
 * which list a slab waits, and without events of pages, when an empty one is given back.
 */
#ifndef REPLAY_SLAB_FOLLOW_H
#define REPLAY_SLAB_FOLLOW_H

#include <faultline/kernel_slab.h>

#include "slab_info.h"
#include "slab_past.h"

struct slab_follow;

enum slab_from {
    SLAB_FROM_OWN,    /* the CPU's first sheaf, filled when it is empty */
    SLAB_FROM_NOWAIT, /* the next one of them; not filled: then from its slab */
    SLAB_FROM_LENT    /* a sheaf filled for them */
};

/**
 * slab_follow_new - one cache for each row of @info, with its number, and from the time of that row on the slabs of
 * @past where they stood. Both are kept, not copied; @past is put in another order. @pages: slab_follow_pages() will be
 * called. NULL: out of memory.
 */
struct slab_follow *slab_follow_new(const struct slab_info *info, const struct slab_past *past,
                                    uint32_t cpus, bool pages);
void slab_follow_free(struct slab_follow *f); /* NULL is fine */

/** slab_follow_time - events from here on happened at @time_ns; what came before a cache's time is passed over. FL_ENOMEM. */
int slab_follow_time(struct slab_follow *f, uint64_t time_ns, struct fl_err *err);

/** slab_follow_begun - is the time at or past that of @cache's row? */
bool slab_follow_begun(const struct slab_follow *f, uint32_t cache);

/** slab_follow_alloc - @cpu got the object at @ptr of @cache. FL_ENOMEM. */
int slab_follow_alloc(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint64_t ptr,
                      struct fl_err *err);

/**
 * slab_follow_release - @cpu gave the object at @ptr back.
 * @cache: of which it is; in SLAB_NONE: not told; out: the one found.
 * @*known: false when nothing is known of a slab there.
 * Errors: FL_ENOMEM.
 */
int slab_follow_release(struct slab_follow *f, uint32_t *cache, uint32_t cpu, uint64_t ptr,
                        bool *known, struct fl_err *err);

/** slab_follow_cache - of which cache the slab around @ptr is; SLAB_NONE: nothing is known of one. */
uint32_t slab_follow_cache(const struct slab_follow *f, uint64_t ptr);
/** slab_follow_bulk - as slab_follow_release(), one of many at once. */
void slab_follow_bulk(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint64_t ptr,
                      bool *known);
/** slab_follow_rcu - the object at @ptr is to go back when RCU lets it; *known as above. FL_ENOMEM. */
int slab_follow_rcu(struct slab_follow *f, uint32_t cache, uint32_t cpu, uint64_t ptr, bool *known,
                    struct fl_err *err);
/** slab_follow_exchange - not the object at @freed went back, but the one at @used. */
void slab_follow_exchange(struct slab_follow *f, uint32_t cache, uint64_t freed, uint64_t used);
/**
 * slab_follow_from - where @cpu's next objects come from, in a cache with sheaves. FL_ENOMEM.
 */
int slab_follow_from(struct slab_follow *f, uint32_t cache, uint32_t cpu, enum slab_from from,
                     struct fl_err *err);

/** slab_follow_pages - pages at @base were given back, by whoever had them. */
void slab_follow_pages(struct slab_follow *f, uint64_t base);

/**
 * slab_follow_taken - @cpu took 2^@order pages at @base: an empty slab there is gone. @slab: it is likely that they are for one.
 */
void slab_follow_taken(struct slab_follow *f, uint32_t cpu, uint64_t base, uint32_t order,
                       bool slab);

/** slab_follow_look - what @cache has come to, into the members of @row that no event tells alone. */
void slab_follow_look(struct slab_follow *f, uint32_t cache, struct fl_slab_row *row);

/** slab_follow_settle - the kernel has just shrunk @cache. @*out: what it has then. FL_ENOMEM. */
int slab_follow_settle(struct slab_follow *f, uint32_t cache, struct fl_slab_state *out,
                       struct fl_err *err);

#endif
