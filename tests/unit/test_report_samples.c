/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sampled traces made with the writer, and what info and report say of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <faultline/datasrc.h>
#include <faultline/quality.h>
#include <faultline/report.h>
#include <faultline/sampled.h>
#include <faultline/trace.h>

#define PAGE UINT64_C(4096)
#define LOADS 0u
#define STORES 1u
#define L1_HIT                                                  \
    (FL_DS_OP_LOAD | (uint64_t)FL_LEVEL_L1 << FL_DS_NUM_SHIFT | \
     (uint64_t)(FL_DS_TLB_HIT | FL_DS_TLB_L1) << FL_DS_TLB_SHIFT)
#define REMOTE_RAM                                               \
    (FL_DS_OP_LOAD | (uint64_t)FL_LEVEL_RAM << FL_DS_NUM_SHIFT | \
     UINT64_C(1) << FL_DS_REMOTE_SHIFT | (uint64_t)FL_DS_TLB_MISS << FL_DS_TLB_SHIFT)

static void put(struct fl_writer *w, struct fl_event ev)
{
    struct fl_err err = { .msg = "" };
    if (fl_writer_event(w, &ev, &err) != FL_OK)
        fail_msg("%s", err.msg);
}

static void sample(struct fl_writer *w, uint32_t event, uint64_t page, uint64_t period,
                   uint64_t source, uint32_t code)
{
    struct fl_event ev = { .kind = FL_EV_SAMPLE, .thread = 0 };
    ev.sample.event = event;
    ev.sample.address = page * PAGE + 8;
    ev.sample.period = period;
    ev.sample.data_source = source;
    ev.sample.code = code;
    ev.sample.stack = FL_NO_STACK;
    put(w, ev);
}

/* Process 7 with a heap of 10 pages from page 16 and anonymous memory from page 64. */
static struct fl_writer *start(void)
{
    struct fl_meta *meta = fl_meta_new();
    struct fl_writer *w;
    fl_meta_set(meta, "record.sample.0", "loads skx::LOADS period 1000", NULL);
    fl_meta_set(meta, "record.sample.1", "stores skx::STORES period 500", NULL);
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_SAMPLED, meta, NULL, &w, NULL), FL_OK);
    fl_meta_free(meta);
    put(w, (struct fl_event){ .kind = FL_EV_PROCESS,
                              .thread = FL_NO_THREAD,
                              .process = { 7, 1, 0, FL_NO_MM, 0, "app" } });
    put(w, (struct fl_event){ .kind = FL_EV_THREAD, .thread = 0, .thread_start = { 7, 7 } });
    put(w, (struct fl_event){ .kind = FL_EV_MAP,
                              .thread = 0,
                              .map = { 0, FL_PROT_READ, FL_MAP_ANON | FL_MAP_HEAP, FL_NO_FILE,
                                       16 * PAGE, 10 * PAGE, 0 } });
    put(w, (struct fl_event){
               .kind = FL_EV_MAP,
               .thread = 0,
               .map = { 0, FL_PROT_READ, FL_MAP_ANON, FL_NO_FILE, 64 * PAGE, 10 * PAGE, 0 } });
    put(w, (struct fl_event){
               .kind = FL_EV_NAME, .thread = FL_NO_THREAD, .name = { LOADS, "loads" } });
    put(w, (struct fl_event){
               .kind = FL_EV_NAME, .thread = FL_NO_THREAD, .name = { STORES, "stores" } });
    for (uint32_t code = 0; code < 3; code++) /* two functions of one name */
        put(w, (struct fl_event){ .kind = FL_EV_CODE,
                                  .thread = 0,
                                  .code = { code, FL_NO_FILE, code, code == 2 ? "sum" : "fill" } });
    return w;
}

static struct fl_reader *finish(struct fl_writer *w, void **bytes)
{
    struct fl_reader *r;
    size_t len;
    assert_int_equal(fl_writer_close(w, bytes, &len, NULL), FL_OK);
    assert_int_equal(fl_reader_open_mem(*bytes, len, 0, &r, NULL), FL_OK);
    return r;
}

static json_t *observe(struct fl_writer *w)
{
    void *bytes;
    struct fl_err err = { .msg = "" };
    struct fl_reader *r = finish(w, &bytes);
    json_t *result = NULL;
    if (fl_observe(r, json_pack("{s:s}", "fidelity", "sampled"), &result, &err) != FL_OK)
        fail_msg("%s", err.msg);
    if (fl_document_check(result, "x", &err) != FL_OK)
        fail_msg("%s", err.msg);
    fl_reader_free(r);
    free(bytes);
    return result;
}

