/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the writer merges, numbers, and refuses; metadata; file hashes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <faultline/trace.h>

static struct fl_err err;

static struct fl_writer *open_writer(uint32_t block_runs)
{
    struct fl_writer *w;
    struct fl_writer_opts opts = { .block_runs = block_runs };
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, &opts, &w, &err), FL_OK);
    return w;
}

static int process(struct fl_writer *w, uint32_t pid, uint32_t mm, uint32_t copied)
{
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD };
    ev.process.pid = pid;
    ev.process.mm = mm;
    ev.process.copied_mm = copied;
    return fl_writer_event(w, &ev, &err);
}

static int thread(struct fl_writer *w, uint32_t pid, uint32_t index)
{
    struct fl_event ev = { .kind = FL_EV_THREAD, .thread = index };
    ev.thread_start.pid = ev.thread_start.tid = pid;
    return fl_writer_event(w, &ev, &err);
}

static struct fl_writer *open_started(uint32_t block_runs)
{
    struct fl_writer *w = open_writer(block_runs);
    assert_int_equal(process(w, 1, 0, FL_NO_MM), FL_OK);
    assert_int_equal(thread(w, 1, 0), FL_OK);
    return w;
}

static int run(struct fl_writer *w, enum fl_actor actor, uint64_t vpn, uint32_t r, uint32_t wr,
               uint32_t f)
{
    return fl_writer_run(w, 0, actor, 0, vpn, r, wr, f, &err);
}

static struct fl_reader *reread(struct fl_writer *w, void **bytes)
{
    struct fl_reader *r;
    size_t len;
    assert_int_equal(fl_writer_close(w, bytes, &len, &err), FL_OK);
    assert_int_equal(fl_reader_open_mem(*bytes, len, 0, &r, &err), FL_OK);
    return r;
}

static struct fl_item next(struct fl_reader *r)
{
    struct fl_item item;
    assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
    return item;
}

static void runs_that_continue_the_last_one_are_merged(void **state)
{
    (void)state;
    struct fl_writer *w = open_started(0);
    void *bytes;
    assert_int_equal(run(w, FL_ACTOR_USER, 5, 1, 0, 0), FL_OK);
    assert_int_equal(run(w, FL_ACTOR_USER, 5, 0, 2, 0), FL_OK);
    assert_int_equal(run(w, FL_ACTOR_USER, 5, 0, 0, 3), FL_OK);
    assert_int_equal(run(w, FL_ACTOR_KERNEL, 5, 1, 0, 0), FL_OK); /* another actor */
    assert_int_equal(run(w, FL_ACTOR_USER, 5, 1, 0, 0), FL_OK);
    struct fl_event ev = { .kind = FL_EV_LOST, .thread = FL_NO_THREAD };
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    assert_int_equal(run(w, FL_ACTOR_USER, 5, 1, 0, 0), FL_OK);          /* an event between */
    assert_int_equal(run(w, FL_ACTOR_USER, 5, UINT32_MAX, 0, 0), FL_OK); /* no room */
    assert_int_equal(fl_writer_totals(w)->runs, 5);
    struct fl_reader *r = reread(w, &bytes);
    assert_int_equal(next(r).kind, FL_ITEM_EVENT);
    assert_int_equal(next(r).kind, FL_ITEM_EVENT);
    struct fl_item item = next(r);
    assert_int_equal(item.runs.n, 1);
    assert_int_equal(item.runs.reads[0], 1);
    assert_int_equal(item.runs.writes[0], 2);
    assert_int_equal(item.runs.fetches[0], 3);
    item = next(r);
    assert_int_equal(item.runs.actor, FL_ACTOR_KERNEL);
    item = next(r);
    assert_int_equal(item.runs.actor, FL_ACTOR_USER);
    assert_int_equal(item.runs.n, 1);
    assert_int_equal(next(r).kind, FL_ITEM_EVENT);
    item = next(r);
    assert_int_equal(item.runs.n, 2);
    assert_int_equal(item.runs.reads[1], UINT32_MAX);
    assert_int_equal(fl_reader_totals(r)->reads, UINT64_C(1) + 1 + 1 + UINT32_MAX);
    assert_int_equal(fl_reader_totals(r)->syscall_reads, 1);
    fl_reader_free(r);
    free(bytes);
}

