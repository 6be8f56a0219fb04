/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracepoint_format_gives_id_and_places_of_fields),
        cmocka_unit_test(tracepoint_field_is_found_by_its_whole_name),
        cmocka_unit_test(tracepoint_fields_that_are_no_number_are_refused),
        cmocka_unit_test(tracepoint_value_is_read_only_from_within_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
