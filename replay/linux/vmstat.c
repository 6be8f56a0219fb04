/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The statistics that reclaim looks at are those of the last flush (mem_cgroup_flush_stats):
 * a periodic one every two seconds, as nothing else flushes in a group that nobody watches.
 */
#include "linux_mm.h"

#define FLUSH_PERIOD_PS UINT64_C(2000000000000) /* FLUSH_TIME */

/* Without memory groups the node's own counters are looked at, which are near exact. */
void vmstat_before_use(struct linux_mm *lm)
{
    if (lm->opts.no_groups)
        lm->seen = lm->stat;
}

static uint64_t moved(const struct linux_mm *lm)
{
    uint64_t n = lm->pages_in + lm->pages_out;
    for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++)
        if (fl_cause_is_major((enum fl_cause)c))
            n += lm->faults[c];
    return n;
}

/* The next of the flushes that were seen in a real run; NULL: none is left, the clock tells. */
static const struct fl_seen_flush *next_seen(const struct linux_mm *lm)
{
    const struct fl_seen_flushes *seen = lm->opts.flushes;
    return seen && lm->n_seen_flushes < seen->n ? &seen->flush[lm->n_seen_flushes] : NULL;
}

/* Where nothing moves the clock tells here too. */
static bool has_come(const struct linux_mm *lm, const struct fl_seen_flush *flush)
{
    uint64_t have = moved(lm);
    return have > flush->moved || (have == flush->moved && lm->now_ps >= flush->at_ns * 1000);
}

/* In all of a real run there was no other flush than those seen. */
static bool by_the_clock(const struct linux_mm *lm)
{
    const struct fl_seen_flushes *seen = lm->opts.flushes;
    return lm->now_ps >= lm->next_flush_ps && (!seen || moved(lm) > seen->end.moved);
}

void vmstat_flush_if_due(struct linux_mm *lm)
{
    const struct fl_seen_flush *next = next_seen(lm);
    if (next ? !has_come(lm, next) : !by_the_clock(lm))
        return;
    lm->seen = lm->stat;
    lm->stat_flushes++;
    if (next) {
        lm->n_seen_flushes++;
        return;
    }
    lm->next_flush_ps +=
        (lm->now_ps - lm->next_flush_ps) / FLUSH_PERIOD_PS * FLUSH_PERIOD_PS + FLUSH_PERIOD_PS;
}
