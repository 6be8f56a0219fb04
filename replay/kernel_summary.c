/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <faultline/json_write.h>

#include "grow.h"
#include "kernel_summary.h"

const char *kernel_moment_name(uint32_t moment)
{
    return moment == FL_SNAPSHOT_START ? "start" : moment == FL_SNAPSHOT_END ? "end" : "other";
}

static int add_row(struct kernel_summary *s, uint32_t *room, const struct fl_probe *probe,
                   struct fl_err *err)
{
    if (s->n_rows == *room) {
        *room = grow_room(*room);
        if (!*room || !grow(&s->rows, *room))
            return fl_nomem(err, "tracepoints of the trace");
    }
    struct kernel_row *row = &s->rows[s->n_rows];
    row->count = 0;
    if (probe)
        memcpy(row->name, probe->name, sizeof row->name);
    else
        snprintf(row->name, sizeof row->name, "tracepoint %u", s->n_rows);
    s->n_rows++;
    return FL_OK;
}

static int take(struct kernel_summary *s, struct fl_probes *probes, uint32_t *room,
                const struct fl_event *ev, struct fl_err *err)
{
    int rc = FL_OK;
    if (ev->kind == FL_EV_PROBE) {
        rc = fl_probes_event(probes, ev, err);
        if (rc == FL_OK && ev->probe.probe == s->n_rows)
            rc = add_row(s, room, fl_probes_at(probes, ev->probe.probe), err);
    } else if (ev->kind == FL_EV_HIT) {
        if (ev->hit.probe < s->n_rows)
            s->rows[ev->hit.probe].count++;
    } else if (ev->kind == FL_EV_SNAPSHOT) {
        rc = fl_snapshots_event(s->snapshots, ev, err);
    }
    return rc;
}

static int by_count(const void *a, const void *b)
{
    const struct kernel_row *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->name, y->name);
}

int kernel_summary_read(struct fl_reader *r, struct kernel_summary *out, struct fl_err *err)
{
    struct fl_probes *probes = fl_probes_new();
    struct fl_item item;
    uint32_t room = 0;
    *out = (struct kernel_summary){ .snapshots = fl_snapshots_new() };
    int rc = probes && out->snapshots ? fl_reader_rewind_reduced(r, UINT32_MAX, err)
                                      : fl_nomem(err, "tracepoints of the trace");
    while (rc == FL_OK) {
        rc = fl_reader_next(r, &item, err);
        if (rc != FL_OK || item.kind == FL_ITEM_END)
            break;
        if (item.kind == FL_ITEM_EVENT)
            rc = take(out, probes, &room, &item.event, err);
    }
    fl_probes_free(probes);
    if (rc != FL_OK)
        kernel_summary_free(out);
    else if (out->n_rows)
        qsort(out->rows, out->n_rows, sizeof *out->rows, by_count);
    return rc;
}

void kernel_summary_free(struct kernel_summary *s)
{
    free(s->rows);
    fl_snapshots_free(s->snapshots);
    *s = (struct kernel_summary){ 0 };
}

int kernel_summary_json(const struct kernel_summary *s, json_t *object, struct fl_err *err)
{
    json_t *events = json_array(), *snapshots = json_array();
    size_t n = fl_snapshots_count(s->snapshots);
    int bad = 0;
    for (uint32_t i = 0; i < s->n_rows; i++) {
        json_t *row = json_object();
        bad |= json_object_set_new(row, "name", fl_json_text(s->rows[i].name));
        bad |= json_object_set_new(row, "count", fl_json_u64(s->rows[i].count));
        bad |= json_array_append_new(events, row);
    }
    for (size_t i = 0; i < n; i++) {
        struct fl_snapshot x = fl_snapshots_at(s->snapshots, i);
        json_t *row = json_object();
        bad |= json_object_set_new(row, "moment", fl_json_text(kernel_moment_name(x.moment)));
        bad |= json_object_set_new(row, "pid", fl_json_u64(x.pid));
        bad |= json_object_set_new(row, "name", fl_json_text(x.name));
        bad |= json_object_set_new(row, "bytes", fl_json_u64(x.bytes));
        bad |= json_array_append_new(snapshots, row);
    }
    if (s->n_rows || n) {
        bad |= json_object_set(object, "kernel_events", events);
        bad |= json_object_set(object, "snapshots", snapshots);
    }
    json_decref(events);
    json_decref(snapshots);
    return bad ? fl_nomem(err, "result") : FL_OK;
}
