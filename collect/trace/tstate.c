/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "tstate.h"
#include "wire.h"

#define NO_PROCESS UINT32_MAX

static uint32_t pid_slot(const struct fl_tstate *s, uint32_t pid)
{
    uint32_t mask = s->by_pid_cap - 1, i = (pid * 2654435761u) & mask;
    while (s->by_pid[i] && s->processes[s->by_pid[i] - 1].pid != pid)
        i = (i + 1) & mask;
    return i;
}

static uint32_t find_process(const struct fl_tstate *s, uint32_t pid)
{
    if (!s->by_pid_cap)
        return NO_PROCESS;
    uint32_t at = s->by_pid[pid_slot(s, pid)];
    return at ? at - 1 : NO_PROCESS;
}

static bool grow_pids(struct fl_tstate *s)
{
    if (s->by_pid_cap && s->n_pids < s->by_pid_cap / 2)
        return true;
    uint32_t cap = s->by_pid_cap ? s->by_pid_cap * 2 : 64, *old = s->by_pid;
    uint32_t old_cap = s->by_pid_cap;
    uint32_t *fresh = cap ? calloc(cap, sizeof *fresh) : NULL;
    if (!fresh)
        return false;
    s->by_pid = fresh;
    s->by_pid_cap = cap;
    for (uint32_t i = 0; i < old_cap; i++)
        if (old[i])
            s->by_pid[pid_slot(s, s->processes[old[i] - 1].pid)] = old[i];
    free(old);
    return true;
}

/* An array of at least @n elements of @size; false: out of memory. */
static bool grow(void *array, uint32_t *cap, uint32_t n, size_t size)
{
    void **at = array, *grown;
    if (n <= *cap)
        return true;
    uint32_t want = *cap ? *cap * 2 : 16;
    if (want < n || !(grown = realloc(*at, want * size)))
        return false;
    *at = grown;
    *cap = want;
    return true;
}

static int add_process(struct fl_tstate *s, const struct fl_event *ev, int code, struct fl_err *err)
{
    uint32_t mm = ev->process.mm, copied = ev->process.copied_mm;
    if (mm > s->spaces || mm == FL_NO_MM)
        return fl_fail(err, code, "process %u runs in address space %u, but the next one is %u",
                       ev->process.pid, mm, s->spaces);
    if (copied != FL_NO_MM && (mm != s->spaces || copied >= s->spaces))
        return fl_fail(err, code, "process %u: address space %u cannot be a copy of %u",
                       ev->process.pid, mm, copied);
    if (s->n_processes == UINT32_MAX - 1 || !grow_pids(s) ||
        !grow(&s->processes, &s->processes_cap, s->n_processes + 1, sizeof *s->processes))
        return fl_nomem(err, "processes of the trace");
    s->processes[s->n_processes++] = (struct fl_tstate_process){ ev->process.pid, mm };
    uint32_t slot = pid_slot(s, ev->process.pid);
    s->n_pids += !s->by_pid[slot];
    s->by_pid[slot] = s->n_processes;
    if (mm == s->spaces)
        s->spaces++;
    return FL_OK;
}

static int add_thread(struct fl_tstate *s, const struct fl_event *ev, uint32_t process, int code,
                      struct fl_err *err)
{
    if (ev->thread != s->threads)
        return fl_fail(err, code, "a thread with index %u, but the next one is %u", ev->thread,
                       s->threads);
    if (s->threads == FL_NO_THREAD - 1 ||
        !grow(&s->thread_process, &s->threads_cap, s->threads + 1, sizeof *s->thread_process))
        return fl_nomem(err, "threads of the trace");
    s->thread_process[s->threads++] = process;
    return FL_OK;
}

/* Which pid and which address space an event speaks of, if any. */
static void subjects(const struct fl_event *ev, const uint32_t **pid, const uint32_t **mm)
{
    *pid = *mm = NULL;
    switch (ev->kind) {
    case FL_EV_THREAD: *pid = &ev->thread_start.pid; break;
    case FL_EV_EXEC: *pid = &ev->exec.pid; break;
    case FL_EV_EXIT: *pid = &ev->exit.pid; break;
    case FL_EV_COMM: *pid = &ev->comm.pid; break;
    case FL_EV_OOM_ADJ: *pid = &ev->oom_adj.pid; break;
    case FL_EV_MAP: *mm = &ev->map.mm; break;
    case FL_EV_UNMAP: *mm = &ev->unmap.mm; break;
    case FL_EV_PROTECT: *mm = &ev->protect.mm; break;
    case FL_EV_REMAP: *mm = &ev->remap.mm; break;
    case FL_EV_ADVISE: *mm = &ev->advise.mm; break;
    case FL_EV_LOCK: *mm = &ev->lock.mm; break;
    case FL_EV_PRESENT: *mm = &ev->present.mm; break;
    default: break;
    }
}

/* The file an event uses, which must exist; FL_NO_FILE: none. */
static uint32_t used_file(const struct fl_event *ev)
{
    switch (ev->kind) {
    case FL_EV_MAP: return ev->map.file;
    case FL_EV_FILE_IO: return ev->file_io.file;
    case FL_EV_RESIDENT: return ev->resident.file;
    case FL_EV_CODE: return ev->code.file;
    default: return FL_NO_FILE;
    }
}

