/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_owner.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "slab_map.h"

#define TOGETHER_NS \
    10000 /* nodes that a task takes so soon after another are for the same change */

struct nodes {
    uint64_t *v;
    uint32_t n, room;
};

struct space {                    /* an address space */
    struct nodes nodes, replaced; /* replaced: it seems */
};

struct task {
    uint32_t own, child; /* spaces; SLAB_MAP_NONE: not known, none */
    bool forks;
    uint32_t taken; /* nodes for the change that is under way, */
    uint32_t first; /* the first of them, of all nodes; the last of them then: */
    uint64_t taken_ns;
};

struct slab_owners {
    uint32_t of_space, of_task, of_pid, of_node; /* caches; UINT32_MAX: there is none */
    struct space *spaces;
    uint32_t n_spaces, room_spaces;
    struct task *tasks;
    uint32_t n_tasks, room_tasks;
    struct slab_map by_tid, by_space; /* tid -> task; address of an mm_struct -> space */
    struct slab_map by_node;          /* address of a node -> space */
    uint32_t n_taken;                 /* nodes */
};

struct slab_owners *slab_owners_new(const struct slab_info *info)
{
    struct slab_owners *o = calloc(1, sizeof *o);
    if (o) {
        o->of_space = slab_info_index(info, "mm_struct");
        o->of_task = slab_info_index(info, "task_struct");
        o->of_pid = slab_info_index(info, "pid");
        o->of_node = slab_info_index(info, "maple_node");
    }
    return o;
}

void slab_owners_free(struct slab_owners *o)
{
    if (!o)
        return;
    for (uint32_t i = 0; i < o->n_spaces; i++)
        free(o->spaces[i].nodes.v), free(o->spaces[i].replaced.v);
    free(o->spaces);
    free(o->tasks);
    slab_map_free(&o->by_tid);
    slab_map_free(&o->by_space);
    slab_map_free(&o->by_node);
    free(o);
}

static struct task *task_of(struct slab_owners *o, uint32_t tid)
{
    uint32_t at = slab_map_get(&o->by_tid, tid);
    if (at != SLAB_MAP_NONE)
        return &o->tasks[at];
    if (o->n_tasks == o->room_tasks) {
        uint32_t room = grow_room(o->room_tasks);
        if (!room || !grow(&o->tasks, room))
            return NULL;
        o->room_tasks = room;
    }
    if (!slab_map_put(&o->by_tid, tid, o->n_tasks))
        return NULL;
    o->tasks[o->n_tasks] = (struct task){ .own = SLAB_MAP_NONE, .child = SLAB_MAP_NONE };
    return &o->tasks[o->n_tasks++];
}

static int add_space(struct slab_owners *o, struct task *t, uint64_t ptr, struct fl_err *err)
{
    if (o->n_spaces == o->room_spaces) {
        uint32_t room = grow_room(o->room_spaces);
        if (!room || !grow(&o->spaces, room))
            return fl_nomem(err, "address spaces");
        o->room_spaces = room;
    }
    if (!slab_map_put(&o->by_space, ptr, o->n_spaces))
        return fl_nomem(err, "address spaces");
    o->spaces[o->n_spaces] = (struct space){ 0 };
    *(t->forks ? &t->child : &t->own) = o->n_spaces++;
    return FL_OK;
}

static int push(struct nodes *to, uint64_t ptr, struct fl_err *err)
{
    if (to->n == to->room) {
        uint32_t room = grow_room(to->room);
        if (!room || !grow(&to->v, room))
            return fl_nomem(err, "address spaces");
        to->room = room;
    }
    to->v[to->n++] = ptr;
    return FL_OK;
}

/* The last of @from but for the last @but that still is of space @of; 0: there is none. */
static uint64_t pop(struct slab_owners *o, struct nodes *from, uint32_t but, uint32_t of)
{
    for (uint32_t i = from->n > but ? from->n - but : 0; i-- > 0;) {
        uint64_t ptr = from->v[i];
        memmove(&from->v[i], &from->v[i + 1], (--from->n - i) * sizeof *from->v);
        if (slab_map_get(&o->by_node, ptr) == of)
            return ptr;
    }
    return 0;
}

