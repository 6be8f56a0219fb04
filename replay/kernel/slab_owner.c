/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_owner.h"

#include <stdlib.h>

#include "grow.h"
#include "slab_map.h"

struct space { /* an address space */
    uint64_t *nodes;
    uint32_t n, room;
};

struct task {
    uint32_t own, child; /* spaces; SLAB_MAP_NONE: not known, none */
    bool forks;
};

struct slab_owners {
    uint32_t of_space, of_task, of_pid, of_node; /* caches; UINT32_MAX: there is none */
    struct space *spaces;
    uint32_t n_spaces, room_spaces;
    struct task *tasks;
    uint32_t n_tasks, room_tasks;
    struct slab_map by_tid, by_space; /* tid -> task; address of an mm_struct -> space */
    struct slab_map by_node;          /* address of a node -> space */
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
        free(o->spaces[i].nodes);
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

static int add_node(struct slab_owners *o, const struct task *t, uint64_t ptr, struct fl_err *err)
{
    uint32_t of = t->child != SLAB_MAP_NONE ? t->child : t->own;
    struct space *s = of != SLAB_MAP_NONE ? &o->spaces[of] : NULL;
    if (s && s->n == s->room) {
        uint32_t room = grow_room(s->room);
        if (!room || !grow(&s->nodes, room))
            return fl_nomem(err, "address spaces");
        s->room = room;
    }
    if (s)
        s->nodes[s->n++] = ptr;
    return slab_map_put(&o->by_node, ptr, of) ? FL_OK : fl_nomem(err, "address spaces");
}

int slab_owners_alloc(struct slab_owners *o, uint32_t cache, uint32_t tid, uint64_t ptr,
                      struct fl_err *err)
{
    bool counts = cache == o->of_task || cache == o->of_space || cache == o->of_pid ||
                  cache == o->of_node;
    struct task *t = counts ? task_of(o, tid) : NULL;
    if (!counts)
        return FL_OK;
    if (!t)
        return fl_nomem(err, "address spaces");
    if (cache == o->of_space)
        return add_space(o, t, ptr, err);
    if (cache == o->of_node)
        return add_node(o, t, ptr, err);
    if (cache == o->of_task) {
        t->forks = true;
        t->child = SLAB_MAP_NONE;
    } else if (t->child != SLAB_MAP_NONE) { /* what comes before it are credentials */
        t->forks = false;
        t->child = SLAB_MAP_NONE;
    }
    return FL_OK;
}

size_t slab_owners_end(struct slab_owners *o, uint32_t cache, uint64_t ptr, const uint64_t **nodes,
                       uint32_t *cache_of_nodes)
{
    uint32_t at = cache == o->of_space ? slab_map_get(&o->by_space, ptr) : SLAB_MAP_NONE, n = 0;
    if (at == SLAB_MAP_NONE)
        return 0;
    struct space *s = &o->spaces[at];
    for (uint32_t i = 0; i < s->n; i++) /* but for those that others have got since */
        if (slab_map_get(&o->by_node, s->nodes[i]) == at) {
            slab_map_put(&o->by_node, s->nodes[i], SLAB_MAP_NONE - 1);
            s->nodes[n++] = s->nodes[i];
        }
    s->n = 0;
    *nodes = s->nodes;
    *cache_of_nodes = o->of_node;
    return n;
}
