/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/units.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

static void expect_size(const char *text, uint64_t bytes, uint32_t percent_bp)
{
    struct fl_size size = { .bytes = 77, .percent_bp = 77 };
    struct fl_err err = { 0 };
    int rc = fl_parse_size(text, &size, &err);
    if (rc != FL_OK || size.bytes != bytes || size.percent_bp != percent_bp)
        fail_msg("'%s': rc %d, %llu bytes, %u bp, %s", text, rc, (unsigned long long)size.bytes,
                 size.percent_bp, err.msg);
}

static void percentages_are_basis_points_to_two_decimals(void **state)
{
    static const struct {
        const char *text;
        uint32_t bp;
    } good[] = { { "0%", 0 },       { "5%", 500 },        { "2.5%", 250 },          { "0.01%", 1 },
                 { "100%", 10000 }, { "12.2500%", 1225 }, { "1000000%", 100000000 } };
    static const char *const bad[] = { "",      "%",      "5",           "-5%",
                                       "5 %",   "0.001%", "1.234%",      "5%%",
                                       "five%", "+5%",    "1000000.01%", "99999999999999999999%" };
    (void)state;
    for (size_t i = 0; i < FL_COUNT(good); i++) {
        uint32_t bp = 77;
        assert_int_equal(fl_parse_percent(good[i].text, &bp, NULL), FL_OK);
        assert_int_equal(bp, good[i].bp);
    }
    for (size_t i = 0; i < FL_COUNT(bad); i++) {
        uint32_t bp;
        struct fl_err err = { 0 };
        if (fl_parse_percent(bad[i], &bp, &err) != FL_EUSAGE || !strstr(err.msg, bad[i]))
            fail_msg("'%s' was taken, or badly refused: %s", bad[i], err.msg);
    }
}

static void size_forms_all_mean_what_they_say(void **state)
{
    (void)state;
    expect_size("4096", 4096, 0);
    expect_size("1", 1, 0);
    expect_size("17B", 17, 0);
    expect_size("64K", 64 * KIB, 0);
    expect_size("64KiB", 64 * KIB, 0);
    expect_size("64KB", 64 * KIB, 0);
    expect_size("512M", 512 * MIB, 0);
    expect_size("2G", 2 * GIB, 0);
    expect_size("1T", 1024 * GIB, 0);
    expect_size("max", FL_SIZE_MAX_BYTES, 0);
}

static void size_percent_is_basis_points(void **state)
{
    (void)state;
    expect_size("50%", 0, 5000);
    expect_size("100%", 0, 10000);
    expect_size("12.5%", 0, 1250);
    expect_size("0.01%", 0, 1);
    expect_size("33.33%", 0, 3333);
    expect_size("1000000%", 0, 100000000);
}

static void size_bad_text_is_usage_with_the_text_in_the_message(void **state)
{
    static const char *const bad[] = {
        "",    "K",     "-1",   "+1",  " 1",  "1 ",     "12Q",      "1KK",  "1Ki",
        "1iB", "0x10",  "50%%", "%",   "1e3", "MAX",    ".5G",      "1..2", "1,2",
        "nan", "64M..", "-50%", "1 K", "1BB", "1000%K", "infinity",
    };
    (void)state;
    for (size_t i = 0; i < FL_COUNT(bad); i++) {
        struct fl_size size;
        struct fl_err err = { 0 };
        int rc = fl_parse_size(bad[i], &size, &err);
        if (rc != FL_EUSAGE)
            fail_msg("'%s' gave %d", bad[i], rc);
        assert_int_equal(err.code, FL_EUSAGE);
        if (!strstr(err.msg, bad[i]))
            fail_msg("message does not name '%s': %s", bad[i], err.msg);
    }
}

static void size_out_of_range_is_usage(void **state)
{
    static const char *const bad[] = {
        "18446744073709551616", /* 2^64 */
        "16777216T",            /* 2^24 * 2^40 = 2^64 */
        "99999999999999999999999999999999999999999",
        "18446744073709551615G",
        "1000000.01%", /* a basis point over the most */
        "2000000%",
        "0%", /* nothing of anything */
    };
    (void)state;
    for (size_t i = 0; i < FL_COUNT(bad); i++) {
        struct fl_size size;
        struct fl_err err = { 0 };
        int rc = fl_parse_size(bad[i], &size, &err);
        if (rc != FL_EUSAGE)
            fail_msg("'%s' gave %d", bad[i], rc);
    }
    expect_size("16777215T", UINT64_C(16777215) << 40, 0); /* the most that fits */
}

