/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page faults: linux/mm/memory.c, handle_pte_fault. */
#include "linux_mm.h"

/* A folio has a frame from now on; the group has been charged for it. */
void folio_resident(struct linux_mm *lm, uint32_t c)
{
    lm->folio[c].flags |= FOLIO_RESIDENT | FOLIO_CHARGED;
    give_to_folio(lm, c);
    if (++lm->resident > lm->resident_peak)
        lm->resident_peak = lm->resident;
}

/* The frame is given back; what is left is a shadow, a slot, or nothing. */
void folio_free(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (f->list != LRU_NONE)
        lru_remove(lm, c);
    if (!(f->flags & FOLIO_RESIDENT))
        return;
    if (f->flags & FOLIO_CHARGED) {
        give_folio(lm, c);
        lm->resident--;
        if (folio_is_file(lm, c))
            kernel_memory_of_file_page_gone(lm, c);
    }
    if (f->flags & FOLIO_WRITEBACK)
        swap_write_forget(lm, c);
    f->flags &= FOLIO_SHADOW | FOLIO_SHADOW_WORKINGSET | FOLIO_EXEC | FOLIO_ADOPTED;
    f->lazyfree = false;
}

void map_page(struct linux_mm *lm, uint32_t page, uint32_t c, uint8_t bits)
{
    lm->pte[page] = (uint8_t)(PTE_PRESENT | PTE_YOUNG | bits);
    if (!(bits & PTE_ZERO_PAGE))
        lm->folio[c].mapped++;
    if (lm->vm->has_locks && !(bits & PTE_ZERO_PAGE))
        mlock_new_entry(lm, page, c);
}

/* What mlock waited for is there when the fault begins again; who waited is forgotten. */
static enum fl_cause counted_as(const struct linux_mm *lm, enum fl_cause cause)
{
    if (lm->locking && cause == FL_CAUSE_FILE_READ)
        return FL_CAUSE_FILE_MAP;
    if (lm->locking && cause == FL_CAUSE_SWAP_IN && !swap_is_synchronous(lm))
        return FL_CAUSE_SWAP_CACHE;
    return cause;
}

void count_fault(struct linux_mm *lm, uint32_t page, enum fl_cause cause)
{
    enum fl_cause counted = counted_as(lm, cause);
    if (lm->copy_pending) { /* the same fault brought the original in */
        lm->copy_pending = false;
    } else {
        lm->faults[counted]++;
        if (lm->faulted)
            lm->faulted(lm->arg, page, counted);
    }
    bool from_disk = cause == FL_CAUSE_SWAP_IN && !swap_is_synchronous(lm);
    linux_tick(lm, from_disk ? FL_COST_SWAP_IN_DISK : fl_cause_cost(cause), 1);
}

/* A new anonymous page: allocated, then charged, then mapped (do_anonymous_page, wp_page_copy). */
static bool anonymous(struct linux_mm *lm, uint32_t page, uint32_t c, enum fl_cause cause)
{
    bool major = false;
    if (!take_page(lm))
        return false;
    if (cause == FL_CAUSE_COW && !lm->copy_pending && !lm->copied &&
        !page_cache_before_copy(lm, page, &major)) {
        give_pages(lm, 1);
        return false;
    }
    folio_resident(lm, c);
    lru_add_new(lm, c, LRU_INACTIVE_ANON);
    map_page(lm, page, c, PTE_WRITE | PTE_DIRTY);
    count_fault(lm, page, major ? FL_CAUSE_FILE_READ : cause);
    return true;
}

static void map_shared(struct linux_mm *lm, uint32_t page, uint32_t c, bool write)
{
    map_page(lm, page, c, (uint8_t)(PTE_WRITE | (write ? PTE_DIRTY : 0)));
    if (!write)
        shmem_fault_around(lm, page);
}

static bool shared_memory(struct linux_mm *lm, uint32_t page, uint32_t c, bool write)
{
    if (!take_page(lm))
        return false;
    folio_resident(lm, c);
    lm->folio[c].flags |= FOLIO_DIRTY;
    lru_add_new(lm, c, LRU_INACTIVE_ANON);
    map_shared(lm, page, c, write);
    count_fault(lm, page, FL_CAUSE_SHMEM);
    return true;
}

/* On swap, in the swap cache, or in the frame that another entry maps. */
static bool not_mapped_here(struct linux_mm *lm, uint32_t page, uint32_t c, bool write)
{
    enum fl_cause cause;
    if (!swap_in(lm, page, c, &cause))
        return false;
    if (lm->vm->cs.kind[c] == CONTENTS_MEMORY) {
        shmem_came_in(lm, c);
        map_shared(lm, page, c, write);
        cause = cause == FL_CAUSE_SWAP_CACHE ? FL_CAUSE_SHMEM : cause;
    } else {
        swap_map(lm, page, c, write);
    }
    count_fault(lm, page, cause);
    return true;
}

/* do_wp_page: a write to an entry that is there and read-only. */
static bool write_protected(struct linux_mm *lm, uint32_t page, uint32_t c)
{
    if (lm->pte[page] & PTE_HUGE && huge_write_protected(lm, page))
        return true;
    if (lm->pte[page] & PTE_ZERO_PAGE)
        return anonymous(lm, page, c, FL_CAUSE_ANON_WRITE);
    if (folio_is_file(lm, c)) {
        page_cache_dirty(lm, c);
        count_fault(lm, page, FL_CAUSE_FILE_MAP);
    } else {
        if (lm->folio[c].list == LRU_BATCHED)
            lru_add_drain(lm); /* wp_can_reuse_anon_folio */
        swap_cache_drop(lm, c);
        count_fault(lm, page, FL_CAUSE_COW);
    }
    lm->pte[page] |= PTE_WRITE | PTE_DIRTY | PTE_YOUNG;
    return true;
}

bool page_fault(struct linux_mm *lm, uint32_t page, uint32_t c, enum fl_cause cause, bool write)
{
    const struct folio *f = &lm->folio[c];
    lm->mm = lm->vm->mm_of[page];
    vmstat_flush_if_due(lm);
    swap_write_arrive(lm);
    lm->translations.filled += lm->translations.tlb.per_fault;
    if (lm->pte[page] & PTE_PRESENT)
        return write_protected(lm, page, c);
    if (!kernel_memory_charge(lm))
        return false;
    if (folio_is_file(lm, c))
        return page_cache_fault(lm, page, c, write);
    if (f->flags & FOLIO_RESIDENT || f->slot != SWAP_NO_SLOT)
        return not_mapped_here(lm, page, c, write);
    if (lm->vm->cs.kind[c] == CONTENTS_MEMORY)
        return shared_memory(lm, page, c, write);
    if (lm->thp.on && !lm->copy_pending && huge_fault(lm, page, write))
        return true;
    if (write)
        return anonymous(lm, page, c, cause == FL_CAUSE_NONE ? FL_CAUSE_ANON_WRITE : cause);
    map_page(lm, page, c, PTE_ZERO_PAGE);
    count_fault(lm, page, FL_CAUSE_ANON_ZERO);
    return true;
}
