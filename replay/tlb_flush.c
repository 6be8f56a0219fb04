/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which address space runs, and what is flushed when: Linux's rules, docs/model.md section 4. */
#include <string.h>

#include "tlb.h"

const char *fl_flush_name(enum fl_flush_kind kind)
{
    static const char *const names[] = { [FL_FLUSH_SWITCH] = "switch",
                                         [FL_FLUSH_STALE] = "stale",
                                         [FL_FLUSH_RANGE] = "range",
                                         [FL_FLUSH_FORK] = "fork",
                                         [FL_FLUSH_EXIT] = "exit" };
    return names[kind];
}

/* The running space has entries, or will. */
static void hold(struct tlb *tlb)
{
    uint32_t mm = tlb->current_mm;
    if (mm != TLB_NO_MM && mm != TLB_KERNEL_MM && mm != tlb->held_mm)
        tlb->held_mm = tlb->held_mm == TLB_NO_MM ? mm : TLB_MANY_MM;
}

/* What goes: whatever of @mm overlaps [from, to). */
struct gone {
    struct tlb *tlb;
    uint32_t mm;
    uint64_t from, to;
    uint32_t left; /* the space of what stays; TLB_NO_MM, TLB_MANY_MM */
};

static bool is_gone(void *arg, uint32_t key)
{
    struct gone *g = arg;
    const struct tlb_tables *t = &g->tlb->tables;
    bool big = key & TLB_BIG;
    uint32_t table = big ? key & ~TLB_BIG : tlb_table(g->tlb, key), mm = t->at[table].mm;
    uint32_t bits = big ? TABLE_BITS * t->at[table].height : 0;
    uint64_t first = big ? t->number[table] << bits : tlb_vpn(g->tlb, key);
    if (mm == g->mm && first < g->to && first + (UINT64_C(1) << bits) > g->from)
        return true;
    if (g->left != mm)
        g->left = g->left == TLB_NO_MM ? mm : TLB_MANY_MM;
    return false;
}

static void drop_entries(struct gone *gone)
{
    struct tlb *tlb = gone->tlb;
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        lru_sets_drop_if(&tlb->level[i].sets, is_gone, gone);
        tlb->level[i].latest = TLB_NO_KEY;
    }
}

static void drop_levels_of(struct tlb *tlb, uint32_t mm)
{
    struct gone gone = { .tlb = tlb, .mm = mm, .to = UINT64_MAX, .left = TLB_NO_MM };
    if (tlb->held_mm == TLB_MANY_MM)
        drop_entries(&gone);
    for (uint32_t i = 0; i < tlb->n_levels && tlb->held_mm == mm; i++) {
        lru_sets_clear(&tlb->level[i].sets);
        tlb->level[i].latest = TLB_NO_KEY;
    }
    if (tlb->held_mm == mm || tlb->held_mm == TLB_MANY_MM)
        tlb->held_mm = gone.left;
    hold(tlb);
}

static void drop_space(struct tlb *tlb, uint32_t mm)
{
    drop_levels_of(tlb, mm);
    walk_caches_drop_space(&tlb->walk_caches, &tlb->tables, mm);
}

static void drop_page(struct tlb *tlb, uint32_t page, enum fl_page_size size)
{
    uint64_t vpn = tlb_vpn(tlb, page);
    if (size != FL_PAGE_4K) { /* it may be held in pieces */
        uint64_t pages = UINT64_C(1) << TABLE_BITS * size, from = vpn & ~(pages - 1);
        drop_entries(&(struct gone){
            .tlb = tlb, .mm = tlb_mm(tlb, page), .from = from, .to = from + pages });
    }
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        struct tlb_level *level = &tlb->level[i];
        if (!fl_tlb_holds(&level->geometry, FL_PAGE_4K))
            continue;
        lru_sets_drop(&level->sets, page, vpn);
        if (level->latest == page)
            level->latest = TLB_NO_KEY;
    }
    walk_caches_drop_page(&tlb->walk_caches, &tlb->tables, tlb_table(tlb, page));
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

static void run_under_asid(struct tlb *tlb, uint32_t mm)
{
    uint32_t i = asid_of(tlb, mm);
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

void tlb_switch_slow(struct tlb *tlb, uint32_t mm)
{
    tlb->current_mm = mm;
    run_under_asid(tlb, mm);
    hold(tlb);
}

void tlb_flush_page(struct tlb *tlb, uint32_t page, enum fl_page_size size)
{
    uint32_t mm = tlb_mm(tlb, page);
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
    uint64_t pages = UINT64_C(1) << TABLE_BITS * size;
    uint64_t from = tlb_vpn(tlb, page) & ~(pages - 1);
    const struct tlb_gathered *last = tlb->n_gathered && tlb->n_gathered <= tlb->flush_pages
                                          ? &tlb->gathered[tlb->n_gathered - 1]
                                          : NULL;
    if (size != FL_PAGE_4K && last && last->size == size &&
        (tlb_vpn(tlb, last->page) & ~(pages - 1)) == from)
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
    uint64_t n = (tlb->to - tlb->from) >> TABLE_BITS * tlb->gathered_size;
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
