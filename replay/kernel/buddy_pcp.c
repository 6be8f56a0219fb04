/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Per-CPU lists; linux/mm/page_alloc.c. */
#include "buddy_pcp.h"
#include "buddy_priv.h"

#define COSTLY_ORDER 3u /* PAGE_ALLOC_COSTLY_ORDER */
#define SCALE_MAX 5u    /* CONFIG_PCP_BATCH_SCALE_MAX */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return least(most(v, low), high);
}

/* ---- sizes -------------------------------------------------------------------------- */

int64_t buddy_pcp_batch(uint64_t managed)
{
    int64_t batch = least((int64_t)(managed >> 10), 256) / 4, power = 1;
    batch = most(batch, 1);
    while (2 * power <= batch + batch / 2)
        power *= 2;
    return most(power - 1, 1);
}

void buddy_pcp_init(struct buddy_pcp *p, uint64_t managed, uint64_t low_mark, uint32_t cpus)
{
    *p = (struct buddy_pcp){ .batch = buddy_pcp_batch(managed) };
    p->high_min = most((int64_t)low_mark / cpus, p->batch * 4);
    p->high_max = most((int64_t)managed / 8 / cpus, p->batch * 4);
    p->high = p->high_min;
}

bool buddy_pcp_keeps(uint32_t order)
{
    return order <= COSTLY_ORDER || order == BUDDY_BLOCK_ORDER;
}

/* ---- lists -------------------------------------------------------------------------- */

static uint32_t list_of(uint32_t order, enum buddy_type type)
{
    if (order > COSTLY_ORDER)
        return BUDDY_PCP_TYPES * (COSTLY_ORDER + 1) + (type == BUDDY_MOVABLE);
    return BUDDY_PCP_TYPES * order + type;
}

static uint32_t order_of(uint32_t list)
{
    uint32_t order = list / BUDDY_PCP_TYPES;
    return order > COSTLY_ORDER ? BUDDY_BLOCK_ORDER : order;
}

static void put(struct buddy *b, struct buddy_pcp *p, uint32_t list, uint64_t pfn, bool tail)
{
    struct buddy_list *l = &p->list[list];
    uint32_t i = buddy_index(b, pfn) + 1;
    b->next[i - 1] = tail ? 0 : l->first;
    b->prev[i - 1] = tail ? l->last : 0;
    if (tail && l->last)
        b->next[l->last - 1] = i;
    if (!tail && l->first)
        b->prev[l->first - 1] = i;
    if (tail || !l->last)
        l->last = i;
    if (!tail || !l->first)
        l->first = i;
    l->n++;
    p->count += INT64_C(1) << order_of(list);
}

static uint64_t get(struct buddy *b, struct buddy_pcp *p, uint32_t list, bool tail)
{
    struct buddy_list *l = &p->list[list];
    uint32_t i = tail ? l->last : l->first;
    uint32_t rest = tail ? b->prev[i - 1] : b->next[i - 1];
    if (tail) {
        l->last = rest;
        if (rest)
            b->next[rest - 1] = 0;
    } else {
        l->first = rest;
        if (rest)
            b->prev[rest - 1] = 0;
    }
    if (!rest)
        l->first = l->last = 0;
    l->n--;
    p->count -= INT64_C(1) << order_of(list);
    return b->base + i - 1;
}

/* ---- out ---------------------------------------------------------------------------- */

/* How many blocks a refill is (nr_pcp_alloc). */
static int64_t refill(const struct buddy *b, struct buddy_pcp *p, uint32_t order)
{
    int64_t high = p->high, batch = p->batch;
    if (p->high_max < p->batch)
        return 1;
    if (!order)
        batch <<= p->alloc_factor;
    if (p->high_min != p->high_max && !b->below_high)
        high = p->high = least(high + batch, p->high_max);
    if (!order) {
        int64_t limit = most(high - p->count - p->batch, p->batch);
        if (batch <= limit && p->alloc_factor < SCALE_MAX)
            p->alloc_factor++;
        batch = least(batch, limit);
    }
    return batch > 1 ? most(batch >> order, 2) : batch;
}

