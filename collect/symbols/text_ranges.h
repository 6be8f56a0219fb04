/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_ranges.h - which file is mapped where in one address space. */
#ifndef FL_SYMBOLS_TEXT_RANGES_H
#define FL_SYMBOLS_TEXT_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/event.h>

/* [start, end) in bytes; what is mapped of no file has no range. */
struct text_range {
    uint64_t start, end, offset;
    uint32_t file;
};

struct text_ranges {
    struct text_range *at; /* by address, without overlap */
    size_t n, cap;
};

/* False from any of them: out of memory. Ranges are not empty. */

/* ranges_map - @with replaces what was there; its file FL_NO_FILE: by nothing. */
bool ranges_map(struct text_ranges *r, const struct text_range *with);
/* ranges_remap - @from and its length, @to and its length: as fl_places_remap(). */
bool ranges_remap(struct text_ranges *r, uint64_t from, uint64_t from_length, uint64_t to,
                  uint64_t to_length);
bool ranges_copy(struct text_ranges *to, const struct text_ranges *from);
void ranges_free(struct text_ranges *r);
/* ranges_find - the range around @address, or NULL. */
const struct text_range *ranges_find(const struct text_ranges *r, uint64_t address);

#endif
