/* SPDX-License-Identifier: GPL-2.0-or-later */
/** fault_owners.h - follows a replay's faults and evictions; <faultline/attribution.h> is what comes of it. */
#ifndef REPLAY_FAULT_OWNERS_H
#define REPLAY_FAULT_OWNERS_H

#include <faultline/attribution.h>
#include <faultline/replay.h>

#include "prefetch.h"
#include "vm.h"

struct attribution {
    const struct vm *vm; /* with regions */
    uint64_t frames;     /* of RAM: how far away a refault may be to count as near */
    uint64_t evictions;
    struct past {
        uint32_t evicted_at; /* number of the eviction, wrapping past 0; 0: not evicted */
        uint32_t seen_row;   /* of its last refault, plus 1; 0: none */
    } * past;                /* by contents */
    uint32_t room;
    /* owners, and a hash of them */
    struct fl_owner *owners;
    uint32_t *in_row;                      /* refaults in the present row */
    uint32_t n_owners, owners_room, owner; /* the last one that was looked for */
    uint32_t *slots;                       /* index of an owner; 0: empty */
    uint32_t n_slots;
    uint32_t *touched; /* owners with refaults in the present row */
    uint32_t n_touched, touched_room;
    struct fl_refault_share *shares;
    size_t n_shares, shares_room;
    struct fl_refault_row rows[FL_TIMELINE_ROWS_MAX];
    uint32_t row; /* the present one */
    uint32_t *before;
};

/** attribution_init - for a replay with @frames of RAM over @vm, which has regions. */
int attribution_init(struct attribution *a, const struct vm *vm, uint64_t frames,
                     struct fl_err *err);
void attribution_fini(struct attribution *a);

/** attribution_evicted - contents @c left memory. FL_ENOMEM. */
int attribution_evicted(struct attribution *a, uint32_t c);
/** attribution_prefetch - a fault on @page, which holds @c, will be told of, and that @evicted
    left memory, or NO_CONTENTS. */
static PREFETCHES void attribution_prefetch(const struct attribution *a, uint32_t page, uint32_t c,
                                            uint32_t evicted)
{
    __builtin_prefetch(&a->vm->label_of[page]);
    if (c < a->room)
        __builtin_prefetch(&a->past[c]);
    if (evicted < a->room)
        __builtin_prefetch(&a->past[evicted]);
}

/** attribution_gone - contents @c cease to exist, or to be worth bringing back. */
void attribution_gone(struct attribution *a, uint32_t c);
/**
 * attribution_fault - process @process took a fault on @page, which holds @c, after @accesses.
 * @page: of the vm; also one that it has lent. FL_ENOMEM.
 */
int attribution_fault(struct attribution *a, uint32_t process, uint32_t page, uint32_t c,
                      bool major, uint64_t accesses);
/** attribution_row - the timeline's present row has ended. FL_ENOMEM. */
int attribution_row(struct attribution *a);
/** attribution_halve - every two rows of the timeline have become one. */
void attribution_halve(struct attribution *a);
/** attribution_result - what came of it; @a keeps nothing. FL_ENOMEM. */
int attribution_result(struct attribution *a, struct fl_attribution **out, struct fl_err *err);

#endif
