/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many memory sizes and policies over one decoding of the trace. */
#include <stdlib.h>
#include <string.h>

#include "future.h"
#include "grow.h"
#include "lru_curve.h"
#include "paging.h"
#include "vm.h"

#define BATCH 512u /* references resolved before each paging stage gets its turn */

struct refs {
    uint32_t n;
    uint32_t contents[BATCH];
    uint8_t info[BATCH];
    uint64_t next_use[BATCH];
};

struct sweep {
    struct vm vm;
    struct paging *paging; /* one a point of @replayed */
    struct fl_sweep_point **replayed;
    size_t n_paging;
    struct lru_curve *curve; /* NULL: no point needs it */
    struct future *future;   /* NULL: no point needs it */
    int hook_rc;             /* a hook cannot fail; its error waits here */
    struct fl_err *err;
    struct refs refs;
    struct refs last; /* of @refs, the last to each contents; a write if any was */
    bool plain;       /* no reference of @refs has a cause */
    uint32_t batch, *batch_of, *place_of; /* by contents: when and where in @last */
    uint32_t contents_room;
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

static int page_refs(struct sweep *s, struct paging *p, const struct refs *refs)
{
    int rc = FL_OK;
    for (uint32_t i = 0; i < refs->n && rc == FL_OK; i++) {
        bool swap_full = false;
        rc = paging_ref(p, &s->vm, refs->contents[i], refs->info[i], refs->next_use[i], &swap_full,
                        s->err);
    }
    return rc;
}

/* When everything the batch refers to is resident, nothing comes or goes in it. */
static bool nothing_moves(const struct sweep *s, const struct paging *p)
{
    if (!s->plain || !p->ops->last_touch_counts)
        return false;
    for (uint32_t i = 0; i < s->last.n; i++)
        if (p->where[s->last.contents[i]] >= WHERE_FRAMES_END)
            return false;
    return true;
}

static int curve_batch(struct sweep *s)
{
    int rc = FL_OK;
    for (uint32_t i = 0; i < s->refs.n && rc == FL_OK; i++)
        rc = lru_curve_ref(s->curve, s->refs.contents[i], s->refs.info[i] & REF_WRITE,
                           ref_cause(s->refs.info[i]) != FL_CAUSE_NONE,
                           s->vm.cs.kind[s->refs.contents[i]] != CONTENTS_FILE, s->err);
    return rc;
}

static int contents_room(struct sweep *s)
{
    if (s->vm.cs.n <= s->contents_room)
        return FL_OK;
    uint32_t room = grow_room_for(s->contents_room, s->vm.cs.n);
    if (!room || !grow(&s->batch_of, room) || !grow(&s->place_of, room))
        return fl_nomem(s->err, "sweep");
    memset(s->batch_of + s->contents_room, 0,
           (room - s->contents_room) * sizeof *s->batch_of); /* batches count from 1 */
    s->contents_room = room;
    return FL_OK;
}

/* The last reference to each contents, in order of these: found from the end, then turned round. */
static void find_last(struct sweep *s)
{
    struct refs found;
    uint32_t n = 0;
    s->batch++;
    s->plain = true;
    for (uint32_t i = s->refs.n; i-- > 0;) {
        uint32_t c = s->refs.contents[i];
        uint8_t info = s->refs.info[i];
        s->plain &= info <= REF_WRITE;
        if (s->batch_of[c] == s->batch) {
            found.info[s->place_of[c]] |= info & REF_WRITE;
            continue;
        }
        s->batch_of[c] = s->batch;
        s->place_of[c] = n;
        found.contents[n] = c;
        found.info[n] = info & REF_WRITE;
        found.next_use[n++] = s->refs.next_use[i];
    }
    s->last.n = n;
    for (uint32_t i = 0; i < n; i++) {
        s->last.contents[i] = found.contents[n - 1 - i];
        s->last.info[i] = found.info[n - 1 - i];
        s->last.next_use[i] = found.next_use[n - 1 - i];
    }
}

static int do_batch(struct sweep *s)
{
    int rc = s->n_paging ? contents_room(s) : FL_OK;
    if (rc == FL_OK && s->n_paging)
        find_last(s);
    for (size_t i = 0; i < s->n_paging && rc == FL_OK; i++) {
        struct paging *p = &s->paging[i];
        rc = paging_room(p, s->vm.cs.n, s->err);
        if (rc == FL_OK)
            rc = page_refs(s, p, nothing_moves(s, p) ? &s->last : &s->refs);
    }
    if (rc == FL_OK && s->curve)
        rc = curve_batch(s);
    s->refs.n = 0;
    return rc;
}

static int do_runs(struct sweep *s, const struct fl_runs *runs)
{
    struct refs *refs = &s->refs;
    int rc = vm_new_pages(&s->vm, s->err);
    for (size_t i = 0; i < runs->n && rc == FL_OK; i++) {
        uint8_t need = run_need(runs->reads[i], runs->writes[i], runs->fetches[i]);
        refs->next_use[refs->n] = 0;
        if (s->future)
            rc = future_next(s->future, &refs->next_use[refs->n], s->err);
        if (rc == FL_OK)
            rc = vm_run(&s->vm, runs->page[i], need, runs->actor, &refs->contents[refs->n],
                        &refs->info[refs->n], s->err);
        refs->n += rc == FL_OK && refs->contents[refs->n] != NO_CONTENTS;
        if (rc == FL_OK && (refs->n == BATCH || i + 1 == runs->n))
            rc = do_batch(s);
    }
    return rc;
}

static int begin(struct sweep *s, struct fl_reader *r, struct fl_sweep_point **points, size_t n)
{
    struct vm_hooks hooks = { .arg = s, .contents_gone = on_contents_gone };
    bool curve = false, future = false;
    int rc = FL_OK;

    vm_init(&s->vm, r, PGTABLE_LEVELS_MAX, &hooks);
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
                         points[i]->swap_pages, points[i]->seed, fl_reader_totals(r)->runs, s->err);
        s->replayed[s->n_paging] = points[i];
        s->n_paging += rc == FL_OK;
    }
    if (rc == FL_OK && curve)
        rc = lru_curve_new(&s->curve, s->err);
    if (rc == FL_OK && future)
        rc = future_build(r, PGTABLE_LEVELS_MAX, &s->future, s->err);
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
    free(s->batch_of);
    free(s->place_of);
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
                                   .no_owners = true,
                                   .kernel = p->kernel,
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
        else if (points[i].swap_pages == UINT64_MAX && !(points[i].policy->needs & FL_IS_KERNEL))
            together[n_together++] = &points[i];
        else
            rc = sweep_alone(r, &points[i], err);
    }
    if (rc == FL_OK && n_together)
        rc = sweep_together(r, together, n_together, progress, arg, err);
    free(together);
    return rc;
}
