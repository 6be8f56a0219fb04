/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * replay.h - a trace through a model of paging.
 *
 * The model is deterministic: same trace, same options, same result. It works in
 * three stages. The virtual memory stage follows address spaces and turns each
 * run into a reference to a page's contents (an anonymous page, or one page of a
 * file), whoever maps it and however often. The paging stage gives contents to
 * frames under a replacement policy and a swap area. The TLB stage sees every
 * translation. docs/model.md says what each does and leaves out.
 */
#ifndef FAULTLINE_REPLAY_H
#define FAULTLINE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/attribution.h>
#include <faultline/costs.h>
#include <faultline/err.h>
#include <faultline/machine.h>
#include <faultline/policy.h>
#include <faultline/trace.h>

#define FL_FRAMES_UNLIMITED UINT32_MAX

/* Why a fault was taken. Names are the keys of faults.by_cause. */
enum fl_cause {
    FL_CAUSE_NONE = 0,
    FL_CAUSE_ANON_ZERO,   /* first touch of an anonymous page, by a read */
    FL_CAUSE_ANON_WRITE,  /* first touch of an anonymous page, by a write */
    FL_CAUSE_COW,         /* write to a page shared copy-on-write */
    FL_CAUSE_FILE_MAP,    /* first touch of a file page through this mapping */
    FL_CAUSE_FILE_AROUND, /* the same, with its neighbours mapped too (fault-around) */
    FL_CAUSE_SHMEM,       /* first touch of a shared anonymous page through this mapping */
    FL_CAUSE_SWAP_CACHE,  /* swapped, and still or again in memory */
    FL_CAUSE_HUGE,        /* first touch of a huge page */
    FL_CAUSE_FILE_READ,   /* a file page that had been evicted: read again */
    FL_CAUSE_SWAP_IN,     /* an anonymous page that had been evicted */
    FL_CAUSE_COUNT
};

/** fl_cause_name - "anon_zero" ...; "none" for FL_CAUSE_NONE. */
const char *fl_cause_name(enum fl_cause cause);
/** fl_cause_is_major - true for the causes that need I/O. */
bool fl_cause_is_major(enum fl_cause cause);
/** fl_cause_cost - what such a fault costs; of a swap-in, from a synchronous device. */
enum fl_cost fl_cause_cost(enum fl_cause cause);

/* What swap lies on: decides read-ahead and when a write is done. */
enum fl_swap_kind {
    FL_SWAP_ZRAM, /* synchronous: zram, brd, pmem */
    FL_SWAP_SSD,
    FL_SWAP_DISK, /* rotational, as the kernel sees it */
};

/** fl_swap_kind_name_at - "zram", "ssd", "disk", by number; NULL past the end. */
const char *fl_swap_kind_name_at(size_t i);
/** fl_swap_kind_find - by name. pre: @name is one of them. */
enum fl_swap_kind fl_swap_kind_find(const char *name);

/** fl_swap_kind_device - which of the two costs of swapping such a device has. */
static inline enum fl_swap_device fl_swap_kind_device(enum fl_swap_kind kind)
{
    return kind == FL_SWAP_ZRAM ? FL_SWAP_DEVICE_ZRAM : FL_SWAP_DEVICE_DISK;
}

#define FL_BASE_TYPICAL UINT64_MAX

/* What the recording, or else the user, says of memory groups. */
enum fl_memcg_version {
    FL_MEMCG_NONE, /* the kernel has none: its statistics are exact */
    FL_MEMCG_V1,
    FL_MEMCG_V2,
};

/* Which anonymous memory may be in huge pages. */
enum fl_thp_mode {
    FL_THP_NEVER,
    FL_THP_MADVISE, /* where MADV_HUGEPAGE asked for it */
    FL_THP_ALWAYS,
};

/** A flush of the kernel's statistics, seen in a real run of the recorded program. */
struct fl_seen_flush {
    uint64_t at_ns; /* from the program's start */
    uint64_t moved; /* major faults and pages swapped, in and out, from its start till then */
};

/** The flushes of one run: where in the program's work they came, whatever its speed. */
struct fl_seen_flushes {
    struct fl_seen_flush *flush; /* in order; owned by whoever made it */
    unsigned n;
    struct fl_seen_flush end; /* of the run: no other flush was before; at_ns: the first after it */
};

