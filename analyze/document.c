/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading result documents. They may come from anyone: after fl_document_check()
 * every key this program uses has the right type where it is present, and the
 * accessors check once more, so a caller need not.
 */
#include <faultline/report.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/units.h>

#include "document.h"

#define DOCUMENT_MAX_BYTES (256u << 20)
#define ROWS_MAX 65536u

const json_t *fl_document_at(const json_t *doc, const char *path)
{
    while (doc && *path) {
        char key[64];
        size_t len = strcspn(path, ".");
        if (len >= sizeof key)
            return NULL;
        memcpy(key, path, len);
        key[len] = '\0';
        doc = json_object_get(doc, key); /* NULL for anything but an object */
        path += len + (path[len] == '.');
    }
    return doc;
}

bool fl_document_count(const json_t *doc, const char *path, uint64_t *out)
{
    const json_t *v = fl_document_at(doc, path);
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

const char *fl_document_text(const json_t *doc, const char *path)
{
    const json_t *v = fl_document_at(doc, path);
    return json_is_string(v) ? json_string_value(v) : NULL;
}

/* ---- checking -------------------------------------------------------------- */

enum kind { OBJECT, ARRAY, TEXT, COUNT, TEXT_OR_NULL, COUNT_OR_MAX, NUMBER_OR_NULL };

struct rule {
    const char *path;
    enum kind kind;
    bool needed;
};

static const struct rule replay_rules[] = {
    { "trace", OBJECT, true },
    { "trace.path", TEXT_OR_NULL, false },
    { "trace.sha256", TEXT_OR_NULL, false },
    { "trace.fidelity", TEXT, true },
    { "trace.accesses", COUNT, false },
    { "trace.processes", COUNT, false },
    { "trace.distinct_pages", COUNT, false },
    { "trace.peak_resident_pages", COUNT, false },
    { "trace.lost_events", COUNT, false },
    { "machine", OBJECT, false },
    { "machine.ram_bytes", COUNT_OR_MAX, false },
    { "machine.frames", COUNT_OR_MAX, false },
    { "machine.swap_bytes", COUNT_OR_MAX, false },
    { "machine.page_bytes", COUNT, false },
    { "machine.policy", TEXT, false },
    { "faults", OBJECT, false }, /* needed but for samples: check_result() */
    { "faults.minor", COUNT, false },
    { "faults.major", COUNT, false },
    { "faults.by_cause", OBJECT, false },
    { "swap", OBJECT, false },
    { "reclaim", OBJECT, false },
    { "tlb", OBJECT, false },
    { "tlb.levels", ARRAY, false },
    { "page_table", OBJECT, false },
    { "sharing", OBJECT, false },
    { "oom", OBJECT, false },
    { "oom.kills", ARRAY, false },
    { "oom.candidates", ARRAY, false },
    { "timeline", OBJECT, false },
    { "time", OBJECT, false },
    { "time.total_ns", COUNT, false },
    { "time.slowdown_bp", COUNT, false },
    { "time.stall_share_bp", COUNT, false },
    { "quality", ARRAY, false },
    { "by_process", ARRAY, false },
    { "by_mapping", ARRAY, false },
    { "by_function", ARRAY, false },
    { "call_chains", ARRAY, false },
    { "live", ARRAY, false },
    { "slab", OBJECT, false },
    { "slab.caches", ARRAY, false },
    { "by_source", ARRAY, false },
    { "by_tlb", ARRAY, false },
    { "samples", OBJECT, false },
    { "samples.samples", COUNT, false },
    { "samples.estimated", OBJECT, false },
    { "samples.events", ARRAY, false },
    { "footprint", OBJECT, false },
    { "time.fault_ns", OBJECT, false },
    { "thrash", OBJECT, false },
    { "thrash.verdict", TEXT, false },
    { "thrash.intervals", ARRAY, false },
    { "locality", OBJECT, false },
    { "locality.accesses", COUNT, false },
    { "locality.timeline", OBJECT, false },
    { "locality.sets", OBJECT, false },
    { "tlb_reach", OBJECT, false },
    { "tlb_reach.walks", COUNT, false },
    { "tlb_reach.walks_huge", COUNT, false },
    { "buddy", OBJECT, false },
    { "buddy.orders", ARRAY, false },
    { "buddy.timeline", OBJECT, false },
    { "source", TEXT, false },
    { "label", TEXT, false },
};

/* Of every result that is not of samples. */
static const struct rule fault_rules[] = {
    { "faults", OBJECT, true },
    { "faults.minor", COUNT, true },
    { "faults.major", COUNT, true },
};

static const struct rule validate_rules[] = {
    { "command", TEXT, true },
    { "policy", TEXT, true },
    { "runs", COUNT, true },
    { "points", ARRAY, true },
    { "trace", OBJECT, false },
    { "trace.path", TEXT_OR_NULL, false },
    { "trace.sha256", TEXT_OR_NULL, false },
    { "trace.fidelity", TEXT, false },
    { "host", OBJECT, false },
    { "host.kernel", TEXT, false },
    { "swap", OBJECT, false },
    { "swap.kind", TEXT, false },
    { "quality", ARRAY, false },
    { "label", TEXT, false },
};

static const struct rule limit_rules[] = {
    { "ram_bytes", COUNT, true }, { "kernel", OBJECT, true },   { "kernel.oom", ARRAY, true },
    { "spread", OBJECT, true },   { "policies", OBJECT, true },
};

static const struct rule spread_rules[] = {
    { "min", COUNT, true },
    { "median", COUNT, true },
    { "max", COUNT, true },
};

static const struct rule said_rules[] = {
    { "minor", COUNT, true },
    { "major", COUNT, true },
    { "swap_in", COUNT, true },
    { "swap_out", COUNT, true },
    { "oom", COUNT, true },
    { "error_pct", OBJECT, true },
    { "error_pct.minor", NUMBER_OR_NULL, true },
    { "error_pct.major", NUMBER_OR_NULL, true },
    { "error_pct.swap_in", NUMBER_OR_NULL, true },
    { "error_pct.swap_out", NUMBER_OR_NULL, true },
    { "in_range", OBJECT, false },
    { "outcome", OBJECT, false },
    { "predicted_runs", OBJECT, false },
    { "predicted_runs.oom", ARRAY, false },
};

static const struct rule point_rules[] = {
    { "ram_bytes", COUNT_OR_MAX, true },
    { "policy", TEXT, true },
    { "minor", COUNT, true },
    { "major", COUNT, true },
    { "swap_bytes", COUNT_OR_MAX, false },
    { "oom_kills", COUNT, false },
};

static bool fits(const json_t *v, enum kind kind)
{
    switch (kind) {
    case OBJECT: return json_is_object(v);
    case ARRAY: return json_is_array(v);
    case TEXT: return json_is_string(v);
    case TEXT_OR_NULL: return json_is_string(v) || json_is_null(v);
    case COUNT: return json_is_integer(v) && json_integer_value(v) >= 0;
    case NUMBER_OR_NULL: return json_is_number(v) || json_is_null(v);
    case COUNT_OR_MAX: /* "max" and null: no limit */
        return (json_is_integer(v) && json_integer_value(v) >= 0) || json_is_null(v) ||
               (json_is_string(v) && strcmp(json_string_value(v), "max") == 0);
    }
    return false;
}

static const char *kind_name(enum kind kind)
{
    switch (kind) {
    case OBJECT: return "an object";
    case ARRAY: return "an array";
    case TEXT: return "a string";
    case TEXT_OR_NULL: return "a string or null";
    case COUNT: return "a number, 0 or more";
    case NUMBER_OR_NULL: return "a number or null";
    case COUNT_OR_MAX: return "a number, \"max\" or null";
    }
    return "";
}

static int check_rules(const json_t *doc, const struct rule *rules, size_t n, const char *name,
                       const char *where, struct fl_err *err)
{
    if (!json_is_object(doc))
        return fl_fail(err, FL_EFORMAT, "%s: %s is not an object", name, where);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = fl_document_at(doc, rules[i].path);
        if (!v && rules[i].needed)
            return fl_fail(err, FL_EFORMAT, "%s: %s has no \"%s\"", name, where, rules[i].path);
        if (v && !fits(v, rules[i].kind))
            return fl_fail(err, FL_EFORMAT, "%s: \"%s\" of %s must be %s", name, rules[i].path,
                           where, kind_name(rules[i].kind));
    }
    return FL_OK;
}

