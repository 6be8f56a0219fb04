/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * oom.h - who is killed when neither frames nor swap are left.
 *
 * Source: Linux 6.18 mm/oom_kill.c, oom_badness() and select_bad_process(); what is
 * modelled of it is in docs/model.md, section 2.
 */
#ifndef REPLAY_OOM_H
#define REPLAY_OOM_H

#include "vm.h"

enum oom_page { OOM_PAGE_NONE, OOM_PAGE_RESIDENT, OOM_PAGE_SWAPPED };

/** struct oom_view - who lives, and what becomes of their pages. */
struct oom_view {
    const struct vm *vm;
    /* of the entry @leaf, which refers to @contents */
    enum oom_page (*page_state)(const void *arg, const struct leaf *leaf, uint32_t contents);
    const void *arg;
    int64_t total_pages; /* RAM and swap: what oom_score_adj is a thousandth of */
};

/**
 * oom_pick - the process to kill, with its numbers in @kill (at_access is the caller's).
 * Returns its index, UINT32_MAX when nobody may be killed. Cost: O(pages mapped).
 */
uint32_t oom_pick(const struct oom_view *view, struct fl_oom_kill *kill);

/**
 * oom_candidates - all living processes by their badness, worst first; those that may not be killed
 * are marked. malloc'ed into *@out, *@n of them. FL_ENOMEM. Cost: O(pages mapped).
 */
int oom_candidates(const struct oom_view *view, struct fl_oom_candidate **out, size_t *n);

#endif
