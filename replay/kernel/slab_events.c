/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_events.h"

#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "grow.h"

#define CPUS_MAX 8192
#define GFP_DIRECT_RECLAIM 0x400 /* Linux 6.18, include/linux/gfp_types.h */
#define GFP_NORETRY 0x10000
#define MIGRATE_MOVABLE 1 /* Linux 6.18, include/linux/mmzone.h */

enum role {
    ROLE_NONE,
    ROLE_CACHE_ALLOC,
    ROLE_CACHE_FREE,
    ROLE_KMALLOC,
    ROLE_KFREE,
    ROLE_FREE_RCU,
    ROLE_FREE_BULK,
    ROLE_PAGE_ALLOC,
    ROLE_PAGE_FREE
};

struct slab_probe {
    enum role role;
    int ptr, name, req, given, gfp, order, type; /* index among the hit's values; -1 */
};

uint32_t fl_slab_cpus(const struct fl_meta *meta)
{
    uint64_t cpus = fl_meta_get_u64(meta, "host.cpus", 1);
    return cpus < 1 ? 1 : cpus > CPUS_MAX ? CPUS_MAX : (uint32_t)cpus;
}

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
        { "kmem:kvfree_call_rcu", ROLE_FREE_RCU },
        { "kmem:kmem_cache_free_bulk", ROLE_FREE_BULK },
        { "kmem:mm_page_alloc", ROLE_PAGE_ALLOC },
        { "kmem:mm_page_free", ROLE_PAGE_FREE },
    };
    for (size_t i = 0; i < FL_COUNT(roles); i++)
        if (strcmp(name, roles[i].name) == 0)
            return roles[i].role;
    return ROLE_NONE;
}

static bool is_pages(const char *name)
{
    return strncmp(name, "kmem:mm_page_", 13) == 0;
}

static int add_probe(struct slab_events *e, uint32_t id, struct fl_err *err)
{
    const struct fl_probe *probe = fl_probes_at(e->probes, id);
    if (id >= e->room_probes) {
        uint32_t room = grow_room_for(e->room_probes, (uint64_t)id + 1);
        if (!room || !grow(&e->probe, room))
            return fl_nomem(err, "slab events");
        e->room_probes = room;
    }
    while (e->n_probes <= id)
        e->probe[e->n_probes++] = (struct slab_probe){ .role = ROLE_NONE };
    if (!probe)
        return FL_OK;
    enum role role = role_of(probe->name);
    const char *ptr = is_pages(probe->name) ? "pfn" : role == ROLE_FREE_BULK ? "ptr0" : "ptr";
    e->probe[id] = (struct slab_probe){ .role = role,
                                        .ptr = fl_probe_field(probe, ptr),
                                        .name = fl_probe_field(probe, "name"),
                                        .req = fl_probe_field(probe, "bytes_req"),
                                        .given = fl_probe_field(probe, "bytes_alloc"),
                                        .gfp = fl_probe_field(probe, "gfp_flags"),
                                        .order = fl_probe_field(probe, "order"),
                                        .type = fl_probe_field(probe, "migratetype") };
    e->frees_told |= role == ROLE_FREE_RCU || role == ROLE_FREE_BULK;
    return FL_OK;
}

static uint32_t class_index(uint32_t class)
{
    uint32_t i = 0;
    for (uint32_t at = 8; at < class; at = slab_kmalloc_class(at + 1))
        i++;
    return i;
}

/* The first slabinfo is complete when something else follows: caches as they were then. */
static int begin(struct slab_events *e, struct fl_err *err)
{
    struct fl_snapshot s;
    if (!fl_snapshots_find(e->snapshots, 0, FL_SNAPSHOT_START, "slabinfo", &s))
        return FL_OK;
    bool first = !e->info.n;
    int rc = first ? slab_info_parse(s.text, s.bytes, &e->info, err) : FL_OK;
    if (rc == FL_OK && first &&
        fl_snapshots_find(e->snapshots, 0, FL_SNAPSHOT_START, "slab_lists", &s))
        rc = slab_info_lists(&e->info, s.text, s.bytes, e->cpus, err);
    if (rc == FL_OK && first &&
        fl_snapshots_find(e->snapshots, 0, FL_SNAPSHOT_START, "slab_partial", &s))
        rc = slab_info_partial(&e->info, s.text, s.bytes, err);
    if (rc != FL_OK)
        return rc;
    e->begun = true;
    for (int type = 0; type <= SLAB_KMALLOC_DMA; type++)
        for (uint32_t class = 8; class; class = slab_kmalloc_class(class + 1)) {
            char name[SLAB_NAME_BYTES];
            slab_kmalloc_name(class, (enum slab_kmalloc_type)type, name);
            e->kmalloc[type][class_index(class)] = slab_info_index(&e->info, name);
        }
    return FL_OK;
}

