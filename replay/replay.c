/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of the model: virtual memory, then paging, then TLB, for each run of the trace. */
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "fill_result.h"
#include "kernel_opts.h"
#include "policies.h"
#include "reduced.h"
#include "replay_priv.h"

/* ---- what one stage tells another --------------------------------------------------- */

static enum fl_page_size mapped_as(const struct replay *rp, uint32_t page)
{
    return rp->has_kernel ? linux_mapped_as(&rp->kernel, page) : FL_PAGE_4K;
}

static void on_page_dropped(void *arg, uint32_t page)
{
    struct replay *rp = arg;
    if (rp->has_tlb && page < rp->vm.n_pages)
        tlb_follow_dropped(&rp->follow, page, mapped_as(rp, page));
}

static void on_contents_gone(void *arg, uint32_t c)
{
    struct replay *rp = arg;
    if (rp->has_attribution)
        attribution_gone(&rp->attribution, c);
    if (rp->has_kernel) {
        reached_gone(&rp->reached, c);
        linux_forget(&rp->kernel, c);
    } else {
        paging_forget(&rp->paging, c);
    }
}

static void on_mm_gone(void *arg, uint32_t mm)
{
    struct replay *rp = arg;
    if (rp->has_tlb)
        tlb_follow_mm_gone(&rp->follow, mm);
}

/* ---- events ---------------------------------------------------------------------------- */

static int do_event(struct replay *rp, const struct fl_event *ev, struct fl_err *err)
{
    uint32_t spaces = rp->vm.n_spaces;
    if (rp->has_attribution)
        owners_event(rp, ev);
    tlb_follow_begin(&rp->follow, ev);
    int rc = vm_event(&rp->vm, ev, err);
    if (rc == FL_OK && rp->has_tlb)
        tlb_follow_end(&rp->follow, &rp->vm, spaces);
    rp->follow.event = NULL;
    if (rc == FL_OK && rp->has_kernel)
        rc = kernel_rc(rp, linux_event(&rp->kernel, ev, err), err);
    return rc;
}

static void on_unmapped(void *arg, uint32_t page)
{
    struct replay *rp = arg;
    if (page < rp->vm.n_pages) /* a borrowed one has not been translated yet */
        tlb_flush_page(&rp->tlb, page, mapped_as(rp, page));
}

static void expect_evicted(void *arg, uint32_t page, uint32_t c)
{
    struct replay *rp = arg;
    if (rp->has_tlb && page < rp->vm.n_pages)
        tlb_prefetch(&rp->tlb, page);
    if (rp->has_attribution)
        attribution_prefetch(&rp->attribution, page, NO_CONTENTS, c);
}

/* ---- runs ------------------------------------------------------------------------------ */

void replay_end_row(struct replay *rp)
{
    const struct paging_counts *p = &rp->paging.counts;
    const struct linux_mm *k = &rp->kernel;
    uint64_t blocks[FL_ORDERS];
    struct timeline_now now = {
        .faults = rp->has_kernel ? k->faults : p->faults,
        .evictions = rp->has_kernel ? k->evictions : p->evictions,
        .pages_out = rp->has_kernel ? k->pages_out : p->pages_out,
        .resident_pages = rp->has_kernel ? k->resident : p->resident,
        .swapped_pages = rp->has_kernel ? k->swap.used : p->slots,
        .page_tables = rp->vm.n_tables,
        .tlb_misses = rp->tlb.walks,
    };
    if (rp->has_kernel && k->frames) {
        machine_free_blocks(k, blocks);
        now.free_blocks = blocks;
    }
    note_candidates(rp);
    bool halved = timeline_row(&rp->timeline, &now);
    if (!rp->has_attribution)
        return;
    if (attribution_row(&rp->attribution) != FL_OK)
        rp->attribution_rc = FL_ENOMEM;
    if (halved)
        attribution_halve(&rp->attribution);
}

