/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_idmap.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct fl_idmap_slot *find(const struct fl_idmap *map, const uint64_t key[3])
{
    size_t at = (size_t)XXH3_64bits(key, 3 * sizeof key[0]) & (map->room - 1);
    while (map->slots[at].used && memcmp(map->slots[at].key, key, sizeof map->slots[at].key) != 0)
        at = (at + 1) & (map->room - 1);
    return &map->slots[at];
}

bool fl_idmap_get(const struct fl_idmap *map, uint64_t a, uint64_t b, uint64_t c, uint32_t *value)
{
    const uint64_t key[3] = { a, b, c };
    if (!map->room)
        return false;
    const struct fl_idmap_slot *slot = find(map, key);
    if (slot->used)
        *value = slot->value;
    return slot->used;
}

static bool grow(struct fl_idmap *map)
{
    struct fl_idmap bigger = { .room = map->room ? map->room * 2 : 64, .n = map->n };
    bigger.slots = calloc(bigger.room, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < map->room; i++)
        if (map->slots[i].used)
            *find(&bigger, map->slots[i].key) = map->slots[i];
    free(map->slots);
    *map = bigger;
    return true;
}

bool fl_idmap_put(struct fl_idmap *map, uint64_t a, uint64_t b, uint64_t c, uint32_t value)
{
    const uint64_t key[3] = { a, b, c };
    if (map->n * 2 >= map->room && !grow(map)) /* at most half full: probes stay short */
        return false;
    struct fl_idmap_slot *slot = find(map, key);
    if (!slot->used) {
        memcpy(slot->key, key, sizeof slot->key);
        slot->used = true;
        map->n++;
    }
    slot->value = value;
    return true;
}

void fl_idmap_clear(struct fl_idmap *map)
{
    free(map->slots);
    *map = (struct fl_idmap){ 0 };
}
