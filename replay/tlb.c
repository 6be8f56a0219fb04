/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "tlb.h"

_Static_assert(FL_TLB_LEVELS_MAX <= WALK_PLACE, "levels have places of their own in a table");

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

static bool level_init(struct tlb *tlb, const struct fl_tlb_level *geometry)
{
    struct tlb_level *level = &tlb->level[tlb->n_levels++];
    *level = (struct tlb_level){ .geometry = *geometry, .latest = TLB_NO_KEY };
    return lru_sets_init(&level->sets, geometry->entries, geometry->ways);
}

/* The fewer levels have places, the smaller what is kept by page. */
static void places_init(struct tlb *tlb)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        struct tlb_level *level = &tlb->level[i];
        bool has = !level->sets.order;
        for (int side = 0; side < TLB_SIDES; side++)
            has |= tlb->chain[side][FL_PAGE_4K].level[0] == level;
        has &= fl_tlb_holds(&level->geometry, FL_PAGE_4K);
        level->place = has ? tlb->places++ : TLB_NO_PLACE;
    }
    while (offsetof(struct tlb_page, entry) + tlb->places * sizeof(uint16_t) >
           1u << tlb->page_shift)
        tlb->page_shift++;
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
        ok = level_init(tlb, &machine->tlb[i]);
    if (!ok) {
        tlb_fini(tlb);
        return fl_nomem(err, "TLB");
    }
    chains_init(tlb);
    places_init(tlb);
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
        uint32_t table = tlb_tables_of(&tlb->tables, p.mm, p.vpn);
        if (table == NO_TABLE)
            return fl_nomem(err, "TLB");
        if (table > UINT32_MAX >> TABLE_BITS)
            return fl_fail(err, FL_EDATA,
                           "more than %u page tables: the TLB cannot follow (--no-tlb)",
                           UINT32_MAX >> TABLE_BITS);
        page->at = table << TABLE_BITS | (uint32_t)(p.vpn & (TABLE_PAGES - 1));
    }
    return FL_OK;
}

/* ---- look-ups ------------------------------------------------------------------------- */

static inline void walk(struct tlb *tlb, const struct tlb_page *p, enum fl_page_size size)
{
    tlb->walks++;
    if (tlb->walk_caches.n)
        tlb->walk_refs += walk_caches_walk(&tlb->walk_caches, &tlb->tables, tlb_table(p), size);
    else
        tlb->walk_refs += tlb->walk_caches.levels - (uint32_t)size;
}

static inline void fill(struct tlb_level *level, uint16_t *entry, uint32_t key, uint64_t number)
{
    level->latest = key;
    level->misses++;
    *entry = lru_sets_fill(&level->sets, key, number);
}

/* A page of 4 KiB missed the first level: the rest of the chain, and the walk. */
static void missed_4k(struct tlb *tlb, const struct tlb_chain *chain, uint32_t page,
                      struct tlb_page *p, enum fl_page_size size)
{
    uint64_t vpn = tlb_vpn(tlb, p);
    fill(chain->level[0], &p->entry[chain->level[0]->place], page, vpn);
    for (uint32_t i = 1; i < chain->n; i++) {
        struct tlb_level *level = chain->level[i];
        bool placed = level->place != TLB_NO_PLACE;
        level->lookups++;
        level->latest = page;
        if (placed ? lru_sets_hit(&level->sets, p->entry[level->place], page)
                   : lru_word_use(&level->sets, page, vpn)) {
            tlb->later_hits++;
            return;
        }
        if (placed)
            fill(level, &p->entry[level->place], page, vpn);
        else
            level->misses++;
    }
    walk(tlb, p, size);
}

/* A larger page, by the table in whose place it is. */
static void look_up_large(struct tlb *tlb, const struct tlb_chain *chain, const struct tlb_page *p,
                          enum fl_page_size size, uint64_t k)
{
    uint32_t table = tlb_tables_at(&tlb->tables, tlb_table(p), chain->held_as),
             key = TLB_BIG | table;
    chain->level[0]->lookups += k - 1;
    for (uint32_t i = 0; i < chain->n; i++) {
        struct tlb_level *level = chain->level[i];
        uint16_t *entry = &tlb->tables.at[table].entry[level - tlb->level];
        level->lookups++;
        if (level->latest == key || lru_sets_hit(&level->sets, *entry, key)) {
            level->latest = key;
            tlb->later_hits += i > 0;
            return;
        }
        fill(level, entry, key, tlb->tables.number[table]);
    }
    walk(tlb, p, size);
}

/* @k look-ups in a row: only the first can miss. */
static inline void look_up_4k(struct tlb *tlb, const struct tlb_chain *chain, uint32_t page,
                              enum fl_page_size size, uint64_t k)
{
    struct tlb_level *first = chain->level[0];
    first->lookups += k;
    if (first->latest == page) /* nothing is more recent: the order stays */
        return;
    struct tlb_page *p = tlb_page(tlb, page);
    first->latest = page;
    if (!lru_sets_hit(&first->sets, p->entry[first->place], page))
        missed_4k(tlb, chain, page, p, size);
}

