/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * lru_timeline.h - major faults over time in every memory size at once, under LRU.
 *
 * One pass of stack distances (Mattson et al., IBM Systems Journal 1970): a reference at distance
 * d is a fault in every memory below d frames. Distances are kept in buckets, 64 an octave,
 * by stretch of the run.
 */
#ifndef FAULTLINE_LRU_TIMELINE_H
#define FAULTLINE_LRU_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/trace.h>

#define FL_LRU_ROWS 512u
#define FL_LRU_BUCKETS 1920u
#define FL_CURVE_SIZES 24u

struct fl_lru_timeline {
    uint64_t row_accesses; /* length of a row */
    uint32_t n_rows;
    uint32_t n_buckets;              /* in use */
    uint32_t frames[FL_LRU_BUCKETS]; /* largest distance of a bucket, rising */
    /* by row: references that came back at such a distance */
    uint32_t (*distances)[FL_LRU_BUCKETS];
    /* the same by the lesser of this distance and the greatest that the page came back at before,
       since the last position to forget at: a fault in memories smaller than that, not the first */
    uint32_t (*again)[FL_LRU_BUCKETS];
    /* major faults of the whole run in memories of fl_curve_sizes(), but for too small ones */
    uint32_t curve_frames[FL_CURVE_SIZES];
    uint64_t curve_major[FL_CURVE_SIZES];
    uint32_t n_curve;
    uint64_t peak_pages; /* contents alive at most */
};

/**
 * fl_curve_sizes - the memories that a curve is asked for: even steps from 5 % of @peak_pages to
 * all of it, and 5 % more; in frames, rising, without repeats. Returns how many.
 */
uint32_t fl_curve_sizes(uint64_t peak_pages, uint32_t frames[FL_CURVE_SIZES]);

/**
 * fl_lru_timeline_new - of the whole trace. Rewinds @r first.
 * @least_frames: no smaller memory is asked about; 0: any. It saves time to say 64 or more.
 * @forget: @n_forget positions in accesses, rising, at which it is forgotten which pages came back.
 * @progress: called now and then with 0..10000 (bp done), or NULL.
 * Errors: as fl_sweep(). Cost: as a sweep of LRU. Memory: O(distinct pages) and 8 MiB.
 */
int fl_lru_timeline_new(struct fl_reader *r, uint32_t least_frames, const uint64_t *forget,
                        size_t n_forget, void (*progress)(void *arg, unsigned done_bp), void *arg,
                        struct fl_lru_timeline **out, struct fl_err *err);
void fl_lru_timeline_free(struct fl_lru_timeline *t); /* NULL is fine */

/** Faults between two positions: all that bring a page back; of them, those that do so again; and
    those that twice the memory would have spared. */
struct fl_lru_refaults {
    uint64_t major, again, near;
};

/**
 * fl_lru_timeline_between - in a memory of frames[@bucket] pages between two positions in
 * accesses; a row counts by the share of it that lies between them.
 */
struct fl_lru_refaults fl_lru_timeline_between(const struct fl_lru_timeline *t, uint32_t bucket,
                                               uint64_t from_access, uint64_t to_access);

#endif
