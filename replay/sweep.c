/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many memory sizes and policies over one decoding of the trace. */
#include <stdlib.h>

#include <faultline/units.h>

#include "future.h"
#include "lru_curve.h"
#include "paging.h"
#include "vm.h"

#define BATCH 4096u /* references resolved before each paging stage gets its turn */

struct sweep {
    struct vm vm;
    struct paging *paging; /* one a point of @replayed */
    struct fl_sweep_point **replayed;
    size_t n_paging;
    struct lru_curve *curve; /* NULL: no point needs it */
    struct future *future;   /* NULL: no point needs it */
    int hook_rc;             /* a hook cannot fail; its error waits here */
    struct fl_err *err;
    uint32_t n_refs;
    uint32_t contents[BATCH];
    uint8_t info[BATCH];
    uint64_t next_use[BATCH];
};

static bool on_curve(const struct fl_sweep_point *p)
{
    return p->policy == fl_policy_find("lru") && p->swap_pages == UINT64_MAX;
}

static void on_contents_gone(void *arg, uint32_t c)
{
    struct sweep *s = arg;
    for (size_t i = 0; i < s->n_paging; i++)
        paging_forget(&s->paging[i], c);
    if (s->curve && s->hook_rc == FL_OK)
        s->hook_rc = lru_curve_gone(s->curve, c, s->err);
}

static int page_batch(struct sweep *s, struct paging *p)
{
    int rc = paging_room(p, s->vm.cs.n, s->err);
    for (uint32_t i = 0; i < s->n_refs && rc == FL_OK; i++) {
        bool swap_full = false;
        rc = paging_ref(p, &s->vm, s->contents[i], s->info[i], s->next_use[i], &swap_full, s->err);
    }
    return rc;
}

static int curve_batch(struct sweep *s)
{
    int rc = FL_OK;
    for (uint32_t i = 0; i < s->n_refs && rc == FL_OK; i++)
        rc = lru_curve_ref(s->curve, s->contents[i], s->info[i] & REF_WRITE,
                           ref_cause(s->info[i]) != FL_CAUSE_NONE,
                           s->vm.cs.kind[s->contents[i]] != CONTENTS_FILE, s->err);
    return rc;
}

static int do_runs(struct sweep *s, const struct fl_runs *runs)
{
    int rc = vm_new_pages(&s->vm, s->err);
    s->n_refs = 0;
    for (size_t i = 0; i < runs->n && rc == FL_OK; i++) {
        uint64_t next_use = 0;
        uint32_t at = s->n_refs;
        uint8_t need = run_need(runs->reads[i], runs->writes[i], runs->fetches[i]);
        if (s->future)
            rc = future_next(s->future, &next_use, s->err);
        if (rc == FL_OK)
            rc = vm_run(&s->vm, runs->page[i], need, runs->actor, &s->contents[at], &s->info[at],
                        s->err);
        s->next_use[at] = next_use;
        s->n_refs += rc == FL_OK && s->contents[at] != NO_CONTENTS;
    }
    for (size_t i = 0; i < s->n_paging && rc == FL_OK; i++)
        rc = page_batch(s, &s->paging[i]);
    if (rc == FL_OK && s->curve)
        rc = curve_batch(s);
    return rc;
}

static int begin(struct sweep *s, struct fl_reader *r, struct fl_sweep_point **points, size_t n)
{
    const struct fl_machine *machine = fl_machine_at(0);
    struct vm_hooks hooks = { .arg = s, .contents_gone = on_contents_gone };
    bool curve = false, future = false;
    int rc = FL_OK;

    vm_init(&s->vm, r, machine->levels, &hooks);
    s->paging = calloc(n, sizeof *s->paging);
    s->replayed = calloc(n, sizeof *s->replayed);
    if (!s->paging || !s->replayed)
        return fl_nomem(s->err, "sweep");
    for (size_t i = 0; i < n && rc == FL_OK; i++) {
        if (on_curve(points[i])) {
            curve = true;
            continue;
        }
        future |= (points[i]->policy->needs & FL_NEEDS_FUTURE) != 0;
        rc = paging_init(&s->paging[s->n_paging], points[i]->policy, points[i]->frames,
                         points[i]->swap_pages, points[i]->seed, s->err);
        s->replayed[s->n_paging] = points[i];
        s->n_paging += rc == FL_OK;
    }
    if (rc == FL_OK && curve)
        rc = lru_curve_new(&s->curve, s->err);
    if (rc == FL_OK && future)
        rc = future_build(r, machine->levels, &s->future, s->err);
    return rc == FL_OK ? fl_reader_rewind(r, s->err) : rc;
}

static void answer(struct sweep *s, struct fl_sweep_point **points, size_t n)
{
    if (s->curve)
        lru_curve_end(s->curve);
    for (size_t i = 0; i < n; i++) {
        if (!on_curve(points[i]))
            continue;
        struct lru_curve_point at = lru_curve_at(s->curve, points[i]->frames);
        points[i]->minor = at.minor;
        points[i]->major = at.major;
        points[i]->swap_in = at.swap_in;
        points[i]->swap_out = at.swap_out;
    }
    for (size_t i = 0; i < s->n_paging; i++) {
        s->replayed[i]->minor = paging_minor(&s->paging[i]);
        s->replayed[i]->major = paging_major(&s->paging[i]);
        s->replayed[i]->swap_in = s->paging[i].pages_in;
        s->replayed[i]->swap_out = s->paging[i].pages_out;
    }
}

