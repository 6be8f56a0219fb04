/* SPDX-License-Identifier: GPL-2.0-or-later */
/** machine.h - the simulated processor: page tables, TLBs, walk caches, and how they are flushed. */
#ifndef FAULTLINE_MACHINE_H
#define FAULTLINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

#define FL_TLB_LEVELS_MAX 12
#define FL_WALK_CACHES_MAX 4 /* one for each level of the table above the lowest */
#define FL_FLUSH_PAGES_MAX 4096
#define FL_FLUSH_PAGES_X86 33

/** Sizes of a mapping: 4 KiB pages times 512 to the power of the value. */
enum fl_page_size { FL_PAGE_4K, FL_PAGE_2M, FL_PAGE_1G, FL_PAGE_SIZES };

/** fl_page_size_name - "4K", "2M", "1G". */
const char *fl_page_size_name(enum fl_page_size size);

enum fl_tlb_role {
    FL_TLB_FETCH = 1, /* instruction side */
    FL_TLB_DATA,      /* loads and stores */
    FL_TLB_UNIFIED,   /* both sides */
    FL_TLB_LOAD,      /* loads alone */
    FL_TLB_STORE,     /* stores alone */
    FL_TLB_ROLE_END
};

/** fl_tlb_role_name - "fetch", "data", "unified", "load", "store". */
const char *fl_tlb_role_name(enum fl_tlb_role role);

struct fl_tlb_level {
    const char *name; /* "L1I", "L1D-2M", "L2" */
    enum fl_tlb_role role;
    uint32_t entries; /* any number, powers of two or not */
    uint32_t ways;    /* divides entries; == entries: fully associative */
    uint32_t pages;   /* bit 1 << fl_page_size for each size it holds; 0: 4 KiB alone */
};

/** fl_tlb_holds - does @level hold translations of mappings of @size? */
static inline bool fl_tlb_holds(const struct fl_tlb_level *level, enum fl_page_size size)
{
    return ((level->pages ? level->pages : 1u << FL_PAGE_4K) >> size) & 1;
}

/** A cache of page-table entries that point at further tables. */
struct fl_walk_cache {
    uint32_t level; /* of the table its entries are in: 2 PDE, 3 PDPTE, 4 PML4E, 5 PML5E */
    uint32_t entries, ways;
};

/** fl_walk_cache_name - of table level 2 to 5: "PDE", "PDPTE", "PML4E", "PML5E". */
const char *fl_walk_cache_name(uint32_t level);

struct fl_costs;

struct fl_machine {
    const char *name, *summary, *source;
    uint32_t levels; /* radix levels of the page table, 4 or 5 */
    uint32_t asids;  /* address spaces a TLB tells apart; 1: every switch flushes */
    uint32_t n_tlb;  /* in the order of look-up, unified ones last */
    struct fl_tlb_level tlb[FL_TLB_LEVELS_MAX];
    uint32_t flush_pages;    /* a longer range flushes its whole space; 0: FL_FLUSH_PAGES_X86 */
    bool broadcast;          /* flushes reach spaces that are not running (arm64) */
    uint32_t n_walk;         /* 0: every walk reads every level */
    bool walk_flush_page;    /* a page's flush takes only its own path from the walk caches, */
    const char *walk_source; /* not its whole space's; NULL with n_walk 0 */
    struct fl_walk_cache walk[FL_WALK_CACHES_MAX]; /* lowest level first */
    const struct fl_costs *costs; /* of the time estimate; NULL: the built-in ones */
};

/** fl_machine_at - the i-th built-in profile; NULL past the end. The first is the default. */
const struct fl_machine *fl_machine_at(size_t i);
/** fl_machine_name_at - its name, for option tables. */
const char *fl_machine_name_at(size_t i);
/** fl_machine_find - by name; NULL when there is none. */
const struct fl_machine *fl_machine_find(const char *name);

/**
 * fl_machine_load - a profile from the JSON file @path: one object as
 * `faultline machines NAME --json` prints it; docs/commands.md has the keys.
 * Limits: 4 or 5 levels; 1 to 65536 ASIDs; something for 4 KiB fetches, loads and
 * stores, unified levels last, FL_TLB_LEVELS_MAX in all, no name twice; 1 to 65536
 * entries, divided by ways; one walk cache a level of the table.
 * Errors: FL_EIO, with sys_errno ENOENT when there is no such file; FL_EFORMAT
 * names the key that is wrong; FL_ENOMEM.
 * @out: the caller frees with fl_machine_free().
 */
int fl_machine_load(const char *path, struct fl_machine **out, struct fl_err *err);

/**
 * fl_machine_host - the processor a trace's `host.tlb` tells of (docs/trace-format.md).
 * @text: its value; NULL or "": not recorded. Without walk caches, 4 levels, Linux's ASIDs.
 * Errors: FL_EDATA when it tells of no TLB, or of one that cannot be; FL_ENOMEM.
 * @out: the caller frees with fl_machine_free().
 */
int fl_machine_host(const char *text, struct fl_machine **out, struct fl_err *err);

/** fl_machine_free - one from fl_machine_load() or _host(), never a built-in. NULL is fine. */
void fl_machine_free(struct fl_machine *machine);

struct json_t;
/** fl_machine_json - the object fl_machine_load() reads. A new reference; NULL: out of memory. */
struct json_t *fl_machine_json(const struct fl_machine *machine);

#endif
