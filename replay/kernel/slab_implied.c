/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel objects that a trace's processes, mappings and files need, though no event tells of them. */
#include <faultline/kernel_slab.h>

#include <stdlib.h>

#include <faultline/units.h>

#include "grow.h"
#include "slab.h"
#include "slab_map.h"
#include "trace_pass.h"
#include "vm.h"

#define STACK_PAGES 4u          /* of a thread in the kernel: THREAD_SIZE */
#define ADDRESS_BITS 56u        /* of user addresses, with five levels of tables */
#define VMAS_PER_MAPLE_NODE 10u /* of 16 slots; gaps take some */

enum kernel_object {
    TASK_STRUCT,
    PID,
    CRED,
    SIGNAL,
    SIGHAND,
    FILES,
    FS,
    MM_STRUCT,
    VM_AREA,
    MAPLE_NODE,
    ANON_VMA,
    ANON_CHAIN,
    FILP,
    DENTRY,
    INODE,
    OBJECTS
};

/* Linux 6.18, x86-64: object_size, align and flags of /sys/kernel/slab. */
static const struct slab_spec specs[OBJECTS] = {
    [TASK_STRUCT] = { "task_struct", 5840, 64, SLAB_ACCOUNT | SLAB_USERCOPY },
    [PID] = { "pid", 184, 64, SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT },
    [CRED] = { "cred", 184, 0, SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT },
    [SIGNAL] = { "signal_cache", 1152, 0, SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT },
    [SIGHAND] = { "sighand_cache", 2080, 0,
                  SLAB_HWCACHE_ALIGN | SLAB_RCU | SLAB_CTOR | SLAB_ACCOUNT },
    [FILES] = { "files_cache", 704, 0, SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT },
    [FS] = { "fs_cache", 64, 0, SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT },
    [MM_STRUCT] = { "mm_struct", 1568, 64, SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT | SLAB_USERCOPY },
    [VM_AREA] = { "vm_area_struct", 192, 64,
                  SLAB_HWCACHE_ALIGN | SLAB_RCU | SLAB_OWN_LINK | SLAB_ACCOUNT | SLAB_SHEAVES },
    [MAPLE_NODE] = { "maple_node", 256, 256, SLAB_SHEAVES },
    [ANON_VMA] = { "anon_vma", 96, 0, SLAB_RCU | SLAB_CTOR | SLAB_ACCOUNT },
    [ANON_CHAIN] = { "anon_vma_chain", 64, 0, SLAB_ACCOUNT },
    [FILP] = { "filp", 184, 64, SLAB_HWCACHE_ALIGN | SLAB_RCU | SLAB_OWN_LINK | SLAB_ACCOUNT },
    [DENTRY] = { "dentry", 192, 0, SLAB_RECLAIM | SLAB_ACCOUNT | SLAB_USERCOPY },
    [INODE] = { "ext4_inode_cache", 1120, 0,
                SLAB_RECLAIM | SLAB_ACCOUNT | SLAB_CTOR | SLAB_USERCOPY },
};

/* The slabs that an owner's objects of one kind lie in. */
struct held {
    uint32_t *slab, n, room;
};

struct owner {
    struct held held[OBJECTS];
};

struct implied {
    struct fl_slab_implied *out;
    struct vm vm;
    struct slab_sys *sys;
    uint32_t cpus;
    uint64_t live[OBJECTS];
    struct owner *processes, *spaces, files;
    uint32_t n_processes, room_processes, n_spaces, room_spaces;
    uint32_t n_files;
    struct slab_map pids; /* process id -> index of the last process that had it */
};

static bool pages_always(void *arg, uint32_t cache, uint32_t order, uint64_t *pages)
{
    (void)arg, (void)cache, (void)order;
    *pages = 0;
    return true;
}

static void pages_back(void *arg, uint32_t cache, uint32_t order, uint64_t pages)
{
    (void)arg, (void)cache, (void)order, (void)pages;
}

static uint64_t waste(const struct slab_layout *l, uint64_t objects, uint64_t slabs)
{
    uint64_t tail = (FL_PAGE_BYTES << l->order) - (uint64_t)l->objects * l->size;
    return objects * (l->size - l->object_bytes) + slabs * tail;
}

/* @owner has @n objects of @kind from here on. */
static int hold(struct implied *m, struct owner *owner, enum kernel_object kind, uint32_t n,
                uint32_t cpu, struct fl_err *err)
{
    struct held *h = &owner->held[kind];
    struct fl_slab_implied_row *row = &m->out->rows[kind];
    int rc = FL_OK;
    if (n > h->room) {
        uint32_t room = grow_room_for(h->room ? h->room : 4, n);
        if (!room || !grow(&h->slab, room))
            return fl_nomem(err, "kernel objects");
        h->room = room;
    }
    for (; rc == FL_OK && h->n < n; h->n++) {
        rc = slab_alloc(m->sys, kind, cpu, &h->slab[h->n], err);
        if (rc != FL_OK)
            break;
        row->created++;
        if (++m->live[kind] > row->objects_peak)
            row->objects_peak = m->live[kind];
    }
    for (; rc == FL_OK && h->n > n; h->n--) {
        rc = slab_free(m->sys, cpu, h->slab[h->n - 1], err);
        m->live[kind]--;
    }
    return rc;
}

