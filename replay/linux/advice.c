/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux/mm/madvise.c, as far as it moves pages; and faults without a reference: mm/gup.c,
 * faultin_page_range and populate_vma_page_range. Advice that stays with a mapping is vm_map.c's,
 * as is what unmaps.
 */
#include <faultline/units.h>

#include "mglru.h"

/* madvise(2) */
enum {
    ADVICE_WILLNEED = 3,
    ADVICE_FREE = 8,
    ADVICE_COLD = 20,
    ADVICE_PAGEOUT = 21,
    ADVICE_POPULATE_READ = 22,
    ADVICE_POPULATE_WRITE = 23,
};

#define POPULATE_MAX (UINT64_C(1) << 24) /* ours, pages in one call: 64 GiB */

/* Pages of one mapping, or less, of one address space. */
struct range {
    struct linux_mm *lm;
    uint32_t mm, advice;
    struct vma vma; /* a copy: a kill takes the original */
    uint64_t from, to;
    uint32_t taken[PGTABLE_ENTRIES], n_taken; /* contents */
};

static bool gone(const struct linux_mm *lm, uint32_t mm)
{
    return lm->failed_memory || !lm->vm->mms[mm].users;
}

static bool present(uint8_t bits)
{
    return (bits & (PTE_PRESENT | PTE_ZERO_PAGE)) == PTE_PRESENT;
}

uint32_t small_contents(struct linux_mm *lm, uint32_t mm, uint64_t vpn, const struct leaf *leaf)
{
    uint32_t c = leaf_contents(lm->vm, leaf);
    if (c >= lm->folios_room)
        return NO_CONTENTS;
    uint32_t pmd = lm->thp.on ? pmd_find(lm, mm, vpn) : NO_PMD;
    if (pmd != NO_PMD)
        pmd_split(lm, pmd);
    if (lm->folio[c].huge)
        huge_split(lm, lm->folio[c].huge - 1u, NULL);
    return c;
}

static bool stop_at(void *arg, uint64_t vpn, struct leaf *leaf)
{
    (void)leaf;
    *(uint64_t *)arg = vpn;
    return false;
}

/* Walk @r's entries, a page table at a time, and @after each. */
static void each_table(struct range *r, pgtable_walk_fn *entry, void (*after)(struct range *r))
{
    const struct vm *vm = r->lm->vm;
    uint64_t at = r->from, vpn;
    while (!gone(r->lm, r->mm) && !pgtable_walk(&vm->mms[r->mm].tables, at, r->to, stop_at, &vpn)) {
        uint64_t end = (vpn | (PGTABLE_ENTRIES - 1)) + 1;
        at = end < r->to ? end : r->to;
        r->n_taken = 0;
        pgtable_walk(&vm->mms[r->mm].tables, vpn, at, entry, r);
        if (after)
            after(r);
    }
}

/* ---- MADV_COLD, MADV_PAGEOUT -------------------------------------------------------------- */

/* madvise_cold_or_pageout_pte_range */
static bool cold_entry(void *arg, uint64_t vpn, struct leaf *leaf)
{
    struct range *r = arg;
    struct linux_mm *lm = r->lm;
    uint32_t c = small_contents(lm, r->mm, vpn, leaf);
    if (c == NO_CONTENTS)
        return true;
    struct folio *f = &lm->folio[c];
    uint8_t bits = leaf_bits(lm, leaf);
    if (!present(bits) || f->mapped != 1 || f->list > LRU_UNEVICTABLE)
        return true;
    bool active = !lm->mglru && (f->list == LRU_ACTIVE_ANON || f->list == LRU_ACTIVE_FILE);
    f->flags &= (uint16_t)~FOLIO_REFERENCED;
    if (active)
        f->flags |= FOLIO_WORKINGSET;
    if (r->advice == ADVICE_COLD) {
        leaf_set_bits(lm, leaf, bits & (uint8_t)~PTE_YOUNG);
        if (f->list != LRU_UNEVICTABLE)
            folio_deactivate(lm, c);
    } else if (f->list != LRU_UNEVICTABLE) {
        lru_remove(lm, c);
        r->taken[r->n_taken++] = c;
    }
    return true;
}

/* reclaim_pages: those that stay come back as if new */
static void reclaim_taken(struct range *r)
{
    struct linux_mm *lm = r->lm;
    struct batch batch = { .advised = true };
    enum verdict verdict[PGTABLE_ENTRIES];
    for (uint32_t i = 0; i < r->n_taken; i++)
        verdict[i] = shrink_folio(lm, r->taken[i], &batch);
    for (uint32_t i = 0; i < r->n_taken; i++) {
        uint32_t c = r->taken[i];
        if (verdict[i] == FREED)
            continue;
        if (verdict[i] == ACTIVATE) {
            if (lm->folio[c].flags & FOLIO_SWAP_CACHE && swap_full(lm))
                swap_cache_drop(lm, c);
            lm->activated++;
        }
        lru_add_new(lm, c, lru_home(lm, c, verdict[i] == ACTIVATE));
    }
    linux_tick(lm, FL_COST_SCAN, r->n_taken);
}

