/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any page goes; the same ones for the same seed. */
#include "policies.h"
#include "policy_frames.h"

struct lots {
    struct frames frames;
    uint64_t state;
};

static int random_init(struct paging *p, uint64_t seed, struct fl_err *err)
{
    struct lots *lots = calloc(1, sizeof *lots);
    frames_init(p);
    p->policy = lots;
    if (!lots)
        return fl_nomem(err, "random");
    lots->state = seed;
    return FL_OK;
}

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 */
static inline uint64_t next_lot(struct lots *lots)
{
    uint64_t z = lots->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline bool random_room(void *self, uint32_t frames)
{
    (void)self;
    return frames != 0;
}

static inline void random_touched(void *self, struct frames *f, uint32_t frame, uint64_t next_use)
{
    (void)self;
    (void)f;
    (void)frame;
    (void)next_use;
}

static inline uint32_t random_victim(void *self, struct frames *f)
{
    return (uint32_t)(next_lot(self) % f->begun); /* all have begun when one must go */
}

static const struct frames_rule rule = { .room = random_room,
                                         .inserted = random_touched,
                                         .touched = random_touched,
                                         .victim = random_victim };

static uint32_t random_batch(struct paging *p, const struct paging_refs *refs)
{
    struct lots *lots = p->policy;
    return frames_batch(p, refs, &lots->frames, lots, &rule);
}

static void random_forget(struct paging *p, uint32_t c, uint32_t place)
{
    struct lots *lots = p->policy;
    (void)c;
    frames_free(p, &lots->frames, place - FRAME_FIRST);
}

static bool random_check(const struct paging *p)
{
    const struct lots *lots = p->policy;
    return frames_check(p, &lots->frames);
}

static void random_fini(struct paging *p)
{
    struct lots *lots = p->policy;
    if (lots)
        frames_drop(&lots->frames);
    free(lots);
}

static const struct paging_ops paging = {
    .init = random_init,
    .batch = random_batch,
    .forget = random_forget,
    .check = random_check,
    .fini = random_fini,
};

const struct fl_policy_ops fl_policy_random = {
    .name = "random",
    .summary = "any page goes, all equally likely",
    .source = "SplitMix64 draws the frame",
    .last_touch_counts = true,
    .paging = &paging,
};
