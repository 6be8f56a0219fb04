/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page allocator's events of a trace, in their order. */
#include <stdlib.h>
#include <string.h>

#include <faultline/kernel_events.h>
#include <faultline/units.h>

#include "buddy_pcp.h"
#include "buddy_replay.h"

enum event { OTHER, ALLOC, FREE, LOCKED, DRAIN, EXTFRAG, EVENTS };

static const char *const event_names[EVENTS] = {
    [ALLOC] = "kmem:mm_page_alloc",
    [FREE] = "kmem:mm_page_free",
    [LOCKED] = "kmem:mm_page_alloc_zone_locked",
    [DRAIN] = "kmem:mm_page_pcpu_drain",
    [EXTFRAG] = "kmem:mm_page_alloc_extfrag",
};

#define CPU_SLOTS 256u

struct pass {
    struct fl_reader *reader;
    struct fl_probes *probes;
    struct fl_snapshots *snapshots; /* of the first pass */
    struct buddy_replay *replay;
    bool apply; /* else: what do events say about the start? */
    bool has[EVENTS];
    uint64_t total;                 /* events */
    uint64_t last_taken[CPU_SLOTS]; /* page frame number + 1, by CPU */
};

static enum event event_of(const struct fl_probe *probe)
{
    for (int e = OTHER + 1; probe && e < EVENTS; e++)
        if (!strcmp(probe->name, event_names[e]))
            return (enum event)e;
    return OTHER;
}

static bool value(const struct fl_probe *probe, const struct fl_event *ev, const char *field,
                  uint64_t *out)
{
    int i = fl_probe_field(probe, field);
    if (i < 0 || (uint32_t)i >= ev->hit.n_values)
        return false;
    *out = (uint64_t)ev->hit.values[i];
    return true;
}

static enum buddy_type type_value(const struct fl_probe *probe, const struct fl_event *ev,
                                  const char *field)
{
    uint64_t v;
    return value(probe, ev, field, &v) && v < BUDDY_TYPES ? (enum buddy_type)v : BUDDY_MOVABLE;
}

static struct buddy_zone_replay *zone_at(struct buddy_replay *r, uint64_t pfn, uint32_t order)
{
    for (uint32_t i = 0; i < r->n_zones; i++)
        if (pfn >= r->zone[i].start_pfn &&
            pfn + (UINT64_C(1) << order) <= r->zone[i].start_pfn + r->zone[i].spanned)
            return &r->zone[i];
    return NULL;
}

/* ---- the second pass: which pages were free at the start ------------------------------------- */

static void name_pages(struct buddy_zone_replay *z, enum event e, uint64_t pfn, uint32_t order)
{
    buddy_zone_name_page(z, pfn, order, e == LOCKED || e == EXTFRAG);
}

/* ---- the third: what happens ------------------------------------------------------------------ */

static void apply_extfrag(struct pass *p, struct buddy_zone_replay *z, const struct fl_probe *probe,
                          const struct fl_event *ev, uint64_t pfn, uint32_t order)
{
    uint64_t held = UINT64_MAX, owns = 0;
    enum buddy_type want = type_value(probe, ev, "alloc_migratetype");
    enum buddy_type from = type_value(probe, ev, "fallback_migratetype");
    value(probe, ev, "fallback_order", &held);
    value(probe, ev, "change_ownership", &owns);
    *(owns ? &z->claims : &z->steals) += 1;
    if (p->last_taken[ev->hit.cpu % CPU_SLOTS] == pfn + 1) { /* told a moment ago */
        buddy_zone_retype(z, pfn, owns ? want : from);
        return;
    }
    buddy_zone_take(z, pfn, order, from, held < BUDDY_ORDERS ? (int)held : -1, owns ? want : from);
}

