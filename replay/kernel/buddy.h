/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * buddy.h - the buddy allocator of one zone: which block is free, on which list, in what order.
 *
 *     struct buddy *b = buddy_new(start_pfn, pages, BUDDY_MOVABLE);
 *     buddy_give(b, pfn, 10);                       memory appears
 *     if (buddy_take(b, 0, BUDDY_UNMOVABLE, 0, &pfn)) ...
 *
 * Free blocks lie on a list for their order and for the type of the pageblock they are in. Every
 * list is in the kernel's order, so the block that is handed out is the one the kernel would hand
 * out. All memory is taken in buddy_new().
 *
 * Source: Linux 6.18, mm/page_alloc.c. One node, no CMA, no shuffling, defrag_mode 0.
 */
#ifndef REPLAY_BUDDY_H
#define REPLAY_BUDDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDDY_ORDERS 11u     /* 0 to MAX_PAGE_ORDER */
#define BUDDY_BLOCK_ORDER 9u /* pageblock_order */
#define BUDDY_BLOCK_PAGES (1u << BUDDY_BLOCK_ORDER)

/** Migrate types, by the kernel's numbers. */
enum buddy_type {
    BUDDY_UNMOVABLE,
    BUDDY_MOVABLE,
    BUDDY_RECLAIMABLE,
    BUDDY_HIGHATOMIC,
    BUDDY_ISOLATE,
    BUDDY_TYPES
};
#define BUDDY_MOVABLE_USE 0x80u
#define BUDDY_PCP_TYPES 3u /* the first ones: on per-CPU lists, merge with each other */

/** buddy_type_name - as /proc/pagetypeinfo calls it: "Unmovable". */
const char *buddy_type_name(enum buddy_type type);

/** How an allocation may go about it. */
enum {
    BUDDY_NOFRAGMENT = 1u << 0,    /* from another type: whole pageblocks only */
    BUDDY_USE_HIGHATOMIC = 1u << 1 /* the reserve for atomic allocations, when all else fails */
};

/** What happened, by order where it has one. */
struct buddy_stats {
    uint64_t allocs[BUDDY_ORDERS], frees[BUDDY_ORDERS];
    uint64_t splits[BUDDY_ORDERS]; /* of a block of this order, into halves */
    uint64_t merges[BUDDY_ORDERS]; /* of two blocks of this order */
    uint64_t claims, steals;       /* from another type's lists: with the pageblock, without */
    uint64_t failed;
};

struct buddy_list {
    uint32_t first, last; /* index of a page + 1; 0: none */
    uint64_t n;
};

/** One zone. Read the fields; change them through the functions. */
struct buddy {
    uint64_t start, end; /* page frame numbers: [start, end) */
    uint64_t base;       /* of index 0: start, rounded down to a block of the largest order */
    uint64_t free_pages;
    uint64_t free_of[BUDDY_TYPES]; /* free pages by type */
    struct buddy_list list[BUDDY_ORDERS][BUDDY_TYPES];
    uint64_t managed, high_mark; /* for boosts; managed 0: there are none */
    uint64_t boost;              /* pages on top of each watermark */
    bool below_high; /* a request has found it below its high watermark, and no CPU has given pages
                        back since that make it untrue (ZONE_BELOW_HIGH) */
    bool reclaiming; /* kswapd is at work: CPUs keep few pages (ZONE_RECLAIM_ACTIVE) */
    struct buddy_stats stats;
    uint8_t *state;        /* of a page: 0, or order + 1 of the free block that it begins; with
                              BUDDY_MOVABLE_USE: of the block in use */
    uint8_t *block_type;   /* of a pageblock */
    uint32_t *next, *prev; /* of a free block's first page, of a page on a per-CPU list */
};

/** buddy_new - a zone of @pages from @start on, all in use, pageblocks of @type. NULL: no memory.
 *  @pages is below 2^32 - 1024. Cost: 9 bytes a page, real once a page is used. */
