/* SPDX-License-Identifier: GPL-2.0-or-later */
/** advise_work.h - an advice in the making: advise_probe.c replays, advise_model.c decides what. */
#ifndef ADVISE_WORK_H
#define ADVISE_WORK_H

#include <faultline/lru_timeline.h>

#include <faultline/lru_timeline.h>

#include "advise.h"

enum {
    ADVISE_THREADS_MAX = 16,
    ADVISE_SEARCHES = ADVISE_ROWS + 1, /* one a row of those searched for, and the tight one */
    ADVISE_TIGHT = ADVISE_ROWS,
    ADVISE_JOBS_MAX = 2 * ADVISE_SEARCHES,
    ADVISE_GUESS_SIZES = 256,
};

struct advise_asking {
    bool on;
    uint64_t budget_bp, swap_pages;
    struct advise_search search;
};

struct advise_work {
    struct advise *a;
    struct advise_asking of[ADVISE_SEARCHES];
    struct fl_reader *readers[ADVISE_THREADS_MAX]; /* each thread's, opened when it first works */
    size_t n_report; /* the curve's first sizes are a report's, so that knee and cliff are, too */
    struct fl_sweep_point curve[FL_CURVE_SIZES + ADVISE_GUESS_SIZES];
    size_t n_curve;
    struct fl_result *base; /* the replay without limit */
    uint64_t jobs_done;
    struct fl_err *err;
};

/** advise_begin_replays - the replay without limit into @w->base, and @w->curve answered. */
int advise_begin_replays(struct advise_work *w);
/** advise_ask - answer all of @want, at most ADVISE_JOBS_MAX, by replays where none was made before. */
int advise_ask(struct advise_work *w, struct advise_probe *want, size_t n);
/** advise_question - as @want of it. */
struct advise_probe advise_question(const struct advise *a, uint64_t ram_pages,
                                    uint64_t swap_pages);
/** advise_holds - is @p within the budget, with nobody killed? */
bool advise_holds(const struct advise_probe *p, uint64_t budget_bp);
/** advise_end_replays - free what they needed. */
void advise_end_replays(struct advise_work *w);

#endif
