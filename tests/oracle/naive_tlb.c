/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model.md, section 4. */
#include <stdlib.h>

#include "naive_world.h"

#define KERNEL_SPACE (UINT32_MAX - 1)

enum side { FETCHES, READS, WRITES };

static struct tlb_entry *entries_new(uint32_t n)
{
    struct tlb_entry *e = calloc(n, sizeof *e);
    if (!e)
        abort();
    return e;
}

void naive_tlb_init(struct world *w)
{
    const struct fl_machine *m = w->opts->machine;
    w->running_space = FL_NO_MM;
    if (w->opts->no_tlb)
        return;
    w->res->n_tlb = m->n_tlb;
    for (size_t i = 0; i < m->n_tlb; i++) {
        w->res->tlb[i].name = m->tlb[i].name;
        w->tlb[i] = entries_new(m->tlb[i].entries);
    }
    w->res->n_walk = m->n_walk;
    for (size_t i = 0; i < m->n_walk; i++) {
        w->res->walk[i].name = fl_walk_cache_name(m->walk[i].level);
        w->walk[i] = entries_new(m->walk[i].entries);
    }
}

void naive_tlb_free(struct world *w)
{
    for (size_t i = 0; i < FL_TLB_LEVELS_MAX; i++)
        free(w->tlb[i]);
    for (size_t i = 0; i < FL_WALK_CACHES_MAX; i++)
        free(w->walk[i]);
    free(w->asids.at);
    free(w->taken.at);
}

/* ---- one set-associative array, whatever it holds ---------------------------------- */

static bool look_up(struct world *w, struct tlb_entry *at, uint32_t entries,
                    const struct tlb_entry *what)
{
    for (size_t e = 0; e < entries; e++)
        if (at[e].valid && at[e].mm == what->mm && at[e].size == what->size &&
            at[e].number == what->number) {
            at[e].used_at = ++w->clock;
            return true;
        }
    return false;
}

/* The set of a number is the entries whose index is the number, modulo the sets. */
static void fill(struct world *w, struct tlb_entry *at, uint32_t entries, uint32_t ways,
                 const struct tlb_entry *what)
{
    uint32_t sets = entries / ways;
    struct tlb_entry *best = NULL;
    for (size_t e = 0; e < entries; e++) {
        if (e % sets != what->number % sets)
            continue;
        if (!best || (best->valid && (!at[e].valid || at[e].used_at < best->used_at)))
            best = &at[e];
    }
    *best = *what;
    best->valid = true;
    best->used_at = ++w->clock;
}

/* ---- look-ups ------------------------------------------------------------------------ */

static bool uses(const struct fl_tlb_level *level, enum side side, enum fl_page_size size)
{
    if (!fl_tlb_holds(level, size))
        return false;
    switch (level->role) {
    case FL_TLB_FETCH: return side == FETCHES;
    case FL_TLB_DATA: return side != FETCHES;
    case FL_TLB_LOAD: return side == READS;
    case FL_TLB_STORE: return side == WRITES;
    default: return true;
    }
}

static enum fl_page_size held_as(const struct fl_machine *m, enum side side, enum fl_page_size size)
{
    for (;; size--)
        for (size_t i = 0; i < m->n_tlb; i++)
            if (uses(&m->tlb[i], side, size))
                return size;
}

static void walk(struct world *w, uint32_t mm, uint64_t vpn, enum fl_page_size size)
{
    const struct fl_machine *m = w->opts->machine;
    uint32_t s = (uint32_t)size + 1;
    w->res->walks++;
    for (size_t i = 0; i < m->n_walk; i++) {
        uint32_t j = m->walk[i].level;
        if (j <= s)
            continue;
        struct tlb_entry what = { .mm = mm, .number = vpn >> (9 * (j - 1)) };
        w->res->walk[i].lookups++;
        if (look_up(w, w->walk[i], m->walk[i].entries, &what)) {
            w->res->walk[i].hits++;
            w->res->walk_refs += j - s;
            return;
        }
        w->res->walk[i].misses++;
        fill(w, w->walk[i], m->walk[i].entries, m->walk[i].ways, &what);
    }
    w->res->walk_refs += m->levels - s + 1;
}

