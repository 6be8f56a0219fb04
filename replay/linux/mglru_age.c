/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The aging: linux/mm/vmscan.c, try_to_inc_max_seq and what it calls. */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "mglru.h"
#include "prefetch.h"

#define FILTER_WORDS ((1u << MGLRU_FILTER_BITS) / 64)
#define FILTER_MASK ((1u << MGLRU_FILTER_BITS) - 1)

/* ---- Bloom filters: the page tables worth walking ------------------------------------------ */

/* get_item_key. The kernel hashes the kernel address of the entry that leads to the table, which
   no trace tells; here it is the address space and the 2 MiB range, by the golden ratio. */
static void filter_keys(uint32_t mm, uint64_t vpn, uint32_t key[2])
{
    uint64_t item = (uint64_t)mm << 36 | vpn >> PGTABLE_BITS;
    uint32_t hash = (uint32_t)(item * UINT64_C(0x9e3779b97f4a7c15) >> (64 - 2 * MGLRU_FILTER_BITS));
    key[0] = hash & FILTER_MASK;
    key[1] = hash >> MGLRU_FILTER_BITS;
}

/* test_bloom_filter */
static bool filter_has(const struct mglru *g, uint64_t seq, uint32_t mm, uint64_t vpn)
{
    const uint64_t *filter = g->filter[seq % MGLRU_FILTERS];
    uint32_t key[2];
    if (!filter)
        return true;
    filter_keys(mm, vpn, key);
    return filter[key[0] / 64] >> key[0] % 64 & 1 && filter[key[1] / 64] >> key[1] % 64 & 1;
}

/* update_bloom_filter */
static void filter_add(struct mglru *g, uint64_t seq, uint32_t mm, uint64_t vpn)
{
    uint64_t *filter = g->filter[seq % MGLRU_FILTERS];
    uint32_t key[2];
    if (!filter)
        return;
    filter_keys(mm, vpn, key);
    for (int i = 0; i < 2; i++)
        filter[key[i] / 64] |= UINT64_C(1) << key[i] % 64;
}

/* reset_bloom_filter; without memory everything is let through, as in the kernel */
static void filter_reset(struct mglru *g, uint64_t seq)
{
    uint64_t **filter = &g->filter[seq % MGLRU_FILTERS];
    if (*filter)
        memset(*filter, 0, FILTER_WORDS * sizeof **filter);
    else
        *filter = calloc(FILTER_WORDS, sizeof **filter);
}

/* suitable_to_scan: one accessed entry or more to a cache line of eight */
static bool worth_walking(uint64_t entries, uint64_t accessed)
{
    return accessed * 8 >= entries;
}

/* ---- entries ------------------------------------------------------------------------------- */

static bool may_take(const struct linux_mm *lm, uint32_t c, uint8_t bits)
{
    return (bits & (PTE_PRESENT | PTE_YOUNG | PTE_ZERO_PAGE)) == (PTE_PRESENT | PTE_YOUNG) &&
           c < lm->folios_room && mglru_gen_of(lm->mglru, c) >= 0;
}

/* walk_update_folio, of the entry: what the processor has marked dirty is dirty */
static void note_dirty(struct linux_mm *lm, uint32_t c, uint8_t bits)
{
    struct folio *f = &lm->folio[c];
    if (!(bits & PTE_DIRTY))
        return;
    if (folio_is_file(lm, c))
        page_cache_dirty(lm, c);
    else if (lm->vm->cs.kind[c] == CONTENTS_MEMORY || f->flags & FOLIO_SWAP_CACHE)
        folio_mark_dirty(lm, c);
}

/* get_pte_pfn, get_pfn_folio, ptep_clear_young_notify: the folio of an accessed entry, no longer
   accessed now; NO_CONTENTS: it is not, or its folio is on no list of ours. */
