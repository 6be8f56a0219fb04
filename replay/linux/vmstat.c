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

void vmstat_flush_if_due(struct linux_mm *lm)
{
    if (lm->now_ps < lm->next_flush_ps)
        return;
    lm->seen = lm->stat;
    lm->stat_flushes++;
    lm->next_flush_ps +=
        (lm->now_ps - lm->next_flush_ps) / FLUSH_PERIOD_PS * FLUSH_PERIOD_PS + FLUSH_PERIOD_PS;
}
