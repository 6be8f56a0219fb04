/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes, threads and files, and the dispatch of a trace's events. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "grow.h"
#include "vm.h"

#define TABLE_BYTES 4096
#define FLAT_BYTES_MAX (UINT64_C(1) << 62)

void vm_note_tables(struct vm *vm)
{
    if (vm->n_tables <= vm->tables_peak)
        return;
    unsigned __int128 flat = (unsigned __int128)vm->n_spaces * 8 * pgtable_span_pages(vm->levels);
    flat -= (unsigned __int128)vm->n_tables * TABLE_BYTES;
    vm->tables_peak = vm->n_tables;
    vm->flat_bytes_avoided = flat > FLAT_BYTES_MAX ? FLAT_BYTES_MAX : (uint64_t)flat;
}

/* Make address space @id known; a dead one stays without tables. */
static int space_declare(struct vm *vm, uint32_t id, struct fl_err *err)
{
    if (id > vm->n_mms)
        return fl_fail(err, FL_EFORMAT, "the trace skips address space %u", vm->n_mms);
    if (id == vm->n_mms) {
        if (vm->n_mms == vm->mms_room) {
            uint32_t room = grow_room(vm->mms_room);
            if (!room || !grow(&vm->mms, room))
                return fl_nomem(err, "address spaces");
            vm->mms_room = room;
        }
        vm->mms[vm->n_mms++] = (struct mm){ 0 };
    }
    return FL_OK;
}

static int space_begin(struct vm *vm, uint32_t id, struct fl_err *err)
{
    int rc = space_declare(vm, id, err);
    if (rc != FL_OK)
        return rc;
    if (!pgtable_init(&vm->mms[id].tables, vm->levels, &vm->n_tables))
        return fl_nomem(err, "page tables");
    vm->n_spaces++;
    vm_note_tables(vm);
    return FL_OK;
}

static void space_end(struct vm *vm, uint32_t id)
{
    mm_clear(vm, &vm->mms[id]);
    vm->n_spaces--;
    if (vm->hooks.mm_gone)
        vm->hooks.mm_gone(vm->hooks.arg, id);
}

static void space_leave(struct vm *vm, uint32_t id)
{
    if (--vm->mms[id].users == 0)
        space_end(vm, id);
}

/* The latest process of that pid; UINT32_MAX: none. */
static uint32_t find_pid(const struct vm *vm, uint32_t pid)
{
    for (uint32_t i = vm->n_processes; i-- > 0;)
        if (vm->processes[i].pid == pid)
            return i;
    return UINT32_MAX;
}

/* ---- oom_score_adj, as recorded or as asked -------------------------------------- */

static bool asked_adj(const struct vm *vm, uint32_t pid, int32_t *out)
{
    for (size_t i = 0; i < vm->n_oom_adj; i++)
        if (vm->oom_adj[i].pid == pid) {
            *out = vm->oom_adj[i].value;
            return true;
        }
    return false;
}

/* A child that has what its parent has in the trace has it from there. */
static void adj_begin(const struct vm *vm, struct process *p, const struct process *parent)
{
    p->recorded_adj = p->oom_score_adj;
    if (!asked_adj(vm, p->pid, &p->oom_score_adj) && parent && !parent->exited &&
        parent->recorded_adj == p->recorded_adj)
        p->oom_score_adj = parent->oom_score_adj;
}

static void adj_set(const struct vm *vm, struct process *p, int32_t value)
{
    p->recorded_adj = value;
    if (!asked_adj(vm, p->pid, &p->oom_score_adj))
        p->oom_score_adj = value;
}

uint32_t vm_unknown_adj(const struct vm *vm)
{
    for (size_t i = 0; i < vm->n_oom_adj; i++)
        if (find_pid(vm, vm->oom_adj[i].pid) == UINT32_MAX)
            return vm->oom_adj[i].pid;
    return 0;
}

