/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists, splits and merges; linux/mm/page_alloc.c. */
#include <stdlib.h>

#include "buddy_priv.h"

const char *buddy_type_name(enum buddy_type type)
{
    static const char *const names[BUDDY_TYPES] = { "Unmovable", "Movable", "Reclaimable",
                                                    "HighAtomic", "Isolate" };
    return names[type];
}

struct buddy *buddy_new(uint64_t start, uint64_t pages, enum buddy_type type)
{
    struct buddy *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    uint64_t largest = UINT64_C(1) << (BUDDY_ORDERS - 1);
    b->start = start;
    b->end = start + pages;
    b->base = start & ~(largest - 1);
    size_t n = (size_t)(((b->end - b->base) + largest - 1) & ~(largest - 1));
    size_t n_blocks = n >> BUDDY_BLOCK_ORDER;
    b->state = calloc(n + 1, 1);
    b->next = calloc(n + 1, sizeof *b->next);
    b->prev = calloc(n + 1, sizeof *b->prev);
    b->block_type = malloc(n_blocks + 1);
    if (!b->state || !b->next || !b->prev || !b->block_type) {
        buddy_free(b);
        return NULL;
    }
    for (size_t i = 0; i < n_blocks; i++)
        b->block_type[i] = (uint8_t)type;
    return b;
}

void buddy_free(struct buddy *b)
{
    if (!b)
        return;
    free(b->state);
    free(b->next);
    free(b->prev);
    free(b->block_type);
    free(b);
}

/* ---- lists -------------------------------------------------------------------------- */

void buddy_add(struct buddy *b, uint64_t pfn, uint32_t order, enum buddy_type type, bool tail)
{
    struct buddy_list *l = &b->list[order][type];
    uint32_t i = buddy_index(b, pfn);
    b->state[i] = (uint8_t)(order + 1);
    b->next[i] = tail ? 0 : l->first;
    b->prev[i] = tail ? l->last : 0;
    if (b->next[i])
        b->prev[b->next[i] - 1] = i + 1;
    else
        l->last = i + 1;
    if (b->prev[i])
        b->next[b->prev[i] - 1] = i + 1;
    else
        l->first = i + 1;
    l->n++;
    b->free_pages += UINT64_C(1) << order;
    b->free_of[type] += UINT64_C(1) << order;
}

void buddy_remove(struct buddy *b, uint64_t pfn, uint32_t order, enum buddy_type type)
{
    struct buddy_list *l = &b->list[order][type];
    uint32_t i = buddy_index(b, pfn);
    b->state[i] = 0;
    if (b->next[i])
        b->prev[b->next[i] - 1] = b->prev[i];
    else
        l->last = b->prev[i];
    if (b->prev[i])
        b->next[b->prev[i] - 1] = b->next[i];
    else
        l->first = b->next[i];
    l->n--;
    b->free_pages -= UINT64_C(1) << order;
    b->free_of[type] -= UINT64_C(1) << order;
}

uint64_t buddy_walk(const struct buddy *b, uint32_t order, enum buddy_type type, uint64_t after)
{
    uint32_t next = after == UINT64_MAX ? b->list[order][type].first : b->next[after - b->base];
    return next ? b->base + next - 1 : UINT64_MAX;
}

/* ---- out ------------------------------------------------------------------------------ */

void buddy_expand(struct buddy *b, uint64_t pfn, uint32_t low, uint32_t high, enum buddy_type type)
{
    while (high > low) {
        b->stats.splits[high]++;
        high--;
        buddy_add(b, pfn + (UINT64_C(1) << high), high, type, false);
    }
}

bool buddy_smallest(struct buddy *b, uint32_t order, enum buddy_type type, uint64_t *pfn)
{
    for (uint32_t o = order; o < BUDDY_ORDERS; o++)
        if (b->list[o][type].n) {
            *pfn = b->base + b->list[o][type].first - 1;
            buddy_remove(b, *pfn, o, type);
            buddy_expand(b, *pfn, order, o, type);
            return true;
        }
    return false;
}

/* __rmqueue */
bool buddy_take_next(struct buddy *b, uint32_t order, enum buddy_type type, unsigned flags,
                     enum buddy_mode *mode, uint64_t *pfn)
{
    bool found = false;
    if (*mode == BUDDY_TRY_OWN) {
        found = buddy_smallest(b, order, type, pfn);
        if (!found)
            found = buddy_claim(b, order, type, flags, pfn);
    }
    if (!found && !(flags & BUDDY_NOFRAGMENT)) {
        found = buddy_steal(b, order, type, pfn);
        if (found)
            *mode = BUDDY_TRY_STEAL;
    }
    b->stats.allocs[order] += found;
    return found;
}

bool buddy_take(struct buddy *b, uint32_t order, enum buddy_type type, unsigned flags,
                uint64_t *pfn)
{
    enum buddy_mode mode = BUDDY_TRY_OWN;
    if (buddy_take_next(b, order, type, flags, &mode, pfn))
        return true;
    if ((flags & BUDDY_USE_HIGHATOMIC) && buddy_smallest(b, order, BUDDY_HIGHATOMIC, pfn)) {
        b->stats.allocs[order]++;
        return true;
    }
    b->stats.failed++;
    return false;
}

