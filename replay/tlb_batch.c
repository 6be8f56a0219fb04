/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many runs in the TLB, where each side has a first level of its own: first levels one after the
 * other, then what these missed, in order.
 *
 * Programs touch few pages again and again. A window of thousands of runs, of which digest.h has the
 * pages, takes few steps: sets do not know of each other, and in one that has all its pages of the
 * window only their order changes. What is left to look up are the runs of pages of other sets.
 */
#include "tlb.h"

/* ---- 64 runs at a time --------------------------------------------------------------------- */

#define STRETCH 64u
#define STRETCH_MIN 8u /* fewer are looked up faster one by one */

struct stretch {
    const uint32_t *page;
    uint64_t number[STRETCH]; /* by run: its page's */
    uint32_t n;
};

/* @k look-ups by each run, and @more. Returns the runs that missed. */
static uint64_t first_level(const struct stretch *t, struct tlb_level *first, const uint32_t *k,
                            const uint32_t *more)
{
    uint32_t latest = first->latest;
    uint64_t changes = 0, lookups = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        uint64_t all = (uint64_t)k[i] + (more ? more[i] : 0);
        bool any = all, other = t->page[i] != latest; /* else nothing is more recent */
        lookups += all;
        changes |= (uint64_t)(any & other) << i;
        latest = any ? t->page[i] : latest;
    }
    uint64_t missed = lru_sets_use_some(&first->sets, t->page, t->number, changes);
    first->latest = latest;
    first->lookups += lookups;
    first->misses += (uint32_t)__builtin_popcountll(missed);
    return missed;
}

/* One level behind the first: runs that @missed there, which had @lookups on all sides; of those for
   the same run all but the first find the page. */
static void second_level(struct tlb *tlb, struct tlb_level *second, const struct stretch *t,
                         uint64_t missed, uint32_t lookups)
{
    uint64_t again = lru_sets_use_some(&second->sets, t->page, t->number, missed);
    uint32_t misses = (uint32_t)__builtin_popcountll(again);
    second->latest = t->page[63 - __builtin_clzll(missed)];
    second->lookups += lookups;
    second->misses += misses;
    tlb->later_hits += lookups - misses;
    if (!tlb->walk_caches.n) { /* all walks are as long */
        tlb->walks += misses;
        tlb->walk_refs += (uint64_t)misses * tlb->walk_caches.levels;
        return;
    }
    for (; again; again &= again - 1)
        tlb_walk(tlb, tlb_table(tlb, t->page[__builtin_ctzll(again)]), FL_PAGE_4K);
}

/* @missed: by side. */
static void later_levels(struct tlb *tlb, const struct stretch *t, const uint64_t *missed)
{
    uint64_t runs = 0;
    uint32_t lookups = 0;
    for (int side = 0; side < TLB_SIDES; side++) {
        runs |= missed[side];
        lookups += (uint32_t)__builtin_popcountll(missed[side]);
    }
    if (tlb->one_second && runs) {
        second_level(tlb, tlb->one_second, t, runs, lookups);
        return;
    }
    for (; runs; runs &= runs - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(runs);
        for (int side = 0; side < TLB_SIDES; side++)
            if (missed[side] >> i & 1)
                tlb_missed_4k(tlb, &tlb->chain[side][FL_PAGE_4K], t->page[i], FL_PAGE_4K);
    }
}

static void stretches(struct tlb *tlb, const struct fl_runs *runs, size_t from, size_t to)
{
    bool split = tlb->split_data[FL_PAGE_4K];
    struct stretch t;
    for (; from < to; from += t.n) {
        const uint32_t *reads = runs->reads + from, *writes = runs->writes + from;
        uint64_t missed[TLB_SIDES] = { 0 };
        t.page = runs->page + from;
        t.n = to - from < STRETCH ? (uint32_t)(to - from) : STRETCH;
        for (uint32_t i = 0; i < t.n; i++) {
            tlb_prefetch(tlb, t.page[from + i + STRETCH < to ? i + STRETCH : i]);
            t.number[i] = tlb_vpn(tlb, t.page[i]);
        }
        if (runs->facts & FL_RUNS_FETCHES)
            missed[TLB_SIDE_FETCH] = first_level(
                &t, tlb->chain[TLB_SIDE_FETCH][FL_PAGE_4K].level[0], runs->fetches + from, NULL);
        missed[TLB_SIDE_LOAD] = first_level(&t, tlb->chain[TLB_SIDE_LOAD][FL_PAGE_4K].level[0],
                                            reads, split ? NULL : writes);
        if (split)
            missed[TLB_SIDE_STORE] =
                first_level(&t, tlb->chain[TLB_SIDE_STORE][FL_PAGE_4K].level[0], writes, NULL);
        later_levels(tlb, &t, missed);
    }
}

