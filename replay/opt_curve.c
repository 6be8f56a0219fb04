/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "idle_lanes.h"
#include "opt_curve.h"
#include "slot_ranks.h"

#define NO_SLOT UINT32_MAX
#define SLOTS_MIN 65536u
#define BATCH 512u
#define AHEAD 8u /* references: what they need is fetched */

struct entry {
    uint64_t last;  /* number of the last reference */
    uint32_t slot;  /* of the latest, or NO_SLOT; after the last: of its age */
    uint32_t state; /* depth_counts.h */
};

/* How many there are of each class, of idle frames or of lanes. */
struct tally {
    uint32_t count[OPT_CURVE_SIZES + 1];
    uint64_t any[(OPT_CURVE_SIZES + 64) / 64]; /* a bit a class that has some */
};

struct opt_curve {
    uint32_t frames[OPT_CURVE_SIZES], n_sizes;
    /* by life of contents, in order of their first references: the number of the last */
    uint64_t *last;
    uint64_t n_lives, lives_room, n_looked;
    uint64_t *life; /* the first time, by contents, + 1; 0: none */
    uint32_t life_room;
    /* by contents */
    struct entry *entries;
    uint32_t n_entries;
    uint64_t lives, refs; /* that have been, the second time */
    uint32_t latest;      /* contents */
    struct idle_lanes lanes;
    uint32_t now, n_live; /* slots used; contents with a next reference */
    struct tally unused;  /* lanes */
    /* idle frames: empty ones; those of contents never used again, and these by age */
    struct tally empty, dead;
    uint32_t n_dead; /* in any memory */
    struct slot_ranks ages;
    uint32_t age_now, n_aged;
    struct depth_counts counts;
};

/* ---- tallies ------------------------------------------------------------------------------- */

static void tally_add(struct tally *t, uint32_t class, uint32_t n)
{
    if (!n)
        return;
    t->count[class] += n;
    t->any[class / 64] |= UINT64_C(1) << class % 64;
}

static void tally_sub(struct tally *t, uint32_t class)
{
    if (--t->count[class] == 0)
        t->any[class / 64] &= ~(UINT64_C(1) << class % 64);
}

/* The least class that has some; @none if none has. */
static uint32_t tally_least(const struct tally *t, uint32_t none)
{
    for (uint32_t i = 0; i < sizeof t->any / sizeof *t->any; i++)
        if (t->any[i])
            return i * 64 + (uint32_t)__builtin_ctzll(t->any[i]);
    return none;
}

/* ---- begin and end -------------------------------------------------------------------------- */

int opt_curve_new(struct opt_curve **out, const uint32_t *frames, uint32_t n, struct fl_err *err)
{
    struct opt_curve *k = calloc(1, sizeof *k);
    *out = k;
    if (!k)
        return fl_nomem(err, "opt curve");
    memcpy(k->frames, frames, n * sizeof *frames);
    k->n_sizes = n;
    k->latest = NO_CONTENTS;
    for (uint32_t i = 0; i < n; i++) {
        tally_add(&k->empty, i, frames[i] - (i ? frames[i - 1] : 0));
        tally_add(&k->unused, i, frames[i] - (i ? frames[i - 1] : 1));
    }
    return FL_OK;
}

void opt_curve_free(struct opt_curve *k)
{
    if (!k)
        return;
    free(k->last);
    free(k->life);
    free(k->entries);
    idle_lanes_fini(&k->lanes);
    slot_ranks_fini(&k->ages);
    depth_counts_fini(&k->counts);
    free(k);
}

/* ---- the first time ------------------------------------------------------------------------- */

static bool begin_life(struct opt_curve *k, uint32_t c)
{
    if (k->n_lives == k->lives_room) {
        uint64_t room = k->lives_room ? k->lives_room + k->lives_room / 2 : 4096;
        if (!grow(&k->last, room))
            return false;
        k->lives_room = room;
    }
    k->life[c] = ++k->n_lives;
    return true;
}

static bool look_room(struct opt_curve *k, uint32_t c)
{
    uint32_t room = grow_room_for(k->life_room, (uint64_t)c + 1);
    if (!room || !grow(&k->life, room))
        return false;
    memset(k->life + k->life_room, 0, (room - k->life_room) * sizeof *k->life);
    k->life_room = room;
    return true;
}

int opt_curve_look(struct opt_curve *k, const uint32_t *contents, uint32_t n, struct fl_err *err)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t c = contents[i];
        if ((c >= k->life_room && !look_room(k, c)) || (!k->life[c] && !begin_life(k, c)))
            return fl_nomem(err, "opt curve");
        k->last[k->life[c] - 1] = k->n_looked++;
    }
    return FL_OK;
}

