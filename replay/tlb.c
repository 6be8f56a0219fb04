/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "tlb.h"

#define SIZE_BITS 9u

/* ---- set-up ------------------------------------------------------------------------- */

static bool level_init(struct tlb_level *level, const struct fl_tlb_level *geometry)
{
    *level = (struct tlb_level){ .geometry = *geometry,
                                 .sets = geometry->entries / geometry->ways,
                                 .latest = TLB_NO_KEY };
    level->key_in = malloc(geometry->entries * sizeof *level->key_in);
    level->last_use = calloc(geometry->entries, sizeof *level->last_use);
    if (!level->key_in || !level->last_use)
        return false;
    memset(level->key_in, 0xff, geometry->entries * sizeof *level->key_in);
    return true;
}

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

int tlb_init(struct tlb *tlb, const struct fl_machine *machine, const struct fl_reader *reader,
             struct fl_err *err)
{
    *tlb = (struct tlb){ .reader = reader,
                         .n_asids = machine->asids,
                         .broadcast = machine->broadcast,
                         .flush_pages = machine->flush_pages ? machine->flush_pages
                                                             : FL_FLUSH_PAGES_X86,
                         .current_mm = TLB_NO_MM };
    tlb->asid = calloc(machine->asids, sizeof *tlb->asid);
    tlb->gathered = calloc(tlb->flush_pages, sizeof *tlb->gathered);
    bool ok = tlb->asid && tlb->gathered && walk_caches_init(&tlb->walk_caches, machine);
    while (ok && tlb->n_levels < machine->n_tlb) {
        ok = level_init(&tlb->level[tlb->n_levels], &machine->tlb[tlb->n_levels]);
        tlb->n_levels++;
    }
    if (!ok) {
        tlb_fini(tlb);
        return fl_nomem(err, "TLB");
    }
    chains_init(tlb);
    return FL_OK;
}

void tlb_fini(struct tlb *tlb)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        free(tlb->level[i].key_in);
        free(tlb->level[i].last_use);
        free(tlb->level[i].entry_of[0]);
        free(tlb->level[i].entry_of[1]);
    }
    walk_caches_fini(&tlb->walk_caches);
    free(tlb->asid);
    free(tlb->gathered);
    free(tlb->big);
    free(tlb->big_slots);
    *tlb = (struct tlb){ 0 };
}

static bool entries_room(struct tlb *tlb, int kind, uint32_t have, uint32_t room)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        if (!grow(&tlb->level[i].entry_of[kind], room))
            return false;
        memset(tlb->level[i].entry_of[kind] + have, 0, (room - have) * sizeof(uint32_t));
    }
    return true;
}

int tlb_room(struct tlb *tlb, uint32_t n_pages, struct fl_err *err)
{
    if (n_pages <= tlb->pages_room)
        return FL_OK;
    uint32_t room = grow_room_for(tlb->pages_room, n_pages);
    if (!room || !entries_room(tlb, 0, tlb->pages_room, room))
        return fl_nomem(err, "TLB");
    tlb->pages_room = room;
    return FL_OK;
}

/* ---- mappings of more than 4 KiB ---------------------------------------------------------- */

static uint32_t *big_slot(const struct tlb *tlb, const struct tlb_big *b)
{
    uint32_t mask = tlb->big_room * 2 - 1;
    uint64_t h = (b->number * 4 + b->size) * UINT64_C(0x9e3779b97f4a7c15) +
                 b->mm * UINT64_C(0xbf58476d1ce4e5b9);
    uint32_t i = (uint32_t)(h >> 32) & mask;
    for (; tlb->big_slots[i]; i = (i + 1) & mask) {
        const struct tlb_big *have = &tlb->big[tlb->big_slots[i] - 1];
        if (have->number == b->number && have->mm == b->mm && have->size == b->size)
            break;
    }
    return &tlb->big_slots[i];
}

