/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Background reclaim: linux/mm/vmscan.c, kswapd and balance_pgdat.
 *
 * It has a processor and a clock of its own. At each allocation it is run, one priority's pass
 * after the other, until its clock has caught up with that of the traced program.
 */
#include "linux_mm.h"

#define DEF_PRIORITY 12
#define MAX_RECLAIM_RETRIES 16u
#define DOZE_PS UINT64_C(100000000000) /* HZ/10 */

static void start(struct linux_mm *lm)
{
    struct kswapd *k = &lm->kswapd;
    *k = (struct kswapd){ .awake = true,
                          .priority = DEF_PRIORITY,
                          .failures = k->failures,
                          .now_ps = k->now_ps > lm->now_ps ? k->now_ps : lm->now_ps };
    buddy_zones_reclaiming(lm->frames, true);
}

/* prepare_kswapd_sleep */
static bool may_sleep(const struct linux_mm *lm)
{
    return lm->kswapd.failures >= MAX_RECLAIM_RETRIES || zones_balanced(&lm->frames->zones);
}

/* wakeup_kswapd */
void kswapd_wake(struct linux_mm *lm)
{
    if (!lm->kswapd.awake && !may_sleep(lm))
        start(lm);
}

/* The end of balance_pgdat, and kswapd_try_to_sleep: a short sleep first. */
static void end_round(struct linux_mm *lm)
{
    struct kswapd *k = &lm->kswapd;
    snapshot_refaults(lm);
    buddy_zones_reclaiming(lm->frames, false);
    if (!may_sleep(lm)) {
        start(lm);
        return;
    }
    k->awake = false;
    k->doze_until_ps = k->now_ps + DOZE_PS;
}

/* One turn of balance_pgdat's loop. */
static void pass(struct linux_mm *lm)
{
    struct kswapd *k = &lm->kswapd;
    struct scan_control sc = { .want = zones_cluster_target(&lm->frames->zones),
                               .priority = k->priority,
                               .may_swap = true,
                               .global = true,
                               .kswapd = true,
                               .no_cache_trim = k->no_cache_trim };
    if (zones_balanced(&lm->frames->zones)) {
        end_round(lm);
        return;
    }
    kswapd_age_node(lm);
    sc.scanned = 0;
    lm->cpu = lm->frames->cpus - 1; /* another one than the program's, where there is one */
    shrink_node(lm, &sc);
    lm->cpu = 0;
    k->priority = sc.priority; /* which policy `mglru` may lower at once */
    k->reclaimed += sc.reclaimed;
    k->cache_trim_failed |= sc.cache_trim_failed;
    lm->background_reclaimed += sc.reclaimed;
    bool enough = (sc.scanned > sc.reclaimed ? sc.scanned : sc.reclaimed) >= sc.want;
    if (enough && sc.reclaimed)
        return;
    if (--k->priority >= 1)
        return;
    if (!k->reclaimed && !k->no_cache_trim && k->cache_trim_failed) {
        k->no_cache_trim = true;
        k->priority = DEF_PRIORITY;
        return;
    }
    k->failures += !k->reclaimed;
    end_round(lm);
}

void kswapd_run(struct linux_mm *lm)
{
    struct kswapd *k = &lm->kswapd;
    if (!k->awake && k->doze_until_ps && lm->now_ps >= k->doze_until_ps) {
        k->doze_until_ps = 0;
        kswapd_wake(lm); /* slept too soon (KSWAPD_HIGH_WMARK_HIT_QUICKLY) */
    }
    while (k->awake && k->now_ps < lm->now_ps) {
        uint64_t program_ps = lm->now_ps;
        lm->now_ps = k->now_ps; /* what reclaim costs now is kswapd's time */
        pass(lm);
        if (lm->now_ps > k->now_ps)
            k->now_ps = lm->now_ps;
        lm->now_ps = program_ps;
    }
}
