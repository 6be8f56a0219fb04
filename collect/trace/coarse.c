/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "coarse.h"

#include <stdlib.h>

#define LEAST_ROOM (1u << 16) /* to keep runs in */

struct fl_coarse *fl_coarse_new(uint32_t floor, bool always)
{
    struct fl_coarse *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->most = always ? 100 * FL_REDUCED_REASONS : 75;
    c->reduce = fl_reduce_new(floor);
    if (c->reduce)
        return c;
    free(c);
    return NULL;
}

void fl_coarse_free(struct fl_coarse *c)
{
    if (!c)
        return;
    fl_reduce_free(c->reduce);
    fl_buf_free(&c->events);
    fl_buf_free(&c->out);
    free(c);
}

int fl_coarse_take(struct fl_coarse *c, const struct fl_reduce *from,
                   const struct fl_reduce_input *in, struct fl_err *err)
{
    if (!c->blocks) {
        fl_reduce_begin(c->reduce, from);
        c->time_ns = in->time_ns;
        fl_buf_reset(&c->events);
    }
    c->blocks++;
    c->runs += from->n_sorted;
    c->stream_runs += in->runs;
    fl_buf_put(&c->events, from->block_records.p, fl_cur_left(&from->block_records));
    if (c->events.oom)
        return fl_nomem(err, "the reduced layer");
    /* Few enough are to be kept, of which many have more than one reason; a stretch may begin with
       many. */
    uint32_t most = (uint32_t)((uint64_t)c->runs * c->most * 2 / 100);
    return fl_reduce_again(c->reduce, most < LEAST_ROOM ? LEAST_ROOM : most, err);
}

void fl_coarse_drop(struct fl_coarse *c)
{
    c->blocks = c->runs = c->stream_runs = 0;
}

int fl_coarse_end(struct fl_coarse *c, struct fl_err *err)
{
    const struct fl_reduce_input in = { .time_ns = c->time_ns, .runs = c->stream_runs };
    fl_buf_reset(&c->out);
    if (!c->blocks)
        return FL_OK;
    fl_buf_put_le(&c->out, c->blocks, 4);
    fl_buf_put_le(&c->out, 0, 4);
    const struct fl_cur records = { .p = c->events.data, .end = c->events.data + c->events.len };
    int rc = fl_reduce_end(c->reduce, &in, &records, &c->out, err);
    if (c->out.len <= FL_COARSE_HEADER || c->reduce->n_sorted > (uint64_t)c->runs * c->most / 100)
        fl_buf_reset(&c->out);
    fl_coarse_drop(c);
    return rc;
}
