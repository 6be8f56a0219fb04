/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_idmap.h - a hash map from up to three numbers to one.
 */
#ifndef FL_PERF_IDMAP_H
#define FL_PERF_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fl_idmap_slot {
    uint64_t key[3];
    uint32_t value;
    bool used;
};

struct fl_idmap { /* zeroed: empty */
    struct fl_idmap_slot *slots;
    size_t n, room; /* room: 0 or a power of two */
};

/** fl_idmap_get - false when the key is not there. */
bool fl_idmap_get(const struct fl_idmap *map, uint64_t a, uint64_t b, uint64_t c, uint32_t *value);

/** fl_idmap_put - add or replace. Returns: false when out of memory. */
bool fl_idmap_put(struct fl_idmap *map, uint64_t a, uint64_t b, uint64_t c, uint32_t value);

void fl_idmap_clear(struct fl_idmap *map);

#endif
