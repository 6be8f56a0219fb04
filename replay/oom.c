/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
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

static bool is_protected(const struct process *p)
{
    return p->pid == INIT_PID || p->oom_score_adj == OOM_SCORE_ADJ_MIN;
}

uint32_t oom_pick(const struct oom_view *view, struct fl_oom_kill *kill)
{
    const struct vm *vm = view->vm;
    uint32_t victim = UINT32_MAX;
    for (uint32_t i = 0; i < vm->n_processes; i++) {
        const struct process *p = &vm->processes[i];
        struct fl_oom_kill k = { .pid = p->pid };
        if (p->exited || p->killed || is_protected(p))
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

/* The killer's order: of equals, the one that came later. */
static int worst_first(const void *a, const void *b)
{
    const struct fl_oom_candidate *x = a, *y = b;
    if (x->is_protected != y->is_protected)
        return x->is_protected ? 1 : -1;
    if (x->badness != y->badness)
        return x->badness < y->badness ? 1 : -1;
    return (x->order < y->order) - (x->order > y->order);
}

int oom_candidates(const struct oom_view *view, struct fl_oom_candidate **out, size_t *n)
{
    const struct vm *vm = view->vm;
    struct fl_oom_candidate *all = calloc(vm->n_processes + 1, sizeof *all);
    *n = 0;
    *out = all;
    if (!all)
        return FL_ENOMEM;
    for (uint32_t i = 0; i < vm->n_processes; i++) {
        const struct process *p = &vm->processes[i];
        struct fl_oom_kill k = { 0 };
        if (p->exited || p->killed)
            continue;
        struct fl_oom_candidate *c = &all[(*n)++];
        c->badness = badness(view, p, &k);
        c->order = i;
        c->pid = p->pid;
        c->oom_score_adj = p->oom_score_adj;
        c->is_protected = is_protected(p);
        c->rss_pages = k.rss_pages;
        c->swap_pages = k.swap_pages;
        c->page_tables = pgtable_count(&vm->mms[p->mm].tables);
        memcpy(c->comm, p->comm, sizeof c->comm);
    }
    qsort(all, *n, sizeof *all, worst_first);
    return FL_OK;
}
