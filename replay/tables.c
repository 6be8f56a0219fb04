/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "grow.h"
#include "tables.h"

#define TABLE_BITS 9u

void tables_fini(struct tables *t)
{
    free(t->at);
    free(t->slots);
    *t = (struct tables){ 0 };
}

/* Where the table's id is, or is to be. */
static uint32_t *slot_of(const struct tables *t, const struct table *table)
{
    uint32_t mask = t->room * 2 - 1;
    uint64_t h = (table->number * 8 + table->height) * UINT64_C(0x9e3779b97f4a7c15) +
                 table->mm * UINT64_C(0xbf58476d1ce4e5b9);
    uint32_t i = (uint32_t)(h >> 32) & mask;
    for (; t->slots[i]; i = (i + 1) & mask) {
        const struct table *have = &t->at[t->slots[i] - 1];
        if (have->number == table->number && have->mm == table->mm && have->height == table->height)
            break;
    }
    return &t->slots[i];
}

static bool make_room(struct tables *t)
{
    uint32_t room = grow_room(t->room);
    uint32_t *slots = room ? calloc((size_t)room * 2, sizeof *slots) : NULL;
    if (!slots || !grow(&t->at, room)) {
        free(slots);
        return false;
    }
    free(t->slots);
    t->slots = slots;
    t->room = room;
    for (uint32_t i = 0; i < t->n; i++)
        *slot_of(t, &t->at[i]) = i + 1;
    return true;
}

uint32_t tables_of(struct tables *t, uint32_t mm, uint64_t vpn)
{
    uint32_t lowest = NO_TABLE, below = NO_TABLE;
    for (uint32_t height = 1; height <= t->heights; height++) {
        struct table table = { .number = vpn >> TABLE_BITS * height,
                               .mm = mm,
                               .up = NO_TABLE,
                               .height = (uint8_t)height };
        if (t->n == t->room && !make_room(t))
            return NO_TABLE;
        uint32_t *slot = slot_of(t, &table), id = *slot ? *slot - 1 : t->n;
        if (below == NO_TABLE)
            lowest = id;
        else
            t->at[below].up = id;
        if (*slot) /* and so are those above it */
            break;
        t->at[t->n++] = table;
        *slot = t->n;
        below = id;
    }
    return lowest;
}
