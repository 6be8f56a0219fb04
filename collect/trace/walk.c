/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk.c - all items of a trace against the invariants.
 *
 * What a reader checks by itself while decoding is not repeated here. What it leaves
 * out, because each run would pay for it, is in strict_runs().
 */
#include "pageids.h"
#include "reader_priv.h"

struct walk {
    struct fl_reader *r;
    bool strict;
    struct fl_totals totals, good_totals; /* good: up to the last whole block */
    uint64_t block_accesses;
    bool coded; /* a block has code locations, if of no run */
    uint32_t good_pages, blocks;
    uint32_t next_page; /* strict: the id that must appear next */
    struct fl_pageids seen;
};

static int strict_runs(struct walk *k, const struct fl_runs *runs, struct fl_err *err)
{
    const struct fl_reader *r = k->r;
    uint32_t mm = fl_tstate_mm(&r->state, runs->thread), fetches = 0;
    for (size_t i = 0; i < runs->n; i++) {
        uint32_t id = runs->page[i];
        struct fl_page page = fl_reader_page(r, id);
        if (page.mm != mm)
            return fl_fail(err, FL_EFORMAT, "thread %u runs in address space %u, but touches %u",
                           runs->thread, mm, page.mm);
        if (id > k->next_page)
            return fl_fail(err, FL_EFORMAT, "page id %u appears before %u", id, k->next_page);
        if (id == k->next_page) {
            if (fl_pageids_find(&k->seen, page.mm, page.vpn) != FL_PAGE_ID_NONE)
                return fl_fail(err, FL_EFORMAT, "page id %u is a second one for its page", id);
            if (!fl_pageids_add(&k->seen, page.mm, page.vpn, id))
                return fl_nomem(err, "pages of the trace");
            k->next_page++;
        }
        fetches |= runs->fetches[i];
    }
    if (runs->actor == FL_ACTOR_KERNEL && fetches)
        return fl_fail(err, FL_EFORMAT, "a system call that fetches instructions");
    return FL_OK;
}

/* A block is over: was it what its envelope said? Then what was counted is good. */
static int settle(struct walk *k, struct fl_err *err)
{
    struct fl_reader *r = k->r;
    if (r->block_reduced) {
        const uint64_t *n = r->reduced->counts;
        if (k->block_accesses != n[0] + n[1] + n[2])
            return fl_fail(err, FL_EFORMAT, "its accesses are not those that it counts");
        k->totals.reads += n[0];
        k->totals.writes += n[1];
        k->totals.fetches += n[2];
        k->totals.syscall_reads += n[3];
        k->totals.syscall_writes += n[4];
        k->totals.runs += r->reduced->stream_runs;
    }
    if (k->block_accesses != r->block_accesses)
        return fl_fail(err, FL_EFORMAT, "it has %llu accesses, not %llu",
                       (unsigned long long)k->block_accesses,
                       (unsigned long long)r->block_accesses);
    if (k->strict && k->next_page != r->pages.n)
        return fl_fail(err, FL_EFORMAT, "page id %u is never touched", k->next_page);
    k->totals.events += r->foreign_events;
    r->foreign_events = 0;
    k->totals.threads = r->state.threads;
    k->totals.address_spaces = r->state.spaces;
    k->totals.files = r->state.files;
    k->totals.distinct_pages = r->pages.n;
    k->totals.duration_ns = r->time_ns;
    k->good_totals = k->totals;
    k->good_pages = r->pages.n;
    k->coded |= r->block_reduced ? r->reduced->has_codes : r->dec->has_codes;
    k->block_accesses = 0;
    k->blocks = r->block;
    return FL_OK;
}

static int take(struct walk *k, const struct fl_item *item, struct fl_err *err)
{
    if (item->kind == FL_ITEM_EVENT)
        fl_totals_event(&k->totals, &item->event);
    if (item->kind != FL_ITEM_RUNS)
        return FL_OK;
    struct fl_totals of_reduced = { 0 }; /* which says what it stands for */
    k->block_accesses +=
        fl_totals_runs(k->r->block_reduced ? &of_reduced : &k->totals, &item->runs);
    return k->strict ? strict_runs(k, &item->runs, err) : FL_OK;
}

static int walk_blocks(struct walk *k, struct fl_err *err)
{
    struct fl_reader *r = k->r;
    struct fl_item item;
    for (;;) {
        bool got = false;
        int rc = r->block > k->blocks && !r->block_open ? settle(k, err) : FL_OK;
        if (rc == FL_OK)
            rc = fl_reader_step(r, &item, &got, err);
        if (rc == FL_OK && got)
            rc = take(k, &item, err);
        if (rc != FL_OK || (got && item.kind == FL_ITEM_END))
            return rc;
    }
}

static void block_is_damage(struct walk *k, const char *why)
{
    struct fl_reader *r = k->r;
    r->good_blocks = k->blocks;
    r->good_bytes = r->damage_at = r->block_offset;
    r->good_accesses = fl_totals_accesses(&k->good_totals);
    r->pages.n = k->good_pages;
    r->has_codes = k->coded;
    r->complete = r->has_end = false;
    snprintf(r->damage, sizeof r->damage, "damaged in block %u at byte %llu: %.120s", k->blocks,
             (unsigned long long)r->block_offset, why);
    fl_reader_note(r);
}

static void compare_totals(struct walk *k)
{
    struct fl_reader *r = k->r;
    uint64_t said, counted;
    const char *field = fl_totals_differ(&r->totals, &k->good_totals, &said, &counted);
    if (!field)
        return;
    r->complete = r->has_end = false;
    r->damage_at = r->good_bytes;
    snprintf(r->damage, sizeof r->damage,
             "damaged in the END block at byte %llu: %s is %llu, but %llu were counted",
             (unsigned long long)r->good_bytes, field, (unsigned long long)said,
             (unsigned long long)counted);
    fl_reader_note(r);
}

int fl_reader_walk(struct fl_reader *r, bool strict, struct fl_err *err)
{
    struct walk k = { .r = r, .strict = strict };
    struct fl_err why = { 0 };
    int rc = FL_OK;
    r->wanted = FL_WANT_ALL;
    if (strict && r->layer.floor) {
        r->reduce = fl_reduce_new(r->layer.floor);
        r->again = r->layer.coarse ? fl_coarse_new(r->layer.coarse, true) : NULL;
        rc = r->reduce && (r->again || !r->layer.coarse) ? FL_OK
                                                         : fl_nomem(&why, "the reduced layer");
    }
    if (rc == FL_OK)
        rc = walk_blocks(&k, &why);
    fl_reduce_free(r->reduce);
    fl_coarse_free(r->again);
    r->reduce = NULL;
    r->again = NULL;
    if (rc == FL_EFORMAT)
        block_is_damage(&k, why.msg);
    else if (rc == FL_OK && strict && r->has_end)
        compare_totals(&k);
    if (!r->has_end)
        r->totals = k.good_totals;
    fl_pageids_free(&k.seen);
    if (rc != FL_OK && rc != FL_EFORMAT) {
        if (err)
            *err = why;
        return rc;
    }
    return fl_reader_rewind(r, err);
}
