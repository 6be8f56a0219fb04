/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <jansson.h>

#include <faultline/json_write.h>
#include <faultline/kernel_buddy.h>

#include "buddy_replay.h"

static int put(json_t *object, const char *key, uint64_t n)
{
    return json_object_set_new(object, key, fl_json_u64(n));
}

/* Numbers that a replay with too few blocks on its books may have below zero. */
static int put_signed(json_t *object, const char *key, int64_t n)
{
    return json_object_set_new(object, key, json_integer((json_int_t)n));
}

static int put_orders(json_t *object, const struct buddy_zone_replay *zones, uint32_t n)
{
    json_t *rows = json_array();
    int bad = 0;
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++) {
        json_t *row = json_object();
        int64_t now = 0, start = 0, end = 0;
        uint64_t allocs = 0, frees = 0, splits = 0, merges = 0;
        for (uint32_t i = 0; i < n; i++) {
            now += zones[i].predicted[o];
            start += zones[i].at_start[o];
            end += zones[i].at_end[o];
            allocs += zones[i].allocs[o];
            frees += zones[i].frees[o];
            splits += zones[i].splits[o];
            merges += zones[i].merges[o];
        }
        bad |= put(row, "order", o) | put_signed(row, "free", now);
        bad |= put(row, "allocs", allocs) | put(row, "frees", frees);
        bad |= put(row, "splits", splits) | put(row, "merges", merges);
        bad |= put_signed(row, "start", start) | put_signed(row, "recorded_end", end);
        bad |= json_array_append_new(rows, row);
    }
    return bad | json_object_set_new(object, "orders", rows);
}

static int put_pair(json_t *object, const char *key, const int64_t blocks[BUDDY_ORDERS])
{
    json_t *side = json_object();
    int bad = put_signed(side, "free_pages", buddy_pages(blocks));
    bad |= put_signed(side, "fragmentation_index",
                      buddy_fragmentation_index(blocks, BUDDY_BLOCK_ORDER));
    bad |= put_signed(side, "unusable_index", buddy_unusable_index(blocks, BUDDY_BLOCK_ORDER));
    bad |= put_signed(side, "largest_order", buddy_largest(blocks));
    return bad | json_object_set_new(object, key, side);
}

static int put_zone(json_t *rows, const struct buddy_zone_replay *z)
{
    json_t *row = json_object();
    int bad = json_object_set_new(row, "zone", fl_json_text(z->name));
    bad |= put(row, "managed_pages", z->managed);
    bad |= put_pair(row, "start", z->at_start) | put_pair(row, "predicted", z->predicted);
    bad |= put_pair(row, "recorded_end", z->at_end);
    bad |= put_orders(row, z, 1);
    bad |= put_signed(row, "pcp_pages_start", z->pcp_at_start);
    bad |= put_signed(row, "pcp_pages_end", z->pcp_at_end);
    bad |= put(row, "takes", z->takes) | put(row, "gives", z->gives);
    bad |= put(row, "claims", z->claims) | put(row, "steals", z->steals);
    bad |= put(row, "assumed_merges", z->assumed_merges);
    bad |= put(row, "unseen_gives", z->unseen_gives) | put(row, "unseen_takes", z->unseen_takes);
    bad |= put(row, "unexplained", z->unexplained);
    return bad | json_array_append_new(rows, row);
}

static int put_timeline(json_t *object, const struct buddy_replay *replay)
{
    json_t *timeline = json_object(), *columns = json_array(), *rows = json_array();
    int bad = json_array_append_new(columns, json_string("time_ns"));
    bad |= json_array_append_new(columns, json_string("events"));
    bad |= json_array_append_new(columns, json_string("largest_order"));
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
        bad |= json_array_append_new(columns, json_sprintf("free_order_%u", o));
    for (uint32_t i = 0; i < replay->n_rows; i++) {
        const struct buddy_row *r = &replay->row[i];
        json_t *row = json_array();
        bad |= json_array_append_new(row, fl_json_u64(r->time_ns));
        bad |= json_array_append_new(row, fl_json_u64(r->events));
        bad |= json_array_append_new(row, json_integer(r->largest < 0 ? 0 : r->largest));
        for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
            bad |= json_array_append_new(row, json_integer(r->blocks[o] < 0 ? 0 : r->blocks[o]));
        bad |= json_array_append_new(rows, row);
    }
    bad |= json_object_set_new(timeline, "columns", columns);
    bad |= json_object_set_new(timeline, "rows", rows);
    return bad | json_object_set_new(object, "timeline", timeline);
}

int buddy_replay_json(const struct buddy_replay *replay, bool apart, json_t *doc,
                      struct fl_err *err)
{
    json_t *buddy = json_object(), *zones = json_array();
    int64_t all[BUDDY_ORDERS] = { 0 };
    for (uint32_t i = 0; i < replay->n_zones; i++)
        for (uint32_t o = 0; o < BUDDY_ORDERS; o++)
            all[o] += replay->zone[i].predicted[o];
    int bad = put_orders(buddy, replay->zone, replay->n_zones);
    bad |=
        put_signed(buddy, "fragmentation_index", buddy_fragmentation_index(all, BUDDY_BLOCK_ORDER));
    bad |= put_signed(buddy, "unusable_index", buddy_unusable_index(all, BUDDY_BLOCK_ORDER));
    bad |= put(buddy, "failed", replay->failed) | put(buddy, "events", replay->events);
    for (uint32_t i = 0; i < replay->n_zones; i++)
        bad |= put_zone(zones, &replay->zone[i]);
    bad |= json_object_set_new(buddy, "zones", zones);
    bad |= json_object_set_new(doc, "buddy", buddy);
    bad |= put_timeline(apart ? doc : buddy, replay);
    return bad ? fl_nomem(err, "the result") : FL_OK;
}

int fl_buddy_replay_json(struct fl_reader *r, json_t *object, struct fl_err *err)
{
    struct buddy_replay *replay = NULL;
    int rc = buddy_replay_trace(r, &replay, err);
    if (rc == FL_OK)
        rc = buddy_replay_json(replay, false, object, err);
    buddy_replay_free(replay);
    return rc;
}
