/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Generations: linux/include/linux/mm_inline.h, mm/vmscan.c, mm/swap.c, mm/workingset.c. */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "mglru.h"

#define GEN_MASK 7u
#define REFS_SHIFT 3

/* lru_gen_init_lruvec */
int mglru_init(struct linux_mm *lm, struct fl_err *err)
{
    lm->mglru = calloc(1, sizeof *lm->mglru);
    if (!lm->mglru)
        return fl_nomem(err, "generations");
    lm->mglru->max_seq = MGLRU_GENS_MIN + 1;
    return FL_OK;
}

void mglru_fini(struct linux_mm *lm)
{
    struct mglru *g = lm->mglru;
    if (!g)
        return;
    for (uint32_t i = 0; i < MGLRU_FILTERS; i++)
        free(g->filter[i]);
    free(g->used);
    free(g->state);
    free(g);
    lm->mglru = NULL;
}

int mglru_room(struct linux_mm *lm, uint32_t n_contents, struct fl_err *err)
{
    struct mglru *g = lm->mglru;
    if (n_contents <= g->state_room)
        return FL_OK;
    if (!grow(&g->state, n_contents))
        return fl_nomem(err, "generations");
    memset(g->state + g->state_room, 0, n_contents - g->state_room);
    g->state_room = n_contents;
    return FL_OK;
}

/* ---- a folio's references ---------------------------------------------------------------- */

static void set_state(struct mglru *g, uint32_t c, int gen, uint32_t refs)
{
    g->state[c] = (uint8_t)((uint32_t)(gen + 1) | refs << REFS_SHIFT | (g->state[c] & MGLRU_HELD));
}

/* The reference bits of a folio that is referenced: those after the first. */
static uint32_t ref_bits(const struct mglru *g, uint32_t c)
{
    return g->state[c] >> REFS_SHIFT & MGLRU_REFS_MAX;
}

/* folio_lru_refs: how often it was read, 0 to 4 */
uint32_t mglru_refs(const struct linux_mm *lm, uint32_t c)
{
    if (!(lm->folio[c].flags & FOLIO_REFERENCED))
        return 0;
    return ref_bits(lm->mglru, c) + 1;
}

/* lru_tier_from_refs */
uint32_t mglru_tier(const struct linux_mm *lm, uint32_t c)
{
    static const uint32_t order[] = { 0, 0, 1, 2, 2 };
    if (lm->folio[c].flags & FOLIO_WORKINGSET)
        return MGLRU_TIERS - 1;
    return order[mglru_refs(lm, c)];
}

/* Read so often that every bit is set: promoted for it by one generation, not counted. */
bool mglru_read_often(const struct linux_mm *lm, uint32_t c)
{
    return lm->folio[c].flags & FOLIO_WORKINGSET && mglru_refs(lm, c) == MGLRU_REFS_MAX + 1;
}

void mglru_protect(struct linux_mm *lm, enum mglru_type type, uint32_t tier)
{
    lm->mglru->counts[type][tier].protected_++;
}

static void clear_refs(struct linux_mm *lm, uint32_t c)
{
    struct mglru *g = lm->mglru;
    lm->folio[c].flags &= (uint16_t)~FOLIO_REFERENCED;
    set_state(g, c, mglru_gen_of(g, c), 0);
}

/* lru_gen_clear_refs */
bool mglru_deactivates(struct linux_mm *lm, uint32_t c)
{
    const struct mglru *g = lm->mglru;
    clear_refs(lm, c);
    lm->folio[c].flags &= (uint16_t)~FOLIO_WORKINGSET;
    int gen = mglru_gen_of(g, c);
    return gen >= 0 && (uint32_t)gen != mglru_gen(g->min_seq[mglru_type(lm, c)]);
}

/* lru_gen_inc_refs */
void mglru_mark_accessed(struct linux_mm *lm, uint32_t c)
{
    struct mglru *g = lm->mglru;
    struct folio *f = &lm->folio[c];
    if (f->list == LRU_UNEVICTABLE)
        return;
    uint32_t refs = ref_bits(g, c);
    if (!(f->flags & FOLIO_REFERENCED)) {
        f->flags |= FOLIO_REFERENCED;
        refs = 0;
    } else if (refs == MGLRU_REFS_MAX) {
        f->flags |= FOLIO_WORKINGSET;
    } else {
        refs++;
    }
    set_state(g, c, mglru_gen_of(g, c), refs);
}

/* lru_gen_set_refs */
bool mglru_set_refs(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    bool first = !(f->flags & (FOLIO_REFERENCED | FOLIO_WORKINGSET));
    clear_refs(lm, c);
    f->flags |= first ? FOLIO_REFERENCED : FOLIO_WORKINGSET;
    return !first;
}

/* ---- moves ------------------------------------------------------------------------------- */

