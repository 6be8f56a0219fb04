/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "tlb.h"

_Static_assert(FL_TLB_LEVELS_MAX <= 16, "tlb_page.filled has a bit for each level");

/* ---- set-up ------------------------------------------------------------------------- */

static bool serves(const struct tlb_level *level, enum tlb_side side, enum fl_page_size size)
{
    enum fl_tlb_role role = level->geometry.role;
    bool ours = role == FL_TLB_UNIFIED ||
                (side == TLB_SIDE_FETCH  ? role == FL_TLB_FETCH
                 : side == TLB_SIDE_LOAD ? role == FL_TLB_DATA || role == FL_TLB_LOAD
                                         : role == FL_TLB_DATA || role == FL_TLB_STORE);
    return ours && fl_tlb_holds(&level->geometry, size);
}

/* A size that nothing holds is held as the next smaller one. */
static void chains_init(struct tlb *tlb)
{
    for (int side = 0; side < TLB_SIDES; side++)
        for (int size = 0; size < FL_PAGE_SIZES; size++) {
            struct tlb_chain *chain = &tlb->chain[side][size];
            chain->held_as = (enum fl_page_size)size;
            for (uint32_t i = 0; i < tlb->n_levels; i++)
                if (serves(&tlb->level[i], (enum tlb_side)side, chain->held_as))
                    chain->level[chain->n++] = &tlb->level[i];
            if (!chain->n && size)
                *chain = tlb->chain[side][size - 1];
        }
    for (int size = 0; size < FL_PAGE_SIZES; size++) {
        const struct tlb_chain *load = &tlb->chain[TLB_SIDE_LOAD][size],
                               *store = &tlb->chain[TLB_SIDE_STORE][size];
        tlb->split_data[size] = load->n != store->n || load->held_as != store->held_as ||
                                memcmp(load->level, store->level, sizeof load->level) != 0;
    }
}

static bool is_first(const struct tlb *tlb, const struct tlb_level *level, int sizes)
{
    for (int side = 0; side < TLB_SIDES; side++)
        for (int size = 0; size < sizes; size++)
            if (tlb->chain[side][size].level[0] == level)
                return true;
    return false;
}

/* Of the @sizes smallest sizes, no level is the first of one chain and a later one of another: then
   what the first levels do does not depend on the later ones. */
static bool first_levels_are_apart(const struct tlb *tlb, int sizes)
{
    for (int side = 0; side < TLB_SIDES; side++)
        for (int size = 0; size < sizes; size++)
            for (uint32_t i = 1; i < tlb->chain[side][size].n; i++)
                if (is_first(tlb, tlb->chain[side][size].level[i], sizes))
                    return false;
    return true;
}

static bool level_init(struct tlb *tlb, const struct fl_tlb_level *geometry)
{
    struct tlb_level *level = &tlb->level[tlb->n_levels];
    *level = (struct tlb_level){ .geometry = *geometry,
                                 .latest = TLB_NO_KEY,
                                 .bit = (uint16_t)(1u << tlb->n_levels) };
    tlb->n_levels++;
    return lru_sets_init(&level->sets, geometry->entries, geometry->ways);
}

int tlb_init(struct tlb *tlb, const struct fl_machine *machine, const struct fl_reader *reader,
             struct fl_err *err)
{
    *tlb = (struct tlb){ .reader = reader,
                         .tables = { .heights = machine->levels - 1 },
                         .n_asids = machine->asids,
                         .broadcast = machine->broadcast,
                         .flush_pages = machine->flush_pages ? machine->flush_pages
                                                             : FL_FLUSH_PAGES_X86,
                         .current_mm = TLB_NO_MM,
                         .held_mm = TLB_NO_MM };
    tlb->asid = calloc(machine->asids, sizeof *tlb->asid);
    tlb->gathered = calloc(tlb->flush_pages, sizeof *tlb->gathered);
    tlb->queue = calloc(TLB_QUEUE, sizeof *tlb->queue);
    bool ok = tlb->asid && tlb->gathered && tlb->queue &&
              walk_caches_init(&tlb->walk_caches, machine);
    for (uint32_t i = 0; i < machine->n_tlb && ok; i++)
        ok = level_init(tlb, &machine->tlb[i]);
    if (!ok) {
        tlb_fini(tlb);
        return fl_nomem(err, "TLB");
    }
    chains_init(tlb);
    while (tlb->queue_sizes < FL_PAGE_SIZES &&
           first_levels_are_apart(tlb, (int)tlb->queue_sizes + 1))
        tlb->queue_sizes++;
    for (uint32_t i = 0; i < tlb->n_levels; i++)
        if (is_first(tlb, &tlb->level[i], (int)tlb->queue_sizes))
            tlb->first_bits |= tlb->level[i].bit;
    return FL_OK;
}

