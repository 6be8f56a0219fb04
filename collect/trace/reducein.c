/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reducein.c - the runs that are reduced, as pages and shapes: decoded, or as who encoded them has them. */
#include <stdlib.h>
#include <string.h>

#include "reduce.h"

#define EVERY_BYTE UINT64_C(0x0101010101010101)

static struct fl_reduce_row row_of(uint32_t reads, uint32_t writes, uint32_t fetches)
{
    return (struct fl_reduce_row){ (uint64_t)reads + writes + fetches,
                                   (reads ? 1u : 0) | (writes ? 2u : 0) | (fetches ? 4u : 0) };
}

int fl_reduce_rows(struct fl_reduce *x, const struct fl_reduce_given *given, struct fl_err *err)
{
    uint32_t n = given && given->n_shapes > FL_BATCH_RUNS ? given->n_shapes : FL_BATCH_RUNS;
    if (n > x->rows_room) {
        struct fl_reduce_row *grown = realloc(x->rows, n * sizeof *grown);
        if (!grown)
            return fl_nomem(err, "the reduced layer");
        x->rows = grown;
        x->rows_room = n;
    }
    x->runs.rows = x->rows;
    for (uint32_t i = 0; !given && i < FL_BATCH_RUNS; i++)
        x->one_by_one[i] = (uint16_t)i;
    for (uint32_t i = 0; given && i < given->n_shapes; i++) {
        const struct fl_shape *s = &given->shapes[i];
        x->rows[i] = row_of(s->reads, s->writes, s->fetches);
    }
    if (given)
        memcpy(x->counts, given->counts, sizeof x->counts);
    return FL_OK;
}

/* Those of the next @n runs that have a location. */
static void take_locations(struct fl_reduce *x, const struct fl_reduce_given *given, uint32_t n)
{
    struct fl_batch *to = &x->dec->batch;
    const uint8_t *codes = given->codes ? given->codes + x->at : NULL;
    uint64_t outside = (128 - given->depth) * EVERY_BYTE;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t eight;
        if (codes && i + 8 <= n) {
            memcpy(&eight, codes + i, 8);
            if (!((eight + outside) & 0x80 * EVERY_BYTE)) { /* codes are 126 at most */
                i += 7;
                continue;
            }
        }
        if (codes && codes[i] < given->depth)
            continue;
        uint32_t location = given->locations[x->location_at++];
        to->run_codes[to->run_codes_n] = (struct fl_run_code){ i, location - 1 };
        to->run_codes_n += location != 0;
    }
}

void fl_reduce_take(struct fl_reduce *x, const struct fl_reduce_given *given, uint32_t n)
{
    x->runs.page = given->page + x->at;
    x->runs.shape = given->shape + x->at;
    x->dec->batch.run_codes_n = 0;
    if (given->locations)
        take_locations(x, given, n);
}

void fl_reduce_decoded(struct fl_reduce *x, bool user, uint32_t n)
{
    const uint32_t(*count)[FL_BATCH_RUNS] = x->dec->batch.count;
    uint64_t sums[3] = { 0 };
    x->runs.page = x->dec->batch.page;
    x->runs.shape = x->one_by_one;
    for (uint32_t i = 0; i < n; i++)
        x->rows[i] = row_of(count[0][i], count[1][i], count[2][i]);
    for (unsigned k = 0; k < 3; k++)
        for (uint32_t i = 0; i < n; i++)
            sums[k] += count[k][i];
    x->counts[user ? 0 : 3] += sums[0];
    x->counts[user ? 1 : 4] += sums[1];
    x->counts[2] += sums[2];
    if (!x->dec->has_codes)
        x->dec->batch.run_codes_n = 0;
}
