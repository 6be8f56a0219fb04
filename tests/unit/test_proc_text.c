/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The texts of proc: what they mean, and that nothing in them is trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proc_text.h"
#include "proc_tree.h"

static bool stat_of(const char *text, struct text_stat *out)
{
    return text_stat(text, strlen(text), out);
}

static void a_stat_line_gives_its_fields(void **state)
{
    (void)state;
    char line[512];
    struct text_stat s;
    assert_true(stat_of(stat_line(line, sizeof line, 77, "worker", 'S', 12, 0x40, 3), &s));
    assert_string_equal(s.comm, "worker");
    assert_int_equal(s.state, 'S');
    assert_int_equal(s.ppid, 12);
    assert_int_equal(s.flags, 0x40);
    assert_int_equal(s.threads, 3);
    assert_int_equal(s.minor_faults, 1234);
    assert_int_equal(s.major_faults, 67);
    assert_int_equal(s.start_ticks, 4000);
    assert_int_equal(s.stack_pointer, 140723415575376);
}

static void a_comm_may_hold_parentheses_newlines_and_escapes(void **state)
{
    (void)state;
    static const char *const comms[] = { ") S 1 (", "a\nb", "\x1b[31mred", "", "))))", "( " };
    for (size_t i = 0; i < sizeof comms / sizeof comms[0]; i++) {
        char line[512];
        struct text_stat s;
        assert_true(stat_of(stat_line(line, sizeof line, 7, comms[i], 'R', 5, 0, 1), &s));
        assert_string_equal(s.comm, comms[i]);
        assert_int_equal(s.ppid, 5);
    }
    char line[512];
    struct text_stat s;
    assert_true(stat_of(
        stat_line(line, sizeof line, 7, "kworker/u8:2-events_unbound", 'I', 2, 0x200000, 1), &s));
    assert_string_equal(s.comm, "kworker/u8:2-ev");
}

static void every_truncated_stat_line_is_refused(void **state)
{
    (void)state;
    char line[512];
    struct text_stat s;
    stat_line(line, sizeof line, 7, "x", 'R', 5, 0, 1);
    size_t needed =
        (size_t)(strstr(line, " 140723415575376") - line) + 2; /* one digit of the last */
    for (size_t n = 0; n < needed; n++) {
        char *exact = malloc(n ? n : 1);
        memcpy(exact, line, n);
        assert_false(text_stat(exact, n, &s));
        free(exact);
    }
    assert_true(text_stat(line, needed, &s));
}

static void absurd_numbers_are_refused(void **state)
{
    (void)state;
    struct text_stat s;
    assert_false(stat_of("1 (x) R 99999999999999999999 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 1 1 1 1 "
                         "1 1 1 1",
                         &s));
    assert_false(
        stat_of("1 (x) R 4294967296 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 1 1 1 1 1 1 1 1", &s));
    assert_false(stat_of("1 (x) R 1 1 1 0 - 0 1 2 3 4 5 6 7 8 20 0 1 0 1 1 1 1 1 1 1 1", &s));
    assert_false(stat_of(")(", &s));
    uint64_t n;
    const char *p = "18446744073709551615", *q = "18446744073709551616", *r = "-1";
    assert_true(text_number(&p, p + 20, 10, &n) && n == UINT64_MAX);
    assert_false(text_number(&q, q + 20, 10, &n));
    assert_false(text_number(&r, r + 2, 10, &n));
}

static void fields_are_found_at_a_lines_begin_only(void **state)
{
    (void)state;
    static const char status[] =
        "Name:\tVmSwap: 9\nVmRSS:\t     392 kB\nVmSwap:\t 12 kB\nBad:\tx\n";
    uint64_t n = 0;
    assert_true(text_field(status, "VmSwap", &n) && n == 12);
    assert_true(text_field(status, "VmRSS", &n) && n == 392);
    assert_false(text_field(status, "Bad", &n));
    assert_false(text_field(status, "Vm", &n));
    assert_false(text_field("", "VmRSS", &n));
}

static uint64_t pointer_of(const char *text)
{
    return text_stack_pointer(text, strlen(text));
}

static void a_stack_pointer_is_the_word_before_the_last(void **state)
{
    (void)state;
    assert_int_equal(pointer_of("202 0x1 0x2 0x0 0x0 0x0 0x0 0x7f11e9fff000 0x7f11ea080b5c\n"),
                     0x7f11e9fff000);
    assert_int_equal(pointer_of("-1 0x7ffc0 0x400\n"), 0x7ffc0);
    static const char *const silent[] = { "running\n", "",        "\n",
                                          "0x5 0x6",   "1 5 0x6", "1 0x 0x6\n",
                                          "1 0xg 0x6", "  ",      "1 0x11112222333344445 0x6" };
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        assert_int_equal(pointer_of(silent[i]), 0);
}

