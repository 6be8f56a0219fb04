/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * vm.h - the virtual memory stage: address spaces, and what each virtual page holds.
 *
 * Follows the trace's events and turns each run into a reference to contents
 * (docs/model.md, section 1). Independent of RAM size and policy, so one instance
 * can feed any number of paging stages.
 *
 * vm.c       runs: the fast path, first touches, copy-on-write
 * vm_map.c   mappings: map, unmap, protect, remap, advise, fork's copy
 * vm_proc.c  processes, threads, files, and the dispatch of events
 */
#ifndef REPLAY_VM_H
#define REPLAY_VM_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/replay.h>

#include "contents.h"
#include "linux/swap_ra.h"
#include "pgtable.h"
#include "prefetch.h"
#include "region.h"

/* The id of a page table's leaf entry: dense page id + 1, or, with the top bit, contents that the
   page got from fork, remap or fault-around before its first run. */
#define LEAF_INHERITED (UINT32_C(1) << 31)

enum {
    VMA_SHARED = 1,
    VMA_SPECIAL = 2,  /* vdso: not memory */
    VMA_HAD_ANON = 4, /* holds or held an anonymous page: fork copies it */
    VMA_RANDOM = 8,   /* MADV_RANDOM, MADV_SEQUENTIAL: until MADV_NORMAL */
    VMA_SEQUENTIAL = 16,
    VMA_NO_RECENCY = VMA_RANDOM | VMA_SEQUENTIAL, /* accessing it says nothing (vma_has_recency) */
    VMA_HUGE = 32,                                /* MADV_HUGEPAGE, MADV_NOHUGEPAGE */
    VMA_NO_HUGE = 64,
    VMA_LOCKED = 128,        /* mlock: its pages stay in memory, */
    VMA_LOCK_ON_FAULT = 256, /* once they are in */
    VMA_LOCK = VMA_LOCKED | VMA_LOCK_ON_FAULT,
    VMA_HEAP = 512, /* brk */
    VMA_STACK = 1024,
};

struct vma {
    uint64_t start, end; /* pages, end exclusive */
    uint64_t pgoff;      /* page of the object at @start */
    uint32_t object;     /* NO_OBJECT: private anonymous */
    uint32_t file;       /* as it was mapped; FL_NO_FILE */
    uint32_t label;      /* of vm.regions; REGION_NONE until a page of it is touched */
    uint8_t rights;      /* FL_PROT_*, with READ implied */
    uint16_t flags;
    struct swap_ra_vma swap_ra; /* of the Linux model */
};

struct mm {
    struct vma *vmas; /* by address, disjoint */
    uint32_t n_vmas, room;
    uint32_t users; /* processes in it */
    struct pgtable tables;
};

struct process {
    uint32_t pid, mm, threads;
    int32_t oom_score_adj;
    int32_t recorded_adj; /* as the trace has it; the same but for vm.oom_adj */
    bool exited, killed;
    char comm[16];
};

/*
 * What a model of page-table entries wants to hear, so that entries keep their bits while pages
 * without a run of their own (leaf ids with LEAF_INHERITED) have no dense id to keep them by.
 * NULL members are not called.
 */
struct pte_hooks {
    void *arg;
    void (*zap)(void *arg, uint32_t page, uint32_t contents);      /* the entry is cleared */
    void (*zap_leaf)(void *arg, uint32_t hw, uint32_t contents);   /* an inherited one is */
    uint32_t (*take)(void *arg, uint32_t page, uint32_t contents); /* it moves into a leaf's hw */
    void (*land)(void *arg, uint32_t page, uint32_t contents, uint32_t hw); /* and out of it */
    /* fork: the parent's entry is write-protected; returns the child's */
    uint32_t (*fork)(void *arg, uint32_t page, uint32_t contents);
    uint32_t (*fork_leaf)(void *arg, uint32_t *hw, uint32_t contents);
    /* a write is about to copy @contents. false: the process has been killed meanwhile */
    bool (*before_copy)(void *arg, uint32_t page, uint32_t contents);
    /* of whole ranges of a space, before their entries: a mapping is cut at @vpn, or was already;
       all in [from, to) is unmapped; [from, from + n) moves to @to */
    void (*cut)(void *arg, uint32_t mm, uint64_t vpn);
    void (*cleared)(void *arg, uint32_t mm, uint64_t from, uint64_t to);
    void (*moved)(void *arg, uint32_t mm, uint64_t from, uint64_t n, uint64_t to);
    void (*forked)(void *arg, uint32_t parent, uint32_t child); /* after its entries */
};

