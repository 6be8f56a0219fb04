/* SPDX-License-Identifier: GPL-2.0-or-later */
/** run_code.h - where in the code each thread is, from the locations that a trace's runs carry. */
#ifndef REPLAY_RUN_CODE_H
#define REPLAY_RUN_CODE_H

#include <stdlib.h>

#include <faultline/trace.h>

#include "grow.h"
#include "vm.h"

struct run_codes {
    uint32_t *latest; /* by thread */
    uint32_t room;
    const struct fl_run_code *next, *end; /* of the batch under way */
};

/** run_codes_begin - a batch begins: @regions learns where its thread was. FL_ENOMEM. */
static inline int run_codes_begin(struct run_codes *codes, const struct fl_runs *runs,
                                  struct regions *regions, struct fl_err *err)
{
    if (runs->thread >= codes->room) {
        uint32_t room = grow_room_for(codes->room, (uint64_t)runs->thread + 1);
        if (!room || !grow(&codes->latest, room))
            return fl_nomem(err, "threads");
        for (uint32_t i = codes->room; i < room; i++)
            codes->latest[i] = FL_NO_CODE;
        codes->room = room;
    }
    regions->code = codes->latest[runs->thread];
    codes->next = runs->codes;
    codes->end = runs->codes + runs->n_codes;
    return FL_OK;
}

/** run_codes_at - run @i of it, of @page, begins. */
static inline void run_codes_at(struct run_codes *codes, size_t i, struct vm *vm, uint32_t page)
{
    if (codes->next == codes->end || codes->next->run != i)
        return;
    vm->regions->code = codes->next++->code;
    vm_run_from(vm, page);
}

/** run_codes_until - its runs begin one after the other, up to run @i. */
static inline void run_codes_until(struct run_codes *codes, const struct fl_runs *runs, size_t i,
                                   struct vm *vm)
{
    for (; codes->next != codes->end && codes->next->run <= i; codes->next++) {
        vm->regions->code = codes->next->code;
        vm_run_from(vm, runs->page[codes->next->run]);
    }
}

/** run_codes_end - the batch is over. */
static inline void run_codes_end(struct run_codes *codes, uint32_t thread,
                                 const struct regions *regions)
{
    codes->latest[thread] = regions->code;
}

static inline void run_codes_fini(struct run_codes *codes)
{
    free(codes->latest);
}

#endif
