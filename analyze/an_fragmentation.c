/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much of free memory is in blocks too small for a request, over time: the kernel's unusable
   free space index (Gorman; mm/vmstat.c), and its fragmentation index where the request fails. */
#include <faultline/units.h>

#include "an.h"

#define HUGE_ORDER 9u

static const struct {
    unsigned order;
    const char *words;
    unsigned style;
} sizes[] = { { 2, "in blocks under 16 KiB", 5 },
              { 4, "under 64 KiB", 3 },
              { 6, "under 256 KiB", 2 },
              { HUGE_ORDER, "under 2 MiB", 6 } };

/* A row of free blocks by order. */
struct free_blocks {
    uint64_t n[AN_ORDERS];
};

static void read_blocks(const struct an_timeline *t, size_t row, const size_t columns[AN_ORDERS],
                        struct free_blocks *f)
{
    for (unsigned o = 0; o < AN_ORDERS; o++) {
        f->n[o] = an_timeline_get(t, row, columns[o]);
        if (f->n[o] > UINT64_MAX >> 16) /* of no machine there is */
            f->n[o] = UINT64_MAX >> 16;
    }
}

static uint64_t pages_from(const struct free_blocks *f, unsigned order)
{
    uint64_t pages = 0;
    for (unsigned o = order; o < AN_ORDERS; o++)
        pages += f->n[o] << o;
    return pages;
}

static uint64_t unusable_bp(const struct free_blocks *f, unsigned order)
{
    uint64_t all = pages_from(f, 0);
    return an_share_bp(all - pages_from(f, order), all);
}

/* 1 - (1 + F / 2^k) / B, in basis points; false: a block is large enough, or none is free. */
static bool fragmentation_bp(const struct free_blocks *f, unsigned order, uint64_t *bp)
{
    uint64_t blocks = 0;
    for (unsigned o = 0; o < AN_ORDERS; o++)
        blocks += f->n[o];
    if (!blocks || pages_from(f, order))
        return false;
    double index = 1 - (1 + (double)pages_from(f, 0) / (double)(1u << order)) / (double)blocks;
    *bp = index < 0 ? 0 : (uint64_t)(index * 10000 + 0.5);
    return true;
}

static void write_title(struct fl_table *t, const struct free_blocks *first,
                        const struct free_blocks *last, unsigned order)
{
    char large[FL_FORMAT_BYTES];
    uint64_t from = unusable_bp(first, order), to = unusable_bp(last, order), index;
    fl_format_bytes(large, (UINT64_C(4096) << order));
    if (fragmentation_bp(last, order, &index))
        fl_table_label(t, &t->title,
                       "At the end no block of %s is free: fragmentation index %u.%02u", large,
                       (unsigned)(index / 10000), (unsigned)(index / 100 % 100));
    else
        fl_table_label(
            t, &t->title,
            "Of free memory %u.%u %% is in blocks of less than %s; %u.%u %% at the start",
            (unsigned)(to / 100), (unsigned)(to / 10 % 10), large, (unsigned)(from / 100),
            (unsigned)(from / 10 % 10));
}

static int draw(const struct json_t *result, const struct an_timeline *t,
                const size_t columns[AN_ORDERS], struct fl_table **out, struct fl_err *err)
{
    struct free_blocks first = { 0 }, blocks = { 0 };
    struct fl_table *table = fl_table_new("fragmentation");
    if (!table)
        return fl_nomem(err, "chart fragmentation");
    an_timeline_axis(t, table);
    for (size_t k = 0; k < FL_COUNT(sizes); k++)
        fl_table_column(table, sizes[k].words, FL_UNIT_BP, sizes[k].style);
    for (size_t r = 0; r < t->n_rows; r++) {
        size_t row = fl_table_row(table);
        read_blocks(t, r, columns, &blocks);
        if (r == 0)
            first = blocks;
        fl_table_put(table, row, 0, an_timeline_get(t, r, t->x));
        for (size_t k = 0; k < FL_COUNT(sizes); k++)
            fl_table_put(table, row, k + 1, unusable_bp(&blocks, sizes[k].order));
    }
    write_title(table, &first, &blocks, HUGE_ORDER);
    fl_table_label(table, &table->y_name, "of free memory");
    an_footer(table, result, "unusable free space index; all zones together");
    return an_finish(table, out, err);
}

int an_fragmentation_build(const struct json_t *report, size_t i, struct fl_table **out,
                           struct fl_err *err)
{
    const struct json_t *result = fl_report_result(report, i);
    struct an_timeline t;
    size_t columns[AN_ORDERS];
    if (!an_free_blocks(result, &t, columns))
        return fl_fail(err, FL_EDATA,
                       "chart fragmentation: the result has no free blocks over time; make it with "
                       "`faultline replay --allocator`, or --policy linux --scope machine");
    return draw(result, &t, columns, out, err);
}
