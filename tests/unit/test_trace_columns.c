/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What decoding is fast by, against the obvious: bit columns, recency lists, the facts of batches.
 * And the two codings of blocks without recency, and the list of reduced ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "blockdec.h"
#include "reduce.h"

static uint64_t seed;

static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed * UINT64_C(0x2545f4914f6cdd1d) >> 32) % n);
}

/* ---- bit columns ---- */

static const size_t lengths[] = { 1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 513, 5000 };

/* docs/trace-format.md, "bit column", number by number. */
static void put_slowly(uint8_t *out, const uint32_t *v, size_t n, unsigned bits)
{
    size_t planes = (size_t)(bits / 8) * n;
    memset(out, 0, (size_t)fl_bits_bytes(n, bits));
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < bits / 8; k++)
            out[k * n + i] = (uint8_t)(v[i] >> (8 * k));
        for (unsigned k = 0; k < bits % 8; k++)
            if (v[i] >> (bits / 8 * 8 + k) & 1)
                out[planes + k * ((n + 7) / 8) + i / 8] |= (uint8_t)(1u << i % 8);
    }
}

static void one_bit_column(size_t n, unsigned bits)
{
    uint32_t *v = calloc(n, sizeof *v), *got = calloc(n, sizeof *got);
    uint8_t *small = calloc(n, 1), *room = malloc(n + 16);
    size_t bytes = (size_t)fl_bits_bytes(n, bits);
    uint8_t *want = malloc(bytes + 1), *out = malloc(bytes + 1);
    for (size_t i = 0; i < n; i++) {
        v[i] = bits ? (below(UINT32_MAX) << 1 | below(2)) >> (32 - bits) : 0;
        small[i] = (uint8_t)v[i];
    }
    put_slowly(want, v, n, bits);
    out[bytes] = 0xa5;
    fl_bits_put_u32(out, v, n, bits);
    assert_memory_equal(out, want, bytes);
    if (bits <= 8) {
        memset(out, 0xff, bytes);
        fl_bits_put_u8(out, small, n, bits);
        assert_memory_equal(out, want, bytes);
    }
    assert_int_equal(out[bytes], 0xa5);
    for (int k = 0; k < 20; k++) {
        size_t from = k ? below((uint32_t)n) : 0, count = k ? 1 + below((uint32_t)(n - from)) : n;
        fl_bits_get_u32(got, room, out, n, bits, from, count);
        assert_memory_equal(got, v + from, count * sizeof *v);
        if (bits <= 8)
            assert_memory_equal(fl_bits_get_u8(room, out, n, bits, from, count), small + from,
                                count);
    }
    free(v);
    free(got);
    free(small);
    free(room);
    free(want);
    free(out);
}

