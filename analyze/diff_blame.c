/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is responsible. Where memory is short, what grows makes others fault: their pages are
 * evicted for it. So major faults and refaults of rows that are as large as before are
 * counted to the rows that grew, by how much each did, when these grew enough to matter.
 */
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "diff.h"

/* Less growth than this part of all pages squeezes nobody worth mentioning. */
#define SQUEEZE_PART 20.0

struct blamed {
    struct diff_row row;
    double weight;
    enum diff_count count;
};

/* +1: more in B, -1: fewer, 0: the same. */
static int direction(const uint64_t n[DIFF_SIDES])
{
    return (n[DIFF_B] > n[DIFF_A]) - (n[DIFF_B] < n[DIFF_A]);
}

static int overall(const struct diff_ranking *by)
{
    double sum[DIFF_SIDES];
    for (int side = 0; side < DIFF_SIDES; side++) {
        sum[side] = (double)by->rest.n[by->count][side];
        for (size_t i = 0; i < by->n; i++)
            sum[side] += (double)by->rows[i].n[by->count][side];
    }
    return (sum[DIFF_B] > sum[DIFF_A]) - (sum[DIFF_B] < sum[DIFF_A]);
}

/* Grew as the faults did, or shrank as they did. */
static bool is_grower(const struct diff_row *row, int way)
{
    return direction(row->n[DIFF_PAGES]) == way && diff_differs(row->n[DIFF_PAGES]);
}

static bool is_squeezed(const struct diff_row *row, enum diff_count count, int way)
{
    return direction(row->n[count]) == way && !diff_differs(row->n[DIFF_PAGES]);
}

/* All pages by which rows grew; 0 when that is too little, or nothing is known of pages. */
static double growth_of(const struct diff_ranking *by, int way)
{
    double growth = 0, all[DIFF_SIDES] = { 0 };
    if (!by->has[DIFF_PAGES] || way == 0 || (by->count != DIFF_MAJOR && by->count != DIFF_REFAULTS))
        return 0;
    for (size_t i = 0; i < by->n; i++) {
        const struct diff_row *row = &by->rows[i];
        all[DIFF_A] += (double)row->n[DIFF_PAGES][DIFF_A];
        all[DIFF_B] += (double)row->n[DIFF_PAGES][DIFF_B];
        if (is_grower(row, way))
            growth += (double)diff_gap(row->n[DIFF_PAGES]);
    }
    double less = all[DIFF_A] < all[DIFF_B] ? all[DIFF_A] : all[DIFF_B];
    return growth * SQUEEZE_PART >= less ? growth : 0;
}

static const char *name_of_row(const struct diff_row *row)
{
    const char *a = row->name[DIFF_A], *b = row->name[DIFF_B];
    if (!a || !b)
        return a ? a : b ? b : "";
    return strcmp(a, b) < 0 ? a : b; /* the same whichever side is A */
}

static int by_blame(const void *a, const void *b)
{
    static const enum diff_count then[] = { DIFF_MAJOR, DIFF_MINOR, DIFF_UNKNOWN, DIFF_REFAULTS,
                                            DIFF_PAGES };
    const struct blamed *p = a, *q = b;
    const struct diff_row *x = &p->row, *y = &q->row;
    if (p->weight > q->weight || p->weight < q->weight)
        return p->weight < q->weight ? 1 : -1;
    uint64_t gx = diff_gap(x->n[p->count]), gy = diff_gap(y->n[q->count]);
    for (size_t i = 0; gx == gy && i < FL_COUNT(then); i++) {
        gx = diff_gap(x->n[then[i]]);
        gy = diff_gap(y->n[then[i]]);
    }
    if (gx != gy)
        return gx < gy ? 1 : -1;
    int c = strcmp(name_of_row(x), name_of_row(y));
    if (c)
        return c;
    uint64_t px = x->pid[DIFF_A] + x->pid[DIFF_B], py = y->pid[DIFF_A] + y->pid[DIFF_B];
    return (px > py) - (px < py);
}

static uint64_t part_bp(double part, double all)
{
    return all > 0 ? (uint64_t)(part * 10000.0 / all + 0.5) : 0;
}

static bool weigh(struct diff_ranking *by, struct blamed *rows)
{
    int way = overall(by);
    double growth = growth_of(by, way), pressure = 0, all = (double)diff_gap(by->rest.n[by->count]);
    for (size_t i = 0; i < by->n; i++) {
        double gap = (double)diff_gap(by->rows[i].n[by->count]);
        bool squeezed = growth > 0 && is_squeezed(&by->rows[i], by->count, way);
        all += gap;
        pressure += squeezed ? gap : 0;
        rows[i] = (struct blamed){ by->rows[i], squeezed ? 0 : gap, by->count };
    }
    for (size_t i = 0; i < by->n; i++) {
        struct diff_row *row = &rows[i].row;
        if (growth > 0 && is_grower(row, way))
            rows[i].weight += pressure * (double)diff_gap(row->n[DIFF_PAGES]) / growth;
        row->taken_bp = part_bp((double)diff_gap(row->n[by->count]), all);
        row->share_bp = part_bp(rows[i].weight, all);
    }
    by->rest.taken_bp = by->rest.share_bp = part_bp((double)diff_gap(by->rest.n[by->count]), all);
    return pressure > 0;
}

bool diff_blame(struct diff_ranking *by)
{
    struct blamed *rows = malloc((by->n ? by->n : 1) * sizeof *rows);
    if (!rows)
        return false;
    by->squeezed = weigh(by, rows);
    if (by->n > 0)
        qsort(rows, by->n, sizeof *rows, by_blame);
    for (size_t i = 0; i < by->n; i++)
        by->rows[i] = rows[i].row;
    free(rows);
    return true;
}
