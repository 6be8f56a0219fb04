/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code locations of runs: what is kept, what a reader gives, and what becomes of a CODE
 * block when one thing in it is changed and signed again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <cmocka.h>

#include <faultline/trace.h>

#define PAGES 200u /* more than the 64 that a block remembers */

struct bytes {
    uint8_t *p;
    size_t len, stream, code, end; /* where the blocks are */
};

static void put_code(struct fl_writer *w, uint32_t id, const char *name)
{
    struct fl_err err;
    struct fl_event ev = { .kind = FL_EV_CODE, .thread = FL_NO_THREAD, .time_ns = 7 };
    ev.code.code = id;
    ev.code.file = FL_NO_FILE;
    ev.code.offset = 0x1000 + id;
    ev.code.name = name;
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
}

static void run(struct fl_writer *w, uint32_t thread, uint64_t vpn)
{
    struct fl_err err;
    assert_int_equal(fl_writer_run(w, thread, FL_ACTOR_USER, 0, vpn, 1, 0, 0, &err), FL_OK);
}

static struct fl_writer *begin(void)
{
    struct fl_err err;
    struct fl_writer *w;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, NULL, &w, &err), FL_OK);
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD, .time_ns = 5 };
    ev.process.pid = 7;
    ev.process.copied_mm = FL_NO_MM;
    ev.process.comm = "x";
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    for (uint32_t i = 0; i < 2; i++) {
        ev = (struct fl_event){ .kind = FL_EV_THREAD, .thread = i, .time_ns = 6 };
        ev.thread_start.pid = 7;
        ev.thread_start.tid = 7 + i;
        assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    }
    return w;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Where its blocks are; the last one is END. A CODE block is uncompressed where it is short. */
static struct bytes close_bytes(struct fl_writer *w)
{
    struct fl_err err;
    void *p;
    struct bytes b = { 0 };
    assert_int_equal(fl_writer_close(w, &p, &b.len, &err), FL_OK);
    b.p = p;
    for (size_t at = get32(b.p + 12); at < b.len; at += 56 + get32(b.p + at + 16)) {
        size_t *where = b.p[at + 4] == 1 ? &b.stream : b.p[at + 4] == 3 ? &b.code : &b.end;
        *where = at;
    }
    return b;
}

/* Code 0 fills pages, code 1 walks them and touches each twice; thread 1 is nowhere. */
static struct bytes make(void)
{
    struct fl_writer *w = begin();
    put_code(w, 0, "fill");
    fl_writer_code(w, 0, 0);
    for (uint64_t i = 0; i < PAGES; i++)
        run(w, 0, 1000 + i);
    put_code(w, 1, "walk");
    fl_writer_code(w, 0, 1);
    for (uint64_t i = 0; i < PAGES; i++) {
        run(w, 0, 1000 + i);
        run(w, 0, 5000);
        run(w, 0, 1000 + i);
    }
    run(w, 1, 1000);
    return close_bytes(w);
}

static void sign(struct bytes *b, size_t at)
{
    uint64_t sum =
        XXH3_64bits_withSeed(b->p + at + 56, get32(b->p + at + 16), XXH3_64bits(b->p + at, 48));
    for (unsigned i = 0; i < 8; i++)
        b->p[at + 48 + i] = (uint8_t)(sum >> (8 * i));
}

struct seen {
    unsigned runs, located, by_code[2];
};

static int read_all(const struct bytes *b, struct seen *s, struct fl_err *err)
{
    struct fl_reader *r = NULL;
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    *s = (struct seen){ 0 };
    memset(err, 0, sizeof *err);
    int rc = fl_reader_open_mem(b->p, b->len, 0, &r, err);
    while (rc == FL_OK && item.kind != FL_ITEM_END) {
        rc = fl_reader_next(r, &item, err);
        if (rc != FL_OK || item.kind != FL_ITEM_RUNS)
            continue;
        s->runs += (unsigned)item.runs.n;
        s->located += (unsigned)item.runs.n_codes;
        for (size_t i = 0; i < item.runs.n_codes; i++) {
            const struct fl_run_code *c = &item.runs.codes[i];
            assert_true(c->run < item.runs.n && (i == 0 || c->run > c[-1].run));
            assert_true(c->code < 2);
            s->by_code[c->code]++;
        }
    }
    fl_reader_free(r);
    return rc;
}

