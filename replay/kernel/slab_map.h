/* SPDX-License-Identifier: GPL-2.0-or-later */
/** slab_map.h - numbers by 64-bit keys: which slab is at a page, where an object lies. */
#ifndef REPLAY_SLAB_MAP_H
#define REPLAY_SLAB_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_MAP_NONE UINT32_MAX

/** Open addressing; a key once put stays, its value can be replaced. All zero is an empty one. */
struct slab_map {
    struct slab_map_slot {
        uint64_t key;
        uint32_t value;
        bool used;
    } * slots;
    size_t n, room;
};

/** slab_map_get - the value put last; SLAB_MAP_NONE. O(1). */
uint32_t slab_map_get(const struct slab_map *map, uint64_t key);
/** slab_map_put - false: out of memory. O(1) amortised. */
bool slab_map_put(struct slab_map *map, uint64_t key, uint32_t value);
void slab_map_free(struct slab_map *map);

#endif
