/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folios of 512 pages: linux/mm/huge_memory.c, rmap.c. */
#include "grow.h"
#include "linux_mm.h"

/* FOLIO_ marks that are the whole folio's, kept by its head */
#define SHARED_MARKS (FOLIO_REFERENCED | FOLIO_WORKINGSET | FOLIO_DIRTY)

uint32_t huge_new(struct linux_mm *lm)
{
    struct thp *thp = &lm->thp;
    uint32_t h = thp->n_huge;
    if (thp->n_free_huge) {
        h = thp->free_huge[--thp->n_free_huge];
    } else {
        if (thp->n_huge == thp->huge_room) {
            uint32_t room = thp->huge_room ? thp->huge_room * 2 : 16;
            if (!grow(&thp->huge, room) || !grow(&thp->free_huge, room)) {
                lm->failed_memory = true;
                return HUGE_ZERO;
            }
            thp->huge_room = room;
        }
        thp->n_huge++;
    }
    thp->huge[h] = (struct huge){ .first_pmd = NO_PMD };
    for (uint32_t i = 0; i < HUGE_PAGES; i++)
        thp->huge[h].contents[i] = NO_CONTENTS;
    return h;
}

static void huge_free(struct linux_mm *lm, uint32_t h)
{
    lm->thp.huge[h].n_live = 0;
    lm->thp.free_huge[lm->thp.n_free_huge++] = h;
}

void huge_join(struct linux_mm *lm, uint32_t h, uint32_t place, uint32_t c)
{
    struct huge *huge = &lm->thp.huge[h];
    struct folio *f = &lm->folio[c];
    huge->contents[place] = c;
    huge->n_live++;
    f->huge = (h + 1) & INT32_MAX;
    f->list = place == huge->head ? LRU_NONE : LRU_TAIL;
}

/* ---- split ---------------------------------------------------------------------------------- */

/* On @head's list, just newer than it (lru_add_split_folio). */
static void join_list(struct linux_mm *lm, uint32_t c, uint32_t head)
{
    struct folio *f = &lm->folio[c], *h = &lm->folio[head];
    f->list = h->list;
    if (h->list >= LRU_UNEVICTABLE)
        return;
    f->newer = h->newer;
    f->older = head;
    if (h->newer != NO_CONTENTS)
        lm->folio[h->newer].older = c;
    else
        lm->lru[h->list].newest = c;
    h->newer = c;
}

/* Pages that nobody maps: given back with the folio. */
static void give_unmapped(struct linux_mm *lm, uint32_t n)
{
    give_pages(lm, n);
    lm->thp.unmapped_pages -= n;
}

/* The zero page in place of those of the folio that are mapped in that range and only zeros. */
static void map_zeros(struct linux_mm *lm, uint32_t h, uint32_t mm, uint64_t number)
{
    for (uint32_t i = 0; lm->vm->mms[mm].users && i < HUGE_PAGES; i++) {
        struct leaf *leaf = pgtable_peek(&lm->vm->mms[mm].tables, (number << HUGE_SHIFT) + i);
        uint32_t c = leaf && leaf->id ? leaf_contents(lm->vm, leaf) : NO_CONTENTS;
        if (c >= lm->folios_room || lm->folio[c].huge != h + 1 || !lm->folio[c].zero ||
            lm->vm->cs.mappers[c] != 1 || lm->folio[c].flags & FOLIO_LOCKED ||
            (leaf_bits(lm, leaf) & (PTE_PRESENT | PTE_ZERO_PAGE)) != PTE_PRESENT)
            continue;
        lm->folio[c].mapped--;
        if (leaf->id & LEAF_INHERITED)
            leaf->hw = entry_hw(lm, c, PTE_PRESENT | PTE_ZERO_PAGE);
        else
            lm->pte[leaf->id - 1] = PTE_PRESENT | PTE_ZERO_PAGE;
    }
}

static void split_entries(struct linux_mm *lm, uint32_t h)
{
    while (lm->thp.huge[h].first_pmd != NO_PMD) {
        struct pmd pmd = lm->thp.pmd[lm->thp.huge[h].first_pmd];
        pmd_split(lm, lm->thp.huge[h].first_pmd);
        map_zeros(lm, h, pmd.mm, pmd.number);
    }
    map_zeros(lm, h, lm->thp.huge[h].mm, lm->thp.huge[h].number);
}

/* @c, not the head, by itself; reclaim frees it if nobody maps it any more. false: it is freed. */
static bool part_stays(struct linux_mm *lm, uint32_t c, uint32_t head, bool join)
{
    struct folio *f = &lm->folio[c];
    f->huge = 0;
    f->flags = (uint16_t)((f->flags & ~SHARED_MARKS) | (lm->folio[head].flags & SHARED_MARKS));
    f->list = LRU_NONE;
    if (!f->mapped)
        f->inherited_young = 0;
    if (join && f->mapped)
        join_list(lm, c, head);
    else if (join)
        folio_free(lm, c);
    return f->mapped || !join;
}

