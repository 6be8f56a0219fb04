/* SPDX-License-Identifier: GPL-2.0-or-later */
/** slab_priv.h - the state of slab.h, for its files. */
#ifndef REPLAY_SLAB_PRIV_H
#define REPLAY_SLAB_PRIV_H

#include "slab.h"

#define SHEAF_EMPTY_MAX 10
#define SHEAF_FULL_MAX 10

struct slab {
    uint32_t cache, prev, next;
    uint32_t objects;
    uint32_t cpu_free; /* on the CPU's own free list, while current */
    uint32_t free;     /* on the slab's */
    uint32_t order;
    uint32_t cpu;
    uint32_t freer; /* that freed into it last, while current */
    enum slab_place place;
    uint64_t pages;
};

struct slab_list {
    uint32_t head, tail, n;
};

struct slab_sheaf {
    uint32_t n;
    uint32_t slab[SLAB_SHEAF_OBJECTS];
};

struct slab_cpu {
    uint32_t current;
    struct slab_list partial;        /* head: the last one put there */
    struct slab_sheaf *main, *spare; /* of caches with sheaves */
    struct slab_sheaf *lent;         /* to somebody who takes several in a row */
    struct slab_sheaf *rcu;          /* of objects that RCU may still read */
    bool past_sheaves;               /* the next object comes from the current slab */
};

/* A full sheaf of objects that RCU may still read. */
struct slab_flying {
    struct slab_sheaf *sheaf;
    uint64_t since_ns;
    uint32_t cpu;
};

struct slab_cache {
    struct slab_layout layout;
    struct slab_cpu *cpu;
    struct slab_list node;
    uint32_t unseen_partial;
    uint64_t slabs, peak_slabs, live;
    struct slab_sheaf *full[SHEAF_FULL_MAX]; /* last: the next to be taken */
    struct slab_sheaf **empty;               /* the same */
    uint32_t n_full, n_empty, empty_room;
    uint32_t
        owed; /* objects in sheaves or in use that are of no slab: what is followed had none left for them */
    struct slab_flying *flying; /* the first that took off first */
    uint32_t n_flying, flying_room;
};

struct slab_sys {
    uint32_t cpus;
    struct slab_pages pages;
    struct slab_cache *caches;
    uint32_t n_caches, caches_room;
    struct slab *slabs;
    uint32_t n_slabs, slabs_room, gone; /* gone: the first of the free ids, linked by next */
};

/* ---- slab_lists.c: slabs on their lists -------------------------------------------------- */

void slab_list_add(struct slab_sys *s, struct slab_list *list, uint32_t id, bool head);
void slab_list_remove(struct slab_sys *s, struct slab_list *list, uint32_t id);
int slab_id_new(struct slab_sys *s, uint32_t cache, uint32_t *id, struct fl_err *err);
void slab_discard(struct slab_sys *s, uint32_t id);
void slab_to_node(struct slab_sys *s, uint32_t id, bool head);
void slab_put_cpu_partial(struct slab_sys *s, uint32_t cpu, uint32_t id, bool drain);
void slab_refill_cpu_partial(struct slab_sys *s, struct slab_cache *c, uint32_t cpu);
void slab_drain_cpu_partial(struct slab_sys *s, struct slab_cache *c, uint32_t cpu);
/** slab_deactivate - @id is its CPU's current one no longer. */
void slab_deactivate(struct slab_sys *s, uint32_t id);
/** slab_unlist - take it from whatever list it is on; it is marked FULL. */
void slab_unlist(struct slab_sys *s, uint32_t id);

/* ---- slab.c: past the sheaves ------------------------------------------------------------- */

int slab_alloc_object(struct slab_sys *s, uint32_t cache, uint32_t cpu, uint32_t *id,
                      struct fl_err *err);
void slab_free_object(struct slab_sys *s, uint32_t cpu, uint32_t id);

/* ---- slab_sheaf.c -------------------------------------------------------------------------- */

int slab_sheaf_alloc(struct slab_sys *s, uint32_t cache, uint32_t cpu, uint32_t *id,
                     struct fl_err *err);
int slab_sheaf_free(struct slab_sys *s, uint32_t cpu, uint32_t id, struct fl_err *err);
/** slab_sheaf_ready - @cpu's first sheaf is filled, as by slab_sheaf_alloc(), if it has to be. False: out of memory. */
bool slab_sheaf_ready(struct slab_sys *s, uint32_t cache, uint32_t cpu);
/**
 * slab_sheaf_alloc_from - @cpu's first sheaf, made ready, gives an object of @id. If it has none, its last
 * one changes places with one of @id, wherever that is; or in name only, where @id has none that is free. False: out of memory.
 */
bool slab_sheaf_alloc_from(struct slab_sys *s, uint32_t cpu, uint32_t id);
/** slab_sheaf_find - the slab on @pages of which a sheaf has an object: @cpu's first sheaf, from its end, before others. SLAB_NONE. */
uint32_t slab_sheaf_find(const struct slab_sys *s, uint32_t cache, uint32_t cpu, uint64_t pages);
/** slab_sheaf_mistaken - @n objects that were taken for some of a slab that is gone are in use: of others, then. */
void slab_sheaf_mistaken(struct slab_sys *s, struct slab_cache *c, uint32_t n);
/** slab_sheaf_empty - what @f holds goes to its slabs, on @cpu. */
void slab_sheaf_empty(struct slab_sys *s, struct slab_cache *c, uint32_t cpu, struct slab_sheaf *f);

/* ---- slab_sheaf_all.c ----------------------------------------------------------------------- */

/** slab_sheaf_forget - slab @id goes: what sheaves hold of it, by mistake, is of another one. */
void slab_sheaf_forget(struct slab_sys *s, struct slab_cache *c, uint32_t id);
void slab_sheaf_flush(struct slab_sys *s, struct slab_cache *c, uint32_t cpu);
/** slab_sheaf_give_up - all sheaves are emptied, those lent and those that wait for RCU too; the barn has no full one. */
void slab_sheaf_give_up(struct slab_sys *s, struct slab_cache *c);
uint64_t slab_sheaf_objects(const struct slab_sys *s, const struct slab_cache *c);
void slab_sheaf_fini(struct slab_sys *s, struct slab_cache *c);

#endif
