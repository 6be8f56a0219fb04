/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel writes of a group: counters, kills, limits; read from files like its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup_read.h"
#include "oomlog.h"

static uint64_t count(const struct fl_vm_counts *c, enum fl_vm_count which)
{
    assert_true(c->present >> which & 1);
    return c->count[which];
}

static void vmstat_lines_are_found_by_their_whole_name(void **state)
{
    (void)state;
    struct fl_vm_counts c;
    fl_vm_counts_parse("nr_free_pages 5\npswpin 7\npswpout 18446744073709551615\nswpin_zero 3\n"
                       "pgscan_anon_more 9\nswap_ra_hit 2\nswap_ra 11\npgfault x\n",
                       &c);
    assert_int_equal(count(&c, FL_VM_pswpin), 7);
    assert_true(count(&c, FL_VM_pswpout) == UINT64_MAX);
    assert_int_equal(count(&c, FL_VM_swpin_zero), 3);
    assert_int_equal(count(&c, FL_VM_swap_ra), 11);
    assert_int_equal(count(&c, FL_VM_swap_ra_hit), 2);
    assert_false(c.present >> FL_VM_pgscan_anon & 1);
    assert_false(c.present >> FL_VM_pgfault & 1);
    assert_false(c.present >> FL_VM_zswpin & 1);
}

static void names_are_the_kernels_and_end(void **state)
{
    (void)state;
    assert_string_equal(fl_vm_count_name(FL_VM_pgfault), "pgfault");
    assert_string_equal(fl_vm_count_name(FL_VM_COUNT - 1), "workingset_restore_file");
    assert_null(fl_vm_count_name(FL_VM_COUNT));
}

static void a_difference_has_what_both_have(void **state)
{
    (void)state;
    struct fl_vm_counts before, after;
    fl_vm_counts_parse("pswpin 10\npswpout 4\npgactivate 9\n", &before);
    fl_vm_counts_parse("pswpin 25\npswpout 4\nswpin_zero 6\npgactivate 8\n", &after);
    struct fl_vm_counts d = fl_vm_counts_since(&after, &before);
    assert_int_equal(count(&d, FL_VM_pswpin), 15);
    assert_int_equal(count(&d, FL_VM_pswpout), 0);
    assert_int_equal(count(&d, FL_VM_pgactivate), 0); /* never below zero */
    assert_false(d.present >> FL_VM_swpin_zero & 1);
}

static void swapping_counts_zero_pages_and_zswap(void **state)
{
    (void)state;
    struct fl_vm_counts c;
    fl_vm_counts_parse("pswpin 100\nswpin_zero 20\nzswpin 3\npswpout 50\nswpout_zero 6\n"
                       "zswpout 70\nzswpwb 10\n",
                       &c);
    assert_int_equal(fl_vm_swap_in(&c), 123);
    assert_int_equal(fl_vm_swap_out(&c), 116); /* 10 of the 70 are among the 50 */
}

/* ---- files ------------------------------------------------------------------------ */

struct folder {
    struct fl_cgroup group;
};

static int make_folder(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    strcpy(f->group.dir, "/tmp/faultline-group-XXXXXX");
    *state = f;
    return f && mkdtemp(f->group.dir) ? 0 : -1;
}

