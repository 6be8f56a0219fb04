/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an events trace says happened: the kernel's own faults by time, process and mapping; and
   where the samples of a sampled trace were taken. */
#include <inttypes.h>
#include <jansson.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/kernel_events.h>
#include <faultline/kernel_buddy.h>
#include <faultline/kernel_slab.h>
#include <faultline/replay.h>
#include <faultline/units.h>

#include "an.h"
#include "mapping.h"
#include "observe.h"

#define BINS 256u
#define LISTED_MAX 1000u

struct process {
    uint32_t pid, mm;
    char *comm;
    struct tally tally;
};

struct observer {
    struct mappings *mappings;
    struct code_tally *code;
    struct fl_snapshots *snapshots;
    struct sample_tally *samples; /* NULL: not a sampled trace */
    struct tally total, bins[BINS], *by_label;
    uint32_t cap_labels;
    struct process *processes;
    size_t n_processes, cap_processes;
    void *pids;        /* tree of struct pid_index */
    uint32_t *threads; /* thread to process index */
    size_t n_threads, cap_threads;
    uint64_t duration_ns, lost, unreported;
    bool has_slab;  /* events of the kernel's object caches */
    bool has_pages; /* of its page allocator */
};

struct pid_index {
    uint32_t pid;
    size_t index; /* of the latest process of that pid */
};