static void runs_that_can_fault_have_the_location_of_their_begin(void **state)
{
    (void)state;
    struct bytes b = make();
    struct seen s;
    struct fl_err err;
    assert_int_equal(read_all(&b, &s, &err), FL_OK);
    assert_int_equal(s.runs, 4 * PAGES + 1);
    /* fill: all are new. walk: all far but the second touches; page 5000 is new once. */
    assert_int_equal(s.by_code[0], PAGES);
    assert_int_equal(s.by_code[1], PAGES + 1);
    free(b.p);
}

static void a_trace_without_locations_has_no_code_block(void **state)
{
    (void)state;
    struct fl_err err;
    struct seen s;
    struct fl_reader *r;
    struct fl_writer *w = begin();
    put_code(w, 0, "never");
    run(w, 0, 1);
    struct bytes b = close_bytes(w);
    assert_int_equal(b.code, 0);
    assert_int_equal(read_all(&b, &s, &err), FL_OK);
    assert_int_equal(s.located, 0);
    assert_int_equal(fl_reader_open_mem(b.p, b.len, 0, &r, &err), FL_OK);
    assert_false(fl_reader_has_codes(r));
    fl_reader_free(r);
    free(b.p);
}

static void a_run_in_code_that_does_not_exist_is_refused(void **state)
{
    (void)state;
    struct fl_err err;
    struct fl_writer *w = begin();
    fl_writer_code(w, 0, 0);
    assert_int_equal(fl_writer_run(w, 0, FL_ACTOR_USER, 0, 1, 1, 0, 0, &err), FL_EUSAGE);
    assert_non_null(strstr(err.msg, "in code 0, but there are 0"));
    fl_writer_abandon(w);
}

static void code_ids_come_in_order_and_name_files_that_exist(void **state)
{
    (void)state;
    struct fl_err err;
    struct fl_writer *w = begin();
    struct fl_event ev = { .kind = FL_EV_CODE, .thread = FL_NO_THREAD, .time_ns = 7 };
    ev.code.file = 3;
    ev.code.name = "f";
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_EUSAGE);
    assert_non_null(strstr(err.msg, "code event of file 3"));
    fl_writer_abandon(w);
    w = begin();
    ev.code.file = FL_NO_FILE;
    ev.code.code = 1;
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_EUSAGE);
    assert_non_null(strstr(err.msg, "the next one is 0"));
    fl_writer_abandon(w);
}

static void a_cut_between_a_block_and_its_locations_leaves_the_runs(void **state)
{
    (void)state;
    struct bytes b = make();
    struct fl_reader *r;
    struct fl_err err;
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    uint64_t runs = 0;
    for (size_t cut = b.code; cut < b.end; cut += 7) {
        item.kind = FL_ITEM_EVENT;
        runs = 0;
        assert_int_equal(fl_reader_open_mem(b.p, cut, FL_READ_PARTIAL, &r, &err), FL_OK);
        assert_false(fl_reader_has_codes(r));
        while (item.kind != FL_ITEM_END) {
            assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
            runs += item.kind == FL_ITEM_RUNS ? item.runs.n : 0;
        }
        assert_int_equal(runs, 4 * PAGES + 1);
        fl_reader_free(r);
    }
    free(b.p);
}

/* The small trace whose CODE block is stored raw: three locations, code 0. */
static struct bytes make_small(void)
{
    struct fl_writer *w = begin();
    put_code(w, 0, "f");
    fl_writer_code(w, 0, 0);
    for (uint64_t i = 0; i < 3; i++)
        run(w, 0, 1000 + i);
    struct bytes b = close_bytes(w);
    const uint8_t want[] = { 1, 0, 0, 0, 3, 0, 0, 0, 1, 1, 1 };
    assert_int_equal(b.p[b.code + 5], 0);
    assert_int_equal(b.p[b.code + 6], 1);
    assert_int_equal(get32(b.p + b.code + 16), sizeof want);
    assert_memory_equal(b.p + b.code + 56, want, sizeof want);
    return b;
}