static void u64_takes_all_of_64_bits_and_nothing_else(void **state)
{
    static const char *const bad[] = { "",   "-1", "+1",  " 1",  "1 ",
                                       "1x", "x",  "1.0", "0x1", "18446744073709551616" };
    struct fl_err err;
    uint64_t v = 0;
    (void)state;
    assert_int_equal(fl_parse_u64("0", &v, &err), FL_OK);
    assert_true(v == 0);
    assert_int_equal(fl_parse_u64("18446744073709551615", &v, &err), FL_OK);
    assert_true(v == UINT64_MAX);
    assert_int_equal(fl_parse_u64("010", &v, &err), FL_OK); /* decimal, not octal */
    assert_true(v == 10);
    for (size_t i = 0; i < FL_COUNT(bad); i++)
        if (fl_parse_u64(bad[i], &v, &err) != FL_EUSAGE)
            fail_msg("'%s' was taken", bad[i]);
}

/* ---- lists ------------------------------------------------------------------- */

static void expect_list(const char *text, size_t n, const struct fl_size *want)
{
    struct fl_size *got = NULL;
    size_t got_n = 0;
    struct fl_err err = { 0 };
    if (fl_parse_size_list(text, &got, &got_n, &err) != FL_OK)
        fail_msg("'%s': %s", text, err.msg);
    assert_int_equal(got_n, n);
    for (size_t i = 0; i < n; i++)
        if (got[i].bytes != want[i].bytes || got[i].percent_bp != want[i].percent_bp)
            fail_msg("'%s' [%zu]: %llu bytes, %u bp", text, i, (unsigned long long)got[i].bytes,
                     got[i].percent_bp);
    free(got);
}

#define BYTES(n)     \
    {                \
        .bytes = (n) \
    }
#define BP(n)             \
    {                     \
        .percent_bp = (n) \
    }

static void list_keeps_the_order_it_was_given(void **state)
{
    (void)state;
    expect_list("64M", 1, (struct fl_size[]){ BYTES(64 * MIB) });
    expect_list("128M,64M,50%", 3,
                (struct fl_size[]){ BYTES(128 * MIB), BYTES(64 * MIB), BP(5000) });
}

/* 100 .. 400 in 4 steps: 3 gaps of 100. */
static void range_includes_both_ends_in_even_steps(void **state)
{
    (void)state;
    expect_list("100..400/4", 4,
                (struct fl_size[]){ BYTES(100), BYTES(200), BYTES(300), BYTES(400) });
    expect_list(
        "64M..1G/16", 16,
        (struct fl_size[]){ BYTES(64 * MIB), BYTES(128 * MIB), BYTES(192 * MIB), BYTES(256 * MIB),
                            BYTES(320 * MIB), BYTES(384 * MIB), BYTES(448 * MIB), BYTES(512 * MIB),
                            BYTES(576 * MIB), BYTES(640 * MIB), BYTES(704 * MIB), BYTES(768 * MIB),
                            BYTES(832 * MIB), BYTES(896 * MIB), BYTES(960 * MIB), BYTES(GIB) });
    expect_list("10%..50%/5", 5,
                (struct fl_size[]){ BP(1000), BP(2000), BP(3000), BP(4000), BP(5000) });
}

static void list_may_mix_points_and_ranges(void **state)
{
    (void)state;
    expect_list("1,10..20/2,30%", 4,
                (struct fl_size[]){ BYTES(1), BYTES(10), BYTES(20), BP(3000) });
}

static void list_bad_text_is_usage_and_leaves_nothing_to_free(void **state)
{
    static const char *const bad[] = {
        "",           ",",          "64M,",   ",64M",      "64M,,1G",   "64M..1G",   "64M..1G/",
        "64M..1G/x",  "64M..1G/0",  "..1G/4", "64M../4",   "1G..64M/4", "50%..1G/4", "1M..50%/4",
        "64M...1G/4", "1..2/70000", "x",      "1M..max/4", "1..2/3/4",  "64M;1G",
    };
    (void)state;
    for (size_t i = 0; i < FL_COUNT(bad); i++) {
        struct fl_size *got = (struct fl_size *)1;
        size_t n = 9;
        struct fl_err err = { 0 };
        int rc = fl_parse_size_list(bad[i], &got, &n, &err);
        if (rc != FL_EUSAGE)
            fail_msg("'%s' gave %d", bad[i], rc);
        assert_true(err.msg[0] != '\0' && !strchr(err.msg, '\n'));
    }
}

static void list_of_65536_points_is_the_longest(void **state)
{
    struct fl_size *got = NULL;
    struct fl_err err;
    size_t n = 0;
    (void)state;
    assert_int_equal(fl_parse_size_list("1..65536/65536", &got, &n, &err), FL_OK);
    assert_int_equal(n, 65536);
    assert_true(got[0].bytes == 1 && got[40000].bytes == 40001 && got[65535].bytes == 65536);
    free(got);
    assert_int_equal(fl_parse_size_list("1..65536/65536,7", &got, &n, &err), FL_EUSAGE);
    assert_int_equal(fl_parse_size_list("1..65537/65537", &got, &n, &err), FL_EUSAGE);
}

