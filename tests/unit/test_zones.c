/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zones and watermarks, against what Linux 6.18 prints in /proc/zoneinfo on a 24 GiB machine
   at three moments (its zone Normal grew meanwhile), and against sums done by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "linux/zones.h"

#define MIB_PAGES UINT64_C(256)
#define GIB_PAGES UINT64_C(262144)

static struct zones of_managed(uint64_t dma, uint64_t dma32, uint64_t normal)
{
    struct zones z = { 0 };
    uint64_t managed[ZONES] = { dma, dma32, normal };
    for (int i = 0; i < ZONES; i++)
        z.zone[i].present = z.zone[i].managed = z.zone[i].free = managed[i];
    return z;
}

static struct zones machine(uint64_t ram_pages, uint64_t base_pages)
{
    struct zones_config config = {
        .ram_pages = ram_pages, .base_pages = base_pages, .scale_factor = 10, .khugepaged = true
    };
    struct zones z;
    struct fl_err err = { .msg = "" };
    if (zones_init(&z, &config, &err) != FL_OK)
        fail_msg("%s", err.msg);
    return z;
}

static void assert_marks(const struct zone *zone, uint64_t min, uint64_t low, uint64_t high)
{
    assert_int_equal(zone->mark[WMARK_MIN], min);
    assert_int_equal(zone->mark[WMARK_LOW], low);
    assert_int_equal(zone->mark[WMARK_HIGH], high);
    assert_int_equal(zone->mark[WMARK_PROMO], 2 * high - low);
}

