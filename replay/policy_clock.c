/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Second chance: one reference bit a frame, and a hand that goes round. */
#include "policies.h"
#include "policy_frames.h"

struct clock {
    struct frames frames;
    uint32_t hand;
};

static int clock_init(struct paging *p, uint64_t seed, struct fl_err *err)
{
    (void)seed;
    frames_init(p);
    p->policy = calloc(1, sizeof(struct clock));
    return p->policy ? FL_OK : fl_nomem(err, "clock");
}

static inline bool clock_room(void *self, uint32_t frames)
{
    (void)self;
    return frames != 0;
}

static inline void clock_touched(void *self, struct frames *f, uint32_t frame, uint64_t next_use)
{
    (void)self;
    (void)next_use;
    f->kept[frame] |= KEPT_TOUCHED;
}

static inline uint32_t clock_victim(void *self, struct frames *f)
{
    struct clock *clock = self;
    uint32_t hand = clock->hand;
    while (f->kept[hand] & KEPT_TOUCHED) {
        f->kept[hand] &= (uint8_t)~KEPT_TOUCHED;
        hand = hand + 1 == f->begun ? 0 : hand + 1;
    }
    clock->hand = hand + 1 == f->begun ? 0 : hand + 1;
    return hand;
}

static const struct frames_rule rule = {
    .room = clock_room, .inserted = clock_touched, .touched = clock_touched, .victim = clock_victim
};

static uint32_t clock_batch(struct paging *p, const struct paging_refs *refs)
{
    struct clock *clock = p->policy;
    return frames_batch(p, refs, &clock->frames, clock, &rule);
}

static void clock_forget(struct paging *p, uint32_t c, uint32_t place)
{
    struct clock *clock = p->policy;
    (void)c;
    frames_free(p, &clock->frames, place - FRAME_FIRST);
}

static bool clock_check(const struct paging *p)
{
    const struct clock *clock = p->policy;
    return frames_check(p, &clock->frames) && clock->hand <= clock->frames.begun;
}

static void clock_fini(struct paging *p)
{
    struct clock *clock = p->policy;
    if (clock)
        frames_drop(&clock->frames);
    free(clock);
}

static const struct paging_ops paging = {
    .init = clock_init,
    .batch = clock_batch,
    .forget = clock_forget,
    .check = clock_check,
    .fini = clock_fini,
};

const struct fl_policy_ops fl_policy_clock = {
    .name = "clock",
    .summary = "a hand goes round; a page used since its last visit gets a second chance",
    .source = "Corbato: A paging experiment with the Multics system, MIT Project MAC, 1968",
    .last_touch_counts = true,
    .paging = &paging,
};
