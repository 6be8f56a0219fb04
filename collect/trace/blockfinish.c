/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blockfinish.c - a block's runs and events as the bytes of its payload.
 */
#include <stdlib.h>
#include <string.h>

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

#define WIDE_SHAPES 128u

#ifdef __x86_64__
#include <immintrin.h>

/* The first of pair_up(), of at most WIDE_SHAPES shapes; returns how many. */
__attribute__((target("avx512f,avx512bw"))) static uint32_t pair_up_wide(
    const struct fl_blockenc *b, const uint8_t *code, uint8_t *to)
{
    uint16_t codes[WIDE_SHAPES] = { 0 };
    for (uint32_t i = 0; i < b->shapes_n; i++)
        codes[i] = (uint16_t)(code[i] << 8);
    const __m512i c0 = _mm512_loadu_si512(codes), c1 = _mm512_loadu_si512(codes + 32),
                  c2 = _mm512_loadu_si512(codes + 64), c3 = _mm512_loadu_si512(codes + 96),
                  upper = _mm512_set1_epi16(64);
    uint32_t i = 0;
    for (; i + 32 <= b->runs; i += 32) {
        __m512i shapes = _mm512_loadu_si512(b->shape_ids + i);
        __m512i pages =
            _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(b->codes + i)));
        __m512i low = _mm512_permutex2var_epi16(c0, shapes, c1),
                high = _mm512_permutex2var_epi16(c2, shapes, c3);
        __m512i both = _mm512_mask_mov_epi16(low, _mm512_test_epi16_mask(shapes, upper), high);
        _mm512_storeu_si512(to + 2 * i, _mm512_or_si512(both, pages));
    }
    return i;
}
#else
static uint32_t pair_up_wide(const struct fl_blockenc *b, const uint8_t *code, uint8_t *to)
{
    (void)b, (void)code, (void)to;
    return 0;
}
#endif

/* Page codes and shape codes by turns, of shapes that all have a code. */
static void pair_up(const struct fl_blockenc *b, const uint8_t *code)
{
    const uint8_t *page = b->codes;
    const uint16_t *shape = b->shape_ids;
    uint8_t *restrict to = b->raw.data + b->pairs_at;
    bool wide = b->wide && b->shapes_n <= WIDE_SHAPES;
    for (uint32_t i = wide ? pair_up_wide(b, code, to) : 0, n = b->runs; i < n; i++) {
        to[2 * i] = page[i];
        to[2 * i + 1] = code[shape[i]];
    }
}

/* One shape code a run: behind its page code, bytes, or bits where ids are, of codes up to @max. */
static void put_shape_codes(struct fl_blockenc *b, const uint8_t *codes, uint32_t max)
{
    if (b->flags & FL_BLOCKF_PAIRS) {
        for (uint32_t i = 0; i < b->runs; i++) {
            b->raw.data[b->pairs_at + 2 * i] = b->codes[i];
            b->raw.data[b->pairs_at + 2 * i + 1] = codes[i];
        }
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

#define SAMPLED 8u /* where all get one, one run in so many is counted */

/* The shapes that get a code, by code; returns their number. The 254 most frequent ones, or all. */
static uint32_t rank_shapes(struct fl_blockenc *b, struct ranked *ranked)
{
    fl_blockenc_count_shapes(b, b->shapes_n <= FL_SHAPES_MAX ? SAMPLED : 1);
    for (uint32_t i = 0; i < b->shapes_n; i++)
        ranked[i] = (struct ranked){ b->shapes[i].uses, i };
    qsort(ranked, b->shapes_n, sizeof *ranked, by_uses);
    return b->shapes_n < FL_SHAPES_MAX ? b->shapes_n : FL_SHAPES_MAX;
}

/* @ranked, @code: room for all shapes. Returns the number of escapes. */
static uint32_t put_shapes(struct fl_blockenc *b, struct ranked *ranked, uint8_t *code)
{
    struct fl_buf *raw = &b->raw;
    uint32_t n = rank_shapes(b, ranked), escapes = 0;
    bool all_coded = n == b->shapes_n && !b->overflow.len;
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
    if (all_coded && b->flags & FL_BLOCKF_PAIRS) {
        pair_up(b, code);
        return 0;
    }

    uint8_t *restrict out = (uint8_t *)(f + room);
    const uint8_t *over = b->overflow.data;
    for (uint32_t i = 0; i < b->runs; i++) {
        uint16_t id = b->shape_ids[i];
        out[i] = id == UINT16_MAX ? escape : code[id];
        if (out[i] != escape || all_coded)
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
