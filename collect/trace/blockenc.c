/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "blockenc.h"

#define SHAPE_SLOTS 65536u
#define SMALL_SHAPES 4096u /* of the slots: reads and writes below 8, fetches below 64 */

int fl_blockenc_init(struct fl_blockenc *b, uint32_t max_runs, struct fl_err *err)
{
    *b = (struct fl_blockenc){ .max_runs = max_runs, .depth = FL_RECENCY_DEPTH, .epoch = 1 };
    b->codes = malloc(max_runs);
    b->indexes = malloc(max_runs * sizeof *b->indexes);
    b->locations = malloc(max_runs * sizeof *b->locations);
    b->dict_id = malloc(max_runs * sizeof *b->dict_id);
    b->dict_mm = malloc(max_runs * sizeof *b->dict_mm);
    b->dict_vpn = malloc(max_runs * sizeof *b->dict_vpn);
    b->shape_ids = malloc(max_runs * sizeof *b->shape_ids);
    b->shapes = malloc(FL_SHAPE_IDS_MAX * sizeof *b->shapes);
    b->shape_slots = calloc(SHAPE_SLOTS, sizeof *b->shape_slots);
    b->known = calloc((size_t)1 << FL_ENC_KNOWN_BITS, sizeof *b->known);
    if (b->known && b->codes && b->indexes && b->locations && b->dict_id && b->dict_mm &&
        b->dict_vpn && b->shape_ids && b->shapes && b->shape_slots)
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
    free(b->indexes);
    free(b->locations);
    free(b->dict_id);
    free(b->dict_mm);
    free(b->dict_vpn);
    free(b->page_at);
    free(b->lists);
    free(b->list_at);
    free(b->known);
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
        b->list = fl_blockenc_list(b, thread, mm);
        if (!b->list)
            return fl_nomem(err, "trace block");
    }
    b->segment_open = true;
    b->thread = thread;
    b->actor = actor;
    b->mm = mm;
    return b->sequence.oom ? fl_nomem(err, "trace block") : FL_OK;
}

/* Nearly all shapes are small: they have slots of their own, and need no comparison. */
static bool small_shape(uint32_t r, uint32_t w, uint32_t f, uint32_t *slot)
{
    *slot = r | w << 3 | f << 6;
    return (r | w) < 8 && f < SMALL_SHAPES / 64;
}

/* The slot of a shape, or the empty one where it would go. */
static uint32_t shape_slot(const struct fl_blockenc *b, uint32_t r, uint32_t w, uint32_t f)
{
    uint32_t i;
    if (small_shape(r, w, f, &i))
        return i;
    uint64_t h = (r + w * UINT64_C(0x100000001b3)) * UINT64_C(0x9e3779b97f4a7c15) + f;
    i = (uint32_t)(h * UINT64_C(0xd6e8feb86659fd93) >> 48);
    for (;; i++) {
        if (i < SMALL_SHAPES || i == SHAPE_SLOTS)
            i = SMALL_SHAPES;
        uint32_t at = b->shape_slots[i];
        if (!at)
            return i;
        const struct fl_shape *s = &b->shapes[at - 1];
        if (s->reads == r && s->writes == w && s->fetches == f)
            return i;
    }
}

static int put_shape(struct fl_blockenc *b, uint16_t *id, uint32_t r, uint32_t w, uint32_t f,
                     struct fl_err *err)
{
    uint32_t slot = shape_slot(b, r, w, f), at = b->shape_slots[slot];
    if (at) {
        b->shapes[at - 1].uses++;
        *id = (uint16_t)(at - 1);
    } else if (b->shapes_n < FL_SHAPE_IDS_MAX) {
        b->shapes[b->shapes_n] = (struct fl_shape){ r, w, f, 1 };
        *id = (uint16_t)b->shapes_n;
        b->shape_slots[slot] = (uint16_t)++b->shapes_n;
    } else {
        *id = UINT16_MAX;
        const uint32_t v[3] = { r, w, f };
        fl_buf_put(&b->overflow, v, sizeof v);
        return b->overflow.oom ? fl_nomem(err, "trace block") : FL_OK;
    }
    return FL_OK;
}

int fl_blockenc_shape(struct fl_blockenc *b, uint32_t r, uint32_t w, uint32_t f, struct fl_err *err)
{
    return put_shape(b, &b->shape_ids[b->runs - 1], r, w, f, err);
}

