/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which address space runs, and what is flushed when: Linux's rules, docs/model.md section 4. */
#include <string.h>

#include "tlb.h"

#define SIZE_BITS 9u

const char *fl_flush_name(enum fl_flush_kind kind)
{
    static const char *const names[] = { [FL_FLUSH_SWITCH] = "switch",
                                         [FL_FLUSH_STALE] = "stale",
                                         [FL_FLUSH_RANGE] = "range",
                                         [FL_FLUSH_FORK] = "fork",
                                         [FL_FLUSH_EXIT] = "exit" };
    return names[kind];
}

static void drop_entries(struct tlb *tlb, uint32_t mm, uint64_t from, uint64_t to)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        struct tlb_level *level = &tlb->level[i];
        for (uint32_t e = 0; e < level->geometry.entries; e++) {
            enum fl_page_size size;
            if (level->key_in[e] == TLB_NO_KEY)
                continue;
            struct fl_page p = tlb_key_page(tlb, level->key_in[e], &size);
            if (p.mm == mm && p.vpn < to && p.vpn + (UINT64_C(1) << SIZE_BITS * size) > from)
                tlb_drop(level, level->key_in[e]);
        }
    }
}

static void drop_space(struct tlb *tlb, uint32_t mm)
{
    drop_entries(tlb, mm, 0, UINT64_MAX);
    walk_caches_drop_space(&tlb->walk_caches, mm);
}

static void drop_page(struct tlb *tlb, uint32_t page, enum fl_page_size size)
{
    struct fl_page p = fl_reader_page(tlb->reader, page);
    if (size != FL_PAGE_4K) { /* it may be held in pieces */
        uint64_t pages = UINT64_C(1) << SIZE_BITS * size, from = p.vpn & ~(pages - 1);
        drop_entries(tlb, p.mm, from, from + pages);
    } else if (page < tlb->pages_room) {
        for (uint32_t i = 0; i < tlb->n_levels; i++)
            tlb_drop(&tlb->level[i], page);
    }
    walk_caches_drop_page(&tlb->walk_caches, p.mm, p.vpn);
}

static void flush_space(struct tlb *tlb, uint32_t mm, enum fl_flush_kind kind)
{
    drop_space(tlb, mm);
    tlb->flushes[kind]++;
}

/* The ASID @mm holds; n_begun: none. */
static uint32_t asid_of(const struct tlb *tlb, uint32_t mm)
{
    uint32_t i = 0;
    while (i < tlb->n_begun && (tlb->asid[i].mm != mm || tlb->asid[i].gone))
        i++;
    return i;
}

/* A space of that number ended before: nothing may be left of it. */
static void forget_gone(struct tlb *tlb, uint32_t mm)
{
    for (uint32_t i = 0; i < tlb->n_begun; i++)
        if (tlb->asid[i].mm == mm) {
            drop_space(tlb, mm);
            tlb->asid[i].mm = TLB_NO_MM;
        }
}

void tlb_switch_slow(struct tlb *tlb, uint32_t mm)
{
    uint32_t i = asid_of(tlb, mm);
    tlb->current_mm = mm;
    if (i < tlb->n_begun) {
        if (tlb->asid[i].stale)
            flush_space(tlb, mm, FL_FLUSH_STALE);
        tlb->asid[i].stale = false;
        return;
    }
    forget_gone(tlb, mm);
    i = tlb->next_asid;
    tlb->next_asid = i + 1 == tlb->n_asids ? 0 : i + 1;
    if (i < tlb->n_begun) {
        flush_space(tlb, tlb->asid[i].mm, FL_FLUSH_SWITCH);
    } else {
        tlb->flushes[FL_FLUSH_SWITCH] += !tlb->broadcast;
        tlb->n_begun++;
    }
    tlb->asid[i] = (struct tlb_asid){ .mm = mm };
}

void tlb_flush_page(struct tlb *tlb, uint32_t page, enum fl_page_size size)
{
    uint32_t mm = fl_reader_page(tlb->reader, page).mm;
    if (mm == tlb->current_mm || tlb->broadcast) {
        drop_page(tlb, page, size);
        tlb->page_flushes++;
        return;
    }
    uint32_t i = asid_of(tlb, mm);
    if (i < tlb->n_begun)
        tlb->asid[i].stale = true;
}

void tlb_gather(struct tlb *tlb, uint32_t page, enum fl_page_size size)
{
    uint64_t pages = UINT64_C(1) << SIZE_BITS * size;
    uint64_t from = fl_reader_page(tlb->reader, page).vpn & ~(pages - 1);
    const struct tlb_gathered *last = tlb->n_gathered && tlb->n_gathered <= tlb->flush_pages
                                          ? &tlb->gathered[tlb->n_gathered - 1]
                                          : NULL;
    if (size != FL_PAGE_4K && last && last->size == size &&
        (fl_reader_page(tlb->reader, last->page).vpn & ~(pages - 1)) == from)
        return; /* the same mapping */
    if (!tlb->n_gathered || from < tlb->from)
        tlb->from = from;
    if (!tlb->n_gathered || from + pages > tlb->to)
        tlb->to = from + pages;
    if (!tlb->n_gathered || size < tlb->gathered_size)
        tlb->gathered_size = size;
    if (tlb->n_gathered < tlb->flush_pages)
        tlb->gathered[tlb->n_gathered] =
            (struct tlb_gathered){ .page = page, .size = (uint8_t)size };
    tlb->n_gathered++;
}

void tlb_flush_gathered(struct tlb *tlb, uint32_t mm)
{
    if (!tlb->n_gathered)
        return;
    uint64_t n = (tlb->to - tlb->from) >> SIZE_BITS * tlb->gathered_size;
    tlb_switch(tlb, mm);
    if (n > tlb->flush_pages) {
        flush_space(tlb, mm, FL_FLUSH_RANGE);
    } else {
        for (uint32_t i = 0; i < tlb->n_gathered; i++)
            drop_page(tlb, tlb->gathered[i].page, (enum fl_page_size)tlb->gathered[i].size);
        tlb->page_flushes += n;
    }
    tlb->n_gathered = 0;
}

void tlb_fork(struct tlb *tlb, uint32_t mm)
{
    tlb->n_gathered = 0;
    tlb_switch(tlb, mm);
    flush_space(tlb, mm, FL_FLUSH_FORK);
}

void tlb_mm_gone(struct tlb *tlb, uint32_t mm, bool exec)
{
    uint32_t i = asid_of(tlb, mm);
    tlb->n_gathered = 0;
    if (i < tlb->n_begun) {
        tlb->asid[i].gone = true;
        if (tlb->broadcast)
            flush_space(tlb, mm, FL_FLUSH_EXIT);
    }
    if (tlb->current_mm != mm)
        return;
    tlb->current_mm = TLB_NO_MM;
    if (!exec && !tlb->broadcast)
        tlb_switch(tlb, TLB_KERNEL_MM);
}
