/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * flushes.h - when the kernel's memory statistics are flushed.
 *
 * Every 2 s the kernel brings the statistics of all memory groups up to date; in between, reclaim
 * in a group that nobody looks at goes by old copies. What a short run counts depends on where in
 * these 2 s it began. Source: Linux mm/memcontrol.c, flush_memcg_stats_dwork(), FLUSH_TIME.
 */
#ifndef FAULTLINE_FLUSHES_H
#define FAULTLINE_FLUSHES_H

#include <signal.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/guard.h>

#define FL_FLUSH_PERIOD_MS 2000u

struct fl_flushes;

/**
 * fl_flushes_open - watch the periodic flushes from now on, by the kernel's tracepoint
 * memcg:memcg_flush_stats in a tracing instance of our own. Mounts tracefs in a folder of its own
 * where it is mounted nowhere. @guard: gets the steps that undo both.
 * Errors: FL_EMACHINE when this kernel has no such tracepoint or we may not use it; FL_ENOMEM.
 * What was made until then stays on @guard.
 * @out: the caller ends with fl_flushes_close(), before the guard's steps are undone.
 */
int fl_flushes_open(struct fl_guard *guard, struct fl_flushes **out, struct fl_err *err);

/** fl_flushes_close - stop watching. NULL is fine. */
void fl_flushes_close(struct fl_flushes *f);

/**
 * fl_flushes_wait_phase - return when @phase_ns have passed since a periodic flush, as near as the
 * scheduler lets us: the last flush seen, or else the next one. @stop: not 0: come back at once;
 * may be NULL.
 * Errors: FL_EIO when no flush was seen for three periods, or tracing fails.
 */
int fl_flushes_wait_phase(struct fl_flushes *f, uint64_t phase_ns,
                          const volatile sig_atomic_t *stop, struct fl_err *err);

/**
 * fl_flushes_last - the latest periodic flush until now, CLOCK_MONOTONIC; 0: none was seen yet. Does
 * not wait. Errors: FL_EIO when tracing fails.
 */
int fl_flushes_last(struct fl_flushes *f, uint64_t *at_ns, struct fl_err *err);

/**
 * fl_flushes_first_after - wait for the first periodic flush at or after @after_ns.
 * @after_ns: CLOCK_MONOTONIC, later than the last call's answer and than the last wait_phase.
 * @at_ns: when it was; 0 when @stop ended the wait.
 * Errors: as above.
 */
int fl_flushes_first_after(struct fl_flushes *f, uint64_t after_ns,
                           const volatile sig_atomic_t *stop, uint64_t *at_ns, struct fl_err *err);

/**
 * fl_flushes_parse - the time of a periodic flush from one line of a trace, in nanoseconds of the
 * trace's clock. Returns: 0 when @line is of something else.
 */
uint64_t fl_flushes_parse(const char *line);

#endif
