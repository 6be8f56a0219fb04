/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which name of B is which of A. Expected is written as one text: "0=0" the same name,
 * "1~2" alike, "3?1" a guess, "-4" gone, "+5" new; A's index first. What is folded
 * into a pair stands beside it: "0,1~0".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "diff_match.h"

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct diff_names names_of(const char *const *texts, struct diff_name *buf)
{
    struct diff_names names = { buf, 0 };
    for (; texts[names.n]; names.n++)
        buf[names.n] = (struct diff_name){ texts[names.n], names.n };
    return names;
}

static void put_members(FILE *out, const size_t *of, size_t n, size_t group)
{
    const char *comma = "";
    for (size_t i = 0; i < n; i++)
        if (of[i] == group) {
            fprintf(out, "%s%zu", comma, i);
            comma = ",";
        }
}

static void matches_as(enum diff_kind kind, const char *const *a, const char *const *b,
                       const struct diff_renamed *renamed, const char *want)
{
    static const char signs[] = { '=', '~', '?', '+', '-' };
    struct diff_name buf_a[32], buf_b[32];
    struct diff_names of_a = names_of(a, buf_a), of_b = names_of(b, buf_b);
    struct diff_groups g;
    char *got = NULL;
    size_t len;
    assert_int_equal(diff_match(kind, of_a, of_b, renamed, renamed ? 1 : 0, &g, NULL), FL_OK);
    FILE *out = open_memstream(&got, &len);
    for (size_t i = 0; i < g.n; i++) {
        fputs(i ? " " : "", out);
        if (g.how[i] >= DIFF_NEW)
            fputc(signs[g.how[i]], out);
        put_members(out, g.of_a, of_a.n, i);
        if (g.how[i] < DIFF_NEW)
            fputc(signs[g.how[i]], out);
        put_members(out, g.of_b, of_b.n, i);
    }
    fclose(out);
    if (strcmp(got, want) != 0)
        fail_msg("got \"%s\", want \"%s\"", got, want);
    free(got);
    diff_groups_free(&g);
}

static void mappings(const char *const *a, const char *const *b, const char *want)
{
    matches_as(DIFF_MAPPINGS, a, b, NULL, want);
}

static void functions(const char *const *a, const char *const *b, const char *want)
{
    matches_as(DIFF_FUNCTIONS, a, b, NULL, want);
}

static void equal_names_are_one_whatever_their_order(void **state)
{
    (void)state;
    mappings(NAMES("[heap]", "[stack]", "/usr/lib/x.so"), NAMES("/usr/lib/x.so", "[heap]"),
             "2=0 0=1 -1");
}

static void a_build_folder_does_not_matter(void **state)
{
    (void)state;
    mappings(NAMES("/home/a/build-1/app"), NAMES("/srv/ci/7731/app"), "0~0");
}

static void of_two_files_of_one_name_the_nearer_is_taken(void **state)
{
    (void)state;
    mappings(NAMES("/old/lib/plugin.so", "/old/bin/plugin.so"),
             NAMES("/new/bin/plugin.so", "/new/lib/plugin.so"), "1~0 0~1");
}

static void a_librarys_version_does_not_matter(void **state)
{
    (void)state;
    mappings(NAMES("/usr/lib/libfoo.so.1.2.3", "/usr/lib/libbar-2.31.so"),
             NAMES("/usr/lib/libbar-2.36.so", "/usr/lib/libfoo.so.2.0"), "1~0 0~1");
    /* The exact one is taken even when another comes first. */
    mappings(NAMES("/lib/libfoo.so.1"), NAMES("/lib/libfoo.so.2", "/lib/libfoo.so.1"), "0=1 +0");
    /* A name of digits alone is no name. */
    mappings(NAMES("/data/1"), NAMES("/data/2"), "-0 +0");
}

static void temporary_names_are_alike(void **state)
{
    (void)state;
    mappings(NAMES("/tmp/xyz.AbC123", "/tmp/sort9fKq2Z.run", "/tmp/tmpab_cd3fg"),
             NAMES("/tmp/tmpzz9yx_wv", "/tmp/xyz.q7Gh2L", "/tmp/sortAAbb12.run"), "1~2 2~0 0~1");
    mappings(NAMES("/var/tmp/tmp.QnYfMG2kzL"), NAMES("/var/tmp/tmp.0aBcDeFgHi"), "0~0");
    /* Elsewhere the same letters are a name. */
    mappings(NAMES("/data/xyz.AbCdef"), NAMES("/data/xyz.GhIjkl"), "-0 +0");
}

static void anonymous_memory_goes_with_its_function(void **state)
{
    (void)state;
    mappings(NAMES("anonymous (build_table)", "anonymous (load)"),
             NAMES("anonymous (load.part.0)", "anonymous (build_table.constprop.0)"), "0~1 1~0");
    mappings(NAMES("shared anonymous (f)"), NAMES("anonymous (f)"), "-0 +0");
}