static void apply(struct pass *p, struct buddy_zone_replay *z, enum event e,
                  const struct fl_probe *probe, const struct fl_event *ev, uint64_t pfn,
                  uint32_t order)
{
    enum buddy_type type = e == FREE ? BUDDY_TYPES : type_value(probe, ev, "migratetype");
    uint64_t *last = &p->last_taken[ev->hit.cpu % CPU_SLOTS];
    switch (e) {
    case LOCKED: buddy_zone_take(z, pfn, order, type, -1, type); break;
    case EXTFRAG: apply_extfrag(p, z, probe, ev, pfn, order); break;
    case DRAIN: buddy_zone_give(z, pfn, order, type); break;
    case ALLOC:
        z->allocs[order]++;
        if (buddy_zone_has(z, pfn)) /* nobody saw it leave the lists */
            buddy_zone_take(z, pfn, order, type, -1, BUDDY_TYPES);
        break;
    case FREE:
        z->frees[order]++;
        if (!buddy_pcp_keeps(order))
            buddy_zone_give(z, pfn, order, BUDDY_TYPES);
        break;
    default: break;
    }
    *last = e == LOCKED ? pfn + 1 : 0;
}

/* A row of the timeline; the last one is the end. */
static void note_row(struct pass *p, uint64_t time_ns)
{
    struct buddy_replay *r = p->replay;
    uint64_t due = r->n_rows * p->total / (BUDDY_TIMELINE_ROWS - 1);
    if (r->n_rows == BUDDY_TIMELINE_ROWS || r->events < due)
        return;
    struct buddy_row *row = &r->row[r->n_rows++];
    *row = (struct buddy_row){ .time_ns = time_ns, .events = r->events };
    for (uint32_t i = 0; i < r->n_zones; i++) {
        struct buddy_zone_replay *z = &r->zone[i];
        int64_t blocks[BUDDY_ORDERS];
        buddy_free_blocks(z, blocks);
        for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
            row->blocks[o] += blocks[o];
        int largest = buddy_largest(blocks);
        if (r->n_rows == 1 || largest < z->largest_least)
            z->largest_least = largest;
        if (r->n_rows == 1 || largest > z->largest_most)
            z->largest_most = largest;
    }
    row->largest = buddy_largest(row->blocks);
}

static void hit(struct pass *p, const struct fl_event *ev)
{
    struct buddy_replay *r = p->replay;
    const struct fl_probe *probe = fl_probes_at(p->probes, ev->hit.probe);
    enum event e = event_of(probe);
    uint64_t pfn, order;
    if (e == OTHER || !value(probe, ev, "pfn", &pfn) ||
        !value(probe, ev, e == EXTFRAG ? "alloc_order" : "order", &order) || order >= BUDDY_ORDERS)
        return;
    if (p->apply)
        note_row(p, ev->time_ns);
    *(p->apply ? &r->events : &p->total) += 1;
    if (pfn == UINT64_MAX) {
        r->failed += p->apply;
        return;
    }
    struct buddy_zone_replay *z = zone_at(r, pfn, (uint32_t)order);
    if (!z || (pfn & ((UINT64_C(1) << order) - 1)))
        r->elsewhere += p->apply;
    else if (p->apply)
        apply(p, z, e, probe, ev, pfn, (uint32_t)order);
    else
        name_pages(z, e, pfn, (uint32_t)order);
}

/* ---- passes -------------------------------------------------------------------------------------- */

/* Events may go on when the last table has been read: of settled object caches. */
static bool is_end(const struct fl_event *ev)
{
    return ev->kind == FL_EV_SNAPSHOT && ev->snapshot.moment == FL_SNAPSHOT_END &&
           ev->snapshot.pid == 0 && strncmp(ev->snapshot.text, "buddyinfo\n", 10) == 0;
}

static int walk(struct pass *p, struct fl_err *err)
{
    struct fl_item item;
    uint64_t time_ns = 0;
    int rc = fl_reader_rewind_reduced(p->reader, UINT32_MAX, err);
    for (;;) {
        if (rc == FL_OK)
            rc = fl_reader_next(p->reader, &item, err);
        if (rc != FL_OK || item.kind == FL_ITEM_END)
            break;
        if (item.kind != FL_ITEM_EVENT)
            continue;
        time_ns = item.event.time_ns;
        if (!p->replay) { /* the first pass */
            rc = fl_probes_event(p->probes, &item.event, err);
            if (rc == FL_OK)
                rc = fl_snapshots_event(p->snapshots, &item.event, err);
        } else if (item.event.kind == FL_EV_HIT) {
            hit(p, &item.event);
        } else if (is_end(&item.event)) {
            break;
        }
    }
    if (rc == FL_OK && p->replay && p->apply)
        note_row(p, time_ns);
    return rc;
}

