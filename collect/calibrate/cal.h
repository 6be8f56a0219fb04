/* SPDX-License-Identifier: GPL-2.0-or-later */
/** cal.h - what the measurements share: samples, clocks, memory to fault in. */
#ifndef CALIBRATE_CAL_H
#define CALIBRATE_CAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/calibrate.h>
#include <faultline/units.h>

#define CAL_SAMPLES_MAX 512u
#define CAL_PAGES 4096u /* touched in one repetition: 16 MiB, so that pages come cold */
#define CAL_REPS 31u

struct cal {
    const struct fl_calibrate_opts *opts;
    struct fl_costs *out;
    char *why; /* FL_CALIBRATE_WHY_BYTES */
};

/** Repetitions of one measurement, in picoseconds; what exceeds the room is left out. */
struct cal_samples {
    int64_t ps[CAL_SAMPLES_MAX];
    size_t n;
};

/** cal_add - one repetition: @ns for @ops operations. Nothing when @ops is 0. */
void cal_add(struct cal_samples *s, int64_t ns, uint64_t ops);
/** cal_done - the median and quartiles become @cost; nothing without samples. Empties @s. */
void cal_done(struct cal *cal, enum fl_cost cost, struct cal_samples *s);
/** cal_median_ps - without emptying; 0 without samples. */
int64_t cal_median_ps(struct cal_samples *s);

/** cal_cpu_ns, cal_wall_ns - CPU time of this thread; time that passes. */
int64_t cal_cpu_ns(void);
int64_t cal_wall_ns(void);
/** cal_faults - this thread's minor or major faults so far. */
uint64_t cal_faults(bool major);

/** cal_map - private anonymous 4 KiB pages; NULL: out of memory. */
char *cal_map(size_t pages);
void cal_unmap(char *at, size_t pages);

/** cal_read, cal_write - touch the first word of each page, in order. */
void cal_read(const char *at, size_t pages);
void cal_write(char *at, size_t pages);

/** cal_random - the next of Marsaglia's xorshift64 (2003); @x: not 0. */
static inline uint64_t cal_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    return *x ^= *x << 17;
}

/** cal_shuffle - @order[0..n) in a fixed random order. */
void cal_shuffle(uint32_t *order, size_t n);

/** cal_file - an unlinked file of @pages 4 KiB pages in opts->dir, written and on its disk. */
int cal_file(struct cal *cal, size_t pages, struct fl_err *err);

/** cal_fill - half of each page random, from @x on, half zero: what compresses to about half, as heaps do. */
void cal_fill(char *at, size_t pages, uint64_t *x);

int cal_processor(struct cal *cal, struct fl_err *err); /* access, TLB, context switch */
int cal_minor(struct cal *cal, struct fl_err *err);     /* minor faults */
int cal_files(struct cal *cal, struct fl_err *err);     /* faults on files, cold reads, reclaim */
int cal_disk(struct cal *cal, struct fl_err *err);      /* writes of several requests */
int cal_swap(struct cal *cal, struct fl_err *err);

#endif
