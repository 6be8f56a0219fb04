/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one place where the model takes pages and gives them back: the group's counter pays for
 * them in scope memcg, a zone of the machine in scope machine.
 */
#include "linux_mm.h"

bool take_page(struct linux_mm *lm)
{
    return lm->opts.machine ? machine_take(lm, PAGES_OF_FOLIOS, 0, true)
                            : group_charge(lm, 1, EFFORT_KILL);
}

bool take_kernel_page(struct linux_mm *lm)
{
    return lm->opts.machine ? machine_take(lm, PAGES_OF_KERNEL, 0, true)
                            : group_charge(lm, 1, EFFORT_KILL);
}

void give_kernel_pages(struct linux_mm *lm, uint64_t n)
{
    if (lm->opts.machine)
        machine_give(lm, PAGES_OF_KERNEL, n);
    else
        group_uncharge(lm, n);
}

bool take_page_if_easy(struct linux_mm *lm)
{
    return lm->opts.machine ? machine_take(lm, PAGES_OF_FOLIOS, 0, false)
                            : group_charge(lm, 1, EFFORT_ONCE);
}

bool take_huge(struct linux_mm *lm, bool reclaim)
{
    if (lm->opts.machine)
        return reclaim ? machine_take(lm, PAGES_OF_FOLIOS, HUGE_SHIFT, false)
                       : machine_take_free(lm, PAGES_OF_FOLIOS, HUGE_SHIFT);
    return group_charge(lm, HUGE_PAGES, reclaim ? EFFORT_MANY : EFFORT_NONE);
}

void give_pages(struct linux_mm *lm, uint64_t n)
{
    if (lm->opts.machine)
        machine_give(lm, PAGES_OF_FOLIOS, n);
    else
        group_uncharge(lm, n);
}

void give_to_folio(struct linux_mm *lm, uint32_t c)
{
    if (lm->opts.machine)
        machine_give_to_folio(lm, c);
}

void give_folio(struct linux_mm *lm, uint32_t c)
{
    if (lm->opts.machine)
        machine_give_folio(lm, c);
    else
        group_uncharge(lm, 1);
}

void folio_page_stays(struct linux_mm *lm, uint32_t c)
{
    if (lm->opts.machine)
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