/* An id an event uses. */
struct use {
    const char *what;
    uint32_t id, count;
    bool may_lack; /* UINT32_MAX is none, and fine */
};

#define USES_MAX 3

static size_t uses(const struct fl_tstate *s, const struct fl_event *ev, struct use u[USES_MAX])
{
    size_t n = 0;
    if (ev->kind == FL_EV_FAULT) {
        u[n++] = (struct use){ "code", ev->fault.code, s->codes, true };
        u[n++] = (struct use){ "stack", ev->fault.stack, s->stacks, true };
    } else if (ev->kind == FL_EV_SAMPLE) {
        u[n++] = (struct use){ "code", ev->sample.code, s->codes, true };
        u[n++] = (struct use){ "stack", ev->sample.stack, s->stacks, true };
        u[n++] = (struct use){ "name", ev->sample.event, s->names, false };
    } else if (ev->kind == FL_EV_STACK) {
        u[n++] = (struct use){ "code", ev->stack.code, s->codes, false };
        u[n++] = (struct use){ "stack", ev->stack.parent, s->stacks, true };
    } else if (ev->kind == FL_EV_HIT) {
        u[n++] = (struct use){ "probe", ev->hit.probe, s->probes, false };
    } else {
        uint32_t file = used_file(ev);
        bool may_lack = ev->kind != FL_EV_FILE_IO && ev->kind != FL_EV_RESIDENT;
        u[n++] = (struct use){ "file", file, s->files, may_lack };
    }
    return n;
}

static int check_uses(const struct fl_tstate *s, const struct fl_event *ev, int code,
                      struct fl_err *err)
{
    struct use u[USES_MAX];
    size_t n = uses(s, ev, u);
    for (size_t i = 0; i < n; i++)
        if (u[i].id >= u[i].count && !(u[i].id == UINT32_MAX && u[i].may_lack))
            return fl_fail(err, code, "%s event of %s %u, but there are %u",
                           fl_event_name(ev->kind), u[i].what, u[i].id, u[i].count);
    return FL_OK;
}

/* An event that defines an id: the next one of its kind. */
static int define(struct fl_tstate *s, const struct fl_event *ev, int code, struct fl_err *err)
{
    uint32_t *next, id;
    switch (ev->kind) {
    case FL_EV_FILE: next = &s->files, id = ev->file.file; break;
    case FL_EV_CODE: next = &s->codes, id = ev->code.code; break;
    case FL_EV_NAME: next = &s->names, id = ev->name.name; break;
    case FL_EV_PROBE: next = &s->probes, id = ev->probe.probe; break;
    case FL_EV_STACK: next = &s->stacks, id = ev->stack.stack; break;
    default: return FL_OK;
    }
    if (id != *next || id == UINT32_MAX)
        return fl_fail(err, code, "a %s with id %u, but the next one is %u",
                       fl_event_name(ev->kind), id, *next);
    ++*next;
    return FL_OK;
}

int fl_tstate_event(struct fl_tstate *s, const struct fl_event *ev, int code, struct fl_err *err)
{
    const uint32_t *pid, *mm;
    const char *name = fl_event_name(ev->kind);
    subjects(ev, &pid, &mm);
    uint32_t process = pid ? find_process(s, *pid) : NO_PROCESS;
    if (pid && process == NO_PROCESS)
        return fl_fail(err, code, "%s event of process %u, which was not announced", name, *pid);
    if (mm && *mm >= s->spaces)
        return fl_fail(err, code, "%s event in address space %u, but there are %u", name, *mm,
                       s->spaces);
    if (ev->kind == FL_EV_THREAD)
        return add_thread(s, ev, process, code, err);
    if (ev->thread == FL_NO_THREAD ? ev->kind == FL_EV_THREAD_EXIT : ev->thread >= s->threads)
        return fl_fail(err, code, "%s event of thread %u, but there are %u", name, ev->thread,
                       s->threads);
    if (ev->kind == FL_EV_PROCESS)
        return add_process(s, ev, code, err);
    if (ev->kind == FL_EV_EXEC) {
        if (ev->exec.mm != s->spaces || ev->exec.mm == FL_NO_MM)
            return fl_fail(err, code, "exec into address space %u, but the next one is %u",
                           ev->exec.mm, s->spaces);
        s->processes[process].mm = s->spaces++;
    }
    int rc = check_uses(s, ev, code, err);
    return rc == FL_OK ? define(s, ev, code, err) : rc;
}

void fl_tstate_reset(struct fl_tstate *s)
{
    s->threads = s->spaces = s->files = s->codes = s->names = s->probes = s->stacks = 0;
    s->n_processes = s->n_pids = 0;
    if (s->by_pid_cap)
        memset(s->by_pid, 0, s->by_pid_cap * sizeof *s->by_pid);
}

void fl_tstate_free(struct fl_tstate *s)
{
    free(s->thread_process);
    free(s->processes);
    free(s->by_pid);
    *s = (struct fl_tstate){ 0 };
}
