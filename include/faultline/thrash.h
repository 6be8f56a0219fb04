/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * thrash.h - when a replayed program thrashes, who makes it, and what would end it.
 *
 * A program thrashes while it spends its time bringing back pages that were evicted only to be
 * needed again (Denning, "Thrashing: its causes and prevention", AFIPS 1968). docs/thrashing.md
 * says what that means in counts; nothing here is measured in time but the cost of a fault.
 */
#ifndef FAULTLINE_THRASH_H
#define FAULTLINE_THRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/lru_timeline.h>
#include <faultline/replay.h>

#define FL_CULPRITS_MAX 8u
#define FL_DRIVERS_MAX 3u

/** Who brought pages back in an interval: an owner without what it shares with nobody. */
struct fl_culprit {
    uint32_t process, mapping, function; /* as in fl_owner */
    uint64_t refaults;
};

struct fl_thrash_interval {
    uint64_t from_access, to_access; /* of its first and last refault */
    uint64_t faults, refaults;       /* refaults are among the faults */
    uint64_t near;     /* refaults that no more than the RAM again would have spared, by distance */
    uint64_t pages;    /* different pages among the refaults */
    uint32_t stall_bp; /* estimated share of the time that goes into refaults */
    uint64_t ram_to_end_pages; /* least RAM in which it would be none, under LRU; 0: not known */
    struct fl_culprit culprits[FL_CULPRITS_MAX]; /* most refaults first */
    size_t n_culprits;
    /* of each process with at least half as many refaults as the first its first culprit, with
       all the process has; most first */
    struct fl_culprit drivers[FL_DRIVERS_MAX];
    size_t n_drivers;
};

struct fl_thrash {
    struct fl_thrash_interval *intervals; /* in order, disjoint */
    size_t n_intervals;
    char *verdict; /* one sentence; begins with "Thrashing" or "No thrashing" */
    bool has_curve;
    uint64_t knee_pages, cliff_pages; /* of the LRU curve; 0: none; not has_curve: not known */
};

/**
 * fl_thrash_find - from a result that has its attribution.
 * @curve: of the same trace, for what would end it, knee and cliff; NULL: these stay unknown.
 * Errors: FL_ENOMEM. Cost: the square of the timeline's rows.
 */
int fl_thrash_find(const struct fl_result *result, const struct fl_lru_timeline *curve,
                   struct fl_thrash **out, struct fl_err *err);

/**
 * fl_thrash_of - the same with a curve of @r, the result's trace, if there is an interval to end.
 * Errors: as fl_lru_timeline_new(). Cost: then that pass more.
 */
int fl_thrash_of(struct fl_reader *r, const struct fl_result *result,
                 void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_thrash **out,
                 struct fl_err *err);
void fl_thrash_free(struct fl_thrash *thrash); /* NULL is fine */

/** fl_culprit_text - "worker (412), anonymous (build_table), lookup"; malloc'ed, NULL: no memory. */
char *fl_culprit_text(const struct fl_attribution *a, const struct fl_culprit *culprit);

struct json_t;

/** fl_thrash_json - the `thrash` object of a result. A new reference; NULL: out of memory. */
struct json_t *fl_thrash_json(const struct fl_thrash *thrash, const struct fl_result *result);

#endif
