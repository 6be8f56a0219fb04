/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pageids.h - dense ids of pages: (address space, page number) to id.
 *
 * A hash finds groups of 16 neighbouring pages, a group is a cache line of ids. Programs
 * touch neighbours, so the hash stays 16 times smaller than one of pages would be. A page
 * without neighbours costs about 100 bytes.
 */
#ifndef FL_TRACE_PAGEIDS_H
#define FL_TRACE_PAGEIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FL_PAGE_ID_NONE UINT32_MAX
#define FL_GROUP_PAGES 16u

struct fl_pageids_slot {
    uint64_t first;     /* page number / 16 */
    uint32_t mm, group; /* group + 1; 0: free */
};

struct fl_pageids {
    struct fl_pageids_slot *slots;
    unsigned bits;    /* log2 of the number of slots; 0: none yet */
    uint32_t *groups; /* of FL_GROUP_PAGES ids each */
    uint32_t groups_n, groups_cap;
};

static inline uint64_t fl_pageids_hash(const struct fl_pageids *p, uint32_t mm, uint64_t first)
{
    uint64_t h = (first ^ (uint64_t)mm << 40) * UINT64_C(0x9e3779b97f4a7c15);
    return (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> (64 - p->bits);
}

/* fl_pageids_add - put a page that is not there. False: no memory, no ids left. */
bool fl_pageids_add(struct fl_pageids *p, uint32_t mm, uint64_t vpn, uint32_t id);
void fl_pageids_free(struct fl_pageids *p);

/* fl_pageids_group - the group of a page, or NULL. */
static inline uint32_t *fl_pageids_group(const struct fl_pageids *p, uint32_t mm, uint64_t vpn)
{
    uint64_t first = vpn / FL_GROUP_PAGES, mask = (UINT64_C(1) << p->bits) - 1;
    if (!p->bits)
        return NULL;
    for (uint64_t i = fl_pageids_hash(p, mm, first);; i = (i + 1) & mask) {
        const struct fl_pageids_slot *s = &p->slots[i];
        if (!s->group)
            return NULL;
        if (s->first == first && s->mm == mm)
            return p->groups + (uint64_t)(s->group - 1) * FL_GROUP_PAGES;
    }
}

static inline uint32_t fl_pageids_find(const struct fl_pageids *p, uint32_t mm, uint64_t vpn)
{
    const uint32_t *group = fl_pageids_group(p, mm, vpn);
    return group ? group[vpn % FL_GROUP_PAGES] : FL_PAGE_ID_NONE;
}

#endif
