/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The paging stage in batches against the rules of docs/model.md, section 2, page by page in the
   plainest way: small memories, so that rings go round, are made larger and numbered anew, and
   opt's heap is made anew, thousands of times. FAULTLINE_SEED=N: that seed alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/units.h>

#include "paging.h"
#include "random_trace.h"

#define PAGES 700u
#define REFS 20000u

static const char *const policies[] = { "fifo", "lru", "clock", "random", "opt" };

/* ---- the twin ----------------------------------------------------------------------------- */

struct page {
    bool resident, was_evicted, dirty, has_slot, referenced;
    uint32_t frame;
    uint64_t inserted, touched, next_use;
};

struct twin {
    const char *policy;
    uint32_t frames, begun, hand;
    uint64_t swap, slots, peak, now, lots;
    struct page page[PAGES];
    uint32_t in[PAGES]; /* by frame */
    uint32_t free[PAGES], n_free;
    uint64_t evictions, in_pages, out_pages, read, written;
};

static uint32_t clock_goes(struct twin *t)
{
    for (;;) {
        struct page *p = &t->page[t->in[t->hand]];
        uint32_t frame = t->hand;
        t->hand = (t->hand + 1) % t->frames;
        if (!p->referenced)
            return frame;
        p->referenced = false;
    }
}

static uint32_t random_goes(struct twin *t)
{
    uint64_t z = t->lots += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) % t->frames);
}

static uint32_t goes(struct twin *t)
{
    uint32_t best = 0;
    if (!strcmp(t->policy, "clock"))
        return clock_goes(t);
    if (!strcmp(t->policy, "random"))
        return random_goes(t);
    for (uint32_t f = 1; f < t->frames; f++) {
        const struct page *p = &t->page[t->in[f]], *b = &t->page[t->in[best]];
        if (!strcmp(t->policy, "lru")    ? p->touched < b->touched
            : !strcmp(t->policy, "fifo") ? p->inserted < b->inserted
                                         : p->next_use > b->next_use)
            best = f;
    }
    return best;
}

/* false: no slot */
static bool evict(struct twin *t, uint32_t c, bool file)
{
    struct page *p = &t->page[c];
    if (!file && !p->has_slot) {
        if (t->slots == t->swap)
            return false;
        p->has_slot = true;
        if (++t->slots > t->peak)
            t->peak = t->slots;
    }
    *(file ? &t->written : &t->out_pages) += p->dirty;
    p->dirty = p->resident = false;
    p->was_evicted = true;
    t->evictions++;
    t->free[t->n_free++] = p->frame;
    return true;
}

/* One reference; what is told of it into @told, if anything. false: no slot. */
static bool reference(struct twin *t, uint32_t c, uint8_t info, uint64_t next_use,
                      const uint8_t *kind, struct paging_fault *told)
{
    struct page *p = &t->page[c];
    *told = (struct paging_fault){ .evicted = NO_CONTENTS, .cause = (uint16_t)ref_cause(info) };
    if (!p->resident) {
        if (t->begun == t->frames && !t->n_free) {
            uint32_t victim = t->in[goes(t)];
            if (!evict(t, victim, kind[victim] == CONTENTS_FILE))
                return false;
            told->evicted = victim;
        }
        p->frame = t->begun < t->frames ? t->begun++ : t->free[--t->n_free];
        t->in[p->frame] = c;
        if (p->was_evicted) {
            bool file = kind[c] == CONTENTS_FILE;
            told->cause = file ? FL_CAUSE_FILE_READ : FL_CAUSE_SWAP_IN;
            ++*(file ? &t->read : &t->in_pages);
        }
        p->resident = true;
        p->inserted = t->now;
    }
    p->touched = t->now++;
    p->next_use = next_use;
    p->referenced = true;
    if (info & REF_WRITE) {
        t->slots -= p->has_slot;
        p->has_slot = false;
        p->dirty = true;
    }
    return true;
}

static void forget(struct twin *t, uint32_t c)
{
    struct page *p = &t->page[c];
    if (p->resident)
        t->free[t->n_free++] = p->frame;
    t->slots -= p->has_slot;
    *p = (struct page){ 0 };
}

/* ---- both ---------------------------------------------------------------------------------- */

struct stream {
    uint32_t contents[REFS];
    uint8_t info[REFS];
    uint64_t next_use[REFS];
    uint8_t kind[PAGES];
};

