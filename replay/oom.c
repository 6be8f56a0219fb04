/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include <faultline/oom_live.h>

#include "oom.h"

#define INIT_PID 1u

struct census {
    const struct oom_view *view;
    uint64_t by_kind[CONTENTS_MEMORY + 1]; /* resident pages */
    uint64_t swapped;
};

static bool count_page(void *arg, uint64_t vpn, struct leaf *slot)
{
    struct census *n = arg;
    const struct vm *vm = n->view->vm;
    uint32_t c = leaf_contents(vm, slot);
    enum oom_page state = n->view->page_state(n->view->arg, slot, c);
    (void)vpn;
    if (state == OOM_PAGE_RESIDENT)
        n->by_kind[vm->cs.kind[c]]++;
    n->swapped += state == OOM_PAGE_SWAPPED;
    return true;
}

/* All but order and protection. */
static void weigh(const struct oom_view *view, const struct process *p,
                  struct fl_oom_candidate *out)
{
    const struct mm *mm = &view->vm->mms[p->mm];
    struct census n = { .view = view };

    pgtable_walk(&mm->tables, 0, pgtable_span_pages(view->vm->levels), count_page, &n);
    out->pid = p->pid;
    memcpy(out->comm, p->comm, sizeof out->comm);
    out->oom_score_adj = p->oom_score_adj;
    out->anon_pages = n.by_kind[CONTENTS_ANON];
    out->file_pages = n.by_kind[CONTENTS_FILE];
    out->shmem_pages = n.by_kind[CONTENTS_MEMORY];
    out->rss_pages = out->anon_pages + out->file_pages + out->shmem_pages;
    out->swap_pages = n.swapped;
    out->page_tables = pgtable_count(&mm->tables) - 1; /* the kernel leaves the root out */
    for (uint32_t i = 0; i < mm->n_vmas; i++)
        out->virtual_pages += mm->vmas[i].end - mm->vmas[i].start;
    out->badness = (int64_t)(out->rss_pages + out->swap_pages + out->page_tables) +
                   fl_oom_adj_pages(p->oom_score_adj, (uint64_t)view->total_pages);
}

static bool is_protected(const struct process *p)
{
    return p->pid == INIT_PID || p->oom_score_adj == FL_OOM_ADJ_MIN;
}

uint32_t oom_pick(const struct oom_view *view, struct fl_oom_kill *kill)
{
    const struct vm *vm = view->vm;
    struct fl_oom_candidate worst = { .badness = 0 };
    uint32_t victim = UINT32_MAX;
    for (uint32_t i = 0; i < vm->n_processes; i++) {
        const struct process *p = &vm->processes[i];
        struct fl_oom_candidate c = { .order = i };
        if (p->exited || p->killed || is_protected(p))
            continue;
        weigh(view, p, &c);
        if (victim != UINT32_MAX && c.badness < worst.badness)
            continue;
        worst = c;
        victim = i;
    }
    if (victim == UINT32_MAX)
        return victim;
    *kill = (struct fl_oom_kill){ .pid = worst.pid,
                                  .badness = worst.badness,
                                  .oom_score_adj = worst.oom_score_adj,
                                  .rss_pages = worst.rss_pages,
                                  .swap_pages = worst.swap_pages };
    memcpy(kill->comm, worst.comm, sizeof kill->comm);
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
        if (p->exited || p->killed)
            continue;
        struct fl_oom_candidate *c = &all[(*n)++];
        weigh(view, p, c);
        c->order = i;
        c->is_protected = is_protected(p);
    }
    qsort(all, *n, sizeof *all, worst_first);
    return FL_OK;
}