static const char *text_of(const struct pass *p, uint32_t moment, const char *name)
{
    struct fl_snapshot s;
    return fl_snapshots_find(p->snapshots, 0, moment, name, &s) ? s.text : NULL;
}

/* The state at the start, and what was recorded at the end. */
static int begin(struct pass *p, struct buddy_replay *r, struct fl_err *err)
{
    const char *zones = text_of(p, FL_SNAPSHOT_START, "zoneinfo");
    const char *blocks = text_of(p, FL_SNAPSHOT_START, "buddyinfo");
    const char *end = text_of(p, FL_SNAPSHOT_END, "buddyinfo");
    const char *types = text_of(p, FL_SNAPSHOT_START, "pagetypeinfo");
    for (uint32_t i = 0; i < fl_probes_count(p->probes); i++)
        p->has[event_of(fl_probes_at(p->probes, i))] = true;
    /* The group "slab" takes pages' events too, but not those of the free lists. */
    const char *groups = fl_meta_get(fl_reader_meta(p->reader), "record.kernel");
    bool recorded = !groups || strstr(groups, "alloc");
    /* a tracepoint that nobody passed is not in the trace: in a short one, CPUs drained no list */
    if (!recorded || !zones || !blocks || !end ||
        !(p->has[ALLOC] || p->has[FREE] || p->has[LOCKED]))
        return fl_fail(err, FL_EDATA,
                       "the trace does not tell what the page allocator did: record with "
                       "--kernel, or --kernel-groups alloc, as root");
    buddy_read_zones(r, zones);
    if (!r->n_zones || !buddy_read_blocks(r, blocks, false) || !buddy_read_blocks(r, end, true))
        return fl_fail(err, FL_EDATA, "the trace's zoneinfo and buddyinfo name no zone");
    buddy_read_types(r, types ? types : "");
    if ((end = text_of(p, FL_SNAPSHOT_END, "zoneinfo")))
        buddy_read_zones_end(r, end);
    int rc = FL_OK;
    for (uint32_t i = 0; i < r->n_zones && rc == FL_OK; i++)
        rc = buddy_zone_begin(&r->zone[i], err);
    return rc;
}

static void finish(struct buddy_replay *r)
{
    for (uint32_t i = 0; i < r->n_zones; i++) {
        struct buddy_zone_replay *z = &r->zone[i];
        buddy_free_blocks(z, z->predicted);
        for (uint32_t o = 0; o < BUDDY_ORDERS; o++) {
            z->splits[o] += z->known->stats.splits[o];
            z->merges[o] += z->known->stats.merges[o];
        }
    }
}

int buddy_replay_trace(struct fl_reader *reader, struct buddy_replay **out, struct fl_err *err)
{
    struct pass p = { .reader = reader,
                      .probes = fl_probes_new(),
                      .snapshots = fl_snapshots_new() };
    struct buddy_replay *r = calloc(1, sizeof *r);
    *out = NULL;
    int rc = p.probes && p.snapshots && r ? FL_OK : fl_nomem(err, "the page allocator");
    if (rc == FL_OK)
        rc = walk(&p, err);
    if (rc == FL_OK)
        rc = begin(&p, r, err);
    p.replay = r;
    if (rc == FL_OK)
        rc = walk(&p, err);
    p.apply = true;
    if (rc == FL_OK)
        rc = walk(&p, err);
    fl_probes_free(p.probes);
    fl_snapshots_free(p.snapshots);
    if (rc == FL_OK) {
        finish(r);
        *out = r;
    } else {
        buddy_replay_free(r);
    }
    return rc;
}
