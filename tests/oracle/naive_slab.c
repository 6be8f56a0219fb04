/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "naive_slab.h"

#include <string.h>

void naive_slab_init(struct naive_slab_world *w, const struct slab_layout *l)
{
    memset(w, 0, sizeof *w);
    w->l = *l;
    for (int i = 0; i < NAIVE_CPUS; i++)
        w->current[i] = NAIVE_NONE;
}

static void push_head(struct naive_slab_list *list, uint32_t id)
{
    memmove(list->at + 1, list->at, list->n * sizeof list->at[0]);
    list->at[0] = id;
    list->n++;
}

static void push_tail(struct naive_slab_list *list, uint32_t id)
{
    list->at[list->n++] = id;
}

static uint32_t pop_head(struct naive_slab_list *list)
{
    uint32_t id = list->at[0];
    list->n--;
    memmove(list->at, list->at + 1, list->n * sizeof list->at[0]);
    return id;
}

static bool on_list(const struct naive_slab_list *list, uint32_t id)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->at[i] == id)
            return true;
    return false;
}

static void take_off(struct naive_slab_list *list, uint32_t id)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->at[i] == id) {
            list->n--;
            memmove(list->at + i, list->at + i + 1, (list->n - i) * sizeof list->at[0]);
            return;
        }
}

/* ---- slabs ------------------------------------------------------------------------------ */

static bool on_a_cpu_list(const struct naive_slab_world *w, uint32_t id)
{
    for (int i = 0; i < NAIVE_CPUS; i++)
        if (on_list(&w->cpu[i], id))
            return true;
    return false;
}

static void keep_or_give_back(struct naive_slab_world *w, uint32_t id)
{
    if (w->slab[id].used == 0 && w->node.n >= w->l.min_partial)
        w->slab[id].gone = true;
    else
        push_tail(&w->node, id);
}

static void drain(struct naive_slab_world *w, uint32_t cpu)
{
    while (w->cpu[cpu].n)
        keep_or_give_back(w, pop_head(&w->cpu[cpu]));
}

static uint32_t another(struct naive_slab_world *w, uint32_t cpu)
{
    if (w->cpu[cpu].n)
        return pop_head(&w->cpu[cpu]);
    if (w->node.n) {
        uint32_t id = pop_head(&w->node);
        for (uint32_t more = w->l.cpu_partial_slabs / 2 + 1; more && w->node.n; more--)
            push_head(&w->cpu[cpu], pop_head(&w->node));
        return id;
    }
    w->slab[w->n_slabs].objects = w->l.objects;
    w->slab[w->n_slabs].owner = NAIVE_NONE;
    return w->n_slabs++;
}

static uint32_t from_slab(struct naive_slab_world *w, uint32_t cpu)
{
    uint32_t id = w->current[cpu];
    if (id != NAIVE_NONE && w->slab[id].used == w->slab[id].objects) {
        w->slab[id].owner = NAIVE_NONE;
        id = NAIVE_NONE;
    }
    if (id == NAIVE_NONE) {
        id = another(w, cpu);
        w->slab[id].owner = cpu;
    }
    if (w->slab[id].on_cpu_list == 0) /* all that is free becomes the CPU's */
        w->slab[id].on_cpu_list = w->slab[id].objects - w->slab[id].used;
    w->current[cpu] = id;
    w->slab[id].on_cpu_list--;
    w->slab[id].used++;
    return id;
}

static void to_slab(struct naive_slab_world *w, uint32_t cpu, uint32_t id)
{
    bool was_full = w->slab[id].used == w->slab[id].objects;
    w->slab[id].used--;
    if (w->slab[id].owner != NAIVE_NONE) {
        w->slab[id].on_cpu_list += w->slab[id].owner == cpu;
        return;
    }
    if (was_full) {
        if (w->cpu[cpu].n >= w->l.cpu_partial_slabs)
            drain(w, cpu);
        push_head(&w->cpu[cpu], id);
    } else if (w->slab[id].used == 0 && !on_a_cpu_list(w, id) && w->node.n >= w->l.min_partial) {
        take_off(&w->node, id);
        w->slab[id].gone = true;
    }
}

/* ---- sheaves ---------------------------------------------------------------------------- */

static void swap(struct naive_sheaf *a, struct naive_sheaf *b)
{
    struct naive_sheaf c = *a;
    *a = *b;
    *b = c;
}

