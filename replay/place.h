/* SPDX-License-Identifier: GPL-2.0-or-later */
/* place.h - where a page lies, for looking at pages in the order of their addresses. */
#ifndef REPLAY_PLACE_H
#define REPLAY_PLACE_H

#include <stdint.h>

struct place {
    uint64_t vpn;
    uint32_t mm, page;
};

/** place_by_address - for qsort(): by address space, then by page number. */
static inline int place_by_address(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->mm != y->mm)
        return x->mm < y->mm ? -1 : 1;
    return x->vpn < y->vpn ? -1 : x->vpn > y->vpn;
}

#endif
