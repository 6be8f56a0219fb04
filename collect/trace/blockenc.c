/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "blockenc.h"

int fl_blockenc_init(struct fl_blockenc *b, uint32_t max_runs, struct fl_err *err)
{
    *b = (struct fl_blockenc){ .max_runs = max_runs, .depth = FL_RECENCY_DEPTH, .epoch = 1 };
    b->next_tag = b->first_tag = FL_RECENCY_DEPTH;
    memset(b->only, FL_ENC_NO_STAMP, sizeof b->only);
    for (uint32_t slot = 0; slot < FL_RECENCY_DEPTH; slot++)
        b->only[slot][slot] = INT8_MAX;
#ifdef __x86_64__
    b->compares = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
    b->wide = b->compares && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
#endif
    b->codes = malloc(max_runs);
    b->run_pages = malloc(max_runs * sizeof *b->run_pages);
    b->indexes = malloc(max_runs * sizeof *b->indexes);
    b->locations = malloc(max_runs * sizeof *b->locations);
    b->dict = malloc(max_runs * sizeof *b->dict);
    b->shape_ids = malloc(max_runs * sizeof *b->shape_ids);
    b->shapes = malloc(FL_SHAPE_IDS_MAX * sizeof *b->shapes);
    b->shape_slots = calloc(FL_ENC_SHAPE_SLOTS, sizeof *b->shape_slots);
    uint32_t columns = max_runs < FL_SHAPES_MAX ? FL_SHAPES_MAX : max_runs;
    b->scratch = malloc((size_t)columns * FL_ENC_SCRATCH);
    if (b->codes && b->run_pages && b->indexes && b->locations && b->dict && b->shape_ids &&
        b->shapes && b->shape_slots && b->scratch)
        return FL_OK;
    fl_blockenc_free(b);
    return fl_nomem(err, "trace block");
}

void fl_blockenc_free(struct fl_blockenc *b)
{
    fl_buf_free(&b->sequence);
    fl_buf_free(&b->events);
    fl_buf_free(&b->overflow);
    fl_buf_free(&b->raw);
    fl_pageids_free(&b->ids);
    free(b->codes);
    free(b->run_pages);
    free(b->indexes);
    free(b->locations);
    free(b->dict);
    free(b->page_vpn);
    free(b->page_mm);
    free(b->page);
    free(b->lists);
    free(b->list_at);
    free(b->scratch);
    free(b->shape_ids);
    free(b->shapes);
    free(b->shape_slots);
    *b = (struct fl_blockenc){ 0 };
}

static void end_events(struct fl_blockenc *b)
{
    if (b->pending_events)
        fl_buf_put_varint(&b->sequence, (uint64_t)(b->pending_events - 1) << 1);
    b->pending_events = 0;
}

static void end_segment(struct fl_blockenc *b)
{
    if (b->segment_open && b->segment_runs) {
        fl_buf_put_varint(&b->sequence,
                          (uint64_t)b->segment_runs << 2 | (unsigned)b->actor << 1 | 1);
        fl_buf_put_varint(&b->sequence, b->thread);
    }
    b->segment_open = false;
    b->segment_runs = 0;
}

int fl_blockenc_event(struct fl_blockenc *b, const struct fl_event *ev, uint64_t last_time_ns,
                      struct fl_err *err)
{
    int rc = fl_event_encode(&b->events, ev, last_time_ns, err);
    if (rc != FL_OK)
        return rc;
    end_segment(b);
    b->pending_events++;
    b->n_events++;
    return b->sequence.oom ? fl_nomem(err, "trace block") : FL_OK;
}

bool fl_blockenc_segment_fits(const struct fl_blockenc *b, uint32_t thread)
{
    return !b->depth || fl_blockenc_list_fits(b, thread);
}

int fl_blockenc_segment(struct fl_blockenc *b, uint32_t thread, enum fl_actor actor, uint32_t mm,
                        struct fl_err *err)
{
    end_events(b);
    end_segment(b);
    b->list = NULL;
    if (b->depth || (b->runs < FL_ENC_PROBED && fl_blockenc_list_fits(b, thread))) {
        b->list = fl_blockenc_list(b, thread);
        if (!b->list)
            return fl_nomem(err, "trace block");
    }
    b->segment_open = true;
    b->thread = thread;
    b->actor = actor;
    b->mm = mm;
    return b->sequence.oom ? fl_nomem(err, "trace block") : FL_OK;
}

void fl_blockenc_next(struct fl_blockenc *b)
{
    if (b->depth && b->hits < b->probed / 4)
        b->depth = 0;
    else if (!b->depth && b->probed && b->hits >= b->probed / 5 * 2)
        b->depth = FL_RECENCY_DEPTH;
    fl_buf_reset(&b->sequence);
    fl_buf_reset(&b->events);
    fl_buf_reset(&b->overflow);
    if (b->shapes_n)
        memset(b->shape_slots, 0, FL_ENC_SHAPE_SLOTS * sizeof *b->shape_slots);
    if (b->next_tag > UINT32_MAX / 2) { /* more lists than a block has still get tags */
        for (uint32_t i = 0; i < b->pages; i++)
            b->page[i].tag = 0;
        b->next_tag = FL_RECENCY_DEPTH;
    }
    b->first_tag = b->next_tag;
    b->n_events = b->pending_events = b->runs = b->fars = b->probed = b->hits = 0;
    b->dict_n = b->lists_n = b->shapes_n = 0;
    b->locations_n = b->location_any = 0;
    b->seen_before = b->seen;
    b->segment_open = false;
    b->segment_runs = 0;
    b->list = NULL;
    b->epoch++;
}

int fl_blockenc_finish(struct fl_blockenc *b, struct fl_err *err)
{
    end_segment(b);
    end_events(b);
    return fl_blockenc_encode(b, err);
}

int fl_blockenc_codes(struct fl_blockenc *b, struct fl_err *err)
{
    struct fl_buf *raw = &b->raw;
    unsigned width = fl_width(b->location_any);
    fl_buf_reset(raw);
    fl_buf_put_le(raw, width, 4);
    fl_buf_put_le(raw, b->locations_n, 4);
    uint8_t *p = fl_buf_room(raw, (size_t)b->locations_n * width + 1);
    if (!p)
        return fl_nomem(err, "trace block");
    fl_planes_put_u32(p, b->locations, b->locations_n, width);
    raw->len += (size_t)b->locations_n * width;
    return FL_OK;
}
