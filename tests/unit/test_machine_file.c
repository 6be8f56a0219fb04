/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Machine profiles from files: a good one, and one mistake at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/machine.h>

#define TEXTS "\"name\": \"mine\", \"summary\": \"a box\", \"source\": \"its manual\""
#define SIZES "\"levels\": 5, \"asids\": 4096"
#define HEAD TEXTS ", " SIZES
#define L1I "{\"name\": \"I\", \"role\": \"fetch\", \"entries\": 48, \"ways\": 6}"
#define L1D "{\"name\": \"D\", \"role\": \"data\", \"entries\": 1, \"ways\": 1}"
#define L2 "{\"name\": \"S\", \"role\": \"unified\", \"entries\": 65536, \"ways\": 65536}"
#define L3 "{\"name\": \"T\", \"role\": \"unified\", \"entries\": 6, \"ways\": 3}"
#define L4 "{\"name\": \"U\", \"role\": \"unified\", \"entries\": 6, \"ways\": 3}"
#define MACHINE(head, tlb) "{" head ", \"tlb\": [" tlb "]}"
#define DATA(rest) MACHINE(HEAD, L1I ", {\"name\": \"D\", " rest "}")

static int load_bytes(const char *text, size_t len, struct fl_machine **m, struct fl_err *err)
{
    char path[] = "/tmp/faultline-machine-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
    int rc = fl_machine_load(path, m, err);
    unlink(path);
    return rc;
}

static int load(const char *text, struct fl_machine **m, struct fl_err *err)
{
    return load_bytes(text, strlen(text), m, err);
}

static void a_good_file_is_taken_as_it_is(void **state)
{
    (void)state;
    struct fl_machine *m;
    struct fl_err err;
    assert_int_equal(load(MACHINE(HEAD, L1I "," L1D "," L2 "," L3), &m, &err), FL_OK);
    assert_string_equal(m->name, "mine");
    assert_string_equal(m->summary, "a box");
    assert_string_equal(m->source, "its manual");
    assert_int_equal(m->levels, 5);
    assert_int_equal(m->asids, 4096);
    assert_int_equal(m->n_tlb, 4);
    assert_string_equal(m->tlb[0].name, "I");
    assert_int_equal(m->tlb[0].role, FL_TLB_FETCH);
    assert_int_equal(m->tlb[0].entries, 48);
    assert_int_equal(m->tlb[0].ways, 6);
    assert_int_equal(m->tlb[1].role, FL_TLB_DATA);
    assert_int_equal(m->tlb[2].role, FL_TLB_UNIFIED);
    assert_int_equal(m->tlb[2].entries, 65536);
    assert_int_equal(m->tlb[3].ways, 3);
    fl_machine_free(m);
    /* without a second level, and with the sides the other way round */
    assert_int_equal(load(MACHINE(HEAD, L1D "," L1I), &m, &err), FL_OK);
    assert_int_equal(m->n_tlb, 2);
    fl_machine_free(m);
    fl_machine_free(NULL);
}

