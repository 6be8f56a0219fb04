/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spreads and errors. */
#include <stdlib.h>

#include "validate.h"

const char *validate_count_name(enum validate_count c)
{
    static const char *const names[V_COUNT] = { "minor", "major", "swap_in", "swap_out", "oom" };
    return names[c];
}

uint64_t validate_sample(const struct fl_run *run, enum validate_count c)
{
    switch (c) {
    case V_MINOR: return run->minor;
    case V_MAJOR: return run->major;
    case V_SWAP_IN: return fl_vm_swap_in(fl_run_swap(run));
    case V_SWAP_OUT: return fl_vm_swap_out(fl_run_swap(run));
    case V_OOM: return run->oom_kills;
    default: return 0;
    }
}

static uint64_t nth(const struct validate_point *p, enum validate_count c, unsigned rank)
{
    /* Few runs: the one with as many below it as asked, ties by position. */
    for (unsigned i = 0; i < p->n_runs; i++) {
        uint64_t x = validate_sample(&p->runs[i], c);
        unsigned below = 0;
        for (unsigned j = 0; j < p->n_runs; j++) {
            uint64_t y = validate_sample(&p->runs[j], c);
            below += y < x || (y == x && j < i);
        }
        if (below == rank)
            return x;
    }
    return 0;
}

struct validate_spread validate_spread(const struct validate_point *p, enum validate_count c)
{
    if (p->n_runs == 0)
        return (struct validate_spread){ 0 };
    uint64_t low = nth(p, c, (p->n_runs - 1) / 2), high = nth(p, c, p->n_runs / 2);
    return (struct validate_spread){ .min = nth(p, c, 0),
                                     .median = low + (high - low) / 2,
                                     .max = nth(p, c, p->n_runs - 1) };
}

bool validate_error(uint64_t predicted, uint64_t measured, double *percent)
{
    *percent = 0;
    if (measured == 0)
        return predicted == 0;
    double bp = ((double)predicted - (double)measured) / (double)measured * 10000.0;
    *percent = (bp < 1e15 ? (double)(int64_t)(bp + (bp < 0 ? -0.5 : 0.5)) : bp) / 100.0;
    return true;
}