static void translate(struct world *w, enum side side, uint32_t mm, uint64_t vpn,
                      enum fl_page_size size, uint64_t k)
{
    const struct fl_machine *m = w->opts->machine;
    enum fl_page_size held = held_as(m, side, size);
    struct tlb_entry what = { .mm = mm, .size = held, .number = vpn >> (9 * held) };
    bool missed[FL_TLB_LEVELS_MAX] = { false }, hit = false;
    uint64_t lookups = k;
    if (!k)
        return;
    for (size_t i = 0; i < m->n_tlb && !hit; i++) {
        if (!uses(&m->tlb[i], side, held))
            continue;
        hit = look_up(w, w->tlb[i], m->tlb[i].entries, &what);
        missed[i] = !hit;
        w->res->tlb[i].lookups += lookups;
        w->res->tlb[i].misses += !hit;
        w->res->tlb[i].hits += lookups - !hit;
        lookups = 1; /* the levels below see the miss alone */
    }
    if (!hit)
        walk(w, mm, vpn, size);
    for (size_t i = 0; i < m->n_tlb; i++)
        if (missed[i])
            fill(w, w->tlb[i], m->tlb[i].entries, m->tlb[i].ways, &what);
}

void naive_tlb_run(struct world *w, const struct naive_item *run, enum fl_page_size size)
{
    const struct fl_machine *m = w->opts->machine;
    bool alike = held_as(m, READS, size) == held_as(m, WRITES, size);
    for (size_t i = 0; i < m->n_tlb; i++)
        alike = alike && uses(&m->tlb[i], READS, held_as(m, READS, size)) ==
                             uses(&m->tlb[i], WRITES, held_as(m, READS, size));
    translate(w, FETCHES, run->mm, run->vpn, size, run->fetches);
    if (alike) {
        translate(w, READS, run->mm, run->vpn, size, (uint64_t)run->reads + run->writes);
    } else {
        translate(w, READS, run->mm, run->vpn, size, run->reads);
        translate(w, WRITES, run->mm, run->vpn, size, run->writes);
    }
}

/* ---- flushes --------------------------------------------------------------------------- */

static void drop_space(struct world *w, uint32_t mm)
{
    const struct fl_machine *m = w->opts->machine;
    for (size_t i = 0; i < m->n_tlb; i++)
        for (size_t e = 0; e < m->tlb[i].entries; e++)
            if (w->tlb[i][e].mm == mm)
                w->tlb[i][e].valid = false;
    for (size_t i = 0; i < m->n_walk; i++)
        for (size_t e = 0; e < m->walk[i].entries; e++)
            if (w->walk[i][e].mm == mm)
                w->walk[i][e].valid = false;
}

static void drop_page(struct world *w, uint32_t mm, uint64_t vpn, enum fl_page_size size)
{
    const struct fl_machine *m = w->opts->machine;
    for (size_t i = 0; i < m->n_tlb; i++)
        for (size_t e = 0; e < m->tlb[i].entries; e++) {
            struct tlb_entry *t = &w->tlb[i][e];
            enum fl_page_size larger = t->size > size ? t->size : size;
            if (t->mm == mm && t->number << (9 * t->size) >> (9 * larger) == vpn >> (9 * larger))
                t->valid = false;
        }
    for (size_t i = 0; i < m->n_walk; i++)
        for (size_t e = 0; e < m->walk[i].entries; e++) {
            struct tlb_entry *t = &w->walk[i][e];
            bool on_the_way = t->number == vpn >> (9 * (m->walk[i].level - 1));
            if (t->mm == mm && (!m->walk_flush_page || on_the_way))
                t->valid = false;
        }
}

static void flush(struct world *w, uint32_t mm, enum fl_flush_kind kind)
{
    drop_space(w, mm);
    w->res->tlb_flushes++;
    w->res->tlb_flushes_by[kind]++;
}

