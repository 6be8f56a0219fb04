/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events traces, event by event, and what is told of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/report.h>
#include <faultline/trace.h>

#define PAGE UINT64_C(4096)

struct tape {
    struct fl_writer *w;
    uint64_t now_ns;
};

static void put(struct tape *t, struct fl_event ev)
{
    struct fl_err err = { .msg = "" };
    ev.time_ns = t->now_ns;
    if (fl_writer_event(t->w, &ev, &err) != FL_OK)
        fail_msg("%s", err.msg);
}

static struct tape start(void)
{
    struct tape t = { .now_ns = 0 };
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EVENTS, NULL, NULL, &t.w, NULL), FL_OK);
    return t;
}

static void process(struct tape *t, uint32_t pid, uint32_t mm, uint32_t copied, const char *comm)
{
    put(t, (struct fl_event){ .kind = FL_EV_PROCESS,
                              .thread = FL_NO_THREAD,
                              .process = { pid, 1, mm, copied, 0, comm } });
}

static void thread(struct tape *t, uint32_t index, uint32_t pid)
{
    put(t,
        (struct fl_event){ .kind = FL_EV_THREAD, .thread = index, .thread_start = { pid, pid } });
}

static void map(struct tape *t, uint32_t mm, unsigned flags, uint32_t file, uint64_t page,
                uint64_t pages)
{
    put(t, (struct fl_event){
               .kind = FL_EV_MAP,
               .thread = 0,
               .map = { mm, FL_PROT_READ, flags, file, page * PAGE, pages * PAGE, 0 } });
}

static void fault(struct tape *t, uint32_t thread_index, uint64_t page, unsigned flags)
{
    put(t, (struct fl_event){ .kind = FL_EV_FAULT,
                              .thread = thread_index,
                              .fault = { page * PAGE + 5, 0, flags, FL_NO_CODE, FL_NO_STACK } });
}

static json_t *finish(struct tape *t)
{
    void *bytes;
    size_t len;
    struct fl_reader *r;
    json_t *result = NULL;
    struct fl_err err = { .msg = "" };
    assert_int_equal(fl_writer_close(t->w, &bytes, &len, NULL), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, NULL), FL_OK);
    if (fl_observe(r, json_pack("{s:s}", "fidelity", "events"), &result, &err) != FL_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(fl_document_check(result, "x", NULL), FL_OK);
    fl_reader_free(r);
    free(bytes);
    return result;
}

/* The count of @kind in the entry of @list whose @key is @name. */
static uint64_t tally(const json_t *result, const char *list, const char *key, const char *name,
                      const char *kind)
{
    const json_t *v;
    size_t i;
    json_array_foreach(json_object_get(result, list), i,
                       v) if (strcmp(fl_document_text(v, key), name) == 0)
    {
        uint64_t n = 0;
        fl_document_count(v, kind, &n);
        return n;
    }
    return UINT64_MAX;
}

static uint64_t in_mapping(const json_t *result, const char *name)
{
    return tally(result, "by_mapping", "mapping", name, "minor");
}

/*  pages 10 .. 19 lib.so, then 12 .. 14 replaced by anonymous memory, 18 .. unmapped:
 *   10 11 | 12 13 14 | 15 16 17 | 18 19
 *   lib.so  anonymous   lib.so    nothing */
static void mappings_are_cut_by_what_replaces_them(void **state)
{
    (void)state;
    struct tape t = start();
    process(&t, 7, 0, FL_NO_MM, "a");
    thread(&t, 0, 7);
    put(&t,
        (struct fl_event){ .kind = FL_EV_FILE, .thread = 0, .file = { 0, 1, 2, 99, "/l/lib.so" } });
    map(&t, 0, 0, 0, 10, 10);
    map(&t, 0, FL_MAP_ANON, FL_NO_FILE, 12, 3);
    put(&t,
        (struct fl_event){ .kind = FL_EV_UNMAP, .thread = 0, .unmap = { 0, 18 * PAGE, 2 * PAGE } });
    for (uint64_t page = 9; page <= 20; page++)
        fault(&t, 0, page, FL_FAULT_MINOR);
    json_t *result = finish(&t);
    assert_int_equal(in_mapping(result, "/l/lib.so"), 5);
    assert_int_equal(in_mapping(result, "[anonymous]"), 3);
    assert_int_equal(in_mapping(result, "[unknown]"), 4); /* 9 18 19 20 */
    json_decref(result);
}

static void a_child_has_its_parents_mappings_until_it_execs(void **state)
{
    (void)state;
    struct tape t = start();
    process(&t, 7, 0, FL_NO_MM, "parent");
    thread(&t, 0, 7);
    map(&t, 0, FL_MAP_ANON | FL_MAP_HEAP, FL_NO_FILE, 10, 4);
    process(&t, 8, 1, 0, "child");
    thread(&t, 1, 8);
    fault(&t, 1, 11, FL_FAULT_MINOR);
    fault(&t, 1, 12, FL_FAULT_MAJOR);
    put(&t, (struct fl_event){ .kind = FL_EV_EXEC, .thread = 1, .exec = { 8, 2, "/bin/x" } });
    put(&t, (struct fl_event){ .kind = FL_EV_COMM, .thread = 1, .comm = { 8, 8, "x<b>\n" } });
    fault(&t, 1, 11, FL_FAULT_MINOR);
    json_t *result = finish(&t);
    assert_int_equal(in_mapping(result, "[heap]"), 1);
    assert_int_equal(tally(result, "by_mapping", "mapping", "[heap]", "major"), 1);
    assert_int_equal(in_mapping(result, "[unknown]"), 1);
    assert_int_equal(tally(result, "by_process", "comm", "x<b>\xE2\x90\x8A", "minor"), 2);
    assert_int_equal(json_array_size(json_object_get(result, "by_process")), 1); /* parent: none */
    json_decref(result);
}

