/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recorded allocator events, from the recording's first slabinfo to its last. */
#include <faultline/kernel_slab.h>

#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "grow.h"
#include "slab.h"
#include "slab_events.h"
#include "slab_follow.h"
#include "slab_owner.h"
#include "slab_past.h"

#define LOOK_MAX 1000000
#define AGREE 8                       /* slabs that say alike where page frame 0 is seen */
#define MAP_ALIGN (UINT64_C(1) << 21) /* at least, of that */

/* When the kernel had shrunk a cache after the last slabinfo, and what that had left. */
struct settling {
    uint64_t at_ns;
    uint32_t cache;
    const struct slab_info_row *row;
};

struct pass {
    struct fl_slab_replay *out; /* what is counted; of rows, by cache */
    struct fl_slab_replay
        at_end; /* the same when the last slabinfo was read; rows NULL: it was not yet */
    struct settling *settling; /* the first to come first */
    size_t n_settling, settled;
    struct slab_events events;
    uint64_t map_base; /* where the kernel sees page frame 0 */
    uint32_t votes;    /* AGREE: it is known */
    uint32_t looked;   /* events, while none was of pages */
    bool pages;
    struct slab_event taken[64]; /* by CPU: the pages it took last */
    struct slab_past_pass *past;
    struct slab_follow *follow;
    struct slab_owners *owners;
    uint64_t *several; /* of each node: is it the first of several for one change? */
    uint32_t n_several;
};

static uint64_t address_of(const struct pass *p, uint64_t frame)
{
    return p->map_base + frame * FL_PAGE_BYTES;
}

/* Are these pages that a slab may have? */
static bool may_be_slab(const struct pass *p, const struct slab_event *ev)
{
    return p->votes >= AGREE && !(ev->kind == SLAB_EV_PAGES_TAKEN && ev->movable);
}

/* ---- where pages are ------------------------------------------------------------------- */

/* A CPU that takes pages and then has an object of a slab as large has most likely filled them with it. */
static int find_base(void *ctx, const struct slab_event *ev, struct fl_err *err)
{
    struct pass *p = ctx;
    struct slab_event *last = &p->taken[ev->cpu % FL_COUNT(p->taken)];
    (void)err;
    if (ev->kind == SLAB_EV_PAGES_TAKEN) {
        *last = *ev;
        p->pages = true;
    }
    p->events.stop = !p->pages && ++p->looked == LOOK_MAX; /* it has no events of pages, it seems */
    if (ev->kind != SLAB_EV_ALLOC || ev->cache >= p->events.info.n)
        return FL_OK;
    uint64_t bytes = FL_PAGE_BYTES << p->events.info.rows[ev->cache].order;
    uint64_t base = (ev->at & ~(bytes - 1)) - last->at * FL_PAGE_BYTES;
    if (last->at && FL_PAGE_BYTES << last->order == bytes && base % MAP_ALIGN == 0) {
        if (base != p->map_base)
            p->votes = 0;
        p->map_base = base;
        p->events.stop = ++p->votes == AGREE;
    }
    last->at = 0;
    return FL_OK;
}

/* ---- the first time: what was there ------------------------------------------------------ */

/* Which nodes are for the same change shows only when the second one is taken. */
static int look_for_several(struct pass *p, const struct slab_event *ev, struct fl_err *err)
{
    const struct slab_owned got = { ev->at, ev->time_ns, ev->cache, ev->tid, ev->waits };
    struct slab_node_use use;
    int rc = slab_owners_alloc(p->owners, &got, &use, err);
    if (rc != FL_OK || !use.goes_on)
        return rc;
    if (use.first / 64 >= p->n_several) {
        uint32_t n = grow_room_for(p->n_several, (uint64_t)use.first / 64 + 1);
        if (!n || !grow(&p->several, n))
            return fl_nomem(err, "slab caches");
        memset(p->several + p->n_several, 0, (n - p->n_several) * sizeof *p->several);
        p->n_several = n;
    }
    slab_set_bit(p->several, use.first, true);
    return FL_OK;
}

/* Is an object that RCU is to let go free for the one who counts? In other caches than those with sheaves it is told again. */
static bool back_for_rcu(const struct pass *p, const struct slab_event *ev)
{
    uint32_t cache = slab_past_cache(p->past, ev->at);
    return cache >= p->events.info.n || slab_info_sheaves(&p->events.info.rows[cache]);
}

