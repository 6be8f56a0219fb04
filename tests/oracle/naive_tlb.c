/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model.md, section 4. */
#include <stdlib.h>

#include "naive_world.h"

void naive_tlb_init(struct world *w)
{
    const struct fl_machine *m = w->opts->machine;
    if (w->opts->no_tlb)
        return;
    w->res->n_tlb = m->n_tlb;
    for (size_t i = 0; i < m->n_tlb; i++) {
        w->res->tlb[i].name = m->tlb[i].name;
        w->tlb[i] = calloc(m->tlb[i].entries, sizeof *w->tlb[i]);
        if (!w->tlb[i])
            abort();
    }
}

/* The set of @vpn is the entries whose number is vpn mod sets, modulo the sets. */
static bool in_set(const struct fl_tlb_level *level, size_t entry, uint64_t vpn)
{
    uint32_t sets = level->entries / level->ways;
    return entry % sets == vpn % sets;
}

static bool look_up(struct world *w, size_t i, uint32_t mm, uint64_t vpn)
{
    for (size_t e = 0; e < w->opts->machine->tlb[i].entries; e++) {
        struct tlb_entry *t = &w->tlb[i][e];
        if (t->valid && t->mm == mm && t->vpn == vpn) {
            t->used_at = ++w->clock;
            return true;
        }
    }
    return false;
}

static void fill(struct world *w, size_t i, uint32_t mm, uint64_t vpn)
{
    const struct fl_tlb_level *level = &w->opts->machine->tlb[i];
    struct tlb_entry *best = NULL;
    for (size_t e = 0; e < level->entries; e++) {
        struct tlb_entry *t = &w->tlb[i][e];
        if (!in_set(level, e, vpn))
            continue;
        if (!best || (best->valid && (!t->valid || t->used_at < best->used_at)))
            best = t;
    }
    *best = (struct tlb_entry){ .valid = true, .mm = mm, .vpn = vpn, .used_at = ++w->clock };
}

static void translate(struct world *w, enum fl_tlb_role role, uint32_t mm, uint64_t vpn, uint64_t k)
{
    const struct fl_machine *m = w->opts->machine;
    bool missed[FL_TLB_LEVELS_MAX] = { false }, hit = false;
    uint64_t lookups = k;
    for (size_t i = 0; i < m->n_tlb && !hit; i++) {
        if (m->tlb[i].role != role && m->tlb[i].role != FL_TLB_UNIFIED)
            continue;
        hit = look_up(w, i, mm, vpn);
        missed[i] = !hit;
        w->res->tlb[i].lookups += lookups;
        w->res->tlb[i].misses += !hit;
        w->res->tlb[i].hits += lookups - !hit;
        lookups = 1; /* the levels below see the miss alone */
    }
    if (!hit) {
        w->res->walks++;
        w->res->walk_refs += m->levels;
    }
    for (size_t i = 0; i < m->n_tlb; i++)
        if (missed[i])
            fill(w, i, mm, vpn);
}

static void drop_space(struct world *w, uint32_t mm)
{
    for (size_t i = 0; i < w->opts->machine->n_tlb && w->tlb[i]; i++)
        for (size_t e = 0; e < w->opts->machine->tlb[i].entries; e++)
            if (w->tlb[i][e].mm == mm)
                w->tlb[i][e].valid = false;
}

static void hold_asid(struct world *w, uint32_t mm)
{
    for (size_t i = 0; i < w->asids.n; i++)
        if (w->asids.at[i].mm == mm)
            return;
    if (w->asids.n == w->opts->machine->asids) {
        drop_space(w, w->asids.at[0].mm);
        w->res->tlb_flushes++;
        LIST_DROP(&w->asids, 0);
    }
    LIST_ADD(&w->asids, (struct asid){ .mm = mm });
}

void naive_tlb_run(struct world *w, const struct naive_item *run)
{
    hold_asid(w, run->mm);
    if (run->fetches)
        translate(w, FL_TLB_FETCH, run->mm, run->vpn, run->fetches);
    if (run->reads || run->writes)
        translate(w, FL_TLB_DATA, run->mm, run->vpn, (uint64_t)run->reads + run->writes);
}

void naive_tlb_drop(struct world *w, uint32_t mm, uint64_t vpn)
{
    for (size_t i = 0; i < w->opts->machine->n_tlb && w->tlb[i]; i++)
        for (size_t e = 0; e < w->opts->machine->tlb[i].entries; e++)
            if (w->tlb[i][e].mm == mm && w->tlb[i][e].vpn == vpn)
                w->tlb[i][e].valid = false;
}

void naive_tlb_space_end(struct world *w, uint32_t mm)
{
    drop_space(w, mm);
    for (size_t i = 0; i < w->asids.n; i++)
        if (w->asids.at[i].mm == mm) {
            LIST_DROP(&w->asids, i);
            return;
        }
}
