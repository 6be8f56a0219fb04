/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model.md: who is in which space, and who is killed when memory runs out. */
#include <stdio.h>
#include <string.h>

#include "naive_world.h"

/* The latest process of that number: numbers are used again. */
static int find(const struct world *w, uint32_t pid)
{
    for (size_t i = w->processes.n; i-- > 0;)
        if (w->processes.at[i].pid == pid)
            return (int)i;
    return NONE;
}

int naive_process_of_thread(const struct world *w, uint32_t thread)
{
    for (size_t i = w->threads.n; i-- > 0;)
        if (w->threads.at[i].index == thread)
            return (int)w->threads.at[i].process;
    return NONE;
}

static bool space_is_dead(const struct world *w, uint32_t mm)
{
    for (size_t i = 0; i < w->dead_spaces.n; i++)
        if (w->dead_spaces.at[i] == mm)
            return true;
    return false;
}

static bool space_exists(const struct world *w, uint32_t mm)
{
    for (size_t i = 0; i < w->spaces.n; i++)
        if (w->spaces.at[i] == mm)
            return true;
    return false;
}

static void leave(struct world *w, struct process *p)
{
    for (size_t i = 0; i < w->processes.n; i++)
        if (&w->processes.at[i] != p && w->processes.at[i].alive && w->processes.at[i].mm == p->mm)
            return;
    naive_vm_space_end(w, p->mm);
}

static void start(struct world *w, const struct fl_event *ev)
{
    uint32_t mm = ev->process.mm, from = ev->process.copied_mm;
    struct process p = {
        .pid = ev->process.pid, .mm = mm, .oom_score_adj = ev->process.oom_score_adj, .alive = true
    };
    int parent = find(w, ev->process.ppid);
    snprintf(p.comm, sizeof p.comm, "%s", ev->process.comm);
    if ((ev->process.ppid != 0 && parent != NONE && w->processes.at[parent].killed) ||
        space_is_dead(w, mm) || (from != FL_NO_MM && space_is_dead(w, from))) {
        p.killed = true;
        p.alive = false;
        if (!space_is_dead(w, mm))
            LIST_ADD(&w->dead_spaces, mm);
    }
    LIST_ADD(&w->processes, p);
    if (p.killed || space_exists(w, mm))
        return;
    naive_vm_space_begin(w, mm);
    if (from != FL_NO_MM)
        naive_vm_space_copy(w, from, mm);
    if (from != FL_NO_MM && space_exists(w, from))
        naive_tlb_fork(w, from);
}

static void exec(struct world *w, struct process *p, uint32_t mm)
{
    if (p->killed) {
        LIST_ADD(&w->dead_spaces, mm);
        return;
    }
    w->in_exec = true;
    leave(w, p);
    w->in_exec = false;
    p->mm = mm;
    naive_vm_space_begin(w, mm);
}

void naive_process_event(struct world *w, const struct fl_event *ev)
{
    int i = NONE;
    switch (ev->kind) {
    case FL_EV_PROCESS: start(w, ev); break;
    case FL_EV_THREAD:
        i = find(w, ev->thread_start.pid);
        if (i != NONE)
            LIST_ADD(&w->threads, (struct thread){ .index = ev->thread, .process = (size_t)i });
        break;
    case FL_EV_EXEC:
        i = find(w, ev->exec.pid);
        if (i != NONE)
            exec(w, &w->processes.at[i], ev->exec.mm);
        break;
    case FL_EV_EXIT:
        i = find(w, ev->exit.pid);
        if (i != NONE && w->processes.at[i].alive) {
            leave(w, &w->processes.at[i]);
            w->processes.at[i].alive = false;
        }
        break;
    case FL_EV_COMM:
        i = find(w, ev->comm.pid);
        if (i != NONE && ev->comm.tid == ev->comm.pid)
            snprintf(w->processes.at[i].comm, sizeof w->processes.at[i].comm, "%s", ev->comm.comm);
        break;
    case FL_EV_OOM_ADJ:
        i = find(w, ev->oom_adj.pid);
        if (i != NONE)
            w->processes.at[i].oom_score_adj = ev->oom_adj.oom_score_adj;
        break;
    case FL_EV_SIGNAL:
        i = naive_process_of_thread(w, ev->thread);
        if (i != NONE && !w->processes.at[i].killed && ev->signal.signo == 11 &&
            ev->signal.address != FL_NO_ADDRESS)
            w->res->segv++;
        break;
    default: break;
    }
}

static struct fl_oom_kill judge(const struct world *w, const struct process *p)
{
    struct fl_oom_kill k = { .pid = p->pid, .at_access = w->accesses_before };
    int64_t tables = 0; /* without the root */
    memcpy(k.comm, p->comm, sizeof k.comm);
    if (w->k) {
        naive_linux_judge(w, p, &k);
        return k;
    }
    for (size_t i = 0; i < w->vpages.n; i++) {
        const struct contents *c = &w->contents.at[w->vpages.at[i].contents];
        if (w->vpages.at[i].mm != p->mm)
            continue;
        if (c->frame != NONE)
            k.rss_pages++;
        else if (c->had_frame && naive_paging_swaps(w, w->vpages.at[i].contents))
            k.swap_pages++;
    }
    for (size_t i = 0; i < w->tables.n; i++)
        tables += w->tables.at[i].mm == p->mm;
    int64_t memory = (int64_t)w->opts->frames + (int64_t)w->opts->swap_pages;
    k.badness = (int64_t)(k.rss_pages + k.swap_pages) + tables + p->oom_score_adj * (memory / 1000);
    return k;
}

bool naive_process_kill_one(struct world *w)
{
    struct fl_oom_kill worst = { .pid = 0 };
    int chosen = NONE;
    for (size_t i = 0; i < w->processes.n; i++) {
        const struct process *p = &w->processes.at[i];
        if (!p->alive || p->oom_score_adj == -1000 || p->pid == 1)
            continue;
        struct fl_oom_kill k = judge(w, p);
        if (chosen == NONE || k.badness >= worst.badness) {
            worst = k;
            chosen = (int)i;
        }
    }
    if (chosen == NONE)
        return false;
    if (w->res->n_kills < NAIVE_KILLS_MAX)
        w->res->kills[w->res->n_kills] = worst;
    w->res->n_kills++;
    uint32_t mm = w->processes.at[chosen].mm;
    for (size_t i = 0; i < w->processes.n; i++)
        if (w->processes.at[i].alive && w->processes.at[i].mm == mm) {
            w->processes.at[i].alive = false;
            w->processes.at[i].killed = true;
        }
    LIST_ADD(&w->dead_spaces, mm);
    naive_vm_space_end(w, mm);
    return true;
}
