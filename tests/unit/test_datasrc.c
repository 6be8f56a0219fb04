/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data sources: numbers put together with the kernel's own macros (linux/perf_event.h),
 * as arch/x86/events/{intel/ds.c,amd/ibs.c} put them together, and what they must say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <linux/perf_event.h>

#include <faultline/datasrc.h>

static void expect_text(uint64_t data_src, const char *want)
{
    char buf[FL_DATASRC_TEXT];
    assert_string_equal(fl_datasrc_text(buf, data_src), want);
}

/* Intel, Skylake, PEBS source 1: a load that hit L1. */
static void datasrc_of_l1_hit_says_so(void **state)
{
    (void)state;
    struct fl_datasrc d;
    uint64_t v = PERF_MEM_S(OP, LOAD) | PERF_MEM_S(LVL, L1) | PERF_MEM_S(LVL, HIT) |
                 PERF_MEM_S(LVLNUM, L1) | PERF_MEM_S(SNOOP, NONE) | PERF_MEM_S(TLB, HIT) |
                 PERF_MEM_S(TLB, L1) | PERF_MEM_S(TLB, L2);
    fl_datasrc_decode(v, &d);
    assert_true(d.load && !d.store && !d.prefetch && !d.exec);
    assert_int_equal(d.level, FL_LEVEL_L1);
    assert_int_equal(d.cache, FL_OUTCOME_HIT);
    assert_int_equal(d.tlb, FL_OUTCOME_HIT);
    assert_int_equal(d.snoop, FL_SNOOP_NONE);
    assert_true(d.lock_known && !d.locked && !d.remote);
    expect_text(v, "load L1 hit, tlb hit L1 L2, snoop none");
}

/* Numbers written out, taken apart by hand. */
static void datasrc_of_a_number_written_out_is_read_bit_by_bit(void **state)
{
    (void)state;
    /* 0x68100142: op 0x02; level (>>5) 0x0a = hit|L1; snoop (>>19) 0x02 = none; lock 0;
     * tlb (>>26) 0x1a = hit|L1|L2 */
    expect_text(UINT64_C(0x68100142), "load L1 hit, tlb hit L1 L2, snoop none");
    /* + lock (>>24) 0x02 */
    expect_text(UINT64_C(0x6a100142), "load L1 hit, tlb hit L1 L2, snoop none, locked");
}

/* Intel, a load from another socket's memory with the line modified elsewhere, STLB missed. */
static void datasrc_of_remote_memory_and_page_walk(void **state)
{
    (void)state;
    struct fl_datasrc d;
    uint64_t v = PERF_MEM_S(OP, LOAD) | PERF_MEM_S(LVL, REM_RAM1) | PERF_MEM_S(LVL, HIT) |
                 PERF_MEM_S(LVLNUM, RAM) | PERF_MEM_S(REMOTE, REMOTE) | PERF_MEM_S(SNOOP, HITM) |
                 PERF_MEM_S(TLB, MISS) | PERF_MEM_S(TLB, L2);
    fl_datasrc_decode(v, &d);
    assert_int_equal(d.level, FL_LEVEL_RAM);
    assert_true(d.remote);
    assert_int_equal(d.tlb, FL_OUTCOME_MISS);
    expect_text(v, "load remote RAM hit, tlb miss L2, snoop hitm");
}

/* Intel stores: L1 hit or miss in the old bits alone, the level number left 0. */
static void datasrc_of_stores_uses_the_older_bits_when_there_is_no_number(void **state)
{
    (void)state;
    struct fl_datasrc d;
    uint64_t v = PERF_MEM_S(OP, STORE) | PERF_MEM_S(LVL, L1) | PERF_MEM_S(LVL, MISS) |
                 PERF_MEM_S(LOCK, LOCKED) | PERF_MEM_S(SNOOP, NA) | PERF_MEM_S(TLB, NA);
    fl_datasrc_decode(v, &d);
    assert_true(d.store && !d.load && d.locked);
    assert_int_equal(d.level, FL_LEVEL_L1);
    assert_int_equal(d.cache, FL_OUTCOME_MISS);
    assert_int_equal(d.tlb, FL_OUTCOME_UNKNOWN);
    expect_text(v, "store L1 miss, locked");
}

/* AMD IBS op, Zen 4: data from another cache of the node, second-level TLB hit. */
static void datasrc_of_a_peer_cache_and_second_level_tlb(void **state)
{
    (void)state;
    struct fl_datasrc d;
    uint64_t v = PERF_MEM_S(OP, LOAD) | PERF_MEM_S(LVL, REM_CCE1) | PERF_MEM_S(LVL, HIT) |
                 PERF_MEM_S(LVLNUM, ANY_CACHE) | PERF_MEM_S(REMOTE, REMOTE) | PERF_MEM_S(HOPS, 0) |
                 PERF_MEM_S(SNOOPX, PEER) | PERF_MEM_S(TLB, HIT) | PERF_MEM_S(TLB, L2);
    fl_datasrc_decode(v, &d);
    assert_int_equal(d.level, FL_LEVEL_ANY_CACHE);
    assert_int_equal(d.hops, 1);
    assert_int_equal(d.snoop, FL_SNOOP_PEER);
    expect_text(v, "load remote cache hit, 1 hop, tlb hit L2, snoop peer");
}