/* Now a few pages again and again, now any. */
static void make_stream(struct stream *s, uint64_t *rng)
{
    bool causes = random_below(rng, 2); /* without, batches need not be page by page */
    uint64_t next[PAGES];
    uint32_t few = 1, base = 0;
    for (uint32_t c = 0; c < PAGES; c++) {
        s->kind[c] = (uint8_t)random_below(rng, 3);
        next[c] = FL_NEVER_USED;
    }
    for (uint32_t i = 0; i < REFS; i++) {
        if (!random_below(rng, 300)) {
            few = 1 + (uint32_t)random_below(rng, random_below(rng, 2) ? 20 : PAGES);
            base = (uint32_t)random_below(rng, PAGES);
        }
        s->contents[i] = (base + (uint32_t)random_below(rng, few)) % PAGES;
        s->info[i] = !random_below(rng, 4);
        if (causes && !random_below(rng, 50))
            s->info[i] |= (uint8_t)(FL_CAUSE_COW << REF_CAUSE_SHIFT);
    }
    for (uint32_t i = REFS; i-- > 0;) {
        uint64_t use = next[s->contents[i]];
        s->next_use[i] = use == FL_NEVER_USED ? FL_NEVER_USED - i : use; /* the oldest goes first */
        next[s->contents[i]] = i;
    }
}

static bool same_counts(const struct paging_counts *n, const struct twin *t)
{
    return n->evictions == t->evictions && n->pages_in == t->in_pages &&
           n->pages_out == t->out_pages && n->file_pages_read == t->read &&
           n->file_pages_written == t->written && n->slots == t->slots &&
           n->slots_peak == t->peak && n->resident == t->begun - t->n_free;
}

/* Batch [at, at + n) of the stream through both. Returns how many references were done. */
static uint32_t both(struct paging *p, struct twin *t, const struct stream *s, uint32_t at,
                     uint32_t n, uint64_t seed)
{
    const struct paging_refs refs = { .n = n,
                                      .contents = s->contents + at,
                                      .info = s->info + at,
                                      .next_use = s->next_use + at,
                                      .kind = s->kind };
    uint32_t done, i, told = 0;
    struct fl_err err;
    assert_int_equal(paging_batch(p, &refs, &done, &err), FL_OK);
    for (i = 0; i < n; i++) {
        struct paging_fault want;
        bool had = t->page[s->contents[at + i]].resident;
        if (!reference(t, s->contents[at + i], s->info[at + i], s->next_use[at + i], s->kind,
                       &want))
            break;
        if (had && want.cause == FL_CAUSE_NONE)
            continue;
        const struct paging_fault *got = &p->faulted[told++];
        if (told > p->n_faulted || (p->tells && (got->ref != i || got->evicted != want.evicted ||
                                                 got->cause != want.cause)))
            fail_msg("seed %ju %s %u frames, reference %u: %d went, the twin says %d",
                     (uintmax_t)seed, t->policy, t->frames, at + i, (int)got->evicted,
                     (int)want.evicted);
    }
    if (done != i || told != p->n_faulted || !same_counts(&p->counts, t))
        fail_msg("seed %ju %s %u frames: other counts by reference %u", (uintmax_t)seed, t->policy,
                 t->frames, at + i);
    assert_true(p->ops->paging->check(p));
    return done;
}

static void one_policy(const struct stream *s, const char *policy, uint64_t seed, uint64_t *rng)
{
    struct twin *t = calloc(1, sizeof *t);
    struct paging *p = calloc(1, sizeof *p);
    struct fl_err err;
    assert_non_null(t);
    assert_non_null(p);
    t->policy = policy;
    t->frames = 1 + (uint32_t)random_below(rng, random_below(rng, 2) ? 12 : PAGES - 50);
    t->swap = random_below(rng, 2) ? UINT64_MAX : random_below(rng, PAGES);
    t->lots = seed;
    assert_int_equal(paging_init(p, fl_policy_find(policy), t->frames, t->swap, seed, &err), FL_OK);
    assert_int_equal(paging_room(p, PAGES, &err), FL_OK);
    p->tells = random_below(rng, 4);
    if (random_below(rng, 2)) /* the numbers of places are soon used up; others ignore it */
        p->places_end = 6000;
    for (uint32_t at = 0; at < REFS;) {
        uint32_t n = 1 + (uint32_t)random_below(rng, random_below(rng, 2) ? 4 : PAGING_BATCH);
        n = n < REFS - at ? n : REFS - at;
        uint32_t done = both(p, t, s, at, n, seed);
        for (uint32_t k = done < n ? 40 : (uint32_t)random_below(rng, 3); k > 0; k--) {
            uint32_t c = (uint32_t)random_below(rng, PAGES);
            assert_int_equal(paging_is_resident(p, c), t->page[c].resident);
            paging_forget(p, c);
            forget(t, c);
        }
        assert_true(p->ops->paging->check(p));
        at += done;
    }
    paging_fini(p);
    free(p);
    free(t);
}

static void batches_equal_the_rules_page_by_page(void **state)
{
    const char *only = getenv("FAULTLINE_SEED");
    struct stream *s = calloc(1, sizeof *s);
    (void)state;
    assert_non_null(s);
    for (uint64_t seed = only ? strtoull(only, NULL, 10) : 1; seed <= (only ? UINT64_MAX : 60);
         seed++) {
        uint64_t rng = seed * 131 + 7;
        make_stream(s, &rng);
        for (size_t i = 0; i < FL_COUNT(policies); i++)
            one_policy(s, policies[i], seed, &rng);
        if (only)
            break;
    }
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(batches_equal_the_rules_page_by_page) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
