/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of a made-up kernel, and of the one that runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/btf.h>

#include "kernel_btf.h"
#include "proc_tree.h"

static const char names[] = "\0cache\0name\0node\0walk\0bits";
enum { CACHE = 1, NAME = 7, NODE = 12, WALK = 17, BITS = 22 };

#define INFO(kind, flag, n) ((uint32_t)(kind) << 24 | (uint32_t)(flag) << 31 | (n))

struct blob {
    struct btf_header head;
    uint32_t words[64];
    char names[sizeof names];
};

/* 1: an int; 2: union { int node; int bits : 4 at 3; }; 3: struct cache { int name; that union at 8 }; 4: a prototype; 5: walk(). */
static size_t make(struct blob *b)
{
    const uint32_t words[] = {
        BITS,
        INFO(BTF_KIND_INT, 0, 0),
        4,
        32, /* 1 */
        0,
        INFO(BTF_KIND_UNION, 1, 2),
        8,
        NODE,
        1,
        0, /* 2 */
        BITS,
        1,
        4u << 24 | 3, /* its second */
        CACHE,
        INFO(BTF_KIND_STRUCT, 0, 2),
        16,
        NAME,
        1,
        0,
        0,
        2,
        64, /* 3 */
        0,
        INFO(BTF_KIND_FUNC_PROTO, 0, 0),
        1, /* 4 */
        WALK,
        INFO(BTF_KIND_FUNC, 0, 0),
        4, /* 5 */
    };
    *b = (struct blob){ .head = { .magic = BTF_MAGIC, .version = 1, .hdr_len = sizeof b->head } };
    memcpy(b->words, words, sizeof words);
    memcpy((char *)b->words + sizeof words, names, sizeof names);
    b->head.type_len = b->head.str_off = sizeof words;
    b->head.str_len = sizeof names;
    return sizeof b->head + sizeof words + sizeof names;
}

static struct kernel_btf *open_blob(const struct tree *t, const struct blob *b, size_t bytes)
{
    char path[128];
    tree_bytes(t, "vmlinux", b, bytes);
    snprintf(path, sizeof path, "%s/vmlinux", t->root);
    return kernel_btf_open(path);
}

static void members_and_functions_are_found(void **state)
{
    struct tree t;
    struct blob blob;
    (void)state;
    tree_make(&t);
    size_t bytes = make(&blob);
    struct kernel_btf *b = open_blob(&t, &blob, bytes);
    assert_non_null(b);
    assert_int_equal(kernel_btf_offset(b, "cache", "name"), 0);
    assert_int_equal(kernel_btf_offset(b, "cache", "node"), 8);  /* in the union without a name */
    assert_int_equal(kernel_btf_offset(b, "cache", "bits"), -1); /* begins in no byte */
    assert_int_equal(kernel_btf_offset(b, "cache", "other"), -1);
    assert_int_equal(kernel_btf_offset(b, "node", "name"), -1);
    assert_int_equal(kernel_btf_function(b, "walk"), 5);
    assert_int_equal(kernel_btf_function(b, "cache"), 0);
    kernel_btf_free(b);
    tree_remove(&t);
}

static void damaged_ones_are_not_opened(void **state)
{
    struct tree t;
    struct blob blob;
    (void)state;
    tree_make(&t);
    size_t bytes = make(&blob);
    assert_null(kernel_btf_open("/nonexistent/vmlinux"));
    for (size_t n = 0; n < bytes; n++)
        assert_null(open_blob(&t, &blob, n));
    blob.head.magic = 0;
    assert_null(open_blob(&t, &blob, bytes));
    make(&blob);
    blob.words[1] = INFO(31, 0, 0); /* no such kind */
    assert_null(open_blob(&t, &blob, bytes));
    make(&blob);
    blob.words[5] = INFO(BTF_KIND_UNION, 1, 60000); /* more members than there are bytes */
    assert_null(open_blob(&t, &blob, bytes));
    make(&blob);
    blob.head.hdr_len = UINT32_MAX;
    assert_null(open_blob(&t, &blob, bytes));
    tree_remove(&t);
}

static void this_kernels_own(void **state)
{
    (void)state;
    struct kernel_btf *b = kernel_btf_open(KERNEL_BTF_PATH);
    if (!b)
        skip();
    assert_int_equal(kernel_btf_offset(b, "list_head", "next"), 0);
    assert_int_equal(kernel_btf_offset(b, "list_head", "prev"), sizeof(void *));
    assert_int_not_equal(kernel_btf_function(b, "schedule"), 0);
    kernel_btf_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_and_functions_are_found),
        cmocka_unit_test(damaged_ones_are_not_opened),
        cmocka_unit_test(this_kernels_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
