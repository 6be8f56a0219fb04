/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "perf_recs.h"

static void ring_take_joins_what_wraps_around_the_end(void **state)
{
    (void)state;
    /* size 16, tail 12, head 22: bytes 12..15, then 0..5 */
    uint8_t data[16], got[10];
    uint64_t head = 22, tail = 12;
    struct fl_ring ring = { &head, &tail, data, sizeof data };
    for (uint8_t i = 0; i < 16; i++)
        data[i] = i;
    const uint8_t want[10] = { 12, 13, 14, 15, 0, 1, 2, 3, 4, 5 };
    assert_int_equal(fl_ring_pending(&ring), 10);
    fl_ring_take(&ring, got, 10);
    assert_memory_equal(got, want, 10);
    assert_int_equal(tail, 22);
    assert_int_equal(fl_ring_pending(&ring), 0);
}

static void ring_counters_that_overflow_64_bits_still_differ_rightly(void **state)
{
    (void)state;
    uint8_t data[16] = { 0 }, got[16];
    uint64_t head = 4, tail = UINT64_MAX - 3; /* 8 bytes apart */
    struct fl_ring ring = { &head, &tail, data, sizeof data };
    assert_int_equal(fl_ring_pending(&ring), 8);
    fl_ring_take(&ring, got, 8);
    assert_int_equal(tail, 4);
}

static void ring_whose_head_ran_past_its_size_is_seen_and_skipped(void **state)
{
    (void)state;
    uint8_t data[16] = { 0 };
    uint64_t head = 100, tail = 0;
    struct fl_ring ring = { &head, &tail, data, sizeof data };
    assert_true(fl_ring_pending(&ring) > ring.size_bytes);
    fl_ring_skip(&ring);
    assert_int_equal(tail, 100);
}

static void record_size_that_does_not_fit_is_no_record(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    rb_lost(&b, 5, 1);
    assert_int_equal(b.n, 56); /* header 8, id 8, count 8, trailer 32 */
    assert_int_equal(fl_perf_size(b.bytes, b.n), 56);
    assert_int_equal(fl_perf_size(b.bytes, b.n - 1), 0); /* cut off */
    assert_int_equal(fl_perf_size(b.bytes, 7), 0);
    const uint16_t bad[] = { 0, 7, 12, 64 };
    for (size_t i = 0; i < 4; i++) {
        memcpy(b.bytes + 6, &bad[i], 2);
        assert_int_equal(fl_perf_size(b.bytes, b.n), 0);
    }
}

static void fault_sample_decodes_to_kind_task_time_and_address(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    struct fl_perf_rec r;
    rb_fault(&b, ID_MAJOR, PERF_RECORD_MISC_USER, 10, 11, 5000, 0x7fff1234);
    assert_int_equal(b.n, 64); /* header, id, ip, pid+tid, time, address, cpu, period */
    assert_true(fl_perf_decode(b.bytes, b.n, &rec_ids, &r));
    assert_int_equal(r.type, PERF_RECORD_SAMPLE);
    assert_int_equal(r.source, FL_SRC_MAJOR);
    assert_int_equal(r.pid, 10);
    assert_int_equal(r.tid, 11);
    assert_int_equal(r.time_ns, 5000);
    assert_int_equal(r.access.address, 0x7fff1234);
    assert_int_equal(r.access.ip, 0x401000);
}

static void sampled_access_decodes_to_all_its_fields(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    struct fl_perf_rec r;
    uint64_t caller;
    rb_sample(&b, 10, 11, 5000, 0x7fff1234);
    assert_true(fl_perf_decode(b.bytes, b.n, &rec_ids, &r));
    assert_int_equal(r.source, FL_SRC_SAMPLE);
    assert_int_equal(r.index, 2);
    assert_int_equal(r.access.address, 0x7fff1234);
    assert_int_equal(r.access.ip, 0x401000);
    assert_int_equal(r.access.period, 1009);
    assert_int_equal(r.access.weight, 40);
    assert_int_equal(r.access.data_source, PERF_MEM_S(OP, LOAD) | PERF_MEM_S(LVL, L1));
    assert_int_equal(r.access.physical, 0x1234000);
    assert_int_equal(r.access.n_chain, 2);
    memcpy(&caller, r.access.chain + 8, 8);
    assert_int_equal(caller, 0x402000);
}

static void call_chain_longer_than_its_record_is_refused(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    struct fl_perf_rec r;
    uint64_t many[] = { 6, 1000, UINT64_C(1) << 61, UINT64_MAX };
    rb_sample(&b, 10, 11, 5000, 0x7fff1234);
    for (size_t i = 0; i < 4; i++) {
        memcpy(b.bytes + 64, &many[i], 8); /* where the chain's length is */
        assert_false(fl_perf_decode(b.bytes, b.n, &rec_ids, &r));
    }
}

static void sample_of_an_unknown_event_is_refused(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    struct fl_perf_rec r;
    rb_fault(&b, 999, PERF_RECORD_MISC_USER, 10, 11, 5000, 0x1000);
    assert_false(fl_perf_decode(b.bytes, b.n, &rec_ids, &r));
}

