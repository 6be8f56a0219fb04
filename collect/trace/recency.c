/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recency.c - page codes of recency-coded blocks, back to pages.
 *
 * Moving an entry of a list to the front is a loop whose length is the code: the
 * processor mispredicts it nearly every time. So where it can shuffle bytes, entries stay
 * put in slots, and only their order moves, a byte each. That of the first 16 is in a
 * register and is permuted: one instruction, whatever the code. The rest shifts, three
 * registers, whatever the code.
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
    const uint8_t *codes = d->batch_codes;
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
        d->batch.page[i] = id;
    }
    *at = i;
    return true;
}

#ifdef __x86_64__
#include <tmmintrin.h>

#define SHUFFLES __attribute__((target("ssse3")))
#define FRONT 16u
#define ORDERED 64u /* the deepest lists that go this way: as deep as writers make them */

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

/* An order of ORDERED slots, a byte each, the most recent first. */
struct order {
    __m128i first, rest[3];
};

/* The slot at @place, which is FRONT or more. */
SHUFFLES static inline uint32_t slot_at(const struct order *o, uint32_t place)
{
    const __m128i outside = _mm_set1_epi8(0x70); /* added to 16 or more: gives 0 */
    __m128i at = _mm_set1_epi8((char)place), found = _mm_setzero_si128();
    for (uint32_t k = 0; k < 3; k++) {
        at = _mm_sub_epi8(at, _mm_set1_epi8(FRONT));
        found = _mm_or_si128(found, _mm_shuffle_epi8(o->rest[k], _mm_adds_epu8(at, outside)));
    }
    return (uint32_t)_mm_cvtsi128_si32(found) % ORDERED;
}

/* @slot comes first, and everything before @place, which is FRONT or more, moves up by one. */
SHUFFLES static inline void close_up(struct order *o, uint32_t place, uint32_t slot)
{
    __m128i at = _mm_loadu_si128((const __m128i *)to_front_of[0]), end = _mm_set1_epi8((char)place);
    __m128i before = o->first;
    for (uint32_t k = 0; k < 3; k++) {
        at = _mm_add_epi8(at, _mm_set1_epi8(FRONT));
        __m128i keep = _mm_cmpgt_epi8(at, end), old = o->rest[k];
        __m128i moved = _mm_alignr_epi8(old, before, FRONT - 1);
        o->rest[k] = _mm_or_si128(_mm_and_si128(keep, old), _mm_andnot_si128(keep, moved));
        before = old;
    }
    o->first = _mm_alignr_epi8(o->first, _mm_set1_epi8((char)slot), FRONT - 1);
}

SHUFFLES static struct order begin_order(void)
{
    struct order o;
    o.first = _mm_loadu_si128((const __m128i *)to_front_of[0]);
    for (uint32_t k = 0; k < 3; k++)
        o.rest[k] = _mm_add_epi8(o.first, _mm_set1_epi8((char)(FRONT * (k + 1))));
    return o;
}

/* Codes [at, n). Pre: the list has FRONT entries or more, and room for more, but only to ORDERED. */
SHUFFLES static bool shuffled_list(struct fl_blockdec *d, uint32_t *list, uint32_t *len,
                                   uint32_t at, uint32_t n)
{
    const uint8_t *codes = d->batch_codes;
    uint32_t id_of[ORDERED] = { 0 }, have = *len, depth = d->depth; /* id_of: by slot */
    struct order o = begin_order();
    bool ok = true;
    memcpy(id_of, list, have * sizeof *list);
    for (uint32_t i = at; i < n; i++) {
        uint32_t code = codes[i], slot, place = code;
        if (__builtin_expect(code < FRONT, 1)) {
            o.first =
                _mm_shuffle_epi8(o.first, _mm_loadu_si128((const __m128i *)to_front_of[code]));
            d->batch.page[i] = id_of[(uint32_t)_mm_cvtsi128_si32(o.first) % ORDERED];
            continue;
        }
        bool inside = code < have;
        if (!inside)
            place = have < depth ? have++ : depth - 1;
        slot = slot_at(&o, place);
        if (!inside)
            ok = outside(d, i, code, &id_of[slot]);
        if (!ok)
            break;
        close_up(&o, place, slot);
        d->batch.page[i] = id_of[slot];
    }
    uint8_t order[ORDERED];
    _mm_storeu_si128((__m128i *)(void *)order, o.first);
    for (uint32_t k = 0; k < 3; k++)
        _mm_storeu_si128((__m128i *)(void *)(order + FRONT * (k + 1)), o.rest[k]);
    for (uint32_t i = 0; i < have; i++)
        list[i] = id_of[order[i]];
    *len = have;
    return ok;
}
#endif

bool fl_recency_pages(struct fl_blockdec *d, uint32_t which, uint32_t n)
{
    uint32_t *list = d->lists + (size_t)which * d->depth, len = d->list_len[which], at = 0;
    bool ok;
    d->outside_n = 0;
#ifdef __x86_64__
    if (n >= ORDERED && d->depth > FRONT && d->depth <= ORDERED &&
        __builtin_cpu_supports("ssse3")) {
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
