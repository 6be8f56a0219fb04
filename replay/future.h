/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * future.h - when each run's contents are referenced next.
 *
 * Built by one pass of the virtual memory stage forwards and one over its notes backwards, which
 * become the answers in place: an unlinked file under $TMPDIR of 4 bytes a run, so that memory does
 * not grow with the trace, but for 8 bytes of each reference whose contents' next is 4 G runs on.
 */
#ifndef REPLAY_FUTURE_H
#define REPLAY_FUTURE_H

#include <stdint.h>

#include <faultline/replay.h>

struct future;

/**
 * future_build - rewinds @r before and after. @reduced: to the reduced layer.
 * FL_EIO (disk full), FL_ENOMEM, reader errors.
 */
int future_build(struct fl_reader *r, uint32_t levels, uint32_t reduced, struct future **out,
                 struct fl_err *err);
/** future_build_far - with what is next @far <= FUTURE_FAR references on or more kept apart: for
    tests, which have no traces so long. */
#define FUTURE_FAR (UINT32_MAX - 2)
int future_build_far(struct fl_reader *r, uint32_t levels, uint32_t reduced, uint32_t far,
                     struct future **out, struct fl_err *err);
/**
 * future_take - next uses of the next @n in the stream; positions are numbers in it. Of what is
 * never used again: after all positions, and the farther, the earlier this last use is.
 */
int future_take(struct future *f, uint64_t *next_use, size_t n, struct fl_err *err);
void future_free(struct future *f); /* NULL is fine */

#endif
