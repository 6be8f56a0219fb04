/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The eviction: linux/mm/vmscan.c, try_to_shrink_lruvec and what it calls. */
#include "mglru.h"

#define DEF_PRIORITY 12

/* What one pass over the group has met: its files' pages, and the dirty ones of them. */
struct pass {
    struct scan_control *sc;
    uint32_t swappiness;
    uint64_t file_taken, dirty_files;
};

struct taken {
    uint32_t c[MGLRU_BATCH], n;
    enum mglru_type type;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- the controller: proportional and integral ------------------------------------------------ */

struct position {
    uint64_t refaulted, total;
    uint32_t gain;
};

/* read_ctrl_pos */
static struct position position(const struct mglru *g, enum mglru_type type, uint32_t first,
                                uint32_t last, uint32_t gain)
{
    struct position pos = { .gain = gain };
    for (uint32_t tier = first; tier <= last; tier++) {
        const struct mglru_counts *n = &g->counts[type][tier];
        pos.refaulted += n->avg_refaulted + n->refaulted;
        pos.total += n->avg_total + n->evicted + n->protected_;
    }
    return pos;
}

/* positive_ctrl_err: @other refaults little, or no more than @set for its share */
static bool no_worse(struct position set, struct position other)
{
    return other.refaulted < MGLRU_BATCH ||
           other.refaulted * (set.total + MGLRU_BATCH) * set.gain <=
               (set.refaulted + 1) * other.total * other.gain;
}

/* get_type_to_scan */
enum mglru_type mglru_type_to_scan(const struct mglru *g, uint32_t swappiness)
{
    if (swappiness <= 1)
        return MGLRU_FILE;
    if (swappiness >= MGLRU_SWAPPINESS_MAX)
        return MGLRU_ANON;
    struct position anon = position(g, MGLRU_ANON, 0, MGLRU_TIERS - 1, swappiness);
    struct position file =
        position(g, MGLRU_FILE, 0, MGLRU_TIERS - 1, MGLRU_SWAPPINESS_MAX - swappiness);
    return no_worse(anon, file) ? MGLRU_FILE : MGLRU_ANON;
}

/* get_tier_idx: the last tier that is evicted; those after it are protected */
uint32_t mglru_tier_to_evict(const struct mglru *g, enum mglru_type type)
{
    struct position first = position(g, type, 0, 0, 2);
    uint32_t tier = 1;
    while (tier < MGLRU_TIERS && no_worse(first, position(g, type, tier, tier, 3)))
        tier++;
    return tier - 1;
}

/* ---- isolation --------------------------------------------------------------------------------- */

static void move_to(struct linux_mm *lm, uint32_t c, uint32_t gen)
{
    lru_unlink(lm, c);
    lru_add(lm, c, mglru_list(mglru_type(lm, c), gen));
}

/* sort_folio: true if @c is not to be evicted now */
static bool sort_folio(struct linux_mm *lm, struct pass *pass, uint32_t c, uint32_t tier_limit)
{
    struct mglru *g = lm->mglru;
    const struct folio *f = &lm->folio[c];
    enum mglru_type type = mglru_type(lm, c);
    uint32_t gen = (uint32_t)mglru_gen_of(g, c), tier = mglru_tier(lm, c);

    if (f->flags & FOLIO_LOCKED) {
        lru_remove(lm, c);
        lm->folio[c].list = LRU_UNEVICTABLE;
        return true;
    }
    if (gen != mglru_gen(g->min_seq[type])) { /* promoted */
        move_to(lm, c, gen);
        return true;
    }
    bool lazily = mglru_read_often(lm, c);
    if (tier > tier_limit || lazily) { /* protected */
        move_to(lm, c, mglru_inc_gen(lm, c, false));
        if (!lazily)
            mglru_protect(lm, type, tier);
        return true;
    }
    bool dirty_file = type == MGLRU_FILE && f->flags & FOLIO_DIRTY;
    pass->file_taken += dirty_file;
    pass->dirty_files += dirty_file && !(f->flags & FOLIO_WRITEBACK);
    if (!dirty_file && !(f->flags & FOLIO_WRITEBACK))
        return false;
    move_to(lm, c, mglru_inc_gen(lm, c, true));
    return true;
}

/* scan_folios, isolate_folio: returns how many were looked at, 0: no use to go on */
static uint64_t scan_folios(struct linux_mm *lm, struct pass *pass, uint64_t n, uint32_t tier_limit,
                            struct taken *taken)
{
    const struct mglru *g = lm->mglru;
    enum mglru_type type = taken->type;
    enum lru_list list = mglru_list(type, mglru_gen(g->min_seq[type]));
    uint64_t scanned = 0, most = smaller(n, MGLRU_BATCH_MAX);
    uint32_t c;

