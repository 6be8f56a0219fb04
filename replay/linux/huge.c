/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of 2 MiB: linux/mm/huge_memory.c. */
#include <stdlib.h>

#include "grow.h"
#include "linux_mm.h"

/* ---- by space and number ------------------------------------------------------------------- */

static uint32_t *bucket_of(const struct thp *thp, uint32_t mm, uint64_t number)
{
    uint64_t h = (number + mm * UINT64_C(0xbf58476d1ce4e5b9)) * UINT64_C(0x9e3779b97f4a7c15);
    return &thp->bucket[(uint32_t)(h >> 32) & (thp->pmds_room - 1)];
}

uint32_t pmd_find(const struct linux_mm *lm, uint32_t mm, uint64_t vpn)
{
    const struct thp *thp = &lm->thp;
    uint64_t number = vpn >> HUGE_SHIFT;
    if (!thp->pmds_used)
        return NO_PMD;
    uint32_t p = *bucket_of(thp, mm, number);
    while (p != NO_PMD && (thp->pmd[p].mm != mm || thp->pmd[p].number != number))
        p = thp->pmd[p].chain;
    return p;
}

static void chain(struct thp *thp, uint32_t p)
{
    uint32_t *bucket = bucket_of(thp, thp->pmd[p].mm, thp->pmd[p].number);
    thp->pmd[p].chain = *bucket;
    *bucket = p;
}

static void unchain(struct thp *thp, uint32_t p)
{
    uint32_t *link = bucket_of(thp, thp->pmd[p].mm, thp->pmd[p].number);
    while (*link != p)
        link = &thp->pmd[*link].chain;
    *link = thp->pmd[p].chain;
}

static bool more_pmds(struct thp *thp)
{
    uint32_t room = thp->pmds_room ? thp->pmds_room * 2 : 64; /* a power of two */
    uint32_t *bucket = malloc(room * sizeof *bucket);
    if (!room || !bucket || !grow(&thp->pmd, room)) {
        free(bucket);
        return false;
    }
    free(thp->bucket);
    thp->bucket = bucket;
    thp->pmds_room = room;
    for (uint32_t i = 0; i < room; i++)
        bucket[i] = NO_PMD;
    for (uint32_t p = 0; p < thp->n_pmds; p++)
        if (thp->pmd[p].mm != NO_PMD)
            chain(thp, p);
    return true;
}

uint32_t pmd_new(struct linux_mm *lm, uint32_t mm, uint64_t number, uint32_t huge)
{
    struct thp *thp = &lm->thp;
    uint32_t p = thp->free_pmd;
    lm->made_pages = true;
    if (thp->pmds_used == thp->n_pmds) { /* none is free */
        if (thp->n_pmds == thp->pmds_room && !more_pmds(thp)) {
            lm->failed_memory = true;
            return NO_PMD;
        }
        p = thp->n_pmds++;
    } else {
        thp->free_pmd = thp->pmd[p].chain;
    }
    thp->pmds_used++;
    thp->pmd[p] = (struct pmd){ .number = number, .mm = mm, .huge = huge };
    chain(thp, p);
    if (huge != HUGE_ZERO) {
        thp->pmd[p].sibling = thp->huge[huge].first_pmd;
        thp->huge[huge].first_pmd = p;
    }
    return p;
}

void pmd_free(struct linux_mm *lm, uint32_t p)
{
    struct thp *thp = &lm->thp;
    unchain(thp, p);
    if (thp->pmd[p].huge != HUGE_ZERO) {
        uint32_t *link = &thp->huge[thp->pmd[p].huge].first_pmd;
        while (*link != p)
            link = &thp->pmd[*link].sibling;
        *link = thp->pmd[p].sibling;
    }
    thp->pmd[p].mm = NO_PMD;
    thp->pmd[p].chain = thp->free_pmd;
    thp->free_pmd = p;
    thp->pmds_used--;
}

void thp_fini(struct linux_mm *lm)
{
    free(lm->thp.pmd);
    free(lm->thp.bucket);
    free(lm->thp.huge);
    free(lm->thp.free_huge);
}

/* ---- split ---------------------------------------------------------------------------------- */

/* One flush for all of it, if anybody has looked at it. */
static void flush(struct linux_mm *lm, const struct pmd *pmd)
{
    for (uint32_t i = 0; lm->unmapped && i < HUGE_PAGES; i++) {
        const struct leaf *leaf =
            pgtable_peek(&lm->vm->mms[pmd->mm].tables, (pmd->number << HUGE_SHIFT) + i);
        if (leaf && leaf->id && !(leaf->id & LEAF_INHERITED)) {
            lm->unmapped(lm->arg, leaf->id - 1);
            return;
        }
    }
}

/* The zero page in a leaf of its own, where nothing has been read yet. */
static bool zero_leaf(struct linux_mm *lm, struct leaf *leaf)
{
    uint32_t c = contents_new(&lm->vm->cs, CONTENTS_ANON);
    if (c == NO_CONTENTS || linux_room(lm, 0, c + 1, NULL) != FL_OK)
        return false;
    contents_mapper_added(&lm->vm->cs, c);
    *leaf = (struct leaf){ .id = c | LEAF_INHERITED,
                           .hw = entry_hw(lm, c, PTE_PRESENT | PTE_ZERO_PAGE) };
    return true;
}

