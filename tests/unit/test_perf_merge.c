/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "perf_merge.h"
#include "perf_recs.h"

/* A chunk of CPU @cpu with a fault at each of @times, address = time * 4096. */
static void add(struct fl_merge *m, uint32_t cpu, size_t n, const uint64_t *times)
{
    struct recbuf b = { .n = 0 };
    struct fl_err err = { 0 };
    for (size_t i = 0; i < n; i++)
        rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 10, times[i], times[i] << 12);
    struct fl_chunk *c = malloc(sizeof *c + b.n);
    assert_non_null(c);
    *c = (struct fl_chunk){ .cpu = cpu, .len_bytes = b.n };
    memcpy(c->bytes, b.bytes, b.n);
    assert_int_equal(fl_merge_add(m, c, &err), FL_OK);
}

static void expect(struct fl_merge *m, uint64_t bound, size_t n, const uint64_t *times)
{
    struct fl_perf_rec r;
    for (size_t i = 0; i < n; i++) {
        assert_true(fl_merge_next(m, bound, &r));
        assert_int_equal(r.time_ns, times[i]);
        assert_int_equal(r.access.address, times[i] << 12);
    }
    assert_false(fl_merge_next(m, bound, &r));
}

static void merge_gives_records_of_all_cpus_in_order_of_time(void **state)
{
    (void)state;
    struct fl_merge *m = fl_merge_new(3, &rec_ids);
    add(m, 0, 4, (const uint64_t[]){ 1, 2, 7, 8 });
    add(m, 2, 3, (const uint64_t[]){ 3, 9, 10 });
    add(m, 1, 2, (const uint64_t[]){ 5, 6 });
    expect(m, UINT64_MAX, 9, (const uint64_t[]){ 1, 2, 3, 5, 6, 7, 8, 9, 10 });
    assert_int_equal(fl_merge_counts(m).late, 0);
    fl_merge_free(m);
}

static void merge_keeps_records_younger_than_the_bound(void **state)
{
    (void)state;
    struct fl_merge *m = fl_merge_new(2, &rec_ids);
    add(m, 0, 3, (const uint64_t[]){ 1, 4, 9 });
    expect(m, 4, 2, (const uint64_t[]){ 1, 4 });
    add(m, 1, 2, (const uint64_t[]){ 5, 6 }); /* arrives later, belongs before 9 */
    expect(m, 8, 2, (const uint64_t[]){ 5, 6 });
    expect(m, 9, 1, (const uint64_t[]){ 9 });
    assert_int_equal(fl_merge_counts(m).late, 0);
    fl_merge_free(m);
}

static void merge_puts_overtaken_records_of_one_cpu_back_in_order(void **state)
{
    (void)state;
    struct fl_merge *m = fl_merge_new(1, &rec_ids);
    add(m, 0, 5, (const uint64_t[]){ 3, 5, 4, 1, 6 });
    expect(m, UINT64_MAX, 5, (const uint64_t[]){ 1, 3, 4, 5, 6 });
    fl_merge_free(m);
}

static struct fl_chunk *chunk_of(const struct recbuf *b, uint64_t taken_ns)
{
    struct fl_chunk *c = malloc(sizeof *c + b->n);
    assert_non_null(c);
    *c = (struct fl_chunk){ .taken_ns = taken_ns, .len_bytes = b->n };
    memcpy(c->bytes, b->bytes, b->n);
    return c;
}

static void merge_lets_no_time_of_another_clock_in(void **state)
{
    static const uint64_t times[] = { 100, 50, 900, 130 }, let_in[] = { 100, 100, 100, 130 };
    struct fl_perf_id table[6];
    struct fl_perf_ids ids = { .v = table, .n = 6 };
    struct recbuf b = { .n = 0 };
    struct fl_err err = { 0 };
    struct fl_perf_rec r;
    (void)state;
    memcpy(table, rec_id_table, sizeof table);
    fl_perf_ids_sort(&ids);
    struct fl_merge *m = fl_merge_new(1, &ids);
    for (size_t i = 0; i < 4; i++) /* the first is ours */
        rb_fault(&b, i ? 999 : ID_MINOR, PERF_RECORD_MISC_USER, 10, 10, times[i], i << 12);
    assert_int_equal(fl_merge_add(m, chunk_of(&b, 200), &err), FL_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_true(fl_merge_next(m, UINT64_MAX, &r));
        assert_int_equal(r.time_ns, let_in[i]);
        assert_int_equal(r.access.address, i << 12);
    }
    assert_int_equal(fl_merge_counts(m).foreign, 3);
    fl_merge_free(m);
}

static void merge_takes_one_fault_of_two_events_once(void **state)
{
    struct recbuf b = { .n = 0 };
    struct fl_err err = { 0 };
    struct fl_perf_rec r;
    (void)state;
    struct fl_merge *m = fl_merge_new(1, &rec_ids);
    for (int i = 0; i < 3; i++) /* the third is another one */
        rb_fault(&b, ID_MINOR_2, PERF_RECORD_MISC_USER, 10, 10, 7, i < 2 ? 0x1000 : 0x2000);
    assert_int_equal(fl_merge_add(m, chunk_of(&b, 0), &err), FL_OK);
    assert_true(fl_merge_next(m, UINT64_MAX, &r));
    assert_int_equal(r.access.address, 0x1000);
    assert_int_equal(r.watch, FL_WATCH_ANY);
    assert_true(fl_merge_next(m, UINT64_MAX, &r));
    assert_int_equal(r.access.address, 0x2000);
    assert_int_equal(r.watch, 1);
    assert_false(fl_merge_next(m, UINT64_MAX, &r));
    fl_merge_free(m);
}