static void locations_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        int at; /* in the envelope, from 56 on in the payload */
        uint8_t value;
        const char *why;
    } changes[] = {
        { 32, 8, "time of its code locations" },   { 56, 5, "malformed code locations" },
        { 56, 2, "malformed code locations" },     { 57, 1, "malformed code locations" },
        { 60, 2, "2 code locations for 3 runs" },  { 60, 4, "4 code locations for 3 runs" },
        { 64, 2, "in code that was not defined" }, { 66, 255, "in code that was not defined" },
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct bytes b = make_small();
        struct seen s;
        struct fl_err err;
        b.p[b.code + (size_t)changes[i].at] = changes[i].value;
        sign(&b, b.code);
        if (changes[i].at == 32) { /* times of blocks do not go back */
            b.p[b.end + 32] = 8;
            sign(&b, b.end);
        }
        assert_int_equal(read_all(&b, &s, &err), FL_EFORMAT);
        if (!strstr(err.msg, changes[i].why))
            print_error("%zu: %s\n", i, err.msg);
        assert_non_null(strstr(err.msg, changes[i].why));
        free(b.p);
    }
}

static void damaged_locations_take_their_block_with_them(void **state)
{
    (void)state;
    struct bytes b = make_small();
    struct fl_reader *r;
    struct fl_err err;
    struct fl_item item;
    b.p[b.code + 64] = 2;
    sign(&b, b.code);
    assert_int_equal(fl_reader_open_mem(b.p, b.len, FL_READ_PARTIAL, &r, &err), FL_OK);
    assert_false(fl_reader_complete(r));
    assert_non_null(strstr(fl_reader_damage(r), "damaged in block 0"));
    assert_false(fl_reader_has_codes(r));
    assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
    assert_int_equal(item.kind, FL_ITEM_END);
    fl_reader_free(r);
    free(b.p);
}

static void a_location_may_be_unknown(void **state)
{
    (void)state;
    struct bytes b = make_small();
    struct seen s;
    struct fl_err err;
    b.p[b.code + 65] = 0;
    sign(&b, b.code);
    assert_int_equal(read_all(&b, &s, &err), FL_OK);
    assert_int_equal(s.located, 2);
    free(b.p);
}

static void locations_in_a_coding_of_later_versions_are_skipped(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct bytes b = make_small();
        struct seen s;
        struct fl_err err;
        b.p[b.code + (k ? 5 : 6)] = k ? 9 : 3; /* codec, flags */
        sign(&b, b.code);
        assert_int_equal(read_all(&b, &s, &err), FL_OK);
        assert_int_equal(s.runs, 3);
        assert_int_equal(s.located, 0);
        struct fl_reader *r;
        assert_int_equal(fl_reader_open_mem(b.p, b.len, 0, &r, &err), FL_OK);
        assert_false(fl_reader_has_codes(r));
        fl_reader_free(r);
        free(b.p);
    }
}

static void locations_need_runs_before_them(void **state)
{
    (void)state;
    struct bytes b = make_small();
    struct seen s;
    struct fl_err err;
    size_t n = b.end - b.code;
    /* The CODE block twice: the second one has no runs of its own. */
    b.p = realloc(b.p, b.len + n);
    assert_non_null(b.p);
    memmove(b.p + b.end + n, b.p + b.end, b.len - b.end);
    memcpy(b.p + b.end, b.p + b.code, n);
    b.len += n;
    b.p[b.end + 8] = 2;
    sign(&b, b.end);
    b.p[b.end + n + 8] = 3;
    b.p[b.end + n + 56] = 3;
    sign(&b, b.end + n);
    assert_int_equal(read_all(&b, &s, &err), FL_EFORMAT);
    assert_non_null(strstr(err.msg, "damaged in block 2"));
    assert_non_null(strstr(err.msg, "no runs before them"));
    free(b.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_that_can_fault_have_the_location_of_their_begin),
        cmocka_unit_test(a_trace_without_locations_has_no_code_block),
        cmocka_unit_test(a_run_in_code_that_does_not_exist_is_refused),
        cmocka_unit_test(code_ids_come_in_order_and_name_files_that_exist),
        cmocka_unit_test(a_cut_between_a_block_and_its_locations_leaves_the_runs),
        cmocka_unit_test(locations_that_cannot_be_are_refused),
        cmocka_unit_test(damaged_locations_take_their_block_with_them),
        cmocka_unit_test(a_location_may_be_unknown),
        cmocka_unit_test(locations_in_a_coding_of_later_versions_are_skipped),
        cmocka_unit_test(locations_need_runs_before_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
