/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/lru_timeline.h>

#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "grow.h"
#include "lru_curve.h"
#include "policies.h"
#include "reduced.h"
#include "trace_pass.h"
#include "vm.h"

#define WINDOW_PAGES 64u
#define AHEAD 16u   /* references between asking for memory and using it */
#define SUB_BITS 6u /* buckets an octave: 2 to this */

/* How far away a page came back at most, since the position to forget at that it says. */
struct recent {
    uint32_t distance, since;
};

struct pass {
    struct vm vm;
    struct recent *recent; /* by contents */
    uint32_t room;
    struct digest digest;
    uint32_t least_frames, window_pages;
    uint32_t reduced; /* floor of the reduced layer that the pass is over; 0: over the stream */
    const uint64_t *forget;
    size_t n_forget;
    uint32_t since; /* of these positions, how many are behind */
    struct lru_curve *curve;
    struct fl_lru_timeline *t;
    struct fl_err *err;
    int hook_rc;
    uint64_t accesses;
    uint32_t row; /* of the last reference; it ends before access row_end */
    uint64_t row_end;
    /* references to come: each after so many accesses */
    uint32_t n, contents[DIGEST_RUNS_MAX], distance[DIGEST_RUNS_MAX];
    uint64_t at[DIGEST_RUNS_MAX];
};

/* Distances of up to 64 have a bucket of their own; further ones share it with those alike in
   their first seven bits. */
static uint32_t bucket_of(uint32_t distance)
{
    uint32_t d = distance - 1;
    if (d < 1u << SUB_BITS)
        return d;
    uint32_t octave = 31 - (uint32_t)__builtin_clz(d) - SUB_BITS;
    return ((octave + 1) << SUB_BITS) + ((d >> octave) & ((1u << SUB_BITS) - 1));
}

static uint32_t largest_in(uint32_t bucket)
{
    if (bucket < 1u << SUB_BITS)
        return bucket + 1;
    uint32_t octave = (bucket >> SUB_BITS) - 1, sub = bucket & ((1u << SUB_BITS) - 1);
    uint64_t end = ((uint64_t)(1u << SUB_BITS) + sub + 1) << octave;
    return end > UINT32_MAX ? UINT32_MAX : (uint32_t)end;
}

static void on_contents_gone(void *arg, uint32_t c)
{
    struct pass *p = arg;
    if (c < p->room)
        p->recent[c] = (struct recent){ 0 };
    if (p->hook_rc == FL_OK)
        p->hook_rc = lru_curve_gone(p->curve, c, p->err);
}

static int recent_room(struct pass *p, uint32_t c)
{
    if (c < p->room)
        return FL_OK;
    uint32_t room = grow_room_for(p->room, (uint64_t)c + 1);
    if (!room || !grow(&p->recent, room))
        return fl_nomem(p->err, "faults over time");
    memset(p->recent + p->room, 0, (room - p->room) * sizeof *p->recent);
    p->room = room;
    return FL_OK;
}

static void count(uint32_t *n)
{
    *n += *n < UINT32_MAX;
}

/* References come in order, and the last row takes what is behind it. */
static uint32_t row_of(struct pass *p, uint64_t at)
{
    while (at >= p->row_end && p->row < FL_LRU_ROWS - 1) {
        p->row++;
        p->row_end += p->t->row_accesses;
    }
    return p->row;
}

/* A reference @at so many accesses. */
static int note(struct pass *p, uint32_t c, uint32_t distance, uint64_t at)
{
    if (!distance)
        return FL_OK;
    uint32_t row = row_of(p, at);
    uint32_t bucket = bucket_of(distance);
    if (bucket >= p->t->n_buckets)
        p->t->n_buckets = bucket + 1;
    count(&p->t->distances[row][bucket]);
    if (distance <= p->least_frames) /* no fault in what is asked about */
        return FL_OK;
    int rc = recent_room(p, c);
    if (rc != FL_OK)
        return rc;
    struct recent *before = &p->recent[c];
    while (p->since < p->n_forget && at >= p->forget[p->since])
        p->since++;
    bool is_recent = before->distance && before->since == p->since;
    if (is_recent)
        count(
            &p->t->again[row][before->distance < distance ? bucket_of(before->distance) : bucket]);
    if (!is_recent || distance >= before->distance)
        *before = (struct recent){ distance, p->since };
    return FL_OK;
}

/* The references since the last time. */
static int refer(struct pass *p)
{
    const struct curve_refs refs = { p->n, p->contents, NULL, p->vm.cs.kind };
    int rc = lru_curve_refs(p->curve, &refs, p->distance, p->err);
    for (uint32_t i = 0; i < p->n && rc == FL_OK; i++) {
        if (i + AHEAD < p->n && p->contents[i + AHEAD] < p->room)
            __builtin_prefetch(&p->recent[p->contents[i + AHEAD]], 1);
        rc = note(p, p->contents[i], p->distance[i], p->at[i]);
    }
    p->n = 0;
    return rc;
}