/* All go to their slabs: the last one, those like it until three others lie between, and so on. */
static void empty(struct naive_slab_world *w, uint32_t cpu, struct naive_sheaf *sheaf)
{
    while (sheaf->n) {
        uint32_t slab = sheaf->at[sheaf->n - 1], others = 0;
        for (int i = (int)sheaf->n - 1; i >= 0 && others < 3; i--)
            if (sheaf->at[i] != slab) {
                others++;
            } else {
                sheaf->at[i] = sheaf->at[sheaf->n - 1];
                sheaf->n--;
                to_slab(w, cpu, slab);
            }
    }
}

static void fill(struct naive_slab_world *w, uint32_t cpu, struct naive_sheaf *f)
{
    while (f->n < SLAB_SHEAF_OBJECTS)
        f->at[f->n++] = from_slab(w, cpu);
}

/* An empty sheaf, the barn's or a new one. */
static void an_empty(struct naive_slab_world *w)
{
    w->n_empty -= w->n_empty > 0;
}

uint32_t naive_slab_alloc(struct naive_slab_world *w, uint32_t cpu)
{
    struct naive_sheaf *main = &w->main[cpu], *spare = &w->spare[cpu];
    if (!(w->l.flags & SLAB_SHEAVES))
        return from_slab(w, cpu);
    if (w->has_lent[cpu])
        return w->lent[cpu].at[--w->lent[cpu].n];
    if (!main->n && spare->n) {
        swap(main, spare);
    } else if (!main->n && w->n_full) {
        *main = w->full[--w->n_full];
        w->n_empty++;
    } else if (!main->n) {
        if (!w->has_spare[cpu])
            an_empty(w);
        w->has_spare[cpu] = true;
        fill(w, cpu, main);
    }
    return main->at[--main->n];
}

void naive_slab_free(struct naive_slab_world *w, uint32_t cpu, uint32_t slab)
{
    struct naive_sheaf *main = &w->main[cpu], *spare = &w->spare[cpu];
    if (!(w->l.flags & SLAB_SHEAVES)) {
        to_slab(w, cpu, slab);
        return;
    }
    if (main->n == SLAB_SHEAF_OBJECTS && !w->has_spare[cpu]) {
        an_empty(w);
        w->has_spare[cpu] = true;
    }
    if (main->n == SLAB_SHEAF_OBJECTS && spare->n < SLAB_SHEAF_OBJECTS) {
        swap(main, spare);
    } else if (main->n == SLAB_SHEAF_OBJECTS && w->n_full < 10) {
        an_empty(w);
        w->full[w->n_full++] = *main;
        main->n = 0;
    } else if (main->n == SLAB_SHEAF_OBJECTS) {
        empty(w, cpu, spare);
        swap(main, spare);
    }
    main->at[main->n++] = slab;
}

void naive_slab_lend(struct naive_slab_world *w, uint32_t cpu)
{
    struct naive_sheaf *lent = &w->lent[cpu];
    if (w->has_lent[cpu] && lent->n)
        return;
    if (!w->has_lent[cpu]) {
        lent->n = 0;
        if (w->has_spare[cpu])
            *lent = w->spare[cpu];
        else if (w->n_full)
            *lent = w->full[--w->n_full];
        else
            an_empty(w);
        w->spare[cpu].n = 0;
        w->has_spare[cpu] = false;
    }
    w->has_lent[cpu] = true;
    fill(w, cpu, lent);
}

void naive_slab_return(struct naive_slab_world *w, uint32_t cpu)
{
    struct naive_sheaf *lent = &w->lent[cpu];
    if (!w->has_lent[cpu])
        return;
    if (!w->has_spare[cpu]) {
        w->spare[cpu] = *lent;
        w->has_spare[cpu] = true;
    } else if (w->n_full == 10) {
        empty(w, cpu, lent);
    } else {
        fill(w, cpu, lent);
        w->full[w->n_full++] = *lent;
    }
    w->has_lent[cpu] = false;
}

