/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One zone of a recorded machine: blocks whose place is known, and numbers of others. */
#include <stdlib.h>

#include "buddy_priv.h"
#include "buddy_replay.h"

/* What is known of a page. */
enum {
    NEVER,       /* no event named it: as it was at the start, whatever that was */
    FREE_BEFORE, /* free from the start, in a block whose place is not known yet */
    USED,        /* in use or on a per-CPU list */
    LISTED       /* in a free block whose place is known */
};

int buddy_zone_begin(struct buddy_zone_replay *z, struct fl_err *err)
{
    z->known = buddy_new(z->start_pfn, z->spanned, BUDDY_MOVABLE);
    z->page = calloc(z->spanned, 1);
    z->never_named = z->spanned;
    return z->known && z->page ? FL_OK : fl_nomem(err, "the page allocator's state");
}

static bool inside(const struct buddy_zone_replay *z, uint64_t pfn, uint32_t order)
{
    return pfn >= z->start_pfn && pfn + (UINT64_C(1) << order) <= z->start_pfn + z->spanned;
}

static void mark(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order, uint8_t what)
{
    for (uint64_t i = pfn - z->start_pfn, end = i + (UINT64_C(1) << order); i < end; i++)
        z->page[i] = what;
}

void buddy_zone_name_page(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order, bool was_free)
{
    for (uint64_t i = pfn - z->start_pfn, end = i + (UINT64_C(1) << order); i < end; i++)
        if (z->page[i] == NEVER) {
            z->page[i] = was_free ? FREE_BEFORE : USED;
            z->never_named--;
        }
}

bool buddy_zone_has(const struct buddy_zone_replay *z, uint64_t pfn)
{
    return z->page[pfn - z->start_pfn] == LISTED;
}

void buddy_zone_retype(struct buddy_zone_replay *z, uint64_t pfn, enum buddy_type type)
{
    if (type < BUDDY_TYPES && buddy_type_of(z->known, pfn) != type)
        buddy_retype(z->known, pfn, type);
}

/* The type to take an unknown block of @order from: @type if it has one, else whichever has most. */
static int type_with(const struct buddy_zone_replay *z, uint32_t order, enum buddy_type type)
{
    int most = -1;
    if (type < BUDDY_TYPES && z->unknown[order][type] > 0)
        return (int)type;
    for (int t = 0; t < BUDDY_TYPES; t++)
        if (z->unknown[order][t] > 0 &&
            (most < 0 || z->unknown[order][t] > z->unknown[order][most]))
            most = t;
    return most;
}

/* Could [pfn, +2^order) be one free block whose place was not known? */
static bool could_be_whole(const struct buddy_zone_replay *z, uint64_t pfn, uint32_t order)
{
    if (!inside(z, pfn, order))
        return false;
    for (uint64_t i = pfn - z->start_pfn, end = i + (UINT64_C(1) << order); i < end; i++)
        if (z->page[i] == USED || z->page[i] == LISTED)
            return false;
    return true;
}

static void add_known(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order,
                      enum buddy_type type)
{
    if (type < BUDDY_TYPES && order >= BUDDY_BLOCK_ORDER)
        for (uint64_t at = pfn; at < pfn + (UINT64_C(1) << order); at += BUDDY_BLOCK_PAGES)
            buddy_zone_retype(z, at, type);
    buddy_add(z->known, pfn, order, buddy_type_of(z->known, pfn), false);
    mark(z, pfn, order, LISTED);
}

/* ---- out ------------------------------------------------------------------------------ */

/* The block lies where no known one does: it begins one of those that were numbers. */
static void take_unknown(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order,
                         enum buddy_type type, int held, enum buddy_type rest)
{
    int from = -1;
    uint32_t k = order;
    if (held >= (int)order && held < (int)BUDDY_ORDERS && !(pfn & ((UINT64_C(1) << held) - 1)) &&
        could_be_whole(z, pfn, (uint32_t)held)) {
        k = (uint32_t)held;
        from = type_with(z, k, rest);
    }
    for (int own = 1; own >= 0 && from < 0;
         own--) /* the smallest that does, of its own type first */
        for (k = order; k < BUDDY_ORDERS && !(pfn & ((UINT64_C(1) << k) - 1)); k++) {
            from = type_with(z, k, type);
            if (from >= 0 && (!own || from == (int)type) && could_be_whole(z, pfn, k))
                break;
            from = -1;
        }
    if (from < 0) { /* the books are short of one: they will be long of another */
        z->unknown[order][type]--;
        z->unexplained += UINT64_C(1) << order;
        mark(z, pfn, order, USED);
        return;
    }
    z->unknown[k][from]--;
    mark(z, pfn, order, USED);
    while (k > order) {
        z->splits[k]++;
        k--;
        add_known(z, pfn + (UINT64_C(1) << k), k, rest);
    }
}