static void put(const struct folder *f, const char *name, const char *text)
{
    char path[700];
    snprintf(path, sizeof path, "%s/%s", f->group.dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static int remove_folder(void **state)
{
    struct folder *f = *state;
    static const char *const names[] = {
        "memory.stat", "memory.oom_control", "memory.failcnt",           "memory.events",
        "memory.peak", "memory.swappiness",  "memory.max_usage_in_bytes"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[700];
        snprintf(path, sizeof path, "%s/%s", f->group.dir, names[i]);
        unlink(path);
    }
    rmdir(f->group.dir);
    free(f);
    return 0;
}

static void version_1_files(void **state)
{
    struct folder *f = *state;
    struct fl_run run = { 0 };
    f->group.version = 1;
    put(f, "memory.stat", "cache 0\nrss 4096\npgpgin 9\npgfault 1234\npgmajfault 56\n");
    put(f, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    put(f, "memory.failcnt", "77\n");
    put(f, "memory.max_usage_in_bytes", "17055744\n");
    put(f, "memory.swappiness", "35\n");
    run.machine.count[FL_VM_pswpin] = 8;
    cgroup_read(&f->group, &run);
    assert_int_equal(count(&run.group, FL_VM_pgfault), 1234);
    assert_int_equal(run.oom_kills, 3);
    assert_int_equal(run.limit_hits, 77);
    assert_int_equal(run.peak_bytes, 17055744);
    assert_int_equal(fl_cgroup_swappiness(&f->group), 35);
    assert_ptr_equal(fl_run_swap(&run), &run.machine); /* the group does not tell */
}

static void version_2_files(void **state)
{
    struct folder *f = *state;
    struct fl_run run = { 0 };
    f->group.version = 2;
    put(f, "memory.stat", "anon 4096\npgfault 9\npgmajfault 1\npswpin 21\npswpout 40\n");
    put(f, "memory.events", "low 0\nhigh 0\nmax 512\noom 2\noom_kill 1\noom_group_kill 0\n");
    put(f, "memory.peak", "8388608\n");
    cgroup_read(&f->group, &run);
    assert_int_equal(run.oom_kills, 1);
    assert_int_equal(run.limit_hits, 512);
    assert_int_equal(run.peak_bytes, 8388608);
    assert_ptr_equal(fl_run_swap(&run), &run.group);
    assert_int_equal(fl_vm_swap_out(fl_run_swap(&run)), 40);
}

static void missing_files_are_zeros(void **state)
{
    struct folder *f = *state;
    struct fl_run run = { .oom_kills = 5 };
    f->group.version = 2;
    cgroup_read(&f->group, &run);
    assert_int_equal(run.oom_kills, 0);
    assert_int_equal(run.peak_bytes, 0);
    assert_int_equal(run.group.present, 0);
}

/* ---- the kernel's log ----------------------------------------------------------------- */

#define LINE(group, task)                                                                              \
    "6,812,2615988376,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0," \
    "oom_memcg=" group ",task_memcg=" group ",task=" task ",uid=0\n"

static void a_kill_in_our_group_names_its_victim(void **state)
{
    (void)state;
    struct fl_run_victim v;
    const char *dir = "/sys/fs/cgroup/memory/user/faultline-12-3";
    assert_true(oomlog_parse(LINE("/user/faultline-12-3", "sort,pid=4711"), dir, &v));
    assert_int_equal(v.pid, 4711);
    assert_string_equal(v.comm, "sort");
    /* names may have blanks and commas */
    assert_true(oomlog_parse(LINE("/user/faultline-12-3", "a ,pid=9,b,pid=10"), dir, &v));
    assert_int_equal(v.pid, 10);
    assert_string_equal(v.comm, "a ,pid=9,b");
}

static void other_kills_and_lines_are_not_ours(void **state)
{
    (void)state;
    struct fl_run_victim v;
    const char *dir = "/sys/fs/cgroup/memory/faultline-12-3";
    assert_false(oomlog_parse(LINE("/faultline-12-31", "sort,pid=4711"), dir, &v));
    assert_false(oomlog_parse(LINE("/not-faultline-12-3", "sort,pid=4711"), dir, &v));
    assert_false(oomlog_parse("6,1,2,-;oom-kill:constraint=CONSTRAINT_NONE,task=a,pid=1", dir, &v));
    assert_false(oomlog_parse("faultline-12-3", dir, &v));
    assert_false(oomlog_parse("", dir, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vmstat_lines_are_found_by_their_whole_name),
        cmocka_unit_test(names_are_the_kernels_and_end),
        cmocka_unit_test(a_difference_has_what_both_have),
        cmocka_unit_test(swapping_counts_zero_pages_and_zswap),
        cmocka_unit_test_setup_teardown(version_1_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(version_2_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(missing_files_are_zeros, make_folder, remove_folder),
        cmocka_unit_test(a_kill_in_our_group_names_its_victim),
        cmocka_unit_test(other_kills_and_lines_are_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