static int look_back(void *ctx, const struct slab_event *ev, struct fl_err *err)
{
    struct pass *p = ctx;
    if (ev->kind == SLAB_EV_END)
        return FL_OK;
    bool pages = ev->kind == SLAB_EV_PAGES_TAKEN || ev->kind == SLAB_EV_PAGES_GIVEN;
    if (!p->past) {
        p->past = slab_past_begin(&p->events.info, p->events.cpus, p->votes >= AGREE);
        p->owners = p->past ? slab_owners_new(&p->events.info) : NULL;
        if (!p->owners)
            return fl_nomem(err, "slabs of the start");
    }
    slab_past_time(p->past, ev->time_ns);
    if (pages)
        return may_be_slab(p, ev) ? slab_past_pages(p->past, address_of(p, ev->at),
                                                    ev->kind == SLAB_EV_PAGES_TAKEN, err)
                                  : FL_OK;
    if (ev->cache >= p->events.info.n && ev->cache != SLAB_CACHE_UNTOLD)
        return FL_OK;
    if (ev->kind == SLAB_EV_FREE_RCU && !back_for_rcu(p, ev))
        return FL_OK;
    if (ev->kind != SLAB_EV_ALLOC)
        return slab_past_release(p->past, ev->cache, ev->at, err);
    int rc = look_for_several(p, ev, err);
    return rc == FL_OK ? slab_past_alloc(p->past, ev->cache, ev->cpu, ev->at, err) : rc;
}

/* ---- the second time: what happened -------------------------------------------------------- */

/* Nodes that one change takes several of are from a sheaf that was filled for them. */
static int choose_sheaf(struct pass *p, const struct slab_event *ev,
                        const struct slab_node_use *use, struct fl_err *err)
{
    bool several = use->first / 64 < p->n_several && slab_bit(p->several, use->first);
    enum slab_from from = several ? SLAB_FROM_LENT : ev->waits ? SLAB_FROM_OWN : SLAB_FROM_NOWAIT;
    int rc = FL_OK;
    if (several && !use->goes_on) /* what was lent before is back */
        rc = slab_follow_from(p->follow, ev->cache, ev->cpu, SLAB_FROM_OWN, err);
    return rc == FL_OK ? slab_follow_from(p->follow, ev->cache, ev->cpu, from, err) : rc;
}

static int take_replaced(struct pass *p, const struct slab_event *ev, uint64_t node,
                         struct fl_err *err)
{
    bool known;
    int rc = slab_follow_rcu(p->follow, ev->cache, ev->cpu, node, &known, err);
    p->out->rows[ev->cache].inferred_frees += rc == FL_OK && known;
    return rc;
}

static int take_alloc(struct pass *p, const struct slab_event *ev, struct fl_err *err)
{
    if (ev->cache >= p->out->n_rows) {
        p->out->unknown_cache += ev->cache == SLAB_CACHE_NONE;
        p->out->large += ev->cache == SLAB_CACHE_PAGES;
        return FL_OK;
    }
    struct fl_slab_row *row = &p->out->rows[ev->cache];
    const struct slab_owned got = { ev->at, ev->time_ns, ev->cache, ev->tid, ev->waits };
    struct slab_node_use use;
    bool told = p->events.frees_told;
    uint64_t other = told ? 0 : slab_owners_mistaken(p->owners, ev->cache, ev->at);
    int rc = slab_owners_alloc(p->owners, &got, &use, err);
    if (rc != FL_OK || !slab_follow_begun(p->follow, ev->cache))
        return rc;
    if (other)
        slab_follow_exchange(p->follow, ev->cache, other, ev->at);
    row->allocs++;
    row->requested_bytes += ev->requested;
    row->given_bytes += ev->given;
    if (!ev->by_size && ev->requested <= row->size_bytes)
        row->object_bytes = (uint32_t)ev->requested;
    if (use.is_node)
        rc = choose_sheaf(p, ev, &use, err);
    if (rc == FL_OK)
        rc = slab_follow_alloc(p->follow, ev->cache, ev->cpu, ev->at, err);
    if (rc == FL_OK && use.replaced && !told)
        rc = take_replaced(p, ev, use.replaced, err);
    return rc;
}

/* What goes with the object freed at @ev, without an event of its own. */
static int take_owned(struct pass *p, uint32_t cache, const struct slab_event *ev,
                      struct fl_err *err)
{
    const uint64_t *nodes;
    uint32_t of;
    bool known;
    size_t n = slab_owners_end(p->owners, cache, ev->at, &nodes, &of);
    int rc = n ? slab_follow_from(p->follow, of, ev->cpu, SLAB_FROM_OWN, err) : FL_OK;
    for (size_t i = 0; i < n && rc == FL_OK; i++) {
        slab_follow_bulk(p->follow, of, ev->cpu, nodes[i], &known);
        p->out->rows[of].inferred_frees += known;
    }
    return rc;
}

