/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a block under construction codes, against lists that are moved about one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blockenc.h"

#define RUNS 20000u
#define THREADS 3u
#define PAGES 300u

struct list {
    uint32_t n, id[FL_RECENCY_DEPTH];
};

struct model {
    struct list lists[THREADS];
    uint32_t dict[PAGES], dict_n, fars[RUNS], n_fars, n;
    uint8_t codes[RUNS];
};

static uint32_t next_random(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*seed >> 33) % below);
}

static void model_run(struct model *m, uint32_t thread, uint32_t id)
{
    struct list *l = &m->lists[thread];
    uint32_t at = 0, entry = 0;
    while (at < l->n && l->id[at] != id)
        at++;
    m->codes[m->n] = (uint8_t)at;
    if (at == l->n) {
        while (entry < m->dict_n && m->dict[entry] != id)
            entry++;
        m->codes[m->n] = FL_RECENCY_DEPTH + (entry < m->dict_n);
        if (entry < m->dict_n)
            m->fars[m->n_fars++] = entry;
        else
            m->dict[m->dict_n++] = id;
        at = l->n < FL_RECENCY_DEPTH ? l->n++ : FL_RECENCY_DEPTH - 1;
    }
    memmove(l->id + 1, l->id, at * sizeof *l->id);
    l->id[0] = id;
    m->n++;
}

/* Runs of several threads on the same pages; @local: how often on the few that are used most. */
static void block_of(struct fl_blockenc *b, struct model *m, uint64_t seed, uint32_t local)
{
    struct fl_err err;
    while (m->n < RUNS) {
        struct fl_page_run runs[500];
        uint32_t n = 1 + next_random(&seed, 500), thread = next_random(&seed, THREADS);
        n = n < RUNS - m->n ? n : RUNS - m->n;
        assert_int_equal(fl_blockenc_segment(b, thread, FL_ACTOR_USER, 0, &err), FL_OK);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t below = next_random(&seed, 100) < local ? 50 : PAGES;
            uint32_t id = fl_blockenc_page(b, 0, next_random(&seed, below));
            runs[i] = (struct fl_page_run){ .counts = 1, .page = id, .code = FL_NO_CODE };
            model_run(m, thread, id);
        }
        fl_blockenc_pages(b, runs, n);
    }
}

static void places_are_those_of_lists_moved_one_by_one(bool compares, bool wide)
{
    static const uint32_t locals[] = { 100, 97, 50, 97 };
    struct fl_err err;
    struct fl_blockenc b;
    struct model *m = malloc(sizeof *m);
    assert_non_null(m);
    assert_int_equal(fl_blockenc_init(&b, RUNS, &err), FL_OK);
    b.compares &= compares;
    b.wide &= wide;
    for (uint32_t k = 0; k < 4; k++) {
        memset(m, 0, sizeof *m);
        if (k == 3)
            b.next_tag = UINT32_MAX / 2 + 1; /* tags begin again behind this block */
        block_of(&b, m, k, locals[k]);
        assert_int_equal(b.dict_n, m->dict_n);
        assert_memory_equal(b.dict, m->dict, m->dict_n * sizeof *m->dict);
        assert_memory_equal(b.codes, m->codes, RUNS);
        assert_int_equal(b.fars, m->n_fars);
        assert_memory_equal(b.indexes, m->fars, m->n_fars * sizeof *m->fars);
        b.hits = b.probed; /* the next block has lists, too */
        fl_blockenc_next(&b);
    }
    assert_int_equal(b.first_tag, FL_RECENCY_DEPTH);
    memset(m, 0, sizeof *m);
    block_of(&b, m, 9, 90);
    assert_memory_equal(b.codes, m->codes, RUNS);
    fl_blockenc_free(&b);
    free(m);
}

static void as_this_processor_does_it(void **state)
{
    (void)state;
    places_are_those_of_lists_moved_one_by_one(true, true);
}

static void as_one_with_shorter_registers_does_it(void **state)
{
    (void)state;
    places_are_those_of_lists_moved_one_by_one(true, false);
}

static void as_any_processor_does_it(void **state)
{
    (void)state;
    places_are_those_of_lists_moved_one_by_one(false, false);
}

#define SHAPED 3000u