static int do_runs(struct replay *rp, const struct fl_runs *runs, struct fl_err *err)
{
    uint32_t process = vm_thread_process(&rp->vm, runs->thread);
    if (process == UINT32_MAX)
        return fl_fail(err, FL_EFORMAT, "the trace has accesses of unknown thread %u",
                       runs->thread);
    rp->process = process;
    int rc = vm_new_pages(&rp->vm, err);
    if (rc == FL_OK && rp->has_tlb)
        rc = tlb_room(&rp->tlb, rp->vm.n_pages, err);
    if (rc == FL_OK && rp->has_kernel && rp->kernel.thp.on)
        rc = linux_background(&rp->kernel, err);
    if (rc == FL_OK && rp->has_attribution)
        rc = run_codes_begin(&rp->codes, runs, &rp->regions, err);
    rp->windowed = rc == FL_OK && rp->digest && replay_window(rp, runs, &rc, err);
    if (rc == FL_OK && !rp->windowed)
        rc = rp->has_kernel ? kernel_runs(rp, runs, err) : replay_runs(rp, runs, err);
    if (rc == FL_OK && rp->has_attribution)
        run_codes_end(&rp->codes, runs->thread, &rp->regions);
    if (rc == FL_OK && rp->attribution_rc != FL_OK)
        rc = fl_nomem(err, "owners of faults");
    return rc;
}

/* A thousand times in all, however short the stretches are. */
static void tell_progress(struct replay *rp, const struct fl_reader *r, size_t n)
{
    rp->runs += n;
    if (!rp->opts.progress || rp->runs < rp->runs_to_tell)
        return;
    uint64_t total = reduced_total(r, rp->reduced);
    uint64_t done = rp->runs < total ? rp->runs : total;
    rp->runs_to_tell = rp->runs + total / 1000 + 1;
    rp->opts.progress(rp->opts.progress_arg,
                      total ? (unsigned)((unsigned __int128)done * 10000 / total) : 0);
}

/* ---- a whole replay ---------------------------------------------------------------------- */

static int check_fidelity(const struct fl_reader *r, bool tlb, struct fl_err *err)
{
    enum fl_fidelity have = fl_reader_fidelity(r);
    if (have == FL_FIDELITY_EXACT || (have == FL_FIDELITY_PAGE_EXACT && !tlb))
        return FL_OK;
    return fl_fail(err, FL_EDATA,
                   "a trace of fidelity '%s' cannot answer what would happen under other %s; "
                   "record it with --mode exact",
                   fl_fidelity_name(have),
                   have == FL_FIDELITY_PAGE_EXACT ? "TLBs (try --no-tlb)" : "memory sizes");
}

static uint64_t whole_flushes_from(const struct fl_kernel_opts *kernel)
{
    if (kernel->whole_flushes_from != FL_FLUSHES_BY_SWAP)
        return kernel->whole_flushes_from;
    return kernel->swap_kind == FL_SWAP_ZRAM ? FL_FLUSHES_NEVER : 0;
}

static int begin_kernel(struct replay *rp, struct fl_err *err)
{
    static const enum swap_kind kinds[] = { [FL_SWAP_ZRAM] = SWAP_SYNCHRONOUS,
                                            [FL_SWAP_SSD] = SWAP_SSD,
                                            [FL_SWAP_DISK] = SWAP_ROTATIONAL };
    const struct fl_kernel_opts *kernel = rp->opts.kernel;
    struct linux_opts opts = { .limit_pages = rp->opts.frames == FL_FRAMES_UNLIMITED
                                                  ? UINT64_MAX / 2
                                                  : rp->opts.frames,
                               .swap_pages = rp->opts.swap_pages,
                               .swap_kind = kinds[kernel->swap_kind],
                               .page_cluster = kernel->page_cluster,
                               .swappiness = kernel->swappiness,
                               .first_flush_ps = kernel->first_flush_ms * UINT64_C(1000000000),
                               .flushes = kernel->flushes,
                               .costs = rp->opts.costs,
                               .seed = rp->opts.seed,
                               .whole_flushes_from = whole_flushes_from(kernel),
                               .group_v2 = kernel->memcg == FL_MEMCG_V2,
                               .no_groups = kernel->memcg == FL_MEMCG_NONE,
                               .data_frames = kernel->data_frames,
                               .machine = !strcmp(kernel_scope(&rp->opts), "machine"),
                               .zones = kernel_zones(kernel, &rp->opts),
                               .cpus = kernel->cpus,
                               .thp = kernel->thp,
                               .mglru = rp->opts.policy == &fl_policy_mglru };
    int rc = linux_init(&rp->kernel, &opts, &rp->vm, err);
    rp->kernel.kill = kernel_kill;
    if (!rp->opts.no_tlb || !rp->opts.no_owners)
        rp->kernel.expect_evicted = expect_evicted;
    rp->kernel.arg = rp;
    rp->vm.hooks.pte = linux_pte_hooks(&rp->kernel);
    return rc;
}

