/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions named in comments are those of Linux 6.18, mm/swapfile.c. */
#include <stdlib.h>
#include <string.h>

#include "swap_area.h"

#define NO_CLUSTER UINT32_MAX
#define WORDS (SWAP_CLUSTER_SLOTS / 64)

/* ---- lists: take at the head, add at the tail ------------------------------------ */

static void list_remove(struct swap_area *area, uint32_t c)
{
    struct swap_cluster *cl = &area->clusters[c];
    struct swap_list *list = &area->lists[cl->on];
    *(cl->prev == NO_CLUSTER ? &list->first : &area->clusters[cl->prev].next) = cl->next;
    *(cl->next == NO_CLUSTER ? &list->last : &area->clusters[cl->next].prev) = cl->prev;
    list->n--;
    cl->on = SWAP_LIST_NONE;
}

/* To the tail of @id, from wherever it is (move_cluster). */
static void list_move(struct swap_area *area, uint32_t c, enum swap_list_id id)
{
    struct swap_cluster *cl = &area->clusters[c];
    struct swap_list *list = &area->lists[id];
    if (cl->on != SWAP_LIST_NONE)
        list_remove(area, c);
    cl->prev = list->last;
    cl->next = NO_CLUSTER;
    *(list->last == NO_CLUSTER ? &list->first : &area->clusters[list->last].next) = c;
    list->last = c;
    list->n++;
    cl->on = (uint8_t)id;
}

static bool table_make(struct swap_area *area, struct swap_cluster *cl)
{
    cl->table = calloc(1, sizeof *cl->table);
    if (!cl->table)
        area->out_of_memory = true;
    return cl->table;
}

/* The head of @id, on no list any more (isolate_lock_cluster). */
static uint32_t list_take(struct swap_area *area, enum swap_list_id id)
{
    uint32_t c = area->lists[id].first;
    if (id == SWAP_LIST_FREE && area->fresh < area->fresh_end) {
        c = area->fresh++;
        area->clusters[c].on = SWAP_LIST_NONE;
    } else if (c != NO_CLUSTER) {
        list_remove(area, c);
    } else {
        return NO_CLUSTER;
    }
    if (!area->clusters[c].table && !table_make(area, &area->clusters[c])) {
        list_move(area, c, SWAP_LIST_FREE);
        return NO_CLUSTER;
    }
    return c;
}

/* ---- the area ---------------------------------------------------------------------- */

/* Slots of the last cluster that lie on the device. */
static uint32_t cluster_end(const struct swap_area *area, uint32_t c)
{
    uint32_t left = area->config.n_slots - c * SWAP_CLUSTER_SLOTS;
    return left < SWAP_CLUSTER_SLOTS ? left : SWAP_CLUSTER_SLOTS;
}

static void set_bit(uint64_t *words, uint32_t i, bool on)
{
    uint64_t bit = UINT64_C(1) << (i % 64);
    words[i / 64] = on ? words[i / 64] | bit : words[i / 64] & ~bit;
}

static bool get_bit(const uint64_t *words, uint32_t i)
{
    return words[i / 64] >> (i % 64) & 1;
}

/* The header and what is past the end count as used; a cluster with such slots starts
   on the nonfull list, before any free one is looked at (setup_clusters). */
static bool cluster_cut(struct swap_area *area, uint32_t c)
{
    struct swap_cluster *cl = &area->clusters[c];
    uint32_t end = cluster_end(area, c);
    if (!table_make(area, cl))
        return false;
    for (uint32_t i = 0; i < SWAP_CLUSTER_SLOTS; i++) {
        bool missing = i >= end || (c == 0 && i == 0);
        set_bit(cl->table->mapped, i, missing);
        cl->count = (uint16_t)(cl->count + missing);
    }
    cl->on = SWAP_LIST_NONE;
    list_move(area, c, SWAP_LIST_NONFULL);
    return true;
}

int swap_area_init(struct swap_area *area, const struct swap_area_config *config,
                   struct fl_err *err)
{
    uint32_t n =
        (uint32_t)(((uint64_t)config->n_slots + SWAP_CLUSTER_SLOTS - 1) / SWAP_CLUSTER_SLOTS);
    bool whole = config->n_slots % SWAP_CLUSTER_SLOTS == 0;
    *area = (struct swap_area){ .config = *config, .n_clusters = n };
    if (config->n_slots < 2)
        return fl_fail(err, FL_EUSAGE, "a swap area of %u pages holds nothing; give it 2 or more",
                       config->n_slots);
    for (int id = 0; id < SWAP_LISTS; id++)
        area->lists[id] = (struct swap_list){ NO_CLUSTER, NO_CLUSTER, 0 };
    area->clusters = calloc(n, sizeof *area->clusters);
    if (!area->clusters)
        return fl_nomem(err, "swap area");
    area->fresh = 1;
    area->fresh_end = whole || n == 1 ? n : n - 1;
    if (!cluster_cut(area, 0) || (area->fresh_end < n && !cluster_cut(area, n - 1))) {
        swap_area_fini(area);
        return fl_nomem(err, "swap area");
    }
    return FL_OK;
}

