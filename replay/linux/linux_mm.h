/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * linux_mm.h - Linux's own memory management: docs/model-linux.md.
 *
 * Takes the place of the paging stage. It follows every page-table entry, because
 * the kernel faults and ages by entry, and every folio, because it reclaims by folio.
 *
 * linux_mm.c    entries: the fast path, what unmap, fork and remap do to them
 * fault.c       page faults
 * swap.c        swap-out, swap cache, swap-in and its read-ahead
 * swap_write.h  pages on their way to a disk
 * translations.h  what the processor's TLB keeps, and so leaves no accessed bit
 * page_cache.c  file pages: what is resident, read(2), write(2), write-back
 * read_ahead.c  what is read besides the page that is wanted
 * file_fault.c  faults on file pages, fault-around
 * shmem.c       memory-backed files under system calls
 * mlock.c       pages that have to stay in memory
 * advice.c      madvise(2), and pages that the kernel brings in by itself
 * memory.c      where pages are taken from and given back to
 * zones.h       a machine's zones and their watermarks
 * page_alloc.c  the way to a page of a zone, and to an OOM kill
 * kswapd.c      reclaim in the background
 * charge.c      the group's counter, its stock, and the way to an OOM kill
 * reclaim.c     one reclaim: priorities, the balance of the lists
 * shrink.c      one batch of an active or inactive list
 * workingset.c  refaults
 * lru.c         the lists; mglru.h: those of policy `mglru`
 * huge.h        huge pages
 * kernel_memory.c  page tables, stacks and slab objects, which the group pays for too
 * vmstat.c      statistics as the kernel sees them, and the model's clock
 *
 * Where a rule names a kernel function, it is that of Linux 6.18.
 */
#ifndef REPLAY_LINUX_LINUX_MM_H
#define REPLAY_LINUX_LINUX_MM_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/costs.h>
#include <faultline/replay.h>

#include "oom.h"
#include "vm.h"
#include "huge.h"
#include "swap_area.h"
#include "swap_ra.h"
#include "swap_write.h"
#include "translations.h"
#include "kernel/buddy_zones.h"
#include "zones.h"

/* ---- page-table entries, by dense page id; in a leaf's hw also, above these, the folio's
   unmappings so far: the entry is gone when the folio has been unmapped since ------------ */
enum {
    PTE_PRESENT = 1u << 0,
    PTE_WRITE = 1u << 1,
    PTE_DIRTY = 1u << 2,
    PTE_YOUNG = 1u << 3,
    PTE_ZERO_PAGE = 1u << 4, /* maps the zero page: no folio */
    PTE_HUGE = 1u << 5,      /* part of an entry of 2 MiB; stays when that goes, for its flush */
    PTE_LOCKED = 1u << 6,    /* one of its folio's mlock_count */
    PTE_BITS = 8,            /* of a leaf's hw */
};

enum lru_list {
    LRU_INACTIVE_ANON,
    LRU_ACTIVE_ANON,
    LRU_INACTIVE_FILE,
    LRU_ACTIVE_FILE,
    LRU_LISTS,
    LRU_LISTS_MAX = 8,               /* of all policies: `mglru` has eight, mglru.h */
    LRU_UNEVICTABLE = LRU_LISTS_MAX, /* from here on: on no list */
    LRU_BATCHED, /* new: in the processor's batch, where reclaim does not see it */
    LRU_NONE,
    LRU_TAIL, /* of a huge folio, whose head is on a list */
};

