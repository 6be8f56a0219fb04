/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REDUCED blocks: the bytes of a small one, what a reader gives, and what becomes of one when it is
 * changed, and signed again or not, cut off, of a version to come, or all that is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>
#include <cmocka.h>

#include <faultline/replay.h>
#include <faultline/trace.h>

struct bytes {
    uint8_t *p;
    size_t len, reduced; /* where the last REDUCED or COARSE block is; 0: there is none */
    unsigned n_reduced, n_coarse;
};

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void find_blocks(struct bytes *b)
{
    b->reduced = b->n_reduced = b->n_coarse = 0;
    for (size_t at = get32(b->p + 12); at < b->len; at += 56 + get32(b->p + at + 16))
        if (b->p[at + 4] == 4 || b->p[at + 4] == 5) {
            b->reduced = at;
            b->n_reduced += b->p[at + 4] == 4;
            b->n_coarse += b->p[at + 4] == 5;
        }
}

static struct fl_writer *begin(uint32_t floor, uint32_t coarse, uint32_t block_runs)
{
    struct fl_writer_opts opts = {
        .layer_floor = floor, .layer_coarse = coarse, .layer_always = true, .block_runs = block_runs
    };
    struct fl_err err = { .msg = "" };
    struct fl_writer *w;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, &opts, &w, &err), FL_OK);
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD, .time_ns = 5 };
    ev.process.pid = 7;
    ev.process.copied_mm = FL_NO_MM;
    ev.process.comm = "x";
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    ev = (struct fl_event){ .kind = FL_EV_THREAD, .thread = 0, .time_ns = 6 };
    ev.thread_start.pid = ev.thread_start.tid = 7;
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    ev = (struct fl_event){ .kind = FL_EV_MAP, .thread = 0, .time_ns = 6 };
    ev.map.prot = FL_PROT_READ | FL_PROT_WRITE;
    ev.map.flags = FL_MAP_ANON;
    ev.map.file = FL_NO_FILE;
    ev.map.length = 1 << 30;
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    return w;
}

static void run(struct fl_writer *w, uint64_t vpn, uint32_t reads, uint32_t writes)
{
    struct fl_err err;
    assert_int_equal(fl_writer_run(w, 0, FL_ACTOR_USER, 0, vpn, reads, writes, 0, &err), FL_OK);
}

static struct bytes end(struct fl_writer *w)
{
    struct fl_err err;
    struct bytes b = { 0 };
    void *p;
    assert_int_equal(fl_writer_close(w, &p, &b.len, &err), FL_OK);
    b.p = p;
    find_blocks(&b);
    return b;
}

static void sign(struct bytes *b)
{
    uint8_t *e = b->p + b->reduced;
    uint64_t h = XXH3_64bits_withSeed(e + 56, get32(e + 16), XXH3_64bits(e, 48));
    for (unsigned i = 0; i < 8; i++)
        e[48 + i] = (uint8_t)(h >> (8 * i));
}

/* The last REDUCED block stored raw, so that it can be looked at and changed. */
static void unpack(struct bytes *b)
{
    uint8_t *e = b->p + b->reduced;
    size_t raw = get32(e + 12), stored = get32(e + 16), before = b->reduced + 56;
    if (!e[5])
        return;
    uint8_t *p = malloc(b->len - stored + raw);
    memcpy(p, b->p, before);
    assert_int_equal(ZSTD_decompress(p + before, raw, e + 56, stored), raw);
    memcpy(p + before + raw, e + 56 + stored, b->len - before - stored);
    free(b->p);
    b->p = p;
    b->len = b->len - stored + raw;
    p[b->reduced + 5] = 0;
    memcpy(p + b->reduced + 16, p + b->reduced + 12, 4);
    sign(b);
}

/* Reads page 1, writes page 2, and so on: six runs, of which three are kept. */
static struct bytes small(void)
{
    struct fl_writer *w = begin(2, 0, 0);
    run(w, 1, 3, 0);
    run(w, 2, 0, 1);
    run(w, 1, 1, 0);
    run(w, 2, 0, 5);
    run(w, 2, 0, 1); /* goes on */
    run(w, 1, 2, 0);
    struct bytes b = end(w);
    unpack(&b);
    return b;
}

