/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * future.h - when each run's contents are referenced next.
 *
 * Built by one pass of the virtual memory stage forwards and one over its notes
 * backwards; both live in unlinked files under $TMPDIR, so that memory does not
 * grow with the trace: 4 bytes a run while building, 5 after.
 *
 * With windows, those that are covered (digest.h) have no more than their pages' first and last
 * touches in the stream, and positions are counted in this shorter stream. Between any two of what
 * is in it the order is that of the trace, which is all that opt asks of a position.
 */
#ifndef REPLAY_FUTURE_H
#define REPLAY_FUTURE_H

#include <stdint.h>

#include <faultline/replay.h>

struct future;

/**
 * future_build - rewinds @r before and after. @window_pages: as digest_take() is asked, from each
 * batch's first run on; 0: every run is in the stream. @reduced: of the reduced layer instead.
 * FL_EIO (disk full), FL_ENOMEM, reader errors.
 */
int future_build(struct fl_reader *r, uint32_t levels, uint32_t window_pages, bool reduced,
                 struct future **out, struct fl_err *err);
/** future_next - next use of what is next in the stream; positions are numbers in it. */
int future_next(struct future *f, uint64_t *next_use, struct fl_err *err);
void future_free(struct future *f); /* NULL is fine */

#endif
