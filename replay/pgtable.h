/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * pgtable.h - radix page tables, allocated on demand.
 *
 * One tree an address space, 512 entries a table, as on x86-64. The virtual memory
 * stage gives a leaf entry its meaning; an id of 0 is "nothing".
 */
#ifndef REPLAY_PGTABLE_H
#define REPLAY_PGTABLE_H

#include <stdbool.h>
#include <stdint.h>

#define PGTABLE_BITS 9u
#define PGTABLE_ENTRIES (1u << PGTABLE_BITS)
#define PGTABLE_LEVELS_MAX 5u /* covers every address: for passes that report no tables */

struct pgtable_node;

struct leaf {
    uint32_t id;
    uint32_t hw; /* what a model of the hardware's entry wants kept with it */
};

struct pgtable {
    struct pgtable_node *root;
    uint32_t levels;
    uint64_t *n_tables; /* tables of all address spaces together */
};

/** pgtable_init - an empty tree, its root allocated. false: out of memory. */
bool pgtable_init(struct pgtable *pt, uint32_t levels, uint64_t *n_tables);
void pgtable_fini(struct pgtable *pt);

/** pgtable_span_pages - pages the whole tree covers: 512^levels. */
static inline uint64_t pgtable_span_pages(uint32_t levels)
{
    return UINT64_C(1) << (PGTABLE_BITS * levels);
}

/**
 * pgtable_slot - the leaf entry of @vpn, with every table on the way allocated.
 * pre: vpn < pgtable_span_pages(). NULL: out of memory.
 */
struct leaf *pgtable_slot(struct pgtable *pt, uint64_t vpn);

/** pgtable_peek - the leaf entry of @vpn, or NULL when no table is there. */
struct leaf *pgtable_peek(const struct pgtable *pt, uint64_t vpn);

/** pgtable_count - tables of this tree, the root among them. O(tables). */
uint64_t pgtable_count(const struct pgtable *pt);

/** pgtable_walk - call @fn for each entry with an id of [from, to), in order; stops when it says false. */
typedef bool pgtable_walk_fn(void *arg, uint64_t vpn, struct leaf *slot);
bool pgtable_walk(const struct pgtable *pt, uint64_t from, uint64_t to, pgtable_walk_fn *fn,
                  void *arg);

/**
 * pgtable_prune - free the tables below the root that touch [from, to) and cover
 * no mapping any more. @mapped: is anything mapped in [lo, hi)?
 */
typedef bool pgtable_mapped_fn(const void *arg, uint64_t lo, uint64_t hi);
void pgtable_prune(struct pgtable *pt, uint64_t from, uint64_t to, pgtable_mapped_fn *mapped,
                   const void *arg);

#endif
