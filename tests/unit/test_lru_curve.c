/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stack of slots against one that is moved about in an array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lru_curve.h"
#include "slot_ranks.h"

#define HOLE UINT32_MAX
#define CONTENTS 300u
#define BATCHES 6000u /* so that slots are renumbered several times */

static uint32_t rng;

static uint32_t random_below(uint32_t n)
{
    rng = rng * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)rng * n >> 32);
}

/* The latest first. */
struct stack {
    uint32_t at[2 * CONTENTS], n;
};

static uint32_t find(const struct stack *s, uint32_t c)
{
    uint32_t i = 0;
    while (i < s->n && s->at[i] != c)
        i++;
    return i;
}

static void cut(struct stack *s, uint32_t at)
{
    memmove(s->at + at, s->at + at + 1, (--s->n - at) * sizeof *s->at);
}

/* Returns the depth, 0 if @c is new. */
static uint32_t refer(struct stack *s, uint32_t c)
{
    uint32_t at = find(s, c), hole = find(s, HOLE);
    uint32_t depth = at < s->n ? at + 1 : 0;
    if (hole < at) {
        if (depth)
            s->at[at] = HOLE;
        cut(s, hole);
    } else if (depth) {
        cut(s, at);
    }
    memmove(s->at + 1, s->at, s->n++ * sizeof *s->at);
    s->at[0] = c;
    return depth;
}

static void batch(struct lru_curve *curve, struct stack *s, uint64_t *deeper)
{
    static const uint8_t kind[CONTENTS];
    uint32_t contents[700], distance[700], n = 1 + random_below(700), most = 1 + random_below(300);
    for (uint32_t i = 0; i < n; i++)
        contents[i] = random_below(random_below(3) ? most : CONTENTS);
    const struct curve_refs refs = { n, contents, NULL, kind };
    assert_int_equal(lru_curve_refs(curve, &refs, distance, NULL), FL_OK);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t depth = refer(s, contents[i]);
        assert_int_equal(distance[i], depth);
        for (uint32_t frames = 0; frames < depth; frames++)
            deeper[frames]++;
    }
}

static void depths_are_those_of_a_stack_with_holes(void **state)
{
    struct stack s = { .n = 0 };
    uint64_t deeper[2 * CONTENTS] = { 0 };
    struct lru_curve *curve;
    (void)state;
    rng = 1;
    assert_int_equal(lru_curve_new(&curve, NULL), FL_OK);
    for (int i = 0; i < (int)BATCHES / 60; i++) {
        for (uint32_t gone = i % 3 ? random_below(100) : 0; gone; gone--) {
            uint32_t c = random_below(CONTENTS), at = find(&s, c);
            if (at < s.n)
                s.at[at] = HOLE;
            assert_int_equal(lru_curve_gone(curve, c, NULL), FL_OK);
        }
        for (int k = 0; k < 60; k++)
            batch(curve, &s, deeper);
    }
    assert_int_equal(lru_curve_end(curve, NULL), FL_OK);
    for (uint32_t frames = 0; frames < 2 * CONTENTS; frames++) {
        struct curve_point p = lru_curve_at(curve, frames);
        assert_int_equal(p.major, deeper[frames]);
        assert_int_equal(p.swap_in, deeper[frames]);
        assert_int_equal(p.swap_out + p.file_read + p.file_written, 0);
    }
    lru_curve_free(curve);
}

static void a_stretch_told_by_its_ends_leaves_the_stack_it_leaves(void **state)
{
    static const uint8_t kind[CONTENTS];
    struct lru_curve *all, *ends;
    (void)state;
    rng = 2;
    assert_int_equal(lru_curve_new(&all, NULL), FL_OK);
    assert_int_equal(lru_curve_new(&ends, NULL), FL_OK);
    for (int i = 0; i < 4000; i++) {
        uint32_t seq[64], d[64], first[16], last[16], n_first = 0, n_last = 0, base;
        base = random_below(CONTENTS - 16);
        for (uint32_t k = 0; k < 64; k++)
            seq[k] = base + random_below(16);
        for (uint32_t k = 0; k < 64; k++) {
            uint32_t j = 0;
            while (j < n_first && first[j] != seq[k])
                j++;
            if (j == n_first)
                first[n_first++] = seq[k];
        }
        for (uint32_t k = 0; k < 64; k++) {
            uint32_t j = k + 1;
            while (j < 64 && seq[j] != seq[k])
                j++;
            if (j == 64)
                last[n_last++] = seq[k];
        }
        const struct curve_refs refs = { 64, seq, NULL, kind },
                                few = { n_first, first, NULL, kind };
        assert_int_equal(lru_curve_refs(all, &refs, d, NULL), FL_OK);
        assert_int_equal(lru_curve_refs(ends, &few, d, NULL), FL_OK);
        lru_curve_reorder(ends, last, n_last);
    }
    assert_int_equal(lru_curve_end(all, NULL), FL_OK);
    assert_int_equal(lru_curve_end(ends, NULL), FL_OK);
    for (uint32_t frames = 16; frames <= CONTENTS; frames++)
        assert_int_equal(lru_curve_at(all, frames).major, lru_curve_at(ends, frames).major);
    assert_true(lru_curve_at(all, 16).major > 1000);
    lru_curve_free(all);
    lru_curve_free(ends);
}

/* Several chunks, in which every level of the sums counts. */
static void ranks_are_counts_of_what_is_left(void **state)
{
    struct slot_ranks r = { 0 };
    uint32_t slots = 3500000, n;
    (void)state;
    rng = 3;
    assert_true(slot_ranks_fill(&r, 1000) && r.slots >= 1000);
    assert_true(slot_ranks_fill(&r, slots) && r.slots >= slots);
    uint8_t *out = calloc(slots, 1);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 200000; i++) {
            uint32_t slot = random_below(slots);
            if (!out[slot])
                slot_ranks_take(&r, slot);
            out[slot] = 1;
        }
        n = 0;
        for (uint32_t slot = 0; slot < slots; slot++) {
            if (slot_ranks_before(&r, slot) != n)
                fail_msg("slot %u: %u before it, not %u", slot, slot_ranks_before(&r, slot), n);
            n += !out[slot];
        }
    }
    assert_true(slot_ranks_fill(&r, 100));
    assert_int_equal(slot_ranks_before(&r, 99), 99);
    free(out);
    slot_ranks_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depths_are_those_of_a_stack_with_holes),
        cmocka_unit_test(a_stretch_told_by_its_ends_leaves_the_stack_it_leaves),
        cmocka_unit_test(ranks_are_counts_of_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
