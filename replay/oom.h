/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * oom.h - who is killed when neither frames nor swap are left.
 *
 * Source: Linux 6.18 mm/oom_kill.c, oom_badness() and select_bad_process(); what is
 * modelled of it is in docs/model.md, section 2.
 */
#ifndef REPLAY_OOM_H
#define REPLAY_OOM_H

#include "paging.h"
#include "vm.h"

/**
 * oom_pick - the process to kill, with its numbers in @kill (at_access is the caller's).
 * Returns its index, UINT32_MAX when nobody may be killed. Cost: O(pages mapped).
 */
uint32_t oom_pick(const struct vm *vm, const struct paging *paging, struct fl_oom_kill *kill);

#endif
