/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reduce.c - which runs of a block are kept; docs/reduction.md has the rules and why they do.
 *
 * A window is a stretch with no more than @floor units. Of each page the first run is kept, each
 * that does what none before it did, and the last, unless the next window's first comes soon
 * enough. The price of any other run is one look at its page's slot.
 */
#include <stdlib.h>
#include <string.h>

#include "reduce.h"

#define WRITES 2u /* of what a run does */

struct fl_reduce *fl_reduce_new(uint32_t floor)
{
    struct fl_reduce *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->floor = floor;
    x->version = FL_REDUCED_VERSION;
    x->base = x;
    x->dec = calloc(1, sizeof *x->dec);
    x->slots = calloc(floor, sizeof *x->slots);
    x->old_last = calloc(floor, sizeof *x->old_last);
    x->old_slots = calloc(floor, sizeof *x->old_slots);
    x->ends = calloc(floor, sizeof *x->ends);
    x->bits = calloc(FL_REDUCE_RUNS_MAX / 64, sizeof *x->bits);
    x->rank = calloc(FL_REDUCE_RUNS_MAX / 64, sizeof *x->rank);
    x->text = malloc(FL_STRING_MAX + 1);
    if (x->dec && x->slots && x->old_last && x->old_slots && x->ends && x->bits && x->rank &&
        x->text)
        return x;
    fl_reduce_free(x);
    return NULL;
}

void fl_reduce_free(struct fl_reduce *x)
{
    if (!x)
        return;
    fl_pagetab_free(&x->pages);
    if (x->dec)
        fl_blockdec_free(x->dec);
    free(x->dec);
    free(x->slots);
    free(x->old_last);
    free(x->old_slots);
    free(x->ends);
    free(x->rows);
    free(x->by_page);
    free(x->kept);
    free(x->sorted);
    free(x->events);
    free(x->bits);
    free(x->rank);
    free(x->threads);
    free(x->file_of);
    free(x->text);
    free(x);
}

/* @array of @size bytes an entry has an entry @i then; new ones are zero. */
static bool reach(void *array, uint32_t *room, uint64_t i, size_t size)
{
    void **at = array;
    if (i < *room)
        return true;
    uint64_t want = *room ? *room : 256;
    while (want <= i)
        want *= 2;
    if (want > UINT32_MAX)
        return false;
    uint8_t *grown = realloc(*at, want * size);
    if (!grown)
        return false;
    memset(grown + *room * size, 0, (want - *room) * size);
    *at = grown;
    *room = (uint32_t)want;
    return true;
}

/* ---- a window ---- */

static void keep(struct fl_reduce *x, const struct fl_kept *run, uint32_t code, uint32_t must)
{
    if (x->n_kept == x->most_kept) {
        x->too_many = true;
        return;
    }
    struct fl_kept *to = &x->kept[x->n_kept++];
    *to = *run;
    to->at_need |= must;
    to->code = code;
}

/* Something is to know where the thread is: does a kept run say so? If not, the last one that
   has it says it. */
static void tell_location(struct fl_reduce *x, uint32_t thread)
{
    struct fl_reduce_thread *t = &x->threads[thread];
    if (t->pending && t->located.code != t->told) {
        t->told = t->located.code;
        keep(x, &t->located, t->told, FL_KEPT_MUST);
    }
    t->pending = false;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* How many of @n sorted numbers are @from or more. */
static uint32_t count_sorted(const uint32_t *sorted, uint32_t n, uint32_t from)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sorted[middle] < from)
            low = middle + 1;
        else
            high = middle;
    }
    return n - low;
}

/* The same in any order. */
static uint32_t count_unsorted(const uint32_t *numbers, uint32_t n, uint32_t from)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        count += numbers[i] >= from;
    return count;
}

/* Last runs of the window before this one that are still undecided are kept. */
static void settle_old(struct fl_reduce *x)
{
    for (uint32_t i = 0; i < x->old_n; i++)
        if (x->old_last[i].page != UINT32_MAX)
            keep(x, &x->old_last[i], 0, 0);
    x->old_n = 0;
}

