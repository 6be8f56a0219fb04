/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * planes.c - columns of numbers as planes of bytes and bits, there and back: hot loops of
 * reading a trace, written so that compilers make vectors of them.
 */
#include <endian.h>
#include <string.h>

#include "codec.h"

void fl_planes_put_u32(uint8_t *out, const uint32_t *v, size_t n, unsigned width)
{
    for (unsigned k = 0; k < width; k++, out += n)
        for (size_t i = 0; i < n; i++)
            out[i] = (uint8_t)(v[i] >> (8 * k));
}

void fl_planes_put_u64(uint8_t *out, const uint64_t *v, size_t n, unsigned width)
{
    for (unsigned k = 0; k < width; k++, out += n)
        for (size_t i = 0; i < n; i++)
            out[i] = (uint8_t)(v[i] >> (8 * k));
}

/* @count numbers of @width bytes, the k-th of each from @p[k]: one pass for each width. */
static void join(uint32_t *restrict out, const uint8_t *const p[4], unsigned width, size_t count)
{
    const uint8_t *p0 = p[0], *p1 = p[1], *p2 = p[2], *p3 = p[3];
    switch (width) {
    case 0: memset(out, 0, count * sizeof *out); break;
    case 1:
        for (size_t i = 0; i < count; i++)
            out[i] = p0[i];
        break;
    case 2:
        for (size_t i = 0; i < count; i++)
            out[i] = (uint32_t)p0[i] | (uint32_t)p1[i] << 8;
        break;
    case 3:
        for (size_t i = 0; i < count; i++)
            out[i] = (uint32_t)p0[i] | (uint32_t)p1[i] << 8 | (uint32_t)p2[i] << 16;
        break;
    default:
        for (size_t i = 0; i < count; i++)
            out[i] = (uint32_t)p0[i] | (uint32_t)p1[i] << 8 | (uint32_t)p2[i] << 16 |
                     (uint32_t)p3[i] << 24;
    }
}

void fl_planes_get_u32(uint32_t *restrict out, const uint8_t *restrict planes, size_t n,
                       unsigned width, size_t from, size_t count)
{
    const uint8_t *p[4] = { 0 };
    for (unsigned k = 0; k < width && k < 4; k++)
        p[k] = planes + k * n + from;
    join(out, p, width, count);
}

void fl_planes_get_u64(uint64_t *restrict out, const uint8_t *restrict planes, size_t n,
                       unsigned width, size_t from, size_t count)
{
    memset(out, 0, count * sizeof *out);
    for (unsigned k = 0; k < width; k++) {
        const uint8_t *p = planes + k * n + from;
        for (size_t i = 0; i < count; i++)
            out[i] |= (uint64_t)p[i] << (8 * k);
    }
}

/* ---- bits ---- */

#define EVERY_BYTE UINT64_C(0x0101010101010101)

/* Bit i of @bits as byte i of the result, 0 or 1. */
static inline uint64_t spread(uint8_t bits)
{
    uint64_t each = (bits * EVERY_BYTE) & UINT64_C(0x8040201008040201);
    return ((each + 0x7f * EVERY_BYTE) >> 7) & EVERY_BYTE;
}

/* The lowest bit of every byte of @bytes, byte i's as bit i. */
static inline uint8_t gather(uint64_t bytes)
{
    return (uint8_t)(((bytes & EVERY_BYTE) * UINT64_C(0x0102040810204080)) >> 56);
}

/* One plane: bit @bit of each of @n bytes. */
static void put_plane(uint8_t *out, const uint8_t *v, size_t n, unsigned bit)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t eight = 0;
        memcpy(&eight, v + i, n - i < 8 ? n - i : 8);
        out[i / 8] = gather(le64toh(eight) >> bit);
    }
}

void fl_bits_put_u8(uint8_t *out, const uint8_t *v, size_t n, unsigned bits)
{
    if (bits == 8)
        memcpy(out, v, n);
    for (unsigned k = 0; k < bits % 8; k++)
        put_plane(out + k * ((n + 7) / 8), v, n, k);
}

