/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "naive_swap.h"

#define NONE UINT32_MAX

bool naive_swap_in_use(const struct naive_swap *s, uint32_t slot)
{
    return s->slot[slot].cached || s->slot[slot].maps;
}

uint32_t naive_swap_used(const struct naive_swap *s)
{
    uint32_t n = 0;
    for (uint32_t slot = 0; slot < s->n_slots; slot++)
        n += naive_swap_in_use(s, slot);
    return n;
}

static bool more_than_half_used(const struct naive_swap *s)
{
    uint32_t used = naive_swap_used(s), free_slots = s->n_slots - 1 - used;
    return used > free_slots;
}

static uint32_t open_slots(const struct naive_swap *s, uint32_t c)
{
    uint32_t n = 0;
    for (uint32_t slot = c * 512; slot < c * 512 + 512; slot++)
        n += !s->slot[slot].missing && !naive_swap_in_use(s, slot);
    return n;
}

/* To the end of a list; where it is already on it, it keeps its place. */
static void put_on(struct naive_swap *s, uint32_t c, enum naive_list list)
{
    if (s->cluster[c].list == list)
        return;
    s->cluster[c].list = list;
    s->cluster[c].since = s->now++;
}

void naive_swap_start(struct naive_swap *s, uint32_t n_slots)
{
    uint32_t n = (n_slots + 511) / 512;
    *s = (struct naive_swap){ .n_slots = n_slots, .n_clusters = n };
    s->slot = calloc(n * 512, sizeof *s->slot);
    s->cluster = calloc(n, sizeof *s->cluster);
    if (!s->slot || !s->cluster)
        abort();
    s->slot[0].missing = true;
    for (uint32_t slot = n_slots; slot < n * 512; slot++)
        s->slot[slot].missing = true;
    for (uint32_t c = 0; c < n; c++) {
        s->cluster[c].list = NAIVE_NOWHERE;
        put_on(s, c, open_slots(s, c) == 512 ? NAIVE_FREE : NAIVE_NONFULL);
    }
}

void naive_swap_stop(struct naive_swap *s)
{
    free(s->slot);
    free(s->cluster);
}

/* The one that has been on the list longest is taken off it. Free ones are of either kind. */
static uint32_t take(struct naive_swap *s, enum naive_list list, bool huge)
{
    uint32_t best = NONE;
    for (uint32_t c = 0; c < s->n_clusters; c++)
        if (s->cluster[c].list == list && (list == NAIVE_FULL || s->cluster[c].huge == huge) &&
            (best == NONE || s->cluster[c].since < s->cluster[best].since))
            best = c;
    if (best != NONE)
        s->cluster[best].list = NAIVE_NOWHERE;
    return best;
}

static void now_free(struct naive_swap *s, uint32_t c)
{
    put_on(s, c, NAIVE_FREE);
    s->cluster[c].huge = false;
}

static void searched(struct naive_swap *s, uint32_t c)
{
    uint32_t open = open_slots(s, c);
    if (open == 512)
        now_free(s, c);
    else
        put_on(s, c, open ? NAIVE_FRAG : NAIVE_FULL);
}

void naive_swap_released(struct naive_swap *s, uint32_t slot)
{
    uint32_t c = slot / 512;
    if (naive_swap_in_use(s, slot))
        return;
    if (open_slots(s, c) == 512)
        now_free(s, c);
    else
        put_on(s, c, NAIVE_NONFULL);
}

static void take_slot(struct naive_swap *s, uint32_t slot, uint32_t owner)
{
    s->slot[slot].cached = true;
    s->slot[slot].owner = owner;
    if (naive_swap_used(s) == s->n_slots - 1)
        s->worker = true;
}

static uint32_t search(struct naive_swap *s, uint32_t c, uint32_t from, uint32_t owner)
{
    s->next = 0;
    for (uint32_t slot = from; slot < c * 512 + 512 && slot < s->n_slots; slot++) {
        const struct naive_slot *at = &s->slot[slot];
        if (at->missing || at->maps)
            continue;
        if (at->cached && more_than_half_used(s)) {
            s->drop(s->arg, slot);
            if (s->cluster[c].list == NAIVE_FREE)
                return 0;
        }
        if (at->cached)
            continue;
        take_slot(s, slot, owner);
        searched(s, c);
        if (open_slots(s, c) && (slot + 1) / 512 == c && slot + 1 < s->n_slots)
            s->next = slot + 1;
        return slot;
    }
    searched(s, c);
    return 0;
}

static uint32_t search_first(struct naive_swap *s, enum naive_list list, bool huge, uint32_t owner)
{
    uint32_t c = take(s, list, huge);
    return c == NONE ? 0 : search(s, c, c * 512, owner);
}

static uint32_t search_all(struct naive_swap *s, enum naive_list list, bool huge, uint32_t owner)
{
    for (;;) {
        uint32_t c = take(s, list, huge);
        uint32_t slot = c == NONE ? 0 : search(s, c, c * 512, owner);
        if (slot || c == NONE)
            return slot;
    }
}

/* Cached pages leave the cluster that has been full longest. */
static bool drop_from_a_full_cluster(struct naive_swap *s)
{
    uint32_t c = take(s, NAIVE_FULL, false);
    if (c == NONE)
        return false;
    uint32_t slot = c * 512;
    while (slot < c * 512 + 512) {
        int pages = s->slot[slot].cached && !s->slot[slot].maps ? s->drop(s->arg, slot) : 0;
        slot += pages ? (uint32_t)abs(pages) : 1;
    }
    if (s->cluster[c].list == NAIVE_NOWHERE)
        searched(s, c);
    return true;
}

void naive_swap_worker(struct naive_swap *s)
{
    if (!s->worker)
        return;
    s->worker = false;
    uint32_t clusters = naive_swap_used(s) / 512;
    do {
        if (!drop_from_a_full_cluster(s))
            return;
    } while (clusters-- > 1);
}

uint32_t naive_swap_alloc(struct naive_swap *s, uint32_t owner)
{
    uint32_t c = s->next / 512, slot = 0;
    if (naive_swap_used(s) == s->n_slots - 1)
        return 0;
    if (s->next && (s->cluster[c].list == NAIVE_NONFULL || s->cluster[c].list == NAIVE_FRAG) &&
        (slot = search(s, c, s->next, owner)))
        return slot;
    if ((slot = search_all(s, NAIVE_NONFULL, false, owner)) ||
        (slot = search_first(s, NAIVE_FREE, false, owner)))
        return slot;
    if (more_than_half_used(s))
        drop_from_a_full_cluster(s);
    if ((slot = search_first(s, NAIVE_FRAG, false, owner)) ||
        (slot = search_all(s, NAIVE_FRAG, true, owner)))
        return slot;
    return search_all(s, NAIVE_NONFULL, true, owner);
}

uint32_t naive_swap_alloc_huge(struct naive_swap *s, uint32_t owner)
{
    if (naive_swap_used(s) == s->n_slots - 1)
        return 0;
    uint32_t c = take(s, NAIVE_FREE, false);
    if (c == NONE) {
        if (more_than_half_used(s))
            drop_from_a_full_cluster(s);
        return 0;
    }
    s->cluster[c].huge = true;
    for (uint32_t i = 0; i < 512; i++)
        take_slot(s, c * 512 + i, owner + i);
    searched(s, c);
    return c * 512;
}
