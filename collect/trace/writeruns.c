/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writeruns.c - runs into the open block of a trace that is written. */
#include <stdlib.h>
#include <string.h>

#include "writer.h"

_Static_assert(FL_NO_PAGE == FL_PAGE_ID_NONE, "no page is no id");

static int judge_run(const struct fl_writer *w, uint32_t thread, enum fl_actor actor, uint32_t mm,
                     uint32_t reads, uint32_t writes, uint32_t fetches, struct fl_err *err)
{
    if (!(reads | writes | fetches))
        return fl_fail(err, FL_EUSAGE, "a run without accesses");
    if (actor != FL_ACTOR_USER && (actor != FL_ACTOR_KERNEL || fetches))
        return fl_fail(err, FL_EUSAGE, "a system call cannot make these accesses");
    if (thread >= w->state.threads)
        return fl_fail(err, FL_EUSAGE, "a run of thread %u, but there are %u", thread,
                       w->state.threads);
    if (fl_tstate_mm(&w->state, thread) != mm)
        return fl_fail(err, FL_EUSAGE, "a run of thread %u in address space %u, but it is in %u",
                       thread, mm, fl_tstate_mm(&w->state, thread));
    return FL_OK;
}

static void count_run(struct fl_totals *t, enum fl_actor actor, uint32_t reads, uint32_t writes,
                      uint32_t fetches)
{
    if (actor == FL_ACTOR_USER) {
        t->reads += reads;
        t->writes += writes;
        t->fetches += fetches;
    } else {
        t->syscall_reads += reads;
        t->syscall_writes += writes;
    }
}

/* An array with index @thread, all new entries not known. */
static bool reach_thread(struct fl_writer *w, uint32_t thread)
{
    size_t cap = w->code_at_cap ? w->code_at_cap : 64;
    while (cap <= thread)
        cap *= 2;
    cap = cap < UINT32_MAX ? cap : UINT32_MAX;
    uint32_t *grown = realloc(w->code_at, cap * sizeof *grown);
    if (!grown)
        return false;
    for (size_t i = w->code_at_cap; i < cap; i++)
        grown[i] = FL_NO_CODE;
    w->code_at = grown;
    w->code_at_cap = (uint32_t)cap;
    return true;
}

void fl_writer_code(struct fl_writer *w, uint32_t thread, uint32_t code)
{
    struct fl_blockenc *b = &w->block;
    if (code >= w->state.codes && code != FL_NO_CODE) {
        struct fl_err why;
        if (w->failed.code != FL_OK)
            return;
        fl_fail(&why, FL_EUSAGE, "a run in code %u, but there are %u", code, w->state.codes);
        fl_writer_fail(w, &why);
        return;
    }
    if (thread >= w->state.threads || (thread >= w->code_at_cap && !reach_thread(w, thread)))
        return;
    w->code_at[thread] = code;
    if (b->segment_open && b->thread == thread)
        b->location = code + 1; /* FL_NO_CODE wraps to 0 */
}

static int begin_run(struct fl_writer *w, uint32_t thread, enum fl_actor actor, uint32_t mm,
                     uint32_t page, struct fl_err *err)
{
    struct fl_blockenc *b = &w->block;
    int rc = fl_writer_end_run(w, err);
    bool same = b->segment_open && b->thread == thread && b->actor == actor;
    if (rc == FL_OK && (fl_blockenc_full(b) || (!same && !fl_blockenc_segment_fits(b, thread)))) {
        rc = fl_writer_finish_block(w, err);
        same = false;
    }
    if (rc == FL_OK && !same) {
        rc = fl_blockenc_segment(b, thread, actor, mm, err);
        b->location = thread < w->code_at_cap ? w->code_at[thread] + 1 : 0;
    }
    if (rc == FL_OK)
        fl_blockenc_pages(b, &(struct fl_page_run){ .page = page, .code = b->location - 1 }, 1);
    return rc;
}

