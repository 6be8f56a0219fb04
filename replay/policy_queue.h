/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * policy_queue.h - lru and fifo: pages in a queue, of which the oldest goes.
 *
 * The queue is a ring of places, numbered on and on. A page joins at the tail; lru moves it there
 * again at each touch, and its old place stays empty. The victim is the first place from the head
 * on that is not empty: eight places at a time. Nothing is linked, and what was evicted is not
 * told: its place is behind the head. When the ring is full, the pages of the queue join it anew,
 * in their order; a ring less than a quarter full of pages does so once in a lap at most.
 */
#ifndef REPLAY_POLICY_QUEUE_H
#define REPLAY_POLICY_QUEUE_H

#include <stdlib.h>
#include <string.h>

#include "paging_full.h"

#define QUEUE_PLACES_MIN (4u * PAGING_BATCH)
#define QUEUE_FIRST 1u

struct queue {
    uint8_t *kept;      /* by place: KEPT_*; 0: empty */
    uint32_t *contents; /* by place */
    uint32_t mask;      /* places in the ring, less one; of the numbers, those that are places */
    uint32_t head, tail;
};

static inline bool queue_places(struct queue *q, uint32_t places)
{
    q->kept = calloc(places, 1);
    q->contents = malloc(places * sizeof *q->contents);
    q->mask = places - 1;
    return q->kept && q->contents;
}

static inline void queue_drop(struct queue *q)
{
    free(q->kept);
    free(q->contents);
}

static inline int queue_init(struct paging *p, uint64_t seed, struct fl_err *err)
{
    struct queue *q = calloc(1, sizeof *q);
    (void)seed;
    p->policy = q;
    if (!q || !queue_places(q, QUEUE_PLACES_MIN))
        return fl_nomem(err, "frames");
    q->head = q->tail = p->resident_from = QUEUE_FIRST;
    p->places_end = AT_PLACE;
    return FL_OK;
}

static inline void queue_fini(struct paging *p)
{
    if (p->policy)
        queue_drop(p->policy);
    free(p->policy);
}

/* The queue's pages go from @from to places from the tail of @to on, which may be the same ring:
   then each goes to where it was, or to a place before that. */
static inline void queue_rejoin(struct paging *p, const struct queue *from, struct queue *to)
{
    uint32_t head = to->tail;
    for (uint32_t place = from->head; place != from->tail; place++) {
        uint8_t kept = from->kept[place & from->mask];
        if (!kept)
            continue;
        uint32_t c = from->contents[place & from->mask];
        to->kept[to->tail & to->mask] = kept;
        to->contents[to->tail & to->mask] = c;
        p->at[c] = kept_at(kept, to->tail++);
    }
    p->resident_from = to->head = head;
}

/* All that was evicted gets the first place, and the queue begins behind it. */
static inline void queue_number_anew(struct paging *p, struct queue *to)
{
    for (uint32_t c = 0; c < p->room; c++)
        if (paging_was_evicted(p, c))
            p->at[c] = (p->at[c] & AT_FILE) | QUEUE_FIRST;
    to->tail = QUEUE_FIRST + 1;
}

/* Room for @n more places. */
static inline bool queue_room(struct paging *p, struct queue *q, uint32_t n)
{
    uint64_t pages = p->counts.resident;
    uint32_t places = q->mask + 1;
    bool anew = q->tail + pages + n >= p->places_end;
    if (q->tail - q->head + n <= places && !anew)
        return true;
    while (places / 4 < pages && places < UINT32_C(1) << 30)
        places *= 2;
    if (places - pages < n)
        return false;
    struct queue to = *q;
    if ((places > q->mask + 1 || anew) && !queue_places(&to, places)) {
        queue_drop(&to);
        return false;
    }
    if (anew)
        queue_number_anew(p, &to);
    queue_rejoin(p, q, &to);
    if (to.kept != q->kept)
        queue_drop(q);
    *q = to;
    return true;
}

/* The first place that is not empty. pre: there is one. */
static inline uint32_t queue_oldest(const struct queue *q)
{
    uint32_t place = q->head;
    uint64_t eight;
    memcpy(&eight, &q->kept[place & q->mask & ~7u], sizeof eight);
    eight &= UINT64_MAX << 8 * (place & 7);
    for (place &= ~7u; !eight; memcpy(&eight, &q->kept[place & q->mask], sizeof eight))
        place += 8;
    return place + (uint32_t)__builtin_ctzll(eight) / 8;
}

