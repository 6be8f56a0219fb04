/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults of 2 MiB: linux/mm/huge_memory.c, do_huge_pmd_anonymous_page, do_huge_pmd_wp_page. */
#include "linux_mm.h"

/* ---- where ---------------------------------------------------------------------------------- */

/* The kernel has one mapping where the trace has two alike, side by side. */
static bool alike(const struct vma *a, const struct vma *b)
{
    return a->object == NO_OBJECT && b->object == NO_OBJECT && a->rights == b->rights &&
           !((a->flags ^ b->flags) & ~VMA_HAD_ANON);
}

bool huge_holds_range(const struct mm *mm, const struct vma *vma, uint64_t from, uint64_t to)
{
    const struct vma *first = vma, *last = vma, *end = mm->vmas + mm->n_vmas;
    while (first > mm->vmas && first->start > from && first[-1].end == first->start &&
           alike(first - 1, first))
        first--;
    while (last + 1 < end && last->end < to && last[1].start == last->end && alike(last, last + 1))
        last++;
    return first->start <= from && last->end >= to;
}

/* thp_vma_allowable_order, thp_vma_suitable_order */
struct vma *huge_allowed(const struct linux_mm *lm, uint32_t mm, uint64_t vpn)
{
    struct vma *vma = mm_find(&lm->vm->mms[mm], vpn);
    uint64_t from = vpn & ~(uint64_t)(HUGE_PAGES - 1);
    if (!vma || vma->object != NO_OBJECT ||
        vma->flags & (VMA_SHARED | VMA_SPECIAL | VMA_NO_HUGE | VMA_LOCKED))
        return NULL;
    if (lm->opts.thp == FL_THP_MADVISE && !(vma->flags & VMA_HUGE))
        return NULL;
    return huge_holds_range(&lm->vm->mms[mm], vma, from, from + HUGE_PAGES) ? vma : NULL;
}

/* Nothing but @vpn has an entry there: as if there were no table yet (pmd_none). */
static bool range_is_empty(const struct mm *mm, uint64_t vpn)
{
    uint64_t from = vpn & ~(uint64_t)(HUGE_PAGES - 1);
    for (uint64_t at = from; at < from + HUGE_PAGES; at++) {
        const struct leaf *leaf = at == vpn ? NULL : pgtable_peek(&mm->tables, at);
        if (leaf && leaf->id)
            return false;
    }
    return true;
}

/* ---- a new huge page -------------------------------------------------------------------------- */

/* What @page, which another space shares with this one, holds from now on is its own. */
static uint32_t own_contents(struct vm *vm, struct leaf *leaf, uint32_t c)
{
    uint32_t own = contents_new(&vm->cs, CONTENTS_ANON);
    if (own == NO_CONTENTS)
        return own;
    contents_mapper_added(&vm->cs, own);
    if (leaf->id & LEAF_INHERITED) {
        leaf->id = own | LEAF_INHERITED;
    } else {
        page_unmap(vm, leaf->id - 1);
        page_map(vm, leaf->id - 1, own);
    }
    contents_left(vm, c);
    return own;
}

/* Contents of a leaf that maps nothing, or the zero page. NO_CONTENTS: no memory. */
static uint32_t contents_for(struct linux_mm *lm, struct leaf *leaf)
{
    struct vm *vm = lm->vm;
    uint32_t c = NO_CONTENTS;
    if (!leaf)
        return c;
    if (!leaf->id) {
        c = contents_new(&vm->cs, CONTENTS_ANON);
        if (c == NO_CONTENTS)
            return c;
        contents_mapper_added(&vm->cs, c);
        leaf->id = c | LEAF_INHERITED;
    } else {
        c = leaf_contents(vm, leaf);
        if (vm->cs.mappers[c] > 1)
            c = own_contents(vm, leaf, c);
    }
    return c != NO_CONTENTS && linux_room(lm, 0, c + 1, NULL) == FL_OK ? c : NO_CONTENTS;
}

/* What has not been written is; small pages in the place of which khugepaged puts it may not be. */
static bool is_zeros(const struct linux_mm *lm, const struct leaf *leaf)
{
    uint32_t c = leaf && leaf->id ? leaf_contents(lm->vm, leaf) : NO_CONTENTS;
    if (c >= lm->folios_room)
        return true;
    uint8_t bits = leaf_bits(lm, leaf);
    return !(bits & PTE_PRESENT) || bits & PTE_ZERO_PAGE || lm->folio[c].zero;
}

/* One of the 512. */
static bool fill_place(struct linux_mm *lm, uint32_t h, uint32_t place, struct leaf *leaf)
{
    const uint8_t bits = PTE_PRESENT | PTE_WRITE | PTE_HUGE;
    bool zero = is_zeros(lm, leaf);
    uint32_t c = contents_for(lm, leaf);
    if (c == NO_CONTENTS)
        return false;
    folio_resident(lm, c);
    huge_join(lm, h, place, c);
    lm->folio[c].mapped++;
    lm->folio[c].zero = zero;
    if (leaf->id & LEAF_INHERITED)
        leaf->hw = entry_hw(lm, c, bits);
    else
        lm->pte[leaf->id - 1] = bits;
    return true;
}

