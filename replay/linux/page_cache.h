/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * page_cache.h - between page_cache.c, read_ahead.c and file_fault.c.
 *
 * Offsets are in pages. Where a function returns false the process that wanted the
 * page is gone, or the model is out of memory (failed_memory).
 */
#ifndef REPLAY_LINUX_PAGE_CACHE_H
#define REPLAY_LINUX_PAGE_CACHE_H

#include "mglru.h"

#define NO_TARGET (UINT64_MAX - 1) /* nothing but read-ahead */

struct extent {
    uint64_t first, end;
};

/* What is kept of a file; by object. */
struct cached_file {
    bool known; /* the recording says which pages were resident */
    struct extent *resident;
    uint32_t n_resident;
    uint64_t size; /* pages */
    uint32_t read_ahead, mmap_miss;
    uint32_t advice; /* enum fl_io_op NORMAL, RANDOM, SEQUENTIAL; 0: none given */
    struct {
        uint64_t start, size, async_size, next; /* next: page after the last read */
    } window;
};

/** file_of - what is kept of @object; NULL: out of memory. Valid until the next call. */
struct cached_file *file_of(struct linux_mm *lm, uint32_t object);
/** adopt - the first meeting with page @offset: is it in the page cache, somebody else's? */
void adopt(struct linux_mm *lm, uint32_t object, uint64_t offset, uint32_t c);
/** page_cache_insert - a new folio in the page cache; the group has paid for it. */
void page_cache_insert(struct linux_mm *lm, uint32_t c, bool for_write);

/* read_ahead.c */
/** ra_pages - the file's read-ahead, in pages. */
uint64_t ra_pages(const struct cached_file *file);
/** read_range - read what is missing of [first, end): @target must come in, the others may. */
bool read_range(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end, uint64_t target,
                uint64_t mark);
/** read_for_fault - the page at @offset is wanted by a fault in @vma and not there. */
bool read_for_fault(struct linux_mm *lm, const struct vma *vma, uint64_t offset);
/** read_missing - it is wanted by read(2), @request pages of it, and not there. */
bool read_missing(struct linux_mm *lm, uint32_t object, uint64_t offset, uint64_t request);
/** read_further - @c carries the read-ahead mark, and has been met. */
bool read_further(struct linux_mm *lm, uint32_t object, uint64_t offset, uint32_t c);

#endif