void naive_slab_free_bulk(struct naive_slab_world *w, uint32_t cpu, uint32_t slab)
{
    struct naive_sheaf *main = &w->main[cpu], *spare = &w->spare[cpu];
    if (main->n == SLAB_SHEAF_OBJECTS && !w->has_spare[cpu] && w->n_empty) {
        w->n_empty--;
        w->has_spare[cpu] = true;
    }
    if (main->n == SLAB_SHEAF_OBJECTS && w->has_spare[cpu]) {
        if (spare->n < SLAB_SHEAF_OBJECTS) {
            swap(main, spare);
        } else if (w->n_full < 10 && w->n_empty) {
            w->n_empty--;
            w->full[w->n_full++] = *main;
            main->n = 0;
        }
    }
    if (main->n < SLAB_SHEAF_OBJECTS)
        main->at[main->n++] = slab;
    else
        to_slab(w, cpu, slab);
}

void naive_slab_free_rcu(struct naive_slab_world *w, uint32_t cpu, uint32_t slab, uint64_t now_ns)
{
    struct naive_sheaf *rcu = &w->rcu[cpu];
    if (!w->has_rcu[cpu]) {
        rcu->n = 0;
        if (w->has_spare[cpu] && !w->spare[cpu].n)
            w->has_spare[cpu] = false;
        else
            an_empty(w);
    }
    w->has_rcu[cpu] = true;
    rcu->at[rcu->n++] = slab;
    if (rcu->n < SLAB_SHEAF_OBJECTS)
        return;
    w->flying[w->n_flying].sheaf = *rcu;
    w->flying[w->n_flying].since_ns = now_ns;
    w->flying[w->n_flying++].cpu = cpu;
    w->has_rcu[cpu] = false;
}

void naive_slab_rcu_run(struct naive_slab_world *w, uint64_t now_ns)
{
    while (w->n_flying && now_ns >= w->flying[0].since_ns + 15000000) {
        if (w->n_full < 10) {
            w->full[w->n_full++] = w->flying[0].sheaf;
        } else {
            empty(w, w->flying[0].cpu, &w->flying[0].sheaf);
            w->n_empty += w->n_empty < 10;
        }
        for (uint32_t i = 1; i < w->n_flying; i++)
            w->flying[i - 1] = w->flying[i];
        w->n_flying--;
    }
}

void naive_slab_flush(struct naive_slab_world *w, uint32_t cpu)
{
    empty(w, cpu, &w->spare[cpu]);
    empty(w, cpu, &w->main[cpu]);
    uint32_t id = w->current[cpu];
    if (id != NAIVE_NONE) {
        uint32_t free = w->slab[id].objects - w->slab[id].used;
        bool others_freed = free > w->slab[id].on_cpu_list;
        w->slab[id].on_cpu_list = 0;
        w->slab[id].owner = w->current[cpu] = NAIVE_NONE;
        if (w->slab[id].used == 0 && w->node.n >= w->l.min_partial)
            w->slab[id].gone = true;
        else if (free && others_freed)
            push_tail(&w->node, id);
        else if (free)
            push_head(&w->node, id);
    }
    drain(w, cpu);
}

/* One object after the other leaves its sheaf; what has no object in use goes, what has one free is on the node's list. */
void naive_slab_shrink(struct naive_slab_world *w, uint32_t cpus)
{
    struct naive_sheaf *all[5 * NAIVE_CPUS + 10 + NAIVE_FLYING];
    uint32_t n = 0;
    for (uint32_t i = 0; i < cpus; i++) {
        all[n++] = &w->main[i];
        if (w->has_spare[i])
            all[n++] = &w->spare[i];
        if (w->has_lent[i])
            all[n++] = &w->lent[i];
        if (w->has_rcu[i])
            all[n++] = &w->rcu[i];
        w->has_lent[i] = w->has_rcu[i] = false;
        w->current[i] = NAIVE_NONE;
        w->cpu[i].n = 0;
    }
    for (uint32_t i = 0; i < w->n_full; i++)
        all[n++] = &w->full[i];
    for (uint32_t i = 0; i < w->n_flying; i++)
        all[n++] = &w->flying[i].sheaf;
    while (n--)
        while (all[n]->n)
            w->slab[all[n]->at[--all[n]->n]].used--;
    w->n_full = w->n_flying = w->node.n = 0;
    for (uint32_t id = 0; id < w->n_slabs; id++) {
        w->slab[id].owner = NAIVE_NONE;
        w->slab[id].on_cpu_list = 0;
        w->slab[id].gone |= w->slab[id].used == 0;
        if (!w->slab[id].gone && w->slab[id].used < w->slab[id].objects)
            push_tail(&w->node, id);
    }
}
