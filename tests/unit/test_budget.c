/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Budget files: what is read from TOML and JSON, and what is refused and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "budget.h"
#include "budget_file.h"

static struct budgets *read_budgets(const char *text)
{
    struct fl_err err = { 0 };
    struct budgets *b = NULL;
    if (budget_text_read(text, strlen(text), "b.toml", &b, &err) != FL_OK)
        fail_msg("%s\nrefused: %s", text, err.msg);
    return b;
}

static void refused(const char *text, const char *says)
{
    struct fl_err err = { 0 };
    struct budgets *b = NULL;
    int rc = budget_text_read(text, strlen(text), "b.toml", &b, &err);
    if (rc != FL_EUSAGE || b || !strstr(err.msg, says) || !strstr(err.msg, "b.toml") ||
        strchr(err.msg, '\n'))
        fail_msg("%s\ngot %d '%s', want one line with '%s'", text, rc, err.msg, says);
}

#define ONE(rest) "[[budget]]\nkey = \"faults.major\"\n" rest
#define BYTES(rest) "[[budget]]\nkey = \"sharing.saved_bytes\"\n" rest

static void every_key_of_a_budget_is_read(void **state)
{
    (void)state;
    struct budgets *b = read_budgets("[[budget]]\nname = \"n\"\nkey = \"a.b\"\nat = \"512M\"\n"
                                     "policy = \"clock\"\nswap = \"max\"\nmax = 10\nmin = -2\n"
                                     "max_increase = \"2.5%\"\nmax_decrease = 7\n");
    const struct budget *one = &b->at[0];
    assert_int_equal(b->n, 1);
    assert_string_equal(one->label, "n");
    assert_string_equal(one->key, "a.b");
    assert_int_equal(one->path.n, 2);
    assert_true(one->has_at && one->at.bytes == UINT64_C(512) << 20);
    assert_string_equal(one->policy, "clock");
    assert_true(one->has_swap && one->swap.bytes == FL_SIZE_MAX_BYTES);
    assert_true(one->limit[BUDGET_MAX].number == (millionths)10 * MILLION);
    assert_true(one->limit[BUDGET_MIN].number == (millionths)-2 * MILLION);
    assert_int_equal(one->limit[BUDGET_MAX_INCREASE].kind, LIMIT_PERCENT);
    assert_int_equal(one->limit[BUDGET_MAX_INCREASE].percent_bp, 250);
    assert_true(one->limit[BUDGET_MAX_DECREASE].number == (millionths)7 * MILLION);
    assert_true(budget_is_relative(one));
    budgets_free(b);
}

static void json_of_the_same_structure_is_the_same(void **state)
{
    (void)state;
    struct budgets *b = read_budgets(" \n{\"budget\": [{\"key\": \"a_bytes\", \"max\": \"1M\", "
                                     "\"at\": 4096}]}");
    assert_string_equal(b->at[0].label, "a_bytes at 4096");
    assert_true(b->at[0].limit[BUDGET_MAX].number == ((millionths)1 << 20) * MILLION);
    assert_false(budget_is_relative(&b->at[0]));
    budgets_free(b);
}

static void a_budget_without_a_name_is_called_by_key_and_point(void **state)
{
    (void)state;
    struct budgets *b = read_budgets(ONE("at = \"64K\"\npolicy = \"lru\"\nswap = \"1G\"\nmax = 1\n")
                                         ONE("at = \"64K\"\npolicy = \"opt\"\nmax = 1\n"));
    assert_string_equal(b->at[0].label, "faults.major at 64K, lru, swap 1G");
    assert_string_equal(b->at[1].label, "faults.major at 64K, opt");
    budgets_free(b);
}

static void unknown_keys_are_refused_with_the_nearest(void **state)
{
    (void)state;
    refused(ONE("maxx = 1\n"), "unknown key 'maxx'; is 'max' meant?");
    refused(ONE("max_increas = 1\n"), "is 'max_increase' meant?");
    refused(ONE("limit = 1\n"), "there are name, key, at");
    refused("budgets = []\n", "is [[budget]] meant?");
    refused("title = \"x\"\n", "only [[budget]] tables");
    refused("[budget]\nkey = \"a\"\nmax = 1\n", "two brackets");
    refused("budget = 3\n", "must be a list");
}

