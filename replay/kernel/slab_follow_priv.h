/* SPDX-License-Identifier: GPL-2.0-or-later */
/** slab_follow_priv.h - the state of slab_follow.h, for its files. */
#ifndef REPLAY_SLAB_FOLLOW_PRIV_H
#define REPLAY_SLAB_FOLLOW_PRIV_H

#include "slab.h"
#include "slab_follow.h"
#include "slab_map.h"

#define SLAB_UNSEEN (UINT64_MAX - 1) /* of one that came to fill a sheaf, and is not seen yet */
#define SLAB_UNNAMED UINT64_MAX      /* what slab.h knows as pages of a slab that no event named */

enum state {
    HERE,
    EMPTIED, /* the rules give it back; the pages have not gone yet */
    GONE
};

struct seen {
    uint64_t base, emptied_ns;
    uint32_t id, cache; /* id: the model's, while HERE */
    enum state state;
    uint64_t *in_use; /* of its objects */
};

struct follow_cache {
    uint64_t left; /* free objects of the node's slabs at the start that no event named */
    uint64_t born, gone, unseen_frees, unseen_allocs;
    uint32_t words;
    bool started;
    bool sheaves;
};

/* When a cache begins, and its slabs of then. */
struct turn {
    uint64_t since_ns;
    uint32_t cache, n;
    const struct past_slab *slabs;
};

#define RECENT 8

/* Pages that a CPU took for slabs and that no object was handed out of yet, the last ones; base 0: none. */
struct recent {
    struct {
        uint64_t base;
        uint32_t order;
    } v[RECENT];
    uint32_t next;
};

struct slab_follow {
    struct recent *recent; /* of each CPU */
    uint32_t cpu;          /* where things happen */
    const struct slab_info *info;
    struct turn *turns; /* the first to begin first */
    uint32_t next_turn;
    uint32_t cpus;
    bool pages;
    uint64_t now_ns;
    struct slab_sys *sys;
    struct follow_cache *caches;
    struct seen *seen;
    uint32_t n_seen, room_seen;
    uint32_t *emptied; /* slabs that the rules gave back just now, in caches without RCU */
    uint32_t n_emptied, room_emptied;
    struct slab_map at; /* page number -> the slab seen there last */
};

/** slab_follow_appear - a slab of @cache around @ptr, known from here on, its objects in use. FL_ENOMEM. */
int slab_follow_appear(struct slab_follow *f, uint32_t cache, uint64_t ptr, uint32_t *at,
                       struct fl_err *err);

/** slab_follow_left - of @cache's free objects at the start so many are in no slab that is known. */
void slab_follow_left(struct slab_follow *f, uint32_t cache, uint64_t left);

/** slab_follow_come_back - slab @at was taken for given back, but was kept. FL_ENOMEM. */
int slab_follow_come_back(struct slab_follow *f, uint32_t at, struct fl_err *err);
/** slab_follow_take_back - those that the rules gave back and whose pages did not go at once were kept, for now. */
void slab_follow_take_back(struct slab_follow *f);

/** slab_start_plan - sort @past, and make f->turns. False: out of memory. */
bool slab_start_plan(struct slab_follow *f, const struct slab_past *past);
/** slab_start_turn - the slabs of the next turn to where they stood. False: out of memory. */
bool slab_start_turn(struct slab_follow *f);

#endif
