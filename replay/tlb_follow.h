/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * tlb_follow.h - what the virtual memory stage does to mappings, as flushes of a TLB: Linux
 * gathers what an operation takes back and flushes it at its end (docs/model.md, section 4).
 */
#ifndef REPLAY_TLB_FOLLOW_H
#define REPLAY_TLB_FOLLOW_H

#include "tlb.h"
#include "vm.h"

struct tlb_follow {
    struct tlb *tlb;
    const struct fl_event *event; /* under way; NULL: a run is */
    bool killing;                 /* a whole space goes, in the middle of a run */
    bool at_new_place;            /* of a remap: the page dropped last */
};

/** tlb_follow_dropped - the translation of @page, mapped as @size, is no longer valid. */
void tlb_follow_dropped(struct tlb_follow *f, uint32_t page, enum fl_page_size size);

/** tlb_follow_mm_gone - space @mm has ended. */
void tlb_follow_mm_gone(struct tlb_follow *f, uint32_t mm);

/** tlb_follow_begin, tlb_follow_end - around vm_event(). @spaces: vm.n_spaces before it. */
void tlb_follow_begin(struct tlb_follow *f, const struct fl_event *ev);
void tlb_follow_end(struct tlb_follow *f, const struct vm *vm, uint32_t spaces);

#endif
