/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <glob.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tracepoint.h"

/* In the shape tracefs has; offsets that no kernel uses, so that none can be assumed. */
static const char format[] = "name: page_fault_user\n"
                             "ID: 190\n"
                             "format:\n"
                             "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
                             "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
                             "\n"
                             "\tfield:unsigned long address;\toffset:24;\tsize:8;\tsigned:0;\n"
                             "\tfield:char comm[16];\toffset:32;\tsize:16;\tsigned:0;\n"
                             "\tfield:u8 error_code;\toffset:12;\tsize:1;\tsigned:0;\n"
                             "\tfield:int big;\toffset:99999999999;\tsize:4;\tsigned:0;\n"
                             "\n"
                             "print fmt: \"address=%ps\", (void *)REC->address\n";

static void tracepoint_format_gives_id_and_places_of_fields(void **state)
{
    (void)state;
    uint64_t id;
    struct fl_tp_field f;
    assert_true(fl_tp_parse_id(format, &id));
    assert_int_equal(id, 190);
    assert_true(fl_tp_parse_field(format, "address", &f));
    assert_int_equal(f.offset_bytes, 24);
    assert_int_equal(f.size_bytes, 8);
    assert_true(fl_tp_parse_field(format, "error_code", &f));
    assert_int_equal(f.offset_bytes, 12);
    assert_int_equal(f.size_bytes, 1);
}

static void tracepoint_field_is_found_by_its_whole_name(void **state)
{
    (void)state;
    struct fl_tp_field f;
    assert_false(fl_tp_parse_field(format, "pid", &f)); /* there is only common_pid */
    assert_false(fl_tp_parse_field(format, "addr", &f));
    assert_false(fl_tp_parse_field(format, "nothing", &f));
}

static void tracepoint_fields_that_are_no_number_are_refused(void **state)
{
    (void)state;
    struct fl_tp_field f;
    assert_false(fl_tp_parse_field(format, "comm", &f)); /* 16 bytes */
    assert_false(fl_tp_parse_field(format, "big", &f));  /* an offset past 32 bits */
    assert_false(fl_tp_parse_field("", "address", &f));
    assert_false(fl_tp_parse_field("\tfield:int a;", "a", &f));
    uint64_t id;
    assert_false(fl_tp_parse_id("name: x\n", &id));
}

static void tracepoint_value_is_read_only_from_within_the_record(void **state)
{
    (void)state;
    const uint8_t raw[6] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66 };
    const struct fl_tp_field two = { .offset_bytes = 2, .size_bytes = 2 };
    const struct fl_tp_field at_end = { .offset_bytes = 4, .size_bytes = 2 };
    const struct fl_tp_field over = { .offset_bytes = 5, .size_bytes = 2 };
    const struct fl_tp_field far = { .offset_bytes = UINT32_MAX, .size_bytes = 8 };
    uint64_t v;
    assert_true(fl_tp_get(raw, sizeof raw, &two, &v));
    assert_int_equal(v, 0x4433);
    assert_true(fl_tp_get(raw, sizeof raw, &at_end, &v));
    assert_int_equal(v, 0x6655);
    assert_false(fl_tp_get(raw, sizeof raw, &over, &v));
    assert_false(fl_tp_get(raw, sizeof raw, &far, &v));
    assert_false(fl_tp_get(raw, sizeof raw, &(struct fl_tp_field){ 0 }, &v));
}

