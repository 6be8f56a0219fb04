/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model-linux.md, sections 6 to 9. */
#include <string.h>

#include "naive_linux_world.h"

#define BATCH_SCAN 32
#define GIB_PAGES (UINT64_C(1) << 18)

enum outcome { KEPT, ACTIVATED, FREED };

static int type_of(int list)
{
    return list == IA || list == AA ? ANON : FILES;
}

static bool is_v2(const struct world *w)
{
    return w->k->opts->kernel.memcg == FL_MEMCG_V2;
}

/* ---- section 8 ----------------------------------------------------------------------- */

/* How many entries are accessed; they are no longer. */
static size_t take_references(struct world *w, int c)
{
    size_t n = 0;
    for (size_t i = 0; i < w->vpages.n; i++) {
        struct vpage *v = &w->vpages.at[i];
        if (v->contents != c || !v->entry.present || !v->entry.accessed)
            continue;
        if (naive_vm_mapping_at(w, v->mm, v->vpn)->advice != 0)
            continue;
        v->entry.accessed = false;
        n++;
    }
    return n;
}

static void unmap_all(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    bool flushes = false;
    for (size_t i = 0; i < w->vpages.n; i++) {
        struct vpage *v = &w->vpages.at[i];
        if (v->contents != c || !v->entry.present)
            continue;
        if (v->entry.dirty)
            naive_linux_dirty(w, c);
        v->entry = (struct entry){ .present = false };
        flushes = true;
        if (w->contents.at[c].object == NONE)
            w->k->swap.slot[f->slot].maps++;
    }
    if (flushes && w->res->pages_out >= w->k->opts->kernel.whole_flushes_from) /* section 22 */
        w->k->filled += naive_linux_longest(w) + 1;
}

static enum outcome free_it(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    f->shadow = true;
    f->shadow_workingset = f->workingset;
    f->shadow_age = w->k->age++;
    if (naive_linux_cached(w, c)) {
        uint32_t slot = f->slot;
        w->k->swap.slot[slot].cached = false;
        naive_swap_released(&w->k->swap, slot);
        if (!naive_swap_in_use(&w->k->swap, slot))
            f->slot = 0;
    }
    naive_linux_free_folio(w, c);
    w->res->evictions++;
    return FREED;
}

static enum outcome activated(struct world *w, int c)
{
    if (naive_linux_cached(w, c) && naive_linux_swap_half_used(w))
        naive_linux_let_go(w, c);
    return ACTIVATED;
}

/* The rules 1 to 8 of a folio. */
static enum outcome look_at(struct world *w, int c, size_t *written)
{
    struct folio *f = FOLIO(w, c);
    bool anon = naive_linux_is_anon(w, c);
    if (f->busy) /* 1 */
        return KEPT;
    if (f->writeback) { /* 2 */
        if (is_v2(w) || !f->mark) {
            f->mark = true;
            return activated(w, c);
        }
        naive_linux_wait_for_write(w, c);
    }
    bool referenced = f->referenced; /* 3 */
    size_t references = take_references(w, c);
    f->referenced = references > 0;
    if (references > 0)
        return referenced || references > 1 || (!anon && f->exec) ? activated(w, c) : KEPT;
    if (anon && !naive_linux_cached(w, c)) { /* 4 */
        if (!naive_linux_take_slot(w, c))
            return activated(w, c);
        f->dirty = true;
    }
    unmap_all(w, c);         /* 5 */
    if (!anon && f->dirty) { /* 6 */
        f->mark = true;
        return activated(w, c);
    }
    if (f->dirty) { /* 7 */
        bool zram = w->k->opts->kernel.swap_kind == FL_SWAP_ZRAM;
        w->res->pages_out++;
        w->k->filled += w->k->opts->costs->tlb.per_page_out;
        naive_linux_tick(w, zram ? FL_COST_SWAP_OUT_SYNC : FL_COST_SWAP_OUT_DISK, 1);
        ++*written;
        f->dirty = false;
        if (!zram) {
            f->writeback = f->mark = true;
            naive_linux_begin_write(w, c);
            return KEPT;
        }
    }
    return free_it(w, c); /* 8 */
}

static size_t isolate(struct world *w, int list, size_t n, int taken[BATCH_SCAN])
{
    naive_linux_drain(w);
    naive_linux_complete_writes(w);
    if (n > w->k->list[list].n)
        n = w->k->list[list].n;
    for (size_t i = 0; i < n; i++) {
        taken[i] = w->k->list[list].at[0];
        naive_linux_off_lists(w, taken[i]);
        FOLIO(w, taken[i])->place = ISOLATED;
    }
    return n;
}

static uint64_t shrink_inactive(struct world *w, int list, size_t n)
{
    int taken[BATCH_SCAN];
    enum outcome outcome[BATCH_SCAN];
    size_t written = 0, freed = 0, dirty_files = 0;
    n = isolate(w, list, n, taken);
    if (n == 0)
        return 0;
    w->k->out->scanned += n;
    for (size_t i = 0; i < n; i++) {
        dirty_files += !naive_linux_is_anon(w, taken[i]) && FOLIO(w, taken[i])->dirty;
        outcome[i] = look_at(w, taken[i], &written);
        freed += outcome[i] == FREED;
    }
    for (size_t i = 0; i < n; i++)
        if (outcome[i] != FREED) {
            bool active = outcome[i] == ACTIVATED;
            naive_linux_to_list(w, taken[i], list + active, false);
            w->k->age += active;
            w->k->out->activated += active;
        }
    naive_linux_tick(w, FL_COST_SCAN, n);
    naive_linux_add_cost(w, type_of(list), 32 * written + (n - freed));
    if (dirty_files == n) {
        if (is_v2(w))
            w->k->flusher_due = true;
        else
            naive_linux_flusher(w);
    }
    return freed;
}