void tlb_fini(struct tlb *tlb)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++)
        lru_sets_fini(&tlb->level[i].sets);
    walk_caches_fini(&tlb->walk_caches);
    tables_fini(&tlb->tables);
    free(tlb->page);
    free(tlb->asid);
    free(tlb->gathered);
    free(tlb->queue);
    *tlb = (struct tlb){ 0 };
}

/* ---- pages and their tables ----------------------------------------------------------- */

static bool levels_room(struct tlb *tlb, int kind, uint32_t have, uint32_t room)
{
    bool ok = true;
    for (uint32_t i = 0; i < tlb->n_levels && ok; i++)
        ok = lru_sets_room(&tlb->level[i].sets, kind, have, room);
    return ok;
}

static bool new_page(struct tlb *tlb, uint32_t page)
{
    struct fl_page p = fl_reader_page(tlb->reader, page);
    uint32_t room = tlb->tables.room;
    tlb->page[page] =
        (struct tlb_page){ .vpn = p.vpn, .table = tables_of(&tlb->tables, p.mm, p.vpn) };
    return tlb->page[page].table != NO_TABLE &&
           (room == tlb->tables.room ||
            (levels_room(tlb, 1, room, tlb->tables.room) &&
             walk_caches_room(&tlb->walk_caches, room, tlb->tables.room)));
}

int tlb_room(struct tlb *tlb, uint32_t n_pages, struct fl_err *err)
{
    if (n_pages <= tlb->n_pages)
        return FL_OK;
    uint32_t room = grow_room_for(tlb->pages_room, n_pages);
    bool ok = room && (room == tlb->pages_room ||
                       (grow(&tlb->page, room) && levels_room(tlb, 0, tlb->pages_room, room)));
    if (ok)
        tlb->pages_room = room;
    for (; tlb->n_pages < n_pages && ok; tlb->n_pages++)
        ok = new_page(tlb, tlb->n_pages);
    return ok ? FL_OK : fl_nomem(err, "TLB");
}

/* ---- look-ups ------------------------------------------------------------------------- */

/* @k look-ups in a row: only the first can miss. */
static inline void look_up(struct tlb *tlb, enum tlb_side side, uint32_t page,
                           enum fl_page_size size, uint64_t k)
{
    const struct tlb_chain *chain = &tlb->chain[side][size];
    struct tlb_level *first = chain->level[0];
    struct tlb_wanted w = tlb_wanted(tlb, chain, page);
    first->lookups += k;
    if (first->latest == w.key) /* nothing is more recent: the order stays */
        return;
    first->latest = w.key;
    if (!tlb_level_use(first, &w))
        tlb_later_levels(tlb, chain, &w, size);
}

void tlb_run_now(struct tlb *tlb, uint32_t page, enum fl_page_size size, uint64_t fetches,
                 uint64_t reads, uint64_t writes)
{
    if (fetches)
        look_up(tlb, TLB_SIDE_FETCH, page, size, fetches);
    if (__builtin_expect(!tlb->split_data[size], 1)) {
        if (reads + writes)
            look_up(tlb, TLB_SIDE_LOAD, page, size, reads + writes);
        return;
    }
    if (reads)
        look_up(tlb, TLB_SIDE_LOAD, page, size, reads);
    if (writes)
        look_up(tlb, TLB_SIDE_STORE, page, size, writes);
}