static int process_begin(struct vm *vm, const struct fl_event *ev, struct fl_err *err)
{
    uint32_t mm = ev->process.mm, from = ev->process.copied_mm;
    uint32_t parent = find_pid(vm, ev->process.ppid);
    bool stillborn = parent != UINT32_MAX && vm->processes[parent].killed;
    struct process p = { .pid = ev->process.pid,
                         .mm = mm,
                         .killed = stillborn,
                         .oom_score_adj = ev->process.oom_score_adj };
    int rc = FL_OK;

    adj_begin(vm, &p, parent == UINT32_MAX ? NULL : &vm->processes[parent]);
    snprintf(p.comm, sizeof p.comm, "%s", ev->process.comm ? ev->process.comm : "");
    bool shares = mm < vm->n_mms && vm->mms[mm].users > 0;
    if (!shares)
        rc = stillborn ? space_declare(vm, mm, err) : space_begin(vm, mm, err);
    if (rc != FL_OK)
        return rc;
    if (!stillborn) {
        vm->mms[mm].users++;
        if (!shares && from < vm->n_mms && vm->mms[from].users)
            rc = mm_copy(vm, &vm->mms[mm], from, err);
    }
    if (rc == FL_OK && vm->n_processes == vm->processes_room) {
        uint32_t room = grow_room(vm->processes_room);
        if (!room || !grow(&vm->processes, room))
            return fl_nomem(err, "processes");
        vm->processes_room = room;
    }
    if (rc == FL_OK) {
        vm->processes[vm->n_processes++] = p;
        vm->n_alive += !stillborn;
    }
    return rc;
}

static int thread_begin(struct vm *vm, const struct fl_event *ev, struct fl_err *err)
{
    uint32_t index = ev->thread, process = find_pid(vm, ev->thread_start.pid);
    if (process == UINT32_MAX)
        return fl_fail(err, FL_EFORMAT, "the trace starts a thread of unknown process %u",
                       ev->thread_start.pid);
    if (index > vm->n_threads)
        return fl_fail(err, FL_EFORMAT, "the trace skips thread %u", vm->n_threads);
    if (index == vm->n_threads) {
        if (vm->n_threads == vm->threads_room) {
            uint32_t room = grow_room(vm->threads_room);
            if (!room || !grow(&vm->process_of, room))
                return fl_nomem(err, "threads");
            vm->threads_room = room;
        }
        vm->n_threads++;
    }
    vm->process_of[index] = process;
    if (!vm->processes[process].exited && !vm->processes[process].killed) {
        vm->processes[process].threads++;
        vm->n_tasks++;
    }
    return FL_OK;
}

static int process_exec(struct vm *vm, const struct fl_event *ev, struct fl_err *err)
{
    uint32_t i = find_pid(vm, ev->exec.pid);
    if (i == UINT32_MAX)
        return fl_fail(err, FL_EFORMAT, "the trace execs unknown process %u", ev->exec.pid);
    if (ev->exec.mm < vm->n_mms && vm->mms[ev->exec.mm].users)
        return fl_fail(err, FL_EFORMAT, "the trace execs into address space %u, which is in use",
                       ev->exec.mm);
    struct process *p = &vm->processes[i];
    bool dead = p->killed || p->exited;
    if (!dead)
        space_leave(vm, p->mm);
    int rc = dead ? space_declare(vm, ev->exec.mm, err) : space_begin(vm, ev->exec.mm, err);
    if (rc != FL_OK)
        return rc;
    p->mm = ev->exec.mm;
    vm->mms[p->mm].users += !dead;
    return FL_OK;
}

static void process_gone(struct vm *vm, struct process *p)
{
    vm->n_alive--;
    vm->n_tasks -= p->threads;
    p->threads = 0;
}

static void thread_exit(struct vm *vm, uint32_t thread)
{
    uint32_t i = vm_thread_process(vm, thread);
    if (i == UINT32_MAX || !vm->processes[i].threads)
        return;
    vm->processes[i].threads--;
    vm->n_tasks--;
}

static void process_exit(struct vm *vm, uint32_t pid)
{
    uint32_t i = find_pid(vm, pid);
    if (i == UINT32_MAX || vm->processes[i].exited)
        return;
    vm->processes[i].exited = true;
    if (vm->processes[i].killed)
        return;
    process_gone(vm, &vm->processes[i]);
    space_leave(vm, vm->processes[i].mm);
}

void vm_kill(struct vm *vm, uint32_t index)
{
    uint32_t mm = vm->processes[index].mm;
    for (uint32_t i = 0; i < vm->n_processes; i++)
        if (vm->processes[i].mm == mm && !vm->processes[i].exited && !vm->processes[i].killed) {
            vm->processes[i].killed = true;
            process_gone(vm, &vm->processes[i]);
        }
    vm->mms[mm].users = 0;
    space_end(vm, mm);
}