/* May the open run go on with these? Then it does. */
static bool continues(struct fl_writer *w, uint32_t thread, enum fl_actor actor, uint32_t page,
                      uint32_t reads, uint32_t writes, uint32_t fetches)
{
    uint32_t r, wr, f;
    if (!w->run_open || w->page != page || w->thread != thread || w->actor != actor ||
        __builtin_add_overflow(w->reads, reads, &r) ||
        __builtin_add_overflow(w->writes, writes, &wr) ||
        __builtin_add_overflow(w->fetches, fetches, &f) || !(reads | writes | fetches) ||
        (actor != FL_ACTOR_USER && fetches))
        return false;
    w->reads = r;
    w->writes = wr;
    w->fetches = f;
    count_run(&w->totals, actor, reads, writes, fetches);
    return true;
}

static int put_judged(struct fl_writer *w, uint32_t thread, enum fl_actor actor, uint32_t mm,
                      uint32_t page, uint32_t reads, uint32_t writes, uint32_t fetches,
                      struct fl_err *err)
{
    struct fl_err why;
    if (continues(w, thread, actor, page, reads, writes, fetches))
        return FL_OK;
    if (w->failed.code != FL_OK)
        return fl_writer_repeat_failure(w, err);
    int rc = judge_run(w, thread, actor, mm, reads, writes, fetches, &why);
    if (rc == FL_OK)
        rc = begin_run(w, thread, actor, mm, page, &why);
    if (rc != FL_OK) {
        if (err)
            *err = why;
        return w->failed.code != FL_OK ? rc : fl_writer_fail(w, &why);
    }
    w->run_open = true;
    w->thread = thread;
    w->actor = actor;
    w->page = page;
    w->reads = reads;
    w->writes = writes;
    w->fetches = fetches;
    w->totals.runs++;
    w->totals.distinct_pages = w->block.seen;
    count_run(&w->totals, actor, reads, writes, fetches);
    return FL_OK;
}

int fl_writer_run(struct fl_writer *w, uint32_t thread, enum fl_actor actor, uint32_t mm,
                  uint64_t vpn, uint32_t reads, uint32_t writes, uint32_t fetches,
                  struct fl_err *err)
{
    uint32_t page = w->page;
    if (!w->run_open || w->block.page_vpn[page] != vpn || w->block.page_mm[page] != mm)
        page = fl_writer_page(w, mm, vpn, err);
    return page == FL_NO_PAGE ? w->failed.code
                              : put_judged(w, thread, actor, mm, page, reads, writes, fetches, err);
}

/* Why there is no id for the page, which ends the trace. */
static void no_page(struct fl_writer *w, uint64_t vpn, struct fl_err *err)
{
    struct fl_err why;
    if (w->failed.code == FL_OK) {
        if (vpn > FL_VPN_MAX)
            fl_fail(&why, FL_EUSAGE, "page number 0x%llx is over 63 bits", (unsigned long long)vpn);
        else
            fl_blockenc_no_page(&w->block, &why);
        fl_writer_fail(w, &why);
    }
    fl_writer_repeat_failure(w, err);
}

uint32_t fl_writer_page(struct fl_writer *w, uint32_t mm, uint64_t vpn, struct fl_err *err)
{
    uint32_t page = FL_PAGE_ID_NONE;
    if (w->failed.code == FL_OK && vpn <= FL_VPN_MAX)
        page = fl_blockenc_page(&w->block, mm, vpn);
    if (page == FL_PAGE_ID_NONE)
        no_page(w, vpn, err);
    return page;
}

#define TWICE "two runs in a row on one page"

/* Of runs @runs, which the block has taken behind another, nothing that a reader would refuse. */
static int judge_taken(const struct fl_writer *w, const struct fl_page_run *runs, uint32_t n,
                       uint32_t locations, struct fl_err *err)
{
    const struct fl_blockenc *b = &w->block;
    uint32_t twice = 0, unknown = 0;
    if (b->depth)
        twice = memchr(b->codes + b->runs - n, 0, n) != NULL;
    for (const struct fl_page_run *r = runs; !b->depth && r < runs + n; r++)
        twice |= r->page == r[-1].page;
    for (uint32_t i = locations; i < b->locations_n; i++)
        unknown |= b->locations[i] > w->state.codes;
    if (twice)
        return fl_fail(err, FL_EUSAGE, TWICE);
    if (unknown)
        return fl_fail(err, FL_EUSAGE, "a run in code that does not exist; there are %u",
                       w->state.codes);
    return FL_OK;
}

