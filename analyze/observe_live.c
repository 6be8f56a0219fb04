/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc said of the processes that ran before an events trace began, at its start and end. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/kernel_events.h>

#include "an.h"
#include "observe.h"

#define LISTED_MAX 1000u

/* The number behind "KEY:" at the start of a line, in kB as /proc/PID/status has them. */
static bool line_number(const char *text, const char *key, uint64_t *out)
{
    size_t n = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) == 0 && line[n] == ':') {
            char *end;
            *out = strtoull(line + n + 1, &end, 10);
            return end > line + n + 1;
        }
    }
    return false;
}

static void put_bytes(json_t *into, const char *key, const char *status, const char *name)
{
    uint64_t kb;
    if (line_number(status, name, &kb) && kb <= INT64_MAX / 1024)
        json_object_set_new(into, key, json_integer((json_int_t)(kb * 1024)));
}

/* What is known of @pid at @moment; NULL: nothing. */
static json_t *moment_json(const struct fl_snapshots *s, uint32_t pid, uint32_t moment)
{
    struct fl_snapshot status, score;
    if (!fl_snapshots_find(s, pid, moment, "status", &status))
        return NULL;
    json_t *at = json_object();
    put_bytes(at, "resident_bytes", status.text, "VmRSS");
    put_bytes(at, "swapped_bytes", status.text, "VmSwap");
    put_bytes(at, "peak_resident_bytes", status.text, "VmHWM");
    put_bytes(at, "page_table_bytes", status.text, "VmPTE");
    if (fl_snapshots_find(s, pid, moment, "oom_score", &score))
        json_object_set_new(at, "oom_score", json_integer(strtoll(score.text, NULL, 10)));
    return at;
}

static json_int_t resident(const json_t *entry)
{
    const json_t *start = json_object_get(entry, "start"), *end = json_object_get(entry, "end");
    return json_integer_value(json_object_get(end ? end : start, "resident_bytes"));
}

static int by_resident(const void *a, const void *b)
{
    json_int_t x = resident(*(json_t *const *)a), y = resident(*(json_t *const *)b);
    return (x < y) - (x > y);
}

/* The largest first; of equals, the first. */
static json_t *sorted(json_t *list)
{
    size_t n = json_array_size(list);
    json_t *out = json_array(), **all = calloc(n + 1, sizeof *all);
    for (size_t i = 0; all && i < n; i++)
        all[i] = json_array_get(list, i);
    if (all)
        qsort(all, n, sizeof(json_t *), by_resident);
    for (size_t i = 0; all && i < n && i < LISTED_MAX; i++)
        json_array_append(out, all[i]);
    free(all);
    json_decref(list);
    return out;
}

json_t *live_json(const struct fl_snapshots *s, const char *(*comm_of)(const void *, uint32_t),
                  const void *ctx)
{
    json_t *list = json_array();
    for (size_t i = 0; i < fl_snapshots_count(s); i++) {
        struct fl_snapshot at = fl_snapshots_at(s, i);
        if (!at.pid || strcmp(at.name, "status") != 0)
            continue;
        json_t *start = moment_json(s, at.pid, FL_SNAPSHOT_START);
        if (at.moment == FL_SNAPSHOT_END && start) {
            json_decref(start); /* listed where it began */
            continue;
        }
        json_t *end = moment_json(s, at.pid, FL_SNAPSHOT_END);
        const char *comm = comm_of(ctx, at.pid);
        json_t *entry =
            json_pack("{s:I, s:s}", "pid", (json_int_t)at.pid, "comm", comm ? comm : "");
        if (start)
            json_object_set_new(entry, "start", start);
        if (end)
            json_object_set_new(entry, "end", end);
        json_array_append_new(list, entry);
    }
    return sorted(list);
}
