/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "timeline.h"

int timeline_init(struct timeline *t, uint64_t accesses, struct fl_err *err)
{
    *t = (struct timeline){ .rows = calloc(FL_TIMELINE_ROWS_MAX, sizeof *t->rows) };
    t->row_accesses = accesses / (FL_TIMELINE_ROWS_MAX - 1) + 1;
    return t->rows ? FL_OK : fl_nomem(err, "timeline");
}

void timeline_fini(struct timeline *t)
{
    free(t->rows);
    *t = (struct timeline){ 0 };
}

/* @later follows @row: together they are one row. */
static void join(struct fl_timeline_row *row, const struct fl_timeline_row *later)
{
    struct fl_timeline_row sum = *later; /* sizes are the later one's */
    sum.accesses += row->accesses;
    for (int c = 0; c < FL_CAUSE_COUNT; c++)
        sum.faults[c] += row->faults[c];
    sum.evictions += row->evictions;
    sum.pages_out += row->pages_out;
    sum.tlb_misses += row->tlb_misses;
    *row = sum;
}

static void halve(struct timeline *t)
{
    for (size_t i = 0; i < t->n / 2; i++) {
        t->rows[i] = t->rows[2 * i];
        join(&t->rows[i], &t->rows[2 * i + 1]);
    }
    t->n /= 2;
    t->row_accesses *= 2;
}

bool timeline_row(struct timeline *t, const struct timeline_now *now)
{
    struct fl_timeline_row *row = &t->rows[t->n++];
    *row = (struct fl_timeline_row){
        .accesses = t->in_row,
        .evictions = now->evictions - t->base.evictions,
        .pages_out = now->pages_out - t->base.pages_out,
        .tlb_misses = now->tlb_misses - t->base.tlb_misses,
        .resident_pages = now->resident_pages,
        .swapped_pages = now->swapped_pages,
        .page_tables = now->page_tables,
    };
    for (int c = 0; c < FL_CAUSE_COUNT; c++) {
        row->faults[c] = now->faults[c] - t->base.faults[c];
        t->base.faults[c] = now->faults[c];
    }
    for (uint32_t o = 0; now->free_blocks && o < FL_ORDERS; o++)
        row->free_blocks[o] = (uint32_t)now->free_blocks[o];
    t->base.evictions = now->evictions;
    t->base.pages_out = now->pages_out;
    t->base.tlb_misses = now->tlb_misses;
    t->in_row = 0;
    t->open = false;
    bool full = t->n == FL_TIMELINE_ROWS_MAX;
    if (full)
        halve(t);
    return full;
}