uint32_t buddy_holder(const struct buddy *b, uint64_t pfn, uint64_t *head)
{
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++) {
        uint64_t at = pfn & ~((UINT64_C(1) << o) - 1);
        if (!buddy_is_free(b, at, o))
            continue;
        *head = at;
        return o;
    }
    return BUDDY_ORDERS;
}

bool buddy_take_at(struct buddy *b, uint64_t pfn, uint32_t order)
{
    uint64_t head;
    uint32_t o = buddy_holder(b, pfn, &head);
    if (o == BUDDY_ORDERS || o < order)
        return false;
    enum buddy_type type = buddy_type_of(b, head);
    buddy_remove(b, head, o, type);
    while (o > order) {
        b->stats.splits[o]++;
        uint64_t half = UINT64_C(1) << --o;
        bool upper = pfn >= head + half;
        buddy_add(b, upper ? head : head + half, o, type, false);
        head += upper ? half : 0;
    }
    b->stats.allocs[order]++;
    return true;
}

/* ---- in ------------------------------------------------------------------------------- */

static bool mergeable(enum buddy_type a, enum buddy_type b)
{
    return a == b || (a < BUDDY_PCP_TYPES && b < BUDDY_PCP_TYPES);
}

/* __free_one_page; a block that would merge again once its buddy comes is left to be used last
   (buddy_merge_likely). */
static void merge(struct buddy *b, uint64_t pfn, uint32_t order, enum buddy_type type)
{
    for (; order < BUDDY_ORDERS - 1; order++) {
        uint64_t other = pfn ^ (UINT64_C(1) << order);
        if (!buddy_is_free(b, other, order))
            break;
        enum buddy_type other_type = order >= BUDDY_BLOCK_ORDER ? buddy_type_of(b, other) : type;
        if (!mergeable(type, other_type))
            break;
        buddy_remove(b, other, order, other_type);
        if (other_type != type)
            buddy_set_type(b, other, type);
        b->stats.merges[order]++;
        pfn &= other;
    }
    bool tail = false;
    if (order < BUDDY_ORDERS - 2) {
        uint64_t above = pfn & ~((UINT64_C(2) << order) - 1);
        tail = buddy_is_free(b, above ^ (UINT64_C(2) << order), order + 1);
    }
    buddy_add(b, pfn, order, type, tail);
}

void buddy_note_movable(struct buddy *b, uint64_t pfn, uint32_t order, bool movable)
{
    b->state[buddy_index(b, pfn)] = movable ? (uint8_t)(BUDDY_MOVABLE_USE | (order + 1)) : 0;
}

void buddy_give(struct buddy *b, uint64_t pfn, uint32_t order)
{
    b->state[buddy_index(b, pfn)] = 0;
    b->stats.frees[order]++;
    if (order > BUDDY_BLOCK_ORDER) { /* its pageblocks may be of two types (split_large_buddy) */
        merge(b, pfn, BUDDY_BLOCK_ORDER, buddy_type_of(b, pfn));
        pfn += BUDDY_BLOCK_PAGES;
        order = BUDDY_BLOCK_ORDER;
    }
    merge(b, pfn, order, buddy_type_of(b, pfn));
}

/* ---- pageblocks ------------------------------------------------------------------------- */

/* Of a free block of two pageblocks: each a block of its own. */
static void cut(struct buddy *b, uint64_t block)
{
    uint64_t head = block & ~((UINT64_C(1) << (BUDDY_ORDERS - 1)) - 1);
    if (!buddy_is_free(b, head, BUDDY_ORDERS - 1))
        return;
    enum buddy_type type = buddy_type_of(b, head);
    buddy_remove(b, head, BUDDY_ORDERS - 1, type);
    b->stats.splits[BUDDY_ORDERS - 1]++;
    for (uint64_t half = head; half < head + 2 * BUDDY_BLOCK_PAGES; half += BUDDY_BLOCK_PAGES)
        buddy_add(b, half, BUDDY_BLOCK_ORDER, type, true);
}

uint64_t buddy_retype(struct buddy *b, uint64_t pfn, enum buddy_type type)
{
    uint64_t block = pfn & ~(uint64_t)(BUDDY_BLOCK_PAGES - 1), moved = 0;
    enum buddy_type old = buddy_type_of(b, pfn);
    if (old == type)
        return 0;
    cut(b, block);
    for (uint64_t at = block; at < block + BUDDY_BLOCK_PAGES;) {
        uint32_t state = b->state[buddy_index(b, at)];
        if (!state || (state & BUDDY_MOVABLE_USE)) {
            at++;
            continue;
        }
        buddy_remove(b, at, state - 1, old);
        buddy_add(b, at, state - 1, type, true);
        moved += UINT64_C(1) << (state - 1);
        at += UINT64_C(1) << (state - 1);
    }
    buddy_set_type(b, block, type);
    /* halves that belong together again do not stay apart */
    if (b->state[buddy_index(b, block)] == BUDDY_BLOCK_ORDER + 1) {
        buddy_remove(b, block, BUDDY_BLOCK_ORDER, type);
        merge(b, block, BUDDY_BLOCK_ORDER, type);
    }
    return moved;
}