    if (mglru_n_gens(g, type) == MGLRU_GENS_MIN)
        return 0;
    while ((c = lm->lru[list].oldest) != NO_CONTENTS) {
        scanned++;
        lru_expect(lm, c);
        if (!sort_folio(lm, pass, c, tier_limit)) {
            lru_remove(lm, c);
            lm->folio[c].flags &= (uint16_t)~FOLIO_RECLAIM;
            taken->c[taken->n++] = c;
        }
        if (scanned == most || taken->n == MGLRU_BATCH)
            break;
    }
    if (type == MGLRU_FILE)
        pass->file_taken += taken->n;
    lm->scanned += taken->n;
    linux_tick(lm, FL_COST_SCAN, scanned);
    return taken->n || scanned == most ? scanned : 0;
}

/* isolate_folios */
static uint64_t isolate(struct linux_mm *lm, struct pass *pass, uint64_t n, struct taken *taken)
{
    enum mglru_type type = mglru_type_to_scan(lm->mglru, pass->swappiness);
    for (int tries = (int)mglru_first_type(pass->swappiness); tries < MGLRU_TYPES; tries++) {
        taken->type = type;
        uint64_t scanned = scan_folios(lm, pass, n, mglru_tier_to_evict(lm->mglru, type), taken);
        if (scanned)
            return scanned;
        type = type == MGLRU_ANON ? MGLRU_FILE : MGLRU_ANON;
    }
    return 0;
}

/* ---- eviction ---------------------------------------------------------------------------------- */

/* The oldest generation that a type which may be evicted has (evictable_min_seq). */
static uint64_t oldest_seq(const struct mglru *g, uint32_t swappiness)
{
    uint64_t file = g->min_seq[MGLRU_FILE];
    return swappiness ? smaller(g->min_seq[MGLRU_ANON], file) : file;
}

/* move_folios_to_lru, with the tail of evict_folios: nothing goes back to the oldest generation */
static void put_back(struct linux_mm *lm, uint32_t c, enum verdict verdict)
{
    struct mglru *g = lm->mglru;
    struct folio *f = &lm->folio[c];
    bool active = verdict == ACTIVATE;
    if (active && f->flags & FOLIO_LOCKED) {
        f->list = LRU_UNEVICTABLE;
        return;
    }
    if (active) {
        if (f->flags & FOLIO_SWAP_CACHE && swap_full(lm))
            swap_cache_drop(lm, c);
        lm->activated++;
    }
    if (mglru_seq_for(lm, c, active, false) == g->min_seq[mglru_type(lm, c)]) {
        f->flags &= (uint16_t)~FOLIO_REFERENCED;
        active = true;
    }
    mglru_add(lm, c, active);
}

/* Nothing is left to be done but to free it. */
static bool could_go(const struct linux_mm *lm, uint32_t c)
{
    const struct folio *f = &lm->folio[c];
    return !f->mapped && !(f->flags & (FOLIO_DIRTY | FOLIO_WRITEBACK | FOLIO_LOCKED));
}

/* shrink_folio_list, twice for what could have gone the first time */
static void shrink_taken(struct linux_mm *lm, struct pass *pass, struct taken *taken)
{
    struct batch batch = { 0 };
    for (int round = 0; round < 2 && taken->n; round++) {
        enum verdict verdict[MGLRU_BATCH];
        uint32_t again = 0;
        for (uint32_t i = 0; i < taken->n; i++)
            verdict[i] = shrink_folio(lm, taken->c[i], &batch);
        pass->sc->scanned += taken->n;
        for (uint32_t i = 0; i < taken->n; i++) {
            if (verdict[i] == FREED)
                continue;
            if (verdict[i] == KEEP && !round && could_go(lm, taken->c[i]))
                taken->c[again++] = taken->c[i];
            else
                put_back(lm, taken->c[i], verdict[i]);
        }
        taken->n = again;
    }
    pass->dirty_files += batch.dirty_files;
    pass->sc->reclaimed += batch.freed;
}

/* evict_folios: how many were looked at, 0: there is nothing to evict */
static uint64_t evict(struct linux_mm *lm, struct pass *pass, uint64_t n)
{
    const struct mglru *g = lm->mglru;
    struct taken taken = { .n = 0 };
    uint64_t scanned = isolate(lm, pass, n, &taken);
    scanned += mglru_drop_empty(lm, pass->swappiness);
    if (oldest_seq(g, pass->swappiness) + MGLRU_GENS_MIN > g->max_seq)
        scanned = 0;
    shrink_taken(lm, pass, &taken);
    return scanned;
}

/* ---- how much ---------------------------------------------------------------------------------- */

/* get_swappiness: none when swap is nearly full */
static uint32_t swappiness_now(const struct linux_mm *lm, const struct scan_control *sc)
{
    if (!sc->may_swap || swap_pages_left(lm) < MGLRU_BATCH)
        return 0;
    return lm->opts.swappiness;
}

/* Of all generations of the types that may be evicted. */
static uint64_t evictable_pages(const struct mglru *g, uint32_t swappiness)
{
    uint64_t n = 0;
    for (int type = (int)mglru_first_type(swappiness); type < MGLRU_TYPES; type++)
        for (uint64_t seq = g->min_seq[type]; seq <= g->max_seq; seq++)
            n += g->pages[type][mglru_gen(seq)];
    return n;
}

/* should_run_aging, get_nr_to_scan: 0 also when it was aging's turn */
static uint64_t scan_count(struct linux_mm *lm, const struct pass *pass)
{
    const struct mglru *g = lm->mglru;
    uint64_t generations = g->max_seq - oldest_seq(g, pass->swappiness) + 1, n = 0;
    if (generations >= MGLRU_GENS_MIN + 1)
        n = evictable_pages(g, pass->swappiness);
    if (generations > MGLRU_GENS_MIN + 1 || pass->sc->priority == DEF_PRIORITY)
        return n >> pass->sc->priority;
    mglru_age(lm, pass->swappiness);
    return 0;
}

/* ---- for the whole machine ----------------------------------------------------------------------- */

static uint32_t bits(uint64_t x)
{
    return x ? 64u - (uint32_t)__builtin_clzll(x) : 0;
}

/* Pages of generations that count as inactive (lru_gen_is_active). */
static uint64_t inactive_pages(const struct mglru *g, enum mglru_type type)
{
    uint64_t n = 0;
    for (uint64_t seq = g->min_seq[type]; seq + MGLRU_GENS_MIN <= g->max_seq; seq++)
        n += g->pages[type][mglru_gen(seq)];
    return n;
}

/* set_initial_priority: a great want starts with more of the lists */
static void set_initial_priority(const struct linux_mm *lm, struct scan_control *sc)
{
    if (sc->priority != DEF_PRIORITY || sc->want < MGLRU_BATCH)
        return;
    uint64_t n = inactive_pages(lm->mglru, MGLRU_FILE);
    if (swap_available(lm))
        n += inactive_pages(lm->mglru, MGLRU_ANON);
    int priority = (int)bits(n) - 1 - (int)bits(sc->want - 1);
    if (priority < DEF_PRIORITY / 2)
        priority = DEF_PRIORITY / 2;
    if (priority < DEF_PRIORITY)
        sc->priority = priority;
}

/* should_abort_scan: a group's reclaim goes on, the machine's stops when there is enough */
static bool enough(const struct linux_mm *lm, const struct scan_control *sc)
{
    if (!sc->global)
        return false;
    if (sc->reclaimed >= sc->want)
        return true;
    for (int i = 0; i < ZONES && sc->kswapd; i++) {
        const struct zone *zone = &lm->frames->zones.zone[i];
        uint64_t free = zone->free > MGLRU_BATCH ? zone->free - MGLRU_BATCH : 0;
        if (zone->managed && !zone_is_ok(zone, free, WMARK_HIGH))
            return false;
    }
    return sc->kswapd;
}

/* lru_gen_shrink_lruvec, lru_gen_shrink_node, try_to_shrink_lruvec */
void mglru_shrink(struct linux_mm *lm, struct scan_control *sc)
{
    uint64_t scanned = 0, n;
    lru_add_drain(lm);
    if (sc->global)
        set_initial_priority(lm, sc);
    lm->mglru->kswapd = sc->kswapd;
    struct pass pass = { .sc = sc, .swappiness = swappiness_now(lm, sc) };
    while ((n = scan_count(lm, &pass)) > 0) {
        uint64_t more = evict(lm, &pass, n);
        scanned += more;
        if (!more || scanned >= n || enough(lm, sc))
            break;
    }
    lm->mglru->kswapd = false;
    if (pass.dirty_files && pass.dirty_files == pass.file_taken)
        wake_flusher(lm);
    swap_write_plugged(lm, sc->kswapd);
}