/* Every form of declaration that a kernel has. */
static const char forms[] = "name: x\nID: 7\nformat:\n"
                            "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
                            "\tfield:const void * ptr;\toffset:8;\tsize:8;\tsigned:1;\n"
                            "\tfield:const char *const * argv;\toffset:16;\tsize:8;\tsigned:0;\n"
                            "\tfield:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;\n"
                            "\tfield:short adj;\toffset:28;\tsize:2;\tsigned:1;\n"
                            "\tfield:bool accounted;\toffset:30;\tsize:1;\tsigned:0;\n"
                            "\tfield:char comm[16];\toffset:31;\tsize:16;\tsigned:0;\n"
                            "\tfield:__data_loc char[] name;\toffset:48;\tsize:4;\tsigned:0;\n"
                            "\tfield:__data_loc u64[] list;\toffset:52;\tsize:4;\tsigned:0;\n"
                            "\tfield:__rel_loc char[] other;\toffset:56;\tsize:4;\tsigned:0;\n"
                            "\tfield:u8 uuid[16];\toffset:60;\tsize:16;\tsigned:0;\n"
                            "\tfield:unsigned char mac[6];\toffset:76;\tsize:6;\tsigned:0;\n"
                            "\tfield:u32 rest[];\toffset:84;\tsize:0;\tsigned:0;\n"
                            "\tfield:struct timespec wide;\toffset:84;\tsize:16;\tsigned:0;\n"
                            "\tfield:enum zone_type zone;\toffset:100;\tsize:4;\tsigned:0;\n"
                            "\tfield:int no_place;\tsize:4;\tsigned:1;\n"
                            "\nprint fmt: \"field:int fake;offset:1;size:4;\"\n";

static void tracepoint_forms_of_fields_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        char type;
        uint32_t offset, size;
        bool data_loc;
    } want[] = {
        { "ptr", 'u', 8, 8, false },
        { "argv", 'u', 16, 8, false }, /* whatever signed says */
        { "pid", 'i', 24, 4, false },
        { "adj", 'i', 28, 2, false },
        { "accounted", 'u', 30, 1, false },
        { "comm", 's', 31, 16, false },
        { "name", 's', 48, 4, true },
        { "zone", 'u', 100, 4, false },
    };
    struct fl_tp_event tp;
    assert_true(fl_tp_parse("kmem/x", forms, &tp));
    assert_string_equal(tp.name, "kmem:x");
    assert_int_equal(tp.id, 7);
    assert_int_equal(tp.n_fields, 8);
    assert_int_equal(tp.left_out, 7);
    for (size_t i = 0; i < tp.n_fields; i++) {
        assert_string_equal(tp.fields[i].name, want[i].name);
        assert_int_equal(tp.fields[i].type, want[i].type);
        assert_int_equal(tp.fields[i].at.offset_bytes, want[i].offset);
        assert_int_equal(tp.fields[i].at.size_bytes, want[i].size);
        assert_int_equal(tp.fields[i].data_loc, want[i].data_loc);
    }
}

static void tracepoint_keeps_the_first_sixteen_fields(void **state)
{
    (void)state;
    char text[2048] = "ID: 1\n";
    struct fl_tp_event tp;
    for (int i = 0; i < 20; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "field:int f%d;offset:%d;size:4;signed:1;\n", i,
                 8 + 4 * i);
    }
    assert_true(fl_tp_parse("a:b", text, &tp));
    assert_int_equal(tp.n_fields, 16);
    assert_int_equal(tp.left_out, 4);
    assert_string_equal(tp.fields[15].name, "f15");
}

static void tracepoint_text_that_is_no_format_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "", ":", "a:", ":b", "nocolon", "a:b c", "a:b\n", "a:b:c"
    };
    struct fl_tp_event tp;
    char longest[200] = "a:";
    memset(longest + 2, 'x', 150);
    assert_false(fl_tp_parse("a:b", "", &tp));
    assert_false(fl_tp_parse("a:b", "field:int x;offset:8;size:4;signed:1;\n", &tp)); /* no id */
    assert_false(fl_tp_parse(longest, forms, &tp));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(fl_tp_parse(names[i], forms, &tp));
    /* An id and declarations that are none: a tracepoint without fields. */
    assert_true(fl_tp_parse("a:b",
                            "ID: 3\nfield:;offset:1;size:1;\nfield:int;offset:1;size:1;\n"
                            "field:]];offset:1;size:1;\nfield:a ];offset:1;size:1;\nfield:[",
                            &tp));
    assert_int_equal(tp.n_fields, 0);
    longest[40] = 0; /* a field of a name that no signature holds */
    char text[256];
    snprintf(text, sizeof text, "ID: 3\nfield:int %s;offset:8;size:4;signed:1;\n", longest + 2);
    assert_true(fl_tp_parse("a:b", text, &tp));
    assert_int_equal(tp.n_fields, 0);
    assert_int_equal(tp.left_out, 1);
}

