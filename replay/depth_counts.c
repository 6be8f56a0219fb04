/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "depth_counts.h"
#include "grow.h"

#define HISTOGRAMS 6u
#define SINCE_MAX (UINT32_C(1) << 31) /* writes of before may be counted besides: DEPTH_MAX */

static struct depth_histogram *histogram_at(struct depth_counts *dc, unsigned i)
{
    struct depth_histogram *const kinds[] = { dc->plain, dc->mapped, dc->written };
    return &kinds[i / 2][i % 2];
}

void depth_counts_fini(struct depth_counts *dc)
{
    for (unsigned i = 0; i < HISTOGRAMS; i++) {
        free(histogram_at(dc, i)->count);
        free(histogram_at(dc, i)->sum);
    }
    *dc = (struct depth_counts){ 0 };
}

/* By a quarter at a time: as deep as contents are many, these are most of a pass's memory. */
static bool histograms_room(struct depth_histogram h[2], uint32_t depth)
{
    uint32_t room = depth + depth / 4 + 256;
    for (int swapped = 0; swapped < 2; swapped++) {
        if (depth < h[swapped].room)
            continue;
        if (!grow(&h[swapped].count, room))
            return false;
        memset(h[swapped].count + h[swapped].room, 0,
               (room - h[swapped].room) * sizeof *h[swapped].count);
        h[swapped].room = room;
    }
    return true;
}

/* Takes the counts into the sums. */
static bool take_in(struct depth_histogram *h)
{
    if (!h->room)
        return true;
    if (h->sum_room < h->room) {
        if (!grow(&h->sum, h->room))
            return false;
        memset(h->sum + h->sum_room, 0, (h->room - h->sum_room) * sizeof *h->sum);
        h->sum_room = h->room;
    }
    for (uint32_t depth = 0; depth < h->room; depth++)
        h->sum[depth] += h->count[depth];
    memset(h->count, 0, h->room * sizeof *h->count);
    return true;
}

static bool take_all_in(struct depth_counts *dc)
{
    for (unsigned i = 0; i < HISTOGRAMS; i++)
        if (!take_in(histogram_at(dc, i)))
            return false;
    dc->since = 0;
    return true;
}

bool depth_counts_room(struct depth_counts *dc, uint32_t n, uint32_t depth, bool mapped, bool write)
{
    if (dc->since > SINCE_MAX - n && !take_all_in(dc))
        return false;
    dc->since += n;
    /* a write may still be counted long after, from any depth there is by then */
    mapped |= dc->mapped[0].room > 0;
    write |= dc->written[0].room > 0;
    return depth <= DEPTH_MAX && histograms_room(dc->plain, depth) &&
           (!mapped || histograms_room(dc->mapped, depth)) &&
           (!write || histograms_room(dc->written, depth));
}

bool depth_counts_end(struct depth_counts *dc)
{
    if (!take_all_in(dc))
        return false;
    for (unsigned i = 0; i < HISTOGRAMS; i++) {
        struct depth_histogram *h = histogram_at(dc, i);
        uint64_t deeper = 0;
        for (uint32_t depth = h->sum_room; depth-- > 0;) {
            uint64_t here = h->sum[depth];
            h->sum[depth] = deeper;
            deeper += here;
        }
    }
    return true;
}

static uint64_t deeper(const struct depth_histogram *h, uint64_t frames)
{
    return frames < h->sum_room ? h->sum[frames] : 0;
}

struct curve_point depth_counts_at(const struct depth_counts *dc, uint64_t frames)
{
    uint64_t file_faults = deeper(&dc->mapped[0], frames);
    uint64_t swap_faults = deeper(&dc->mapped[1], frames);
    struct curve_point p = { .file_read = deeper(&dc->plain[0], frames) + file_faults,
                             .swap_in = deeper(&dc->plain[1], frames) + swap_faults,
                             .file_written = deeper(&dc->written[0], frames),
                             .swap_out = deeper(&dc->written[1], frames) };
    p.major = p.file_read + p.swap_in;
    p.minor = dc->fresh + dc->mapped_refs - file_faults - swap_faults;
    return p;
}