struct buddy *buddy_new(uint64_t start, uint64_t pages, enum buddy_type type);
void buddy_free(struct buddy *b); /* NULL is fine */

/**
 * buddy_take - a block of @order for a request of @type (rmqueue_buddy).
 * From its own lists, smallest sufficient order first; then another type's pageblock as a whole;
 * then, without BUDDY_NOFRAGMENT, pages of another type.
 * Returns: false when there is none. Cost: O(orders); a claim looks at one pageblock.
 */
bool buddy_take(struct buddy *b, uint32_t order, enum buddy_type type, unsigned flags,
                uint64_t *pfn);

/** How far a run of allocations has fallen back: what later ones need not try again. */
enum buddy_mode { BUDDY_TRY_OWN, BUDDY_TRY_STEAL };

/** buddy_take_next - buddy_take() as one of several, without BUDDY_USE_HIGHATOMIC; @*mode begins
 *  as BUDDY_TRY_OWN. A failure is not counted. */
bool buddy_take_next(struct buddy *b, uint32_t order, enum buddy_type type, unsigned flags,
                     enum buddy_mode *mode, uint64_t *pfn);

/** buddy_note_movable - pages that were handed out can be moved (are on LRU lists), or, with
 *  @movable false, no longer: asked when a pageblock is to change its type. */
void buddy_note_movable(struct buddy *b, uint64_t pfn, uint32_t order, bool movable);

/** buddy_give - the block is free; merged with its buddies, on the list of its pageblock's type. */
void buddy_give(struct buddy *b, uint64_t pfn, uint32_t order);

/** buddy_holder - the order of the free block that has page @pfn in it; BUDDY_ORDERS: none. */
uint32_t buddy_holder(const struct buddy *b, uint64_t pfn, uint64_t *head);

/** buddy_take_at - this very block, out of the free one that holds it; false: none does. */
bool buddy_take_at(struct buddy *b, uint64_t pfn, uint32_t order);

static inline enum buddy_type buddy_type_of(const struct buddy *b, uint64_t pfn)
{
    return (enum buddy_type)b->block_type[(pfn - b->base) >> BUDDY_BLOCK_ORDER];
}

/**
 * buddy_retype - the pageblock of @pfn has @type from now on, and so have its free pages
 * (move_freepages_block; a larger free block around it is cut at its borders first).
 * Returns: pages moved.
 */
uint64_t buddy_retype(struct buddy *b, uint64_t pfn, enum buddy_type type);

/** buddy_walk - the @i-th page frame number on a list: (uint64_t)-1 past its end. Cost: O(1) from
 *  one call to the next: pass what it returned as @after, -1 at first. */
uint64_t buddy_walk(const struct buddy *b, uint32_t order, enum buddy_type type, uint64_t after);

/** buddy_check - are all invariants kept? "" or what is wrong, in @why. Cost: O(pages). */
bool buddy_check(const struct buddy *b, char *why, size_t why_bytes);

/* ---- what is free, judged ------------------------------------------------------------ */

/**
 * buddy_fragmentation_index - why an allocation of @order fails: towards 0 for lack of memory,
 * towards 1000 for fragmentation; -1000 when it would not fail. @blocks: free ones by order.
 */
int64_t buddy_fragmentation_index(const int64_t blocks[BUDDY_ORDERS], uint32_t order);

/** buddy_unusable_index - the share of free memory that an allocation of @order cannot use,
 *  in 1/1000. */
int64_t buddy_unusable_index(const int64_t blocks[BUDDY_ORDERS], uint32_t order);

/** buddy_blocks - free blocks by order, of all types. */
void buddy_blocks(const struct buddy *b, int64_t blocks[BUDDY_ORDERS]);

/** buddy_largest - the largest order of @blocks that there is one of; -1: none. */
int buddy_largest(const int64_t blocks[BUDDY_ORDERS]);

#endif