static int check_timeline(const json_t *timeline, const char *name, struct fl_err *err)
{
    const json_t *columns = json_object_get(timeline, "columns");
    const json_t *rows = json_object_get(timeline, "rows"), *v, *cell;
    size_t i, j;
    if (!timeline)
        return FL_OK;
    if (!json_is_array(columns) || !json_is_array(rows) || json_array_size(rows) > ROWS_MAX ||
        json_array_size(columns) > 256)
        return fl_fail(err, FL_EFORMAT,
                       "%s: \"timeline\" needs \"columns\" and at most %u \"rows\"", name,
                       ROWS_MAX);
    json_array_foreach(columns, i, v) if (!json_is_string(v)) return fl_fail(
        err, FL_EFORMAT, "%s: timeline column %zu is not a string", name, i);
    json_array_foreach(rows, i, v)
    {
        if (!json_is_array(v) || json_array_size(v) != json_array_size(columns))
            return fl_fail(err, FL_EFORMAT, "%s: timeline row %zu does not have %zu numbers", name,
                           i, json_array_size(columns));
        json_array_foreach(v, j, cell) if (!fits(cell, COUNT)) return fl_fail(
            err, FL_EFORMAT, "%s: timeline row %zu, column %zu must be %s", name, i, j,
            kind_name(COUNT));
    }
    return FL_OK;
}

