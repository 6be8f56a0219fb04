/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "linux_drive.h"

static void must(int rc, const struct fl_err *err)
{
    if (rc == FL_OK)
        return;
    fprintf(stderr, "%s\n", err->msg);
    abort();
}

static void contents_gone(void *arg, uint32_t c)
{
    struct linux_drive *d = arg;
    linux_forget(&d->lm, c);
}

static enum oom_page page_state(const void *arg, const struct leaf *leaf, uint32_t c)
{
    const struct linux_drive *d = arg;
    return linux_page_state(&d->lm, leaf, c);
}

static bool kill_one(void *arg)
{
    struct linux_drive *d = arg;
    struct fl_oom_kill kill;
    struct oom_view view = {
        .vm = &d->vm, .page_state = page_state, .arg = d, .total_pages = 1000
    };
    uint32_t victim = oom_pick(&view, &kill);
    if (victim == UINT32_MAX) {
        d->stuck = true;
        return false;
    }
    vm_kill(&d->vm, victim);
    return true;
}

void linux_drive_open(struct linux_drive *d, struct item_list *list, const struct linux_opts *opts)
{
    struct fl_err err;
    size_t len = 0;
    *d = (struct linux_drive){ .reader = NULL };
    must(item_list_trace(list, &d->bytes, &len, &err), &err);
    must(fl_reader_open_mem(d->bytes, len, 0, &d->reader, &err), &err);
    item_list_free(list);
    struct vm_hooks hooks = { .arg = d, .contents_gone = contents_gone };
    vm_init(&d->vm, d->reader, 4, &hooks);
    must(linux_init(&d->lm, opts, &d->vm, &err), &err);
    d->lm.kill = kill_one;
    d->lm.arg = d;
    d->vm.hooks.pte = linux_pte_hooks(&d->lm);
}

void linux_drive_close(struct linux_drive *d)
{
    d->vm.hooks = (struct vm_hooks){ 0 };
    vm_fini(&d->vm);
    linux_fini(&d->lm);
    fl_reader_free(d->reader);
    free(d->bytes);
}

static int one_run(struct linux_drive *d, const struct fl_runs *runs, size_t i, struct fl_err *err)
{
    uint32_t process = vm_thread_process(&d->vm, runs->thread), c;
    uint8_t info;
    if (d->vm.processes[process].killed)
        return FL_OK;
    d->lm.process = process;
    int rc = vm_run(&d->vm, runs->page[i],
                    run_need(runs->reads[i], runs->writes[i], runs->fetches[i]), runs->actor, &c,
                    &info, err);
    if (rc == FL_OK && c != NO_CONTENTS)
        rc = linux_room(&d->lm, d->vm.n_pages, c + 1, err);
    if (rc == FL_OK && c != NO_CONTENTS)
        rc = linux_run(&d->lm, runs->page[i], c, info, err);
    linux_tick(&d->lm, FL_COST_ACCESS, runs->reads[i] + runs->writes[i] + runs->fetches[i]);
    d->references++;
    if (d->check_every && d->references % d->check_every == 0 && !d->stuck)
        d->broken = !linux_check(&d->lm);
    return rc;
}

void linux_drive_run(struct linux_drive *d, uint64_t references)
{
    struct fl_err err;
    while (!d->broken && !d->stuck && d->references < references) {
        int rc = FL_OK;
        if (d->item.kind == FL_ITEM_RUNS && d->done < d->item.runs.n) {
            rc = one_run(d, &d->item.runs, d->done++, &err);
        } else {
            must(fl_reader_next(d->reader, &d->item, &err), &err);
            d->done = 0;
            if (d->item.kind == FL_ITEM_END)
                return;
            if (d->item.kind == FL_ITEM_RUNS)
                rc = vm_new_pages(&d->vm, &err);
            else if ((rc = vm_event(&d->vm, &d->item.event, &err)) == FL_OK)
                rc = linux_event(&d->lm, &d->item.event, &err);
        }
        if (!d->stuck)
            must(rc, &err);
    }
}

uint32_t linux_drive_page(const struct linux_drive *d, uint32_t mm, uint64_t vpn)
{
    for (uint32_t page = 0; page < fl_reader_pages(d->reader); page++) {
        struct fl_page at = fl_reader_page(d->reader, page);
        if (at.mm == mm && at.vpn == vpn)
            return page;
    }
    return NO_PAGE;
}

struct linux_opts linux_drive_opts(uint64_t limit, uint64_t swap_pages, enum swap_kind kind,
                                   uint64_t first_flush_ps)
{
    return (struct linux_opts){ .limit_pages = limit,
                                .swap_pages = swap_pages,
                                .swap_kind = kind,
                                .page_cluster = SWAP_PAGE_CLUSTER,
                                .swappiness = 60,
                                .first_flush_ps = first_flush_ps,
                                .whole_flushes_from = FL_FLUSHES_NEVER,
                                .costs = fl_costs_default() };
}

void linux_drive_tlb(struct linux_opts *opts, uint64_t seed)
{
    enum { KINDS = 3 };
    static struct fl_costs costs[KINDS];
    costs[seed % KINDS] = *fl_costs_default();
    costs[seed % KINDS].tlb = (struct fl_tlb_kept){ .entries = (uint32_t)(seed % KINDS * 40),
                                                    .per_fault = 1,
                                                    .per_page_out = 2 };
    opts->costs = &costs[seed % KINDS];
    opts->seed = seed;
    opts->whole_flushes_from = seed % 4 ? FL_FLUSHES_NEVER : seed;
}