static inline void look_up(struct tlb *tlb, enum tlb_side side, uint32_t page,
                           enum fl_page_size size, uint64_t k)
{
    const struct tlb_chain *chain = &tlb->chain[side][size];
    if (__builtin_expect(chain->held_as != FL_PAGE_4K, 0))
        look_up_large(tlb, chain, tlb_page(tlb, page), size, k);
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

static inline __attribute__((always_inline)) void look_up_runs(struct tlb *tlb,
                                                               const struct fl_runs *runs,
                                                               size_t from, size_t to,
                                                               bool want_fetches, bool want_data)
{
    const struct tlb_chain *fetch = &tlb->chain[TLB_SIDE_FETCH][FL_PAGE_4K],
                           *load = &tlb->chain[TLB_SIDE_LOAD][FL_PAGE_4K],
                           *store = &tlb->chain[TLB_SIDE_STORE][FL_PAGE_4K];
    const uint32_t *pages = runs->page, *fetches = runs->fetches, *reads = runs->reads,
                   *writes = runs->writes;
    bool split = tlb->split_data[FL_PAGE_4K];
    size_t last = runs->n - 1;
    for (size_t i = from; i < to; i++) {
        uint64_t loads = (uint64_t)reads[i] + (split ? 0 : writes[i]);
        tlb_prefetch(tlb, pages[i + TLB_AHEAD < last ? i + TLB_AHEAD : last]);
        if (want_fetches && fetches[i])
            look_up_4k(tlb, fetch, pages[i], FL_PAGE_4K, fetches[i]);
        if (want_data && loads)
            look_up_4k(tlb, load, pages[i], FL_PAGE_4K, loads);
        if (want_data && split && writes[i])
            look_up_4k(tlb, store, pages[i], FL_PAGE_4K, writes[i]);
    }
}

void tlb_batch(struct tlb *tlb, const struct fl_runs *runs, size_t from, size_t to)
{
    if (runs->facts & FL_RUNS_FETCHES)
        look_up_runs(tlb, runs, from, to, true, true);
    else
        look_up_runs(tlb, runs, from, to, false, true);
}

/* ---- windows ------------------------------------------------------------------------------ */

#define WINDOW_RUNS_A_PAGE 4u /* fewer runs are looked up faster one by one */

/* Every look-up for @need hits the first level: then only the order of its entries changes, and the
   other levels hear nothing. */
static bool all_hit(const struct tlb *tlb, const struct tlb_level *first, const struct digest *d,
                    uint8_t need)
{
    for (uint32_t i = 0; i < d->n; i++) {
        uint32_t page = d->page[i];
        if (digest_need(d, page) & need &&
            !lru_sets_has(&first->sets, tlb_page(tlb, page)->entry[first->place], page))
            return false;
    }
    return true;
}

static void hit_all(const struct tlb *tlb, struct tlb_level *first, const struct digest *d,
                    enum digest_order order, uint64_t lookups)
{
    uint32_t pages[DIGEST_RUNS_MAX], n = digest_pages(d, order, pages);
    first->lookups += lookups;
    for (uint32_t i = 0; i < n; i++)
        lru_sets_hit(&first->sets, tlb_page(tlb, pages[i])->entry[first->place], pages[i]);
    if (n)
        first->latest = pages[n - 1];
}

void tlb_window(struct tlb *tlb, const struct fl_runs *runs, const struct digest *d)
{
    struct tlb_level *code = tlb->chain[TLB_SIDE_FETCH][FL_PAGE_4K].level[0],
                     *data = tlb->chain[TLB_SIDE_LOAD][FL_PAGE_4K].level[0];
    bool worth = code != data && !tlb->split_data[FL_PAGE_4K] &&
                 runs->n >= (size_t)d->n * WINDOW_RUNS_A_PAGE;
    bool code_hits = worth && all_hit(tlb, code, d, FL_PROT_EXEC);
    bool data_hits = worth && all_hit(tlb, data, d, FL_PROT_READ | FL_PROT_WRITE);
    if (code_hits)
        hit_all(tlb, code, d, DIGEST_LAST_FETCH, d->fetches);
    if (data_hits)
        hit_all(tlb, data, d, DIGEST_LAST_DATA, d->reads + d->writes);
    if (!code_hits && !data_hits)
        look_up_runs(tlb, runs, 0, runs->n, true, true);
    else if (!code_hits)
        look_up_runs(tlb, runs, 0, runs->n, true, false);
    else if (!data_hits)
        look_up_runs(tlb, runs, 0, runs->n, false, true);
}
