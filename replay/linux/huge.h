/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * huge.h - transparent huge pages of anonymous memory: linux/mm/huge_memory.c, khugepaged.c.
 *
 * A huge page is 512 contents, as if they were mapped one by one, whose leaves carry PTE_HUGE; so
 * whatever goes through the leaves goes on as it is. What makes them one is
 *
 * - struct pmd: the entry that maps all of an aligned 2 MiB of a space, with its accessed bit;
 * - struct huge: the folio. Its head is on the list for all 512, the others are LRU_TAIL.
 *
 * A huge folio may outlive its entries: they are split when one page of the range is unmapped,
 * protected or copied. A page of it that nobody maps any more is kept, and paid for, until the
 * folio is split or gone.
 *
 * huge.c          entries of 2 MiB, and what happens to them with their mapping
 * huge_folio.c    folios: their parts, references, split
 * huge_fault.c    faults
 * huge_reclaim.c  out to swap
 * khugepaged.c    small pages made huge
 */
#ifndef REPLAY_LINUX_HUGE_H
#define REPLAY_LINUX_HUGE_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/err.h>

#define HUGE_PAGES 512u
#define HUGE_SHIFT 9u
#define NO_PMD UINT32_MAX
#define HUGE_ZERO UINT32_MAX /* in place of a folio: the huge zero page */

struct linux_mm;
struct mm;
struct batch;
struct vma;

/* One for each 2 MiB that a space maps by a single entry. */
struct pmd {
    uint64_t number;  /* page number >> 9 */
    uint32_t mm;      /* NO_PMD: not in use */
    uint32_t huge;    /* index, or HUGE_ZERO */
    uint32_t chain;   /* next in its bucket; if not in use, next that is not */
    uint32_t sibling; /* next of the same folio */
    bool young;
};

struct huge {
    uint32_t contents[HUGE_PAGES]; /* NO_CONTENTS: unmapped */
    uint32_t n_live;               /* of them; 0: not in use */
    uint32_t head;                 /* place of the one on the list */
    uint32_t next_gone;            /* where the next to go is looked for first */
    uint32_t mm;                   /* where it was made */
    uint64_t number;
    uint32_t first_pmd; /* entries that map it whole; NO_PMD: none */
};

struct thp {
    bool on;
    struct pmd *pmd;
    uint32_t *bucket; /* by hash: first of its chain */
    uint32_t n_pmds, pmds_room, free_pmd, pmds_used;
    struct huge *huge;
    uint32_t n_huge, huge_room;
    uint32_t *free_huge;
    uint32_t n_free_huge;
    uint64_t unmapped_pages; /* of huge folios: nobody's, and still paid for */

    /* khugepaged */
    uint64_t next_scan_ps; /* 0: nothing to scan yet */
    uint32_t scan_mm;
    uint64_t scan_number;

    /* results */
    uint64_t faults, zero_faults, fallbacks, collapses, splits, swapouts, swapout_fallbacks;
};

void thp_fini(struct linux_mm *lm);

/* ---- huge.c -------------------------------------------------------------------------------- */

/* that maps page @vpn of @mm; NO_PMD: none does */
uint32_t pmd_find(const struct linux_mm *lm, uint32_t mm, uint64_t vpn);
/* NO_PMD: no memory */
uint32_t pmd_new(struct linux_mm *lm, uint32_t mm, uint64_t number, uint32_t huge);
void pmd_free(struct linux_mm *lm, uint32_t pmd);
/* 512 entries of 4 KiB in its place (__split_huge_pmd) */
void pmd_split(struct linux_mm *lm, uint32_t pmd);
/* the one that maps @page */
void huge_split_at(struct linux_mm *lm, uint32_t page);
/* the entry of @page is used */
void pmd_accessed(struct linux_mm *lm, uint32_t page);

/* hooks of the virtual memory stage, before what they tell happens */
void huge_cut(void *arg, uint32_t mm, uint64_t vpn);
void huge_cleared(void *arg, uint32_t mm, uint64_t from, uint64_t to);
void huge_moved(void *arg, uint32_t mm, uint64_t from, uint64_t n, uint64_t to);
void huge_forked(void *arg, uint32_t parent, uint32_t child); /* this one after it */

/* ---- huge_folio.c -------------------------------------------------------------------------- */

/* index of a new one without parts; HUGE_ZERO: no memory */
uint32_t huge_new(struct linux_mm *lm);
/* @c, resident and charged, becomes its part @place; the part 0 its head, on no list yet */
void huge_join(struct linux_mm *lm, uint32_t huge, uint32_t place, uint32_t c);
/* its pages are folios by themselves from now on; but those never written are given back, and the
   zero page is mapped in their place (try_to_map_unused_to_zeropage). @rest: gets those besides the head, last place
   first, which join no list; NULL: they join the head's */
uint32_t huge_split(struct linux_mm *lm, uint32_t huge, uint32_t rest[HUGE_PAGES]);
/* @c, a part, ceases to exist */
void huge_part_gone(struct linux_mm *lm, uint32_t c);
/* how many of its entries were accessed since last time */
uint32_t huge_referenced(struct linux_mm *lm, uint32_t huge);

/* ---- huge_fault.c -------------------------------------------------------------------------- */

/* is all of [from, to) in @vma, or in mappings beside it that the kernel would have as one? */
bool huge_holds_range(const struct mm *mm, const struct vma *vma, uint64_t from, uint64_t to);
/* the mapping of @vpn, if its 2 MiB may be huge; NULL: no */
struct vma *huge_allowed(const struct linux_mm *lm, uint32_t mm, uint64_t vpn);
/* false: it is a fault of 4 KiB */
bool huge_fault(struct linux_mm *lm, uint32_t page, bool write);
/* 512 pages have been taken for the 2 MiB of @vpn: a huge page there, of what its leaves hold */
void huge_map_taken(struct linux_mm *lm, uint32_t mm, uint64_t vpn);
/* a write to a present, read-only entry of 2 MiB; false: now it is one of 4 KiB */
bool huge_write_protected(struct linux_mm *lm, uint32_t page);

/* ---- huge_reclaim.c ------------------------------------------------------------------------ */

/* the folio of @c goes to swap whole; false: it has been split, the rest is in @batch */
bool huge_swap_out(struct linux_mm *lm, uint32_t c, struct batch *batch);
/* at @priority, free what is nobody's (deferred_split_scan) */
void huge_split_deferred(struct linux_mm *lm, int priority);

/* ---- khugepaged.c -------------------------------------------------------------------------- */

void khugepaged_run(struct linux_mm *lm);

#endif
