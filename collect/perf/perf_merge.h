/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_merge.h - one stream in order of time out of one buffer a CPU.
 *
 * A buffer is very nearly in order by itself, so merging them is enough. How far
 * the merged stream may be let out is the caller's knowledge: every record older
 * than that bound must have been added before. A record that comes later all the
 * same is let out at once and counted.
 */
#ifndef FL_PERF_MERGE_H
#define FL_PERF_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

#include "ring.h"

/** Bytes taken from one CPU's buffer at one time: whole records, one after another. */
struct fl_chunk {
    struct fl_chunk *next;
    uint32_t cpu;
    uint64_t taken_ns; /* when: CLOCK_MONOTONIC; 0: not known */
    size_t len_bytes;
    size_t waiting; /* records of it still in the merge */
    uint8_t bytes[];
};

struct fl_merge;

struct fl_merge_counts {
    uint64_t damaged; /* stretches of bytes that were no records */
    uint64_t late;    /* records older than one let out before them */
    uint64_t foreign; /* with the id, and perhaps the time, of somebody else's event */
};

/** fl_merge_new - for @n_cpus buffers. @ids must outlive it. NULL: out of memory. */
struct fl_merge *fl_merge_new(uint32_t n_cpus, const struct fl_perf_ids *ids);
void fl_merge_free(struct fl_merge *m); /* NULL is fine */

/** fl_merge_add - take over @chunk (malloc'ed). Errors: FL_ENOMEM; the chunk is freed then too. */
int fl_merge_add(struct fl_merge *m, struct fl_chunk *chunk, struct fl_err *err);

/**
 * fl_merge_next - the oldest record, when it is not younger than @bound_ns.
 * @out is good until the next call. Returns: false when there is none.
 * Cost: O(1) while one CPU's records follow each other, O(CPUs) at a change.
 */
bool fl_merge_next(struct fl_merge *m, uint64_t bound_ns, struct fl_perf_rec *out);

/**
 * fl_merge_peek - the oldest waiting record @wanted says yes to, left where it is.
 * Looks at a few thousand records of each CPU and no further.
 */
bool fl_merge_peek(const struct fl_merge *m,
                   bool (*wanted)(const struct fl_perf_rec *rec, const void *key), const void *key,
                   struct fl_perf_rec *out);

struct fl_merge_counts fl_merge_counts(const struct fl_merge *m);

#endif