/* struct folio.flags */
enum {
    FOLIO_RESIDENT = 1u << 0,   /* has a frame */
    FOLIO_CHARGED = 1u << 1,    /* and our group pays for it; otherwise it cannot be reclaimed */
    FOLIO_BUSY = 1u << 2,       /* locked, or held by the fault: reclaim leaves it alone */
    FOLIO_REFERENCED = 1u << 3, /* PG_referenced */
    FOLIO_WORKINGSET = 1u << 4, /* PG_workingset */
    FOLIO_DIRTY = 1u << 5,
    FOLIO_SWAP_CACHE = 1u << 6,
    FOLIO_WRITEBACK = 1u << 7,
    FOLIO_RECLAIM = 1u << 8,         /* PG_reclaim */
    FOLIO_READAHEAD = FOLIO_RECLAIM, /* of reads, PG_reclaim of writes: one bit, and they mix */
    FOLIO_SHADOW = 1u << 10,         /* evicted; shadow is valid */
    FOLIO_SHADOW_WORKINGSET = 1u << 11,
    FOLIO_EXEC = 1u << 12,    /* mapped executable */
    FOLIO_LOCKED = 1u << 13,  /* mlock: it is on LRU_UNEVICTABLE */
    FOLIO_BUFFERS = 1u << 15, /* a file's page that was written: has a buffer head */
    FOLIO_ADOPTED = 1u << 14, /* a file's page whose residency at the start is known */
};

struct folio {
    union {
        uint32_t newer;       /* on its list, as is older; NO_CONTENTS at the ends */
        uint32_t mlock_count; /* on LRU_UNEVICTABLE: entries that lock it */
    };
    uint32_t older;
    uint32_t slot; /* SWAP_NO_SLOT */
    union {
        uint32_t shadow; /* FOLIO_SHADOW: nonresident age when it was evicted */
        uint32_t ahead;  /* else one that joined its list LRU_AHEAD later, as far as is known */
    };
    uint32_t mapped;             /* entries that are present */
    uint32_t unmappings : 24;    /* how often reclaim has unmapped it */
    uint32_t lazyfree : 1;       /* MADV_FREE: not PG_swapbacked, though anonymous */
    uint32_t shadow_of_root : 1; /* its shadow is not of the group, but of all groups' root */
    uint16_t flags;
    uint8_t list;            /* enum lru_list */
    uint8_t inherited_young; /* accessed entries without a dense id */
    uint32_t huge : 31;      /* index + 1 of the huge folio that it is part of */
    uint32_t zero : 1;       /* of a huge page, and never written: zeros */
};

_Static_assert(sizeof(struct folio) == 32, "two to a cache line");

#define LRU_BATCH 31u /* PAGEVEC_SIZE: folios in a processor's batch */

#define LRU_AHEAD 16u
#define LRU_SOON 6u /* of these */

struct lru {
    uint32_t newest, oldest, n;
    uint32_t joined[LRU_AHEAD], n_joined; /* the latest that joined as newest */
    uint32_t coming[LRU_SOON], n_coming;  /* the latest that lru_expect() has seen */
};

/* What reclaim counts; linux_mm.stat are the true values, .seen those of the last flush. */
struct lru_stat {
    uint64_t size[LRU_LISTS_MAX];
    uint64_t activate[2]; /* WORKINGSET_ACTIVATE_ANON, _FILE */
};

struct linux_opts {
    uint64_t limit_pages;
    uint64_t swap_pages; /* UINT64_MAX: as many as needed */
    enum swap_kind swap_kind;
    uint32_t page_cluster, swappiness;
    bool group_v2;             /* the group is of cgroup v2: swap_pages is its own limit */
    bool no_groups;            /* the kernel has no memory groups: its statistics are exact */
    bool machine;              /* no group's limit, but this machine's memory: */
    struct zones_config zones; /* without: of the machine around the group, ram_pages 0: none */
    uint32_t cpus;             /* of that machine; 0 is 1 */
    uint64_t first_flush_ps;   /* on the model's clock; later ones every 2 s */
    const struct fl_seen_flushes *flushes; /* in place of that; NULL: none */
    const struct fl_costs *costs;          /* what moves that clock; what the TLB keeps */
    uint64_t seed;                         /* of what a full TLB gives up */
    uint64_t whole_flushes_from;           /* pages out */
    bool data_frames;                      /* the kernel's own memory takes none of the pages */
    bool mglru;                            /* generations, in place of active and inactive lists */
    enum fl_thp_mode thp;                  /* not with mglru */
};

/* What a page is taken for: it decides which blocks it comes from (migrate types). */
enum page_use {
    PAGES_OF_FOLIOS,
    PAGES_OF_KERNEL, /* page tables, stacks, slab */
    PAGE_USES
};