static void a_run_goes_on_being_merged_when_its_block_is_full(void **state)
{
    (void)state;
    struct fl_writer *w = open_started(1);
    void *bytes;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(run(w, FL_ACTOR_USER, 9, 1, 0, 0), FL_OK);
    assert_int_equal(run(w, FL_ACTOR_USER, 10, 1, 0, 0), FL_OK);
    assert_int_equal(fl_writer_totals(w)->runs, 2);
    struct fl_reader *r = reread(w, &bytes);
    next(r), next(r);
    assert_int_equal(next(r).runs.reads[0], 4);
    assert_int_equal(next(r).runs.page[0], 1);
    fl_reader_free(r);
    free(bytes);
}

static void times_never_go_back(void **state)
{
    (void)state;
    struct fl_writer *w = open_started(0);
    void *bytes;
    struct fl_event ev = { .kind = FL_EV_LOST, .thread = FL_NO_THREAD, .time_ns = 100 };
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    ev.time_ns = 50;
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    struct fl_reader *r = reread(w, &bytes);
    next(r), next(r);
    assert_int_equal(next(r).event.time_ns, 100);
    assert_int_equal(next(r).event.time_ns, 100);
    fl_reader_free(r);
    free(bytes);
}

/* The error of the last call names @text, and comes again. */
static void refused(struct fl_writer *w, int rc, const char *text)
{
    assert_int_equal(rc, FL_EUSAGE);
    if (!strstr(err.msg, text))
        print_error("got: %s\n", err.msg);
    assert_non_null(strstr(err.msg, text));
    assert_int_equal(run(w, FL_ACTOR_USER, 5, 1, 0, 0), FL_EUSAGE);
    assert_non_null(strstr(err.msg, text));
    fl_writer_abandon(w);
}

static void ids_out_of_order_are_refused(void **state)
{
    (void)state;
    struct fl_event ev;
    struct fl_writer *w = open_started(0);
    refused(w, thread(w, 1, 2), "the next one is 1");
    w = open_started(0);
    refused(w, thread(w, 2, 1), "not announced");
    w = open_started(0);
    refused(w, process(w, 2, 2, FL_NO_MM), "the next one is 1");
    w = open_started(0);
    refused(w, process(w, 2, 0, 0), "copy");
    w = open_started(0);
    refused(w, process(w, 2, 1, 1), "copy");
    w = open_started(0);
    ev = (struct fl_event){ .kind = FL_EV_EXEC, .thread = 0 };
    ev.exec.pid = 1;
    refused(w, fl_writer_event(w, &ev, &err), "exec into address space 0");
    w = open_started(0);
    ev = (struct fl_event){ .kind = FL_EV_FILE, .thread = 0 };
    ev.file.file = 1;
    refused(w, fl_writer_event(w, &ev, &err), "file with id 1");
    w = open_started(0);
    ev = (struct fl_event){ .kind = FL_EV_MAP, .thread = 0 };
    refused(w, fl_writer_event(w, &ev, &err), "map event of file 0");
    w = open_started(0);
    ev = (struct fl_event){ .kind = FL_EV_UNMAP, .thread = 0 };
    ev.unmap.mm = 1;
    refused(w, fl_writer_event(w, &ev, &err), "address space 1");
    w = open_started(0);
    ev = (struct fl_event){ .kind = FL_EV_SIGNAL, .thread = 1 };
    refused(w, fl_writer_event(w, &ev, &err), "thread 1");
    w = open_started(0);
    ev = (struct fl_event){ .kind = (enum fl_event_kind)99, .thread = 0 };
    refused(w, fl_writer_event(w, &ev, &err), "kind 99");
}

