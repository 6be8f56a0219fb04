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

#include <jansson.h>

#include <faultline/costs.h>
#include <faultline/machine.h>

#define TEXTS "\"name\": \"mine\", \"summary\": \"a box\", \"source\": \"its manual\""
#define SIZES "\"levels\": 5, \"asids\": 65536"
#define HEAD TEXTS ", " SIZES
#define L1I "{\"name\": \"I\", \"role\": \"fetch\", \"entries\": 48, \"ways\": 6}"
#define L1D "{\"name\": \"D\", \"role\": \"data\", \"entries\": 1, \"ways\": 1}"
#define L2 "{\"name\": \"S\", \"role\": \"unified\", \"entries\": 65536, \"ways\": 65536}"
#define L3 "{\"name\": \"T\", \"role\": \"unified\", \"entries\": 6, \"ways\": 3}"
#define L4 "{\"name\": \"U\", \"role\": \"unified\", \"entries\": 6, \"ways\": 3}"
#define LOAD "{\"name\": \"L\", \"role\": \"load\", \"entries\": 6, \"ways\": 3}"
#define STORE "{\"name\": \"W\", \"role\": \"store\", \"entries\": 6, \"ways\": 3}"
#define D2M \
    "{\"name\": \"D\", \"role\": \"data\", \"pages\": [\"2M\"], \"entries\": 1, \"ways\": 1}"
#define PDE "{\"holds\": \"PDE\", \"entries\": 24, \"ways\": 3}"
#define PML5E "{\"holds\": \"PML5E\", \"entries\": 2, \"ways\": 2}"
#define WALK(caches, rest) MACHINE(HEAD ", \"walk_caches\": [" caches "]" rest, L1I "," L1D)
#define WALK_TEXTS ", \"walk_flush\": \"page\", \"walk_source\": \"a guess\""
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
    assert_int_equal(m->asids, 65536);
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

static void a_profile_may_carry_costs(void **state)
{
    (void)state;
    struct fl_machine *m;
    struct fl_err err;
    assert_int_equal(load(MACHINE(HEAD ", \"costs\": {\"source\": \"me\", \"ps\": {\"access\": 5}}",
                                  L1I "," L1D),
                          &m, &err),
                     FL_OK);
    assert_non_null(m->costs);
    assert_int_equal(fl_cost_ps(m->costs, FL_COST_ACCESS), 5);
    fl_machine_free(m);
    assert_int_equal(load(MACHINE(HEAD ", \"costs\": {}", L1I "," L1D), &m, &err), FL_EFORMAT);
    assert_non_null(strstr(err.msg, "'costs': 'source'"));
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
    refused(MACHINE(TEXTS ", \"levels\": 4, \"asids\": 65537", L1I "," L1D), "'asids'");
}

