/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/units.h>

#include "tlb_follow.h"

/* A remap takes pages back in two operations: at the new place, then at the old one. */
static void gather_remapped(struct tlb_follow *f, uint32_t page, enum fl_page_size size)
{
    const struct fl_event *ev = f->event;
    uint64_t vpn = fl_reader_page(f->tlb->reader, page).vpn;
    bool at_new_place = vpn >= ev->remap.new_start >> FL_PAGE_SHIFT &&
                        vpn < fl_pages_of(ev->remap.new_start + ev->remap.new_length);
    if (at_new_place != f->at_new_place)
        tlb_flush_gathered(f->tlb, ev->remap.mm);
    f->at_new_place = at_new_place;
    tlb_gather(f->tlb, page, size);
}

void tlb_follow_dropped(struct tlb_follow *f, uint32_t page, enum fl_page_size size)
{
    if (!f->event && !f->killing)
        tlb_flush_page(f->tlb, page, size);
    else if (f->event && f->event->kind == FL_EV_REMAP)
        gather_remapped(f, page, size);
    else
        tlb_gather(f->tlb, page, size);
}

void tlb_follow_mm_gone(struct tlb_follow *f, uint32_t mm)
{
    tlb_mm_gone(f->tlb, mm, f->event && f->event->kind == FL_EV_EXEC);
}

static uint32_t event_mm(const struct fl_event *ev)
{
    switch (ev->kind) {
    case FL_EV_MAP: return ev->map.mm;
    case FL_EV_UNMAP: return ev->unmap.mm;
    case FL_EV_PROTECT: return ev->protect.mm;
    case FL_EV_REMAP: return ev->remap.mm;
    case FL_EV_ADVISE: return ev->advise.mm;
    default: return FL_NO_MM;
    }
}

void tlb_follow_begin(struct tlb_follow *f, const struct fl_event *ev)
{
    f->event = ev;
    f->at_new_place = true;
}

void tlb_follow_end(struct tlb_follow *f, const struct vm *vm, uint32_t spaces)
{
    const struct fl_event *ev = f->event;
    uint32_t parent = FL_NO_MM;
    f->event = NULL;
    if (ev->kind == FL_EV_PROCESS && vm->n_spaces > spaces)
        parent = ev->process.copied_mm;
    if (parent < vm->n_mms && vm->mms[parent].users)
        tlb_fork(f->tlb, parent);
    else
        tlb_flush_gathered(f->tlb, event_mm(ev));
}