/* The latest last. */
struct frame_stack {
    uint32_t *pfn;
    uint32_t n, room;
};

struct kswapd {
    bool awake, no_cache_trim, cache_trim_failed;
    int priority;
    uint32_t failures;  /* rounds in a row that reclaimed nothing (kswapd_failures) */
    uint64_t reclaimed; /* in this round */
    uint64_t now_ps;    /* its own clock */
    uint64_t doze_until_ps;
};

#define LINUX_EXPECTED 4u

struct linux_mm {
    struct linux_opts opts;
    struct vm *vm;
    struct mglru *mglru; /* NULL: active and inactive lists */

    uint8_t *pte; /* by dense page id */
    uint32_t pages_room;
    struct translations translations; /* of entries for 4 KiB */
    struct folio *folio;              /* by contents */
    uint32_t folios_room;
    struct lru lru[LRU_LISTS_MAX];
    uint32_t batch[LRU_BATCH]; /* contents, in the order they came */
    uint8_t batch_list[LRU_BATCH];
    uint32_t n_batch;
    struct swap_area swap;
    struct swap_ra swap_ra;
    struct cached_file *files; /* by object */
    uint32_t files_room;

    /* the group */
    uint64_t usage, usage_peak, stock, failures;
    uint64_t wanted; /* the most that usage was to be, whether the limit let it or not */
    uint64_t kernel_pages, kernel_pages_peak; /* of usage: page tables, stacks, slab */
    uint64_t file_slab_bytes;                 /* of it, objects that come with file pages */

    /* the machine; in its scope, usage and its peak are of all that the traced took */
    struct buddy_zones *frames;         /* NULL: frames are not told apart */
    struct frame_stack held[PAGE_USES]; /* page frame numbers of what no folio holds */
    uint64_t in_folios[ZONES];
    uint32_t *frame_of; /* by contents: page frame number */
    uint32_t cpu;       /* that takes and gives */
    uint64_t next_decay_ps;
    uint64_t least_free; /* frames, to FREE_STEP, and the free blocks at that moment */
    uint64_t least_blocks[FL_ORDERS];
    struct kswapd kswapd;

    struct thp thp;

    /* reclaim */
    bool flusher_due; /* woken by a reclaim that does not wait for it */
    uint64_t nonresident_age;
    uint64_t cost[2]; /* anon, file: how dear reclaim has been */
    uint64_t snapshot_activate[2];
    struct lru_stat stat, seen;
    uint64_t now_ps, next_flush_ps; /* the model's clock */
    uint64_t stat_flushes;
    unsigned n_seen_flushes; /* of opts.flushes, that have come */
    struct swap_writes writes;

    /* the fault under way */
    uint32_t process;  /* index of whose it is */
    uint32_t mm;       /* the address space it is in; FL_NO_MM: none */
    bool copying;      /* the entry about to go is left for a copy (wp_page_copy) */
    bool copied;       /* it has gone: its original is at hand, and is not read again */
    bool copy_pending; /* counted already: the entry was brought in only to be copied */
    bool in_fault;     /* of a page: what joins the lists now is being accessed */
    bool locking;      /* by mlock: a fault that has to wait is given up and begun again */
    bool failed_memory;
    bool made_pages; /* anonymous ones that no reference asked for, at any time */

    /* the one to call when the group is out of memory; false: nobody may be killed */
    bool (*kill)(void *arg);
    void (*unmapped)(void *arg, uint32_t page);                   /* reclaim took the entry away */
    void (*expect_evicted)(void *arg, uint32_t page, uint32_t c); /* both soon; NULL, as below */
    void (*evicted)(void *arg, uint32_t c); /* and the frame; NULL: nobody cares, as */
    void (*dropped)(void *arg, uint32_t c); /* what was in @c is not to come back */
    void (*faulted)(void *arg, uint32_t page, enum fl_cause cause); /* of @process */
    void *arg;

    /* contents that linux_expect() has seen, the slots of which come next */
    uint32_t expected[LINUX_EXPECTED], n_expected;