static void split_leaf(struct linux_mm *lm, struct leaf *leaf, bool young)
{
    if (!(leaf->id & LEAF_INHERITED)) {
        uint8_t *pte = &lm->pte[leaf->id - 1];
        *pte = (uint8_t)((*pte & ~(PTE_HUGE | PTE_YOUNG)) | (young ? PTE_YOUNG : 0));
        return;
    }
    struct folio *f = &lm->folio[leaf->id & ~LEAF_INHERITED];
    leaf->hw &= ~(uint32_t)(PTE_HUGE | PTE_YOUNG);
    if (!young || leaf->hw & PTE_ZERO_PAGE)
        return;
    leaf->hw |= PTE_YOUNG;
    if (f->inherited_young < UINT8_MAX)
        f->inherited_young++;
}

void pmd_split(struct linux_mm *lm, uint32_t p)
{
    const struct pmd pmd = lm->thp.pmd[p];
    struct pgtable *tables = &lm->vm->mms[pmd.mm].tables;
    flush(lm, &pmd);
    for (uint32_t i = 0; i < HUGE_PAGES; i++) {
        struct leaf *leaf = pgtable_slot(tables, (pmd.number << HUGE_SHIFT) + i);
        if (!leaf || (!leaf->id && !zero_leaf(lm, leaf))) {
            lm->failed_memory = true;
            break;
        }
        split_leaf(lm, leaf, pmd.young);
    }
    pmd_free(lm, p);
}

void huge_split_at(struct linux_mm *lm, uint32_t page)
{
    struct fl_page at = vm_page(lm->vm, page);
    uint32_t p = pmd_find(lm, at.mm, at.vpn);
    if (p != NO_PMD)
        pmd_split(lm, p);
}

void pmd_accessed(struct linux_mm *lm, uint32_t page)
{
    struct fl_page at = vm_page(lm->vm, page);
    uint32_t p = pmd_find(lm, at.mm, at.vpn);
    if (p != NO_PMD)
        lm->thp.pmd[p].young = true;
}

/* ---- what happens to their mapping ----------------------------------------------------------- */

/* A mapping ends or begins at @vpn from now on (vma_adjust_trans_huge). */
void huge_cut(void *arg, uint32_t mm, uint64_t vpn)
{
    struct linux_mm *lm = arg;
    uint32_t p = vpn & (HUGE_PAGES - 1) ? pmd_find(lm, mm, vpn) : NO_PMD;
    if (p != NO_PMD)
        pmd_split(lm, p);
}

typedef void pmd_fn(struct linux_mm *lm, uint32_t pmd, const void *arg);

/* All that lie in [from, to): by number, or if there are fewer, all there are. */
static void each_pmd(struct linux_mm *lm, uint32_t mm, uint64_t from, uint64_t to, pmd_fn *fn,
                     const void *arg)
{
    const struct thp *thp = &lm->thp;
    uint64_t first = (from + HUGE_PAGES - 1) >> HUGE_SHIFT, end = to >> HUGE_SHIFT;
    if (end > first && end - first <= thp->pmds_used) {
        for (uint64_t number = first; number < end; number++) {
            uint32_t p = pmd_find(lm, mm, number << HUGE_SHIFT);
            if (p != NO_PMD)
                fn(lm, p, arg);
        }
        return;
    }
    for (uint32_t p = 0; end > first && p < thp->n_pmds && thp->pmds_used; p++)
        if (thp->pmd[p].mm == mm && thp->pmd[p].number >= first && thp->pmd[p].number < end)
            fn(lm, p, arg);
}

static void clear_one(struct linux_mm *lm, uint32_t p, const void *arg)
{
    (void)arg;
    pmd_free(lm, p);
}

void huge_cleared(void *arg, uint32_t mm, uint64_t from, uint64_t to)
{
    each_pmd(arg, mm, from, to, clear_one, NULL);
}

/* move_huge_pmd, if both places are aligned */
static void move_one(struct linux_mm *lm, uint32_t p, const void *arg)
{
    uint64_t distance = *(const uint64_t *)arg; /* modulo 2^64 */
    if (distance & (HUGE_PAGES - 1)) {
        pmd_split(lm, p);
        return;
    }
    unchain(&lm->thp, p);
    lm->thp.pmd[p].number = (lm->thp.pmd[p].number + (distance >> HUGE_SHIFT)) &
                            UINT64_MAX >> HUGE_SHIFT;
    chain(&lm->thp, p);
}

void huge_moved(void *arg, uint32_t mm, uint64_t from, uint64_t n, uint64_t to)
{
    uint64_t distance = to - from;
    each_pmd(arg, mm, from, from + n, move_one, &distance);
}

/* copy_huge_pmd: the child's is not accessed yet; that both are read-only is in the leaves */
void huge_forked(void *arg, uint32_t parent, uint32_t child)
{
    struct linux_mm *lm = arg;
    for (uint32_t p = 0, n = lm->thp.n_pmds; p < n && lm->thp.pmds_used; p++) {
        struct pmd pmd = lm->thp.pmd[p];
        if (pmd.mm == parent && pmd_new(lm, child, pmd.number, pmd.huge) == NO_PMD)
            return;
    }
}
