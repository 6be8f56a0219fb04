/* SPDX-License-Identifier: GPL-2.0-or-later */
/** slab_events.h - the allocator events of a recording, between its first slabinfo and its last. */
#ifndef REPLAY_SLAB_EVENTS_H
#define REPLAY_SLAB_EVENTS_H

#include <faultline/kernel_events.h>
#include <faultline/trace.h>

#include "slab_info.h"
#include "slab_map.h"

#define SLAB_CACHE_NONE UINT32_MAX         /* of no cache that the first slabinfo has */
#define SLAB_CACHE_PAGES (UINT32_MAX - 1)  /* a large kmalloc: from the page allocator */
#define SLAB_CACHE_UNTOLD (UINT32_MAX - 2) /* kfree does not say */

enum slab_event_kind {
    SLAB_EV_ALLOC,
    SLAB_EV_FREE,
    SLAB_EV_FREE_RCU,  /* when RCU lets it: kfree_rcu */
    SLAB_EV_FREE_BULK, /* one of many */
    SLAB_EV_PAGES_TAKEN,
    SLAB_EV_PAGES_GIVEN,
    SLAB_EV_END /* the last slabinfo was read; what comes after is of caches that are shrunk */
};

struct slab_event {
    enum slab_event_kind kind;
    uint32_t cache; /* of objects: a row of slabinfo, or SLAB_CACHE_* */
    uint32_t cpu, order, tid;
    bool movable;  /* of pages taken: for a program or file, never for a slab */
    bool no_retry; /* of pages taken: as slabs are, and little else */
    bool by_size;  /* kmalloc */
    bool waits;    /* who allocates may sleep */
    uint64_t at;   /* an object's address; a page's frame number */
    uint64_t requested, given, time_ns;
};

struct slab_probe;

/** All zero to begin with. */
struct slab_events {
    struct slab_info info; /* the first slabinfo; empty: none was there */
    struct slab_info end;  /* the last; empty: none. After a whole run. */
    /* what of it was shrunk then (slab_info_settled()), with what that left; empty: nothing was */
    struct slab_info settled;
    bool stop;     /* set by who takes them: no more */
    uint64_t lost; /* records the recorder lost; of the last run */
    uint32_t cpus;

    struct fl_probes *probes;
    struct fl_snapshots *snapshots;
    struct slab_probe *probe;
    uint32_t n_probes, room_probes;
    struct slab_map names; /* name id -> row + 1; 0: none */
    uint32_t kmalloc[4][13];
    bool begun, ended;
    bool frees_told; /* the recording has those that pass no tracepoint; after a whole run */
};

typedef int slab_events_fn(void *ctx, const struct slab_event *ev, struct fl_err *err);

/**
 * slab_events_run - @r's events from the first to the last; may be called again. Those behind the last slabinfo are
 * left out when a run has shown that nothing was settled there.
 * Errors: the reader's; FL_EFORMAT for a slabinfo that is none; what @take returns; FL_ENOMEM.
 */
int slab_events_run(struct slab_events *e, struct fl_reader *r, slab_events_fn *take, void *ctx,
                    struct fl_err *err);
void slab_events_free(struct slab_events *e);

#endif