    /* results */
    uint64_t faults[FL_CAUSE_COUNT];
    uint64_t evictions, pages_in, pages_out, file_pages_read, file_pages_written;
    uint64_t readahead_pages, readahead_hits; /* of swap */
    uint64_t file_readahead_pages, file_readahead_hits;
    uint64_t slots_peak, resident, resident_peak;
    uint64_t scanned, activated, deactivated, refaults, direct_reclaims, background_reclaimed;
    uint64_t kills;
};

int linux_init(struct linux_mm *lm, const struct linux_opts *opts, struct vm *vm,
               struct fl_err *err);
void linux_fini(struct linux_mm *lm);

/** linux_pte_hooks - what the virtual memory stage has to call for @lm. */
struct pte_hooks linux_pte_hooks(struct linux_mm *lm);

/** linux_room - make room for page ids below @n_pages and contents below @n_contents. */
int linux_room(struct linux_mm *lm, uint32_t n_pages, uint32_t n_contents, struct fl_err *err);

/** linux_slow_run - a reference that the entry does not cover. */
int linux_slow_run(struct linux_mm *lm, uint32_t page, uint32_t c, uint8_t info,
                   struct fl_err *err);

/** linux_walk - linux_run() where the processor keeps translations. */
int linux_walk(struct linux_mm *lm, uint32_t page, uint32_t c, uint8_t info, struct fl_err *err);

/** linux_entry_need - what an entry must have for a reference to change nothing. */
static inline uint8_t linux_entry_need(bool write)
{
    return write ? PTE_PRESENT | PTE_YOUNG | PTE_WRITE | PTE_DIRTY : PTE_PRESENT | PTE_YOUNG;
}

/** linux_translated - the processor does a reference alone, with a translation it has or by a walk
    that changes nothing. pre: translations_kept(). */
static inline bool linux_translated(struct linux_mm *lm, uint32_t page, bool write)
{
    uint8_t need = linux_entry_need(write), bits = lm->pte[page];
    bool small = !(bits & PTE_HUGE), there = small && translation_there(&lm->translations, page);
    if (there)
        need &= (uint8_t)~PTE_YOUNG;
    bool covered = (bits & need) == need;
    if (covered && small && !there)
        translation_filled(&lm->translations, page);
    return covered;
}

/** linux_run - one reference to @page, which holds @c. The process may have been killed after. */
static inline int linux_run(struct linux_mm *lm, uint32_t page, uint32_t c, uint8_t info,
                            struct fl_err *err)
{
    uint8_t need = linux_entry_need(info & REF_WRITE);
    if (translations_kept(&lm->translations))
        return linux_walk(lm, page, c, info, err);
    if (__builtin_expect((lm->pte[page] & need) == need, 1))
        return FL_OK;
    return linux_slow_run(lm, page, c, info, err);
}

/** linux_event - what the trace tells besides runs and mappings; after vm_event(). */
int linux_event(struct linux_mm *lm, const struct fl_event *ev, struct fl_err *err);

/** linux_background - between two references: what the kernel does by itself, by its clock. */
int linux_background(struct linux_mm *lm, struct fl_err *err);

/** linux_mapped_as - the size of @page's entry, or of the one it had last. */
static inline enum fl_page_size linux_mapped_as(const struct linux_mm *lm, uint32_t page)
{
    return page < lm->pages_room && lm->pte[page] & PTE_HUGE ? FL_PAGE_2M : FL_PAGE_4K;
}

/** linux_forget - contents @c cease to exist. */
void linux_forget(struct linux_mm *lm, uint32_t c);

/** linux_tick - @n of something that costs time have happened. */
static inline void linux_tick(struct linux_mm *lm, enum fl_cost cost, uint64_t n)
{
    lm->now_ps += n * lm->opts.costs->ps[cost];
}

/** linux_page_state - what the entry @leaf of @c counts as for the OOM killer. */
enum oom_page linux_page_state(const struct linux_mm *lm, const struct leaf *leaf, uint32_t c);

/** linux_check - O(n) walk of the invariants, for tests. */
bool linux_check(const struct linux_mm *lm);

/* ---- between the files of this folder --------------------------------------------------- */

static inline bool folio_is_file(const struct linux_mm *lm, uint32_t c)
{
    return lm->vm->cs.kind[c] == CONTENTS_FILE;
}

