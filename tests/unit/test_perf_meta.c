/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <faultline/command.h>

#include "perf_meta.h"

static void command_line_is_quoted_so_that_a_shell_takes_it_back(void **state)
{
    (void)state;
    char *argv[] = { "sh", "-c", "echo 'a b' $x", "", "k=v", NULL };
    char *line = fl_command_quote(argv);
    assert_string_equal(line, "sh -c 'echo '\\''a b'\\'' $x' '' k=v");
    free(line);
}

static void redacted_header_has_no_command(void **state)
{
    (void)state;
    char *argv[] = { "secret", NULL };
    struct fl_record_opts opts = { .argv = argv, .redact = true };
    struct fl_perf_set set = { .plan.faults = true, .exclude_kernel = true };
    struct fl_err err = { 0 };
    struct fl_meta *meta = fl_meta_new();
    assert_int_equal(fl_perf_meta(meta, &opts, "events", &set, &err), FL_OK);
    assert_null(fl_meta_get(meta, "command.argv"));
    assert_null(fl_meta_get(meta, "command.cwd"));
    assert_string_equal(fl_meta_get(meta, "record.redacted"), "1");
    assert_string_equal(fl_meta_get(meta, "record.mode"), "events");
    assert_non_null(fl_meta_get(meta, "quality.kernel_faults"));
    assert_non_null(fl_meta_get(meta, "quality.fault_access"));
    fl_meta_free(meta);
}

static void privileged_header_has_the_command_and_no_quality_flags(void **state)
{
    (void)state;
    char *argv[] = { "ls", "/", NULL };
    struct fl_record_opts opts = { .argv = argv };
    struct fl_perf_set set = { .have[FL_SRC_TP_USER] = true, .ring_bytes = 65536 };
    struct fl_err err = { 0 };
    struct fl_meta *meta = fl_meta_new();
    assert_int_equal(fl_perf_meta(meta, &opts, "events", &set, &err), FL_OK);
    assert_string_equal(fl_meta_get(meta, "command.argv"), "ls /");
    assert_int_equal(fl_meta_get_u64(meta, "record.ring_bytes", 0), 65536);
    assert_null(fl_meta_get(meta, "record.redacted"));
    assert_null(fl_meta_get(meta, "quality.kernel_faults"));
    assert_null(fl_meta_get(meta, "quality.fault_access"));
    fl_meta_free(meta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_line_is_quoted_so_that_a_shell_takes_it_back),
        cmocka_unit_test(redacted_header_has_no_command),
        cmocka_unit_test(privileged_header_has_the_command_and_no_quality_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