static const json_t *entry(const json_t *result, const char *list, const char *key,
                           const char *name)
{
    const json_t *v;
    size_t i;
    json_array_foreach(json_object_get(result, list), i, v)
    {
        const char *have = fl_document_text(v, key);
        if (have && strcmp(have, name) == 0)
            return v;
    }
    fail_msg("no %s in %s", name, list);
    return NULL;
}

static void expect(const json_t *doc, const char *path, uint64_t want)
{
    uint64_t n = 0;
    if (!fl_document_count(doc, path, &n) || n != want)
        fail_msg("%s is %llu, not %llu", path, (unsigned long long)n, (unsigned long long)want);
}

static void expect_near(const json_t *doc, const char *path, uint64_t want, uint64_t by)
{
    uint64_t n = 0;
    if (!fl_document_count(doc, path, &n) || n + by < want || n > want + by)
        fail_msg("%s is %llu, not about %llu", path, (unsigned long long)n,
                 (unsigned long long)want);
}

/* 90 loads of the heap from L1, 10 of anonymous memory from another node, 50 stores to the heap. */
static void put_samples(struct fl_writer *w)
{
    for (unsigned i = 0; i < 90; i++)
        sample(w, LOADS, 16 + i % 10, 1000, L1_HIT, i % 2);
    for (unsigned i = 0; i < 10; i++)
        sample(w, LOADS, 64, 1000, REMOTE_RAM, 2);
    for (unsigned i = 0; i < 50; i++)
        sample(w, STORES, 16, 500, 0, 0);
}

static void samples_are_estimates_by_everything(void **state)
{
    (void)state;
    struct fl_writer *w = start();
    put_samples(w);
    json_t *r = observe(w);
    assert_string_equal(fl_document_text(r, "source"), "observed");
    assert_null(json_object_get(r, "faults"));
    expect(r, "samples.samples", 150);
    expect(r, "samples.estimated.value", 100 * 1000 + 50 * 500);
    const json_t *loads = json_array_get(fl_document_at(r, "samples.events"), 0);
    expect(loads, "estimated.value", 100000);
    expect_near(loads, "estimated.low", 81364,
                20); /* of a Poisson count of 100: 81.364 to 121.627 */
    expect_near(loads, "estimated.high", 121627, 20);
    expect(r, "footprint.pages_at_least", 11);
    const json_t *heap = entry(r, "by_mapping", "mapping", "[heap]");
    expect(heap, "samples", 140);
    expect(heap, "estimated.value", 90 * 1000 + 50 * 500);
    expect(heap, "share_bp", 9200);
    uint64_t low = 0, high = 0;
    fl_document_count(heap, "estimated.low", &low);
    fl_document_count(heap, "estimated.high", &high);
    assert_true(low > 93000 && low < 115000 && high > 115000 && high < 138000);
    expect(entry(r, "by_process", "comm", "app"), "estimated.value", 125000);
    expect(entry(r, "by_function", "function", "fill"), "samples", 140);
    expect(entry(r, "by_function", "function", "sum"), "samples", 10);
    expect(entry(r, "by_source", "source", "L1"), "samples", 90);
    expect(entry(r, "by_source", "source", "remote RAM"), "estimated.value", 10000);
    expect(entry(r, "by_tlb", "tlb", "miss"), "samples", 10);
    expect(entry(r, "by_tlb", "tlb", "L1 hit"), "samples", 90);
    assert_int_equal(json_array_size(json_object_get(r, "by_source")), 2); /* stores tell none */
    json_decref(r);
}

