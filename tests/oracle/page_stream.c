/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page_stream.c - only + - * / on doubles, so that every machine makes the same stream. */
#include <stdlib.h>

#include "page_stream.h"

#define WRITE (UINT64_C(1) << 63)
#define STRETCH 4096u     /* references of one kind in a mix */
#define PHASE_REFS 20000u /* references of one phase */
#define PHASE_SHARE 50u   /* a phase's working set is the pages over this */

struct page_stream {
    enum page_stream_kind kind, stretch;
    uint32_t pages, left; /* left: references until the next stretch or phase */
    uint32_t at;          /* position of a sequence; start of a phase's working set */
    uint64_t seed;
    double *cdf;       /* zipf: probability of a rank below or equal */
    uint32_t *scatter; /* zipf: rank to page */
};

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t draw(struct page_stream *s)
{
    uint64_t z = s->seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint32_t draw_below(struct page_stream *s, uint32_t limit)
{
    return (uint32_t)((draw(s) >> 32) * limit >> 32);
}

/* x^0.1 for x >= 1, by Newton's method from above. */
static double tenth_root(double x)
{
    double y = x < 1024 ? 2 : 10;
    for (int i = 0; i < 60; i++) {
        double y2 = y * y, y4 = y2 * y2;
        y = (9 * y + x / (y4 * y4 * y)) / 10;
    }
    return y;
}

static bool prepare_zipf(struct page_stream *s)
{
    double sum = 0;
    s->cdf = malloc(s->pages * sizeof *s->cdf);
    s->scatter = malloc(s->pages * sizeof *s->scatter);
    if (!s->cdf || !s->scatter)
        return false;
    for (uint32_t k = 0; k < s->pages; k++) {
        sum += tenth_root(k + 1.0) / (k + 1.0); /* 1 / (k + 1)^0.9 */
        s->cdf[k] = sum;
        s->scatter[k] = k;
    }
    for (uint32_t k = 0; k < s->pages; k++)
        s->cdf[k] /= sum;
    for (uint32_t k = s->pages - 1; k > 0; k--) {
        uint32_t other = draw_below(s, k + 1), page = s->scatter[k];
        s->scatter[k] = s->scatter[other];
        s->scatter[other] = page;
    }
    return true;
}

static uint32_t zipf(struct page_stream *s)
{
    double p = (double)(draw(s) >> 11) / 9007199254740992.0; /* 2^53 */
    uint32_t low = 0, high = s->pages - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->cdf[middle] < p)
            low = middle + 1;
        else
            high = middle;
    }
    return s->scatter[low];
}

static uint32_t next_in_order(struct page_stream *s)
{
    s->at = s->at + 1 < s->pages ? s->at + 1 : 0;
    return s->at;
}

static uint32_t phase(struct page_stream *s)
{
    uint32_t set = s->pages / PHASE_SHARE + 1;
    if (s->left-- == 0) {
        s->left = PHASE_REFS;
        s->at = draw_below(s, s->pages);
    }
    return (uint32_t)(((uint64_t)s->at + draw_below(s, set)) % s->pages);
}

static uint32_t mix(struct page_stream *s)
{
    if (s->left-- == 0) {
        uint32_t lot = draw_below(s, 10);
        s->left = STRETCH - 1;
        s->stretch = lot < 6 ? PAGE_STREAM_ZIPF : lot < 9 ? PAGE_STREAM_LOOP : PAGE_STREAM_UNIFORM;
        s->at = draw_below(s, s->pages);
    }
    if (s->stretch == PAGE_STREAM_ZIPF)
        return zipf(s);
    return s->stretch == PAGE_STREAM_LOOP ? next_in_order(s) : draw_below(s, s->pages);
}

struct page_stream *page_stream_new(enum page_stream_kind kind, uint32_t pages, uint64_t seed)
{
    struct page_stream *s = calloc(1, sizeof *s);
    if (!s || pages == 0 || pages > UINT32_C(1) << 31) {
        free(s);
        return NULL;
    }
    s->kind = kind;
    s->pages = pages;
    s->seed = seed;
    if ((kind == PAGE_STREAM_ZIPF || kind == PAGE_STREAM_MIX) && !prepare_zipf(s)) {
        page_stream_free(s);
        return NULL;
    }
    return s;
}

uint64_t page_stream_next(struct page_stream *s)
{
    uint64_t write = draw_below(s, 10) < 3 ? WRITE : 0;
    switch (s->kind) {
    case PAGE_STREAM_ZIPF: return zipf(s) | write;
    case PAGE_STREAM_LOOP: return next_in_order(s) | write;
    case PAGE_STREAM_PHASES: return phase(s) | write;
    case PAGE_STREAM_MIX: return mix(s) | write;
    default: return draw_below(s, s->pages) | write;
    }
}

void page_stream_free(struct page_stream *s)
{
    if (s) {
        free(s->cdf);
        free(s->scatter);
    }
    free(s);
}
