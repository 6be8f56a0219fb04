/* SPDX-License-Identifier: GPL-2.0-or-later */
/** expect.h - references to come: what they will want to see, on its way to the processor. */
#ifndef REPLAY_LINUX_EXPECT_H
#define REPLAY_LINUX_EXPECT_H

#include "linux_mm.h"
#include "prefetch.h"

/**
 * linux_expect - @page is referred to LINUX_AHEAD references from now: what a fault on it will want
 * to see begins its way from memory to the processor. Changes nothing else. Returns what the page
 * holds, NO_CONTENTS if there is nothing to expect.
 * linux_expect_page - the same, for linux_expect() itself.
 */
#define LINUX_AHEAD 16u
static PREFETCHES void linux_expect_page(const struct linux_mm *lm, uint32_t page)
{
    vm_run_soon(lm->vm, page);
    __builtin_prefetch(&lm->pte[page], 1);
    __builtin_prefetch(&lm->vm->mm_of[page]);
}
static inline uint32_t linux_expect(struct linux_mm *lm, uint32_t page)
{
    if (lm->pte[page] & PTE_PRESENT)
        return NO_CONTENTS;
    uint32_t c = lm->vm->contents[page], *later = &lm->expected[lm->n_expected++ % LINUX_EXPECTED];
    if (c >= lm->folios_room)
        return c;
    __builtin_prefetch(&lm->folio[c], 1);
    __builtin_prefetch(&lm->vm->cs.mappers[c]);
    __builtin_prefetch(&lm->vm->cs.kind[c]);
    if (*later < lm->folios_room)
        swap_slot_expect(&lm->swap, lm->folio[*later].slot);
    *later = c;
    return c;
}

#endif
