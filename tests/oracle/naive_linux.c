/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model-linux.md: the order of things, and the clock (section 14). */
#include <stdlib.h>
#include <string.h>

#include "naive_linux_world.h"

#define FOLIOS_MAX (1 << 16)
#define OBJECTS_MAX (1 << 12)
#define FLUSH_PERIOD_PS UINT64_C(2000000000000)

bool naive_linux_dead(const struct world *w)
{
    if (w->res->stuck || (w->running != NONE && w->processes.at[w->running].killed))
        return true;
    for (size_t i = 0; i < w->dead_spaces.n; i++)
        if (w->dead_spaces.at[i] == w->k->running_mm)
            return true;
    return false;
}

void naive_linux_tick(struct world *w, enum fl_cost cost, uint64_t n)
{
    w->k->now_ps += w->k->opts->costs->ps[cost] * n;
}

void naive_linux_see_statistics(struct world *w)
{
    struct kernel *k = w->k;
    for (int l = 0; l < LISTS; l++)
        k->seen_size[l] = k->list[l].n;
    memcpy(k->seen_activations, k->activations, sizeof k->activations);
}

/* Section 14: at the first fault at or after its time. */
void naive_linux_flush_statistics(struct world *w)
{
    struct kernel *k = w->k;
    if (k->now_ps < k->next_flush_ps)
        return;
    naive_linux_see_statistics(w);
    k->out->stat_flushes++;
    while (k->next_flush_ps <= k->now_ps)
        k->next_flush_ps += FLUSH_PERIOD_PS;
}

static void one_run(struct world *w, const struct naive_item *run)
{
    uint64_t accesses = (uint64_t)run->reads + run->writes + run->fetches;
    if (run->actor != FL_ACTOR_USER)
        accesses = 0;
    w->running = naive_process_of_thread(w, run->thread);
    w->k->running_mm = run->mm;
    w->k->run = run;
    w->k->copying = w->k->copy_counted = false;
    if (!naive_linux_dead(w)) {
        enum fl_cause cause = FL_CAUSE_NONE;
        int c = naive_vm_reference(w, run, &cause);
        if (c != NONE) {
            w->res->references++;
            naive_linux_reference(w, c, cause);
        }
        if (naive_linux_dead(w))
            w->res->skipped_accesses += accesses;
        else
            naive_linux_tick(w, FL_COST_ACCESS, accesses); /* section 14: once it has run */
    } else {
        w->res->skipped_accesses += accesses;
    }
    w->accesses_before += accesses;
}

static void one_event(struct world *w, const struct fl_event *ev)
{
    w->k->copying = false;
    w->k->running_mm = FL_NO_MM;
    naive_process_event(w, ev);
    naive_vm_event(w, ev);
    w->running = naive_process_of_thread(w, ev->thread); /* who pays for what follows */
    if (ev->kind == FL_EV_THREAD_EXIT)
        for (size_t i = 0; i < w->threads.n; i++)
            if (w->threads.at[i].index == ev->thread)
                w->threads.at[i].exited = true;
    if (ev->kind == FL_EV_FILE || ev->kind == FL_EV_RESIDENT ||
        (ev->kind == FL_EV_FILE_IO && !naive_linux_dead(w)))
        naive_linux_file_event(w, ev);
    naive_linux_kernel_pages(w);
}

static void *zeroed(size_t n, size_t size)
{
    void *at = calloc(n, size);
    if (!at)
        abort();
    return at;
}

static void kernel_stop(struct world *w)
{
    struct kernel *k = w->k;
    for (int l = 0; l < LISTS; l++)
        free(k->list[l].at);
    for (size_t i = 0; i < OBJECTS_MAX; i++) {
        free(k->files[i].cached.at);
        free(k->files[i].gone.at);
    }
    free(k->batch.at);
    free(k->writes.at);
    free(k->held.at);
    naive_swap_stop(&k->swap);
    free(k->folios);
    free(k->files);
}

void naive_linux_replay(const struct naive_item *items, size_t n,
                        const struct naive_linux_opts *opts, struct naive_linux_result *out)
{
    struct naive_opts plain = { .frames = opts->limit,
                                .swap_pages = opts->swap_pages,
                                .policy = "linux",
                                .machine = opts->machine,
                                .no_tlb = true };
    memset(out, 0, sizeof *out);
    struct kernel k = { .opts = opts, .out = out };
    struct world w = { .k = &k, .opts = &plain, .res = &out->r, .running = NONE };
    k.folios = zeroed(FOLIOS_MAX, sizeof *k.folios);
    k.files = zeroed(OBJECTS_MAX, sizeof *k.files);
    for (size_t i = 0; i < FOLIOS_MAX; i++)
        k.folios[i].place = NOWHERE;
    k.random = (opts->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    k.next_flush_ps = opts->kernel.first_flush_ms * UINT64_C(1000000000);
    naive_tlb_init(&w);
    naive_linux_swap_start(&w);
    for (size_t i = 0; i < n && !out->r.stuck; i++) {
        if (items[i].is_run)
            one_run(&w, &items[i]);
        else
            one_event(&w, &items[i].event);
        if (w.contents.n > FOLIOS_MAX / 2 || w.objects.n > OBJECTS_MAX / 2)
            abort();
    }
    kernel_stop(&w);
    naive_world_free(&w);
}