static void change_gen(struct mglru *g, uint32_t c, enum mglru_type type, uint32_t gen)
{
    g->pages[type][mglru_gen_of(g, c)]--;
    g->pages[type][gen]++;
    set_state(g, c, (int)gen, ref_bits(g, c));
}

/* lru_gen_folio_seq: where a folio is put */
uint64_t mglru_seq_for(const struct linux_mm *lm, uint32_t c, bool active, bool rotated)
{
    const struct mglru *g = lm->mglru;
    uint16_t flags = lm->folio[c].flags;
    enum mglru_type type = mglru_type(lm, c);
    bool workingset = flags & FOLIO_WORKINGSET;
    uint32_t nth; /* youngest */

    if (active)
        nth = MGLRU_GENS_MIN - workingset;
    else if (rotated)
        nth = MGLRU_GENS;
    else if ((type == MGLRU_ANON && !(flags & FOLIO_SWAP_CACHE)) ||
             (flags & FOLIO_RECLAIM && flags & (FOLIO_DIRTY | FOLIO_WRITEBACK)))
        nth = MGLRU_GENS_MIN;
    else
        nth = MGLRU_GENS - workingset;
    uint64_t seq = g->max_seq + 1 - nth;
    return seq > g->min_seq[type] ? seq : g->min_seq[type];
}

static enum lru_list join(struct linux_mm *lm, uint32_t c, uint64_t seq)
{
    struct mglru *g = lm->mglru;
    enum mglru_type type = mglru_type(lm, c);
    uint32_t gen = mglru_gen(seq);
    set_state(g, c, (int)gen, ref_bits(g, c));
    g->pages[type][gen]++;
    return mglru_list(type, gen);
}

/* lru_gen_add_folio */
void mglru_add(struct linux_mm *lm, uint32_t c, bool active)
{
    lru_add(lm, c, join(lm, c, mglru_seq_for(lm, c, active, false)));
}

/* lru_move_tail */
void mglru_add_oldest(struct linux_mm *lm, uint32_t c)
{
    lru_add_oldest(lm, c, join(lm, c, mglru_seq_for(lm, c, false, true)));
}

/* folio_activate. One that is found accessed twice is in the batch twice. */
void mglru_activate(struct linux_mm *lm, uint32_t c)
{
    struct mglru *g = lm->mglru;
    g->state[c] |= MGLRU_HELD;
    g->activating[g->n_activating++] = c;
    if (g->n_activating == LRU_BATCH)
        mglru_activate_drain(lm);
}

/* folio_batch_move_lru, lru_activate */
void mglru_activate_drain(struct linux_mm *lm)
{
    struct mglru *g = lm->mglru;
    for (uint32_t i = 0; i < g->n_activating; i++) {
        uint32_t c = g->activating[i];
        g->state[c] &= (uint8_t)~MGLRU_HELD;
        if (mglru_gen_of(g, c) < 0)
            continue;
        lru_remove(lm, c);
        mglru_add(lm, c, true);
        lm->activated++;
    }
    g->n_activating = 0;
}

/* lru_gen_del_folio */
void mglru_left(struct linux_mm *lm, uint32_t c)
{
    struct mglru *g = lm->mglru;
    g->pages[mglru_type(lm, c)][mglru_gen_of(g, c)]--;
    set_state(g, c, -1, ref_bits(g, c));
}

/* folio_update_gen: a page-table walk found @c accessed. It stays where it is on its list. */
void mglru_update_gen(struct linux_mm *lm, uint32_t c)
{
    if (mglru_set_refs(lm, c))
        change_gen(lm->mglru, c, mglru_type(lm, c), mglru_gen(lm->mglru->max_seq));
}

/* folio_inc_gen: from the oldest generation to the next, unless it was promoted meanwhile */
uint32_t mglru_inc_gen(struct linux_mm *lm, uint32_t c, bool for_writing)
{
    struct mglru *g = lm->mglru;
    enum mglru_type type = mglru_type(lm, c);
    uint32_t gen = (uint32_t)mglru_gen_of(g, c);
    if (gen != mglru_gen(g->min_seq[type]))
        return gen;
    clear_refs(lm, c);
    if (for_writing)
        lm->folio[c].flags |= FOLIO_RECLAIM;
    gen = mglru_gen(g->min_seq[type] + 1);
    change_gen(g, c, type, gen);
    return gen;
}

/* reset_ctrl_pos: the oldest generation of a type changes */
void mglru_carry_over(struct mglru *g, enum mglru_type type)
{
    for (uint32_t tier = 0; tier < MGLRU_TIERS; tier++) {
        struct mglru_counts *n = &g->counts[type][tier];
        n->avg_refaulted = (n->avg_refaulted + n->refaulted) / 2;
        n->avg_total = (n->avg_total + n->evicted + n->protected_) / 2;
        n->refaulted = n->evicted = n->protected_ = 0;
    }
}

