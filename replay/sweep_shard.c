/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which points are whose when several processes share a sweep. */
#include <stdlib.h>

#include "sweep.h"

/* Points that stay together: of one kind that is answered at once, or one alone. */
struct unit {
    uint32_t place; /* units of a trace are dealt in this order */
    enum sweep_kind whole;
    size_t point; /* the first; all of @whole, if that is answered at once, are its owner's */
    uint64_t cost;
};

static bool answered_at_once(enum sweep_kind kind)
{
    return kind == SWEEP_FUTURE || kind == SWEEP_CURVE;
}

static int by_place(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->point < y->point ? -1 : x->point > y->point;
}

/* Multiples of the golden ratio spread any stretch of units evenly over the sizes, of which the
   small ones take longer. */
static size_t units_of(const struct sweep_share *t, struct unit *units)
{
    bool seen[SWEEP_KINDS] = { false };
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        enum sweep_kind kind = sweep_kind_of(&t->points[i]);
        if (answered_at_once(kind) && seen[kind])
            continue;
        seen[kind] = true;
        units[n++] = (struct unit){ .place = answered_at_once(kind) ? 0 : (uint32_t)i * 2654435769u,
                                    .whole = kind,
                                    .point = i,
                                    .cost = sweep_cost(&t->points[i]) };
    }
    qsort(units, n, sizeof *units, by_place);
    return n;
}

static void give(struct sweep_share *t, const struct unit *unit, uint32_t owner)
{
    t->owner[unit->point] = owner;
    for (size_t i = unit->point; i < t->n && answered_at_once(unit->whole); i++)
        if (sweep_kind_of(&t->points[i]) == unit->whole)
            t->owner[i] = owner;
}

int sweep_share_out(struct sweep_share *traces, size_t n, unsigned shards, struct fl_err *err)
{
    unsigned __int128 all = 0, before = 0;
    size_t most = 0;
    for (size_t t = 0; t < n; t++)
        most = traces[t].n > most ? traces[t].n : most;
    struct unit *units = calloc(most + 1, sizeof *units);
    if (!units)
        return fl_nomem(err, "shards");
    for (size_t t = 0; t < n; t++)
        for (size_t k = units_of(&traces[t], units); k-- > 0;)
            all += (unsigned __int128)units[k].cost * traces[t].weight;
    for (size_t t = 0; t < n; t++) {
        size_t n_units = units_of(&traces[t], units);
        for (size_t k = 0; k < n_units; k++) {
            unsigned __int128 cost = (unsigned __int128)units[k].cost * traces[t].weight;
            /* whose stretch its middle lies in */
            give(&traces[t], &units[k], (uint32_t)((2 * before + cost) * shards / (2 * all)));
            before += cost;
        }
    }
    free(units);
    return FL_OK;
}