#define FL_FLUSHES_NEVER UINT64_MAX
/* As is usual: never with zram; always with a disk, as who waits for one wakes up elsewhere. */
#define FL_FLUSHES_BY_SWAP (UINT64_MAX - 1)

/** What the kernel's policies (FL_IS_KERNEL) want to know besides RAM and swap. */
struct fl_kernel_opts {
    enum fl_swap_kind swap_kind;
    uint32_t swappiness;     /* vm.swappiness, 0 to 200 */
    uint32_t page_cluster;   /* vm.page-cluster: swap read-ahead of up to 2^this pages */
    uint32_t first_flush_ms; /* 0 to 2000, on the model's clock: when the statistics that reclaim
                                looks at are first brought up to date; then every 2 s */
    const struct fl_seen_flushes *flushes; /* when they were in a real run of the program: the clock
                                then only decides where nothing moves, and after the run's end.
                                NULL: the clock alone. Borrowed for the replay */
    /* pages out: from there on reclaim flushes the whole TLB for what it unmaps, as of a program that
       has run on several processors. Matters where costs tell of a TLB */
    uint64_t whole_flushes_from; /* FL_FLUSHES_NEVER, FL_FLUSHES_BY_SWAP */
    bool data_frames;            /* fl_replay_opts.frames are for data: the kernel's own memory
                                    (page tables, stacks, slab) takes none of them */
    enum fl_thp_mode thp;        /* of policy linux; under mglru there are none */
    enum fl_memcg_version memcg; /* v2: swap is the group's own limit; v1: the devices' size */
    uint64_t
        host_pages; /* of scope "memcg": RAM of the machine around the group, out of whose zones
                            its frames are then taken; 0: frames are not told apart */
    /* of scope "machine", and of the machine around a group: */
    uint64_t base_pages;      /* in use by all but the traced; FL_BASE_TYPICAL: as measured on an
                                  idle machine, by its size; none with data_frames */
    uint64_t min_free_kbytes; /* vm.min_free_kbytes; 0: computed from the RAM as the kernel does */
    uint32_t watermark_scale_factor; /* vm.watermark_scale_factor, 1 to 3000 */
    bool khugepaged;                 /* huge pages are not off: more is kept free */
    uint32_t cpus;                   /* of the machine: each keeps free pages of its own */
};

/** fl_kernel_defaults - as Linux comes: zram, 60, 3, half a flush period, v2, huge pages. */
const struct fl_kernel_opts *fl_kernel_defaults(void);

/**
 * fl_kernel_from_trace - what the recording says of its host's kernel, into @kernel: the version
 * of memory groups, processors, the watermark scale, whether huge pages are on, and vm.min_free_kbytes if
 * somebody has set it there (it differs from what the kernel computes from that machine's RAM).
 * What the recording does not tell is left alone.
 */
void fl_kernel_from_trace(const struct fl_reader *r, struct fl_kernel_opts *kernel);

/** fl_thp_name_at - "never", "madvise", "always", by number; NULL past the end. */
const char *fl_thp_name_at(size_t i);

/** fl_memcg_name_at - "none", "v1", "v2", by number; NULL past the end. */
const char *fl_memcg_name_at(size_t i);

/** A recorded process's oom_score_adj as it was not. */
struct fl_oom_adj {
    uint32_t pid;
    int32_t value; /* -1000..1000 */
};

struct fl_replay_opts {
    uint32_t frames;                     /* data frames; FL_FRAMES_UNLIMITED: never evict */
    uint64_t swap_pages;                 /* slots; UINT64_MAX: as many as needed */
    const struct fl_policy_ops *policy;  /* not NULL */
    const struct fl_machine *machine;    /* NULL: the default profile */
    const struct fl_costs *costs;        /* of the time estimate; NULL: built-in */
    const struct fl_kernel_opts *kernel; /* for linux, mglru; NULL: fl_kernel_defaults() */
    /* "memcg": @frames are a group's limit; "machine": all of a machine's RAM. NULL: memcg for the
       kernel's policies, machine for the textbook's, which charge data pages only, so that
       it changes nothing for them */
    const char *scope;
    bool no_tlb;    /* leave the TLB stage out */
    bool no_owners; /* do not follow whose faults they are: no fl_result.attribution */
    bool no_peak;  /* leave fl_result.unlimited_peak_pages wrong where it takes a pass of its own */
    uint64_t seed; /* for `random`; for the kernel's, of what a TLB gives up (fl_costs.tlb) */
    /* What if these processes had had these, from their start to their end? What the trace sets
       of them itself does not count; children inherit as with fork, and what it sets of
       these later counts. NULL: none. A pid that no process has changes nothing. */
    const struct fl_oom_adj *oom_adj;
    size_t n_oom_adj;
    /* called now and then with 0..10000, bp done of the last pass; NULL: not */
    void (*progress)(void *arg, unsigned done_bp);
    void *progress_arg;
};

