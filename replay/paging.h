/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * paging.h - the paging stage: contents in frames, a policy, a swap area.
 *
 * docs/model.md section 2. Any number of these can follow one virtual memory stage.
 */
#ifndef REPLAY_PAGING_H
#define REPLAY_PAGING_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/replay.h>

#include "vm.h"

/* where[c]: a frame number, or one of these */
#define WHERE_NEW UINT32_MAX           /* never had a frame */
#define WHERE_EVICTED (UINT32_MAX - 1) /* had one: on swap, or in its file */
#define WHERE_FRAMES_END (UINT32_MAX - 1)

struct paging {
    const struct fl_policy_ops *ops;
    void *policy;     /* NULL: there is room for everything */
    uint32_t nframes; /* FL_FRAMES_UNLIMITED: never evict */
    uint64_t swap_pages;

    uint32_t *where; /* by contents */
    uint8_t *state;  /* by contents: PAGE_DIRTY, PAGE_HAS_SLOT */
    uint32_t room;
    uint32_t *contents_in; /* by frame */
    uint32_t frames_room;
    uint32_t frames_begun; /* frames used at least once are 0 .. this - 1 */
    uint32_t *free_frames; /* freed ones, latest last */
    uint32_t n_free, free_room;

    /* called when contents leave their frame by eviction; NULL: nobody cares */
    void (*evicted)(void *arg, uint32_t contents);
    /* called when a reference is a fault; NULL: nobody cares */
    void (*faulted)(void *arg, enum fl_cause cause);
    void *arg;

    uint64_t faults[FL_CAUSE_COUNT];
    uint64_t evictions, pages_in, pages_out, file_pages_read, file_pages_written;
    uint64_t slots, slots_peak;
    uint64_t resident, resident_peak;
};

enum { PAGE_DIRTY = 1, PAGE_HAS_SLOT = 2 };

/**
 * paging_init - @most_pages: no more contents than these can ever want a frame; with
 * as many frames the policy is never asked, and takes no memory.
 */
int paging_init(struct paging *p, const struct fl_policy_ops *ops, uint32_t nframes,
                uint64_t swap_pages, uint64_t seed, uint64_t most_pages, struct fl_err *err);
void paging_fini(struct paging *p);

/** paging_room - make room for contents ids below @n_contents. */
int paging_room(struct paging *p, uint32_t n_contents, struct fl_err *err);

/**
 * paging_fault - a reference to contents without a frame, or with a cause.
 * @swap_full: set, and nothing changed, when the victim needs a slot and none is free.
 */
int paging_fault(struct paging *p, const struct vm *vm, uint32_t c, uint8_t info, uint64_t next_use,
                 bool *swap_full, struct fl_err *err);

/** paging_ref - one reference. */
static inline int paging_ref(struct paging *p, const struct vm *vm, uint32_t c, uint8_t info,
                             uint64_t next_use, bool *swap_full, struct fl_err *err)
{
    uint32_t frame = p->where[c];
    if (__builtin_expect(frame >= WHERE_FRAMES_END, 0) || __builtin_expect(info > REF_WRITE, 0) ||
        __builtin_expect((info & REF_WRITE) && p->state[c] != PAGE_DIRTY, 0))
        return paging_fault(p, vm, c, info, next_use, swap_full, err);
    if (p->ops->touched && p->policy)
        p->ops->touched(p->policy, frame, next_use);
    return FL_OK;
}

/** paging_forget - contents @c cease to exist. */
void paging_forget(struct paging *p, uint32_t c);

/** paging_minor, paging_major - sums over the causes. */
uint64_t paging_minor(const struct paging *p);
uint64_t paging_major(const struct paging *p);

#endif
