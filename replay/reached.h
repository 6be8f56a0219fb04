/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * reached.h - how much a trace keeps resident if memory is unlimited, where a model brings in more.
 *
 * The kernel's model makes pages of files known that no run refers to. What runs refer to is counted
 * apart: contents are there from the first run that reaches them until they cease to exist.
 */
#ifndef REPLAY_REACHED_H
#define REPLAY_REACHED_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "grow.h"

struct reached {
    uint8_t *is; /* by contents */
    uint32_t room;
    uint64_t n, peak;
};

static inline void reached_fini(struct reached *r)
{
    free(r->is);
    *r = (struct reached){ 0 };
}

/** reached_now - a run refers to contents @c, as its page did not before. false: out of memory. */
static inline bool reached_now(struct reached *r, uint32_t c)
{
    if (c >= r->room) {
        uint32_t room = grow_room_for(r->room, (uint64_t)c + 1);
        if (!room || !grow(&r->is, room))
            return false;
        memset(r->is + r->room, 0, room - r->room);
        r->room = room;
    }
    if (!r->is[c] && ++r->n > r->peak)
        r->peak = r->n;
    r->is[c] = 1;
    return true;
}

/** reached_gone - contents @c cease to exist. */
static inline void reached_gone(struct reached *r, uint32_t c)
{
    if (c >= r->room)
        return;
    r->n -= r->is[c];
    r->is[c] = 0;
}

#endif