#define AT_ONCE 4096u

/* Runs of the open segment that neither continue one nor are continued, while there is room. */
static int put_whole_runs(struct fl_writer *w, const struct fl_page_run *runs, size_t *n,
                          struct fl_err *err)
{
    struct fl_blockenc *b = &w->block;
    uint32_t room = fl_blockenc_full(b) ? 0 : fl_blockenc_room(b), locations = b->locations_n;
    struct fl_shape sum = { 0 };
    if (room > AT_ONCE)
        room = AT_ONCE;
    if (*n > room)
        *n = room;
    int rc = fl_writer_end_run(w, err);
    if (rc == FL_OK && *n) {
        fl_blockenc_pages(b, runs, (uint32_t)*n);
        rc = fl_blockenc_shapes(b, runs, (uint32_t)*n, &sum, err);
    }
    if (rc == FL_OK && *n)
        rc = judge_taken(w, runs, (uint32_t)*n, locations, err);
    if (rc != FL_OK)
        return fl_writer_fail(w, err);
    w->totals.reads += sum.reads;
    w->totals.writes += sum.writes;
    w->totals.fetches += sum.fetches;
    w->totals.runs += *n;
    w->totals.distinct_pages = b->seen;
    return FL_OK;
}

static void refuse_twice(struct fl_writer *w)
{
    struct fl_err why;
    if (w->failed.code != FL_OK)
        return;
    fl_fail(&why, FL_EUSAGE, TWICE);
    fl_writer_fail(w, &why);
}

int fl_writer_page_runs(struct fl_writer *w, uint32_t thread, uint32_t mm,
                        const struct fl_page_run *runs, size_t n, struct fl_err *err)
{
    struct fl_err why;
    int rc = FL_OK;
    /* The first, the last, and those around a block's end go the long way. */
    for (size_t i = 0; i < n && rc == FL_OK;) {
        uint64_t c = runs[i].counts;
        fl_writer_code(w, thread, runs[i].code);
        if (i > 0 && runs[i].page == runs[i - 1].page)
            refuse_twice(w);
        rc = put_judged(w, thread, FL_ACTOR_USER, mm, runs[i].page, FL_COUNT_READS(c),
                        FL_COUNT_WRITES(c), FL_COUNT_FETCHES(c), &why);
        size_t whole = n - ++i;
        if (rc != FL_OK || whole < 2)
            continue;
        whole--;
        rc = put_whole_runs(w, runs + i, &whole, &why);
        i += whole;
    }
    if (rc != FL_OK && err)
        *err = why;
    return rc;
}

int fl_writer_runs(struct fl_writer *w, uint32_t thread, uint32_t mm, const uint64_t *vpn,
                   const uint64_t *counts, const uint32_t *code, size_t n, struct fl_err *err)
{
    struct fl_page_run runs[1024];
    int rc = FL_OK;
    for (size_t i = 0; i < n && rc == FL_OK;) {
        size_t some = n - i < 1024 ? n - i : 1024;
        uint32_t there = thread < w->code_at_cap ? w->code_at[thread] : FL_NO_CODE;
        for (size_t k = 0; k < some && rc == FL_OK; k++) {
            runs[k] = (struct fl_page_run){ .counts = counts[i + k],
                                            .page = fl_writer_page(w, mm, vpn[i + k], err),
                                            .code = code ? code[i + k] : there };
            if (runs[k].page == FL_NO_PAGE)
                rc = w->failed.code;
        }
        if (rc == FL_OK)
            rc = fl_writer_page_runs(w, thread, mm, runs, some, err);
        i += some;
    }
    return rc;
}