void swap_area_fini(struct swap_area *area)
{
    if (area->clusters) {
        for (uint32_t c = 0; c < area->fresh; c++)
            free(area->clusters[c].table);
        if (area->fresh < area->n_clusters)
            free(area->clusters[area->n_clusters - 1].table);
    }
    free(area->clusters);
    *area = (struct swap_area){ 0 };
}

/* ---- a cluster finds its list --------------------------------------------------------- */

/* (__free_cluster, without discard) */
static void cluster_free(struct swap_area *area, uint32_t c)
{
    struct swap_cluster *cl = &area->clusters[c];
    free(cl->table);
    cl->table = NULL;
    cl->huge = false;
    list_move(area, c, SWAP_LIST_FREE);
}

/* After a search for a slot, whether it found one or not (relocate_cluster). */
static void cluster_searched(struct swap_area *area, uint32_t c)
{
    const struct swap_cluster *cl = &area->clusters[c];
    enum swap_list_id id = cl->huge ? SWAP_LIST_FRAG_HUGE : SWAP_LIST_FRAG;
    if (cl->count == 0) {
        if (cl->on != SWAP_LIST_FREE)
            cluster_free(area, c);
        return;
    }
    if (cl->count == SWAP_CLUSTER_SLOTS)
        id = SWAP_LIST_FULL;
    if (cl->on != id)
        list_move(area, c, id);
}

/* (swap_entries_free, partial_free_cluster, free_cluster, swap_range_free) */
static void slot_freed(struct swap_area *area, uint32_t slot)
{
    uint32_t c = slot / SWAP_CLUSTER_SLOTS;
    struct swap_cluster *cl = &area->clusters[c];
    enum swap_list_id id = cl->huge ? SWAP_LIST_NONFULL_HUGE : SWAP_LIST_NONFULL;
    area->used--;
    if (--cl->count == 0)
        cluster_free(area, c);
    else if (cl->on != id)
        list_move(area, c, id);
}

/* (cluster_alloc_range, swap_range_alloc) */
static void slot_taken(struct swap_area *area, uint32_t slot, uint32_t owner)
{
    struct swap_cluster *cl = &area->clusters[slot / SWAP_CLUSTER_SLOTS];
    uint32_t i = slot % SWAP_CLUSTER_SLOTS;
    set_bit(cl->table->cached, i, true);
    cl->table->slot[i].owner = owner;
    cl->count++;
    if (++area->used > area->used_peak)
        area->used_peak = area->used;
    if (area->used == swap_area_usable(area))
        area->reclaim_due = true;
}

/* ---- allocation --------------------------------------------------------------------------- */

static int reclaim(struct swap_area *area, uint32_t slot)
{
    return area->config.reclaim ? area->config.reclaim(area->config.reclaim_arg, slot) : -1;
}

/* From @i up, the first slot of the cluster that is free, or, when the area is more than
   half used, held by the swap cache alone (cluster_scan_range). 512: none. */
static uint32_t candidate(const struct swap_area *area, const struct swap_table *t, uint32_t i)
{
    bool cached_too = swap_area_full(area);
    for (uint32_t w = i / 64; w < WORDS; w++) {
        uint64_t taken = t->mapped[w] | (cached_too ? 0 : t->cached[w]);
        uint64_t open = ~taken;
        if (w == i / 64)
            open &= UINT64_MAX << (i % 64);
        if (open)
            return w * 64 + (uint32_t)__builtin_ctzll(open);
    }
    return SWAP_CLUSTER_SLOTS;
}

/* One slot of cluster @c from @i up, and where the next search starts
   (alloc_swap_scan_cluster). A cluster that dropping cached pages has emptied is
   on the free list again: it is not used from here. */