/* What the other stages want to hear. */
struct vm_hooks {
    void *arg;
    struct pte_hooks pte;
    void (*page_dropped)(void *arg, uint32_t page);      /* its translation is no longer valid */
    void (*contents_gone)(void *arg, uint32_t contents); /* the id is about to be reused */
    void (*mm_gone)(void *arg, uint32_t mm);
};

/* A reference: contents, and what is known of how they were reached. */
#define REF_WRITE 1u
#define REF_CAUSE_SHIFT 1
static inline enum fl_cause ref_cause(uint8_t info)
{
    return (enum fl_cause)(info >> REF_CAUSE_SHIFT);
}

struct vm {
    const struct fl_reader *reader;
    struct regions *regions; /* the caller's, set after vm_init(); NULL: mappings have no labels */
    struct vm_hooks hooks;
    uint32_t levels;
    struct contents cs;

    /* by dense page id */
    uint32_t *contents;    /* NO_CONTENTS: none */
    uint8_t *rights;       /* what a run may do without coming to the slow path */
    uint32_t *next_mapper; /* list of the pages that map the same contents */
    uint32_t *mm_of;
    uint32_t *label_of; /* what mapping it was touched through last; NULL without regions */
    uint32_t n_pages, pages_room;
    struct fl_page borrowed; /* what page n_pages is, between vm_borrow_page() and its return */

    struct mm *mms;
    uint32_t n_mms, mms_room;
    struct process *processes; /* in order of appearance */
    uint32_t n_processes, processes_room;
    const struct fl_oom_adj *oom_adj; /* the caller's, set after vm_init() */
    size_t n_oom_adj;
    uint32_t *process_of; /* by thread */
    uint32_t n_threads, threads_room;
    uint32_t *object_of; /* by file id */
    uint32_t n_files, files_room;

    uint64_t n_tables, tables_peak, flat_bytes_avoided;
    uint32_t n_spaces;
    uint32_t n_alive; /* processes */
    uint32_t n_tasks; /* their threads */
    bool has_locks;   /* some mapping has been VMA_LOCKED */
    bool has_advice;  /* some mapping has been VMA_NO_RECENCY */
    uint64_t segv;
};

void vm_init(struct vm *vm, const struct fl_reader *reader, uint32_t levels,
             const struct vm_hooks *hooks);
void vm_fini(struct vm *vm);

/** vm_event - follow one event. FL_ENOMEM, FL_EFORMAT, FL_EDATA. */
int vm_event(struct vm *vm, const struct fl_event *ev, struct fl_err *err);

/** vm_new_pages - make room for the ids the reader has handed out by now. */
int vm_new_pages(struct vm *vm, struct fl_err *err);

/** vm_thread_process - index of the process @thread belongs to; UINT32_MAX: unknown. */
static inline uint32_t vm_thread_process(const struct vm *vm, uint32_t thread)
{
    return thread < vm->n_threads ? vm->process_of[thread] : UINT32_MAX;
}

/**
 * vm_slow_run - a run that the page's rights do not cover: first touch, copy-on-write,
 * or an invalid access. @c: NO_CONTENTS when the run makes no reference.
 * Returns FL_OK or FL_ENOMEM.
 */
int vm_slow_run(struct vm *vm, uint32_t page, uint8_t need, enum fl_actor actor, uint32_t *c,
                uint8_t *info, struct fl_err *err);

/** vm_run_soon - vm_run() of @page soon. */
static PREFETCHES void vm_run_soon(const struct vm *vm, uint32_t page)
{
    __builtin_prefetch(&vm->rights[page]);
    __builtin_prefetch(&vm->contents[page]);
}

/** vm_run - one run of @page to a reference. */
static inline int vm_run(struct vm *vm, uint32_t page, uint8_t need, enum fl_actor actor,
                         uint32_t *c, uint8_t *info, struct fl_err *err)
{
    if (__builtin_expect(need & ~vm->rights[page], 0))
        return vm_slow_run(vm, page, need, actor, c, info, err);
    *c = vm->contents[page];
    *info = (need & FL_PROT_WRITE) ? REF_WRITE : 0;
    return FL_OK;
}

