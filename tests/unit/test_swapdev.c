/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What swap is asked for and what is there. Nothing is switched on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <faultline/swapdev.h>

static void requests(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum fl_swapdev_kind kind;
        uint64_t bytes;
    } good[] = {
        { "auto", FL_SWAPDEV_AUTO, 0 },
        { "none", FL_SWAPDEV_NONE, 0 },
        { "zram", FL_SWAPDEV_ZRAM, 0 },
        { "zram:512M", FL_SWAPDEV_ZRAM, 512 << 20 },
        { "file:64K", FL_SWAPDEV_FILE, 64 << 10 },
    };
    static const char *const bad[] = { "",         "zra",      "zramx",    "zram:",
                                       "zram:x",   "none:1M",  "auto:1M",  "file:50%",
                                       "file:max", "file:32K", "partition" };
    struct fl_swapdev_request r;
    struct fl_err err;
    for (size_t i = 0; i < FL_COUNT(good); i++) {
        assert_int_equal(fl_swapdev_parse(good[i].text, &r, &err), FL_OK);
        assert_int_equal(r.kind, good[i].kind);
        assert_int_equal(r.bytes, good[i].bytes);
    }
    for (size_t i = 0; i < FL_COUNT(bad); i++)
        assert_int_equal(fl_swapdev_parse(bad[i], &r, &err), FL_EUSAGE);
}

#define HEAD "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

static void no_swap_is_none(void **state)
{
    (void)state;
    struct fl_swapdev s;
    assert_int_equal(fl_swapdev_scan("", &s), 0);
    assert_int_equal(fl_swapdev_scan(HEAD, &s), 0);
    assert_int_equal(s.kind, FL_SWAPDEV_NONE);
    assert_int_equal(s.pages, 0);
}

static void the_device_of_highest_priority_is_named(void **state)
{
    (void)state;
    struct fl_swapdev s;
    assert_int_equal(fl_swapdev_scan(HEAD "/swap file\\040x       file\t\t4000\t\t0\t\t-2\n", &s),
                     0);
    assert_int_equal(fl_swapdev_scan(HEAD "/swapfile       file\t\t4000\t\t400\t\t-2\n"
                                          "/dev/zram1      partition\t8000\t\t0\t\t100\n"
                                          "/dev/sda2       partition\t12000\t\t0\t\t-3\n",
                                     &s),
                     3);
    assert_string_equal(s.path, "/dev/zram1");
    assert_int_equal(s.kind, FL_SWAPDEV_ZRAM);
    assert_int_equal(s.pages, (4000 - 400 + 8000 + 12000) / 4);
    assert_int_equal(fl_swapdev_scan(HEAD "/dev/sda2  partition 12000 0 -2\n", &s), 1);
    assert_int_equal(s.kind, FL_SWAPDEV_PARTITION);
    assert_int_equal(fl_swapdev_scan(HEAD "/swapfile  file 12000 0 -2\n", &s), 1);
    assert_int_equal(s.kind, FL_SWAPDEV_FILE);
}

static void a_header_is_as_the_kernel_wants_it(void **state)
{
    (void)state;
    unsigned char page[FL_PAGE_BYTES];
    uint32_t version, last, bad;
    memset(page, 0xff, sizeof page);
    fl_swapdev_header(page, 16384);
    memcpy(&version, page + 1024, 4);
    memcpy(&last, page + 1028, 4);
    memcpy(&bad, page + 1032, 4);
    assert_int_equal(version, 1);
    assert_int_equal(last, 16383);
    assert_int_equal(bad, 0);
    assert_memory_equal(page + 4086, "SWAPSPACE2", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(no_swap_is_none),
        cmocka_unit_test(the_device_of_highest_priority_is_named),
        cmocka_unit_test(a_header_is_as_the_kernel_wants_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
