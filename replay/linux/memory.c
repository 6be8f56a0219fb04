/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one place where the model takes pages and gives them back: the group's counter pays for
 * them in scope memcg, a zone of the machine in scope machine. Frames come from the machine's zones in either, if there is one.
 */
#include "linux_mm.h"

/* The group pays, then the machine around it gives a block of 2^@order pages. */
static bool group_take(struct linux_mm *lm, enum page_use use, uint32_t order, enum effort effort)
{
    uint64_t n = UINT64_C(1) << order;
    if (!group_charge(lm, n, effort))
        return false;
    if (!lm->frames || machine_take_paid(lm, use, order))
        return true;
    group_uncharge(lm, n);
    return false;
}

static void give(struct linux_mm *lm, enum page_use use, uint64_t n)
{
    if (lm->frames)
        machine_give(lm, use, n);
    if (!lm->opts.machine)
        group_uncharge(lm, n);
}

bool take_page(struct linux_mm *lm)
{
    return lm->opts.machine ? machine_take(lm, PAGES_OF_FOLIOS, 0, true)
                            : group_take(lm, PAGES_OF_FOLIOS, 0, EFFORT_KILL);
}

bool take_kernel_page(struct linux_mm *lm)
{
    return lm->opts.machine ? machine_take(lm, PAGES_OF_KERNEL, 0, true)
                            : group_take(lm, PAGES_OF_KERNEL, 0, EFFORT_KILL);
}

void give_kernel_pages(struct linux_mm *lm, uint64_t n)
{
    give(lm, PAGES_OF_KERNEL, n);
}

bool take_page_if_easy(struct linux_mm *lm)
{
    return lm->opts.machine ? machine_take(lm, PAGES_OF_FOLIOS, 0, false)
                            : group_take(lm, PAGES_OF_FOLIOS, 0, EFFORT_ONCE);
}

bool take_huge(struct linux_mm *lm, bool reclaim)
{
    if (lm->opts.machine)
        return reclaim ? machine_take(lm, PAGES_OF_FOLIOS, HUGE_SHIFT, false)
                       : machine_take_free(lm, PAGES_OF_FOLIOS, HUGE_SHIFT);
    return group_take(lm, PAGES_OF_FOLIOS, HUGE_SHIFT, reclaim ? EFFORT_MANY : EFFORT_NONE);
}

void give_pages(struct linux_mm *lm, uint64_t n)
{
    give(lm, PAGES_OF_FOLIOS, n);
}

void give_to_folio(struct linux_mm *lm, uint32_t c)
{
    if (lm->frames)
        machine_give_to_folio(lm, c);
}

void give_folio(struct linux_mm *lm, uint32_t c)
{
    if (lm->frames)
        machine_give_folio(lm, c);
    if (!lm->opts.machine)
        group_uncharge(lm, 1);
}

void folio_page_stays(struct linux_mm *lm, uint32_t c)
{
    if (lm->frames)
        machine_folio_page_stays(lm, c);
}

/* Whoever takes has been killed, or what it was charging for is gone. */
static bool killed(const struct linux_mm *lm)
{
    const struct vm *vm = lm->vm;
    return (lm->process < vm->n_processes && vm->processes[lm->process].killed) ||
           (lm->mm < vm->n_mms && !vm->mms[lm->mm].users);
}

bool kill_for_memory(struct linux_mm *lm)
{
    lm->kills++;
    if (!lm->opts.machine)
        lm->seen = lm->stat; /* to say them in its report (mem_cgroup_print_oom_meminfo) */
    if (!lm->kill || !lm->kill(lm->arg))
        return false; /* nobody may be killed: the caller of the model hears why */
    return !killed(lm);
}
