/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces that were cut, changed, or never finished.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <faultline/trace.h>

static char dir[] = "/tmp/fl-damage-XXXXXX";
static char path[64], other[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/x.flt", dir);
    snprintf(other, sizeof other, "%s/y.flt", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(dir);
}

static void begin(struct fl_writer *w)
{
    struct fl_err err;
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD, .time_ns = 5 };
    ev.process.pid = 7;
    ev.process.copied_mm = FL_NO_MM;
    ev.process.comm = "x";
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
    ev = (struct fl_event){ .kind = FL_EV_THREAD, .thread = 0, .time_ns = 6 };
    ev.thread_start.pid = ev.thread_start.tid = 7;
    assert_int_equal(fl_writer_event(w, &ev, &err), FL_OK);
}

/* @blocks blocks of 10 runs of one access each. */
static void write_runs(struct fl_writer *w, unsigned blocks)
{
    struct fl_err err;
    for (unsigned b = 0; b < blocks; b++) {
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(
                fl_writer_run(w, 0, FL_ACTOR_USER, 0, 1000 + b * 3 + i % 4, 1, 0, 0, &err), FL_OK);
        assert_int_equal(fl_writer_flush(w, &err), FL_OK);
    }
}

static void make_mem(unsigned blocks, uint8_t **bytes, size_t *len)
{
    struct fl_writer *w;
    struct fl_err err;
    void *p;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, NULL, &w, &err), FL_OK);
    begin(w);
    write_runs(w, blocks);
    assert_int_equal(fl_writer_meta(w, "quality.test", "late", &err), FL_OK);
    assert_int_equal(fl_writer_close(w, &p, len, &err), FL_OK);
    *bytes = p;
}

static void save(const char *to, const void *bytes, size_t len)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

/* Runs that a reader gives; fails when one is not what was written. */
static uint64_t count_runs(struct fl_reader *r)
{
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    struct fl_err err;
    uint64_t n = 0;
    while (item.kind != FL_ITEM_END) {
        assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
        for (size_t i = 0; item.kind == FL_ITEM_RUNS && i < item.runs.n; i++, n++) {
            uint64_t vpn = 1000 + n / 10 * 3 + n % 10 % 4;
            assert_int_equal(fl_reader_page(r, item.runs.page[i]).vpn, vpn);
            assert_int_equal(item.runs.reads[i], 1);
        }
    }
    return n;
}

