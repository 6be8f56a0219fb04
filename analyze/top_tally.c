/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_tally.c - faults by process, mapping and function since the last screen. */
#include <stdlib.h>
#include <string.h>

#include <faultline/table.h>
#include <faultline/units.h>

#include "mapping.h"
#include "top.h"

#define NONE UINT32_MAX

struct counts {
    uint64_t minor, major;
};

struct process {
    uint32_t pid, mm;
    bool alive;
    char *comm;
    struct counts faults;
};

struct place {               /* a mapping of a process that faulted */
    uint32_t process, label; /* process NONE: free */
    struct counts faults;
};

struct function {
    char *name;
    struct counts faults;
};

struct top_tally {
    struct mappings *mappings;
    struct process *processes;
    uint32_t *threads;    /* to processes */
    struct place *places; /* hash by process and label; room is a power of two */
    char **files;
    struct function *functions; /* by code */
    size_t n_processes, cap_processes, n_threads, cap_threads, n_places, cap_places;
    size_t n_files, cap_files, n_functions, cap_functions;
    struct top_totals totals;
};

struct top_tally *top_tally_new(void)
{
    struct top_tally *t = calloc(1, sizeof *t);
    if (t && !(t->mappings = mappings_new())) {
        free(t);
        return NULL;
    }
    return t;
}

void top_tally_free(struct top_tally *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_processes; i++)
        free(t->processes[i].comm);
    for (size_t i = 0; i < t->n_files; i++)
        free(t->files[i]);
    for (size_t i = 0; i < t->n_functions; i++)
        free(t->functions[i].name);
    mappings_free(t->mappings);
    free(t->processes);
    free(t->threads);
    free(t->places);
    free(t->files);
    free(t->functions);
    free(t);
}

void top_tally_clear(struct top_tally *t)
{
    uint64_t lost = t->totals.lost;
    t->totals = (struct top_totals){ .lost = lost };
    for (size_t i = 0; i < t->n_processes; i++)
        t->processes[i].faults = (struct counts){ 0 };
    for (size_t i = 0; i < t->n_functions; i++)
        t->functions[i].faults = (struct counts){ 0 };
    for (size_t i = 0; i < t->cap_places; i++)
        t->places[i].process = NONE;
    t->n_places = 0;
}

struct top_totals top_tally_totals(const struct top_tally *t)
{
    return t->totals;
}

/* ---- events ------------------------------------------------------------------------------- */

static bool room(void **array, size_t n, size_t *cap, size_t each)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? 2 * *cap : 64;
    void *grown = reallocarray(*array, more, each);
    if (!grown)
        return false;
    *array = grown;
    *cap = more;
    return true;
}

#define ROOM(t, what) room((void **)&(t)->what, (t)->n_##what, &(t)->cap_##what, sizeof *(t)->what)

/* The living process of @pid. */
static uint32_t process_of(const struct top_tally *t, uint32_t pid)
{
    for (size_t i = t->n_processes; i-- > 0;)
        if (t->processes[i].alive && t->processes[i].pid == pid)
            return (uint32_t)i;
    return NONE;
}

static bool set_comm(struct process *p, const char *comm)
{
    char *clean = fl_text_clean(comm, 64);
    if (!clean)
        return false;
    free(p->comm);
    p->comm = clean;
    return true;
}

/* A process that has ended, and whose counts have been shown, makes room. */
static size_t slot_for_process(struct top_tally *t)
{
    for (size_t i = 0; i < t->n_processes; i++) {
        const struct process *p = &t->processes[i];
        if (!p->alive && !p->faults.minor && !p->faults.major)
            return i;
    }
    return ROOM(t, processes) ? t->n_processes : SIZE_MAX;
}

static bool on_process(struct top_tally *t, const struct fl_event *ev)
{
    uint32_t before = process_of(t, ev->process.pid);
    if (before != NONE) /* its end was lost */
        t->processes[before].alive = false;
    size_t i = slot_for_process(t);
    if (i == SIZE_MAX)
        return false;
    if (i == t->n_processes)
        t->processes[t->n_processes++].comm = NULL;
    struct process *p = &t->processes[i];
    char *old = p->comm;
    *p = (struct process){
        .pid = ev->process.pid, .mm = ev->process.mm, .alive = true, .comm = old
    };
    return set_comm(p, ev->process.comm);
}

static bool on_thread(struct top_tally *t, const struct fl_event *ev)
{
    if (ev->thread != t->n_threads || !ROOM(t, threads))
        return false;
    t->threads[t->n_threads++] = process_of(t, ev->thread_start.pid);
    return true;
}

static bool on_file(struct top_tally *t, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!ROOM(t, files))
        return false;
    t->files[t->n_files] = strdup(slash && slash[1] ? slash + 1 : path);
    return t->files[t->n_files++] != NULL;
}

static bool on_code(struct top_tally *t, const struct fl_event *ev)
{
    char text[320], *name;
    const char *file = ev->code.file < t->n_files ? t->files[ev->code.file] : NULL;
    if (!ROOM(t, functions))
        return false;
    if (*ev->code.name)
        snprintf(text, sizeof text, "%.200s%s%.100s", ev->code.name, file ? " in " : "",
                 file ? file : "");
    else
        snprintf(text, sizeof text, "[in %.280s]", file ? file : "unknown");
    name = fl_text_clean(text, 256);
    t->functions[t->n_functions++] = (struct function){ .name = name };
    return name != NULL;
}

static struct place *place_slot(struct place *places, size_t cap, uint32_t process, uint32_t label)
{
    uint64_t hash = ((uint64_t)process << 32 | label) * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(hash >> 32) & (cap - 1);
    while (places[i].process != NONE && (places[i].process != process || places[i].label != label))
        i = (i + 1) & (cap - 1);
    return &places[i];
}

