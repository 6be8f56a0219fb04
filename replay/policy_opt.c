/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Belady's optimum: the page whose next use is farthest ahead goes. Needs the future. */
#include <stdlib.h>

#include "policies.h"

/*
 * A binary heap of frames, the best victim on top. A touch only notes the new next
 * use: the frame's old key was this very moment, so it was no candidate anyway, and
 * however often it is touched it is put in its place once, before the next victim.
 */
struct opt {
    uint64_t *key;      /* by frame: next use, as the heap is ordered */
    uint64_t *next_use; /* by frame: the same, noted since */
    uint32_t *heap;     /* frames */
    uint32_t *place;    /* by frame: index in heap */
    uint32_t n;
    uint32_t *noted; /* frames whose key is old */
    uint8_t *is_noted;
    uint32_t n_noted;
};

static void opt_fini(void *self)
{
    struct opt *o = self;
    if (!o)
        return;
    free(o->key);
    free(o->next_use);
    free(o->heap);
    free(o->place);
    free(o->noted);
    free(o->is_noted);
    free(o);
}

static int opt_init(void **self, uint32_t nframes, uint64_t seed, struct fl_err *err)
{
    struct opt *o = calloc(1, sizeof *o);
    (void)seed;
    if (o) {
        o->key = calloc(nframes, sizeof *o->key);
        o->next_use = calloc(nframes, sizeof *o->next_use);
        o->heap = calloc(nframes, sizeof *o->heap);
        o->place = calloc(nframes, sizeof *o->place);
        o->noted = calloc(nframes, sizeof *o->noted);
        o->is_noted = calloc(nframes, sizeof *o->is_noted);
    }
    if (!o || !o->key || !o->next_use || !o->heap || !o->place || !o->noted || !o->is_noted) {
        opt_fini(o);
        return fl_nomem(err, "opt");
    }
    *self = o;
    return FL_OK;
}

/* Is @a a better victim than @b? Ties happen only between pages never used again. */
static bool goes_before(const struct opt *o, uint32_t a, uint32_t b)
{
    if (o->key[a] != o->key[b])
        return o->key[a] > o->key[b];
    return a < b;
}

static void put(struct opt *o, uint32_t at, uint32_t frame)
{
    o->heap[at] = frame;
    o->place[frame] = at;
}

static void sift_up(struct opt *o, uint32_t at)
{
    uint32_t frame = o->heap[at];
    while (at > 0 && goes_before(o, frame, o->heap[(at - 1) / 2])) {
        put(o, at, o->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(o, at, frame);
}

static void sift_down(struct opt *o, uint32_t at)
{
    uint32_t frame = o->heap[at];
    for (uint64_t child; (child = 2 * (uint64_t)at + 1) < o->n; at = (uint32_t)child) {
        if (child + 1 < o->n && goes_before(o, o->heap[child + 1], o->heap[child]))
            child++;
        if (!goes_before(o, o->heap[child], frame))
            break;
        put(o, at, o->heap[child]);
    }
    put(o, at, frame);
}

static void opt_inserted(void *self, uint32_t frame, uint32_t page, uint64_t next_use)
{
    struct opt *o = self;
    (void)page;
    o->key[frame] = next_use;
    put(o, o->n++, frame);
    sift_up(o, o->place[frame]);
}

static void opt_touched(void *self, uint32_t frame, uint64_t next_use)
{
    struct opt *o = self;
    o->next_use[frame] = next_use;
    if (o->is_noted[frame])
        return;
    o->is_noted[frame] = 1;
    o->noted[o->n_noted++] = frame;
}

static void settle(struct opt *o)
{
    while (o->n_noted) {
        uint32_t frame = o->noted[--o->n_noted];
        o->is_noted[frame] = 0;
        o->key[frame] = o->next_use[frame];
        sift_up(o, o->place[frame]);
        sift_down(o, o->place[frame]); /* only after an OOM kill can it be sooner than before */
    }
}

static uint32_t opt_victim(void *self)
{
    struct opt *o = self;
    settle(o);
    return o->heap[0];
}

static void opt_removed(void *self, uint32_t frame)
{
    struct opt *o = self;
    settle(o);
    uint32_t at = o->place[frame], last = o->heap[--o->n];
    if (last == frame)
        return;
    put(o, at, last);
    sift_up(o, at);
    sift_down(o, o->place[last]);
}

static bool opt_check(const void *self)
{
    const struct opt *o = self;
    for (uint32_t i = 0; i < o->n_noted; i++)
        if (!o->is_noted[o->noted[i]])
            return false;
    for (uint32_t i = 0; i < o->n; i++)
        if (o->place[o->heap[i]] != i || (i && goes_before(o, o->heap[i], o->heap[(i - 1) / 2])))
            return false;
    return true;
}

const struct fl_policy_ops fl_policy_opt = {
    .name = "opt",
    .summary = "the page next used farthest in the future goes: no policy faults less",
    .source = "Belady: A study of replacement algorithms for a virtual-storage computer, "
              "IBM Systems Journal 5(2), 1966",
    .needs = FL_NEEDS_FUTURE,
    .last_touch_counts = true,
    .ends_count = true,
    .init = opt_init,
    .inserted = opt_inserted,
    .touched = opt_touched,
    .victim = opt_victim,
    .removed = opt_removed,
    .check = opt_check,
    .fini = opt_fini,
};
