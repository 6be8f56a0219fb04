/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "paging.h"

int paging_init(struct paging *p, const struct fl_policy_ops *ops, uint32_t nframes,
                uint64_t swap_pages, uint64_t seed, struct fl_err *err)
{
    *p = (struct paging){ .ops = ops, .nframes = nframes, .swap_pages = swap_pages };
    return ops->paging->init(p, seed, err);
}

void paging_fini(struct paging *p)
{
    if (p->ops)
        p->ops->paging->fini(p);
    free(p->at);
    *p = (struct paging){ 0 };
}

int paging_room(struct paging *p, uint32_t n_contents, struct fl_err *err)
{
    if (n_contents <= p->room)
        return FL_OK;
    uint32_t room = grow_room_for(p->room, n_contents);
    if (!room || !grow(&p->at, room))
        return fl_nomem(err, "pages");
    memset(p->at + p->room, 0, (room - p->room) * sizeof *p->at); /* AT_NEW */
    p->room = room;
    return FL_OK;
}

int paging_batch(struct paging *p, const struct paging_refs *refs, uint32_t *done,
                 struct fl_err *err)
{
    *done = p->ops->paging->batch(p, refs);
    return p->no_memory ? fl_nomem(err, "frames") : FL_OK;
}

void paging_forget(struct paging *p, uint32_t c)
{
    if (c >= p->room)
        return;
    if (paging_is_resident(p, c))
        p->ops->paging->forget(p, c, p->at[c] & AT_PLACE);
    else if (paging_is_swapped(p, c))
        p->counts.slots--; /* each holds one */
    p->at[c] = AT_NEW;
}

static uint64_t sum_causes(const struct paging *p, bool major)
{
    uint64_t sum = 0;
    for (int cause = FL_CAUSE_NONE + 1; cause < FL_CAUSE_COUNT; cause++)
        if (fl_cause_is_major((enum fl_cause)cause) == major)
            sum += p->counts.faults[cause];
    return sum;
}

uint64_t paging_minor(const struct paging *p)
{
    return sum_causes(p, false);
}

uint64_t paging_major(const struct paging *p)
{
    return sum_causes(p, true);
}
