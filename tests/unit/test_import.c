/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Importers: what each input becomes, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/import.h>

struct imported {
    int rc;
    struct fl_err err;
    struct fl_totals totals;
    void *bytes;
    size_t len;
};

static struct imported import_bytes(const char *format, const void *bytes, size_t len)
{
    struct imported im = { 0 };
    struct fl_writer *w;
    FILE *in = fmemopen((void *)bytes, len, "rb");
    assert_non_null(in);
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, NULL, &w, &im.err), FL_OK);
    im.rc = fl_import_to(fl_importer_find(format), in, w, &im.err);
    im.totals = *fl_writer_totals(w);
    if (im.rc == FL_OK)
        assert_int_equal(fl_writer_close(w, &im.bytes, &im.len, &im.err), FL_OK);
    else
        fl_writer_abandon(w);
    fclose(in);
    return im;
}

static struct imported import_text(const char *text)
{
    return import_bytes("lackey", text, strlen(text));
}

/* The runs of a trace as "page:reads/writes/fetches ", pages as numbers. */
static void assert_runs(const struct imported *im, const char *expected)
{
    char got[512] = "";
    struct fl_reader *r;
    struct fl_item item;
    assert_int_equal(fl_reader_open_mem(im->bytes, im->len, 0, &r, NULL), FL_OK);
    while (fl_reader_next(r, &item, NULL) == FL_OK && item.kind != FL_ITEM_END) {
        if (item.kind != FL_ITEM_RUNS)
            continue;
        for (size_t i = 0; i < item.runs.n; i++) {
            size_t n = strlen(got);
            snprintf(got + n, sizeof got - n, "%llx:%u/%u/%u ",
                     (unsigned long long)fl_reader_page(r, item.runs.page[i]).vpn,
                     item.runs.reads[i], item.runs.writes[i], item.runs.fetches[i]);
        }
    }
    fl_reader_free(r);
    assert_string_equal(got, expected);
}

static void pages_bit_63_is_a_write(void **state)
{
    const uint8_t bytes[] = { 5, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0x80,
                              7, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0x80 };
    struct imported im = import_bytes("pages", bytes, sizeof bytes);
    (void)state;
    assert_int_equal(im.rc, FL_OK);
    assert_runs(&im, "5:1/0/0 7:1/1/0 5:0/1/0 ");
    free(im.bytes);
}

static void pages_cut_within_a_number_is_refused_with_its_place(void **state)
{
    const uint8_t bytes[11] = { 1 };
    struct imported im = import_bytes("pages", bytes, sizeof bytes);
    (void)state;
    assert_int_equal(im.rc, FL_EFORMAT);
    assert_non_null(strstr(im.err.msg, "at byte 8"));
}

static void pages_beyond_48_bit_addresses_are_refused(void **state)
{
    const uint8_t last[8] = { 0xff, 0xff, 0xff, 0xff, 0x0f }, beyond[8] = { 0, 0, 0, 0, 0x10 };
    (void)state;
    struct imported im = import_bytes("pages", last, sizeof last);
    assert_int_equal(im.rc, FL_OK);
    assert_runs(&im, "fffffffff:1/0/0 ");
    free(im.bytes);
    assert_int_equal(import_bytes("pages", beyond, sizeof beyond).rc, FL_EFORMAT);
}

static void lackey_kinds_become_fetches_reads_and_writes(void **state)
{
    struct imported im = import_text("==1== Lackey\nI  04001000,3\n L 1ffe,2\n S 2000,8\n"
                                     " M 3000,4\nI  04001003,5\n");
    (void)state;
    assert_int_equal(im.rc, FL_OK);
    assert_runs(&im, "4001:0/0/1 1:1/0/0 2:0/1/0 3:1/1/0 4001:0/0/1 ");
    free(im.bytes);
}

static void lackey_access_across_pages_counts_on_each(void **state)
{
    struct imported im = import_text(" L 1ffc,8\n S 2ffe,4\n");
    (void)state;
    assert_int_equal(im.rc, FL_OK);
    assert_runs(&im, "1:1/0/0 2:1/1/0 3:0/1/0 ");
    free(im.bytes);
}

static void lackey_other_lines_are_passed_over(void **state)
{
    struct imported im =
        import_text("I am output\n L nothex,4\n L 1000,0\n L 1000,99999\nL 1000,4\n"
                    " X 1000,4\n S 1000,4 tail\n L 10000000000000000,4\n"
                    " S 5000,1\n S 6000,1");
    (void)state;
    assert_int_equal(im.rc, FL_OK);
    assert_runs(&im, "5:0/1/0 6:0/1/0 ");
    free(im.bytes);
}

static void lackey_accesses_above_user_memory_are_left_out(void **state)
{
    struct imported im = import_text("I  ffffffffff600000,9\n L 1000,4\n");
    (void)state;
    assert_int_equal(im.rc, FL_OK);
    assert_runs(&im, "1:1/0/0 ");
    struct fl_reader *r;
    assert_int_equal(fl_reader_open_mem(im.bytes, im.len, 0, &r, NULL), FL_OK);
    assert_non_null(fl_meta_get(fl_reader_meta(r), "quality.outside"));
    fl_reader_free(r);
    free(im.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_bit_63_is_a_write),
        cmocka_unit_test(pages_cut_within_a_number_is_refused_with_its_place),
        cmocka_unit_test(pages_beyond_48_bit_addresses_are_refused),
        cmocka_unit_test(lackey_kinds_become_fetches_reads_and_writes),
        cmocka_unit_test(lackey_access_across_pages_counts_on_each),
        cmocka_unit_test(lackey_other_lines_are_passed_over),
        cmocka_unit_test(lackey_accesses_above_user_memory_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