static bool big_grow(struct tlb *tlb)
{
    uint32_t room = grow_room(tlb->big_room);
    uint32_t *slots = room ? calloc((size_t)room * 2, sizeof *slots) : NULL;
    if (!slots || !grow(&tlb->big, room) || !entries_room(tlb, 1, tlb->big_room, room)) {
        free(slots);
        return false;
    }
    free(tlb->big_slots);
    tlb->big_slots = slots;
    tlb->big_room = room;
    for (uint32_t i = 0; i < tlb->n_big; i++)
        *big_slot(tlb, &tlb->big[i]) = i + 1;
    return true;
}

/* TLB_NO_KEY: out of memory. */
static uint32_t key_of(struct tlb *tlb, uint32_t page, enum fl_page_size size)
{
    if (size == FL_PAGE_4K)
        return page;
    struct fl_page p = fl_reader_page(tlb->reader, page);
    struct tlb_big b = { .number = p.vpn >> SIZE_BITS * size, .mm = p.mm, .size = (uint8_t)size };
    if (tlb->n_big == tlb->big_room && !big_grow(tlb))
        return TLB_NO_KEY;
    uint32_t *slot = big_slot(tlb, &b);
    if (!*slot) {
        tlb->big[tlb->n_big++] = b;
        *slot = tlb->n_big;
    }
    return TLB_BIG | (*slot - 1);
}

struct fl_page tlb_key_page(const struct tlb *tlb, uint32_t key, enum fl_page_size *size)
{
    *size = FL_PAGE_4K;
    if (!(key & TLB_BIG))
        return fl_reader_page(tlb->reader, key);
    const struct tlb_big *b = &tlb->big[key & ~TLB_BIG];
    *size = (enum fl_page_size)b->size;
    return (struct fl_page){ .mm = b->mm, .vpn = b->number << SIZE_BITS * b->size };
}

/* ---- levels ------------------------------------------------------------------------------- */

static uint32_t *entry_of(const struct tlb_level *level, uint32_t key)
{
    return key & TLB_BIG ? &level->entry_of[1][key & ~TLB_BIG] : &level->entry_of[0][key];
}

void tlb_drop(struct tlb_level *level, uint32_t key)
{
    uint32_t *entry = entry_of(level, key);
    if (!*entry)
        return;
    level->key_in[*entry - 1] = TLB_NO_KEY;
    level->last_use[*entry - 1] = 0; /* empty entries are the first to be taken */
    *entry = 0;
    if (level->latest == key)
        level->latest = TLB_NO_KEY;
}

static void level_fill(struct tlb *tlb, struct tlb_level *level, uint32_t key)
{
    enum fl_page_size size;
    uint64_t number = tlb_key_page(tlb, key, &size).vpn;
    number >>= SIZE_BITS * size;
    uint32_t first = (uint32_t)(number % level->sets) * level->geometry.ways, oldest = first;
    for (uint32_t e = first + 1; e < first + level->geometry.ways; e++)
        if (level->last_use[e] < level->last_use[oldest])
            oldest = e;
    if (level->key_in[oldest] != TLB_NO_KEY)
        *entry_of(level, level->key_in[oldest]) = 0;
    level->key_in[oldest] = key;
    level->last_use[oldest] = tlb->now;
    *entry_of(level, key) = oldest + 1;
    level->latest = key;
}

static bool level_lookup(struct tlb *tlb, struct tlb_level *level, uint32_t key)
{
    uint32_t entry = *entry_of(level, key);
    if (!entry) {
        level->misses++;
        return false;
    }
    level->last_use[entry - 1] = tlb->now;
    level->latest = key;
    return true;
}

/* The first level missed: the rest of the chain, the walk, the fills. */
static void first_missed(struct tlb *tlb, const struct tlb_chain *chain, uint32_t key,
                         uint32_t page, enum fl_page_size size)
{
    uint32_t n_missed = 1;
    bool hit = false;
    while (n_missed < chain->n) {
        chain->level[n_missed]->lookups++;
        hit = level_lookup(tlb, chain->level[n_missed], key);
        if (hit)
            break;
        n_missed++;
    }
    if (hit) {
        tlb->later_hits++;
    } else {
        struct fl_page p = fl_reader_page(tlb->reader, page);
        tlb->walks++;
        tlb->walk_refs += walk_caches_walk(&tlb->walk_caches, p.mm, p.vpn, size);
    }
    for (uint32_t i = 0; i < n_missed; i++)
        level_fill(tlb, chain->level[i], key);
}

