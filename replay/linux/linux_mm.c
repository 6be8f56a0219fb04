/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page-table entries, and what unmap, fork, remap and reclaim do to them. */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "mglru.h"

#define UNMAPPINGS_MAX 0xffffffu /* what a leaf has room for */
#define CACHE_LINE 64u

int linux_init(struct linux_mm *lm, const struct linux_opts *opts, struct vm *vm,
               struct fl_err *err)
{
    /* a group's limit of cgroup v2 says nothing of the device */
    bool sized = opts->swap_pages < UINT32_MAX / 2 && (opts->machine || !opts->group_v2);
    uint64_t slots = sized ? opts->swap_pages + 1 : UINT32_MAX / 2;
    struct swap_area_config config = { .n_slots = (uint32_t)(slots < 2 ? 2 : slots),
                                       .kind = opts->swap_kind,
                                       .is_file = opts->swap_kind != SWAP_SYNCHRONOUS,
                                       .reclaim = swap_cache_reclaim,
                                       .reclaim_arg = lm };
    *lm = (struct linux_mm){ .opts = *opts,
                             .vm = vm,
                             .next_flush_ps = opts->flushes ? opts->flushes->end.at_ns * 1000
                                                            : opts->first_flush_ps };
    for (int list = 0; list < LRU_LISTS_MAX; list++)
        lm->lru[list] = (struct lru){ .newest = NO_CONTENTS, .oldest = NO_CONTENTS };
    lm->swap_ra = swap_ra_start(opts->page_cluster);
    if (translations_init(&lm->translations, &opts->costs->tlb, opts->seed, err) != FL_OK)
        return FL_ENOMEM;
    lm->thp.on = opts->thp != FL_THP_NEVER && !opts->mglru;
    int rc = opts->machine || opts->zones.ram_pages ? machine_init(lm, err) : FL_OK;
    if (rc != FL_OK)
        return rc;
    if (opts->mglru && mglru_init(lm, err) != FL_OK)
        return FL_ENOMEM;
    return swap_area_init(&lm->swap, &config, err);
}

void linux_fini(struct linux_mm *lm)
{
    free(lm->pte);
    translations_fini(&lm->translations);
    free(lm->folio);
    machine_fini(lm);
    swap_write_free(lm);
    page_cache_fini(lm);
    mglru_fini(lm);
    thp_fini(lm);
    swap_area_fini(&lm->swap);
    *lm = (struct linux_mm){ 0 };
}

/* Each folio in one cache line. */
static bool folios_grow(struct linux_mm *lm, uint32_t room)
{
    struct folio *bigger = aligned_alloc(CACHE_LINE, room * sizeof *bigger);
    if (!bigger)
        return false;
    if (lm->folio)
        memcpy(bigger, lm->folio, lm->folios_room * sizeof *bigger);
    free(lm->folio);
    lm->folio = bigger;
    return true;
}

int linux_room(struct linux_mm *lm, uint32_t n_pages, uint32_t n_contents, struct fl_err *err)
{
    if (n_pages > lm->pages_room) {
        uint32_t room = grow_room_for(lm->pages_room, n_pages);
        if (!room || !grow(&lm->pte, room))
            return fl_nomem(err, "page table entries");
        memset(lm->pte + lm->pages_room, 0, room - lm->pages_room);
        lm->pages_room = room;
        if (translations_room(&lm->translations, room, err) != FL_OK)
            return FL_ENOMEM;
    }
    if (n_contents > lm->folios_room) {
        uint32_t room = grow_room_for(lm->folios_room, n_contents);
        if (!room || !folios_grow(lm, room))
            return fl_nomem(err, "folios");
        for (uint32_t c = lm->folios_room; c < room; c++)
            lm->folio[c] = (struct folio){ .list = LRU_NONE, .slot = SWAP_NO_SLOT };
        if (lm->mglru && mglru_room(lm, room, err) != FL_OK)
            return FL_ENOMEM;
        if (lm->frames && !grow(&lm->frame_of, room))
            return fl_nomem(err, "folios");
        lm->folios_room = room;
    }
    return FL_OK;
}

/* ---- entries ---------------------------------------------------------------------------- */

uint32_t entry_hw(const struct linux_mm *lm, uint32_t c, uint8_t bits)
{
    return (uint32_t)lm->folio[c].unmappings << PTE_BITS | bits;
}

/* The bits of an inherited entry, none if reclaim has unmapped the folio since. */
static uint8_t hw_bits(const struct linux_mm *lm, uint32_t c, uint32_t hw)
{
    uint8_t bits = (uint8_t)hw;
    bool valid = bits & PTE_ZERO_PAGE || hw >> PTE_BITS == lm->folio[c].unmappings;
    return valid ? bits : 0;
}

