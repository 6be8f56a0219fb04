/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frames_json.h"

#include <faultline/json_write.h>

#include "kernel/buddy.h"

static void put(json_t *object, const char *key, uint64_t n)
{
    json_object_set_new(object, key, fl_json_u64(n));
}

json_t *frames_json(const struct fl_buddy_counts *counts)
{
    json_t *buddy = json_object(), *orders = json_array();
    int64_t least[FL_ORDERS];
    for (uint32_t o = 0; o < FL_ORDERS; o++) {
        json_t *row = json_object();
        put(row, "order", o);
        put(row, "free", counts->free[o]);
        put(row, "allocs", counts->allocs[o]);
        put(row, "frees", counts->frees[o]);
        put(row, "splits", counts->splits[o]);
        put(row, "merges", counts->merges[o]);
        put(row, "least_free", counts->least_free[o]);
        least[o] = (int64_t)counts->least_free[o];
        json_array_append_new(orders, row);
    }
    json_object_set_new(buddy, "orders", orders);
    json_object_set_new(buddy, "fragmentation_index",
                        json_integer(buddy_fragmentation_index(least, BUDDY_BLOCK_ORDER)));
    json_object_set_new(buddy, "unusable_index",
                        json_integer(buddy_unusable_index(least, BUDDY_BLOCK_ORDER)));
    put(buddy, "failed", counts->failed);
    put(buddy, "no_large", counts->no_large);
    return buddy;
}