/* The page's last run in its window. */
static struct fl_kept last_run(const struct fl_reduce *x, uint32_t page)
{
    const struct fl_reduce_page *p = &x->by_page[page];
    return (struct fl_kept){ p->clock, p->at_need, p->who, page, 0 };
}

/* Another window, in which there is no page yet. */
static void begin_window(struct fl_reduce *x)
{
    x->n = x->units = x->copies = 0;
    x->window += 1u << 3;
    if (x->window == 0) { /* numbers begin again: pages must not have them */
        for (uint32_t i = 0; i < x->pages_room; i++)
            x->by_page[i].window = 0;
        x->window = 1u << 3;
    }
}

#define FEW 32u /* counts for which numbers need not be sorted */

/* The window becomes the one before. */
static void next_window(struct fl_reduce *x)
{
    uint32_t undecided = 0;
    settle_old(x);
    for (uint32_t i = 0; i < x->n; i++) {
        x->old_last[i] = last_run(x, x->slots[i].page);
        x->ends[i] = fl_kept_at(&x->old_last[i]);
        if (x->ends[i] == x->slots[i].kept_at)
            x->old_last[i].page = UINT32_MAX;
        else
            undecided++;
    }
    bool sort = undecided > FEW;
    if (sort)
        qsort(x->ends, x->n, sizeof *x->ends, by_number);
    for (uint32_t i = 0; i < x->n; i++) {
        struct fl_reduce_slot *s = &x->slots[i];
        if (x->old_last[i].page != UINT32_MAX)
            s->span = (sort ? count_sorted : count_unsorted)(x->ends, x->n, s->kept_at) + x->copies;
    }
    struct fl_reduce_slot *slots = x->slots;
    x->slots = x->old_slots;
    x->old_slots = slots;
    x->old_n = x->n;
    begin_window(x);
}

/* Here something changes: nothing of what was before can be left out for what follows. */
static void end_windows(struct fl_reduce *x)
{
    next_window(x);
    settle_old(x);
    x->epoch++;
}

/* The file of a run's code, + 2; 1: none, or not known. */
static uint32_t file_of(const struct fl_reduce *x, const struct fl_kept *run)
{
    const struct fl_reduce *base = x->base;
    return run->code <= base->codes ? base->file_of[run->code - 1] + 1 : 1;
}

/* A location matters where its page is touched from that file for the first time. */
static bool new_file(const struct fl_reduce *x, const struct fl_kept *run)
{
    const struct fl_reduce_page *p = &x->by_page[run->page];
    if (!run->code)
        return false;
    uint32_t file = file_of(x, run);
    return p->located != x->epoch || (file != p->files[0] && file != p->files[1]);
}

static void keep_run(struct fl_reduce *x, uint32_t slot, const struct fl_kept *run, bool located)
{
    struct fl_reduce_page *p = &x->by_page[run->page];
    tell_location(x, run->who >> 1); /* of this run, when it has one */
    keep(x, run, located ? run->code : 0, FL_KEPT_MUST);
    x->slots[slot].kept_at = fl_kept_at(run);
    if (!located)
        return;
    p->files[1] = p->located == x->epoch ? p->files[0] : 0;
    p->files[0] = file_of(x, run);
    p->located = x->epoch;
}

/* The page enters the window. Was it in the one before, its last run there may go. */
static uint32_t new_slot(struct fl_reduce *x, const struct fl_kept *run, bool copy)
{
    struct fl_reduce_page *p = &x->by_page[run->page];
    if (x->units == x->floor)
        next_window(x);
    uint32_t old = p->slot;
    if (old < x->old_n && x->old_last[old].page == run->page) {
        if (copy || x->old_slots[old].span + x->units > x->floor)
            keep(x, &x->old_last[old], 0, 0);
        x->old_last[old].page = UINT32_MAX;
    }
    uint32_t slot = x->n++;
    x->units++;
    p->slot = slot;
    x->slots[slot].page = run->page;
    return slot;
}

static void note_location(struct fl_reduce *x, const struct fl_kept *run)
{
    struct fl_reduce_thread *t = &x->threads[run->who >> 1];
    t->located = *run;
    t->pending = true;
}

