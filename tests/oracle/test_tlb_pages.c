/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The TLB stage alone against its twin, with mappings of every size. FAULTLINE_SEED=N: that seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/units.h>

#include "naive_world.h"
#include "random_trace.h"
#include "tlb.h"

enum { SPACES = 4, PAGES = 300, STEPS = 3000 };

#define P4K 1u
#define P2M 2u
#define P1G 4u

static const struct fl_machine machines[] = {
    { .name = "split",
      .levels = 4,
      .asids = 3,
      .n_tlb = 6,
      .tlb = { { "I", FL_TLB_FETCH, 3, 3, P4K },
               { "I2", FL_TLB_FETCH, 2, 1, P2M },
               { "D", FL_TLB_DATA, 6, 2, P4K },
               { "D2", FL_TLB_DATA, 3, 1, P2M },
               { "D1G", FL_TLB_DATA, 1, 1, P1G },
               { "U", FL_TLB_UNIFIED, 15, 5, P4K | P2M } },
      .n_walk = 3,
      .walk = { { 2, 3, 3 }, { 3, 2, 1 }, { 4, 1, 1 } } },
    { .name = "shared",
      .levels = 5,
      .asids = 2,
      .flush_pages = 4,
      .n_tlb = 4,
      .tlb = { { "I", FL_TLB_FETCH, 4, 4, P4K | P2M | P1G },
               { "L", FL_TLB_LOAD, 5, 5, P4K | P2M | P1G },
               { "S", FL_TLB_STORE, 3, 3, P4K | P2M },
               { "U", FL_TLB_UNIFIED, 14, 2, P4K | P1G } },
      .walk_flush_page = true,
      .n_walk = 3,
      .walk = { { 2, 2, 2 }, { 3, 3, 1 }, { 5, 2, 2 } } },
    { .name = "small pages only",
      .levels = 4,
      .asids = 5,
      .flush_pages = 700,
      .broadcast = true,
      .n_tlb = 3,
      .tlb = { { "I", FL_TLB_FETCH, 2, 2 },
               { "D", FL_TLB_DATA, 8, 4 },
               { "U", FL_TLB_UNIFIED, 30, 3 } } },
};

/* Ways, sets and roles of any number. */
static struct fl_machine random_machine(uint64_t *rng)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
    struct fl_machine m = { .name = "random", .levels = 4 + (uint32_t)random_below(rng, 2) };
    enum fl_tlb_role roles[6] = { FL_TLB_FETCH, FL_TLB_DATA };
    size_t n = 2;
    if (random_below(rng, 2)) {
        roles[1] = FL_TLB_LOAD;
        roles[n++] = FL_TLB_STORE;
        if (random_below(rng, 3) == 0)
            roles[n++] = FL_TLB_DATA;
    }
    size_t unified = random_below(rng, 3);
    if (unified && random_below(rng, 4) == 0) /* fetches begin where data missed */
        memmove(roles, roles + 1, --n * sizeof roles[0]);
    while (unified--)
        roles[n++] = FL_TLB_UNIFIED;
    for (size_t i = 0; i < n; i++) {
        uint32_t ways = 1 + (uint32_t)random_below(rng, random_below(rng, 4) ? 9 : 200);
        uint32_t sets = 1 + (uint32_t)random_below(rng, ways > 9 ? 3 : 18);
        m.tlb[i] = (struct fl_tlb_level){ names[i], roles[i], ways * sets, ways,
                                          P4K | (uint32_t)random_below(rng, 4) << 1 };
    }
    m.n_tlb = (uint32_t)n;
    m.asids = 1 + (uint32_t)random_below(rng, 5);
    m.flush_pages = (uint32_t)random_below(rng, 3) * 20;
    m.broadcast = random_below(rng, 4) == 0;
    m.walk_flush_page = random_below(rng, 2);
    for (uint32_t level = 2; level <= m.levels; level++) {
        uint32_t ways = 1 + (uint32_t)random_below(rng, 20);
        if (random_below(rng, 2))
            m.walk[m.n_walk++] =
                (struct fl_walk_cache){ level, ways * (1 + (uint32_t)random_below(rng, 3)), ways };
    }
    return m;
}

