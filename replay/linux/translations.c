/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "translations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"

int translations_init(struct translations *t, const struct fl_tlb_kept *tlb, uint64_t seed,
                      struct fl_err *err)
{
    *t = (struct translations){ .tlb = *tlb };
    if (!tlb->entries)
        return FL_OK;
    t->lives = malloc(TRANSLATION_LIVES * sizeof *t->lives);
    if (!t->lives)
        return fl_nomem(err, "the TLB's lives");
    for (uint32_t i = 0; i < TRANSLATION_LIVES; i++)
        t->lives[i] = (uint32_t)lround(-log((i + 0.5) / TRANSLATION_LIVES) * tlb->entries);
    t->random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    return FL_OK;
}

void translations_fini(struct translations *t)
{
    free(t->until);
    free(t->lives);
    *t = (struct translations){ .until = NULL };
}

int translations_room(struct translations *t, uint32_t n_pages, struct fl_err *err)
{
    if (!t->tlb.entries || n_pages <= t->room)
        return FL_OK;
    if (!grow(&t->until, n_pages))
        return fl_nomem(err, "translations");
    memset(t->until + t->room, 0, (n_pages - t->room) * sizeof *t->until);
    t->room = n_pages;
    return FL_OK;
}
