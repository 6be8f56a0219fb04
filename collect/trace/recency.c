/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recency.c - page codes of recency-coded blocks, back to pages.
 *
 * Moving an entry of a list to the front is a loop whose length is the code: the
 * processor mispredicts it nearly every time. So where it can shuffle bytes, the first
 * 16 entries stay put in slots[], and only their order, 16 bytes in a register, is
 * permuted: one instruction, whatever the code.
 */
#include <string.h>

#include "blockdec.h"

static uint32_t far_index(const struct fl_blockdec *d, uint32_t i)
{
    uint32_t v = 0;
    for (unsigned k = 0; k < d->index_width; k++)
        v |= (uint32_t)d->index_planes[(size_t)k * d->fars + i] << (8 * k);
    return v;
}

/* The page of run @i of the batch, which its thread's list does not name: new here, or far. */
static bool outside(struct fl_blockdec *d, uint32_t i, uint32_t code, uint32_t *id)
{
    uint32_t index;
    d->outside[d->outside_n++] = (uint16_t)i;
    if (code == d->depth) {
        if (d->dict_next >= d->dict_n)
            return false;
        index = d->dict_next++;
    } else {
        if (code != d->depth + 1 || d->far_at >= d->fars)
            return false;
        index = far_index(d, d->far_at++);
        if (index >= d->dict_next)
            return false;
    }
    *id = d->dict[index];
    return true;
}

static inline void to_front(uint32_t *list, uint32_t at, uint32_t id)
{
    if (at < 12)
        for (uint32_t i = at; i > 0; i--)
            list[i] = list[i - 1];
    else
        memmove(list + 1, list, at * sizeof *list);
    list[0] = id;
}

/* Codes [*at, n) with the plain list; stops early, for the fast path, once it has @enough. */
static bool plain_list(struct fl_blockdec *d, uint32_t *list, uint32_t *len, uint32_t *at,
                       uint32_t n, uint32_t enough)
{
    const uint8_t *codes = d->codes + d->run_at;
    uint32_t i = *at;
    for (; i < n && *len < enough; i++) {
        uint32_t code = codes[i], id;
        if (code < *len) {
            id = list[code];
            to_front(list, code, id);
        } else {
            if (!outside(d, i, code, &id))
                return false;
            to_front(list, *len < d->depth ? *len : d->depth - 1, id);
            *len += *len < d->depth;
        }
        d->page[i] = id;
    }
    *at = i;
    return true;
}

#ifdef __x86_64__
#include <tmmintrin.h>

#define FRONT 16u

/* Row c takes position c to the front. */
static const uint8_t to_front_of[FRONT][FRONT] = {
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 2, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 3, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 4, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 5, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 6, 0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 7, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15 },
    { 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15 },
    { 10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15 },
    { 11, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15 },
    { 12, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15 },
    { 13, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15 },
    { 14, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15 },
    { 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 },
};

/* Codes [at, n). Pre: the list has FRONT entries or more. */
__attribute__((target("ssse3"))) static bool shuffled_list(struct fl_blockdec *d, uint32_t *list,
                                                           uint32_t *len, uint32_t at, uint32_t n)
{
    const uint8_t *codes = d->codes + d->run_at;
    uint32_t slots[FRONT];
    uint8_t order[FRONT];
    memcpy(slots, list, sizeof slots);
    __m128i v = _mm_loadu_si128((const __m128i *)to_front_of[0]);
    bool ok = true;
    for (uint32_t i = at; i < n; i++) {
        uint32_t code = codes[i], id;
        if (__builtin_expect(code < FRONT, 1)) {
            v = _mm_shuffle_epi8(v, _mm_loadu_si128((const __m128i *)to_front_of[code]));
            d->page[i] = slots[(uint32_t)_mm_cvtsi128_si32(v) & 15];
            continue;
        }
        uint32_t last; /* the position that closes up */
        if (code < *len) {
            id = list[code];
            last = code;
        } else {
            ok = outside(d, i, code, &id);
            if (!ok)
                break;
            last = *len < d->depth ? *len : d->depth - 1;
            *len += *len < d->depth;
        }
        uint32_t out = ((uint32_t)_mm_extract_epi16(v, 7) >> 8) & 15;
        if (last >= FRONT) {
            memmove(list + FRONT + 1, list + FRONT, (last - FRONT) * sizeof *list);
            list[FRONT] = slots[out];
        }
        slots[out] = id;
        v = _mm_shuffle_epi8(v, _mm_loadu_si128((const __m128i *)to_front_of[FRONT - 1]));
        d->page[i] = id;
    }
    _mm_storeu_si128((__m128i *)order, v);
    for (uint32_t i = 0; i < FRONT; i++)
        list[i] = slots[order[i]];
    return ok;
}
#endif

bool fl_recency_pages(struct fl_blockdec *d, uint32_t which, uint32_t n)
{
    uint32_t *list = d->lists + (size_t)which * d->depth, len = d->list_len[which], at = 0;
    bool ok;
    d->outside_n = 0;
#ifdef __x86_64__
    if (n >= 2 * FRONT && d->depth >= FRONT && __builtin_cpu_supports("ssse3")) {
        ok = plain_list(d, list, &len, &at, n, FRONT);
        if (ok && at < n)
            ok = shuffled_list(d, list, &len, at, n);
    } else
#endif
    {
        ok = plain_list(d, list, &len, &at, n, UINT32_MAX);
    }
    d->list_len[which] = (uint16_t)len;
    return ok;
}
