/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * slab_owner.h - whose a maple_node is, as its end passes no tracepoint.
 *
 * A task takes nodes for its own address space; while it forks, for the child's, between the allocation of that
 * one's mm_struct and of its pid; from the allocation of an mm_struct without a fork on, for the program
 * it is about to run. When an mm_struct is freed, no node of it is left. A change of a
 * living one takes new nodes for those that it replaces, which RCU lets go.
 *
 * Source: Linux 6.18, kernel/fork.c (copy_process), fs/exec.c (alloc_bprm), mm/mmap.c (exit_mmap).
 */
#ifndef REPLAY_SLAB_OWNER_H
#define REPLAY_SLAB_OWNER_H

#include <stddef.h>

#include "slab_info.h"

struct slab_owners;

/** slab_owners_new - for the caches of @info. NULL: out of memory. */
struct slab_owners *slab_owners_new(const struct slab_info *info);
void slab_owners_free(struct slab_owners *o); /* NULL is fine */

/** What somebody got. */
struct slab_owned {
    uint64_t at, time_ns;
    uint32_t cache, tid;
    bool waits; /* who takes it may sleep: it is the only one of its change */
};

/** What that says of a node. */
struct slab_node_use {
    bool is_node;
    bool goes_on;      /* it is for the same change as the task's last one */
    uint32_t first;    /* the first of these: the how manieth node it was, from 0 */
    uint64_t replaced; /* the node that it is likely to be instead of, which RCU lets go; 0: none */
};

/** slab_owners_alloc - @got was handed out. FL_ENOMEM. */
int slab_owners_alloc(struct slab_owners *o, const struct slab_owned *got,
                      struct slab_node_use *use, struct fl_err *err);

/**
 * slab_owners_mistaken - the node at @ptr, taken for one in use, is handed out. Returns: the one that was taken for replaced instead,
 * of the same address space; 0: there is none.
 */
uint64_t slab_owners_mistaken(struct slab_owners *o, uint32_t cache, uint64_t ptr);

/**
 * slab_owners_end - the object at @ptr of @cache is freed.
 * Returns: how many nodes that leaves without an owner; their addresses from @*nodes on until the
 * next call, @*cache_of_nodes of what cache.
 */
size_t slab_owners_end(struct slab_owners *o, uint32_t cache, uint64_t ptr, const uint64_t **nodes,
                       uint32_t *cache_of_nodes);

#endif
