/* SPDX-License-Identifier: GPL-2.0-or-later */
/** linux_drive.h - the Linux model over a list of items, one item at a time, its insides open. */
#ifndef FAULTLINE_LINUX_DRIVE_H
#define FAULTLINE_LINUX_DRIVE_H

#include "linux/linux_mm.h"

#include "random_trace.h"

struct linux_drive {
    struct vm vm;
    struct linux_mm lm;
    struct fl_reader *reader;
    void *bytes;
    uint64_t references;
    struct fl_item item;  /* under way */
    size_t done;          /* of its runs */
    bool stuck;           /* out of memory with nobody to kill: the end */
    uint64_t check_every; /* references; 0: never */
    bool broken;          /* linux_check() said no; @references then tells where */
};

/** linux_drive_open - @list is freed. Aborts when out of memory. */
void linux_drive_open(struct linux_drive *d, struct item_list *list, const struct linux_opts *opts);
void linux_drive_close(struct linux_drive *d);

/**
 * linux_drive_run - on, until @references of the living have been made, to the end of the trace,
 * to a check that fails, or to the end of memory.
 */
void linux_drive_run(struct linux_drive *d, uint64_t references);

/** linux_drive_page - the dense id of a page that a run has touched; NO_PAGE: none has. */
uint32_t linux_drive_page(const struct linux_drive *d, uint32_t mm, uint64_t vpn);

/** linux_drive_opts - @limit and swap in pages; statistics are flushed at @first_flush_ps. */
struct linux_opts linux_drive_opts(uint64_t limit, uint64_t swap_pages, enum swap_kind kind,
                                   uint64_t first_flush_ps);

/** linux_drive_tlb - @opts' processor keeps translations, by @seed: 0 none, few or many of them. */
void linux_drive_tlb(struct linux_opts *opts, uint64_t seed);

#endif
