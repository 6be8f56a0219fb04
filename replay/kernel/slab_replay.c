/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recorded allocator events, from the recording's first slabinfo to its last. */
#include <faultline/kernel_slab.h>

#include <stdlib.h>
#include <string.h>

#include <faultline/kernel_events.h>
#include <faultline/units.h>

#include "grow.h"
#include "slab.h"
#include "slab_follow.h"
#include "slab_map.h"

enum role { ROLE_NONE, ROLE_CACHE_ALLOC, ROLE_CACHE_FREE, ROLE_KMALLOC, ROLE_KFREE };

struct probe {
    enum role role;
    int ptr, name, req, given, gfp; /* index among the hit's values; -1 */
};

#define KMALLOC_CLASSES 13 /* 8 16 32 64 96 128 192 256 512 1k 2k 4k 8k */

struct pass {
    struct fl_slab_replay *out;
    struct fl_probes *probes;
    struct fl_snapshots *snapshots;
    struct probe *probe;
    uint32_t n_probes, room_probes;
    struct slab_info info;
    struct slab_follow *follow; /* from the first event after the first slabinfo on */
    struct slab_map names;      /* name id -> cache + 1; 0: no cache */
    uint32_t kmalloc[SLAB_KMALLOC_DMA + 1][KMALLOC_CLASSES];
    uint32_t cpus;
    bool ended; /* the last slabinfo was passed */
};

/* ---- what there is ------------------------------------------------------------------- */

static enum role role_of(const char *name)
{
    static const struct {
        const char *name;
        enum role role;
    } roles[] = {
        { "kmem:kmem_cache_alloc", ROLE_CACHE_ALLOC },
        { "kmem:kmem_cache_alloc_node", ROLE_CACHE_ALLOC },
        { "kmem:kmem_cache_free", ROLE_CACHE_FREE },
        { "kmem:kmalloc", ROLE_KMALLOC },
        { "kmem:kmalloc_node", ROLE_KMALLOC },
        { "kmem:kfree", ROLE_KFREE },
    };
    for (size_t i = 0; i < FL_COUNT(roles); i++)
        if (strcmp(name, roles[i].name) == 0)
            return roles[i].role;
    return ROLE_NONE;
}

static int add_probe(struct pass *p, uint32_t id, struct fl_err *err)
{
    const struct fl_probe *probe = fl_probes_at(p->probes, id);
    if (id >= p->room_probes) {
        uint32_t room = grow_room_for(p->room_probes, (uint64_t)id + 1);
        if (!room || !grow(&p->probe, room))
            return fl_nomem(err, "slab events");
        p->room_probes = room;
    }
    while (p->n_probes <= id)
        p->probe[p->n_probes++] = (struct probe){ .role = ROLE_NONE };
    if (probe)
        p->probe[id] = (struct probe){ .role = role_of(probe->name),
                                       .ptr = fl_probe_field(probe, "ptr"),
                                       .name = fl_probe_field(probe, "name"),
                                       .req = fl_probe_field(probe, "bytes_req"),
                                       .given = fl_probe_field(probe, "bytes_alloc"),
                                       .gfp = fl_probe_field(probe, "gfp_flags") };
    return FL_OK;
}

static uint32_t cache_named(const struct pass *p, const char *name)
{
    const struct slab_info_row *row = slab_info_find(&p->info, name);
    return row ? (uint32_t)(row - p->info.rows) : SLAB_NONE;
}

static uint32_t class_index(uint32_t class)
{
    uint32_t i = 0;
    for (uint32_t at = 8; at < class; at = slab_kmalloc_class(at + 1))
        i++;
    return i;
}

/* The first slabinfo is complete when something else follows: caches as they were then. */
static int begin(struct pass *p, struct fl_err *err)
{
    struct fl_snapshot s;
    if (!fl_snapshots_find(p->snapshots, 0, FL_SNAPSHOT_START, "slabinfo", &s))
        return FL_OK;
    int rc = slab_info_parse(s.text, s.bytes, &p->info, err);
    if (rc != FL_OK)
        return rc;
    p->follow = slab_follow_new(&p->info, p->cpus);
    p->out->rows = calloc(p->info.n, sizeof *p->out->rows);
    if (!p->follow || !p->out->rows)
        return fl_nomem(err, "slab caches");
    p->out->n_rows = p->info.n;
    for (size_t i = 0; i < p->info.n; i++) {
        struct fl_slab_row *row = &p->out->rows[i];
        const struct slab_info_row *from = &p->info.rows[i];
        memcpy(row->name, from->name, sizeof row->name);
        row->object_bytes = row->size_bytes = from->size;
        row->objects_per_slab = from->objects;
        row->order = from->order;
        row->start = from->state;
    }
    for (int type = 0; type <= SLAB_KMALLOC_DMA; type++)
        for (uint32_t class = 8; class; class = slab_kmalloc_class(class + 1)) {
            char name[SLAB_NAME_BYTES];
            slab_kmalloc_name(class, (enum slab_kmalloc_type)type, name);
            p->kmalloc[type][class_index(class)] = cache_named(p, name);
        }
    return FL_OK;
}

