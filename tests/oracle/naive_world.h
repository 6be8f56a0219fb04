/* SPDX-License-Identifier: GPL-2.0-or-later */
/** naive_world.h - everything the slow twin keeps, shared by its parts. */
#ifndef FAULTLINE_NAIVE_WORLD_H
#define FAULTLINE_NAIVE_WORLD_H

#include "naive.h"

#define NONE (-1)

/* A list that grows; elements in the order they were added. */
#define LIST(type) \
    struct {       \
        type *at;  \
        size_t n;  \
    }
#define LIST_ADD(list, ...)                                              \
    ((list)->at = naive_grow((list)->at, (list)->n, sizeof *(list)->at), \
     (list)->at[(list)->n] = __VA_ARGS__, (list)->n++)
#define LIST_DROP(list, i) naive_drop((list)->at, &(list)->n, (i), sizeof *(list)->at)

void *naive_grow(void *at, size_t n, size_t size);
void naive_drop(void *at, size_t *n, size_t i, size_t size);

struct process {
    uint32_t pid, mm;
    int32_t oom_score_adj;
    char comm[16];
    bool alive, killed;
};

struct thread {
    uint32_t index;
    size_t process;
    bool exited; /* followed by the Linux model alone */
};

struct mapping {
    uint32_t mm;
    uint64_t start, end; /* pages, [start, end) */
    uint32_t prot;
    bool shared, special;
    bool held_anon; /* holds an anonymous page, or ever held one */
    int object;     /* NONE: private anonymous */
    uint64_t index; /* the object's page behind @start */
    /* of the Linux model */
    uint32_t advice;
    uint64_t ra_place, ra_window, ra_hits;
};

struct object {
    bool is_file, memory_backed;
    uint64_t dev, ino;
};

struct file {
    uint32_t id;
    int object;
};

struct contents {
    bool exists;
    int object; /* NONE: anonymous */
    uint64_t index;
    int frame; /* NONE: has none */
    bool had_frame, has_slot, dirty;
};

struct entry { /* of a page table, in the Linux model */
    bool present, writable, dirty, accessed, zero;
    uint64_t translated_until; /* so many fillings of the TLB; 0: it has no translation */
};

struct vpage { /* a virtual page that has contents */
    uint32_t mm;
    uint64_t vpn;
    int contents;
    bool touched; /* by a run of its space, where it is now */
    struct entry entry;
};

struct table {          /* a page table below the root */
    uint32_t mm, level; /* 1: the lowest */
    uint64_t prefix;    /* covers the pages whose vpn >> 9 * level it is */
};

struct frame {
    int contents; /* NONE: free */
    uint64_t inserted_at, used_at;
    bool bit;
    uint64_t next_use;
};

struct tlb_entry { /* of a TLB level or of a walk cache */
    bool valid;
    uint32_t mm;
    enum fl_page_size size;
    uint64_t number, used_at;
};

struct asid {
    uint32_t mm;
    bool gone, stale;
};

struct taken { /* a page that the operation under way takes back */
    uint64_t vpn;
    enum fl_page_size size;
};

struct kernel;

struct world {
    struct kernel *k; /* of the Linux model, which takes the place of the paging; or NULL */
    const struct naive_opts *opts;
    struct naive_result *res;
    /* virtual memory */
    LIST(struct process) processes;
    LIST(struct thread) threads;
    LIST(uint32_t) spaces;      /* that exist */
    LIST(uint32_t) dead_spaces; /* of killed processes */
    LIST(struct mapping) mappings;
    LIST(struct object) objects;
    LIST(struct file) files;
    LIST(struct contents) contents;
    LIST(struct vpage) vpages;
    LIST(struct table) tables;
    /* paging */
    struct frame *frames; /* opts->frames of them, or as many as there are references */
    size_t n_frames, never_used, in_use;
    LIST(int) freed; /* last: the most recently freed */
    uint64_t slots_in_use, clock, random;
    size_t hand;
    /* TLB */
    struct tlb_entry *tlb[FL_TLB_LEVELS_MAX];
    struct tlb_entry *walk[FL_WALK_CACHES_MAX];
    LIST(struct asid) asids; /* by number */
    size_t next_asid;
    uint32_t running_space;
    bool in_exec;
    LIST(struct taken) taken;
    /* where we are */
    uint64_t accesses_before; /* the run under way */
    int running;              /* its process, or NONE */
    uint64_t next_use;        /* of its contents */
};

/* naive.c */
void naive_world_free(struct world *w);

/* naive_vm.c */
struct mapping *naive_vm_mapping_at(struct world *w, uint32_t mm, uint64_t vpn);
int naive_vm_object_page(struct world *w, int object, uint64_t index);
void naive_vm_set_page(struct world *w, uint32_t mm, uint64_t vpn, int contents);
int naive_vm_reference(struct world *w, const struct naive_item *run, enum fl_cause *cause);
void naive_vm_event(struct world *w, const struct fl_event *ev);
void naive_vm_space_begin(struct world *w, uint32_t mm);
void naive_vm_space_end(struct world *w, uint32_t mm);
void naive_vm_space_copy(struct world *w, uint32_t from, uint32_t to);
size_t naive_vm_mappers(const struct world *w, int contents);
void naive_vm_note_sharing(struct world *w);

/* naive_paging.c */
bool naive_paging_swaps(const struct world *w, int contents);
/* False: no frame could be had, because the process was killed, or stuck. */
bool naive_paging_reference(struct world *w, int contents, enum fl_cause cause, bool writes);
void naive_paging_contents_end(struct world *w, int contents);

/* naive_process.c */
void naive_process_event(struct world *w, const struct fl_event *ev);
int naive_process_of_thread(const struct world *w, uint32_t thread);
bool naive_process_kill_one(struct world *w); /* false: nobody can be killed */

/* naive_tlb.c */
void naive_tlb_init(struct world *w);
void naive_tlb_free(struct world *w);
void naive_tlb_enter(struct world *w, uint32_t mm); /* @mm runs */
void naive_tlb_run(struct world *w, const struct naive_item *run, enum fl_page_size size);
void naive_tlb_page(struct world *w, uint32_t mm, uint64_t vpn, enum fl_page_size size);
void naive_tlb_take(struct world *w, uint64_t vpn, enum fl_page_size size);
void naive_tlb_taken(struct world *w, uint32_t mm); /* the operation is complete */
void naive_tlb_fork(struct world *w, uint32_t mm);
void naive_tlb_space_end(struct world *w, uint32_t mm);

/* naive_linux_fault.c, where the Linux model has something to do in stage 1 */
void naive_linux_unmapped(struct world *w, const struct vpage *v);
void naive_linux_contents_end(struct world *w, int contents);
void naive_linux_copied(struct world *w, size_t from, size_t to); /* virtual pages, by a fork */
bool naive_linux_before_copy(struct world *w, int contents);      /* false: there will be none */
void naive_linux_judge(const struct world *w, const struct process *p, struct fl_oom_kill *k);

#endif