static void wrong_tlbs_are_refused_by_name(void **state)
{
    (void)state;
    refused("{" HEAD "}", "'tlb'");
    refused("{" HEAD ", \"tlb\": {}}", "'tlb'");
    refused(MACHINE(HEAD, L1I "," L1D "," L2 "," L3 "," L4 "," L1I "," L1I "," L1I "," L1I "," L1I
                              "," L1I "," L1I "," L1I),
            "at most 12 levels");
    refused(MACHINE(HEAD, ""), "a level of role \"fetch\"");
    refused(MACHINE(HEAD, L1I "," L2), "one of role \"data\"");
    refused(MACHINE(HEAD, L1I "," LOAD), "one of \"load\" and one of \"store\"");
    refused(MACHINE(HEAD, L1I "," D2M), "for 4K pages");
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

static void the_optional_keys_are_taken_and_have_defaults(void **state)
{
    (void)state;
    struct fl_machine *m;
    struct fl_err err;
    assert_int_equal(load(MACHINE(HEAD, L1I "," L1D), &m, &err), FL_OK);
    assert_int_equal(m->flush_pages, 33);
    assert_false(m->broadcast);
    assert_int_equal(m->n_walk, 0);
    assert_int_equal(m->tlb[0].pages, 1);
    fl_machine_free(m);
    assert_int_equal(
        load(WALK(PDE "," PML5E, WALK_TEXTS ", \"flush_pages\": 4096, \"broadcast_flush\": true"),
             &m, &err),
        FL_OK);
    assert_int_equal(m->flush_pages, 4096);
    assert_true(m->broadcast);
    assert_true(m->walk_flush_page);
    assert_string_equal(m->walk_source, "a guess");
    assert_int_equal(m->n_walk, 2);
    assert_int_equal(m->walk[0].level, 2);
    assert_int_equal(m->walk[0].entries, 24);
    assert_int_equal(m->walk[1].level, 5);
    fl_machine_free(m);
    assert_int_equal(load(MACHINE(HEAD, L1I "," LOAD "," STORE "," D2M), &m, &err), FL_OK);
    assert_int_equal(m->tlb[1].role, FL_TLB_LOAD);
    assert_int_equal(m->tlb[2].role, FL_TLB_STORE);
    assert_int_equal(m->tlb[3].pages, 2);
    fl_machine_free(m);
}

static void wrong_optional_keys_are_refused_by_name(void **state)
{
    (void)state;
    refused(MACHINE(HEAD ", \"flush_pages\": 0", L1I "," L1D), "'flush_pages'");
    refused(MACHINE(HEAD ", \"flush_pages\": 4097", L1I "," L1D), "'flush_pages'");
    refused(MACHINE(HEAD ", \"broadcast_flush\": 1", L1I "," L1D), "'broadcast_flush'");
    refused(DATA("\"role\": \"data\", \"pages\": [], \"entries\": 1, \"ways\": 1"),
            "'tlb[1].pages'");
    refused(DATA("\"role\": \"data\", \"pages\": \"4K\", \"entries\": 1, \"ways\": 1"),
            "'tlb[1].pages'");
    refused(DATA("\"role\": \"data\", \"pages\": [\"4K\", 7], \"entries\": 1, \"ways\": 1"),
            "'tlb[1].pages'");
    refused(DATA("\"role\": \"data\", \"pages\": [\"2M\", \"2M\"], \"entries\": 1, \"ways\": 1"),
            "'tlb[1].pages'");
    refused(WALK("", WALK_TEXTS), "1 to 4 caches");
    refused(WALK("3", WALK_TEXTS), "must be an object");
    refused(WALK(PDE "," PDE, WALK_TEXTS), "'walk_caches[1].holds'");
    refused(WALK(PML5E "," PDE, WALK_TEXTS), "lowest level first");
    refused(WALK("{\"holds\": \"PTE\", \"entries\": 2, \"ways\": 2}", WALK_TEXTS),
            "\"PDE\", \"PDPTE\"");
    refused(WALK("{\"holds\": \"PDE\", \"entries\": 2, \"ways\": 3}", WALK_TEXTS),
            "'walk_caches[0].ways'");
    refused(WALK(PDE, ", \"walk_source\": \"a guess\""), "'walk_flush'");
    refused(WALK(PDE, ", \"walk_flush\": \"page\""), "'walk_source'");
    refused(WALK(PDE, ", \"walk_flush\": \"all\", \"walk_source\": \"s\""), "'walk_flush'");
    refused(MACHINE(HEAD WALK_TEXTS, L1I "," L1D), "need 'walk_caches'");
    refused(MACHINE(TEXTS ", \"levels\": 4, \"asids\": 6, \"walk_caches\": [" PML5E "]" WALK_TEXTS,
                    L1I "," L1D),
            "'walk_caches[0].holds'");
}

/* What is printed of a built-in profile reads back as the same. */
static void every_built_in_profile_goes_round(void **state)
{
    (void)state;
    const struct fl_machine *built_in;
    for (size_t i = 0; (built_in = fl_machine_at(i)); i++) {
        struct fl_machine *m;
        struct fl_err err;
        json_t *doc = fl_machine_json(built_in);
        char *text = json_dumps(doc, 0);
        assert_non_null(text);
        if (load(text, &m, &err) != FL_OK)
            fail_msg("%s: %s", built_in->name, err.msg);
        json_t *again = fl_machine_json(m);
        assert_true(json_equal(doc, again));
        assert_int_equal(m->n_tlb, built_in->n_tlb);
        assert_int_equal(m->n_walk, built_in->n_walk);
        for (uint32_t k = 0; k < m->n_tlb; k++) {
            assert_int_equal(m->tlb[k].entries, built_in->tlb[k].entries);
            assert_int_equal(m->tlb[k].ways, built_in->tlb[k].ways);
            assert_int_equal(m->tlb[k].pages, built_in->tlb[k].pages);
            assert_int_equal(m->tlb[k].role, built_in->tlb[k].role);
        }
        assert_int_equal(memcmp(m->walk, built_in->walk, sizeof m->walk), 0);
        assert_int_equal(m->flush_pages, built_in->flush_pages);
        assert_int_equal(m->broadcast, built_in->broadcast);
        assert_int_equal(m->walk_flush_page, built_in->walk_flush_page);
        assert_int_equal(m->asids, built_in->asids);
        json_decref(doc);
        json_decref(again);
        free(text);
        fl_machine_free(m);
    }
    assert_true(fl_machine_find("neoverse-n1") && fl_machine_find("zen3"));
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
        cmocka_unit_test(a_profile_may_carry_costs),
        cmocka_unit_test(a_wrong_document_is_refused),
        cmocka_unit_test(wrong_texts_and_numbers_are_refused_by_name),
        cmocka_unit_test(wrong_tlbs_are_refused_by_name),
        cmocka_unit_test(the_optional_keys_are_taken_and_have_defaults),
        cmocka_unit_test(wrong_optional_keys_are_refused_by_name),
        cmocka_unit_test(every_built_in_profile_goes_round),
        cmocka_unit_test(what_cannot_be_read_says_so),
        cmocka_unit_test(size_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
