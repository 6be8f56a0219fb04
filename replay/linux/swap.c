/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Out to swap and back: linux/mm/memory.c do_swap_page, swap_state.c, page_io.c. */
#include "grow.h"
#include "linux_mm.h"

/* (The area itself has one slot at least.) */
bool swap_exists(const struct linux_mm *lm)
{
    return lm->opts.swap_pages > 0;
}

/* cgroup v2 limits a group's swap, v1 knows only the devices' size. */
static bool limited_by_group(const struct linux_mm *lm)
{
    return lm->opts.group_v2 && !lm->opts.machine && lm->opts.swap_pages != UINT64_MAX;
}

bool swap_available(const struct linux_mm *lm)
{
    return swap_exists(lm) && lm->swap.used < swap_area_usable(&lm->swap) &&
           (!limited_by_group(lm) || lm->swap.used < lm->opts.swap_pages);
}

/* mem_cgroup_swap_full: slots that are only cached are given up */
bool swap_full(const struct linux_mm *lm)
{
    return swap_area_full(&lm->swap) ||
           (limited_by_group(lm) && lm->swap.used * UINT64_C(2) >= lm->opts.swap_pages);
}

/* mem_cgroup_get_nr_swap_pages */
uint64_t swap_pages_left(const struct linux_mm *lm)
{
    if (!swap_available(lm))
        return 0;
    uint64_t left = swap_area_usable(&lm->swap) - lm->swap.used;
    uint64_t group = lm->opts.swap_pages - lm->swap.used;
    return limited_by_group(lm) && group < left ? group : left;
}

/* folio_alloc_swap */
bool swap_cache_enter(struct linux_mm *lm, uint32_t c)
{
    if (!swap_exists(lm) || (limited_by_group(lm) && !swap_available(lm)))
        return false;
    uint32_t slot = swap_slot_alloc(&lm->swap, c);
    if (lm->swap.reclaim_due)
        swap_area_reclaim_full(&lm->swap);
    if (slot == SWAP_NO_SLOT) {
        lm->failed_memory |= lm->swap.out_of_memory;
        return false;
    }
    lm->folio[c].slot = slot;
    lm->folio[c].flags |= FOLIO_SWAP_CACHE;
    return true;
}

bool swap_cache_enter_huge(struct linux_mm *lm, const uint32_t contents[HUGE_PAGES])
{
    if (!swap_exists(lm) ||
        (limited_by_group(lm) && lm->swap.used + HUGE_PAGES > lm->opts.swap_pages))
        return false;
    uint32_t slot = swap_slot_alloc_cluster(&lm->swap, contents);
    if (lm->swap.reclaim_due)
        swap_area_reclaim_full(&lm->swap);
    for (uint32_t i = 0; slot != SWAP_NO_SLOT && i < HUGE_PAGES; i++) {
        lm->folio[contents[i]].slot = slot + i;
        lm->folio[contents[i]].flags |= FOLIO_SWAP_CACHE | FOLIO_DIRTY;
    }
    lm->failed_memory |= lm->swap.out_of_memory;
    return slot != SWAP_NO_SLOT;
}

/* Shared memory leaves its file for the swap cache; the file keeps an entry (shmem_writeout). */
void swap_hold(struct linux_mm *lm, uint32_t c)
{
    uint32_t slot = lm->folio[c].slot;
    if (lm->vm->cs.kind[c] == CONTENTS_MEMORY && !swap_slot_maps(&lm->swap, slot))
        swap_slot_dup(&lm->swap, slot);
}

/* The cached copy goes; the slot stays while entries refer to it. */
void swap_cache_left(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    f->flags &= (uint16_t)~FOLIO_SWAP_CACHE;
    if (swap_slot_cache_del(&lm->swap, f->slot))
        f->slot = SWAP_NO_SLOT;
}

/* folio_free_swap: the page lives on without its slot, so it has to be written again. */
void swap_cache_drop(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (!(f->flags & FOLIO_SWAP_CACHE) || (f->flags & FOLIO_WRITEBACK) ||
        swap_slot_maps(&lm->swap, f->slot))
        return;
    swap_cache_left(lm, c);
    f->flags |= FOLIO_DIRTY;
}