/* Counts of a run: of 26 shapes, some 200, or these and large ones, each a shape of its own. */
static uint64_t some_counts(uint64_t *seed, uint32_t block)
{
    uint32_t kind = block < 2 ? 0 : next_random(seed, 100);
    uint32_t below = block == 0 ? 3 : kind < 90 ? 6 : kind < 97 ? 70 : 1u << 20;
    uint64_t r = next_random(seed, below), w = next_random(seed, below),
             f = next_random(seed, below);
    return (r | w | f ? r : 1) | w << FL_COUNT_BITS | f << 2 * FL_COUNT_BITS;
}

static void shapes_are_the_counts_of_their_runs(void **state)
{
    static struct fl_page_run runs[SHAPED];
    struct fl_blockenc b[2];
    struct fl_err err;
    uint64_t seed = 5;
    (void)state;
    for (int k = 0; k < 2; k++)
        assert_int_equal(fl_blockenc_init(&b[k], SHAPED, &err), FL_OK);
    b[1].wide = false;
    for (uint32_t block = 0; block < 3; block++) {
        uint32_t uses[2] = { 0 };
        for (int k = 0; k < 2; k++)
            assert_int_equal(fl_blockenc_segment(&b[k], 0, FL_ACTOR_USER, 0, &err), FL_OK);
        for (uint32_t at = 0, n = 0; at < SHAPED; at += n) {
            struct fl_shape sum[2] = { { 0 } }, want = { 0 };
            n = 1 + next_random(&seed, 90);
            n = n < SHAPED - at ? n : SHAPED - at;
            for (uint32_t i = at; i < at + n; i++) {
                uint64_t c = runs[i].counts = some_counts(&seed, block);
                uint64_t vpn = next_random(&seed, 60);
                for (int k = 0; k < 2; k++)
                    runs[i].page = fl_blockenc_page(&b[k], 0, vpn);
                want.reads += FL_COUNT_READS(c);
                want.writes += FL_COUNT_WRITES(c);
                want.fetches += FL_COUNT_FETCHES(c);
            }
            for (int k = 0; k < 2; k++) {
                fl_blockenc_pages(&b[k], runs + at, n);
                assert_int_equal(fl_blockenc_shapes(&b[k], runs + at, n, &sum[k], &err), FL_OK);
                assert_memory_equal(&sum[k], &want, sizeof want);
            }
        }
        for (int k = 0; k < 2; k++) {
            fl_blockenc_count_shapes(&b[k], 1);
            assert_memory_equal(b[k].shape_ids, b[0].shape_ids, SHAPED * sizeof *b[0].shape_ids);
            assert_int_equal(b[k].shapes_n, b[0].shapes_n);
            for (uint32_t i = 0; i < b[k].shapes_n; i++)
                uses[k] += b[k].shapes[i].uses;
            assert_int_equal(uses[k], SHAPED);
        }
        for (uint32_t i = 0; i < SHAPED; i++) {
            const struct fl_shape *s = &b[0].shapes[b[0].shape_ids[i]];
            assert_int_equal(s->reads, FL_COUNT_READS(runs[i].counts));
            assert_int_equal(s->writes, FL_COUNT_WRITES(runs[i].counts));
            assert_int_equal(s->fetches, FL_COUNT_FETCHES(runs[i].counts));
        }
        for (int k = 0; k < 2; k++) {
            assert_int_equal(fl_blockenc_finish(&b[k], &err), FL_OK);
            assert_int_equal(b[k].flags, FL_BLOCKF_PAIRS);
            assert_int_equal(b[k].raw.len, b[0].raw.len);
            assert_memory_equal(b[k].raw.data, b[0].raw.data, b[0].raw.len);
        }
        for (int k = 0; k < 2; k++)
            fl_blockenc_next(&b[k]);
    }
    struct fl_shape sum = { 0 };
    runs[3].counts = 0;
    for (int k = 0; k < 2; k++) {
        b[k].runs = 8;
        assert_int_equal(fl_blockenc_shapes(&b[k], runs, 8, &sum, &err), FL_EUSAGE);
        fl_blockenc_free(&b[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_this_processor_does_it),
        cmocka_unit_test(as_one_with_shorter_registers_does_it),
        cmocka_unit_test(as_any_processor_does_it),
        cmocka_unit_test(shapes_are_the_counts_of_their_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