#define FL_TIMELINE_ROWS_MAX 512

/** One stretch of the timeline; counts are of this stretch, sizes are at its end. */
#define FL_ORDERS 11u /* sizes of block of the page allocator: 2^0 to 2^10 pages */

struct fl_timeline_row {
    uint64_t accesses; /* user accesses in it */
    uint64_t faults[FL_CAUSE_COUNT];
    uint64_t evictions, pages_out;
    uint64_t resident_pages, swapped_pages, page_tables;
    uint64_t tlb_misses;             /* last-level misses, i.e. page walks */
    uint32_t free_blocks[FL_ORDERS]; /* by order, at its end; 0 unless fl_result.buddy.is_there */
};

struct fl_tlb_counts {
    const char *name;
    uint64_t lookups, hits, misses;
};

/* Why a whole address space was flushed from the TLB. Names are the keys of tlb.flushes_by. */
enum fl_flush_kind {
    FL_FLUSH_SWITCH, /* its ASID was given to a space that held none */
    FL_FLUSH_STALE,  /* it runs again, and lost translations while it did not */
    FL_FLUSH_RANGE,  /* a range longer than the profile's flush_pages was taken from it */
    FL_FLUSH_FORK,   /* it was copied */
    FL_FLUSH_EXIT,   /* it ended (profiles with broadcast flushes) */
    FL_FLUSH_KINDS
};

/** fl_flush_name - "switch" ... */
const char *fl_flush_name(enum fl_flush_kind kind);

struct fl_oom_kill {
    uint32_t pid;
    char comm[16];
    int64_t badness;
    int32_t oom_score_adj;
    uint64_t rss_pages, swap_pages, at_access;
};

/** A living process as the OOM killer looks at it: mm/oom_kill.c, oom_badness(). */
struct fl_oom_candidate {
    uint32_t pid, order; /* order: of appearance */
    char comm[16];
    int64_t badness; /* pages, and oom_score_adj as a share of all memory */
    int32_t oom_score_adj;
    bool is_protected; /* PID 1, or oom_score_adj -1000: never killed, whatever its badness */
    uint64_t rss_pages, swap_pages, page_tables;  /* tables: without the root */
    uint64_t anon_pages, file_pages, shmem_pages; /* of rss_pages */
    uint64_t virtual_pages;                       /* mapped addresses */
};

/* The page allocator, of a whole machine (scope "machine" of the kernel's policies). By order. */
struct fl_buddy_counts {
    bool is_there;
    uint64_t free[FL_ORDERS];       /* blocks at the end */
    uint64_t least_free[FL_ORDERS]; /* blocks when least memory was free, to 64 pages */
    uint64_t allocs[FL_ORDERS], frees[FL_ORDERS], splits[FL_ORDERS], merges[FL_ORDERS];
    uint64_t failed;   /* requests that no zone could serve at the watermark they asked for */
    uint64_t no_large; /* of these: pages enough, and no block large enough */
};

/* Huge pages; all 0 for textbook policies. */
struct fl_thp_counts {
    enum fl_thp_mode mode;
    uint64_t faults;            /* that got one */
    uint64_t zero_faults;       /* that mapped the huge zero page */
    uint64_t fallbacks;         /* faults that did not get one */
    uint64_t collapses, splits; /* made of small pages, into small pages */
    uint64_t swapouts;          /* written to swap whole */
    uint64_t swapout_fallbacks; /* split instead */
};