/* By address: the first GiB has 4 KiB and 2 MiB mappings by turns, the second is one mapping. */
static enum fl_page_size size_at(uint64_t vpn)
{
    return vpn >> 18 ? FL_PAGE_1G : vpn >> 9 & 1 ? FL_PAGE_2M : FL_PAGE_4K;
}

struct page {
    uint32_t id, mm;
    uint64_t vpn;
    enum fl_page_size size;
};

struct pages {
    struct page at[PAGES];
    size_t n;
    void *bytes;
    struct fl_reader *reader;
};

/* A trace that has every page once, for the reader's ids. */
static void pages_make(struct pages *p, uint64_t *rng)
{
    struct item_list list = { 0 };
    struct fl_item item;
    struct fl_err err;
    size_t len;
    for (uint32_t i = 0; i < SPACES; i++) {
        struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD };
        ev.process.pid = 10 + i;
        ev.process.mm = i;
        ev.process.copied_mm = FL_NO_MM;
        ev.process.comm = "pages";
        item_list_event(&list, &ev);
        ev = (struct fl_event){ .kind = FL_EV_THREAD, .thread = i };
        ev.thread_start.pid = ev.thread_start.tid = 10 + i;
        item_list_event(&list, &ev);
    }
    for (size_t i = 0; i < PAGES; i++) {
        uint32_t mm = (uint32_t)random_below(rng, SPACES);
        uint64_t vpn = random_below(rng, 8) ? random_below(rng, 6) << 9 | random_below(rng, 4)
                                            : UINT64_C(1) << 18 | random_below(rng, 3) << 10;
        item_list_run(&list,
                      &(struct naive_item){ .thread = mm, .mm = mm, .vpn = vpn, .reads = 1 });
    }
    assert_int_equal(item_list_trace(&list, &p->bytes, &len, &err), FL_OK);
    assert_int_equal(fl_reader_open_mem(p->bytes, len, 0, &p->reader, &err), FL_OK);
    do
        assert_int_equal(fl_reader_next(p->reader, &item, &err), FL_OK);
    while (item.kind != FL_ITEM_END);
    p->n = fl_reader_pages(p->reader);
    for (uint32_t i = 0; i < p->n; i++) {
        struct fl_page page = fl_reader_page(p->reader, i);
        p->at[i] = (struct page){ i, page.mm, page.vpn, size_at(page.vpn) };
    }
    item_list_free(&list);
}

static void run(struct tlb *tlb, struct world *w, const struct page *p, uint64_t *rng)
{
    struct naive_item item = { .mm = p->mm,
                               .vpn = p->vpn,
                               .reads = (uint32_t)random_below(rng, 3),
                               .writes = (uint32_t)random_below(rng, 3),
                               .fetches = (uint32_t)random_below(rng, 2) };
    tlb_switch(tlb, p->mm);
    tlb_run(tlb, p->id, p->size, item.fetches, item.reads, item.writes);
    naive_tlb_enter(w, p->mm);
    naive_tlb_run(w, &item, p->size);
}

/* Many runs of one space at once, some pages again and again. */
static void batch(struct tlb *tlb, struct world *w, const struct pages *pages, uint64_t *rng)
{
    enum { RUNS = 70 };
    uint32_t page[RUNS], reads[RUNS], writes[RUNS], fetches[RUNS];
    struct fl_runs runs = { .page = page,
                            .reads = reads,
                            .writes = writes,
                            .fetches = fetches,
                            .facts = FL_RUNS_LONG | FL_RUNS_WRITES | FL_RUNS_FETCHES };
    struct digest digest = { 0 };
    struct fl_err err;
    size_t near = random_below(rng, pages->n), reach = 1 + random_below(rng, pages->n);
    size_t want = 1 + random_below(rng, RUNS);
    uint32_t mm = pages->at[near].mm;
    tlb_switch(tlb, mm);
    naive_tlb_enter(w, mm);
    for (int tries = 0; tries < 2000 && runs.n < want; tries++) {
        const struct page *p = &pages->at[(near + random_below(rng, reach)) % pages->n];
        if (p->mm != mm || p->size != FL_PAGE_4K)
            continue;
        struct naive_item item = { .mm = mm,
                                   .vpn = p->vpn,
                                   .reads = reads[runs.n] = (uint32_t)random_below(rng, 2),
                                   .writes = writes[runs.n] = (uint32_t)random_below(rng, 2),
                                   .fetches = fetches[runs.n] = (uint32_t)random_below(rng, 2) };
        if (!(item.reads | item.writes | item.fetches)) /* no run is that */
            item.reads = reads[runs.n] = 1;
        page[runs.n++] = p->id;
        naive_tlb_run(w, &item, p->size);
    }
    if (runs.n && random_below(rng, 2)) {
        assert_int_equal(digest_room(&digest, (uint32_t)pages->n, &err), FL_OK);
        digest_window(&digest, &runs, 0, UINT32_MAX);
        tlb_window(tlb, &runs, &digest);
    } else {
        size_t some = random_below(rng, runs.n + 1);
        tlb_batch(tlb, &runs, 0, some);
        tlb_batch(tlb, &runs, some, runs.n);
    }
    digest_fini(&digest);
}

