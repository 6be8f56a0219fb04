/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frees. With m frames, contents at stack depth <= m are resident; if they cease
 * to exist, a memory of m >= depth frames has an empty one. So the position stays
 * in the stack as a hole. A reference found at depth d misses in memories below d:
 * each of those with an empty frame fills one, those at d or more are hit and keep
 * theirs. Hence the topmost hole above d disappears and d's old position becomes a
 * hole in its place; a reference never seen before swallows the topmost hole.
 */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "lru_curve.h"
#include "slot_ranks.h"

#define NO_SLOT UINT32_MAX
#define SLOTS_MIN 32768u
#define BATCH 512u
#define AHEAD 16u /* references: what they need is fetched */

/* Built for processors that count bits too, and chosen when the program starts. */
#if defined(__x86_64__) && defined(__gnu_linux__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

struct lru_curve {
    /* by contents */
    uint32_t *slot;  /* of the last use, or NO_SLOT */
    uint32_t *state; /* depth_counts.h */
    uint32_t room;
    /* those in use: up to now, those of last uses and of holes; from there on, all */
    struct slot_ranks ranks;
    uint32_t now, n_set;
    /* holes' slots, the latest on top */
    uint32_t *holes;
    uint32_t n_holes, holes_room;
    struct depth_counts counts;
};

int lru_curve_new(struct lru_curve **out, struct fl_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out ? FL_OK : fl_nomem(err, "lru curve");
}

void lru_curve_free(struct lru_curve *k)
{
    if (!k)
        return;
    free(k->slot);
    free(k->state);
    slot_ranks_fini(&k->ranks);
    free(k->holes);
    depth_counts_fini(&k->counts);
    free(k);
}

/* ---- the stack -------------------------------------------------------------------- */

/* Depth of @slot: 1 for the latest. */
static uint32_t depth_of(const struct lru_curve *k, uint32_t slot)
{
    return k->n_set - slot_ranks_before(&k->ranks, slot);
}

/* Each of @slot that is one to its rank. */
static WIDE void to_ranks(const struct slot_ranks *ranks, uint32_t *slot, uint32_t n)
{
    struct slot_ranks r = *ranks;
    for (uint32_t i = 0; i < n; i++)
        if (slot[i] != NO_SLOT)
            slot[i] = slot_ranks_before(&r, slot[i]);
}

/*
 * Renumber the slots in use 0, 1, 2 ... and have as many again free; order stays, and so do the
 * holes a heap. There is work for all contents, so there are half as many references before the next
 * time, whatever share of them is in use.
 */
static bool renumber(struct lru_curve *k)
{
    uint64_t slots = k->n_set + (uint64_t)(k->n_set > SLOTS_MIN ? k->n_set : SLOTS_MIN);
    if (slots < k->room)
        slots = k->room;
    if (slots > RANKS_SLOTS_MAX)
        return false;
    if (k->now) {
        to_ranks(&k->ranks, k->slot, k->room);
        to_ranks(&k->ranks, k->holes, k->n_holes);
    }
    k->now = k->n_set;
    return slot_ranks_fill(&k->ranks, (uint32_t)slots);
}

/* ---- holes: a max-heap of slots ------------------------------------------------------ */

static bool hole_push(struct lru_curve *k, uint32_t slot)
{
    if (k->n_holes == k->holes_room) {
        uint32_t room = grow_room(k->holes_room);
        if (!room || !grow(&k->holes, room))
            return false;
        k->holes_room = room;
    }
    uint32_t at = k->n_holes++;
    for (; at > 0 && k->holes[(at - 1) / 2] < slot; at = (at - 1) / 2)
        k->holes[at] = k->holes[(at - 1) / 2];
    k->holes[at] = slot;
    return true;
}

static uint32_t hole_pop(struct lru_curve *k)
{
    uint32_t top = k->holes[0], last = k->holes[--k->n_holes], at = 0;
    for (uint32_t child; (child = 2 * at + 1) < k->n_holes; at = child) {
        if (child + 1 < k->n_holes && k->holes[child + 1] > k->holes[child])
            child++;
        if (k->holes[child] <= last)
            break;
        k->holes[at] = k->holes[child];
    }
    k->holes[at] = last;
    return top;
}

/* ---- references ---------------------------------------------------------------------- */

/* @infos: those of all of @refs together. */
static bool make_room(struct lru_curve *k, const struct curve_refs *refs, uint8_t infos)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < refs->n; i++)
        most = refs->contents[i] > most ? refs->contents[i] : most;
    if (most >= k->room) {
        uint32_t room = grow_room_for(k->room, (uint64_t)most + 1);
        if (!room || !grow(&k->slot, room) || !grow(&k->state, room))
            return false;
        for (uint32_t c = k->room; c < room; c++)
            k->slot[c] = NO_SLOT;
        k->room = room;
    }
    return (k->ranks.slots - k->now >= refs->n || renumber(k)) &&
           depth_counts_room(&k->counts, refs->n, k->n_set + refs->n,
                             ref_cause(infos) != FL_CAUSE_NONE, infos & REF_WRITE);
}

