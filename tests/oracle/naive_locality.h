/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * naive_locality.h - docs/locality.md, as slowly and as plainly as possible.
 *
 * The slow twin of fl_locality(): a list of touches, each with its column, and every number a
 * count over that list.
 */
#ifndef FAULTLINE_NAIVE_LOCALITY_H
#define FAULTLINE_NAIVE_LOCALITY_H

#include "naive_world.h"

struct naive_touch {
    uint32_t mm, column;
    uint64_t vpn;
    size_t process;
    int contents;
};

struct naive_touches {
    LIST(struct naive_touch) list;
    uint64_t accesses; /* of the whole trace */
    struct process processes[64];
    size_t n_processes;
};

/** naive_touches - every touch of @items, in memory without limit. */
void naive_touches(const struct naive_item *items, size_t n, struct naive_touches *out);
void naive_touches_free(struct naive_touches *t);

/** naive_pages_in - pages touched in columns [from, to). */
uint64_t naive_pages_in(const struct naive_touches *t, uint32_t from, uint32_t to);
/** naive_common - pages touched both in [from, to) and in [from2, to2). */
uint64_t naive_common(const struct naive_touches *t, uint32_t from, uint32_t to, uint32_t from2,
                      uint32_t to2);
/** naive_first_touches - pages whose first touch is in [from, to). */
uint64_t naive_first_touches(const struct naive_touches *t, uint32_t from, uint32_t to);
/** naive_contents - contents touched; only by several processes with @shared; or only by @process. */
uint64_t naive_contents(const struct naive_touches *t);
uint64_t naive_contents_shared(const struct naive_touches *t);
uint64_t naive_contents_only_of(const struct naive_touches *t, size_t process);

#endif
