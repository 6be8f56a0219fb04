/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * future.h - when each run's contents are referenced next.
 *
 * Built by one pass of the virtual memory stage forwards and one over its notes
 * backwards; both live in unlinked files under $TMPDIR, so that memory does not
 * grow with the trace: 4 bytes a run while building, 5 after.
 */
#ifndef REPLAY_FUTURE_H
#define REPLAY_FUTURE_H

#include <stdint.h>

#include <faultline/replay.h>

struct future;

/** future_build - rewinds @r before and after. FL_EIO (disk full), FL_ENOMEM, reader errors. */
int future_build(struct fl_reader *r, uint32_t levels, struct future **out, struct fl_err *err);
/** future_rewind - stand at the first run again. */
void future_rewind(struct future *f);
/** future_next - next use of the next run in the trace; positions are run numbers. */
int future_next(struct future *f, uint64_t *next_use, struct fl_err *err);
/** future_skip - pass over @n runs. */
void future_skip(struct future *f, uint64_t n);
void future_free(struct future *f); /* NULL is fine */

#endif