/* Any run that may have to be kept. */
static void judge(struct fl_reduce *x, const struct fl_kept *run, bool forced)
{
    struct fl_reduce_page *p = &x->by_page[run->page];
    uint32_t slot = p->slot, need = run->at_need & 7, done = p->window ^ x->window;
    bool inside = done < 8, located = new_file(x, run);
    bool copy = (need & WRITES) && p->written != x->epoch, more = !inside || (need & ~done);
    if (inside && copy && x->units == x->floor) {
        next_window(x);
        inside = false;
    }
    if (run->code)
        note_location(x, run);
    if (!inside) {
        slot = new_slot(x, run, copy);
        done = 0;
    } else if (copy) {
        struct fl_kept last = last_run(x, run->page);
        x->units++;
        x->copies++;
        keep(x, &last, 0, 0);
    }
    if (!inside || more || forced || located)
        keep_run(x, slot, run, located);
    if (need & WRITES)
        p->written = x->epoch;
    p->window = x->window | done | need;
    p->clock = run->clock;
    p->at_need = run->at_need;
    p->who = run->who;
}

/* Runs [from, to) of a batch without a location. */
static void plain_runs(struct fl_reduce *x, uint32_t from, uint32_t to, uint32_t who)
{
    const struct fl_reduce_runs runs = x->runs;
    uint64_t clock = x->clock;
    uint32_t at = x->at;
    bool user = (who & 1) == FL_ACTOR_USER;
    for (uint32_t i = from; i < to; i++, at++) {
        const struct fl_reduce_row *row = &runs.rows[runs.shape[i]];
        struct fl_reduce_page *p = &x->by_page[runs.page[i]];
        uint32_t need = row->need;
        /* in this window, which has seen all that this run does */
        if (__builtin_expect(((p->window ^ x->window) & (~7u | need)) == need, 1)) {
            p->clock = clock;
            p->at_need = at << 3 | need;
            p->who = who;
        } else {
            judge(x, &(struct fl_kept){ clock, at << 3 | need, who, runs.page[i], 0 }, false);
        }
        clock += user ? row->accesses : 0;
    }
    x->clock = clock;
    x->at = at;
}

static void one_run(struct fl_reduce *x, uint32_t i, uint32_t who, uint32_t code, bool forced)
{
    const struct fl_reduce_row *row = &x->runs.rows[x->runs.shape[i]];
    const struct fl_kept run = { x->clock, x->at << 3 | row->need, who, x->runs.page[i], code };
    judge(x, &run, forced);
    x->clock += (who & 1) == FL_ACTOR_USER ? row->accesses : 0;
    x->at++;
}

static void batch(struct fl_reduce *x, uint32_t n, uint32_t who)
{
    const struct fl_blockdec *d = x->dec;
    bool user = (who & 1) == FL_ACTOR_USER, forced = user && x->behind_kernel;
    uint32_t from = 0, codes = d->batch.run_codes_n;
    for (uint32_t i = 0; i < codes; i++) {
        uint32_t run = d->batch.run_codes[i].run;
        if (forced && run > 0) {
            one_run(x, from++, who, 0, true);
            forced = false;
        }
        plain_runs(x, from, run, who);
        one_run(x, run, who, d->batch.run_codes[i].code + 1, forced);
        forced = false;
        from = run + 1;
    }
    if (forced)
        one_run(x, from++, who, 0, true);
    plain_runs(x, from, n, who);
    x->behind_kernel = !user;
}

/* ---- a block ---- */

/* Events that change nothing of what pages hold, so that a window may go on. */
static bool is_passive(enum fl_event_kind kind)
{
    return kind == FL_EV_COMM || kind == FL_EV_OOM_ADJ || kind == FL_EV_FILE ||
           kind == FL_EV_FAULT || kind == FL_EV_FILE_IO || kind == FL_EV_RESIDENT ||
           kind == FL_EV_CODE || kind == FL_EV_NAME || kind == FL_EV_PROBE || kind == FL_EV_HIT ||
           kind == FL_EV_SNAPSHOT || kind == FL_EV_PRESENT || kind == FL_EV_STACK ||
           kind == FL_EV_SAMPLE;
}

