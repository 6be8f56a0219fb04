/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The buddy allocator once more, slowly: a map of pages and a bag of free blocks that remember
   when they came. The rules are those of docs/allocators.md. */
#ifndef TESTS_NAIVE_BUDDY_H
#define TESTS_NAIVE_BUDDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAIVE_PAGES 16384u /* of a zone, at most */
#define NAIVE_TYPES 5
#define NAIVE_ORDERS 11

struct naive_block {
    uint32_t page, order;
    int64_t place; /* on its list: smaller is nearer to the front */
};

struct naive_buddy {
    uint32_t first, n_pages; /* pages first .. n_pages - 1 exist */
    bool is_free[NAIVE_PAGES], is_movable[NAIVE_PAGES];
    int type[NAIVE_PAGES]; /* of the pageblock, on each page */
    struct naive_block block[NAIVE_PAGES];
    uint32_t n_blocks;
    int64_t front, back;
    uint64_t boosts;
};

void naive_buddy_init(struct naive_buddy *n, uint32_t first, uint32_t n_pages, int type);
/* may: whether pages of pageblocks of other types may be taken page by page; *own: whether the
   type's own lists and pageblocks are worth a look (as one of several: kept between calls) */
bool naive_buddy_take(struct naive_buddy *n, uint32_t order, int type, bool may, bool *own,
                      uint32_t *page);
void naive_buddy_give(struct naive_buddy *n, uint32_t page, uint32_t order);
void naive_buddy_use(struct naive_buddy *n, uint32_t page, uint32_t order, bool movable);
void naive_buddy_retype(struct naive_buddy *n, uint32_t page, int type);
/* Pages of a list's blocks in its order; returns how many. */
uint32_t naive_buddy_list(const struct naive_buddy *n, uint32_t order, int type, uint32_t *pages);

/* One CPU's pages beside it. */
struct naive_cpu {
    uint32_t stack[14][NAIVE_PAGES]; /* the last one is given out first */
    uint32_t n[14];
    int64_t high, high_min, high_max, batch, freed;
    unsigned doubled;
    bool odd_before, scarce, reclaim;
};

int64_t naive_cpu_pages(const struct naive_cpu *c);
bool naive_cpu_take(struct naive_buddy *n, struct naive_cpu *c, uint32_t order, int type, bool may,
                    uint32_t *page);
void naive_cpu_give(struct naive_buddy *n, struct naive_cpu *c, uint32_t page, uint32_t order);
void naive_cpu_second(struct naive_buddy *n, struct naive_cpu *c);

#endif