uint8_t leaf_bits(const struct linux_mm *lm, const struct leaf *leaf)
{
    return leaf->id & LEAF_INHERITED ? hw_bits(lm, leaf->id & ~LEAF_INHERITED, leaf->hw)
                                     : lm->pte[leaf->id - 1];
}

void leaf_set_bits(struct linux_mm *lm, struct leaf *leaf, uint8_t bits)
{
    if (!(leaf->id & LEAF_INHERITED)) {
        if ((lm->pte[leaf->id - 1] ^ bits) & (PTE_YOUNG | PTE_DIRTY))
            translation_flushed(&lm->translations, leaf->id - 1);
        lm->pte[leaf->id - 1] = bits;
        return;
    }
    uint32_t c = leaf->id & ~LEAF_INHERITED;
    if (leaf->hw & ~(uint32_t)bits & PTE_YOUNG && lm->folio[c].inherited_young)
        lm->folio[c].inherited_young--;
    leaf->hw = entry_hw(lm, c, bits);
}

static bool knows(const struct linux_mm *lm, uint32_t c)
{
    return c < lm->folios_room;
}

/* vma_has_recency */
static bool has_recency(const struct linux_mm *lm, uint32_t page)
{
    if (!lm->vm->has_advice)
        return true;
    const struct vma *vma = vm_vma(lm->vm, page);
    return !vma || !(vma->flags & VMA_NO_RECENCY);
}

/* zap_present_folio_ptes, zap_nonpresent_ptes */
static void entry_cleared(struct linux_mm *lm, uint32_t c, uint8_t bits, bool recency)
{
    struct folio *f = &lm->folio[c];
    if (!(bits & PTE_PRESENT)) {
        if (lm->vm->cs.kind[c] == CONTENTS_ANON)
            swap_entry_gone(lm, c);
        return;
    }
    if (bits & PTE_ZERO_PAGE)
        return;
    f->mapped--;
    if (bits & PTE_LOCKED)
        munlock_folio(lm, c);
    if (bits & PTE_DIRTY)
        lm->vm->cs.kind[c] == CONTENTS_ANON ? (void)(f->flags |= FOLIO_DIRTY)
                                            : folio_mark_dirty(lm, c);
    if (bits & PTE_YOUNG && folio_is_file(lm, c) && recency)
        folio_mark_accessed(lm, c);
}

static void zap(void *arg, uint32_t page, uint32_t c)
{
    struct linux_mm *lm = arg;
    if (page >= lm->pages_room || !knows(lm, c))
        return;
    uint8_t bits = lm->pte[page];
    lm->pte[page] = bits & PTE_HUGE;
    translation_flushed(&lm->translations, page);
    entry_cleared(lm, c, bits, !lm->copying && has_recency(lm, page));
    lm->copied |= lm->copying;
    lm->copying = false;
}

static void zap_leaf(void *arg, uint32_t hw, uint32_t c)
{
    struct linux_mm *lm = arg;
    if (!knows(lm, c))
        return;
    uint8_t bits = hw_bits(lm, c, hw);
    if ((bits & (PTE_YOUNG | PTE_HUGE)) == PTE_YOUNG) {
        if (lm->folio[c].inherited_young)
            lm->folio[c].inherited_young--;
        else
            bits &= (uint8_t)~PTE_YOUNG; /* aged since */
    }
    entry_cleared(lm, c, bits, true);
}

static void note_inherited_young(struct folio *f)
{
    if (f->inherited_young < UINT8_MAX)
        f->inherited_young++;
}

static uint32_t take(void *arg, uint32_t page, uint32_t c)
{
    struct linux_mm *lm = arg;
    if (page >= lm->pages_room || !knows(lm, c))
        return 0;
    uint8_t bits = lm->pte[page];
    lm->pte[page] = bits & PTE_HUGE;
    translation_flushed(&lm->translations, page);
    if (bits & PTE_HUGE) /* whether it was accessed is with all of it */
        bits &= (uint8_t)~PTE_YOUNG;
    if (bits & PTE_DIRTY && !(bits & PTE_ZERO_PAGE))
        lm->folio[c].flags |= FOLIO_DIRTY;
    if (bits & PTE_YOUNG && !(bits & PTE_ZERO_PAGE))
        note_inherited_young(&lm->folio[c]);
    return entry_hw(lm, c, bits);
}

static void land(void *arg, uint32_t page, uint32_t c, uint32_t hw)
{
    struct linux_mm *lm = arg;
    if (!knows(lm, c))
        return;
    if (linux_room(lm, page + 1, 0, NULL) != FL_OK) {
        lm->failed_memory = true;
        return;
    }
    uint8_t bits = hw_bits(lm, c, hw);
    if (bits & PTE_YOUNG && !(bits & PTE_ZERO_PAGE)) {
        if (lm->folio[c].inherited_young)
            lm->folio[c].inherited_young--;
        else
            bits &= (uint8_t)~PTE_YOUNG; /* aged since */
    }
    lm->pte[page] = bits;
}

