/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "tlb.h"

#define NO_ENTRY UINT32_MAX
#define NO_MM UINT32_MAX

static bool level_init(struct tlb_level *level, const struct fl_tlb_level *geometry)
{
    level->geometry = *geometry;
    level->sets = geometry->entries / geometry->ways;
    level->page_in = malloc(geometry->entries * sizeof *level->page_in);
    level->last_use = calloc(geometry->entries, sizeof *level->last_use);
    if (!level->page_in || !level->last_use)
        return false;
    memset(level->page_in, 0xff, geometry->entries * sizeof *level->page_in);
    return true;
}

int tlb_init(struct tlb *tlb, const struct fl_machine *machine, const struct fl_reader *reader,
             struct fl_err *err)
{
    *tlb = (struct tlb){ .reader = reader,
                         .n_levels = machine->n_tlb,
                         .radix_levels = machine->levels,
                         .n_asids = machine->asids,
                         .current_mm = NO_MM };
    tlb->asid_holder = calloc(machine->asids, sizeof *tlb->asid_holder);
    bool ok = tlb->asid_holder != NULL;
    for (uint32_t i = 0; i < machine->n_tlb && ok; i++)
        ok = level_init(&tlb->level[i], &machine->tlb[i]);
    if (!ok) {
        tlb_fini(tlb);
        return fl_nomem(err, "TLB");
    }
    return FL_OK;
}

void tlb_fini(struct tlb *tlb)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        free(tlb->level[i].page_in);
        free(tlb->level[i].last_use);
        free(tlb->level[i].entry_of);
    }
    free(tlb->asid_holder);
    *tlb = (struct tlb){ 0 };
}

int tlb_room(struct tlb *tlb, uint32_t n_pages, struct fl_err *err)
{
    if (n_pages <= tlb->pages_room)
        return FL_OK;
    uint32_t room = grow_room_for(tlb->pages_room, n_pages);
    if (!room)
        return fl_nomem(err, "TLB");
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        if (!grow(&tlb->level[i].entry_of, room))
            return fl_nomem(err, "TLB");
        memset(tlb->level[i].entry_of + tlb->pages_room, 0,
               (room - tlb->pages_room) * sizeof *tlb->level[i].entry_of);
    }
    tlb->pages_room = room;
    return FL_OK;
}

static void level_drop(struct tlb_level *level, uint32_t page)
{
    uint32_t entry = level->entry_of[page];
    if (!entry)
        return;
    level->entry_of[page] = 0;
    level->page_in[entry - 1] = NO_ENTRY;
    level->last_use[entry - 1] = 0; /* empty entries are the first to be taken */
}

void tlb_drop(struct tlb *tlb, uint32_t page)
{
    if (page < tlb->pages_room)
        for (uint32_t i = 0; i < tlb->n_levels; i++)
            level_drop(&tlb->level[i], page);
}

static void level_fill(struct tlb *tlb, struct tlb_level *level, uint32_t page)
{
    uint64_t vpn = fl_reader_page(tlb->reader, page).vpn;
    uint32_t first = (uint32_t)(vpn % level->sets) * level->geometry.ways, oldest = first;
    for (uint32_t e = first + 1; e < first + level->geometry.ways; e++)
        if (level->last_use[e] < level->last_use[oldest])
            oldest = e;
    if (level->page_in[oldest] != NO_ENTRY)
        level->entry_of[level->page_in[oldest]] = 0;
    level->page_in[oldest] = page;
    level->last_use[oldest] = tlb->now;
    level->entry_of[page] = oldest + 1;
}

static bool level_lookup(struct tlb *tlb, struct tlb_level *level, uint32_t page)
{
    level->lookups++;
    uint32_t entry = level->entry_of[page];
    if (!entry)
        return false;
    level->hits++;
    level->last_use[entry - 1] = tlb->now;
    return true;
}

/* @k look-ups in a row: only the first can miss. */
static void lookups(struct tlb *tlb, enum fl_tlb_role role, uint32_t page, uint64_t k)
{
    uint32_t missed[FL_TLB_LEVELS_MAX], n_missed = 0;
    bool hit = false;

    tlb->now++;
    for (uint32_t i = 0; i < tlb->n_levels && !hit; i++) {
        struct tlb_level *level = &tlb->level[i];
        if (level->geometry.role != role && level->geometry.role != FL_TLB_UNIFIED)
            continue;
        hit = level_lookup(tlb, level, page);
        if (level->geometry.role == role) { /* a first level: the rest of the run hits here */
            level->lookups += k - 1;
            level->hits += k - 1;
        }
        if (!hit)
            missed[n_missed++] = i;
    }
    if (!hit) {
        tlb->walks++;
        tlb->walk_refs += tlb->radix_levels;
    }
    for (uint32_t i = 0; i < n_missed; i++)
        level_fill(tlb, &tlb->level[missed[i]], page);
}

static void drop_space(struct tlb *tlb, uint32_t mm)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        struct tlb_level *level = &tlb->level[i];
        for (uint32_t e = 0; e < level->geometry.entries; e++)
            if (level->page_in[e] != NO_ENTRY &&
                fl_reader_page(tlb->reader, level->page_in[e]).mm == mm)
                level_drop(level, level->page_in[e]);
    }
}

static void forget_holder(struct tlb *tlb, uint32_t at)
{
    tlb->n_holders--;
    memmove(&tlb->asid_holder[at], &tlb->asid_holder[at + 1],
            (tlb->n_holders - at) * sizeof *tlb->asid_holder);
}

/* @mm comes to look something up: it needs an ASID. */
static void activate(struct tlb *tlb, uint32_t mm)
{
    tlb->current_mm = mm;
    for (uint32_t i = 0; i < tlb->n_holders; i++)
        if (tlb->asid_holder[i] == mm)
            return;
    if (tlb->n_holders == tlb->n_asids) {
        drop_space(tlb, tlb->asid_holder[0]);
        forget_holder(tlb, 0);
        tlb->flushes++;
    }
    tlb->asid_holder[tlb->n_holders++] = mm;
}

void tlb_mm_gone(struct tlb *tlb, uint32_t mm)
{
    for (uint32_t i = 0; i < tlb->n_holders; i++)
        if (tlb->asid_holder[i] == mm) {
            forget_holder(tlb, i);
            break;
        }
    if (tlb->current_mm == mm)
        tlb->current_mm = NO_MM;
}

void tlb_run(struct tlb *tlb, uint32_t page, uint32_t mm, uint64_t fetches, uint64_t data)
{
    if (mm != tlb->current_mm)
        activate(tlb, mm);
    if (fetches)
        lookups(tlb, FL_TLB_FETCH, page, fetches);
    if (data)
        lookups(tlb, FL_TLB_DATA, page, data);
}
