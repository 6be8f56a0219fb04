/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frees. With m frames, contents at stack depth <= m are resident; if they cease
 * to exist, a memory of m >= depth frames has an empty one. So the position stays
 * in the stack as a hole. A reference found at depth d misses in memories below d:
 * each of those with an empty frame fills one, those at d or more are hit and keep
 * theirs. Hence the topmost hole above d disappears and d's old position becomes a
 * hole in its place; a reference never seen before swallows the topmost hole.
 *
 * Dirty evictions. Between two writes of a page, a memory of m frames has evicted
 * it (and so written it out, once) if some reference since the first write was
 * deeper than m. The maximum depth D since the last write goes into a histogram.
 */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "lru_curve.h"

#define NO_TIME UINT32_MAX
#define NO_OWNER UINT32_MAX
#define SLOTS_MIN 4096u

enum { SEEN_CLEAN = 0, SEEN_DIRTY = 1, SEEN_SWAPPED = 2 };

struct histogram {
    uint64_t *count; /* by depth */
};

struct lru_curve {
    /* by contents */
    uint32_t *time;    /* slot of the last use, or NO_TIME */
    uint32_t *deepest; /* since the last write */
    uint8_t *flags;    /* SEEN_* */
    uint32_t room;
    /* by time slot */
    uint64_t *bits;
    uint32_t *fenwick; /* by word, 1-based */
    uint32_t *owner;   /* contents, or NO_OWNER for a hole */
    uint32_t slots, now, n_set;
    /* holes' slots, the latest on top */
    uint32_t *holes;
    uint32_t n_holes, holes_room;
    /* by depth, 1-based; depths never exceed depth_room */
    struct histogram plain[2], mapped[2], written; /* [swapped] */
    uint32_t depth_room;
    uint64_t fresh;
    uint32_t distance; /* of the last reference */
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
    free(k->time);
    free(k->deepest);
    free(k->flags);
    free(k->bits);
    free(k->fenwick);
    free(k->owner);
    free(k->holes);
    for (int swapped = 0; swapped < 2; swapped++) {
        free(k->plain[swapped].count);
        free(k->mapped[swapped].count);
    }
    free(k->written.count);
    free(k);
}

/* ---- the stack -------------------------------------------------------------------- */

static void fenwick_add(struct lru_curve *k, uint32_t slot, uint32_t delta)
{
    uint32_t words = k->slots / 64;
    for (uint32_t i = slot / 64 + 1; i <= words; i += i & -i)
        k->fenwick[i] += delta;
}

static void set_bit(struct lru_curve *k, uint32_t slot)
{
    k->bits[slot / 64] |= UINT64_C(1) << (slot % 64);
    fenwick_add(k, slot, 1);
    k->n_set++;
}

static void clear_bit(struct lru_curve *k, uint32_t slot)
{
    k->bits[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    fenwick_add(k, slot, UINT32_MAX); /* minus one */
    k->n_set--;
}

/* Depth of @slot: 1 for the latest. */
static uint32_t depth_of(const struct lru_curve *k, uint32_t slot)
{
    uint64_t mask = ~UINT64_C(0) >> (63 - slot % 64);
    uint32_t below = (uint32_t)__builtin_popcountll(k->bits[slot / 64] & mask);
    for (uint32_t i = slot / 64; i > 0; i -= i & -i)
        below += k->fenwick[i];
    return k->n_set - below + 1;
}

/* Renumber the slots in use 0, 1, 2 ... in at least twice as many; order stays. */
static bool renumber(struct lru_curve *k)
{
    uint32_t slots = k->slots ? k->slots : SLOTS_MIN, n = 0;
    while (slots / 2 < k->n_set) {
        if (slots > UINT32_MAX / 4)
            return false;
        slots *= 2;
    }
    uint64_t *bits = calloc(slots / 64, sizeof *bits);
    uint32_t *fenwick = calloc(slots / 64 + 1, sizeof *fenwick);
    uint32_t *owner = malloc(slots * sizeof *owner), hole = 0;
    /* a heap has no order to walk in: mark holes by owner, then rebuild it sorted */
    if (!bits || !fenwick || !owner) {
        free(bits);
        free(fenwick);
        free(owner);
        return false;
    }
    for (uint32_t w = 0; w < k->slots / 64; w++)
        for (uint64_t b = k->bits[w]; b; b &= b - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(b);
            owner[n] = k->owner[slot];
            if (owner[n] != NO_OWNER)
                k->time[owner[n]] = n;
            else
                k->holes[hole++] = n; /* ascending: reversed below into a max-heap */
            n++;
        }
    for (uint32_t i = 0; i < hole / 2; i++) {
        uint32_t swap = k->holes[i];
        k->holes[i] = k->holes[hole - 1 - i];
        k->holes[hole - 1 - i] = swap;
    }
    free(k->bits);
    free(k->fenwick);
    free(k->owner);
    k->bits = bits;
    k->fenwick = fenwick;
    k->owner = owner;
    k->slots = slots;
    k->now = n;
    for (uint32_t i = 0; i < n; i++)
        bits[i / 64] |= UINT64_C(1) << (i % 64);
    for (uint32_t i = 1; i <= slots / 64; i++) {
        fenwick[i] += (uint32_t)__builtin_popcountll(bits[i - 1]);
        uint32_t up = i + (i & -i);
        if (up <= slots / 64)
            fenwick[up] += fenwick[i];
    }
    return true;
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
    k->owner[slot] = NO_OWNER;
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

static bool depth_reserve(struct lru_curve *k, uint32_t depth)
{
    if (depth < k->depth_room)
        return true;
    uint32_t room = grow_room_for(k->depth_room, (uint64_t)depth + 1);
    if (!room)
        return false;
    struct histogram *all[] = { &k->plain[0], &k->plain[1], &k->mapped[0], &k->mapped[1],
                                &k->written };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!grow(&all[i]->count, room))
            return false;
        memset(all[i]->count + k->depth_room, 0, (room - k->depth_room) * sizeof *all[i]->count);
    }
    k->depth_room = room;
    return true;
}

