/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where control groups may be made, from mountinfo and /proc/self/cgroup as kernels write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <faultline/cgroup.h>

#define V1_CPU "33 25 0:28 / /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define V1_MEMORY \
    "34 25 0:29 / /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory\n"
#define V2 "26 25 0:23 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V2_ROOT "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V2_INSIDE "40 24 0:26 /box/a /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
#define V1_BLANK "34 25 0:29 / /mnt/my\\040groups rw - cgroup none rw,memory\n"

static void assert_site(const char *mounts, const char *self, int version, const char *dir)
{
    struct fl_cgroup_site site;
    assert_true(fl_cgroup_site_parse(mounts, self, &site));
    assert_int_equal(site.version, version);
    assert_string_equal(site.dir, dir);
}

static void version_1_is_the_callers_own_group(void **state)
{
    (void)state;
    assert_site(V1_CPU V1_MEMORY, "4:memory:/user/a\n3:cpu,cpuacct:/b\n0::/c\n", 1,
                "/sys/fs/cgroup/memory/user/a");
    assert_site(V1_MEMORY, "4:memory:/\n", 1, "/sys/fs/cgroup/memory");
}

static void version_1_wins_where_both_are_mounted(void **state)
{
    (void)state;
    assert_site(V2 V1_CPU V1_MEMORY, "4:memory:/x\n0::/y\n", 1, "/sys/fs/cgroup/memory/x");
    assert_site(V1_MEMORY V2, "4:memory:/x\n0::/y\n", 1, "/sys/fs/cgroup/memory/x");
}

static void version_2_is_the_parent_of_the_callers_group(void **state)
{
    (void)state;
    assert_site(V2_ROOT, "0::/user.slice/session-1.scope\n", 2, "/sys/fs/cgroup/user.slice");
    assert_site(V2_ROOT, "0::/one\n", 2, "/sys/fs/cgroup");
    assert_site(V2_ROOT, "0::/\n", 2, "/sys/fs/cgroup");
}

static void a_mount_of_a_subtree_is_the_container_s_root(void **state)
{
    (void)state;
    assert_site(V2_INSIDE, "0::/box/a/x/y\n", 2, "/sys/fs/cgroup/x");
    assert_site(V2_INSIDE, "0::/box/a\n", 2, "/sys/fs/cgroup");
    /* /box/ab is not below /box/a */
    assert_site(V2_INSIDE, "0::/box/ab/c\n", 2, "/sys/fs/cgroup");
}

static void a_group_outside_the_namespace_is_not_walked_into(void **state)
{
    (void)state;
    assert_site(V2_ROOT, "0::/../other/thing\n", 2, "/sys/fs/cgroup");
}

static void blanks_in_a_mount_point_are_unescaped(void **state)
{
    (void)state;
    assert_site(V1_BLANK, "1:memory:/g\n", 1, "/mnt/my groups/g");
}

static void no_memory_hierarchy_is_found_in_none(void **state)
{
    (void)state;
    struct fl_cgroup_site site;
    assert_false(fl_cgroup_site_parse("", "", &site));
    assert_false(fl_cgroup_site_parse(V1_CPU, "3:cpu,cpuacct:/b\n", &site));
    assert_false(fl_cgroup_site_parse("nonsense\n - \n1 2 3\n", "nonsense", &site));
    assert_int_equal(site.version, 0);
}

static void cpu_lists(void **state)
{
    (void)state;
    cpu_set_t set;
    struct fl_err err;
    assert_int_equal(fl_cpus_parse("0", &set, &err), FL_OK);
    assert_int_equal(CPU_COUNT(&set), 1);
    assert_int_equal(fl_cpus_parse("0,2-4,7", &set, &err), FL_OK);
    assert_int_equal(CPU_COUNT(&set), 5);
    assert_true(CPU_ISSET(3, &set) && CPU_ISSET(7, &set) && !CPU_ISSET(1, &set));
    static const char *const bad[] = {
        "", ",", "1,", "-1", "3-2", "1-", "a", "1 2", "4096", "0x1"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fl_cpus_parse(bad[i], &set, &err), FL_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_is_the_callers_own_group),
        cmocka_unit_test(version_1_wins_where_both_are_mounted),
        cmocka_unit_test(version_2_is_the_parent_of_the_callers_group),
        cmocka_unit_test(a_mount_of_a_subtree_is_the_container_s_root),
        cmocka_unit_test(a_group_outside_the_namespace_is_not_walked_into),
        cmocka_unit_test(blanks_in_a_mount_point_are_unescaped),
        cmocka_unit_test(no_memory_hierarchy_is_found_in_none),
        cmocka_unit_test(cpu_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
