/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Textbook policies with unlimited swap at many sizes, over one decoding of the trace. */
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "grow.h"
#include "lru_curve.h"
#include "opt_curve.h"
#include "paging.h"
#include "reduced.h"
#include "sweep.h"
#include "vm.h"

#define AHEAD 16u  /* runs: what they need is fetched */
#define BATCH 512u /* references resolved before each paging stage gets its turn */

struct refs {
    uint32_t n;
    uint32_t contents[DIGEST_RUNS_MAX];
    uint8_t info[DIGEST_RUNS_MAX];
};

struct sweep {
    struct vm vm;
    struct paging *paging; /* one a point of @replayed */
    bool *turn;            /* of each: do the references of @refs go to it? */
    struct fl_sweep_point **replayed;
    size_t n_paging;
    struct lru_curve *curve; /* NULL: no point needs it */
    struct opt_curve **opt;  /* for up to OPT_CURVE_SIZES each */
    size_t n_opt;
    bool looking; /* the pass before the others, for opt */
    int hook_rc;  /* a hook cannot fail; its error waits here */
    struct fl_err *err;
    uint32_t reduced; /* floor of the reduced layer that the pass is over; 0: over the stream */
    struct digest digest;
    uint32_t window_pages; /* windows have no more pages than the smallest memory that minds */
    struct refs refs;      /* some after the other */
    struct refs last;      /* the last to each contents; a write if any was */
    struct refs ends;      /* of a window: the first and last to each page */
    bool plain;            /* no reference of @refs has a cause */
    uint32_t distance[DIGEST_RUNS_MAX];   /* on the curve */
    uint32_t batch, *batch_of, *place_of; /* by contents: when and where in @last, from its end */
    uint32_t contents_room;
};

bool sweep_on_curve(const struct fl_sweep_point *p)
{
    return p->policy == fl_policy_find("lru") && p->swap_pages == UINT64_MAX;
}

static bool on_opt_curve(const struct fl_sweep_point *p)
{
    return p->policy == fl_policy_find("opt") && p->swap_pages == UINT64_MAX;
}

static void on_contents_gone(void *arg, uint32_t c)
{
    struct sweep *s = arg;
    for (size_t i = 0; i < s->n_opt; i++)
        (s->looking ? opt_curve_look_gone : opt_curve_gone)(s->opt[i], c);
    if (s->looking)
        return;
    for (size_t i = 0; i < s->n_paging; i++)
        paging_forget(&s->paging[i], c);
    if (s->curve && s->hook_rc == FL_OK)
        s->hook_rc = lru_curve_gone(s->curve, c, s->err);
}

static int page_refs(struct sweep *s, struct paging *p, const struct refs *refs)
{
    int rc = FL_OK;
    for (uint32_t i = 0, done = 0; i < refs->n && rc == FL_OK; i += done) {
        struct paging_refs some = {
            .n = refs->n - i < PAGING_BATCH ? refs->n - i : PAGING_BATCH,
            .contents = refs->contents + i,
            .info = refs->info + i,
            .kind = s->vm.cs.kind,
        };
        rc = paging_batch(p, &some, &done, s->err); /* all: swap is never full */
    }
    return rc;
}

/* When everything that @last refers to is resident, nothing comes or goes. */
static bool nothing_moves(const struct sweep *s, const struct paging *p)
{
    if (!s->plain || !p->ops->last_touch_counts)
        return false;
    for (uint32_t i = 0; i < s->last.n; i++)
        if (!paging_is_resident(p, s->last.contents[i]))
            return false;
    return true;
}

static int contents_room(struct sweep *s)
{
    int rc = FL_OK;
    for (size_t i = 0; i < s->n_paging && rc == FL_OK; i++)
        rc = paging_room(&s->paging[i], s->vm.cs.n, s->err);
    if (rc != FL_OK || s->vm.cs.n <= s->contents_room)
        return rc;
    uint32_t room = grow_room_for(s->contents_room, s->vm.cs.n);
    if (!room || !grow(&s->batch_of, room) || !grow(&s->place_of, room))
        return fl_nomem(s->err, "sweep");
    memset(s->batch_of + s->contents_room, 0,
           (room - s->contents_room) * sizeof *s->batch_of); /* batches count from 1 */
    s->contents_room = room;
    return FL_OK;
}

static void next_batch(struct sweep *s)
{
    if (++s->batch == 0) {
        memset(s->batch_of, 0, s->contents_room * sizeof *s->batch_of);
        s->batch = 1;
    }
}

static void turn_round(struct refs *refs)
{
    for (uint32_t i = 0, k = refs->n; i + 1 < k; i++) {
        k--;
        uint32_t c = refs->contents[i];
        uint8_t info = refs->info[i];
        refs->contents[i] = refs->contents[k];
        refs->info[i] = refs->info[k];
        refs->contents[k] = c;
        refs->info[k] = info;
    }
}