uint32_t huge_split(struct linux_mm *lm, uint32_t h, uint32_t rest[HUGE_PAGES])
{
    split_entries(lm, h);
    const struct huge *huge = &lm->thp.huge[h];
    uint32_t head = huge->contents[huge->head], gone = HUGE_PAGES - huge->n_live, left = 1, n = 0;
    lm->folio[head].huge = 0;
    for (uint32_t i = 0; i < HUGE_PAGES; i++)
        if (huge->contents[i] != NO_CONTENTS && i != huge->head)
            left += part_stays(lm, huge->contents[i], head, !rest);
    for (uint32_t i = HUGE_PAGES; rest && i-- > 0;)
        if (huge->contents[i] != NO_CONTENTS && i != huge->head)
            rest[n++] = huge->contents[i];
    if (lm->folio[head].list < LRU_UNEVICTABLE) {
        lm->lru[lm->folio[head].list].n -= HUGE_PAGES - left;
        lm->stat.size[lm->folio[head].list] -= HUGE_PAGES - left;
    }
    give_unmapped(lm, gone);
    if (!rest && !lm->folio[head].mapped)
        folio_free(lm, head);
    huge_free(lm, h);
    lm->thp.splits++;
    return n;
}

/* ---- parts that go --------------------------------------------------------------------------- */

static uint32_t place_of(const struct huge *huge, uint32_t c)
{
    uint32_t i = huge->next_gone;
    while (huge->contents[i] != c)
        i = (i + 1) % HUGE_PAGES;
    return i;
}

/* Another part takes the head's place on the list. */
static void new_head(struct linux_mm *lm, struct huge *huge)
{
    uint32_t old = huge->contents[huge->head], i = 0;
    while (huge->contents[i] == NO_CONTENTS || i == huge->head)
        i++;
    uint32_t c = huge->contents[i];
    struct folio *f = &lm->folio[c], *from = &lm->folio[old];
    huge->head = i;
    f->flags = (uint16_t)((f->flags & ~SHARED_MARKS) | (from->flags & SHARED_MARKS));
    f->list = from->list;
    f->newer = from->newer;
    f->older = from->older;
    from->list = LRU_TAIL;
    if (f->list >= LRU_UNEVICTABLE)
        return;
    struct lru *lru = &lm->lru[f->list];
    if (f->newer != NO_CONTENTS)
        lm->folio[f->newer].older = c;
    else
        lru->newest = c;
    if (f->older != NO_CONTENTS)
        lm->folio[f->older].newer = c;
    else
        lru->oldest = c;
}

void huge_part_gone(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    uint32_t h = f->huge - 1u;
    struct huge *huge = &lm->thp.huge[h];
    uint32_t place = place_of(huge, c);

    huge->next_gone = (place + 1) % HUGE_PAGES;
    if (huge->n_live == 1) { /* the last: all goes, in one block */
        lru_remove(lm, c);
        f->huge = 0;
        f->flags &= (uint16_t)~FOLIO_CHARGED;
        folio_page_stays(lm, c);
        lm->thp.unmapped_pages++;
        lm->resident--;
        give_unmapped(lm, HUGE_PAGES);
        folio_free(lm, c);
        huge_free(lm, h);
        return;
    }
    if (place == huge->head)
        new_head(lm, huge);
    huge->contents[place] = NO_CONTENTS;
    huge->n_live--;
    f->huge = 0;
    f->list = LRU_NONE;
    f->flags = 0;
    folio_page_stays(lm, c);
    lm->thp.unmapped_pages++;
    lm->resident--;
}

/* ---- references ------------------------------------------------------------------------------ */

/* folio_referenced_one of a huge folio: entries of 2 MiB, and of 4 KiB where those were split. */
uint32_t huge_referenced(struct linux_mm *lm, uint32_t h)
{
    const struct huge *huge = &lm->thp.huge[h];
    uint32_t n = 0;
    for (uint32_t i = 0; i < HUGE_PAGES; i++) {
        uint32_t c = huge->contents[i];
        if (c == NO_CONTENTS)
            continue;
        n += lm->folio[c].inherited_young;
        lm->folio[c].inherited_young = 0;
        for (uint32_t page = lm->vm->cs.first_page[c]; page != NO_PAGE;
             page = lm->vm->next_mapper[page]) {
            n += (lm->pte[page] & (PTE_YOUNG | PTE_HUGE)) == PTE_YOUNG;
            lm->pte[page] &= (uint8_t)~PTE_YOUNG;
        }
    }
    for (uint32_t p = huge->first_pmd; p != NO_PMD; p = lm->thp.pmd[p].sibling) {
        n += lm->thp.pmd[p].young;
        lm->thp.pmd[p].young = false;
    }
    return n;
}
