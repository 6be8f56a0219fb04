/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold between two references, whatever came before. */
#include <stdlib.h>

#include "mglru.h"

/* Counted from the other side: what the page tables and the lists say of each folio. */
struct tally {
    uint32_t present, absent, locking;
    bool listed;
};

struct census {
    const struct linux_mm *lm;
    struct tally *of; /* by contents */
    uint32_t n;
};

static bool count_entry(void *arg, uint64_t vpn, struct leaf *leaf)
{
    struct census *census = arg;
    const struct linux_mm *lm = census->lm;
    bool inherited = leaf->id & LEAF_INHERITED;
    uint32_t c = leaf_contents(lm->vm, leaf);
    (void)vpn;
    if (c >= census->n)
        return inherited; /* never referred to: it has no folio yet */
    uint32_t bits = inherited ? leaf->hw & 0xff : lm->pte[leaf->id - 1];
    bool gone = inherited && leaf->hw >> PTE_BITS != lm->folio[c].unmappings;
    if (bits & PTE_ZERO_PAGE)
        return true;
    if (bits & PTE_PRESENT && !gone)
        census->of[c].present++;
    else if (bits & PTE_LOCKED && !gone)
        return false;
    else
        census->of[c].absent++;
    census->of[c].locking += bits & PTE_LOCKED && !gone;
    return true;
}

/* Sizes, and the links of both directions. */
static bool check_list(struct census *census, int list)
{
    const struct linux_mm *lm = census->lm;
    const struct lru *lru = &lm->lru[list];
    uint32_t newer = NO_CONTENTS, n = 0;
    for (uint32_t c = lru->newest; c != NO_CONTENTS; newer = c, c = lm->folio[c].older) {
        if (c >= census->n || n >= lru->n || census->of[c].listed || lm->folio[c].list != list ||
            lm->folio[c].newer != newer)
            return false;
        census->of[c].listed = true;
        n += folio_pages(lm, c);
    }
    return n == lru->n && newer == lru->oldest && lm->stat.size[list] == n;
}

static bool check_batch(struct census *census)
{
    const struct linux_mm *lm = census->lm;
    for (uint32_t i = 0; i < lm->n_batch; i++) {
        uint32_t c = lm->batch[i];
        if (c >= census->n || census->of[c].listed || lm->folio[c].list != LRU_BATCHED)
            return false;
        census->of[c].listed = true;
    }
    return lm->n_batch < LRU_BATCH;
}

/* The slot of @c, and who says to hold it. */
static bool check_slot(const struct linux_mm *lm, uint32_t c, const struct tally *t)
{
    const struct folio *f = &lm->folio[c];
    bool cached = f->flags & FOLIO_SWAP_CACHE, anonymous = lm->vm->cs.kind[c] == CONTENTS_ANON;
    if (f->slot == SWAP_NO_SLOT)
        return !cached && !(anonymous && f->flags & FOLIO_RESIDENT && t->absent);
    uint32_t maps = swap_slot_maps(&lm->swap, f->slot);
    return swap_slot_in_use(&lm->swap, f->slot) && swap_slot_owner(&lm->swap, f->slot) == c &&
           swap_slot_cached(&lm->swap, f->slot) == cached &&
           cached == ((f->flags & FOLIO_RESIDENT) != 0) &&
           (anonymous ? maps == t->absent : maps <= 1);
}

/* Locked if an entry says so, and on lists of its kind. */
static bool check_kind(const struct linux_mm *lm, uint32_t c, const struct tally *t)
{
    const struct folio *f = &lm->folio[c];
    bool unevictable = f->list == LRU_UNEVICTABLE;
    if (unevictable != (t->locking > 0) || unevictable != ((f->flags & FOLIO_LOCKED) != 0) ||
        (unevictable && f->mlock_count != t->locking))
        return false;
    if (f->lazyfree && (lm->vm->cs.kind[c] != CONTENTS_ANON || !(f->flags & FOLIO_RESIDENT) ||
                        f->flags & FOLIO_SWAP_CACHE))
        return false;
    return lm->mglru || f->list >= LRU_LISTS ||
           f->list == lru_home(lm, c, f->list == LRU_ACTIVE_ANON || f->list == LRU_ACTIVE_FILE);
}

static bool check_folio(const struct linux_mm *lm, uint32_t c, const struct tally *t)
{
    const struct folio *f = &lm->folio[c];
    bool resident = f->flags & FOLIO_RESIDENT, charged = f->flags & FOLIO_CHARGED;
    if (c >= lm->vm->cs.n) /* no such contents yet */
        return f->list == LRU_NONE && !f->flags && f->slot == SWAP_NO_SLOT;
    if (f->flags & FOLIO_BUSY || (charged && !resident))
        return false;
    if (t->listed != (f->list < LRU_LISTS_MAX || f->list == LRU_BATCHED) ||
        charged != (f->list != LRU_NONE))
        return false;
    return f->mapped == t->present && (resident || !f->mapped) && check_kind(lm, c, t) &&
           check_slot(lm, c, t);
}