void opt_curve_look_gone(struct opt_curve *k, uint32_t c)
{
    if (c < k->life_room)
        k->life[c] = 0;
}

/* ---- slots ------------------------------------------------------------------------------------ */

static bool is_dead(const struct opt_curve *k, const struct entry *e)
{
    return e->last < k->refs;
}

/*
 * Renumber the slots that contents or lanes are in 0, 1, 2 ... and have more than as many again
 * free. Lanes are no more than the intervals that have been open at once.
 */
static bool renumber(struct opt_curve *k)
{
    struct slot_ranks ranks = { 0 };
    struct idle_lanes lanes;
    uint32_t used = 0;
    uint8_t *in_use = calloc(k->now + 1, 1);
    bool ok = in_use && slot_ranks_fill(&ranks, k->now + 1);
    if (ok && k->now)
        in_use[k->now - 1] = 1; /* that of the reference before the next */
    for (uint32_t c = 0; c < k->n_entries && ok; c++)
        if (k->entries[c].slot != NO_SLOT && !is_dead(k, &k->entries[c]))
            in_use[k->entries[c].slot] = 1;
    for (uint32_t slot = 0; slot < k->now && ok; slot++) {
        in_use[slot] |= idle_lanes_at(&k->lanes, slot) != NO_LANE;
        used += in_use[slot];
        if (!in_use[slot])
            slot_ranks_take(&ranks, slot);
    }
    uint64_t slots = (uint64_t)used * 2 + SLOTS_MIN;
    if (slots < k->n_entries)
        slots = k->n_entries;
    ok = ok && slots <= RANKS_SLOTS_MAX && idle_lanes_init(&lanes, (uint32_t)slots);
    for (uint32_t slot = 0; slot < k->now && ok; slot++)
        if (idle_lanes_at(&k->lanes, slot) != NO_LANE)
            idle_lanes_set(&lanes, slot_ranks_before(&ranks, slot), idle_lanes_at(&k->lanes, slot));
    for (uint32_t c = 0; c < k->n_entries && ok; c++)
        if (k->entries[c].slot != NO_SLOT && !is_dead(k, &k->entries[c]))
            k->entries[c].slot = slot_ranks_before(&ranks, k->entries[c].slot);
    if (ok) {
        idle_lanes_fini(&k->lanes);
        k->lanes = lanes;
        k->now = used;
    }
    slot_ranks_fini(&ranks);
    free(in_use);
    return ok;
}

static bool renumber_ages(struct opt_curve *k)
{
    uint64_t ages = (uint64_t)k->n_aged * 2 + SLOTS_MIN;
    if (ages < k->n_entries)
        ages = k->n_entries;
    for (uint32_t c = 0; c < k->n_entries && k->age_now; c++)
        if (k->entries[c].slot != NO_SLOT && is_dead(k, &k->entries[c]))
            k->entries[c].slot = slot_ranks_before(&k->ages, k->entries[c].slot);
    k->age_now = k->n_aged;
    return ages <= RANKS_SLOTS_MAX && slot_ranks_fill(&k->ages, (uint32_t)ages);
}

static bool make_room(struct opt_curve *k, const struct curve_refs *refs, bool *writes)
{
    uint32_t most = 0;
    uint8_t infos = 0;
    for (uint32_t i = 0; i < refs->n; i++) {
        most = refs->contents[i] > most ? refs->contents[i] : most;
        infos |= refs->info[i];
    }
    if (most >= k->n_entries) {
        uint32_t room = grow_room_for(k->n_entries, (uint64_t)most + 1);
        if (!room || !grow(&k->entries, room))
            return false;
        for (uint32_t c = k->n_entries; c < room; c++)
            k->entries[c].slot = NO_SLOT;
        k->n_entries = room;
    }
    *writes = infos & REF_WRITE;
    return (k->lanes.slots - k->now >= refs->n || renumber(k)) &&
           (k->ages.slots - k->age_now >= refs->n || renumber_ages(k)) &&
           depth_counts_room(&k->counts, refs->n, k->n_sizes, ref_cause(infos) != FL_CAUSE_NONE,
                             *writes);
}

/* ---- idle frames ------------------------------------------------------------------------------ */

/* A frame less in the memories below class @below, where they have one to spare. */
static void spare_taken(struct opt_curve *k, uint32_t below)
{
    uint32_t empty = tally_least(&k->empty, k->n_sizes), dead = tally_least(&k->dead, k->n_sizes);
    uint32_t end = empty < below ? empty : below;
    if (dead < end) { /* the older move up, and the oldest to where the chain ends */
        tally_sub(&k->dead, dead);
        if (end < k->n_sizes)
            tally_add(&k->dead, end, 1);
        else
            k->n_dead--;
    }
    if (empty < below) {
        tally_sub(&k->empty, empty);
        if (below < k->n_sizes)
            tally_add(&k->empty, below, 1);
    }
}

