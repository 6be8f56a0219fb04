/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs under a textbook policy, a stretch of them at a time: the virtual memory stage says what
 * contents each refers to, the paging stage makes faults and evictions of that, then whoever
 * follows those is told. A run that the virtual memory stage has to think about is a stretch of
 * its own, and so is one that a process was killed for; a row of the timeline ends with its stretch.
 */
#include "grow.h"
#include "replay_priv.h"

static inline uint64_t accesses_of(const struct fl_runs *runs, size_t from, size_t n)
{
    uint64_t sum = 0;
    if (runs->actor != FL_ACTOR_USER)
        return 0;
    for (size_t i = from; i < from + n; i++)
        sum += (uint64_t)runs->reads[i] + runs->writes[i] + runs->fetches[i];
    return sum;
}

/* How many of @n runs the timeline's row lasts for. */
static size_t until_row_ends(const struct replay *rp, const struct fl_runs *runs, size_t from,
                             size_t n)
{
    uint64_t left = rp->timeline.row_accesses - rp->timeline.in_row, sum = 0;
    size_t i = 0;
    if (accesses_of(runs, from, n) < left)
        return n;
    while (sum < left)
        sum += accesses_of(runs, from + i++, 1);
    return i;
}

/* @n runs are over, with which a row may be. */
static void runs_done(struct replay *rp, const struct fl_runs *runs, size_t from, size_t n)
{
    uint64_t accesses = accesses_of(runs, from, n);
    rp->accesses += accesses;
    if (rp->vm.processes[rp->process].killed)
        rp->result->skipped_accesses += accesses;
    if (timeline_due(&rp->timeline, accesses))
        replay_end_row(rp);
}

/* ---- what contents ------------------------------------------------------------------- */

/* How many of @n (at most PAGING_BATCH) runs their pages' rights cover; what these refer to. */
static uint32_t resolve(struct replay *rp, const struct fl_runs *runs, size_t from, uint32_t n)
{
    const uint32_t *page = runs->page + from, *reads = runs->reads + from,
                   *writes = runs->writes + from, *fetches = runs->fetches + from;
    const uint32_t *contents = rp->vm.contents, *at = rp->paging.at;
    const uint8_t *rights = rp->vm.rights;
    uint8_t need[PAGING_BATCH];
    uint32_t i;
    for (i = 0; i < n; i++)
        need[i] = run_need(reads[i], writes[i], fetches[i]);
    for (i = 0; i < n; i++) {
        if (__builtin_expect(need[i] & ~rights[page[i]], 0))
            break;
        uint32_t c = rp->contents[i] = contents[page[i]];
        __builtin_prefetch(&at[c]);
    }
    for (uint32_t k = 0; k < i; k++)
        rp->info[k] = need[k] & FL_PROT_WRITE ? REF_WRITE : 0;
    return i;
}

/* ---- what the other stages hear --------------------------------------------------------- */

static void look_up(struct replay *rp, const struct fl_runs *runs, size_t from, size_t to)
{
    bool looks = runs->actor == FL_ACTOR_USER && !rp->vm.processes[rp->process].killed;
    const uint32_t *mm_of = rp->vm.mm_of;
    for (size_t i = from, end; i < to; i = end) {
        uint32_t mm = mm_of[runs->page[i]];
        for (end = i + 1; end < to && mm_of[runs->page[end]] == mm;)
            end++;
        tlb_switch(&rp->tlb, mm);
        if (looks)
            tlb_batch(&rp->tlb, runs, i, end);
    }
}

static void on_evicted(struct replay *rp, uint32_t c)
{
    owners_evicted(rp, c);
    for (uint32_t page = rp->has_tlb ? rp->vm.cs.first_page[c] : NO_PAGE; page != NO_PAGE;
         page = rp->vm.next_mapper[page])
        tlb_flush_page(&rp->tlb, page, FL_PAGE_4K);
}

/* The last batch's faults, of @n runs; rp->accesses is from before them. */
static void tell(struct replay *rp, const struct fl_runs *runs, size_t from, size_t n)
{
    uint64_t accesses = rp->accesses;
    size_t told = from;
    if (!rp->has_tlb && !rp->has_attribution)
        return;
    for (uint32_t i = 0; i < rp->paging.n_faulted; i++) {
        const struct paging_fault *f = &rp->paging.faulted[i];
        size_t run = from + f->ref;
        uint32_t page = runs->page[run];
        if (rp->has_tlb) {
            look_up(rp, runs, told, run);
            tlb_switch(&rp->tlb, rp->vm.mm_of[page]);
        }
        if (f->evicted != NO_CONTENTS)
            on_evicted(rp, f->evicted);
        if (rp->has_attribution) {
            accesses += accesses_of(runs, told, run - told);
            run_codes_until(&rp->codes, runs, run, &rp->vm);
            if (f->cause != FL_CAUSE_NONE)
                owners_fault(rp, page, (enum fl_cause)f->cause, accesses);
        }
        told = run;
    }
    if (rp->has_tlb)
        look_up(rp, runs, told, from + n);
    if (rp->has_attribution && n)
        run_codes_until(&rp->codes, runs, from + n - 1, &rp->vm);
}

