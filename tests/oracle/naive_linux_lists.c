/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model-linux.md, sections 5 and 10. The old end of a list is its element 0. */
#include <string.h>

#include "naive_linux_world.h"

#define BATCH_FOLIOS 31

bool naive_linux_is_anon(const struct world *w, int c)
{
    return naive_paging_swaps(w, c);
}

/* ---- section 5 ------------------------------------------------------------------- */

void naive_linux_to_list(struct world *w, int c, int list, bool old_end)
{
    LIST_ADD(&w->k->list[list], c);
    int *at = w->k->list[list].at;
    size_t n = w->k->list[list].n;
    if (old_end) {
        memmove(at + 1, at, (n - 1) * sizeof *at);
        at[0] = c;
    }
    FOLIO(w, c)->place = list;
}

void naive_linux_off_lists(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    for (size_t i = 0; f->place == BATCH && i < w->k->batch.n; i++)
        if (w->k->batch.at[i] == c) {
            LIST_DROP(&w->k->batch, i);
            f->place = NOWHERE;
        }
    for (size_t i = 0; f->place < LISTS && i < w->k->list[f->place].n; i++)
        if (w->k->list[f->place].at[i] == c) {
            LIST_DROP(&w->k->list[f->place], i);
            f->place = NOWHERE;
        }
}

void naive_linux_drain(struct world *w)
{
    for (size_t i = 0; i < w->k->batch.n; i++)
        naive_linux_to_list(w, w->k->batch.at[i], FOLIO(w, w->k->batch.at[i])->meant, false);
    w->k->batch.n = 0;
}

static void note_residents(struct world *w)
{
    uint64_t n = 0;
    for (size_t c = 0; c < w->contents.n; c++)
        n += FOLIO(w, c)->resident && FOLIO(w, c)->charged;
    if (n > w->res->resident_peak_pages)
        w->res->resident_peak_pages = n;
}

/* Resident, charged (the caller has), without marks, into the batch. */
void naive_linux_new_folio(struct world *w, int c, bool active)
{
    struct folio *f = FOLIO(w, c);
    f->met = f->resident = f->charged = true;
    f->by_write = f->referenced = f->dirty = f->writeback = f->mark = false;
    f->place = BATCH;
    f->meant = (naive_linux_is_anon(w, c) ? IA : IF) + active;
    LIST_ADD(&w->k->batch, c);
    if (w->k->batch.n == BATCH_FOLIOS)
        naive_linux_drain(w);
    note_residents(w);
}

/* It leaves memory, for whatever reason; what is left of it is the caller's matter. */
void naive_linux_free_folio(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    if (!f->resident)
        return;
    naive_linux_off_lists(w, c);
    f->place = NOWHERE;
    for (size_t i = 0; i < w->k->writes.n; i++)
        if (w->k->writes.at[i].c == c)
            w->k->writes.at[i].c = -1;
    if (f->charged)
        naive_linux_uncharge(w);
    f->resident = f->charged = f->by_write = false;
    f->referenced = f->workingset = f->dirty = f->writeback = f->mark = false;
}

void naive_linux_dirty(struct world *w, int c)
{
    FOLIO(w, c)->dirty = true;
    FOLIO(w, c)->mark = false;
}

void naive_linux_mark_accessed(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    if (!f->referenced) {
        f->referenced = true;
    } else if (f->place == IA || f->place == IF) {
        int list = f->place + 1;
        naive_linux_off_lists(w, c);
        naive_linux_to_list(w, c, list, false);
        f->referenced = false;
        w->k->age++;
        w->k->out->activated++;
    } else if (f->place == BATCH && (f->meant == IA || f->meant == IF)) {
        f->meant++;
        f->referenced = false;
        w->k->age++; /* section 10: each activation by mark accessed */
    }
}

/* ---- section 8, cost ----------------------------------------------------------------- */

void naive_linux_add_cost(struct world *w, int type, uint64_t cost)
{
    struct kernel *k = w->k;
    if (!cost)
        return;
    k->cost[type] += cost;
    uint64_t seen = 0;
    for (int l = 0; l < LISTS; l++)
        seen += k->seen_size[l];
    if (k->cost[ANON] + k->cost[FILES] > seen / 4) {
        k->cost[ANON] /= 2;
        k->cost[FILES] /= 2;
    }
}

/* ---- section 10 -------------------------------------------------------------------------- */

bool naive_linux_refault(struct world *w, int c)
{
    struct kernel *k = w->k;
    struct folio *f = FOLIO(w, c);
    f->workingset = false;
    if (!f->shadow)
        return false;
    f->shadow = false;
    k->out->refaults++;
    bool swap = naive_linux_swap_available(w), anon = naive_linux_is_anon(w, c);
    uint64_t distance = (k->age - f->shadow_age) & UINT32_MAX, size;
    if (anon)
        size = k->seen_size[AF] + k->seen_size[IF] + (swap ? k->seen_size[AA] : 0);
    else
        size = k->seen_size[AF] + (swap ? k->seen_size[AA] + k->seen_size[IA] : 0);
    if (distance > size)
        return false;
    k->age++;
    k->activations[anon ? ANON : FILES]++;
    if (f->shadow_workingset) {
        f->workingset = true;
        naive_linux_add_cost(w, anon ? ANON : FILES, 32);
    }
    return true;
}
