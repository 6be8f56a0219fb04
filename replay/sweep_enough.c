/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sweep_enough.h"

/* So many sizes of one kind pay for the pass more that the largest of them takes. */
#define MANY 4u

static bool same_but_for_size(const struct fl_sweep_point *a, const struct fl_sweep_point *b)
{
    return a->policy == b->policy && a->swap_pages == b->swap_pages && a->kernel == b->kernel &&
           a->seed == b->seed && a->machine == b->machine;
}

/* Is @i one of many, and not the first of the largest of them? */
static bool waits(struct fl_sweep_point *const *points, size_t n, size_t i)
{
    const struct fl_sweep_point *p = points[i];
    size_t many = 0;
    bool larger = false;
    for (size_t j = 0; j < n; j++) {
        if (!same_but_for_size(points[j], p))
            continue;
        many++;
        larger |= points[j]->frames > p->frames || (points[j]->frames == p->frames && j < i);
    }
    return p->policy->needs & FL_IS_KERNEL && many >= MANY && larger;
}

static void swap(struct fl_sweep_point **a, struct fl_sweep_point **b)
{
    struct fl_sweep_point *p = *a;
    *a = *b;
    *b = p;
}

size_t sweep_largest_first(struct fl_sweep_point **points, size_t n)
{
    size_t n_first = 0;
    for (size_t i = 0; i < n; i++)
        if (!waits(points, n, i))
            swap(&points[n_first++], &points[i]);
    return n_first;
}

/* The first one that @p waits for; @n: there is none. */
static size_t largest_of(struct fl_sweep_point *const *points, size_t n,
                         const struct fl_sweep_point *p)
{
    size_t i = 0;
    while (i < n && !same_but_for_size(points[i], p))
        i++;
    return i;
}

size_t sweep_answer_enough(struct fl_sweep_point **points, size_t n_first, size_t n,
                           const uint64_t *wanted)
{
    size_t n_left = 0;
    for (size_t i = n_first; i < n; i++) {
        struct fl_sweep_point *p = points[i];
        size_t at = largest_of(points, n_first, p);
        if (at == n_first || points[at]->rc != FL_OK || p->frames < wanted[at]) {
            swap(&points[n_first + n_left++], &points[i]);
            continue;
        }
        uint32_t frames = p->frames;
        *p = *points[at];
        p->frames = frames;
    }
    return n_left;
}
