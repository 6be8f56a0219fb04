/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search for the smallest good size, and the sizes it is made of. */
#include <faultline/units.h>

#include "advise.h"

/* ---- sizes ----------------------------------------------------------------------------- */

#define STEP_PAGES 16u     /* 64 KiB */
#define TINY_PAGES 512u    /* below 2 MiB pages are the unit */
#define MIB_PAGES 256u     /* one MiB */
#define LARGE_PAGES 16384u /* 64 MiB */

uint64_t advise_step_pages(uint64_t peak_pages)
{
    uint64_t step = peak_pages < TINY_PAGES ? 1 : STEP_PAGES;
    while (step * ADVISE_SIZES_MAX < peak_pages && step < UINT64_C(1) << 48)
        step *= 2;
    return step;
}

uint64_t advise_round_pages(uint64_t pages)
{
    uint64_t unit = pages < TINY_PAGES ? 1 : pages < LARGE_PAGES ? STEP_PAGES : MIB_PAGES;
    return pages > UINT64_MAX - unit ? pages : (pages + unit - 1) / unit * unit;
}

uint64_t advise_with_margin(uint64_t pages, uint64_t margin_bp)
{
    unsigned __int128 all = (unsigned __int128)pages * (10000 + margin_bp);
    all = (all + 9999) / 10000;
    return all > UINT64_MAX ? UINT64_MAX : (uint64_t)all;
}

uint64_t advise_slowdown_bp(uint64_t ns, uint64_t base_ns)
{
    unsigned __int128 bp = 10000;
    if (base_ns)
        bp = ((unsigned __int128)ns * 10000 + base_ns - 1) / base_ns;
    return bp > UINT64_MAX ? UINT64_MAX : (uint64_t)bp;
}

/* ---- what is known ------------------------------------------------------------------------ */

/* The largest size seen to be bad; 0, which nothing fits in, when there is none. */
static uint32_t largest_bad(const struct advise_search *s)
{
    uint32_t size = s->top;
    while (size > 0 && s->seen[size] != 'b')
        size--;
    return size;
}

/* The smallest good one above @bad; the top unless it is bad itself, then one more. */
static uint32_t smallest_good(const struct advise_search *s, uint32_t bad)
{
    uint32_t size = bad + 1;
    while (size < s->top && s->seen[size] != 'g')
        size++;
    return size;
}

void advise_search_told(struct advise_search *s, uint32_t size, bool good)
{
    if (size >= 1 && size <= s->top)
        s->seen[size] = good ? 'g' : 'b';
}

struct advise_answer advise_search_answer(const struct advise_search *s)
{
    uint32_t bad = largest_bad(s), good = smallest_good(s, bad);
    struct advise_answer a = { .found = good <= s->top, .size = good, .exact = good == bad + 1 };
    for (uint32_t size = 1; size < bad; size++)
        a.non_monotone |= s->seen[size] == 'g';
    return a;
}

/* ---- what to ask --------------------------------------------------------------------------- */

static size_t put(uint32_t ask[2], uint32_t first, uint32_t second, uint32_t bad, uint32_t good)
{
    size_t n = 0;
    if (first > bad && first < good)
        ask[n++] = first;
    if (second > bad && second < good && second != first)
        ask[n++] = second;
    return n;
}

static uint32_t less(uint32_t a, uint32_t b)
{
    return a > b ? a - b : 0;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* A third from either end, or the steps away from the one end that is known. Downwards never below a
   quarter of a good size at once: replays of far too small sizes take long. */
static size_t narrow(struct advise_search *s, uint32_t bad, uint32_t good, uint32_t ask[2])
{
    uint32_t gap = good - bad, third = larger(gap / 3, 1), reach = s->reach;
    if (bad == 0) {
        s->reach = reach < s->top ? reach * 4 : reach;
        return put(ask, larger(less(good, reach), good / 2),
                   larger(less(good, 3 * reach), good / 4), bad, good);
    }
    if (good == s->top && s->seen[good] != 'g' && gap > 4 * reach) {
        s->reach = reach * 4;
        return put(ask, bad + reach, bad + 3 * reach, bad, good);
    }
    return put(ask, bad + third, good - third, bad, good);
}

static size_t look_above(const struct advise_search *s, uint32_t answer, uint32_t ask[2])
{
    static const uint32_t percents[] = { 5, 10, 25 };
    size_t n = 0;
    for (size_t i = 0; i < FL_COUNT(percents) && n < 2; i++) {
        uint32_t size = answer + (answer * percents[i] + 99) / 100;
        if (size < s->top && !s->seen[size] && (n == 0 || ask[0] != size))
            ask[n++] = size;
    }
    return n;
}

size_t advise_search_next(struct advise_search *s, uint32_t ask[2])
{
    uint32_t bad = largest_bad(s), good = smallest_good(s, bad);
    size_t n = 0;
    if (s->asked >= s->probes_max)
        return 0;
    if (s->reach == 0)
        s->reach = larger(s->top / 32, 1);
    if (!s->guessed && s->guess) {
        s->guessed = true;
        n = put(ask, less(s->guess, s->reach), s->guess + s->reach, bad, good);
    }
    if (n == 0 && good - bad > s->tolerance)
        n = narrow(s, bad, good, ask);
    else if (n == 0 && s->look_above && good <= s->top)
        n = look_above(s, good, ask);
    s->asked += (unsigned)n;
    return n;
}
