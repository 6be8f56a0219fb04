/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * tlb.h - the TLB stage: any geometry, LRU in each set, tagged by address space.
 *
 * docs/model.md section 4. The key of a translation is its dense page id or, of mappings larger
 * than 4 KiB, the id of the page table in whose place they are.
 *
 * tlb.c         levels, a run, walks
 * tlb_batch.c   many runs
 * tlb_tables.c  ids for page tables
 * tlb_flush.c   address spaces in turn, and what is flushed when
 */
#ifndef REPLAY_TLB_H
#define REPLAY_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/replay.h>

#include "digest.h"
#include "lru_sets.h"
#include "prefetch.h"
#include "tlb_tables.h"
#include "walk_cache.h"

#define TLB_NO_KEY LRU_NO_KEY
#define TLB_NO_MM UINT32_MAX
#define TLB_KERNEL_MM (UINT32_MAX - 1) /* the kernel's own space: after an exit */
#define TLB_MANY_MM (UINT32_MAX - 2)
#define TLB_BIG (UINT32_C(1) << 31) /* in a key: the id of a table, not of a page */

struct tlb_level {
    struct fl_tlb_level geometry;
    struct lru_sets sets;
    uint32_t latest; /* the key used last, if it is still there */
    uint64_t lookups, misses;
};

/* Who uses the same levels in the same order. */
enum tlb_side { TLB_SIDE_FETCH, TLB_SIDE_LOAD, TLB_SIDE_STORE, TLB_SIDES };

struct tlb_chain {
    struct tlb_level *level[FL_TLB_LEVELS_MAX];
    uint32_t n;
    enum fl_page_size held_as; /* the largest size up to the mapping's own that is held */
};

struct tlb_asid {
    uint32_t mm;
    bool gone;  /* the space has ended; its entries are still there */
    bool stale; /* something of it was flushed while it was not running */
};

/* A page whose translation an operation under way takes back. */
struct tlb_gathered {
    uint32_t page;
    uint8_t size;
};

struct tlb {
    const struct fl_reader *reader;
    uint32_t *at; /* by dense page id: its table, of height 1, << TABLE_BITS | where in it */
    uint32_t n_pages, pages_room;
    struct tlb_tables tables;
    struct tlb_level level[FL_TLB_LEVELS_MAX];
    uint32_t n_levels;
    struct tlb_chain chain[TLB_SIDES][FL_PAGE_SIZES];
    bool own_firsts; /* of 4 KiB pages: no side's first level is in the chain of another */
    struct tlb_level *one_second;   /* and of them all there is behind the first, on all sides */
    bool split_data[FL_PAGE_SIZES]; /* loads and stores have different chains */
    struct walk_caches walk_caches;
    uint64_t walks, walk_refs, later_hits;

    struct tlb_asid *asid;
    uint32_t n_asids, n_begun, next_asid; /* assigned in turn */
    uint32_t current_mm;                  /* the running space */
    uint32_t held_mm; /* the space that has entries in the levels; TLB_NO_MM, TLB_MANY_MM */
    bool broadcast;
    uint64_t flushes[FL_FLUSH_KINDS], page_flushes;

    uint32_t flush_pages;
    struct tlb_gathered *gathered; /* flush_pages of them */
    uint32_t n_gathered, gathered_size;
    uint64_t from, to; /* they span [from, to), in 4 KiB pages */
};

int tlb_init(struct tlb *tlb, const struct fl_machine *machine, const struct fl_reader *reader,
             struct fl_err *err);
void tlb_fini(struct tlb *tlb);

/**
 * tlb_room - make room for dense page ids below @n_pages, which the reader has. FL_ENOMEM, FL_EDATA
 * (more than 8 M page tables).
 * Cost: a look at each new page.
 */
int tlb_room(struct tlb *tlb, uint32_t n_pages, struct fl_err *err);

/**
 * tlb_run - a run's look-ups in @page, whose mapping has @size: fetches first, then data.
 * pre: tlb_room(); tlb_switch() to its space.
 */
void tlb_run(struct tlb *tlb, uint32_t page, enum fl_page_size size, uint64_t fetches,
             uint64_t reads, uint64_t writes);

/**
 * tlb_batch - tlb_run() of @runs [from, to), all mapped with 4 KiB and in the running space.
 * pre: tlb_room() of all of @runs.
 */
void tlb_batch(struct tlb *tlb, const struct fl_runs *runs, size_t from, size_t to);

/** tlb_window - tlb_batch() of all @runs, which @d is made of. */
void tlb_window(struct tlb *tlb, const struct fl_runs *runs, const struct digest *d);

#define TLB_AHEAD 12u /* runs between the two */

/** tlb_prefetch - @page will be looked up, or flushed. pre: tlb_room(). */
static PREFETCHES void tlb_prefetch(const struct tlb *tlb, uint32_t page)
{
    __builtin_prefetch(&tlb->at[page]);
}

/* ---- tlb_flush.c ------------------------------------------------------------------ */

void tlb_switch_slow(struct tlb *tlb, uint32_t mm);

/** tlb_switch - @mm runs from here on. */
static inline void tlb_switch(struct tlb *tlb, uint32_t mm)
{
    if (__builtin_expect(mm != tlb->current_mm, 0))
        tlb_switch_slow(tlb, mm);
}

/** tlb_flush_page - @page's translation, of @size, is no longer valid: eviction, copy-on-write.
    pre: tlb_room(), here and below. */
void tlb_flush_page(struct tlb *tlb, uint32_t page, enum fl_page_size size);

/** tlb_gather - the same, but the flush waits for tlb_flush_gathered(). All of one space. */
void tlb_gather(struct tlb *tlb, uint32_t page, enum fl_page_size size);
/** tlb_flush_gathered - the operation on @mm is complete: flush its pages, or the space. */
void tlb_flush_gathered(struct tlb *tlb, uint32_t mm);

/** tlb_fork - @mm was copied. What was gathered is part of it. */
void tlb_fork(struct tlb *tlb, uint32_t mm);

/** tlb_mm_gone - @mm has ended, by an exec or else an exit. What was gathered is part of it. */
void tlb_mm_gone(struct tlb *tlb, uint32_t mm, bool exec);

/* ---- between tlb*.c --------------------------------------------------------------- */

/* A page that @table maps missed all levels. */
void tlb_walk(struct tlb *tlb, uint32_t table, enum fl_page_size size);

/* A page of 4 KiB missed the first level of @chain: the rest of it, and the walk. */
void tlb_missed_4k(struct tlb *tlb, const struct tlb_chain *chain, uint32_t page,
                   enum fl_page_size size);

static inline uint32_t tlb_table(const struct tlb *tlb, uint32_t page)
{
    return tlb->at[page] >> TABLE_BITS;
}

static inline uint64_t tlb_vpn(const struct tlb *tlb, uint32_t page)
{
    uint32_t at = tlb->at[page];
    return tlb->tables.number[at >> TABLE_BITS] << TABLE_BITS | (at & (TABLE_PAGES - 1));
}

static inline uint32_t tlb_mm(const struct tlb *tlb, uint32_t page)
{
    return tlb->tables.at[tlb_table(tlb, page)].mm;
}

#endif
