/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "tlb.h"

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

static bool levels_init(struct tlb *tlb, const struct fl_machine *machine)
{
    bool ok = true;
    for (uint32_t i = 0; i < machine->n_tlb && ok; i++) {
        struct tlb_level *level = &tlb->level[tlb->n_levels++];
        *level = (struct tlb_level){ .geometry = machine->tlb[i], .latest = TLB_NO_KEY };
        ok = lru_sets_init(&level->sets, level->geometry.entries, level->geometry.ways);
    }
    return ok;
}

static bool is_in(const struct tlb_chain *chain, const struct tlb_level *level)
{
    bool in = false;
    for (uint32_t i = 0; i < chain->n; i++)
        in |= chain->level[i] == level;
    return in;
}

/* What batches can rely on, of mappings of 4 KiB. */
static void sides_init(struct tlb *tlb)
{
    const struct tlb_chain *fetch = &tlb->chain[TLB_SIDE_FETCH][FL_PAGE_4K],
                           *load = &tlb->chain[TLB_SIDE_LOAD][FL_PAGE_4K],
                           *store = &tlb->chain[TLB_SIDE_STORE][FL_PAGE_4K];
    struct tlb_level *second = load->level[1];
    bool one = fetch->level[1] == second && store->level[1] == second &&
               fetch->n + load->n + store->n == 2 * TLB_SIDES;
    tlb->one_second = one ? second : NULL;
    tlb->own_firsts = true;
    for (int a = 0; a < TLB_SIDES; a++)
        for (int b = 0; b < TLB_SIDES; b++) {
            bool same = a == b || (a && b && !tlb->split_data[FL_PAGE_4K]);
            const struct tlb_level *first = tlb->chain[a][FL_PAGE_4K].level[0];
            tlb->own_firsts &= same || !is_in(&tlb->chain[b][FL_PAGE_4K], first);
        }
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
    if (!tlb->asid || !tlb->gathered || !walk_caches_init(&tlb->walk_caches, machine) ||
        !levels_init(tlb, machine)) {
        tlb_fini(tlb);
        return fl_nomem(err, "TLB");
    }
    chains_init(tlb);
    sides_init(tlb);
    return FL_OK;
}

void tlb_fini(struct tlb *tlb)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++)
        lru_sets_fini(&tlb->level[i].sets);
    walk_caches_fini(&tlb->walk_caches);
    tlb_tables_fini(&tlb->tables);
    free(tlb->at);
    free(tlb->asid);
    free(tlb->gathered);
    *tlb = (struct tlb){ 0 };
}

/* ---- pages and their tables ----------------------------------------------------------- */

int tlb_room(struct tlb *tlb, uint32_t n_pages, struct fl_err *err)
{
    if (n_pages <= tlb->n_pages)
        return FL_OK;
    uint32_t room = grow_room_for(tlb->pages_room, n_pages);
    if (!room || !grow(&tlb->at, room))
        return fl_nomem(err, "TLB");
    tlb->pages_room = room;
    for (; tlb->n_pages < n_pages; tlb->n_pages++) {
        struct fl_page p = fl_reader_page(tlb->reader, tlb->n_pages);
        uint32_t table = tlb_tables_of(&tlb->tables, p.mm, p.vpn);
        if (table == NO_TABLE)
            return fl_nomem(err, "TLB");
        if (table > UINT32_MAX >> TABLE_BITS)
            return fl_fail(err, FL_EDATA,
                           "more than %u page tables: the TLB cannot follow (--no-tlb)",
                           UINT32_MAX >> TABLE_BITS);
        tlb->at[tlb->n_pages] = table << TABLE_BITS | (uint32_t)(p.vpn & (TABLE_PAGES - 1));
    }
    return FL_OK;
}

/* ---- look-ups ------------------------------------------------------------------------- */

void tlb_walk(struct tlb *tlb, uint32_t table, enum fl_page_size size)
{
    tlb->walks++;
    if (tlb->walk_caches.n)
        tlb->walk_refs += walk_caches_walk(&tlb->walk_caches, &tlb->tables, table, size);
    else
        tlb->walk_refs += tlb->walk_caches.levels - (uint32_t)size;
}

/* In level @i of its chain. */
static inline bool level_has(struct tlb *tlb, struct tlb_level *level, uint32_t i, uint32_t key,
                             uint64_t number)
{
    level->lookups++;
    level->latest = key;
    if (lru_sets_use(&level->sets, key, number)) {
        tlb->later_hits += i > 0;
        return true;
    }
    level->misses++;
    return false;
}

void tlb_missed_4k(struct tlb *tlb, const struct tlb_chain *chain, uint32_t page,
                   enum fl_page_size size)
{
    uint64_t vpn = tlb_vpn(tlb, page);
    for (uint32_t i = 1; i < chain->n; i++)
        if (level_has(tlb, chain->level[i], i, page, vpn))
            return;
    tlb_walk(tlb, tlb_table(tlb, page), size);
}

/* A larger page, by the table in whose place it is. */
static void look_up_large(struct tlb *tlb, const struct tlb_chain *chain, uint32_t page,
                          enum fl_page_size size, uint64_t k)
{
    uint32_t table = tlb_tables_at(&tlb->tables, tlb_table(tlb, page), chain->held_as);
    chain->level[0]->lookups += k - 1;
    for (uint32_t i = 0; i < chain->n; i++)
        if (level_has(tlb, chain->level[i], i, TLB_BIG | table, tlb->tables.number[table]))
            return;
    tlb_walk(tlb, tlb_table(tlb, page), size);
}

/* @k look-ups in a row: only the first can miss. */
static inline void look_up_4k(struct tlb *tlb, const struct tlb_chain *chain, uint32_t page,
                              enum fl_page_size size, uint64_t k)
{
    struct tlb_level *first = chain->level[0];
    first->lookups += k;
    if (first->latest == page) /* nothing is more recent: the order stays */
        return;
    first->latest = page;
    if (!lru_sets_use(&first->sets, page, tlb_vpn(tlb, page))) {
        first->misses++;
        tlb_missed_4k(tlb, chain, page, size);
    }
}

static inline void look_up(struct tlb *tlb, enum tlb_side side, uint32_t page,
                           enum fl_page_size size, uint64_t k)
{
    const struct tlb_chain *chain = &tlb->chain[side][size];
    if (__builtin_expect(chain->held_as != FL_PAGE_4K, 0))
        look_up_large(tlb, chain, page, size, k);
    else
        look_up_4k(tlb, chain, page, size, k);
}

void tlb_run(struct tlb *tlb, uint32_t page, enum fl_page_size size, uint64_t fetches,
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