static void bit_columns_are_what_the_format_says(void **state)
{
    (void)state;
    seed = 7;
    for (unsigned bits = 0; bits <= 32; bits++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
            one_bit_column(lengths[k], bits);
}

/* ---- recency lists ---- */

enum { CODES = 30000 };

struct slow_list {
    uint32_t id[FL_RECENCY_MAX], n;
};

static void slow_front(struct slow_list *l, uint32_t at, uint32_t id)
{
    for (; at > 0; at--)
        l->id[at] = l->id[at - 1];
    l->id[0] = id;
}

/* A random block of that depth: its codes and far references, and the pages they stand for. */
static void draw_codes(uint32_t depth, uint8_t *codes, uint8_t *fars, uint32_t *n_fars,
                       uint32_t *n_dict, uint32_t *want)
{
    struct slow_list l = { .n = 0 };
    *n_fars = *n_dict = 0;
    for (uint32_t i = 0; i < CODES; i++) {
        uint32_t kind = below(100), code = below(1 + below(depth)), id;
        if (kind < 96 && code < l.n) {
            id = l.id[code];
            slow_front(&l, code, id);
        } else {
            bool fresh = *n_dict == 0 || (kind % 2 && *n_dict < 250);
            code = depth + !fresh;
            id = fresh ? (*n_dict)++ : below(*n_dict);
            if (!fresh)
                fars[(*n_fars)++] = (uint8_t)id;
            l.n += l.n < depth;
            slow_front(&l, l.n - 1, id);
        }
        codes[i] = (uint8_t)code;
        want[i] = 1000 + id;
    }
}

static void one_depth(uint32_t depth, uint32_t longest)
{
    static uint8_t codes[CODES], fars[CODES];
    static uint32_t want[CODES], dict[256];
    struct fl_blockdec *d = calloc(1, sizeof *d);
    uint32_t *lists = calloc(depth, sizeof *lists);
    uint16_t len = 0;
    for (uint32_t i = 0; i < 256; i++)
        dict[i] = 1000 + i;
    draw_codes(depth, codes, fars, &d->fars, &d->dict_n, want);
    d->depth = depth;
    d->runs = CODES;
    d->codes = codes;
    d->index_planes = fars;
    d->index_width = 1;
    d->dict = dict;
    d->lists = lists;
    d->list_len = &len;
    for (uint32_t n; d->run_at < CODES; d->run_at += n) {
        n = 1 + below(longest);
        n = n < CODES - d->run_at ? n : CODES - d->run_at;
        d->batch_codes = codes + d->run_at;
        assert_true(fl_recency_pages(d, 0, n));
        assert_memory_equal(d->batch.page, want + d->run_at, n * sizeof *want);
        uint32_t outside = 0;
        for (uint32_t i = 0; i < n; i++)
            if (codes[d->run_at + i] >= depth)
                assert_int_equal(d->outside[outside++], i);
        assert_int_equal(d->outside_n, outside);
    }
    assert_int_equal(d->far_at, d->fars);
    assert_int_equal(d->dict_next, d->dict_n);
    free(lists);
    free(d);
}

static void recency_lists_of_any_depth_name_the_right_pages(void **state)
{
    static const uint32_t depths[] = { 1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 240 };
    (void)state;
    seed = 11;
    for (size_t k = 0; k < sizeof depths / sizeof *depths; k++) {
        one_depth(depths[k], 4096);
        one_depth(depths[k], 150);
        one_depth(depths[k], 10);
    }
}

/* ---- whole traces ---- */

struct wanted {
    uint64_t vpn;
    uint32_t r, w, f;
};

static struct fl_err err;

static void begin(struct fl_writer **w, uint32_t block_runs)
{
    const struct fl_writer_opts opts = { .block_runs = block_runs };
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD };
    ev.process.pid = 1;
    ev.process.copied_mm = FL_NO_MM;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, &opts, w, &err), FL_OK);
    assert_int_equal(fl_writer_event(*w, &ev, &err), FL_OK);
    ev = (struct fl_event){ .kind = FL_EV_THREAD, .thread = 0 };
    ev.thread_start.pid = ev.thread_start.tid = 1;
    assert_int_equal(fl_writer_event(*w, &ev, &err), FL_OK);
}

static void put(struct fl_writer *w, const struct wanted *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(
            fl_writer_run(w, 0, FL_ACTOR_USER, 0, x[i].vpn, x[i].r, x[i].w, x[i].f, &err), FL_OK);
}

static unsigned slow_facts(const struct fl_runs *runs)
{
    unsigned facts = 0;
    for (size_t i = 0; i < runs->n; i++) {
        facts |= (uint64_t)runs->reads[i] + runs->writes[i] + runs->fetches[i] > 1 ? FL_RUNS_LONG
                                                                                   : 0u;
        facts |= runs->writes[i] ? FL_RUNS_WRITES : 0u;
        facts |= runs->fetches[i] ? FL_RUNS_FETCHES : 0u;
    }
    return facts;
}

/* Twice, for a rewound reader has seen the pages already. */
static void reads_back(const void *bytes, size_t len, const struct wanted *x, size_t n)
{
    struct fl_reader *r;
    struct fl_item item;
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
    for (int pass = 0; pass < 2; pass++) {
        size_t at = 0;
        assert_int_equal(fl_reader_rewind(r, &err), FL_OK);
        do {
            assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
            if (item.kind != FL_ITEM_RUNS)
                continue;
            assert_true(at + item.runs.n <= n);
            assert_int_equal(item.runs.facts, slow_facts(&item.runs));
            for (size_t i = 0; i < item.runs.n; i++, at++) {
                assert_int_equal(fl_reader_page(r, item.runs.page[i]).vpn, x[at].vpn);
                assert_int_equal(item.runs.reads[i], x[at].r);
                assert_int_equal(item.runs.writes[i], x[at].w);
                assert_int_equal(item.runs.fetches[i], x[at].f);
            }
        } while (item.kind != FL_ITEM_END);
        assert_int_equal(at, n);
    }
    fl_reader_free(r);
}