/* of the folio that @c is, or is the head of */
static inline uint32_t folio_pages(const struct linux_mm *lm, uint32_t c)
{
    return lm->folio[c].huge ? HUGE_PAGES : 1;
}

/* a write to swap is done when the call returns */
static inline bool swap_is_synchronous(const struct linux_mm *lm)
{
    return lm->opts.swap_kind == SWAP_SYNCHRONOUS;
}

/* folio_is_file_lru: which lists it belongs to */
static inline bool folio_is_file_lru(const struct linux_mm *lm, uint32_t c)
{
    return folio_is_file(lm, c) || lm->folio[c].lazyfree;
}

/* folio_mark_dirty, of one in a cache: it is to be written anew, before it is reclaimed */
static inline void folio_mark_dirty(struct linux_mm *lm, uint32_t c)
{
    lm->folio[c].flags &= (uint16_t)~FOLIO_RECLAIM;
    lm->folio[c].flags |= FOLIO_DIRTY;
}

/* lru.c */
/* @c is the oldest of its list: those that come up after it are on their way to the processor, and
   the entries of those that come up sooner */
void lru_expect(struct linux_mm *lm, uint32_t c);
void lru_add(struct linux_mm *lm, uint32_t c, enum lru_list list);
void lru_add_new(struct linux_mm *lm, uint32_t c, enum lru_list list);
void lru_add_drain(struct linux_mm *lm);
void lru_add_oldest(struct linux_mm *lm, uint32_t c, enum lru_list list);
void lru_remove(struct linux_mm *lm, uint32_t c);
/* from no list to the inactive one, or a generation that is not the youngest */
void lru_add_inactive(struct linux_mm *lm, uint32_t c);
/* off its list and nothing else: it joins another at once */
void lru_unlink(struct linux_mm *lm, uint32_t c);
void folio_rotate_reclaimable(struct linux_mm *lm, uint32_t c);
enum lru_list lru_home(const struct linux_mm *lm, uint32_t c, bool active);
void folio_mark_accessed(struct linux_mm *lm, uint32_t c);
void folio_activate(struct linux_mm *lm, uint32_t c);
void folio_deactivate(struct linux_mm *lm, uint32_t c);

/* memory.c: nobody else takes pages, or gives them back */
/* false: the process under way has been killed, or nobody could be (failed_memory) */
bool take_page(struct linux_mm *lm);
bool take_kernel_page(struct linux_mm *lm);
void give_kernel_pages(struct linux_mm *lm, uint64_t n);
/* without an OOM kill: what read-ahead may take */
bool take_page_if_easy(struct linux_mm *lm);
/* for a huge page, without an OOM kill; @reclaim: others may have to go for it */
bool take_huge(struct linux_mm *lm, bool reclaim);
void give_pages(struct linux_mm *lm, uint64_t n);
/* the page taken last becomes @c's; @c's page is given back */
void give_to_folio(struct linux_mm *lm, uint32_t c);
void give_folio(struct linux_mm *lm, uint32_t c);
/* @c's page is no longer its own, but not given back yet: give_pages() will do that */
void folio_page_stays(struct linux_mm *lm, uint32_t c);
/* out of memory: somebody is killed. false: not anybody, or the process under way */
bool kill_for_memory(struct linux_mm *lm);

/* charge.c */
enum effort {
    EFFORT_NONE, /* what is free */
    EFFORT_ONCE, /* __GFP_NORETRY */
    EFFORT_MANY, /* as often as it may help */
    EFFORT_KILL, /* and then kill somebody */
};
bool group_charge(struct linux_mm *lm, uint64_t n, enum effort effort);
void group_uncharge(struct linux_mm *lm, uint64_t n);

