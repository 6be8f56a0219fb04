/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of perf_event_open, compared as text with tests/golden/attr/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attr.h"
#include "tracepoint.h"

static char *golden(const char *name)
{
    char path[4096];
    const char *here = __FILE__, *end = strstr(here, "unit/test_perf_attr.c");
    assert_non_null(end);
    snprintf(path, sizeof path, "%.*sgolden/attr/%s.txt", (int)(end - here), here, name);
    FILE *f = fopen(path, "re");
    if (!f)
        fail_msg("%s is missing", path);
    char *text = calloc(1, 8192);
    assert_non_null(text);
    assert_true(fread(text, 1, 8191, f) > 0);
    fclose(f);
    return text;
}

static char *dumped(const struct fl_attr_request *req)
{
    struct perf_event_attr attr;
    struct fl_err err = { 0 };
    char *text = NULL;
    size_t n;
    assert_int_equal(fl_attr_build(req, &attr, &err), FL_OK);
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    fl_attr_dump(&attr, f);
    fclose(f);
    return text;
}

static void expect(const char *name, struct fl_attr_request req)
{
    req.wakeup_bytes = 131072;
    char *want = golden(name), *got = dumped(&req);
    assert_string_equal(got, want);
    free(want);
    free(got);
}

static void attr_of_fault_events_samples_every_fault_with_its_address(void **state)
{
    (void)state;
    expect("minor", (struct fl_attr_request){ .source = FL_SRC_MINOR });
    expect("major", (struct fl_attr_request){ .source = FL_SRC_MAJOR });
}

static void attr_without_privilege_leaves_out_kernel_mode(void **state)
{
    (void)state;
    expect("minor-user-mode",
           (struct fl_attr_request){ .source = FL_SRC_MINOR, .exclude_kernel = true });
}

static void attr_for_an_old_kernel_does_not_ask_for_lost_counts(void **state)
{
    (void)state;
    expect("major-old-kernel",
           (struct fl_attr_request){ .source = FL_SRC_MAJOR, .old_kernel = true });
}

static void attr_of_tracking_event_counts_nothing_and_reports_processes_and_mappings(void **state)
{
    (void)state;
    expect("track", (struct fl_attr_request){ .source = FL_SRC_TRACK });
}

static void attr_of_tracepoints_carries_the_id_and_raw_bytes(void **state)
{
    (void)state;
    expect("page_fault_user",
           (struct fl_attr_request){ .source = FL_SRC_TP_USER, .tracepoint_id = 190 });
    expect("task_newtask",
           (struct fl_attr_request){ .source = FL_SRC_TP_NEWTASK, .tracepoint_id = 205 });
}

static void attr_of_what_a_bpf_program_writes_is_like_a_tracepoints(void **state)
{
    (void)state;
    const struct fl_attr_request tracepoint = { .source = FL_SRC_PROBE, .tracepoint_id = 190 },
                                 bpf = { .source = FL_SRC_PROBE, .tracepoint_id = FL_TP_ID_BPF };
    struct perf_event_attr attr, want;
    assert_int_equal(fl_attr_build(&tracepoint, &want, NULL), FL_OK);
    assert_int_equal(fl_attr_build(&bpf, &attr, NULL), FL_OK);
    want.type = PERF_TYPE_SOFTWARE;
    want.config = PERF_COUNT_SW_BPF_OUTPUT;
    assert_memory_equal(&attr, &want, sizeof attr);
}

/* Nothing is added to what was planned, however it is recorded. */
static void attr_of_a_planned_event_is_the_planned_one(void **state)
{
    (void)state;
    const struct perf_event_attr planned = { .type = 11,
                                             .config = UINT64_C(0x80000),
                                             .sample_period = 250000,
                                             .sample_type = PERF_SAMPLE_IDENTIFIER,
                                             .size = sizeof planned,
                                             .disabled = 1,
                                             .inherit = 1,
                                             .enable_on_exec = 1 };
    struct perf_event_attr attr, want = planned;
    struct fl_attr_request req = {
        .source = FL_SRC_SAMPLE, .sampled = &planned, .exclude_kernel = true, .stacks = true
    };
    assert_int_equal(fl_attr_build(&req, &attr, NULL), FL_OK);
    assert_memory_equal(&attr, &want, sizeof attr);
    req.running = req.machine = true;
    want.enable_on_exec = want.inherit = 0;
    assert_int_equal(fl_attr_build(&req, &attr, NULL), FL_OK);
    assert_memory_equal(&attr, &want, sizeof attr);
}

static void attr_of_an_unknown_source_is_refused(void **state)
{
    (void)state;
    struct fl_attr_request req = { .source = FL_SRC_COUNT };
    struct perf_event_attr attr;
    struct fl_err err = { 0 };
    assert_int_equal(fl_attr_build(&req, &attr, &err), FL_EINTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attr_of_fault_events_samples_every_fault_with_its_address),
        cmocka_unit_test(attr_without_privilege_leaves_out_kernel_mode),
        cmocka_unit_test(attr_for_an_old_kernel_does_not_ask_for_lost_counts),
        cmocka_unit_test(attr_of_tracking_event_counts_nothing_and_reports_processes_and_mappings),
        cmocka_unit_test(attr_of_tracepoints_carries_the_id_and_raw_bytes),
        cmocka_unit_test(attr_of_what_a_bpf_program_writes_is_like_a_tracepoints),
        cmocka_unit_test(attr_of_a_planned_event_is_the_planned_one),
        cmocka_unit_test(attr_of_an_unknown_source_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
