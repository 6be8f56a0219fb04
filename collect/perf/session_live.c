/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_live.c - recording what runs already: its threads, and what /proc knows of it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <faultline/proc.h>

#include "session.h"

#define SCANS_MAX 8

/* ---- which tasks ------------------------------------------------------------------ */

static bool has_tid(const struct fl_proc_tasks *tasks, uint32_t tid)
{
    for (size_t i = 0; i < tasks->n; i++)
        if (tasks->task[i].tid == tid)
            return true;
    return false;
}

/* Threads may have appeared while events were opened; those that their maker's events did not
   follow are opened too. What is seen twice by that, the tree sorts out. */
static int add_new_tasks(struct session *s, struct fl_proc_tasks *known, bool *any,
                         struct fl_err *err)
{
    struct fl_proc_tasks now;
    int rc = fl_proc_tasks(FL_PROC_ROOT, s->opts->pid, &now, err);
    *any = false;
    if (rc == FL_EUSAGE)
        return FL_OK; /* it has ended; that is what will be recorded */
    for (size_t i = 0; rc == FL_OK && i < now.n; i++)
        if (!has_tid(known, now.task[i].tid)) {
            *any = true;
            rc = fl_perf_add_task(&s->set, (pid_t)now.task[i].tid, err);
        }
    fl_proc_tasks_free(known);
    *known = now;
    return rc;
}

int fl_session_open_live(struct session *s, struct fl_perf_plan *plan, struct fl_err *err)
{
    struct fl_proc_tasks tasks = { 0 };
    int rc = fl_proc_check(FL_PROC_ROOT, s->opts->pid, err);
    if (rc == FL_OK)
        rc = fl_proc_tasks(FL_PROC_ROOT, s->opts->pid, &tasks, err);
    pid_t *tids = rc == FL_OK ? calloc(tasks.n + 1, sizeof *tids) : NULL;
    if (rc == FL_OK && !tids)
        rc = fl_nomem(err, "list of threads");
    if (rc == FL_OK) {
        for (size_t i = 0; i < tasks.n; i++)
            tids[i] = (pid_t)tasks.task[i].tid;
        plan->tasks = tids;
        plan->n_tasks = tasks.n;
        rc = fl_perf_open(&s->set, plan, err);
        s->set.plan.tasks = NULL;
    }
    bool any = true;
    for (int i = 0; rc == FL_OK && any && i < SCANS_MAX; i++)
        rc = add_new_tasks(s, &tasks, &any, err);
    free(tids);
    fl_proc_tasks_free(&tasks);
    return rc;
}

/* ---- what they have already --------------------------------------------------------- */

/* A process, while its /proc is walked. */
struct walk {
    struct session *s;
    uint32_t pid, mm;
    struct fl_proc_stacks stacks;
};

static int emit_timed(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct session *s = ctx;
    struct fl_event timed = *ev;
    timed.time_ns = s->stopping || s->ended ? fl_session_now_ns() - s->start_ns : 0;
    return fl_session_emit(s, &timed, err);
}

/* As the kernel would have reported it when it was made. */
static int adopt_map(void *ctx, const struct fl_proc_map *map, struct fl_err *err)
{
    struct walk *w = ctx;
    uint32_t owner = fl_proc_stack_tid(map, &w->stacks);
    struct fl_perf_rec rec = {
        .type = PERF_RECORD_MMAP2,
        .source = FL_SRC_PROBE, /* of no task's events */
        .time_ns = w->s->start_ns,
        .pid = w->pid,
        .tid = owner ? owner : w->pid,
        .by_tid = w->pid,
        .mmap = { .start = map->start,
                  .length = map->end - map->start,
                  .offset = map->offset,
                  .ino = map->ino,
                  .dev_major = major(map->dev),
                  .dev_minor = minor(map->dev),
                  .prot = map->prot,
                  .flags = map->flags & FL_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE,
                  .path = owner        ? "[stack:]"
                          : *map->name ? map->name
                                       : "//anon" },
    };
    return fl_tree_push(w->s->tree, &rec, err);
}

static int note_pages(void *ctx, uint64_t start, uint64_t length, uint32_t state,
                      struct fl_err *err)
{
    struct walk *w = ctx;
    struct fl_event ev = { .kind = FL_EV_PRESENT, .thread = FL_NO_THREAD };
    ev.present.mm = w->mm;
    ev.present.state = state;
    ev.present.start = start;
    ev.present.length = length;
    return emit_timed(w->s, &ev, err);
}

/* @rc, unless it is only that the process is gone, or somebody else's. */
static int forgive(const struct session *s, int rc, const struct fl_err *why, struct fl_err *err)
{
    bool whole = s->opts->machine && (rc == FL_EUSAGE || rc == FL_EMACHINE);
    if (rc == FL_OK || why->sys_errno == ESRCH || whole)
        return FL_OK;
    if (err)
        *err = *why;
    return rc;
}

static int look_at_files(const struct walk *w, uint32_t moment, struct fl_err *err)
{
    struct session *s = w->s;
    return fl_proc_snapshot(FL_PROC_ROOT, w->pid, moment, s->opts->redact, emit_timed, s,
                            &s->skipped, err);
}

static int look_at_pages(struct walk *w, struct fl_err *err)
{
    struct fl_proc_present_sum sum;
    int rc = fl_proc_present(FL_PROC_ROOT, w->pid, NULL, note_pages, w, &sum, err);
    w->s->unread_bytes += rc == FL_OK ? sum.unread_bytes : 0;
    return rc;
}