static int64_t number(const uint8_t *raw, size_t n, char type, uint32_t offset, uint32_t size)
{
    const struct fl_tp_value v = { .type = type, .at = { offset, size } };
    int64_t out = 12345;
    assert_true(fl_tp_number(raw, n, &v, &out));
    return out;
}

static void tracepoint_numbers_have_their_sign(void **state)
{
    (void)state;
    const uint8_t raw[8] = { 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0x80 };
    const struct fl_tp_value over = { .type = 'i', .at = { 5, 4 } };
    int64_t v;
    assert_int_equal(number(raw, 8, 'u', 0, 4), 0xffffffff);
    assert_int_equal(number(raw, 8, 'i', 0, 4), -1);
    assert_int_equal(number(raw, 8, 'i', 4, 2), -2);
    assert_int_equal(number(raw, 8, 'u', 4, 2), 0xfffe);
    assert_int_equal(number(raw, 8, 'i', 7, 1), -128);
    assert_int_equal(number(raw, 8, 'u', 0, 8), (int64_t)0x80fffffeffffffff);
    assert_false(fl_tp_number(raw, sizeof raw, &over, &v));
}

static void tracepoint_texts_stay_within_the_record(void **state)
{
    (void)state;
    /* bytes 4-7: the text is 6 bytes at 10; 10-15: "ab\0cd\0" */
    const uint8_t raw[16] = { 'x', 'y', 0, 'z', 10, 0, 6, 0, 1, 2, 'a', 'b', 0, 'c', 'd', 0 };
    const struct fl_tp_value array = { .type = 's', .at = { 0, 4 } };
    const struct fl_tp_value full = { .type = 's', .at = { 10, 2 } };
    const struct fl_tp_value over = { .type = 's', .at = { 10, 7 } };
    const struct fl_tp_value loc = { .type = 's', .at = { 4, 4 }, .data_loc = true };
    const struct fl_tp_value far = { .type = 's', .at = { 8, 4 }, .data_loc = true };
    const char *text;
    size_t len;
    assert_true(fl_tp_text(raw, 16, &array, &text, &len));
    assert_int_equal(len, 2);
    assert_memory_equal(text, "xy", 2);
    assert_true(fl_tp_text(raw, 16, &full, &text, &len)); /* no 0 at its end */
    assert_int_equal(len, 2);
    assert_memory_equal(text, "ab", 2);
    assert_true(fl_tp_text(raw, 16, &loc, &text, &len));
    assert_int_equal(len, 2);
    assert_memory_equal(text, "ab", 2);
    assert_false(fl_tp_text(raw, 16, &over, &text, &len));
    assert_false(fl_tp_text(raw, 16, &far, &text, &len)); /* 0x6261 bytes at 0x0201 */
    assert_false(fl_tp_text(raw, 15, &loc, &text, &len)); /* the record ends a byte early */
    assert_false(fl_tp_text(raw, 7, &loc, &text, &len));
}

/* ---- this machine's ---------------------------------------------------------------- */

/* Fields that a hit can keep, counted in another way than the parser does. */
static uint32_t fields_by_pattern(const char *text)
{
    static const char number[] = "^\tfield:[^;[]*;\toffset:[0-9]+;\tsize:[1-8];\tsigned:[01];";
    static const char chars[] =
        "^\tfield:char [^;[]*\\[[^];]*\\];\toffset:[0-9]+;\tsize:[1-9][0-9]*;\tsigned:[01];";
    static const char loc[] = "^\tfield:__data_loc char\\[\\] [^;[]*;\toffset:[0-9]+;\tsize:4;";
    const char *const patterns[] = { number, chars, loc };
    uint32_t n = 0;
    for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
        regex_t re;
        regmatch_t m;
        assert_int_equal(regcomp(&re, patterns[p], REG_EXTENDED | REG_NEWLINE), 0);
        for (const char *at = text; regexec(&re, at, 1, &m, 0) == 0; at += m.rm_eo) {
            char line[512];
            snprintf(line, sizeof line, "%.*s", (int)(m.rm_eo - m.rm_so), at + m.rm_so);
            n += !strstr(line, " common_") && (p == 2 || !strstr(line, "__data_loc "));
        }
        regfree(&re);
    }
    return n < FL_HIT_VALUES ? n : FL_HIT_VALUES;
}