void tlb_batch(struct tlb *tlb, const struct fl_runs *runs, size_t from, size_t to)
{
    if (tlb->own_firsts && to - from >= STRETCH_MIN) {
        stretches(tlb, runs, from, to);
        return;
    }
    for (size_t last = runs->n - 1; from < to; from++) {
        tlb_prefetch(tlb, runs->page[from + TLB_AHEAD < last ? from + TLB_AHEAD : last]);
        tlb_run(tlb, runs->page[from], FL_PAGE_4K, runs->fetches[from], runs->reads[from],
                runs->writes[from]);
    }
}

/* ---- windows ------------------------------------------------------------------------------- */

#define WINDOW_RUNS_A_PAGE 4u /* fewer runs are looked up faster one by one */

/* A window on one side. */
struct side {
    struct tlb_level *first;
    uint8_t needs;
    uint64_t lookups;
    /* sets, in 16 classes: */
    uint32_t lacking; /* some page of the window */
    uint32_t full;    /* lacking, and perhaps without room for all of them */
};

/* A page's note: its class, and whether that is full. */
#define NOTE_FULL 1u
#define CLASSES 16u

typedef uint64_t window_runs[DIGEST_RUNS_MAX / 64]; /* a bit for each */

static inline uint32_t class_of(const struct side *s, uint64_t number)
{
    return lru_sets_set(&s->first->sets, number) % CLASSES;
}

/*
 * Where a set has room for all its pages of the window, none goes that was touched in it: the first
 * touch alone can miss. It is not known of a page that another side touches, too.
 */
static void find_lacking(struct side *s, const struct tlb *tlb, const struct digest *d)
{
    uint32_t pages[CLASSES] = { 0 };
    for (uint32_t i = 0; i < d->n; i++) {
        uint64_t number = tlb_vpn(tlb, d->page[i]);
        uint32_t class = class_of(s, number), need = digest_need(d, d->page[i]);
        if (!(need & s->needs))
            continue;
        bool full = ++pages[class] > s->first->sets.ways || need & ~s->needs;
        s->full |= (uint32_t)full << class;
        s->lacking |= (uint32_t)!lru_sets_has(&s->first->sets, d->page[i], number) << class;
    }
    s->full &= s->lacking;
}

/* The runs that may miss. */
static void find_runs(const struct side *s, const struct tlb *tlb, const struct digest *d,
                      uint64_t *runs)
{
    for (uint32_t i = 0; i < d->n; i++) {
        uint32_t class = class_of(s, tlb_vpn(tlb, d->page[i])), full = s->full >> class & 1;
        if (!(digest_need(d, d->page[i]) & s->needs))
            continue;
        digest_note(d, d->page[i], class * 2 + full * NOTE_FULL);
        if (!full && s->lacking >> class & 1)
            runs[d->first[i] / 64] |= UINT64_C(1) << d->first[i] % 64;
    }
    for (uint32_t w = 0; w * 64 < d->n_runs && s->full; w++) {
        const uint32_t *page = d->run_page + (size_t)w * 64;
        size_t n = d->n_runs - w * 64 < 64 ? d->n_runs - w * 64 : 64;
        uint64_t full = 0;
        for (size_t i = 0; i < n; i++)
            full = full >> 1 | (uint64_t)(digest_noted(d, page[i]) & NOTE_FULL) << 63;
        runs[w] |= full >> (64 - n);
    }
}

/* Up to 64 of the runs that may miss, @run, in order. */
static void use_runs(struct side *s, const struct tlb *tlb, const struct digest *d,
                     const uint16_t *run, uint32_t n, uint64_t *missed)
{
    uint32_t page[STRETCH];
    uint64_t number[STRETCH];
    for (uint32_t i = 0; i < n; i++) {
        page[i] = d->run_page[run[i]];
        number[i] = tlb_vpn(tlb, page[i]);
    }
    uint64_t all = UINT64_MAX >> (STRETCH - n);
    uint64_t bits = lru_sets_use_some(&s->first->sets, page, number, all);
    s->first->misses += (uint32_t)__builtin_popcountll(bits);
    for (; bits; bits &= bits - 1) {
        uint16_t r = run[__builtin_ctzll(bits)];
        missed[r / 64] |= UINT64_C(1) << r % 64;
    }
}

