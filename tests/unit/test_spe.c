/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of Arm SPE from bytes written by hand after the Arm Architecture Reference
 * Manual's packet tables; each byte string says what its packets are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/datasrc.h>

#include "spe.h"
#include "spe_source.h"

#define NEOVERSE_N1 UINT64_C(0x413fd0c1)
#define AMPEREONE_A UINT64_C(0xc00fac40)

/* A load at 0xaaaad0001234 of 0xffff80001000 on Neoverse N1 that missed L1 and walked the TLB. */
static const uint8_t whole_load[] = {
    0xb0, 0x34, 0x12, 0x00, 0xd0, 0xaa, 0xaa, 0x00, 0x80, /* PC, EL0, NS */
    0x65, 0x39, 0x30, 0x00, 0x00,                         /* context EL2 0x3039 */
    0x64, 0x21, 0x04, 0x00, 0x00,                         /* context EL1 0x421 */
    0x49, 0x00,                                           /* load, general register */
    0x52, 0x3e, 0x00,                                     /* retired, L1 access+refill, TLB+walk */
    0x98, 0x2c, 0x01,                                     /* total latency 300 */
    0x99, 0x0a, 0x00,                                     /* issue latency 10 */
    0xb2, 0x00, 0x10, 0x00, 0x80, 0xff, 0xff, 0x00, 0x00, /* data VA */
    0x9a, 0x14, 0x00,                                     /* translation latency 20 */
    0xb3, 0x00, 0xf0, 0x55, 0x44, 0x03, 0x00, 0x00, 0x80, /* data PA, NS */
    0x43, 0x0e,                                           /* data source: DRAM */
    0x71, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* timestamp */
};

static bool read_one(const uint8_t *bytes, size_t n, struct fl_spe_record *rec)
{
    struct fl_spe_reader r;
    fl_spe_open(&r, bytes, n, 0);
    return fl_spe_next(&r, rec);
}

static void spe_load_with_every_packet_is_read(void **state)
{
    (void)state;
    struct fl_spe_record r;
    assert_true(read_one(whole_load, sizeof whole_load, &r));
    assert_int_equal(r.have, FL_SPE_HAS_TIME | FL_SPE_HAS_PC | FL_SPE_HAS_ADDRESS |
                                 FL_SPE_HAS_PHYS | FL_SPE_HAS_EVENTS | FL_SPE_HAS_SOURCE |
                                 FL_SPE_HAS_CONTEXT | FL_SPE_HAS_CONTEXT_EL2 | FL_SPE_HAS_OP |
                                 FL_SPE_HAS_LATENCY);
    assert_int_equal(r.pc, UINT64_C(0xaaaad0001234));
    assert_int_equal(r.level, 0);
    assert_int_equal(r.context[0], 0x421);
    assert_int_equal(r.context[1], 0x3039);
    assert_int_equal(r.op, FL_SPE_OP_MEMORY);
    assert_false(r.write);
    assert_int_equal(r.events, 0x3e);
    assert_int_equal(r.total_latency_cycles, 300);
    assert_int_equal(r.issue_latency_cycles, 10);
    assert_int_equal(r.translation_cycles, 20);
    assert_int_equal(r.address, UINT64_C(0xffff80001000));
    assert_int_equal(r.phys, UINT64_C(0x34455f000));
    assert_int_equal(r.source, 0xe);
    assert_int_equal(r.time_ticks, UINT64_C(0x1122334455667788));
}

/* Two records: a store ended by END and a load ended by a timestamp, with pads before and between. */
static void spe_records_follow_each_other_with_padding_between(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {
        0x00, 0x00,                                  /* pads */
        0x49, 0x01,                                  /* store */
        0xb2, 0x08, 0x00, 0x40, 0, 0, 0, 0, 0,       /* data VA 0x400008 */
        0x01,                                        /* end */
        0x00, 0x01,                                  /* a pad; an end of nothing */
        0x49, 0x04,                                  /* load, SIMD: not an atomic */
        0x71, 0x05, 0,    0,    0, 0, 0, 0, 0,       /* timestamp 5 */
        0x71, 0x06, 0,    0,    0, 0, 0, 0, 0, 0x00, /* a timestamp of nothing */
    };
    struct fl_spe_reader reader;
    struct fl_spe_record r;
    fl_spe_open(&reader, bytes, sizeof bytes, 0);
    assert_true(fl_spe_next(&reader, &r));
    assert_true(r.write && r.address == 0x400008 && !(r.have & FL_SPE_HAS_TIME));
    assert_true(fl_spe_next(&reader, &r));
    assert_true(!r.write && !r.atomic && r.time_ticks == 5 && !(r.have & FL_SPE_HAS_ADDRESS));
    assert_false(fl_spe_next(&reader, &r));
    assert_false(fl_spe_next(&reader, &r));
    assert_int_equal(reader.bad_packets, 0);
    assert_int_equal(reader.cut_records, 0);
}

