/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refault distances: linux/mm/workingset.c. */
#include "mglru.h"

/* workingset_eviction */
void workingset_evicted(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (lm->mglru) {
        mglru_evicted(lm, c);
        return;
    }
    f->shadow = (uint32_t)lm->nonresident_age;
    f->flags &= (uint16_t)~FOLIO_SHADOW_WORKINGSET;
    f->flags |= FOLIO_SHADOW;
    f->shadow_of_root = false;
    if (f->flags & FOLIO_WORKINGSET)
        f->flags |= FOLIO_SHADOW_WORKINGSET;
    lm->nonresident_age++;
}

/*
 * A reclaim that is for no group ages the root of all groups, which no page of this one's is to be
 * compared with.
 */
void workingset_evicted_by_advice(struct linux_mm *lm, uint32_t c)
{
    uint64_t age = lm->nonresident_age;
    workingset_evicted(lm, c);
    if (lm->mglru || lm->opts.machine)
        return;
    lm->nonresident_age = age;
    lm->folio[c].shadow_of_root = true;
}

/* workingset_test_recent: with the sizes of the last statistics flush */
static uint64_t workingset_size(const struct linux_mm *lm, bool file)
{
    const uint64_t *size = lm->seen.size;
    uint64_t n = size[LRU_ACTIVE_FILE];
    if (!file)
        n += size[LRU_INACTIVE_FILE];
    if (swap_available(lm)) {
        n += size[LRU_ACTIVE_ANON];
        if (file)
            n += size[LRU_INACTIVE_ANON];
    }
    return n;
}

/* workingset_refault */
bool workingset_refault(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    bool file = folio_is_file(lm, c);
    if (lm->mglru) {
        mglru_refault(lm, c);
        return false;
    }
    if (!(f->flags & FOLIO_SHADOW))
        return false;
    f->flags &= (uint16_t)~FOLIO_SHADOW;
    lm->refaults++;
    vmstat_before_use(lm);
    uint32_t distance = (uint32_t)lm->nonresident_age - f->shadow;
    bool of_root = f->shadow_of_root; /* whose lists are the whole machine's: always recent */
    f->shadow_of_root = false;
    if (!of_root && distance > workingset_size(lm, file))
        return false;
    lm->nonresident_age++;
    lm->stat.activate[file]++;
    if (f->flags & FOLIO_SHADOW_WORKINGSET) {
        f->flags |= FOLIO_WORKINGSET;
        note_cost(lm, file, 1, 0);
    }
    return true;
}