static void merge_counts_records_that_come_too_late(void **state)
{
    (void)state;
    struct fl_merge *m = fl_merge_new(2, &rec_ids);
    add(m, 0, 2, (const uint64_t[]){ 1, 8 });
    expect(m, 8, 2, (const uint64_t[]){ 1, 8 });
    add(m, 1, 2, (const uint64_t[]){ 7, 8 });
    expect(m, 8, 2, (const uint64_t[]){ 7, 8 });
    assert_int_equal(fl_merge_counts(m).late, 1); /* 7; the second 8 is no earlier than the first */
    fl_merge_free(m);
}

/* Slow twin: sort everything. Many small chunks, random times, growing bounds. */
static void merge_equals_a_sort_for_random_streams(void **state)
{
    (void)state;
    uint64_t seed = 12345, t[4] = { 0 }, all[2000];
    size_t n = 0;
    struct fl_merge *m = fl_merge_new(4, &rec_ids);
    while (n < 2000) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t cpu = (uint32_t)(seed >> 62);
        uint64_t times[5];
        for (int i = 0; i < 5; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            times[i] = all[n++] = t[cpu] += 1 + (seed >> 58);
        }
        add(m, cpu, 5, times);
    }
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k && all[k - 1] > all[k]; k--) {
            uint64_t swap = all[k];
            all[k] = all[k - 1];
            all[k - 1] = swap;
        }
    struct fl_perf_rec r;
    size_t at = 0;
    for (uint64_t bound = 0; at < n; bound += 100)
        while (fl_merge_next(m, bound, &r)) {
            assert_true(r.time_ns <= bound);
            assert_int_equal(r.time_ns, all[at++]);
        }
    assert_int_equal(fl_merge_counts(m).late, 0);
    fl_merge_free(m);
}

static bool is_address(const struct fl_perf_rec *rec, const void *key)
{
    return rec->access.address == *(const uint64_t *)key;
}

static void merge_peek_finds_a_waiting_record_and_leaves_it(void **state)
{
    (void)state;
    struct fl_merge *m = fl_merge_new(2, &rec_ids);
    struct fl_perf_rec r;
    uint64_t wanted = 6 << 12, absent = 99 << 12;
    add(m, 0, 2, (const uint64_t[]){ 1, 4 });
    add(m, 1, 2, (const uint64_t[]){ 2, 6 });
    assert_true(fl_merge_peek(m, is_address, &wanted, &r));
    assert_int_equal(r.time_ns, 6);
    assert_false(fl_merge_peek(m, is_address, &absent, &r));
    expect(m, UINT64_MAX, 4, (const uint64_t[]){ 1, 2, 4, 6 });
    fl_merge_free(m);
}

static void merge_drops_a_damaged_tail_and_counts_it(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    struct fl_err err = { 0 };
    struct fl_merge *m = fl_merge_new(1, &rec_ids);
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 10, 3, 3 << 12);
    rb_fault(&b, 999, PERF_RECORD_MISC_USER, 10, 10, 4, 4 << 12); /* nobody's */
    rb_fault(&b, ID_MINOR, PERF_RECORD_MISC_USER, 10, 10, 5, 5 << 12);
    rb_u64(&b, 0); /* a header of size 0 */
    struct fl_chunk *c = malloc(sizeof *c + b.n);
    *c = (struct fl_chunk){ .len_bytes = b.n };
    memcpy(c->bytes, b.bytes, b.n);
    assert_int_equal(fl_merge_add(m, c, &err), FL_OK);
    expect(m, UINT64_MAX, 2, (const uint64_t[]){ 3, 5 });
    assert_int_equal(fl_merge_counts(m).damaged, 2);
    fl_merge_free(m);
}

static void merge_freed_with_records_waiting_leaks_nothing(void **state)
{
    (void)state;
    struct fl_merge *m = fl_merge_new(2, &rec_ids);
    struct fl_perf_rec r;
    add(m, 0, 3, (const uint64_t[]){ 1, 2, 3 });
    add(m, 1, 1, (const uint64_t[]){ 9 });
    assert_true(fl_merge_next(m, 1, &r));
    fl_merge_free(m); /* the sanitizer build says whether it is true */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_gives_records_of_all_cpus_in_order_of_time),
        cmocka_unit_test(merge_keeps_records_younger_than_the_bound),
        cmocka_unit_test(merge_puts_overtaken_records_of_one_cpu_back_in_order),
        cmocka_unit_test(merge_lets_no_time_of_another_clock_in),
        cmocka_unit_test(merge_takes_one_fault_of_two_events_once),
        cmocka_unit_test(merge_counts_records_that_come_too_late),
        cmocka_unit_test(merge_equals_a_sort_for_random_streams),
        cmocka_unit_test(merge_peek_finds_a_waiting_record_and_leaves_it),
        cmocka_unit_test(merge_drops_a_damaged_tail_and_counts_it),
        cmocka_unit_test(merge_freed_with_records_waiting_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
