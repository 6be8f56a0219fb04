/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Second chance: one reference bit a frame, and a hand that goes round. */
#include <stdlib.h>

#include "policies.h"

struct clock {
    uint8_t *referenced; /* by frame */
    uint32_t nframes, hand;
};

static int clock_init(void **self, uint32_t nframes, uint64_t seed, struct fl_err *err)
{
    struct clock *c = malloc(sizeof *c);
    (void)seed;
    if (c)
        *c = (struct clock){ .referenced = calloc(nframes, 1), .nframes = nframes };
    if (!c || !c->referenced) {
        free(c);
        return fl_nomem(err, "clock");
    }
    *self = c;
    return FL_OK;
}

static void clock_inserted(void *self, uint32_t frame, uint32_t page, uint64_t next_use)
{
    struct clock *c = self;
    (void)page;
    (void)next_use;
    c->referenced[frame] = 1;
}

static void clock_touched(void *self, uint32_t frame, uint64_t next_use)
{
    struct clock *c = self;
    (void)next_use;
    c->referenced[frame] = 1;
}

static uint32_t clock_victim(void *self)
{
    struct clock *c = self;
    for (;;) {
        uint32_t frame = c->hand;
        c->hand = frame + 1 == c->nframes ? 0 : frame + 1;
        if (!c->referenced[frame])
            return frame;
        c->referenced[frame] = 0;
    }
}

static void clock_removed(void *self, uint32_t frame)
{
    (void)self;
    (void)frame; /* whoever moves in sets the bit */
}

static bool clock_check(const void *self)
{
    const struct clock *c = self;
    return c->hand < c->nframes;
}

static void clock_fini(void *self)
{
    struct clock *c = self;
    if (c)
        free(c->referenced);
    free(c);
}

const struct fl_policy_ops fl_policy_clock = {
    .name = "clock",
    .summary = "a hand goes round; a page used since its last visit gets a second chance",
    .source = "Corbato: A paging experiment with the Multics system, MIT Project MAC, 1968",
    .last_touch_counts = true,
    .init = clock_init,
    .inserted = clock_inserted,
    .touched = clock_touched,
    .victim = clock_victim,
    .removed = clock_removed,
    .check = clock_check,
    .fini = clock_fini,
};