static void a_small_one_has_these_bytes(void **state)
{
    (void)state;
    /* docs/trace-format.md, by hand */
    static const uint8_t head[96] = {
        2, 0, 0, 1, 0, 1, 0, 1, 2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, /* .. records */
        3, 0, 0, 0, 0, 0, 0, 0, /* sequence; events: filled in below */
        0, 0, 0, 0, 0, 0, 0, 0, /* time */
        6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* totals */
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0,             /* 5 runs */
        0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0 /* no page before, 2 fresh, no far one */
    };
    static const uint8_t sequence[3] = { 2 << 1, 3 << 2 | 1, 0 };
    static const uint8_t columns[] = { 2,   2,   2, 2, /* ids +1 +1, pages +1 +1 */
                                       240, 240, 1,    /* new, new, the one before the last */
                                       1,   2,   1,    /* reads, writes, reads */
                                       3,   8,   2 };
    struct bytes b = small();
    assert_int_equal(b.n_reduced, 1);
    const uint8_t *e = b.p + b.reduced, *p = e + 56;
    size_t len = get32(e + 16), events = get32(p + 28);
    assert_int_equal(e[5], 0);
    assert_int_equal(e[6], 1);
    assert_int_equal(get32(e + 20), 0);
    assert_memory_equal(p, head, 28);
    assert_memory_equal(p + 32, head + 32, sizeof head - 32);
    assert_memory_equal(p + sizeof head, sequence, sizeof sequence);
    assert_int_equal(len, sizeof head + sizeof sequence + events + sizeof columns);
    assert_memory_equal(p + len - sizeof columns, columns, sizeof columns);
    free(b.p);
}

static struct fl_reader *open_bytes(const struct bytes *b)
{
    struct fl_reader *r = NULL;
    struct fl_err err = { .msg = "" };
    if (fl_reader_open_mem(b->p, b->len, 0, &r, &err) != FL_OK)
        fail_msg("%s", err.msg);
    return r;
}

/* The runs that @r gives from where it stands; FL_OK or why it stopped. */
static int count_runs(struct fl_reader *r, size_t *n, struct fl_err *err)
{
    struct fl_item item;
    *n = 0;
    for (;;) {
        int rc = fl_reader_next(r, &item, err);
        if (rc != FL_OK || item.kind == FL_ITEM_END)
            return rc;
        *n += item.kind == FL_ITEM_RUNS ? item.runs.n : 0;
    }
}

static void a_reader_gives_either_and_the_same_twice(void **state)
{
    (void)state;
    struct bytes b = small();
    struct fl_reader *r = open_bytes(&b);
    struct fl_err err = { .msg = "" };
    const struct fl_layer *l = fl_reader_layer(r);
    size_t n;
    assert_non_null(l);
    assert_int_equal(l->floor, 2);
    assert_int_equal(l->runs, 3);
    assert_int_equal(l->of_runs, 5);
    assert_int_equal(l->blocks, 1);
    assert_false(l->only);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fl_reader_rewind_reduced(r, 0, &err), FL_OK);
        assert_int_equal(count_runs(r, &n, &err), FL_OK);
        assert_int_equal(n, 3);
        assert_int_equal(fl_reader_rewind(r, &err), FL_OK);
        assert_int_equal(count_runs(r, &n, &err), FL_OK);
        assert_int_equal(n, 5);
    }
    fl_reader_free(r);
    free(b.p);
}