static int one_event(struct fl_reduce *x, struct fl_cur *records, struct fl_err *err)
{
    struct fl_event ev;
    int rc = fl_event_decode(records, &ev, 0, x->text, err);
    if (rc < 0)
        return rc;
    if (rc == 0 || !is_passive(ev.kind))
        end_windows(x);
    if (ev.thread < x->threads_room)
        tell_location(x, ev.thread);
    if (rc == 1 && ev.kind == FL_EV_CODE && x->base == x) {
        if (ev.code.code > x->codes)
            return fl_fail(err, FL_EFORMAT, "code %u comes out of order", ev.code.code);
        if (!reach(&x->file_of, &x->codes_room, ev.code.code, sizeof *x->file_of))
            return fl_nomem(err, "code of the trace");
        x->file_of[ev.code.code] = ev.code.file + 1;
        x->codes += ev.code.code == x->codes;
    }
    return FL_OK;
}

static int some_events(struct fl_reduce *x, struct fl_cur *records, uint64_t n, struct fl_err *err)
{
    if (!reach(&x->events, &x->events_room, x->n_events, sizeof *x->events))
        return fl_nomem(err, "events of the block");
    x->events[x->n_events++] = (struct fl_reduce_events){ x->at, (uint32_t)n };
    x->records += (uint32_t)n;
    int rc = FL_OK;
    for (uint64_t i = 0; i < n && rc == FL_OK; i++)
        rc = one_event(x, records, err);
    return rc;
}

static int block_events(struct fl_reduce *x, uint64_t n, struct fl_err *err)
{
    struct fl_blockdec *d = x->dec;
    if (n > d->n_events - d->events_seen)
        return fl_fail(err, FL_EFORMAT, "more events in the sequence than in the block");
    d->events_seen += (uint32_t)n;
    return some_events(x, &d->events, n, err);
}

/* The next @n runs into x->runs and the batch's locations. */
static int take_runs(struct fl_reduce *x, const struct fl_reduce_given *given, uint32_t thread,
                     bool user, uint32_t n, struct fl_err *err)
{
    if (given) {
        fl_reduce_take(x, given, n);
        return FL_OK;
    }
    int rc = fl_blockdec_runs(x->dec, thread, n, UINT32_MAX, err);
    if (rc == FL_OK)
        fl_reduce_decoded(x, user, n);
    return rc;
}

static int segment(struct fl_reduce *x, const struct fl_reduce_given *given, uint64_t n,
                   uint32_t thread, unsigned actor, struct fl_err *err)
{
    if (thread > INT32_MAX)
        return fl_fail(err, FL_EFORMAT, "malformed sequence");
    if (!reach(&x->threads, &x->threads_room, thread, sizeof *x->threads))
        return fl_nomem(err, "threads");
    for (uint64_t left = n; left && !x->too_many;) {
        uint32_t some = left < FL_BATCH_RUNS ? (uint32_t)left : FL_BATCH_RUNS;
        int rc = take_runs(x, given, thread, actor == FL_ACTOR_USER, some, err);
        if (rc != FL_OK)
            return rc;
        batch(x, some, thread << 1 | actor);
        left -= some;
    }
    return FL_OK;
}

/* Room for all pages that are known, and to keep @most runs. */
static int make_room(struct fl_reduce *x, uint32_t most, struct fl_err *err)
{
    uint32_t room = x->kept_room, pages = x->base->pages.n;
    x->most_kept = most;
    bool ok = !pages || reach(&x->by_page, &x->pages_room, pages - 1, sizeof *x->by_page);
    ok = ok && reach(&x->kept, &room, most, sizeof *x->kept);
    room = x->kept_room;
    ok = ok && reach(&x->sorted, &room, most, sizeof *x->sorted);
    if (!ok)
        return fl_nomem(err, "the reduced layer");
    x->kept_room = room;
    return FL_OK;
}

static void begin_runs(struct fl_reduce *x)
{
    x->clock = 0;
    x->at = x->old_n = x->location_at = 0;
    begin_window(x);
    x->n_kept = x->n_events = x->records = 0;
    x->behind_kernel = true; /* so that what is left out has a user's run before it */
    x->too_many = false;
    memset(x->counts, 0, sizeof x->counts);
    for (uint32_t i = 0; i < x->threads_room; i++)
        x->threads[i].pending = false, x->threads[i].told = 0;
    x->epoch++;
}

