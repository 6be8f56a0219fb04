/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Working sets and heat, from the columns that each page was touched in. */
#include <stdlib.h>

#include "place.h"
#include "touched.h"

#define SETS (FL_LOCALITY_MAPPINGS_MAX + 1u) /* the mappings listed, and what is left */

struct tallies {
    int64_t of[SETS][FL_LOCALITY_WINDOWS][FL_LOCALITY_COLUMNS];
};

/* Touched in the last T columns up to t: the page's columns, each drawn out to T; T doubles. */
static void add_page(struct columns touched, int64_t diff[FL_LOCALITY_WINDOWS][FL_LOCALITY_COLUMNS])
{
    for (uint32_t w = 0; w < FL_LOCALITY_WINDOWS; w++) {
        columns_tally(touched, diff[w]);
        touched = columns_or(touched, columns_later(touched, UINT32_C(1) << w));
    }
}

static void sum_up(const uint64_t pages[FL_LOCALITY_COLUMNS], struct fl_working_set *out)
{
    uint64_t sum = 0;
    for (uint32_t c = 0; c < FL_LOCALITY_COLUMNS; c++) {
        sum += pages[c];
        if (pages[c] > out->peak_pages)
            out->peak_pages = pages[c];
    }
    out->mean_pages = (sum + FL_LOCALITY_COLUMNS / 2) / FL_LOCALITY_COLUMNS;
}

int locality_windows(const struct touched *t, struct fl_locality *l, struct fl_err *err)
{
    struct tallies *tallies = calloc(1, sizeof *tallies);
    if (!tallies)
        return fl_nomem(err, "locality");
    for (uint32_t page = 0; page < t->n; page++)
        add_page(t->columns[page], tallies->of[t->mapping[page]]);
    for (uint32_t w = 0; w < FL_LOCALITY_WINDOWS; w++) {
        unsigned __int128 length = (unsigned __int128)l->accesses << w;
        l->window_accesses[w] =
            (uint64_t)((length + FL_LOCALITY_COLUMNS / 2) / FL_LOCALITY_COLUMNS);
        for (size_t m = 0; m < SETS; m++) {
            uint64_t pages[FL_LOCALITY_COLUMNS];
            int64_t now = 0;
            for (uint32_t c = 0; c < FL_LOCALITY_COLUMNS; c++) {
                now += tallies->of[m][w][c];
                pages[c] = (uint64_t)now;
                l->working_set[w][c] += pages[c];
            }
            if (m < l->n_mappings)
                sum_up(pages, &l->mappings[m].window[w]);
        }
        sum_up(l->working_set[w], &l->window[w]);
    }
    free(tallies);
    return FL_OK;
}

/* ---- heat ----------------------------------------------------------------------------------- */

static void draw(const struct touched *t, const struct place *places, uint64_t n,
                 struct fl_locality_mapping *m)
{
    const uint32_t per_cell = FL_LOCALITY_COLUMNS / FL_HEAT_COLUMNS;
    m->n_rows = n < FL_HEAT_ROWS_MAX ? (uint32_t)n : FL_HEAT_ROWS_MAX;
    for (uint32_t row = 0; row < m->n_rows; row++) {
        uint64_t from = n * row / m->n_rows, to = n * (row + 1) / m->n_rows;
        int64_t diff[FL_LOCALITY_COLUMNS] = { 0 }, now = 0;
        for (uint64_t i = from; i < to; i++) {
            struct columns s = t->columns[places[i].page], cells = s;
            for (uint32_t k = 1; k < per_cell; k++) /* a cell is its first column */
                cells = columns_or(cells, columns_earlier(s, k));
            columns_tally(cells, diff);
        }
        for (uint32_t c = 0; c < FL_LOCALITY_COLUMNS; c++) {
            now += diff[c];
            if (c % per_cell == 0)
                m->heat[row][c / per_cell] =
                    (uint8_t)(((uint64_t)now * 100 + to - from - 1) / (to - from));
        }
    }
}

int locality_heat(const struct touched *t, struct fl_locality *l, struct fl_err *err)
{
    struct place *places = calloc((size_t)t->n + 1, sizeof *places);
    if (!places)
        return fl_nomem(err, "locality");
    for (uint32_t m = 0; m < l->n_mappings; m++) {
        uint32_t n = 0;
        for (uint32_t page = 0; page < t->n; page++)
            if (t->mapping[page] == m && columns_any(t->columns[page])) {
                struct fl_page at = vm_page(t->vm, page);
                places[n++] = (struct place){ .vpn = at.vpn, .mm = at.mm, .page = page };
            }
        qsort(places, n, sizeof *places, place_by_address);
        draw(t, places, n, &l->mappings[m]);
    }
    free(places);
    return FL_OK;
}
