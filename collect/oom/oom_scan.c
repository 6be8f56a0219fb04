/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All processes as the OOM killer looks at them, checked against the kernel's own scores. */
#include <errno.h>
#include <stdlib.h>

#include <faultline/oom_live.h>
#include <faultline/units.h>

#define INIT_PID 1u
#define LOOKS 6 /* at one process, until its score and its sizes are of the same moment */

struct look {
    const char *root;
    const struct fl_oom_opts *opts;
    struct fl_oom *oom;
};

static enum fl_oom_guard guard_of(const struct look *l, const struct fl_proc_memory *m)
{
    if (m->pid == INIT_PID && l->oom->sees_all)
        return FL_OOM_INIT;
    if (m->is_kernel_thread)
        return FL_OOM_KERNEL_THREAD;
    if (m->is_unread)
        return FL_OOM_UNREAD;
    if (!m->has_memory)
        return FL_OOM_ENDED;
    return m->oom_score_adj == FL_OOM_ADJ_MIN ? FL_OOM_EXEMPT : FL_OOM_MAY_DIE;
}

static bool near(int32_t a, int32_t b)
{
    return a - b <= 1 && b - a <= 1;
}

static void judge(const struct look *l, struct fl_oom_process *p)
{
    const struct fl_proc_memory *m = &p->memory;
    uint64_t now_pages = (l->oom->machine.ram_bytes + l->oom->machine.swap_bytes) / FL_PAGE_BYTES;
    p->guard = guard_of(l, m);
    p->score = p->guard == FL_OOM_MAY_DIE ? fl_oom_score(fl_oom_badness(m, now_pages), now_pages)
                                          : 0;
    p->agrees = m->is_unread || m->oom_score < 0 || near(p->score, m->oom_score) ||
                near(p->score, m->oom_score_after);
    if (!near(p->score, m->oom_score) && near(p->score, m->oom_score_after))
        p->memory.oom_score = m->oom_score_after; /* it changed between the two */
    p->adj_pages = fl_oom_adj_pages(m->oom_score_adj, l->oom->total_pages);
    p->badness = fl_oom_badness(m, l->oom->total_pages);
}

/* The kernel says 0 where the sizes do not: what no file tells directly. A vfork child has its
   parent's memory, and the parent waits for it. */
static void settle_zero(const struct look *l, struct fl_oom_process *p)
{
    struct fl_proc_memory parent;
    const struct fl_proc_memory *m = &p->memory;
    if (p->guard != FL_OOM_MAY_DIE || m->oom_score != 0 || m->oom_score_after != 0)
        return;
    bool is_vfork = fl_proc_memory(l->root, m->ppid, &parent, NULL) == FL_OK &&
                    parent.state == 'D' && parent.virtual_bytes == m->virtual_bytes &&
                    parent.table_bytes == m->table_bytes;
    p->guard = is_vfork ? FL_OOM_VFORK : FL_OOM_SKIPPED;
    p->score = 0;
    p->agrees = true;
}

/* FL_EUSAGE: it is gone. */
static int look_at(struct look *l, uint32_t pid, struct fl_oom_process *p, struct fl_err *err)
{
    int rc = FL_OK;
    *p = (struct fl_oom_process){ .agrees = false };
    for (int i = 0; i < LOOKS && !p->agrees && rc == FL_OK; i++) {
        if (i > 0) /* the machine's total can change as well */
            rc = fl_proc_meminfo(l->root, &l->oom->machine, err);
        if (rc == FL_OK)
            rc = fl_proc_memory(l->root, pid, &p->memory, err);
        if (rc == FL_OK)
            judge(l, p);
    }
    if (rc == FL_OK && !p->agrees)
        settle_zero(l, p);
    return rc;
}

/* Of equals the kernel takes the later in its list, which is in the order they were made. */
static bool is_later(const struct fl_proc_memory *a, const struct fl_proc_memory *b)
{
    return a->start_ticks != b->start_ticks ? a->start_ticks > b->start_ticks : a->pid > b->pid;
}

