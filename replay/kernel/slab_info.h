/* SPDX-License-Identifier: GPL-2.0-or-later */
/** slab_info.h - the text of /proc/slabinfo, taken apart. */
#ifndef REPLAY_SLAB_INFO_H
#define REPLAY_SLAB_INFO_H

#include <faultline/kernel_slab.h>

#include "slab_layout.h"

#define SLAB_UNTOLD UINT32_MAX

/** A slab on the node's list. */
struct slab_listed {
    uint64_t at;   /* an address in it */
    uint32_t free; /* objects */
};

struct slab_info_row {
    char name[SLAB_NAME_BYTES];
    struct fl_slab_state state;
    uint32_t size, objects, order; /* of an object; in a slab; pages of a slab, as power of two */
    uint32_t partial;              /* slabs on the node's list; SLAB_UNTOLD */
    uint32_t current;              /* slabs that CPUs allocate from */
    uint32_t *waiting;             /* slabs on each CPU's list; NULL: not told */
    uint64_t
        since_ns; /* all of this is of that time: the kernel had just shrunk the cache; 0: of the start */
    struct slab_listed *list; /* the first of the node\'s list, in its order; NULL: not told */
    uint32_t n_list;
    bool rcu; /* pages of an empty slab wait for RCU */
};

struct slab_info {
    struct slab_info_row *rows;
    size_t n;
};

/**
 * slab_info_parse - lines that are none of a cache are passed over, as are those with impossible
 * numbers. Errors: FL_ENOMEM; FL_EFORMAT when no line is one of a cache.
 */
int slab_info_parse(const char *text, size_t bytes, struct slab_info *out, struct fl_err *err);

/** slab_info_sheaves - does the cache have sheaves? */
bool slab_info_sheaves(const struct slab_info_row *row);

/** slab_info_settled - the cache was shrunk during the recording. */
static inline bool slab_info_settled(const struct slab_info_row *row)
{
    return row->since_ns != 0;
}

/**
 * slab_info_lists - what the text "slab_lists" of a recording (docs/trace-format.md) says of @info's caches on @cpus CPUs.
 * Lines that are none are passed over. FL_ENOMEM.
 */
int slab_info_lists(struct slab_info *info, const char *text, size_t bytes, uint32_t cpus,
                    struct fl_err *err);
/** slab_info_partial - the same of "slab_partial", of caches that slab_info_lists() found settled. */
int slab_info_partial(struct slab_info *info, const char *text, size_t bytes, struct fl_err *err);
void slab_info_free(struct slab_info *info);

/** slab_info_find - row of cache @name; NULL. Cost: looks at all. */
const struct slab_info_row *slab_info_find(const struct slab_info *info, const char *name);
/** slab_info_index - its number; UINT32_MAX: there is none. */
uint32_t slab_info_index(const struct slab_info *info, const char *name);

#endif
