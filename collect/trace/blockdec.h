/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blockdec.h - one STREAM block being read.
 */
#ifndef FL_TRACE_BLOCKDEC_H
#define FL_TRACE_BLOCKDEC_H

#include "codec.h"
#include "wire.h"

#define FL_BATCH_RUNS 4096u

/* What ids mean, over the whole trace. */
struct fl_pagetab {
    uint64_t *vpn;
    uint32_t *mm;
    uint32_t n, cap;
};
void fl_pagetab_free(struct fl_pagetab *t);
/* fl_pagetab_enter - what a dictionary says of @id: the next one, or the same again. FL_EFORMAT. */
int fl_pagetab_enter(struct fl_pagetab *t, uint64_t id, uint64_t mm, uint64_t vpn,
                     struct fl_err *err);

/* One shape of runs; facts: enum fl_run_facts, and those of below. */
struct fl_shape_row {
    uint32_t count[3], facts;
};
/* fl_facts_of_run - enum fl_run_facts of one. */
static inline unsigned fl_facts_of_run(uint32_t r, uint32_t w, uint32_t f)
{
    return ((uint64_t)r + w + f > 1 ? FL_RUNS_LONG : 0u) | (w ? FL_RUNS_WRITES : 0u) |
           (f ? FL_RUNS_FETCHES : 0u);
}

#define FL_FACT_ESCAPE (1u << 30) /* of the next escape instead */
#define FL_FACT_BAD (1u << 31)    /* no such shape */

/* The runs that were decoded last, and where some of them began. */
struct fl_batch {
    unsigned facts; /* enum fl_run_facts */
    uint32_t page[FL_BATCH_RUNS], count[3][FL_BATCH_RUNS];
    uint32_t run_codes_n;
    struct fl_run_code run_codes[FL_BATCH_RUNS];
};

struct fl_blockdec {
    const uint8_t *index_planes, *codes, *shape_codes, *escape_planes[3];
    bool pairs;                                /* each shape code is behind the run's page code */
    const uint8_t *batch_codes, *batch_shapes; /* of the runs under way */
    uint32_t depth, runs, dict_n, fars, escapes, n_events;
    unsigned index_width, escape_width[3];
    bool ids;            /* indexes are page ids; they and the shape codes are bit columns: */
    unsigned shape_bits; /* of @ids; of index_width, too */
    uint32_t pages_n;    /* ids that @ids may name */
    struct fl_cur sequence, events;

    uint32_t *dict; /* dictionary index -> page id */
    uint32_t dict_cap, dict_next;
    uint32_t run_at, far_at, escape_at, events_seen;

    uint32_t epoch;    /* of this block */
    uint64_t *list_at; /* thread -> epoch << 32 | list */
    uint32_t list_at_cap;
    uint32_t *lists; /* lists_n of depth entries */
    uint16_t *list_len;
    uint32_t lists_n;
    size_t lists_cap; /* entries */

    uint32_t shapes_n, escape_code;
    bool one_shape; /* and no escape: the columns are filled already */
    struct fl_shape_row shape[256];
    struct fl_batch batch;
    uint8_t room[FL_BATCH_RUNS + 16], more_room[FL_BATCH_RUNS + 16];

    uint32_t outside_n; /* runs of the batch whose page is in no list, */
    uint16_t outside[FL_BATCH_RUNS];

    bool has_codes; /* and, then, where they began */
    const uint8_t *location_planes;
    unsigned location_width;
    uint32_t locations, location_at;
};

/*
 * fl_blockdec_load - take a STREAM payload, which must outlive its use here, and
 * enter its dictionary into @pages. @flags, @runs: as its envelope says. Errors: FL_EFORMAT,
 * FL_ENOMEM; messages are the bare reason.
 */
int fl_blockdec_load(struct fl_blockdec *d, const uint8_t *raw, size_t len, unsigned flags,
                     uint32_t runs, struct fl_pagetab *pages, struct fl_err *err);
/*
 * fl_blockdec_codes - take the CODE payload of the block just loaded, likewise. FL_EFORMAT,
 * and nothing is taken, when it is not what the block's runs need.
 */
int fl_blockdec_codes(struct fl_blockdec *d, const uint8_t *raw, size_t len, struct fl_err *err);
/* fl_blockdec_runs - the next @n (1 to FL_BATCH_RUNS) runs, of @thread, into d->batch.page, d->batch.count
 * and d->batch.facts, and the locations among them, below @codes, into d->batch.run_codes. */
int fl_blockdec_runs(struct fl_blockdec *d, uint32_t thread, uint32_t n, uint32_t codes,
                     struct fl_err *err);
/*
 * fl_recency_pages - the next @n page codes, of list @which, into d->batch.page. False: a code
 * that names nothing. Pre: depth > 0, and there are @n codes.
 */
bool fl_recency_pages(struct fl_blockdec *d, uint32_t which, uint32_t n);
/* fl_shapes_load - the shape table of @n, from three plane columns of that width. */
int fl_shapes_load(struct fl_blockdec *d, const uint8_t *const planes[3], const unsigned width[3],
                   struct fl_err *err);
/* fl_shapes_runs - counts and facts of the next @n runs. False: one that has no accesses, or no
 * shape that there is. */
bool fl_shapes_runs(struct fl_blockdec *d, uint32_t n);
/* fl_blockdec_end - has everything in the block been used, exactly? */
int fl_blockdec_end(const struct fl_blockdec *d, struct fl_err *err);
void fl_blockdec_free(struct fl_blockdec *d);

#endif
