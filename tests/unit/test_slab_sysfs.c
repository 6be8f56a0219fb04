/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Object caches in a made-up /sys/kernel/slab: settled, and their lists read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <faultline/proc.h>

#include "proc_tree.h"

static void put_cache(const struct tree *t, const char *cache, const char *cpus)
{
    tree_text(t, "", "%s/shrink", cache);
    tree_text(t, "12 N0=12\n", "%s/partial", cache);
    tree_text(t, "7 N0=7\n", "%s/cpu_slabs", cache);
    tree_text(t, cpus, "%s/slabs_cpu_partial", cache);
}

static void put_link(const struct tree *t, const char *to, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", t->root, name);
    assert_int_equal(symlink(to, path), 0);
}

static size_t bytes_of(const struct tree *t, const char *name)
{
    char path[256];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", t->root, name);
    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static void each_cache_is_shrunk(void **state)
{
    struct tree t;
    struct fl_err err;
    (void)state;
    tree_make(&t);
    assert_int_equal(fl_slab_settle(t.root, &err), FL_EMACHINE); /* nothing there to write to */
    put_cache(&t, "filp", "0(0)\n");
    put_cache(&t, ":0000192", "0(0)\n");
    tree_text(&t, "", "odd/partial");
    assert_int_equal(fl_slab_settle(t.root, &err), FL_OK);
    assert_int_equal(bytes_of(&t, "filp/shrink"), 1);
    assert_int_equal(bytes_of(&t, ":0000192/shrink"), 1);
    tree_remove(&t);
    assert_int_equal(fl_slab_settle(t.root, &err), FL_EMACHINE);
    assert_non_null(strstr(err.msg, "--settle-slabs"));
}

static int collect(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    char *all = ctx;
    (void)err;
    assert_int_equal(ev->snapshot.moment, FL_SNAPSHOT_END);
    strcat(all, ev->snapshot.text);
    return FL_OK;
}

static void lists_have_a_line_for_each_name(void **state)
{
    struct tree t;
    struct fl_err err;
    char all[1024] = "";
    (void)state;
    tree_make(&t);
    put_cache(&t, ":0000192", "63(6) C0=42(4) C1=21(2)\n");
    put_link(&t, ":0000192", "pid");
    tree_text(&t, "1\n", "odd/partial"); /* no list of CPUs: no line */
    assert_int_equal(fl_slab_lists(t.root, FL_SNAPSHOT_END, collect, all, &err), FL_OK);
    assert_string_equal(all, "slab_lists\npid 12 7 C0=42(4) C1=21(2)\n");
    tree_remove(&t);
    assert_int_equal(fl_slab_lists(t.root, FL_SNAPSHOT_END, NULL, NULL, &err), FL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cache_is_shrunk),
        cmocka_unit_test(lists_have_a_line_for_each_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
