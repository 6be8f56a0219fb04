/* SPDX-License-Identifier: GPL-2.0-or-later */
/** calibrate.h - measure on this host what faults, TLB misses and I/O cost. */
#ifndef FAULTLINE_CALIBRATE_H
#define FAULTLINE_CALIBRATE_H

#include <faultline/cgroup.h>
#include <faultline/costs.h>
#include <faultline/err.h>

enum fl_calibrate_swap {
    FL_CALIBRATE_SWAP_NONE, /* do not make a swap device; what is not known stays a default */
    FL_CALIBRATE_SWAP_ZRAM,
    FL_CALIBRATE_SWAP_FILE,
};

struct fl_calibrate_opts {
    enum fl_calibrate_swap swap;
    const char *dir; /* where temporary files go: on the disk that is to be measured */
    /* called before each part with its name; NULL: not */
    void (*progress)(void *arg, const char *what, unsigned done_bp);
    void *arg;
};

/**
 * fl_calibrate - measure what can be measured here into @out; the rest keeps its
 * default, with given[] false.
 *
 * Each cost is the median of many repetitions, with quartiles. CPU-bound ones are
 * measured in the thread's CPU time, those that wait in wall time. Uses about
 * 200 MiB of memory, 64 MiB of @dir and some seconds; leaves nothing behind.
 * @why: one line why swap was not measured; empty when it was or was not asked for.
 * Errors: FL_ENOMEM; FL_EIO when @dir cannot be written.
 */
#define FL_CALIBRATE_WHY_BYTES 512
int fl_calibrate(const struct fl_calibrate_opts *opts, struct fl_costs *out,
                 char why[FL_CALIBRATE_WHY_BYTES], struct fl_err *err);

/* Pages that a group limited to half of them is to hold for fl_calibrate_tlb(). */
#define FL_CALIBRATE_HEAP_PAGES 16384u

/**
 * fl_calibrate_tlb - how much of the TLB the kernel's work displaces, with the swap that is on, into
 * @out, which is left alone where it cannot be measured: one processor, no /proc/PID/clear_refs, no
 * right to write it, a TLB that CPUID does not tell or that loses everything to a page put out, no
 * swap. @group: limited to half of FL_CALIBRATE_HEAP_PAGES. Takes a second or two, with a disk some
 * more; the calling thread's affinity is as before when it returns. How: docs/model-linux.md,
 * section 22.
 */
void fl_calibrate_tlb(const struct fl_cgroup *group, struct fl_tlb_kept *out);

#endif