static int take_free(struct pass *p, const struct slab_event *ev, struct fl_err *err)
{
    uint32_t cache = ev->cache == SLAB_CACHE_UNTOLD ? SLAB_NONE : ev->cache;
    bool known;
    if (ev->cache == SLAB_CACHE_NONE) {
        p->out->unknown_cache++;
        return FL_OK;
    }
    int rc = slab_follow_release(p->follow, &cache, ev->cpu, ev->at, &known, err);
    if (rc == FL_OK && !known)
        p->out->unknown_frees++;
    else if (rc == FL_OK)
        p->out->rows[cache].frees += slab_follow_begun(p->follow, cache);
    return rc == FL_OK && known && !p->events.frees_told ? take_owned(p, cache, ev, err) : rc;
}

/* One that passes no tracepoint, but was recorded. */
static int take_quiet_free(struct pass *p, const struct slab_event *ev, struct fl_err *err)
{
    const struct slab_info *info = &p->events.info;
    uint32_t cache = ev->cache < info->n ? ev->cache : slab_follow_cache(p->follow, ev->at);
    bool rcu = ev->kind == SLAB_EV_FREE_RCU, known;
    int rc = FL_OK;
    if (cache >= info->n) {
        p->out->unknown_frees += !rcu;
        return FL_OK;
    }
    bool sheaves = slab_info_sheaves(&info->rows[cache]);
    if (rcu && !sheaves)
        return FL_OK; /* it is told when it is free */
    if (sheaves)
        rc = slab_follow_from(p->follow, cache, ev->cpu, SLAB_FROM_OWN, err);
    if (rc == FL_OK && rcu)
        rc = slab_follow_rcu(p->follow, cache, ev->cpu, ev->at, &known, err);
    else if (rc == FL_OK)
        slab_follow_bulk(p->follow, cache, ev->cpu, ev->at, &known);
    p->out->rows[cache].frees += rc == FL_OK && known && slab_follow_begun(p->follow, cache);
    return rc;
}

/* ---- the end ---------------------------------------------------------------------------- */

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

/* The end, as far as slabinfo told of it: what is counted from here on is not asked for. */
static int look(struct pass *p, struct fl_err *err)
{
    struct fl_slab_replay *at_end = &p->at_end;
    *at_end = *p->out;
    at_end->rows = calloc(at_end->n_rows, sizeof *at_end->rows);
    if (!at_end->rows)
        return fl_nomem(err, "slab caches");
    memcpy(at_end->rows, p->out->rows, at_end->n_rows * sizeof *at_end->rows);
    for (uint32_t i = 0; i < at_end->n_rows; i++) {
        struct fl_slab_row *row = &at_end->rows[i];
        const struct slab_info_row *end = slab_info_find(&p->events.end, row->name);
        slab_follow_look(p->follow, i, row);
        row->internal_waste_bytes = waste_of(row);
        if (end)
            row->end = end->state;
    }
    at_end->has_end = p->events.end.n != 0;
    return FL_OK;
}

/* The caches that were shrunk until @time_ns are, one after the other. */
static int settle(struct pass *p, uint64_t time_ns, struct fl_err *err)
{
    int rc = FL_OK;
    for (; p->settled < p->n_settling && rc == FL_OK; p->settled++) {
        const struct settling *s = &p->settling[p->settled];
        struct fl_slab_row *row = &p->at_end.rows[s->cache];
        if (s->at_ns > time_ns)
            break;
        rc = slab_follow_time(p->follow, s->at_ns, err);
        if (rc == FL_OK)
            rc = slab_follow_settle(p->follow, s->cache, &row->predicted_settled, err);
        row->settled = s->row->state;
        row->has_settled = p->at_end.has_settled = true;
    }
    return rc;
}

static int by_time(const void *a, const void *b)
{
    const struct settling *x = a, *y = b;
    return x->at_ns != y->at_ns ? (x->at_ns < y->at_ns ? -1 : 1)
                                : (x->cache > y->cache) - (x->cache < y->cache);
}

static int plan_settling(struct pass *p, struct fl_err *err)
{
    const struct slab_info *info = &p->events.settled;
    if (!(p->settling = calloc(info->n + 1, sizeof *p->settling)))
        return fl_nomem(err, "slab caches");
    for (size_t i = 0; i < info->n; i++) {
        const struct slab_info_row *row = &info->rows[i];
        uint32_t cache = slab_info_index(&p->events.info, row->name);
        if (slab_info_settled(row) && cache != UINT32_MAX)
            p->settling[p->n_settling++] = (struct settling){ row->since_ns, cache, row };
    }
    qsort(p->settling, p->n_settling, sizeof *p->settling, by_time);
    return FL_OK;
}