void huge_map_taken(struct linux_mm *lm, uint32_t mm, uint64_t vpn)
{
    struct pgtable *tables = &lm->vm->mms[mm].tables;
    uint64_t from = vpn & ~(uint64_t)(HUGE_PAGES - 1);
    uint32_t h = huge_new(lm), p = pmd_find(lm, mm, vpn);
    bool ok = h != HUGE_ZERO;
    for (uint32_t i = 0; ok && i < HUGE_PAGES; i++)
        ok = fill_place(lm, h, i, pgtable_slot(tables, from + i));
    if (ok && p != NO_PMD)
        pmd_free(lm, p); /* the huge zero page */
    if (ok) {
        lm->thp.huge[h].mm = mm;
        lm->thp.huge[h].number = from >> HUGE_SHIFT;
    }
    if (ok)
        p = pmd_new(lm, mm, from >> HUGE_SHIFT, h);
    if (!ok || p == NO_PMD) {
        lm->failed_memory = true;
        return;
    }
    lm->thp.pmd[p].young = true;
    lru_add_new(lm, lm->thp.huge[h].contents[0], LRU_INACTIVE_ANON);
    vm_note_tables(lm->vm);
}

/* Fork copies mappings that have anonymous pages. */
static void note_anonymous(struct mm *mm, uint64_t vpn)
{
    uint64_t from = vpn & ~(uint64_t)(HUGE_PAGES - 1);
    for (struct vma *vma = mm_find(mm, from);
         vma && vma < mm->vmas + mm->n_vmas && vma->start < from + HUGE_PAGES; vma++)
        vma->flags |= VMA_HAD_ANON;
}

/* @page's entry after a fault that made all of its 2 MiB writable */
static void written(struct linux_mm *lm, uint32_t page)
{
    lm->pte[page] |= PTE_YOUNG | PTE_WRITE | PTE_DIRTY;
    lm->folio[lm->vm->contents[page]].zero = false;
}

static bool new_huge(struct linux_mm *lm, uint32_t page, struct fl_page at, bool madvised)
{
    if (!take_huge(lm, madvised)) {
        lm->thp.fallbacks++;
        return false;
    }
    huge_map_taken(lm, at.mm, at.vpn);
    if (lm->failed_memory)
        return true;
    note_anonymous(&lm->vm->mms[at.mm], at.vpn);
    written(lm, page);
    lm->thp.faults++;
    count_fault(lm, page, FL_CAUSE_HUGE);
    return true;
}

static void map_zero(struct linux_mm *lm, uint32_t page)
{
    lm->pte[page] = PTE_PRESENT | PTE_YOUNG | PTE_ZERO_PAGE | PTE_HUGE;
}

bool huge_fault(struct linux_mm *lm, uint32_t page, bool write)
{
    struct fl_page at = vm_page(lm->vm, page);
    uint32_t p = pmd_find(lm, at.mm, at.vpn);
    if (p != NO_PMD && !write) {
        map_zero(lm, page); /* it was there already */
        lm->thp.pmd[p].young = true;
        return true;
    }
    const struct vma *vma = huge_allowed(lm, at.mm, at.vpn);
    if (p == NO_PMD && (!vma || !range_is_empty(&lm->vm->mms[at.mm], at.vpn)))
        return false;
    if (write) {
        if (vma && new_huge(lm, page, at, vma->flags & VMA_HUGE))
            return true;
        if (p != NO_PMD)
            pmd_split(lm, p);
        return false;
    }
    p = pmd_new(lm, at.mm, at.vpn >> HUGE_SHIFT, HUGE_ZERO);
    if (p == NO_PMD)
        return true;
    note_anonymous(&lm->vm->mms[at.mm], at.vpn);
    lm->thp.pmd[p].young = true;
    map_zero(lm, page);
    lm->thp.zero_faults++;
    count_fault(lm, page, FL_CAUSE_HUGE);
    return true;
}

/* ---- a write to one that is read-only -------------------------------------------------------- */

/* Nobody else maps any of it: all of it may be written. */
static void make_writable(struct linux_mm *lm, const struct pmd *pmd)
{
    for (uint32_t i = 0; i < HUGE_PAGES; i++) {
        struct leaf *leaf =
            pgtable_peek(&lm->vm->mms[pmd->mm].tables, (pmd->number << HUGE_SHIFT) + i);
        if (!leaf || !leaf->id)
            continue;
        if (leaf->id & LEAF_INHERITED)
            leaf->hw |= PTE_WRITE;
        else
            lm->pte[leaf->id - 1] |= PTE_WRITE;
    }
}

static bool is_exclusive(const struct linux_mm *lm, const struct pmd *pmd)
{
    const struct huge *huge = &lm->thp.huge[pmd->huge];
    for (uint32_t i = 0; i < HUGE_PAGES; i++)
        if (huge->contents[i] == NO_CONTENTS || lm->folio[huge->contents[i]].mapped != 1)
            return false;
    return true;
}

bool huge_write_protected(struct linux_mm *lm, uint32_t page)
{
    struct fl_page at = vm_page(lm->vm, page);
    uint32_t p = pmd_find(lm, at.mm, at.vpn);
    if (p == NO_PMD)
        return false;
    if (lm->pte[page] & PTE_ZERO_PAGE)
        return huge_fault(lm, page, true);
    if (!is_exclusive(lm, &lm->thp.pmd[p])) {
        pmd_split(lm, p);
        return false;
    }
    make_writable(lm, &lm->thp.pmd[p]);
    lm->thp.pmd[p].young = true;
    written(lm, page);
    count_fault(lm, page, FL_CAUSE_COW);
    return true;
}
