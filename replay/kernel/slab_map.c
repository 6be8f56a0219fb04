/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_map.h"

#include <stdlib.h>

static size_t slot_of(const struct slab_map *map, uint64_t key)
{
    uint64_t h = key * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(h >> 20) & (map->room - 1);
    while (map->slots[i].used && map->slots[i].key != key)
        i = (i + 1) & (map->room - 1);
    return i;
}

uint32_t slab_map_get(const struct slab_map *map, uint64_t key)
{
    if (!map->room)
        return SLAB_MAP_NONE;
    const struct slab_map_slot *slot = &map->slots[slot_of(map, key)];
    return slot->used ? slot->value : SLAB_MAP_NONE;
}

static bool grow_map(struct slab_map *map)
{
    struct slab_map bigger = { .room = map->room ? 2 * map->room : 1024, .n = map->n };
    bigger.slots = calloc(bigger.room, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < map->room; i++)
        if (map->slots[i].used)
            bigger.slots[slot_of(&bigger, map->slots[i].key)] = map->slots[i];
    free(map->slots);
    *map = bigger;
    return true;
}

bool slab_map_put(struct slab_map *map, uint64_t key, uint32_t value)
{
    if (2 * (map->n + 1) > map->room && !grow_map(map))
        return false;
    struct slab_map_slot *slot = &map->slots[slot_of(map, key)];
    map->n += !slot->used;
    *slot = (struct slab_map_slot){ .key = key, .value = value, .used = true };
    return true;
}

void slab_map_free(struct slab_map *map)
{
    free(map->slots);
    *map = (struct slab_map){ 0 };
}