static int by_events(const void *a, const void *b)
{
    const struct fl_slab_row *x = a, *y = b;
    uint64_t n = x->allocs + x->frees, m = y->allocs + y->frees;
    return n != m ? (n < m ? 1 : -1) : strcmp(x->name, y->name);
}

static int finish(struct pass *p, struct fl_err *err)
{
    int rc = p->at_end.rows ? FL_OK : look(p, err);
    if (rc == FL_OK)
        rc = settle(p, UINT64_MAX, err);
    if (rc != FL_OK)
        return rc;
    free(p->out->rows);
    *p->out = p->at_end;
    p->at_end.rows = NULL;
    p->out->lost = p->events.lost;
    qsort(p->out->rows, p->out->n_rows, sizeof *p->out->rows, by_events);
    return FL_OK;
}

/* ---- the second time, all of it -------------------------------------------------------------- */

static int follow(void *ctx, const struct slab_event *ev, struct fl_err *err)
{
    struct pass *p = ctx;
    int rc = p->at_end.rows ? settle(p, ev->time_ns, err) : FL_OK;
    if (rc == FL_OK)
        rc = slab_follow_time(p->follow, ev->time_ns, err);
    if (rc != FL_OK)
        return rc;
    if (ev->kind == SLAB_EV_END)
        return look(p, err);
    if (ev->kind == SLAB_EV_PAGES_GIVEN && may_be_slab(p, ev))
        slab_follow_pages(p->follow, address_of(p, ev->at));
    if (ev->kind == SLAB_EV_PAGES_TAKEN && p->votes >= AGREE)
        slab_follow_taken(p->follow, ev->cpu, address_of(p, ev->at), ev->order,
                          ev->no_retry && !ev->movable);
    if (ev->kind == SLAB_EV_PAGES_GIVEN || ev->kind == SLAB_EV_PAGES_TAKEN)
        return FL_OK;
    p->out->events++;
    return ev->kind == SLAB_EV_ALLOC  ? take_alloc(p, ev, err)
           : ev->kind == SLAB_EV_FREE ? take_free(p, ev, err)
                                      : take_quiet_free(p, ev, err);
}

static int make_rows(struct pass *p, struct fl_err *err)
{
    const struct slab_info *info = &p->events.info;
    p->out->rows = calloc(info->n, sizeof *p->out->rows);
    if (!p->out->rows)
        return fl_nomem(err, "slab caches");
    p->out->n_rows = info->n;
    for (size_t i = 0; i < info->n; i++) {
        struct fl_slab_row *row = &p->out->rows[i];
        const struct slab_info_row *from = &info->rows[i];
        memcpy(row->name, from->name, sizeof row->name);
        row->object_bytes = row->size_bytes = from->size;
        row->objects_per_slab = from->objects;
        row->order = from->order;
        row->start = from->state;
    }
    return FL_OK;
}

static int replay(struct pass *p, struct fl_reader *r, struct fl_err *err)
{
    struct slab_past past = { 0 };
    int rc = slab_events_run(&p->events, r, find_base, p, err);
    if (rc == FL_OK)
        rc = slab_events_run(&p->events, r, look_back, p, err);
    if (rc == FL_OK && !p->past)
        rc = fl_fail(err, FL_EDATA,
                     "the trace has no slab events or no slabinfo of its start; record with "
                     "--kernel-groups slab -a, as root");
    if (p->past)
        past = slab_past_end(p->past);
    if (rc == FL_OK)
        rc = make_rows(p, err);
    slab_owners_free(p->owners);
    p->owners = NULL;
    if (rc == FL_OK && !(p->owners = slab_owners_new(&p->events.info)))
        rc = fl_nomem(err, "slab caches");
    if (rc == FL_OK &&
        !(p->follow = slab_follow_new(&p->events.info, &past, p->events.cpus, p->votes >= AGREE)))
        rc = fl_nomem(err, "slab caches");
    if (rc == FL_OK)
        rc = plan_settling(p, err);
    if (rc == FL_OK)
        rc = slab_events_run(&p->events, r, follow, p, err);
    if (rc == FL_OK)
        rc = finish(p, err);
    slab_past_free(&past);
    return rc;
}

int fl_slab_replay(struct fl_reader *r, struct fl_slab_replay *out, struct fl_err *err)
{
    struct pass p = { .out = out };
    *out = (struct fl_slab_replay){ 0 };
    int rc = replay(&p, r, err);
    slab_follow_free(p.follow);
    slab_owners_free(p.owners);
    free(p.several);
    free(p.settling);
    free(p.at_end.rows);
    slab_events_free(&p.events);
    if (rc != FL_OK)
        fl_slab_replay_free(out);
    return rc;
}

void fl_slab_replay_free(struct fl_slab_replay *out)
{
    free(out->rows);
    *out = (struct fl_slab_replay){ 0 };
}
