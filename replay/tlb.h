/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * tlb.h - the TLB stage: any geometry, LRU in each set, tagged by address space.
 *
 * docs/model.md section 4. Whether a page is cached in a level is one array look-up
 * by dense page id; sets are searched only on a fill.
 */
#ifndef REPLAY_TLB_H
#define REPLAY_TLB_H

#include <stdint.h>

#include <faultline/replay.h>

struct tlb_level {
    struct fl_tlb_level geometry;
    uint32_t sets;
    uint32_t *page_in;  /* by entry: dense page id, or UINT32_MAX */
    uint64_t *last_use; /* by entry */
    uint32_t *entry_of; /* by dense page id: entry + 1, or 0 */
    uint64_t lookups, hits;
};

struct tlb {
    const struct fl_reader *reader;
    struct tlb_level level[FL_TLB_LEVELS_MAX];
    uint32_t n_levels, radix_levels, pages_room;
    uint64_t now;
    uint64_t walks, walk_refs, flushes;

    uint32_t *asid_holder; /* address spaces that hold an ASID, longest first */
    uint32_t n_asids, n_holders;
    uint32_t current_mm; /* the space that looked up last, known to hold one */
};

int tlb_init(struct tlb *tlb, const struct fl_machine *machine, const struct fl_reader *reader,
             struct fl_err *err);
void tlb_fini(struct tlb *tlb);

/** tlb_room - make room for dense page ids below @n_pages. */
int tlb_room(struct tlb *tlb, uint32_t n_pages, struct fl_err *err);

/** tlb_run - a run's look-ups: @fetches on the fetch side, then @data (reads + writes). */
void tlb_run(struct tlb *tlb, uint32_t page, uint32_t mm, uint64_t fetches, uint64_t data);

/** tlb_drop - @page's translation is no longer valid. */
void tlb_drop(struct tlb *tlb, uint32_t page);

/** tlb_mm_gone - the address space has ended; its pages have been dropped. */
void tlb_mm_gone(struct tlb *tlb, uint32_t mm);

#endif
