/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One batch of one list: linux/mm/vmscan.c, shrink_inactive_list and shrink_active_list. */
#include "mglru.h"

#define BATCH_MAX 32u

enum reference { RECLAIM, RECLAIM_CLEAN, STAYS, BECOMES_ACTIVE };

/* lru_note_cost: reclaim of this type was dear. Old costs fade, against the size last seen. */
void note_cost(struct linux_mm *lm, bool file, uint64_t written, uint64_t rotated)
{
    uint64_t cost = written * BATCH_MAX + rotated, size = 0;
    if (!cost)
        return;
    lm->cost[file] += cost;
    for (int list = 0; list < LRU_LISTS; list++)
        size += lm->seen.size[list];
    if (lm->cost[0] + lm->cost[1] > size / 4) {
        lm->cost[0] /= 2;
        lm->cost[1] /= 2;
    }
}

/* folio_check_references */
static enum reference check_references(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    uint32_t accessed = folio_referenced(lm, c);
    bool referenced = f->flags & FOLIO_REFERENCED, file = folio_is_file_lru(lm, c);

    if (lm->mglru && !(f->flags & FOLIO_LOCKED)) {
        if (!accessed)
            return RECLAIM;
        return mglru_set_refs(lm, c) ? BECOMES_ACTIVE : STAYS;
    }
    f->flags &= (uint16_t)~FOLIO_REFERENCED;
    if (f->flags & FOLIO_LOCKED)
        return BECOMES_ACTIVE;
    if (accessed) {
        f->flags |= FOLIO_REFERENCED;
        if (referenced || accessed > 1 || (file && (f->flags & FOLIO_EXEC)))
            return BECOMES_ACTIVE;
        return STAYS;
    }
    return referenced && file ? RECLAIM_CLEAN : RECLAIM;
}

/* __remove_mapping: out of its cache, with a shadow left behind. */
static enum verdict free_clean(struct linux_mm *lm, uint32_t c, struct batch *batch)
{
    bool comes_back = !lm->folio[c].lazyfree;
    void (*tell)(void *arg, uint32_t c) = comes_back ? lm->evicted : lm->dropped;
    if (comes_back && batch->advised)
        workingset_evicted_by_advice(lm, c);
    else if (comes_back)
        workingset_evicted(lm, c);
    if (lm->folio[c].flags & FOLIO_SWAP_CACHE)
        swap_cache_left(lm, c);
    folio_free(lm, c);
    lm->evictions++;
    if (tell)
        tell(lm->arg, c);
    batch->freed++;
    return FREED;
}

/* pageout: anonymous pages only; a file's dirty pages wait for the flusher. */
static enum verdict write_dirty(struct linux_mm *lm, uint32_t c, enum reference reference,
                                struct batch *batch)
{
    struct folio *f = &lm->folio[c];
    if (folio_is_file(lm, c)) {
        f->flags |= FOLIO_RECLAIM;
        return ACTIVATE;
    }
    if (reference == RECLAIM_CLEAN)
        return KEEP;
    f->flags &= (uint16_t)~FOLIO_DIRTY;
    batch->written++;
    if (f->zero) /* a bit says so (swap_zeromap_folio_set) */
        return free_clean(lm, c, batch);
    lm->pages_out++;
    lm->translations.filled += lm->translations.tlb.per_page_out;
    linux_tick(lm, swap_is_synchronous(lm) ? FL_COST_SWAP_OUT_SYNC : FL_COST_SWAP_OUT_DISK, 1);
    if (swap_is_synchronous(lm))
        return free_clean(lm, c, batch);
    f->flags |= FOLIO_WRITEBACK | FOLIO_RECLAIM;
    return swap_write_begin(lm, c) ? KEEP : ACTIVATE;
}

enum verdict shrink_written(struct linux_mm *lm, uint32_t c, struct batch *batch)
{
    return write_dirty(lm, c, RECLAIM, batch);
}

/* A group of cgroup v1 has no dirty throttling of its own (writeback_throttling_sane). */
static bool waits_for_writes(const struct linux_mm *lm)
{
    return !lm->opts.machine && !lm->opts.group_v2;
}

void wake_flusher(struct linux_mm *lm)
{
    if (waits_for_writes(lm))
        page_cache_write_back(lm);
    else
        lm->flusher_due = true;
}

/* Written since MADV_FREE: it is an anonymous page like any other again (try_to_unmap_one). */
static bool in_use_again(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    bool dirty = f->flags & FOLIO_DIRTY;
    for (uint32_t page = lm->vm->cs.first_page[c]; page != NO_PAGE && !dirty;
         page = lm->vm->next_mapper[page])
        dirty = lm->pte[page] & PTE_DIRTY;
    if (dirty) {
        f->flags |= FOLIO_DIRTY;
        f->lazyfree = false;
    }
    return dirty;
}

/* shrink_folio_list, one folio */
enum verdict shrink_folio(struct linux_mm *lm, uint32_t c, struct batch *batch)
{
    struct folio *f = &lm->folio[c];

