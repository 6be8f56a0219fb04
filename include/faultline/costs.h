/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * costs.h - what things cost in time, and the estimate made from a result's counts.
 *
 * Counts are the model's; time is an estimate on top of them. Under policies linux and mglru it
 * moves the clock by which statistics are flushed and writes end.
 * `faultline calibrate` measures the costs of a host; docs/model.md has the formulas.
 */
#ifndef FAULTLINE_COSTS_H
#define FAULTLINE_COSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/err.h>

enum fl_cost {
    FL_COST_ACCESS,            /* one load, store or fetch: page resident, translation in L1 */
    FL_COST_TLB_L2_HIT,        /* more, when a unified TLB level has the translation */
    FL_COST_WALK,              /* more, for a page walk whose upper levels are cached */
    FL_COST_WALK_REF,          /* more, for each further page-table reference of a walk */
    FL_COST_FAULT_ANON_ZERO,   /* a first read of an anonymous page: the shared zero page */
    FL_COST_FAULT_ANON_WRITE,  /* a first write of an anonymous page */
    FL_COST_FAULT_COW,         /* a write to a page shared copy-on-write: copied */
    FL_COST_FAULT_FILE_MAP,    /* a cached file page, mapped alone */
    FL_COST_FAULT_FILE_AROUND, /* the same with its neighbours, 16 pages in all (fault-around) */
    FL_COST_FAULT_SHMEM,       /* a new page of shared memory */
    FL_COST_FAULT_HUGE,        /* a first write of a 2 MiB huge page */
    FL_COST_FAULT_SWAP_CACHE,  /* an anonymous page still in memory: mapped again */
    FL_COST_SWAP_IN_SYNC,      /* a page from a synchronous swap device (zram) */
    FL_COST_SWAP_IN_DISK,      /* a page from a disk: the wait for one request */
    FL_COST_SWAP_READAHEAD,    /* each further page read with it */
    FL_COST_SWAP_OUT_SYNC,     /* a page reclaimed to a synchronous swap device */
    FL_COST_SWAP_OUT_DISK,     /* a page reclaimed to a disk, written in the background */
    FL_COST_DISK_REQUEST,      /* each write request that a disk does */
    FL_COST_DISK_PAGE,         /* each page of one */
    FL_COST_FILE_READ,         /* a file page from its disk: the wait for one request */
    FL_COST_FILE_READAHEAD,    /* each further page read with it */
    FL_COST_RECLAIM,           /* a clean page reclaimed */
    FL_COST_SCAN,              /* a page that reclaim looked at and left */
    FL_COST_SWITCH,            /* a context switch */
    FL_COST_COUNT
};

/** Where swapped pages go: decides which of two costs a swap-in and a swap-out have. */
enum fl_swap_device {
    FL_SWAP_DEVICE_ZRAM, /* synchronous: the fault does the work itself */
    FL_SWAP_DEVICE_DISK, /* a partition or file: the fault waits for a request */
};

#define FL_COST_SOURCE_BYTES 256
#define FL_COST_PS_MAX UINT64_C(60000000000000) /* a minute */

/**
 * What the TLB of the one processor that a program runs on keeps over the kernel's work: policies
 * linux and mglru ask, as what is kept leaves no accessed bit (docs/model-linux.md, section 22).
 */
struct fl_tlb_kept {
    uint32_t entries;      /* of 4 KiB pages; 0: not known, and every access is taken to walk */
    uint32_t per_fault;    /* entries that a fault's work displaces */
    uint32_t per_page_out; /* and that of putting a page out */
};

#define FL_TLB_KEPT_MAX (UINT32_C(1) << 20) /* of each of them */

struct fl_costs {
    char source[FL_COST_SOURCE_BYTES]; /* who measured it, where */
    struct fl_tlb_kept tlb;
    enum fl_swap_device swap_device;
    /* Of writes given to it a disk tells one by one, as they are done; else of all when it has no more. */
    bool disk_singly;
    uint64_t ps[FL_COST_COUNT];      /* picoseconds, at most FL_COST_PS_MAX */
    uint64_t low_ps[FL_COST_COUNT];  /* first and third quartile of the repetitions; */
    uint64_t high_ps[FL_COST_COUNT]; /* both 0: not known */
    bool given[FL_COST_COUNT];       /* measured, or from a file; false: a built-in default */
};

