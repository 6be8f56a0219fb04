/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <jansson.h>

#include <faultline/json_write.h>
#include <faultline/kernel_slab.h>

static int put(json_t *object, const char *key, uint64_t n)
{
    return json_object_set_new(object, key, fl_json_u64(n));
}

static int put_state(json_t *object, const char *key, const struct fl_slab_state *s)
{
    json_t *state = json_object();
    int bad = put(state, "objects", s->objects) | put(state, "slabs", s->slabs);
    return bad | json_object_set_new(object, key, state);
}

/* The contract's keys first. */
static int put_row(json_t *rows, const struct fl_slab_row *r, bool has_end)
{
    json_t *row = json_object(), *occupancy = json_array();
    int bad = json_object_set_new(row, "name", fl_json_text(r->name));
    bad |= put(row, "objects", r->predicted.objects);
    bad |= put(row, "object_bytes", r->object_bytes);
    bad |= put(row, "slabs", r->predicted.slabs);
    bad |= put(row, "internal_waste_bytes", r->internal_waste_bytes);
    bad |= put(row, "size_bytes", r->size_bytes);
    bad |= put(row, "objects_per_slab", r->objects_per_slab);
    bad |= put(row, "order", r->order);
    bad |= put(row, "allocs", r->allocs) | put(row, "frees", r->frees);
    bad |= put(row, "requested_bytes", r->requested_bytes);
    bad |= put(row, "given_bytes", r->given_bytes);
    bad |= put(row, "free_bytes", r->free_bytes);
    bad |= put(row, "slabs_new", r->slabs_new);
    bad |= put(row, "slabs_given_back", r->slabs_given_back);
    bad |= put(row, "unseen_allocs", r->unseen_allocs);
    bad |= put(row, "unseen_frees", r->unseen_frees);
    bad |= put(row, "inferred_frees", r->inferred_frees);
    for (int i = 0; i < FL_SLAB_OCCUPANCY; i++)
        bad |= json_array_append_new(occupancy, fl_json_u64(r->occupancy[i]));
    bad |= json_object_set_new(row, "occupancy", occupancy);
    bad |= put_state(row, "start", &r->start);
    if (has_end)
        bad |= put_state(row, "recorded_end", &r->end);
    if (r->has_settled) {
        bad |= put_state(row, "settled", &r->predicted_settled);
        bad |= put_state(row, "recorded_settled", &r->settled);
    }
    return bad | json_array_append_new(rows, row);
}

int fl_slab_replay_json(const struct fl_slab_replay *replay, json_t *object, struct fl_err *err)
{
    json_t *slab = json_object(), *rows = json_array();
    int bad = 0;
    for (size_t i = 0; i < replay->n_rows; i++)
        bad |= put_row(rows, &replay->rows[i], replay->has_end);
    bad |= json_object_set_new(slab, "caches", rows);
    bad |= json_object_set_new(slab, "source", json_string("events"));
    bad |= put(slab, "events", replay->events);
    bad |= put(slab, "lost", replay->lost);
    bad |= put(slab, "unknown_cache", replay->unknown_cache);
    bad |= put(slab, "unknown_frees", replay->unknown_frees);
    bad |= put(slab, "large_kmalloc", replay->large);
    bad |= json_object_set_new(object, "slab", slab);
    return bad ? fl_nomem(err, "result") : FL_OK;
}

int fl_slab_implied_json(const struct fl_slab_implied *implied, json_t *object, struct fl_err *err)
{
    json_t *slab = json_object(), *rows = json_array();
    int bad = 0;
    for (size_t i = 0; i < implied->n_rows; i++) {
        const struct fl_slab_implied_row *r = &implied->rows[i];
        json_t *row = json_object();
        bad |= json_object_set_new(row, "name", fl_json_text(r->name));
        bad |= put(row, "objects", r->objects_peak) | put(row, "object_bytes", r->object_bytes);
        bad |= put(row, "slabs", r->slabs_peak);
        bad |= put(row, "internal_waste_bytes", r->internal_waste_bytes);
        bad |= put(row, "created", r->created) | put(row, "objects_end", r->objects_end);
        bad |= put(row, "slabs_end", r->slabs_end);
        bad |= json_array_append_new(rows, row);
    }
    bad |= json_object_set_new(slab, "caches", rows);
    bad |= json_object_set_new(slab, "source", json_string("implied"));
    bad |= put(slab, "page_table_pages", implied->page_table_pages);
    bad |= put(slab, "stack_pages", implied->stack_pages);
    bad |= json_object_set_new(object, "slab", slab);
    return bad ? fl_nomem(err, "result") : FL_OK;
}