/** vm_rename_mapping - a run of @page, whose label stands in, begins in code that gives a better. */
void vm_rename_mapping(struct vm *vm, uint32_t page);

/** vm_run_from - a run of @page, an id of the reader's, begins where vm.regions says by itself. */
static inline void vm_run_from(struct vm *vm, uint32_t page)
{
    const struct regions *r = vm->regions;
    if (r->labels[vm->label_of[page]].stands_in && !regions_by_runtime(r))
        vm_rename_mapping(vm, page);
}

/** vm_settle_labels - after the trace's end: labels, and label_of, are what they mean. */
void vm_settle_labels(struct vm *vm);

/** vm_page - where @page is; also a borrowed one. */
static inline struct fl_page vm_page(const struct vm *vm, uint32_t page)
{
    return page < vm->n_pages ? fl_reader_page(vm->reader, page) : vm->borrowed;
}

/**
 * vm_borrow_page - a dense id for a page that the kernel touches by itself: its own if a run has
 * given it one, else n_pages, which stands for it until vm_return_page(). NO_PAGE: out of memory.
 */
uint32_t vm_borrow_page(struct vm *vm, uint32_t mm, uint64_t vpn);
/** vm_return_page - what came of it stays with the page table, to be found by its first run. */
void vm_return_page(struct vm *vm, uint32_t page);

/** vm_unknown_adj - a pid of oom_adj that no process has had; 0: none. */
uint32_t vm_unknown_adj(const struct vm *vm);

/** vm_drop_page - a pgtable_walk_fn with the vm as its argument: the entry goes as if unmapped. */
bool vm_drop_page(void *vm, uint64_t vpn, struct leaf *slot);

/** run_need - the rights a run needs, from its counts. */
static inline uint8_t run_need(uint32_t reads, uint32_t writes, uint32_t fetches)
{
    return (uint8_t)((reads ? FL_PROT_READ : 0) | (writes ? FL_PROT_WRITE : 0) |
                     (fetches ? FL_PROT_EXEC : 0));
}

/** run_needs - run_need() of @n runs from @from on, into @need. */
static inline void run_needs(const struct fl_runs *runs, size_t from, uint32_t n, uint8_t *need)
{
    const uint32_t *reads = runs->reads + from, *writes = runs->writes + from,
                   *fetches = runs->fetches + from;
    bool plain = !(runs->facts & (FL_RUNS_LONG | FL_RUNS_FETCHES)); /* one access, of data */
    for (uint32_t i = 0; i < n && plain; i++)
        need[i] = writes[i] ? FL_PROT_WRITE : FL_PROT_READ;
    for (uint32_t i = 0; i < n && !plain; i++)
        need[i] = run_need(reads[i], writes[i], fetches[i]);
}

/** vm_kill - the OOM killer got process @index: every process of its space ends, contents go. */
void vm_kill(struct vm *vm, uint32_t index);

/** leaf_contents - what the entry @leaf, with an id, maps. */
static inline uint32_t leaf_contents(const struct vm *vm, const struct leaf *leaf)
{
    return leaf->id & LEAF_INHERITED ? leaf->id & ~LEAF_INHERITED : vm->contents[leaf->id - 1];
}

struct vma *mm_find(const struct mm *mm, uint64_t vpn);

/** vm_vma - the mapping that @page is in; NULL: none. */
static inline struct vma *vm_vma(const struct vm *vm, uint32_t page)
{
    struct fl_page at = vm_page(vm, page);
    return mm_find(&vm->mms[at.mm], at.vpn);
}

/* ---- between vm*.c ------------------------------------------------------------- */

static inline uint32_t mm_index(const struct vm *vm, const struct mm *mm)
{
    return (uint32_t)(mm - vm->mms);
}

/* the first mapping that ends after @vpn; NULL: none */
const struct vma *mm_next(const struct mm *mm, uint64_t vpn);
int mm_event(struct vm *vm, const struct fl_event *ev, struct fl_err *err);
int mm_copy(struct vm *vm, struct mm *child, uint32_t parent, struct fl_err *err);
void mm_clear(struct vm *vm, struct mm *mm);
int vm_file(struct vm *vm, const struct fl_event *ev, struct fl_err *err);
void vm_note_tables(struct vm *vm);
void page_map(struct vm *vm, uint32_t page, uint32_t c);
void page_unmap(struct vm *vm, uint32_t page);
void contents_left(struct vm *vm, uint32_t c);

#endif