static int begin(struct replay *rp, struct fl_reader *r, struct fl_err *err)
{
    const struct fl_machine *machine = rp->opts.machine;
    struct vm_hooks hooks = { .arg = rp,
                              .page_dropped = on_page_dropped,
                              .contents_gone = on_contents_gone,
                              .mm_gone = on_mm_gone };
    int rc = FL_OK;

    rp->has_kernel = rp->opts.policy->needs & FL_IS_KERNEL;
    if (rp->opts.policy->needs & FL_NEEDS_FUTURE)
        rc = future_build(r, machine->levels, rp->reduced, &rp->future, err);
    if (rc == FL_OK)
        rc = reduced_begin(r, rp->reduced, err);
    vm_init(&rp->vm, r, machine->levels, &hooks);
    rp->vm.oom_adj = rp->opts.oom_adj;
    rp->vm.n_oom_adj = rp->opts.n_oom_adj;
    if (rc == FL_OK)
        rc = rp->has_kernel ? begin_kernel(rp, err)
                            : paging_init(&rp->paging, rp->opts.policy, rp->opts.frames,
                                          rp->opts.swap_pages, rp->opts.seed, err);
    if (rc == FL_OK && !rp->opts.no_tlb) {
        rc = tlb_init(&rp->tlb, machine, r, err);
        rp->has_tlb = rc == FL_OK;
        rp->follow.tlb = &rp->tlb;
        rp->kernel.unmapped = on_unmapped;
    }
    if (rc == FL_OK && !rp->opts.no_owners)
        rc = owners_begin(rp, err);
    rp->paging.tells = rp->has_tlb || rp->has_attribution;
    if (rc == FL_OK)
        rc = timeline_init(&rp->timeline, fl_totals_accesses(fl_reader_totals(r)), err);
    return rc;
}

static void fill_result(struct replay *rp)
{
    struct fl_result *res = rp->result;
    res->opts = rp->opts;
    res->opts.progress = NULL;
    res->opts.progress_arg = NULL;
    res->segv = rp->vm.segv;
    if (rp->has_kernel)
        result_of_kernel(res, &rp->kernel);
    else
        result_of_paging(res, &rp->paging.counts);
    for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++)
        *(fl_cause_is_major((enum fl_cause)c) ? &res->major : &res->minor) += res->faults[c];
    res->unlimited_peak_pages = rp->has_kernel ? rp->reached.peak : rp->vm.cs.live_peak;
    if (rp->has_tlb)
        result_of_tlb(res, &rp->tlb);
    res->page_tables_peak = rp->vm.tables_peak;
    res->flat_bytes_avoided = rp->vm.flat_bytes_avoided;
    res->levels = rp->vm.levels;
    res->shared_pages = rp->vm.cs.shared_at_best;
    res->saved_pages = rp->vm.cs.saved_at_best;
    res->oom_adj_unknown = vm_unknown_adj(&rp->vm);
    res->rows = rp->timeline.rows;
    res->n_rows = rp->timeline.n;
    rp->timeline.rows = NULL;
}

void replay_free(struct replay *rp)
{
    if (!rp)
        return;
    rp->vm.hooks = (struct vm_hooks){ 0 };
    vm_fini(&rp->vm);
    paging_fini(&rp->paging);
    if (rp->has_kernel)
        linux_fini(&rp->kernel);
    reached_fini(&rp->reached);
    tlb_fini(&rp->tlb);
    timeline_fini(&rp->timeline);
    attribution_fini(&rp->attribution);
    regions_fini(&rp->regions);
    run_codes_fini(&rp->codes);
    future_free(rp->future);
    free(rp->next_use);
    fl_result_free(rp->result);
    free(rp);
}