static void dies(struct opt_curve *k, struct entry *e)
{
    tally_add(&k->dead, 0, 1);
    k->n_dead++;
    k->n_aged++;
    e->slot = k->age_now++;
}

/* From what class on memories still have the dead @e; n_sizes: none has. */
static uint32_t class_of_dead(const struct opt_curve *k, const struct entry *e)
{
    uint32_t younger = k->n_aged - slot_ranks_before(&k->ages, e->slot) - 1, class = 0;
    if (younger >= k->n_dead)
        return k->n_sizes;
    while (younger >= k->dead.count[class])
        younger -= k->dead.count[class ++];
    return class;
}

/* ---- references --------------------------------------------------------------------------------- */

/*
 * The class of the smallest memory that has kept contents since @slot; n_sizes: none has. What ends
 * with this reference had its lane until the one before: in this one, its frame is that of the page
 * in use.
 */
static uint32_t class_since(struct opt_curve *k, uint32_t slot)
{
    uint32_t class = idle_lanes_take(&k->lanes, slot);
    if (class == NO_LANE) {
        class = tally_least(&k->unused, k->n_sizes);
        if (class < k->n_sizes)
            tally_sub(&k->unused, class);
    }
    if (class < k->n_sizes)
        idle_lanes_set(&k->lanes, k->now - 1, (uint8_t) class);
    return class;
}

static void refer(struct opt_curve *k, uint32_t c, uint8_t info, const uint8_t *kind, bool writes)
{
    struct entry *e = &k->entries[c];
    if (e->slot == NO_SLOT) {
        e->last = k->last[k->lives++];
        e->state = depth_counts_new(&k->counts, kind[c], info);
        spare_taken(k, k->n_sizes);
    } else {
        uint32_t class = c == k->latest ? 0 : class_since(k, e->slot);
        depth_counts_ref(&k->counts, &e->state, class, info, writes);
        spare_taken(k, class);
    }
    e->slot = k->now++;
    k->latest = c;
    if (e->last == k->refs++)
        dies(k, e);
}

int opt_curve_refs(struct opt_curve *k, const struct curve_refs *refs, struct fl_err *err)
{
    for (uint32_t from = 0, n; from < refs->n; from += n) {
        n = refs->n - from < BATCH ? refs->n - from : BATCH;
        const uint32_t *contents = refs->contents + from;
        const struct curve_refs some = { n, contents, refs->info + from, refs->kind };
        bool writes;
        if (!make_room(k, &some, &writes))
            return fl_nomem(err, "opt curve");
        for (uint32_t i = 0; i < n; i++) {
            if (i + 2 * AHEAD < n)
                __builtin_prefetch(&k->entries[contents[i + 2 * AHEAD]], 1);
            if (i + AHEAD < n)
                idle_lanes_soon(&k->lanes, k->entries[contents[i + AHEAD]].slot);
            refer(k, contents[i], some.info[i], refs->kind, writes);
        }
    }
    return FL_OK;
}

void opt_curve_gone(struct opt_curve *k, uint32_t c)
{
    if (c >= k->n_entries || k->entries[c].slot == NO_SLOT)
        return;
    struct entry *e = &k->entries[c];
    uint32_t class = class_of_dead(k, e);
    depth_counts_gone(&k->counts, e->state, class);
    if (class < k->n_sizes) {
        tally_sub(&k->dead, class);
        tally_add(&k->empty, class, 1);
        k->n_dead--;
    }
    slot_ranks_take(&k->ages, e->slot);
    k->n_aged--;
    e->slot = NO_SLOT;
    if (k->latest == c)
        k->latest = NO_CONTENTS;
}

int opt_curve_end(struct opt_curve *k, struct fl_err *err)
{
    for (uint32_t c = 0; c < k->n_entries; c++)
        if (k->entries[c].slot != NO_SLOT)
            depth_counts_gone(&k->counts, k->entries[c].state, class_of_dead(k, &k->entries[c]));
    return depth_counts_end(&k->counts) ? FL_OK : fl_nomem(err, "opt curve");
}

uint32_t opt_curve_most(const struct opt_curve *k)
{
    return k->frames[k->n_sizes - 1];
}

struct curve_point opt_curve_at(const struct opt_curve *k, uint32_t frames)
{
    uint32_t i = 0;
    while (i + 1 < k->n_sizes && k->frames[i] != frames)
        i++;
    return depth_counts_at(&k->counts, i);
}