/* @text is refused as no profile, in one line that has @why. */
static void refused(const char *text, const char *why)
{
    struct fl_machine *m;
    struct fl_err err = { .code = FL_OK };
    assert_int_equal(load(text, &m, &err), FL_EFORMAT);
    assert_null(m);
    assert_null(strchr(err.msg, '\n'));
    if (!strstr(err.msg, why))
        fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void a_wrong_document_is_refused(void **state)
{
    (void)state;
    refused("", "line 1");
    refused("{", "line 1");
    refused("[" MACHINE(HEAD, L1I "," L1D) "]", "one object");
    refused(MACHINE(HEAD, L1I "," L1D) " x", "line 1");
    refused(MACHINE(HEAD ", \"name\": \"twice\"", L1I "," L1D), "duplicate");
    refused(MACHINE(HEAD ", \"colour\": 1", L1I "," L1D), "unknown key 'colour'");
    refused(MACHINE(HEAD ", \"a\\nb\": 1", L1I "," L1D), "unknown key 'a?b'");
    refused(DATA("\"role\": \"data\", \"entries\": 4, \"ways\": 4, \"sets\": 1"),
            "unknown key 'tlb[1].sets'");
}

static void wrong_texts_and_numbers_are_refused_by_name(void **state)
{
    (void)state;
    refused(MACHINE("\"summary\": \"s\", \"source\": \"s\", " SIZES, L1I "," L1D), "'name'");
    refused(MACHINE("\"name\": \"n\", \"source\": \"s\", " SIZES, L1I "," L1D), "'summary'");
    refused(MACHINE("\"name\": \"n\", \"summary\": \"s\", " SIZES, L1I "," L1D), "'source'");
    refused(MACHINE("\"name\": \"\", \"summary\": \"s\", \"source\": \"s\", " SIZES, L1I),
            "'name'");
    refused(MACHINE("\"name\": \"a\\u001bb\", \"summary\": \"s\", \"source\": \"s\", " SIZES, L1I),
            "'name' has a control character");
    refused(MACHINE(TEXTS ", \"asids\": 6", L1I "," L1D), "'levels'");
    refused(MACHINE(TEXTS ", \"levels\": 3, \"asids\": 6", L1I "," L1D), "'levels'");
    refused(MACHINE(TEXTS ", \"levels\": 6, \"asids\": 6", L1I "," L1D), "'levels'");
    refused(MACHINE(TEXTS ", \"levels\": 4.0, \"asids\": 6", L1I "," L1D), "'levels'");
    refused(MACHINE(TEXTS ", \"levels\": 4", L1I "," L1D), "'asids'");
    refused(MACHINE(TEXTS ", \"levels\": 4, \"asids\": 0", L1I "," L1D), "'asids'");
    refused(MACHINE(TEXTS ", \"levels\": 4, \"asids\": 4097", L1I "," L1D), "'asids'");
}

static void wrong_tlbs_are_refused_by_name(void **state)
{
    (void)state;
    refused("{" HEAD "}", "'tlb'");
    refused("{" HEAD ", \"tlb\": {}}", "'tlb'");
    refused(MACHINE(HEAD, L1I "," L1D "," L2 "," L3 "," L4), "at most 4 levels");
    refused(MACHINE(HEAD, ""), "one level of role \"fetch\"");
    refused(MACHINE(HEAD, L1I "," L2), "one of role \"data\"");
    refused(MACHINE(HEAD, L1I "," L2 "," L1D), "a unified level before a first level");
    refused(MACHINE(HEAD, L1I "," L1D "," L1D), "'tlb[2].name' is that of 'tlb[1]'");
    refused(MACHINE(HEAD, L1I "," L1D ", 7"), "must be an object");
    refused(MACHINE(HEAD, L1I ", {\"role\": \"data\", \"entries\": 4, \"ways\": 4}"),
            "'tlb[1].name'");
    refused(DATA("\"entries\": 4, \"ways\": 4"), "'tlb[1].role'");
    refused(DATA("\"role\": \"both\", \"entries\": 4, \"ways\": 4"), "'tlb[1].role'");
    refused(DATA("\"role\": \"data\", \"entries\": 0, \"ways\": 1"), "'tlb[1].entries'");
    refused(DATA("\"role\": \"data\", \"entries\": 65537, \"ways\": 1"), "'tlb[1].entries'");
    refused(DATA("\"role\": \"data\", \"entries\": 64, \"ways\": 0"), "'tlb[1].ways'");
    refused(DATA("\"role\": \"data\", \"entries\": 64, \"ways\": 128"), "'tlb[1].ways'");
    refused(DATA("\"role\": \"data\", \"entries\": 64, \"ways\": 6"), "must divide 'entries'");
}

static void what_cannot_be_read_says_so(void **state)
{
    (void)state;
    struct fl_machine *m;
    struct fl_err err = { .code = FL_OK };
    assert_int_equal(fl_machine_load("/nowhere/machine.json", &m, &err), FL_EIO);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_null(m);
    assert_int_equal(fl_machine_load("/tmp", &m, &err), FL_EIO);
    assert_int_equal(err.sys_errno, EISDIR);
}

/* 64 KiB are read, and not a byte more. */
static void size_is_limited(void **state)
{
    (void)state;
    static const char good[] = MACHINE(HEAD, L1I "," L1D);
    size_t len = 64 << 10;
    char *text = malloc(len + 1);
    struct fl_machine *m;
    struct fl_err err;
    assert_non_null(text);
    memset(text, ' ', len + 1);
    memcpy(text, good, sizeof good - 1);
    assert_int_equal(load_bytes(text, len, &m, &err), FL_OK);
    fl_machine_free(m);
    assert_int_equal(load_bytes(text, len + 1, &m, &err), FL_EFORMAT);
    assert_non_null(strstr(err.msg, "more than 65536 bytes"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_is_taken_as_it_is),
        cmocka_unit_test(a_wrong_document_is_refused),
        cmocka_unit_test(wrong_texts_and_numbers_are_refused_by_name),
        cmocka_unit_test(wrong_tlbs_are_refused_by_name),
        cmocka_unit_test(what_cannot_be_read_says_so),
        cmocka_unit_test(size_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