static void impossible_runs_are_refused(void **state)
{
    (void)state;
    struct fl_writer *w = open_started(0);
    refused(w, run(w, FL_ACTOR_USER, 5, 0, 0, 0), "without accesses");
    w = open_started(0);
    refused(w, run(w, FL_ACTOR_KERNEL, 5, 0, 0, 1), "system call");
    w = open_started(0);
    refused(w, run(w, FL_ACTOR_USER, UINT64_C(1) << 63, 1, 0, 0), "63 bits");
    w = open_started(0);
    refused(w, fl_writer_run(w, 1, FL_ACTOR_USER, 0, 5, 1, 0, 0, &err), "thread 1");
    w = open_started(0);
    refused(w, fl_writer_run(w, 0, FL_ACTOR_USER, 1, 5, 1, 0, 0, &err), "address space 1");
}

static void after_exec_the_same_page_number_is_another_page(void **state)
{
    (void)state;
    struct fl_writer *w = open_started(0);
    void *bytes;
    struct fl_event ev = { .kind = FL_EV_EXEC, .thread = 0 };
    ev.exec.pid = 1;
    ev.exec.mm = 1;
    assert_int_equal(run(w, FL_ACTOR_USER, 5, 1, 0, 0), FL_OK);
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    assert_int_equal(fl_writer_run(w, 0, FL_ACTOR_USER, 1, 5, 1, 0, 0, &err), FL_OK);
    struct fl_reader *r = reread(w, &bytes);
    next(r), next(r);
    assert_int_equal(next(r).runs.page[0], 0);
    assert_string_equal(next(r).event.exec.path, ""); /* NULL is the empty string */
    assert_int_equal(next(r).runs.page[0], 1);
    assert_int_equal(fl_reader_page(r, 0).mm, 0);
    assert_int_equal(fl_reader_page(r, 1).mm, 1);
    assert_int_equal(fl_reader_page(r, 1).vpn, 5);
    fl_reader_free(r);
    free(bytes);
}

static void more_threads_than_lists_in_a_block_are_fine(void **state)
{
    (void)state;
    enum { THREADS = 5000 };
    struct fl_writer *w = open_started(0);
    void *bytes;
    for (uint32_t t = 1; t < THREADS; t++)
        assert_int_equal(thread(w, 1, t), FL_OK);
    for (uint32_t i = 0; i < 3 * THREADS; i++)
        assert_int_equal(fl_writer_run(w, i % THREADS, FL_ACTOR_USER, 0, i % 7, 1, 0, 0, &err),
                         FL_OK);
    struct fl_reader *r = reread(w, &bytes);
    for (uint32_t t = 0; t <= THREADS; t++)
        assert_int_equal(next(r).kind, FL_ITEM_EVENT);
    for (uint32_t i = 0; i < 3 * THREADS; i++) {
        struct fl_item item = next(r);
        assert_int_equal(item.runs.thread, i % THREADS);
        assert_int_equal(fl_reader_page(r, item.runs.page[0]).vpn, i % 7);
    }
    fl_reader_free(r);
    free(bytes);
}

