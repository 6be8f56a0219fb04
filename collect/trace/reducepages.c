/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reducepages.c - page codes of a REDUCED block, back to pages.
 *
 * There is one list for all, as long as a code can tell, and a kept run is rarely of a page near its
 * front. So moving a page to the front is a long way, of another length each time, and whether a
 * page is in the list cannot be foreseen, either. Where the processor can permute bytes of two
 * registers of 64, the order is in four of them, and every code takes the same few instructions
 * without a branch.
 */
#include <string.h>

#include "reduce.h"

#define DEPTH FL_REDUCED_DEPTH

/* A code outside the list names the next of its kind. */
bool fl_reduced_pages_plain(struct fl_reduced *d, uint32_t n)
{
    const uint8_t *codes = d->codes + d->run_at;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = codes[i], id = 0;
        bool inside = at < d->list_n;
        if (!inside) {
            if (at == DEPTH && d->dict_next < d->dict_n)
                id = d->dict[d->dict_next++];
            else if (at == DEPTH + 1 && d->far_at < d->n_fars)
                id = d->fars[d->far_at++];
            else
                return false;
            at = d->list_n < DEPTH ? d->list_n++ : DEPTH - 1;
        }
        uint8_t slot = d->list[at];
        memmove(d->list + 1, d->list, at);
        d->list[0] = slot;
        if (!inside)
            d->slots[slot] = id;
        d->batch.page[i] = d->slots[slot];
    }
    return true;
}

#ifdef __x86_64__
#include <immintrin.h>

#define PERMUTES __attribute__((target("avx512f,avx512bw,avx512vbmi")))

/* Position of each byte of a register, from 0. */
static const uint8_t places[64] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63
};

/* @from up to @place, moved up by one behind the last byte of @before. */
PERMUTES static inline __m512i close_up(__m512i before, __m512i from, __m512i at, __m512i place)
{
    const __m512i up = _mm512_add_epi8(_mm512_loadu_si512(places), _mm512_set1_epi8(63));
    __m512i moved = _mm512_permutex2var_epi8(before, up, from);
    return _mm512_mask_blend_epi8(_mm512_cmple_epu8_mask(at, place), from, moved);
}

PERMUTES static bool permuted(struct fl_reduced *d, uint32_t n)
{
    const uint8_t *codes = d->codes + d->run_at;
    const __m512i at = _mm512_loadu_si512(places), more = _mm512_set1_epi8(64);
    const __m512i at1 = _mm512_add_epi8(at, more), at2 = _mm512_add_epi8(at1, more),
                  at3 = _mm512_add_epi8(at2, more);
    __m512i o0 = _mm512_loadu_si512(d->list), o1 = _mm512_loadu_si512(d->list + 64),
            o2 = _mm512_loadu_si512(d->list + 128), o3 = _mm512_loadu_si512(d->list + 192);
    uint32_t have = d->list_n, dict_next = d->dict_next, far_at = d->far_at, bad = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t code = codes[i], inside = code < have, fresh = code == DEPTH,
                 far = code == DEPTH + 1;
        uint32_t last = have < DEPTH ? have : DEPTH - 1;
        uint32_t place = (code & -inside) | (last & (inside - 1));
        have += (inside ^ 1) & (have < DEPTH);
        bad |= ((inside | fresh | far) ^ 1) | (fresh & (dict_next == d->dict_n)) |
               (far & (far_at == d->n_fars));
        if (__builtin_expect(bad, 0))
            return false;
        __m512i p = _mm512_set1_epi8((char)place);
        __m512i low = _mm512_permutex2var_epi8(o0, p, o1),
                high = _mm512_permutex2var_epi8(o2, p, o3);
        __m512i slots = _mm512_mask_blend_epi8(_mm512_movepi8_mask(p), low, high);
        o3 = close_up(o2, o3, at3, p);
        o2 = close_up(o1, o2, at2, p);
        o1 = close_up(o0, o1, at1, p);
        o0 = close_up(slots, o0, at, p);
        uint32_t slot = (uint8_t)_mm_cvtsi128_si32(_mm512_castsi512_si128(slots));
        uint32_t id = (d->slots[slot] & -inside) | (d->dict[dict_next] & -fresh) |
                      (d->fars[far_at] & -far);
        dict_next += fresh;
        far_at += far;
        d->slots[slot] = d->batch.page[i] = id;
    }
    _mm512_storeu_si512(d->list, o0);
    _mm512_storeu_si512(d->list + 64, o1);
    _mm512_storeu_si512(d->list + 128, o2);
    _mm512_storeu_si512(d->list + 192, o3);
    d->list_n = have;
    d->dict_next = dict_next;
    d->far_at = far_at;
    return true;
}
#endif

bool fl_reduced_pages(struct fl_reduced *d, uint32_t n)
{
#ifdef __x86_64__
    if (n >= 16 && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw"))
        return permuted(d, n);
#endif
    return fl_reduced_pages_plain(d, n);
}