/* STREAM blocks of a file whose flags are these. */
static unsigned blocks_with(const uint8_t *file, size_t len, unsigned flags)
{
    unsigned n = 0;
    for (size_t at = (size_t)fl_get_le(file + 12, 4); at < len;
         at += FL_ENVELOPE_BYTES + (size_t)fl_get_le(file + at + 16, 4))
        n += file[at + 4] == FL_BLOCK_STREAM && fl_get_le(file + at + 6, 2) == flags;
    return n;
}

enum { RUNS = 60000, BLOCK = 10007 };

static void written_and_read(struct wanted *x, unsigned with_ids, unsigned with_pairs,
                             unsigned without)
{
    struct fl_writer *w;
    void *bytes;
    size_t len;
    for (size_t i = 1; i < RUNS; i++)
        x[i].vpn += x[i].vpn == x[i - 1].vpn; /* or it would be merged */
    begin(&w, BLOCK);
    put(w, x, RUNS);
    assert_int_equal(fl_writer_close(w, &bytes, &len, &err), FL_OK);
    assert_int_equal(blocks_with(bytes, len, FL_BLOCKF_IDS), with_ids);
    assert_int_equal(blocks_with(bytes, len, FL_BLOCKF_PAIRS), with_pairs);
    assert_int_equal(blocks_with(bytes, len, 0), without);
    reads_back(bytes, len, x, RUNS);
    free(bytes);
}

static void pages_without_recency_are_stored_as_ids(void **state)
{
    static struct wanted x[RUNS];
    (void)state;
    seed = 3;
    for (size_t i = 0; i < RUNS; i++) {
        bool write = below(3) == 0;
        x[i] = (struct wanted){ 2 * (uint64_t)below(30000), !write, write, 0 };
    }
    written_and_read(x, 5, 1, 0); /* the first block is made to see that recency does not pay */
}

static void few_pages_of_many_are_stored_as_a_dictionary(void **state)
{
    static struct wanted x[RUNS];
    (void)state;
    seed = 5;
    for (size_t i = 0; i < RUNS; i++) /* each page once; then few, but more than a list has */
        x[i] = (struct wanted){ i < 3 * BLOCK ? 2 * i : 4 * (uint64_t)below(200), 1, 0, 0 };
    written_and_read(x, 2, 1, 3);
}

/* More shapes than a table holds, runs of all kinds, and batches of one kind alone. */
static void shapes_of_all_kinds_come_back_with_ids(void **state)
{
    static struct wanted x[RUNS];
    (void)state;
    seed = 9;
    for (size_t i = 0; i < RUNS; i++) {
        x[i] = (struct wanted){ .vpn = 2 * (uint64_t)below(30000), .r = 1 };
        if (i < 3 * BLOCK)
            x[i] = (struct wanted){ x[i].vpn, below(9000), below(4), 1 + below(2) };
        else if (i < 4 * BLOCK && i % 500 == 0)
            x[i].w = UINT32_MAX;
        else if (i >= 5 * BLOCK && below(2000) == 0)
            x[i].f = 2;
    }
    written_and_read(x, 5, 1, 0);
}

/* ---- reduced blocks ---- */

#define REDUCED_RUNS 20000u

