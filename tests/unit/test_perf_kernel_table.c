/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "kernel_table.h"

/* ---- a made-up tracefs ---------------------------------------------------------------- */

static char root[64];

static void put_file(const char *path, const char *text)
{
    char full[256];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = full + strlen(root); (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void put_event(const char *event, unsigned id)
{
    char path[128], text[256];
    snprintf(path, sizeof path, "events/%s/format", event);
    snprintf(
        text, sizeof text,
        "name: x\nID: %u\nformat:\n\tfield:unsigned long pfn;\toffset:8;\tsize:8;\tsigned:0;\n",
        id);
    put_file(path, text);
    snprintf(path, sizeof path, "events/%s/enable", event);
    put_file(path, "0\n");
}

static int make_tree(void **state)
{
    (void)state;
    strcpy(root, "/tmp/fl-tracefs-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static int remove_tree(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static char *names_of(const struct fl_kernel_events *e)
{
    static char text[4096];
    text[0] = 0;
    for (size_t i = 0; i < e->n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
                 e->v[i].name);
    return text;
}

/* ---- tests ------------------------------------------------------------------------------ */

static void group_takes_its_rows_and_names_what_is_missing(void **state)
{
    (void)state;
    struct fl_kernel_events e;
    struct fl_err err;
    put_event("kmem/kmem_cache_alloc", 659);
    put_event("kmem/kfree", 657);
    put_event("kmem/kmalloc_node", 12); /* an older kernel's */
    put_event("kmem/mm_page_alloc", 653);
    put_event("kmem/mm_page_free_batched", 654);
    assert_int_equal(fl_kernel_events(root, "slab", &e, &err), FL_OK);
    assert_string_equal(names_of(&e),
                        "kmem:kmem_cache_alloc kmem:kfree kmem:mm_page_alloc kmem:kmalloc_node");
    assert_int_equal(e.v[1].id, 657);
    assert_int_equal(e.v[1].n_fields, 1);
    assert_string_equal(e.missing, "kmem:kmem_cache_free, kmem:kmalloc, kmem:mm_page_free");
    fl_kernel_events_free(&e);
    assert_null(e.v);
    assert_int_equal(fl_kernel_events(root, "slab,alloc", &e, &err), FL_OK); /* each once */
    assert_string_equal(names_of(&e),
                        "kmem:mm_page_alloc kmem:kmem_cache_alloc kmem:kfree kmem:kmalloc_node");
    fl_kernel_events_free(&e);
}

static void what_is_no_tracepoint_comes_last(void **state)
{
    (void)state;
    const struct fl_tp_event more = { .name = "kmem:more", .id = FL_TP_ID_BPF };
    struct fl_kernel_events e;
    struct fl_err err;
    put_event("kmem/kfree", 657);
    assert_int_equal(fl_kernel_events(root, "slab", &e, &err), FL_OK);
    assert_int_equal(fl_kernel_events_add(&e, &more, &err), FL_OK);
    assert_string_equal(names_of(&e), "kmem:kfree kmem:more");
    assert_true(e.v[1].id == FL_TP_ID_BPF);
    fl_kernel_events_free(&e);
}

static void system_is_listed_by_name(void **state)
{
    (void)state;
    struct fl_kernel_events e;
    struct fl_err err;
    put_event("vmscan/mm_vmscan_kswapd_wake", 3);
    put_event("vmscan/mm_shrink_slab_start", 2);
    put_file("events/vmscan/enable", "0\n");
    put_file("events/vmscan/filter", "none\n");
    put_event("tlb/tlb_flush", 1);
    assert_int_equal(fl_kernel_events(root, "tlb,reclaim,files", &e, &err), FL_OK);
    /* in the order of the table, not of the request */
    assert_string_equal(names_of(&e),
                        "vmscan:mm_shrink_slab_start vmscan:mm_vmscan_kswapd_wake tlb:tlb_flush");
    assert_string_equal(e.missing, "writeback:folio_wait_writeback, filemap:*");
    assert_string_equal(e.groups, "reclaim,files,tlb");
    fl_kernel_events_free(&e);
}

static void format_that_is_none_counts_as_missing(void **state)
{
    (void)state;
    struct fl_kernel_events e;
    struct fl_err err;
    put_event("pagemap/mm_lru_insertion", 4);
    put_file("events/pagemap/mm_lru_activate/format", "nothing of the kind\n");
    assert_int_equal(fl_kernel_events(root, "lru", &e, &err), FL_OK);
    assert_string_equal(names_of(&e), "pagemap:mm_lru_insertion");
    assert_string_equal(e.missing, "pagemap:mm_lru_activate");
    fl_kernel_events_free(&e);
}

static void what_cannot_be_is_said(void **state)
{
    (void)state;
    struct fl_kernel_events e;
    struct fl_err err;
    assert_int_equal(fl_kernel_events(root, NULL, &e, &err), FL_EMACHINE);
    assert_non_null(strstr(err.msg, "mount -t tracefs"));
    assert_int_equal(fl_kernel_events("/nowhere/at/all", NULL, &e, &err), FL_EMACHINE);
    assert_non_null(strstr(err.msg, "mount -t tracefs"));
    put_event("tlb/tlb_flush", 1);
    assert_int_equal(fl_kernel_events(root, "sched", &e, &err), FL_EMACHINE);
    assert_non_null(strstr(err.msg, "sched:sched_switch"));
    assert_int_equal(fl_kernel_events(root, "tlb,pages", &e, &err), FL_EUSAGE);
    assert_non_null(strstr(err.msg, "'pages'"));
    assert_non_null(strstr(err.msg, "alloc, slab, reclaim"));
    assert_int_equal(fl_kernel_events(root, "", &e, &err), FL_EUSAGE);
    assert_int_equal(fl_kernel_events(root, "tl", &e, &err), FL_EUSAGE);
    assert_int_equal(fl_kernel_events(root, ",tlb", &e, &err), FL_EUSAGE);
    assert_null(e.v);
    assert_null(e.missing);
}

static void tree_that_may_not_be_read_is_no_missing_tracepoint(void **state)
{
    (void)state;
    struct fl_kernel_events e;
    struct fl_err err;
    char path[128];
    put_event("kmem/rss_stat", 1);
    snprintf(path, sizeof path, "%s/events/kmem", root);
    if (geteuid() == 0 && setegid(65534) == 0 && seteuid(65534) == 0) {
        int rc = fl_kernel_events(root, "rss", &e, &err); /* the tree is root's, mode 0700 */
        assert_int_equal(seteuid(0) | setegid(0), 0);
        assert_int_equal(rc, FL_EMACHINE);
    } else {
        assert_int_equal(chmod(path, 0), 0);
        assert_int_equal(fl_kernel_events(root, "rss", &e, &err), FL_EMACHINE);
        assert_int_equal(chmod(path, 0700), 0);
    }
    assert_non_null(strstr(err.msg, "run as root"));
}

static bool has(const struct fl_kernel_events *e, const char *name)
{
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->v[i].name, name) == 0)
            return true;
    return false;
}

static void this_kernel_has_what_plain_kernel_events_promise(void **state)
{
    (void)state;
    static const char *const promised[] = {
        "kmem:mm_page_alloc",           "kmem:mm_page_free",
        "kmem:kmem_cache_alloc",        "kmem:kfree",
        "pagemap:mm_lru_insertion",     "oom:mark_victim",
        "oom:oom_score_adj_update",     "sched:sched_switch",
        "vmscan:mm_vmscan_kswapd_wake", "filemap:mm_filemap_add_to_page_cache",
    };
    struct fl_kernel_events plain, all, one;
    struct fl_err err;
    if (!fl_tp_root(&err)) {
        print_message("skipped: %s\n", err.msg);
        skip();
    }
    assert_int_equal(fl_kernel_events(NULL, NULL, &plain, &err), FL_OK);
    assert_int_equal(fl_kernel_events(NULL, "all", &all, &err), FL_OK);
    print_message("%zu tracepoints, %zu in all; missing: %s\n", plain.n, all.n,
                  all.missing[0] ? all.missing : "none");
    assert_string_equal(plain.groups, "alloc,slab,reclaim,readahead,lru,files,tlb,oom,sched");
    assert_string_equal(all.groups,
                        "alloc,slab,reclaim,readahead,lru,files,tlb,oom,sched,rss,compaction");
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++)
        if (!has(&plain, promised[i]))
            fail_msg("%s is not recorded", promised[i]);
    assert_false(has(&all, "kmem:mm_page_free_batched")); /* it would count a free twice */
    assert_false(has(&plain, "kmem:rss_stat"));
    assert_true(has(&all, "kmem:rss_stat"));
    for (size_t i = 0; i < all.n; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(all.v[i].name, all.v[j].name);
    /* Each group by itself, and in two of them only the two of pages. */
    size_t sum = 0;
    for (size_t i = 0; strcmp(fl_kernel_group_name(i), "all") != 0; i++) {
        int rc = fl_kernel_events(NULL, fl_kernel_group_name(i), &one, &err);
        assert_true(rc == FL_OK || rc == FL_EMACHINE);
        sum += rc == FL_OK ? one.n : 0;
        if (rc == FL_OK)
            fl_kernel_events_free(&one);
    }
    assert_int_equal(sum, all.n + 2);
    fl_kernel_events_free(&plain);
    fl_kernel_events_free(&all);
}

int main(void)
{
#define IN_A_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)
    const struct CMUnitTest tests[] = {
        IN_A_TREE(group_takes_its_rows_and_names_what_is_missing),
        IN_A_TREE(what_is_no_tracepoint_comes_last),
        IN_A_TREE(system_is_listed_by_name),
        IN_A_TREE(format_that_is_none_counts_as_missing),
        IN_A_TREE(what_cannot_be_is_said),
        IN_A_TREE(tree_that_may_not_be_read_is_no_missing_tracepoint),
        cmocka_unit_test(this_kernel_has_what_plain_kernel_events_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
