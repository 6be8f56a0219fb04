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

struct entry {
    uint32_t slot;  /* of the last use, or NO_SLOT */
    uint32_t state; /* depth_counts.h */
};

struct lru_curve {
    struct entry *entries; /* by contents */
    uint32_t n_entries;
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
    free(k->entries);
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

/*
 * Renumber the slots in use 0, 1, 2 ... and have as many again free; order stays, and so do the
 * holes a heap. There is work for every entry, so there are half as many references before the next
 * time, whatever share of the entries is in use.
 */
static bool renumber(struct lru_curve *k)
{
    uint64_t slots = k->n_set + (uint64_t)(k->n_set > SLOTS_MIN ? k->n_set : SLOTS_MIN);
    if (slots < k->n_entries)
        slots = k->n_entries;
    if (slots > RANKS_SLOTS_MAX)
        return false;
    for (uint32_t c = 0; c < k->n_entries && k->now; c++)
        if (k->entries[c].slot != NO_SLOT)
            k->entries[c].slot = slot_ranks_before(&k->ranks, k->entries[c].slot);
    for (uint32_t i = 0; i < k->n_holes; i++)
        k->holes[i] = slot_ranks_before(&k->ranks, k->holes[i]);
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

static bool make_room(struct lru_curve *k, const struct lru_refs *refs)
{
    uint32_t most = 0;
    uint8_t infos = 0;
    for (uint32_t i = 0; i < refs->n; i++)
        most = refs->contents[i] > most ? refs->contents[i] : most;
    for (uint32_t i = 0; i < refs->n && refs->info; i++)
        infos |= refs->info[i];
    if (most >= k->n_entries) {
        uint32_t room = grow_room_for(k->n_entries, (uint64_t)most + 1);
        if (!room || !grow(&k->entries, room))
            return false;
        for (uint32_t c = k->n_entries; c < room; c++)
            k->entries[c].slot = NO_SLOT;
        k->n_entries = room;
    }
    return (k->ranks.slots - k->now >= refs->n || renumber(k)) &&
           depth_counts_room(&k->counts, k->n_set + refs->n, ref_cause(infos) != FL_CAUSE_NONE,
                             infos & REF_WRITE);
}

/* The depths of references, each of which takes its contents from their place to the top. */
static inline __attribute__((always_inline)) void to_the_top(struct lru_curve *k,
                                                             const struct lru_refs *refs,
                                                             uint32_t *restrict distance)
{
    struct slot_ranks ranks = k->ranks;
    struct entry *entries = k->entries;
    uint32_t n_set = k->n_set, now = k->now;
    for (uint32_t i = 0; i < refs->n; i++) {
        struct entry *e = &entries[refs->contents[i]];
        uint32_t slot = e->slot;
        if (i + AHEAD < refs->n)
            __builtin_prefetch(&entries[refs->contents[i + AHEAD]], 1);
        e->slot = now++;
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

#ifdef __x86_64__
__attribute__((target("avx2,popcnt,bmi,bmi2"))) static void to_the_top_wide(
    struct lru_curve *k, const struct lru_refs *refs, uint32_t *distance)
{
    to_the_top(k, refs, distance);
}
#endif

static void to_the_top_plain(struct lru_curve *k, const struct lru_refs *refs, uint32_t *distance)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt") &&
        __builtin_cpu_supports("bmi2")) {
        to_the_top_wide(k, refs, distance);
        return;
    }
#endif
    to_the_top(k, refs, distance);
}

/* The same while there are holes. */
static bool over_holes(struct lru_curve *k, const struct lru_refs *refs, uint32_t *distance)
{
    for (uint32_t i = 0; i < refs->n; i++) {
        struct entry *e = &k->entries[refs->contents[i]];
        uint32_t slot = e->slot, left = slot;
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
        e->slot = k->now++;
    }
    return true;
}

static void count(struct lru_curve *k, const struct lru_refs *refs, const uint32_t *distance)
{
    struct depth_counts *counts = &k->counts;
    uint32_t swapped = 0; /* as the last was, so perhaps the next */
    for (uint32_t i = 0; i < refs->n; i++) {
        uint32_t *state = &k->entries[refs->contents[i]].state;
        uint8_t info = refs->info ? refs->info[i] : 0;
        if (i + AHEAD < refs->n)
            __builtin_prefetch(&counts->plain[swapped].count[distance[i + AHEAD]], 1);
        if (__builtin_expect(distance[i] == 0, 0))
            *state = depth_counts_new(counts, refs->kind[refs->contents[i]]);
        else
            depth_counts_ref(counts, state, distance[i], info);
        if (info & REF_WRITE)
            depth_counts_write(counts, state);
        swapped = *state / DEPTH_SWAPPED;
    }
}

int lru_curve_refs(struct lru_curve *k, const struct lru_refs *refs, uint32_t *distance,
                   struct fl_err *err)
{
    for (uint32_t from = 0, n; from < refs->n; from += n) {
        n = refs->n - from < BATCH ? refs->n - from : BATCH;
        struct lru_refs some = { n, refs->contents + from, refs->info ? refs->info + from : NULL,
                                 refs->kind };
        if (!make_room(k, &some))
            return fl_nomem(err, "lru curve");
        if (!k->n_holes)
            to_the_top_plain(k, &some, distance + from);
        else if (!over_holes(k, &some, distance + from))
            return fl_nomem(err, "lru curve");
        count(k, &some, distance + from);
    }
    return FL_OK;
}

/* Each reference took the next slot, and renumbering keeps them side by side. */
void lru_curve_reorder(struct lru_curve *k, const uint32_t *contents, uint32_t n)
{
    uint32_t slot = k->now - n;
    for (uint32_t i = 0; i < n; i++)
        k->entries[contents[i]].slot = slot++;
}

int lru_curve_gone(struct lru_curve *k, uint32_t c, struct fl_err *err)
{
    if (c >= k->n_entries || k->entries[c].slot == NO_SLOT)
        return FL_OK;
    struct entry *e = &k->entries[c];
    depth_counts_sunk(&e->state, depth_of(k, e->slot));
    depth_counts_clean(&k->counts, &e->state);
    if (!hole_push(k, e->slot))
        return fl_nomem(err, "lru curve");
    e->slot = NO_SLOT;
    return FL_OK;
}

void lru_curve_end(struct lru_curve *k)
{
    for (uint32_t c = 0; c < k->n_entries; c++)
        if (k->entries[c].slot != NO_SLOT) {
            depth_counts_sunk(&k->entries[c].state, depth_of(k, k->entries[c].slot));
            depth_counts_clean(&k->counts, &k->entries[c].state);
        }
    depth_counts_end(&k->counts);
}

struct curve_point lru_curve_at(const struct lru_curve *k, uint64_t frames)
{
    return depth_counts_at(&k->counts, frames);
}