static uint32_t take_accessed(struct linux_mm *lm, struct leaf *leaf)
{
    if (!leaf->id)
        return NO_CONTENTS;
    if (!(leaf->id & LEAF_INHERITED)) {
        uint32_t page = leaf->id - 1;
        if (page >= lm->pages_room || !(lm->pte[page] & PTE_YOUNG))
            return NO_CONTENTS;
        uint32_t c = lm->vm->contents[page];
        if (!may_take(lm, c, lm->pte[page]))
            return NO_CONTENTS;
        lm->pte[page] &= (uint8_t)~PTE_YOUNG;
        note_dirty(lm, c, lm->pte[page]);
        return c;
    }
    uint32_t c = leaf->id & ~LEAF_INHERITED;
    if (!may_take(lm, c, (uint8_t)leaf->hw) || leaf->hw >> PTE_BITS != lm->folio[c].unmappings)
        return NO_CONTENTS;
    leaf->hw &= ~(uint32_t)PTE_YOUNG;
    if (!lm->folio[c].inherited_young)
        return NO_CONTENTS; /* aged since */
    lm->folio[c].inherited_young--;
    note_dirty(lm, c, (uint8_t)leaf->hw);
    return c;
}

/* Entries are looked at one after the other. Those EXPECT_ENTRY ahead are on their way to the
   processor, and what those EXPECT_CONTENTS ahead hold. */
#define EXPECT_ENTRY 16u
#define EXPECT_CONTENTS 8u

static PREFETCHES void expect_entry(const struct linux_mm *lm, uint32_t id)
{
    if (!id || id > lm->pages_room)
        return;
    __builtin_prefetch(&lm->pte[id - 1], 1);
    __builtin_prefetch(&lm->vm->contents[id - 1]);
}

static PREFETCHES void expect_contents(const struct linux_mm *lm, uint32_t id)
{
    if (!id || id > lm->pages_room || !(lm->pte[id - 1] & PTE_YOUNG))
        return;
    uint32_t c = lm->vm->contents[id - 1];
    if (c >= lm->folios_room)
        return;
    __builtin_prefetch(&lm->folio[c], 1);
    __builtin_prefetch(&lm->mglru->state[c], 1);
    __builtin_prefetch(&lm->vm->cs.kind[c]);
}

/* All of [@leaf, @end) are going to be. */
static PREFETCHES void expect_begin(const struct linux_mm *lm, const struct leaf *leaf,
                                    const struct leaf *end)
{
    for (uint32_t i = 0; i < EXPECT_ENTRY && leaf + i < end; i++)
        expect_entry(lm, leaf[i].id);
    for (uint32_t i = 0; i < EXPECT_CONTENTS && leaf + i < end; i++)
        expect_contents(lm, leaf[i].id);
}

/* @leaf is. */
static PREFETCHES void expect_next(const struct linux_mm *lm, const struct leaf *leaf,
                                   const struct leaf *end)
{
    if (end - leaf > EXPECT_ENTRY)
        expect_entry(lm, leaf[EXPECT_ENTRY].id);
    if (end - leaf > EXPECT_CONTENTS)
        expect_contents(lm, leaf[EXPECT_CONTENTS].id);
}

/* ---- walks --------------------------------------------------------------------------------- */

/* should_skip_vma */
static bool skips(const struct linux_mm *lm, const struct vma *vma, uint32_t swappiness)
{
    if (!vma->rights || vma->flags & (VMA_SPECIAL | VMA_NO_RECENCY))
        return true;
    bool file = vma->object != NO_OBJECT && lm->vm->cs.objects[vma->object].kind == CONTENTS_FILE;
    return !file && !swappiness;
}

struct walk {
    struct linux_mm *lm;
    uint32_t mm, swappiness;
    bool forced;
};

/* walk_pte_range: one page table, of as many mappings as it has; @i is one of them */
static void walk_table(const struct walk *w, uint64_t table, uint32_t i)
{
    struct mglru *g = w->lm->mglru;
    const struct mm *mm = &w->lm->vm->mms[w->mm];
    struct leaf *leaves = pgtable_peek(&mm->tables, table);
    uint64_t table_end = table + PGTABLE_ENTRIES, entries = 0, accessed = 0;

    if (!leaves || (!w->forced && !filter_has(g, g->max_seq, w->mm, table)))
        return;
    while (i > 0 && mm->vmas[i - 1].end > table)
        i--;
    for (; i < mm->n_vmas && mm->vmas[i].start < table_end; i++) {
        const struct vma *vma = &mm->vmas[i];
        uint64_t first = vma->start > table ? vma->start : table;
        uint64_t end = vma->end < table_end ? vma->end : table_end;
        if (skips(w->lm, vma, w->swappiness))
            continue;
        entries += end - first;
        expect_begin(w->lm, &leaves[first - table], leaves + (end - table));
        for (uint64_t vpn = first; vpn < end; vpn++) {
            expect_next(w->lm, &leaves[vpn - table], leaves + (end - table));
            uint32_t c = take_accessed(w->lm, &leaves[vpn - table]);
            if (c == NO_CONTENTS)
                continue;
            mglru_update_gen(w->lm, c);
            accessed++;
        }
    }
    g->tables_walked++;
    if (worth_walking(entries, accessed))
        filter_add(g, g->max_seq + 1, w->mm, table);
}