static bool places_grow(struct top_tally *t)
{
    if (t->n_places < t->cap_places / 2)
        return true;
    size_t cap = t->cap_places ? 2 * t->cap_places : 256;
    struct place *grown = calloc(cap, sizeof *grown);
    if (!grown)
        return false;
    for (size_t i = 0; i < cap; i++)
        grown[i].process = NONE;
    for (size_t i = 0; i < t->cap_places; i++)
        if (t->places[i].process != NONE)
            *place_slot(grown, cap, t->places[i].process, t->places[i].label) = t->places[i];
    free(t->places);
    t->places = grown;
    t->cap_places = cap;
    return true;
}

static void count(struct counts *c, bool major)
{
    c->minor += !major;
    c->major += major;
}

static bool on_fault(struct top_tally *t, const struct fl_event *ev)
{
    bool major = ev->fault.flags & FL_FAULT_MAJOR;
    uint32_t i = ev->thread < t->n_threads ? t->threads[ev->thread] : NONE;
    t->totals.minor += !major;
    t->totals.major += major;
    if (ev->fault.code < t->n_functions)
        count(&t->functions[ev->fault.code].faults, major);
    if (i >= t->n_processes)
        return true;
    count(&t->processes[i].faults, major);
    if (!places_grow(t))
        return false;
    uint32_t label = mappings_find(t->mappings, t->processes[i].mm, ev->fault.address);
    struct place *place = place_slot(t->places, t->cap_places, i, label);
    if (place->process == NONE) {
        *place = (struct place){ .process = i, .label = label };
        t->n_places++;
    }
    count(&place->faults, major);
    return true;
}

int top_tally_event(struct top_tally *t, const struct fl_event *ev, struct fl_err *err)
{
    int rc = mappings_event(t->mappings, ev, err);
    uint32_t i;
    bool ok = true;
    if (rc != FL_OK)
        return rc;
    switch (ev->kind) {
    case FL_EV_PROCESS: ok = on_process(t, ev); break;
    case FL_EV_THREAD: ok = on_thread(t, ev); break;
    case FL_EV_FILE: ok = on_file(t, ev->file.path); break;
    case FL_EV_CODE: ok = on_code(t, ev); break;
    case FL_EV_FAULT: ok = on_fault(t, ev); break;
    case FL_EV_LOST: t->totals.lost += ev->lost.count; break;
    case FL_EV_EXEC:
        if ((i = process_of(t, ev->exec.pid)) != NONE)
            t->processes[i].mm = ev->exec.mm;
        break;
    case FL_EV_EXIT:
        if ((i = process_of(t, ev->exit.pid)) != NONE)
            t->processes[i].alive = false;
        break;
    case FL_EV_COMM: /* a process is called what its first thread is */
        if (ev->comm.pid == ev->comm.tid && (i = process_of(t, ev->comm.pid)) != NONE)
            ok = set_comm(&t->processes[i], ev->comm.comm);
        break;
    default: break;
    }
    return ok ? FL_OK : fl_nomem(err, "counting live faults");
}

/* ---- rows ---------------------------------------------------------------------------------- */

static int rows_new(struct top_rows *out, size_t n, struct fl_err *err)
{
    *out = (struct top_rows){ .row = calloc(n + 1, sizeof *out->row) };
    return out->row ? FL_OK : fl_nomem(err, "a screen");
}

/* The row of @p: its own, or that of the ended of its name. */
static struct top_row *row_of_process(struct top_rows *out, const struct process *p)
{
    for (size_t i = 0; !p->alive && i < out->n; i++)
        if (out->row[i].ended && strcmp(out->row[i].name, p->comm) == 0)
            return &out->row[i];
    struct top_row *r = &out->row[out->n++];
    *r = (struct top_row){ .name = p->comm, .comm = p->comm, .pid = p->alive ? p->pid : 0 };
    return r;
}

int top_tally_processes(const struct top_tally *t, struct top_rows *out, struct fl_err *err)
{
    int rc = rows_new(out, t->n_processes, err);
    for (size_t i = 0; rc == FL_OK && i < t->n_processes; i++) {
        const struct process *p = &t->processes[i];
        if (!p->alive && !p->faults.minor && !p->faults.major)
            continue;
        struct top_row *r = row_of_process(out, p);
        r->ended += !p->alive;
        r->minor += p->faults.minor;
        r->major += p->faults.major;
    }
    return rc;
}

int top_tally_mappings(const struct top_tally *t, struct top_rows *out, struct fl_err *err)
{
    int rc = rows_new(out, t->n_places, err);
    for (size_t i = 0; rc == FL_OK && i < t->cap_places; i++) {
        const struct place *p = &t->places[i];
        if (p->process != NONE)
            out->row[out->n++] = (struct top_row){ .name = mappings_label(t->mappings, p->label),
                                                   .comm = t->processes[p->process].comm,
                                                   .pid = t->processes[p->process].pid,
                                                   .minor = p->faults.minor,
                                                   .major = p->faults.major };
    }
    return rc;
}

int top_tally_functions(const struct top_tally *t, struct top_rows *out, struct fl_err *err)
{
    int rc = rows_new(out, t->n_functions, err);
    for (size_t i = 0; rc == FL_OK && i < t->n_functions; i++) {
        const struct function *f = &t->functions[i];
        if (f->faults.minor || f->faults.major)
            out->row[out->n++] = (struct top_row){
                .name = f->name, .comm = "", .minor = f->faults.minor, .major = f->faults.major
            };
    }
    return rc;
}
