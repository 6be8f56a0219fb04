/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * sweep.h - what the files of a sweep know of each other.
 *
 * sweep.c           which points can share a pass over the trace; those that replay side by side
 * sweep_textbook.c  textbook policies with unlimited swap: one virtual memory for all of them
 * sweep_file.c      on several threads
 */
#ifndef REPLAY_SWEEP_H
#define REPLAY_SWEEP_H

#include <faultline/replay.h>

struct sweep_progress {
    void (*tell)(void *arg, unsigned done_bp); /* NULL: nobody wants to know */
    void *arg;
};

/** sweep_tell - @done runs of a pass over @r are done. */
void sweep_tell(const struct sweep_progress *progress, const struct fl_reader *r, uint64_t done);

/** sweep_on_curve - is one of those that a single stack-distance pass answers? */
bool sweep_on_curve(const struct fl_sweep_point *point);

/** sweep_textbook - answer @points, all of textbook policies and with unlimited swap. */
int sweep_textbook(struct fl_reader *r, struct fl_sweep_point **points, size_t n,
                   const struct sweep_progress *progress, struct fl_err *err);

#endif