/* The area wants a slot back that only the swap cache holds. */
int swap_cache_reclaim(void *arg, uint32_t slot)
{
    struct linux_mm *lm = arg;
    uint32_t c = swap_slot_owner(&lm->swap, slot);
    if (c >= lm->folios_room || lm->folio[c].slot != slot)
        return 0;
    swap_cache_drop(lm, c);
    return lm->folio[c].flags & FOLIO_SWAP_CACHE ? -1 : 1;
}

/* An entry that named the slot is gone. */
void swap_entry_gone(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (f->slot == SWAP_NO_SLOT || !swap_slot_maps(&lm->swap, f->slot))
        return;
    swap_slot_put(&lm->swap, f->slot);
    if (!swap_slot_in_use(&lm->swap, f->slot))
        f->slot = SWAP_NO_SLOT;
}

/* A page comes back into memory that has been charged for it. */
static void arrive(struct linux_mm *lm, uint32_t c, bool cached)
{
    struct folio *f = &lm->folio[c];
    folio_resident(lm, c);
    lm->pages_in += !f->zero;
    f->flags &= (uint16_t) ~(FOLIO_WORKINGSET | FOLIO_REFERENCED | FOLIO_DIRTY | FOLIO_READAHEAD);
    if (cached) {
        f->flags |= FOLIO_SWAP_CACHE;
        swap_slot_cache_add(&lm->swap, f->slot);
    }
    bool active = workingset_refault(lm, c);
    lru_add_new(lm, c, lru_home(lm, c, active));
}

/* false: the process is gone. @came: @owner was not there before */
static bool read_one(struct linux_mm *lm, uint32_t owner, bool *came)
{
    *came = false;
    if (owner >= lm->folios_room || lm->folio[owner].flags & FOLIO_RESIDENT ||
        lm->folio[owner].slot == SWAP_NO_SLOT)
        return true;
    if (!take_page(lm))
        return false;
    /* charging may have reclaimed or killed: look again */
    if (lm->folio[owner].flags & FOLIO_RESIDENT || lm->folio[owner].slot == SWAP_NO_SLOT) {
        give_pages(lm, 1);
        return true;
    }
    arrive(lm, owner, true);
    *came = true;
    return true;
}

bool swap_cache_read(struct linux_mm *lm, uint32_t c)
{
    bool came;
    if (!read_one(lm, c, &came))
        return false;
    linux_tick(lm, FL_COST_SWAP_READAHEAD, came);
    return true;
}

/* One page of the window. false: the process is gone. */
static bool read_around(struct linux_mm *lm, uint32_t owner, uint32_t target)
{
    bool came;
    if (!read_one(lm, owner, &came))
        return false;
    if (!came)
        return true;
    if (!lm->folio[owner].zero)
        swap_read_begin(lm, lm->folio[owner].slot);
    if (owner == target) {
        lm->folio[owner].flags |= FOLIO_BUSY; /* until it is mapped */
    } else {
        lm->folio[owner].flags |= FOLIO_READAHEAD;
        lm->readahead_pages++;
        linux_tick(lm, FL_COST_SWAP_READAHEAD, 1);
    }
    return true;
}

static void read_ahead_ends(struct linux_mm *lm, bool alive)
{
    swap_read_unplug(lm);
    if (alive)
        lru_add_drain(lm);
}

/* swap_cluster_readahead */
static bool read_slots(struct linux_mm *lm, uint32_t c)
{
    struct swap_ra_range block =
        swap_ra_slots(&lm->swap_ra, lm->folio[c].slot, lm->swap.config.n_slots);
    bool alive = true, one = block.end - block.first == 1;
    if (!one)
        swap_read_plug(lm);
    for (uint64_t slot = block.first; alive && slot < block.end; slot++)
        if (swap_slot_in_use(&lm->swap, (uint32_t)slot))
            alive = read_around(lm, swap_slot_owner(&lm->swap, (uint32_t)slot), c);
    if (!one)
        read_ahead_ends(lm, alive);
    return alive;
}

