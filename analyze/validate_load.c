/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's runs of an earlier result, as if they had just been made. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <jansson.h>

#include <faultline/report.h>
#include <faultline/units.h>

#include "validate.h"

static int lacks(const char *what, struct fl_err *err)
{
    return fl_fail(err, FL_EFORMAT,
                   "--measured: \"%s\" of the kernel's runs is missing; measure again with this "
                   "version",
                   what);
}

static bool number_at(const json_t *list, unsigned i, uint64_t *out)
{
    const json_t *n = json_array_get(list, i);
    *out = (uint64_t)json_integer_value(n);
    return json_is_integer(n) && json_integer_value(n) >= 0;
}

static int wait_status_of(uint64_t status)
{
    return status > 128 ? W_EXITCODE(0, (int)(status - 128) & 0x7f) : W_EXITCODE((int)status, 0);
}

/* ---- a point ------------------------------------------------------------------------ */

/* Run @i's number @name; false where there is none. */
static bool field(const json_t *kernel, const char *name, unsigned i, uint64_t *out)
{
    return number_at(json_object_get(kernel, name), i, out);
}

static void load_counters(const json_t *counters, unsigned i, struct fl_vm_counts *out)
{
    uint64_t value;
    for (unsigned c = 0; c < FL_VM_COUNT; c++)
        if (field(counters, fl_vm_count_name(c), i, &value)) {
            out->count[c] = value;
            out->present |= UINT64_C(1) << c;
        }
}

static int load_run(const json_t *kernel, unsigned i, struct fl_run *run, struct fl_err *err)
{
    uint64_t status, outlived;
    struct {
        const char *name;
        uint64_t *to;
    } const fields[] = {
        { "minor", &run->minor },           { "major", &run->major },
        { "oom", &run->oom_kills },         { "wall_ns", &run->wall_ns },
        { "cpu_ns", &run->cpu_ns },         { "peak_bytes", &run->peak_bytes },
        { "limit_hits", &run->limit_hits }, { "status", &status },
        { "outlived", &outlived },
    };
    for (size_t f = 0; f < FL_COUNT(fields); f++)
        if (!field(kernel, fields[f].name, i, fields[f].to))
            return lacks(fields[f].name, err);
    run->wait_status = wait_status_of(status);
    run->outlived = (unsigned)outlived;
    load_counters(json_object_get(kernel, "counters"), i, &run->machine);
    return FL_OK;
}

static int load_flushes(const json_t *kernel, unsigned i, struct fl_seen_flushes *seen,
                        struct fl_err *err)
{
    const json_t *list = json_array_get(json_object_get(kernel, "flushes"), i);
    size_t n = json_array_size(list);
    uint64_t first_ns, moved;
    if (!field(kernel, "first_flush_ns", i, &first_ns)) /* null: not known */
        return FL_OK;
    if (!json_is_array(list) || !field(kernel, "moved", i, &moved))
        return lacks("flushes", err);
    seen->flush = calloc(n + 1, sizeof *seen->flush);
    if (!seen->flush)
        return fl_nomem(err, "flushes");
    for (size_t k = 0; k < n; k++) {
        const json_t *flush = json_array_get(list, k);
        if (!fl_document_count(flush, "at_ns", &seen->flush[k].at_ns) ||
            !fl_document_count(flush, "moved", &seen->flush[k].moved))
            return lacks("flushes", err);
    }
    seen->n = (unsigned)n;
    validate_flushes_end(seen, first_ns, moved);
    return FL_OK;
}

static void load_victims(const json_t *list, struct validate_point *p)
{
    size_t i;
    const json_t *victim;
    json_array_foreach(list, i, victim)
    {
        uint64_t run, pid;
        const char *comm = fl_document_text(victim, "comm");
        if (!comm || !fl_document_count(victim, "run", &run) ||
            !fl_document_count(victim, "pid", &pid) || run >= p->n_runs ||
            p->runs[run].n_victims == FL_RUN_VICTIMS_MAX)
            continue;
        struct fl_run_victim *to = &p->runs[run].victims[p->runs[run].n_victims++];
        to->pid = (pid_t)pid;
        snprintf(to->comm, sizeof to->comm, "%s", comm);
    }
}

