/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs under a textbook policy, a stretch of them at a time: the virtual memory stage says what
 * contents each refers to, the paging stage makes faults and evictions of that, then whoever
 * follows those is told. A run that the virtual memory stage has to think about waits until those
 * before it are done; a row of the timeline ends with its stretch.
 */
#include "grow.h"
#include "prefetch.h"
#include "replay_priv.h"

static inline uint64_t accesses_of(const struct fl_runs *runs, size_t from, size_t n)
{
    uint64_t sum = 0;
    if (runs->actor != FL_ACTOR_USER)
        return 0;
    if (!(runs->facts & FL_RUNS_LONG))
        return n;
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

/* In a reduced layer a run stands for those behind it as well, which may be rows. */
static void pass_time(struct replay *rp, uint64_t n)
{
    struct timeline *t = &rp->timeline;
    uint64_t left = n;
    for (uint64_t part; left >= (part = t->row_accesses - t->in_row); left -= part) {
        timeline_due(t, part);
        replay_end_row(rp);
    }
    if (left || !n)
        timeline_due(t, left);
}

/* @n runs are over, with which a row may be. */
static void runs_done(struct replay *rp, const struct fl_runs *runs, size_t from, size_t n)
{
    uint64_t accesses = accesses_of(runs, from, n);
    rp->accesses += accesses;
    if (rp->vm.processes[rp->process].killed)
        rp->result->skipped_accesses += accesses;
    if (rp->reduced)
        pass_time(rp, accesses);
    else if (timeline_due(&rp->timeline, accesses))
        replay_end_row(rp);
}

/* ---- what contents ------------------------------------------------------------------- */

static void find_needs(struct replay *rp, const struct fl_runs *runs, size_t from, uint32_t n)
{
    run_needs(runs, from, n, rp->need);
    for (uint32_t i = 0; i < n; i++)
        rp->info[i] = rp->need[i] & FL_PROT_WRITE ? REF_WRITE : 0;
}

/* Which of the runs @i to @n of the stretch is the first that its page's rights do not cover;
   what those before it refer to. @page: of the stretch. */
static uint32_t resolve(struct replay *rp, const uint32_t *page, uint32_t i, uint32_t n)
{
    const uint32_t *contents = rp->vm.contents, *at = rp->paging.at;
    const uint8_t *rights = rp->vm.rights, *need = rp->need;
    for (; i < n && !(need[i] & ~rights[page[i]]); i++) {
        uint32_t c = rp->contents[i] = contents[page[i]];
        __builtin_prefetch(&at[c]);
    }
    return i;
}

/* ---- what the other stages hear --------------------------------------------------------- */

static void look_up_sized(struct replay *rp, const struct fl_runs *runs, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        tlb_run(&rp->tlb, runs->page[i], linux_mapped_as(&rp->kernel, runs->page[i]),
                runs->fetches[i], runs->reads[i], runs->writes[i]);
}

void replay_look_up(struct replay *rp, const struct fl_runs *runs, size_t from, size_t to)
{
    bool looks = runs->actor == FL_ACTOR_USER && !rp->vm.processes[rp->process].killed;
    bool one_space = rp->vm.n_mms == 1;
    const uint32_t *mm_of = rp->vm.mm_of;
    for (size_t i = from, end; i < to; i = end) {
        uint32_t mm = mm_of[runs->page[i]];
        for (end = one_space ? to : i + 1; end < to && mm_of[runs->page[end]] == mm;)
            end++;
        tlb_switch(&rp->tlb, mm);
        if (looks && rp->kernel.thp.n_pmds) /* some page was huge */
            look_up_sized(rp, runs, i, end);
        else if (looks)
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

/* What telling of a fault looks at, some of it at the end of a chain: each link is asked for a few
   faults after the one before. */
#define TELL_AHEAD 8u

static PREFETCHES void tell_soon(const struct replay *rp, const uint32_t *page, uint32_t i)
{
    const struct paging_fault *f = rp->paging.faulted;
    const struct vm *vm = &rp->vm;
    uint32_t n = rp->paging.n_faulted, soon = i + 2 * TELL_AHEAD;
    if (soon < n) {
        uint32_t p = page[f[soon].ref], c = f[soon].evicted;
        if (c != NO_CONTENTS && rp->has_tlb)
            __builtin_prefetch(&vm->cs.first_page[c]);
        if (rp->has_tlb)
            __builtin_prefetch(&vm->mm_of[p]);
        if (rp->has_attribution)
            attribution_prefetch(&rp->attribution, p, vm->contents[p], c);
    }
    soon -= TELL_AHEAD;
    if (soon < n && rp->has_tlb && f[soon].evicted != NO_CONTENTS) {
        uint32_t mapper = vm->cs.first_page[f[soon].evicted];
        if (mapper != NO_PAGE) {
            __builtin_prefetch(&vm->next_mapper[mapper]);
            tlb_prefetch(&rp->tlb, mapper);
        }
    }
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
        tell_soon(rp, runs->page + from, i);
        if (rp->has_tlb) {
            replay_look_up(rp, runs, told, run);
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
        replay_look_up(rp, runs, told, from + n);
    if (rp->has_attribution && n)
        run_codes_until(&rp->codes, runs, from + n - 1, &rp->vm);
}

/* ---- references ------------------------------------------------------------------------- */

/* Of the stretch that begins at run @from, references [@at, @to). */
static int page_batch(struct replay *rp, const struct fl_runs *runs, size_t from, uint32_t at,
                      uint32_t to, uint32_t *done, struct fl_err *err)
{
    const struct paging_refs refs = { .n = to - at,
                                      .contents = rp->contents + at,
                                      .info = rp->info + at,
                                      .next_use = rp->next_use ? rp->next_use + from + at : NULL,
                                      .kind = rp->vm.cs.kind };
    int rc = paging_batch(&rp->paging, &refs, done, err);
    if (rc == FL_OK)
        tell(rp, runs, from + at, *done);
    return rc;
}

/* Reference @at found no room. Somebody is killed, until it has. */
static int kill_for(struct replay *rp, const struct fl_runs *runs, size_t from, uint32_t at,
                    struct fl_err *err)
{
    uint32_t done = 0;
    int rc = FL_OK;
    if (rp->has_tlb)
        tlb_switch(&rp->tlb, rp->vm.mm_of[runs->page[from + at]]);
    run_codes_until(&rp->codes, runs, from + at, &rp->vm);
    while (rc == FL_OK && !done && !rp->vm.processes[rp->process].killed) {
        rc = kill_someone(rp, err);
        if (rc == FL_OK && !rp->vm.processes[rp->process].killed)
            rc = page_batch(rp, runs, from, at, at + 1, &done, err);
    }
    return rc;
}

/* References [*@at, @to), or as many as until somebody is killed; *@at: the next one. */
static int references(struct replay *rp, const struct fl_runs *runs, size_t from, uint32_t *at,
                      uint32_t to, struct fl_err *err)
{
    uint32_t done = 0;
    int rc = paging_room(&rp->paging, rp->vm.cs.n, err);
    if (rc == FL_OK)
        rc = page_batch(rp, runs, from, *at, to, &done, err);
    if (rc != FL_OK)
        return rc;
    runs_done(rp, runs, from + *at, done);
    *at += done;
    if (*at < to) {
        rc = kill_for(rp, runs, from, *at, err);
        runs_done(rp, runs, from + *at, 1);
        ++*at;
    }
    return rc;
}

/* A run that is not covered. */
static int slow_run(struct replay *rp, const struct fl_runs *runs, size_t from, uint32_t *at,
                    struct fl_err *err)
{
    uint32_t page = runs->page[from + *at], to = *at + 1;
    run_codes_until(&rp->codes, runs, from + *at, &rp->vm);
    if (rp->has_tlb)
        tlb_switch(&rp->tlb, rp->vm.mm_of[page]);
    int rc =
        vm_run(&rp->vm, page, rp->need[*at], runs->actor, &rp->contents[*at], &rp->info[*at], err);
    if (rc == FL_OK && rp->contents[*at] != NO_CONTENTS)
        return references(rp, runs, from, at, to, err);
    runs_done(rp, runs, from + *at, 1);
    *at = to;
    return rc;
}

/* @n runs, of which the last may end a row. */
static int stretch(struct replay *rp, const struct fl_runs *runs, size_t from, uint32_t n,
                   struct fl_err *err)
{
    const struct process *self = &rp->vm.processes[rp->process];
    uint32_t at = 0;
    int rc = FL_OK;
    find_needs(rp, runs, from, n);
    while (at < n && !self->killed && rc == FL_OK) {
        uint32_t to = resolve(rp, runs->page + from, at, n);
        if (to > at)
            rc = references(rp, runs, from, &at, to, err);
        else
            rc = slow_run(rp, runs, from, &at, err);
    }
    if (rc == FL_OK && at < n)
        runs_done(rp, runs, from + at, n - at); /* of one that has been killed */
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
    int rc = rp->future ? next_uses(rp, runs->n, err) : FL_OK;
    for (size_t at = 0, n; at < runs->n && rc == FL_OK; at += n) {
        size_t left = runs->n - at;
        n = until_row_ends(rp, runs, at, left < PAGING_BATCH ? left : PAGING_BATCH);
        rc = stretch(rp, runs, at, (uint32_t)n, err);
    }
    return rc;
}