/* ---- section 9 ------------------------------------------------------------------------- */

static void shrink_active(struct world *w, int list, size_t n)
{
    int taken[BATCH_SCAN];
    uint64_t rotated = 0;
    n = isolate(w, list, n, taken);
    for (size_t i = 0; i < n; i++) {
        struct folio *f = FOLIO(w, taken[i]);
        if (take_references(w, taken[i]) > 0 && f->exec && type_of(list) == FILES) {
            rotated++;
            w->k->age++;
            naive_linux_to_list(w, taken[i], list, false);
        } else {
            f->workingset = true;
            w->k->out->deactivated++;
            naive_linux_to_list(w, taken[i], list - 1, false);
        }
    }
    naive_linux_add_cost(w, type_of(list), rotated);
}

/* ---- section 7 --------------------------------------------------------------------------- */

static bool is_low(const struct world *w, int type)
{
    uint64_t inactive = w->k->seen_size[2 * type], active = w->k->seen_size[2 * type + 1];
    uint64_t gib = (inactive + active) / GIB_PAGES, r = 1;
    while (gib && (r + 1) * (r + 1) <= 10 * gib)
        r++;
    return inactive * r < active;
}

static void scan_counts(const struct world *w, int p, uint64_t count[LISTS])
{
    const struct kernel *k = w->k;
    uint64_t swappiness = k->opts->kernel.swappiness;
    uint64_t both = k->prepared_cost[ANON] + k->prepared_cost[FILES];
    uint64_t a = both + k->prepared_cost[ANON], f = both + k->prepared_cost[FILES], s = a + f;
    uint64_t share[TYPES] = { swappiness * (s + 1) / (a + 1),
                              (200 - swappiness) * (s + 1) / (f + 1) };
    bool file_only = !naive_linux_swap_available(w) || swappiness == 0;
    bool equal = !file_only && p == 0;
    if (!file_only && !equal && k->cache_trim)
        file_only = true;
    for (int l = 0; l < LISTS; l++) {
        count[l] = k->list[l].n >> p;
        if (file_only && type_of(l) == ANON)
            count[l] = 0;
        if (!file_only && !equal)
            count[l] = count[l] * share[type_of(l)] / (share[ANON] + share[FILES]);
    }
}

/* One type stops, the other is cut. */
static void adjust(uint64_t left[LISTS], const uint64_t count[LISTS])
{
    uint64_t anon = left[IA] + left[AA], file = left[IF] + left[AF];
    int smaller = file > anon ? ANON : FILES, larger = 1 - smaller;
    uint64_t less = smaller == ANON ? anon : file;
    uint64_t percent = less * 100 / (count[2 * smaller] + count[2 * smaller + 1] + 1);
    for (int l = 2 * smaller; l < 2 * smaller + 2; l++)
        left[l] = 0;
    for (int l = 2 * larger; l < 2 * larger + 2; l++) {
        uint64_t scanned = count[l] - left[l], may = count[l] * (100 - percent) / 100;
        left[l] = may > scanned ? may - scanned : 0;
    }
}

static uint64_t shrink(struct world *w, int p, uint64_t target)
{
    struct kernel *k = w->k;
    uint64_t count[LISTS], left[LISTS], freed = 0;
    scan_counts(w, p, count);
    memcpy(left, count, sizeof left);
    while (left[IA] || left[AF] || left[IF]) {
        for (int l = IA; l <= AF; l++) {
            uint64_t n = left[l] < BATCH_SCAN ? left[l] : BATCH_SCAN;
            left[l] -= n;
            if (!n)
                continue;
            if (l == IA || l == IF)
                freed += shrink_inactive(w, l, n);
            else if (k->may_shrink[type_of(l)])
                shrink_active(w, l, n);
            else
                k->refused = true;
        }
        if (freed < target)
            continue;
        if (left[IA] + left[AA] == 0 || left[IF] + left[AF] == 0)
            break;
        adjust(left, count);
    }
    if (!k->reading_ahead)
        naive_linux_submit_writes(w);
    if (k->opts->swap_pages > 0 && is_low(w, ANON))
        shrink_active(w, AA, BATCH_SCAN);
    if (k->flusher_due)
        naive_linux_flusher(w);
    k->flusher_due = false;
    return freed;
}

/* ---- section 6 ----------------------------------------------------------------------------- */

static void prepare(struct world *w, int p)
{
    struct kernel *k = w->k;
    for (int t = 0; t < TYPES; t++)
        k->may_shrink[t] = k->force || k->seen_activations[t] != k->remembered[t] || is_low(w, t);
    k->cache_trim = k->seen_size[IF] >> p && !k->may_shrink[FILES];
    memcpy(k->prepared_cost, k->cost, sizeof k->cost);
}

uint64_t naive_linux_reclaim(struct world *w, uint64_t target)
{
    struct kernel *k = w->k;
    uint64_t freed = 0;
    k->out->reclaims++;
    k->force = k->refused = false;
    for (int attempt = 1; attempt <= 3; attempt++) {
        for (int p = 12; p >= 0 && freed < target; p--) {
            prepare(w, p);
            freed += shrink(w, p, target);
        }
        memcpy(k->remembered, k->seen_activations, sizeof k->remembered);
        if (freed || (attempt == 2 && !k->refused))
            break;
        if (attempt == 2) {
            k->force = true;
            k->refused = false;
        }
    }
    return freed;
}
