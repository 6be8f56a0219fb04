/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "pageids.h"

static void place(struct fl_pageids *p, uint32_t mm, uint64_t vpn, uint32_t id)
{
    uint64_t mask = (UINT64_C(1) << p->bits) - 1, i = fl_pageids_hash(p, mm, vpn);
    while (p->slots[i].id != FL_PAGE_ID_NONE)
        i = (i + 1) & mask;
    p->slots[i] = (struct fl_pageids_slot){ vpn, mm, id };
}

static bool grow(struct fl_pageids *p)
{
    unsigned bits = p->bits ? p->bits + 1 : 10;
    size_t n = (size_t)1 << bits;
    struct fl_pageids next = { .n = p->n, .bits = bits };
    next.slots = malloc(n * sizeof *next.slots);
    if (!next.slots)
        return false;
    for (size_t i = 0; i < n; i++)
        next.slots[i] = (struct fl_pageids_slot){ .id = FL_PAGE_ID_NONE };
    for (size_t i = 0; p->bits && i < (size_t)1 << p->bits; i++)
        if (p->slots[i].id != FL_PAGE_ID_NONE)
            place(&next, p->slots[i].mm, p->slots[i].vpn, p->slots[i].id);
    free(p->slots);
    *p = next;
    return true;
}

bool fl_pageids_add(struct fl_pageids *p, uint32_t mm, uint64_t vpn, uint32_t id)
{
    if (id == FL_PAGE_ID_NONE)
        return false;
    if ((!p->bits || p->n >= ((uint64_t)1 << p->bits) / 2) && !grow(p))
        return false;
    place(p, mm, vpn, id);
    p->n++;
    return true;
}

void fl_pageids_free(struct fl_pageids *p)
{
    free(p->slots);
    *p = (struct fl_pageids){ 0 };
}
