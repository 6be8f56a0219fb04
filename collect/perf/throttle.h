/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * throttle.h - how long the kernel kept an event from sampling.
 *
 * It stops an event that samples faster than kernel.perf_event_max_sample_rate until
 * the next timer tick, and says so with PERF_RECORD_THROTTLE and _UNTHROTTLE. The time
 * is not taken off the event's own running time. A task that leaves its CPU meanwhile is
 * told to go on when it comes back: of what looks longer, no more than the longest tick counts.
 */
#ifndef FL_PERF_THROTTLE_H
#define FL_PERF_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "perf_idmap.h"
#include "ring.h"

#define FL_THROTTLE_MAX_NS UINT64_C(10000000) /* a tick with HZ=100 */

/** Of one event on one CPU. Zero at first. */
struct fl_throttle {
    uint64_t times;    /* how often it was stopped */
    uint64_t total_ns; /* for how long, of the stops that have ended */
    uint64_t since_ns;
    bool stopped;
};

/** fl_throttle_record - a THROTTLE (@stop) or UNTHROTTLE record at @time_ns. */
void fl_throttle_record(struct fl_throttle *t, bool stop, uint64_t time_ns);

/** fl_throttle_ns - time stopped up to @end_ns, a stop that has not ended included. */
uint64_t fl_throttle_ns(const struct fl_throttle *t, uint64_t end_ns);

/** Of all events of a recording, each on each CPU and for each task it was opened for. Zero at
 * first; cleared with fl_throttles_clear(). */
struct fl_throttles {
    struct fl_idmap places;
    struct fl_throttle_of {
        enum fl_perf_source source;
        uint32_t index;
        struct fl_throttle t;
    } * v;
    uint32_t n, room;
};

/** fl_throttles_record - a THROTTLE or UNTHROTTLE record. Returns: false when out of memory. */
bool fl_throttles_record(struct fl_throttles *all, const struct fl_perf_rec *rec);

/** fl_throttles_sum - of one event: how often, and in *@ns for how long up to @end_ns. */
uint64_t fl_throttles_sum(const struct fl_throttles *all, enum fl_perf_source source,
                          uint32_t index, uint64_t end_ns, uint64_t *ns);

void fl_throttles_clear(struct fl_throttles *all);

#endif
