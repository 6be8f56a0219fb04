/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/opt.h>
#include <faultline/units.h>

struct cfg {
    bool quiet, json;
    const char *output, *ram_list, *policy, *policies;
    uint64_t seed, duration_ns;
    struct fl_size ram, swap;
};

static const char *names(size_t i)
{
    static const char *const all[] = { "fifo", "lru", "opt" };
    return i < FL_COUNT(all) ? all[i] : NULL;
}

static const struct fl_opt opts[] = {
    { .name = "quiet",
      .letter = 'q',
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct cfg, quiet),
      .help = "Say less" },
    { .name = "json", .kind = FL_OPT_FLAG, .at = offsetof(struct cfg, json), .help = "As JSON" },
    { .name = "output",
      .letter = 'o',
      .kind = FL_OPT_STRING,
      .at = offsetof(struct cfg, output),
      .arg = "FILE",
      .def = "-",
      .help = "Where results go" },
    { .name = "seed",
      .kind = FL_OPT_UINT,
      .at = offsetof(struct cfg, seed),
      .arg = "N",
      .def = "1",
      .help = "For random" },
    { .name = "ram",
      .kind = FL_OPT_SIZE,
      .at = offsetof(struct cfg, ram),
      .arg = "SIZE",
      .help = "RAM to simulate" },
    { .name = "swap",
      .kind = FL_OPT_SIZE,
      .at = offsetof(struct cfg, swap),
      .arg = "SIZE",
      .def = "max",
      .help = "Swap to simulate" },
    { .name = "ram-list",
      .kind = FL_OPT_SIZES,
      .at = offsetof(struct cfg, ram_list),
      .arg = "LIST",
      .help = "Sizes to try" },
    { .name = "duration",
      .kind = FL_OPT_DURATION,
      .at = offsetof(struct cfg, duration_ns),
      .arg = "TIME",
      .help = "How long" },
    { .name = "policy",
      .letter = 'p',
      .kind = FL_OPT_CHOICE,
      .at = offsetof(struct cfg, policy),
      .arg = "NAME",
      .def = "lru",
      .names = names,
      .help = "Replacement policy" },
    { .name = "policies",
      .kind = FL_OPT_CHOICES,
      .at = offsetof(struct cfg, policies),
      .arg = "LIST",
      .names = names,
      .help = "Several" },
    FL_OPT_END,
};

struct parsed {
    struct cfg cfg;
    struct fl_err err;
    int rc, first;
    char *argv[32];
    int argc;
};

/* @line: words separated by one space; the first is the command. */
static struct parsed parse(char *line, bool stop_at_operand)
{
    struct parsed p = { .first = -1 };
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        p.argv[p.argc++] = word;
    p.rc = fl_opts_parse(opts, &p.cfg, p.argc, p.argv, stop_at_operand, &p.first, &p.err);
    return p;
}

#define PARSE(text) parse((char[]){ text }, false)
#define PARSE_COMMAND(text) parse((char[]){ text }, true)

static void defaults_are_stored_when_nothing_is_given(void **state)
{
    struct parsed p = PARSE("replay");
    (void)state;
    assert_int_equal(p.rc, FL_OK);
    assert_int_equal(p.first, 1);
    assert_false(p.cfg.quiet);
    assert_string_equal(p.cfg.output, "-");
    assert_true(p.cfg.seed == 1);
    assert_true(p.cfg.swap.bytes == FL_SIZE_MAX_BYTES);
    assert_true(p.cfg.ram.bytes == 0 && p.cfg.ram.percent_bp == 0);
    assert_string_equal(p.cfg.policy, "lru");
    assert_null(p.cfg.policies);
    assert_null(p.cfg.ram_list);
}

static void each_kind_is_stored_in_its_own_type(void **state)
{
    struct parsed p = PARSE("replay -q --output=out.json --seed 42 --ram 50% --swap 2M "
                            "--ram-list 1M..4M/4 --duration 250ms -p opt --policies fifo,opt");
    (void)state;
    assert_int_equal(p.rc, FL_OK);
    assert_true(p.cfg.quiet);
    assert_false(p.cfg.json);
    assert_string_equal(p.cfg.output, "out.json");
    assert_true(p.cfg.seed == 42);
    assert_true(p.cfg.ram.percent_bp == 5000);
    assert_true(p.cfg.swap.bytes == 2 << 20);
    assert_string_equal(p.cfg.ram_list, "1M..4M/4");
    assert_true(p.cfg.duration_ns == 250000000);
    assert_string_equal(p.cfg.policy, "opt");
    assert_string_equal(p.cfg.policies, "fifo,opt");
}

static void options_and_operands_may_mix(void **state)
{
    struct parsed p = PARSE("replay a.flt --seed 2 b.flt -q");
    (void)state;
    assert_int_equal(p.rc, FL_OK);
    assert_int_equal(p.argc - p.first, 2);
    assert_string_equal(p.argv[p.first], "a.flt");
    assert_string_equal(p.argv[p.first + 1], "b.flt");
    assert_true(p.cfg.quiet && p.cfg.seed == 2);
}

static void command_line_stops_at_its_first_operand(void **state)
{
    struct parsed p = PARSE_COMMAND("record -q ls -p --json");
    (void)state;
    assert_int_equal(p.rc, FL_OK);
    assert_int_equal(p.first, 2);
    assert_string_equal(p.argv[2], "ls");
    assert_false(p.cfg.json);
    assert_string_equal(p.cfg.policy, "lru");
}