/* Take all of [pfn, +2^order) that is in known blocks or was in use, piece by piece. */
static void take_pieces(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order,
                        enum buddy_type type)
{
    uint64_t head;
    uint32_t holder = buddy_holder(z->known, pfn, &head);
    if (holder < BUDDY_ORDERS && holder >= order) {
        buddy_take_at(z->known, pfn, order);
        mark(z, pfn, order, USED);
        return;
    }
    bool none = could_be_whole(z, pfn, order);
    if (none && order > 0) { /* an unknown piece beside a known one: they merged unseen */
        int from = type_with(z, order, type);
        z->unknown[order][from < 0 ? (int)type : from]--;
        z->unexplained += from < 0 ? UINT64_C(1) << order : 0;
        mark(z, pfn, order, USED);
    } else if (order == 0) {
        if (z->page[pfn - z->start_pfn] == USED) {
            z->unseen_gives++;
            return;
        }
        int from = type_with(z, 0, type);
        z->unknown[0][from < 0 ? (int)type : from]--;
        z->unexplained += from < 0;
        mark(z, pfn, 0, USED);
    } else {
        take_pieces(z, pfn, order - 1, type);
        take_pieces(z, pfn + (UINT64_C(1) << (order - 1)), order - 1, type);
    }
}

void buddy_zone_take(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order,
                     enum buddy_type type, int held, enum buddy_type rest)
{
    z->takes++;
    buddy_zone_retype(z, pfn, rest);
    if (could_be_whole(z, pfn, order))
        take_unknown(z, pfn, order, type, held, rest);
    else
        take_pieces(z, pfn, order, type);
}

/* ---- in ------------------------------------------------------------------------------- */

/* How probably the buddy of a block in use is a free one: of pairs of this order, those with one
   half free have the other in use. Pages that no event named lie in such pairs, in pairs that are
   in use, or in larger free blocks. */
static double share_free(const struct buddy_zone_replay *z, uint32_t order)
{
    double n = 0, places = (double)z->never_named / (double)(UINT64_C(1) << order);
    for (int t = 0; t < BUDDY_TYPES; t++) {
        n += (double)z->unknown[order][t];
        for (uint32_t o = order + 1; o < BUDDY_ORDERS; o++)
            places -= (double)z->unknown[o][t] * (double)(UINT64_C(1) << (o - order));
    }
    if (n <= 0)
        return 0;
    return places > 2 * n ? n / (places - n) : 1;
}

/* Is the buddy at @pfn one of those that were numbers? Then its place is known from now on. */
static bool reveal(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order)
{
    enum buddy_type type = BUDDY_TYPES;
    if (!could_be_whole(z, pfn, order))
        return false;
    int from = type_with(z, order, inside(z, pfn, 0) ? buddy_type_of(z->known, pfn) : type);
    if (from < 0)
        return false;
    bool named = false;
    for (uint64_t i = pfn - z->start_pfn, end = i + (UINT64_C(1) << order); i < end && !named; i++)
        named = z->page[i] == FREE_BEFORE;
    if (!named) { /* nobody knows: as many of such as the numbers say */
        z->share[order] += share_free(z, order);
        if (z->share[order] < 1)
            return false;
        z->share[order] -= 1;
        z->assumed_merges++;
    }
    z->unknown[order][from]--;
    add_known(z, pfn, order, BUDDY_TYPES);
    return true;
}

void buddy_zone_give(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order,
                     enum buddy_type type)
{
    uint64_t at = pfn, head;
    z->gives++;
    for (uint64_t i = pfn - z->start_pfn, end = i + (UINT64_C(1) << order); i < end; i++)
        if (z->page[i] == LISTED) {
            z->unseen_takes += UINT64_C(1) << order;
            return;
        }
    buddy_zone_retype(z, pfn, type);
    for (uint32_t o = order; o < BUDDY_ORDERS - 1; o++) {
        uint64_t other = at ^ (UINT64_C(1) << o);
        if (!buddy_is_free(z->known, other, o) && !reveal(z, other, o))
            break;
        at &= other;
    }
    buddy_give(z->known, pfn, order);
    mark(z, pfn, order, LISTED); /* two blocks, if its pageblocks may not be merged */
    uint32_t holder = buddy_holder(z->known, pfn, &head);
    if (holder < BUDDY_ORDERS)
        mark(z, head, holder, LISTED);
}

/* ---- sums ------------------------------------------------------------------------------- */

int64_t buddy_pages(const int64_t blocks[BUDDY_ORDERS])
{
    int64_t n = 0;
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
        n += blocks[o] * (INT64_C(1) << o);
    return n;
}

void buddy_free_blocks(const struct buddy_zone_replay *z, int64_t blocks[BUDDY_ORDERS])
{
    buddy_blocks(z->known, blocks);
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
        for (int t = 0; t < BUDDY_TYPES; t++)
            blocks[o] += z->unknown[o][t];
}

void buddy_replay_free(struct buddy_replay *replay)
{
    for (uint32_t i = 0; replay && i < replay->n_zones; i++) {
        buddy_free(replay->zone[i].known);
        free(replay->zone[i].page);
    }
    free(replay);
}