/* Arrays of objects, objects of counts: what is shown must be what it says. */
static int check_members(const json_t *doc, const char *name, struct fl_err *err)
{
    static const char *const lists[] = { "quality",     "oom.kills",  "tlb.levels",
                                         "by_process",  "by_mapping", "by_function",
                                         "by_source",   "by_tlb",     "samples.events",
                                         "call_chains", "live",       "slab.caches",
                                         "buddy.orders" };
    const json_t *v;
    const char *key;
    size_t i;
    for (size_t k = 0; k < FL_COUNT(lists); k++) {
        const json_t *list = fl_document_at(doc, lists[k]);
        json_array_foreach(list, i, v) if (!json_is_object(v)) return fl_fail(
            err, FL_EFORMAT, "%s: entry %zu of \"%s\" is not an object", name, i, lists[k]);
    }
    json_object_foreach(
        (json_t *)(uintptr_t)fl_document_at(doc, "faults.by_cause"), key,
        v) if (!fits(v, COUNT)) return fl_fail(err, FL_EFORMAT,
                                               "%s: a value of \"faults.by_cause\" must be %s",
                                               name, kind_name(COUNT));
    return FL_OK;
}

static int check_result(const json_t *doc, const char *name, struct fl_err *err)
{
    int rc = check_rules(doc, replay_rules, FL_COUNT(replay_rules), name, "the result", err);
    if (rc == FL_OK && !json_object_get(doc, "samples"))
        rc = check_rules(doc, fault_rules, FL_COUNT(fault_rules), name, "the result", err);
    if (rc == FL_OK)
        rc = check_timeline(json_object_get(doc, "timeline"), name, err);
    if (rc == FL_OK)
        rc = check_timeline(fl_document_at(doc, "locality.timeline"), name, err);
    if (rc == FL_OK)
        rc = check_timeline(fl_document_at(doc, "buddy.timeline"), name, err);
    if (rc == FL_OK)
        rc = document_check_locality(doc, name, err);
    if (rc == FL_OK)
        rc = check_members(doc, name, err);
    return rc;
}

static int check_sweep(const json_t *doc, const char *name, struct fl_err *err)
{
    const json_t *points = json_object_get(doc, "points"), *trace = json_object_get(doc, "trace");
    const json_t *v;
    size_t i;
    if (!json_is_array(points) || json_array_size(points) > ROWS_MAX)
        return fl_fail(err, FL_EFORMAT, "%s: the sweep needs \"points\", an array of at most %u",
                       name, ROWS_MAX);
    if (trace && !json_is_object(trace))
        return fl_fail(err, FL_EFORMAT, "%s: \"trace\" of the sweep must be an object", name);
    json_array_foreach(points, i, v)
    {
        char where[32];
        snprintf(where, sizeof where, "point %zu", i);
        int rc = check_rules(v, point_rules, FL_COUNT(point_rules), name, where, err);
        if (rc != FL_OK)
            return rc;
    }
    return FL_OK;
}

#define LIMITS_MAX 256u

static int check_counts(const json_t *list, const char *name, const char *where, struct fl_err *err)
{
    const json_t *v;
    size_t i;
    if (list && (!json_is_array(list) || json_array_size(list) > ROWS_MAX))
        return fl_fail(err, FL_EFORMAT, "%s: a list of runs of %s is no array", name, where);
    json_array_foreach(list, i, v) if (!fits(v, COUNT)) return fl_fail(
        err, FL_EFORMAT, "%s: a run's count of %s must be %s", name, where, kind_name(COUNT));
    return FL_OK;
}

/* What kernel and policies have of one limit. */
static int check_limit(const json_t *limit, const char *name, const char *where, struct fl_err *err)
{
    const char *key;
    json_t *v;
    int rc = check_rules(limit, limit_rules, FL_COUNT(limit_rules), name, where, err);
    if (rc == FL_OK)
        rc = check_counts(fl_document_at(limit, "kernel.oom"), name, where, err);
    json_object_foreach(json_object_get(limit, "spread"), key, v)
    {
        if (rc == FL_OK)
            rc = check_rules(v, spread_rules, FL_COUNT(spread_rules), name, where, err);
    }
    json_object_foreach(json_object_get(limit, "policies"), key, v)
    {
        const char *inner;
        json_t *list;
        if (rc == FL_OK)
            rc = check_rules(v, said_rules, FL_COUNT(said_rules), name, where, err);
        json_object_foreach(json_object_get(v, "predicted_runs"), inner, list)
        {
            if (rc == FL_OK)
                rc = check_counts(list, name, where, err);
        }
    }
    return rc;
}