static void cold_or_pageout(struct range *r)
{
    if (r->vma.flags & VMA_LOCKED) /* EINVAL */
        return;
    lru_add_drain(r->lm);
    each_table(r, cold_entry, r->advice == ADVICE_PAGEOUT ? reclaim_taken : NULL);
}

/* ---- MADV_FREE ---------------------------------------------------------------------------- */

/* folio_mark_lazyfree */
static void mark_lazyfree(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (f->lazyfree || f->list >= LRU_UNEVICTABLE || f->flags & FOLIO_SWAP_CACHE)
        return;
    if (lm->mglru)
        mglru_deactivates(lm, c);
    f->flags &= (uint16_t)~FOLIO_REFERENCED;
    lru_remove(lm, c);
    f->lazyfree = true;
    lru_add_inactive(lm, c);
}

/* madvise_free_pte_range */
static bool free_entry(void *arg, uint64_t vpn, struct leaf *leaf)
{
    const struct range *r = arg;
    struct linux_mm *lm = r->lm;
    uint32_t c = small_contents(lm, r->mm, vpn, leaf);
    if (c == NO_CONTENTS)
        return true;
    struct folio *f = &lm->folio[c];
    uint8_t bits = leaf_bits(lm, leaf);
    if (!(bits & PTE_PRESENT))
        return f->slot == SWAP_NO_SLOT || vm_drop_page(lm->vm, vpn, leaf);
    if (bits & PTE_ZERO_PAGE)
        return true;
    if (f->flags & (FOLIO_SWAP_CACHE | FOLIO_DIRTY)) {
        if (f->mapped != 1)
            return true;
        swap_cache_drop(lm, c);
        if (f->flags & FOLIO_SWAP_CACHE)
            return true;
        f->flags &= (uint16_t)~FOLIO_DIRTY;
    }
    leaf_set_bits(lm, leaf, bits & (uint8_t) ~(PTE_YOUNG | PTE_DIRTY));
    mark_lazyfree(lm, c);
    return true;
}

static void free_lazily(struct range *r)
{
    if (r->vma.object != NO_OBJECT || r->vma.flags & VMA_LOCKED) /* EINVAL */
        return;
    lru_add_drain(r->lm);
    each_table(r, free_entry, NULL);
}

/* ---- MADV_WILLNEED ------------------------------------------------------------------------ */

static bool swapped_entry(void *arg, uint64_t vpn, struct leaf *leaf)
{
    struct range *r = arg;
    const struct linux_mm *lm = r->lm;
    uint32_t c = leaf_contents(lm->vm, leaf);
    (void)vpn;
    if (c < lm->folios_room && lm->folio[c].slot != SWAP_NO_SLOT &&
        !(leaf_bits(lm, leaf) & PTE_PRESENT))
        r->taken[r->n_taken++] = c;
    return true;
}

static void read_taken(struct range *r)
{
    for (uint32_t i = 0; i < r->n_taken && !gone(r->lm, r->mm); i++)
        if (!swap_cache_read(r->lm, r->taken[i]))
            return;
}

/* shmem_swapin_range */
static void read_shared(struct range *r, uint64_t first, uint64_t end)
{
    struct linux_mm *lm = r->lm;
    for (uint64_t i = first; i < end && i - first < POPULATE_MAX && !gone(lm, r->mm); i++) {
        uint32_t c = contents_object_page(&lm->vm->cs, r->vma.object, i);
        if (c != NO_CONTENTS && !swap_cache_read(lm, c))
            return;
    }
}

/* madvise_willneed */
static void will_need(struct range *r)
{
    struct linux_mm *lm = r->lm;
    if (r->vma.object == NO_OBJECT) {
        each_table(r, swapped_entry, read_taken);
        lru_add_drain(lm);
        return;
    }
    uint64_t first = r->vma.pgoff + (r->from - r->vma.start), end = first + (r->to - r->from);
    if (lm->vm->cs.objects[r->vma.object].kind == CONTENTS_FILE) {
        page_cache_willneed(lm, r->vma.object, first, end);
    } else {
        read_shared(r, first, end);
        lru_add_drain(lm);
    }
}

/* ---- pages brought in without a reference --------------------------------------------------- */