/* Is it for the change that the last one was for? */
static bool goes_on(struct task *t, const struct slab_owned *got)
{
    bool more = !got->waits && t->taken && got->time_ns - t->taken_ns < TOGETHER_NS;
    t->taken = got->waits ? 0 : more ? t->taken + 1 : 1;
    t->taken_ns = got->time_ns;
    return more;
}

/* A change takes one node for the one that it replaces; or several, one more than it replaces. */
static int replace(struct slab_owners *o, const struct task *t, struct slab_node_use *use,
                   struct fl_err *err)
{
    struct space *s = &o->spaces[t->own];
    if (t->taken == 2)
        return FL_OK;
    use->replaced = pop(o, &s->nodes, t->taken > 1 ? t->taken - 1 : 0, t->own);
    return use->replaced ? push(&s->replaced, use->replaced, err) : FL_OK;
}

static int add_node(struct slab_owners *o, struct task *t, const struct slab_owned *got,
                    struct slab_node_use *use, struct fl_err *err)
{
    uint32_t of = t->child != SLAB_MAP_NONE ? t->child : t->own;
    int rc = FL_OK;
    *use = (struct slab_node_use){ .is_node = true, .goes_on = goes_on(t, got) };
    t->first = use->goes_on ? t->first : o->n_taken;
    use->first = t->first;
    o->n_taken++;
    if (of != SLAB_MAP_NONE && t->child == SLAB_MAP_NONE)
        rc = replace(o, t, use, err);
    if (rc == FL_OK && of != SLAB_MAP_NONE)
        rc = push(&o->spaces[of].nodes, got->at, err);
    if (rc == FL_OK && !slab_map_put(&o->by_node, got->at, of))
        rc = fl_nomem(err, "address spaces");
    return rc;
}

int slab_owners_alloc(struct slab_owners *o, const struct slab_owned *got,
                      struct slab_node_use *use, struct fl_err *err)
{
    bool counts = got->cache == o->of_task || got->cache == o->of_space ||
                  got->cache == o->of_pid || got->cache == o->of_node;
    struct task *t = counts ? task_of(o, got->tid) : NULL;
    *use = (struct slab_node_use){ 0 };
    if (!counts)
        return FL_OK;
    if (!t)
        return fl_nomem(err, "address spaces");
    if (got->cache == o->of_space)
        return add_space(o, t, got->at, err);
    if (got->cache == o->of_node)
        return add_node(o, t, got, use, err);
    if (got->cache == o->of_task) {
        t->forks = true;
        t->child = SLAB_MAP_NONE;
    } else if (t->child != SLAB_MAP_NONE) { /* what comes before it are credentials */
        t->forks = false;
        t->child = SLAB_MAP_NONE;
    }
    return FL_OK;
}

uint64_t slab_owners_mistaken(struct slab_owners *o, uint32_t cache, uint64_t ptr)
{
    uint32_t of = cache == o->of_node ? slab_map_get(&o->by_node, ptr) : SLAB_MAP_NONE;
    if (of >= o->n_spaces)
        return 0;
    struct space *s = &o->spaces[of];
    for (uint32_t i = s->nodes.n; i-- > 0;)
        if (s->nodes.v[i] == ptr) {
            uint64_t other = pop(o, &s->replaced, 0, of);
            if (other)
                s->nodes.v[i] = other; /* in its place */
            return other;
        }
    return 0;
}

size_t slab_owners_end(struct slab_owners *o, uint32_t cache, uint64_t ptr, const uint64_t **nodes,
                       uint32_t *cache_of_nodes)
{
    uint32_t at = cache == o->of_space ? slab_map_get(&o->by_space, ptr) : SLAB_MAP_NONE, n = 0;
    if (at == SLAB_MAP_NONE)
        return 0;
    struct space *s = &o->spaces[at];
    for (uint32_t i = 0; i < s->nodes.n; i++) /* but for those that others have got since */
        if (slab_map_get(&o->by_node, s->nodes.v[i]) == at) {
            slab_map_put(&o->by_node, s->nodes.v[i], SLAB_MAP_NONE - 1);
            s->nodes.v[n++] = s->nodes.v[i];
        }
    s->nodes.n = s->replaced.n = 0;
    *nodes = s->nodes.v;
    *cache_of_nodes = o->of_node;
    return n;
}