/* A process's mappings, and unless somebody watches, what else /proc says of it. */
static int adopt_process(struct session *s, uint32_t pid, struct fl_err *err)
{
    struct walk w = { .s = s, .pid = pid, .mm = fl_tree_space(s->tree, pid) };
    struct fl_err why = { 0 };
    int rc = s->opts->watch ? FL_OK : look_at_files(&w, FL_SNAPSHOT_START, &why);
    if (rc == FL_OK)
        rc = fl_proc_stacks(FL_PROC_ROOT, pid, &w.stacks, &why);
    if (rc == FL_OK)
        rc = fl_proc_maps(FL_PROC_ROOT, pid, adopt_map, &w, NULL, &why);
    fl_proc_stacks_free(&w.stacks);
    if (rc == FL_OK && !s->opts->watch)
        rc = look_at_pages(&w, &why);
    return forgive(s, rc, &why, err);
}

static int snapshot_process(struct session *s, uint32_t pid, struct fl_err *err)
{
    struct walk w = { .s = s, .pid = pid, .mm = fl_tree_space(s->tree, pid) };
    struct fl_err why = { 0 };
    int rc = look_at_files(&w, FL_SNAPSHOT_END, &why);
    if (rc == FL_OK)
        rc = look_at_pages(&w, &why);
    return forgive(s, rc, &why, err);
}

/* @look at each of @tasks' processes that the tree knows and that has memory of its own. */
static int each_process(struct session *s, const struct fl_proc_tasks *tasks,
                        int (*look)(struct session *, uint32_t pid, struct fl_err *),
                        struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < tasks->n; i++) {
        const struct fl_proc_task *task = &tasks->task[i];
        if (task->tid == task->pid && !task->is_kernel_thread &&
            fl_tree_space(s->tree, task->pid) != FL_NO_MM)
            rc = look(s, task->pid, err);
    }
    return rc;
}

static int adopt_tasks(struct session *s, const struct fl_proc_tasks *tasks, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < tasks->n; i++) {
        const struct fl_proc_task *task = &tasks->task[i];
        const struct fl_tree_task seen = { .pid = task->pid,
                                           .tid = task->tid,
                                           .ppid = task->ppid,
                                           .oom_score_adj = task->oom_score_adj,
                                           .comm = task->comm };
        if (s->child.pid && task->pid == (uint32_t)s->child.pid)
            continue; /* the command's records will tell */
        rc = fl_tree_seen(s->tree, &seen, err);
    }
    return rc == FL_OK ? each_process(s, tasks, adopt_process, err) : rc;
}

int fl_session_adopt(struct session *s, struct fl_err *err)
{
    struct fl_proc_tasks tasks;
    if (s->set.plan.target == FL_TARGET_COMMAND)
        return FL_OK;
    int rc = fl_proc_tasks(FL_PROC_ROOT, s->opts->pid, &tasks, err);
    if (rc == FL_EUSAGE) /* it ended just now */
        return FL_OK;
    if (rc == FL_OK)
        rc = adopt_tasks(s, &tasks, err);
    fl_proc_tasks_free(&tasks);
    return rc;
}

/* ---- before and after ------------------------------------------------------------------ */

static int snapshot_processes(struct session *s, struct fl_err *err)
{
    struct fl_proc_tasks tasks;
    int rc = fl_proc_tasks(FL_PROC_ROOT, s->opts->pid, &tasks, err);
    if (rc == FL_EUSAGE)
        return FL_OK;
    if (rc == FL_OK)
        rc = each_process(s, &tasks, snapshot_process, err);
    fl_proc_tasks_free(&tasks);
    return rc;
}

/* The kernel's own counts of the process: before the events are on, and after they are off. */
static void count_faults(struct session *s, uint32_t moment)
{
    uint64_t minor, major;
    if (fl_proc_faults(FL_PROC_ROOT, s->opts->pid, 0, &minor, &major, NULL) != FL_OK)
        return;
    s->stat_known = moment == FL_SNAPSHOT_END;
    s->stat_minor = moment == FL_SNAPSHOT_END ? minor - s->stat_minor : minor;
    s->stat_major = moment == FL_SNAPSHOT_END ? major - s->stat_major : major;
}

int fl_session_snapshot(struct session *s, uint32_t moment, struct fl_err *err)
{
    bool live = s->set.plan.target != FL_TARGET_COMMAND;
    int rc = FL_OK;
    if (s->opts->watch)
        return FL_OK;
    if (s->opts->pid)
        count_faults(s, moment);
    /* Next to the events' begin and end: looking at processes makes the kernel allocate, unrecorded. */
    if (moment == FL_SNAPSHOT_END)
        rc = fl_session_tables_write(s, UINT64_MAX, err);
    else if (fl_session_has_slabs(s) && !s->opts->settle_slabs)
        rc = fl_slab_lists(FL_SLAB_ROOT, moment, emit_timed, s, err);
    if (rc == FL_OK && moment == FL_SNAPSHOT_START && fl_session_wants_tables(s))
        rc = fl_proc_snapshot(FL_PROC_ROOT, 0, moment, s->opts->redact, emit_timed, s, &s->skipped,
                              err);
    if (rc == FL_OK && live && moment == FL_SNAPSHOT_END)
        rc = snapshot_processes(s, err);
    return rc;
}