static void the_same_calls_give_the_same_bytes(void **state)
{
    (void)state;
    void *bytes[2];
    size_t len[2];
    for (unsigned k = 0; k < 2; k++) {
        struct fl_writer *w = open_started(1000);
        for (uint32_t i = 0; i < 5000; i++)
            assert_int_equal(run(w, FL_ACTOR_USER, i * 7919 % 1500, i % 5 + 1, i % 3, 0), FL_OK);
        assert_int_equal(fl_writer_close(w, &bytes[k], &len[k], &err), FL_OK);
    }
    assert_int_equal(len[0], len[1]);
    assert_memory_equal(bytes[0], bytes[1], len[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void metadata_keeps_order_and_replaces_values(void **state)
{
    (void)state;
    struct fl_meta *m = fl_meta_new();
    struct fl_writer *w;
    const char *key, *value;
    void *bytes;
    assert_int_equal(fl_meta_set(m, "host.kernel", "6.1", &err), FL_OK);
    assert_int_equal(fl_meta_setf(m, &err, "host.cpus", "%d", 12), FL_OK);
    assert_int_equal(fl_meta_set(m, "host.kernel", "6.18\nwith a line", &err), FL_OK);
    assert_int_equal(fl_meta_set(m, "no space", "x", &err), FL_EUSAGE);
    assert_int_equal(fl_meta_set(m, "", "x", &err), FL_EUSAGE);
    assert_int_equal(fl_meta_get_u64(m, "host.cpus", 1), 12);
    assert_int_equal(fl_meta_get_u64(m, "host.kernel", 7), 7);
    assert_int_equal(fl_meta_get_u64(m, "absent", 8), 8);
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EVENTS, m, NULL, &w, &err), FL_OK);
    fl_meta_free(m);
    assert_int_equal(fl_writer_meta(w, "quality.x", "late", &err), FL_OK);
    assert_int_equal(fl_writer_meta(w, "host.cpus", "13", &err), FL_OK);
    struct fl_reader *r = reread(w, &bytes);
    const char *const want[3][2] = { { "host.kernel", "6.18\nwith a line" },
                                     { "host.cpus", "13" },
                                     { "quality.x", "late" } };
    for (size_t i = 0; i < 3; i++) {
        assert_true(fl_meta_at(fl_reader_meta(r), i, &key, &value));
        assert_string_equal(key, want[i][0]);
        assert_string_equal(value, want[i][1]);
    }
    assert_false(fl_meta_at(fl_reader_meta(r), 3, &key, &value));
    fl_reader_free(r);
    free(bytes);
}

static void sha256_is_that_of_the_standard(void **state)
{
    (void)state;
    char path[] = "/tmp/fl-sha-XXXXXX", hex[65];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);
    assert_int_equal(fl_sha256_file(path, hex, &err), FL_OK);
    unlink(path);
    /* FIPS 180-2, appendix B.1 */
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(fl_sha256_file("/no/such", hex, &err), FL_EIO);
}

static void a_readers_sha256_is_the_files_ahead_or_not(void **state)
{
    char path[] = "/tmp/fl-sha-XXXXXX", want[65], now[65], ahead[65];
    struct fl_writer *w = open_started(0);
    struct fl_reader *r;
    void *bytes = NULL;
    size_t len;
    (void)state;
    assert_int_equal(fl_writer_close(w, &bytes, &len, &err), FL_OK);
    int fd = mkstemp(path);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
    assert_int_equal(fl_sha256_file(path, want, &err), FL_OK);
    assert_int_equal(fl_reader_open_path(path, 0, &r, &err), FL_OK);
    unlink(path); /* it is of what was opened */
    assert_int_equal(fl_reader_sha256(r, now, &err), FL_OK);
    fl_reader_hash_ahead(r);
    fl_reader_hash_ahead(r);
    assert_int_equal(fl_reader_sha256(r, ahead, &err), FL_OK);
    fl_reader_hash_ahead(r); /* and nobody asks */
    fl_reader_free(r);
    assert_string_equal(now, want);
    assert_string_equal(ahead, want);
    free(bytes);
}

static int with_one_file(struct fl_event ev)
{
    struct fl_writer *w = open_started(0);
    struct fl_event file = { .kind = FL_EV_FILE, .thread = FL_NO_THREAD, .file = { .path = "f" } };
    assert_int_equal(fl_writer_event(w, &file, &err), FL_OK);
    int rc = fl_writer_event(w, &ev, &err);
    void *bytes = NULL;
    size_t len;
    fl_writer_close(w, &bytes, &len, &err);
    free(bytes);
    return rc;
}

