/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Object caches in a made-up /sys/kernel/slab: settled, and their lists read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include <faultline/proc.h>

#include "proc_tree.h"

static void put_cache(const struct tree *t, const char *cache, const char *cpus)
{
    tree_text(t, "", "%s/shrink", cache);
    tree_text(t, "300 N0=300\n", "%s/total_objects", cache);
    tree_text(t, "288 N0=288\n", "%s/objects", cache);
    tree_text(t, "20 N0=20\n", "%s/slabs", cache);
    tree_text(t, "12 N0=12\n", "%s/partial", cache);
    tree_text(t, *cpus == '0' ? "0\n" : "7 N0=7\n", "%s/cpu_slabs", cache);
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

struct texts {
    uint32_t moment;
    char all[1024];
};

static int collect(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct texts *t = ctx;
    (void)err;
    assert_int_equal(ev->snapshot.moment, t->moment);
    strcat(t->all, ev->snapshot.text);
    return FL_OK;
}

/* The numbers of @name's line, without the two times, which are in order. */
static const char *settled(const struct texts *t, const char *name)
{
    static char out[256];
    char start[64];
    unsigned long long from, to;
    int at;
    snprintf(start, sizeof start, "\n%s ", name);
    const char *line = strstr(t->all, start);
    if (!line)
        return "";
    line += strlen(start);
    size_t lists = (size_t)(strstr(line, " settled ") - line);
    assert_int_equal(sscanf(line + lists, " settled %llu %llu %n", &from, &to, &at), 2);
    assert_true(from <= to && to < 60000000000ULL);
    snprintf(out, sizeof out, "%.*s: %.*s", (int)lists, line, (int)strcspn(line + lists + at, "\n"),
             line + lists + at);
    return out;
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* In a folder a shrinking adds one byte; of odd's numbers not all can be read. Only dear's CPUs never have nothing. */
static void is_shrunk_and_told_of(uint32_t moment)
{
    struct tree t;
    struct fl_err err;
    struct texts texts = { .moment = moment };
    tree_make(&t);
    /* nothing there to write to */
    assert_int_equal(fl_slab_settle(t.root, now(), texts.moment, collect, &texts, &err),
                     FL_EMACHINE);
    put_cache(&t, "filp", "0(0)\n");
    put_cache(&t, ":0000192", "0(0)\n");
    put_cache(&t, "dear", "63(6) C0=42(4) C1=21(2)\n");
    put_cache(&t, "maple_node", "0(0)\n");
    put_cache(&t, "kmalloc-8", "0(0)\n");
    tree_text(&t, "32\n", "maple_node/sheaf_capacity");
    tree_text(&t, "0\n", "filp/sheaf_capacity");
    tree_text(&t, "", "odd/shrink");
    tree_text(&t, "", "stuck/partial");
    put_link(&t, ":0000192", "pid");
    put_link(&t, ":0000192", "cred");
    assert_int_equal(fl_slab_settle(t.root, now(), texts.moment, collect, &texts, &err), FL_OK);
    assert_int_equal(bytes_of(&t, "filp/shrink"), 1);
    assert_int_equal(bytes_of(&t, ":0000192/shrink"), 1);
    assert_int_equal(bytes_of(&t, "odd/shrink"), 1);
    assert_int_equal(bytes_of(&t, "dear/shrink"), 4);
    assert_true(bytes_of(&t, "kmalloc-8/shrink") > 8); /* not in a copy of that cache */
    assert_int_equal(strncmp(texts.all, "slab_lists\n", 11), 0);
    assert_string_equal(settled(&texts, "filp"), "12 0: 20 300 288");
    assert_string_equal(settled(&texts, "pid"), "12 0: 20 300 288");
    assert_string_equal(settled(&texts, "cred"), "12 0: 20 300 288");
    assert_string_equal(settled(&texts, "maple_node"), "12 0: 20 300 288");
    assert_string_equal(settled(&texts, "dear"), "12 7 C0=42(4) C1=21(2): 20 300 288");
    assert_string_equal(settled(&texts, "odd"), "");
    assert_string_equal(settled(&texts, ":0000192"), "");
    tree_remove(&t);
    assert_int_equal(fl_slab_settle(t.root, now(), texts.moment, collect, &texts, &err),
                     FL_EMACHINE);
    assert_non_null(strstr(err.msg, "--settle-slabs"));
}

static void each_cache_is_shrunk_and_told_of(void **state)
{
    (void)state;
    is_shrunk_and_told_of(FL_SNAPSHOT_START);
    is_shrunk_and_told_of(FL_SNAPSHOT_END);
}

static void lists_have_a_line_for_each_name(void **state)
{
    struct tree t;
    struct fl_err err;
    struct texts texts = { .moment = FL_SNAPSHOT_END };
    (void)state;
    tree_make(&t);
    put_cache(&t, ":0000192", "63(6) C0=42(4) C1=21(2)\n");
    put_link(&t, ":0000192", "pid");
    tree_text(&t, "1\n", "odd/partial"); /* no list of CPUs: no line */
    assert_int_equal(fl_slab_lists(t.root, FL_SNAPSHOT_END, collect, &texts, &err), FL_OK);
    assert_string_equal(texts.all, "slab_lists\npid 12 7 C0=42(4) C1=21(2)\n");
    tree_remove(&t);
    assert_int_equal(fl_slab_lists(t.root, FL_SNAPSHOT_END, NULL, NULL, &err), FL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cache_is_shrunk_and_told_of),
        cmocka_unit_test(lists_have_a_line_for_each_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
