/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "random_trace.h"

#define LATELY 12u
#define LONG_RUN \
    400000u /* accesses of one run, so that a row of the timeline has room for bursts */

/* The latest runs of one thread in one space, none while another has taken over. */
struct lately {
    struct naive_item run[LATELY];
    size_t n;
};

static void remember(struct lately *l, const struct naive_item *run)
{
    if (l->n > 0 && (l->run[0].thread != run->thread || l->run[0].mm != run->mm))
        l->n = 0;
    if (l->n < LATELY) {
        l->run[l->n++] = *run;
        return;
    }
    for (size_t i = 0; i + 1 < LATELY; i++)
        l->run[i] = l->run[i + 1];
    l->run[LATELY - 1] = *run;
}

static void burst(struct item_list *out, const struct lately *l, uint64_t *rng)
{
    size_t n = random_below(rng, 2) ? 16 + random_below(rng, 40) : random_below(rng, 300);
    for (size_t i = 0; i < n; i++) {
        struct naive_item run = l->run[random_below(rng, l->n)];
        run.actor = l->run[0].actor;
        run.reads += (uint32_t)random_below(rng, 3);
        if (run.actor == FL_ACTOR_KERNEL) {
            run.reads += run.fetches;
            run.fetches = 0;
        }
        item_list_run(out, &run);
    }
}

void random_bursts(uint64_t seed, struct item_list *list)
{
    uint64_t rng = seed * 31 + 7;
    struct item_list out = { 0 };
    struct lately lately = { .n = 0 };
    bool begun = false;
    for (size_t i = 0; i < list->n; i++) {
        const struct naive_item *item = &list->at[i];
        if (!item->is_run) {
            item_list_event(&out, &item->event);
            continue;
        }
        struct naive_item run = *item;
        if (!begun)
            run.reads += LONG_RUN;
        begun = true;
        item_list_run(&out, &run);
        remember(&lately, item);
        if (random_below(&rng, 4) == 0)
            burst(&out, &lately, &rng);
    }
    item_list_free(list);
    *list = out;
}