/* faultin_page */
static void fault_in(struct linux_mm *lm, uint32_t mm, uint64_t vpn, bool write)
{
    struct vm *vm = lm->vm;
    uint8_t need = write ? FL_PROT_READ | FL_PROT_WRITE : FL_PROT_READ, info;
    uint32_t c = NO_CONTENTS, page = vm_borrow_page(vm, mm, vpn);
    lm->made_pages = true;
    if (page == NO_PAGE || linux_room(lm, page + 1, 0, NULL) != FL_OK ||
        vm_run(vm, page, need, FL_ACTOR_KERNEL, &c, &info, NULL) != FL_OK ||
        (c != NO_CONTENTS &&
         (linux_room(lm, 0, c + 1, NULL) != FL_OK || linux_run(lm, page, c, info, NULL) != FL_OK)))
        lm->failed_memory = true;
    if (page != NO_PAGE)
        vm_return_page(vm, page);
    if (page >= vm->n_pages && page < lm->pages_room)
        lm->pte[page] = 0;
}

/* follow_page_pte, with FOLL_TOUCH. false: it has to be faulted in */
static bool touch(struct linux_mm *lm, uint32_t mm, uint64_t vpn, bool write)
{
    const struct leaf *leaf = pgtable_peek(&lm->vm->mms[mm].tables, vpn);
    uint32_t c = leaf && leaf->id ? leaf_contents(lm->vm, leaf) : NO_CONTENTS;
    if (c >= lm->folios_room)
        return false;
    uint8_t bits = leaf_bits(lm, leaf);
    if (!(bits & PTE_PRESENT) || (write && !(bits & PTE_WRITE)))
        return false;
    if (bits & PTE_ZERO_PAGE)
        return true;
    if (lm->folio[c].huge) { /* once for all of it */
        const struct huge *huge = &lm->thp.huge[lm->folio[c].huge - 1u];
        if (huge->contents[huge->head] != c)
            return true;
    }
    if (write && !(bits & PTE_DIRTY))
        folio_is_file(lm, c) ? page_cache_dirty(lm, c) : (void)(lm->folio[c].flags |= FOLIO_DIRTY);
    folio_mark_accessed(lm, c);
    return true;
}

/* __get_user_pages */
static void populate(struct range *r, bool write)
{
    struct linux_mm *lm = r->lm;
    if (!(r->vma.rights & (write ? FL_PROT_WRITE : FL_PROT_READ)) || r->vma.flags & VMA_SPECIAL)
        return;
    uint64_t end = r->to - r->from > POPULATE_MAX ? r->from + POPULATE_MAX : r->to;
    for (uint64_t vpn = r->from; vpn < end && !gone(lm, r->mm); vpn++) {
        if (touch(lm, r->mm, vpn, write))
            continue;
        fault_in(lm, r->mm, vpn, write);
        if (!gone(lm, r->mm))
            touch(lm, r->mm, vpn, write);
    }
    lru_add_drain(lm);
}

/* ---- events --------------------------------------------------------------------------------- */

static void advise(struct range *r)
{
    switch (r->advice) {
    case ADVICE_WILLNEED: will_need(r); return;
    case ADVICE_FREE: free_lazily(r); return;
    case ADVICE_COLD:
    case ADVICE_PAGEOUT: cold_or_pageout(r); return;
    case ADVICE_POPULATE_READ: populate(r, false); return;
    case ADVICE_POPULATE_WRITE: populate(r, true); return;
    default: return;
    }
}

/* populate_vma_page_range: with writes, so that nothing is left to be copied */
static void populate_lock(struct range *r)
{
    if ((r->vma.flags & VMA_LOCK) == VMA_LOCKED)
        populate(r, !(r->vma.flags & VMA_SHARED) && r->vma.rights & FL_PROT_WRITE);
}

/* madvise_walk_vmas */
static void each_mapping(struct linux_mm *lm, uint32_t mm, uint64_t from, uint64_t to,
                         uint32_t advice, void (*fn)(struct range *r))
{
    struct range r = { .lm = lm, .mm = mm, .advice = advice };
    const struct vma *vma;
    lm->mm = mm;
    for (uint64_t at = from; !gone(lm, mm) && at < to; at = r.vma.end) {
        vma = mm_next(&lm->vm->mms[mm], at);
        if (!vma || vma->start >= to)
            break;
        r.vma = *vma;
        r.from = vma->start > at ? vma->start : at;
        r.to = vma->end < to ? vma->end : to;
        fn(&r);
    }
}

void advice_event(struct linux_mm *lm, const struct fl_event *ev)
{
    uint32_t id = ev->advise.mm;
    uint64_t end;
    if (id >= lm->vm->n_mms || !lm->vm->mms[id].users ||
        __builtin_add_overflow(ev->advise.start, ev->advise.length, &end))
        return;
    each_mapping(lm, id, ev->advise.start >> FL_PAGE_SHIFT, fl_pages_of(end), ev->advise.advice,
                 advise);
    swap_write_submit(lm); /* blk_finish_plug */
}

void populate_locked(struct linux_mm *lm, uint32_t mm, uint64_t from, uint64_t to)
{
    lm->locking = true;
    each_mapping(lm, mm, from, to, 0, populate_lock);
    lm->locking = false;
}