static void end_runs(struct fl_reduce *x)
{
    end_windows(x);
    for (uint32_t i = 0; i < x->threads_room; i++)
        tell_location(x, i);
}

static int begin_block(struct fl_reduce *x, const struct fl_reduce_input *in, uint32_t most,
                       struct fl_err *err)
{
    x->first_fresh = x->pages.n;
    int rc = fl_blockdec_load(x->dec, in->raw, in->raw_len, in->flags, in->runs, &x->pages, err);
    if (rc == FL_OK && in->codes && !in->given)
        rc = fl_blockdec_codes(x->dec, in->codes, in->codes_len, err);
    if (rc == FL_OK)
        rc = make_room(x, most, err);
    x->block_records = x->dec->events;
    if (rc != FL_OK)
        return rc;
    begin_runs(x);
    return fl_reduce_rows(x, in->given, err);
}

int fl_reduce_block(struct fl_reduce *x, const struct fl_reduce_input *in, uint32_t most,
                    struct fl_buf *out, struct fl_err *err)
{
    fl_buf_reset(out);
    int rc = begin_block(x, in, most, err);
    struct fl_cur *c = &x->dec->sequence;
    while (rc == FL_OK && fl_cur_left(c) && !x->too_many) {
        uint64_t tag = fl_cur_varint(c), n = tag & 1 ? tag >> 2 : (tag >> 1) + 1;
        uint32_t thread = tag & 1 ? fl_cur_varint32(c) : 0;
        if (c->bad || n == 0)
            rc = fl_fail(err, FL_EFORMAT, "malformed sequence");
        else
            rc = tag & 1 ? segment(x, in->given, n, thread, tag >> 1 & 1, err)
                         : block_events(x, n, err);
    }
    if (rc != FL_OK)
        return rc;
    for (; x->too_many && x->dec->events_seen < x->dec->n_events; x->dec->events_seen++) {
        rc = one_event(x, &x->dec->events, err); /* they define code */
        if (rc != FL_OK)
            return rc;
    }
    end_runs(x);
    if (x->too_many)
        return FL_OK;
    rc = in->given ? FL_OK : fl_blockdec_end(x->dec, err);
    return rc == FL_OK ? fl_reduce_encode(x, in, &x->block_records, out, err) : rc;
}

/* ---- what is reduced already ---- */

void fl_reduce_begin(struct fl_reduce *x, const struct fl_reduce *from)
{
    x->base = from;
    x->first_fresh = from->first_fresh;
    begin_runs(x);
}

int fl_reduce_again(struct fl_reduce *x, uint32_t most, struct fl_err *err)
{
    const struct fl_reduce *from = x->base;
    struct fl_cur records = from->block_records;
    const struct fl_reduce_events *group = from->events, *last = group + from->n_events;
    uint64_t clock = x->clock;
    int rc = make_room(x, most, err);
    for (uint32_t i = 0; i <= from->n_sorted && rc == FL_OK; i++, x->at++) {
        struct fl_kept run = { 0 };
        uint32_t at = UINT32_MAX;
        if (i < from->n_sorted) {
            run = from->sorted[i];
            at = fl_kept_at(&run);
        }
        for (; group < last && group->at <= at && rc == FL_OK; group++)
            rc = some_events(x, &records, group->n, err);
        if (rc != FL_OK || i == from->n_sorted)
            break;
        if (!reach(&x->threads, &x->threads_room, run.who >> 1, sizeof *x->threads))
            return fl_nomem(err, "threads");
        bool user = (run.who & 1) == FL_ACTOR_USER;
        run.clock += clock;
        run.at_need = x->at << 3 | (run.at_need & 7);
        judge(x, &run, user && x->behind_kernel);
        x->behind_kernel = !user;
    }
    x->clock = clock + from->clock;
    for (unsigned k = 0; k < 5; k++)
        x->counts[k] += from->counts[k];
    return rc;
}

int fl_reduce_end(struct fl_reduce *x, const struct fl_reduce_input *in,
                  const struct fl_cur *records, struct fl_buf *out, struct fl_err *err)
{
    end_runs(x);
    return x->too_many ? FL_OK : fl_reduce_encode(x, in, records, out, err);
}