/* ---- events --------------------------------------------------------------------------- */

static uint64_t value(const struct fl_event *ev, int i)
{
    return i >= 0 && (uint32_t)i < ev->hit.n_values ? (uint64_t)ev->hit.values[i] : 0;
}

static uint32_t cache_of_name(struct slab_events *e, uint64_t id)
{
    uint32_t known = slab_map_get(&e->names, id);
    if (known == SLAB_MAP_NONE) {
        const char *name = fl_probes_name(e->probes, id);
        uint32_t cache = name ? slab_info_index(&e->info, name) : SLAB_CACHE_NONE;
        known = cache == SLAB_CACHE_NONE ? 0 : cache + 1;
        slab_map_put(&e->names, id, known);
    }
    return known - 1;
}

/* The cache an allocation is from. */
static uint32_t cache_of_size(const struct slab_events *e, uint64_t given, uint64_t gfp)
{
    if (!given || slab_kmalloc_class(given) != given)
        return SLAB_CACHE_PAGES;
    return e->kmalloc[slab_kmalloc_type(gfp)][class_index((uint32_t)given)];
}

static struct slab_event event_of(struct slab_events *e, const struct slab_probe *probe,
                                  const struct fl_event *ev)
{
    struct slab_event out = { .kind = SLAB_EV_FREE,
                              .cache = SLAB_CACHE_UNTOLD,
                              .cpu = ev->hit.cpu % e->cpus,
                              .tid = ev->hit.tid,
                              .at = value(ev, probe->ptr),
                              .requested = value(ev, probe->req),
                              .given = value(ev, probe->given),
                              .time_ns = ev->time_ns };
    switch (probe->role) {
    case ROLE_CACHE_ALLOC:
        out.kind = SLAB_EV_ALLOC;
        out.waits = value(ev, probe->gfp) & GFP_DIRECT_RECLAIM;
        out.cache = cache_of_name(e, value(ev, probe->name));
        break;
    case ROLE_KMALLOC:
        out.kind = SLAB_EV_ALLOC;
        out.by_size = true;
        out.cache = cache_of_size(e, out.given, value(ev, probe->gfp));
        break;
    case ROLE_CACHE_FREE: out.cache = cache_of_name(e, value(ev, probe->name)); break;
    case ROLE_PAGE_ALLOC:
    case ROLE_PAGE_FREE:
        out.kind = probe->role == ROLE_PAGE_ALLOC ? SLAB_EV_PAGES_TAKEN : SLAB_EV_PAGES_GIVEN;
        out.order = (uint32_t)value(ev, probe->order);
        out.no_retry = value(ev, probe->gfp) & GFP_NORETRY;
        out.movable = value(ev, probe->type) == MIGRATE_MOVABLE;
        break;
    case ROLE_FREE_RCU: out.kind = SLAB_EV_FREE_RCU; break;
    case ROLE_FREE_BULK: {
        uint32_t cache = cache_of_name(e, value(ev, probe->name));
        out.kind = SLAB_EV_FREE_BULK;
        out.cache = cache == SLAB_CACHE_NONE ? SLAB_CACHE_UNTOLD : cache;
        break;
    }
    case ROLE_KFREE:
    case ROLE_NONE: break;
    }
    return out;
}

/* All the objects that the hit tells of. */
static int take_bulk(const struct slab_probe *probe, const struct fl_event *ev,
                     struct slab_event *out, slab_events_fn *take, void *ctx, struct fl_err *err)
{
    int rc = FL_OK;
    for (int i = probe->ptr; i >= 0 && (uint32_t)i < ev->hit.n_values && rc == FL_OK; i++) {
        out->at = value(ev, i);
        if (out->at)
            rc = take(ctx, out, err);
    }
    return rc;
}

