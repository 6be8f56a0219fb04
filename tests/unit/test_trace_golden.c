/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Old traces read for ever: tests/golden/trace/README.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <faultline/kernel_events.h>
#include <faultline/trace.h>

static void golden_path(char out[512], const char *name)
{
    const char *slash = strrchr(__FILE__, '/');
    int n = slash ? (int)(slash - __FILE__) : 1;
    snprintf(out, 512, "%.*s/../golden/trace/%s", n, slash ? __FILE__ : ".", name);
}

static char *load(const char *name, size_t *len)
{
    char path[512];
    golden_path(path, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = calloc(1, 1 << 20);
    *len = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}

static char *dump(struct fl_reader *r)
{
    struct fl_probes *probes = fl_probes_new();
    char *text = NULL;
    size_t len = 0;
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    struct fl_err err;
    FILE *out = open_memstream(&text, &len);
    while (item.kind != FL_ITEM_END) {
        assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
        if (item.kind == FL_ITEM_EVENT)
            assert_int_equal(fl_probes_event(probes, &item.event, &err), FL_OK);
        fl_dump_item(r, &item, probes, out);
    }
    fclose(out);
    fl_probes_free(probes);
    return text;
}

struct golden {
    char path[512];
    struct fl_reader *r;
};

/* NAME.flt dumps to NAME.txt. */
static struct golden dumps_as_told(const char *name)
{
    struct golden g;
    struct fl_err err;
    char file[64];
    size_t len;
    snprintf(file, sizeof file, "%s.txt", name);
    char *want = load(file, &len);
    snprintf(file, sizeof file, "%s.flt", name);
    golden_path(g.path, file);
    assert_int_equal(fl_reader_open_path(g.path, 0, &g.r, &err), FL_OK);
    char *got = dump(g.r);
    assert_string_equal(got, want);
    free(got);
    free(want);
    return g;
}

static void is_sound(struct golden *g)
{
    struct fl_err err;
    struct fl_check_report report;
    fl_reader_free(g->r);
    assert_int_equal(fl_trace_check(g->path, &report, &err), FL_OK);
    assert_true(report.sound);
}

static void the_version_1_trace_dumps_to_the_same_text(void **state)
{
    (void)state;
    struct golden g = dumps_as_told("v1-small");
    assert_int_equal(fl_reader_fidelity(g.r), FL_FIDELITY_PAGE_EXACT);
    assert_string_equal(fl_fidelity_name(fl_reader_fidelity(g.r)), "page-exact");
    assert_string_equal(fl_meta_get(fl_reader_meta(g.r), "command.argv"), "demo 'two words'");
    assert_int_equal(fl_meta_get_u64(fl_reader_meta(g.r), "host.ram_bytes", 0), 8589934592);
    assert_string_equal(fl_meta_get(fl_reader_meta(g.r), "quality.lost"), "7 records were lost");
    is_sound(&g);
}

static void file_events_dump_to_the_same_text(void **state)
{
    (void)state;
    struct golden g = dumps_as_told("v1-files");
    /* 2 process, 2 file, 3 resident, 12 file-io, 4 lock, 1 exit */
    assert_int_equal(fl_reader_totals(g.r)->events, 24);
    is_sound(&g);
}

static void kernel_events_dump_to_the_same_text(void **state)
{
    (void)state;
    struct golden g = dumps_as_told("v1-kernel");
    assert_int_equal(fl_reader_totals(g.r)->events, 34);
    assert_int_equal(fl_reader_totals(g.r)->faults_minor, 1);
    is_sound(&g);
}

static void code_locations_dump_to_the_same_text(void **state)
{
    (void)state;
    struct golden g = dumps_as_told("v1-codes");
    assert_true(fl_reader_has_codes(g.r));
    is_sound(&g);
}

static void page_ids_dump_to_the_same_text(void **state)
{
    (void)state;
    struct golden g = dumps_as_told("v1-ids");
    assert_int_equal(fl_reader_totals(g.r)->runs, 1300);
    is_sound(&g);
}

static void pairs_of_codes_dump_to_the_same_text(void **state)
{
    (void)state;
    struct golden g = dumps_as_told("v1-pairs");
    assert_int_equal(fl_reader_totals(g.r)->runs, 1200);
    is_sound(&g);
}

static void the_version_1_trace_has_these_totals(void **state)
{
    (void)state;
    struct fl_reader *r;
    struct fl_err err;
    size_t len;
    char *bytes = load("v1-small.flt", &len);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
    const struct fl_totals *t = fl_reader_totals(r);
    /* 60 + 60 runs of the parent, 1 of a system call, 40 + 40 interleaved, 1 after exec. */
    assert_int_equal(t->runs, 202);
    assert_int_equal(t->fetches, 60 * 5 + 3);
    assert_int_equal(t->reads, 30 + 40 + 40 * UINT64_C(4000000000) + 1);
    assert_int_equal(t->writes, 60 + 1000 * 39 * 40 / 2 + 2);
    assert_int_equal(t->syscall_writes, 1);
    assert_int_equal(t->events, 4 + 3 + 9 + 5);
    assert_int_equal(t->faults_major, 1);
    assert_int_equal(t->faults_minor, 1);
    assert_int_equal(t->lost_events, 7);
    assert_int_equal(t->processes, 2);
    assert_int_equal(t->address_spaces, 3);
    assert_int_equal(t->files, 1);
    assert_int_equal(t->duration_ns, 700);
    fl_reader_free(r);
    free(bytes);
}

static void the_version_1_trace_with_any_byte_changed_is_refused(void **state)
{
    (void)state;
    size_t len;
    uint8_t *bytes = (uint8_t *)load("v1-small.flt", &len);
    for (size_t i = 0; i < len; i++) {
        struct fl_reader *r;
        struct fl_err err;
        bytes[i] ^= 0xff;
        int rc = fl_reader_open_mem(bytes, len, 0, &r, &err);
        assert_true(rc == FL_EFORMAT || rc == FL_EVERSION);
        bytes[i] ^= 0xff;
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_1_trace_dumps_to_the_same_text),
        cmocka_unit_test(file_events_dump_to_the_same_text),
        cmocka_unit_test(kernel_events_dump_to_the_same_text),
        cmocka_unit_test(code_locations_dump_to_the_same_text),
        cmocka_unit_test(page_ids_dump_to_the_same_text),
        cmocka_unit_test(pairs_of_codes_dump_to_the_same_text),
        cmocka_unit_test(the_version_1_trace_has_these_totals),
        cmocka_unit_test(the_version_1_trace_with_any_byte_changed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
