/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reduce.h - a STREAM block cut down to what LRU and OPT need: docs/reduction.md says what is left
 * out and why nothing is lost, docs/trace-format.md how a REDUCED block is coded.
 *
 * reduce.c     which runs are kept, window by window
 * reducein.c   the runs that it goes through
 * reduceenc.c  those runs as a payload
 * reducedec.c, reducepages.c  and a payload back as items
 */
#ifndef FL_TRACE_REDUCE_H
#define FL_TRACE_REDUCE_H

#include "blockdec.h"
#include "codec.h"
#include "wire.h"

#define FL_REDUCED_VERSION 2u /* and 1, whose column of locations has all runs, is read, too */
#define FL_REDUCED_HEADER 96u
#define FL_REDUCED_DEPTH 240u /* pages in the list of those touched last */
#define FL_REDUCED_FLOOR_MAX FL_LAYER_FLOOR_MAX
#define FL_REDUCE_RUNS_MAX (FL_BLOCK_RUNS_MAX + FL_COARSE_RUNS) /* of what is reduced */
#define FL_REDUCED_REASONS 5u /* a run is noted at most so often as one to keep */
enum { FL_REDUCED_CODES = 1u << 0 };

/* Where a kept run is, and what is known of it. */
struct fl_kept {
    uint64_t clock;   /* user accesses of the block before it */
    uint32_t at_need; /* number in the block << 3 | what it does: 1 reads, 2 writes, 4 fetches;
                         FL_KEPT_MUST: and it is more than a page's last in a window */
    uint32_t who;     /* thread << 1 | actor */
    uint32_t page;    /* its id */
    uint32_t code;    /* code + 1; 0: without a location */
};

#define FL_KEPT_MUST (UINT32_C(1) << 31)

static inline uint32_t fl_kept_at(const struct fl_kept *run)
{
    return (run->at_need & ~FL_KEPT_MUST) >> 3;
}

/* What a window knows of a page besides its last run. */
struct fl_reduce_slot {
    uint32_t page;
    uint32_t kept_at; /* its last run that is kept by now */
    uint32_t span;    /* once the window has ended: units touched from there to its end */
};

/*
 * By page: its last run in the window, if there is one; and what has been so since the last event
 * that changes what pages hold.
 */
struct fl_reduce_page {
    uint64_t clock;
    uint32_t at_need, who;
    uint32_t window; /* number of the window of that run << 3 | what all its runs in it do */
    uint32_t slot;
    uint32_t written, located; /* the epoch of its last write; of what follows */
    uint32_t files[2];         /* of code that its last two kept runs with a location are in, + 1 */
};

/* Runs: page ids, shapes, and what the shapes are. */
struct fl_reduce_row {
    uint64_t accesses;
    uint32_t need;
};
struct fl_reduce_runs {
    const uint32_t *page;
    const uint16_t *shape;
    const struct fl_reduce_row *rows;
};

struct fl_reduce_events {
    uint32_t at, n; /* so many records before run @at */
};

struct fl_reduce_thread {
    struct fl_kept located; /* its last run of the block with a location, */
    bool pending;           /* which has not been kept with it */
    uint32_t told;          /* the last code + 1 that a kept run has said; 0: none in the block */
};

struct fl_reduce {
    uint32_t floor, version;      /* version: of the payloads */
    const struct fl_reduce *base; /* whose pages and code they are: itself, or what it reduces */
    struct fl_pagetab pages;
    struct fl_blockdec *dec;

    /* The window: its pages in slots, and the one before. */
    uint32_t n, units, copies; /* units: pages, and copies: those that a write may have made */
    uint32_t window;           /* its number << 3 */
    struct fl_reduce_slot *slots;
    uint32_t old_n;
    struct fl_kept *old_last; /* page UINT32_MAX: nothing is left to decide of it */
    struct fl_reduce_slot *old_slots;
    uint32_t *ends; /* room to sort in */

    struct fl_reduce_runs runs; /* of the batch */
    uint16_t one_by_one[FL_BATCH_RUNS];
    struct fl_reduce_row *rows;
    uint32_t rows_room, location_at;

    struct fl_reduce_page *by_page;
    uint32_t pages_room, epoch, first_fresh; /* pages that blocks before this one have */

    /* The block. */
    uint64_t clock;
    uint32_t at;
    bool behind_kernel; /* the run before was a system call's */
    bool too_many;      /* kept: it does not pay */
    struct fl_kept *kept, *sorted;
    uint32_t n_kept, most_kept, kept_room, n_sorted;
    struct fl_reduce_events *events;
    uint32_t n_events, events_room, records;
    struct fl_cur block_records; /* all of them, in what is reduced */
    uint64_t counts[5];          /* user reads, writes, fetches; of system calls: reads, writes */
    uint64_t *bits;              /* by run: it is kept */
    uint32_t *rank;              /* by word of these: kept runs before it */

    struct fl_reduce_thread *threads;
    uint32_t threads_room;
    uint32_t *file_of; /* by code, of all blocks so far; + 1 */
    uint32_t codes, codes_room;
    char *text;
};

/* fl_reduce_new - NULL: out of memory. @floor: 1 to FL_REDUCED_FLOOR_MAX pages a window. */
struct fl_reduce *fl_reduce_new(uint32_t floor);
void fl_reduce_free(struct fl_reduce *x); /* NULL is fine */