static bool same_mapping(const struct page *a, const struct page *b)
{
    return a->mm == b->mm && a->size == b->size && a->vpn >> 9 * a->size == b->vpn >> 9 * b->size;
}

/* Up to five mappings of one space, each once. */
static void take_back(struct tlb *tlb, struct world *w, const struct pages *pages, uint64_t *rng)
{
    const struct page *taken[5];
    size_t n = 0, want = 1 + random_below(rng, 5);
    uint32_t mm = (uint32_t)random_below(rng, SPACES);
    uint64_t near = random_below(rng, pages->n);
    for (size_t i = 0; i < pages->n && n < want; i++) {
        const struct page *p = &pages->at[(near + i) % pages->n];
        bool again = p->mm != mm;
        for (size_t k = 0; k < n; k++)
            again |= same_mapping(taken[k], p);
        if (again)
            continue;
        taken[n++] = p;
        tlb_gather(tlb, p->id, p->size);
        naive_tlb_take(w, p->vpn, p->size);
    }
    tlb_flush_gathered(tlb, mm);
    naive_tlb_taken(w, mm);
}

static void step(struct tlb *tlb, struct world *w, const struct pages *pages, uint64_t *rng)
{
    const struct page *p = &pages->at[random_below(rng, pages->n)];
    uint64_t what = random_below(rng, 100);
    if (what < 8) {
        batch(tlb, w, pages, rng);
    } else if (what < 88) {
        run(tlb, w, p, rng);
    } else if (what < 94) {
        tlb_flush_page(tlb, p->id, p->size);
        naive_tlb_page(w, p->mm, p->vpn, p->size);
    } else if (what < 98) {
        take_back(tlb, w, pages, rng);
    } else if (what < 99) {
        tlb_fork(tlb, p->mm);
        naive_tlb_fork(w, p->mm);
    } else {
        w->in_exec = random_below(rng, 2);
        tlb_mm_gone(tlb, p->mm, w->in_exec);
        naive_tlb_space_end(w, p->mm);
    }
}

static void same(const struct tlb *tlb, const struct naive_result *slow)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++) {
        assert_int_equal(tlb->level[i].lookups, slow->tlb[i].lookups);
        assert_int_equal(tlb->level[i].misses, slow->tlb[i].misses);
    }
    for (uint32_t i = 0; i < tlb->walk_caches.n; i++) {
        assert_int_equal(tlb->walk_caches.cache[i].lookups, slow->walk[i].lookups);
        assert_int_equal(tlb->walk_caches.cache[i].hits, slow->walk[i].hits);
    }
    assert_int_equal(tlb->walks, slow->walks);
    assert_int_equal(tlb->walk_refs, slow->walk_refs);
    assert_int_equal(tlb->page_flushes, slow->tlb_page_flushes);
    for (int kind = 0; kind < FL_FLUSH_KINDS; kind++)
        assert_int_equal(tlb->flushes[kind], slow->tlb_flushes_by[kind]);
}