static int check_validate(const json_t *doc, const char *name, struct fl_err *err)
{
    const json_t *points, *v;
    size_t i;
    int rc =
        check_rules(doc, validate_rules, FL_COUNT(validate_rules), name, "the measurement", err);
    if (rc != FL_OK)
        return rc;
    points = json_object_get(doc, "points");
    if (json_array_size(points) > LIMITS_MAX)
        return fl_fail(err, FL_EFORMAT, "%s: more than %u \"points\"", name, LIMITS_MAX);
    json_array_foreach(points, i, v)
    {
        char where[32];
        snprintf(where, sizeof where, "point %zu", i);
        if (rc == FL_OK)
            rc = check_limit(v, name, where, err);
    }
    return rc == FL_OK ? check_members(doc, name, err) : rc;
}

static int check_report(const json_t *doc, const char *name, struct fl_err *err)
{
    const json_t *results = json_object_get(doc, "results"),
                 *sweeps = json_object_get(doc, "sweeps"),
                 *validations = json_object_get(doc, "validations");
    const json_t *v;
    size_t i;
    int rc = FL_OK;
    if (!json_is_array(results) || (sweeps && !json_is_array(sweeps)) ||
        (validations && !json_is_array(validations)))
        return fl_fail(err, FL_EFORMAT, "%s: the report needs \"results\", an array", name);
    json_array_foreach(validations, i, v) if (rc == FL_OK) rc = check_validate(v, name, err);
    json_array_foreach(results, i, v) if (rc == FL_OK) rc = check_result(v, name, err);
    json_array_foreach(sweeps, i, v) if (rc == FL_OK)
        rc = json_is_object(v) ? check_sweep(v, name, err)
                               : fl_fail(err, FL_EFORMAT, "%s: a sweep is no object", name);
    return rc;
}

int fl_document_check(const json_t *doc, const char *name, struct fl_err *err)
{
    const char *schema = fl_document_text(doc, "schema");
    if (!schema)
        return fl_fail(err, FL_EFORMAT,
                       "%s: not a faultline result: no \"schema\" (give a trace, or the output of "
                       "replay, sweep, validate or report)",
                       name);
    if (strcmp(schema, "faultline.replay/1") == 0)
        return check_result(doc, name, err);
    if (strcmp(schema, "faultline.sweep/1") == 0)
        return check_sweep(doc, name, err);
    if (strcmp(schema, "faultline.validate/1") == 0)
        return check_validate(doc, name, err);
    if (strcmp(schema, "faultline.report/1") == 0)
        return check_report(doc, name, err);
    char *clean = fl_text_clean(schema, 64);
    int rc = fl_fail(err, strncmp(schema, "faultline.", 10) == 0 ? FL_EVERSION : FL_EFORMAT,
                     "%s: schema \"%s\" is not one of faultline.replay/1, faultline.sweep/1, "
                     "faultline.validate/1, faultline.report/1",
                     name, clean ? clean : "");
    free(clean);
    return rc;
}

int fl_document_load(const char *path, json_t **out, struct fl_err *err)
{
    struct stat st;
    json_error_t why;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fl_fail_errno(err, "%s", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)DOCUMENT_MAX_BYTES) {
        close(fd);
        return fl_fail(err, FL_EFORMAT, "%s: not a regular file of at most %u MiB", path,
                       DOCUMENT_MAX_BYTES >> 20);
    }
    char first = 0;
    if (pread(fd, &first, 1, 0) == 1 && (unsigned char)first == 0x89) { /* as traces begin */
        close(fd);
        return fl_fail(err, FL_EFORMAT,
                       "%s: a trace, not a result: give the output of `faultline replay` or "
                       "`faultline report` of it",
                       path);
    }
    json_t *doc = json_loadfd(fd, JSON_REJECT_DUPLICATES, &why);
    close(fd);
    if (!doc) {
        char *clean = fl_text_clean(why.text, 160);
        int rc =
            fl_fail(err, FL_EFORMAT, "%s:%d: damaged JSON: %s", path, why.line, clean ? clean : "");
        free(clean);
        return rc;
    }
    int rc = fl_document_check(doc, path, err);
    if (rc != FL_OK) {
        json_decref(doc);
        return rc;
    }
    *out = doc;
    return FL_OK;
}