/* The depths of references, each of which takes its contents from their place to the top. */
static WIDE void to_the_top(struct lru_curve *k, const struct curve_refs *refs,
                            uint32_t *restrict distance)
{
    struct slot_ranks ranks = k->ranks;
    uint32_t *slot_of = k->slot, n_set = k->n_set, now = k->now;
    for (uint32_t i = 0; i < refs->n; i++) {
        uint32_t *place = &slot_of[refs->contents[i]], slot = *place;
        if (i + 2 * AHEAD < refs->n)
            __builtin_prefetch(&slot_of[refs->contents[i + 2 * AHEAD]], 1);
        if (i + AHEAD < refs->n)
            slot_ranks_soon(&ranks, slot_of[refs->contents[i + AHEAD]]);
        *place = now++;
        if (__builtin_expect(slot == NO_SLOT, 0)) {
            distance[i] = 0;
            n_set++;
            continue;
        }
        distance[i] = n_set - slot_ranks_before(&ranks, slot);
        slot_ranks_take(&ranks, slot);
    }
    k->n_set = n_set;
    k->now = now;
}

/* The same while there are holes. */
static bool over_holes(struct lru_curve *k, const struct curve_refs *refs, uint32_t *distance)
{
    for (uint32_t i = 0; i < refs->n; i++) {
        uint32_t *place = &k->slot[refs->contents[i]], slot = *place, left = slot;
        bool is_new = slot == NO_SLOT;
        distance[i] = is_new ? 0 : depth_of(k, slot);
        if (k->n_holes && (is_new || k->holes[0] > slot)) {
            left = hole_pop(k);
            if (!is_new && !hole_push(k, slot))
                return false;
        }
        if (left == NO_SLOT)
            k->n_set++;
        else
            slot_ranks_take(&k->ranks, left);
        *place = k->now++;
    }
    return true;
}

static inline __attribute__((always_inline)) void count(struct lru_curve *k,
                                                        const struct curve_refs *refs,
                                                        const uint32_t *distance, bool writes)
{
    struct depth_counts *counts = &k->counts;
    for (uint32_t i = 0; i < refs->n; i++) {
        uint32_t c = refs->contents[i], *state = &k->state[c];
        uint8_t info = refs->info ? refs->info[i] : 0;
        if (i + 2 * AHEAD < refs->n)
            __builtin_prefetch(&k->state[refs->contents[i + 2 * AHEAD]], 1);
        if (i + AHEAD < refs->n)
            depth_counts_soon(counts, k->state[refs->contents[i + AHEAD]], distance[i + AHEAD],
                              writes);
        if (__builtin_expect(distance[i] == 0, 0))
            *state = depth_counts_new(counts, refs->kind[c], info);
        else
            depth_counts_ref(counts, state, distance[i], info, writes);
    }
}

int lru_curve_refs(struct lru_curve *k, const struct curve_refs *refs, uint32_t *distance,
                   struct fl_err *err)
{
    for (uint32_t from = 0, n; from < refs->n; from += n) {
        n = refs->n - from < BATCH ? refs->n - from : BATCH;
        struct curve_refs some = { n, refs->contents + from, refs->info ? refs->info + from : NULL,
                                   refs->kind };
        uint8_t infos = 0;
        for (uint32_t i = 0; i < n && refs->info; i++)
            infos |= some.info[i];
        if (!make_room(k, &some, infos))
            return fl_nomem(err, "lru curve");
        if (!k->n_holes)
            to_the_top(k, &some, distance + from);
        else if (!over_holes(k, &some, distance + from))
            return fl_nomem(err, "lru curve");
        if (infos & REF_WRITE)
            count(k, &some, distance + from, true);
        else
            count(k, &some, distance + from, false);
    }
    return FL_OK;
}

/* Each reference took the next slot, and renumbering keeps them side by side. */
void lru_curve_reorder(struct lru_curve *k, const uint32_t *contents, uint32_t n)
{
    uint32_t slot = k->now - n;
    for (uint32_t i = 0; i < n; i++)
        k->slot[contents[i]] = slot++;
}

int lru_curve_gone(struct lru_curve *k, uint32_t c, struct fl_err *err)
{
    if (c >= k->room || k->slot[c] == NO_SLOT)
        return FL_OK;
    depth_counts_gone(&k->counts, k->state[c], depth_of(k, k->slot[c]));
    if (!hole_push(k, k->slot[c]))
        return fl_nomem(err, "lru curve");
    k->slot[c] = NO_SLOT;
    return FL_OK;
}

int lru_curve_end(struct lru_curve *k, struct fl_err *err)
{
    for (uint32_t c = 0; c < k->room; c++)
        if (k->slot[c] != NO_SLOT)
            depth_counts_gone(&k->counts, k->state[c], depth_of(k, k->slot[c]));
    return depth_counts_end(&k->counts) ? FL_OK : fl_nomem(err, "lru curve");
}

struct curve_point lru_curve_at(const struct lru_curve *k, uint64_t frames)
{
    return depth_counts_at(&k->counts, frames);
}
