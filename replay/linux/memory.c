/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one place where the model takes pages and gives them back: the group's counter pays for
 * them in scope memcg, a zone of the machine in scope machine.
 */
#include <faultline/units.h>

#include "linux_mm.h"

bool take_pages(struct linux_mm *lm, uint64_t n)
{
    return group_charge(lm, n, true);
}

bool take_pages_if_easy(struct linux_mm *lm, uint64_t n)
{
    return group_charge(lm, n, false);
}

void give_pages(struct linux_mm *lm, uint64_t n)
{
    group_uncharge(lm, n);
}

/* Objects are charged by the byte, the counter by whole pages (obj_cgroup_charge). */
void charge_slab(struct linux_mm *lm, int64_t bytes)
{
    uint64_t before = (lm->slab_bytes + FL_PAGE_BYTES - 1) / FL_PAGE_BYTES;
    lm->slab_bytes =
        bytes < 0 && (uint64_t)-bytes > lm->slab_bytes ? 0 : lm->slab_bytes + (uint64_t)bytes;
    uint64_t after = (lm->slab_bytes + FL_PAGE_BYTES - 1) / FL_PAGE_BYTES;
    if (after > before) {
        if (take_pages(lm, after - before))
            lm->kernel_pages += after - before;
    } else {
        give_pages(lm, before - after);
        lm->kernel_pages -= before - after;
    }
}
