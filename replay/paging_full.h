/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * paging_full.h - what the loops over a full memory share.
 *
 * Most references of most replays find their page, or every frame in use and swap with room for all
 * of them. Then each page that comes takes the place of one that goes, and a loop that has nothing
 * else to think of needs few enough numbers to keep them in registers.
 */
#ifndef REPLAY_PAGING_FULL_H
#define REPLAY_PAGING_FULL_H

#include "paging.h"

_Static_assert(KEPT_FILE == KEPT_SLOT << 1, "full_comes() shifts");

/** full_suits - swap cannot become full, and @refs has no fault of its own. */
static inline bool full_suits(const struct paging *p, const struct paging_refs *refs)
{
    uint8_t any = 0;
    if (p->counts.slots + refs->n > p->swap_pages)
        return false;
    for (uint32_t i = 0; i < refs->n; i++)
        any |= refs->info[i];
    return any <= REF_WRITE;
}

struct full {
    uint64_t slots, slots_peak, left; /* left: TALLY_* */
    uint32_t n, read;                 /* pages that came, and went; those of files */
};

static inline struct full full_begin(const struct tally *t)
{
    return (struct full){ .slots = t->slots, .slots_peak = t->slots_peak };
}

static inline void full_end(const struct full *f, struct tally *t)
{
    t->slots = f->slots;
    t->slots_peak = f->slots_peak;
    t->left = f->left % TALLY_SLOT;
    t->back = t->n_faulted = f->n;
    t->read = f->read;
}

/** full_goes - a page of @kept. */
static inline void full_goes(struct full *f, uint8_t kept)
{
    uint64_t what = kept_leaves(kept);
    f->left += what;
    f->slots += what / TALLY_SLOT;
    f->slots_peak = f->slots > f->slots_peak ? f->slots : f->slots_peak;
}

/** full_comes - for reference @ref, contents at @at that were evicted, instead of @evicted: what is
    kept of them. */
static inline uint8_t full_comes(struct paging *p, struct full *f, bool tells, uint32_t ref,
                                 uint32_t at, uint32_t evicted)
{
    uint32_t file = at / AT_FILE;
    if (tells)
        p->faulted[f->n] = (struct paging_fault){ evicted, (uint16_t)ref,
                                                  file ? FL_CAUSE_FILE_READ : FL_CAUSE_SWAP_IN };
    f->n++;
    f->read += file;
    return (uint8_t)(KEPT | (uint32_t)KEPT_SLOT << file);
}

/** full_ref - a reference, with REF_WRITE or not, to a page of @kept. */
static inline uint8_t full_ref(struct full *f, uint32_t kept, uint32_t write)
{
    f->slots -= kept / KEPT_SLOT & write;
    return (uint8_t)((kept & ~(write * KEPT_SLOT)) | write * KEPT_DIRTY);
}

#endif
