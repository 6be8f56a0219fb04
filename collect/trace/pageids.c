/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "pageids.h"

static void place(struct fl_pageids *p, const struct fl_pageids_slot *slot)
{
    uint64_t mask = (UINT64_C(1) << p->bits) - 1, i = fl_pageids_hash(p, slot->mm, slot->first);
    while (p->slots[i].group)
        i = (i + 1) & mask;
    p->slots[i] = *slot;
}

static bool grow_slots(struct fl_pageids *p)
{
    struct fl_pageids next = *p;
    next.bits = p->bits ? p->bits + 1 : 10;
    next.slots = calloc((size_t)1 << next.bits, sizeof *next.slots);
    if (!next.slots)
        return false;
    for (size_t i = 0; p->bits && i < (size_t)1 << p->bits; i++)
        if (p->slots[i].group)
            place(&next, &p->slots[i]);
    free(p->slots);
    *p = next;
    return true;
}

static uint32_t *add_group(struct fl_pageids *p, uint32_t mm, uint64_t vpn)
{
    if ((!p->bits || p->groups_n >= ((uint64_t)1 << p->bits) / 2) && !grow_slots(p))
        return NULL;
    if (p->groups_n == p->groups_cap) {
        uint64_t cap = p->groups_cap ? (uint64_t)p->groups_cap * 2 : 64;
        uint32_t *grown =
            cap < UINT32_MAX ? realloc(p->groups, cap * FL_GROUP_PAGES * sizeof *grown) : NULL;
        if (!grown)
            return NULL;
        p->groups = grown;
        p->groups_cap = (uint32_t)cap;
    }
    uint32_t *group = p->groups + (uint64_t)p->groups_n++ * FL_GROUP_PAGES;
    memset(group, 0xff, FL_GROUP_PAGES * sizeof *group); /* FL_PAGE_ID_NONE */
    place(p, &(struct fl_pageids_slot){ vpn / FL_GROUP_PAGES, mm, p->groups_n });
    return group;
}

bool fl_pageids_add(struct fl_pageids *p, uint32_t mm, uint64_t vpn, uint32_t id)
{
    if (id == FL_PAGE_ID_NONE)
        return false;
    uint32_t *group = fl_pageids_group(p, mm, vpn);
    if (!group)
        group = add_group(p, mm, vpn);
    if (!group)
        return false;
    group[vpn % FL_GROUP_PAGES] = id;
    return true;
}

void fl_pageids_free(struct fl_pageids *p)
{
    free(p->slots);
    free(p->groups);
    *p = (struct fl_pageids){ 0 };
}
