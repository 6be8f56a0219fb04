/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "idle_lanes.h"

/* ---- of 32 siblings ----------------------------------------------------------------------- */

#ifdef __SSE2__

/* Which are below @class: a bit each. */
static inline uint32_t below(const uint8_t *siblings, uint8_t class)
{
    __m128i most = _mm_set1_epi8((char)class);
    __m128i a = _mm_loadu_si128((const __m128i *)siblings);
    __m128i b = _mm_loadu_si128((const __m128i *)(siblings + 16));
    uint32_t a_not = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(a, most), a));
    uint32_t b_not = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(b, most), b));
    return ~(a_not | b_not << 16);
}

static inline uint8_t least_of(const uint8_t *siblings)
{
    __m128i m = _mm_min_epu8(_mm_loadu_si128((const __m128i *)siblings),
                             _mm_loadu_si128((const __m128i *)(siblings + 16)));
    m = _mm_min_epu8(m, _mm_srli_si128(m, 8));
    m = _mm_min_epu8(m, _mm_srli_si128(m, 4));
    m = _mm_min_epu8(m, _mm_srli_si128(m, 2));
    m = _mm_min_epu8(m, _mm_srli_si128(m, 1));
    return (uint8_t)_mm_cvtsi128_si32(m);
}

#else

static inline uint32_t below(const uint8_t *siblings, uint8_t class)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < LANES_FAN; i++)
        bits |= (uint32_t)(siblings[i] < class) << i;
    return bits;
}

static inline uint8_t least_of(const uint8_t *siblings)
{
    uint8_t least = NO_LANE;
    for (uint32_t i = 0; i < LANES_FAN; i++)
        least = siblings[i] < least ? siblings[i] : least;
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

void idle_lanes_set(struct idle_lanes *l, uint32_t slot, uint8_t class)
{
    uint32_t at = slot;
    l->least[0][at] = class;
    for (uint32_t i = 1; i < l->depth; i++) {
        uint8_t least = least_of(l->least[i - 1] + at / LANES_FAN * LANES_FAN);
        at /= LANES_FAN;
        if (l->least[i][at] == least)
            return;
        l->least[i][at] = least;
    }
}

/* The latest slot until *@slot of a class below @class. false: none. */
static inline bool latest_below(const struct idle_lanes *l, uint32_t *slot, uint8_t class)
{
    uint32_t at = *slot, i = 0;
    /* of its siblings itself, too; of its ancestors' only those before */
    uint32_t bits = below(l->least[0] + at / LANES_FAN * LANES_FAN, class) &
                    (UINT32_MAX >> (LANES_FAN - 1 - at % LANES_FAN));
    while (!bits) {
        if (++i == l->depth)
            return false;
        at /= LANES_FAN;
        bits = below(l->least[i] + at / LANES_FAN * LANES_FAN, class) &
               ((UINT32_C(1) << at % LANES_FAN) - 1);
    }
    for (;;) {
        at = at / LANES_FAN * LANES_FAN + (31 - (uint32_t)__builtin_clz(bits));
        if (i-- == 0)
            break;
        at *= LANES_FAN;
        bits = below(l->least[i] + at, class);
    }
    *slot = at;
    return true;
}

uint8_t idle_lanes_take(struct idle_lanes *l, uint32_t slot)
{
    uint8_t carried = NO_LANE;
    while (carried && latest_below(l, &slot, carried)) {
        uint8_t found = l->least[0][slot];
        idle_lanes_set(l, slot, carried);
        carried = found;
    }
    return carried;
}
