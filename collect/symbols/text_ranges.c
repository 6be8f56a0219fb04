/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "text_ranges.h"

/* Room for one more at @i. */
static struct text_range *insert(struct text_ranges *r, size_t i)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 16;
        struct text_range *grown = realloc(r->at, cap * sizeof *grown);
        if (!grown)
            return NULL;
        r->at = grown;
        r->cap = cap;
    }
    memmove(r->at + i + 1, r->at + i, (r->n - i) * sizeof *r->at);
    r->n++;
    return &r->at[i];
}

/* First range that ends behind @address. */
static size_t first_behind(const struct text_ranges *r, uint64_t address)
{
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->at[mid].end <= address)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Nothing is mapped in [start, end) any more; *@i: where it would be. */
static bool carve(struct text_ranges *r, uint64_t start, uint64_t end, size_t *i)
{
    size_t at = *i = first_behind(r, start), last;
    if (at == r->n)
        return true;
    if (r->at[at].start < start) {
        struct text_range whole = r->at[at];
        if (whole.end > end) { /* a hole: the part behind it */
            struct text_range *rest = insert(r, at + 1);
            if (!rest)
                return false;
            *rest = whole;
            rest->start = end;
            rest->offset += end - whole.start;
        }
        r->at[at++].end = start;
    }
    for (last = at; last < r->n && r->at[last].end <= end; last++)
        ;
    memmove(r->at + at, r->at + last, (r->n - last) * sizeof *r->at);
    r->n -= last - at;
    if (at < r->n && r->at[at].start < end) {
        r->at[at].offset += end - r->at[at].start;
        r->at[at].start = end;
    }
    *i = at;
    return true;
}

bool ranges_map(struct text_ranges *r, const struct text_range *with)
{
    size_t i;
    if (!carve(r, with->start, with->end, &i))
        return false;
    if (with->file == FL_NO_FILE)
        return true;
    struct text_range *at = insert(r, i);
    if (at)
        *at = *with;
    return at != NULL;
}

/* What of @whole is in [start, end), as it is at @to. */
static struct text_range moved(const struct text_range *whole, uint64_t start, uint64_t end,
                               uint64_t to)
{
    uint64_t low = whole->start > start ? whole->start : start;
    uint64_t high = whole->end < end ? whole->end : end;
    return (struct text_range){ .start = to + (low - start),
                                .end = to + (high - start),
                                .offset = whole->offset + (low - whole->start),
                                .file = whole->file };
}

/* All of @to_length is of the file that is mapped at @from, which stays. */
static bool map_again(struct text_ranges *r, uint64_t from, uint64_t to, uint64_t to_length)
{
    const struct text_range *at = ranges_find(r, from);
    struct text_range again = { to, to + to_length, 0, FL_NO_FILE };
    if (at) {
        again.offset = at->offset + (from - at->start);
        again.file = at->file;
    }
    return ranges_map(r, &again);
}

bool ranges_remap(struct text_ranges *r, uint64_t from, uint64_t from_length, uint64_t to,
                  uint64_t to_length)
{
    struct text_ranges pieces = { 0 };
    uint64_t end = from + from_length, kept = from_length < to_length ? from_length : to_length;
    bool ok = true;
    if (from_length == 0)
        return map_again(r, from, to, to_length);
    for (size_t i = first_behind(r, from); ok && i < r->n && r->at[i].start < from + kept; i++) {
        struct text_range *piece = insert(&pieces, pieces.n);
        ok = piece != NULL;
        if (ok)
            *piece = moved(&r->at[i], from, from + kept, to);
        if (ok && r->at[i].end >= end) /* it grows */
            piece->end = to + to_length;
    }
    ok = ok && ranges_map(r, &(struct text_range){ from, end, 0, FL_NO_FILE }) &&
         ranges_map(r, &(struct text_range){ to, to + to_length, 0, FL_NO_FILE });
    for (size_t i = 0; ok && i < pieces.n; i++)
        ok = ranges_map(r, &pieces.at[i]);
    ranges_free(&pieces);
    return ok;
}

bool ranges_copy(struct text_ranges *to, const struct text_ranges *from)
{
    *to = (struct text_ranges){ 0 };
    if (from->n == 0)
        return true;
    to->at = malloc(from->n * sizeof *to->at);
    if (!to->at)
        return false;
    memcpy(to->at, from->at, from->n * sizeof *to->at);
    to->n = to->cap = from->n;
    return true;
}

void ranges_free(struct text_ranges *r)
{
    free(r->at);
    *r = (struct text_ranges){ 0 };
}

const struct text_range *ranges_find(const struct text_ranges *r, uint64_t address)
{
    size_t i = first_behind(r, address);
    return i < r->n && r->at[i].start <= address ? &r->at[i] : NULL;
}
