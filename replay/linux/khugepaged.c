/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small pages made huge in the background: linux/mm/khugepaged.c, by the model's clock. */
#include "linux_mm.h"

#define SCAN_PERIOD_PS UINT64_C(10000000000000) /* scan_sleep_millisecs 10000 */
#define PAGES_TO_SCAN 4096u
#define MAX_SWAP 64u    /* max_ptes_swap */
#define MAX_SHARED 256u /* max_ptes_shared */
#define MIN_YOUNG_SWAPPED (HUGE_PAGES / 2)

struct survey {
    uint32_t present, none, swapped, shared, young;
    bool unfit;
};

static void survey_entry(const struct linux_mm *lm, const struct leaf *leaf, struct survey *s)
{
    uint32_t c = leaf_contents(lm->vm, leaf);
    const struct folio *f = &lm->folio[c];
    uint8_t bits = leaf_bits(lm, leaf);
    if (bits & PTE_ZERO_PAGE || (!(bits & PTE_PRESENT) && f->slot == SWAP_NO_SLOT)) {
        s->none++;
        return;
    }
    if (!(bits & PTE_PRESENT)) {
        s->swapped++;
        return;
    }
    s->present++;
    s->shared += f->mapped > 1;
    s->young += bits & PTE_YOUNG || f->flags & FOLIO_REFERENCED;
    s->unfit |= f->huge || f->lazyfree ||
                f->flags & (FOLIO_BUSY | FOLIO_WRITEBACK | FOLIO_LOCKED) ||
                (f->list >= LRU_UNEVICTABLE && f->list != LRU_BATCHED) ||
                lm->vm->cs.kind[c] != CONTENTS_ANON;
}

/* hpage_collapse_scan_pmd */
static bool worth_it(const struct linux_mm *lm, uint32_t mm, uint64_t from)
{
    struct survey s = { 0 };
    for (uint32_t i = 0; i < HUGE_PAGES; i++) {
        const struct leaf *leaf = pgtable_peek(&lm->vm->mms[mm].tables, from + i);
        if (leaf && leaf->id && leaf_contents(lm->vm, leaf) < lm->folios_room)
            survey_entry(lm, leaf, &s);
        else
            s.none++;
    }
    return !s.unfit && s.present && s.none < HUGE_PAGES && s.swapped <= MAX_SWAP &&
           s.shared <= MAX_SHARED && s.young && (!s.swapped || s.young >= MIN_YOUNG_SWAPPED);
}

/* __collapse_huge_page_swapin: what is on swap comes back first. false: no memory for it. */
static bool bring_in(struct linux_mm *lm, uint32_t mm, uint64_t from)
{
    for (uint32_t i = 0; i < HUGE_PAGES; i++) {
        struct leaf *leaf = pgtable_peek(&lm->vm->mms[mm].tables, from + i);
        if (!leaf || !leaf->id)
            continue;
        uint32_t c = leaf_contents(lm->vm, leaf);
        if (c >= lm->folios_room || leaf_bits(lm, leaf) & PTE_PRESENT ||
            lm->folio[c].slot == SWAP_NO_SLOT)
            continue;
        if (leaf->id & LEAF_INHERITED) /* no entry of its own to map it by */
            return false;
        enum fl_cause cause;
        if (!swap_in(lm, leaf->id - 1, c, &cause))
            return false;
        swap_map(lm, leaf->id - 1, c, false);
    }
    return true;
}

/* The small page's frame goes, its contents move to the huge one's. */
static void leave_small(struct linux_mm *lm, struct leaf *leaf, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (!(leaf->id & LEAF_INHERITED) && lm->unmapped)
        lm->unmapped(lm->arg, leaf->id - 1);
    else if (leaf->hw & PTE_YOUNG && f->inherited_young)
        f->inherited_young--;
    if (--f->mapped)
        return; /* somebody else keeps the page */
    if (f->flags & FOLIO_SWAP_CACHE)
        swap_cache_left(lm, c);
    f->inherited_young = 0;
    folio_free(lm, c);
}

/* collapse_huge_page */
static void collapse(struct linux_mm *lm, uint32_t mm, uint64_t from)
{
    if (!take_huge(lm, true))
        return;
    if (!bring_in(lm, mm, from) || !worth_it(lm, mm, from)) {
        give_pages(lm, HUGE_PAGES);
        return;
    }
    for (uint32_t i = 0; i < HUGE_PAGES; i++) {
        struct leaf *leaf = pgtable_peek(&lm->vm->mms[mm].tables, from + i);
        uint32_t c = leaf && leaf->id ? leaf_contents(lm->vm, leaf) : NO_CONTENTS;
        if (c < lm->folios_room &&
            (leaf_bits(lm, leaf) & (PTE_PRESENT | PTE_ZERO_PAGE)) == PTE_PRESENT)
            leave_small(lm, leaf, c);
    }
    huge_map_taken(lm, mm, from);
    lm->thp.collapses++;
}

/* One range. */
static void scan_range(struct linux_mm *lm, uint32_t mm, uint64_t from)
{
    if (pmd_find(lm, mm, from) == NO_PMD && huge_allowed(lm, mm, from) && worth_it(lm, mm, from))
        collapse(lm, mm, from);
}

/* The next 2 MiB at or after the cursor within a mapping that may be huge; false: the last was. */
static bool next_range(struct linux_mm *lm)
{
    struct thp *thp = &lm->thp;
    for (; thp->scan_mm < lm->vm->n_mms; thp->scan_mm++, thp->scan_number = 0) {
        const struct mm *mm = &lm->vm->mms[thp->scan_mm];
        for (uint32_t i = 0; mm->users && i < mm->n_vmas; i++) {
            uint64_t first = (mm->vmas[i].start + HUGE_PAGES - 1) >> HUGE_SHIFT;
            if (first < thp->scan_number)
                first = thp->scan_number;
            if (first << HUGE_SHIFT >= mm->vmas[i].end ||
                !huge_allowed(lm, thp->scan_mm, first << HUGE_SHIFT))
                continue;
            thp->scan_number = first;
            return true;
        }
    }
    return false;
}

/* khugepaged_do_scan */
static void scan(struct linux_mm *lm)
{
    uint32_t rounds = 0;
    for (uint32_t n = 0; n < PAGES_TO_SCAN && rounds < 2;) {
        if (!next_range(lm)) {
            lm->thp.scan_mm = 0;
            lm->thp.scan_number = 0;
            rounds++;
            continue;
        }
        scan_range(lm, lm->thp.scan_mm, lm->thp.scan_number << HUGE_SHIFT);
        lm->thp.scan_number++;
        n += HUGE_PAGES;
    }
}

void khugepaged_run(struct linux_mm *lm)
{
    if (lm->now_ps < lm->thp.next_scan_ps)
        return;
    lm->thp.next_scan_ps = lm->now_ps + SCAN_PERIOD_PS;
    bool in_fault = lm->in_fault;
    lm->in_fault = false;
    scan(lm);
    lm->in_fault = in_fault;
}