static void events_of_files_and_spaces_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    struct fl_event io = { .kind = FL_EV_FILE_IO, .thread = 0, .file_io = { .op = FL_IO_READ } };
    struct fl_event resident = { .kind = FL_EV_RESIDENT, .thread = FL_NO_THREAD };
    struct fl_event lock = { .kind = FL_EV_LOCK, .thread = 0 };
    assert_int_equal(with_one_file(io), FL_OK);
    assert_int_equal(with_one_file(resident), FL_OK);
    assert_int_equal(with_one_file(lock), FL_OK);
    io.file_io.file = resident.resident.file = lock.lock.mm = 1;
    assert_int_equal(with_one_file(io), FL_EUSAGE);
    assert_int_equal(with_one_file(resident), FL_EUSAGE);
    assert_int_equal(with_one_file(lock), FL_EUSAGE);
    io.file_io.file = resident.resident.file = FL_NO_FILE;
    assert_int_equal(with_one_file(io), FL_EUSAGE);
    assert_int_equal(with_one_file(resident), FL_EUSAGE);
}

/* Over the ends of blocks, and in a block of either coding: pages of many distances. */
static void batches_write_the_same_bytes_as_runs_one_by_one(void **state)
{
    enum { N = 60000, BATCH = 700 };
    static uint64_t vpn[N], counts[N];
    void *bytes[2];
    size_t len[2];
    uint64_t seed = 1;
    (void)state;
    for (size_t i = 0; i < N; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t pages = i < N / 2 ? 1 + (seed >> 40) % 90 : 5000; /* local, then not */
        vpn[i] = 100 + (seed >> 33) % pages;
        vpn[i] += i > 0 && vpn[i] == vpn[i - 1];
        counts[i] = 1 + (seed >> 20) % 9 + ((seed >> 25) % 3 << FL_COUNT_BITS) +
                    ((seed >> 50) % 99 << 2 * FL_COUNT_BITS);
    }
    for (int k = 0; k < 2; k++) {
        struct fl_writer *w = open_started(10000);
        for (size_t i = 0; i < N; i += k ? BATCH : 1) {
            size_t n = N - i < BATCH ? N - i : BATCH;
            if (k)
                assert_int_equal(fl_writer_runs(w, 0, 0, vpn + i, counts + i, NULL, n, &err),
                                 FL_OK);
            else
                assert_int_equal(run(w, FL_ACTOR_USER, vpn[i], FL_COUNT_READS(counts[i]),
                                     FL_COUNT_WRITES(counts[i]), FL_COUNT_FETCHES(counts[i])),
                                 FL_OK);
        }
        assert_int_equal(fl_writer_close(w, &bytes[k], &len[k], &err), FL_OK);
    }
    assert_int_equal(len[0], len[1]);
    assert_memory_equal(bytes[0], bytes[1], len[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void batches_that_say_nothing_are_refused(void **state)
{
    const uint64_t same[2] = { 7, 7 }, pages[2] = { 7, 8 }, ones[2] = { 1, 1 }, none[2] = { 1, 0 };
    const uint32_t unknown[2] = { FL_NO_CODE, 3 };
    (void)state;
    for (int k = 0; k < 3; k++) {
        struct fl_writer *w = open_started(0);
        assert_int_equal(fl_writer_runs(w, 0, 0, k == 0 ? same : pages, k == 1 ? none : ones,
                                        k == 2 ? unknown : NULL, 2, &err),
                         FL_EUSAGE);
        fl_writer_abandon(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_files_and_spaces_that_do_not_exist_are_refused),
        cmocka_unit_test(runs_that_continue_the_last_one_are_merged),
        cmocka_unit_test(a_run_goes_on_being_merged_when_its_block_is_full),
        cmocka_unit_test(times_never_go_back),
        cmocka_unit_test(ids_out_of_order_are_refused),
        cmocka_unit_test(impossible_runs_are_refused),
        cmocka_unit_test(after_exec_the_same_page_number_is_another_page),
        cmocka_unit_test(more_threads_than_lists_in_a_block_are_fine),
        cmocka_unit_test(the_same_calls_give_the_same_bytes),
        cmocka_unit_test(batches_write_the_same_bytes_as_runs_one_by_one),
        cmocka_unit_test(batches_that_say_nothing_are_refused),
        cmocka_unit_test(metadata_keeps_order_and_replaces_values),
        cmocka_unit_test(sha256_is_that_of_the_standard),
        cmocka_unit_test(a_readers_sha256_is_the_files_ahead_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
