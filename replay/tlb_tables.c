/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "grow.h"
#include "tlb_tables.h"

void tlb_tables_fini(struct tlb_tables *t)
{
    free(t->at);
    free(t->number);
    free(t->slots);
    *t = (struct tlb_tables){ 0 };
}

/* Where the table's id is, or is to be. */
static uint32_t *slot_of(const struct tlb_tables *t, uint32_t mm, uint32_t height, uint64_t number)
{
    uint32_t mask = t->room * 2 - 1;
    uint64_t h =
        (number * 8 + height) * UINT64_C(0x9e3779b97f4a7c15) + mm * UINT64_C(0xbf58476d1ce4e5b9);
    uint32_t i = (uint32_t)(h >> 32) & mask;
    for (; t->slots[i]; i = (i + 1) & mask) {
        uint32_t id = t->slots[i] - 1;
        if (t->number[id] == number && t->at[id].mm == mm && t->at[id].height == height)
            break;
    }
    return &t->slots[i];
}

static bool make_room(struct tlb_tables *t)
{
    uint32_t room = grow_room(t->room);
    uint32_t *slots = room ? calloc((size_t)room * 2, sizeof *slots) : NULL;
    if (!slots || !grow(&t->at, room) || !grow(&t->number, room)) {
        free(slots);
        return false;
    }
    free(t->slots);
    t->slots = slots;
    t->room = room;
    for (uint32_t i = 0; i < t->n; i++)
        *slot_of(t, t->at[i].mm, t->at[i].height, t->number[i]) = i + 1;
    return true;
}

uint32_t tlb_tables_of(struct tlb_tables *t, uint32_t mm, uint64_t vpn)
{
    uint32_t lowest = NO_TABLE, below = NO_TABLE;
    for (uint32_t height = 1; height <= t->heights; height++) {
        uint64_t number = vpn >> TABLE_BITS * height;
        if (t->n == t->room && !make_room(t))
            return NO_TABLE;
        uint32_t *slot = slot_of(t, mm, height, number), id = *slot ? *slot - 1 : t->n;
        if (below == NO_TABLE)
            lowest = id;
        else
            t->at[below].up = id;
        if (*slot) /* and so are those above it */
            break;
        t->at[id] = (struct tlb_table){ .mm = mm, .up = NO_TABLE, .height = (uint8_t)height };
        t->number[id] = number;
        *slot = ++t->n;
        below = id;
    }
    return lowest;
}