static bool stop_at(void *arg, uint64_t vpn, struct leaf *slot)
{
    (void)slot;
    *(uint64_t *)arg = vpn;
    return false;
}

/* walk_mm: addresses ascending, table by table */
static void walk_space(const struct walk *w)
{
    const struct mm *mm = &w->lm->vm->mms[w->mm];
    uint64_t from = 0, vpn;
    for (uint32_t i = 0; i < mm->n_vmas;) {
        const struct vma *vma = &mm->vmas[i];
        if (from < vma->start)
            from = vma->start;
        if (from >= vma->end || skips(w->lm, vma, w->swappiness) ||
            pgtable_walk(&mm->tables, from, vma->end, stop_at, &vpn)) {
            i++;
            continue;
        }
        uint64_t table = vpn & ~(uint64_t)(PGTABLE_ENTRIES - 1);
        walk_table(w, table, i);
        from = table + PGTABLE_ENTRIES;
    }
}

/* lru_gen_use_mm. The kernel marks a space as it is switched to; what matters of it is mostly that
   it has accessed something since its entries were last looked at. */
void mglru_ran(struct linux_mm *lm, uint32_t page)
{
    struct mglru *g = lm->mglru;
    uint32_t mm = lm->vm->mm_of[page];
    if (mm >= g->spaces_room) {
        uint32_t room = grow_room_for(g->spaces_room, (uint64_t)mm + 1);
        if (!room || !grow(&g->used, room)) {
            lm->failed_memory = true;
            return;
        }
        memset(g->used + g->spaces_room, 0, room - g->spaces_room);
        g->spaces_room = room;
    }
    g->used[mm] = 1;
    g->ran_last = mm;
}

/* iterate_mm_list: the group's address spaces, in the order they came into being */
static void walk_spaces(struct linux_mm *lm, uint32_t swappiness)
{
    struct mglru *g = lm->mglru;
    bool first = true;
    for (uint32_t mm = 0; mm < lm->vm->n_mms; mm++) {
        struct walk w = {
            .lm = lm, .mm = mm, .swappiness = swappiness, .forced = mm >= g->first_new_space
        };
        bool used = mm < g->spaces_room && g->used[mm];
        if (!lm->vm->mms[mm].users || (!used && !w.forced && mm != g->ran_last))
            continue;
        if (used)
            g->used[mm] = 0;
        if (first)
            filter_reset(g, g->max_seq + 1);
        first = false;
        walk_space(&w);
    }
    g->first_new_space = lm->vm->n_mms;
    g->walks++;
}

/* ---- generations ----------------------------------------------------------------------------- */

/* inc_min_seq: make room for a new generation. What is in the oldest joins the next, unless the
   type cannot be evicted: then it turns into the youngest. */
static void inc_min_seq(struct linux_mm *lm, enum mglru_type type, uint32_t swappiness)
{
    struct mglru *g = lm->mglru;
    enum lru_list old = mglru_list(type, mglru_gen(g->min_seq[type]));
    uint32_t c;
    while (type >= mglru_first_type(swappiness) && (c = lm->lru[old].oldest) != NO_CONTENTS) {
        uint32_t tier = mglru_tier(lm, c);
        bool lazily = mglru_read_often(lm, c);
        uint32_t gen = mglru_inc_gen(lm, c, false);
        lru_unlink(lm, c);
        lru_add_oldest(lm, c, mglru_list(type, gen));
        if (!lazily)
            mglru_protect(lm, type, tier);
    }
    mglru_carry_over(g, type);
    g->min_seq[type]++;
}

/* inc_max_seq */
static void inc_max_seq(struct linux_mm *lm, uint32_t swappiness)
{
    struct mglru *g = lm->mglru;
    for (int type = 0; type < MGLRU_TYPES; type++)
        if (mglru_n_gens(g, (enum mglru_type)type) == MGLRU_GENS)
            inc_min_seq(lm, (enum mglru_type)type, swappiness);
    g->max_seq++;
}