int replay_new(struct fl_reader *r, const struct fl_replay_opts *opts, uint32_t reduced,
               struct replay **out, struct fl_err *err)
{
    *out = NULL;
    if (opts->frames == 0)
        return fl_fail(err, FL_EUSAGE, "memory of no frames: give at least one page of --ram");
    int rc = check_fidelity(r, !opts->no_tlb, err);
    if (rc != FL_OK)
        return rc;
    struct replay *rp = calloc(1, sizeof *rp);
    if (!rp)
        return fl_nomem(err, "replay");
    rp->opts = *opts;
    rp->reduced = reduced;
    if (!rp->opts.machine)
        rp->opts.machine = fl_machine_at(0);
    if (!rp->opts.kernel)
        rp->opts.kernel = fl_kernel_defaults();
    if (!rp->opts.costs)
        rp->opts.costs = rp->opts.machine->costs ? rp->opts.machine->costs : fl_costs_default();
    rp->result = calloc(1, sizeof *rp->result);
    rc = rp->result ? begin(rp, r, err) : fl_nomem(err, "result");
    if (rc == FL_OK)
        *out = rp;
    else
        replay_free(rp);
    return rc;
}

int replay_item(struct replay *rp, const struct fl_item *item, const struct digest *digest,
                struct fl_err *err)
{
    if (item->kind == FL_ITEM_EVENT)
        return do_event(rp, &item->event, err);
    rp->digest = rp->future ? NULL : digest; /* the future is run by run */
    return do_runs(rp, &item->runs, err);
}

int replay_result(struct replay *rp, struct fl_reader *r, struct fl_result **out,
                  struct fl_err *err)
{
    int rc = FL_OK;
    if (rp->timeline.open || !rp->timeline.n)
        replay_end_row(rp);
    fill_result(rp);
    if (rp->has_attribution)
        rc = owners_end(rp, err);
    /* the dead would have touched more; what the kernel made is shared in other ways */
    if (rc == FL_OK && !rp->opts.no_peak && (rp->result->n_oom_kills || rp->kernel.made_pages))
        rc = fl_footprint(r, &rp->result->unlimited_peak_pages, err);
    if (rc == FL_OK) {
        *out = rp->result;
        rp->result = NULL;
    }
    return rc;
}

static int one_pass(struct fl_reader *r, const struct fl_replay_opts *opts, uint32_t reduced,
                    struct fl_result **out, struct fl_err *err)
{
    struct digest *digest = calloc(1, sizeof *digest);
    struct replay *rp = NULL;
    struct fl_item item;

    *out = NULL;
    int rc = digest ? replay_new(r, opts, reduced, &rp, err) : fl_nomem(err, "replay");
    while (rc == FL_OK && (rc = fl_reader_next(r, &item, err)) == FL_OK &&
           item.kind != FL_ITEM_END) {
        const struct digest *of = NULL;
        /* in a layer there is little left to save; the future, and some of the kernel's, are by run */
        if (item.kind == FL_ITEM_RUNS && !reduced && !rp->future && !replay_run_by_run(rp))
            rc = digest_item(digest, r, &item.runs, &of, err);
        if (rc == FL_OK)
            rc = replay_item(rp, &item, of, err);
        if (of)
            digest_paid(digest, rp->windowed);
        if (item.kind == FL_ITEM_RUNS)
            tell_progress(rp, r, item.runs.n);
    }
    if (rc == FL_OK)
        rc = replay_result(rp, r, out, err);
    replay_free(rp);
    if (digest)
        digest_fini(digest);
    free(digest);
    return rc;
}

/* A layer does not tell how often somebody touched what he may not, nor when exactly one was killed;
   the stream does. */
int fl_replay(struct fl_reader *r, const struct fl_replay_opts *opts, struct fl_result **out,
              struct fl_err *err)
{
    uint32_t reduced = opts->no_tlb && opts->policy ? reduced_suits(r, opts->frames, opts->policy)
                                                    : 0;
    int rc = one_pass(r, opts, reduced, out, err);
    if (rc != FL_OK || !reduced || (!(*out)->segv && !(*out)->n_oom_kills))
        return rc;
    fl_result_free(*out);
    return one_pass(r, opts, false, out, err);
}