struct fl_result {
    /* the question */
    struct fl_replay_opts opts;
    /* faults */
    uint64_t faults[FL_CAUSE_COUNT];
    uint64_t minor, major, segv;
    /* paging */
    uint64_t readahead_pages,
        readahead_hits; /* of swap; these and the next by the kernel's policies */
    uint64_t file_readahead_pages, file_readahead_hits;
    uint64_t scanned, activated, deactivated, refaults, reclaims; /* 0 for textbook policies */
    uint64_t background;                                          /* of evictions: by kswapd */
    uint64_t host_pages;                  /* of the machine around a group; 0: none */
    uint64_t base_pages, min_free_kbytes; /* of the machine; 0 without */
    uint64_t kernel_pages_peak, usage_peak;
    struct fl_thp_counts thp;
    struct fl_buddy_counts buddy;
    uint64_t stat_flushes; /* of the statistics that reclaim looks at; with 0 of them any later
                              first_flush_ms gives the same result */
    uint64_t evictions, pages_in, pages_out, swap_peak_pages, file_pages_read, file_pages_written;
    uint64_t resident_peak_pages;  /* frames in use at most, in this run */
    uint64_t unlimited_peak_pages; /* what it would have been without a limit */
    /* TLB */
    uint32_t n_tlb;
    struct fl_tlb_counts tlb[FL_TLB_LEVELS_MAX];
    uint64_t walks, walk_refs;
    uint64_t tlb_later_hits; /* look-ups that missed the first level of their side, but not all */
    uint64_t tlb_flushes, tlb_flushes_by[FL_FLUSH_KINDS]; /* whole spaces: their sum, and each */
    uint64_t tlb_page_flushes;                            /* pages flushed one by one */
    uint32_t n_walk;
    struct fl_tlb_counts walk[FL_WALK_CACHES_MAX]; /* the walk caches */
    /* page tables */
    uint64_t page_tables_peak, flat_bytes_avoided;
    uint32_t levels;
    /* sharing: at the moment it saved most */
    uint64_t shared_pages, saved_pages;
    /* out of memory */
    struct fl_oom_kill *oom_kills;
    size_t n_oom_kills;
    uint64_t skipped_accesses; /* of processes already killed */
    /* at the first kill, or else when RAM and swap held most: worst first, the protected last */
    struct fl_oom_candidate *oom_candidates; /* NULL with no_owners */
    size_t n_oom_candidates;
    uint64_t oom_candidates_at;         /* accesses */
    uint32_t oom_adj_unknown;           /* of opts.oom_adj: a pid that no process had; 0: none */
    const struct fl_saved_by *saved_by; /* of fl_saved_by(), the caller's; NULL: not asked */
    /* over time */
    struct fl_timeline_row *rows;
    size_t n_rows;
    struct fl_attribution *attribution; /* NULL with no_owners */
};

/**
 * fl_replay - run the model over the whole of @r.
 * Rewinds @r first. Memory: O(distinct pages + frames), whatever the trace's
 * length; `opt` also needs 4 bytes of temporary disk space ($TMPDIR) a run.
 * Errors: FL_EDATA when the trace's fidelity cannot answer; FL_EUSAGE for
 * frames == 0; FL_ENOMEM; FL_EIO; FL_EFORMAT from the reader.
 * @out: the caller frees with fl_result_free().
 */
int fl_replay(struct fl_reader *r, const struct fl_replay_opts *opts, struct fl_result **out,
              struct fl_err *err);
void fl_result_free(struct fl_result *result); /* NULL is fine */

#define FL_COST_ACCESS_PS_MIN 20

/**
 * fl_costs_fit_access - let @costs say how fast the program of @r really runs: FL_COST_ACCESS
 * becomes (@native_ns - what its minor faults cost by @costs) / accesses, and at least
 * FL_COST_ACCESS_PS_MIN. It moves the model's clock, which periodic work of the kernel goes by.
 * @native_ns: its processor time (user and system) in memory that suffices.
 * @peak_pages: resident at most without a limit, as fl_footprint(); may be NULL.
 * Errors: as fl_replay(). Cost: a replay by the policy `linux` that never evicts.
 */
int fl_costs_fit_access(struct fl_reader *r, uint64_t native_ns, struct fl_costs *costs,
                        uint64_t *peak_pages, struct fl_err *err);

/* ---- many sizes ------------------------------------------------------------ */

struct fl_sweep_point {
    /* asked */
    const struct fl_policy_ops *policy;
    uint32_t frames;
    uint64_t swap_pages, seed;
    const struct fl_kernel_opts *kernel; /* as fl_replay_opts.kernel */
    const struct fl_machine *machine;    /* whose TLB; NULL: the TLB stage is left out */
    /* answered */
    uint64_t minor, major, swap_in, swap_out, oom_kills;
    uint64_t walks, walk_refs, tlb_flushes, tlb_page_flushes; /* 0 without a machine */
    int rc; /* FL_OK; FL_EDATA: no answer, as nobody may be killed where this memory is too small */
};