/* @codes of pages @pages, as docs/trace-format.md has them; the dictionary is 0, 1, 2 and so on. */
static uint32_t reduced_codes(uint8_t *codes, uint32_t *fars, uint32_t *n_fars,
                              const uint32_t *pages)
{
    uint32_t list[FL_REDUCED_DEPTH], n = 0, dict_n = 0;
    *n_fars = 0;
    for (uint32_t i = 0; i < REDUCED_RUNS; i++) {
        uint32_t at = 0;
        while (at < n && list[at] != pages[i])
            at++;
        codes[i] = (uint8_t)at;
        if (at == n) {
            bool fresh = pages[i] == dict_n;
            codes[i] = (uint8_t)(FL_REDUCED_DEPTH + !fresh);
            dict_n += fresh;
            if (!fresh)
                fars[(*n_fars)++] = pages[i];
            at = n < FL_REDUCED_DEPTH ? n++ : n - 1;
        }
        memmove(list + 1, list, at * sizeof *list);
        list[0] = pages[i];
    }
    return dict_n;
}

static void begin_reduced(struct fl_reduced *d)
{
    d->run_at = d->dict_next = d->far_at = d->list_n = 0;
    for (unsigned i = 0; i < sizeof d->list; i++)
        d->list[i] = (uint8_t)i;
}

static void pages_of_reduced_blocks_are_the_right_ones(void **state)
{
    (void)state;
    struct fl_reduced *d = calloc(1, sizeof *d);
    uint32_t *pages = malloc(REDUCED_RUNS * sizeof *pages), *fars = calloc(REDUCED_RUNS + 1, 4);
    uint8_t *codes = malloc(REDUCED_RUNS);
    d->codes = codes;
    d->fars = fars;
    d->dict = malloc((REDUCED_RUNS + 1) * sizeof *d->dict);
    for (uint32_t i = 0; i <= REDUCED_RUNS; i++)
        d->dict[i] = i;
    seed = 5;
    for (unsigned turn = 0; turn < 24; turn++) {
        uint32_t dict_n = 0, near = 1 + below(turn % 3 ? 600 : 239);
        for (uint32_t i = 0; i < REDUCED_RUNS; i++) {
            bool fresh = !dict_n || below(turn % 4 ? 50 : 4) == 0;
            pages[i] = fresh ? dict_n++ : dict_n - 1 - below(dict_n < near ? dict_n : near);
        }
        d->dict_n = reduced_codes(codes, fars, &d->n_fars, pages);
        assert_int_equal(d->dict_n, dict_n);
        for (unsigned plain = 0; plain < 2; plain++) {
            begin_reduced(d);
            for (uint32_t n; d->run_at < REDUCED_RUNS; d->run_at += n) {
                uint32_t left = REDUCED_RUNS - d->run_at;
                n = 1 + below(turn % 2 ? 40 : FL_BATCH_RUNS);
                n = n < left ? n : left;
                assert_true(plain ? fl_reduced_pages_plain(d, n) : fl_reduced_pages(d, n));
                assert_memory_equal(d->batch.page, pages + d->run_at, n * sizeof *pages);
            }
            assert_int_equal(d->dict_next, d->dict_n);
            assert_int_equal(d->far_at, d->n_fars);
        }
        for (unsigned plain = 0; plain < 2; plain++) { /* codes that name nothing */
            begin_reduced(d);
            codes[20] = turn % 2 ? 242 : 239;
            assert_false(plain ? fl_reduced_pages_plain(d, 100) : fl_reduced_pages(d, 100));
            codes[20] = FL_REDUCED_DEPTH;
            d->dict_n = 0;
            assert_false(plain ? fl_reduced_pages_plain(d, 100) : fl_reduced_pages(d, 100));
            codes[0] = FL_REDUCED_DEPTH + 1;
            d->n_fars = 0;
            assert_false(plain ? fl_reduced_pages_plain(d, 100) : fl_reduced_pages(d, 100));
            codes[0] = FL_REDUCED_DEPTH;
            d->dict_n = dict_n;
        }
    }
    free(pages);
    free(fars);
    free(codes);
    free(d->dict);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bit_columns_are_what_the_format_says),
        cmocka_unit_test(recency_lists_of_any_depth_name_the_right_pages),
        cmocka_unit_test(pages_without_recency_are_stored_as_ids),
        cmocka_unit_test(pages_of_reduced_blocks_are_the_right_ones),
        cmocka_unit_test(few_pages_of_many_are_stored_as_a_dictionary),
        cmocka_unit_test(shapes_of_all_kinds_come_back_with_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