/* page_alloc.c */
int machine_init(struct linux_mm *lm, struct fl_err *err);
void machine_fini(struct linux_mm *lm);
void machine_free_blocks(const struct linux_mm *lm, uint64_t blocks[FL_ORDERS]);
void machine_counts(const struct linux_mm *lm, struct fl_buddy_counts *counts);
/* a block of 2^@order pages. @insist: kill somebody rather than fail */
bool machine_take(struct linux_mm *lm, enum page_use use, uint32_t order, bool insist);
/* for the group, which has paid for it */
bool machine_take_paid(struct linux_mm *lm, enum page_use use, uint32_t order);
/* if there is one free */
bool machine_take_free(struct linux_mm *lm, enum page_use use, uint32_t order);
/* @n single pages of those that no folio holds, the latest first */
void machine_give(struct linux_mm *lm, enum page_use use, uint64_t n);
void machine_give_to_folio(struct linux_mm *lm, uint32_t c);
void machine_give_folio(struct linux_mm *lm, uint32_t c);
void machine_folio_page_stays(struct linux_mm *lm, uint32_t c);
/* the file's page @c was in memory before the recording; false: there is no room for it */
bool machine_adopt(struct linux_mm *lm, uint32_t c);
/* the same for a file's pages, which are the first to go. Returns: from where on there is room */
uint64_t machine_warm(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end);

/* kswapd.c */
void kswapd_wake(struct linux_mm *lm);
/* as far as its clock is behind the program's */
void kswapd_run(struct linux_mm *lm);

/* reclaim.c: frees at least @want pages if it can; returns how many */
#define RECLAIM_MIN 32u /* SWAP_CLUSTER_MAX */
uint64_t reclaim_direct(struct linux_mm *lm, uint64_t want);
/* of each list, what @sc's priority says */
struct scan_control;
void shrink_node(struct linux_mm *lm, struct scan_control *sc);
void kswapd_age_node(struct linux_mm *lm);
void snapshot_refaults(struct linux_mm *lm);

/* shrink.c */
enum verdict { KEEP, ACTIVATE, FREED };

/* What one batch met on its way. */
struct batch {
    uint64_t written, dirty_files, freed;
    uint32_t *rest, n_rest; /* of a huge folio that was split: room for 512, those still to do */
    bool advised;           /* MADV_PAGEOUT: for no group, and whether they are in use or not */
};

struct scan_control {
    uint64_t want, reclaimed, scanned;
    int priority;
    bool may_deactivate[2], force_deactivate, skipped_deactivate;
    bool cache_trim, may_swap, full_walk;
    bool global, kswapd; /* for the whole machine; in the background */
    bool file_is_tiny, no_cache_trim, cache_trim_failed;
    uint64_t cost[2];
};
void wake_flusher(struct linux_mm *lm);
enum verdict shrink_folio(struct linux_mm *lm, uint32_t c, struct batch *batch);
/* unmapped and dirty: from there on */
enum verdict shrink_written(struct linux_mm *lm, uint32_t c, struct batch *batch);
uint64_t shrink_inactive(struct linux_mm *lm, struct scan_control *sc, enum lru_list list,
                         uint64_t n);
void shrink_active(struct linux_mm *lm, enum lru_list list, uint64_t n);
void note_cost(struct linux_mm *lm, bool file, uint64_t written, uint64_t rotated);

/* workingset.c */
void workingset_evicted(struct linux_mm *lm, uint32_t c);
/* the same by a reclaim that is for no group */
void workingset_evicted_by_advice(struct linux_mm *lm, uint32_t c);
/* @c is back; decides whether it starts active */
bool workingset_refault(struct linux_mm *lm, uint32_t c);

/* swap.c */
bool swap_exists(const struct linux_mm *lm);    /* total_swap_pages */
bool swap_available(const struct linux_mm *lm); /* and some of it is free */
bool swap_full(const struct linux_mm *lm);
uint64_t swap_pages_left(const struct linux_mm *lm); /* that the group or machine may use */
bool swap_cache_enter(struct linux_mm *lm, uint32_t c);
/* all 512 in a row, and dirty; false: none does */
bool swap_cache_enter_huge(struct linux_mm *lm, const uint32_t contents[HUGE_PAGES]);
void swap_hold(struct linux_mm *lm, uint32_t c);
void swap_cache_left(struct linux_mm *lm, uint32_t c);
void swap_cache_drop(struct linux_mm *lm, uint32_t c);
int swap_cache_reclaim(void *arg, uint32_t slot);
void swap_entry_gone(struct linux_mm *lm, uint32_t c);