static int compare_pids(const void *a, const void *b)
{
    const struct pid_index *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct process *process_of_pid(const struct observer *o, uint32_t pid)
{
    const struct pid_index key = { .pid = pid };
    struct pid_index **found = tfind(&key, &o->pids, compare_pids);
    return found ? &o->processes[(*found)->index] : NULL;
}

static const char *comm_of_pid(const void *observer, uint32_t pid)
{
    const struct process *p = process_of_pid(observer, pid);
    return p ? p->comm : NULL;
}

static int index_pid(struct observer *o, uint32_t pid, size_t index, struct fl_err *err)
{
    const struct pid_index key = { .pid = pid };
    struct pid_index **found = tfind(&key, &o->pids, compare_pids);
    if (found) {
        (*found)->index = index;
        return FL_OK;
    }
    struct pid_index *entry = malloc(sizeof *entry);
    if (entry)
        *entry = (struct pid_index){ pid, index };
    if (!entry || !tsearch(entry, &o->pids, compare_pids)) {
        free(entry);
        return fl_nomem(err, "reading processes");
    }
    return FL_OK;
}

static int set_comm(struct process *p, const char *comm, struct fl_err *err)
{
    char *clean = fl_text_clean(comm, 64);
    if (!clean)
        return fl_nomem(err, "reading processes");
    free(p->comm);
    p->comm = clean;
    return FL_OK;
}

static int on_process(struct observer *o, const struct fl_event *ev, struct fl_err *err)
{
    if (o->n_processes == o->cap_processes) {
        size_t cap = o->cap_processes ? o->cap_processes * 2 : 64;
        struct process *grown = reallocarray(o->processes, cap, sizeof *grown);
        if (!grown)
            return fl_nomem(err, "reading processes");
        o->processes = grown;
        o->cap_processes = cap;
    }
    struct process *p = &o->processes[o->n_processes++];
    *p = (struct process){ .pid = ev->process.pid, .mm = ev->process.mm };
    int rc = index_pid(o, ev->process.pid, o->n_processes - 1, err);
    return rc == FL_OK ? set_comm(p, ev->process.comm, err) : rc;
}

static int on_thread(struct observer *o, const struct fl_event *ev, struct fl_err *err)
{
    const struct process *p = process_of_pid(o, ev->thread_start.pid);
    if (ev->thread != o->n_threads)
        return fl_fail(err, FL_EFORMAT, "thread %u is defined out of order", ev->thread);
    if (o->n_threads == o->cap_threads) {
        size_t cap = o->cap_threads ? o->cap_threads * 2 : 64;
        uint32_t *grown = reallocarray(o->threads, cap, sizeof *grown);
        if (!grown)
            return fl_nomem(err, "reading threads");
        o->threads = grown;
        o->cap_threads = cap;
    }
    o->threads[o->n_threads++] = p ? (uint32_t)(p - o->processes) : UINT32_MAX;
    return FL_OK;
}

static int on_fault(struct observer *o, const struct fl_event *ev, struct fl_err *err)
{
    unsigned flags = ev->fault.flags;
    int kind = tally_kind(flags);
    uint32_t index = ev->thread < o->n_threads ? o->threads[ev->thread] : UINT32_MAX;
    uint32_t label = MAPPING_UNKNOWN, mm = FL_NO_MM;
    o->total.faults[kind]++;
    if (flags & FL_FAULT_UNREPORTED) { /* counted by the kernel, without place or time */
        o->unreported++;
        return FL_OK;
    }
    if (index < o->n_processes) {
        o->processes[index].tally.faults[kind]++;
        mm = o->processes[index].mm;
    }
    label = mappings_find(o->mappings, mm, ev->fault.address);
    if (label >= o->cap_labels) {
        uint32_t cap = mappings_labels(o->mappings) * 2;
        struct tally *grown = reallocarray(o->by_label, cap, sizeof *grown);
        if (!grown)
            return fl_nomem(err, "counting faults");
        memset(&grown[o->cap_labels], 0, (cap - o->cap_labels) * sizeof *grown);
        o->by_label = grown;
        o->cap_labels = cap;
    }
    o->by_label[label].faults[kind]++;
    uint64_t width = o->duration_ns / BINS + 1, bin = ev->time_ns / width;
    o->bins[bin < BINS ? bin : BINS - 1].faults[kind]++;
    return FL_OK;
}

static int on_sample(struct observer *o, const struct fl_event *ev, struct fl_err *err)
{
    struct sample_place at = { .process = SIZE_MAX, .mm = FL_NO_MM };
    uint32_t index = ev->thread < o->n_threads ? o->threads[ev->thread] : UINT32_MAX;
    if (index < o->n_processes) {
        at.process = index;
        at.mm = o->processes[index].mm;
    }
    if (ev->kind == FL_EV_SAMPLE)
        at.label = mappings_find(o->mappings, at.mm, ev->sample.address);
    return sample_tally_event(o->samples, ev, &at, err);
}

static int on_event(struct observer *o, const struct fl_event *ev, struct fl_err *err)
{
    struct process *p;
    int rc = mappings_event(o->mappings, ev, err);
    if (rc == FL_OK)
        rc = code_tally_event(o->code, ev, err);
    if (rc == FL_OK && ev->kind == FL_EV_SNAPSHOT && ev->snapshot.pid)
        rc = fl_snapshots_event(o->snapshots, ev, err);
    if (rc == FL_OK && o->samples)
        rc = on_sample(o, ev, err);
    if (rc != FL_OK)
        return rc;
    switch (ev->kind) {
    case FL_EV_PROCESS: return on_process(o, ev, err);
    case FL_EV_THREAD: return on_thread(o, ev, err);
    case FL_EV_FAULT: return on_fault(o, ev, err);
    case FL_EV_LOST: o->lost += ev->lost.count; return FL_OK;
    case FL_EV_PROBE:
        if (strncmp(ev->probe.signature, "kmem:kmem_cache_alloc ", 22) == 0)
            o->has_slab = true;
        o->has_pages |= strncmp(ev->probe.signature, "kmem:mm_page_", 13) == 0;
        return FL_OK;
    case FL_EV_EXEC:
        if ((p = process_of_pid(o, ev->exec.pid)))
            p->mm = ev->exec.mm;
        return FL_OK;
    case FL_EV_COMM: /* a process is called what its first thread is */
        if (ev->comm.pid == ev->comm.tid && (p = process_of_pid(o, ev->comm.pid)))
            return set_comm(p, ev->comm.comm, err);
        return FL_OK;
    default: return FL_OK;
    }
}

/* ---- as JSON ------------------------------------------------------------------- */

int tally_kind(unsigned flags)
{
    return flags & FL_FAULT_MAJOR   ? TALLY_MAJOR
           : flags & FL_FAULT_MINOR ? TALLY_MINOR
                                    : TALLY_UNKNOWN;
}

uint64_t tally_sum(const struct tally *t)
{
    return t->faults[TALLY_MINOR] + t->faults[TALLY_MAJOR] + t->faults[TALLY_UNKNOWN];
}

void tally_put(json_t *into, const struct tally *t)
{
    static const char *const names[TALLY_KINDS] = { "minor", "major", "unknown" };
    for (int k = 0; k < TALLY_KINDS; k++)
        if (k != TALLY_UNKNOWN || t->faults[k] > 0)
            json_object_set_new(into, names[k], json_integer((json_int_t)t->faults[k]));
}

struct ranked {
    const struct tally *tally;
    size_t index;
};

static int by_faults(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    uint64_t fx = tally_sum(x->tally), fy = tally_sum(y->tally);
    if (fx != fy)
        return fx < fy ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

/* The entries with faults, most first. @tally_at gives the i-th. NULL: out of memory. */
static struct ranked *rank(const struct observer *o, size_t n, size_t *kept,
                           const struct tally *(*tally_at)(const struct observer *, size_t))
{
    struct ranked *all = calloc(n ? n : 1, sizeof *all);
    *kept = 0;
    for (size_t i = 0; all && i < n; i++)
        if (tally_sum(tally_at(o, i)) > 0)
            all[(*kept)++] = (struct ranked){ tally_at(o, i), i };
    if (all)
        qsort(all, *kept, sizeof *all, by_faults);
    if (*kept > LISTED_MAX)
        *kept = LISTED_MAX;
    return all;
}

static const struct tally *tally_of_process(const struct observer *o, size_t i)
{
    return &o->processes[i].tally;
}

static const struct tally *tally_of_label(const struct observer *o, size_t i)
{
    return &o->by_label[i];
}

static json_t *processes_json(const struct observer *o)
{
    size_t n;
    struct ranked *all = rank(o, o->n_processes, &n, tally_of_process);
    json_t *list = json_array();
    for (size_t i = 0; all && i < n; i++) {
        const struct process *p = &o->processes[all[i].index];
        json_t *entry = json_pack("{s:I, s:s}", "pid", (json_int_t)p->pid, "comm", p->comm);
        tally_put(entry, &p->tally);
        json_array_append_new(list, entry);
    }
    free(all);
    return list;
}

static json_t *labels_json(const struct observer *o)
{
    uint32_t labels = mappings_labels(o->mappings);
    size_t n;
    struct ranked *all =
        rank(o, labels < o->cap_labels ? labels : o->cap_labels, &n, tally_of_label);
    json_t *list = json_array();
    for (size_t i = 0; all && i < n; i++) {
        json_t *entry =
            json_pack("{s:s}", "mapping", mappings_label(o->mappings, (uint32_t)all[i].index));
        tally_put(entry, all[i].tally);
        json_array_append_new(list, entry);
    }
    free(all);
    return list;
}

static json_t *timeline_json(const struct observer *o)
{
    json_t *rows = json_array();
    uint64_t width = o->duration_ns / BINS + 1;
    for (unsigned i = 0; i < BINS; i++) {
        const uint64_t *f = o->bins[i].faults;
        json_array_append_new(rows,
                              json_pack("[I, I, I, I]", (json_int_t)((i + 1) * width),
                                        (json_int_t)f[TALLY_MINOR], (json_int_t)f[TALLY_MAJOR],
                                        (json_int_t)f[TALLY_UNKNOWN]));
    }
    return json_pack("{s:[s, s, s, s], s:o}", "columns", "time_ns", "minor", "major", "unknown",
                     "rows", rows);
}

static json_t *quality_json(const struct observer *o, const struct fl_reader *r)
{
    json_t *list = fl_quality_json(r);
    char detail[200];
    if (o->unreported > 0) {
        snprintf(detail, sizeof detail,
                 "%" PRIu64 " faults were counted without an event: in the totals, but in no "
                 "process, mapping or time",
                 o->unreported);
        fl_quality_add(list, "unreported", detail);
    }
    if (o->total.faults[TALLY_UNKNOWN] > 0) {
        snprintf(detail, sizeof detail, "%" PRIu64 " faults are not known as minor or major",
                 o->total.faults[TALLY_UNKNOWN]);
        fl_quality_add(list, "unknown_faults", detail);
    }
    return list;
}

/* When the last event of a known time was: what the timeline spans. */
static int find_duration(struct observer *o, struct fl_reader *r, struct fl_err *err)
{
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    int rc = fl_reader_rewind(r, err);
    while (rc == FL_OK && (rc = fl_reader_next(r, &item, err)) == FL_OK &&
           item.kind != FL_ITEM_END) {
        const struct fl_event *ev = &item.event;
        if (item.kind == FL_ITEM_EVENT && ev->time_ns > o->duration_ns &&
            !(ev->kind == FL_EV_FAULT && (ev->fault.flags & FL_FAULT_UNREPORTED)))
            o->duration_ns = ev->time_ns;
    }
    return rc;
}

static void name_process(const void *ctx, size_t i, json_t *entry)
{
    const struct observer *o = ctx;
    json_object_set_new(entry, "pid", json_integer((json_int_t)o->processes[i].pid));
    json_object_set_new(entry, "comm", json_string(o->processes[i].comm));
}

static void name_label(const void *ctx, size_t i, json_t *entry)
{
    const struct observer *o = ctx;
    json_object_set_new(entry, "mapping", json_string(mappings_label(o->mappings, (uint32_t)i)));
}

static int faults_result(struct observer *o, json_t *result, struct fl_err *err)
{
    json_t *faults = json_object();
    tally_put(faults, &o->total);
    int bad = json_object_set_new(result, "faults", faults) ||
              json_object_set_new(result, "by_process", processes_json(o)) ||
              json_object_set_new(result, "by_mapping", labels_json(o)) ||
              json_object_set_new(result, "timeline", timeline_json(o));
    code_tally_json(o->code, tally_sum(&o->total), result);
    return bad ? fl_nomem(err, "reading events") : FL_OK;
}

static int make_result(struct observer *o, const struct fl_reader *r, json_t *trace,
                       json_t **result, struct fl_err *err)
{
    *result = json_pack("{s:s, s:s, s:O}", "schema", "faultline.replay/1", "source", "observed",
                        "trace", trace);
    int rc = !*result ? fl_nomem(err, "reading events")
             : o->samples
                 ? sample_tally_json(o->samples, o->code, o, name_process, name_label, *result, err)
                 : faults_result(o, *result, err);
    if (rc == FL_OK && fl_snapshots_count(o->snapshots) &&
        json_object_set_new(*result, "live", live_json(o->snapshots, comm_of_pid, o)) != 0)
        rc = fl_nomem(err, "reading events");
    if (rc == FL_OK && json_object_set_new(*result, "quality", quality_json(o, r)) != 0)
        rc = fl_nomem(err, "reading events");
    if (rc != FL_OK) {
        json_decref(*result);
        *result = NULL;
    }
    return rc;
}

static int slab_json(struct fl_reader *r, json_t *result, struct fl_err *err)
{
    struct fl_slab_replay slab = { 0 };
    int rc = fl_slab_replay(r, &slab, err);
    if (rc == FL_OK)
        rc = fl_slab_replay_json(&slab, result, err);
    fl_slab_replay_free(&slab);
    return rc;
}

/* What recorded events make of an allocator, by @json; of one that they do not tell, nothing. */
static int add_allocator(struct fl_reader *r, json_t *result,
                         int (*json)(struct fl_reader *r, json_t *result, struct fl_err *err),
                         struct fl_err *err)
{
    struct fl_err why = { 0 };
    int rc = json(r, result, &why);
    if (rc == FL_EDATA)
        return FL_OK;
    if (rc != FL_OK && err)
        *err = why;
    return rc;
}

static int observer_new(const struct fl_reader *r, struct observer **out, struct fl_err *err)
{
    struct observer *o = *out = calloc(1, sizeof *o);
    if (o) {
        o->mappings = mappings_new();
        o->code = code_tally_new();
        o->snapshots = fl_snapshots_new();
    }
    if (!o || !o->mappings || !o->code || !o->snapshots)
        return fl_nomem(err, "reading events");
    return fl_reader_fidelity(r) == FL_FIDELITY_SAMPLED ? sample_tally_new(r, &o->samples, err)
                                                        : FL_OK;
}

static void observer_free(struct observer *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n_processes; i++)
        free(o->processes[i].comm);
    mappings_free(o->mappings);
    code_tally_free(o->code);
    fl_snapshots_free(o->snapshots);
    sample_tally_free(o->samples);
    tdestroy(o->pids, free);
    free(o->processes);
    free(o->threads);
    free(o->by_label);
    free(o);
}

int fl_observe(struct fl_reader *r, json_t *trace, json_t **result, struct fl_err *err)
{
    struct observer *o;
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    int rc = observer_new(r, &o, err);
    if (rc == FL_OK)
        rc = find_duration(o, r, err);
    if (rc == FL_OK)
        rc = fl_reader_rewind(r, err);
    while (rc == FL_OK && (rc = fl_reader_next(r, &item, err)) == FL_OK && item.kind != FL_ITEM_END)
        if (item.kind == FL_ITEM_EVENT)
            rc = on_event(o, &item.event, err);
    if (rc == FL_OK)
        rc = make_result(o, r, trace, result, err);
    if (rc == FL_OK && o->has_slab)
        rc = add_allocator(r, *result, slab_json, err);
    if (rc == FL_OK && o->has_pages)
        rc = add_allocator(r, *result, fl_buddy_replay_json, err);
    json_decref(trace);
    observer_free(o);
    return rc;
}
