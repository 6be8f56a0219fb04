/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "naive_world.h"

void *naive_grow(void *at, size_t n, size_t size)
{
    if (n & (n - 1)) /* there is room up to the next power of two */
        return at;
    at = realloc(at, (n ? 2 * n : 1) * size);
    if (!at)
        abort();
    return at;
}

void naive_drop(void *at, size_t *n, size_t i, size_t size)
{
    char *bytes = at;
    memmove(bytes + i * size, bytes + (i + 1) * size, (*n - i - 1) * size);
    --*n;
}

void naive_world_free(struct world *w)
{
    free(w->processes.at);
    free(w->threads.at);
    free(w->spaces.at);
    free(w->dead_spaces.at);
    free(w->mappings.at);
    free(w->objects.at);
    free(w->files.at);
    free(w->contents.at);
    free(w->vpages.at);
    free(w->tables.at);
    free(w->frames);
    free(w->freed.at);
    naive_tlb_free(w);
}

static bool is_dead(const struct world *w, const struct naive_item *run)
{
    if (w->running != NONE && w->processes.at[w->running].killed)
        return true;
    for (size_t i = 0; i < w->dead_spaces.n; i++)
        if (w->dead_spaces.at[i] == run->mm)
            return true;
    return false;
}

/* Returns the contents referred to, NONE if the run did not pass stage 1 or was skipped. */
static int one_run(struct world *w, const struct naive_item *run)
{
    uint64_t accesses = (uint64_t)run->reads + run->writes + run->fetches;
    if (run->actor != FL_ACTOR_USER)
        accesses = 0;
    w->running = naive_process_of_thread(w, run->thread);
    if (is_dead(w, run)) {
        w->res->skipped_accesses += accesses;
        w->accesses_before += accesses;
        return NONE;
    }
    naive_tlb_enter(w, run->mm);
    enum fl_cause cause = FL_CAUSE_NONE;
    int c = naive_vm_reference(w, run, &cause);
    if (c != NONE) {
        w->res->references++;
        naive_vm_note_sharing(w);
        if (!naive_paging_reference(w, c, cause, run->writes > 0)) {
            w->res->skipped_accesses += accesses;
            c = NONE;
        } else if (run->actor == FL_ACTOR_USER && !w->opts->no_tlb) {
            naive_tlb_run(w, run, FL_PAGE_4K);
        }
    }
    w->accesses_before += accesses;
    return c;
}

/* @refs: contents of each item, NONE; written when @future is NULL, read otherwise. */
static void pass(const struct naive_item *items, size_t n, const struct naive_opts *opts, int *refs,
                 bool refs_are_future, struct naive_result *out)
{
    struct world w = { .opts = opts, .res = out, .random = opts->seed, .running = NONE };
    memset(out, 0, sizeof *out);
    bool unlimited = opts->frames == FL_FRAMES_UNLIMITED;
    w.n_frames = unlimited ? n + 1 : opts->frames;
    w.frames = calloc(w.n_frames, sizeof *w.frames);
    if (!w.frames)
        abort();
    for (size_t i = 0; i < w.n_frames; i++)
        w.frames[i].contents = NONE;
    naive_tlb_init(&w);

    for (size_t i = 0; i < n && !out->stuck; i++) {
        if (!items[i].is_run) {
            naive_process_event(&w, &items[i].event);
            naive_vm_event(&w, &items[i].event);
            naive_vm_note_sharing(&w);
            if (!refs_are_future)
                refs[i] = NONE;
            continue;
        }
        w.next_use = FL_NEVER_USED - i;
        if (refs_are_future && refs[i] != NONE)
            for (size_t j = n; j-- > i + 1;)
                if (refs[j] == refs[i])
                    w.next_use = j;
        int c = one_run(&w, &items[i]);
        if (!refs_are_future)
            refs[i] = c;
    }
    naive_world_free(&w);
}

void naive_replay(const struct naive_item *items, size_t n, const struct naive_opts *opts,
                  struct naive_result *out)
{
    int *refs = calloc(n + 1, sizeof *refs);
    if (!refs)
        abort();
    /* The future, and the peak, are those of a replay that lacks nothing. */
    struct naive_opts plenty = *opts;
    plenty.frames = FL_FRAMES_UNLIMITED;
    plenty.swap_pages = UINT64_MAX;
    plenty.no_tlb = true;
    struct naive_result unlimited;
    pass(items, n, &plenty, refs, false, &unlimited);
    pass(items, n, opts, refs, true, out);
    out->unlimited_peak_pages = unlimited.resident_peak_pages;
    free(refs);
}
