/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blockenc.h - one STREAM block under construction.
 */
#ifndef FL_TRACE_BLOCKENC_H
#define FL_TRACE_BLOCKENC_H

#include "codec.h"
#include "pageids.h"
#include "wire.h"

#define FL_RECENCY_DEPTH 64u /* what the writer uses when recency pays */
#define FL_ENC_JUDGED 32768u /* runs after which recency must have paid */
#define FL_ENC_PROBED 8192u  /* runs of a plain block, to see whether recency would pay */
#define FL_ENC_SHAPE_SLOTS 65536u
#define FL_SHAPE_IDS_MAX 32768u /* distinct shapes told apart while a block is open */

/* For each run that a block may have: three numbers and a code, or a page number. */
#define FL_ENC_SCRATCH (3 * sizeof(uint32_t) + 1)

/*
 * A thread's most recently used pages in this block. Pages stay in their slots, and a slot's stamp says
 * when it was used last: a page's place in the list is the number of stamps above its own.
 */
#define FL_ENC_NO_STAMP INT8_MIN /* of a slot without a page */
struct fl_enc_list {
    uint32_t n, tag; /* of its slot 0 */
    int8_t now, stamp[FL_RECENCY_DEPTH];
    uint32_t id[FL_RECENCY_DEPTH]; /* of pages, by slot */
};

/* By page id. */
#define FL_ENC_LOST 1u /* a tag: in any list, or none */
struct fl_enc_page {
    uint32_t tag; /* of a slot that it is in; each list has tags of its own. 0: in none; or: */
    uint32_t at;  /* dictionary index, if the entry there is the page's */
};

struct fl_blockenc {
    bool compares; /* the processor can compare 32 bytes at once */
    bool wide;     /* and work on 64 */
    int8_t only[FL_RECENCY_DEPTH]
               [FL_RECENCY_DEPTH]; /* by slot: the highest stamp in it, no other */
    struct fl_buf sequence, events;
    uint32_t n_events, pending_events; /* of them, not yet in the sequence */

    bool segment_open;
    uint32_t thread, mm; /* of the open segment */
    uint32_t location;   /* code + 1 of where the thread is; 0: not known */
    enum fl_actor actor;
    uint32_t segment_runs;
    struct fl_enc_list *list; /* the segment's thread's; NULL once not needed */

    uint32_t max_runs, runs, depth; /* depth: recency list entries, 0: plain indexes */
    uint8_t *codes;                 /* depth > 0: one a run */
    uint32_t *run_pages;            /* ids, one a run */
    uint32_t *indexes;              /* the far ones */
    uint32_t fars, probed, hits;
    uint32_t *locations; /* code + 1, of the runs whose page is outside the list */
    uint32_t locations_n, location_any;

    uint32_t *dict, dict_n; /* page ids; in plain blocks when they are finished */
    uint32_t epoch;         /* of this block; marks what belongs to it */
    struct fl_enc_list *lists;
    uint32_t lists_n, lists_cap, next_tag, first_tag; /* first: of this block */
    uint64_t *list_at;                                /* thread -> epoch << 32 | list */
    uint32_t list_at_cap;

    uint16_t *shape_ids; /* one a run; UINT16_MAX: in overflow */
    struct fl_shape *shapes;
    uint32_t shapes_n, last_shape;
    uint16_t *shape_slots; /* hash of shape + 1 */
    struct fl_buf overflow;

    struct fl_pageids ids;
    uint32_t pages;             /* that have ids */
    uint32_t seen, seen_before; /* of these, those of runs so far; before this block */
    uint64_t *page_vpn;         /* by id */
    uint32_t *page_mm;
    struct fl_enc_page *page;
    uint32_t page_cap;
    void *scratch; /* for the columns of a block */
    struct fl_buf raw;
    uint16_t flags;  /* of the finished block */
    size_t pairs_at; /* where its page codes are in raw, with FL_BLOCKF_PAIRS */
};

int fl_blockenc_init(struct fl_blockenc *b, uint32_t max_runs, struct fl_err *err);
void fl_blockenc_free(struct fl_blockenc *b);

static inline bool fl_blockenc_empty(const struct fl_blockenc *b)
{
    return !b->runs && !b->n_events;
}