/* @page: NO_PAGE when it is not a fault, of shared memory only */
/* read_swap_cache_async: into the swap cache, for nobody yet. false: the process is gone */
bool swap_cache_read(struct linux_mm *lm, uint32_t c);
bool swap_in(struct linux_mm *lm, uint32_t page, uint32_t c, enum fl_cause *cause);
void swap_map(struct linux_mm *lm, uint32_t page, uint32_t c, bool write);

/* page_cache.c */
void page_cache_fini(struct linux_mm *lm);
void page_cache_event(struct linux_mm *lm, const struct fl_event *ev);
bool page_cache_fault(struct linux_mm *lm, uint32_t page, uint32_t c, bool write);
bool page_cache_before_copy(struct linux_mm *lm, uint32_t page, bool *major);
void shmem_fault_around(struct linux_mm *lm, uint32_t page);
void page_cache_dirty(struct linux_mm *lm, uint32_t c);
void page_cache_willneed(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end);
void page_cache_write_back(struct linux_mm *lm);
/* the page of @object at @offset, made known if need be; NO_CONTENTS: no memory */
uint32_t page_at(struct linux_mm *lm, uint32_t object, uint64_t offset);

/* shmem.c */
void shmem_came_in(struct linux_mm *lm, uint32_t c);
/* pages @first to @end, exclusive; of FL_IO_TRUNCATE, from @first on */
void shmem_io(struct linux_mm *lm, uint32_t object, enum fl_io_op op, uint64_t first, uint64_t end);

/* fault.c */
bool page_fault(struct linux_mm *lm, uint32_t page, uint32_t c, enum fl_cause cause, bool write);
void count_fault(struct linux_mm *lm, uint32_t page, enum fl_cause cause);
void map_page(struct linux_mm *lm, uint32_t page, uint32_t c, uint8_t bits);
void folio_resident(struct linux_mm *lm, uint32_t c);
void folio_free(struct linux_mm *lm, uint32_t c);

/* mlock.c */
/* an entry of a locked mapping refers to @c now. false: @c is somebody else's */
bool mlock_folio(struct linux_mm *lm, uint32_t c);
void munlock_folio(struct linux_mm *lm, uint32_t c);
/* @page has just been mapped, to @c */
void mlock_new_entry(struct linux_mm *lm, uint32_t page, uint32_t c);
bool page_is_locked(const struct linux_mm *lm, uint32_t page);
void mlock_event(struct linux_mm *lm, const struct fl_event *ev);

/* advice.c */
void advice_event(struct linux_mm *lm, const struct fl_event *ev);
/* what the leaf of @vpn holds, no longer part of a huge page; NO_CONTENTS: nothing with a folio */
uint32_t small_contents(struct linux_mm *lm, uint32_t mm, uint64_t vpn, const struct leaf *leaf);
/* bring in the pages of [from, to) that are in locked mappings (__mm_populate) */
void populate_locked(struct linux_mm *lm, uint32_t mm, uint64_t from, uint64_t to);

/* linux_mm.c */
/* a leaf's hw for an entry of @bits to @c; and its bits: none if @c was unmapped since */
uint32_t entry_hw(const struct linux_mm *lm, uint32_t c, uint8_t bits);
uint8_t leaf_bits(const struct linux_mm *lm, const struct leaf *leaf);
/* of an entry that is present */
void leaf_set_bits(struct linux_mm *lm, struct leaf *leaf, uint8_t bits);
void folio_unmap(struct linux_mm *lm, uint32_t c);
uint32_t folio_referenced(struct linux_mm *lm, uint32_t c);

/* kernel_memory.c: takes or gives back what the kernel needs by now; false: as take_pages() */
bool kernel_memory_charge(struct linux_mm *lm);
void kernel_memory_of_file_page(struct linux_mm *lm, uint32_t c, bool written);
void kernel_memory_of_file_page_gone(struct linux_mm *lm, uint32_t c);

/* vmstat.c */
void vmstat_flush_if_due(struct linux_mm *lm);
void vmstat_before_use(struct linux_mm *lm);

#endif
