/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blockfinish.c - a block's runs and events as the bytes of its payload.
 */
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "blockenc.h"

#define PAIRS_MIN 1024u /* runs that have some to find again */

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

/* The pages of b->dict. @tmp: room for them. */
static void put_dictionary(struct fl_blockenc *b, uint64_t *tmp)
{
    int64_t last = -1;
    for (uint32_t i = 0; i < b->dict_n; last = b->dict[i++])
        tmp[i] = fl_zigzag((int64_t)b->dict[i] - last);
    put_u64_column(&b->raw, 3, tmp, b->dict_n);
    last = 0;
    for (uint32_t i = 0; i < b->dict_n; last = b->page_mm[b->dict[i++]])
        tmp[i] = fl_zigzag((int64_t)b->page_mm[b->dict[i]] - last);
    put_u64_column(&b->raw, 4, tmp, b->dict_n);
    uint64_t before = 0;
    for (uint32_t i = 0; i < b->dict_n; before = b->page_vpn[b->dict[i++]])
        tmp[i] = fl_zigzag((int64_t)(b->page_vpn[b->dict[i]] - before));
    put_u64_column(&b->raw, 5, tmp, b->dict_n);
}

/* Distinct pages among the ids of a plain block; UINT32_MAX: out of memory. */
static uint32_t count_distinct(const struct fl_blockenc *b)
{
    uint64_t *seen = calloc((size_t)b->pages / 64 + 1, sizeof *seen);
    uint32_t n = 0;
    for (uint32_t i = 0; seen && i < b->runs; i++) {
        uint64_t *word = &seen[b->run_pages[i] / 64], bit = UINT64_C(1) << b->run_pages[i] % 64;
        n += !(*word & bit);
        *word |= bit;
    }
    free(seen);
    return seen ? n : UINT32_MAX;
}

#define ENTRY_BITS 32u /* what a dictionary's entry costs, about */

/*
 * A plain block has ids. Either they are stored, and pages that are new in the trace are the
 * dictionary; or, where that is longer by an eighth, which is worth the slower decoding, all of the
 * block's are, and indexes take the ids' place.
 */
static bool settle_plain(struct fl_blockenc *b)
{
    uint32_t distinct = count_distinct(b), fresh = b->seen - b->seen_before;
    if (distinct == UINT32_MAX)
        return false;
    uint64_t as_ids = (uint64_t)b->runs * fl_bits(b->seen ? b->seen - 1 : 0);
    uint64_t as_indexes = (uint64_t)b->runs * fl_bits(distinct ? distinct - 1 : 0) +
                          (uint64_t)(distinct - fresh) * ENTRY_BITS;
    if (as_ids - as_ids / 8 <= as_indexes) {
        b->flags = FL_BLOCKF_IDS;
        for (b->dict_n = 0; b->dict_n < fresh; b->dict_n++)
            b->dict[b->dict_n] = b->seen_before + b->dict_n;
        return true;
    }
    for (uint32_t i = 0; i < b->runs; i++)
        b->indexes[i] = fl_blockenc_entry(b, b->run_pages[i]);
    return true;
}

static void put_pages(struct fl_blockenc *b)
{
    size_t n = b->depth ? b->fars : b->runs;
    bool ids = b->flags & FL_BLOCKF_IDS;
    const uint32_t *indexes = ids ? b->run_pages : b->indexes;
    uint32_t any = 0;
    if (b->flags & FL_BLOCKF_PAIRS) {
        b->pairs_at = b->raw.len; /* filled when there are shape codes */
        if (!fl_buf_room(&b->raw, (size_t)b->runs * 2))
            return;
        b->raw.len += (size_t)b->runs * 2;
    } else if (b->depth)
        fl_buf_put(&b->raw, b->codes, b->runs);
    for (size_t i = 0; i < n; i++)
        any |= indexes[i];
    unsigned width = ids ? fl_bits(any) : fl_width(any);
    size_t bytes = ids ? (size_t)fl_bits_bytes(n, width) : n * width;
    uint8_t *p = fl_buf_room(&b->raw, bytes + 1);
    if (!p)
        return;
    b->raw.data[1] = (uint8_t)width;
    if (ids)
        fl_bits_put_u32(p, indexes, n, width);
    else
        fl_planes_put_u32(p, indexes, n, width);
    b->raw.len += bytes;
}

/* @n bytes of two columns by turns. */
static void pair_up(uint8_t *to, const uint8_t *first, const uint8_t *second, uint32_t n)
{
    uint32_t i = 0;
#ifdef __SSE2__
    for (; i + 16 <= n; i += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(first + i)),
                b = _mm_loadu_si128((const __m128i *)(const void *)(second + i));
        _mm_storeu_si128((__m128i *)(void *)(to + 2 * i), _mm_unpacklo_epi8(a, b));
        _mm_storeu_si128((__m128i *)(void *)(to + 2 * i + 16), _mm_unpackhi_epi8(a, b));
    }
#endif
    for (; i < n; i++) {
        to[2 * i] = first[i];
        to[2 * i + 1] = second[i];
    }
}