static int do_runs(struct pass *p, const struct fl_runs *runs, size_t from, size_t n)
{
    int rc = FL_OK;
    for (size_t i = from; i < from + n && rc == FL_OK; i++) {
        uint8_t info, need = run_need(runs->reads[i], runs->writes[i], runs->fetches[i]);
        if (i + AHEAD < from + n)
            vm_run_soon(&p->vm, runs->page[i + AHEAD]);
        p->at[p->n] = p->accesses;
        rc = vm_run(&p->vm, runs->page[i], need, runs->actor, &p->contents[p->n], &info, p->err);
        p->n += rc == FL_OK && p->contents[p->n] != NO_CONTENTS;
        if (runs->actor == FL_ACTOR_USER)
            p->accesses += (uint64_t)runs->reads[i] + runs->writes[i] + runs->fetches[i];
        if (rc == FL_OK && p->n == DIGEST_RUNS_MAX)
            rc = refer(p);
    }
    return rc == FL_OK ? refer(p) : rc;
}

/* The first and last touches of a window's pages leave the stack as all of them do, and no other
   touch comes from further away than the window has pages. */
static int do_window(struct pass *p, const struct fl_runs *runs)
{
    const struct digest *d = &p->digest;
    uint32_t pages[DIGEST_RUNS_MAX];
    p->n = digest_pages(d, DIGEST_ENDS, pages);
    for (uint32_t i = 0; i < p->n; i++) {
        p->contents[i] = p->vm.contents[pages[i]];
        p->at[i] = p->accesses;
    }
    int rc = refer(p);
    if (runs->actor == FL_ACTOR_USER)
        p->accesses += d->reads + d->writes + d->fetches;
    return rc;
}

/* Is all of the window in one row, on one side of every position to forget at? */
static bool in_one_row(const struct pass *p, const struct fl_runs *runs)
{
    const struct digest *d = &p->digest;
    uint64_t n = runs->actor == FL_ACTOR_USER ? d->reads + d->writes + d->fetches : 0;
    uint64_t end = p->accesses + n, row_end = p->t->row_accesses;
    row_end *= p->accesses / p->t->row_accesses + 1;
    for (size_t i = p->since; i < p->n_forget && p->forget[i] < row_end; i++)
        if (p->forget[i] > p->accesses)
            return end <= p->forget[i];
    return end <= row_end;
}

static int on_runs(void *arg, const struct fl_runs *runs, struct fl_err *err)
{
    struct pass *p = arg;
    struct digest *d = &p->digest;
    int rc = vm_new_pages(&p->vm, err);
    if (rc == FL_OK)
        rc = digest_room(d, p->vm.n_pages, err);
    for (size_t from = 0; from < runs->n && rc == FL_OK; from += d->n_runs)
        rc = digest_take(d, runs, from, p->window_pages, p->vm.rights) && in_one_row(p, runs)
                 ? do_window(p, runs)
                 : do_runs(p, runs, from, d->n_runs);
    return rc == FL_OK ? p->hook_rc : rc;
}

static int on_event(void *arg, const struct fl_event *ev, struct fl_err *err)
{
    struct pass *p = arg;
    int rc = vm_event(&p->vm, ev, err);
    return rc == FL_OK ? p->hook_rc : rc;
}

uint32_t fl_curve_sizes(uint64_t peak_pages, uint32_t frames[FL_CURVE_SIZES])
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < FL_CURVE_SIZES; i++) {
        uint64_t bp = i + 1 < FL_CURVE_SIZES ? 500 + (uint64_t)9500 * i / (FL_CURVE_SIZES - 2)
                                             : 10500;
        uint64_t pages = (peak_pages * bp + 9999) / 10000;
        uint32_t size = pages == 0                    ? 1
                        : pages < FL_FRAMES_UNLIMITED ? (uint32_t)pages
                                                      : FL_FRAMES_UNLIMITED;
        if (n == 0 || size != frames[n - 1])
            frames[n++] = size;
    }
    return n;
}

/* *all: there would be no more of the curve, were the pass not over a layer. */
static int fill_curve(struct pass *p, bool *all)
{
    struct fl_lru_timeline *t = p->t;
    uint32_t frames[FL_CURVE_SIZES], n = fl_curve_sizes(t->peak_pages, frames);
    uint32_t least = p->reduced > p->window_pages ? p->reduced : p->window_pages;
    int rc = lru_curve_end(p->curve, p->err);
    *all = true;
    for (uint32_t i = 0; i < n && rc == FL_OK; i++)
        if (frames[i] >= least) {
            t->curve_frames[t->n_curve] = frames[i];
            t->curve_major[t->n_curve++] = lru_curve_at(p->curve, frames[i]).major;
        } else {
            *all &= frames[i] < p->window_pages;
        }
    return rc;
}