/* @k look-ups in a row: only the first can miss. */
static inline int lookups(struct tlb *tlb, enum tlb_side side, uint32_t page,
                          enum fl_page_size size, uint64_t k, struct fl_err *err)
{
    const struct tlb_chain *chain = &tlb->chain[side][size];
    struct tlb_level *first = chain->level[0];
    uint32_t key = page;
    if (__builtin_expect(chain->held_as != FL_PAGE_4K, 0)) {
        key = key_of(tlb, page, chain->held_as);
        if (key == TLB_NO_KEY)
            return fl_nomem(err, "TLB");
    }
    first->lookups += k;
    if (first->latest == key) /* nothing is more recent: the order stays */
        return FL_OK;
    tlb->now++;
    if (!level_lookup(tlb, first, key))
        first_missed(tlb, chain, key, page, size);
    return FL_OK;
}

int tlb_run(struct tlb *tlb, uint32_t page, enum fl_page_size size, uint64_t fetches,
            uint64_t reads, uint64_t writes, struct fl_err *err)
{
    int rc = FL_OK;
    if (fetches)
        rc = lookups(tlb, TLB_SIDE_FETCH, page, size, fetches, err);
    if (__builtin_expect(!tlb->split_data[size], 1)) {
        if (rc == FL_OK && reads + writes)
            rc = lookups(tlb, TLB_SIDE_LOAD, page, size, reads + writes, err);
        return rc;
    }
    if (rc == FL_OK && reads)
        rc = lookups(tlb, TLB_SIDE_LOAD, page, size, reads, err);
    if (rc == FL_OK && writes)
        rc = lookups(tlb, TLB_SIDE_STORE, page, size, writes, err);
    return rc;
}

/* ---- windows ------------------------------------------------------------------------------ */

/* Every look-up for @need hits the first level: then only the order of its entries changes, and the
   other levels hear nothing. */
static bool all_hit(const struct tlb_level *first, const struct digest *d, uint8_t need)
{
    for (uint32_t i = 0; i < d->n; i++)
        if (digest_need(d, d->page[i]) & need && !first->entry_of[0][d->page[i]])
            return false;
    return true;
}

static void hit_all(struct tlb *tlb, struct tlb_level *first, const struct digest *d,
                    enum digest_order order, uint64_t lookups)
{
    uint32_t pages[DIGEST_RUNS_MAX], n = digest_pages(d, order, pages);
    first->lookups += lookups;
    for (uint32_t i = 0; i < n; i++)
        first->last_use[first->entry_of[0][pages[i]] - 1] = ++tlb->now;
    if (n)
        first->latest = pages[n - 1];
}

int tlb_window(struct tlb *tlb, const struct fl_runs *runs, const struct digest *d,
               struct fl_err *err)
{
    struct tlb_level *code = tlb->chain[TLB_SIDE_FETCH][FL_PAGE_4K].level[0],
                     *data = tlb->chain[TLB_SIDE_LOAD][FL_PAGE_4K].level[0];
    bool apart = code != data && !tlb->split_data[FL_PAGE_4K];
    bool code_hits = apart && all_hit(code, d, FL_PROT_EXEC);
    bool data_hits = apart && all_hit(data, d, FL_PROT_READ | FL_PROT_WRITE);
    int rc = FL_OK;
    if (code_hits)
        hit_all(tlb, code, d, DIGEST_LAST_FETCH, d->fetches);
    if (data_hits)
        hit_all(tlb, data, d, DIGEST_LAST_DATA, d->reads + d->writes);
    if (code_hits && data_hits)
        return FL_OK;
    for (size_t i = 0; i < runs->n && rc == FL_OK; i++)
        rc = tlb_run(tlb, runs->page[i], FL_PAGE_4K, code_hits ? 0 : runs->fetches[i],
                     data_hits ? 0 : runs->reads[i], data_hits ? 0 : runs->writes[i], err);
    return rc;
}
