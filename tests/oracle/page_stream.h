/* SPDX-License-Identifier: GPL-2.0-or-later */
/** page_stream.h - strings of page references for tests and measurements, the same everywhere. */
#ifndef ORACLE_PAGE_STREAM_H
#define ORACLE_PAGE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum page_stream_kind {
    PAGE_STREAM_UNIFORM,
    PAGE_STREAM_ZIPF,   /* exponent 0.9, popular pages scattered over the range */
    PAGE_STREAM_LOOP,   /* round and round */
    PAGE_STREAM_PHASES, /* a small working set for a while, then another */
    PAGE_STREAM_MIX,    /* stretches: 60 % zipf, 30 % sequential, 10 % uniform */
};

struct page_stream;

/**
 * page_stream_new - an endless stream over pages 0 .. @pages - 1, three in ten references writes.
 * Returns: NULL when out of memory, or @pages is 0 or above 2^31.
 */
struct page_stream *page_stream_new(enum page_stream_kind kind, uint32_t pages, uint64_t seed);
/** page_stream_next - the next page number; bit 63 is set for a write. */
uint64_t page_stream_next(struct page_stream *s);
void page_stream_free(struct page_stream *s);

#endif
