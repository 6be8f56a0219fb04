/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "idle_lanes.h"

/* ---- 32 siblings, read and written as one ---------------------------------------------------- */

#ifdef __SSE2__

/* A byte of ones, at any place of 32. */
static const uint8_t one_of[2 * LANES_FAN] = { [LANES_FAN] = UINT8_MAX };

struct siblings {
    __m128i a, b;
};

static inline struct siblings load(const uint8_t *at)
{
    return (struct siblings){ _mm_loadu_si128((const __m128i *)at),
                              _mm_loadu_si128((const __m128i *)(at + 16)) };
}

static inline void store(uint8_t *at, struct siblings s)
{
    _mm_storeu_si128((__m128i *)at, s.a);
    _mm_storeu_si128((__m128i *)(at + 16), s.b);
}

static inline struct siblings replaced(struct siblings s, uint32_t i, uint8_t class)
{
    struct siblings one = load(one_of + LANES_FAN - i);
    __m128i all = _mm_set1_epi8((char)class);
    s.a = _mm_or_si128(_mm_andnot_si128(one.a, s.a), _mm_and_si128(one.a, all));
    s.b = _mm_or_si128(_mm_andnot_si128(one.b, s.b), _mm_and_si128(one.b, all));
    return s;
}

/* Which are below @class: a bit each. */
static inline uint32_t below(struct siblings s, uint8_t class)
{
    __m128i all = _mm_set1_epi8((char)class);
    uint32_t a = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(s.a, all), s.a));
    uint32_t b = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(s.b, all), s.b));
    return ~(a | b << 16);
}

static inline uint8_t least_of(struct siblings s)
{
    __m128i m = _mm_min_epu8(s.a, s.b);
    m = _mm_min_epu8(m, _mm_srli_si128(m, 8));
    m = _mm_min_epu8(m, _mm_srli_si128(m, 4));
    m = _mm_min_epu8(m, _mm_srli_si128(m, 2));
    m = _mm_min_epu8(m, _mm_srli_si128(m, 1));
    return (uint8_t)_mm_cvtsi128_si32(m);
}

#else

struct siblings {
    uint8_t class[LANES_FAN];
};

static inline struct siblings load(const uint8_t *at)
{
    struct siblings s;
    memcpy(s.class, at, sizeof s.class);
    return s;
}

static inline void store(uint8_t *at, struct siblings s)
{
    memcpy(at, s.class, sizeof s.class);
}

static inline struct siblings replaced(struct siblings s, uint32_t i, uint8_t class)
{
    s.class[i] = class;
    return s;
}

static inline uint32_t below(struct siblings s, uint8_t class)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < LANES_FAN; i++)
        bits |= (uint32_t)(s.class[i] < class) << i;
    return bits;
}

static inline uint8_t least_of(struct siblings s)
{
    uint8_t least = NO_LANE;
    for (uint32_t i = 0; i < LANES_FAN; i++)
        least = s.class[i] < least ? s.class[i] : least;
    return least;
}

#endif

/* ---- the tree ------------------------------------------------------------------------------ */

bool idle_lanes_init(struct idle_lanes *l, uint32_t slots)
{
    uint64_t n = slots;
    *l = (struct idle_lanes){ .slots = slots };
    do {
        n = (n + LANES_FAN - 1) / LANES_FAN;
        l->least[l->depth] = malloc(n * LANES_FAN);
        if (!l->least[l->depth]) {
            idle_lanes_fini(l);
            return false;
        }
        memset(l->least[l->depth++], NO_LANE, n * LANES_FAN);
    } while (n > 1 || l->depth < 2);
    return true;
}

void idle_lanes_fini(struct idle_lanes *l)
{
    for (uint32_t i = 0; i < LANES_DEPTH; i++)
        free(l->least[i]);
    *l = (struct idle_lanes){ 0 };
}

/* The least of slots [at * LANES_FAN, ..) is @least now. */
static inline void tell_parents(struct idle_lanes *l, uint32_t at, uint8_t least)
{
    for (uint32_t i = 1; i < l->depth && l->least[i][at] != least; i++) {
        uint8_t *first = l->least[i] + at / LANES_FAN * LANES_FAN;
        struct siblings s = replaced(load(first), at % LANES_FAN, least);
        store(first, s);
        least = least_of(s);
        at /= LANES_FAN;
    }
}

void idle_lanes_set(struct idle_lanes *l, uint32_t slot, uint8_t class)
{
    uint8_t *first = l->least[0] + slot / LANES_FAN * LANES_FAN;
    struct siblings s = replaced(load(first), slot % LANES_FAN, class);
    store(first, s);
    tell_parents(l, slot / LANES_FAN, least_of(s));
}

/* The latest of the groups of slots before *@group with a class below @class. false: none. */
static inline bool group_below(const struct idle_lanes *l, uint32_t *group, uint8_t class)
{
    uint32_t at = *group, i = 1, bits;
    for (;; at /= LANES_FAN, i++) {
        if (i == l->depth)
            return false;
        bits = below(load(l->least[i] + at / LANES_FAN * LANES_FAN), class) &
               ((UINT32_C(1) << at % LANES_FAN) - 1);
        if (bits)
            break;
    }
    for (;;) {
        at = at / LANES_FAN * LANES_FAN + (31 - (uint32_t)__builtin_clz(bits));
        if (--i == 0)
            break;
        at *= LANES_FAN;
        bits = below(load(l->least[i] + at), class);
    }
    *group = at;
    return true;
}

uint8_t idle_lanes_take(struct idle_lanes *l, uint32_t slot)
{
    uint8_t carried = NO_LANE;
    uint32_t group = slot / LANES_FAN, until = UINT32_MAX >> (LANES_FAN - 1 - slot % LANES_FAN);
    do {
        uint8_t *first = l->least[0] + group * LANES_FAN;
        struct siblings was = load(first), s = was;
        uint32_t bits = below(was, carried) & until;
        if (bits) {
            do {
                uint32_t i = 31 - (uint32_t)__builtin_clz(bits);
                s = replaced(s, i, carried);
                carried = first[i];
                bits = below(was, carried) & ((UINT32_C(1) << i) - 1);
            } while (bits);
            store(first, s);
            tell_parents(l, group, least_of(s));
        }
        until = UINT32_MAX;
    } while (carried && group_below(l, &group, carried));
    return carried;
}