/* ---- refaults ---------------------------------------------------------------------------- */

#define SHADOW_REFS_BITS 2
#define SHADOW_SEQ_MASK (UINT32_MAX >> SHADOW_REFS_BITS)

/* lru_gen_eviction */
void mglru_evicted(struct linux_mm *lm, uint32_t c)
{
    struct mglru *g = lm->mglru;
    struct folio *f = &lm->folio[c];
    enum mglru_type type = mglru_type(lm, c);
    uint32_t refs = mglru_refs(lm, c);

    f->shadow = (uint32_t)g->min_seq[type] << SHADOW_REFS_BITS | (refs ? refs - 1 : 0);
    f->flags &= (uint16_t)~FOLIO_SHADOW_WORKINGSET;
    f->flags |= FOLIO_SHADOW;
    if (f->flags & FOLIO_WORKINGSET)
        f->flags |= FOLIO_SHADOW_WORKINGSET;
    g->counts[type][mglru_tier(lm, c)].evicted++;
}

/* lru_gen_test_recent */
static bool recent(const struct mglru *g, uint32_t shadow)
{
    uint32_t now = (uint32_t)g->max_seq & SHADOW_SEQ_MASK, then = shadow >> SHADOW_REFS_BITS;
    return (now > then ? now - then : then - now) < MGLRU_GENS;
}

/* lru_gen_refault. What it was read before does not count again: the reference bits that the
   kernel restores mean nothing without PG_referenced, and are cleared as that is set. */
void mglru_refault(struct linux_mm *lm, uint32_t c)
{
    static const uint32_t tier_of[] = { 0, 1, 2, 2 }; /* by references after the first */
    struct folio *f = &lm->folio[c];
    enum mglru_type type = mglru_type(lm, c);
    if (!(f->flags & FOLIO_SHADOW))
        return;
    f->flags &= (uint16_t)~FOLIO_SHADOW;
    lm->refaults++;
    if (!recent(lm->mglru, f->shadow))
        return;
    bool workingset = f->flags & FOLIO_SHADOW_WORKINGSET;
    uint32_t tier = workingset ? MGLRU_TIERS - 1 : tier_of[f->shadow & MGLRU_REFS_MAX];
    lm->mglru->counts[type][tier].refaulted++;
    if (lm->in_fault)
        lm->stat.activate[type]++;
    if (workingset)
        f->flags |= FOLIO_WORKINGSET;
}

/* ---- tests ------------------------------------------------------------------------------- */

static bool check_list(const struct linux_mm *lm, enum lru_list list, uint64_t *pages)
{
    const struct lru *lru = &lm->lru[list];
    enum mglru_type type = (enum mglru_type)(list / MGLRU_GENS);
    uint32_t n = 0, newer = NO_CONTENTS;
    for (uint32_t c = lru->newest; c != NO_CONTENTS; newer = c, c = lm->folio[c].older, n++) {
        const struct folio *f = &lm->folio[c];
        int gen = mglru_gen_of(lm->mglru, c);
        if (n >= lru->n || f->list != list || f->newer != newer || gen < 0 ||
            mglru_type(lm, c) != type || !(f->flags & FOLIO_RESIDENT))
            return false;
        pages[gen]++;
    }
    return n == lru->n && lru->oldest == newer;
}

bool mglru_check(const struct linux_mm *lm)
{
    const struct mglru *g = lm->mglru;
    uint64_t on_lists = 0;
    for (int type = 0; type < MGLRU_TYPES; type++) {
        uint64_t pages[MGLRU_GENS] = { 0 };
        uint64_t n_gens = mglru_n_gens(g, (enum mglru_type)type);
        if (n_gens < MGLRU_GENS_MIN || n_gens > MGLRU_GENS)
            return false;
        for (uint32_t gen = 0; gen < MGLRU_GENS; gen++) {
            enum lru_list list = mglru_list((enum mglru_type)type, gen);
            if (!check_list(lm, list, pages))
                return false;
            on_lists += lm->lru[list].n;
        }
        for (uint32_t gen = 0; gen < MGLRU_GENS; gen++)
            if (pages[gen] != g->pages[type][gen])
                return false;
        for (uint64_t seq = g->max_seq + 1; seq < g->min_seq[type] + MGLRU_GENS; seq++)
            if (pages[mglru_gen(seq)])
                return false;
    }
    for (uint32_t c = 0; c < lm->folios_room; c++) {
        bool listed = lm->folio[c].list < LRU_UNEVICTABLE;
        if (listed != (mglru_gen_of(g, c) >= 0))
            return false;
        on_lists -= listed;
    }
    return !on_lists;
}
