/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "oom.h"

#define OOM_SCORE_ADJ_MIN (-1000)
#define INIT_PID 1u

struct census {
    const struct oom_view *view;
    uint64_t resident, swapped;
};

static bool count_page(void *arg, uint64_t vpn, struct leaf *slot)
{
    struct census *n = arg;
    const struct vm *vm = n->view->vm;
    uint32_t c = leaf_contents(vm, slot);
    enum oom_page state = n->view->page_state(n->view->arg, slot, c);
    (void)vpn;
    n->resident += state == OOM_PAGE_RESIDENT;
    n->swapped += state == OOM_PAGE_SWAPPED;
    return true;
}

static int64_t badness(const struct oom_view *view, const struct process *p,
                       struct fl_oom_kill *kill)
{
    const struct mm *mm = &view->vm->mms[p->mm];
    struct census n = { .view = view };

    pgtable_walk(&mm->tables, 0, pgtable_span_pages(view->vm->levels), count_page, &n);
    kill->rss_pages = n.resident;
    kill->swap_pages = n.swapped;
    return (int64_t)(n.resident + n.swapped + pgtable_count(&mm->tables)) +
           p->oom_score_adj * view->total_pages / 1000;
}

uint32_t oom_pick(const struct oom_view *view, struct fl_oom_kill *kill)
{
    const struct vm *vm = view->vm;
    uint32_t victim = UINT32_MAX;
    for (uint32_t i = 0; i < vm->n_processes; i++) {
        const struct process *p = &vm->processes[i];
        struct fl_oom_kill k = { .pid = p->pid };
        if (p->exited || p->killed || p->pid == INIT_PID || p->oom_score_adj == OOM_SCORE_ADJ_MIN)
            continue;
        k.badness = badness(view, p, &k);
        if (victim != UINT32_MAX && k.badness < kill->badness)
            continue;
        memcpy(k.comm, p->comm, sizeof k.comm);
        *kill = k;
        victim = i;
    }
    return victim;
}
