/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Belady's optimum: the page whose next use is farthest ahead goes. Needs the future. */
#include <string.h>

#include "policies.h"
#include "policy_frames.h"

/*
 * Only pages used next at or after a threshold are in a heap, the best victim on top; the others
 * wait without an order, as most do until they are touched, which is when they are no candidates.
 * When the heap has no page left, or too many, a new threshold is chosen and it is made anew. An
 * entry is not taken out when its page is touched: it is void, as it is not the page's next use
 * any more. No two pages have the same one.
 */
struct entry {
    uint64_t next_use;
    uint32_t frame;
};

struct opt {
    struct frames frames;
    uint64_t *next_use; /* by frame */
    struct entry *heap;
    uint32_t n, most, room; /* entries now, those it is made anew at; frames it has room for */
    uint64_t threshold;
};

#define NO_USE 0   /* of a free frame: no page's next use */
#define SAMPLE 64u /* next uses that a threshold is chosen by */

static int opt_init(struct paging *p, uint64_t seed, struct fl_err *err)
{
    (void)seed;
    frames_init(p);
    p->policy = calloc(1, sizeof(struct opt));
    return p->policy ? FL_OK : fl_nomem(err, "opt");
}

static void opt_fini(struct paging *p)
{
    struct opt *o = p->policy;
    if (!o)
        return;
    frames_drop(&o->frames);
    free(o->next_use);
    free(o->heap);
    free(o);
}

static bool opt_room(void *self, uint32_t frames)
{
    struct opt *o = self;
    if (!grow(&o->next_use, frames) || !grow(&o->heap, 2 * (size_t)frames))
        return false;
    memset(o->next_use + o->room, 0, (frames - o->room) * sizeof *o->next_use);
    o->room = frames;
    return true;
}

/* ---- the heap ------------------------------------------------------------------------- */

/* Is @a a better victim than @b? */
static inline bool goes_before(struct entry a, struct entry b)
{
    return a.next_use != b.next_use ? a.next_use > b.next_use : a.frame < b.frame;
}

static inline void sift_up(struct entry *heap, uint32_t at, struct entry e)
{
    for (; at > 0 && goes_before(e, heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = e;
}

static inline void sift_down(struct entry *heap, uint32_t n, uint32_t at, struct entry e)
{
    for (uint64_t child; (child = 2 * (uint64_t)at + 1) < n; at = (uint32_t)child) {
        child += child + 1 < n && goes_before(heap[child + 1], heap[child]);
        if (!goes_before(heap[child], e))
            break;
        heap[at] = heap[child];
    }
    heap[at] = e;
}

static inline void pop(struct opt *o)
{
    struct entry last = o->heap[--o->n];
    sift_down(o->heap, o->n, 0, last);
}

static bool is_candidate(const struct opt *o, const struct frames *f, uint32_t frame,
                         uint64_t threshold)
{
    return f->kept[frame] && o->next_use[frame] >= threshold;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* About one page in thirty-two is used next at or after it. */
static uint64_t choose_threshold(const struct opt *o, const struct frames *f)
{
    uint64_t sample[SAMPLE];
    uint32_t n = 0, step = f->begun / SAMPLE;
    if (!step)
        return 0;
    for (uint32_t frame = 0; frame < f->begun && n < SAMPLE; frame += step)
        if (is_candidate(o, f, frame, 0))
            sample[n++] = o->next_use[frame];
    qsort(sample, n, sizeof *sample, by_size);
    return n ? sample[n - n / 32 - 1] : 0;
}

static __attribute__((noinline)) void make_heap(struct opt *o, const struct frames *f)
{
    o->threshold = choose_threshold(o, f);
    o->n = 0;
    for (uint32_t frame = 0; frame < f->begun; frame++) {
        o->heap[o->n] = (struct entry){ o->next_use[frame], frame };
        o->n += is_candidate(o, f, frame, o->threshold);
    }
    for (uint32_t at = o->n / 2; at-- > 0;)
        sift_down(o->heap, o->n, at, o->heap[at]);
    o->most = o->n + f->begun / 8 + SAMPLE; /* less than two of each frame there is room for */
}

/* ---- what the paging stage tells -------------------------------------------------------- */

static inline void opt_touched(void *self, struct frames *f, uint32_t frame, uint64_t next_use)
{
    struct opt *o = self;
    o->next_use[frame] = next_use;
    if (next_use < o->threshold)
        return;
    if (o->n >= o->most)
        make_heap(o, f);
    else
        sift_up(o->heap, o->n++, (struct entry){ next_use, frame });
}

/* Most of the time in place of the victim, and as far ahead as that. */
static inline void opt_inserted(void *self, struct frames *f, uint32_t frame, uint64_t next_use)
{
    struct opt *o = self;
    bool on_top = o->n && o->heap[0].frame == frame && o->heap[0].next_use == o->next_use[frame];
    if (on_top && next_use >= o->threshold) {
        o->next_use[frame] = next_use;
        sift_down(o->heap, o->n, 0, (struct entry){ next_use, frame });
        return;
    }
    if (on_top)
        pop(o);
    opt_touched(o, f, frame, next_use);
}

static inline uint32_t opt_victim(void *self, struct frames *f)
{
    struct opt *o = self;
    for (;;) {
        while (o->n && o->heap[0].next_use != o->next_use[o->heap[0].frame])
            pop(o);
        if (o->n)
            return o->heap[0].frame;
        make_heap(o, f);
    }
}

static const struct frames_rule rule = {
    .room = opt_room, .inserted = opt_inserted, .touched = opt_touched, .victim = opt_victim
};

static uint32_t opt_batch(struct paging *p, const struct paging_refs *refs)
{
    struct opt *o = p->policy;
    return frames_batch(p, refs, &o->frames, o, &rule);
}

static void opt_forget(struct paging *p, uint32_t c, uint32_t place)
{
    struct opt *o = p->policy;
    uint32_t frame = place - FRAME_FIRST;
    (void)c;
    o->next_use[frame] = NO_USE; /* its entry, if it has one, is void */
    frames_free(p, &o->frames, frame);
}

/* Every page in memory waits, or is in the heap. */
static bool opt_check(const struct paging *p)
{
    const struct opt *o = p->policy;
    uint32_t candidates = 0, valid = 0;
    for (uint32_t at = 0; at < o->n; at++) {
        struct entry e = o->heap[at];
        valid += o->next_use[e.frame] == e.next_use && o->frames.kept[e.frame];
        if (at && goes_before(e, o->heap[(at - 1) / 2]))
            return false;
    }
    for (uint32_t frame = 0; frame < o->frames.begun; frame++)
        candidates += is_candidate(o, &o->frames, frame, o->threshold);
    return frames_check(p, &o->frames) && candidates == valid;
}

static const struct paging_ops paging = {
    .init = opt_init,
    .batch = opt_batch,
    .forget = opt_forget,
    .check = opt_check,
    .fini = opt_fini,
};

const struct fl_policy_ops fl_policy_opt = {
    .name = "opt",
    .summary = "the page next used farthest in the future goes: no policy faults less",
    .source = "Belady: A study of replacement algorithms for a virtual-storage computer, "
              "IBM Systems Journal 5(2), 1966",
    .needs = FL_NEEDS_FUTURE,
    .last_touch_counts = true,
    .ends_count = true,
    .paging = &paging,
};
