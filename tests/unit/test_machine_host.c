/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine that a recording's host.tlb tells of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <faultline/machine.h>

/* Leaf 18H of an Ice Lake; 4M pages are of 32-bit paging. */
static void intel_levels_are_taken(void **state)
{
    struct fl_machine *m;
    struct fl_err err;
    (void)state;
    assert_int_equal(
        fl_machine_host("L2u 4K 2M 4M 1024x8; L1load 4K 64x4; L1store 4K 2M 4M 1G 16x0; "
                        "L1i 4K 128x8; L1i 2M 4M 16x0",
                        &m, &err),
        FL_OK);
    assert_string_equal(m->name, "host");
    assert_int_equal(m->levels, 4);
    assert_int_equal(m->asids, 6);
    assert_int_equal(m->n_walk, 0);
    assert_int_equal(m->n_tlb, 5);
    assert_string_equal(m->tlb[0].name, "L1load-4K");
    assert_int_equal(m->tlb[0].role, FL_TLB_LOAD);
    assert_int_equal(m->tlb[0].pages, 1);
    assert_int_equal(m->tlb[1].role, FL_TLB_STORE);
    assert_int_equal(m->tlb[1].pages, 7);
    assert_int_equal(m->tlb[1].ways, 16);
    assert_int_equal(m->tlb[2].role, FL_TLB_FETCH);
    assert_int_equal(m->tlb[3].pages, 2);
    assert_string_equal(m->tlb[4].name, "L2u-4K-2M");
    assert_int_equal(m->tlb[4].entries, 1024);
    assert_int_equal(m->tlb[4].ways, 8);
    fl_machine_free(m);
}

/* AMD's leaves; a TLB of no entries is none. */
static void amd_levels_are_taken(void **state)
{
    struct fl_machine *m;
    struct fl_err err;
    (void)state;
    assert_int_equal(fl_machine_host("L1i 4K 64x0; L1d 4K 72x0; L1i 2M 64x0; L1d 2M 72x0; "
                                     "L2i 4K 512x8; L2d 4K 3072x24; L2i 2M 512x8; L2d 2M 0x0",
                                     &m, &err),
                     FL_OK);
    assert_int_equal(m->n_tlb, 7);
    assert_int_equal(m->tlb[1].entries, 72);
    assert_int_equal(m->tlb[5].ways, 24);
    fl_machine_free(m);
}

static void refused(const char *text, const char *why)
{
    struct fl_machine *m;
    struct fl_err err = { .code = FL_OK };
    assert_int_equal(fl_machine_host(text, &m, &err), FL_EDATA);
    assert_null(m);
    if (!strstr(err.msg, why) || !strstr(err.msg, "--machine"))
        fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void what_makes_no_sense_is_refused_with_a_remedy(void **state)
{
    static char many[2000];
    (void)state;
    refused(NULL, "not recorded");
    refused("", "not recorded");
    refused("L1x 4K 64x4", "no sense");
    refused("L1i 4K 64", "no sense");
    refused("L1i 4K 64x4 9", "no sense");
    refused("L1i", "no sense");
    refused(";", "role \"fetch\"");
    refused("L1i 4K 64x4", "role \"data\"");
    refused("L1i 4K 64x4; L1d 3K 64x4", "pages");
    refused("L1i 4K 64x4; L1d 4K 64x7", "must divide");
    refused("L1i 4K 64x4; L1d 4K 99999x1", "entries");
    refused("L1i 4K 64x4; L1d 4K 64x4; L1d 4K 64x4", "name");
    memset(many, 'L', sizeof many - 1);
    refused(many, "no sense");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intel_levels_are_taken),
        cmocka_unit_test(amd_levels_are_taken),
        cmocka_unit_test(what_makes_no_sense_is_refused_with_a_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