/* The last of @refs to each contents, in order of these: found from the end, then turned round. */
static void find_last(struct sweep *s, const struct refs *refs)
{
    struct refs *last = &s->last;
    next_batch(s);
    s->plain = true;
    last->n = 0;
    for (uint32_t i = refs->n; i-- > 0;) {
        uint32_t c = refs->contents[i];
        uint8_t info = refs->info[i];
        s->plain &= info <= REF_WRITE;
        if (s->batch_of[c] == s->batch) {
            last->info[s->place_of[c]] |= info & REF_WRITE;
            continue;
        }
        s->batch_of[c] = s->batch;
        s->place_of[c] = last->n;
        last->contents[last->n] = c;
        last->info[last->n++] = info & REF_WRITE;
    }
    turn_round(last);
}

/* ---- run by run ----------------------------------------------------------------------- */

static int curve_batch(struct sweep *s)
{
    const struct curve_refs refs = { s->refs.n, s->refs.contents, s->refs.info, s->vm.cs.kind };
    return lru_curve_refs(s->curve, &refs, s->distance, s->err);
}

/* Those whose turn it is. */
static int page_batch(struct sweep *s)
{
    if (s->n_paging)
        find_last(s, &s->refs);
    int rc = FL_OK;
    for (size_t i = 0; i < s->n_paging && rc == FL_OK; i++)
        if (s->turn[i])
            rc = page_refs(s, &s->paging[i], nothing_moves(s, &s->paging[i]) ? &s->last : &s->refs);
    return rc;
}

static int opt_refs(struct sweep *s, const struct refs *refs)
{
    const struct curve_refs all = { refs->n, refs->contents, refs->info, s->vm.cs.kind };
    int rc = FL_OK;
    for (size_t i = 0; i < s->n_opt && rc == FL_OK; i++)
        rc = s->looking ? opt_curve_look(s->opt[i], refs->contents, refs->n, s->err)
                        : opt_curve_refs(s->opt[i], &all, s->err);
    return rc;
}

static int do_batch(struct sweep *s)
{
    int rc = contents_room(s);
    if (rc == FL_OK && s->curve)
        rc = curve_batch(s);
    return rc == FL_OK ? page_batch(s) : rc;
}

static int do_runs(struct sweep *s, const struct fl_runs *runs, size_t from, size_t n)
{
    struct refs *refs = &s->refs;
    int rc = FL_OK;
    for (size_t i = 0; i < s->n_paging; i++)
        s->turn[i] = true;
    for (size_t i = from; i < from + n && rc == FL_OK; i++) {
        uint8_t need = run_need(runs->reads[i], runs->writes[i], runs->fetches[i]);
        if (i + AHEAD < from + n)
            vm_run_soon(&s->vm, runs->page[i + AHEAD]);
        rc = vm_run(&s->vm, runs->page[i], need, runs->actor, &refs->contents[refs->n],
                    &refs->info[refs->n], s->err);
        refs->n += rc == FL_OK && refs->contents[refs->n] != NO_CONTENTS;
        if (rc != FL_OK || (refs->n < BATCH && i + 1 < from + n))
            continue;
        rc = opt_refs(s, refs);
        if (rc == FL_OK && !s->looking)
            rc = do_batch(s);
        refs->n = 0;
    }
    return rc;
}

/* ---- window by window ----------------------------------------------------------------- */

static void ref_pages(const struct sweep *s, const uint32_t *pages, uint32_t n, struct refs *refs)
{
    refs->n = n;
    for (uint32_t i = 0; i < n; i++) {
        refs->contents[i] = s->vm.contents[pages[i]];
        refs->info[i] = digest_need(&s->digest, pages[i]) & FL_PROT_WRITE ? REF_WRITE : 0;
    }
}

/* Each contents once, in order of first touch; then the order of the last, which is in @last. */
static int curve_window(struct sweep *s)
{
    const struct digest *d = &s->digest;
    uint32_t contents[DIGEST_RUNS_MAX], n = 0;
    uint8_t info[DIGEST_RUNS_MAX];
    next_batch(s);
    for (uint32_t i = 0; i < d->n; i++) {
        uint32_t c = s->vm.contents[d->page[i]];
        if (s->batch_of[c] == s->batch)
            continue;
        s->batch_of[c] = s->batch;
        info[n] = s->last.info[s->last.n - 1 - s->place_of[c]] & REF_WRITE;
        contents[n++] = c;
    }
    const struct curve_refs refs = { n, contents, info, s->vm.cs.kind };
    int rc = lru_curve_refs(s->curve, &refs, s->distance, s->err);
    if (rc == FL_OK)
        lru_curve_reorder(s->curve, s->last.contents, s->last.n);
    return rc;
}

