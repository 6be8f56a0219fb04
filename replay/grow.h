/* SPDX-License-Identifier: GPL-2.0-or-later */
/** grow.h - arrays that double. */
#ifndef REPLAY_GROW_H
#define REPLAY_GROW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/** grow_room - the next size after @room; 0 when ids would not fit in 31 bits. */
static inline uint32_t grow_room(uint32_t room)
{
    if (room >= UINT32_C(1) << 30)
        return 0;
    return room ? room * 2 : 256;
}

/** grow_room_for - the first size from @room up that holds @n; 0 as above. */
static inline uint32_t grow_room_for(uint32_t room, uint64_t n)
{
    while (room < n && (room = grow_room(room)))
        ;
    return room;
}

static inline bool grow_bytes(void **at, size_t n, size_t size)
{
    void *bigger = reallocarray(*at, n, size);
    if (!bigger)
        return false;
    *at = bigger;
    return true;
}

/** grow - make the array that @array_ptr points at @n elements long; false: out of memory. */
#define grow(array_ptr, n) grow_bytes((void **)(array_ptr), (n), sizeof **(array_ptr))

#endif