bool buddy_pcp_take(struct buddy *b, struct buddy_pcp *p, uint32_t order, enum buddy_type type,
                    unsigned flags, uint64_t *pfn)
{
    uint32_t list = list_of(order, type);
    p->free_count >>= 1;
    if (!p->list[list].n) {
        enum buddy_mode mode = BUDDY_TRY_OWN;
        for (int64_t n = refill(b, p, order); n > 0; n--) {
            if (!buddy_take_next(b, order, type, flags, &mode, pfn))
                break;
            put(b, p, list, *pfn, true);
        }
    }
    if (!p->list[list].n)
        return false;
    *pfn = get(b, p, list, false);
    return true;
}

/* ---- in ----------------------------------------------------------------------------- */

void buddy_pcp_drain(struct buddy *b, struct buddy_pcp *p, int64_t pages, uint32_t from)
{
    pages = least(pages, p->count);
    for (uint32_t list = from % BUDDY_PCP_LISTS; pages > 0; list = (list + 1) % BUDDY_PCP_LISTS)
        while (pages > 0 && p->list[list].n) {
            uint32_t order = order_of(list);
            buddy_give(b, get(b, p, list, true), order);
            pages -= INT64_C(1) << order;
        }
}

/* The count at which pages go back (nr_pcp_high). */
static int64_t high_now(const struct buddy *b, struct buddy_pcp *p, bool all)
{
    int64_t high = p->high = clamp(p->high, p->high_min, p->high_max);
    if (!high)
        return 0;
    if (all) {
        p->high = most(high - (p->batch << SCALE_MAX), p->high_min);
        return 0;
    }
    if (b->reclaiming) {
        p->high = most(high - most(p->free_count, p->batch), p->high_min);
        return least(p->batch << 2, p->high);
    }
    if (p->high_min == p->high_max)
        return high;
    if (b->below_high) {
        p->high = most(high - most(p->free_count, p->batch), p->high_min);
        high = most(p->count, p->high_min);
    } else if (p->count >= high && high < p->free_count + p->batch) {
        p->high = clamp(p->free_count + p->batch, p->high_min, p->high_max);
    }
    return high;
}

void buddy_pcp_give(struct buddy *b, struct buddy_pcp *p, uint64_t pfn, uint32_t order)
{
    enum buddy_type type = buddy_type_of(b, pfn);
    if (type == BUDDY_ISOLATE) {
        buddy_give(b, pfn, order);
        return;
    }
    uint32_t list = list_of(order, type < BUDDY_PCP_TYPES ? type : BUDDY_MOVABLE);
    bool middle = order && order <= COSTLY_ORDER; /* such blocks fragment memory while they wait */
    bool all = middle && p->after_high_order && p->free_count >= p->batch + p->high_min / 2;
    p->alloc_factor >>= 1;
    put(b, p, list, pfn, false);
    p->after_high_order = middle;
    if (p->free_count < p->batch << SCALE_MAX)
        p->free_count += INT64_C(1) << order;
    int64_t high = high_now(b, p, all);
    if (p->count < high)
        return;
    int64_t pages = clamp(p->free_count, p->batch, most(high - p->batch, p->batch));
    if (all)
        pages = least(p->count, p->batch << SCALE_MAX);
    else if (high < p->batch)
        pages = 1;
    buddy_pcp_drain(b, p, pages, list);
}

void buddy_pcp_decay(struct buddy *b, struct buddy_pcp *p)
{
    if (p->high > p->high_min)
        p->high =
            most(most(p->count - (p->batch << SCALE_MAX), p->high - (p->high >> 3)), p->high_min);
    for (int64_t over = p->count - p->high; over > 0; over -= p->batch)
        buddy_pcp_drain(b, p, least(over, p->batch), 0);
}
