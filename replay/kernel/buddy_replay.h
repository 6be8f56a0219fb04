/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * buddy_replay.h - the page allocator of a recorded machine, from its recorded events.
 *
 * Begins with the free blocks of /proc/pagetypeinfo at the recording's start and takes from them
 * and gives to them what the tracepoints name. /proc does not say where free blocks lie: until
 * an event names a page, a free block is a number in a table; from then on its place is known, and
 * what it merges with and is split into follows. What is assumed where events say nothing stands
 * in docs/allocators.md.
 */
#ifndef REPLAY_BUDDY_REPLAY_H
#define REPLAY_BUDDY_REPLAY_H

#include <faultline/err.h>
#include <faultline/trace.h>

#include "buddy.h"

#define BUDDY_ZONES_MAX 16u
#define BUDDY_TIMELINE_ROWS 200u

/** What the recording and the replay say about one zone. */
struct buddy_zone_replay {
    char name[16]; /* "Normal", of the first node; "Normal@1" of another */
    uint32_t node;
    uint64_t start_pfn, spanned, managed;               /* as at the start */
    uint64_t managed_at_end;                            /* memory may be added meanwhile */
    int64_t at_start[BUDDY_ORDERS];                     /* free blocks recorded, by order */
    int64_t at_end[BUDDY_ORDERS];                       /* the same at the end */
    int64_t predicted[BUDDY_ORDERS];                    /* what the replay has at the end */
    int64_t pcp_at_start, pcp_at_end;                   /* pages on per-CPU lists, recorded */
    uint64_t takes, gives;                              /* events applied to the free lists */
    uint64_t allocs[BUDDY_ORDERS], frees[BUDDY_ORDERS]; /* requests: mm_page_alloc, mm_page_free */
    uint64_t splits[BUDDY_ORDERS], merges[BUDDY_ORDERS];
    uint64_t claims, steals; /* mm_page_alloc_extfrag, with and without the pageblock */
    uint64_t assumed_merges; /* with blocks that no event named */
    uint64_t unseen_gives;   /* pages taken from the lists that the replay had in use */
    uint64_t unseen_takes;   /* pages given to the lists that the replay had on them */
    uint64_t unexplained;    /* pages taken where no recorded block was left */
    int largest_least,
        largest_most; /* order of the largest free block: least and most in between */

    /* what the replay works on */
    struct buddy *known;                        /* blocks whose place is known */
    int64_t unknown[BUDDY_ORDERS][BUDDY_TYPES]; /* the others */
    uint8_t *page;                              /* what is known of each page: enum in the .c */
    uint64_t never_named;                       /* pages */
    double share[BUDDY_ORDERS];                 /* merges owed to blocks that no event named */
};

struct buddy_row {
    uint64_t time_ns, events;
    int64_t blocks[BUDDY_ORDERS]; /* of all zones */
    int largest;                  /* order; -1: no free block */
};

struct buddy_replay {
    struct buddy_zone_replay zone[BUDDY_ZONES_MAX];
    uint32_t n_zones;
    uint64_t events;    /* of the page allocator, applied */
    uint64_t failed;    /* requests that got nothing */
    uint64_t elsewhere; /* events of pages in no recorded zone */
    struct buddy_row row[BUDDY_TIMELINE_ROWS];
    uint32_t n_rows;
    bool has_types; /* /proc/pagetypeinfo was readable, not only buddyinfo */
};

/**
 * buddy_replay_trace - replay the page allocator's events of @r, which is rewound.
 * Errors: FL_EDATA when the trace has no such events or snapshots, with the recording to make;
 * FL_ENOMEM; those of the reader. Cost: three passes over the trace, 10 bytes a page that is named.
 */
int buddy_replay_trace(struct fl_reader *r, struct buddy_replay **out, struct fl_err *err);
void buddy_replay_free(struct buddy_replay *replay); /* NULL is fine */

/** buddy_pages - what @blocks hold. */
int64_t buddy_pages(const int64_t blocks[BUDDY_ORDERS]);

/** buddy_free_blocks - of @z now, known and unknown. */
void buddy_free_blocks(const struct buddy_zone_replay *z, int64_t blocks[BUDDY_ORDERS]);

struct json_t;

/**
 * buddy_replay_json - key `buddy` into the result @doc, with `timeline` in it, or @apart, beside it.
 * FL_ENOMEM.
 */
int buddy_replay_json(const struct buddy_replay *replay, bool apart, struct json_t *doc,
                      struct fl_err *err);

/* ---- between the files ------------------------------------------------------------------ */

/** buddy_read_zones - from the text of /proc/zoneinfo at the start: places and sizes. */
void buddy_read_zones(struct buddy_replay *replay, const char *text);
/** buddy_read_zones_end - what of it has changed. */
void buddy_read_zones_end(struct buddy_replay *replay, const char *text);
/** buddy_read_blocks - /proc/buddyinfo into at_start or at_end. false: it has none of the zones. */
bool buddy_read_blocks(struct buddy_replay *replay, const char *text, bool end);
/** buddy_read_types - /proc/pagetypeinfo into unknown; movable what it leaves open. */
void buddy_read_types(struct buddy_replay *replay, const char *text);

/** buddy_zone_begin - memory for the zone's pages. FL_ENOMEM. */
int buddy_zone_begin(struct buddy_zone_replay *z, struct fl_err *err);
/** buddy_zone_name_page - the first time that an event names these pages; were they free? */
void buddy_zone_name_page(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order, bool was_free);
/** buddy_zone_take - off the free lists; @held: order of the block it was cut from, or -1. */
void buddy_zone_take(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order,
                     enum buddy_type type, int held, enum buddy_type rest);
/** buddy_zone_give - onto them; @type BUDDY_TYPES: that of the pageblock, as far as known. */
void buddy_zone_give(struct buddy_zone_replay *z, uint64_t pfn, uint32_t order,
                     enum buddy_type type);
/** buddy_zone_has - is the page on a free list, as far as is known? */
bool buddy_zone_has(const struct buddy_zone_replay *z, uint64_t pfn);
/** buddy_zone_retype - its pageblock is @type's. */
void buddy_zone_retype(struct buddy_zone_replay *z, uint64_t pfn, enum buddy_type type);

#endif