/* fl_blockenc_full - no room for another run; or another coding would do better. */
static inline bool fl_blockenc_full(const struct fl_blockenc *b)
{
    return b->runs == b->max_runs || b->events.len >= FL_BLOCK_EVENTS_BYTES ||
           (b->runs == FL_ENC_JUDGED && b->depth && b->hits < FL_ENC_JUDGED / 4);
}

/* fl_blockenc_room - runs that fit until fl_blockenc_full() must be asked again. */
static inline uint32_t fl_blockenc_room(const struct fl_blockenc *b)
{
    uint32_t until = b->depth && b->runs < FL_ENC_JUDGED ? FL_ENC_JUDGED : b->max_runs;
    return (until < b->max_runs ? until : b->max_runs) - b->runs;
}

/* fl_blockenc_event - append a record; ends the open segment. */
int fl_blockenc_event(struct fl_blockenc *b, const struct fl_event *ev, uint64_t last_time_ns,
                      struct fl_err *err);
/* fl_blockenc_segment_fits - false: this block has runs of too many threads already. */
bool fl_blockenc_segment_fits(const struct fl_blockenc *b, uint32_t thread);
/* fl_blockenc_segment - following runs are @thread's, in @mm. */
int fl_blockenc_segment(struct fl_blockenc *b, uint32_t thread, enum fl_actor actor, uint32_t mm,
                        struct fl_err *err);
/*
 * fl_blockenc_page - id of a page, which gets one when it has none. FL_PAGE_ID_NONE: out of memory
 * or ids, as fl_blockenc_no_page() says. Ids must appear in runs in the order in which they are given.
 */
uint32_t fl_blockenc_page(struct fl_blockenc *b, uint32_t mm, uint64_t vpn);
int fl_blockenc_no_page(const struct fl_blockenc *b, struct fl_err *err);
/* fl_blockenc_pages - runs begin on pages of the segment's space. Pre: n is at most fl_blockenc_room(). */
void fl_blockenc_pages(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t n);
/* fl_blockenc_finish - encode into b->raw and b->flags. Pre: every run has its shape. */
int fl_blockenc_finish(struct fl_blockenc *b, struct fl_err *err);
/* fl_blockenc_locations - is there a CODE block to put behind this one? */
static inline bool fl_blockenc_locations(const struct fl_blockenc *b)
{
    return b->location_any != 0;
}
/* fl_blockenc_codes - encode it into b->raw, whose STREAM block is stored by now. */
int fl_blockenc_codes(struct fl_blockenc *b, struct fl_err *err);
/* fl_blockenc_next - begin the next block. */
void fl_blockenc_next(struct fl_blockenc *b);

/* ---- blockfinish.c ---- */

/* fl_blockenc_encode - the second half of fl_blockenc_finish(): the sequence is complete. */
int fl_blockenc_encode(struct fl_blockenc *b, struct fl_err *err);

/* ---- blockshapes.c ---- */

/* fl_blockenc_shape - the run that began last has ended, with these counts. */
int fl_blockenc_shape(struct fl_blockenc *b, uint32_t reads, uint32_t writes, uint32_t fetches,
                      struct fl_err *err);
/* fl_blockenc_shapes - as above, for the last @n runs, at most 4096; their sums into @sum. */
int fl_blockenc_shapes(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t n,
                       struct fl_shape *sum, struct fl_err *err);
/* fl_blockenc_count_shapes - the uses of each, from one run in @step. Pre: every run has its shape. */
void fl_blockenc_count_shapes(struct fl_blockenc *b, uint32_t step);

/* ---- blockpages.c ---- */

/* fl_blockenc_reach - a zeroed-on-growth array with index @i. False: out of memory. */
bool fl_blockenc_reach(uint64_t **array, uint32_t *cap, uint32_t i);
/* fl_blockenc_entry - dictionary index of page @id, entering it when it is new in this block. */
static inline uint32_t fl_blockenc_entry(struct fl_blockenc *b, uint32_t id)
{
    uint32_t i = b->page[id].at;
    if (i < b->dict_n && b->dict[i] == id)
        return i;
    b->dict[b->dict_n] = id;
    return b->page[id].at = b->dict_n++;
}
/* fl_blockenc_list_fits - may @thread have a list in this block? */
bool fl_blockenc_list_fits(const struct fl_blockenc *b, uint32_t thread);
/* fl_blockenc_list - @thread's list, begun when it has none. NULL: out of memory. */
struct fl_enc_list *fl_blockenc_list(struct fl_blockenc *b, uint32_t thread);

#endif