int fl_blockenc_shapes(struct fl_blockenc *b, const uint64_t *counts, uint32_t n,
                       struct fl_err *err)
{
    const uint64_t small = 7 | UINT64_C(7) << FL_COUNT_BITS |
                           (uint64_t)(SMALL_SHAPES / 64 - 1) << 2 * FL_COUNT_BITS;
    uint16_t *id = b->shape_ids + b->runs - n;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t c = counts[i];
        uint32_t at = 0;
        if (!(c & ~small))
            at = b->shape_slots[(c | c >> (FL_COUNT_BITS - 3) | c >> (2 * FL_COUNT_BITS - 6)) &
                                (SMALL_SHAPES - 1)];
        if (at) {
            b->shapes[at - 1].uses++;
            id[i] = (uint16_t)(at - 1);
            continue;
        }
        int rc =
            put_shape(b, &id[i], FL_COUNT_READS(c), FL_COUNT_WRITES(c), FL_COUNT_FETCHES(c), err);
        if (rc != FL_OK)
            return rc;
    }
    return FL_OK;
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
        memset(b->shape_slots, 0, SHAPE_SLOTS * sizeof *b->shape_slots);
    if (b->runs)
        memset(b->known, 0, sizeof *b->known << FL_ENC_KNOWN_BITS);
    b->n_events = b->pending_events = b->runs = b->fars = b->probed = b->hits = 0;
    b->dict_n = b->lists_n = b->shapes_n = 0;
    b->locations_n = b->location_any = 0;
    b->segment_open = false;
    b->segment_runs = 0;
    b->list = NULL;
    b->epoch++;
}

/* ---- the finished block ---- */

struct ranked {
    uint32_t uses, id;
};

static int by_uses(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->uses != y->uses)
        return x->uses < y->uses ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Three plane columns of @n values with their widths at header bytes @width_at. */
static void put_triples(struct fl_buf *raw, size_t width_at, const uint32_t *r, const uint32_t *w,
                        const uint32_t *f, size_t n)
{
    const uint32_t *columns[3] = { r, w, f };
    for (size_t k = 0; k < 3; k++) {
        uint32_t any = 0;
        for (size_t i = 0; i < n; i++)
            any |= columns[k][i];
        unsigned width = fl_width(any);
        uint8_t *p = fl_buf_room(raw, n * width + 1);
        if (!p)
            return;
        raw->data[width_at + k] = (uint8_t)width;
        fl_planes_put_u32(p, columns[k], n, width);
        raw->len += n * width;
    }
}

static void put_u64_column(struct fl_buf *raw, size_t width_at, const uint64_t *v, size_t n)
{
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= v[i];
    unsigned width = fl_width(any);
    uint8_t *p = fl_buf_room(raw, n * width + 1);
    if (!p)
        return;
    raw->data[width_at] = (uint8_t)width;
    fl_planes_put_u64(p, v, n, width);
    raw->len += n * width;
}

static int put_dictionary(struct fl_blockenc *b, uint64_t *tmp)
{
    struct fl_buf *raw = &b->raw;
    int64_t last = -1;
    for (uint32_t i = 0; i < b->dict_n; last = b->dict_id[i++])
        tmp[i] = fl_zigzag((int64_t)b->dict_id[i] - last);
    put_u64_column(raw, 3, tmp, b->dict_n);
    last = 0;
    for (uint32_t i = 0; i < b->dict_n; last = b->dict_mm[i++])
        tmp[i] = fl_zigzag((int64_t)b->dict_mm[i] - last);
    put_u64_column(raw, 4, tmp, b->dict_n);
    last = 0;
    for (uint32_t i = 0; i < b->dict_n; last = (int64_t)b->dict_vpn[i++])
        tmp[i] = fl_zigzag((int64_t)(b->dict_vpn[i] - (uint64_t)last));
    put_u64_column(raw, 5, tmp, b->dict_n);
    return raw->oom ? FL_ENOMEM : FL_OK;
}

static void put_pages(struct fl_blockenc *b)
{
    size_t n = b->depth ? b->fars : b->runs;
    uint32_t any = 0;
    if (b->depth)
        fl_buf_put(&b->raw, b->codes, b->runs);
    for (size_t i = 0; i < n; i++)
        any |= b->indexes[i];
    unsigned width = fl_width(any);
    uint8_t *p = fl_buf_room(&b->raw, n * width + 1);
    if (!p)
        return;
    b->raw.data[1] = (uint8_t)width;
    fl_planes_put_u32(p, b->indexes, n, width);
    b->raw.len += n * width;
}

