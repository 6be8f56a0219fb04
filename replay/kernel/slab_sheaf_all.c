/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All sheaves of a cache: counted, emptied, and rid of a slab that goes. */
#include <stdlib.h>

#include "slab_priv.h"

static void forget_in(struct slab_sheaf *f, uint32_t id)
{
    for (uint32_t i = 0; f && i < f->n; i++)
        if (f->slab[i] == id)
            f->slab[i] = SLAB_NONE;
}

void slab_sheaf_forget(struct slab_sys *s, struct slab_cache *c, uint32_t id)
{
    for (uint32_t i = 0; i < s->cpus; i++) {
        forget_in(c->cpu[i].main, id);
        forget_in(c->cpu[i].spare, id);
        forget_in(c->cpu[i].lent, id);
        forget_in(c->cpu[i].rcu, id);
    }
    for (uint32_t i = 0; i < c->n_full; i++)
        forget_in(c->full[i], id);
    for (uint32_t i = 0; i < c->n_flying; i++)
        forget_in(c->flying[i].sheaf, id);
}

void slab_sheaf_flush(struct slab_sys *s, struct slab_cache *c, uint32_t cpu)
{
    struct slab_cpu *pc = &c->cpu[cpu];
    if (pc->spare)
        slab_sheaf_empty(s, c, cpu, pc->spare);
    if (pc->main)
        slab_sheaf_empty(s, c, cpu, pc->main);
}

static void empty_and_free(struct slab_sys *s, struct slab_cache *c, uint32_t cpu,
                           struct slab_sheaf **f)
{
    if (*f)
        slab_sheaf_empty(s, c, cpu, *f);
    free(*f);
    *f = NULL;
}

void slab_sheaf_give_up(struct slab_sys *s, struct slab_cache *c)
{
    for (uint32_t i = 0; i < s->cpus; i++) {
        struct slab_cpu *pc = &c->cpu[i];
        slab_sheaf_flush(s, c, i);
        empty_and_free(s, c, i, &pc->lent);
        empty_and_free(s, c, i, &pc->rcu);
        pc->past_sheaves = false;
    }
    while (c->n_full)
        empty_and_free(s, c, 0, &c->full[--c->n_full]);
    for (uint32_t i = 0; i < c->n_flying; i++)
        empty_and_free(s, c, c->flying[i].cpu, &c->flying[i].sheaf);
    c->n_flying = 0;
}

static uint32_t objects_in(const struct slab_sheaf *f)
{
    return f ? f->n : 0;
}

uint64_t slab_sheaf_objects(const struct slab_sys *s, const struct slab_cache *c)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < s->cpus; i++)
        n += objects_in(c->cpu[i].main) + objects_in(c->cpu[i].spare) + objects_in(c->cpu[i].lent) +
             objects_in(c->cpu[i].rcu);
    for (uint32_t i = 0; i < c->n_flying; i++)
        n += objects_in(c->flying[i].sheaf);
    for (uint32_t i = 0; i < c->n_full; i++)
        n += objects_in(c->full[i]);
    return n;
}

void slab_sheaf_fini(struct slab_sys *s, struct slab_cache *c)
{
    for (uint32_t i = 0; i < s->cpus; i++) {
        free(c->cpu[i].main);
        free(c->cpu[i].spare);
        free(c->cpu[i].lent);
        free(c->cpu[i].rcu);
    }
    for (uint32_t i = 0; i < c->n_full; i++)
        free(c->full[i]);
    for (uint32_t i = 0; i < c->n_flying; i++)
        free(c->flying[i].sheaf);
    free(c->flying);
    for (uint32_t i = 0; i < c->n_empty; i++)
        free(c->empty[i]);
    free(c->empty);
}