/* The runs of a block, from whom has just encoded it. */
struct fl_reduce_given {
    const uint32_t *page;  /* ids, one a run */
    const uint16_t *shape; /* one a run, of these: */
    const struct fl_shape *shapes;
    uint32_t n_shapes;
    const uint8_t *codes; /* one a run; NULL: each is outside all lists */
    uint32_t depth;
    const uint32_t *locations; /* code + 1, of those whose code is @depth or more */
    uint64_t counts[5];        /* as of struct fl_reduce */
};

/* A STREAM block's payload, decoded, with that of its CODE block (NULL: none). */
struct fl_reduce_input {
    const uint8_t *raw, *codes;
    size_t raw_len, codes_len;
    uint16_t flags; /* of its envelope */
    uint32_t runs;
    uint64_t time_ns;                    /* of the last event before it */
    const struct fl_reduce_given *given; /* NULL: the runs are decoded */
};

/*
 * fl_reduce_block - the REDUCED payload of the next block into @out; @out->len is 0 where more than
 * @most runs would be left. Blocks come in order, all of them.
 * FL_EFORMAT: not a payload that a reader would take; FL_ENOMEM. Messages are the bare reason.
 */
int fl_reduce_block(struct fl_reduce *x, const struct fl_reduce_input *in, uint32_t most,
                    struct fl_buf *out, struct fl_err *err);

/* ---- reducein.c: the runs of a block, decoded or given ---- */

/* fl_reduce_rows - before the first. FL_ENOMEM. @given: with the counts of all; NULL where they are decoded. */
int fl_reduce_rows(struct fl_reduce *x, const struct fl_reduce_given *given, struct fl_err *err);
/* fl_reduce_take - the next @n into x->runs, with their locations in x->dec->batch. */
void fl_reduce_take(struct fl_reduce *x, const struct fl_reduce_given *given, uint32_t n);
/* fl_reduce_decoded - the same, and counted, of those that fl_blockdec_runs() has just decoded. */
void fl_reduce_decoded(struct fl_reduce *x, bool user, uint32_t n);

/* ---- reduceenc.c ---- */

/* fl_reduce_encode - x->kept, complete, as a payload. */
int fl_reduce_encode(struct fl_reduce *x, const struct fl_reduce_input *in,
                     const struct fl_cur *records, struct fl_buf *out, struct fl_err *err);

/*
 * What has been reduced once is reduced again, several blocks together:
 * fl_reduce_begin - from the block on that @from, which outlives its use here, has just reduced.
 * fl_reduce_again - that block, of which a payload came; @most as of fl_reduce_block(), of all
 *   blocks since the begin.
 * fl_reduce_end - all of it as one payload, behind what is in @out; nothing where it is too much.
 *   @in: its time and runs, @records: its event records.
 */
void fl_reduce_begin(struct fl_reduce *x, const struct fl_reduce *from);
int fl_reduce_again(struct fl_reduce *x, uint32_t most, struct fl_err *err);
int fl_reduce_end(struct fl_reduce *x, const struct fl_reduce_input *in,
                  const struct fl_cur *records, struct fl_buf *out, struct fl_err *err);

/* ---- reading ---- */

struct fl_reduced {
    uint32_t floor, runs, dict_n, n_events, stream_runs;
    uint64_t time_ns, counts[5]; /* as of struct fl_reduce */
    struct fl_cur sequence, events;
    bool has_codes;
    const uint8_t *codes, *kinds, *accesses;
    const uint8_t *located, *locations; /* located: bits, of which runs; NULL: of all */
    unsigned far_width, accesses_width, location_width;
    uint32_t *dict, *fars, dict_cap, fars_cap; /* ids of pages */
    uint32_t run_at, events_seen, dict_next, n_fars, far_at, n_locations, location_at;
    uint32_t slots[256], list_n; /* ids of the pages touched last, and their order: */
    uint8_t list[256];           /* slots, the latest first; what is behind list_n is free */
    struct fl_batch batch;
};

/* fl_reduced_load - take a payload, which must outlive its use here. FL_EFORMAT, FL_ENOMEM;
 * FL_EVERSION: of a version that this build does not know. @blocks: that it stands for. */
int fl_reduced_load(struct fl_reduced *d, const uint8_t *raw, size_t len, uint32_t blocks,
                    struct fl_pagetab *pages, struct fl_err *err);
/* fl_reduced_known - a version that this build reads. */
static inline bool fl_reduced_known(uint64_t version)
{
    return version == 1 || version == FL_REDUCED_VERSION;
}
/* fl_reduced_count - runs that a payload of ours keeps. */
static inline uint32_t fl_reduced_count(const uint8_t *payload)
{
    return (uint32_t)fl_get_le(payload + 12, 4);
}
/* fl_reduced_runs - the next @n (1 to FL_BATCH_RUNS) runs into d->batch. */
int fl_reduced_runs(struct fl_reduced *d, enum fl_actor actor, uint32_t n, uint32_t codes,
                    struct fl_err *err);
/* fl_reduced_pages - of these the pages, into d->batch.page. False: a code that names nothing. */
bool fl_reduced_pages(struct fl_reduced *d, uint32_t n);
bool fl_reduced_pages_plain(struct fl_reduced *d, uint32_t n); /* the same on any processor */
int fl_reduced_end(const struct fl_reduced *d, struct fl_err *err);
void fl_reduced_free(struct fl_reduced *d);

#endif