/* copy_present_ptes: both sides read-only, the child's copy not accessed yet */
static uint32_t fork_bits(struct linux_mm *lm, uint32_t c, uint8_t bits)
{
    if (!(bits & PTE_PRESENT)) {
        if (lm->folio[c].slot != SWAP_NO_SLOT && lm->vm->cs.kind[c] == CONTENTS_ANON)
            swap_slot_dup(&lm->swap, lm->folio[c].slot);
        return entry_hw(lm, c, 0);
    }
    if (!(bits & PTE_ZERO_PAGE)) {
        lm->folio[c].mapped++;
        if (bits & PTE_DIRTY)
            lm->folio[c].flags |= FOLIO_DIRTY;
    }
    return entry_hw(lm, c, bits & (uint8_t) ~(PTE_WRITE | PTE_YOUNG | PTE_LOCKED));
}

static uint32_t fork_entry(void *arg, uint32_t page, uint32_t c)
{
    struct linux_mm *lm = arg;
    if (page >= lm->pages_room || !knows(lm, c))
        return 0;
    lm->pte[page] &= (uint8_t)~PTE_WRITE;
    translation_flushed(&lm->translations, page);
    return fork_bits(lm, c, lm->pte[page]);
}

static uint32_t fork_leaf(void *arg, uint32_t *hw, uint32_t c)
{
    struct linux_mm *lm = arg;
    if (!knows(lm, c))
        return 0;
    *hw &= ~(uint32_t)PTE_WRITE;
    return fork_bits(lm, c, hw_bits(lm, c, *hw));
}

/* A copy needs the original in memory: the same fault brings it in. */
static bool before_copy(void *arg, uint32_t page, uint32_t c)
{
    struct linux_mm *lm = arg;
    if (linux_room(lm, page + 1, c + 1, NULL) != FL_OK) {
        lm->failed_memory = true;
        return false;
    }
    if ((lm->pte[page] & (PTE_PRESENT | PTE_HUGE | PTE_ZERO_PAGE)) == (PTE_PRESENT | PTE_HUGE))
        huge_split_at(lm, page); /* to copy one page */
    const struct folio *f = &lm->folio[c];
    if (lm->pte[page] & PTE_PRESENT ||
        (!(f->flags & FOLIO_RESIDENT) && f->slot == SWAP_NO_SLOT && !folio_is_file(lm, c)))
        return lm->copying = true;
    lm->in_fault = lm->mglru && has_recency(lm, page);
    bool alive = page_fault(lm, page, c, FL_CAUSE_NONE, false);
    lm->in_fault = false;
    if (!alive)
        return false;
    lm->copy_pending = true;
    return lm->copying = true;
}

struct pte_hooks linux_pte_hooks(struct linux_mm *lm)
{
    return (struct pte_hooks){ .arg = lm,
                               .cut = huge_cut,
                               .cleared = huge_cleared,
                               .moved = huge_moved,
                               .forked = huge_forked,
                               .zap = zap,
                               .zap_leaf = zap_leaf,
                               .take = take,
                               .land = land,
                               .fork = fork_entry,
                               .fork_leaf = fork_leaf,
                               .before_copy = before_copy };
}

/* ---- what reclaim does to all of a folio's entries -------------------------------------- */

/* try_to_unmap */
void folio_unmap(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (!f->mapped)
        return;
    for (uint32_t page = lm->vm->cs.first_page[c]; page != NO_PAGE;
         page = lm->vm->next_mapper[page]) {
        if (!(lm->pte[page] & PTE_PRESENT))
            continue;
        if (lm->pte[page] & PTE_DIRTY)
            folio_mark_dirty(lm, c);
        lm->pte[page] = 0;
        translation_flushed(&lm->translations, page);
        if (lm->unmapped)
            lm->unmapped(lm->arg, page);
    }
    if (lm->pages_out >= lm->opts.whole_flushes_from) /* should_defer_flush */
        translations_flush(&lm->translations);
    if (lm->vm->cs.kind[c] == CONTENTS_ANON && !f->lazyfree)
        for (uint32_t i = 0; i < f->mapped; i++)
            swap_slot_dup(&lm->swap, f->slot);
    f->mapped = 0;
    f->inherited_young = 0;
    f->unmappings = (f->unmappings + 1) & UNMAPPINGS_MAX;
}