static void one_seed(uint64_t seed)
{
    struct pages pages = { 0 };
    uint64_t rng = seed * 31 + 7;
    pages_make(&pages, &rng);
    for (size_t m = 0; m < FL_COUNT(machines) + 5; m++) {
        const struct fl_machine random = random_machine(&rng), *machine = &random;
        if (m < FL_COUNT(machines))
            machine = &machines[m];
        else if (m < FL_COUNT(machines) + 2)
            machine = fl_machine_at(seed % 8 + m - FL_COUNT(machines));
        struct tlb tlb;
        struct fl_err err;
        struct naive_result slow = { 0 };
        struct naive_opts opts = { .machine = machine };
        struct world w = { .opts = &opts, .res = &slow };
        assert_int_equal(tlb_init(&tlb, machine, pages.reader, &err), FL_OK);
        assert_int_equal(tlb_room(&tlb, (uint32_t)pages.n, &err), FL_OK);
        naive_tlb_init(&w);
        for (int i = 0; i < STEPS; i++) {
            step(&tlb, &w, &pages, &rng);
            if (tlb.walks != slow.walks || tlb.page_flushes != slow.tlb_page_flushes)
                fail_msg("seed %llu machine %s: step %d differs", (unsigned long long)seed,
                         machine->name, i);
        }
        same(&tlb, &slow);
        assert_true(tlb.walks > 20 && tlb.page_flushes > 20);
        tlb_fini(&tlb);
        naive_tlb_free(&w);
    }
    fl_reader_free(pages.reader);
    free(pages.bytes);
}

static void pages_of_every_size_equal_the_twin(void **state)
{
    const char *only = getenv("FAULTLINE_SEED");
    (void)state;
    if (only) {
        one_seed(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= 30; seed++)
        one_seed(seed);
}

/* Two 4 KiB pages of one 2 MiB mapping, 4 levels.
 *   data, 2M held by D2 (1 entry):  read page 512: a walk of 3 references; read page 700: a hit
 *   fetches, no level for 2M:       fetch 512: held as 4K, a walk of 3; fetch 700: another
 *   its flush drops both kinds:     read 512 and fetch 700 walk again */
static void a_2m_mapping_is_one_entry_or_the_pieces_it_is_held_as(void **state)
{
    static const struct fl_machine m = { .name = "2M",
                                         .levels = 4,
                                         .asids = 2,
                                         .n_tlb = 3,
                                         .tlb = { { "I", FL_TLB_FETCH, 4, 4, P4K },
                                                  { "D", FL_TLB_DATA, 4, 4, P4K },
                                                  { "D2", FL_TLB_DATA, 1, 1, P2M } } };
    struct item_list list = { 0 };
    struct fl_reader *reader;
    struct fl_item item;
    struct fl_err err;
    struct tlb tlb;
    void *bytes;
    size_t len;
    (void)state;
    pages_trace((const uint32_t[]){ 512, 700 }, 2, &list);
    assert_int_equal(item_list_trace(&list, &bytes, &len, &err), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &reader, &err), FL_OK);
    do
        assert_int_equal(fl_reader_next(reader, &item, &err), FL_OK);
    while (item.kind != FL_ITEM_END);
    assert_int_equal(tlb_init(&tlb, &m, reader, &err), FL_OK);
    assert_int_equal(tlb_room(&tlb, 2, &err), FL_OK);
    tlb_switch(&tlb, fl_reader_page(reader, 0).mm);
    for (uint32_t page = 0; page < 2; page++)
        tlb_run(&tlb, page, FL_PAGE_2M, 0, 1, 1);
    assert_int_equal(tlb.level[2].lookups, 4);
    assert_int_equal(tlb.level[2].misses, 1);
    assert_int_equal(tlb.level[1].lookups, 0);
    assert_int_equal(tlb.walk_refs, 3);
    for (uint32_t page = 0; page < 2; page++)
        tlb_run(&tlb, page, FL_PAGE_2M, 1, 0, 0);
    assert_int_equal(tlb.level[0].misses, 2);
    assert_int_equal(tlb.walk_refs, 9);
    tlb_flush_page(&tlb, 0, FL_PAGE_2M);
    assert_int_equal(tlb.page_flushes, 1);
    tlb_run(&tlb, 0, FL_PAGE_2M, 0, 1, 0);
    tlb_run(&tlb, 1, FL_PAGE_2M, 1, 0, 0);
    assert_int_equal(tlb.walks, 5);
    tlb_fini(&tlb);
    fl_reader_free(reader);
    free(bytes);
    item_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_2m_mapping_is_one_entry_or_the_pieces_it_is_held_as),
        cmocka_unit_test(pages_of_every_size_equal_the_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
