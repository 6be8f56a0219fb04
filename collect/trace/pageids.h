/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pageids.h - dense ids of pages: a hash of (address space, page number).
 */
#ifndef FL_TRACE_PAGEIDS_H
#define FL_TRACE_PAGEIDS_H

#include <stdbool.h>
#include <stdint.h>

#define FL_PAGE_ID_NONE UINT32_MAX

struct fl_pageids_slot {
    uint64_t vpn;
    uint32_t mm, id; /* id FL_PAGE_ID_NONE: free */
};

struct fl_pageids {
    struct fl_pageids_slot *slots;
    uint32_t n;
    unsigned bits; /* log2 of the number of slots; 0: none yet */
};

/*
 * Neighbouring pages share a cache line: the low two bits of the page number are
 * kept as they are, the rest is scattered.
 */
static inline uint64_t fl_pageids_hash(const struct fl_pageids *p, uint32_t mm, uint64_t vpn)
{
    uint64_t h = ((vpn >> 2) ^ ((uint64_t)mm << 40)) * UINT64_C(0x9e3779b97f4a7c15);
    return ((h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> (64 - p->bits) & ~UINT64_C(3)) |
           (vpn & 3);
}

/* fl_pageids_add - grow when due and put a page that is not there. False: no memory, no ids. */
bool fl_pageids_add(struct fl_pageids *p, uint32_t mm, uint64_t vpn, uint32_t id);
void fl_pageids_free(struct fl_pageids *p);

static inline uint32_t fl_pageids_find(const struct fl_pageids *p, uint32_t mm, uint64_t vpn)
{
    if (!p->bits)
        return FL_PAGE_ID_NONE;
    uint64_t mask = (UINT64_C(1) << p->bits) - 1;
    for (uint64_t i = fl_pageids_hash(p, mm, vpn);; i = (i + 1) & mask) {
        const struct fl_pageids_slot *s = &p->slots[i];
        if ((s->vpn == vpn && s->mm == mm) || s->id == FL_PAGE_ID_NONE)
            return s->id;
    }
}

#endif