/* ---- references ------------------------------------------------------------------------- */

static int page_batch(struct replay *rp, const struct fl_runs *runs, size_t from, uint32_t at,
                      uint32_t n, uint32_t *done, struct fl_err *err)
{
    const struct paging_refs refs = { .n = n,
                                      .contents = rp->contents + at,
                                      .info = rp->info + at,
                                      .next_use = rp->next_use ? rp->next_use + from : NULL,
                                      .kind = rp->vm.cs.kind };
    int rc = paging_batch(&rp->paging, &refs, done, err);
    if (rc == FL_OK)
        tell(rp, runs, from, *done);
    return rc;
}

/* Run @from refers to rp->contents[@at], and found no room. Somebody is killed, until it has. */
static int kill_for(struct replay *rp, const struct fl_runs *runs, size_t from, uint32_t at,
                    struct fl_err *err)
{
    uint32_t done = 0;
    int rc = FL_OK;
    while (rc == FL_OK && !done && !rp->vm.processes[rp->process].killed) {
        rc = kill_someone(rp, err);
        if (rc == FL_OK && !rp->vm.processes[rp->process].killed)
            rc = page_batch(rp, runs, from, at, 1, &done, err);
    }
    return rc;
}

/* The @n runs that are resolved, or as many as until somebody is killed. */
static int references(struct replay *rp, const struct fl_runs *runs, size_t from, uint32_t n,
                      uint32_t *done, struct fl_err *err)
{
    int rc = paging_room(&rp->paging, rp->vm.cs.n, err);
    if (rc == FL_OK)
        rc = page_batch(rp, runs, from, 0, n, done, err);
    if (rc != FL_OK)
        return rc;
    if (*done)
        runs_done(rp, runs, from, *done);
    if (*done < n) {
        if (rp->has_tlb)
            tlb_switch(&rp->tlb, rp->vm.mm_of[runs->page[from + *done]]);
        run_codes_until(&rp->codes, runs, from + *done, &rp->vm);
        rc = kill_for(rp, runs, from + *done, *done, err);
        runs_done(rp, runs, from + (*done)++, 1);
    }
    return rc;
}

/* A run that is not covered. */
static int slow_run(struct replay *rp, const struct fl_runs *runs, size_t i, struct fl_err *err)
{
    uint32_t page = runs->page[i], done;
    run_codes_until(&rp->codes, runs, i, &rp->vm);
    if (rp->has_tlb)
        tlb_switch(&rp->tlb, rp->vm.mm_of[page]);
    int rc = vm_run(&rp->vm, page, run_need(runs->reads[i], runs->writes[i], runs->fetches[i]),
                    runs->actor, rp->contents, rp->info, err);
    if (rc == FL_OK && rp->contents[0] != NO_CONTENTS)
        return references(rp, runs, i, 1, &done, err);
    runs_done(rp, runs, i, 1);
    return rc;
}

static int next_uses(struct replay *rp, size_t n, struct fl_err *err)
{
    if (n > rp->next_use_room) {
        if (!grow(&rp->next_use, n))
            return fl_nomem(err, "opt");
        rp->next_use_room = n;
    }
    return future_take(rp->future, rp->next_use, n, err);
}

int replay_runs(struct replay *rp, const struct fl_runs *runs, struct fl_err *err)
{
    const struct process *self = &rp->vm.processes[rp->process];
    int rc = FL_OK;
    if (rp->future)
        rc = next_uses(rp, runs->n, err);
    for (size_t at = 0; at < runs->n && rc == FL_OK;) {
        size_t left = runs->n - at;
        size_t most = until_row_ends(rp, runs, at, left < PAGING_BATCH ? left : PAGING_BATCH);
        uint32_t n = self->killed ? (uint32_t)most : resolve(rp, runs, at, (uint32_t)most);
        if (self->killed)
            runs_done(rp, runs, at, n);
        else if (n)
            rc = references(rp, runs, at, n, &n, err);
        else
            rc = slow_run(rp, runs, at, err);
        at += n ? n : 1;
    }
    return rc;
}