static void write_file(char path[64], const struct bytes *b)
{
    strcpy(path, "/tmp/test-trace-reduced-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b->p, b->len), (ssize_t)b->len);
    close(fd);
}

static struct fl_check_report check(const struct bytes *b)
{
    char path[64];
    struct fl_check_report report;
    struct fl_err err;
    write_file(path, b);
    assert_int_equal(fl_trace_check(path, &report, &err), FL_OK);
    unlink(path);
    return report;
}

/* Whatever byte of the payload is another: check sees it, and a reader gives runs or an error. */
static void a_change_of_any_byte_is_found_by_check(void **state)
{
    (void)state;
    struct bytes b = small();
    assert_true(check(&b).sound);
    size_t payload = b.reduced + 56, len = get32(b.p + b.reduced + 16), refused = 0, n;
    for (size_t i = 1; i < len; i++) {
        struct fl_err err = { .msg = "" };
        b.p[payload + i] ^= 3;
        sign(&b);
        struct fl_check_report report = check(&b);
        assert_false(report.sound);
        struct fl_reader *r = open_bytes(&b);
        assert_int_equal(fl_reader_rewind_reduced(r, 0, &err), FL_OK);
        int rc = count_runs(r, &n, &err);
        assert_true(rc == FL_OK || rc == FL_EFORMAT);
        refused += rc != FL_OK;
        fl_reader_free(r);
        r = open_bytes(&b);
        assert_int_equal(count_runs(r, &n, &err), FL_OK); /* the stream is as it was */
        fl_reader_free(r);
        b.p[payload + i] ^= 3;
    }
    assert_true(refused > len / 3);
    free(b.p);
}

/* Two pages by turns, then two others, in 30 blocks: few of a pair's runs are in the layer, fewer in
   the one above it. */
static struct bytes small_stretch(void)
{
    struct fl_writer *w = begin(2, 8, 50);
    for (uint32_t i = 0; i < 1500; i++)
        run(w, i % 2 + 2 * (i / 10 % 3), 1, i % 5 == 0);
    struct bytes b = end(w);
    assert_int_equal(b.n_coarse, 1);
    assert_int_equal(b.p[b.reduced + 4], 5);
    unpack(&b);
    return b;
}

static size_t runs_of(const struct bytes *b, uint32_t frames, int *rc)
{
    struct fl_reader *r = open_bytes(b);
    struct fl_err err = { .msg = "" };
    size_t n = 0;
    *rc = frames ? fl_reader_rewind_reduced(r, frames, &err) : FL_OK;
    *rc = *rc == FL_OK ? count_runs(r, &n, &err) : *rc;
    fl_reader_free(r);
    return n;
}

static void so_is_a_change_of_what_is_above_the_layer(void **state)
{
    (void)state;
    struct bytes b = small_stretch();
    size_t payload = b.reduced + 56, len = get32(b.p + b.reduced + 16), refused = 0;
    int rc;
    assert_true(check(&b).sound);
    size_t runs[3] = { runs_of(&b, 0, &rc), runs_of(&b, 7, &rc), runs_of(&b, 8, &rc) };
    assert_true(runs[2] < runs[1] && runs[1] < runs[0]);
    for (size_t i = 0; i < len; i++) {
        if (i >= 4 && i < 9) /* of no meaning; the version */
            continue;
        b.p[payload + i] ^= 3;
        sign(&b);
        assert_false(check(&b).sound);
        runs_of(&b, 8, &rc);
        assert_true(rc == FL_OK || rc == FL_EFORMAT);
        refused += rc != FL_OK;
        assert_int_equal(runs_of(&b, 7, &rc), runs[1]);
        assert_int_equal(runs_of(&b, 0, &rc), runs[0]);
        b.p[payload + i] ^= 3;
    }
    assert_true(refused > len / 3);
    b.p[payload + 8] = 9; /* a version to come */
    sign(&b);
    assert_int_equal(runs_of(&b, 8, &rc), runs[1]);
    assert_int_equal(rc, FL_OK);
    assert_true(check(&b).sound);
    free(b.p);
}

/* A small block in which two of the kept runs have a location; as @version has it. */
static struct bytes small_with_locations(unsigned version)
{
    struct fl_writer *w = begin(2, 0, 0);
    struct fl_event ev = { .kind = FL_EV_CODE, .thread = 0, .time_ns = 6 };
    struct fl_err err;
    ev.code.file = FL_NO_FILE;
    ev.code.name = "f";
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    for (uint32_t i = 0; i < 40; i++) {
        if (i % 20 == 7)
            fl_writer_code(w, 0, 0);
        run(w, i % 20 == 7 ? 100 + i : i % 4, 1, 0);
    }
    struct bytes b = end(w);
    unpack(&b);
    uint8_t *e = b.p + b.reduced, *p = e + 56;
    size_t len = get32(e + 12), runs = get32(p + 12), bits = (runs + 7) / 8;
    assert_int_equal(p[1], 1);
    assert_int_equal(p[4], 1);
    if (version == 2)
        return b;
    size_t behind = b.len - b.reduced - 56 - len;
    const uint8_t *located = p + len - 2 - bits;
    uint8_t column[64] = { 0 };
    for (size_t i = 0; i < runs; i++)
        column[i] = located[i / 8] >> i % 8 & 1;
    size_t longer = runs - bits - 2;
    uint8_t *q = malloc(b.len + longer);
    memcpy(q, b.p, b.reduced + 56 + len - 2 - bits);
    memcpy(q + b.reduced + 56 + len - 2 - bits, column, runs);
    memcpy(q + b.reduced + 56 + len + longer, p + len, behind);
    free(b.p);
    b.p = q;
    b.len += longer;
    e = q + b.reduced;
    e[56] = 1;
    e[12] = e[16] = (uint8_t)(len + longer);
    e[13] = e[17] = (uint8_t)((len + longer) >> 8);
    sign(&b);
    return b;
}

static void version_1_has_a_location_a_run(void **state)
{
    (void)state;
    size_t located[2] = { 0 };
    for (unsigned v = 1; v <= 2; v++) {
        struct bytes b = small_with_locations(v);
        struct fl_reader *r = open_bytes(&b);
        struct fl_err err = { .msg = "" };
        struct fl_item item = { .kind = FL_ITEM_EVENT };
        assert_true(check(&b).sound);
        assert_int_equal(fl_reader_rewind_reduced(r, 2, &err), FL_OK);
        for (size_t n = 0; item.kind != FL_ITEM_END; n += item.runs.n) {
            if (fl_reader_next(r, &item, &err) != FL_OK)
                fail_msg("%s", err.msg);
            if (item.kind != FL_ITEM_RUNS)
                item.runs.n = item.runs.n_codes = 0;
            for (size_t i = 0; i < item.runs.n_codes; i++)
                located[v - 1] = 100 * located[v - 1] + n + item.runs.codes[i].run;
        }
        fl_reader_free(r);
        free(b.p);
    }
    assert_true(located[0] > 100); /* two */
    assert_int_equal(located[0], located[1]);
}

static void another_version_is_skipped(void **state)
{
    (void)state;
    struct bytes b = small();
    struct fl_err err;
    size_t n;
    b.p[b.reduced + 56] = 9;
    sign(&b);
    struct fl_reader *r = open_bytes(&b);
    assert_int_equal(fl_reader_rewind_reduced(r, 0, &err), FL_OK);
    assert_int_equal(count_runs(r, &n, &err), FL_OK);
    assert_int_equal(n, 5);
    fl_reader_free(r);
    assert_true(check(&b).sound);
    free(b.p);
}

/* ---- a trace of many blocks ----------------------------------------------------------------- */

static struct bytes large(void)
{
    struct fl_writer *w = begin(16, 32, 1000);
    for (uint32_t i = 0; i < 20000; i++)
        run(w, 10 + i / 500 + i % 12, 1 + i % 3, i % 7 == 0);
    return end(w);
}

static struct bytes read_file(const char *path)
{
    struct bytes b = { 0 };
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    b.p = malloc(1 << 20);
    b.len = fread(b.p, 1, 1 << 20, f);
    fclose(f);
    find_blocks(&b);
    return b;
}

static struct bytes reduce(const struct bytes *from, uint32_t floor, bool only, int want)
{
    char in[64], out[64];
    struct fl_err err = { .msg = "" };
    struct fl_layer layer;
    struct bytes b = { 0 };
    write_file(in, from);
    write_file(out, &b);
    assert_int_equal(fl_trace_reduce(in, out, floor, only, &layer, &err), want);
    if (want == FL_OK)
        b = read_file(out);
    unlink(in);
    unlink(out);
    return b;
}

static uint64_t faults(const struct bytes *b, uint32_t frames, const char *policy, int want)
{
    struct fl_reader *r = open_bytes(b);
    struct fl_replay_opts opts = {
        .policy = fl_policy_find(policy), .frames = frames, .swap_pages = UINT64_MAX, .no_tlb = true
    };
    struct fl_result *res = NULL;
    struct fl_err err = { .msg = "" };
    assert_int_equal(fl_replay(r, &opts, &res, &err), want);
    uint64_t n = want == FL_OK ? res->minor + res->major : 0;
    fl_result_free(res);
    fl_reader_free(r);
    return n;
}

static void reduce_gives_the_writer_s_layer_and_can_leave_it_only(void **state)
{
    (void)state;
    struct bytes b = large(), again = reduce(&b, 16, false, FL_OK), only;
    assert_int_equal(again.n_reduced, b.n_reduced);
    assert_int_equal(b.n_coarse, 1);
    assert_int_equal(again.n_coarse, 1);
    assert_true(check(&again).sound);
    only = reduce(&b, 16, true, FL_OK);
    struct fl_check_report report = check(&only);
    assert_true(report.sound);
    assert_true(report.layer.only);
    assert_true(only.len < b.len);
    static const char *const policies[] = { "lru", "opt" };
    for (unsigned i = 0; i < 2; i++) {
        uint64_t n = faults(&b, 16, policies[i], FL_OK);
        assert_int_equal(faults(&only, 16, policies[i], FL_OK), n);
        faults(&only, 15, policies[i], FL_EDATA);
    }
    faults(&only, 16, "fifo", FL_EDATA);
    free(reduce(&only, 20, false, FL_EDATA).p);
    free(b.p);
    free(again.p);
    free(only.p);
}

static void what_is_cut_short_reads_as_far_as_it_is_good(void **state)
{
    (void)state;
    struct bytes whole = large(), only = reduce(&whole, 16, true, FL_OK);
    struct bytes *all[] = { &whole, &only };
    for (unsigned i = 0; i < 2; i++)
        for (size_t cut = 60; cut < all[i]->len; cut += all[i]->len / 40) {
            struct fl_reader *r = NULL;
            struct fl_err err = { .msg = "" };
            size_t n;
            if (fl_reader_open_mem(all[i]->p, cut, FL_READ_PARTIAL, &r, &err) != FL_OK)
                continue;
            assert_int_equal(fl_reader_rewind_reduced(r, 0, &err), FL_OK);
            assert_int_equal(count_runs(r, &n, &err), FL_OK);
            assert_true(n <= fl_reader_totals(r)->runs);
            assert_int_equal(fl_totals_accesses(fl_reader_totals(r)) > 0, n > 0);
            fl_reader_free(r);
        }
    free(whole.p);
    free(only.p);
}

/* Of a damaged trace: what a reader that looks at all of it at once says, and one that does as it
   goes says of the stream and of the layer. */
static void damaged_byte(const struct bytes *b, size_t runs[3], unsigned seen[2])
{
    struct fl_reader *r = NULL, *all = NULL;
    struct fl_err err = { .msg = "" };
    size_t n;
    assert_int_equal(fl_reader_open_mem(b->p, b->len, FL_READ_PARTIAL, &all, &err), FL_OK);
    assert_false(fl_reader_complete(all));
    if (fl_reader_open_mem(b->p, b->len, 0, &r, &err) != FL_OK) {
        assert_non_null(strstr(err.msg, fl_reader_damage(all)));
        seen[0]++;
    }
    for (unsigned layer = 0; r && layer < 3; layer++) {
        assert_int_equal(layer ? fl_reader_rewind_reduced(r, layer == 2 ? 32 : 31, &err)
                               : fl_reader_rewind(r, &err),
                         FL_OK);
        int rc = count_runs(r, &n, &err);
        if (rc == FL_OK) { /* not in what it has read */
            assert_true(layer);
            assert_int_equal(n, runs[layer]);
            seen[1]++;
        } else {
            assert_int_equal(rc, FL_EFORMAT);
            assert_non_null(strstr(err.msg, fl_reader_damage(all)));
            assert_int_equal(fl_reader_next(r, &(struct fl_item){ 0 }, &err), FL_EFORMAT);
        }
        if (layer < 2) { /* one may have looked at everything: a layer's turn needs another one */
            fl_reader_free(r);
            assert_int_equal(fl_reader_open_mem(b->p, b->len, 0, &r, &err), FL_OK);
        }
    }
    fl_reader_free(r);
    fl_reader_free(all);
}

static void damage_is_told_by_who_comes_to_it(void **state)
{
    (void)state;
    struct bytes b = large();
    struct fl_reader *r = open_bytes(&b);
    struct fl_err err = { .msg = "" };
    size_t runs[3];
    unsigned seen[2] = { 0 };
    assert_int_equal(count_runs(r, &runs[0], &err), FL_OK);
    assert_int_equal(fl_reader_rewind_reduced(r, 0, &err), FL_OK);
    assert_int_equal(count_runs(r, &runs[1], &err), FL_OK);
    assert_int_equal(fl_reader_rewind_reduced(r, UINT32_MAX, &err), FL_OK);
    assert_int_equal(count_runs(r, &runs[2], &err), FL_OK);
    assert_true(runs[1] < runs[0]);
    assert_true(runs[2] < runs[1]);
    fl_reader_free(r);
    for (size_t i = get32(b.p + 12); i < b.len; i += 17) {
        b.p[i] ^= 0x41;
        damaged_byte(&b, runs, seen);
        b.p[i] ^= 0x41;
    }
    assert_true(seen[0] > 10);
    assert_true(seen[1] > 100);
    free(b.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_one_has_these_bytes),
        cmocka_unit_test(a_reader_gives_either_and_the_same_twice),
        cmocka_unit_test(a_change_of_any_byte_is_found_by_check),
        cmocka_unit_test(so_is_a_change_of_what_is_above_the_layer),
        cmocka_unit_test(version_1_has_a_location_a_run),
        cmocka_unit_test(another_version_is_skipped),
        cmocka_unit_test(reduce_gives_the_writer_s_layer_and_can_leave_it_only),
        cmocka_unit_test(what_is_cut_short_reads_as_far_as_it_is_good),
        cmocka_unit_test(damage_is_told_by_who_comes_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