/* Class LD/ST, subclass 000xxx1x: AT bit 2, EXCL bit 3, AR bit 4. */
static void spe_atomics_and_exclusives_are_locked(void **state)
{
    (void)state;
    struct fl_datasrc d;
    struct fl_spe_record r;
    static const uint8_t ldadd[] = { 0x49, 0x17, 0x01 }, ldxr[] = { 0x49, 0x0a, 0x01 };
    assert_true(read_one(ldadd, sizeof ldadd, &r));
    assert_true(r.write && r.atomic && r.acquire_release && !r.exclusive);
    fl_datasrc_decode(fl_spe_data_src(&r, FL_SPE_SOURCES_ARM), &d);
    assert_true(d.store && d.locked && d.level == FL_LEVEL_UNKNOWN);
    assert_true(read_one(ldxr, sizeof ldxr, &r));
    assert_true(!r.write && !r.atomic && r.exclusive);
}

/* Bits 55..48 all ones: the kernel's half. A tag in the top byte of a user address goes. */
static void spe_addresses_lose_tags_and_keep_their_half(void **state)
{
    (void)state;
    struct fl_spe_record r;
    static const uint8_t user[] = { 0xb2, 0x00, 0x10, 0, 0, 0xff, 0xff, 0x00, 0xb4, 0x01 };
    static const uint8_t kernel[] = { 0xb2, 0x00, 0x10, 0, 0, 0x08, 0x00, 0xff, 0x3c, 0x01 };
    static const uint8_t pc[] = { 0xb0, 0x00, 0x10, 0, 0, 0x08, 0x00, 0xff, 0xc0, 0x01 };
    assert_true(read_one(user, sizeof user, &r));
    assert_int_equal(r.address, UINT64_C(0xffff00001000));
    assert_true(read_one(kernel, sizeof kernel, &r));
    assert_int_equal(r.address, UINT64_C(0xffff000800001000));
    assert_true(read_one(pc, sizeof pc, &r));
    assert_int_equal(r.level, 2);
    assert_int_equal(r.pc, UINT64_C(0xffff000800001000));
}

/* 0x20..0x3f: the kind is in the second byte, the index grows by two bits; unknown ones are passed. */
static void spe_extended_headers_are_known_or_passed(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {
        0x20, 0xb2, 0x10, 0,    0, 0, 0, 0, 0, 0, /* extended address, index 2 */
        0x21, 0xb0, 0x99, 0,    0, 0, 0, 0, 0, 0, /* index 8: nobody's yet */
        0x20, 0x98, 0x07, 0x00,                   /* extended counter, index 0 */
        0x49, 0x00, 0x01,
    };
    struct fl_spe_reader reader;
    struct fl_spe_record r;
    fl_spe_open(&reader, bytes, sizeof bytes, 0);
    assert_true(fl_spe_next(&reader, &r));
    assert_int_equal(r.address, 0x10);
    assert_int_equal(r.total_latency_cycles, 7);
    assert_int_equal(r.have, FL_SPE_HAS_ADDRESS | FL_SPE_HAS_LATENCY | FL_SPE_HAS_OP);
    assert_int_equal(reader.bad_packets, 0);
}

/* Alignment 0x23 0x00: to the next 16 bytes of the stream, which began 4 bytes before ours. */
static void spe_alignment_counts_from_the_stream(void **state)
{
    (void)state;
    uint8_t bytes[12 + 3] = { 0x23, 0x00 };
    struct fl_spe_reader reader;
    struct fl_spe_record r;
    memset(bytes + 2, 0x77, 10); /* were these read, they would be bad packets */
    memcpy(bytes + 12, (const uint8_t[]){ 0x49, 0x01, 0x01 }, 3);
    fl_spe_open(&reader, bytes, sizeof bytes, 0x1004);
    assert_true(fl_spe_next(&reader, &r));
    assert_true(r.write && reader.bad_packets == 0);
    fl_spe_open(&reader, bytes, sizeof bytes, 0x1000); /* 16 bytes: all of it */
    assert_false(fl_spe_next(&reader, &r));
}

/* Every proper prefix of a record is no record, and is counted once it has a packet. */
static void spe_cut_off_record_is_never_returned(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof whole_load; n++) {
        struct fl_spe_reader reader;
        struct fl_spe_record r;
        fl_spe_open(&reader, whole_load, n, 0);
        assert_false(fl_spe_next(&reader, &r));
        assert_int_equal(reader.cut_records, n > 0);
    }
}

/* A byte that starts no packet spoils its record; the one behind the next end is whole again. */
static void spe_damaged_record_is_dropped_and_the_next_read(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {
        0x49, 0x01, 0xee, 0x98, 0x05, 0x00, 0x01, /* store, rubbish, counter, end */
        0x49, 0x00, 0x01,                         /* load, end */
    };
    struct fl_spe_reader reader;
    struct fl_spe_record r;
    fl_spe_open(&reader, bytes, sizeof bytes, 0);
    assert_true(fl_spe_next(&reader, &r));
    assert_true(!r.write && r.have == FL_SPE_HAS_OP);
    assert_int_equal(reader.bad_packets, 1);
    assert_int_equal(reader.cut_records, 1);
}