/* One shape code a run: behind its page code, bytes, or bits where ids are, of codes up to @max. */
static void put_shape_codes(struct fl_blockenc *b, const uint8_t *codes, uint32_t max)
{
    if (b->flags & FL_BLOCKF_PAIRS) {
        pair_up(b->raw.data + b->pairs_at, b->codes, codes, b->runs);
        return;
    }
    unsigned bits = b->flags & FL_BLOCKF_IDS ? fl_bits(max) : 8;
    size_t bytes = (size_t)fl_bits_bytes(b->runs, bits);
    uint8_t *p = fl_buf_room(&b->raw, bytes + 1);
    if (!p)
        return;
    fl_bits_put_u8(p, codes, b->runs, bits);
    b->raw.len += bytes;
}

/*
 * The 254 most frequent shapes get a code each. @ranked, @code: room for all shapes.
 */
static uint32_t put_shapes(struct fl_blockenc *b, struct ranked *ranked, uint8_t *code)
{
    struct fl_buf *raw = &b->raw;
    fl_blockenc_count_shapes(b);
    for (uint32_t i = 0; i < b->shapes_n; i++)
        ranked[i] = (struct ranked){ b->shapes[i].uses, i };
    qsort(ranked, b->shapes_n, sizeof *ranked, by_uses);
    uint32_t n = b->shapes_n < FL_SHAPES_MAX ? b->shapes_n : FL_SHAPES_MAX;
    uint8_t escape = b->flags & FL_BLOCKF_IDS ? (uint8_t)n : FL_SHAPE_ESCAPE;
    memset(code, escape, b->shapes_n);
    size_t room = b->max_runs < FL_SHAPES_MAX ? FL_SHAPES_MAX : b->max_runs;
    uint32_t *r = b->scratch, *w = r + room, *f = w + room;
    for (uint32_t i = 0; i < n; i++) {
        const struct fl_shape *s = &b->shapes[ranked[i].id];
        code[ranked[i].id] = (uint8_t)i;
        r[i] = s->reads, w[i] = s->writes, f[i] = s->fetches;
    }
    raw->data[2] = (uint8_t)n;
    put_triples(raw, 6, r, w, f, n);

    uint8_t *restrict out = (uint8_t *)(f + room);
    uint32_t escapes = 0;
    const uint8_t *over = b->overflow.data;
    bool all_coded = n == b->shapes_n && !b->overflow.len;
    const uint16_t *ids = b->shape_ids;
    for (uint32_t i = 0, runs = b->runs; i < runs && all_coded; i++)
        out[i] = code[ids[i]];
    for (uint32_t i = 0; i < b->runs && !all_coded; i++) {
        uint16_t id = b->shape_ids[i];
        out[i] = id == UINT16_MAX ? escape : code[id];
        if (out[i] != escape)
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
    put_shape_codes(b, out, escapes || !n ? n : n - 1);
    put_triples(raw, 9, r, w, f, escapes);
    return escapes;
}

/* Behind the header, which is room yet. Returns the number of escapes. */
static uint32_t put_columns(struct fl_blockenc *b, struct ranked *ranked, uint8_t *code)
{
    fl_buf_put(&b->raw, b->sequence.data, b->sequence.len);
    fl_buf_put(&b->raw, b->events.data, b->events.len);
    if (!b->raw.oom)
        put_dictionary(b, b->scratch);
    if (!b->raw.oom)
        put_pages(b);
    return b->raw.oom ? 0 : put_shapes(b, ranked, code);
}

static void put_header(struct fl_blockenc *b, uint32_t escapes)
{
    uint8_t *head = b->raw.data;
    head[0] = (uint8_t)b->depth;
    const uint32_t counts[7] = {
        b->n_events,
        b->runs,
        b->dict_n,
        b->depth ? b->fars : 0,
        escapes,
        (uint32_t)b->sequence.len,
        (uint32_t)b->events.len,
    };
    for (unsigned i = 0; i < 7; i++)
        fl_put_le(head + 12 + 4 * i, counts[i], 4);
}

int fl_blockenc_encode(struct fl_blockenc *b, struct fl_err *err)
{
    struct ranked *ranked = malloc((b->shapes_n + 1) * sizeof *ranked);
    uint8_t *code = malloc((size_t)b->shapes_n + 1);
    fl_buf_reset(&b->raw);
    uint8_t *head = fl_buf_room(&b->raw, FL_STREAM_HEADER);
    b->flags = b->depth && b->runs >= PAIRS_MIN ? FL_BLOCKF_PAIRS : 0;
    bool ok = ranked && code && head && !b->sequence.oom;
    if (ok && (b->depth || settle_plain(b))) {
        memset(head, 0, FL_STREAM_HEADER);
        b->raw.len = FL_STREAM_HEADER;
        uint32_t escapes = put_columns(b, ranked, code);
        ok = !b->raw.oom;
        if (ok)
            put_header(b, escapes);
    } else {
        ok = false;
    }
    free(ranked);
    free(code);
    return ok ? FL_OK : fl_nomem(err, "trace block");
}
