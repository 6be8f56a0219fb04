/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * frame_list.h - a doubly linked list of frame numbers, in two arrays.
 *
 * The sentinel is the number nframes. Links of a frame that is on no list are
 * not looked at. Arrays come zeroed from calloc and are never swept, so frames
 * that are never used cost no memory.
 */
#ifndef REPLAY_FRAME_LIST_H
#define REPLAY_FRAME_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <faultline/err.h>

struct frame_link {
    uint32_t older, newer;
};

struct frame_list {
    struct frame_link *link; /* nframes + 1 of them */
    uint32_t end;            /* the sentinel: its newer is the oldest, its older the newest */
    uint32_t n;
};

static inline bool frame_list_init(struct frame_list *list, uint32_t nframes)
{
    list->link = calloc((size_t)nframes + 1, sizeof *list->link);
    list->end = nframes;
    list->n = 0;
    if (!list->link)
        return false;
    list->link[nframes] = (struct frame_link){ nframes, nframes };
    return true;
}

static inline uint32_t frame_list_oldest(const struct frame_list *list)
{
    return list->link[list->end].newer;
}

static inline uint32_t frame_list_newest(const struct frame_list *list)
{
    return list->link[list->end].older;
}

static inline void frame_list_unlink(struct frame_list *list, uint32_t f)
{
    struct frame_link l = list->link[f];
    list->link[l.older].newer = l.newer;
    list->link[l.newer].older = l.older;
}

static inline void frame_list_link_newest(struct frame_list *list, uint32_t f)
{
    uint32_t newest = list->link[list->end].older;
    list->link[f] = (struct frame_link){ .older = newest, .newer = list->end };
    list->link[newest].newer = f;
    list->link[list->end].older = f;
}

/** frame_list_check - links agree both ways and n is the length. O(n). */
static inline bool frame_list_check(const struct frame_list *list)
{
    uint32_t n = 0, f = list->end;
    do {
        uint32_t next = list->link[f].newer;
        if (next > list->end || list->link[next].older != f || n > list->n)
            return false;
        n += next != list->end;
        f = next;
    } while (f != list->end);
    return n == list->n;
}

/* What fifo and lru share: a policy whose whole state is one list, oldest first. */
static inline int frame_list_policy_init(void **self, uint32_t nframes, uint64_t seed,
                                         struct fl_err *err)
{
    struct frame_list *list = malloc(sizeof *list);
    (void)seed;
    if (!list || !frame_list_init(list, nframes)) {
        free(list);
        return fl_nomem(err, "frame list");
    }
    *self = list;
    return FL_OK;
}

static inline void frame_list_policy_inserted(void *self, uint32_t frame, uint32_t page,
                                              uint64_t next_use)
{
    struct frame_list *list = self;
    (void)page;
    (void)next_use;
    frame_list_link_newest(list, frame);
    list->n++;
}

static inline uint32_t frame_list_policy_victim(void *self)
{
    return frame_list_oldest(self);
}

static inline void frame_list_policy_removed(void *self, uint32_t frame)
{
    struct frame_list *list = self;
    frame_list_unlink(list, frame);
    list->n--;
}

static inline bool frame_list_policy_check(const void *self)
{
    return frame_list_check(self);
}

static inline void frame_list_policy_fini(void *self)
{
    struct frame_list *list = self;
    if (list)
        free(list->link);
    free(list);
}

#endif
