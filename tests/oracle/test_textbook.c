/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fl_replay and fl_sweep against a textbook program that shares nothing with them:
   the same page numbers, imported, must give the same counts to the last fault.
   FAULTLINE_REFS=N adds a stream of N references over 262,144 pages and prints its counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/import.h>
#include <faultline/replay.h>
#include <faultline/trace.h>
#include <faultline/units.h>

#include "page_stream.h"
#include "textbook.h"

static const char *const policies[] = { "fifo", "lru", "clock", "opt" };
#define N_POLICIES 4u
#define N_SIZES 4u

/* ---- the textbook itself, by hand --------------------------------------------- */

static uint64_t misses_of(const char *policy, uint32_t frames, const uint64_t *refs, size_t n)
{
    struct textbook_counts c;
    assert_true(textbook_run(policy, refs, n, frames, &c));
    return c.misses;
}

/* L. Belady, R. Nelson, G. Shedler, CACM 12(6), 1969: fifo's anomaly. Worked out on paper. */
static void textbook_of_beladys_string_gives_the_counts_in_the_books(void **state)
{
    const uint64_t refs[] = { 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5 };
    (void)state;
    assert_int_equal(misses_of("fifo", 3, refs, 12), 9);
    assert_int_equal(misses_of("fifo", 4, refs, 12), 10);
    assert_int_equal(misses_of("lru", 3, refs, 12), 10);
    assert_int_equal(misses_of("lru", 4, refs, 12), 8);
    assert_int_equal(misses_of("opt", 3, refs, 12), 7);
    assert_int_equal(misses_of("opt", 4, refs, 12), 6);
    assert_int_equal(misses_of("clock", 3, refs, 12), 9);
}

/* 2 frames, > hand, * reference bit, w written:
   1w [>1w*][  ]   2 [>1w*][2*]   3 clears both, 1w goes: [3*][>2]   2 [3*][>2*]
   4 clears both, 2 goes: [>3][4*]   1 finds 3 clear, 3 goes: [1*][>4*] */
static void textbook_clock_counts_only_written_pages_as_dirty(void **state)
{
    const uint64_t refs[] = { 1 | TEXTBOOK_WRITE, 2, 3, 2, 4, 1 };
    struct textbook_counts c;
    (void)state;
    assert_true(textbook_run("clock", refs, 6, 2, &c));
    assert_int_equal(c.misses, 5);
    assert_int_equal(c.dirty_evictions, 1);
    assert_int_equal(c.distinct, 4);
}

/* Pages 1 and 2 are written and never used again: the lower frame goes first, then the other. */
static void textbook_opt_empties_the_lower_of_two_useless_frames(void **state)
{
    const uint64_t refs[] = { 1, 2 | TEXTBOOK_WRITE, 3, 3 };
    struct textbook_counts c;
    (void)state;
    assert_true(textbook_run("opt", refs, 4, 2, &c));
    assert_int_equal(c.misses, 3);
    assert_int_equal(c.dirty_evictions, 0);
}

static void textbook_refuses_an_unknown_policy_and_no_frames(void **state)
{
    const uint64_t refs[] = { 1 };
    struct textbook_counts c;
    (void)state;
    assert_false(textbook_run("random", refs, 1, 1, &c));
    assert_false(textbook_run("lru", refs, 1, 0, &c));
}

/* ---- the product against it ------------------------------------------------------ */

struct stream {
    uint64_t *refs;
    size_t n;
    void *bytes; /* the imported trace */
    size_t len;
    struct fl_reader *reader;
};

static struct stream stream_make(enum page_stream_kind kind, uint32_t pages, uint64_t seed,
                                 size_t n)
{
    struct stream s = { .n = n, .refs = malloc(n * sizeof(uint64_t)) };
    struct page_stream *source = page_stream_new(kind, pages, seed);
    struct fl_writer *w;
    struct fl_err err;
    assert_non_null(s.refs);
    assert_non_null(source);
    for (size_t i = 0; i < n; i++)
        s.refs[i] = page_stream_next(source);
    page_stream_free(source);

    FILE *in = fmemopen(s.refs, n * sizeof(uint64_t), "rb"); /* little-endian, as `pages` is */
    assert_non_null(in);
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, NULL, &w, &err), FL_OK);
    assert_int_equal(fl_import_to(fl_importer_find("pages"), in, w, &err), FL_OK);
    assert_int_equal(fl_writer_close(w, &s.bytes, &s.len, &err), FL_OK);
    fclose(in);
    assert_int_equal(fl_reader_open_mem(s.bytes, s.len, 0, &s.reader, &err), FL_OK);
    return s;
}

static void stream_drop(struct stream *s)
{
    fl_reader_free(s->reader);
    free(s->bytes);
    free(s->refs);
}

static void compare_replay(const struct stream *s, const char *what, const char *policy,
                           uint32_t frames, const struct textbook_counts *want)
{
    struct fl_replay_opts opts = {
        .frames = frames, .swap_pages = UINT64_MAX, .policy = fl_policy_find(policy), .no_tlb = true
    };
    struct fl_result *got;
    struct fl_err err;
    if (fl_replay(s->reader, &opts, &got, &err) != FL_OK)
        fail_msg("%s %s %u: %s", what, policy, frames, err.msg);
    if (got->minor != want->distinct || got->minor + got->major != want->misses ||
        got->pages_out != want->dirty_evictions || got->pages_in != got->major || got->segv != 0)
        fail_msg("%s %s %u: replay %ju + %ju faults, %ju out, %ju in; textbook %ju distinct, "
                 "%ju misses, %ju dirty",
                 what, policy, frames, (uintmax_t)got->minor, (uintmax_t)got->major,
                 (uintmax_t)got->pages_out, (uintmax_t)got->pages_in, (uintmax_t)want->distinct,
                 (uintmax_t)want->misses, (uintmax_t)want->dirty_evictions);
    fl_result_free(got);
}