static void use_lacking(struct side *s, const struct tlb *tlb, const struct digest *d,
                        uint64_t *missed)
{
    uint32_t latest[CLASSES], n = 0; /* where that does not change, nothing does */
    uint16_t run[STRETCH];
    window_runs runs = { 0 };
    memset(latest, 0xff, sizeof latest);
    find_runs(s, tlb, d, runs);
    for (uint32_t w = 0; w * 64 < d->n_runs; w++)
        for (uint64_t bits = runs[w]; bits; bits &= bits - 1) {
            uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(bits), page = d->run_page[i];
            uint32_t *l = &latest[digest_noted(d, page) / 2];
            bool uses = d->need[i] & s->needs;
            run[n] = (uint16_t)i;
            n += uses & (page != *l);
            *l = uses ? page : *l;
            if (n == STRETCH) {
                use_runs(s, tlb, d, run, n, missed);
                n = 0;
            }
        }
    if (n)
        use_runs(s, tlb, d, run, n, missed);
}

/* Returns whether @missed, which is empty, may have any. */
static bool window_of_side(struct side *s, const struct tlb *tlb, const struct digest *d,
                           uint64_t *missed)
{
    uint32_t pages[DIGEST_RUNS_MAX], n = digest_pages_for(d, s->needs, pages);
    find_lacking(s, tlb, d);
    if (s->lacking)
        use_lacking(s, tlb, d, missed);
    for (uint32_t i = 0; i < n; i++) /* of the others only the order changes */
        if (!(digest_noted(d, pages[i]) & NOTE_FULL))
            lru_sets_use(&s->first->sets, pages[i], tlb_vpn(tlb, pages[i]));
    for (uint32_t i = 0; i < d->n && s->lacking; i++)
        digest_note(d, d->page[i], 0);
    s->first->lookups += s->lookups;
    if (n)
        s->first->latest = pages[n - 1];
    return s->lacking;
}

static void missed_of_window(struct tlb *tlb, const struct digest *d, window_runs missed[TLB_SIDES])
{
    for (uint32_t w = 0; w * 64 < d->n_runs; w++)
        for (uint64_t bits = missed[0][w] | missed[1][w] | missed[2][w]; bits; bits &= bits - 1) {
            uint32_t bit = (uint32_t)__builtin_ctzll(bits);
            for (int side = 0; side < TLB_SIDES; side++)
                if (missed[side][w] >> bit & 1)
                    tlb_missed_4k(tlb, &tlb->chain[side][FL_PAGE_4K], d->run_page[w * 64 + bit],
                                  FL_PAGE_4K);
        }
}

void tlb_window(struct tlb *tlb, const struct fl_runs *runs, const struct digest *d)
{
    bool split = tlb->split_data[FL_PAGE_4K], any = false;
    const uint8_t needs[TLB_SIDES] = { [TLB_SIDE_FETCH] = FL_PROT_EXEC,
                                       [TLB_SIDE_LOAD] = FL_PROT_READ | (split ? 0 : FL_PROT_WRITE),
                                       [TLB_SIDE_STORE] = FL_PROT_WRITE };
    const uint64_t lookups[TLB_SIDES] = { [TLB_SIDE_FETCH] = d->fetches,
                                          [TLB_SIDE_LOAD] = d->reads + (split ? 0 : d->writes),
                                          [TLB_SIDE_STORE] = d->writes };
    window_runs missed[TLB_SIDES] = { 0 };
    if (!tlb->own_firsts || runs->n < (size_t)d->n * WINDOW_RUNS_A_PAGE) {
        tlb_batch(tlb, runs, 0, runs->n);
        return;
    }
    for (int side = 0; side < TLB_SIDES - !split; side++) {
        struct side s = { .first = tlb->chain[side][FL_PAGE_4K].level[0],
                          .needs = needs[side],
                          .lookups = lookups[side] };
        any |= window_of_side(&s, tlb, d, missed[side]);
    }
    if (any)
        missed_of_window(tlb, d, missed);
}