    if (f->flags & FOLIO_BUSY)
        return KEEP;
    if (f->flags & FOLIO_WRITEBACK) {
        if (!(f->flags & FOLIO_RECLAIM) || batch->advised || !waits_for_writes(lm)) {
            f->flags |= FOLIO_RECLAIM;
            return ACTIVATE;
        }
        swap_write_wait(lm, c); /* then it is looked at again */
    }
    if (folio_is_file(lm, c) && f->flags & FOLIO_DIRTY) /* folio_check_dirty_writeback */
        batch->dirty_files++;
    enum reference reference = batch->advised ? RECLAIM : check_references(lm, c);
    if (reference == BECOMES_ACTIVE)
        return ACTIVATE;
    if (reference == STAYS)
        return KEEP;
    if (f->lazyfree && in_use_again(lm, c))
        return ACTIVATE;
    if (f->huge && huge_swap_out(lm, c, batch))
        return FREED;
    if (!folio_is_file_lru(lm, c) && !(f->flags & FOLIO_SWAP_CACHE)) {
        if (!swap_cache_enter(lm, c))
            return ACTIVATE;
        f->flags |= FOLIO_DIRTY;
    }
    folio_unmap(lm, c);
    if (!folio_is_file_lru(lm, c))
        swap_hold(lm, c);
    if (lm->mglru && mglru_held(lm->mglru, c) && !(folio_is_file(lm, c) && f->flags & FOLIO_DIRTY))
        return KEEP; /* is_page_cache_freeable, folio_ref_freeze */
    if (f->flags & FOLIO_DIRTY)
        return write_dirty(lm, c, reference, batch);
    return free_clean(lm, c, batch);
}

/* move_folios_to_lru, one folio */
static void put_back(struct linux_mm *lm, uint32_t c, enum lru_list from, enum verdict verdict)
{
    struct folio *f = &lm->folio[c];
    if (f->zero && !f->mapped && !(f->flags & FOLIO_SWAP_CACHE)) {
        folio_free(lm, c); /* of a split huge page: nobody else holds it */
        return;
    }
    if (verdict == ACTIVATE && (f->flags & FOLIO_LOCKED)) {
        f->list = LRU_UNEVICTABLE;
        return;
    }
    if (verdict != ACTIVATE) {
        lru_add(lm, c, from);
        return;
    }
    lru_add(lm, c, lru_home(lm, c, true));
    lm->nonresident_age += folio_pages(lm, c);
    lm->activated += folio_pages(lm, c);
}

/* isolate_lru_folios: up to @n pages, and what a huge one is more. Returns the folios. */
static uint32_t isolate(struct linux_mm *lm, enum lru_list list, uint64_t n,
                        uint32_t taken[BATCH_MAX], uint32_t *pages)
{
    uint32_t n_taken = 0;
    *pages = 0;
    lru_add_drain(lm);
    swap_write_arrive(lm);
    while (*pages < n && lm->lru[list].oldest != NO_CONTENTS) {
        uint32_t c = lm->lru[list].oldest;
        lru_expect(lm, c);
        lru_remove(lm, c);
        taken[n_taken++] = c;
        *pages += folio_pages(lm, c);
    }
    return n_taken;
}

/* shrink_inactive_list. A huge folio is the last that is taken: it alone is over @n. */
uint64_t shrink_inactive(struct linux_mm *lm, struct scan_control *sc, enum lru_list list,
                         uint64_t n)
{
    uint32_t taken[BATCH_MAX + HUGE_PAGES], pages, n_taken = isolate(lm, list, n, taken, &pages);
    enum verdict verdict[BATCH_MAX + HUGE_PAGES];
    struct batch batch = { .rest = taken + n_taken };
    bool file = list == LRU_INACTIVE_FILE;

    if (!n_taken)
        return 0;
    for (uint32_t i = 0; i < n_taken + batch.n_rest; i++) {
        verdict[i] = shrink_folio(lm, taken[i], &batch);
        if (verdict[i] == ACTIVATE && swap_full(lm))
            swap_cache_drop(lm, taken[i]); /* activate_locked */
    }
    for (uint32_t i = 0; i < n_taken + batch.n_rest; i++)
        if (verdict[i] != FREED)
            put_back(lm, taken[i], list, verdict[i]);
    sc->scanned += pages;
    lm->scanned += pages;
    linux_tick(lm, FL_COST_SCAN, n_taken + batch.n_rest);
    note_cost(lm, file, batch.written, pages - batch.freed);
    if (batch.dirty_files == n_taken)
        wake_flusher(lm);
    return batch.freed;
}

/* shrink_active_list: only executable file pages in use stay active */
void shrink_active(struct linux_mm *lm, enum lru_list list, uint64_t n)
{
    uint32_t taken[BATCH_MAX], pages, n_taken = isolate(lm, list, n, taken, &pages);
    uint64_t rotated = 0;
    bool file = list == LRU_ACTIVE_FILE;

    for (uint32_t i = 0; i < n_taken; i++) {
        struct folio *f = &lm->folio[taken[i]];
        if (folio_referenced(lm, taken[i]) && file && (f->flags & FOLIO_EXEC)) {
            lru_add(lm, taken[i], list);
            lm->nonresident_age++;
            rotated++;
            continue;
        }
        f->flags |= FOLIO_WORKINGSET;
        lru_add(lm, taken[i], list - 1);
        lm->deactivated += folio_pages(lm, taken[i]);
    }
    note_cost(lm, file, 0, rotated);
}