/* ---- events --------------------------------------------------------------------------- */

static uint64_t value(const struct fl_event *ev, int i)
{
    return i >= 0 && (uint32_t)i < ev->hit.n_values ? (uint64_t)ev->hit.values[i] : 0;
}

static uint32_t cache_of_name(struct pass *p, uint64_t id)
{
    uint32_t known = slab_map_get(&p->names, id);
    if (known == SLAB_MAP_NONE) {
        const char *name = fl_probes_name(p->probes, id);
        uint32_t cache = name ? cache_named(p, name) : SLAB_NONE;
        known = cache == SLAB_NONE ? 0 : cache + 1;
        slab_map_put(&p->names, id, known);
    }
    return known - 1;
}

/* The cache an allocation is from; SLAB_NONE: none that is known. */
static uint32_t cache_of_alloc(struct pass *p, const struct probe *probe, const struct fl_event *ev)
{
    uint64_t given = value(ev, probe->given);
    if (probe->role == ROLE_CACHE_ALLOC)
        return cache_of_name(p, value(ev, probe->name));
    if (!given || slab_kmalloc_class(given) != given) {
        p->out->large++;
        return SLAB_NONE - 1;
    }
    return p->kmalloc[slab_kmalloc_type(value(ev, probe->gfp))][class_index((uint32_t)given)];
}

static int take_alloc(struct pass *p, const struct probe *probe, const struct fl_event *ev,
                      struct fl_err *err)
{
    uint64_t ptr = value(ev, probe->ptr), given = value(ev, probe->given);
    if (!ptr)
        return FL_OK; /* there was no memory */
    uint32_t cache = cache_of_alloc(p, probe, ev);
    if (cache >= p->out->n_rows) {
        p->out->unknown_cache += cache == SLAB_NONE;
        return FL_OK;
    }
    struct fl_slab_row *row = &p->out->rows[cache];
    row->allocs++;
    row->requested_bytes += value(ev, probe->req);
    row->given_bytes += given;
    if (probe->role == ROLE_CACHE_ALLOC && value(ev, probe->req) <= row->size_bytes)
        row->object_bytes = (uint32_t)value(ev, probe->req);
    return slab_follow_alloc(p->follow, cache, ev->hit.cpu % p->cpus, ptr, err);
}

static int take_free(struct pass *p, const struct probe *probe, const struct fl_event *ev,
                     struct fl_err *err)
{
    uint64_t ptr = value(ev, probe->ptr);
    uint32_t cache = SLAB_NONE;
    bool known;
    if (!ptr)
        return FL_OK;
    if (probe->role == ROLE_CACHE_FREE) {
        cache = cache_of_name(p, value(ev, probe->name));
        if (cache == SLAB_NONE) {
            p->out->unknown_cache++;
            return FL_OK;
        }
    }
    int rc = slab_follow_release(p->follow, &cache, ev->hit.cpu % p->cpus, ptr, &known, err);
    if (rc == FL_OK && !known)
        p->out->unknown_frees++;
    else if (rc == FL_OK)
        p->out->rows[cache].frees++;
    return rc;
}

static int take_hit(struct pass *p, const struct fl_event *ev, struct fl_err *err)
{
    if (ev->hit.probe >= p->n_probes || p->probe[ev->hit.probe].role == ROLE_NONE || p->ended)
        return FL_OK;
    const struct probe *probe = &p->probe[ev->hit.probe];
    int rc = p->follow ? FL_OK : begin(p, err);
    if (rc != FL_OK || !p->follow)
        return rc;
    p->out->events++;
    return probe->role == ROLE_CACHE_ALLOC || probe->role == ROLE_KMALLOC
               ? take_alloc(p, probe, ev, err)
               : take_free(p, probe, ev, err);
}