/* An access that the processor refused: the tracer leaves it out and tells of the signal. */
static void note_signal(struct vm *vm, const struct fl_event *ev)
{
    uint32_t i = vm_thread_process(vm, ev->thread);
    if (ev->signal.signo == SIGSEGV && ev->signal.address != FL_NO_ADDRESS && i != UINT32_MAX &&
        !vm->processes[i].killed)
        vm->segv++;
}

/* ---- files ------------------------------------------------------------------------ */

static bool memory_backed(const char *path)
{
    static const char *const prefixes[] = { "/memfd:", "memfd:", "/dev/shm/", "/SYSV",
                                            "/dev/zero" };
    for (size_t i = 0; i < FL_COUNT(prefixes); i++)
        if (!strncmp(path, prefixes[i], strlen(prefixes[i])))
            return true;
    return false;
}

int vm_file(struct vm *vm, const struct fl_event *ev, struct fl_err *err)
{
    uint32_t object = NO_OBJECT;
    if (ev->file.file < vm->n_files)
        return FL_OK; /* a rewound trace names it again */
    for (uint32_t i = 0; ev->file.ino && i < vm->cs.n_objects; i++)
        if (vm->cs.objects[i].ino == ev->file.ino && vm->cs.objects[i].dev == ev->file.dev)
            object = i;
    if (object == NO_OBJECT) {
        enum contents_kind kind = ev->file.path && memory_backed(ev->file.path) ? CONTENTS_MEMORY
                                                                                : CONTENTS_FILE;
        object = contents_object_new(&vm->cs, kind, true, ev->file.dev, ev->file.ino);
    }
    if (vm->n_files == vm->files_room) {
        uint32_t room = grow_room(vm->files_room);
        if (!room || !grow(&vm->object_of, room))
            object = NO_OBJECT;
        else
            vm->files_room = room;
    }
    if (object == NO_OBJECT)
        return fl_nomem(err, "files");
    vm->object_of[vm->n_files++] = object;
    return FL_OK;
}

/* ---- events ----------------------------------------------------------------------- */

int vm_event(struct vm *vm, const struct fl_event *ev, struct fl_err *err)
{
    uint32_t i;
    int rc = vm->regions ? regions_event(vm->regions, ev, err) : FL_OK;
    if (rc != FL_OK)
        return rc;
    switch (ev->kind) {
    case FL_EV_PROCESS: return process_begin(vm, ev, err);
    case FL_EV_THREAD: return thread_begin(vm, ev, err);
    case FL_EV_EXEC: return process_exec(vm, ev, err);
    case FL_EV_THREAD_EXIT: thread_exit(vm, ev->thread); return FL_OK;
    case FL_EV_EXIT: process_exit(vm, ev->exit.pid); return FL_OK;
    case FL_EV_COMM:
        i = find_pid(vm, ev->comm.pid);
        if (i != UINT32_MAX && ev->comm.tid == ev->comm.pid)
            snprintf(vm->processes[i].comm, sizeof vm->processes[i].comm, "%s", ev->comm.comm);
        return FL_OK;
    case FL_EV_OOM_ADJ:
        i = find_pid(vm, ev->oom_adj.pid);
        if (i != UINT32_MAX)
            adj_set(vm, &vm->processes[i], ev->oom_adj.oom_score_adj);
        return FL_OK;
    case FL_EV_FILE: return vm_file(vm, ev, err);
    case FL_EV_MAP:
    case FL_EV_UNMAP:
    case FL_EV_PROTECT:
    case FL_EV_REMAP:
    case FL_EV_ADVISE:
    case FL_EV_LOCK: return mm_event(vm, ev, err);
    case FL_EV_SIGNAL: note_signal(vm, ev); return FL_OK;
    case FL_EV_FAULT:
    case FL_EV_LOST:
    case FL_EV_FILE_IO:
    case FL_EV_RESIDENT:
    case FL_EV_CODE:
    case FL_EV_NAME:
    case FL_EV_PROBE:
    case FL_EV_HIT:
    case FL_EV_SNAPSHOT:
    case FL_EV_PRESENT:
    case FL_EV_STACK:
    case FL_EV_SAMPLE: break;
    }
    return FL_OK;
}