static const char *root_or_skip(void)
{
    struct fl_err err;
    const char *root = fl_tp_root(&err);
    if (!root) {
        print_message("skipped: %s\n", err.msg);
        skip();
    }
    return root;
}

static void every_tracepoint_of_this_kernel_is_understood(void **state)
{
    (void)state;
    const char *root = root_or_skip();
    char pattern[256];
    glob_t found;
    uint64_t fields = 0, cut = 0;
    snprintf(pattern, sizeof pattern, "%s/events/*/*/format", root);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char event[256];
        struct fl_tp_event tp;
        struct fl_err err;
        const char *name = found.gl_pathv[i] + strlen(root) + strlen("/events/");
        snprintf(event, sizeof event, "%.*s", (int)(strlen(name) - strlen("/format")), name);
        char *text = fl_tp_read_format_at(root, event, &err);
        if (!text)
            fail_msg("%s", err.msg);
        if (!fl_tp_parse(event, text, &tp) || tp.n_fields != fields_by_pattern(text))
            fail_msg("%s: %u fields, but %u lines that are", event, tp.n_fields,
                     fields_by_pattern(text));
        fields += tp.n_fields;
        cut += tp.n_fields == FL_HIT_VALUES;
        free(text);
    }
    print_message("%zu tracepoints, %llu fields; %llu with 16\n", found.gl_pathc,
                  (unsigned long long)fields, (unsigned long long)cut);
    assert_true(found.gl_pathc > 100);
    globfree(&found);
}

/* The fields that replays of kernel events will ask for; they have not changed in many years. */
static void tracepoints_of_this_kernel_have_the_fields_that_are_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *event, *fields; /* "name:type bytes ..." */
    } want[] = {
        { "kmem/mm_page_alloc", "pfn:u8 order:u4 gfp_flags:u8 migratetype:i4 " },
        { "kmem/mm_page_free", "pfn:u8 order:u4 " },
        { "oom/oom_score_adj_update", "pid:i4 comm:s16 oom_score_adj:i2 " },
        { "tlb/tlb_flush", "reason:i4 pages:u8 " },
        { "exceptions/page_fault_user", "address:u8 ip:u8 error_code:u8 " },
    };
    const char *root = root_or_skip();
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        char got[1024] = "";
        struct fl_tp_event tp;
        struct fl_err err;
        char *text = fl_tp_read_format_at(root, want[i].event, &err);
        if (!text && err.sys_errno == ENOENT)
            continue; /* of another architecture */
        assert_non_null(text);
        assert_true(fl_tp_parse(want[i].event, text, &tp));
        for (uint32_t f = 0; f < tp.n_fields; f++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s:%c%u ", tp.fields[f].name,
                     tp.fields[f].type, tp.fields[f].at.size_bytes);
        assert_string_equal(got, want[i].fields);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracepoint_format_gives_id_and_places_of_fields),
        cmocka_unit_test(tracepoint_field_is_found_by_its_whole_name),
        cmocka_unit_test(tracepoint_fields_that_are_no_number_are_refused),
        cmocka_unit_test(tracepoint_value_is_read_only_from_within_the_record),
        cmocka_unit_test(tracepoint_forms_of_fields_are_told_apart),
        cmocka_unit_test(tracepoint_keeps_the_first_sixteen_fields),
        cmocka_unit_test(tracepoint_text_that_is_no_format_is_refused),
        cmocka_unit_test(tracepoint_numbers_have_their_sign),
        cmocka_unit_test(tracepoint_texts_stay_within_the_record),
        cmocka_unit_test(every_tracepoint_of_this_kernel_is_understood),
        cmocka_unit_test(tracepoints_of_this_kernel_have_the_fields_that_are_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
