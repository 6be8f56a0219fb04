/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * translations.h - which pages' translations the processor still has, as far as accessed bits go.
 *
 * x86 sets the accessed bit when it walks the page table. Reclaim clears the bit and leaves the TLB
 * alone (ptep_clear_flush_young), so what is used from there on by a translation that is still
 * cached leaves no mark. A TLB of so many entries is filled by the program's walks and by the
 * kernel's own work in each fault and for each page put out (fl_costs.tlb); each filling displaces any entry
 * with the same chance, so that the fillings a translation outlives are exponentially distributed.
 * They are drawn when it is filled: docs/model-linux.md, section 22.
 */
#ifndef REPLAY_LINUX_TRANSLATIONS_H
#define REPLAY_LINUX_TRANSLATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/costs.h>
#include <faultline/err.h>

#define TRANSLATION_LIVES 4096u

struct translations {
    struct fl_tlb_kept tlb; /* entries 0: none is kept, every access walks */
    uint64_t filled;        /* entries so far */
    uint64_t *until;        /* by page: gone once so many have been filled; 0: is not there */
    uint32_t room;
    uint32_t *lives; /* the quantiles of the fillings that a translation outlives */
    uint64_t random;
};

/** translations_init - @tlb's, empty; equal seeds draw equally. FL_ENOMEM. */
int translations_init(struct translations *t, const struct fl_tlb_kept *tlb, uint64_t seed,
                      struct fl_err *err);
void translations_fini(struct translations *t);

/** translations_room - for pages below @n_pages. FL_ENOMEM. Nothing where none is kept. */
int translations_room(struct translations *t, uint32_t n_pages, struct fl_err *err);

static inline bool translations_kept(const struct translations *t)
{
    return t->tlb.entries;
}

/** translation_there - an access to @page does not walk. pre: translations_kept(). */
static inline bool translation_there(const struct translations *t, uint32_t page)
{
    return t->until[page] > t->filled;
}

/** translation_filled - a walk for @page. pre: translations_kept(). */
static inline void translation_filled(struct translations *t, uint32_t page)
{
    t->random ^= t->random << 13, t->random ^= t->random >> 7;
    t->random ^= t->random << 17; /* Marsaglia's xorshift64, 2003 */
    t->filled++;
    t->until[page] = t->filled + t->lives[t->random % TRANSLATION_LIVES];
}

/** translation_flushed - @page's entry of the page table was changed and its translation dropped. */
static inline void translation_flushed(struct translations *t, uint32_t page)
{
    if (page < t->room)
        t->until[page] = 0;
}

/** translations_flush - none is there any more. */
static inline void translations_flush(struct translations *t)
{
    if (translations_kept(t))
        t->filled += t->lives[0] + 1; /* the longest */
}

#endif