static int first_killed_first(const void *a, const void *b)
{
    const struct fl_oom_process *x = a, *y = b;
    if ((x->guard == FL_OOM_MAY_DIE) != (y->guard == FL_OOM_MAY_DIE))
        return x->guard == FL_OOM_MAY_DIE ? -1 : 1;
    if (x->guard != FL_OOM_MAY_DIE && x->memory.is_kernel_thread != y->memory.is_kernel_thread)
        return x->memory.is_kernel_thread ? 1 : -1;
    if (x->badness != y->badness)
        return x->badness < y->badness ? 1 : -1;
    return is_later(&x->memory, &y->memory) ? -1 : is_later(&y->memory, &x->memory) ? 1 : 0;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* Whether what is in use fits; anonymous and shared memory can go to swap, the rest cannot. */
static void weigh(const struct look *l)
{
    struct fl_oom *oom = l->oom;
    const struct fl_meminfo *m = &oom->machine;
    const struct fl_oom_group *g = l->opts->group;
    uint64_t ram_used = less(m->ram_bytes, m->available_bytes);
    uint64_t swap_used = less(m->swap_bytes, m->swap_free_bytes);
    uint64_t swappable = m->anon_bytes + m->shmem_bytes;
    if (g) {
        ram_used = less(g->usage_bytes, g->file_bytes);
        swappable = g->anon_bytes;
        swap_used = g->swap_used_bytes;
    }
    oom->in_use_bytes = ram_used + swap_used;
    oom->pinned_bytes = less(ram_used, swappable);
    uint64_t outside = less(oom->in_use_bytes, oom->ram_bytes);
    uint64_t unfit = less(oom->pinned_bytes, oom->ram_bytes);
    uint64_t over = less(outside, oom->swap_bytes);
    oom->pressure = over || unfit ? FL_OOM_KILLS : outside ? FL_OOM_SWAPS : FL_OOM_FITS;
    oom->short_bytes = oom->pressure == FL_OOM_KILLS ? (over > unfit ? over : unfit) : outside;
}

/* What the question is about; the machine's sizes are known. */
static void ask(const struct look *l)
{
    struct fl_oom *oom = l->oom;
    const struct fl_oom_group *g = l->opts->group;
    oom->ram_bytes = l->opts->has_at     ? l->opts->at_ram_bytes
                     : g && g->has_limit ? g->limit_bytes
                                         : oom->machine.ram_bytes;
    oom->swap_bytes = l->opts->has_at ? l->opts->at_swap_bytes
                      : g             ? g->swap_bytes
                                      : oom->machine.swap_bytes;
    oom->total_pages = oom->ram_bytes / FL_PAGE_BYTES + oom->swap_bytes / FL_PAGE_BYTES;
    oom->is_asked_of_other = l->opts->has_at;
}

static int look_at_all(struct look *l, const uint32_t *pids, size_t n, struct fl_err *err)
{
    struct fl_oom *oom = l->oom;
    for (size_t i = 0; i < n; i++) {
        struct fl_oom_process *p = &oom->process[oom->n];
        if (pids[i] == l->opts->without_pid)
            continue;
        int rc = look_at(l, pids[i], p, err);
        if (rc == FL_EUSAGE || rc == FL_EIO)
            continue; /* it ended meanwhile */
        if (rc != FL_OK)
            return rc;
        oom->n++;
        oom->n_candidates += p->guard == FL_OOM_MAY_DIE;
        oom->n_unread += p->guard == FL_OOM_UNREAD;
        oom->n_compared += p->memory.oom_score >= 0;
        oom->n_disagree += !p->agrees;
    }
    return FL_OK;
}

int fl_oom_look(const struct fl_oom_opts *opts, struct fl_oom *out, struct fl_err *err)
{
    struct look l = { .root = opts->root ? opts->root : FL_PROC_ROOT, .opts = opts, .oom = out };
    uint32_t *all = NULL;
    size_t n = 0;
    *out = (struct fl_oom){ .sees_all = fl_proc_sees_all(l.root) };
    int rc = fl_proc_meminfo(l.root, &out->machine, err);
    if (rc == FL_OK)
        rc = opts->group ? FL_OK : fl_proc_pids(l.root, &all, &n, err);
    const uint32_t *pids = opts->group ? opts->group->pids : all;
    n = opts->group ? opts->group->n_pids : n;
    if (rc == FL_OK) {
        ask(&l);
        out->process = calloc(n + 1, sizeof *out->process);
        rc = out->process ? look_at_all(&l, pids, n, err) : fl_nomem(err, "processes");
    }
    free(all);
    if (rc != FL_OK) {
        fl_oom_free(out);
        return rc;
    }
    qsort(out->process, out->n, sizeof *out->process, first_killed_first);
    weigh(&l);
    return FL_OK;
}

void fl_oom_free(struct fl_oom *oom)
{
    free(oom->process);
    *oom = (struct fl_oom){ 0 };
}

size_t fl_oom_find(const struct fl_oom *oom, uint32_t pid)
{
    for (size_t i = 0; i < oom->n; i++)
        if (oom->process[i].memory.pid == pid)
            return i;
    return SIZE_MAX;
}
