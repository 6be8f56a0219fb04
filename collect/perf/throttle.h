/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * throttle.h - how long the kernel kept an event from sampling.
 *
 * It stops an event that samples faster than kernel.perf_event_max_sample_rate until
 * the next timer tick, and says so with PERF_RECORD_THROTTLE and _UNTHROTTLE. The time
 * is not taken off the event's own running time.
 */
#ifndef FL_PERF_THROTTLE_H
#define FL_PERF_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