/* Those whose turn it still is get every reference of the window. */
static int all_of_window(struct sweep *s)
{
    const struct digest *d = &s->digest;
    struct refs *refs = &s->refs;
    int rc = FL_OK;
    for (size_t from = 0; from < d->n_runs && rc == FL_OK; from += BATCH) {
        uint32_t n = d->n_runs - from < BATCH ? (uint32_t)(d->n_runs - from) : BATCH;
        for (uint32_t i = 0; i < n; i++) {
            refs->contents[i] = s->vm.contents[d->run_page[from + i]];
            refs->info[i] = d->need[from + i] & FL_PROT_WRITE ? REF_WRITE : 0;
        }
        refs->n = n;
        rc = page_batch(s);
    }
    refs->n = 0;
    return rc;
}

static int opt_window(struct sweep *s)
{
    uint32_t pages[DIGEST_RUNS_MAX];
    if (!s->n_opt)
        return FL_OK;
    ref_pages(s, pages, digest_pages(&s->digest, DIGEST_ENDS, pages), &s->ends);
    return opt_refs(s, &s->ends);
}

static int do_window(struct sweep *s)
{
    uint32_t pages[DIGEST_RUNS_MAX];
    bool left = false;
    int rc = opt_window(s);
    if (rc == FL_OK && !s->looking)
        rc = contents_room(s);
    if (rc != FL_OK || s->looking)
        return rc;
    ref_pages(s, pages, digest_pages(&s->digest, DIGEST_LAST, pages), &s->refs);
    find_last(s, &s->refs);
    if (s->curve)
        rc = curve_window(s);
    for (size_t i = 0; i < s->n_paging && rc == FL_OK; i++) {
        struct paging *p = &s->paging[i];
        s->turn[i] = false;
        if (nothing_moves(s, p))
            rc = page_refs(s, p, &s->last);
        else
            s->turn[i] = left = true;
    }
    s->refs.n = 0;
    return rc == FL_OK && left ? all_of_window(s) : rc;
}