/** fl_cost_name - "access", "fault_cow" ...: the key in a costs file. */
const char *fl_cost_name(enum fl_cost cost);
/** fl_cost_summary - what it is, in a few words. */
const char *fl_cost_summary(enum fl_cost cost);
/** fl_swap_device_name - "zram", "disk". */
const char *fl_swap_device_name(enum fl_swap_device device);

/** fl_costs_default - the built-in costs: one measured host, named in their source. */
const struct fl_costs *fl_costs_default(void);

/** fl_cost_ps, fl_cost_ns - one of them, for a model's clock; ns rounds down. O(1). */
static inline uint64_t fl_cost_ps(const struct fl_costs *costs, enum fl_cost cost)
{
    return costs->ps[cost];
}
static inline uint64_t fl_cost_ns(const struct fl_costs *costs, enum fl_cost cost)
{
    return costs->ps[cost] / 1000;
}

/** fl_cost_of_ns - @count times @cost; rounds down; UINT64_MAX when it is more. */
uint64_t fl_cost_of_ns(const struct fl_costs *costs, enum fl_cost cost, uint64_t count);

/** fl_cost_swap_in, fl_cost_swap_out - which of the two costs applies to @costs' swap device. */
static inline enum fl_cost fl_cost_swap_in(const struct fl_costs *costs)
{
    return costs->swap_device == FL_SWAP_DEVICE_ZRAM ? FL_COST_SWAP_IN_SYNC : FL_COST_SWAP_IN_DISK;
}
static inline enum fl_cost fl_cost_swap_out(const struct fl_costs *costs)
{
    return costs->swap_device == FL_SWAP_DEVICE_ZRAM ? FL_COST_SWAP_OUT_SYNC
                                                     : FL_COST_SWAP_OUT_DISK;
}

/* ---- files ----------------------------------------------------------------- */

struct json_t;

/** fl_costs_json - "faultline.costs/1": a new reference, NULL when out of memory. */
struct json_t *fl_costs_json(const struct fl_costs *costs);

/** fl_tlb_kept_json - `tlb` of a costs file: a new reference, NULL when out of memory. */
struct json_t *fl_tlb_kept_json(const struct fl_tlb_kept *tlb);
/** fl_tlb_kept_parse - from such an object. FL_EFORMAT naming what is wrong; @out is then as before. */
int fl_tlb_kept_parse(const struct json_t *json, struct fl_tlb_kept *out, struct fl_err *err);

/** fl_costs_write - fl_costs_json() as text. FL_ENOMEM, FL_EIO. */
int fl_costs_write(const struct fl_costs *costs, FILE *out, struct fl_err *err);

/**
 * fl_costs_parse - @json, an object as fl_costs_json() makes, into @out. What it
 * leaves out stays at its default.
 * Errors: FL_EFORMAT naming the key that is wrong; @out is then undefined.
 */
int fl_costs_parse(const struct json_t *json, struct fl_costs *out, struct fl_err *err);

/**
 * fl_costs_load - fl_costs_parse() of the file @path.
 * Errors: FL_EIO; FL_EFORMAT; FL_ENOMEM.
 */
int fl_costs_load(const char *path, struct fl_costs *out, struct fl_err *err);

/* ---- the estimate ------------------------------------------------------------ */

struct fl_result;

/** Estimated time, from the counts of a result. Parts are nanoseconds and sum up to the total. */
struct fl_time {
    uint64_t user_ns;        /* accesses */
    uint64_t minor_fault_ns; /* faults without I/O */
    uint64_t swap_in_ns;     /* waiting for swapped pages */
    uint64_t swap_out_ns;    /* making room: pages swapped out or dropped */
    uint64_t file_read_ns;   /* waiting for file pages */
    uint64_t tlb_walk_ns;    /* TLB misses; 0 when the TLB was left out */
    bool has_tlb;
    uint64_t total_ns;
    uint64_t resident_ns; /* the total if nothing had ever been evicted */
    uint64_t slowdown_bp; /* total / resident, 10000 = as fast; 0: nothing ran */
    uint32_t stall_bp;    /* share of the total spent on swap and file I/O */
    const char *source;   /* the costs': lives as long as they do */
    const char *swap_device;
};

/**
 * fl_time_estimate - time from @result's counts and its options' costs.
 * Source: docs/model.md, "Time (estimate)". Cannot fail; sums saturate. O(rows).
 */
void fl_time_estimate(const struct fl_result *result, struct fl_time *out);

/** fl_time_json - the `time` object of a result. A new reference, NULL: out of memory. */
struct json_t *fl_time_json(const struct fl_time *time);

#endif
