/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "tlb.h"

_Static_assert(FL_TLB_LEVELS_MAX <= WALK_PLACE, "levels have places of their own in a table");

#define AHEAD 12u /* runs that a page is fetched from memory before its look-up */

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

static bool level_init(struct tlb *tlb, const struct fl_tlb_level *geometry, uint32_t *places)
{
    struct tlb_level *level = &tlb->level[tlb->n_levels++];
    *level = (struct tlb_level){ .geometry = *geometry, .latest = TLB_NO_KEY, .place = *places };
    *places += fl_tlb_holds(geometry, FL_PAGE_4K);
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
    bool ok = tlb->asid && tlb->gathered && walk_caches_init(&tlb->walk_caches, machine);
    for (uint32_t i = 0; i < machine->n_tlb && ok; i++)
        ok = level_init(tlb, &machine->tlb[i], &tlb->places);
    while (offsetof(struct tlb_page, entry) + tlb->places * sizeof(uint16_t) >
           1u << tlb->page_shift)
        tlb->page_shift++;
    if (!ok) {
        tlb_fini(tlb);
        return fl_nomem(err, "TLB");
    }
    chains_init(tlb);
    return FL_OK;
}

void tlb_fini(struct tlb *tlb)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++)
        lru_sets_fini(&tlb->level[i].sets);
    walk_caches_fini(&tlb->walk_caches);
    tlb_tables_fini(&tlb->tables);
    free(tlb->pages);
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
    if (!room || !grow_bytes((void **)&tlb->pages, room, (size_t)1 << tlb->page_shift))
        return fl_nomem(err, "TLB");
    tlb->pages_room = room;
    for (; tlb->n_pages < n_pages; tlb->n_pages++) {
        struct fl_page p = fl_reader_page(tlb->reader, tlb->n_pages);
        struct tlb_page *page = tlb_page(tlb, tlb->n_pages);
        memset(page, 0, (size_t)1 << tlb->page_shift);
        page->table = tlb_tables_of(&tlb->tables, p.mm, p.vpn);
        page->place = (uint16_t)(p.vpn & (TABLE_PAGES - 1));
        if (page->table == NO_TABLE)
            return fl_nomem(err, "TLB");
    }
    return FL_OK;
}

/* ---- look-ups ------------------------------------------------------------------------- */

/* What is looked up: a page of 4 KiB, or a larger one. */
struct wanted {
    uint32_t key;
    struct tlb_page *page;   /* it, or one in it */
    struct tlb_table *table; /* of a larger one */
};

/* @level's part of a look-up. */
static inline bool level_use(struct tlb *tlb, struct tlb_level *level, const struct wanted *w)
{
    bool hit;
    level->latest = w->key;
    if (__builtin_expect(w->key & TLB_BIG, 0))
        hit = lru_sets_use(&level->sets, &w->table->entry[level - tlb->level], w->key,
                           tlb->tables.number[w->key & ~TLB_BIG]);
    else
        hit = lru_sets_use(&level->sets, &w->page->entry[level->place], w->key,
                           tlb_vpn(tlb, w->page));
    level->misses += !hit;
    return hit;
}

/* The first level of @chain missed: the rest of it, and the walk. */
static void first_missed(struct tlb *tlb, const struct tlb_chain *chain, const struct wanted *w,
                         enum fl_page_size size)
{
    for (uint32_t i = 1; i < chain->n; i++) {
        chain->level[i]->lookups++;
        if (level_use(tlb, chain->level[i], w)) {
            tlb->later_hits++;
            return;
        }
    }
    tlb->walks++;
    tlb->walk_refs += walk_caches_walk(&tlb->walk_caches, &tlb->tables, w->page->table, size);
}

/* @k look-ups in a row: only the first can miss. */
static inline void look_up(struct tlb *tlb, enum tlb_side side, uint32_t page,
                           enum fl_page_size size, uint64_t k)
{
    const struct tlb_chain *chain = &tlb->chain[side][size];
    struct tlb_level *first = chain->level[0];
    struct wanted w = { .key = page, .page = tlb_page(tlb, page) };
    if (__builtin_expect(chain->held_as != FL_PAGE_4K, 0)) {
        uint32_t table = tlb_tables_at(&tlb->tables, w.page->table, chain->held_as);
        w.key = TLB_BIG | table;
        w.table = &tlb->tables.at[table];
    }
    first->lookups += k;
    if (first->latest == w.key) /* nothing is more recent: the order stays */
        return;
    if (!level_use(tlb, first, &w))
        first_missed(tlb, chain, &w, size);
}

static inline void run(struct tlb *tlb, uint32_t page, enum fl_page_size size, uint64_t fetches,
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

void tlb_run(struct tlb *tlb, uint32_t page, enum fl_page_size size, uint64_t fetches,
             uint64_t reads, uint64_t writes)
{
    run(tlb, page, size, fetches, reads, writes);
}

void tlb_batch(struct tlb *tlb, const struct fl_runs *runs, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        __builtin_prefetch(tlb_page(tlb, runs->page[i + AHEAD < runs->n ? i + AHEAD : i]));
        run(tlb, runs->page[i], FL_PAGE_4K, runs->fetches[i], runs->reads[i], runs->writes[i]);
    }
}