static bool contents_reserve(struct lru_curve *k, uint32_t c)
{
    if (c < k->room)
        return true;
    uint32_t room = grow_room_for(k->room, (uint64_t)c + 1);
    if (!room || !grow(&k->time, room) || !grow(&k->deepest, room) || !grow(&k->flags, room))
        return false;
    for (uint32_t i = k->room; i < room; i++)
        k->time[i] = NO_TIME;
    k->room = room;
    return true;
}

static void see_depth(struct lru_curve *k, uint32_t c, uint32_t depth)
{
    if (k->deepest[c] < depth)
        k->deepest[c] = depth;
}

/* The page was dirty until here: count where it was written out meanwhile. */
static void settle_dirty(struct lru_curve *k, uint32_t c)
{
    if ((k->flags[c] & SEEN_DIRTY) && (k->flags[c] & SEEN_SWAPPED))
        k->written.count[k->deepest[c]]++;
    k->flags[c] &= (uint8_t)~SEEN_DIRTY;
}

/* Take @c out of its place in the stack; returns its depth, 0 if it was never there. */
static uint32_t leave_place(struct lru_curve *k, uint32_t c, bool *ok)
{
    uint32_t slot = k->time[c], depth = slot == NO_TIME ? 0 : depth_of(k, slot);
    *ok = true;
    if (k->n_holes && (slot == NO_TIME || k->holes[0] > slot)) {
        clear_bit(k, hole_pop(k));
        if (slot != NO_TIME)
            *ok = hole_push(k, slot);
    } else if (slot != NO_TIME) {
        clear_bit(k, slot);
    }
    return depth;
}

int lru_curve_ref(struct lru_curve *k, uint32_t c, bool write, bool fault, bool swapped,
                  struct fl_err *err)
{
    bool ok;
    if ((k->now == k->slots && !renumber(k)) || !contents_reserve(k, c) ||
        !depth_reserve(k, k->n_set + 1))
        return fl_nomem(err, "lru curve");
    uint32_t depth = leave_place(k, c, &ok);
    if (!ok)
        return fl_nomem(err, "lru curve");
    k->distance = depth;
    k->time[c] = k->now;
    k->owner[k->now] = c;
    set_bit(k, k->now++);
    if (depth) {
        (fault ? k->mapped : k->plain)[swapped].count[depth]++;
        see_depth(k, c, depth);
    } else {
        k->fresh++;
        k->flags[c] = swapped ? SEEN_SWAPPED : SEEN_CLEAN;
    }
    if (write) {
        settle_dirty(k, c);
        k->flags[c] |= SEEN_DIRTY;
        k->deepest[c] = 0;
    }
    return FL_OK;
}

uint32_t lru_curve_distance(const struct lru_curve *k)
{
    return k->distance;
}

/* Each reference took the next slot, and renumbering keeps them side by side. */
void lru_curve_reorder(struct lru_curve *k, const uint32_t *contents, uint32_t n)
{
    uint32_t slot = k->now - n;
    for (uint32_t i = 0; i < n; i++, slot++) {
        k->time[contents[i]] = slot;
        k->owner[slot] = contents[i];
    }
}

int lru_curve_gone(struct lru_curve *k, uint32_t c, struct fl_err *err)
{
    if (c >= k->room || k->time[c] == NO_TIME)
        return FL_OK;
    see_depth(k, c, depth_of(k, k->time[c]));
    settle_dirty(k, c);
    if (!hole_push(k, k->time[c]))
        return fl_nomem(err, "lru curve");
    k->time[c] = NO_TIME;
    return FL_OK;
}

void lru_curve_end(struct lru_curve *k)
{
    for (uint32_t c = 0; c < k->room; c++)
        if (k->time[c] != NO_TIME) {
            see_depth(k, c, depth_of(k, k->time[c]));
            settle_dirty(k, c);
        }
}

struct lru_curve_point lru_curve_at(const struct lru_curve *k, uint64_t frames)
{
    struct lru_curve_point p = { .minor = k->fresh };
    for (uint32_t d = 1; d < k->depth_room; d++) {
        uint64_t file = k->plain[0].count[d] + k->mapped[0].count[d];
        uint64_t swap = k->plain[1].count[d] + k->mapped[1].count[d];
        if (d > frames) {
            p.major += file + swap;
            p.swap_in += swap;
            p.swap_out += k->written.count[d];
        } else {
            p.minor += k->mapped[0].count[d] + k->mapped[1].count[d];
        }
    }
    return p;
}
