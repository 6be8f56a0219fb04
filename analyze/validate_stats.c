/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outcomes, spreads and errors. */
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

/* ---- outcomes ------------------------------------------------------------------------- */

unsigned validate_killed(const struct validate_point *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->n_runs; i++)
        n += p->runs[i].oom_kills > 0;
    return n;
}

unsigned validate_foretold(const struct validate_point *p, size_t i)
{
    const struct validate_prediction *from = &p->predicted[i];
    unsigned n = 0;
    for (unsigned k = 0; k < from->n; k++)
        n += from->answers[k].count[V_OOM] > 0;
    return n;
}

static bool ends_killed(const struct validate_point *p)
{
    return 2 * validate_killed(p) > p->n_runs;
}

bool validate_agrees(const struct validate_point *p, size_t i)
{
    return ends_killed(p) == (2 * validate_foretold(p, i) > p->predicted[i].n);
}

bool validate_comparable(const struct validate_point *p, size_t i)
{
    unsigned killed = validate_foretold(p, i);
    return p->n_runs && (ends_killed(p) ? killed : p->predicted[i].n - killed) > 0;
}

/* ---- spreads ---------------------------------------------------------------------------- */

/* Samples from either side, by number; false: not one of those that count. */
struct samples {
    const struct validate_point *point;
    const struct validate_prediction *prediction; /* NULL: the kernel's */
    enum validate_count c;
    bool all, killed; /* of all outcomes, else only of this one */
};

static bool sample_at(const struct samples *s, unsigned i, uint64_t *x)
{
    uint64_t kills;
    if (s->prediction) {
        *x = s->prediction->answers[i].count[s->c];
        kills = s->prediction->answers[i].count[V_OOM];
    } else {
        *x = validate_sample(&s->point->runs[i], s->c);
        kills = s->point->runs[i].oom_kills;
    }
    return s->all || (kills > 0) == s->killed;
}

/* Few runs: the one with as many below it as asked, ties by position. */
static uint64_t nth(const struct samples *s, unsigned n, unsigned rank)
{
    uint64_t x, y;
    for (unsigned i = 0; i < n; i++) {
        unsigned below = 0;
        if (!sample_at(s, i, &x))
            continue;
        for (unsigned j = 0; j < n; j++)
            below += sample_at(s, j, &y) && (y < x || (y == x && j < i));
        if (below == rank)
            return x;
    }
    return 0;
}

static struct validate_spread spread(const struct samples *s)
{
    unsigned n = s->prediction ? s->prediction->n : s->point->n_runs, counted = 0;
    uint64_t x;
    for (unsigned i = 0; i < n; i++)
        counted += sample_at(s, i, &x);
    if (counted == 0)
        return (struct validate_spread){ 0 };
    uint64_t low = nth(s, n, (counted - 1) / 2), high = nth(s, n, counted / 2);
    return (struct validate_spread){ .min = nth(s, n, 0),
                                     .median = low + (high - low) / 2,
                                     .max = nth(s, n, counted - 1),
                                     .n = counted };
}

struct validate_spread validate_spread(const struct validate_point *p, enum validate_count c)
{
    return spread(
        &(struct samples){ .point = p, .c = c, .all = c == V_OOM, .killed = ends_killed(p) });
}

struct validate_spread validate_predicted(const struct validate_point *p, size_t i,
                                          enum validate_count c)
{
    return spread(&(struct samples){ .point = p,
                                     .prediction = &p->predicted[i],
                                     .c = c,
                                     .all = c == V_OOM || !validate_comparable(p, i),
                                     .killed = ends_killed(p) });
}

/* ---- errors --------------------------------------------------------------------------------- */

bool validate_percent(uint64_t predicted, uint64_t measured, double *percent)
{
    *percent = 0;
    if (measured == 0)
        return predicted == 0;
    double bp = ((double)predicted - (double)measured) / (double)measured * 10000.0;
    *percent = (bp < 1e15 ? (double)(int64_t)(bp + (bp < 0 ? -0.5 : 0.5)) : bp) / 100.0;
    return true;
}

bool validate_error(const struct validate_point *p, size_t i, enum validate_count c,
                    double *percent)
{
    *percent = 0;
    if (c == V_OOM)
        return p->n_runs && validate_agrees(p, i);
    return validate_comparable(p, i) && validate_percent(validate_predicted(p, i, c).median,
                                                         validate_spread(p, c).median, percent);
}

bool validate_in_range(const struct validate_point *p, size_t i, enum validate_count c)
{
    struct validate_spread kernel = validate_spread(p, c), model = validate_predicted(p, i, c);
    if (c != V_OOM && !validate_comparable(p, i))
        return false;
    return kernel.n && model.median >= kernel.min && model.median <= kernel.max;
}
