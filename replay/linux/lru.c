/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lists of folios, newest at the head; linux/mm/swap.c. */
#include "mglru.h"

/* Whoever is the oldest some day can say who comes up soon: lru_expect(). */
static void note_joined(struct linux_mm *lm, struct lru *lru, uint32_t c, enum lru_list list)
{
    uint32_t *at = &lru->joined[lru->n_joined++ % LRU_AHEAD];
    struct folio *before = &lm->folio[*at];
    if (before->list == list && !(before->flags & FOLIO_SHADOW))
        before->ahead = c;
    *at = c;
}

void lru_expect(struct linux_mm *lm, uint32_t c)
{
    struct lru *lru = &lm->lru[lm->folio[c].list];
    const struct contents *cs = &lm->vm->cs;
    uint32_t ahead = lm->folio[c].ahead, *soon = &lru->coming[lru->n_coming++ % LRU_SOON];
    if (ahead >= lm->folios_room)
        return;
    __builtin_prefetch(&lm->folio[ahead], 1);
    __builtin_prefetch(&cs->first_page[ahead]);
    __builtin_prefetch(&cs->kind[ahead]);
    if (lm->mglru)
        __builtin_prefetch(&lm->mglru->state[ahead], 1);
    uint32_t next = *soon, page = cs->first_page[next];
    *soon = ahead;
    if (page >= lm->pages_room)
        return;
    if (lm->expect_evicted)
        lm->expect_evicted(lm->arg, page, next);
    __builtin_prefetch(&lm->pte[page], 1);
    __builtin_prefetch(&lm->vm->next_mapper[page]);
}

void lru_add(struct linux_mm *lm, uint32_t c, enum lru_list list)
{
    struct lru *lru = &lm->lru[list];
    struct folio *f = &lm->folio[c];
    f->list = (uint8_t)list;
    f->newer = NO_CONTENTS;
    f->older = lru->newest;
    if (lru->newest != NO_CONTENTS)
        lm->folio[lru->newest].newer = c;
    else
        lru->oldest = c;
    lru->newest = c;
    lru->n += folio_pages(lm, c);
    lm->stat.size[list] += folio_pages(lm, c);
    note_joined(lm, lru, c, list);
}

void lru_add_oldest(struct linux_mm *lm, uint32_t c, enum lru_list list)
{
    struct lru *lru = &lm->lru[list];
    struct folio *f = &lm->folio[c];
    f->list = (uint8_t)list;
    f->older = NO_CONTENTS;
    f->newer = lru->oldest;
    if (lru->oldest != NO_CONTENTS)
        lm->folio[lru->oldest].older = c;
    else
        lru->newest = c;
    lru->oldest = c;
    lru->n += folio_pages(lm, c);
    lm->stat.size[list] += folio_pages(lm, c);
}

/* folio_add_lru: a full batch goes to its lists, in the order it came */
void lru_add_new(struct linux_mm *lm, uint32_t c, enum lru_list list)
{
    lm->batch[lm->n_batch] = c;
    lm->batch_list[lm->n_batch++] = (uint8_t)(lm->mglru && lm->in_fault ? list | 1 : list);
    lm->folio[c].list = LRU_BATCHED;
    if (lm->n_batch == LRU_BATCH || lm->folio[c].huge)
        lru_add_drain(lm);
}

void lru_add_drain(struct linux_mm *lm)
{
    for (uint32_t i = 0; i < lm->n_batch; i++)
        if (lm->mglru)
            mglru_add(lm, lm->batch[i], lm->batch_list[i] & 1);
        else
            lru_add(lm, lm->batch[i], (enum lru_list)lm->batch_list[i]);
    lm->n_batch = 0;
    if (lm->mglru)
        mglru_activate_drain(lm);
}

static void leave_batch(struct linux_mm *lm, uint32_t c)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < lm->n_batch; i++)
        if (lm->batch[i] != c) {
            lm->batch[kept] = lm->batch[i];
            lm->batch_list[kept++] = lm->batch_list[i];
        }
    lm->n_batch = kept;
}

/* __lru_cache_activate_folio */
static bool activate_in_batch(struct linux_mm *lm, uint32_t c)
{
    for (uint32_t i = 0; i < lm->n_batch; i++)
        if (lm->batch[i] == c && !(lm->batch_list[i] & 1)) {
            lm->batch_list[i] |= 1;
            lm->nonresident_age += folio_pages(lm, c); /* workingset_activation */
            return true;
        }
    return false;
}

void lru_remove(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (f->list == LRU_BATCHED)
        leave_batch(lm, c);
    if (f->list < LRU_UNEVICTABLE) {
        lru_unlink(lm, c);
        if (lm->mglru)
            mglru_left(lm, c);
    }
    f->list = LRU_NONE;
}

void lru_unlink(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    struct lru *lru = &lm->lru[f->list];
    if (f->newer != NO_CONTENTS)
        lm->folio[f->newer].older = f->older;
    else
        lru->newest = f->older;
    if (f->older != NO_CONTENTS)
        lm->folio[f->older].newer = f->newer;
    else
        lru->oldest = f->newer;
    lru->n -= folio_pages(lm, c);
    lm->stat.size[f->list] -= folio_pages(lm, c);
}

/* Shared anonymous memory lives on the anonymous lists: it goes to swap (folio_lru_list). */
enum lru_list lru_home(const struct linux_mm *lm, uint32_t c, bool active)
{
    return (folio_is_file_lru(lm, c) ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON) + (active ? 1 : 0);
}

/* A page that reclaim was waiting for has been written: it goes next. */
void folio_rotate_reclaimable(struct linux_mm *lm, uint32_t c)
{
    if (lm->folio[c].list >= LRU_UNEVICTABLE)
        return;
    lru_remove(lm, c);
    if (lm->mglru)
        mglru_add_oldest(lm, c);
    else
        lru_add_oldest(lm, c, lru_home(lm, c, false));
}

/* folio_activate */
void folio_activate(struct linux_mm *lm, uint32_t c)
{
    enum lru_list list = lm->folio[c].list;
    if (list != LRU_INACTIVE_ANON && list != LRU_INACTIVE_FILE)
        return;
    lru_remove(lm, c);
    lru_add(lm, c, list + 1);
    lm->nonresident_age += folio_pages(lm, c);
    lm->activated += folio_pages(lm, c);
}

void lru_add_inactive(struct linux_mm *lm, uint32_t c)
{
    if (lm->mglru)
        mglru_add(lm, c, false);
    else
        lru_add(lm, c, lru_home(lm, c, false));
}

/* folio_deactivate */
void folio_deactivate(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (lm->mglru ? !mglru_deactivates(lm, c)
                  : f->list != LRU_ACTIVE_ANON && f->list != LRU_ACTIVE_FILE)
        return;
    f->flags &= (uint16_t)~FOLIO_REFERENCED;
    lru_remove(lm, c);
    lru_add_inactive(lm, c);
    lm->deactivated++;
}

/* folio_mark_accessed */
void folio_mark_accessed(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (lm->mglru) {
        mglru_mark_accessed(lm, c);
    } else if (!(f->flags & FOLIO_REFERENCED)) {
        f->flags |= FOLIO_REFERENCED;
    } else if (f->list == LRU_INACTIVE_ANON || f->list == LRU_INACTIVE_FILE) {
        folio_activate(lm, c);
        f->flags &= (uint16_t)~FOLIO_REFERENCED;
    } else if (f->list == LRU_BATCHED && activate_in_batch(lm, c)) {
        f->flags &= (uint16_t)~FOLIO_REFERENCED;
    }
}