static void anonymous_memory_of_another_size_is_paired_by_rank_as_a_guess(void **state)
{
    (void)state;
    mappings(NAMES("anonymous, 64.0 MiB", "anonymous, 8.0 MiB", "[heap]"),
             NAMES("anonymous, 256.0 MiB", "[heap]", "anonymous, 8.0 MiB"), "2=1 1=2 0?0");
    mappings(NAMES("shared anonymous, 4.0 MiB"), NAMES("anonymous, 8.0 MiB"), "-0 +0");
    /* Functions on one side only: nothing else to go by. On both: they say what is what. */
    mappings(NAMES("anonymous, 64.0 MiB"), NAMES("anonymous (build_table)"), "0?0");
    mappings(NAMES("anonymous (f)"), NAMES("anonymous (g)"), "-0 +0");
}

static void a_renamed_programs_file_goes_with_it(void **state)
{
    (void)state;
    const struct diff_renamed renamed = { "server-old", "server-next" };
    matches_as(DIFF_MAPPINGS, NAMES("/b/server-old", "/b/data"), NAMES("/c/server-next"), &renamed,
               "0~0 -1");
    /* comm is cut at 15 characters. */
    const struct diff_renamed cut = { "a-long-program-", "short" };
    matches_as(DIFF_MAPPINGS, NAMES("/b/a-long-program-name"), NAMES("/c/short"), &cut, "0~0");
}

static void compilers_suffixes_do_not_matter(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        { "foo.constprop.0", "foo" },
        { "foo.isra.12", "foo" },
        { "foo.part.2", "foo" },
        { "foo.cold", "foo" },
        { "foo.lto_priv.3", "foo" },
        { "foo.isra.0.constprop.1.cold", "foo" },
        { "foo.llvm.8872361", "foo" },
        { "ns::f(int, char) [clone .isra.0] [clone .cold]", "ns::f(int, char)" },
        { "ns::f(int) (.part.1)", "ns::f(int)" },
        { "_ZN1a1bEi.constprop.0", "_ZN1a1bEi" },
        { "foo", "foo" },
        { "foo.1", "foo.1" },
        { ".cold", ".cold" },
        { "", "" },
        { "f(a [clone .b", "f(a [clone .b" },
        { "operator()(int)", "operator()(int)" },
        { "scold", "scold" },
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        char *plain = diff_plain_function(same[i][0]);
        assert_string_equal(plain, same[i][1]);
        free(plain);
    }
}

static void functions_go_by_name_then_by_plain_name(void **state)
{
    (void)state;
    functions(NAMES("foo", "bar.isra.0"), NAMES("bar", "foo.constprop.0"), "1~0 0~1");
    /* Overloads are not one. */
    functions(NAMES("f(int)", "f(char)"), NAMES("f(char)", "f(long)"), "1=0 -0 +1");
}

static void a_part_split_off_is_folded_into_its_function(void **state)
{
    (void)state;
    functions(NAMES("foo"), NAMES("foo", "foo.part.0", "foo.cold"), "0=0,1,2");
    functions(NAMES("foo", "foo.part.0"), NAMES("foo"), "0,1=0");
    mappings(NAMES("anonymous (f)", "anonymous (f.part.0)"), NAMES("anonymous (f)"), "0,1=0");
}

static void processes_of_one_name_go_by_their_order(void **state)
{
    (void)state;
    const struct diff_name a[] = { { "worker", 12 }, { "worker", 11 }, { "main", 10 } };
    const struct diff_name b[] = {
        { "main", 70 }, { "worker", 71 }, { "worker", 72 }, { "worker", 73 }
    };
    struct diff_groups g;
    assert_int_equal(diff_match(DIFF_PROCESSES, (struct diff_names){ a, 3 },
                                (struct diff_names){ b, 4 }, NULL, 0, &g, NULL),
                     FL_OK);
    assert_int_equal(g.of_a[1], g.of_b[1]); /* 11 and 71, the first of each */
    assert_int_equal(g.of_a[0], g.of_b[2]); /* 12 and 72 */
    assert_int_equal(g.of_a[2], g.of_b[0]);
    assert_int_equal(g.how[g.of_b[3]], DIFF_NEW);
    diff_groups_free(&g);
}

static void a_single_renamed_process_is_paired_as_a_guess(void **state)
{
    (void)state;
    matches_as(DIFF_PROCESSES, NAMES("sh", "old"), NAMES("new", "sh"), NULL, "0=1 1?0");
    matches_as(DIFF_PROCESSES, NAMES("old"), NAMES("new", "newer"), NULL, "-0 +0 +1");
}

