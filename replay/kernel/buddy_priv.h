/* SPDX-License-Identifier: GPL-2.0-or-later */
/** buddy_priv.h - between the files of the buddy allocator. */
#ifndef REPLAY_BUDDY_PRIV_H
#define REPLAY_BUDDY_PRIV_H

#include "buddy.h"

static inline uint32_t buddy_index(const struct buddy *b, uint64_t pfn)
{
    return (uint32_t)(pfn - b->base);
}

/** buddy_is_free - a free block of this very order begins at @pfn. */
static inline bool buddy_is_free(const struct buddy *b, uint64_t pfn, uint32_t order)
{
    return pfn >= b->start && pfn < b->end && b->state[buddy_index(b, pfn)] == order + 1;
}

static inline void buddy_set_type(struct buddy *b, uint64_t pfn, enum buddy_type type)
{
    b->block_type[buddy_index(b, pfn) >> BUDDY_BLOCK_ORDER] = (uint8_t)type;
}

void buddy_add(struct buddy *b, uint64_t pfn, uint32_t order, enum buddy_type type, bool tail);
void buddy_remove(struct buddy *b, uint64_t pfn, uint32_t order, enum buddy_type type);

/** buddy_expand - of a block of @high that is off the lists, keep the first @low (expand). */
void buddy_expand(struct buddy *b, uint64_t pfn, uint32_t low, uint32_t high, enum buddy_type type);

/** buddy_smallest - from the lists of @type alone (__rmqueue_smallest). */
bool buddy_smallest(struct buddy *b, uint32_t order, enum buddy_type type, uint64_t *pfn);

/** buddy_claim, buddy_steal - from other types' lists (__rmqueue_claim, __rmqueue_steal). */
bool buddy_claim(struct buddy *b, uint32_t order, enum buddy_type type, unsigned flags,
                 uint64_t *pfn);
bool buddy_steal(struct buddy *b, uint32_t order, enum buddy_type type, uint64_t *pfn);

#endif
