/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_drain.h - a thread that does nothing but empty the rings, so that neither
 * sorting nor a slow disk makes the kernel drop records.
 */
#ifndef FL_PERF_DRAIN_H
#define FL_PERF_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/err.h>

#include "perf_merge.h"
#include "perf_open.h"

struct fl_drain;

/**
 * fl_drain_queues - how many buffers the chunks' numbers of CPUs count: the rings, and behind them
 * the AUX buffers if there are any.
 */
uint32_t fl_drain_queues(const struct fl_perf_set *set);

/** fl_drain_start - @set must stay open until fl_drain_free(). */
int fl_drain_start(struct fl_perf_set *set, struct fl_drain **out, struct fl_err *err);

/** fl_drain_fd - readable when there may be something to take. */
int fl_drain_fd(const struct fl_drain *d);

/** What one fl_drain_take() brought. */
struct fl_drain_round {
    struct fl_chunk *chunks; /* a list; the taker's now */
    uint64_t safe_ns;        /* every record older than this has been handed over */
    bool ended;              /* nothing will follow: all tasks are gone, or it was stopped */
    uint64_t damaged;        /* rings that had to be emptied unread, so far */
};

/** fl_drain_take - everything collected since the last time. Does not wait. */
struct fl_drain_round fl_drain_take(struct fl_drain *d);

/** fl_drain_stop - one last round, then end, whoever still runs. */
void fl_drain_stop(struct fl_drain *d);

/** fl_drain_free - stop, wait for the thread, drop what was not taken. NULL is fine. */
void fl_drain_free(struct fl_drain *d);

#endif