static uint32_t search_cluster(struct swap_area *area, uint32_t c, uint32_t i, uint32_t owner)
{
    struct swap_cluster *cl = &area->clusters[c];
    uint32_t base = c * SWAP_CLUSTER_SLOTS, end = cluster_end(area, c);
    uint32_t found = SWAP_NO_SLOT, next = SWAP_NO_SLOT;
    for (;;) {
        i = candidate(area, cl->table, i);
        if (i >= end)
            break;
        if (get_bit(cl->table->cached, i)) {
            reclaim(area, base + i);
            if (cl->on == SWAP_LIST_FREE)
                break;
            if (swap_slot_in_use(area, base + i)) {
                i++;
                continue;
            }
        }
        found = base + i;
        slot_taken(area, found, owner);
        if (cl->count < SWAP_CLUSTER_SLOTS && i + 1 < end)
            next = found + 1;
        break;
    }
    cluster_searched(area, c);
    area->next = next;
    return found;
}

/* (alloc_swap_scan_list) */
static uint32_t search_list(struct swap_area *area, enum swap_list_id id, bool whole_list,
                            uint32_t owner)
{
    uint32_t slot = SWAP_NO_SLOT;
    do {
        uint32_t c = list_take(area, id);
        if (c == NO_CLUSTER)
            break;
        slot = search_cluster(area, c, 0, owner);
    } while (slot == SWAP_NO_SLOT && whole_list);
    return slot;
}

/* Cached pages out of full clusters, at most @n clusters but always one
   (swap_reclaim_full_clusters). */
static void reclaim_full(struct swap_area *area, uint32_t n)
{
    uint32_t c;
    while ((c = list_take(area, SWAP_LIST_FULL)) != NO_CLUSTER) {
        const struct swap_cluster *cl = &area->clusters[c];
        uint32_t end = cluster_end(area, c), i = 0;
        while (i < end && cl->table) {
            int pages = 0;
            if (get_bit(cl->table->cached, i) && !get_bit(cl->table->mapped, i))
                pages = reclaim(area, c * SWAP_CLUSTER_SLOTS + i);
            i += pages ? (uint32_t)abs(pages) : 1;
        }
        if (cl->on == SWAP_LIST_NONE)
            cluster_searched(area, c);
        if (n <= 1)
            break;
        n--;
    }
}

void swap_area_reclaim_full(struct swap_area *area)
{
    if (!area->reclaim_due)
        return;
    area->reclaim_due = false;
    reclaim_full(area, area->used / SWAP_CLUSTER_SLOTS);
}

/* The cluster of the last allocation first, unless it is full or free by now
   (swap_alloc_fast on an SSD, cluster_alloc_swap_entry on a disk: with one CPU and one
   area the same); then the lists, as cluster_alloc_swap_entry goes through them. */
uint32_t swap_slot_alloc(struct swap_area *area, uint32_t owner)
{
    uint32_t slot = SWAP_NO_SLOT, c = area->next / SWAP_CLUSTER_SLOTS;
    if (area->used == swap_area_usable(area))
        return SWAP_NO_SLOT;
    if (area->next != SWAP_NO_SLOT && area->clusters[c].on != SWAP_LIST_FREE &&
        area->clusters[c].on != SWAP_LIST_FULL)
        slot = search_cluster(area, c, area->next % SWAP_CLUSTER_SLOTS, owner);
    if (slot == SWAP_NO_SLOT)
        slot = search_list(area, SWAP_LIST_NONFULL, true, owner);
    if (slot == SWAP_NO_SLOT)
        slot = search_list(area, SWAP_LIST_FREE, false, owner);
    if (slot != SWAP_NO_SLOT)
        return slot;
    if (swap_area_full(area))
        reclaim_full(area, 1);
    slot = search_list(area, SWAP_LIST_FRAG, false, owner);
    if (slot == SWAP_NO_SLOT)
        slot = search_list(area, SWAP_LIST_FRAG_HUGE, true, owner);
    if (slot == SWAP_NO_SLOT)
        slot = search_list(area, SWAP_LIST_NONFULL_HUGE, true, owner);
    return slot;
}

uint32_t swap_slot_alloc_cluster(struct swap_area *area, const uint32_t owners[512])
{
    if (area->config.is_file || area->used == swap_area_usable(area))
        return SWAP_NO_SLOT;
    uint32_t c = list_take(area, SWAP_LIST_FREE);
    if (c == NO_CLUSTER) {
        if (swap_area_full(area))
            reclaim_full(area, 1);
        return SWAP_NO_SLOT;
    }
    area->clusters[c].huge = true;
    for (uint32_t i = 0; i < SWAP_CLUSTER_SLOTS; i++)
        slot_taken(area, c * SWAP_CLUSTER_SLOTS + i, owners[i]);
    cluster_searched(area, c);
    return c * SWAP_CLUSTER_SLOTS;
}

