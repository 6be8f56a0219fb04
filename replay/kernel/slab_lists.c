/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slabs on their lists: a CPU's partial ones, the node's, and none. */
#include <faultline/units.h>

#include "grow.h"
#include "slab_priv.h"

void slab_list_add(struct slab_sys *s, struct slab_list *list, uint32_t id, bool head)
{
    struct slab *x = &s->slabs[id];
    x->prev = head ? SLAB_NONE : list->tail;
    x->next = head ? list->head : SLAB_NONE;
    *(x->prev == SLAB_NONE ? &list->head : &s->slabs[x->prev].next) = id;
    *(x->next == SLAB_NONE ? &list->tail : &s->slabs[x->next].prev) = id;
    list->n++;
}

void slab_list_remove(struct slab_sys *s, struct slab_list *list, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    *(x->prev == SLAB_NONE ? &list->head : &s->slabs[x->prev].next) = x->next;
    *(x->next == SLAB_NONE ? &list->tail : &s->slabs[x->next].prev) = x->prev;
    list->n--;
}

int slab_id_new(struct slab_sys *s, uint32_t cache, uint32_t *id, struct fl_err *err)
{
    if (s->gone != SLAB_NONE) {
        *id = s->gone;
        s->gone = s->slabs[s->gone].next;
    } else {
        if (s->n_slabs == s->slabs_room) {
            uint32_t room = grow_room(s->slabs_room);
            if (!room || !grow(&s->slabs, room))
                return fl_nomem(err, "slabs");
            s->slabs_room = room;
        }
        *id = s->n_slabs++;
    }
    struct slab_cache *c = &s->caches[cache];
    s->slabs[*id] = (struct slab){
        .cache = cache, .objects = c->layout.objects, .order = c->layout.order, .place = SLAB_FULL
    };
    if (++c->slabs > c->peak_slabs)
        c->peak_slabs = c->slabs;
    return FL_OK;
}

void slab_discard(struct slab_sys *s, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    s->caches[x->cache].slabs--;
    if (s->caches[x->cache].layout.flags & SLAB_SHEAVES)
        slab_sheaf_forget(s, &s->caches[x->cache], id);
    x->place = SLAB_GONE;
    x->next = s->gone;
    s->gone = id;
    s->pages.free(s->pages.arg, x->cache, x->order, x->pages);
}

void slab_to_node(struct slab_sys *s, uint32_t id, bool head)
{
    s->slabs[id].place = SLAB_NODE_PARTIAL;
    slab_list_add(s, &s->caches[s->slabs[id].cache].node, id, head);
}

static bool node_has_enough(const struct slab_cache *c)
{
    return c->node.n + c->unseen_partial >= c->layout.min_partial;
}

/* All of a CPU's partial slabs go to the end of the node's list, the last one put there first. */
void slab_drain_cpu_partial(struct slab_sys *s, struct slab_cache *c, uint32_t cpu)
{
    struct slab_list *list = &c->cpu[cpu].partial;
    uint32_t id, discard = SLAB_NONE;
    while ((id = list->head) != SLAB_NONE) {
        struct slab *x = &s->slabs[id];
        slab_list_remove(s, list, id);
        if (x->free == x->objects && node_has_enough(c)) {
            x->next = discard;
            discard = id;
        } else {
            slab_to_node(s, id, false);
        }
    }
    while ((id = discard) != SLAB_NONE) {
        discard = s->slabs[id].next;
        slab_discard(s, id);
    }
}

void slab_put_cpu_partial(struct slab_sys *s, uint32_t cpu, uint32_t id, bool drain)
{
    struct slab *x = &s->slabs[id];
    struct slab_cache *c = &s->caches[x->cache];
    struct slab_list *list = &c->cpu[cpu].partial;
    if (drain && list->n >= c->layout.cpu_partial_slabs)
        slab_drain_cpu_partial(s, c, cpu);
    x->place = SLAB_CPU_PARTIAL;
    x->cpu = cpu;
    slab_list_add(s, list, id, true);
}

/* After one slab was taken from the node for use: some more, to come here less often. */
void slab_refill_cpu_partial(struct slab_sys *s, struct slab_cache *c, uint32_t cpu)
{
    uint32_t limit = c->layout.cpu_partial_slabs, taken = 0;
    if (!limit)
        return;
    while (c->node.head != SLAB_NONE && taken <= limit / 2) {
        uint32_t id = c->node.head;
        slab_list_remove(s, &c->node, id);
        slab_put_cpu_partial(s, cpu, id, false);
        taken++;
    }
}

void slab_deactivate(struct slab_sys *s, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    struct slab_cache *c = &s->caches[x->cache];
    bool remote = x->free != 0; /* somebody else has freed into it */
    c->cpu[x->cpu].current = SLAB_NONE;
    x->free += x->cpu_free;
    x->cpu_free = 0;
    x->place = SLAB_FULL;
    if (x->free == x->objects && node_has_enough(c))
        slab_discard(s, id);
    else if (x->free)
        slab_to_node(s, id, !remote);
}

void slab_unlist(struct slab_sys *s, uint32_t id)
{
    struct slab *x = &s->slabs[id];
    struct slab_cache *c = &s->caches[x->cache];
    if (x->place == SLAB_NODE_PARTIAL)
        slab_list_remove(s, &c->node, id);
    else if (x->place == SLAB_CPU_PARTIAL)
        slab_list_remove(s, &c->cpu[x->cpu].partial, id);
    else if (x->place == SLAB_CURRENT)
        c->cpu[x->cpu].current = SLAB_NONE;
    x->free += x->cpu_free;
    x->cpu_free = 0;
    x->place = SLAB_FULL;
}
