/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * mglru.h - the multi-generational LRU in place of active and inactive lists:
 * docs/model-mglru.md.
 *
 * mglru.c        generations, insertion, accesses by read(2), tiers, refaults
 * mglru_age.c    the youngest generation: page-table walks, Bloom filters, looking around
 * mglru_evict.c  the oldest: which type and tiers go, and what becomes of each folio
 *
 * A folio belongs to a generation, by number, and lies on a list; promotion by a walk changes
 * only the former, and eviction sorts the folio when it meets it. Lists are linux_mm.lru[],
 * type * MGLRU_GENS + generation.
 */
#ifndef REPLAY_LINUX_MGLRU_H
#define REPLAY_LINUX_MGLRU_H

#include "linux_mm.h"

#define MGLRU_GENS 4u         /* MAX_NR_GENS */
#define MGLRU_GENS_MIN 2u     /* MIN_NR_GENS */
#define MGLRU_TIERS 4u        /* MAX_NR_TIERS */
#define MGLRU_BATCH 64u       /* MIN_LRU_BATCH */
#define MGLRU_BATCH_MAX 4096u /* MAX_LRU_BATCH */
#define MGLRU_FILTER_BITS 15u /* BLOOM_FILTER_SHIFT */
#define MGLRU_FILTERS 2u      /* NR_BLOOM_FILTERS */
#define MGLRU_REFS_MAX 3u     /* of LRU_REFS_WIDTH bits */
#define MGLRU_SWAPPINESS_MAX 200u
#define MGLRU_HELD 0x20u /* of a folio's state */

enum mglru_type { MGLRU_ANON, MGLRU_FILE, MGLRU_TYPES };

/* What the controller counts, by type and tier, since the oldest generation last changed. */
struct mglru_counts {
    uint64_t avg_refaulted, avg_total; /* of the generations before: moving averages */
    uint64_t refaulted, evicted, protected_;
};

struct mglru {
    uint64_t max_seq, min_seq[MGLRU_TYPES];
    uint64_t pages[MGLRU_TYPES][MGLRU_GENS]; /* by the generation they belong to */
    struct mglru_counts counts[MGLRU_TYPES][MGLRU_TIERS];
    uint8_t *state; /* by contents: generation + 1 (0: on no list), references << 3, held << 5 */
    uint32_t state_room;
    uint32_t activating[LRU_BATCH]; /* the processor's batch of folios to activate */
    uint32_t n_activating;
    bool kswapd; /* it is kswapd that reclaims: see mglru_look_around() */

    /* page-table walks */
    uint8_t *used; /* by address space: it has run since it was last walked */
    uint32_t spaces_room;
    uint32_t ran_last;               /* the address space whose program reclaim interrupts */
    uint32_t first_new_space;        /* from here on: never walked, so no filter applies */
    uint64_t *filter[MGLRU_FILTERS]; /* NULL: lets everything through */
    uint64_t walks, tables_walked;   /* page tables: of the last level */
};

/* ---- mglru.c ----------------------------------------------------------------------------- */

int mglru_init(struct linux_mm *lm, struct fl_err *err);
void mglru_fini(struct linux_mm *lm);
int mglru_room(struct linux_mm *lm, uint32_t n_contents, struct fl_err *err);

/** mglru_add - @c, on no list, joins a generation. @active: as PG_active, by a fault or reclaim. */
void mglru_add(struct linux_mm *lm, uint32_t c, bool active);
/** mglru_add_oldest - the same for a folio to be reclaimed next. */
void mglru_add_oldest(struct linux_mm *lm, uint32_t c);
/** mglru_activate - @c, on a list, joins the processor's batch, which activates it once full. */
void mglru_activate(struct linux_mm *lm, uint32_t c);
/** mglru_activate_drain - those in the batch that are on a list still are activated now. */
void mglru_activate_drain(struct linux_mm *lm);
/** mglru_left - lru_remove() has taken @c off its list. */
void mglru_left(struct linux_mm *lm, uint32_t c);
/** mglru_mark_accessed - by read(2), or an unmapped entry of a file that was accessed. */
void mglru_mark_accessed(struct linux_mm *lm, uint32_t c);
/** mglru_set_refs - reclaim found an accessed entry of @c. true: not for the first time. */
bool mglru_set_refs(struct linux_mm *lm, uint32_t c);
/** mglru_deactivates - forget how @c was used. true: and there is an older place to move it to. */
bool mglru_deactivates(struct linux_mm *lm, uint32_t c);
void mglru_evicted(struct linux_mm *lm, uint32_t c);
void mglru_refault(struct linux_mm *lm, uint32_t c);