static void two_dashes_end_the_options(void **state)
{
    struct parsed p = PARSE("replay -q -- --json");
    (void)state;
    assert_int_equal(p.rc, FL_OK);
    assert_false(p.cfg.json);
    assert_int_equal(p.argc - p.first, 1);
    assert_string_equal(p.argv[p.first], "--json");
}

static void help_is_told_apart_from_success(void **state)
{
    struct parsed p = PARSE("replay --help");
    (void)state;
    assert_int_equal(p.rc, 1);
}

/* The message must hold @option, and @remedy when there is one. */
static void expect_usage(char *line, const char *option, const char *remedy)
{
    char shown[256];
    snprintf(shown, sizeof shown, "%s", line);
    struct parsed p = parse(line, false);
    if (p.rc != FL_EUSAGE)
        fail_msg("'%s' gave %d", shown, p.rc);
    if (!strstr(p.err.msg, option))
        fail_msg("'%s': message does not name %s: %s", shown, option, p.err.msg);
    if (remedy && !strstr(p.err.msg, remedy))
        fail_msg("'%s': message does not say %s: %s", shown, remedy, p.err.msg);
}

static void mistakes_are_usage_and_name_the_option(void **state)
{
    (void)state;
    expect_usage((char[]){ "replay --nonsense" }, "--nonsense", NULL);
    expect_usage((char[]){ "replay -z" }, "-z", NULL);
    expect_usage((char[]){ "replay --seed" }, "--seed", NULL);
    expect_usage((char[]){ "replay -o" }, "-o", NULL);
    expect_usage((char[]){ "replay --quiet=yes" }, "--quiet", NULL);
    expect_usage((char[]){ "replay --seed twelve" }, "--seed", "twelve");
    expect_usage((char[]){ "replay --seed -1" }, "--seed", "-1");
    expect_usage((char[]){ "replay --ram 12Q" }, "--ram", "12Q");
    expect_usage((char[]){ "replay --ram-list 1M..2M" }, "--ram-list", "1M..2M");
    expect_usage((char[]){ "replay --duration soon" }, "--duration", "soon");
    expect_usage((char[]){ "replay --policy lfu" }, "--policy", "fifo");
    expect_usage((char[]){ "replay -p lr" }, "--policy", "lru");
    expect_usage((char[]){ "replay --policies lru,lfu" }, "--policies", "fifo");
    expect_usage((char[]){ "replay --policies lru," }, "--policies", "fifo");
}

static void parsing_twice_starts_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct parsed p = PARSE("replay a b --seed 9");
        assert_int_equal(p.rc, FL_OK);
        assert_true(p.cfg.seed == 9);
        assert_int_equal(p.argc - p.first, 2);
    }
}

static void help_has_one_entry_for_each_option(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    (void)state;
    assert_non_null(f);
    fl_opts_help(opts, f);
    fclose(f);
    for (const struct fl_opt *o = opts; o->name; o++) {
        char name[64];
        snprintf(name, sizeof name, "--%s", o->name);
        if (!strstr(text, name) || !strstr(text, o->help))
            fail_msg("no help for --%s in:\n%s", o->name, text);
    }
    assert_non_null(strstr(text, "-q, --quiet"));
    assert_non_null(strstr(text, "--ram SIZE"));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) < 80);
    free(text);
}

/* 79 columns: 7 words of 10 and their blanks are 76, an eighth does not fit. */
#define WORD "0123456789"
#define SEVEN WORD " " WORD " " WORD " " WORD " " WORD " " WORD " " WORD

static void wrap_is(const char *text, size_t column, size_t indent, const char *want)
{
    char *got = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&got, &len);
    assert_non_null(f);
    fl_wrap(text, strlen(text), column, indent, f);
    fclose(f);
    assert_string_equal(got, want);
    free(got);
}

static void a_paragraph_is_filled_to_79_columns(void **state)
{
    (void)state;
    wrap_is("", 0, 0, "\n");
    wrap_is(SEVEN " " WORD, 0, 0, SEVEN "\n" WORD "\n");
    wrap_is(SEVEN " 12", 0, 0, SEVEN " 12\n");
    wrap_is(SEVEN " 123", 0, 0, SEVEN "\n123\n");
    wrap_is(WORD "\n" WORD, 0, 0, WORD " " WORD "\n");
    wrap_is("1234567 " WORD, 68, 3, "1234567\n   " WORD "\n");
    wrap_is("123 5678901", 68, 3, "123 5678901\n");
}

static void lines_that_begin_with_a_blank_and_brackets_stay_whole(void **state)
{
    (void)state;
    wrap_is("Names:\n  a   one\n  b   two\nand so on", 0, 0,
            "Names:\n  a   one\n  b   two\nand so on\n");
    wrap_is("FILE [-a [-b X]] [-c Y]", 62, 1, "FILE [-a [-b X]]\n [-c Y]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_stored_when_nothing_is_given),
        cmocka_unit_test(each_kind_is_stored_in_its_own_type),
        cmocka_unit_test(options_and_operands_may_mix),
        cmocka_unit_test(command_line_stops_at_its_first_operand),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(help_is_told_apart_from_success),
        cmocka_unit_test(mistakes_are_usage_and_name_the_option),
        cmocka_unit_test(parsing_twice_starts_anew),
        cmocka_unit_test(help_has_one_entry_for_each_option),
        cmocka_unit_test(a_paragraph_is_filled_to_79_columns),
        cmocka_unit_test(lines_that_begin_with_a_blank_and_brackets_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