static struct asid *asid_of(struct world *w, uint32_t mm)
{
    for (size_t i = 0; i < w->asids.n; i++)
        if (w->asids.at[i].mm == mm && !w->asids.at[i].gone)
            return &w->asids.at[i];
    return NULL;
}

void naive_tlb_enter(struct world *w, uint32_t mm)
{
    const struct fl_machine *m = w->opts->machine;
    if (w->opts->no_tlb || w->running_space == mm)
        return;
    w->running_space = mm;
    struct asid *have = asid_of(w, mm), mine = { .mm = mm };
    if (have) {
        if (have->stale)
            flush(w, mm, FL_FLUSH_STALE);
        have->stale = false;
        return;
    }
    for (size_t i = 0; i < w->asids.n; i++)
        if (w->asids.at[i].mm == mm) { /* its number was used before */
            drop_space(w, mm);
            w->asids.at[i].mm = FL_NO_MM;
        }
    if (w->asids.n < m->asids) {
        LIST_ADD(&w->asids, mine);
        if (!m->broadcast) {
            w->res->tlb_flushes++;
            w->res->tlb_flushes_by[FL_FLUSH_SWITCH]++;
        }
        return;
    }
    flush(w, w->asids.at[w->next_asid].mm, FL_FLUSH_SWITCH);
    w->asids.at[w->next_asid] = mine;
    w->next_asid = (w->next_asid + 1) % m->asids;
}

void naive_tlb_page(struct world *w, uint32_t mm, uint64_t vpn, enum fl_page_size size)
{
    if (w->opts->no_tlb)
        return;
    if (w->running_space == mm || w->opts->machine->broadcast) {
        drop_page(w, mm, vpn, size);
        w->res->tlb_page_flushes++;
    } else if (asid_of(w, mm)) {
        asid_of(w, mm)->stale = true;
    }
}

void naive_tlb_take(struct world *w, uint64_t vpn, enum fl_page_size size)
{
    LIST_ADD(&w->taken, (struct taken){ .vpn = vpn, .size = size });
}

void naive_tlb_taken(struct world *w, uint32_t mm)
{
    uint32_t limit = w->opts->machine->flush_pages;
    enum fl_page_size smallest = FL_PAGE_1G;
    uint64_t low = UINT64_MAX, high = 0;
    for (size_t i = 0; i < w->taken.n; i++) {
        const struct taken *t = &w->taken.at[i];
        uint64_t first = t->vpn >> (9 * t->size) << (9 * t->size);
        uint64_t last = first + (UINT64_C(1) << (9 * t->size)) - 1;
        low = first < low ? first : low;
        high = last > high ? last : high;
        smallest = t->size < smallest ? t->size : smallest;
    }
    if (w->taken.n && !w->opts->no_tlb) {
        uint64_t n = (high - low + 1) >> (9 * smallest);
        naive_tlb_enter(w, mm);
        if (n > (limit ? limit : 33))
            flush(w, mm, FL_FLUSH_RANGE);
        else
            w->res->tlb_page_flushes += n;
        for (size_t i = 0; i < w->taken.n; i++)
            drop_page(w, mm, w->taken.at[i].vpn, w->taken.at[i].size);
    }
    w->taken.n = 0;
}

void naive_tlb_fork(struct world *w, uint32_t mm)
{
    if (w->opts->no_tlb)
        return;
    naive_tlb_enter(w, mm);
    flush(w, mm, FL_FLUSH_FORK);
}

void naive_tlb_space_end(struct world *w, uint32_t mm)
{
    struct asid *have = asid_of(w, mm);
    bool broadcast = w->opts->machine->broadcast;
    w->taken.n = 0;
    if (have && broadcast)
        flush(w, mm, FL_FLUSH_EXIT);
    if (have)
        have->gone = true;
    if (w->running_space != mm)
        return;
    w->running_space = FL_NO_MM;
    if (!w->in_exec && !broadcast)
        naive_tlb_enter(w, KERNEL_SPACE);
}
