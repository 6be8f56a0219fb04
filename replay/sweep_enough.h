/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * sweep_enough.h - sizes that need no replay, as nothing in them would be different from a larger.
 *
 * All that the kernel's model knows of its group's limit is whether a charge is within it. So where
 * a replay tells the most that any charge of it wanted, it stands for every size from there up to
 * its own.
 */
#ifndef REPLAY_SWEEP_ENOUGH_H
#define REPLAY_SWEEP_ENOUGH_H

#include <faultline/replay.h>

/**
 * sweep_largest_first - order @points so that those to be replayed come first. Returns how many:
 * the others have a larger one among them that may stand for them, and are many enough to wait.
 */
size_t sweep_largest_first(struct fl_sweep_point **points, size_t n);

/**
 * sweep_answer_enough - after that, once the first @n_first are answered: those of the rest that
 * have an answer by them get it, and go behind those that have not. Returns how many have not.
 * @wanted: by point of the first, frames; UINT64_MAX: it stands for itself alone.
 */
size_t sweep_answer_enough(struct fl_sweep_point **points, size_t n_first, size_t n,
                           const uint64_t *wanted);

#endif
