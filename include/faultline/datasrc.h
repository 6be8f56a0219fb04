/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * datasrc.h - where the data of a sampled access came from.
 *
 * A sample carries one number of 64 bits in the kernel's encoding
 * (PERF_SAMPLE_DATA_SRC, union perf_mem_data_src of linux/perf_event.h), whatever
 * the processor was: the kernel translates what Intel and AMD report, and
 * collect/perf/spe_source.h what Arm reports. Here it is taken apart. Any number is
 * accepted: what it does not tell, or tells in a way this version does not know, is
 * "unknown".
 */
#ifndef FAULTLINE_DATASRC_H
#define FAULTLINE_DATASRC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The fields of the number: bit of the lowest one, and the values. */
enum {
    FL_DS_OP_SHIFT = 0,
    FL_DS_OP_NA = 1u << 0,
    FL_DS_OP_LOAD = 1u << 1,
    FL_DS_OP_STORE = 1u << 2,
    FL_DS_OP_PREFETCH = 1u << 3,
    FL_DS_OP_EXEC = 1u << 4,

    FL_DS_LVL_SHIFT = 5, /* the older way to name a level: a bit each */
    FL_DS_LVL_NA = 1u << 0,
    FL_DS_LVL_HIT = 1u << 1,
    FL_DS_LVL_MISS = 1u << 2,
    FL_DS_LVL_L1 = 1u << 3,
    FL_DS_LVL_LFB = 1u << 4,
    FL_DS_LVL_L2 = 1u << 5,
    FL_DS_LVL_L3 = 1u << 6,
    FL_DS_LVL_LOCAL_RAM = 1u << 7,
    FL_DS_LVL_REMOTE_RAM1 = 1u << 8,
    FL_DS_LVL_REMOTE_RAM2 = 1u << 9,
    FL_DS_LVL_REMOTE_CACHE1 = 1u << 10,
    FL_DS_LVL_REMOTE_CACHE2 = 1u << 11,
    FL_DS_LVL_IO = 1u << 12,
    FL_DS_LVL_UNCACHED = 1u << 13,

    FL_DS_SNOOP_SHIFT = 19,
    FL_DS_SNOOP_NA = 1u << 0,
    FL_DS_SNOOP_NONE = 1u << 1,
    FL_DS_SNOOP_HIT = 1u << 2,
    FL_DS_SNOOP_MISS = 1u << 3,
    FL_DS_SNOOP_HITM = 1u << 4,

    FL_DS_LOCK_SHIFT = 24,
    FL_DS_LOCK_NA = 1u << 0,
    FL_DS_LOCK_LOCKED = 1u << 1,

    FL_DS_TLB_SHIFT = 26,
    FL_DS_TLB_NA = 1u << 0,
    FL_DS_TLB_HIT = 1u << 1,
    FL_DS_TLB_MISS = 1u << 2,
    FL_DS_TLB_L1 = 1u << 3,
    FL_DS_TLB_L2 = 1u << 4,
    FL_DS_TLB_WALKER = 1u << 5,
    FL_DS_TLB_OS = 1u << 6,

    FL_DS_NUM_SHIFT = 33, /* the newer way to name a level: enum fl_mem_level's numbers */
    FL_DS_REMOTE_SHIFT = 37,

    FL_DS_SNOOPX_SHIFT = 38,
    FL_DS_SNOOPX_FORWARD = 1u << 0,
    FL_DS_SNOOPX_PEER = 1u << 1,

    FL_DS_BLOCK_SHIFT = 40,
    FL_DS_BLOCK_NA = 1u << 0,
    FL_DS_BLOCK_DATA = 1u << 1,
    FL_DS_BLOCK_ADDRESS = 1u << 2,

    FL_DS_HOPS_SHIFT = 43,
};

/** What answered. The numbers are the kernel's PERF_MEM_LVLNUM_*, 0 and 15 taken together. */
enum fl_mem_level {
    FL_LEVEL_UNKNOWN = 0,
    FL_LEVEL_L1 = 1,
    FL_LEVEL_L2 = 2,
    FL_LEVEL_L3 = 3,
    FL_LEVEL_L4 = 4,
    FL_LEVEL_L2_MISS_BUFFER = 5, /* L2's own line fill buffer */
    FL_LEVEL_MEMORY_CACHE = 6,   /* a cache on the memory's side */
    FL_LEVEL_L0 = 7,
    FL_LEVEL_UNCACHED = 8,
    FL_LEVEL_CXL = 9,
    FL_LEVEL_IO = 10,
    FL_LEVEL_ANY_CACHE = 11, /* some cache; which one is not told */
    FL_LEVEL_FILL_BUFFER = 12,
    FL_LEVEL_RAM = 13,
    FL_LEVEL_PMEM = 14,
    FL_LEVEL_COUNT = 15
};

/** Three-valued answer: a processor that does not tell has said neither. */
enum fl_outcome { FL_OUTCOME_UNKNOWN = 0, FL_OUTCOME_HIT = 1, FL_OUTCOME_MISS = 2 };

enum fl_snoop {
    FL_SNOOP_UNKNOWN = 0,
    FL_SNOOP_NONE = 1,    /* no other cache was asked */
    FL_SNOOP_HIT = 2,     /* another cache had a clean copy */
    FL_SNOOP_MISS = 3,    /* others were asked, none had it */
    FL_SNOOP_HITM = 4,    /* another cache had a modified copy */
    FL_SNOOP_FORWARD = 5, /* another cache sent its copy */
    FL_SNOOP_PEER = 6     /* the data came from another core; its state is not told */
};

struct fl_datasrc {
    bool load, store, prefetch, exec; /* none set: not told */
    enum fl_mem_level level;
    enum fl_outcome cache; /* of @level: MISS says only that @level did not have it */
    bool remote;           /* on another node or chip than the core's */
    uint8_t hops;          /* 1: another core of the node .. 4: another board; 0: not told */
    enum fl_outcome tlb;   /* MISS: the page tables were walked */
    bool tlb_l1, tlb_l2, tlb_walker, tlb_os; /* which of them the outcome is of */
    enum fl_snoop snoop;
    bool lock_known, locked;            /* part of an atomic instruction */
    bool blocked_data, blocked_address; /* waited for an earlier store's data, for its address */
};

/** fl_datasrc_decode - take @data_src apart. Cannot fail. */
void fl_datasrc_decode(uint64_t data_src, struct fl_datasrc *out);

/** fl_datasrc_encode - the number that decodes to @in, without the older level bits. */
uint64_t fl_datasrc_encode(const struct fl_datasrc *in);

/** fl_mem_level_name - "L1", "RAM", ...; "?" for no level of the list. */
const char *fl_mem_level_name(enum fl_mem_level level);

/** fl_snoop_name - "none", "hitm", ... */
const char *fl_snoop_name(enum fl_snoop snoop);

/**
 * fl_datasrc_text - "load L3 hit, tlb hit L1 L2, snoop none", without what is not told;
 * "unknown" when nothing is.
 * @buf: at least FL_DATASRC_TEXT bytes. Returns @buf.
 */
#define FL_DATASRC_TEXT 160
char *fl_datasrc_text(char *buf, uint64_t data_src);

#endif
