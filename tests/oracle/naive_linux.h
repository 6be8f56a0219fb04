/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * naive_linux.h - docs/model-linux.md, as slowly and as plainly as possible.
 *
 * The slow twin of policy `linux` in scope memcg: written from the document alone. Left out, and
 * never asked for: scope machine, a kernel without groups, huge pages, mglru, the TLB.
 */
#ifndef FAULTLINE_NAIVE_LINUX_H
#define FAULTLINE_NAIVE_LINUX_H

#include "naive.h"

struct naive_linux_opts {
    uint32_t limit;      /* pages */
    uint64_t swap_pages; /* UINT64_MAX: as many as needed */
    uint64_t seed;       /* section 22 */
    struct fl_kernel_opts kernel;
    const struct fl_costs *costs;
    const struct fl_machine *machine;
};

struct naive_linux_result {
    struct naive_result r; /* what there is of it: no TLB, no frames */
    uint64_t scanned, activated, deactivated, refaults, reclaims;
    uint64_t kernel_pages_peak, usage_peak, stat_flushes;
    uint64_t readahead_pages, readahead_hits, file_readahead_pages, file_readahead_hits;
};

/** naive_linux_replay - the model over @items, which are as naive_replay() wants them. */
void naive_linux_replay(const struct naive_item *items, size_t n,
                        const struct naive_linux_opts *opts, struct naive_linux_result *out);

#endif