/** mglru_check - O(n) walk of the invariants, for tests. */
bool mglru_check(const struct linux_mm *lm);

/* ---- mglru_age.c ------------------------------------------------------------------------- */

/** mglru_ran - the address space of @page has run, and something was not yet marked accessed. */
void mglru_ran(struct linux_mm *lm, uint32_t page);
/** mglru_look_around - reclaim has found the entry of @page accessed: so may be its neighbours. */
void mglru_look_around(struct linux_mm *lm, uint32_t page);
/** mglru_age - walk the page tables, then open a new generation. */
void mglru_age(struct linux_mm *lm, uint32_t swappiness);
/** mglru_drop_empty - let the oldest generations go that have no folios. true: some did. */
bool mglru_drop_empty(struct linux_mm *lm, uint32_t swappiness);

/* ---- mglru_evict.c ----------------------------------------------------------------------- */

/** mglru_shrink - one pass over the group at sc->priority. */
void mglru_shrink(struct linux_mm *lm, struct scan_control *sc);
/** mglru_type_to_scan, mglru_tier_to_evict - the controller's choices. */
enum mglru_type mglru_type_to_scan(const struct mglru *g, uint32_t swappiness);
uint32_t mglru_tier_to_evict(const struct mglru *g, enum mglru_type type);

/* ---- between the files ------------------------------------------------------------------- */

static inline enum mglru_type mglru_type(const struct linux_mm *lm, uint32_t c)
{
    return folio_is_file_lru(lm, c) ? MGLRU_FILE : MGLRU_ANON;
}

static inline uint32_t mglru_gen(uint64_t seq)
{
    return (uint32_t)(seq % MGLRU_GENS);
}

static inline enum lru_list mglru_list(enum mglru_type type, uint32_t gen)
{
    return (enum lru_list)(type * MGLRU_GENS + gen);
}

/* The generation @c belongs to, -1: none, as it is on no list. */
static inline int mglru_gen_of(const struct mglru *g, uint32_t c)
{
    return (g->state[c] & 7) - 1;
}

/* In the batch of folios to activate, whose reference keeps @c from being freed. */
static inline bool mglru_held(const struct mglru *g, uint32_t c)
{
    return g->state[c] & MGLRU_HELD;
}

/* How many generations a type has. */
static inline uint64_t mglru_n_gens(const struct mglru *g, enum mglru_type type)
{
    return g->max_seq - g->min_seq[type] + 1;
}

/* The types that may be evicted: no anonymous pages without swappiness. */
static inline enum mglru_type mglru_first_type(uint32_t swappiness)
{
    return swappiness ? MGLRU_ANON : MGLRU_FILE;
}

void mglru_update_gen(struct linux_mm *lm, uint32_t c);
uint32_t mglru_inc_gen(struct linux_mm *lm, uint32_t c, bool for_writing);
uint64_t mglru_seq_for(const struct linux_mm *lm, uint32_t c, bool active, bool rotated);
void mglru_carry_over(struct mglru *g, enum mglru_type type);
uint32_t mglru_refs(const struct linux_mm *lm, uint32_t c);
uint32_t mglru_tier(const struct linux_mm *lm, uint32_t c);
bool mglru_read_often(const struct linux_mm *lm, uint32_t c);
void mglru_protect(struct linux_mm *lm, enum mglru_type type, uint32_t tier);

#endif