void fl_bits_put_u32(uint8_t *out, const uint32_t *v, size_t n, unsigned bits)
{
    uint8_t rest[512];
    unsigned whole = bits / 8;
    fl_planes_put_u32(out, v, n, whole);
    out += whole * n;
    for (size_t from = 0; from < n && bits % 8; from += sizeof rest) {
        size_t count = n - from < sizeof rest ? n - from : sizeof rest;
        for (size_t i = 0; i < count; i++)
            rest[i] = (uint8_t)(v[from + i] >> (8 * whole));
        for (unsigned k = 0; k < bits % 8; k++)
            put_plane(out + k * ((n + 7) / 8) + from / 8, rest, count, k);
    }
}

/* Numbers of @bits bits, eight for each of the bytes [from, to) of every plane, into @out. */
static inline void spread_planes(uint8_t *out, const uint8_t *planes, size_t plane, unsigned bits,
                                 size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        uint64_t eight = 0;
        for (unsigned k = 0; k < bits; k++)
            eight |= spread(planes[k * plane + i]) << k;
        eight = htole64(eight);
        memcpy(out + 8 * i, &eight, 8);
    }
}

#ifdef __SSE2__
#include <emmintrin.h>

/* The same, sixteen numbers at a time. Returns where it stopped. */
static inline size_t spread_pairs(uint8_t *out, const uint8_t *planes, size_t plane, unsigned bits,
                                  size_t to)
{
    const __m128i each = _mm_set1_epi64x((long long)UINT64_C(0x8040201008040201));
    size_t i = 0;
    for (; i + 2 <= to; i += 2) {
        __m128i sixteen = _mm_setzero_si128();
        for (unsigned k = 0; k < bits; k++) {
            uint16_t pair;
            memcpy(&pair, planes + k * plane + i, 2);
            __m128i x = _mm_cvtsi32_si128(pair);
            x = _mm_unpacklo_epi8(x, x);
            x = _mm_shufflelo_epi16(x, _MM_SHUFFLE(1, 1, 0, 0));
            x = _mm_shuffle_epi32(x, _MM_SHUFFLE(1, 1, 0, 0));
            x = _mm_cmpeq_epi8(_mm_and_si128(x, each), each);
            sixteen = _mm_or_si128(sixteen, _mm_and_si128(x, _mm_set1_epi8((char)(1 << k))));
        }
        _mm_storeu_si128((__m128i *)(void *)(out + 8 * i), sixteen);
    }
    return i;
}
#else
static inline size_t spread_pairs(uint8_t *out, const uint8_t *planes, size_t plane, unsigned bits,
                                  size_t to)
{
    (void)out, (void)planes, (void)plane, (void)bits, (void)to;
    return 0;
}
#endif

const uint8_t *fl_bits_get_u8(uint8_t *room, const uint8_t *planes, size_t n, unsigned bits,
                              size_t from, size_t count)
{
    if (bits == 8)
        return planes + from;
    size_t plane = (n + 7) / 8, to = (from + count + 7) / 8 - from / 8, done = 0;
    const uint8_t *first = planes + from / 8;
    switch (bits) { /* the usual ones without a loop */
    case 1: done = spread_pairs(room, first, plane, 1, to); break;
    case 2: done = spread_pairs(room, first, plane, 2, to); break;
    case 3: done = spread_pairs(room, first, plane, 3, to); break;
    case 4: done = spread_pairs(room, first, plane, 4, to); break;
    default: done = spread_pairs(room, first, plane, bits, to);
    }
    spread_planes(room, first, plane, bits, done, to);
    return room + from % 8;
}

void fl_bits_get_u32(uint32_t *restrict out, uint8_t *room, const uint8_t *planes, size_t n,
                     unsigned bits, size_t from, size_t count)
{
    const uint8_t *p[4] = { 0 };
    unsigned whole = bits / 8;
    for (unsigned k = 0; k < whole; k++)
        p[k] = planes + k * n + from;
    if (bits % 8)
        p[whole] = fl_bits_get_u8(room, planes + whole * n, n, bits % 8, from, count);
    join(out, p, (bits + 7) / 8, count);
}
