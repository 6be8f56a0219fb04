/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory group's counter: linux/mm/memcontrol.c, try_charge_memcg. */
#include "linux_mm.h"

#define CHARGE_BATCH 64u /* MEMCG_CHARGE_BATCH */
#define RECLAIM_RETRIES 16

/* One attempt on the counter; what a batch has over goes to the processor's stock. */
static bool counter_charge(struct linux_mm *lm, uint64_t batch, uint64_t n)
{
    if (lm->usage + batch > lm->wanted)
        lm->wanted = lm->usage + batch;
    if (lm->usage + batch > lm->opts.limit_pages) {
        lm->failures++;
        return false;
    }
    lm->usage += batch;
    if (lm->usage > lm->usage_peak)
        lm->usage_peak = lm->usage;
    lm->stock += batch - n;
    if (lm->stock > CHARGE_BATCH) {
        lm->usage -= lm->stock;
        lm->stock = 0;
    }
    return true;
}

static bool consume(struct linux_mm *lm, uint64_t n)
{
    if (lm->stock >= n) {
        lm->stock -= n;
        return true;
    }
    return counter_charge(lm, n > CHARGE_BATCH ? n : CHARGE_BATCH, n) ||
           (n < CHARGE_BATCH && counter_charge(lm, n, n));
}

static bool margin(const struct linux_mm *lm, uint64_t n)
{
    return lm->usage + n <= lm->opts.limit_pages;
}

static void drain_stock(struct linux_mm *lm)
{
    lm->usage -= lm->stock;
    lm->stock = 0;
}

bool group_charge(struct linux_mm *lm, uint64_t n, enum effort effort)
{
    int retries = RECLAIM_RETRIES;
    bool drained = false;

    while (!consume(lm, n)) {
        if (effort == EFFORT_NONE)
            return false;
        uint64_t freed = reclaim_direct(lm, n > RECLAIM_MIN ? n : RECLAIM_MIN);
        if (margin(lm, n))
            continue;
        if (!drained) {
            drain_stock(lm);
            drained = true;
            continue;
        }
        if (effort == EFFORT_ONCE)
            return false;
        if (freed && n <= 8) /* PAGE_ALLOC_COSTLY_ORDER */
            continue;
        if (retries-- > 0)
            continue;
        if (effort != EFFORT_KILL || !kill_for_memory(lm))
            return false;
        retries = RECLAIM_RETRIES;
    }
    return true;
}

void group_uncharge(struct linux_mm *lm, uint64_t n)
{
    lm->usage -= n < lm->usage ? n : lm->usage;
}
