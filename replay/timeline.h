/* SPDX-License-Identifier: GPL-2.0-or-later */
/** timeline.h - the run over time, in at most FL_TIMELINE_ROWS_MAX rows of equal length. */
#ifndef REPLAY_TIMELINE_H
#define REPLAY_TIMELINE_H

#include <faultline/replay.h>

/* Running totals and present sizes, as the stages have them. */
struct timeline_now {
    const uint64_t *faults; /* by cause */
    uint64_t evictions, pages_out, resident_pages, swapped_pages, page_tables, tlb_misses;
    const uint64_t *free_blocks; /* by order; NULL: no frames are known */
};

struct timeline {
    struct fl_timeline_row *rows;
    size_t n;
    uint64_t row_accesses;       /* length of a row */
    uint64_t in_row;             /* accesses since the last row ended */
    bool open;                   /* something has run since then, if only system calls */
    struct fl_timeline_row base; /* totals when it ended */
};

/** timeline_init - for about @accesses in all; more only make the rows longer. */
int timeline_init(struct timeline *t, uint64_t accesses, struct fl_err *err);
void timeline_fini(struct timeline *t);

/** timeline_due - is it time for timeline_row(), after @n more accesses? */
static inline bool timeline_due(struct timeline *t, uint64_t n)
{
    t->in_row += n;
    t->open = true;
    return t->in_row >= t->row_accesses;
}

/** timeline_row - end the present row. true: every two rows have become one then. */
bool timeline_row(struct timeline *t, const struct timeline_now *now);

#endif