/* References up to one that needs a frame while memory is not full, or whose contents never had one;
   returns how many. fifo: pre: no place of the queue is empty. */
static inline __attribute__((always_inline)) uint32_t queue_full(struct paging *p,
                                                                 struct queue *queue,
                                                                 struct tally *t,
                                                                 const struct paging_refs *refs,
                                                                 bool touches)
{
    const struct paging_refs r = *refs;
    struct queue q = *queue;
    struct full f = full_begin(t);
    bool tells = p->tells, full = p->counts.resident == p->nframes;
    uint32_t *at = p->at, i;
    for (i = 0; i < r.n; i++) {
        uint32_t c = r.contents[i], had = at[c], place = had & AT_PLACE;
        uint8_t write = r.info[i], kept;
        if (place >= q.head) {
            uint8_t *of = &q.kept[place & q.mask];
            kept = full_ref(&f, *of, write);
            *of = touches ? 0 : kept;
            if (!touches)
                continue;
        } else {
            if (__builtin_expect(had == AT_NEW || !full, 0))
                break;
            uint32_t oldest = touches ? queue_oldest(&q) : q.head;
            full_goes(&f, q.kept[oldest & q.mask]);
            kept = full_comes(p, &f, tells, i, had, tells ? q.contents[oldest & q.mask] : 0);
            kept = full_ref(&f, kept, write);
            q.head = oldest + 1;
        }
        at[c] = (had & AT_FILE) | q.tail;
        q.contents[q.tail & q.mask] = c;
        q.kept[q.tail++ & q.mask] = kept;
    }
    full_end(&f, t);
    *queue = q;
    return i;
}

/* The loop, for lru (@touches) and fifo, which differ in what a hit does. */
static inline __attribute__((always_inline)) uint32_t queue_batch(struct paging *p,
                                                                  const struct paging_refs *refs,
                                                                  bool touches)
{
    struct queue *self = p->policy;
    p->no_memory = !queue_room(p, self, refs->n);
    p->n_faulted = 0;
    if (p->no_memory)
        return 0;
    struct queue q = *self;
    struct tally t = tally_begin(p);
    const struct paging_refs r = *refs;
    uint32_t nframes = p->nframes, *at = p->at, i = 0;
    if (full_suits(p, &r) && (touches || q.tail - q.head == t.resident))
        i = queue_full(p, &q, &t, &r, touches);
    for (; i < r.n; i++) {
        uint32_t c = r.contents[i], place = at[c] & AT_PLACE;
        uint8_t info = r.info[i], kept;
        if (place >= q.head) {
            uint8_t *had = &q.kept[place & q.mask];
            kept = kept_ref(&t, *had, info);
            *had = touches ? 0 : kept;
            if (__builtin_expect(info > REF_WRITE, 0))
                fault_in_place(p, &t, i, info);
            if (!touches)
                continue;
        } else {
            uint32_t evicted = NO_CONTENTS;
            if (__builtin_expect(t.resident == nframes, 1)) {
                uint32_t oldest = queue_oldest(&q);
                if (!kept_evict(&t, q.kept[oldest & q.mask]))
                    break;
                evicted = q.contents[oldest & q.mask];
                q.head = oldest + 1;
            } else {
                tally_resident(&t);
            }
            kept = kept_ref(&t, kept_new(p, &t, &r, i, at[c], evicted), info);
        }
        at[c] = kept_at(kept, q.tail);
        q.contents[q.tail & q.mask] = c;
        q.kept[q.tail++ & q.mask] = kept;
    }
    tally_end(p, &t);
    p->resident_from = q.head;
    *self = q;
    return i;
}

static inline void queue_forget(struct paging *p, uint32_t c, uint32_t place)
{
    const struct queue *q = p->policy;
    (void)c;
    p->counts.slots -= (q->kept[place & q->mask] & KEPT_SLOT) != 0;
    q->kept[place & q->mask] = 0;
    p->counts.resident--;
}

static inline bool queue_check(const struct paging *p)
{
    const struct queue *q = p->policy;
    uint64_t pages = 0;
    for (uint32_t place = q->head; place != q->tail; place++) {
        uint8_t kept = q->kept[place & q->mask];
        pages += kept != 0;
        if (kept && p->at[q->contents[place & q->mask]] != kept_at(kept, place))
            return false;
    }
    return pages == p->counts.resident && q->tail - q->head <= q->mask + 1 &&
           p->resident_from == q->head;
}

#endif
