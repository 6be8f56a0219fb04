/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "naive_buddy.h"

#include <stdlib.h>
#include <string.h>

#define GROUP 512u /* pages of a pageblock */

static uint32_t pages_of(uint32_t order)
{
    return 1u << order;
}

void naive_buddy_init(struct naive_buddy *n, uint32_t first, uint32_t n_pages, int type)
{
    memset(n, 0, sizeof *n);
    n->first = first;
    n->n_pages = n_pages;
    for (uint32_t i = 0; i < NAIVE_PAGES; i++)
        n->type[i] = type;
}

/* ---- the bag ------------------------------------------------------------------------- */

static struct naive_block *find(struct naive_buddy *n, uint32_t page, uint32_t order)
{
    for (uint32_t i = 0; i < n->n_blocks; i++)
        if (n->block[i].page == page && n->block[i].order == order)
            return &n->block[i];
    return NULL;
}

static void drop(struct naive_buddy *n, struct naive_block *b)
{
    for (uint32_t i = 0; i < pages_of(b->order); i++)
        n->is_free[b->page + i] = false;
    *b = n->block[--n->n_blocks];
}

static void put(struct naive_buddy *n, uint32_t page, uint32_t order, bool at_end)
{
    n->block[n->n_blocks++] = (struct naive_block){ page, order, at_end ? ++n->back : --n->front };
    for (uint32_t i = 0; i < pages_of(order); i++)
        n->is_free[page + i] = true;
}

/* The front one of a list. */
static struct naive_block *front(struct naive_buddy *n, uint32_t order, int type)
{
    struct naive_block *best = NULL;
    for (uint32_t i = 0; i < n->n_blocks; i++) {
        struct naive_block *b = &n->block[i];
        if (b->order == order && n->type[b->page] == type && (!best || b->place < best->place))
            best = b;
    }
    return best;
}

static int by_place(const void *a, const void *b)
{
    int64_t x = ((const struct naive_block *)a)->place, y = ((const struct naive_block *)b)->place;
    return x < y ? -1 : x > y;
}

uint32_t naive_buddy_list(const struct naive_buddy *n, uint32_t order, int type, uint32_t *pages)
{
    static struct naive_block sorted[NAIVE_PAGES];
    uint32_t k = 0;
    for (uint32_t i = 0; i < n->n_blocks; i++)
        if (n->block[i].order == order && n->type[n->block[i].page] == type)
            sorted[k++] = n->block[i];
    qsort(sorted, k, sizeof *sorted, by_place);
    for (uint32_t i = 0; i < k; i++)
        pages[i] = sorted[i].page;
    return k;
}

/* ---- free ----------------------------------------------------------------------------- */

static void paint(struct naive_buddy *n, uint32_t page, uint32_t count, int type)
{
    for (uint32_t i = 0; i < count; i++)
        n->type[page + i] = type;
}

static bool mixable(int a, int b)
{
    return a == b || (a <= 2 && b <= 2);
}

/* Is [page, +2^order) one free block, not more and not less? */
static bool whole(struct naive_buddy *n, uint32_t page, uint32_t order)
{
    return page >= n->first && page + pages_of(order) <= n->n_pages && find(n, page, order);
}

void naive_buddy_give(struct naive_buddy *n, uint32_t page, uint32_t order)
{
    int type = n->type[page];
    naive_buddy_use(n, page, order, false);
    if (order == 10) {
        naive_buddy_give(n, page, 9);
        naive_buddy_give(n, page + GROUP, 9);
        return;
    }
    while (order < 10) {
        uint32_t size = pages_of(order), pair = page / (2 * size) * 2 * size;
        uint32_t twin = page == pair ? pair + size : pair;
        if (!whole(n, twin, order) || !mixable(type, n->type[twin]))
            break;
        drop(n, find(n, twin, order));
        if (order >= 9)
            paint(n, twin, size, type);
        page = pair;
        order++;
    }
    bool soon = false; /* would the pair, once whole, have a free twin? */
    if (order <= 8) {
        uint32_t pair = page / pages_of(order + 1) * pages_of(order + 1);
        uint32_t square = pair / pages_of(order + 2) * pages_of(order + 2);
        soon = whole(n, pair == square ? pair + pages_of(order + 1) : square, order + 1);
    }
    put(n, page, order, soon);
}

