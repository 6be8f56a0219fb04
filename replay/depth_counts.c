/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "depth_counts.h"
#include "grow.h"

void depth_counts_fini(struct depth_counts *dc)
{
    for (int swapped = 0; swapped < 2; swapped++) {
        free(dc->plain[swapped].count);
        free(dc->mapped[swapped].count);
        free(dc->written[swapped].count);
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

bool depth_counts_room(struct depth_counts *dc, uint32_t depth, bool mapped, bool write)
{
    /* a write may still be counted long after, from any depth there is by then */
    mapped |= dc->mapped[0].room > 0;
    write |= dc->written[0].room > 0;
    return depth <= DEPTH_MAX && histograms_room(dc->plain, depth) &&
           (!mapped || histograms_room(dc->mapped, depth)) &&
           (!write || histograms_room(dc->written, depth));
}

static void sum_up(struct depth_histogram *h)
{
    uint64_t deeper = 0;
    for (uint32_t depth = h->room; depth-- > 0;) {
        uint64_t here = h->count[depth];
        h->count[depth] = deeper;
        deeper += here;
    }
}

void depth_counts_end(struct depth_counts *dc)
{
    for (int swapped = 0; swapped < 2; swapped++) {
        sum_up(&dc->plain[swapped]);
        sum_up(&dc->mapped[swapped]);
        sum_up(&dc->written[swapped]);
    }
}

static uint64_t deeper(const struct depth_histogram *h, uint64_t frames)
{
    return frames < h->room ? h->count[frames] : 0;
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
