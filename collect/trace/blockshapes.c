/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blockshapes.c - what each run of a block reads, writes and fetches: shapes, numbered as they come.
 */
#include <string.h>

#include "blockenc.h"

#define SMALL_SHAPES 4096u /* of the slots: reads and writes below 8, fetches below 64 */
#define SMALL \
    (7 | UINT64_C(7) << FL_COUNT_BITS | (uint64_t)(SMALL_SHAPES / 64 - 1) << 2 * FL_COUNT_BITS)

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
        if (i < SMALL_SHAPES || i == FL_ENC_SHAPE_SLOTS)
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
        *id = (uint16_t)(at - 1);
    } else if (b->shapes_n < FL_SHAPE_IDS_MAX) {
        b->shapes[b->shapes_n] = (struct fl_shape){ r, w, f, 0 };
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

/* Runs @from to @to of @n, which end the block. */
static int shape_runs(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t from,
                      uint32_t to, uint32_t n, struct fl_shape *sum, struct fl_err *err)
{
    uint16_t *id = b->shape_ids + b->runs - n;
    for (uint32_t i = from; i < to; i++) {
        uint64_t c = runs[i].counts;
        uint32_t r = FL_COUNT_READS(c), w = FL_COUNT_WRITES(c), f = FL_COUNT_FETCHES(c);
        if (!(r | w | f) || c >> 63)
            return fl_fail(err, FL_EUSAGE, "a run without accesses");
        int rc = put_shape(b, &id[i], r, w, f, err);
        if (rc != FL_OK)
            return rc;
        *sum = (struct fl_shape){ sum->reads + r, sum->writes + w, sum->fetches + f, 0 };
    }
    return FL_OK;
}

#ifdef __x86_64__
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f")))

/* As shape_runs(), of all @n, eight by eight: those of small shapes that are known. */
WIDE static int shape_runs_wide(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t n,
                                struct fl_shape *sum, struct fl_err *err)
{
    const __m512i counts = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14),
                  others = _mm512_set1_epi64((int64_t)~SMALL),
                  slots = _mm512_set1_epi64(SMALL_SHAPES - 1);
    const __m256i low = _mm256_set1_epi32(UINT16_MAX), one = _mm256_set1_epi32(1);
    uint16_t *id = b->shape_ids + b->runs - n;
    __m512i sums = _mm512_setzero_si512(); /* each within its bits */
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m512i c = _mm512_permutex2var_epi64(_mm512_loadu_si512(runs + i), counts,
                                              _mm512_loadu_si512(runs + i + 4));
        __m512i slot = _mm512_or_si512(_mm512_or_si512(c, _mm512_srli_epi64(c, FL_COUNT_BITS - 3)),
                                       _mm512_srli_epi64(c, 2 * FL_COUNT_BITS - 6));
        __m256i at = _mm512_i64gather_epi32(_mm512_and_si512(slot, slots), b->shape_slots, 2);
        at = _mm256_and_si256(at, low);
        if (_mm512_test_epi64_mask(c, others) ||
            _mm512_testn_epi32_mask(_mm512_castsi256_si512(at), _mm512_castsi256_si512(at)) &
                0xff) {
            int rc = shape_runs(b, runs, i, i + 8, n, sum, err);
            if (rc != FL_OK)
                return rc;
            continue;
        }
        at = _mm256_sub_epi32(at, one);
        _mm_storeu_si128((__m128i *)(void *)(id + i),
                         _mm512_castsi512_si128(_mm512_castsi256_si512(
                             _mm512_cvtepi32_epi16(_mm512_castsi256_si512(at)))));
        sums = _mm512_add_epi64(sums, c);
    }
    uint64_t total = (uint64_t)_mm512_reduce_add_epi64(sums);
    sum->reads += FL_COUNT_READS(total);
    sum->writes += FL_COUNT_WRITES(total);
    sum->fetches += FL_COUNT_FETCHES(total);
    return shape_runs(b, runs, i, n, n, sum, err);
}
#endif

int fl_blockenc_shapes(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t n,
                       struct fl_shape *sum, struct fl_err *err)
{
#ifdef __x86_64__
    if (b->wide)
        return shape_runs_wide(b, runs, n, sum, err);
#endif
    return shape_runs(b, runs, 0, n, n, sum, err);
}

void fl_blockenc_count_shapes(struct fl_blockenc *b, uint32_t step)
{
    for (uint32_t i = 0; i < b->shapes_n; i++)
        b->shapes[i].uses = 0;
    for (uint32_t i = 0; i < b->runs; i += step)
        if (b->shape_ids[i] != UINT16_MAX)
            b->shapes[b->shape_ids[i]].uses++;
}