static void hostile_names_are_just_names(void **state)
{
    (void)state;
    mappings(NAMES("", "/", "//", "/tmp/", "anonymous", "anonymous (", "anonymous ()", "\x80\xff",
                   "/tmp/......", "/a/.", "%s%n", "shared anonymous, "),
             NAMES("/", "", "%s%n", "/tmp/......", "\x80\xff", "//", "anonymous", "/tmp/",
                   "anonymous ()", "anonymous (", "/a/.", "shared anonymous, "),
             "0=1 10=2 1=0 2=5 9=10 3=7 8=3 4=6 5=9 6=8 11=11 7=4");
    mappings(NAMES("/", "/tmp/", "/tmp/.", "/tmp/123456"), NAMES("x"), "-0 -1 -2 -3 +0");
}

/* Exchanging the sides changes nothing but their order. */
static void matching_is_the_same_from_either_side(void **state)
{
    (void)state;
    static const char *const some[] = {
        "[heap]",
        "/a/libx.so.1",
        "/b/libx.so.2",
        "/c/libx.so",
        "/tmp/q.AbCd12",
        "/tmp/q.zzzz99",
        "anonymous (f)",
        "anonymous (f.cold)",
        "anonymous, 1.0 MiB",
        "anonymous, 2.0 MiB",
    };
    uint64_t seed = 7;
    for (int round = 0; round < 500; round++) {
        struct diff_name a[12], b[12];
        size_t n_a = 0, n_b = 0;
        for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            if (seed >> 62 & 1) {
                a[n_a] = (struct diff_name){ some[i], n_a };
                n_a++;
            }
            if (seed >> 63) {
                b[n_b] = (struct diff_name){ some[i], n_b };
                n_b++;
            }
        }
        struct diff_groups there, back;
        struct diff_names of_a = { a, n_a }, of_b = { b, n_b };
        assert_int_equal(diff_match(DIFF_MAPPINGS, of_a, of_b, NULL, 0, &there, NULL), FL_OK);
        assert_int_equal(diff_match(DIFF_MAPPINGS, of_b, of_a, NULL, 0, &back, NULL), FL_OK);
        assert_int_equal(there.n, back.n);
        for (size_t i = 0; i < n_a; i++)
            for (size_t k = 0; k < n_b; k++)
                if ((there.of_a[i] == there.of_b[k]) != (back.of_b[i] == back.of_a[k]))
                    fail_msg("round %d: %s and %s", round, a[i].text, b[k].text);
        diff_groups_free(&there);
        diff_groups_free(&back);
    }
}

static void fifty_thousand_names_take_no_time(void **state)
{
    (void)state;
    enum { N = 50000 };
    struct diff_name *a = calloc(N, sizeof *a), *b = calloc(N, sizeof *b);
    struct timespec from, to;
    struct diff_groups g;
    for (size_t i = 0; i < N; i++) {
        char *old_text = NULL, *new_text = NULL;
        /* Much alike until the last level: every one is looked at by all. */
        assert_true(asprintf(&old_text, "/tmp/some/long/folder/x%zu.AbC%03zu", i, i % 1000) > 0);
        assert_true(
            asprintf(&new_text, "/tmp/some/other/folder/x%zu.xYz%03zu", N - 1 - i, i % 1000) > 0);
        a[i] = (struct diff_name){ old_text, i };
        b[i] = (struct diff_name){ new_text, i };
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    assert_int_equal(diff_match(DIFF_MAPPINGS, (struct diff_names){ a, N },
                                (struct diff_names){ b, N }, NULL, 0, &g, NULL),
                     FL_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    assert_int_equal(g.n, N);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(g.of_a[i], g.of_b[N - 1 - i]);
    /* 0.2 s in a release build; a quadratic one would take minutes. */
    assert_true(to.tv_sec - from.tv_sec < 20);
    diff_groups_free(&g);
    for (size_t i = 0; i < N; i++) {
        free((char *)(uintptr_t)a[i].text);
        free((char *)(uintptr_t)b[i].text);
    }
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_names_are_one_whatever_their_order),
        cmocka_unit_test(a_build_folder_does_not_matter),
        cmocka_unit_test(of_two_files_of_one_name_the_nearer_is_taken),
        cmocka_unit_test(a_librarys_version_does_not_matter),
        cmocka_unit_test(temporary_names_are_alike),
        cmocka_unit_test(anonymous_memory_goes_with_its_function),
        cmocka_unit_test(anonymous_memory_of_another_size_is_paired_by_rank_as_a_guess),
        cmocka_unit_test(a_renamed_programs_file_goes_with_it),
        cmocka_unit_test(compilers_suffixes_do_not_matter),
        cmocka_unit_test(functions_go_by_name_then_by_plain_name),
        cmocka_unit_test(a_part_split_off_is_folded_into_its_function),
        cmocka_unit_test(processes_of_one_name_go_by_their_order),
        cmocka_unit_test(a_single_renamed_process_is_paired_as_a_guess),
        cmocka_unit_test(hostile_names_are_just_names),
        cmocka_unit_test(matching_is_the_same_from_either_side),
        cmocka_unit_test(fifty_thousand_names_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