static void compare_point(const struct fl_sweep_point *got, const char *what,
                          const struct textbook_counts *want)
{
    if (got->minor != want->distinct || got->minor + got->major != want->misses ||
        got->swap_in != got->major || got->swap_out != want->dirty_evictions || got->oom_kills != 0)
        fail_msg("%s %s %u: sweep %ju + %ju faults, %ju out, %ju in; textbook %ju distinct, "
                 "%ju misses, %ju dirty",
                 what, got->policy->name, got->frames, (uintmax_t)got->minor, (uintmax_t)got->major,
                 (uintmax_t)got->swap_out, (uintmax_t)got->swap_in, (uintmax_t)want->distinct,
                 (uintmax_t)want->misses, (uintmax_t)want->dirty_evictions);
}

/* Every policy at every size, by replay and by one sweep of all. */
static void compare_all(const struct stream *s, const char *what, const uint32_t sizes[N_SIZES],
                        bool print)
{
    struct fl_sweep_point points[N_POLICIES * N_SIZES];
    struct textbook_counts want[N_POLICIES * N_SIZES];
    struct fl_err err;
    for (unsigned i = 0; i < N_POLICIES * N_SIZES; i++) {
        const char *policy = policies[i / N_SIZES];
        uint32_t frames = sizes[i % N_SIZES];
        points[i] = (struct fl_sweep_point){ .policy = fl_policy_find(policy),
                                             .frames = frames,
                                             .swap_pages = UINT64_MAX };
        assert_true(textbook_run(policy, s->refs, s->n, frames, &want[i]));
        compare_replay(s, what, policy, frames, &want[i]);
        if (print)
            printf("%-5s %6u frames: %9ju misses, %9ju dirty evictions, %ju pages\n", policy,
                   frames, (uintmax_t)want[i].misses, (uintmax_t)want[i].dirty_evictions,
                   (uintmax_t)want[i].distinct);
    }
    assert_int_equal(fl_sweep(s->reader, points, N_POLICIES * N_SIZES, NULL, NULL, &err), FL_OK);
    for (unsigned i = 0; i < N_POLICIES * N_SIZES; i++)
        compare_point(&points[i], what, &want[i]);
}

static const struct {
    const char *what;
    enum page_stream_kind kind;
    uint32_t pages;
    size_t n;
    uint32_t sizes[N_SIZES];
} streams[] = {
    { "uniform", PAGE_STREAM_UNIFORM, 3000, 200000, { 1, 100, 1500, 2999 } },
    { "zipf", PAGE_STREAM_ZIPF, 20000, 300000, { 2, 64, 1000, 8000 } },
    { "loop", PAGE_STREAM_LOOP, 1009, 200000, { 3, 1008, 1009, 1010 } },
    { "phases", PAGE_STREAM_PHASES, 50000, 300000, { 7, 500, 1001, 20000 } },
    { "mix", PAGE_STREAM_MIX, 30000, 300000, { 16, 511, 4096, 29000 } },
};

static void replay_and_sweep_equal_the_textbook_to_the_fault(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FL_COUNT(streams); i++) {
        uint64_t seed = 2024 + i;
        char what[64];
        snprintf(what, sizeof what, "%s seed %ju", streams[i].what, (uintmax_t)seed);
        struct stream s = stream_make(streams[i].kind, streams[i].pages, seed, streams[i].n);
        compare_all(&s, what, streams[i].sizes, false);
        stream_drop(&s);
    }
}

/* Short strings over few pages: every frame count, thousands of ties and edges. */
static void replay_and_sweep_equal_the_textbook_on_short_strings(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint32_t pages = 2 + (uint32_t)(seed % 15);
        const uint32_t sizes[N_SIZES] = { 1, 2, pages / 2 + 1, pages };
        char what[64];
        snprintf(what, sizeof what, "short seed %ju", (uintmax_t)seed);
        struct stream s = stream_make(seed % 2 ? PAGE_STREAM_UNIFORM : PAGE_STREAM_ZIPF, pages,
                                      seed, 1 + seed % 97);
        compare_all(&s, what, sizes, false);
        stream_drop(&s);
    }
}

static void replay_and_sweep_equal_the_textbook_on_a_long_stream(void **state)
{
    const char *refs = getenv("FAULTLINE_REFS");
    const uint32_t sizes[N_SIZES] = { 1024, 4096, 16384, 65536 };
    uint64_t n = 0;
    (void)state;
    if (!refs)
        skip();
    assert_int_equal(fl_parse_u64(refs, &n, NULL), FL_OK);
    assert_in_range(n, 1, 1000000000);
    struct stream s = stream_make(PAGE_STREAM_MIX, 262144, 1, n);
    compare_all(&s, "long", sizes, true);
    stream_drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(textbook_of_beladys_string_gives_the_counts_in_the_books),
        cmocka_unit_test(textbook_clock_counts_only_written_pages_as_dirty),
        cmocka_unit_test(textbook_opt_empties_the_lower_of_two_useless_frames),
        cmocka_unit_test(textbook_refuses_an_unknown_policy_and_no_frames),
        cmocka_unit_test(replay_and_sweep_equal_the_textbook_to_the_fault),
        cmocka_unit_test(replay_and_sweep_equal_the_textbook_on_short_strings),
        cmocka_unit_test(replay_and_sweep_equal_the_textbook_on_a_long_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