static int take_hit(struct slab_events *e, const struct fl_event *ev, slab_events_fn *take,
                    void *ctx, struct fl_err *err)
{
    bool over = e->ended && e->end.n && !e->settled.n;
    if (ev->hit.probe >= e->n_probes || e->probe[ev->hit.probe].role == ROLE_NONE || over)
        return FL_OK;
    int rc = e->begun ? FL_OK : begin(e, err);
    if (rc != FL_OK || !e->begun)
        return rc;
    struct slab_event out = event_of(e, &e->probe[ev->hit.probe], ev);
    if (out.kind == SLAB_EV_FREE_BULK)
        return take_bulk(&e->probe[ev->hit.probe], ev, &out, take, ctx, err);
    bool pages = out.kind == SLAB_EV_PAGES_TAKEN || out.kind == SLAB_EV_PAGES_GIVEN;
    return out.at || pages ? take(ctx, &out, err) : FL_OK; /* NULL: there was no memory */
}

/* The last slabinfo, in its first piece: what it tells is as old. */
static int take_end(struct slab_events *e, const struct fl_event *ev, slab_events_fn *take,
                    void *ctx, struct fl_err *err)
{
    const struct slab_event end = { .kind = SLAB_EV_END, .time_ns = ev->time_ns };
    if (e->ended || ev->snapshot.moment != FL_SNAPSHOT_END || ev->snapshot.pid != 0 ||
        strncmp(ev->snapshot.text, "slabinfo\n", 9) != 0)
        return FL_OK;
    e->ended = true;
    return e->begun ? take(ctx, &end, err) : FL_OK;
}

static int take_event(struct slab_events *e, const struct fl_event *ev, slab_events_fn *take,
                      void *ctx, struct fl_err *err)
{
    int rc = FL_OK;
    if (ev->kind == FL_EV_PROBE || ev->kind == FL_EV_NAME) {
        rc = fl_probes_event(e->probes, ev, err);
        if (rc == FL_OK && ev->kind == FL_EV_PROBE)
            rc = add_probe(e, ev->probe.probe, err);
    } else if (ev->kind == FL_EV_SNAPSHOT) {
        rc = fl_snapshots_event(e->snapshots, ev, err);
        if (rc == FL_OK)
            rc = take_end(e, ev, take, ctx, err);
    } else if (ev->kind == FL_EV_HIT) {
        rc = take_hit(e, ev, take, ctx, err);
    } else if (ev->kind == FL_EV_LOST) {
        e->lost += ev->lost.count;
    }
    return rc;
}

static void forget(struct slab_events *e)
{
    fl_probes_free(e->probes);
    fl_snapshots_free(e->snapshots);
    slab_map_free(&e->names);
    free(e->probe);
    e->probes = NULL;
    e->snapshots = NULL;
    e->probe = NULL;
    e->n_probes = e->room_probes = 0;
    e->begun = e->ended = e->stop = false;
    e->lost = 0;
}

/* Both tables of the end, once all of them is there. */
static int read_end(struct slab_events *e, struct fl_err *err)
{
    struct fl_snapshot s, lists;
    bool any = false;
    if (e->end.n || !fl_snapshots_find(e->snapshots, 0, FL_SNAPSHOT_END, "slabinfo", &s) ||
        slab_info_parse(s.text, s.bytes, &e->end, NULL) != FL_OK ||
        !fl_snapshots_find(e->snapshots, 0, FL_SNAPSHOT_END, "slab_lists", &lists))
        return FL_OK;
    int rc = slab_info_parse(s.text, s.bytes, &e->settled, err);
    if (rc == FL_OK)
        rc = slab_info_lists(&e->settled, lists.text, lists.bytes, e->cpus, err);
    for (size_t i = 0; i < e->settled.n; i++)
        any |= slab_info_settled(&e->settled.rows[i]);
    if (!any)
        slab_info_free(&e->settled);
    return rc;
}

int slab_events_run(struct slab_events *e, struct fl_reader *r, slab_events_fn *take, void *ctx,
                    struct fl_err *err)
{
    struct fl_item item;
    forget(e);
    e->cpus = fl_slab_cpus(fl_reader_meta(r));
    e->probes = fl_probes_new();
    e->snapshots = fl_snapshots_new();
    int rc = e->probes && e->snapshots ? fl_reader_rewind_reduced(r, UINT32_MAX, err)
                                       : fl_nomem(err, "slab events");
    while (rc == FL_OK && !e->stop) {
        rc = fl_reader_next(r, &item, err);
        if (rc != FL_OK || item.kind == FL_ITEM_END)
            break;
        if (item.kind == FL_ITEM_EVENT)
            rc = take_event(e, &item.event, take, ctx, err);
    }
    return rc == FL_OK && !e->stop ? read_end(e, err) : rc;
}

void slab_events_free(struct slab_events *e)
{
    forget(e);
    slab_info_free(&e->info);
    slab_info_free(&e->end);
    slab_info_free(&e->settled);
}
