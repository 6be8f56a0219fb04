/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * naive_swap.h - the slots of a swap area, slowly and plainly.
 *
 * The slow twin of replay/linux/swap_area.c, from the rules alone: a list is every
 * cluster that says it is on it, in the order of the times at which they came to it;
 * nothing is counted until it is asked for. Aborts when out of memory.
 */
#ifndef FAULTLINE_NAIVE_SWAP_H
#define FAULTLINE_NAIVE_SWAP_H

#include <stdbool.h>
#include <stdint.h>

struct naive_slot {
    bool missing; /* the header, or past the end */
    bool cached;
    uint32_t maps, owner;
};

enum naive_list { NAIVE_FREE, NAIVE_NONFULL, NAIVE_FRAG, NAIVE_FULL, NAIVE_NOWHERE };

struct naive_cluster {
    enum naive_list list;
    bool huge;
    uint64_t since;
};

struct naive_swap {
    uint32_t n_slots, n_clusters;
    struct naive_slot *slot; /* 512 for each cluster */
    struct naive_cluster *cluster;
    uint32_t next; /* 0: none */
    uint64_t now;
    bool worker; /* the last slot went: the worker is to run */
    /* As swap_reclaim_fn. */
    int (*drop)(void *arg, uint32_t slot);
    void *arg;
};

void naive_swap_start(struct naive_swap *s, uint32_t n_slots);
void naive_swap_stop(struct naive_swap *s);

/** naive_swap_alloc - the slot, cached; 0: none. */
uint32_t naive_swap_alloc(struct naive_swap *s, uint32_t owner);
/** naive_swap_alloc_huge - the first of 512; 0: none. @owner: of the first, counting up. */
uint32_t naive_swap_alloc_huge(struct naive_swap *s, uint32_t owner);
/** naive_swap_released - to be called after @slot's cached or maps went down. */
void naive_swap_released(struct naive_swap *s, uint32_t slot);
/** naive_swap_worker - what the worker does. */
void naive_swap_worker(struct naive_swap *s);

bool naive_swap_in_use(const struct naive_swap *s, uint32_t slot);
uint32_t naive_swap_used(const struct naive_swap *s);

#endif
