/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "grow.h"
#include "paging.h"

int paging_init(struct paging *p, const struct fl_policy_ops *ops, uint32_t nframes,
                uint64_t swap_pages, uint64_t seed, uint64_t most_pages, struct fl_err *err)
{
    *p = (struct paging){ .ops = ops, .nframes = nframes, .swap_pages = swap_pages };
    if (nframes == FL_FRAMES_UNLIMITED || nframes >= most_pages)
        return FL_OK;
    return ops->init(&p->policy, nframes, seed, err);
}

void paging_fini(struct paging *p)
{
    if (p->policy)
        p->ops->fini(p->policy);
    free(p->where);
    free(p->state);
    free(p->contents_in);
    free(p->free_frames);
    *p = (struct paging){ 0 };
}

int paging_room(struct paging *p, uint32_t n_contents, struct fl_err *err)
{
    if (n_contents <= p->room)
        return FL_OK;
    uint32_t room = grow_room_for(p->room, n_contents);
    if (!room || !grow(&p->where, room) || !grow(&p->state, room))
        return fl_nomem(err, "pages");
    for (uint32_t c = p->room; c < room; c++) {
        p->where[c] = WHERE_NEW;
        p->state[c] = 0;
    }
    p->room = room;
    return FL_OK;
}

static void release_slot(struct paging *p, uint32_t c)
{
    if (p->state[c] & PAGE_HAS_SLOT) {
        p->state[c] &= (uint8_t)~PAGE_HAS_SLOT;
        p->slots--;
    }
}

static bool empty_frame(struct paging *p, uint32_t frame)
{
    if (p->n_free == p->free_room) {
        uint32_t room = grow_room(p->free_room);
        if (!room || !grow(&p->free_frames, room))
            return false;
        p->free_room = room;
    }
    p->free_frames[p->n_free++] = frame;
    p->resident--;
    if (p->policy)
        p->ops->removed(p->policy, frame);
    return true;
}

void paging_forget(struct paging *p, uint32_t c)
{
    if (c >= p->room)
        return;
    release_slot(p, c);
    if (p->where[c] < WHERE_FRAMES_END)
        empty_frame(p, p->where[c]); /* on no memory the frame is lost: room shrinks by one */
    p->where[c] = WHERE_NEW;
    p->state[c] = 0;
}

/* Write @c where it belongs and take its frame away. false: its slot could not be had. */
static bool evict(struct paging *p, const struct vm *vm, uint32_t frame)
{
    uint32_t c = p->contents_in[frame];
    bool dirty = (p->state[c] & PAGE_DIRTY) != 0;

    if (vm->cs.kind[c] == CONTENTS_FILE) {
        p->file_pages_written += dirty;
    } else {
        if (!(p->state[c] & PAGE_HAS_SLOT)) {
            if (p->slots >= p->swap_pages)
                return false;
            p->state[c] |= PAGE_HAS_SLOT;
            if (++p->slots > p->slots_peak)
                p->slots_peak = p->slots;
        }
        p->pages_out += dirty;
    }
    p->state[c] &= (uint8_t)~PAGE_DIRTY;
    p->where[c] = WHERE_EVICTED;
    p->evictions++;
    if (p->evicted)
        p->evicted(p->arg, c);
    return true;
}

/* A frame for one more page. FL_OK with @swap_full set: there is none. */
static int take_frame(struct paging *p, const struct vm *vm, uint32_t *frame, bool *swap_full,
                      struct fl_err *err)
{
    if (p->frames_begun < p->nframes) {
        if (p->frames_begun == p->frames_room) {
            uint32_t room = grow_room(p->frames_room);
            if (!room || !grow(&p->contents_in, room))
                return fl_nomem(err, "frames");
            p->frames_room = room;
        }
        *frame = p->frames_begun++;
    } else {
        if (!p->n_free && !p->policy)
            return fl_fail(err, FL_EFORMAT, "the trace has more runs than it says");
        if (!p->n_free) {
            uint32_t victim = p->ops->victim(p->policy);
            if (!evict(p, vm, victim)) {
                *swap_full = true;
                return FL_OK;
            }
            if (!empty_frame(p, victim))
                return fl_nomem(err, "frames");
        }
        *frame = p->free_frames[--p->n_free];
    }
    if (++p->resident > p->resident_peak)
        p->resident_peak = p->resident;
    return FL_OK;
}

int paging_fault(struct paging *p, const struct vm *vm, uint32_t c, uint8_t info, uint64_t next_use,
                 bool *swap_full, struct fl_err *err)
{
    enum fl_cause cause = ref_cause(info);
    uint32_t frame = p->where[c];

    if (frame < WHERE_FRAMES_END) {
        if (p->policy && p->ops->touched)
            p->ops->touched(p->policy, frame, next_use);
    } else {
        int rc = take_frame(p, vm, &frame, swap_full, err);
        if (rc != FL_OK || *swap_full)
            return rc;
        if (p->where[c] == WHERE_EVICTED) {
            bool file = vm->cs.kind[c] == CONTENTS_FILE;
            cause = file ? FL_CAUSE_FILE_READ : FL_CAUSE_SWAP_IN;
            *(file ? &p->file_pages_read : &p->pages_in) += 1;
        }
        p->where[c] = frame;
        p->contents_in[frame] = c;
        if (p->policy)
            p->ops->inserted(p->policy, frame, c, next_use);
    }
    if (cause != FL_CAUSE_NONE) {
        p->faults[cause]++;
        if (p->faulted)
            p->faulted(p->arg, cause);
    }
    if (info & REF_WRITE) {
        release_slot(p, c);
        p->state[c] = PAGE_DIRTY;
    }
    return FL_OK;
}

static uint64_t sum_causes(const struct paging *p, bool major)
{
    uint64_t sum = 0;
    for (int cause = FL_CAUSE_NONE + 1; cause < FL_CAUSE_COUNT; cause++)
        if (fl_cause_is_major((enum fl_cause)cause) == major)
            sum += p->faults[cause];
    return sum;
}

uint64_t paging_minor(const struct paging *p)
{
    return sum_causes(p, false);
}

uint64_t paging_major(const struct paging *p)
{
    return sum_causes(p, true);
}