static void sample_with_somebody_elses_id_is_known_by_its_form(void **state)
{
    struct fl_perf_id table[6];
    struct fl_perf_ids ids = { .v = table, .n = 6 };
    struct recbuf minor = { .n = 0 }, major = { .n = 0 }, tp = { .n = 0 };
    struct fl_perf_rec r;
    uint64_t id = 999;
    (void)state;
    memcpy(table, rec_id_table, sizeof table);
    fl_perf_ids_sort(&ids);
    rb_fault_of(&minor, 999, false, PERF_RECORD_MISC_USER, 10, 11, 5000, 0x1000);
    assert_true(fl_perf_decode(minor.bytes, minor.n, &ids, &r));
    assert_int_equal(r.source, FL_SRC_MINOR);
    assert_int_equal(r.watch, FL_WATCH_ANY);
    assert_int_equal(r.access.address, 0x1000);
    assert_true(r.foreign);
    rb_fault_of(&major, 999, true, PERF_RECORD_MISC_USER, 10, 11, 5000, 0x1000);
    assert_true(fl_perf_decode(major.bytes, major.n, &ids, &r));
    assert_int_equal(r.source, FL_SRC_MAJOR);
    rb_fault(&major, ID_MINOR_2, PERF_RECORD_MISC_USER, 10, 11, 5000, 0x1000);
    assert_true(fl_perf_decode(major.bytes + 64, 56, &ids, &r));
    assert_false(r.foreign);
    assert_int_equal(r.watch, 1);
    rb_tracepoint(&tp, 10, 11, 5000, 0x1000, 7); /* the kernel sets their ids rightly */
    memcpy(tp.bytes + 8, &id, sizeof id);
    assert_false(fl_perf_decode(tp.bytes, tp.n, &ids, &r));
}

static void sample_of_two_forms_is_nobodys(void **state)
{
    struct fl_perf_id table[] = { { 1, FL_SRC_MINOR, 0, 0, FL_SAMPLE_FAULT, 1 },
                                  { 2, FL_SRC_SAMPLE, 0, 0, FL_SAMPLE_FAULT, 1 } };
    struct fl_perf_ids ids = { .v = table, .n = 2 };
    struct recbuf b = { .n = 0 };
    struct fl_perf_rec r;
    (void)state;
    fl_perf_ids_sort(&ids);
    rb_fault(&b, 999, PERF_RECORD_MISC_USER, 10, 11, 5000, 0x1000);
    assert_false(fl_perf_decode(b.bytes, b.n, &ids, &r));
}

static void tracepoint_whose_raw_size_passes_its_record_is_refused(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    struct fl_perf_rec r;
    rb_tracepoint(&b, 10, 10, 1, 0x1000, 6);
    assert_true(fl_perf_decode(b.bytes, b.n, &rec_ids, &r));
    assert_int_equal(r.tp.raw_bytes, 36);
    for (uint32_t size = 37; size; size <<= 1) { /* 37, 74, ... to bit 31 */
        memcpy(b.bytes + 40, &size, 4);
        assert_false(fl_perf_decode(b.bytes, b.n, &rec_ids, &r));
    }
}

static void mapping_record_decodes_with_its_name_and_trailer(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    struct fl_perf_rec r;
    rb_mmap(&b, 10, 77, 0x400000, 0x2000, 0x1000, 42, 5, 2, "/bin/x");
    assert_true(fl_perf_decode(b.bytes, b.n, &rec_ids, &r));
    assert_int_equal(r.time_ns, 77);
    assert_int_equal(r.mmap.start, 0x400000);
    assert_int_equal(r.mmap.length, 0x2000);
    assert_int_equal(r.mmap.offset, 0x1000);
    assert_int_equal(r.mmap.ino, 42);
    assert_int_equal(r.mmap.ino_generation, 7);
    assert_int_equal(r.mmap.dev_major, 8);
    assert_int_equal(r.mmap.dev_minor, 1);
    assert_int_equal(r.mmap.prot, 5);
    assert_string_equal(r.mmap.path, "/bin/x");
}

static void text_without_an_end_is_refused(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    struct fl_perf_rec r;
    rb_comm(&b, 0, 10, 10, 1, "abcdefg");
    assert_true(fl_perf_decode(b.bytes, b.n, &rec_ids, &r));
    assert_string_equal(r.comm, "abcdefg");
    b.bytes[16 + 7] = 'h'; /* its terminator; the trailer follows */
    assert_false(fl_perf_decode(b.bytes, b.n, &rec_ids, &r));
}

static void record_of_a_later_kernel_decodes_to_type_and_time(void **state)
{
    (void)state;
    struct recbuf b = { .n = 0 };
    struct fl_perf_rec r;
    rb_begin(&b, 77, 0);
    rb_u64(&b, 1);
    rb_end(&b, 10, 11, 123);
    assert_true(fl_perf_decode(b.bytes, b.n, &rec_ids, &r));
    assert_int_equal(r.type, 77);
    assert_int_equal(r.time_ns, 123);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_take_joins_what_wraps_around_the_end),
        cmocka_unit_test(ring_counters_that_overflow_64_bits_still_differ_rightly),
        cmocka_unit_test(ring_whose_head_ran_past_its_size_is_seen_and_skipped),
        cmocka_unit_test(record_size_that_does_not_fit_is_no_record),
        cmocka_unit_test(fault_sample_decodes_to_kind_task_time_and_address),
        cmocka_unit_test(sampled_access_decodes_to_all_its_fields),
        cmocka_unit_test(call_chain_longer_than_its_record_is_refused),
        cmocka_unit_test(sample_of_an_unknown_event_is_refused),
        cmocka_unit_test(sample_with_somebody_elses_id_is_known_by_its_form),
        cmocka_unit_test(sample_of_two_forms_is_nobodys),
        cmocka_unit_test(tracepoint_whose_raw_size_passes_its_record_is_refused),
        cmocka_unit_test(mapping_record_decodes_with_its_name_and_trailer),
        cmocka_unit_test(text_without_an_end_is_refused),
        cmocka_unit_test(record_of_a_later_kernel_decodes_to_type_and_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
