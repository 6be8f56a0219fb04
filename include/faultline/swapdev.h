/* SPDX-License-Identifier: GPL-2.0-or-later */
/** swapdev.h - a swap device for the length of an experiment: zram or a file. */
#ifndef FAULTLINE_SWAPDEV_H
#define FAULTLINE_SWAPDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/guard.h>
#include <faultline/units.h>

enum fl_swapdev_kind {
    FL_SWAPDEV_AUTO, /* what is on; else zram, else a file */
    FL_SWAPDEV_NONE,
    FL_SWAPDEV_ZRAM,
    FL_SWAPDEV_FILE,
    FL_SWAPDEV_PARTITION, /* only found, never made */
};

/** fl_swapdev_kind_name - "auto", "none", "zram", "file", "partition". */
const char *fl_swapdev_kind_name(enum fl_swapdev_kind kind);

struct fl_swapdev_request {
    enum fl_swapdev_kind kind;
    uint64_t bytes; /* 0: the default of whoever asks */
};

/** fl_swapdev_parse - `auto`, `none`, `zram[:SIZE]`, `file[:SIZE]`. Errors: FL_EUSAGE. */
int fl_swapdev_parse(const char *text, struct fl_swapdev_request *out, struct fl_err *err);

struct fl_swapdev {
    enum fl_swapdev_kind kind;
    bool was_on;     /* it was there before us and stays */
    bool rotational; /* the kernel takes the device for a spinning disk */
    uint64_t pages;  /* slots free for use when it was switched on or found */
    unsigned devices;
    char path[FL_GUARD_PATH_BYTES];
};

/**
 * fl_swapdev_scan - the text of /proc/swaps.
 * @out: kind and path of the device with the highest priority, slots free on all.
 * Returns: the number of devices.
 */
unsigned fl_swapdev_scan(const char *text, struct fl_swapdev *out);

/** fl_swapdev_header - a swap area's first page: version 1, @pages (> 1) with itself, no bad ones.
 * Source: mkswap(8), Linux include/linux/swap.h, union swap_header. */
void fl_swapdev_header(unsigned char page[FL_PAGE_BYTES], uint32_t pages);

/**
 * fl_swapdev_check - could fl_swapdev_on() do @want here? Changes nothing.
 * Errors: FL_EMACHINE: swap is on and something else is wanted, no privilege, no zram.
 */
int fl_swapdev_check(const struct fl_swapdev_request *want, struct fl_err *err);

/**
 * fl_swapdev_on - what @want asks for, with steps on @guard that take it away again.
 * @default_bytes: size when @want names none; sizes are rounded up to 64 KiB.
 * @dir: where a swap file may lie. A zram device is a new one, or the first unused one
 * where devices cannot be added; its algorithm stays as the kernel has it.
 * Errors: FL_EMACHINE without privilege, zram, disk space or a file system that can
 * hold swap, or when swap is on already and something else was asked for.
 */
int fl_swapdev_on(const struct fl_swapdev_request *want, uint64_t default_bytes, const char *dir,
                  struct fl_guard *guard, struct fl_swapdev *out, struct fl_err *err);

#endif