static int load_point(const json_t *doc, struct validate *v, struct fl_err *err)
{
    struct validate_point *p = &v->points[v->n_points++];
    const json_t *kernel = json_object_get(doc, "kernel");
    uint64_t timeouts = 0;
    size_t n = json_array_size(json_object_get(kernel, "minor"));
    if (n > v->runs)
        return fl_fail(err, FL_EFORMAT, "--measured: a limit has more runs than there were");
    fl_document_count(doc, "ram_bytes", &p->ram_bytes);
    fl_document_count(kernel, "timeouts", &timeouts);
    p->timeouts = (unsigned)timeouts;
    p->runs = calloc(n + 1, sizeof *p->runs);
    p->seen = calloc(n + 1, sizeof *p->seen);
    if (!p->runs || !p->seen)
        return fl_nomem(err, "runs");
    p->n_runs = (unsigned)n;
    int rc = FL_OK;
    for (unsigned i = 0; i < n && rc == FL_OK; i++) {
        rc = load_run(kernel, i, &p->runs[i], err);
        if (rc == FL_OK)
            rc = load_flushes(kernel, i, &p->seen[i].statistics, err);
        if (rc == FL_OK && !field(kernel, "whole_tlb_flushes", i, &p->seen[i].whole_tlb))
            p->seen[i].whole_tlb = UINT64_MAX; /* null, or a result from before there were any */
    }
    load_victims(json_object_get(kernel, "oom_victims"), p);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------ */

static enum fl_swapdev_kind swap_kind_of(const char *name)
{
    for (unsigned k = FL_SWAPDEV_NONE; k <= FL_SWAPDEV_PARTITION; k++)
        if (name && strcmp(name, fl_swapdev_kind_name((enum fl_swapdev_kind)k)) == 0)
            return (enum fl_swapdev_kind)k;
    return FL_SWAPDEV_AUTO;
}

static int load_machine(const json_t *doc, struct validate *v, struct fl_err *err)
{
    uint64_t version, runs, bytes, status;
    const json_t *swappiness = fl_document_at(doc, "cgroup.swappiness");
    struct {
        const char *path;
        uint64_t *to;
    } const fields[] = {
        { "cgroup.version", &version },
        { "runs", &runs },
        { "swap.bytes", &bytes },
        { "native.status", &status },
        { "native.wall_ns", &v->native.wall_ns },
        { "native.cpu_ns", &v->native.cpu_ns },
        { "native.peak_bytes", &v->native.peak_bytes },
        { "native.minor", &v->native.minor },
        { "native.major", &v->native.major },
    };
    for (size_t i = 0; i < FL_COUNT(fields); i++)
        if (!fl_document_count(doc, fields[i].path, fields[i].to))
            return lacks(fields[i].path, err);
    v->swap.kind = swap_kind_of(fl_document_text(doc, "swap.kind"));
    if (v->swap.kind == FL_SWAPDEV_AUTO)
        return lacks("swap.kind", err);
    v->swap.pages = bytes / FL_PAGE_BYTES;
    v->swap.rotational = json_is_true(fl_document_at(doc, "swap.rotational"));
    v->swap.was_on = json_is_true(fl_document_at(doc, "swap.was_on"));
    v->cgroup_version = version == 1 ? 1 : 2;
    v->swappiness = json_is_integer(swappiness) ? (int)json_integer_value(swappiness) : -1;
    v->runs = runs < VALIDATE_RUNS_MAX ? (unsigned)runs : VALIDATE_RUNS_MAX;
    v->aligned = json_is_true(json_object_get(doc, "aligned"));
    v->native.wait_status = wait_status_of(status);
    /* where --costs told nothing; null, or not there in an older result: not known */
    if (!v->costs.tlb.entries)
        fl_tlb_kept_parse(json_object_get(doc, "tlb"), &v->costs.tlb, NULL);
    v->host.page_cluster = -1; /* as the trace has it */
    return FL_OK;
}

int validate_load(struct validate *v, const char *path, struct fl_err *err)
{
    json_t *doc = NULL;
    const json_t *points;
    int rc = fl_document_load(path, &doc, err);
    v->measured = doc;
    if (rc != FL_OK)
        return rc;
    const char *command = fl_document_text(doc, "command");
    points = json_object_get(doc, "points");
    if (!json_is_array(points) || !command || json_array_size(points) > VALIDATE_POINTS_MAX)
        return fl_fail(err, FL_EUSAGE, "%s: not a result of validate; give one made with -o", path);
    v->command = strdup(command);
    v->points = calloc(json_array_size(points) + 1, sizeof *v->points);
    if (!v->points || !v->command)
        return fl_nomem(err, "runs");
    rc = load_machine(doc, v, err);
    for (size_t i = 0; i < json_array_size(points) && rc == FL_OK; i++)
        rc = load_point(json_array_get(points, i), v, err);
    return rc;
}