static void watermarks_are_those_of_zoneinfo(void **state)
{
    static const struct {
        uint64_t managed[ZONES];
        uint64_t marks[ZONES][3];
    } seen[] = {
        { { 3840, 772917, 524288 },
          { { 49, 61, 73 }, { 10037, 12546, 15055 }, { 6808, 8510, 10212 } } },
        { { 3840, 772808, 3604480 },
          { { 14, 17, 20 }, { 2980, 3752, 4524 }, { 13900, 17504, 21108 } } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
        const uint64_t *managed = seen[i].managed;
        struct zones z = of_managed(managed[0], managed[1], managed[2]);
        uint64_t kbytes = zones_min_free_kbytes(&z, 10, true);
        assert_int_equal(kbytes, 67584);
        zones_set_watermarks(&z, kbytes, 10);
        for (int zone = 0; zone < ZONES; zone++)
            assert_marks(&z.zone[zone], seen[i].marks[zone][0], seen[i].marks[zone][1],
                         seen[i].marks[zone][2]);
    }
}

/* The line "protection" of zoneinfo. */
static void reserves_are_those_of_zoneinfo(void **state)
{
    struct zones z = of_managed(3840, 772808, 3604480);
    (void)state;
    zones_set_reserves(&z);
    assert_int_equal(z.zone[ZONE_DMA].reserve, 17098);
    assert_int_equal(z.zone[ZONE_DMA32].reserve, 14080);
    assert_int_equal(z.zone[ZONE_NORMAL].reserve, 0);
}

/* 4 * sqrt(KiB); khugepaged wants 11 blocks of 512 pages a zone, but not 1/20 of what is above
   the high marks that the square root gave. */
static void min_free_kbytes_follows_ram(void **state)
{
    struct zones gib2 = of_managed(4096, 2 * GIB_PAGES - 4096, 0);
    struct zones mib64 = of_managed(4096, 64 * MIB_PAGES - 4096, 0);
    (void)state;
    assert_int_equal(zones_min_free_kbytes(&gib2, 10, false), 5792); /* sqrt(2097152 * 16) */
    assert_int_equal(zones_min_free_kbytes(&gib2, 10, true), 2 * 11 * 512 * 4);
    assert_int_equal(zones_min_free_kbytes(&mib64, 10, false), 1024);
    /* min 256 pages: 64 + 192; gaps of a quarter: high 96 + 288; (16384 - 384) / 20 pages */
    assert_int_equal(zones_min_free_kbytes(&mib64, 10, true), 800 * 4);
    struct zones tib = of_managed(4096, GIB_PAGES * 4 - 4096, GIB_PAGES * 8188);
    assert_int_equal(zones_min_free_kbytes(&tib, 10, true), 262144);
}

static void the_scale_factor_widens_the_gaps(void **state)
{
    struct zones z = of_managed(0, 100000, 0);
    (void)state;
    zones_set_watermarks(&z, 4000, 200);
    assert_marks(&z.zone[ZONE_DMA32], 1000, 3000, 5000);
}

static void ram_is_laid_out_as_on_x86(void **state)
{
    (void)state;
    struct zones z = machine(6 * GIB_PAGES, 0);
    assert_int_equal(z.zone[ZONE_DMA].present, 16 * MIB_PAGES);
    assert_int_equal(z.zone[ZONE_DMA32].present, 4 * GIB_PAGES - 16 * MIB_PAGES);
    assert_int_equal(z.zone[ZONE_NORMAL].present, 2 * GIB_PAGES);
    assert_int_equal(zones_free(&z), 6 * GIB_PAGES);

    z = machine(2 * GIB_PAGES, 0);
    assert_int_equal(z.zone[ZONE_NORMAL].present, 0);
    assert_int_equal(z.zone[ZONE_DMA].reserve, (2 * GIB_PAGES - 4096) / 256);
    assert_int_equal(z.zone[ZONE_DMA32].reserve, 0);
    /* the lower zone only when the upper is at its mark, and not below its own reserve */
    assert_int_equal(zones_pick(&z, WMARK_LOW), ZONE_DMA32);
    z.zone[ZONE_DMA32].free = z.zone[ZONE_DMA32].mark[WMARK_LOW];
    assert_int_equal(zones_pick(&z, WMARK_LOW), ZONE_DMA);
    z.zone[ZONE_DMA].free = z.zone[ZONE_DMA].mark[WMARK_LOW] + z.zone[ZONE_DMA].reserve;
    assert_int_equal(zones_pick(&z, WMARK_LOW), ZONE_NONE);
    assert_false(zones_balanced(&z));
    assert_int_equal(zones_pick(&z, WMARK_MIN), ZONE_DMA32);
}

/* 1/64 for struct page is never managed; the rest of the base is managed, but not free. */
static void the_base_is_in_use_from_the_top(void **state)
{
    uint64_t ram = 8 * GIB_PAGES, base = zones_typical_base(8 * GIB_PAGES);
    struct zones z = machine(ram, base);
    (void)state;
    assert_int_equal(base, ram / 64 + 128 * MIB_PAGES);
    assert_int_equal(zones_managed(&z), ram - ram / 64);
    assert_int_equal(zones_free(&z), ram - base);
    assert_int_equal(z.zone[ZONE_NORMAL].free, 4 * GIB_PAGES - base);
    assert_int_equal(z.zone[ZONE_DMA32].free, z.zone[ZONE_DMA32].present);
}

static void a_machine_that_is_all_in_use_is_refused(void **state)
{
    static const uint64_t sizes[][2] = {
        { 128 * MIB_PAGES, 128 * MIB_PAGES },
        { 128 * MIB_PAGES, 200 * MIB_PAGES },
        { 512 * MIB_PAGES, 511 * MIB_PAGES },
        { 1, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct zones_config config = { .ram_pages = sizes[i][0],
                                       .base_pages = sizes[i][1],
                                       .scale_factor = 10 };
        struct zones z;
        struct fl_err err = { .msg = "" };
        assert_int_equal(zones_init(&z, &config, &err), FL_EUSAGE);
        assert_non_null(strstr(err.msg, "--base"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watermarks_are_those_of_zoneinfo),
        cmocka_unit_test(reserves_are_those_of_zoneinfo),
        cmocka_unit_test(min_free_kbytes_follows_ram),
        cmocka_unit_test(the_scale_factor_widens_the_gaps),
        cmocka_unit_test(ram_is_laid_out_as_on_x86),
        cmocka_unit_test(the_base_is_in_use_from_the_top),
        cmocka_unit_test(a_machine_that_is_all_in_use_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