/* One pass; *enough: it answers all that is asked of it. */
static int one_pass(struct fl_reader *r, struct pass *like, const struct trace_pass *to,
                    bool *enough, struct fl_lru_timeline **out, struct fl_err *err)
{
    struct pass p = *like;
    struct vm_hooks hooks = { .arg = &p, .contents_gone = on_contents_gone };
    struct trace_pass pass = *to;
    pass.arg = &p;
    pass.reduced = p.reduced;
    p.t = calloc(1, sizeof *p.t);
    if (p.t) {
        p.t->distances = calloc(FL_LRU_ROWS, sizeof *p.t->distances);
        p.t->again = calloc(FL_LRU_ROWS, sizeof *p.t->again);
    }
    if (!p.t || !p.t->distances || !p.t->again) {
        fl_lru_timeline_free(p.t);
        return fl_nomem(err, "faults over time");
    }
    p.row_end = p.t->row_accesses = fl_totals_accesses(fl_reader_totals(r)) / FL_LRU_ROWS + 1;
    for (uint32_t b = 0; b < FL_LRU_BUCKETS; b++)
        p.t->frames[b] = largest_in(b);
    int rc = lru_curve_new(&p.curve, err);
    vm_init(&p.vm, r, PGTABLE_LEVELS_MAX, &hooks);
    if (rc == FL_OK)
        rc = trace_pass(r, &pass, err);
    p.t->n_rows = (uint32_t)(p.accesses / p.t->row_accesses) + 1;
    if (p.t->n_rows > FL_LRU_ROWS)
        p.t->n_rows = FL_LRU_ROWS;
    p.t->peak_pages = p.vm.cs.live_peak;
    if (rc == FL_OK)
        rc = fill_curve(&p, enough);
    if (p.reduced)
        *enough = (*enough || fl_reader_layer(r)->only) && !p.vm.segv;
    p.vm.hooks = (struct vm_hooks){ 0 };
    vm_fini(&p.vm);
    lru_curve_free(p.curve);
    free(p.recent);
    digest_fini(&p.digest);
    if (rc == FL_OK)
        *out = p.t;
    else
        fl_lru_timeline_free(p.t);
    return rc;
}

/* Over the layer, if it does; a trace that has nothing else gives a shorter curve. */
int fl_lru_timeline_new(struct fl_reader *r, uint32_t least_frames, const uint64_t *forget,
                        size_t n_forget, void (*progress)(void *arg, unsigned done_bp), void *arg,
                        struct fl_lru_timeline **out, struct fl_err *err)
{
    struct pass p = { .least_frames = least_frames,
                      .window_pages = least_frames < WINDOW_PAGES ? least_frames : WINDOW_PAGES,
                      .forget = forget,
                      .n_forget = n_forget,
                      .err = err };
    const struct trace_pass pass = {
        .event = on_event, .runs = on_runs, .progress = progress, .progress_arg = arg
    };
    bool enough = false;
    if (fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT)
        return fl_fail(err, FL_EDATA,
                       "a trace of fidelity '%s' cannot answer what would happen under other "
                       "memory sizes; record it with --mode exact",
                       fl_fidelity_name(fl_reader_fidelity(r)));
    if (reduced_suits(r, least_frames, &fl_policy_lru))
        p.reduced = fl_reader_layer(r)->floor; /* the curve goes further down than @least_frames */
    int rc = one_pass(r, &p, &pass, &enough, out, err);
    if (rc != FL_OK || !p.reduced || enough)
        return rc;
    fl_lru_timeline_free(*out);
    p.reduced = 0;
    return one_pass(r, &p, &pass, &enough, out, err);
}

void fl_lru_timeline_free(struct fl_lru_timeline *t)
{
    if (!t)
        return;
    free(t->distances);
    free(t->again);
    free(t);
}

static uint64_t above(const uint32_t *row, uint32_t bucket, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t b = bucket + 1; b < n; b++)
        sum += row[b];
    return sum;
}

struct fl_lru_refaults fl_lru_timeline_between(const struct fl_lru_timeline *t, uint32_t bucket,
                                               uint64_t from_access, uint64_t to_access)
{
    struct fl_lru_refaults sum = { 0 };
    uint64_t twice = 2 * (uint64_t)t->frames[bucket];
    uint32_t bucket_of_twice = bucket_of(twice < UINT32_MAX ? (uint32_t)twice : UINT32_MAX);
    for (uint64_t r = from_access / t->row_accesses; r < t->n_rows; r++) {
        uint64_t begin = r * t->row_accesses, end = begin + t->row_accesses;
        uint64_t from = from_access > begin ? from_access : begin;
        uint64_t to = to_access < end ? to_access : end;
        if (from >= to)
            break;
        unsigned __int128 major = above(t->distances[r], bucket, t->n_buckets);
        unsigned __int128 again = above(t->again[r], bucket, t->n_buckets);
        unsigned __int128 far = above(t->distances[r], bucket_of_twice, t->n_buckets);
        sum.near += (uint64_t)((major - far) * (to - from) / t->row_accesses);
        sum.major += (uint64_t)(major * (to - from) / t->row_accesses);
        sum.again += (uint64_t)(again * (to - from) / t->row_accesses);
    }
    return sum;
}
