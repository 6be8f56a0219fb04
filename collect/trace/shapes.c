/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shapes.c - how many reads, writes and fetches runs have.
 */
#include <string.h>

#include "blockdec.h"

static bool all_zero(const struct fl_blockdec *d)
{
    const uint8_t *p = d->shape_codes;
    bool other = false;
    for (size_t i = 0; i < d->runs && d->pairs; i++)
        other |= p[2 * i] != 0;
    return d->pairs ? !other : d->runs == 0 || (!p[0] && !memcmp(p, p + 1, d->runs - 1));
}

int fl_shapes_load(struct fl_blockdec *d, const uint8_t *const planes[3], const unsigned width[3],
                   struct fl_err *err)
{
    uint32_t n = d->shapes_n, column[3][FL_SHAPES_MAX + 2];
    for (unsigned k = 0; k < 3; k++)
        fl_planes_get_u32(column[k], planes[k], n, width[k], 0, n);
    for (uint32_t i = 0; i < 256; i++)
        d->shape[i] = (struct fl_shape_row){ .facts = FL_FACT_BAD };
    for (uint32_t i = 0; i < n; i++) {
        uint32_t r = column[0][i], w = column[1][i], f = column[2][i];
        if (!(r | w | f))
            return fl_fail(err, FL_EFORMAT, "a run without accesses");
        d->shape[i] = (struct fl_shape_row){ { r, w, f }, fl_facts_of_run(r, w, f) };
    }
    d->shape[d->escape_code].facts = FL_FACT_ESCAPE;
    d->one_shape = n == 1 && !d->escapes && (!d->shape_bits || all_zero(d));
    for (uint32_t i = 0; i < FL_BATCH_RUNS && d->one_shape; i++)
        for (unsigned k = 0; k < 3; k++)
            d->batch.count[k][i] = d->shape[0].count[k];
    d->batch.facts = d->shape[0].facts; /* of every batch, with one shape */
    return FL_OK;
}

/* Runs [from, n) by their codes, into the columns. Returns their facts. */
static unsigned look_up(struct fl_blockdec *d, const uint8_t *codes, uint32_t from, uint32_t n)
{
    unsigned facts = 0;
    for (uint32_t i = from; i < n; i++) {
        const struct fl_shape_row *row = &d->shape[codes[i]];
        for (unsigned k = 0; k < 3; k++)
            d->batch.count[k][i] = row->count[k];
        facts |= row->facts;
    }
    return facts;
}

#ifdef __SSE2__
#include <emmintrin.h>

/* The same for all of @n: four rows at a time, turned into columns. */
static unsigned look_up_all(struct fl_blockdec *d, const uint8_t *codes, uint32_t n)
{
    const __m128i *rows = (const __m128i *)(const void *)d->shape;
    __m128i any = _mm_setzero_si128();
    uint32_t whole = n & ~3u, facts[4];
    for (uint32_t i = 0; i < whole; i += 4) {
        __m128i a = _mm_loadu_si128(rows + codes[i]), b = _mm_loadu_si128(rows + codes[i + 1]);
        __m128i c = _mm_loadu_si128(rows + codes[i + 2]), e = _mm_loadu_si128(rows + codes[i + 3]);
        __m128i ab = _mm_unpacklo_epi32(a, b), ce = _mm_unpacklo_epi32(c, e);
        __m128i ab_high = _mm_unpackhi_epi32(a, b), ce_high = _mm_unpackhi_epi32(c, e);
        _mm_storeu_si128((__m128i *)(void *)&d->batch.count[0][i], _mm_unpacklo_epi64(ab, ce));
        _mm_storeu_si128((__m128i *)(void *)&d->batch.count[1][i], _mm_unpackhi_epi64(ab, ce));
        _mm_storeu_si128((__m128i *)(void *)&d->batch.count[2][i],
                         _mm_unpacklo_epi64(ab_high, ce_high));
        any = _mm_or_si128(any, _mm_or_si128(ab_high, ce_high));
    }
    _mm_storeu_si128((__m128i *)(void *)facts, any);
    return facts[2] | facts[3] | look_up(d, codes, whole, n);
}
#else
static unsigned look_up_all(struct fl_blockdec *d, const uint8_t *codes, uint32_t n)
{
    return look_up(d, codes, 0, n);
}
#endif

/* The counts of the escapes among @n runs. */
static bool escapes(struct fl_blockdec *d, const uint8_t *codes, uint32_t n)
{
    int escape = (int)d->escape_code;
    for (const uint8_t *p = codes; (p = memchr(p, escape, n - (size_t)(p - codes))); p++) {
        size_t i = (size_t)(p - codes);
        if (d->escape_at == d->escapes)
            return false;
        for (unsigned k = 0; k < 3; k++)
            fl_planes_get_u32(&d->batch.count[k][i], d->escape_planes[k], d->escapes,
                              d->escape_width[k], d->escape_at, 1);
        uint32_t r = d->batch.count[0][i], w = d->batch.count[1][i], f = d->batch.count[2][i];
        if (!(r | w | f))
            return false;
        d->batch.facts |= fl_facts_of_run(r, w, f);
        d->escape_at++;
    }
    return true;
}

bool fl_shapes_runs(struct fl_blockdec *d, uint32_t n)
{
    const uint8_t *codes = d->batch_shapes;
    unsigned facts = look_up_all(d, codes, n);
    d->batch.facts = facts & ~FL_FACT_ESCAPE;
    return !(facts & FL_FACT_BAD) && (!(facts & FL_FACT_ESCAPE) || escapes(d, codes, n));
}