static int take(struct pass *p, const struct fl_event *ev, struct fl_err *err)
{
    int rc = FL_OK;
    if (ev->kind == FL_EV_PROBE || ev->kind == FL_EV_NAME) {
        rc = fl_probes_event(p->probes, ev, err);
        if (rc == FL_OK && ev->kind == FL_EV_PROBE)
            rc = add_probe(p, ev->probe.probe, err);
    } else if (ev->kind == FL_EV_SNAPSHOT) {
        rc = fl_snapshots_event(p->snapshots, ev, err);
        p->ended |= ev->snapshot.moment == FL_SNAPSHOT_END && ev->snapshot.pid == 0 &&
                    strncmp(ev->snapshot.text, "slabinfo\n", 9) == 0;
    } else if (ev->kind == FL_EV_HIT) {
        rc = take_hit(p, ev, err);
    } else if (ev->kind == FL_EV_LOST) {
        p->out->lost += ev->lost.count;
    }
    return rc;
}

/* ---- the end ---------------------------------------------------------------------------- */

static int by_events(const void *a, const void *b)
{
    const struct fl_slab_row *x = a, *y = b;
    uint64_t n = x->allocs + x->frees, m = y->allocs + y->frees;
    return n != m ? (n < m ? 1 : -1) : strcmp(x->name, y->name);
}

/* What is lost inside objects that are in use, and at the ends of slabs. */
static uint64_t waste_of(const struct fl_slab_row *row)
{
    uint64_t slab = FL_PAGE_BYTES << row->order,
             used = (uint64_t)row->objects_per_slab * row->size_bytes;
    uint64_t padding = (row->size_bytes - row->object_bytes) * row->predicted.objects;
    if (row->allocs && row->object_bytes == row->size_bytes) /* kmalloc: by what was asked for */
        padding = (uint64_t)((double)(row->given_bytes - row->requested_bytes) /
                             (double)row->allocs * (double)row->predicted.objects);
    return row->predicted.slabs * (slab - used) + padding;
}

static int finish(struct pass *p, struct fl_err *err)
{
    struct fl_snapshot s;
    struct slab_info last = { 0 };
    if (!p->follow)
        return fl_fail(err, FL_EDATA,
                       "the trace has no slab events or no slabinfo of its start; record with "
                       "--kernel-groups slab -a, as root");
    if (fl_snapshots_find(p->snapshots, 0, FL_SNAPSHOT_END, "slabinfo", &s) &&
        slab_info_parse(s.text, s.bytes, &last, NULL) == FL_OK)
        p->out->has_end = true;
    for (uint32_t i = 0; i < p->out->n_rows; i++) {
        struct fl_slab_row *row = &p->out->rows[i];
        const struct slab_info_row *end = slab_info_find(&last, row->name);
        slab_follow_end(p->follow, i, row);
        row->internal_waste_bytes = waste_of(row);
        if (end)
            row->end = end->state;
    }
    slab_info_free(&last);
    qsort(p->out->rows, p->out->n_rows, sizeof *p->out->rows, by_events);
    return FL_OK;
}

int fl_slab_replay(struct fl_reader *r, struct fl_slab_replay *out, struct fl_err *err)
{
    struct fl_item item;
    struct pass p = { .out = out };
    uint64_t cpus = fl_meta_get_u64(fl_reader_meta(r), "host.cpus", 1);
    *out = (struct fl_slab_replay){ 0 };
    p.cpus = cpus >= 1 && cpus <= 8192 ? (uint32_t)cpus : 1;
    p.probes = fl_probes_new();
    p.snapshots = fl_snapshots_new();
    int rc = p.probes && p.snapshots ? fl_reader_rewind_reduced(r, UINT32_MAX, err)
                                     : fl_nomem(err, "slab events");
    while (rc == FL_OK) {
        rc = fl_reader_next(r, &item, err);
        if (rc != FL_OK || item.kind == FL_ITEM_END)
            break;
        if (item.kind == FL_ITEM_EVENT)
            rc = take(&p, &item.event, err);
    }
    if (rc == FL_OK)
        rc = finish(&p, err);
    fl_probes_free(p.probes);
    fl_snapshots_free(p.snapshots);
    slab_follow_free(p.follow);
    slab_info_free(&p.info);
    slab_map_free(&p.names);
    free(p.probe);
    if (rc != FL_OK)
        fl_slab_replay_free(out);
    return rc;
}

void fl_slab_replay_free(struct fl_slab_replay *out)
{
    free(out->rows);
    *out = (struct fl_slab_replay){ 0 };
}