static bool check_sums(const struct linux_mm *lm)
{
    uint64_t charged = 0, slots = 0;
    for (uint32_t c = 0; c < lm->folios_room; c++) {
        charged += (lm->folio[c].flags & FOLIO_CHARGED) != 0;
        slots += lm->folio[c].slot != SWAP_NO_SLOT;
    }
    return charged == lm->resident && slots == lm->swap.used &&
           lm->usage == lm->stock + charged + lm->kernel_pages + lm->thp.unmapped_pages &&
           lm->usage <= lm->opts.limit_pages;
}

/* Every page that was free at first is free, on a CPU's list, a folio's, or the kernel's. */
static bool check_zones(const struct linux_mm *lm)
{
    const struct zones_config *config = &lm->opts.zones;
    uint64_t in_folios[ZONES] = { 0 }, on_cpus = 0, taken = 0;
    if (!lm->frames)
        return true;
    for (uint32_t c = 0; c < lm->folios_room; c++)
        if (lm->folio[c].flags & FOLIO_CHARGED)
            in_folios[buddy_zones_zone(lm->frames, lm->frame_of[c])]++;
    for (int i = 0; i < ZONES; i++) {
        char why[128];
        if (in_folios[i] != lm->in_folios[i] || !buddy_check(lm->frames->buddy[i], why, sizeof why))
            return false;
        on_cpus += buddy_zones_on_cpus(lm->frames, (enum zone_type)i);
        taken += in_folios[i];
    }
    taken += lm->kernel_pages + lm->thp.unmapped_pages;
    return lm->held[PAGES_OF_KERNEL].n == lm->kernel_pages &&
           lm->held[PAGES_OF_FOLIOS].n == lm->thp.unmapped_pages &&
           zones_free(&lm->frames->zones) + on_cpus + taken ==
               config->ram_pages - config->base_pages;
}

/* The parts of each huge folio, and the entries of 2 MiB that map it. */
static bool check_huge(const struct linux_mm *lm)
{
    uint64_t unmapped = 0, entries = 0;
    for (uint32_t h = 0; h < lm->thp.n_huge; h++) {
        const struct huge *huge = &lm->thp.huge[h];
        uint32_t live = 0;
        if (!huge->n_live)
            continue;
        for (uint32_t i = 0; i < HUGE_PAGES; i++) {
            uint32_t c = huge->contents[i];
            if (c == NO_CONTENTS)
                continue;
            live++;
            if (c >= lm->folios_room || lm->folio[c].huge != h + 1 ||
                (lm->folio[c].list == LRU_TAIL) != (i != huge->head) ||
                !(lm->folio[c].flags & FOLIO_CHARGED))
                return false;
        }
        unmapped += HUGE_PAGES - live;
        for (uint32_t p = huge->first_pmd; p != NO_PMD; p = lm->thp.pmd[p].sibling, entries++)
            if (lm->thp.pmd[p].huge != h || live != HUGE_PAGES)
                return false;
        if (live != huge->n_live || huge->contents[huge->head] == NO_CONTENTS)
            return false;
    }
    for (uint32_t p = 0; p < lm->thp.n_pmds; p++)
        entries += lm->thp.pmd[p].mm != NO_PMD && lm->thp.pmd[p].huge == HUGE_ZERO;
    return unmapped == lm->thp.unmapped_pages && entries == lm->thp.pmds_used;
}

bool linux_check(const struct linux_mm *lm)
{
    struct census census = { .lm = lm, .n = lm->folios_room };
    census.of = calloc(census.n + UINT64_C(1), sizeof *census.of);
    bool ok = census.of && swap_area_check(&lm->swap) && check_huge(lm) && check_sums(lm) &&
              check_zones(lm) && check_batch(&census) && (!lm->mglru || mglru_check(lm));
    for (int list = 0; ok && list < LRU_LISTS_MAX; list++)
        ok = check_list(&census, list);
    for (uint32_t i = 0; ok && i < lm->vm->n_mms; i++)
        ok = !lm->vm->mms[i].users ||
             pgtable_walk(&lm->vm->mms[i].tables, 0, pgtable_span_pages(lm->vm->levels),
                          count_entry, &census);
    for (uint32_t c = 0; ok && c < census.n; c++)
        ok = check_folio(lm, c, &census.of[c]);
    free(census.of);
    return ok;
}