/* folio_referenced: how many entries were accessed since last time */
uint32_t folio_referenced(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (f->huge)
        return huge_referenced(lm, f->huge - 1u);
    uint32_t n = f->inherited_young;
    f->inherited_young = 0;
    for (uint32_t page = lm->vm->cs.first_page[c]; page != NO_PAGE;
         page = lm->vm->next_mapper[page])
        if (lm->pte[page] & PTE_YOUNG && has_recency(lm, page)) {
            lm->pte[page] &= (uint8_t)~PTE_YOUNG;
            n++;
            if (lm->mglru)
                mglru_look_around(lm, page);
        }
    return n;
}

/* ---- references ------------------------------------------------------------------------- */

int linux_slow_run(struct linux_mm *lm, uint32_t page, uint32_t c, uint8_t info, struct fl_err *err)
{
    bool write = info & REF_WRITE;
    uint8_t *pte = &lm->pte[page];

    if (lm->mglru)
        mglru_ran(lm, page);
    if (write)
        lm->folio[c].zero = false;
    if (*pte & PTE_PRESENT && (!write || *pte & PTE_WRITE)) {
        *pte |= write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG;
        if (*pte & PTE_HUGE)
            pmd_accessed(lm, page);
        return FL_OK;
    }
    lm->copy_pending &= ref_cause(info) == FL_CAUSE_COW;
    lm->in_fault = lm->mglru && has_recency(lm, page);
    page_fault(lm, page, c, ref_cause(info), write);
    lm->in_fault = lm->copy_pending = lm->copied = false;
    if (lm->swap.used_peak > lm->slots_peak)
        lm->slots_peak = lm->swap.used_peak;
    return lm->failed_memory ? fl_nomem(err, "Linux memory model") : FL_OK;
}

int linux_walk(struct linux_mm *lm, uint32_t page, uint32_t c, uint8_t info, struct fl_err *err)
{
    if (linux_translated(lm, page, info & REF_WRITE))
        return FL_OK;
    int rc = linux_slow_run(lm, page, c, info, err);
    if ((lm->pte[page] & (PTE_PRESENT | PTE_HUGE)) == PTE_PRESENT)
        translation_filled(&lm->translations, page);
    return rc;
}

int linux_background(struct linux_mm *lm, struct fl_err *err)
{
    khugepaged_run(lm);
    return lm->failed_memory ? fl_nomem(err, "Linux memory model") : FL_OK;
}

void linux_forget(struct linux_mm *lm, uint32_t c)
{
    if (!knows(lm, c))
        return;
    struct folio *f = &lm->folio[c];
    lru_add_drain(lm); /* free_pages_and_swap_cache */
    if (f->huge)
        huge_part_gone(lm, c);
    folio_free(lm, c);
    if (f->slot != SWAP_NO_SLOT && swap_slot_in_use(&lm->swap, f->slot))
        swap_slot_free(&lm->swap, f->slot);
    *f = (struct folio){ .list = LRU_NONE, .slot = SWAP_NO_SLOT, .unmappings = f->unmappings };
}

int linux_event(struct linux_mm *lm, const struct fl_event *ev, struct fl_err *err)
{
    lm->process = vm_thread_process(lm->vm, ev->thread);
    lm->mm = FL_NO_MM;
    if (ev->kind == FL_EV_FILE || ev->kind == FL_EV_FILE_IO || ev->kind == FL_EV_RESIDENT) {
        bool killed = lm->process != UINT32_MAX && lm->vm->processes[lm->process].killed;
        if (!killed || ev->kind != FL_EV_FILE_IO)
            page_cache_event(lm, ev);
    } else if (ev->kind == FL_EV_ADVISE) {
        advice_event(lm, ev);
    } else if (ev->kind == FL_EV_LOCK || ev->kind == FL_EV_MAP || ev->kind == FL_EV_REMAP) {
        mlock_event(lm, ev);
    }
    kernel_memory_charge(lm);
    return lm->failed_memory ? fl_nomem(err, "Linux memory model") : FL_OK;
}

enum oom_page linux_page_state(const struct linux_mm *lm, const struct leaf *leaf, uint32_t c)
{
    if (!knows(lm, c) || (!(leaf->id & LEAF_INHERITED) && leaf->id > lm->pages_room))
        return OOM_PAGE_NONE;
    uint8_t bits = leaf_bits(lm, leaf);
    if (bits & PTE_ZERO_PAGE)
        return OOM_PAGE_NONE;
    if (bits & PTE_PRESENT)
        return OOM_PAGE_RESIDENT;
    bool on_swap = lm->vm->cs.kind[c] == CONTENTS_ANON && lm->folio[c].slot != SWAP_NO_SLOT;
    return on_swap ? OOM_PAGE_SWAPPED : OOM_PAGE_NONE;
}
