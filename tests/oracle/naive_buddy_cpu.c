/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Per-CPU pages, slowly: arrays used as stacks. */
#include "naive_buddy.h"

#include <string.h>

static const uint32_t order_on[14] = { 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 9, 9 };

static uint32_t stack_of(uint32_t order, int type)
{
    if (order == 9)
        return type == 1 ? 13 : 12;
    return 3 * order + (uint32_t)type;
}

int64_t naive_cpu_pages(const struct naive_cpu *c)
{
    int64_t pages = 0;
    for (int i = 0; i < 14; i++)
        pages += (int64_t)c->n[i] << order_on[i];
    return pages;
}

static int64_t limit(int64_t v, int64_t low, int64_t high)
{
    v = v < low ? low : v;
    return v > high ? high : v;
}

static int64_t wanted(struct naive_cpu *c, uint32_t order)
{
    int64_t n = order ? c->batch : c->batch << c->doubled;
    if (c->high_max < c->batch)
        return 1;
    if (c->high_min != c->high_max && !c->scarce)
        c->high = c->high + n > c->high_max ? c->high_max : c->high + n;
    if (order == 0) {
        int64_t room = c->high - naive_cpu_pages(c) - c->batch;
        if (room < c->batch)
            room = c->batch;
        if (n <= room && c->doubled < 5)
            c->doubled++;
        if (n > room)
            n = room;
    }
    if (n == 1)
        return 1;
    return n >> order < 2 ? 2 : n >> order;
}

bool naive_cpu_take(struct naive_buddy *n, struct naive_cpu *c, uint32_t order, int type, bool may,
                    uint32_t *page)
{
    uint32_t s = stack_of(order, type);
    c->freed /= 2;
    if (c->n[s] == 0) {
        bool own = true;
        for (int64_t left = wanted(c, order); left > 0; left--) {
            if (!naive_buddy_take(n, order, type, may, &own, page))
                break;
            /* the first one found is given out first, so it goes on top of the others */
            memmove(&c->stack[s][1], &c->stack[s][0], c->n[s] * sizeof c->stack[s][0]);
            c->stack[s][0] = *page;
            c->n[s]++;
        }
    }
    if (c->n[s] == 0)
        return false;
    *page = c->stack[s][--c->n[s]];
    return true;
}

static void give_back(struct naive_buddy *n, struct naive_cpu *c, int64_t pages, uint32_t s)
{
    int64_t have = naive_cpu_pages(c);
    for (pages = pages < have ? pages : have; pages > 0;) {
        if (c->n[s] == 0) {
            s = s == 13 ? 0 : s + 1;
            continue;
        }
        uint32_t oldest = c->stack[s][0];
        c->n[s]--;
        memmove(&c->stack[s][0], &c->stack[s][1], c->n[s] * sizeof c->stack[s][0]);
        naive_buddy_give(n, oldest, order_on[s]);
        pages -= INT64_C(1) << order_on[s];
    }
}

void naive_cpu_give(struct naive_buddy *n, struct naive_cpu *c, uint32_t page, uint32_t order)
{
    int type = n->type[page];
    if (type == 4) {
        naive_buddy_give(n, page, order);
        return;
    }
    uint32_t s = stack_of(order, type == 3 ? 1 : type);
    bool odd = order >= 1 && order <= 3;
    bool flush = odd && c->odd_before && c->freed >= c->batch + c->high_min / 2;
    c->doubled /= 2;
    c->stack[s][c->n[s]++] = page;
    c->odd_before = odd;
    if (c->freed < 32 * c->batch)
        c->freed += INT64_C(1) << order;

    int64_t pages = naive_cpu_pages(c), bound;
    c->high = limit(c->high, c->high_min, c->high_max);
    bound = c->high;
    if (c->high == 0) {
        bound = 0;
    } else if (flush) {
        c->high = c->high - 32 * c->batch < c->high_min ? c->high_min : c->high - 32 * c->batch;
        bound = 0;
    } else if (c->reclaim) {
        int64_t less = c->freed > c->batch ? c->freed : c->batch;
        c->high = c->high - less < c->high_min ? c->high_min : c->high - less;
        bound = 4 * c->batch < c->high ? 4 * c->batch : c->high;
    } else if (c->high_min != c->high_max && c->scarce) {
        int64_t less = c->freed > c->batch ? c->freed : c->batch;
        c->high = c->high - less < c->high_min ? c->high_min : c->high - less;
        bound = pages > c->high_min ? pages : c->high_min;
    } else if (c->high_min != c->high_max && pages >= c->high && c->high < c->freed + c->batch) {
        c->high = limit(c->freed + c->batch, c->high_min, c->high_max);
    }
    if (pages < bound)
        return;
    if (flush)
        give_back(n, c, pages < 32 * c->batch ? pages : 32 * c->batch, s);
    else if (bound < c->batch)
        give_back(n, c, 1, s);
    else if (bound - c->batch < c->batch)
        give_back(n, c, c->batch, s);
    else
        give_back(n, c, limit(c->freed, c->batch, bound - c->batch), s);
}

void naive_cpu_second(struct naive_buddy *n, struct naive_cpu *c)
{
    if (c->high > c->high_min) {
        int64_t a = naive_cpu_pages(c) - 32 * c->batch, b = c->high - c->high / 8;
        c->high = a > b ? a : b;
        if (c->high < c->high_min)
            c->high = c->high_min;
    }
    for (int64_t over = naive_cpu_pages(c) - c->high; over > 0; over -= c->batch)
        give_back(n, c, over < c->batch ? over : c->batch, 0);
}