/* ---- who holds a slot ---------------------------------------------------------------------- */

/* (swap_entry_put_locked) */
static bool freed_if_unheld(struct swap_area *area, uint32_t slot)
{
    if (swap_slot_in_use(area, slot))
        return false;
    slot_freed(area, slot);
    return true;
}

void swap_slot_cache_add(struct swap_area *area, uint32_t slot)
{
    set_bit(swap_slot_table(area, slot)->cached, slot % SWAP_CLUSTER_SLOTS, true);
}

bool swap_slot_cache_del(struct swap_area *area, uint32_t slot)
{
    set_bit(swap_slot_table(area, slot)->cached, slot % SWAP_CLUSTER_SLOTS, false);
    return freed_if_unheld(area, slot);
}

void swap_slot_dup(struct swap_area *area, uint32_t slot)
{
    struct swap_table *t = swap_slot_table(area, slot);
    uint32_t i = slot % SWAP_CLUSTER_SLOTS;
    t->slot[i].maps++;
    set_bit(t->mapped, i, true);
}

bool swap_slot_put(struct swap_area *area, uint32_t slot)
{
    struct swap_table *t = swap_slot_table(area, slot);
    uint32_t i = slot % SWAP_CLUSTER_SLOTS;
    if (--t->slot[i].maps)
        return false;
    set_bit(t->mapped, i, false);
    return !freed_if_unheld(area, slot);
}

void swap_slot_free(struct swap_area *area, uint32_t slot)
{
    struct swap_table *t = swap_slot_table(area, slot);
    uint32_t i = slot % SWAP_CLUSTER_SLOTS;
    t->slot[i].maps = 0;
    set_bit(t->mapped, i, false);
    set_bit(t->cached, i, false);
    slot_freed(area, slot);
}

/* ---- invariants ------------------------------------------------------------------------------ */

static bool lists_check(const struct swap_area *area)
{
    for (int id = 0; id < SWAP_LISTS; id++) {
        const struct swap_list *list = &area->lists[id];
        uint32_t n = 0, prev = NO_CLUSTER;
        for (uint32_t c = list->first; c != NO_CLUSTER; c = area->clusters[c].next) {
            if (c >= area->n_clusters || n++ == list->n || area->clusters[c].on != id ||
                area->clusters[c].prev != prev)
                return false;
            prev = c;
        }
        if (n != list->n || list->last != prev)
            return false;
    }
    return true;
}

/* The list fits the count, the bits fit the numbers. @used: added to. */
static bool cluster_check(const struct swap_area *area, uint32_t c, uint32_t *used)
{
    const struct swap_cluster *cl = &area->clusters[c];
    uint32_t end = cluster_end(area, c), n = 0;
    bool of_huge = cl->on == SWAP_LIST_NONFULL_HUGE || cl->on == SWAP_LIST_FRAG_HUGE;
    if (cl->on == SWAP_LIST_NONE || (cl->on == SWAP_LIST_FREE) != (cl->count == 0) ||
        (cl->on == SWAP_LIST_FULL) != (cl->count == SWAP_CLUSTER_SLOTS))
        return false;
    if (!cl->count)
        return !cl->table && !cl->huge;
    if (!cl->table || (cl->huge != of_huge && cl->on != SWAP_LIST_FULL))
        return false;
    for (uint32_t i = 0; i < SWAP_CLUSTER_SLOTS; i++) {
        bool missing = i >= end || (c == 0 && i == 0);
        bool in_use = get_bit(cl->table->cached, i) || cl->table->slot[i].maps;
        if (get_bit(cl->table->mapped, i) != (missing || cl->table->slot[i].maps > 0) ||
            (missing && in_use))
            return false;
        n += missing || in_use;
        *used += in_use;
    }
    return n == cl->count;
}

bool swap_area_check(const struct swap_area *area)
{
    uint32_t used = 0, listed = 0, last = area->n_clusters - 1;
    if (!lists_check(area))
        return false;
    for (uint32_t c = 0; c < area->fresh; c++)
        if (!cluster_check(area, c, &used))
            return false;
    if (area->fresh <= last && area->fresh_end == last && !cluster_check(area, last, &used))
        return false;
    for (int id = 0; id < SWAP_LISTS; id++)
        listed += area->lists[id].n;
    return area->fresh <= area->fresh_end &&
           listed + (area->fresh_end - area->fresh) == area->n_clusters && used == area->used &&
           used <= area->used_peak && area->next < area->config.n_slots;
}
