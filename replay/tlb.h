/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * tlb.h - the TLB stage: any geometry, LRU in each set, tagged by address space.
 *
 * docs/model.md section 4. Whether a page is cached in a level is one array look-up
 * by dense page id; sets are searched only on a fill. Mappings larger than 4 KiB
 * have ids of their own, from a hash table.
 *
 * tlb.c        levels, runs, walks
 * tlb_flush.c  address spaces in turn, and what is flushed when
 */
#ifndef REPLAY_TLB_H
#define REPLAY_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/replay.h>

#include "digest.h"
#include "walk_cache.h"

#define TLB_NO_KEY UINT32_MAX
#define TLB_NO_MM UINT32_MAX
#define TLB_KERNEL_MM (UINT32_MAX - 1) /* the kernel's own space: after an exit */
#define TLB_BIG (UINT32_C(1) << 31)    /* in a key: an index of big[], not a dense page id */

struct tlb_level {
    struct fl_tlb_level geometry;
    uint32_t sets;
    uint32_t latest;       /* the key used last, if it is still there */
    uint32_t *key_in;      /* by entry, or TLB_NO_KEY */
    uint64_t *last_use;    /* by entry */
    uint32_t *entry_of[2]; /* by dense page id, by index of big[]: entry + 1, or 0 */
    uint64_t lookups, misses;
};

/* Who uses the same levels in the same order. */
enum tlb_side { TLB_SIDE_FETCH, TLB_SIDE_LOAD, TLB_SIDE_STORE, TLB_SIDES };

struct tlb_chain {
    struct tlb_level *level[FL_TLB_LEVELS_MAX];
    uint32_t n;
    enum fl_page_size held_as; /* the largest size up to the mapping's own that is held */
};

/* A mapping of more than 4 KiB that was looked up. */
struct tlb_big {
    uint64_t number; /* page number >> 9 * size */
    uint32_t mm;
    uint8_t size;
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
    struct tlb_level level[FL_TLB_LEVELS_MAX];
    struct tlb_chain chain[TLB_SIDES][FL_PAGE_SIZES];
    bool split_data[FL_PAGE_SIZES]; /* loads and stores have different chains */
    struct walk_caches walk_caches;
    uint32_t n_levels, pages_room;
    uint64_t now;
    uint64_t walks, walk_refs, later_hits;

    struct tlb_big *big;
    uint32_t *big_slots; /* hash table: index + 1, or 0 */
    uint32_t n_big, big_room;

    struct tlb_asid *asid;
    uint32_t n_asids, n_begun, next_asid; /* assigned in turn */
    uint32_t current_mm;                  /* the running space */
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

/** tlb_room - make room for dense page ids below @n_pages. */
int tlb_room(struct tlb *tlb, uint32_t n_pages, struct fl_err *err);

/**
 * tlb_run - a run's look-ups in @page, whose mapping has @size: fetches first, then data.
 * pre: tlb_switch() to its space. FL_ENOMEM only with a size above 4 KiB.
 */
int tlb_run(struct tlb *tlb, uint32_t page, enum fl_page_size size, uint64_t fetches,
            uint64_t reads, uint64_t writes, struct fl_err *err);

/**
 * tlb_window - tlb_run() of all @runs, which @d is made of. pre: all mapped with 4 KiB and in the
 * space that tlb_switch() was called for.
 */
int tlb_window(struct tlb *tlb, const struct fl_runs *runs, const struct digest *d,
               struct fl_err *err);

/* ---- tlb_flush.c ------------------------------------------------------------------ */

void tlb_switch_slow(struct tlb *tlb, uint32_t mm);

/** tlb_switch - @mm runs from here on. */
static inline void tlb_switch(struct tlb *tlb, uint32_t mm)
{
    if (__builtin_expect(mm != tlb->current_mm, 0))
        tlb_switch_slow(tlb, mm);
}

/** tlb_flush_page - @page's translation, of @size, is no longer valid: eviction, copy-on-write. */
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

/** tlb_key_page - the space and 4 KiB page number of @key; *@size: its mapping's. */
struct fl_page tlb_key_page(const struct tlb *tlb, uint32_t key, enum fl_page_size *size);
void tlb_drop(struct tlb_level *level, uint32_t key);

#endif
