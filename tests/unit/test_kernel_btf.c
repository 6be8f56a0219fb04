/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of made-up structs, and of those of the kernel that runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel_btf.h"

/* struct cache { int name; int bits : 4 at 35; union { int node; } at 8; } */
static void members_of_unnamed_ones_are_found(void **state)
{
    struct btf *b = btf__new_empty();
    (void)state;
    assert_non_null(b);
    int word = btf__add_int(b, "int", 4, BTF_INT_SIGNED);
    int within = btf__add_union(b, NULL, 4);
    assert_int_equal(btf__add_field(b, "node", word, 0, 0), 0);
    assert_true(btf__add_struct(b, "cache", 16) > 0);
    assert_int_equal(btf__add_field(b, "name", word, 0, 0), 0);
    assert_int_equal(btf__add_field(b, "bits", word, 35, 4), 0);
    assert_int_equal(btf__add_field(b, NULL, within, 64, 0), 0);
    assert_int_equal(kernel_btf_offset(b, "cache", "name"), 0);
    assert_int_equal(kernel_btf_offset(b, "cache", "node"), 8);
    assert_int_equal(kernel_btf_offset(b, "cache", "bits"), -1); /* begins in no byte */
    assert_int_equal(kernel_btf_offset(b, "cache", "other"), -1);
    assert_int_equal(kernel_btf_offset(b, "node", "name"), -1);
    btf__free(b);
}

static void this_kernel_has_lists(void **state)
{
    struct btf *b = btf__load_vmlinux_btf();
    (void)state;
    if (!b)
        skip();
    assert_int_equal(kernel_btf_offset(b, "list_head", "next"), 0);
    assert_int_equal(kernel_btf_offset(b, "list_head", "prev"), sizeof(void *));
    btf__free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_unnamed_ones_are_found),
        cmocka_unit_test(this_kernel_has_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
