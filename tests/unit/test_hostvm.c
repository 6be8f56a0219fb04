/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a recording notes of this machine's memory management. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <faultline/hostinfo.h>

#include "hostvm.h"

static void swap_devices_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name, *rotational, *want;
    } cases[] = {
        { "zram0", "0", "solid synchronous" },   { "ram3", "0", "solid synchronous" },
        { "pmem0", "0", "solid synchronous" },   { "sda2", "1", "rotational queued" },
        { "nvme0n1", "0", "solid queued" },      { "vdb", NULL, "- queued" },
        { "bigram0", "1", "rotational queued" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[64];
        fl_swap_device_words(cases[i].name, cases[i].rotational, words, sizeof words);
        assert_string_equal(words, cases[i].want);
    }
}

static void the_memory_controller_is_found_in_either_hierarchy(void **state)
{
    (void)state;
    const char *v1 = "4:memory:/a\n0::/\n", *joint = "3:cpu,memory:/b\n";
    const char *other = "5:devices:/memory\n2:memoryless:/x\n0::/\n";
    assert_string_equal(fl_memory_controller(v1, "cpu memory"), "v1");
    assert_string_equal(fl_memory_controller(joint, ""), "v1");
    assert_string_equal(fl_memory_controller("0::/user.slice\n", "cpuset cpu io memory pids"),
                        "v2");
    assert_string_equal(fl_memory_controller(other, "cpu io"), "none");
    assert_string_equal(fl_memory_controller("", ""), "none");
}

static void this_machine_tells_the_basic_facts(void **state)
{
    (void)state;
    struct fl_err err;
    struct fl_meta *meta = fl_meta_new();
    assert_int_equal(fl_host_meta(meta, &err), FL_OK);
    static const char *const always[] = { "host.kernel", "host.arch",       "host.ram_bytes",
                                          "host.cpus",   "host.swap_bytes", "host.swaps" };
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        assert_non_null(fl_meta_get(meta, always[i]));
    assert_true(fl_meta_get_u64(meta, "host.ram_bytes", 0) > 0);
    assert_true(fl_meta_get_u64(meta, "host.min_free_kbytes", 1) > 0);
    const char *memcg = fl_meta_get(meta, "host.memcg");
    assert_true(!memcg || !strcmp(memcg, "v1") || !strcmp(memcg, "v2") || !strcmp(memcg, "none"));
    fl_meta_free(meta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swap_devices_are_told_apart),
        cmocka_unit_test(the_memory_controller_is_found_in_either_hierarchy),
        cmocka_unit_test(this_machine_tells_the_basic_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