/* try_to_inc_max_seq */
void mglru_age(struct linux_mm *lm, uint32_t swappiness)
{
    walk_spaces(lm, swappiness);
    inc_max_seq(lm, swappiness);
}

/* The first generation of @type that has a folio on its list, the second youngest at the latest. */
static uint64_t first_populated(const struct linux_mm *lm, enum mglru_type type)
{
    const struct mglru *g = lm->mglru;
    uint64_t seq = g->min_seq[type];
    while (seq + MGLRU_GENS_MIN <= g->max_seq && !lm->lru[mglru_list(type, mglru_gen(seq))].n)
        seq++;
    return seq;
}

/* try_to_inc_min_seq */
bool mglru_drop_empty(struct linux_mm *lm, uint32_t swappiness)
{
    struct mglru *g = lm->mglru;
    uint64_t min[MGLRU_TYPES] = { g->min_seq[MGLRU_ANON], g->min_seq[MGLRU_FILE] };
    bool any = false;

    for (int type = (int)mglru_first_type(swappiness); type < MGLRU_TYPES; type++)
        min[type] = first_populated(lm, (enum mglru_type)type);
    if (min[MGLRU_ANON] == g->min_seq[MGLRU_ANON] && min[MGLRU_FILE] == g->min_seq[MGLRU_FILE])
        return false;
    if (swappiness) { /* neither type gets more than one ahead while the other can be evicted */
        uint64_t seq = g->max_seq - MGLRU_GENS_MIN;
        if (min[MGLRU_ANON] > seq && min[MGLRU_FILE] < seq)
            min[MGLRU_ANON] = seq;
        else if (min[MGLRU_FILE] > seq && min[MGLRU_ANON] < seq)
            min[MGLRU_FILE] = seq;
    }
    for (int type = (int)mglru_first_type(swappiness); type < MGLRU_TYPES; type++) {
        if (min[type] <= g->min_seq[type])
            continue;
        mglru_carry_over(g, (enum mglru_type)type);
        g->min_seq[type] = min[type];
        any = true;
    }
    return any;
}

/* ---- what eviction tells the aging ------------------------------------------------------------ */

/* walk_update_folio outside a walk: promotion is the processor's batch's; kswapd counts as being
   in one */
static void promote(struct linux_mm *lm, uint32_t c)
{
    const struct mglru *g = lm->mglru;
    if (g->kswapd) {
        mglru_update_gen(lm, c);
        return;
    }
    if (mglru_set_refs(lm, c) && mglru_gen_of(g, c) != (int)mglru_gen(g->max_seq))
        mglru_activate(lm, c);
}

/* lru_gen_look_around */
void mglru_look_around(struct linux_mm *lm, uint32_t page)
{
    struct mglru *g = lm->mglru;
    struct fl_page at = vm_page(lm->vm, page);
    const struct mm *mm = &lm->vm->mms[at.mm];
    const struct vma *vma = mm->users ? mm_find(mm, at.vpn) : NULL;
    if (!vma || vma->flags & VMA_SPECIAL)
        return;
    uint64_t table = at.vpn & ~(uint64_t)(PGTABLE_ENTRIES - 1), accessed = 1;
    uint64_t first = vma->start > table ? vma->start : table;
    uint64_t end = vma->end < table + PGTABLE_ENTRIES ? vma->end : table + PGTABLE_ENTRIES;
    struct leaf *leaves = pgtable_peek(&mm->tables, table);
    if (end - first == 1 || !leaves)
        return;
    if (end - first > MGLRU_BATCH) {
        if (at.vpn - first < MGLRU_BATCH / 2) {
            end = first + MGLRU_BATCH;
        } else if (end - at.vpn < MGLRU_BATCH / 2) {
            first = end - MGLRU_BATCH;
        } else {
            first = at.vpn - MGLRU_BATCH / 2;
            end = at.vpn + MGLRU_BATCH / 2;
        }
    }
    expect_begin(lm, &leaves[first - table], leaves + (end - table));
    for (uint64_t vpn = first; vpn < end; vpn++) {
        expect_next(lm, &leaves[vpn - table], leaves + (end - table));
        uint32_t c = take_accessed(lm, &leaves[vpn - table]);
        if (c == NO_CONTENTS)
            continue;
        promote(lm, c);
        accessed++;
    }
    if (worth_walking(end - first, accessed))
        filter_add(g, g->max_seq, at.mm, table);
}
