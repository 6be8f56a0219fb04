/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any page goes; the same ones for the same seed. */
#include <stdlib.h>

#include "policies.h"

struct lots {
    uint64_t state;
    uint32_t nframes;
};

static int random_init(void **self, uint32_t nframes, uint64_t seed, struct fl_err *err)
{
    struct lots *lots = malloc(sizeof *lots);
    if (!lots)
        return fl_nomem(err, "random");
    *lots = (struct lots){ .state = seed, .nframes = nframes };
    *self = lots;
    return FL_OK;
}

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 */
static uint64_t next_lot(struct lots *lots)
{
    uint64_t z = lots->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void random_inserted(void *self, uint32_t frame, uint32_t page, uint64_t next_use)
{
    (void)self;
    (void)frame;
    (void)page;
    (void)next_use;
}

static uint32_t random_victim(void *self)
{
    struct lots *lots = self;
    return (uint32_t)(next_lot(lots) % lots->nframes);
}

static void random_removed(void *self, uint32_t frame)
{
    (void)self;
    (void)frame;
}

static bool random_check(const void *self)
{
    (void)self;
    return true; /* a seed and a size: nothing can contradict itself */
}

const struct fl_policy_ops fl_policy_random = {
    .name = "random",
    .summary = "any page goes, all equally likely",
    .source = "SplitMix64 draws the frame",
    .last_touch_counts = true,
    .init = random_init,
    .inserted = random_inserted,
    .victim = random_victim,
    .removed = random_removed,
    .check = random_check,
    .fini = free,
};