static int hold_each(struct implied *m, struct owner *owner, const uint32_t *want, uint32_t cpu,
                     struct fl_err *err)
{
    int rc = FL_OK;
    for (int i = 0; rc == FL_OK && i < OBJECTS; i++)
        if (want[i] != owner->held[i].n)
            rc = hold(m, owner, (enum kernel_object)i, want[i], cpu, err);
    return rc;
}

static bool room_for(struct owner **owners, uint32_t *n, uint32_t *room, uint32_t index)
{
    if (index >= *room) {
        uint32_t bigger = grow_room_for(*room, (uint64_t)index + 1);
        if (!bigger || !grow(owners, bigger))
            return false;
        *room = bigger;
    }
    while (*n <= index)
        (*owners)[(*n)++] = (struct owner){ 0 };
    return true;
}

/* ---- what each owner needs ------------------------------------------------------------- */

static int of_process(struct implied *m, uint32_t index, struct fl_err *err)
{
    const struct process *p = &m->vm.processes[index];
    uint32_t want[OBJECTS] = { 0 };
    if (!room_for(&m->processes, &m->n_processes, &m->room_processes, index))
        return fl_nomem(err, "kernel objects");
    if (!p->exited) {
        uint32_t threads = p->threads ? p->threads : 1;
        want[TASK_STRUCT] = want[PID] = threads;
        want[CRED] = want[SIGNAL] = want[SIGHAND] = want[FILES] = want[FS] = 1;
    }
    return hold_each(m, &m->processes[index], want, p->pid % m->cpus, err);
}

/* Files among a space's mappings. Parts of one file lie side by side nearly always. */
static uint32_t files_mapped(const struct mm *mm)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < mm->n_vmas; i++)
        n += mm->vmas[i].file != FL_NO_FILE && (!i || mm->vmas[i].file != mm->vmas[i - 1].file);
    return n;
}

static int of_space(struct implied *m, uint32_t index, uint32_t cpu, struct fl_err *err)
{
    const struct mm *mm = &m->vm.mms[index];
    uint32_t want[OBJECTS] = { 0 };
    if (!room_for(&m->spaces, &m->n_spaces, &m->room_spaces, index))
        return fl_nomem(err, "kernel objects");
    if (mm->users) {
        uint32_t leaves = (mm->n_vmas + VMAS_PER_MAPLE_NODE - 1) / VMAS_PER_MAPLE_NODE;
        want[MM_STRUCT] = 1;
        want[VM_AREA] = mm->n_vmas;
        want[MAPLE_NODE] = leaves + (leaves > 1);
        want[FILP] = files_mapped(mm);
        for (uint32_t i = 0; i < mm->n_vmas; i++)
            if ((mm->vmas[i].rights & FL_PROT_WRITE) && !(mm->vmas[i].flags & VMA_SHARED)) {
                want[ANON_VMA]++;
                /* beside a program's data is what was written before it was made read-only */
                want[ANON_CHAIN] += mm->vmas[i].file == FL_NO_FILE ? 1 : 2;
            }
    }
    return hold_each(m, &m->spaces[index], want, cpu, err);
}

static int of_mm(struct implied *m, uint32_t mm, struct fl_err *err)
{
    return mm < m->vm.n_mms ? of_space(m, mm, mm % m->cpus, err) : FL_OK;
}

static int of_file(struct implied *m, struct fl_err *err)
{
    uint32_t want[OBJECTS] = { [DENTRY] = m->n_files + 1, [INODE] = m->n_files + 1 };
    m->n_files++;
    return hold_each(m, &m->files, want, 0, err);
}

/* The process an event is about; UINT32_MAX: none, or not known. */
static uint32_t process_of(const struct implied *m, const struct fl_event *ev)
{
    uint32_t pid;
    if (ev->kind == FL_EV_PROCESS)
        pid = ev->process.pid;
    else if (ev->kind == FL_EV_THREAD)
        pid = ev->thread_start.pid;
    else if (ev->kind == FL_EV_EXEC)
        pid = ev->exec.pid;
    else if (ev->kind == FL_EV_EXIT)
        pid = ev->exit.pid;
    else
        return ev->kind == FL_EV_THREAD_EXIT ? vm_thread_process(&m->vm, ev->thread) : UINT32_MAX;
    return slab_map_get(&m->pids, pid);
}

static int of_process_and_spaces(struct implied *m, uint32_t index, uint32_t mm_before,
                                 struct fl_err *err)
{
    if (index >= m->vm.n_processes)
        return FL_OK;
    int rc = of_process(m, index, err);
    if (rc == FL_OK)
        rc = of_mm(m, mm_before, err);
    return rc == FL_OK ? of_mm(m, m->vm.processes[index].mm, err) : rc;
}

