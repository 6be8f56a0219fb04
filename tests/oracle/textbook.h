/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * textbook.h - paging as a textbook program does it: an array of page numbers in,
 * two counts out.
 *
 * Written from section 2 of docs/model.md and sharing nothing with replay/: no address spaces, no
 * contents, no events. What it counts is what "misses" means everywhere else in the project.
 */
#ifndef ORACLE_TEXTBOOK_H
#define ORACLE_TEXTBOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reference is a page number below 2^63; this bit is set when it writes. */
#define TEXTBOOK_WRITE (UINT64_C(1) << 63)

struct textbook_counts {
    uint64_t distinct;        /* pages that occur at all */
    uint64_t misses;          /* references that found their page in no frame */
    uint64_t dirty_evictions; /* evicted pages that had been written since they came in */
};

/**
 * textbook_run - @n references through @frames frames, all empty at first.
 * @policy: "fifo", "lru", "clock" or "opt". @frames: > 0. @n: below 2^32 - 1.
 * Returns: false for another policy, other numbers, or when out of memory.
 * Cost: O(n), for opt O(n log frames).
 */
bool textbook_run(const char *policy, const uint64_t *refs, size_t n, uint32_t frames,
                  struct textbook_counts *out);

#endif
