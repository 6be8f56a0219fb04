/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that have to stay in memory: linux/mm/mlock.c.
 *
 * The kernel counts by folio, from batches; here each entry knows whether it is one of the count.
 */
#include <faultline/units.h>

#include "linux_mm.h"

/* __mlock_folio, __mlock_new_folio */
bool mlock_folio(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (!(f->flags & FOLIO_CHARGED))
        return false;
    if (f->list != LRU_UNEVICTABLE) {
        lru_remove(lm, c);
        f->list = LRU_UNEVICTABLE;
        f->flags |= FOLIO_LOCKED;
        f->mlock_count = 0;
    }
    f->mlock_count++;
    return true;
}

/* __munlock_folio: it was not on the active list any more when it was locked */
void munlock_folio(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (f->list != LRU_UNEVICTABLE || --f->mlock_count)
        return;
    f->flags &= (uint16_t)~FOLIO_LOCKED;
    f->list = LRU_NONE;
    lru_add_inactive(lm, c);
}

bool page_is_locked(const struct linux_mm *lm, uint32_t page)
{
    if (!lm->vm->has_locks)
        return false;
    const struct vma *vma = vm_vma(lm->vm, page);
    return vma && vma->flags & VMA_LOCKED;
}

void mlock_new_entry(struct linux_mm *lm, uint32_t page, uint32_t c)
{
    if (page_is_locked(lm, page) && mlock_folio(lm, c))
        lm->pte[page] |= PTE_LOCKED;
}

struct space {
    struct linux_mm *lm;
    uint32_t mm;
};

/* mlock_pte_range */
static bool lock_entry(void *arg, uint64_t vpn, struct leaf *leaf)
{
    const struct space *space = arg;
    struct linux_mm *lm = space->lm;
    uint32_t c = small_contents(lm, space->mm, vpn, leaf);
    if (c == NO_CONTENTS)
        return true;
    uint8_t bits = leaf_bits(lm, leaf);
    if ((bits & (PTE_PRESENT | PTE_ZERO_PAGE | PTE_LOCKED)) == PTE_PRESENT && mlock_folio(lm, c))
        leaf_set_bits(lm, leaf, bits | PTE_LOCKED);
    return true;
}

static bool unlock_entry(void *arg, uint64_t vpn, struct leaf *leaf)
{
    struct linux_mm *lm = ((const struct space *)arg)->lm;
    uint32_t c = leaf_contents(lm->vm, leaf);
    (void)vpn;
    if (c >= lm->folios_room)
        return true;
    uint8_t bits = leaf_bits(lm, leaf);
    if (bits & PTE_LOCKED) {
        leaf_set_bits(lm, leaf, bits & (uint8_t)~PTE_LOCKED);
        munlock_folio(lm, c);
    }
    return true;
}

/* mlock_vma_pages_range, of each mapping */
static void lock_range(struct linux_mm *lm, uint32_t id, uint64_t from, uint64_t to)
{
    const struct mm *mm = &lm->vm->mms[id];
    struct space space = { lm, id };
    const struct vma *vma;
    lru_add_drain(lm);
    for (; (vma = mm_next(mm, from)) && vma->start < to && from < to; from = vma->end)
        pgtable_walk(&mm->tables, vma->start > from ? vma->start : from,
                     vma->end < to ? vma->end : to,
                     vma->flags & VMA_LOCKED ? lock_entry : unlock_entry, &space);
}

void mlock_event(struct linux_mm *lm, const struct fl_event *ev)
{
    uint32_t id = ev->kind == FL_EV_LOCK  ? ev->lock.mm
                  : ev->kind == FL_EV_MAP ? ev->map.mm
                                          : ev->remap.mm;
    uint64_t start = ev->lock.start, length = ev->lock.length, end;
    if (!lm->vm->has_locks || id >= lm->vm->n_mms || !lm->vm->mms[id].users)
        return;
    if (ev->kind == FL_EV_MAP) {
        start = ev->map.start;
        length = ev->map.flags & FL_MAP_LOCKED ? ev->map.length : 0;
    } else if (ev->kind == FL_EV_REMAP) { /* what has been added */
        start = ev->remap.new_start + ev->remap.old_length;
        length = ev->remap.new_length > ev->remap.old_length
                     ? ev->remap.new_length - ev->remap.old_length
                     : 0;
    }
    uint64_t span = pgtable_span_pages(lm->vm->levels), to = span;
    if (!__builtin_add_overflow(start, length, &end) && fl_pages_of(end) < span)
        to = fl_pages_of(end);
    if (ev->kind == FL_EV_LOCK)
        lock_range(lm, id, start >> FL_PAGE_SHIFT, to);
    populate_locked(lm, id, start >> FL_PAGE_SHIFT, to);
}