/* The space whose mappings an event changes; FL_NO_MM. */
static uint32_t space_of(const struct fl_event *ev)
{
    switch (ev->kind) {
    case FL_EV_MAP: return ev->map.mm;
    case FL_EV_UNMAP: return ev->unmap.mm;
    case FL_EV_PROTECT: return ev->protect.mm;
    case FL_EV_REMAP: return ev->remap.mm;
    default: return FL_NO_MM;
    }
}

static int on_event(void *arg, const struct fl_event *ev, struct fl_err *err)
{
    struct implied *m = arg;
    if (ev->kind == FL_EV_MAP && ev->map.start >> ADDRESS_BITS)
        return FL_OK; /* [vsyscall], of the kernel's half: no vm_area_struct is behind it */
    uint32_t before = process_of(m, ev), mm = FL_NO_MM;
    if (before < m->vm.n_processes)
        mm = m->vm.processes[before].mm;
    int rc = vm_event(&m->vm, ev, err);
    if (rc == FL_OK && ev->kind == FL_EV_PROCESS && m->vm.n_processes &&
        !slab_map_put(&m->pids, ev->process.pid, m->vm.n_processes - 1))
        return fl_nomem(err, "kernel objects");
    if (rc == FL_OK)
        rc = of_process_and_spaces(m, ev->kind == FL_EV_THREAD_EXIT ? before : process_of(m, ev),
                                   mm, err);
    if (rc == FL_OK)
        rc = of_mm(m, space_of(ev), err);
    if (rc == FL_OK && ev->kind == FL_EV_FILE)
        rc = of_file(m, err);
    uint64_t stacks = (uint64_t)m->vm.n_tasks * STACK_PAGES;
    if (stacks > m->out->stack_pages)
        m->out->stack_pages = stacks;
    return rc;
}

/* Page tables appear with the pages touched. */
static int on_runs(void *arg, const struct fl_runs *runs, struct fl_err *err)
{
    struct implied *m = arg;
    int rc = vm_new_pages(&m->vm, err);
    for (size_t i = 0; i < runs->n && rc == FL_OK; i++) {
        uint32_t c;
        uint8_t info, need = run_need(runs->reads[i], runs->writes[i], runs->fetches[i]);
        rc = vm_run(&m->vm, runs->page[i], need, runs->actor, &c, &info, err);
    }
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int begin(struct implied *m, struct fl_err *err)
{
    const struct slab_pages pages = { pages_always, pages_back, NULL, false };
    m->sys = slab_sys_new(m->cpus, &pages);
    m->out->rows = calloc(OBJECTS, sizeof *m->out->rows);
    if (!m->sys || !m->out->rows)
        return fl_nomem(err, "kernel objects");
    m->out->n_rows = OBJECTS;
    int rc = FL_OK;
    for (int i = 0; rc == FL_OK && i < OBJECTS; i++) {
        struct slab_layout layout;
        uint32_t cache;
        m->out->rows[i].name = specs[i].name;
        m->out->rows[i].object_bytes = specs[i].object_bytes;
        rc = slab_layout_of(&specs[i], m->cpus, &layout, err);
        if (rc == FL_OK)
            rc = slab_cache_add(m->sys, &layout, &cache, err);
    }
    return rc;
}

static void finish(struct implied *m)
{
    for (int i = 0; i < OBJECTS; i++) {
        struct slab_counts n = slab_counts(m->sys, (uint32_t)i);
        struct fl_slab_implied_row *row = &m->out->rows[i];
        row->objects_end = m->live[i];
        row->slabs_end = n.slabs;
        row->slabs_peak = n.peak_slabs;
        row->internal_waste_bytes =
            waste(slab_layout_at(m->sys, (uint32_t)i), row->objects_peak, n.peak_slabs);
    }
    m->out->page_table_pages = m->vm.tables_peak;
}

static void owners_free(struct owner *owners, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (int k = 0; k < OBJECTS; k++)
            free(owners[i].held[k].slab);
}

int fl_slab_implied(struct fl_reader *r, uint32_t cpus, struct fl_slab_implied *out,
                    struct fl_err *err)
{
    struct implied m = { .out = out, .cpus = cpus ? cpus : 1 };
    *out = (struct fl_slab_implied){ 0 };
    vm_init(&m.vm, r, PGTABLE_LEVELS_MAX, NULL);
    int rc = begin(&m, err);
    const struct trace_pass pass = { .arg = &m, .event = on_event, .runs = on_runs };
    if (rc == FL_OK)
        rc = trace_pass(r, &pass, err);
    if (rc == FL_OK)
        finish(&m);
    owners_free(m.processes, m.n_processes);
    owners_free(m.spaces, m.n_spaces);
    owners_free(&m.files, 1);
    slab_map_free(&m.pids);
    free(m.processes);
    free(m.spaces);
    slab_sys_free(m.sys);
    vm_fini(&m.vm);
    if (rc != FL_OK)
        fl_slab_implied_free(out);
    return rc;
}

void fl_slab_implied_free(struct fl_slab_implied *out)
{
    free(out->rows);
    *out = (struct fl_slab_implied){ 0 };
}