static void pressure_is_read_in_hundredths_of_a_percent(void **state)
{
    (void)state;
    struct fl_proc_pressure p;
    assert_true(text_pressure("some avg10=12.34 avg60=0.00 avg300=0.00 total=15970626\n"
                              "full avg10=0.05 avg60=0.00 avg300=0.00 total=4188175\n",
                              &p));
    assert_int_equal(p.some_avg10_bp, 1234);
    assert_int_equal(p.full_avg10_bp, 5);
    assert_int_equal(p.some_total_us, 15970626);
    assert_int_equal(p.full_total_us, 4188175);
    assert_true(text_pressure("some avg10=100.00 avg60=0.00 avg300=0.00 total=7\n", &p));
    assert_int_equal(p.some_avg10_bp, 10000);
    assert_int_equal(p.full_total_us, 0);
    assert_false(text_pressure("some avg10=999.00 total=7\n", &p));
    assert_false(text_pressure("some avg10=1.2 total=7\n", &p));
    assert_false(text_pressure("some \nfull avg10=1.20 total=7\n", &p));
    assert_false(text_pressure("", &p));
}

/* ---- pieces -------------------------------------------------------------------------------- */

struct joined {
    char *text;
    size_t len, longest, pieces;
    bool inside_lines; /* a piece but the last ended inside a line */
};

static int join(void *ctx, const struct fl_event *e, struct fl_err *err)
{
    struct joined *j = ctx;
    (void)err;
    assert_int_equal(e->kind, FL_EV_SNAPSHOT);
    assert_int_equal(e->snapshot.pid, 42);
    assert_int_equal(e->snapshot.moment, FL_SNAPSHOT_END);
    assert_int_equal(e->thread, FL_NO_THREAD);
    assert_memory_equal(e->snapshot.text, "f\n", 2);
    size_t n = strlen(e->snapshot.text);
    j->longest = n > j->longest ? n : j->longest;
    j->inside_lines |= j->len && j->text[j->len - 1] != '\n';
    j->text = realloc(j->text, j->len + n);
    memcpy(j->text + j->len, e->snapshot.text + 2, n - 2);
    j->len += n - 2;
    j->pieces++;
    return FL_OK;
}

static void a_long_text_is_cut_between_lines(void **state)
{
    (void)state;
    size_t len = 300000;
    char *text = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = i % 61 == 60 ? '\n' : (char)('a' + i % 26);
    struct joined j = { 0 };
    assert_int_equal(text_pieces("f", text, len, 42, FL_SNAPSHOT_END, join, &j, NULL), FL_OK);
    assert_int_equal(j.pieces, 5); /* 1,074 lines of 61 bytes in each */
    assert_int_equal(j.longest, 2 + 1074 * 61);
    assert_false(j.inside_lines);
    assert_int_equal(j.len, len);
    assert_memory_equal(j.text, text, len);
    free(j.text);
    free(text);
}

static void a_line_too_long_is_cut_and_a_zero_replaced(void **state)
{
    (void)state;
    char *text = malloc(70000);
    memset(text, 'x', 70000);
    text[3] = 0;
    struct joined j = { 0 };
    assert_int_equal(text_pieces("f", text, 70000, 42, FL_SNAPSHOT_END, join, &j, NULL), FL_OK);
    assert_int_equal(j.pieces, 2);
    assert_int_equal(j.longest, 65536);
    assert_int_equal(j.len, 70000);
    assert_int_equal(j.text[3], '?');
    free(j.text);
    j = (struct joined){ 0 };
    assert_int_equal(text_pieces("f", text, 0, 42, FL_SNAPSHOT_END, join, &j, NULL), FL_OK);
    assert_int_equal(j.pieces, 1);
    free(j.text);
    free(text);
}

static void redaction_takes_names_out(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text, *want;
    } cases[] = {
        { "status", "Name:\tsecret\nUmask:\t0022\n", "Umask:\t0022\n" },
        { "status", "Name:\tsecret", "" },
        { "stat", "7 (a\nb) S) S 1\n", "7 () S 1\n" },
        { "stat", "7 no name\n", "7 no name\n" },
        { "slabinfo", "dentry(9:app)  1 2\nfilp 3 4\n", "dentry()  1 2\nfilp 3 4\n" },
        { "vmstat", "a (b) 1\n", "a (b) 1\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        strcpy(text, cases[i].text);
        text[text_redact(cases[i].file, text, strlen(text))] = 0;
        assert_string_equal(text, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stat_line_gives_its_fields),
        cmocka_unit_test(a_comm_may_hold_parentheses_newlines_and_escapes),
        cmocka_unit_test(every_truncated_stat_line_is_refused),
        cmocka_unit_test(absurd_numbers_are_refused),
        cmocka_unit_test(fields_are_found_at_a_lines_begin_only),
        cmocka_unit_test(a_stack_pointer_is_the_word_before_the_last),
        cmocka_unit_test(pressure_is_read_in_hundredths_of_a_percent),
        cmocka_unit_test(a_long_text_is_cut_between_lines),
        cmocka_unit_test(a_line_too_long_is_cut_and_a_zero_replaced),
        cmocka_unit_test(redaction_takes_names_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