/*
 * The 254 most frequent shapes get a byte each. @ranked: room for all shapes;
 * @code: for all shapes; @columns: three times as many as there are runs.
 */
static uint32_t put_shapes(struct fl_blockenc *b, struct ranked *ranked, uint8_t *code,
                           uint32_t *columns)
{
    struct fl_buf *raw = &b->raw;
    for (uint32_t i = 0; i < b->shapes_n; i++)
        ranked[i] = (struct ranked){ b->shapes[i].uses, i };
    qsort(ranked, b->shapes_n, sizeof *ranked, by_uses);
    uint32_t n = b->shapes_n < FL_SHAPES_MAX ? b->shapes_n : FL_SHAPES_MAX;
    memset(code, FL_SHAPE_ESCAPE, b->shapes_n);
    uint32_t *r = columns, *w = r + b->max_runs, *f = w + b->max_runs;
    for (uint32_t i = 0; i < n; i++) {
        const struct fl_shape *s = &b->shapes[ranked[i].id];
        code[ranked[i].id] = (uint8_t)i;
        r[i] = s->reads, w[i] = s->writes, f[i] = s->fetches;
    }
    raw->data[2] = (uint8_t)n;
    put_triples(raw, 6, r, w, f, n);

    uint8_t *out = fl_buf_room(raw, b->runs + 1);
    uint32_t escapes = 0;
    const uint8_t *over = b->overflow.data;
    for (uint32_t i = 0; out && i < b->runs; i++) {
        uint16_t id = b->shape_ids[i];
        out[i] = id == UINT16_MAX ? FL_SHAPE_ESCAPE : code[id];
        if (out[i] != FL_SHAPE_ESCAPE)
            continue;
        struct fl_shape s;
        if (id == UINT16_MAX) {
            memcpy(&s, over, 3 * sizeof(uint32_t)); /* ours, from fl_blockenc_shape() */
            over += 3 * sizeof(uint32_t);
        } else {
            s = b->shapes[id];
        }
        r[escapes] = s.reads, w[escapes] = s.writes, f[escapes++] = s.fetches;
    }
    if (out)
        raw->len += b->runs;
    put_triples(raw, 9, r, w, f, escapes);
    return escapes;
}

int fl_blockenc_finish(struct fl_blockenc *b, struct fl_err *err)
{
    end_segment(b);
    end_events(b);
    struct fl_buf *raw = &b->raw;
    fl_buf_reset(raw);
    /* One scratch for all columns: dictionary (u64), then shapes and escapes (3 x u32). */
    size_t columns = (size_t)(b->max_runs < FL_SHAPES_MAX ? FL_SHAPES_MAX : b->max_runs);
    void *scratch = malloc(columns * 3 * sizeof(uint32_t));
    struct ranked *ranked = malloc((b->shapes_n + 1) * sizeof *ranked);
    uint8_t *code = malloc(b->shapes_n + 1);
    uint8_t *head = fl_buf_room(raw, FL_STREAM_HEADER);
    bool ok = scratch && ranked && code && head && !b->sequence.oom;
    if (ok) {
        memset(head, 0, FL_STREAM_HEADER);
        raw->len = FL_STREAM_HEADER;
        fl_buf_put(raw, b->sequence.data, b->sequence.len);
        fl_buf_put(raw, b->events.data, b->events.len);
        ok = !raw->oom && put_dictionary(b, scratch) == FL_OK;
    }
    if (ok) {
        put_pages(b);
        uint32_t escapes = raw->oom ? 0 : put_shapes(b, ranked, code, scratch);
        ok = !raw->oom;
        head = raw->data;
        if (ok) {
            head[0] = (uint8_t)b->depth;
            const uint32_t counts[7] = { b->n_events,
                                         b->runs,
                                         b->dict_n,
                                         b->depth ? b->fars : 0,
                                         escapes,
                                         (uint32_t)b->sequence.len,
                                         (uint32_t)b->events.len };
            for (unsigned i = 0; i < 7; i++)
                fl_put_le(head + 12 + 4 * i, counts[i], 4);
        }
    }
    free(scratch);
    free(ranked);
    free(code);
    return ok ? FL_OK : fl_nomem(err, "trace block");
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