static void datasrc_that_tells_nothing_is_unknown(void **state)
{
    (void)state;
    struct fl_datasrc d;
    uint64_t na = PERF_MEM_S(OP, NA) | PERF_MEM_S(LVL, NA) | PERF_MEM_S(SNOOP, NA) |
                  PERF_MEM_S(LOCK, NA) | PERF_MEM_S(TLB, NA) | PERF_MEM_S(LVLNUM, NA);
    fl_datasrc_decode(na, &d);
    assert_int_equal(d.level, FL_LEVEL_UNKNOWN);
    assert_int_equal(d.cache, FL_OUTCOME_UNKNOWN);
    assert_false(d.lock_known);
    expect_text(na, "unknown");
    expect_text(0, "unknown");
    fl_datasrc_decode(0, &d);
    assert_false(d.lock_known);
}

static void datasrc_fields_are_where_the_kernel_has_them(void **state)
{
    (void)state;
    assert_int_equal(FL_DS_LVL_SHIFT, PERF_MEM_LVL_SHIFT);
    assert_int_equal(FL_DS_SNOOP_SHIFT, PERF_MEM_SNOOP_SHIFT);
    assert_int_equal(FL_DS_LOCK_SHIFT, PERF_MEM_LOCK_SHIFT);
    assert_int_equal(FL_DS_TLB_SHIFT, PERF_MEM_TLB_SHIFT);
    assert_int_equal(FL_DS_NUM_SHIFT, PERF_MEM_LVLNUM_SHIFT);
    assert_int_equal(FL_DS_REMOTE_SHIFT, PERF_MEM_REMOTE_SHIFT);
    assert_int_equal(FL_DS_SNOOPX_SHIFT, PERF_MEM_SNOOPX_SHIFT);
    assert_int_equal(FL_DS_BLOCK_SHIFT, PERF_MEM_BLK_SHIFT);
    assert_int_equal(FL_DS_HOPS_SHIFT, PERF_MEM_HOPS_SHIFT);
    assert_int_equal(FL_LEVEL_PMEM, PERF_MEM_LVLNUM_PMEM);
    assert_int_equal(FL_LEVEL_FILL_BUFFER, PERF_MEM_LVLNUM_LFB);
    assert_int_equal(FL_LEVEL_CXL, PERF_MEM_LVLNUM_CXL);
}

/* Whatever is encoded decodes to itself; a level without an outcome is taken as a hit. */
static void datasrc_encoded_decodes_to_the_same(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 15 * 3 * 7 * 2 * 2 * 2 * 2; i++) {
        struct fl_datasrc in = { 0 }, out;
        unsigned k = i;
        in.level = k % 15, k /= 15;
        in.cache = k % 3, k /= 3;
        in.snoop = k % 7, k /= 7;
        in.remote = k % 2, k /= 2;
        in.locked = k % 2, k /= 2;
        in.store = k % 2, in.load = !in.store, k /= 2;
        in.blocked_data = k % 2;
        in.lock_known = true;
        in.tlb = i % 3;
        in.tlb_l1 = i % 5 == 0, in.tlb_l2 = i % 7 == 0, in.tlb_walker = i % 4 == 0;
        in.hops = (uint8_t)(i % 5);
        fl_datasrc_decode(fl_datasrc_encode(&in), &out);
        if (in.level != FL_LEVEL_UNKNOWN && in.cache == FL_OUTCOME_UNKNOWN)
            in.cache = FL_OUTCOME_HIT;
        assert_int_equal(out.level, in.level);
        assert_int_equal(out.cache, in.cache);
        assert_int_equal(out.snoop, in.snoop);
        assert_int_equal(out.tlb, in.tlb);
        assert_int_equal(out.hops, in.hops);
        assert_true(out.remote == in.remote && out.locked == in.locked && out.load == in.load);
        assert_true(out.store == in.store && out.lock_known && out.tlb_l1 == in.tlb_l1);
        assert_true(out.tlb_l2 == in.tlb_l2 && out.tlb_walker == in.tlb_walker);
        assert_true(out.blocked_data == in.blocked_data && !out.blocked_address);
    }
}

/* The longest text there is fits: every bit of the number set, and every single bit. */
static void datasrc_text_fits_whatever_the_number(void **state)
{
    (void)state;
    char buf[FL_DATASRC_TEXT];
    assert_true(strlen(fl_datasrc_text(buf, UINT64_MAX)) < FL_DATASRC_TEXT - 1);
    for (unsigned bit = 0; bit < 64; bit++)
        assert_true(strlen(fl_datasrc_text(buf, UINT64_C(1) << bit)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datasrc_of_l1_hit_says_so),
        cmocka_unit_test(datasrc_of_a_number_written_out_is_read_bit_by_bit),
        cmocka_unit_test(datasrc_of_remote_memory_and_page_walk),
        cmocka_unit_test(datasrc_of_stores_uses_the_older_bits_when_there_is_no_number),
        cmocka_unit_test(datasrc_of_a_peer_cache_and_second_level_tlb),
        cmocka_unit_test(datasrc_that_tells_nothing_is_unknown),
        cmocka_unit_test(datasrc_fields_are_where_the_kernel_has_them),
        cmocka_unit_test(datasrc_encoded_decodes_to_the_same),
        cmocka_unit_test(datasrc_text_fits_whatever_the_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