static void what_checks_nothing_is_refused(void **state)
{
    (void)state;
    refused("", "nothing would be checked");
    refused("# only a comment\n", "nothing would be checked");
    refused("{\"budget\": []}", "nothing would be checked");
    refused(ONE(""), "has no rule");
    refused("[[budget]]\nmax = 1\n", "no 'key'");
    refused(ONE("max = 1\nmin = 2\n"), "no number is at least min and at most max");
    refused("budget = [1]\n", "budget 1: must be a table");
}

static void values_of_the_wrong_kind_are_refused(void **state)
{
    (void)state;
    refused(ONE("max = true\n"), "'max' must be a number");
    refused(ONE("max = \"5%\"\n"), "percentages are for");
    refused(ONE("max = \"5M\"\n"), "not in bytes");
    refused(BYTES("max = \"5Q\"\n"), "is no number");
    refused(BYTES("max = \"max\"\n"), "is no number");
    refused(ONE("max_increase = \"5\"\n"), "not in bytes");
    refused(ONE("max_increase = \"-5%\"\n"), "not a percentage");
    refused(ONE("max_increase = \"0.001%\"\n"), "two decimals");
    refused(ONE("max_increase = -1\n"), "must not be negative");
    refused(ONE("max = 1e300\n"), "'max' must be a number");
    refused(ONE("max = 1\nat = \"lots\"\n"), "not a size");
    refused(ONE("max = 1\nat = -1\n"), "must be a size");
    refused(ONE("max = 1\nat = []\n"), "must be a size");
    refused(ONE("max = 1\nname = \"\"\n"), "not empty");
    refused(ONE("max = 1\npolicy = 3\n"), "must be a text");
    refused("[[budget]]\nkey = \"a..b\"\nmax = 1\n", "empty part");
    refused("[[budget]]\nkey = 'a.\"b'\nmax = 1\n", "quote that does not end");
}

static void two_budgets_of_one_name_are_refused(void **state)
{
    (void)state;
    refused(ONE("max = 1\n") ONE("min = 0\n"), "budget 1 already");
    refused(ONE("max = 1\nname = \"n\"\n") ONE("min = 0\nname = \"n\"\n"), "budget 1 already");
}

static void what_is_no_toml_is_refused_with_its_place(void **state)
{
    (void)state;
    refused("[[budget]]\nkey = \n", "b.toml:2:7:");
    refused("{\"budget\": ]", "b.toml:1:12:");
    refused("{\"budget\": [{\"key\": \"a\", \"key\": \"b\"}]}", "duplicate");
    refused(ONE("max = nan\n"), "b.toml:3:7: a number that is not finite");
    refused(ONE("max = 2024-01-01\n"), "b.toml:3:7: a date or time");
    refused(ONE("name = \"a\\u0000b\"\nmax = 1\n"), "b.toml:3:8: a text with a NUL");
    refused("[[budget]]\nkey = \"\xff\"\n", "b.toml:2:");
    refused("[[budget]]\nkey = 0x7\xC3\xA9\n", "b.toml:2:");
    refused("[[[budget]]\nkey = \"a\"\n", "b.toml");
    char dots[1000] = "# 1\n# ..\na";
    for (size_t n = strlen(dots); n < 900; n += 2)
        memcpy(dots + n, ".a", 3);
    refused(dots, "b.toml:3:1: a line with more than 100 dots");
}

static void names_come_out_as_clean_lines(void **state)
{
    (void)state;
    struct budgets *b = read_budgets(ONE("max = 1\nname = \"a\\nb\\u202Ec\\u0007\"\n"));
    assert_string_equal(b->at[0].label, "a\xE2\x90\x8A"
                                        "b\xEF\xBF\xBD"
                                        "c\xE2\x90\x87");
    budgets_free(b);
}

/* ---- paths ------------------------------------------------------------------------------ */

#define DOC                                                                                 \
    "{\"a\": {\"b\": 1, \"c.d\": 2, \"q\\\"\": 3}, \"list\": [{\"name\": \"x\", \"n\": 4}," \
    "{\"mapping\": \"/lib/c.so.6\", \"n\": 5}, {\"comm\": \"twin\", \"n\": 6},"             \
    "{\"comm\": \"twin\", \"n\": 7}, {\"source\": \"s\", \"n\": 8}, {\"name\": \"0\", \"n\": 9}]}"

