/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "oom.h"

#define OOM_SCORE_ADJ_MIN (-1000)
#define INIT_PID 1u

struct census {
    const struct vm *vm;
    const struct paging *paging;
    uint64_t resident, swapped;
};

static bool count_page(void *arg, uint64_t vpn, uint32_t *slot)
{
    struct census *n = arg;
    uint32_t c = *slot & LEAF_INHERITED ? *slot & ~LEAF_INHERITED : n->vm->contents[*slot - 1];
    (void)vpn;
    if (c >= n->paging->room)
        return true; /* the paging stage has not met it yet */
    if (n->paging->where[c] < WHERE_FRAMES_END)
        n->resident++;
    else if (n->paging->where[c] == WHERE_EVICTED && n->vm->cs.kind[c] != CONTENTS_FILE)
        n->swapped++;
    return true;
}

static int64_t badness(const struct vm *vm, const struct paging *paging, const struct process *p,
                       struct fl_oom_kill *kill)
{
    const struct mm *mm = &vm->mms[p->mm];
    struct census n = { .vm = vm, .paging = paging };
    int64_t total = (int64_t)paging->nframes + (int64_t)paging->swap_pages;

    pgtable_walk(&mm->tables, 0, pgtable_span_pages(vm->levels), count_page, &n);
    kill->rss_pages = n.resident;
    kill->swap_pages = n.swapped;
    return (int64_t)(n.resident + n.swapped + pgtable_count(&mm->tables)) +
           p->oom_score_adj * total / 1000;
}

uint32_t oom_pick(const struct vm *vm, const struct paging *paging, struct fl_oom_kill *kill)
{
    uint32_t victim = UINT32_MAX;
    for (uint32_t i = 0; i < vm->n_processes; i++) {
        const struct process *p = &vm->processes[i];
        struct fl_oom_kill k = { .pid = p->pid };
        if (p->exited || p->killed || p->pid == INIT_PID || p->oom_score_adj == OOM_SCORE_ADJ_MIN)
            continue;
        k.badness = badness(vm, paging, p, &k);
        if (victim != UINT32_MAX && k.badness < kill->badness)
            continue;
        memcpy(k.comm, p->comm, sizeof k.comm);
        *kill = k;
        victim = i;
    }
    return victim;
}
