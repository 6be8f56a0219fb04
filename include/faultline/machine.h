/* SPDX-License-Identifier: GPL-2.0-or-later */
/** machine.h - the simulated processor: page-table depth and TLB geometry. */
#ifndef FAULTLINE_MACHINE_H
#define FAULTLINE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

#define FL_TLB_LEVELS_MAX 4

enum fl_tlb_role {
    FL_TLB_FETCH = 1,   /* instruction side */
    FL_TLB_DATA = 2,    /* loads and stores */
    FL_TLB_UNIFIED = 3, /* second level, looked up when a first level missed */
};

/** fl_tlb_role_name - "fetch", "data", "unified". */
const char *fl_tlb_role_name(enum fl_tlb_role role);

struct fl_tlb_level {
    const char *name; /* "L1I", "L1D", "L2" */
    enum fl_tlb_role role;
    uint32_t entries; /* any number, powers of two or not */
    uint32_t ways;    /* divides entries; == entries: fully associative */
};

struct fl_machine {
    const char *name, *summary, *source;
    uint32_t levels; /* radix levels of the page table, 4 or 5 */
    uint32_t asids;  /* address spaces a TLB tells apart; the oldest is flushed for a new one */
    uint32_t n_tlb;  /* first levels first */
    struct fl_tlb_level tlb[FL_TLB_LEVELS_MAX];
};

/** fl_machine_at - the i-th built-in profile; NULL past the end. The first is the default. */
const struct fl_machine *fl_machine_at(size_t i);
/** fl_machine_name_at - its name, for option tables. */
const char *fl_machine_name_at(size_t i);
/** fl_machine_find - by name; NULL when there is none. */
const struct fl_machine *fl_machine_find(const char *name);

/**
 * fl_machine_load - a profile from the JSON file @path: one object as
 * `faultline machines --json` lists them, every key given and no other.
 * Limits: 4 or 5 levels; 1 to 4096 ASIDs; one first level each for fetches and
 * data, unified levels after them, FL_TLB_LEVELS_MAX in all, no name twice; 1 to
 * 65536 entries, divided by ways.
 * Errors: FL_EIO, with sys_errno ENOENT when there is no such file; FL_EFORMAT
 * names the key that is wrong; FL_ENOMEM.
 * @out: the caller frees with fl_machine_free().
 */
int fl_machine_load(const char *path, struct fl_machine **out, struct fl_err *err);
/** fl_machine_free - one from fl_machine_load(), never a built-in. NULL is fine. */
void fl_machine_free(struct fl_machine *machine);

#endif
