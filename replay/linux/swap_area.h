/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * swap_area.h - which slot of a swap device a page gets, and who holds each slot.
 *
 * The rules are those of Linux 6.18, mm/swapfile.c, for one CPU and one swap area;
 * swap_area.c names the function each comes from. A slot is a page of the device;
 * slot 0 is its header and is never handed out. A slot is in use while the swap
 * cache holds it or a page table entry refers to it, and becomes free with the
 * last of them. Slots are kept in clusters of 512.
 *
 * Memory: 24 bytes a cluster ever used, and 4 KiB a cluster in use.
 */
#ifndef REPLAY_LINUX_SWAP_AREA_H
#define REPLAY_LINUX_SWAP_AREA_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/err.h>

#include "prefetch.h"

#define SWAP_NO_SLOT UINT32_C(0)
#define SWAP_NO_OWNER UINT32_MAX
#define SWAP_CLUSTER_SLOTS UINT32_C(512)

enum swap_kind {
    SWAP_SYNCHRONOUS, /* zram: done when the call returns; no read-ahead if mapped once */
    SWAP_SSD,         /* read-ahead by address */
    SWAP_ROTATIONAL   /* read-ahead by slot, on every area of the machine */
};

/**
 * swap_reclaim_fn - drop the page that the swap cache has in @slot, if that can be done.
 *
 * Asked only for slots that nothing but the swap cache holds. A page that is locked or
 * under write-back stays. To drop one: swap_slot_cache_del() on each slot of its folio,
 * and the folio becomes dirty (__try_to_reclaim_swap). Must not allocate slots.
 * Returns: the folio's pages if it was dropped, minus that if it stays, 0: no page there.
 */
typedef int swap_reclaim_fn(void *arg, uint32_t slot);

struct swap_area_config {
    /* Pages of the device, with the header: 2 or more. What is over a multiple of 512 is
       used right after the first 511 slots, so for "as many as needed" take a multiple. */
    uint32_t n_slots;
    enum swap_kind kind;
    bool is_file;             /* a regular file: no slots for whole huge pages */
    swap_reclaim_fn *reclaim; /* NULL: nothing can be dropped */
    void *reclaim_arg;
};

struct swap_list {
    uint32_t first, last, n; /* clusters */
};

/* Which list a cluster is on. A free cluster has no table. */
enum swap_list_id {
    SWAP_LIST_FREE, /* 0, so that memory from calloc is free clusters */
    SWAP_LIST_NONFULL,
    SWAP_LIST_NONFULL_HUGE, /* first used for a huge page */
    SWAP_LIST_FRAG,
    SWAP_LIST_FRAG_HUGE,
    SWAP_LIST_FULL,
    SWAP_LISTS,
    SWAP_LIST_NONE = SWAP_LISTS
};

struct swap_table {
    uint64_t cached[SWAP_CLUSTER_SLOTS / 64]; /* the swap cache holds the slot */
    uint64_t mapped[SWAP_CLUSTER_SLOTS / 64]; /* maps > 0, or a slot that does not exist */
    struct swap_slot {
        uint32_t maps, owner;
    } slot[SWAP_CLUSTER_SLOTS];
};

struct swap_cluster {
    uint32_t prev, next;
    uint16_t count; /* slots in use, or not there */
    uint8_t on;     /* enum swap_list_id */
    bool huge;      /* the first allocation since it was empty was of all 512 */
    struct swap_table *table;
};

/* Read used, used_peak, reclaim_due and out_of_memory; leave the rest alone. */
struct swap_area {
    struct swap_area_config config;
    struct swap_cluster *clusters;
    uint32_t n_clusters;
    uint32_t fresh, fresh_end; /* never used: they come before the free list */
    struct swap_list lists[SWAP_LISTS];
    uint32_t next;            /* where the search goes on; SWAP_NO_SLOT: in another cluster */
    uint32_t used, used_peak; /* slots, without the header */
    bool reclaim_due;         /* see swap_area_reclaim_full() */
    bool out_of_memory;       /* SWAP_NO_SLOT was for want of our memory: the run is void */
};

/**
 * swap_area_init - an area with every slot free; swap_area_fini() when done.
 * Errors: FL_EUSAGE for fewer than two slots, FL_ENOMEM; nothing to free then.
 */
int swap_area_init(struct swap_area *area, const struct swap_area_config *config,
                   struct fl_err *err);
/** swap_area_fini - also of a zeroed area. */
void swap_area_fini(struct swap_area *area);