/* Half of the time unseen, and a total beside the stores, whose period then says nothing. */
static void what_was_not_seen_is_allowed_for(void **state)
{
    (void)state;
    struct fl_writer *w = start();
    put_samples(w);
    fl_writer_meta(w, "record.sample.0.taken", "100", NULL);
    fl_writer_meta(w, "record.sample.0.enabled_ns", "1000", NULL);
    fl_writer_meta(w, "record.sample.0.running_ns", "500", NULL);
    fl_writer_meta(w, "record.sample.1.taken", "100", NULL); /* 50 of them touched no memory */
    fl_writer_meta(w, "record.sample.1.total", "7000", NULL);
    fl_writer_meta(w, "quality.multiplexed", "loads had a counter 50 % of the time", NULL);
    json_t *r = observe(w);
    const json_t *loads = json_array_get(fl_document_at(r, "samples.events"), 0),
                 *stores = json_array_get(fl_document_at(r, "samples.events"), 1);
    expect(loads, "seen_bp", 5000);
    expect(loads, "estimated.value", 200000);
    expect_near(loads, "estimated.at_least", 81364, 20);
    expect(stores, "estimated.value", 3500);
    expect(stores, "total", 7000);
    assert_int_equal(json_array_size(json_object_get(r, "quality")), 1);
    assert_true(fl_quality_spoils_counts("multiplexed"));
    json_decref(r);
}

/* Every occurrence sampled, none lost: a count. */
static void period_of_one_is_no_estimate(void **state)
{
    (void)state;
    struct fl_writer *w = start();
    for (unsigned i = 0; i < 13; i++)
        sample(w, LOADS, 16, 1, 0, 0);
    json_t *r = observe(w);
    expect(r, "samples.estimated.low", 13);
    expect(r, "samples.estimated.high", 13);
    json_decref(r);
    w = start();
    for (unsigned i = 0; i < 13; i++)
        sample(w, LOADS, 16, 1, 0, 0);
    fl_writer_meta(w, "record.sample.0.taken", "13", NULL);
    fl_writer_meta(w, "record.sample.0.lost", "13", NULL);
    r = observe(w);
    expect(r, "samples.estimated.value", 26);
    uint64_t low = 0;
    fl_document_count(r, "samples.estimated.low", &low);
    assert_true(low < 20);
    json_decref(r);
}

/* No metadata, a name nobody defined, an event that is not among the recorded. */
static void trace_that_says_little_is_read_all_the_same(void **state)
{
    (void)state;
    struct fl_writer *w = start();
    put(w, (struct fl_event){
               .kind = FL_EV_NAME, .thread = FL_NO_THREAD, .name = { 2, "operations" } });
    sample(w, 2, 16, 10, 0, FL_NO_CODE);
    sample(w, 2, 999, 10, 0, FL_NO_CODE); /* mapped nowhere */
    json_t *r = observe(w);
    assert_int_equal(json_array_size(fl_document_at(r, "samples.events")), 3);
    expect(json_array_get(fl_document_at(r, "samples.events"), 2), "samples", 2);
    expect(entry(r, "by_mapping", "mapping", "[unknown]"), "samples", 1);
    assert_null(json_object_get(r, "by_source"));
    assert_null(json_object_get(r, "by_function"));
    json_decref(r);
    r = observe(start()); /* not one sample */
    expect(r, "samples.samples", 0);
    json_decref(r);
}

static void report_marks_estimates_as_such(void **state)
{
    (void)state;
    struct fl_writer *w = start();
    struct fl_view *view;
    struct fl_err err = { .msg = "" };
    put_samples(w);
    json_t *r = observe(w), *report = fl_report_new();
    assert_int_equal(fl_report_add(report, r, &err), FL_OK);
    assert_int_equal(fl_view_new(report, "again", NULL, &view, &err), FL_OK);
    assert_non_null(strstr(view->verdict, "150 samples"));
    assert_non_null(strstr(view->verdict, "about 125,000"));
    assert_non_null(strstr(view->verdict, "95 %"));
    for (size_t i = 0; i < view->n_lines; i++)
        assert_null(strstr(view->lines[i], "fault"));
    for (size_t i = 0; i < view->n_sections; i++)
        if (strstr(view->sections[i].heading, "by mapping")) {
            assert_non_null(strstr(view->sections[i].heading, "Estimated"));
            assert_string_equal(view->sections[i].table->columns[3].name, "95 % interval");
        }
    for (size_t i = 0; i < view->figures->n_rows; i++) /* zeroes of what was not recorded */
        assert_string_not_equal(fl_table_at(view->figures, i, 0)->text, "Memory accesses");
    fl_view_free(view);
    json_decref(report);
    json_decref(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_estimates_by_everything),
        cmocka_unit_test(what_was_not_seen_is_allowed_for),
        cmocka_unit_test(period_of_one_is_no_estimate),
        cmocka_unit_test(trace_that_says_little_is_read_all_the_same),
        cmocka_unit_test(report_marks_estimates_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
