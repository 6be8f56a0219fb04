/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model.md, section 2. */
#include <stdlib.h>
#include <string.h>

#include "naive_world.h"

bool naive_paging_swaps(const struct world *w, int contents)
{
    int object = w->contents.at[contents].object;
    return object == NONE || !w->objects.at[object].is_file || w->objects.at[object].memory_backed;
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static size_t clock_victim(struct world *w)
{
    while (w->frames[w->hand].bit) {
        w->frames[w->hand].bit = false;
        w->hand = (w->hand + 1) % w->n_frames;
    }
    size_t victim = w->hand;
    w->hand = (w->hand + 1) % w->n_frames;
    return victim;
}

static size_t victim(struct world *w)
{
    const char *policy = w->opts->policy;
    const struct frame *f = w->frames;
    size_t best = 0;
    if (strcmp(policy, "clock") == 0)
        return clock_victim(w);
    if (strcmp(policy, "random") == 0)
        return splitmix64(&w->random) % w->n_frames;
    for (size_t i = 1; i < w->n_frames; i++) {
        if (strcmp(policy, "fifo") == 0 && f[i].inserted_at < f[best].inserted_at)
            best = i;
        if (strcmp(policy, "lru") == 0 && f[i].used_at < f[best].used_at)
            best = i;
        if (strcmp(policy, "opt") == 0 && f[i].next_use > f[best].next_use)
            best = i;
    }
    return best;
}

static void free_frame(struct world *w, int contents)
{
    int frame = w->contents.at[contents].frame;
    w->contents.at[contents].frame = NONE;
    w->frames[frame].contents = NONE;
    w->in_use--;
}

static void evict(struct world *w, int contents)
{
    struct naive_result *res = w->res;
    struct contents *c = &w->contents.at[contents];
    res->evictions++;
    if (naive_paging_swaps(w, contents)) {
        if (!c->has_slot) {
            c->has_slot = true;
            w->slots_in_use++;
        }
        if (w->slots_in_use > res->swap_peak_pages)
            res->swap_peak_pages = w->slots_in_use;
        if (c->dirty)
            res->pages_out++;
    } else if (c->dirty) {
        res->file_pages_written++;
    }
    c->dirty = false;
    free_frame(w, contents);
    for (size_t i = 0; i < w->vpages.n; i++)
        if (w->vpages.at[i].contents == contents && w->vpages.at[i].touched)
            naive_tlb_page(w, w->vpages.at[i].mm, w->vpages.at[i].vpn, FL_PAGE_4K);
}

/* Returns a frame, or NONE when there is nobody left to want one. */
static int take_frame(struct world *w)
{
    for (;;) {
        if (w->never_used < w->n_frames)
            return (int)w->never_used++;
        if (w->freed.n > 0)
            return w->freed.at[--w->freed.n];
        size_t v = victim(w);
        int contents = w->frames[v].contents;
        if (!naive_paging_swaps(w, contents) || w->contents.at[contents].has_slot ||
            w->slots_in_use < w->opts->swap_pages) {
            evict(w, contents);
            return (int)v;
        }
        if (!naive_process_kill_one(w)) {
            w->res->stuck = true;
            return NONE;
        }
        if (w->running != NONE && w->processes.at[w->running].killed)
            return NONE;
    }
}

static void fault_in(struct world *w, int contents, enum fl_cause cause, int frame)
{
    struct naive_result *res = w->res;
    struct contents *c = &w->contents.at[contents];
    if (!c->had_frame) {
        res->minor++;
    } else if (naive_paging_swaps(w, contents)) {
        cause = FL_CAUSE_SWAP_IN;
        res->major++;
        res->pages_in++;
    } else {
        cause = FL_CAUSE_FILE_READ;
        res->major++;
        res->file_pages_read++;
    }
    res->faults[cause]++;
    c->had_frame = true;
    c->frame = frame;
    w->in_use++;
    if (w->in_use > res->resident_peak_pages)
        res->resident_peak_pages = w->in_use;
    w->frames[frame].contents = contents;
    w->frames[frame].inserted_at = ++w->clock;
}

bool naive_paging_reference(struct world *w, int contents, enum fl_cause cause, bool writes)
{
    if (w->contents.at[contents].frame == NONE) {
        int frame = take_frame(w);
        if (frame == NONE)
            return false;
        fault_in(w, contents, cause, frame);
    } else if (cause != FL_CAUSE_NONE) {
        w->res->faults[cause]++;
        w->res->minor++;
    }
    struct contents *c = &w->contents.at[contents];
    struct frame *f = &w->frames[c->frame];
    f->used_at = ++w->clock;
    f->bit = true;
    f->next_use = w->next_use;
    if (writes) {
        c->dirty = true;
        if (c->has_slot) {
            c->has_slot = false;
            w->slots_in_use--;
        }
    }
    return true;
}

void naive_paging_contents_end(struct world *w, int contents)
{
    struct contents *c = &w->contents.at[contents];
    c->exists = false;
    if (w->k) {
        naive_linux_contents_end(w, contents);
        return;
    }
    if (c->frame != NONE) {
        int frame = c->frame;
        free_frame(w, contents);
        LIST_ADD(&w->freed, frame);
    }
    if (c->has_slot) {
        c->has_slot = false;
        w->slots_in_use--;
    }
}
