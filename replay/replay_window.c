/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs that change nothing but the order of pages, a window of them at a time: digest.h. */
#include "replay_priv.h"

static bool window_of_kernel(const struct linux_mm *k, const struct digest *d, bool *huge)
{
    uint8_t bits = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        uint32_t page = d->page[i];
        uint8_t need = PTE_PRESENT | PTE_YOUNG;
        if (digest_need(d, page) & FL_PROT_WRITE)
            need |= PTE_WRITE | PTE_DIRTY;
        if (page >= k->pages_room || need & (uint8_t)~k->pte[page])
            return false;
        bits |= k->pte[page];
    }
    *huge = bits & PTE_HUGE;
    return true;
}

/* Where nothing faults, each page once will do, in order of their last touches. */
static bool window_of_paging(struct replay *rp, const struct digest *d, int *rc, struct fl_err *err)
{
    struct paging *p = &rp->paging;
    uint32_t pages[DIGEST_RUNS_MAX], done;
    for (uint32_t i = 0; i < d->n; i++)
        if (!paging_is_resident(p, rp->vm.contents[d->page[i]]))
            return false;
    uint32_t n = digest_pages(d, DIGEST_LAST, pages);
    for (uint32_t from = 0; from < n && *rc == FL_OK; from += PAGING_BATCH) {
        struct paging_refs refs = { .n = n - from < PAGING_BATCH ? n - from : PAGING_BATCH,
                                    .contents = rp->contents,
                                    .info = rp->info,
                                    .kind = rp->vm.cs.kind };
        for (uint32_t i = 0; i < refs.n; i++) {
            rp->contents[i] = rp->vm.contents[pages[from + i]];
            rp->info[i] = digest_need(d, pages[from + i]) & FL_PROT_WRITE ? REF_WRITE : 0;
        }
        *rc = paging_batch(p, &refs, &done, err);
    }
    return true;
}

static bool one_space(const struct vm *vm, const struct digest *d)
{
    uint32_t mm = vm->mm_of[d->page[0]];
    bool one = true;
    for (uint32_t i = 1; i < d->n; i++)
        one &= vm->mm_of[d->page[i]] == mm;
    return one;
}

static void look_up(struct replay *rp, const struct fl_runs *runs, bool huge)
{
    const struct digest *d = rp->digest;
    if (!huge && one_space(&rp->vm, d)) {
        tlb_switch(&rp->tlb, rp->vm.mm_of[d->page[0]]);
        tlb_window(&rp->tlb, runs, d);
        return;
    }
    replay_look_up(rp, runs, 0, runs->n);
}

bool replay_window(struct replay *rp, const struct fl_runs *runs, int *rc, struct fl_err *err)
{
    const struct digest *d = rp->digest;
    bool user = runs->actor == FL_ACTOR_USER, huge = false;
    uint64_t n = user ? d->reads + d->writes + d->fetches : 0;
    *rc = FL_OK;
    if ((rp->has_kernel && translations_kept(&rp->kernel.translations)) ||
        rp->vm.processes[rp->process].killed || d->n_runs != runs->n ||
        rp->timeline.in_row + n >= rp->timeline.row_accesses || !digest_covered(d, rp->vm.rights) ||
        !(rp->has_kernel ? window_of_kernel(&rp->kernel, d, &huge)
                         : window_of_paging(rp, d, rc, err)))
        return false;
    rp->kernel.process = rp->process;
    rp->accesses += n;
    timeline_due(&rp->timeline, n); /* not yet */
    if (rp->has_kernel && user)
        linux_tick(&rp->kernel, FL_COST_ACCESS, n);
    for (size_t i = 0; i < runs->n_codes && rp->has_attribution; i++) {
        rp->regions.code = runs->codes[i].code;
        vm_run_from(&rp->vm, runs->page[runs->codes[i].run]);
    }
    if (*rc == FL_OK && rp->has_tlb && user)
        look_up(rp, runs, huge);
    else if (rp->has_tlb)
        tlb_switch(&rp->tlb, rp->vm.mm_of[runs->page[runs->n - 1]]);
    return true;
}