/* swap_vma_readahead */
static bool read_pages(struct linux_mm *lm, uint32_t page, uint32_t c)
{
    struct fl_page at = vm_page(lm->vm, page);
    struct mm *mm = &lm->vm->mms[at.mm];
    struct vma *vma = mm_find(mm, at.vpn);
    if (!vma)
        return read_around(lm, c, c);
    bool one;
    struct swap_ra_range range =
        swap_ra_pages(&lm->swap_ra, &vma->swap_ra, at.vpn, vma->start, vma->end, &one);
    bool alive = true;
    if (!one)
        swap_read_plug(lm);
    for (uint64_t vpn = range.first; alive && vpn < range.end; vpn++) {
        const struct leaf *leaf = mm->users ? pgtable_peek(&mm->tables, vpn) : NULL;
        if (!leaf || !leaf->id)
            continue;
        uint32_t owner = leaf_contents(lm->vm, leaf);
        if (lm->vm->cs.kind[owner] == CONTENTS_ANON) /* else there is no entry on swap */
            alive = read_around(lm, owner, c);
    }
    if (!one)
        read_ahead_ends(lm, alive);
    return alive;
}

/* Which kind of read-ahead (swapin_readahead, shmem_swapin_cluster). */
static bool by_slot(const struct linux_mm *lm, uint32_t c)
{
    return lm->opts.swap_kind == SWAP_ROTATIONAL || lm->vm->cs.kind[c] == CONTENTS_MEMORY;
}

static void swap_cache_hit(struct linux_mm *lm, uint32_t page, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    bool marked = f->flags & FOLIO_READAHEAD;
    struct vma *vma = by_slot(lm, c) ? NULL : vm_vma(lm->vm, page);
    f->flags &= (uint16_t)~FOLIO_READAHEAD;
    lm->readahead_hits += marked;
    swap_ra_found(&lm->swap_ra, vma ? &vma->swap_ra : NULL, vma ? vm_page(lm->vm, page).vpn : 0,
                  marked);
}

/* do_swap_page up to the mapping; @cause: what the fault turned out to be. */
bool swap_in(struct linux_mm *lm, uint32_t page, uint32_t c, enum fl_cause *cause)
{
    *cause = FL_CAUSE_SWAP_CACHE;
    if (lm->folio[c].flags & FOLIO_RESIDENT) {
        if (lm->folio[c].flags & FOLIO_SWAP_CACHE)
            swap_cache_hit(lm, page, c);
        return true;
    }
    *cause = FL_CAUSE_SWAP_IN;
    if (swap_is_synchronous(lm) && swap_slot_maps(&lm->swap, lm->folio[c].slot) == 1) {
        if (!take_page(lm))
            return false;
        arrive(lm, c, false);
        return true;
    }
    uint64_t before = lm->pages_in;
    bool alive = by_slot(lm, c) ? read_slots(lm, c) : read_pages(lm, page, c);
    if (lm->pages_in > before)
        swap_read_wait(lm, lm->pages_in - before);
    lm->folio[c].flags &= (uint16_t)~FOLIO_BUSY;
    return alive && lm->folio[c].flags & FOLIO_RESIDENT;
}

/* do_swap_page, from the mapping on. */
void swap_map(struct linux_mm *lm, uint32_t page, uint32_t c, bool write)
{
    struct folio *f = &lm->folio[c];
    if (write && f->flags & FOLIO_SWAP_CACHE && f->list == LRU_BATCHED)
        lru_add_drain(lm);
    swap_entry_gone(lm, c);
    if (f->flags & FOLIO_SWAP_CACHE &&
        (swap_full(lm) || page_is_locked(lm, page) || (write && !f->mapped)))
        swap_cache_drop(lm, c);
    bool alone = lm->vm->cs.mappers[c] == 1;
    map_page(lm, page, c, (uint8_t)((alone ? PTE_WRITE : 0) | (write ? PTE_WRITE | PTE_DIRTY : 0)));
}
