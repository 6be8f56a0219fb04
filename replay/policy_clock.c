/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Second chance: one reference bit a frame, and a hand that goes round. */
#include <string.h>

#include "policies.h"
#include "policy_frames.h"

struct clock {
    struct frames frames;
    uint64_t *touched; /* the bits, by frame */
    uint32_t room;     /* frames that it has room for */
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
    struct clock *clock = self;
    if (!grow(&clock->touched, frames / 64)) /* grow_room() gives multiples of it */
        return false;
    memset(clock->touched + clock->room / 64, 0, (frames - clock->room) / 8);
    clock->room = frames;
    return true;
}

static inline void clock_touched(void *self, struct frames *f, uint32_t frame, uint64_t next_use)
{
    struct clock *clock = self;
    (void)f;
    (void)next_use;
    clock->touched[frame / 64] |= UINT64_C(1) << frame % 64;
}

/* The hand, a frame's bit, carries through the ones, which become 0, to the first 0 of its word,
   which is the victim's. */
static inline uint32_t clock_victim(void *self, struct frames *f)
{
    struct clock *clock = self;
    for (;;) {
        uint32_t at = clock->hand / 64;
        uint64_t *word = &clock->touched[at], old = *word;
        uint64_t now = old + (UINT64_C(1) << clock->hand % 64), victim = now & ~old;
        if (victim) {
            uint32_t frame = 64 * at + (uint32_t)__builtin_ctzll(victim);
            if (__builtin_expect(frame < f->begun, 1)) {
                *word = now ^ victim;
                clock->hand = frame + 1 == f->begun ? 0 : frame + 1;
                return frame;
            }
        }
        *word = now & ~victim;
        clock->hand = 64 * at + 64 >= f->begun ? 0 : 64 * at + 64;
    }
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
    if (clock) {
        frames_drop(&clock->frames);
        free(clock->touched);
    }
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