/* ---- durations, conversions, text ------------------------------------------------ */

static void duration_forms_all_mean_what_they_say(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        { "2", 2000000000 },  { "1.5", 1500000000 },  { "250ms", 250000000 },
        { "3s", 3000000000 }, { "2m", 120000000000 }, { "0.25s", 250000000 },
        { "0", 0 },
    };
    static const char *const bad[] = {
        "", "s", "-1", "1x", "1 s", "1.", "1.5.5", "99999999999999999999", "9999999999999m"
    };
    struct fl_err err;
    uint64_t ns;
    (void)state;
    for (size_t i = 0; i < FL_COUNT(good); i++) {
        if (fl_parse_duration_ns(good[i].text, &ns, &err) != FL_OK || ns != good[i].ns)
            fail_msg("'%s'", good[i].text);
    }
    for (size_t i = 0; i < FL_COUNT(bad); i++)
        if (fl_parse_duration_ns(bad[i], &ns, &err) != FL_EUSAGE)
            fail_msg("'%s' was taken", bad[i]);
}

static void relative_size_rounds_down_and_cannot_overflow(void **state)
{
    (void)state;
    assert_true(fl_size_bytes(&(struct fl_size)BYTES(4096), 1) == 4096);
    assert_true(fl_size_bytes(&(struct fl_size)BP(5000), 4097) == 2048);
    assert_true(fl_size_bytes(&(struct fl_size)BP(1), 9999) == 0);
    assert_true(fl_size_bytes(&(struct fl_size)BP(15000), 100) == 150);
    /* 2^63 bytes: half of them does not fit into 64 bits before the division by 10000 */
    assert_true(fl_size_bytes(&(struct fl_size)BP(5000), UINT64_C(1) << 63) == UINT64_C(1) << 62);
    assert_true(fl_size_bytes(&(struct fl_size)BP(100000000), UINT64_MAX) == UINT64_MAX);
    assert_true(fl_size_bytes(&(struct fl_size)BYTES(FL_SIZE_MAX_BYTES), 1) == UINT64_MAX);
}

static void pages_of_rounds_up_and_cannot_overflow(void **state)
{
    (void)state;
    assert_true(fl_pages_of(0) == 0);
    assert_true(fl_pages_of(1) == 1);
    assert_true(fl_pages_of(4096) == 1);
    assert_true(fl_pages_of(4097) == 2);
    assert_true(fl_pages_of(UINT64_MAX) == UINT64_C(1) << 52);
}

static void format_bytes_picks_the_largest_fitting_unit(void **state)
{
    char buf[FL_FORMAT_BYTES];
    (void)state;
    assert_string_equal(fl_format_bytes(buf, 0), "0 B");
    assert_string_equal(fl_format_bytes(buf, 17), "17 B");
    assert_string_equal(fl_format_bytes(buf, 1023), "1023 B");
    assert_string_equal(fl_format_bytes(buf, 512 * KIB), "512 KiB");
    assert_string_equal(fl_format_bytes(buf, 3 * GIB / 2), "1.5 GiB");
    assert_non_null(strstr(fl_format_bytes(buf, UINT64_MAX), "EiB"));
}

static void format_count_groups_thousands(void **state)
{
    char buf[FL_FORMAT_BYTES];
    (void)state;
    assert_string_equal(fl_format_count(buf, 0), "0");
    assert_string_equal(fl_format_count(buf, 999), "999");
    assert_string_equal(fl_format_count(buf, 1000), "1,000");
    assert_string_equal(fl_format_count(buf, 1234567), "1,234,567");
    assert_string_equal(fl_format_count(buf, UINT64_MAX), "18,446,744,073,709,551,615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_forms_all_mean_what_they_say),
        cmocka_unit_test(size_percent_is_basis_points),
        cmocka_unit_test(size_bad_text_is_usage_with_the_text_in_the_message),
        cmocka_unit_test(size_out_of_range_is_usage),
        cmocka_unit_test(u64_takes_all_of_64_bits_and_nothing_else),
        cmocka_unit_test(list_keeps_the_order_it_was_given),
        cmocka_unit_test(range_includes_both_ends_in_even_steps),
        cmocka_unit_test(list_may_mix_points_and_ranges),
        cmocka_unit_test(list_bad_text_is_usage_and_leaves_nothing_to_free),
        cmocka_unit_test(list_of_65536_points_is_the_longest),
        cmocka_unit_test(duration_forms_all_mean_what_they_say),
        cmocka_unit_test(relative_size_rounds_down_and_cannot_overflow),
        cmocka_unit_test(percentages_are_basis_points_to_two_decimals),
        cmocka_unit_test(pages_of_rounds_up_and_cannot_overflow),
        cmocka_unit_test(format_bytes_picks_the_largest_fitting_unit),
        cmocka_unit_test(format_count_groups_thousands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