/**
 * swap_slot_alloc - a slot for one page, which the swap cache then holds; no maps yet.
 * @owner: given back by swap_slot_owner().
 * Returns: SWAP_NO_SLOT when there is none, or out_of_memory.
 * May call the reclaim callback when more than half is used.
 * Cost: a word of 64 slots at a time, O(1) in the long run unless slots lie scattered.
 */
uint32_t swap_slot_alloc(struct swap_area *area, uint32_t owner);
/**
 * swap_slot_alloc_cluster - 512 slots in a row for a huge page, as swap_slot_alloc().
 * Returns: the first; SWAP_NO_SLOT when no cluster is free or the area is a file: split it.
 */
uint32_t swap_slot_alloc_cluster(struct swap_area *area, const uint32_t owners[512]);

/* For the rest, pre: 0 < slot < n_slots. O(1). */

/** swap_slot_cache_add - the swap cache holds the slot. pre: in use, not cached. */
void swap_slot_cache_add(struct swap_area *area, uint32_t slot);
/** swap_slot_cache_del - it no longer does. pre: cached. Returns: the slot became free. */
bool swap_slot_cache_del(struct swap_area *area, uint32_t slot);
/** swap_slot_dup - one more page table entry refers to the slot. pre: in use. */
void swap_slot_dup(struct swap_area *area, uint32_t slot);
/**
 * swap_slot_put - one fewer. pre: swap_slot_maps() > 0.
 * Returns: only the swap cache holds it now; the caller may want to drop the cached page.
 */
bool swap_slot_put(struct swap_area *area, uint32_t slot);
/** swap_slot_free - whoever holds it: the slot is free. pre: in use. */
void swap_slot_free(struct swap_area *area, uint32_t slot);

static inline struct swap_table *swap_slot_table(const struct swap_area *area, uint32_t slot)
{
    return area->clusters[slot / SWAP_CLUSTER_SLOTS].table;
}

static inline bool swap_slot_cached(const struct swap_area *area, uint32_t slot)
{
    const struct swap_table *t = swap_slot_table(area, slot);
    uint32_t i = slot % SWAP_CLUSTER_SLOTS;
    return t && t->cached[i / 64] >> i % 64 & 1;
}

/** swap_slot_maps - page table entries that refer to the slot; 0 for a free one. */
static inline uint32_t swap_slot_maps(const struct swap_area *area, uint32_t slot)
{
    const struct swap_table *t = swap_slot_table(area, slot);
    return t ? t->slot[slot % SWAP_CLUSTER_SLOTS].maps : 0;
}

static inline bool swap_slot_in_use(const struct swap_area *area, uint32_t slot)
{
    return swap_slot_maps(area, slot) || swap_slot_cached(area, slot);
}

/** swap_slot_owner - as allocated; SWAP_NO_OWNER for a free slot. */
static inline uint32_t swap_slot_owner(const struct swap_area *area, uint32_t slot)
{
    return swap_slot_in_use(area, slot)
               ? swap_slot_table(area, slot)->slot[slot % SWAP_CLUSTER_SLOTS].owner
               : SWAP_NO_OWNER;
}

/** swap_slot_expect - the slot is asked for soon; also one that is free, or SWAP_NO_SLOT. */
static PREFETCHES void swap_slot_expect(const struct swap_area *area, uint32_t slot)
{
    const struct swap_table *t = area->clusters[slot / SWAP_CLUSTER_SLOTS].table;
    uint32_t i = slot % SWAP_CLUSTER_SLOTS;
    if (!t)
        return;
    __builtin_prefetch(&t->slot[i], 1);
    __builtin_prefetch(&t->mapped[i / 64], 1);
}

/** swap_area_usable - slots there are, without the header. */
static inline uint32_t swap_area_usable(const struct swap_area *area)
{
    return area->config.n_slots - 1;
}

/** swap_area_full - more than half is used (vm_swap_full). */
static inline bool swap_area_full(const struct swap_area *area)
{
    uint64_t n = swap_area_usable(area);
    return (n - area->used) * 2 < n;
}

/**
 * swap_area_reclaim_full - what the kernel's worker does when the last slot has gone:
 * drop cached pages from full clusters. Does nothing unless reclaim_due, which
 * it clears. The caller decides when the worker gets to run; never from the callback.
 */
void swap_area_reclaim_full(struct swap_area *area);

/**
 * swap_area_check - every invariant. Not from the callback.
 * Cost: O(clusters ever used + 512 for each in use).
 */
bool swap_area_check(const struct swap_area *area);

#endif
