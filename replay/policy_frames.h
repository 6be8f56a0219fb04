/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * policy_frames.h - clock, random, opt: policies to which a frame's number matters.
 *
 * A place is a frame's number and FRAME_FIRST. Which frame a page gets is docs/model.md's rule.
 */
#ifndef REPLAY_POLICY_FRAMES_H
#define REPLAY_POLICY_FRAMES_H

#include <stdlib.h>

#include "grow.h"
#include "paging_full.h"

#define FRAME_EVICTED 1u
#define FRAME_FIRST 2u

struct frames {
    uint8_t *kept;      /* by frame; 0: free */
    uint32_t *contents; /* by frame; with AT_FILE */
    uint32_t begun;     /* frames used at least once are 0 .. this - 1 */
    uint32_t room;
    uint32_t *free; /* freed ones, latest last; room for all */
    uint32_t n_free;
};

/* What a policy adds: each is told of a frame, and of the reference's next use. */
struct frames_rule {
    bool (*room)(void *self, uint32_t frames);
    void (*inserted)(void *self, struct frames *f, uint32_t frame, uint64_t next_use);
    void (*touched)(void *self, struct frames *f, uint32_t frame, uint64_t next_use);
    uint32_t (*victim)(void *self, struct frames *f); /* pre: none is free */
};

static inline void frames_init(struct paging *p)
{
    p->resident_from = FRAME_FIRST;
}

static inline void frames_drop(struct frames *f)
{
    free(f->kept);
    free(f->contents);
    free(f->free);
}

/* Room for @n frames more. */
static inline bool frames_room(struct frames *f, uint32_t n, const struct frames_rule *rule,
                               void *self)
{
    if (f->begun + n <= f->room)
        return true;
    uint32_t room = grow_room_for(f->room, (uint64_t)f->begun + n);
    if (!room || !grow(&f->kept, room) || !grow(&f->contents, room) || !grow(&f->free, room) ||
        !rule->room(self, room))
        return false;
    f->room = room;
    return true;
}

static inline void frames_free(struct paging *p, struct frames *f, uint32_t frame)
{
    p->counts.slots -= (f->kept[frame] & KEPT_SLOT) != 0;
    p->counts.resident--;
    f->kept[frame] = 0;
    f->free[f->n_free++] = frame;
}

/* References up to one that needs a frame while memory is not full, or whose contents never had one;
   returns how many. */
static inline __attribute__((always_inline)) uint32_t frames_full(struct paging *p,
                                                                  const struct paging_refs *refs,
                                                                  struct tally *t,
                                                                  struct frames *frames, void *self,
                                                                  const struct frames_rule *rule)
{
    const struct paging_refs r = *refs;
    struct full f = full_begin(t);
    bool tells = p->tells, full = p->counts.resident == p->nframes;
    uint32_t *at = p->at, *in = frames->contents, i;
    uint8_t *kept = frames->kept;
    for (i = 0; i < r.n; i++) {
        uint32_t c = r.contents[i], had = at[c], frame = (had & AT_PLACE) - FRAME_FIRST;
        uint64_t next_use = r.next_use ? r.next_use[i] : 0;
        uint8_t write = r.info[i];
        if ((had & AT_PLACE) >= FRAME_FIRST) {
            kept[frame] = full_ref(&f, kept[frame], write);
            rule->touched(self, frames, frame, next_use);
            continue;
        }
        if (__builtin_expect(had == AT_NEW || !full, 0))
            break;
        frame = rule->victim(self, frames);
        uint32_t evicted = in[frame], file = had & AT_FILE;
        full_goes(&f, kept[frame]);
        kept[frame] = full_ref(&f, full_comes(p, &f, tells, i, had, evicted & AT_PLACE), write);
        at[evicted & AT_PLACE] = (evicted & AT_FILE) | FRAME_EVICTED;
        at[c] = file | (frame + FRAME_FIRST);
        in[frame] = file | c;
        rule->inserted(self, frames, frame, next_use);
    }
    full_end(&f, t);
    return i;
}

/* The loop of a policy, whose @rule the compiler knows. @f: its frames, in @self. */
static inline __attribute__((always_inline)) uint32_t frames_batch(struct paging *p,
                                                                   const struct paging_refs *refs,
                                                                   struct frames *frames,
                                                                   void *self,
                                                                   const struct frames_rule *rule)
{
    p->no_memory = !frames_room(frames, refs->n, rule, self);
    p->n_faulted = 0;
    if (p->no_memory)
        return 0;
    struct frames f = *frames;
    struct tally t = tally_begin(p);
    const struct paging_refs r = *refs;
    uint32_t nframes = p->nframes, *at = p->at, i = 0;
    if (full_suits(p, refs))
        i = frames_full(p, refs, &t, &f, self, rule);
    for (; i < r.n; i++) {
        uint32_t c = r.contents[i], frame = (at[c] & AT_PLACE) - FRAME_FIRST;
        uint32_t evicted = NO_CONTENTS;
        uint64_t next_use = r.next_use ? r.next_use[i] : 0;
        uint8_t info = r.info[i];
        if ((at[c] & AT_PLACE) >= FRAME_FIRST) {
            f.kept[frame] = kept_ref(&t, f.kept[frame], info);
            rule->touched(self, &f, frame, next_use);
            if (__builtin_expect(info > REF_WRITE, 0))
                fault_in_place(p, &t, i, info);
            continue;
        }
        if (f.begun < nframes) {
            frame = f.begun++;
            tally_resident(&t);
        } else if (__builtin_expect(f.n_free != 0, 0)) {
            frame = f.free[--f.n_free];
            tally_resident(&t);
        } else {
            frame = rule->victim(self, &f);
            if (!kept_evict(&t, f.kept[frame]))
                break;
            evicted = f.contents[frame] & AT_PLACE;
            at[evicted] = kept_at(f.kept[frame], FRAME_EVICTED);
        }
        f.kept[frame] = kept_ref(&t, kept_new(p, &t, &r, i, at[c], evicted), info);
        f.contents[frame] = kept_at(f.kept[frame], c);
        at[c] = kept_at(f.kept[frame], frame + FRAME_FIRST);
        rule->inserted(self, &f, frame, next_use);
    }
    tally_end(p, &t);
    *frames = f;
    return i;
}

static inline bool frames_check(const struct paging *p, const struct frames *f)
{
    uint64_t pages = 0;
    for (uint32_t frame = 0; frame < f->begun; frame++) {
        pages += f->kept[frame] != 0;
        if (f->kept[frame] &&
            p->at[f->contents[frame] & AT_PLACE] != kept_at(f->kept[frame], frame + FRAME_FIRST))
            return false;
    }
    return pages == p->counts.resident && pages + f->n_free == f->begun;
}

#endif