/**
 * fl_sweep - answer all @points in as few passes over the trace as possible.
 * LRU and `opt` with unlimited swap are answered for all sizes in one pass, `opt` after another
 * that looks for last uses (8 bytes of memory for each contents there ever are); the rest run side
 * by side over one decoding, the kernel's policies as many at a time as fit into about 1 GiB.
 * `opt` with less swap is a replay each, with temporary disk space as in fl_replay().
 * Every answer equals fl_replay()'s.
 * FL_EDATA may mean that only some points have no answer: those with that rc. @err is of the first.
 * @progress: called now and then with 0..10000 (bp done), or NULL.
 */
int fl_sweep(struct fl_reader *r, struct fl_sweep_point *points, size_t n,
             void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_err *err);

/**
 * fl_sweep_file - fl_sweep() of the trace at @path on up to @jobs threads.
 * The answers do not depend on @jobs. @read_flags: FL_READ_*. @progress is called
 * from one thread at a time. Memory: about 1 GiB for all threads, or what one point needs.
 */
int fl_sweep_file(const char *path, unsigned read_flags, struct fl_sweep_point *points, size_t n,
                  unsigned jobs, void (*progress)(void *arg, unsigned done_bp), void *arg,
                  struct fl_err *err);

/* ---- what would have saved the one that is killed ------------------------------- */

/** The least that keeps the first that is killed alive; and how it was found. */
struct fl_saved_by {
    uint32_t pid;          /* whom; 0: nobody is killed */
    uint64_t frames;       /* RAM, at the same swap; 0: no RAM tried does */
    uint64_t swap_pages;   /* swap, at the same RAM; UINT64_MAX: no swap does */
    int32_t oom_score_adj; /* the highest of its own that does; FL_SAVED_NO_ADJ: none does */
    unsigned replays;      /* it took so many */
};
#define FL_SAVED_NO_ADJ INT32_MIN

/**
 * fl_saved_by - what would have saved the first process that @opts' replay kills: least RAM, least
 * swap, the smallest change of its oom_score_adj. Found by bisection: a replay with
 * what is named does not kill it, one with a step less (a page of RAM or of swap, an
 * oom_score_adj one higher) does. Where more is not always better (adjustments are shares of RAM
 * and swap) there may be smaller values that save it too.
 * @opts: no_tlb, no_owners and no_peak are as if set. @result: of the replay with @opts.
 * Errors: as fl_replay(). Cost: about 10 to 50 replays.
 */
int fl_saved_by(struct fl_reader *r, const struct fl_replay_opts *opts,
                const struct fl_result *result, struct fl_saved_by *out, struct fl_err *err);

/**
 * fl_footprint - the peak number of pages resident at once if memory were
 * unlimited: what `--ram 50%` is relative to. One pass.
 * Errors: as fl_replay(); FL_EDATA when the trace's fidelity does not tell.
 */
int fl_footprint(struct fl_reader *r, uint64_t *peak_pages, struct fl_err *err);

/* ---- JSON ------------------------------------------------------------------- */

struct json_t;

/**
 * fl_trace_json - the contract's `trace` object. @peak_pages from fl_footprint()
 * or a result. Returns a new reference, NULL when out of memory.
 */
struct json_t *fl_trace_json(const struct fl_reader *r, const char *path, const char *sha256,
                             uint64_t peak_pages);
/**
 * fl_quality_json - every doubt that @r carries, as the contract's `quality` array of
 * {flag, detail, remedy}. A new reference, to which the caller may add.
 */
struct json_t *fl_quality_json(const struct fl_reader *r);
/** fl_quality_add - one more doubt; @flag is on the list of quality.h. */
void fl_quality_add(struct json_t *quality, const char *flag, const char *detail);

/** fl_result_json - "faultline.replay/1". @trace is stolen. NULL when out of memory. */
struct json_t *fl_result_json(const struct fl_result *result, const struct fl_reader *r,
                              struct json_t *trace);
/** fl_sweep_json - "faultline.sweep/1". @trace and @quality, of fl_quality_json(), are stolen. */
struct json_t *fl_sweep_json(const struct fl_sweep_point *points, size_t n, struct json_t *trace,
                             struct json_t *quality);

#endif