static void a_trace_cut_at_any_byte_is_refused_and_its_whole_blocks_are_readable(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t len;
    uint64_t last = 0;
    make_mem(3, &bytes, &len);
    for (size_t cut = 0; cut < len; cut++) {
        struct fl_reader *r = NULL;
        struct fl_err err = { 0 };
        uint8_t *copy = malloc(cut + 1); /* its own allocation: reads past it are seen */
        memcpy(copy, bytes, cut);
        assert_int_equal(fl_reader_open_mem(copy, cut, 0, &r, &err), FL_EFORMAT);
        assert_true(cut == 0 || strstr(err.msg, "truncated"));
        int rc = fl_reader_open_mem(copy, cut, FL_READ_PARTIAL, &r, &err);
        if (rc == FL_OK) {
            assert_false(fl_reader_complete(r));
            uint64_t n = count_runs(r);
            assert_true(n % 10 == 0 && n >= last && n <= 30);
            assert_int_equal(fl_reader_totals(r)->runs, n);
            assert_int_equal(fl_reader_totals(r)->reads, n);
            last = n;
        } else {
            assert_int_equal(rc, FL_EFORMAT);
            assert_int_equal(last, 0);
        }
        fl_reader_free(r);
        free(copy);
    }
    assert_int_equal(last, 30);
    free(bytes);
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t len;
    make_mem(2, &bytes, &len);
    for (size_t bit = 0; bit < len * 8; bit++) {
        struct fl_reader *r = NULL;
        struct fl_err err = { 0 };
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int rc = fl_reader_open_mem(bytes, len, 0, &r, &err);
        assert_true(rc == FL_EFORMAT || rc == FL_EVERSION);
        assert_true(err.msg[0]);
        rc = fl_reader_open_mem(bytes, len, FL_READ_PARTIAL, &r, &err);
        if (rc == FL_OK) {
            assert_false(fl_reader_complete(r));
            assert_true(count_runs(r) <= 20);
            fl_reader_free(r);
        } else {
            assert_true(rc == FL_EFORMAT || rc == FL_EVERSION);
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(bytes);
}

static void the_message_says_where_and_how_to_recover(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t len;
    struct fl_reader *r;
    struct fl_err err;
    char want[512];
    make_mem(3, &bytes, &len);
    save(path, bytes, len - 1);
    assert_int_equal(fl_reader_open_path(path, 0, &r, &err), FL_EFORMAT);
    snprintf(want, sizeof want,
             "%s: truncated in block 3 at byte %zu; blocks 0-2 are good (30 "
             "accesses): recover them with 'faultline check --salvage OUT %s'",
             path, len - 1, path);
    assert_string_equal(err.msg, want);
    assert_int_equal(err.offset_bytes, len - 1);
    free(bytes);
}

static void a_killed_writer_leaves_its_finished_blocks(void **state)
{
    (void)state;
    struct fl_writer *w;
    struct fl_reader *r;
    struct fl_err err;
    struct stat st;
    unlink(path);
    assert_int_equal(fl_writer_open(path, FL_FIDELITY_EXACT, NULL, NULL, &w, &err), FL_OK);
    begin(w);
    write_runs(w, 4);
    assert_int_equal(fl_writer_run(w, 0, FL_ACTOR_USER, 0, 1, 1, 0, 0, &err), FL_OK);
    fl_writer_abandon(w);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(fl_reader_open_path(path, 0, &r, &err), FL_EFORMAT);
    assert_int_equal(fl_reader_open_path(path, FL_READ_PARTIAL, &r, &err), FL_OK);
    assert_int_equal(count_runs(r), 40);
    assert_int_equal(fl_reader_totals(r)->threads, 1);
    assert_int_equal(fl_reader_totals(r)->duration_ns, 6);
    assert_int_equal(fl_reader_totals(r)->distinct_pages, 13);
    fl_reader_free(r);
}

static void salvage_makes_a_sound_trace_of_the_good_blocks(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t len;
    struct fl_reader *r;
    struct fl_err err;
    struct fl_check_report report;
    make_mem(5, &bytes, &len);
    save(path, bytes, len);
    assert_int_equal(fl_trace_check(path, &report, &err), FL_OK);
    assert_true(report.sound);
    assert_int_equal(report.good_blocks, 5);
    assert_int_equal(report.good_accesses, 50);
    assert_int_equal(report.good_events, 2);
    assert_int_equal(report.good_bytes, len);

    save(path, bytes, len * 2 / 3);
    assert_int_equal(fl_trace_check(path, &report, &err), FL_OK);
    assert_false(report.sound);
    assert_true(report.good_blocks >= 1 && report.good_blocks < 5);
    assert_int_equal(report.good_accesses, report.good_blocks * 10);
    assert_non_null(strstr(report.problem, "truncated in block"));
    assert_int_equal(fl_trace_salvage(path, path, &err), FL_EUSAGE);
    assert_int_equal(fl_trace_salvage(path, other, &err), FL_OK);
    uint64_t good = report.good_accesses;
    assert_int_equal(fl_trace_check(other, &report, &err), FL_OK);
    assert_true(report.sound);
    assert_int_equal(report.good_accesses, good);
    assert_int_equal(fl_reader_open_path(other, 0, &r, &err), FL_OK);
    assert_int_equal(count_runs(r), good);
    assert_non_null(strstr(fl_meta_get(fl_reader_meta(r), "quality.incomplete"), "truncated"));
    fl_reader_free(r);

    save(path, bytes, 60); /* not one whole block */
    unlink(other);
    assert_int_equal(fl_trace_salvage(path, other, &err), FL_EFORMAT);
    assert_int_equal(access(other, F_OK), -1);
    free(bytes);
}

/* An event that zstd cannot make small, so that a block is larger than an END block. */
static int bulky_event(struct fl_writer *w, uint32_t n, struct fl_err *err)
{
    char name[601];
    uint64_t x = n + 1;
    for (size_t i = 0; i < 600; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        name[i] = (char)(1 + (x >> 33) % 255);
    }
    name[600] = '\0';
    struct fl_event ev = { .kind = FL_EV_FILE, .thread = 0, .time_ns = 6 };
    ev.file.file = n;
    ev.file.path = name;
    return fl_writer_event(w, &ev, err);
}

static void a_full_disk_is_an_error_and_leaves_a_readable_trace(void **state)
{
    (void)state;
    struct rlimit old, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    unsigned ended = 0, bare = 0;
    for (rlim_t bytes = 1300; bytes < 4000; bytes += 13) {
        struct fl_writer *w;
        struct fl_reader *r;
        struct fl_err err = { 0 }, again = { 0 };
        unlink(path);
        limit = old;
        limit.rlim_cur = bytes;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(fl_writer_open(path, FL_FIDELITY_EXACT, NULL, NULL, &w, &err), FL_OK);
        begin(w);
        int rc = FL_OK;
        for (unsigned i = 0; rc == FL_OK && i < 100000; i++) {
            rc = fl_writer_run(w, 0, FL_ACTOR_USER, 0, 1000 + i / 10 * 3 + i % 10 % 4, 1, 0, 0,
                               &err);
            if (rc == FL_OK && i % 10 == 9)
                rc = bulky_event(w, i / 10, &err);
            if (rc == FL_OK && i % 10 == 9)
                rc = fl_writer_flush(w, &err);
        }
        assert_int_equal(rc, FL_EIO);
        assert_non_null(strstr(err.msg, path));
        assert_non_null(strstr(err.msg, "File too large"));
        assert_int_equal(fl_writer_run(w, 0, FL_ACTOR_USER, 0, 1, 1, 0, 0, &again), FL_EIO);
        assert_string_equal(err.msg, again.msg);
        assert_int_equal(fl_writer_close(w, NULL, NULL, &again), FL_EIO);
        assert_string_equal(err.msg, again.msg);
        setrlimit(RLIMIT_FSIZE, &old);

        rc = fl_reader_open_path(path, 0, &r, &err);
        if (rc == FL_OK) { /* there was room for the END block */
            ended++;
            assert_non_null(fl_meta_get(fl_reader_meta(r), "quality.incomplete"));
        } else {
            bare++;
            assert_int_equal(rc, FL_EFORMAT);
            assert_int_equal(fl_reader_open_path(path, FL_READ_PARTIAL, &r, &err), FL_OK);
        }
        uint64_t n = count_runs(r);
        assert_true(n > 0 && n % 10 == 0);
        assert_int_equal(fl_reader_totals(r)->runs, n);
        fl_reader_free(r);
        struct fl_check_report report;
        assert_int_equal(fl_trace_check(path, &report, &err), FL_OK);
        assert_int_equal(report.sound, rc == FL_OK);
        assert_int_equal(report.good_accesses, n);
    }
    signal(SIGXFSZ, handler);
    assert_true(ended > 0 && bare > 0);
}

static void dev_full_is_an_error_at_once(void **state)
{
    (void)state;
    struct fl_writer *w;
    struct fl_err err;
    assert_int_equal(fl_writer_open("/dev/full", FL_FIDELITY_EXACT, NULL, NULL, &w, &err), FL_EIO);
    assert_non_null(strstr(err.msg, "/dev/full"));
    assert_non_null(strstr(err.msg, "No space left on device"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_cut_at_any_byte_is_refused_and_its_whole_blocks_are_readable),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(the_message_says_where_and_how_to_recover),
        cmocka_unit_test(a_killed_writer_leaves_its_finished_blocks),
        cmocka_unit_test(salvage_makes_a_sound_trace_of_the_good_blocks),
        cmocka_unit_test(a_full_disk_is_an_error_and_leaves_a_readable_trace),
        cmocka_unit_test(dev_full_is_an_error_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
