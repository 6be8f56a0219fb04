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

/* Is it time for the next of the flushes that were seen? Where it stands still the clock tells. */
static bool seen_is_due(const struct linux_mm *lm)
{
    const struct fl_seen_flushes *seen = lm->opts.flushes;
    uint64_t have = moved(lm);
    if (lm->n_seen_flushes == seen->n) /* the run had ended before the next */
        return have > seen->end.moved && lm->now_ps >= lm->next_flush_ps;
    const struct fl_seen_flush *next = &seen->flush[lm->n_seen_flushes];
    return have > next->moved || (have == next->moved && lm->now_ps >= next->at_ns * 1000);
}

void vmstat_flush_if_due(struct linux_mm *lm)
{
    const struct fl_seen_flushes *seen = lm->opts.flushes;
    bool seen_are_left = seen && lm->n_seen_flushes < seen->n;
    if (seen ? !seen_is_due(lm) : lm->now_ps < lm->next_flush_ps)
        return;
    lm->seen = lm->stat;
    lm->stat_flushes++;
    if (seen_are_left) {
        lm->n_seen_flushes++;
        return;
    }
    lm->next_flush_ps +=
        (lm->now_ps - lm->next_flush_ps) / FLUSH_PERIOD_PS * FLUSH_PERIOD_PS + FLUSH_PERIOD_PS;
}