/* Points with unlimited swap, side by side: nobody is killed, so one virtual memory serves all. */
static int sweep_together(struct fl_reader *r, struct fl_sweep_point **points, size_t n,
                          void (*progress)(void *arg, unsigned done_bp), void *arg,
                          struct fl_err *err)
{
    struct sweep *s = calloc(1, sizeof *s);
    uint64_t total = fl_reader_totals(r)->runs + 1, done = 0;
    struct fl_item item;
    int rc;

    if (!s)
        return fl_nomem(err, "sweep");
    s->err = err;
    rc = begin(s, r, points, n);
    while (rc == FL_OK && (rc = fl_reader_next(r, &item, err)) == FL_OK &&
           item.kind != FL_ITEM_END) {
        if (item.kind == FL_ITEM_EVENT) {
            rc = vm_event(&s->vm, &item.event, err);
        } else {
            rc = do_runs(s, &item.runs);
            done += item.runs.n;
            if (progress)
                progress(arg, (unsigned)((unsigned __int128)(done < total ? done : total) * 10000 /
                                         total));
        }
        if (rc == FL_OK)
            rc = s->hook_rc;
    }
    if (rc == FL_OK)
        answer(s, points, n);
    s->vm.hooks = (struct vm_hooks){ 0 };
    vm_fini(&s->vm);
    for (size_t i = 0; i < s->n_paging; i++)
        paging_fini(&s->paging[i]);
    free(s->paging);
    free(s->replayed);
    lru_curve_free(s->curve);
    future_free(s->future);
    free(s);
    return rc;
}

/* With a full swap area processes die, and each point has a world of its own. */
static int sweep_alone(struct fl_reader *r, struct fl_sweep_point *p, struct fl_err *err)
{
    struct fl_replay_opts opts = { .frames = p->frames,
                                   .swap_pages = p->swap_pages,
                                   .policy = p->policy,
                                   .no_tlb = true,
                                   .seed = p->seed };
    struct fl_result *result;
    int rc = fl_replay(r, &opts, &result, err);
    if (rc != FL_OK)
        return rc;
    p->minor = result->minor;
    p->major = result->major;
    p->swap_in = result->pages_in;
    p->swap_out = result->pages_out;
    p->oom_kills = result->n_oom_kills;
    fl_result_free(result);
    return FL_OK;
}

int fl_sweep(struct fl_reader *r, struct fl_sweep_point *points, size_t n,
             void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_err *err)
{
    struct fl_sweep_point **together = calloc(n ? n : 1, sizeof *together);
    size_t n_together = 0;
    int rc = together ? FL_OK : fl_nomem(err, "sweep");

    if (rc == FL_OK && fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT)
        rc = fl_fail(err, FL_EDATA,
                     "a trace of fidelity '%s' cannot answer what would happen under other memory "
                     "sizes; record it with --mode exact",
                     fl_fidelity_name(fl_reader_fidelity(r)));
    for (size_t i = 0; i < n && rc == FL_OK; i++) {
        points[i].oom_kills = 0;
        if (points[i].frames == 0)
            rc = fl_fail(err, FL_EUSAGE, "memory of no frames: give at least one page of --ram");
        else if (points[i].swap_pages == UINT64_MAX)
            together[n_together++] = &points[i];
        else
            rc = sweep_alone(r, &points[i], err);
    }
    if (rc == FL_OK && n_together)
        rc = sweep_together(r, together, n_together, progress, arg, err);
    free(together);
    return rc;
}

int fl_footprint(struct fl_reader *r, uint64_t *peak_pages, struct fl_err *err)
{
    struct fl_item item;
    struct vm vm;
    if (fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT)
        return fl_fail(err, FL_EDATA,
                       "a trace of fidelity '%s' does not tell its peak resident set; record it "
                       "with --mode exact",
                       fl_fidelity_name(fl_reader_fidelity(r)));
    int rc = fl_reader_rewind(r, err);

    vm_init(&vm, r, fl_machine_at(0)->levels, NULL);
    while (rc == FL_OK && (rc = fl_reader_next(r, &item, err)) == FL_OK &&
           item.kind != FL_ITEM_END) {
        if (item.kind == FL_ITEM_EVENT) {
            rc = vm_event(&vm, &item.event, err);
            continue;
        }
        const struct fl_runs *runs = &item.runs;
        rc = vm_new_pages(&vm, err);
        for (size_t i = 0; i < runs->n && rc == FL_OK; i++) {
            uint32_t c;
            uint8_t info;
            rc = vm_run(&vm, runs->page[i],
                        run_need(runs->reads[i], runs->writes[i], runs->fetches[i]), runs->actor,
                        &c, &info, err);
        }
    }
    *peak_pages = vm.cs.live_peak;
    vm_fini(&vm);
    return rc;
}
