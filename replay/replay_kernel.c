/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs under the kernel's model. One that its entry covers only moves the clock and is looked up in
 * the TLB. So all runs up to the next that is not covered are two bytes each to look at, the clock
 * moves once, and the TLB takes them together. What faults has its memory on the way to the
 * processor by then: linux_expect().
 */
#include "linux/expect.h"
#include "replay_priv.h"

#define CHUNK 1024u /* runs whose needs are found at a time */
#define MANY 32u    /* of them that are not covered */

struct chunk {
    struct replay *rp;
    const struct fl_runs *runs;
    size_t from; /* its first run */
    uint32_t n, process;
    uint32_t n_uncovered; /* of it, or of the one before */
    uint8_t need[CHUNK];
};

/* Accesses of runs [i, end). */
static uint64_t accesses(const struct chunk *k, uint32_t i, uint32_t end)
{
    const uint32_t *reads = k->runs->reads + k->from, *writes = k->runs->writes + k->from,
                   *fetches = k->runs->fetches + k->from;
    uint64_t n = 0;
    for (; i < end; i++)
        n += (uint64_t)reads[i] + writes[i] + fetches[i];
    return n;
}

/* Is run @i all its entry has to be for nothing to change? */
static inline bool covered(const struct chunk *k, uint32_t i)
{
    uint32_t page = k->runs->page[k->from + i];
    uint8_t need = k->need[i], lacking = need & (uint8_t)~k->rp->vm.rights[page];
    if (translations_kept(&k->rp->kernel.translations))
        return !lacking && linux_translated(&k->rp->kernel, page, need & FL_PROT_WRITE);
    return !(lacking |
             (linux_entry_need(need & FL_PROT_WRITE) & (uint8_t)~k->rp->kernel.pte[page]));
}

/* The first run from @i on that is not covered, or the end. */
static uint32_t next_uncovered(const struct chunk *k, uint32_t i)
{
    while (i < k->n && covered(k, i))
        i++;
    return i;
}

/* The same where many fault: those to come get their memory ready. */
static uint32_t next_uncovered_of_many(const struct chunk *k, uint32_t i)
{
    const uint32_t *page = k->runs->page + k->from;
    size_t left = k->runs->n - k->from;
    struct replay *rp = k->rp;
    for (; i < k->n; i++) {
        if (i + 2 * LINUX_AHEAD < left) {
            linux_expect_page(&rp->kernel, page[i + 2 * LINUX_AHEAD]);
            uint32_t c = linux_expect(&rp->kernel, page[i + LINUX_AHEAD]);
            if (rp->has_attribution && c != NO_CONTENTS)
                attribution_prefetch(&rp->attribution, page[i + LINUX_AHEAD], c, NO_CONTENTS);
        }
        if (!covered(k, i))
            break;
    }
    return i;
}

/* Runs [i, end), at least one, to the end of the timeline's row at most. Returns where that is. */
static uint32_t to_row_end(const struct chunk *k, uint32_t i, uint32_t end, uint64_t *n)
{
    const struct timeline *t = &k->rp->timeline;
    *n = accesses(k, i, end);
    if (t->in_row + *n < t->row_accesses)
        return end;
    *n = 0;
    do
        *n += accesses(k, i, i + 1);
    while (++i < end && t->in_row + *n < t->row_accesses);
    return i;
}

/* Runs [i, end) are done, but for the TLB, the clock and the timeline. */
static void passed(const struct chunk *k, uint32_t i, uint32_t end)
{
    struct replay *rp = k->rp;
    bool killed = rp->vm.processes[k->process].killed, user = k->runs->actor == FL_ACTOR_USER;
    while (i < end) {
        uint64_t n = 0;
        size_t from = k->from + i;
        i = user ? to_row_end(k, i, end, &n) : end;
        if (rp->has_tlb && !killed)
            replay_look_up(rp, k->runs, from, k->from + i);
        rp->accesses += n;
        if (killed)
            rp->result->skipped_accesses += n;
        else
            linux_tick(&rp->kernel, FL_COST_ACCESS, n);
        if (timeline_due(&rp->timeline, n))
            replay_end_row(rp);
    }
}

int kernel_rc(const struct replay *rp, int rc, struct fl_err *err)
{
    if (rp->kill_rc == FL_OK)
        return rc;
    if (err)
        *err = rp->kill_err;
    return rp->kill_rc;
}

static int kernel_reference(struct replay *rp, uint32_t page, uint32_t c, uint8_t info,
                            struct fl_err *err)
{
    struct linux_mm *k = &rp->kernel;
    int rc = FL_OK;
    if (c >= k->folios_room || page >= k->pages_room)
        rc = linux_room(k, rp->vm.n_pages, c + 1, err);
    if (rc == FL_OK)
        rc = linux_run(k, page, c, info, err);
    return kernel_rc(rp, rc, err);
}

static int uncovered(const struct chunk *k, uint32_t i, struct fl_err *err)
{
    struct replay *rp = k->rp;
    uint32_t page = k->runs->page[k->from + i], c;
    uint8_t info, need = k->need[i];
    bool anew = need & (uint8_t)~rp->vm.rights[page];
    run_codes_until(&rp->codes, k->runs, k->from + i, &rp->vm);
    if (rp->has_tlb)
        tlb_switch(&rp->tlb, rp->vm.mm_of[page]);
    int rc = vm_run(&rp->vm, page, need, k->runs->actor, &c, &info, err);
    if (rc != FL_OK || c == NO_CONTENTS)
        return kernel_rc(rp, rc, err);
    if (anew && !reached_now(&rp->reached, c))
        return fl_nomem(err, "pages");
    return kernel_reference(rp, page, c, info, err);
}

static int do_chunk(struct chunk *k, struct fl_err *err)
{
    bool many = k->n_uncovered >= MANY;
    int rc = FL_OK;
    k->n_uncovered = 0;
    for (uint32_t i = 0; i < k->n && rc == FL_OK;) {
        uint32_t from = i;
        if (k->rp->vm.processes[k->process].killed)
            i = k->n;
        else
            i = many ? next_uncovered_of_many(k, i) : next_uncovered(k, i);
        passed(k, from, i);
        if (i == k->n)
            break;
        rc = uncovered(k, i, err);
        passed(k, i, i + 1);
        k->n_uncovered++;
        i++;
    }
    return rc;
}

uint64_t replay_wanted(const struct replay *rp)
{
    return rp->has_kernel && !rp->has_tlb && !rp->kernel.opts.machine ? rp->kernel.wanted
                                                                      : UINT64_MAX;
}

bool replay_run_by_run(const struct replay *rp)
{
    return rp->has_kernel &&
           (translations_kept(&rp->kernel.translations) || (!rp->has_tlb && !rp->has_attribution));
}

int kernel_runs(struct replay *rp, const struct fl_runs *runs, struct fl_err *err)
{
    struct chunk k = { .rp = rp, .runs = runs, .process = rp->process };
    int rc = linux_room(&rp->kernel, rp->vm.n_pages, 0, err); /* entries of all pages */
    rp->kernel.process = rp->process;
    while (k.from < runs->n && rc == FL_OK) {
        size_t left = runs->n - k.from;
        k.n = left < CHUNK ? (uint32_t)left : CHUNK;
        run_needs(runs, k.from, k.n, k.need);
        rc = do_chunk(&k, err);
        k.from += k.n;
    }
    if (rc == FL_OK)
        run_codes_until(&rp->codes, runs, runs->n, &rp->vm);
    return rc;
}