static int find(const char *key, json_int_t *out, struct fl_err *err)
{
    struct keypath path;
    struct keypath_value v;
    json_t *doc = json_loads(DOC, 0, NULL);
    int rc = keypath_parse(key, &path, err);
    if (rc == FL_OK) {
        rc = keypath_find(&path, 0, doc, "d", &v, err);
        if (rc == FL_OK)
            *out = v.json ? json_integer_value(v.json) : (json_int_t)v.length;
        keypath_free(&path);
    }
    json_decref(doc);
    return rc;
}

static void paths_lead_where_they_say(void **state)
{
    static const struct {
        const char *key;
        json_int_t value;
    } good[] = {
        { "a.b", 1 },      { "a.\"c.d\"", 2 }, { "a.'c.d'", 2 },     { "a.\"q\\\"\"", 3 },
        { "list.x.n", 4 }, { "list.0.n", 4 },  { "list.length", 6 }, { "list.'/lib/c.so.6'.n", 5 },
        { "list.2.n", 6 }, { "list.s.n", 8 },  { "list.\"0\".n", 9 }
    };
    (void)state;
    for (size_t i = 0; i < FL_COUNT(good); i++) {
        struct fl_err err = { 0 };
        json_int_t value = -1;
        if (find(good[i].key, &value, &err) != FL_OK || value != good[i].value)
            fail_msg("%s: %lld %s", good[i].key, (long long)value, err.msg);
    }
}

static void paths_that_lead_nowhere_say_where_they_end(void **state)
{
    static const struct {
        const char *key;
        int code;
        const char *says;
    } bad[] = { { "a.bb", FL_EDATA, "d has no 'bb'" },
                { "lst.0", FL_EDATA, "is 'list' meant" },
                { "a.b.c", FL_EDATA, "no 'c'" },
                { "list.6.n", FL_EDATA, "no '6'" },
                { "list.99999999999999999999.n", FL_EDATA, "no '9999" },
                { "list.nobody.n", FL_EDATA, "no 'nobody'" },
                { "list.twin.n", FL_EUSAGE, "2 elements are called 'twin'" },
                { "a.length", FL_EDATA, "no 'length'" },
                { "a.\"c\\d\"", FL_EUSAGE, "backslash" },
                { "a.\"c\"d", FL_EUSAGE, "without a dot" },
                { ".a", FL_EUSAGE, "empty part" },
                { "a.", FL_EUSAGE, "empty part" },
                { "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q", FL_EUSAGE, "more parts" } };
    (void)state;
    for (size_t i = 0; i < FL_COUNT(bad); i++) {
        struct fl_err err = { 0 };
        json_int_t value;
        int rc = find(bad[i].key, &value, &err);
        if (rc != bad[i].code || !strstr(err.msg, bad[i].says))
            fail_msg("%s: %d %s", bad[i].key, rc, err.msg);
    }
}

static void numbers_are_exact_at_both_ends(void **state)
{
    millionths n;
    json_t *v = json_integer(INT64_MAX);
    (void)state;
    assert_true(budget_number(v, &n) && n == (millionths)INT64_MAX * MILLION);
    json_integer_set(v, INT64_MIN);
    assert_true(budget_number(v, &n) && n == (millionths)INT64_MIN * MILLION);
    json_decref(v);
    v = json_real(-0.25);
    assert_true(budget_number(v, &n) && n == -250000);
    json_real_set(v, 12.340001);
    assert_true(budget_number(v, &n) && n == 12340001);
    json_real_set(v, 9.3e18);
    assert_false(budget_number(v, &n));
    json_decref(v);
    assert_false(budget_number(NULL, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_of_a_budget_is_read),
        cmocka_unit_test(json_of_the_same_structure_is_the_same),
        cmocka_unit_test(a_budget_without_a_name_is_called_by_key_and_point),
        cmocka_unit_test(unknown_keys_are_refused_with_the_nearest),
        cmocka_unit_test(what_checks_nothing_is_refused),
        cmocka_unit_test(values_of_the_wrong_kind_are_refused),
        cmocka_unit_test(two_budgets_of_one_name_are_refused),
        cmocka_unit_test(what_is_no_toml_is_refused_with_its_place),
        cmocka_unit_test(names_come_out_as_clean_lines),
        cmocka_unit_test(paths_lead_where_they_say),
        cmocka_unit_test(paths_that_lead_nowhere_say_where_they_end),
        cmocka_unit_test(numbers_are_exact_at_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