void naive_buddy_use(struct naive_buddy *n, uint32_t page, uint32_t order, bool movable)
{
    for (uint32_t i = 0; i < pages_of(order); i++)
        n->is_movable[page + i] = movable;
}

/* ---- take ------------------------------------------------------------------------------- */

/* The first pages of a block; its upper halves go to the fronts of their lists. */
static uint32_t carve(struct naive_buddy *n, struct naive_block *b, uint32_t order)
{
    struct naive_block whole_one = *b;
    drop(n, b);
    for (uint32_t o = whole_one.order; o-- > order;)
        put(n, whole_one.page + pages_of(o), o, false);
    return whole_one.page;
}

static bool own_lists(struct naive_buddy *n, uint32_t order, int type, uint32_t *page)
{
    for (uint32_t o = order; o <= 10; o++) {
        struct naive_block *b = front(n, o, type);
        if (b) {
            *page = carve(n, b, order);
            return true;
        }
    }
    return false;
}

/* Of the other two types, in the order in which they are asked. */
static struct naive_block *others(struct naive_buddy *n, uint32_t order, int type, int *from)
{
    static const char *const ask[3] = { "21", "20", "01" }; /* unmovable 0, movable 1 */
    if (type > 2)
        return NULL;
    const char *list = ask[type];
    for (const char *c = list; *c; c++) {
        struct naive_block *b = front(n, order, *c - '0');
        if (b) {
            *from = *c - '0';
            return b;
        }
    }
    return NULL;
}

void naive_buddy_retype(struct naive_buddy *n, uint32_t page, int type)
{
    uint32_t group = page / GROUP * GROUP;
    if (n->type[group] == type)
        return;
    uint32_t big = group / 1024 * 1024;
    if (find(n, big, 10)) {
        drop(n, find(n, big, 10));
        put(n, big, 9, true);
        put(n, big + GROUP, 9, true);
    }
    for (uint32_t at = group; at < group + GROUP; at++) /* they go to the end, lowest first */
        for (uint32_t i = 0; i < n->n_blocks; i++)
            if (n->block[i].page == at)
                n->block[i].place = ++n->back;
    paint(n, group, GROUP, type);
    struct naive_block *all = find(n, group, 9);
    if (all) {
        drop(n, all);
        naive_buddy_give(n, group, 9);
    }
}

static bool may_claim(const struct naive_buddy *n, uint32_t group, int type, int from)
{
    uint32_t free = 0, movable = 0, rest = 0;
    if (group < n->first || group + GROUP > n->n_pages)
        return false;
    for (uint32_t i = group; i < group + GROUP; i++)
        if (n->is_free[i])
            free++;
        else if (n->is_movable[i])
            movable++;
        else
            rest++;
    if (type == 1)
        return free + movable >= GROUP / 2;
    return free + (from == 1 ? rest : 0) >= GROUP / 2;
}

static bool claim(struct naive_buddy *n, uint32_t order, int type, bool may, uint32_t *page)
{
    int down_to = (int)order;
    if (!may && down_to < 9)
        down_to = 9;
    if (type == 1 && down_to < 4)
        down_to = 4;
    for (int o = 10; o >= down_to; o--) {
        int from;
        struct naive_block *b = others(n, (uint32_t)o, type, &from);
        if (!b)
            continue;
        if (o >= 9) {
            paint(n, b->page, pages_of((uint32_t)o), type);
            *page = carve(n, b, order);
            return true;
        }
        n->boosts++;
        if (!may_claim(n, b->page / GROUP * GROUP, type, from))
            continue;
        naive_buddy_retype(n, b->page, type);
        return own_lists(n, order, type, page);
    }
    return false;
}

bool naive_buddy_take(struct naive_buddy *n, uint32_t order, int type, bool may, bool *own,
                      uint32_t *page)
{
    if (*own && own_lists(n, order, type, page))
        return true;
    if (*own && claim(n, order, type, may, page))
        return true;
    for (uint32_t o = order; o <= 10 && may; o++) {
        int from;
        struct naive_block *b = others(n, o, type, &from);
        if (b) {
            *own = false;
            *page = carve(n, b, order);
            return true;
        }
    }
    return false;
}
