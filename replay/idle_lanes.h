/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * idle_lanes.h - lanes of classes, by the time they were last in use.
 *
 * Time is slots; a slot has the class of the lane that was freed in it, or NO_LANE. A tree of
 * minima, 32 children a node, finds the latest slot before some time with a class below some other.
 */
#ifndef REPLAY_IDLE_LANES_H
#define REPLAY_IDLE_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "prefetch.h"

#define NO_LANE UINT8_MAX
#define LANES_FAN 32u
#define LANES_DEPTH 7u /* 32^7 slots are more than 32 bits count */

struct idle_lanes {
    uint8_t *least[LANES_DEPTH]; /* by slot; by LANES_FAN of those before: their least; ... */
    uint32_t depth, slots;
};

/** idle_lanes_init - at least @slots, none with a lane. false: no memory. */
bool idle_lanes_init(struct idle_lanes *l, uint32_t slots);
void idle_lanes_fini(struct idle_lanes *l);

static inline uint8_t idle_lanes_at(const struct idle_lanes *l, uint32_t slot)
{
    return l->least[0][slot];
}

/** idle_lanes_set - @slot has @class, perhaps NO_LANE. */
void idle_lanes_set(struct idle_lanes *l, uint32_t slot, uint8_t class);

/**
 * idle_lanes_take - for every class a, out of the lanes of classes up to a, take the one freed
 * latest until @slot. Returns the least class that has one; NO_LANE: none.
 *
 * So the lane of that class is gone from its slot, and the next class above whose latest is later
 * has that slot for the one it lost, and so on: what comes along from the right is exchanged
 * wherever something less is found.
 */
uint8_t idle_lanes_take(struct idle_lanes *l, uint32_t slot);

/** idle_lanes_soon - idle_lanes_take() until @slot soon. */
static PREFETCHES void idle_lanes_soon(const struct idle_lanes *l, uint32_t slot)
{
    __builtin_prefetch(&l->least[0][slot], 1);
    __builtin_prefetch(&l->least[1][slot / LANES_FAN], 1);
}

#endif