static void a_moved_mapping_keeps_its_name(void **state)
{
    (void)state;
    struct tape t = start();
    process(&t, 7, 0, FL_NO_MM, "a");
    thread(&t, 0, 7);
    map(&t, 0, FL_MAP_ANON | FL_MAP_SHARED, FL_NO_FILE, 10, 4);
    put(&t, (struct fl_event){ .kind = FL_EV_REMAP,
                               .thread = 0,
                               .remap = { 0, 10 * PAGE, 4 * PAGE, 50 * PAGE, 8 * PAGE } });
    fault(&t, 0, 10, FL_FAULT_MINOR);
    fault(&t, 0, 57, FL_FAULT_MINOR);
    json_t *result = finish(&t);
    assert_int_equal(in_mapping(result, "[shared anonymous]"), 1);
    assert_int_equal(in_mapping(result, "[unknown]"), 1);
    json_decref(result);
}

static void totals_time_and_quality_add_up(void **state)
{
    (void)state;
    struct tape t = start();
    uint64_t minor = 0, n;
    process(&t, 7, 0, FL_NO_MM, "a");
    thread(&t, 0, 7);
    for (int i = 0; i < 1009; i++) { /* a prime: nothing divides it by chance */
        t.now_ns += 1000;
        fault(&t, 0, 10, FL_FAULT_MINOR);
    }
    fault(&t, 0, 10, 0);
    put(&t, (struct fl_event){ .kind = FL_EV_LOST, .thread = FL_NO_THREAD, .lost = { 13 } });
    t.now_ns = UINT64_C(1) << 50; /* no time at all: must not stretch the timeline */
    fault(&t, FL_NO_THREAD, 0, FL_FAULT_MINOR | FL_FAULT_UNREPORTED);
    json_t *result = finish(&t), *row;
    size_t i;
    assert_true(fl_document_count(result, "faults.minor", &n));
    assert_int_equal(n, 1010);
    assert_true(fl_document_count(result, "faults.unknown", &n));
    assert_int_equal(n, 1);
    json_array_foreach(json_object_get(json_object_get(result, "timeline"), "rows"), i, row)
    {
        minor += (uint64_t)json_integer_value(json_array_get(row, 1));
        assert_true(json_integer_value(json_array_get(row, 0)) < 1100000);
    }
    assert_int_equal(minor, 1009);
    assert_int_equal(json_array_size(json_object_get(result, "quality")), 3);
    json_decref(result);
}

static void snapshot(struct tape *t, uint32_t pid, uint32_t moment, const char *text)
{
    put(t, (struct fl_event){
               .kind = FL_EV_SNAPSHOT, .thread = FL_NO_THREAD, .snapshot = { pid, moment, text } });
}

static uint64_t live(const json_t *result, size_t i, const char *path)
{
    uint64_t value = UINT64_MAX;
    fl_document_count(json_array_get(json_object_get(result, "live"), i), path, &value);
    return value;
}

static void memory_of_running_processes_is_told_largest_first(void **state)
{
    (void)state;
    struct tape t = start();
    process(&t, 7, 0, FL_NO_MM, "small");
    process(&t, 8, 1, FL_NO_MM, "large");
    snapshot(&t, 0, FL_SNAPSHOT_START, "meminfo\nMemTotal: 1 kB\n");
    snapshot(&t, 7, FL_SNAPSHOT_START,
             "status\nName:\tVmRSS: 9\nVmHWM:\t   30 kB\nVmRSS:\t   20 kB\n");
    snapshot(&t, 7, FL_SNAPSHOT_START, "oom_score\n5\n");
    snapshot(&t, 8, FL_SNAPSHOT_START, "status\nVmRSS:\t  100 kB\nVmSwap:\t   4 kB\n");
    snapshot(&t, 7, FL_SNAPSHOT_END, "status\nVmRSS:\t   24 kB\n");
    snapshot(&t, 9, FL_SNAPSHOT_END, "status\nVmRSS:\t   1 kB\n"); /* came meanwhile */
    json_t *result = finish(&t);
    assert_int_equal(json_array_size(json_object_get(result, "live")), 3);
    assert_int_equal(live(result, 0, "pid"), 8);
    assert_int_equal(live(result, 0, "start.resident_bytes"), 100 * 1024);
    assert_int_equal(live(result, 0, "start.swapped_bytes"), 4 * 1024);
    assert_int_equal(live(result, 0, "end.resident_bytes"), UINT64_MAX); /* it had ended */
    assert_int_equal(live(result, 1, "pid"), 7);
    assert_int_equal(live(result, 1, "start.resident_bytes"), 20 * 1024);
    assert_int_equal(live(result, 1, "start.peak_resident_bytes"), 30 * 1024);
    assert_int_equal(live(result, 1, "start.oom_score"), 5);
    assert_int_equal(live(result, 1, "end.resident_bytes"), 24 * 1024);
    assert_int_equal(live(result, 2, "pid"), 9);
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_are_cut_by_what_replaces_them),
        cmocka_unit_test(a_child_has_its_parents_mappings_until_it_execs),
        cmocka_unit_test(a_moved_mapping_keeps_its_name),
        cmocka_unit_test(totals_time_and_quality_add_up),
        cmocka_unit_test(memory_of_running_processes_is_told_largest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
