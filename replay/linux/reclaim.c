/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One reclaim of the group: linux/mm/vmscan.c, do_try_to_free_pages and what it calls. */
#include <faultline/units.h>

#include "mglru.h"

#define DEF_PRIORITY 12
#define BATCH RECLAIM_MIN

enum balance { SCAN_EQUAL, SCAN_FRACT, SCAN_ANON, SCAN_FILE };

static uint64_t int_sqrt(uint64_t x)
{
    uint64_t root = 0;
    while ((root + 1) * (root + 1) <= x)
        root++;
    return root;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* inactive_is_low, with the sizes of the last flush */
static bool inactive_is_low(const struct linux_mm *lm, bool file)
{
    uint64_t inactive = lm->seen.size[file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON];
    uint64_t active = lm->seen.size[file ? LRU_ACTIVE_FILE : LRU_ACTIVE_ANON];
    uint64_t gib = (inactive + active) >> (30 - FL_PAGE_SHIFT);
    return inactive * (gib ? int_sqrt(10 * gib) : 1) < active;
}

/* prepare_scan_control */
static void prepare(struct linux_mm *lm, struct scan_control *sc)
{
    vmstat_before_use(lm);
    for (int file = 0; file < 2; file++) {
        sc->cost[file] = lm->cost[file];
        sc->may_deactivate[file] = sc->force_deactivate ||
                                   lm->seen.activate[file] != lm->snapshot_activate[file] ||
                                   inactive_is_low(lm, file);
    }
    sc->cache_trim = lm->seen.size[LRU_INACTIVE_FILE] >> sc->priority &&
                     !sc->may_deactivate[true] && !sc->no_cache_trim;
    if (!sc->global)
        return;
    uint64_t file = lm->stat.size[LRU_INACTIVE_FILE] + lm->stat.size[LRU_ACTIVE_FILE];
    sc->file_is_tiny =
        file + zones_free(&lm->frames->zones) <= zones_mark(&lm->frames->zones, WMARK_HIGH) &&
        !sc->may_deactivate[false] && lm->stat.size[LRU_INACTIVE_ANON] >> sc->priority;
}

/* The head of get_scan_count: which rule decides. */
static enum balance choose_balance(const struct linux_mm *lm, const struct scan_control *sc)
{
    if (!sc->may_swap || !swap_available(lm) || (!lm->opts.swappiness && !sc->global))
        return SCAN_FILE;
    if (!sc->priority && lm->opts.swappiness)
        return SCAN_EQUAL;
    if (sc->file_is_tiny)
        return SCAN_ANON;
    if (sc->cache_trim)
        return SCAN_FILE;
    return SCAN_FRACT;
}

/* get_scan_count */
static void scan_counts(const struct linux_mm *lm, const struct scan_control *sc,
                        uint64_t nr[LRU_LISTS])
{
    enum balance balance = choose_balance(lm, sc);
    uint64_t total = sc->cost[0] + sc->cost[1];
    uint64_t anon_cost = total + sc->cost[0], file_cost = total + sc->cost[1];
    uint64_t sum = anon_cost + file_cost;
    uint64_t share[2] = { lm->opts.swappiness * (sum + 1) / (anon_cost + 1),
                          (200 - lm->opts.swappiness) * (sum + 1) / (file_cost + 1) };

    for (int list = 0; list < LRU_LISTS; list++) {
        bool file = list >= LRU_INACTIVE_FILE;
        nr[list] = lm->lru[list].n >> sc->priority;
        if (balance == SCAN_FRACT)
            nr[list] = nr[list] * share[file] / (share[0] + share[1]);
        else if ((balance == SCAN_FILE) != file && balance != SCAN_EQUAL)
            nr[list] = 0;
    }
}

static uint64_t shrink_list(struct linux_mm *lm, struct scan_control *sc, enum lru_list list,
                            uint64_t n)
{
    bool file = list >= LRU_INACTIVE_FILE;
    if (list == LRU_INACTIVE_ANON || list == LRU_INACTIVE_FILE)
        return shrink_inactive(lm, sc, list, n);
    if (sc->may_deactivate[file])
        shrink_active(lm, list, n);
    else
        sc->skipped_deactivate = true;
    return 0;
}

/* Enough is freed: stop the smaller of anonymous and file, scale the larger to match. false: stop
   both. */
static bool rebalance(uint64_t nr[LRU_LISTS], const uint64_t target[LRU_LISTS])
{
    uint64_t anon = nr[LRU_INACTIVE_ANON] + nr[LRU_ACTIVE_ANON];
    uint64_t file = nr[LRU_INACTIVE_FILE] + nr[LRU_ACTIVE_FILE];
    if (!anon || !file)
        return false;
    int less = file > anon ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE;
    int more = file > anon ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
    uint64_t percent = smaller(anon, file) * 100 / (target[less] + target[less + 1] + 1);
    for (int i = 0; i < 2; i++) {
        uint64_t done = target[more + i] - nr[more + i];
        uint64_t want = target[more + i] * (100 - percent) / 100;
        nr[less + i] = 0;
        nr[more + i] = want - smaller(want, done);
    }
    return true;
}

/* shrink_lruvec */
static void shrink_lruvec(struct linux_mm *lm, struct scan_control *sc)
{
    uint64_t nr[LRU_LISTS], target[LRU_LISTS], reclaimed = 0;
    bool in_proportion = sc->global && !sc->kswapd && sc->priority == DEF_PRIORITY;

    scan_counts(lm, sc, nr);
    for (int list = 0; list < LRU_LISTS; list++)
        target[list] = nr[list];
    while (nr[LRU_INACTIVE_ANON] || nr[LRU_ACTIVE_FILE] || nr[LRU_INACTIVE_FILE]) {
        for (int list = 0; list < LRU_LISTS; list++) {
            uint64_t n = smaller(nr[list], BATCH);
            nr[list] -= n;
            if (n)
                reclaimed += shrink_list(lm, sc, (enum lru_list)list, n);
        }
        if (reclaimed >= sc->want && !in_proportion && !rebalance(nr, target))
            break;
    }
    swap_write_plugged(lm, sc->kswapd);
    sc->reclaimed += reclaimed;
    if (swap_exists(lm) && inactive_is_low(lm, false))
        shrink_active(lm, LRU_ACTIVE_ANON, BATCH);
}

void shrink_node(struct linux_mm *lm, struct scan_control *sc)
{
    uint64_t before = sc->reclaimed;
    huge_split_deferred(lm, sc->priority);
    if (lm->mglru) {
        mglru_shrink(lm, sc);
    } else {
        prepare(lm, sc);
        shrink_lruvec(lm, sc);
    }
    if (lm->flusher_due) {
        lm->flusher_due = false;
        page_cache_write_back(lm);
    }
    if (sc->reclaimed > before)
        lm->kswapd.failures = 0;
    else
        sc->cache_trim_failed |= sc->cache_trim;
}

void kswapd_age_node(struct linux_mm *lm)
{
    if (!lm->mglru && swap_available(lm) && inactive_is_low(lm, false))
        shrink_active(lm, LRU_ACTIVE_ANON, BATCH);
}

void snapshot_refaults(struct linux_mm *lm)
{
    for (int file = 0; file < 2; file++)
        lm->snapshot_activate[file] = lm->seen.activate[file];
}

/* do_try_to_free_pages */
uint64_t reclaim_direct(struct linux_mm *lm, uint64_t want)
{
    struct scan_control sc = { .want = want, .may_swap = true, .global = lm->opts.machine };

    lm->direct_reclaims++;
    for (;;) {
        for (sc.priority = DEF_PRIORITY; sc.priority >= 0; sc.priority--) {
            shrink_node(lm, &sc);
            if (sc.reclaimed >= sc.want)
                break;
        }
        snapshot_refaults(lm);
        if (sc.reclaimed)
            break;
        if (!sc.full_walk) {
            sc.full_walk = true;
        } else if (sc.skipped_deactivate && !sc.force_deactivate) {
            sc.force_deactivate = true;
            sc.skipped_deactivate = false;
        } else {
            break;
        }
    }
    return sc.reclaimed;
}