static void expect_source(uint64_t midr, uint16_t source, const char *want)
{
    char text[FL_DATASRC_TEXT];
    struct fl_spe_record r = { .have = FL_SPE_HAS_OP | FL_SPE_HAS_SOURCE,
                               .op = FL_SPE_OP_MEMORY,
                               .source = source };
    fl_datasrc_text(text, fl_spe_data_src(&r, fl_spe_sources_of(midr)));
    assert_string_equal(text, want);
}

static void spe_data_source_means_what_its_processor_says(void **state)
{
    (void)state;
    expect_source(NEOVERSE_N1, 0x0, "load L1 hit, snoop none");
    expect_source(NEOVERSE_N1, 0x8, "load L2 hit, snoop none");
    expect_source(NEOVERSE_N1, 0x9, "load L2 hit, snoop peer");
    expect_source(NEOVERSE_N1, 0xb, "load L3 hit, snoop hit");
    expect_source(NEOVERSE_N1, 0xd, "load remote cache hit, snoop peer");
    expect_source(NEOVERSE_N1, 0xe, "load RAM hit, snoop none");
    expect_source(NEOVERSE_N1, 0x5, "load");
    expect_source(AMPEREONE_A, 0x8, "load L1 hit, snoop none");
    expect_source(AMPEREONE_A, 0x7, "load RAM hit, snoop none");
    expect_source(0x480fd010, 0x8, "load"); /* a maker whose numbers we do not know */
}

static void spe_events_tell_the_level_where_no_source_does(void **state)
{
    (void)state;
    char text[FL_DATASRC_TEXT];
    struct fl_spe_record r = { .have = FL_SPE_HAS_OP | FL_SPE_HAS_EVENTS, .op = FL_SPE_OP_MEMORY };
    r.events = FL_SPE_EV_L1D_ACCESS | FL_SPE_EV_TLB_ACCESS;
    assert_string_equal(fl_datasrc_text(text, fl_spe_data_src(&r, 0)), "load L1 hit, tlb hit");
    r.events |= FL_SPE_EV_L1D_REFILL | FL_SPE_EV_TLB_WALK;
    assert_string_equal(fl_datasrc_text(text, fl_spe_data_src(&r, 0)),
                        "load L1 miss, tlb miss walker");
    r.events |= FL_SPE_EV_LLC_ACCESS | FL_SPE_EV_REMOTE;
    r.write = true;
    assert_string_equal(fl_datasrc_text(text, fl_spe_data_src(&r, 0)),
                        "store remote L3 hit, tlb miss walker");
    r.events |= FL_SPE_EV_LLC_MISS;
    assert_string_equal(fl_datasrc_text(text, fl_spe_data_src(&r, 0)),
                        "store remote L3 miss, tlb miss walker");
    r.op = FL_SPE_OP_BRANCH;
    assert_int_equal(fl_spe_data_src(&r, 0), 0);
}

static void spe_ticks_become_nanoseconds(void **state)
{
    (void)state;
    const struct fl_spe_clock c = { .ticks = 1000, .time_ns = 500, .ticks_hz = 25000000 };
    assert_int_equal(fl_spe_time_ns(&c, 1000), 500);
    assert_int_equal(fl_spe_time_ns(&c, 1001), 540); /* 40 ns a tick at 25 MHz */
    assert_int_equal(fl_spe_time_ns(&c, 990), 100);
    assert_int_equal(fl_spe_time_ns(&c, 0), 0);
    assert_int_equal(fl_spe_time_ns(&c, 1000 + UINT64_C(25000000) * 86400 * 365),
                     500 + UINT64_C(1000000000) * 86400 * 365);
    const struct fl_spe_clock unknown = { .ticks = 1, .time_ns = 7 };
    assert_int_equal(fl_spe_time_ns(&unknown, 12345), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spe_load_with_every_packet_is_read),
        cmocka_unit_test(spe_records_follow_each_other_with_padding_between),
        cmocka_unit_test(spe_atomics_and_exclusives_are_locked),
        cmocka_unit_test(spe_addresses_lose_tags_and_keep_their_half),
        cmocka_unit_test(spe_extended_headers_are_known_or_passed),
        cmocka_unit_test(spe_alignment_counts_from_the_stream),
        cmocka_unit_test(spe_cut_off_record_is_never_returned),
        cmocka_unit_test(spe_damaged_record_is_dropped_and_the_next_read),
        cmocka_unit_test(spe_data_source_means_what_its_processor_says),
        cmocka_unit_test(spe_events_tell_the_level_where_no_source_does),
        cmocka_unit_test(spe_ticks_become_nanoseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