static int do_item(struct sweep *s, const struct fl_runs *runs)
{
    struct digest *d = &s->digest;
    int rc = vm_new_pages(&s->vm, s->err);
    if (rc == FL_OK)
        rc = digest_room(d, s->vm.n_pages, s->err);
    for (size_t from = 0; from < runs->n && rc == FL_OK; from += d->n_runs)
        rc = digest_take(d, runs, from, s->window_pages, s->vm.rights)
                 ? do_window(s)
                 : do_runs(s, runs, from, d->n_runs);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------- */

static int by_frames(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* As many curves as the @n sizes, which are sorted here, take. */
static int opt_curves(struct sweep *s, uint32_t *frames, size_t n)
{
    size_t different = 0;
    int rc = FL_OK;
    if (!n)
        return FL_OK;
    qsort(frames, n, sizeof *frames, by_frames);
    for (size_t i = 0; i < n; i++)
        if (!different || frames[i] != frames[different - 1])
            frames[different++] = frames[i];
    s->opt = calloc(different / OPT_CURVE_SIZES + 1, sizeof *s->opt);
    if (!s->opt)
        return fl_nomem(s->err, "sweep");
    for (size_t i = 0, some; i < different && rc == FL_OK; i += some) {
        some = different - i < OPT_CURVE_SIZES ? different - i : OPT_CURVE_SIZES;
        rc = opt_curve_new(&s->opt[s->n_opt], frames + i, (uint32_t)some, s->err);
        s->n_opt += rc == FL_OK;
    }
    return rc;
}

static int begin(struct sweep *s, struct fl_sweep_point **points, size_t n)
{
    uint32_t *opt_frames = calloc(n, sizeof *opt_frames);
    size_t n_opt_frames = 0;
    int rc = FL_OK;

    s->window_pages = DIGEST_RUNS_MAX;
    s->paging = calloc(n, sizeof *s->paging);
    s->turn = calloc(n, sizeof *s->turn);
    s->replayed = calloc(n, sizeof *s->replayed);
    if (!s->paging || !s->turn || !s->replayed || !opt_frames)
        rc = fl_nomem(s->err, "sweep");
    for (size_t i = 0; i < n && rc == FL_OK; i++) {
        bool lru = sweep_on_curve(points[i]), opt = on_opt_curve(points[i]);
        if ((lru || opt) && s->window_pages > points[i]->frames)
            s->window_pages = points[i]->frames;
        if (lru && !s->curve)
            rc = lru_curve_new(&s->curve, s->err);
        if (opt)
            opt_frames[n_opt_frames++] = points[i]->frames;
        if (lru || opt)
            continue;
        rc = paging_init(&s->paging[s->n_paging], points[i]->policy, points[i]->frames,
                         points[i]->swap_pages, points[i]->seed, s->err);
        s->replayed[s->n_paging] = points[i];
        s->n_paging += rc == FL_OK;
    }
    if (rc == FL_OK)
        rc = opt_curves(s, opt_frames, n_opt_frames);
    free(opt_frames);
    return rc;
}

static struct curve_point point_on_opt(const struct sweep *s, uint32_t frames)
{
    size_t i = 0;
    while (i + 1 < s->n_opt && opt_curve_most(s->opt[i]) < frames)
        i++;
    return opt_curve_at(s->opt[i], frames);
}

static int answer(struct sweep *s, struct fl_sweep_point **points, size_t n)
{
    int rc = s->curve ? lru_curve_end(s->curve, s->err) : FL_OK;
    for (size_t i = 0; i < s->n_opt && rc == FL_OK; i++)
        rc = opt_curve_end(s->opt[i], s->err);
    for (size_t i = 0; i < n && rc == FL_OK; i++) {
        bool lru = sweep_on_curve(points[i]);
        if (!lru && !on_opt_curve(points[i]))
            continue;
        struct curve_point at = lru ? lru_curve_at(s->curve, points[i]->frames)
                                    : point_on_opt(s, points[i]->frames);
        points[i]->minor = at.minor;
        points[i]->major = at.major;
        points[i]->swap_in = at.swap_in;
        points[i]->swap_out = at.swap_out;
    }
    for (size_t i = 0; i < s->n_paging && rc == FL_OK; i++) {
        s->replayed[i]->minor = paging_minor(&s->paging[i]);
        s->replayed[i]->major = paging_major(&s->paging[i]);
        s->replayed[i]->swap_in = s->paging[i].counts.pages_in;
        s->replayed[i]->swap_out = s->paging[i].counts.pages_out;
    }
    return rc;
}

static void sweep_free(struct sweep *s)
{
    s->vm.hooks = (struct vm_hooks){ 0 };
    vm_fini(&s->vm);
    for (size_t i = 0; i < s->n_paging; i++)
        paging_fini(&s->paging[i]);
    for (size_t i = 0; i < s->n_opt; i++)
        opt_curve_free(s->opt[i]);
    free(s->opt);
    free(s->paging);
    free(s->turn);
    free(s->replayed);
    free(s->batch_of);
    free(s->place_of);
    digest_fini(&s->digest);
    lru_curve_free(s->curve);
    free(s);
}

/* From the first item to the last; windows are the same every time. */
static int pass(struct sweep *s, struct fl_reader *r, bool looking,
                const struct sweep_progress *progress)
{
    struct vm_hooks hooks = { .arg = s, .contents_gone = on_contents_gone };
    struct fl_item item;
    uint64_t done = 0;
    int rc = reduced_begin(r, s->reduced, s->err);

    vm_init(&s->vm, r, PGTABLE_LEVELS_MAX, &hooks);
    s->looking = looking;
    digest_rested(&s->digest);
    while (rc == FL_OK && (rc = fl_reader_next(r, &item, s->err)) == FL_OK &&
           item.kind != FL_ITEM_END) {
        if (item.kind == FL_ITEM_EVENT) {
            rc = vm_event(&s->vm, &item.event, s->err);
        } else {
            rc = do_item(s, &item.runs);
            done += item.runs.n;
            if (!looking)
                sweep_tell(progress, r, done);
        }
        if (rc == FL_OK)
            rc = s->hook_rc;
    }
    return rc;
}

/* *again: the layer that it was over does not answer after all. */
static int one_pass(struct fl_reader *r, struct fl_sweep_point **points, size_t n, uint32_t reduced,
                    const struct sweep_progress *progress, bool *again, struct fl_err *err)
{
    struct sweep *s = calloc(1, sizeof *s);
    if (!s)
        return fl_nomem(err, "sweep");
    s->err = err;
    s->reduced = reduced;
    int rc = begin(s, points, n);
    if (rc == FL_OK && s->n_opt) {
        rc = pass(s, r, true, progress);
        s->vm.hooks = (struct vm_hooks){ 0 };
        vm_fini(&s->vm);
    }
    if (rc == FL_OK)
        rc = pass(s, r, false, progress);
    if (rc == FL_OK)
        rc = answer(s, points, n);
    *again = rc == FL_OK && reduced && s->vm.segv;
    sweep_free(s);
    return rc;
}

int sweep_textbook(struct fl_reader *r, struct fl_sweep_point **points, size_t n,
                   const struct sweep_progress *progress, struct fl_err *err)
{
    uint32_t reduced = UINT32_MAX;
    bool again;
    for (size_t i = 0; i < n && reduced; i++) {
        uint32_t floor = reduced_suits(r, points[i]->frames, points[i]->policy);
        reduced = floor < reduced ? floor : reduced;
    }
    int rc = one_pass(r, points, n, reduced, progress, &again, err);
    return rc == FL_OK && again ? one_pass(r, points, n, 0, progress, &again, err) : rc;
}
