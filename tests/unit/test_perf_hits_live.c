/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that this kernel writes, through formats, values and names: what was done to cause them
 * must come out. Skipped where tracefs or perf are not for this user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "hits.h"

#define RING_BYTES (64u * 4096u)
#define PAGES 64

/* What emit sees of one tracepoint. */
struct seen {
    struct fl_probe probe;
    uint32_t hits;
    uint32_t matching; /* hits for which match() is true */
    bool (*match)(const struct seen *s, const struct fl_event *ev);
    char names[64][64]; /* all of the trace's */
    uint32_t n_names;
};

static int64_t value(const struct seen *s, const struct fl_event *ev, const char *field)
{
    int i = fl_probe_field(&s->probe, field);
    assert_in_range(i, 0, ev->hit.n_values - 1);
    return ev->hit.values[i];
}

static const char *text(const struct seen *s, const struct fl_event *ev, const char *field)
{
    int64_t id = value(s, ev, field);
    assert_in_range(id, 0, s->n_names - 1);
    return s->names[id];
}

static int emit(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct seen *s = ctx;
    (void)err;
    if (ev->kind == FL_EV_PROBE)
        assert_true(fl_probe_parse(ev->probe.signature, &s->probe));
    if (ev->kind == FL_EV_NAME && ev->name.name < 64)
        snprintf(s->names[s->n_names++], sizeof s->names[0], "%s", ev->name.text);
    if (ev->kind != FL_EV_HIT)
        return FL_OK;
    s->hits++;
    assert_int_equal(ev->hit.n_values, s->probe.n_fields);
    s->matching += s->match(s, ev);
    return FL_OK;
}

/* The records in @ring, which has not been around its end. */
static void push_all(struct fl_hits *hits, const struct fl_tp_event *tp, const uint8_t *ring)
{
    const struct perf_event_mmap_page *head = (const void *)ring;
    uint64_t n = __atomic_load_n(&head->data_head, __ATOMIC_ACQUIRE);
    assert_true(n > 0 && n < RING_BYTES);
    for (uint64_t at = 0; at < n;) {
        struct perf_event_header h;
        struct fl_err err;
        memcpy(&h, ring + 4096 + at, sizeof h);
        const uint8_t *body = ring + 4096 + at + sizeof h; /* size, then the raw bytes */
        struct fl_raw_hit hit = { .thread = FL_NO_THREAD, .raw = body + 4 };
        memcpy(&hit.raw_bytes, body, 4);
        assert_int_equal(h.type, PERF_RECORD_SAMPLE);
        assert_true(hit.raw_bytes <= h.size - sizeof h - 4);
        assert_int_equal(fl_hits_push(hits, tp, 0, &hit, &err), FL_OK);
        at += h.size;
    }
}

/* Run @act and see what @event reports of this thread. */
static void watch(const char *event, void (*act)(void), struct seen *s)
{
    struct fl_err err;
    struct fl_tp_event tp;
    const char *root = fl_tp_root(&err);
    char *format = root ? fl_tp_read_format_at(root, event, &err) : NULL;
    if (!format) {
        print_message("skipped: %s\n", err.msg);
        skip();
    }
    assert_true(fl_tp_parse(event, format, &tp));
    free(format);
    struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
                                    .size = sizeof attr,
                                    .config = tp.id,
                                    .sample_period = 1,
                                    .disabled = 1,
                                    .sample_type = PERF_SAMPLE_RAW };
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0) {
        print_message("skipped: perf_event_open: %s\n", strerror(errno));
        skip();
    }
    uint8_t *ring = mmap(NULL, RING_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(ring != MAP_FAILED);
    assert_int_equal(ioctl(fd, PERF_EVENT_IOC_ENABLE, 0), 0);
    act();
    assert_int_equal(ioctl(fd, PERF_EVENT_IOC_DISABLE, 0), 0);
    struct fl_hits *hits = fl_hits_new(emit, s, false);
    push_all(hits, &tp, ring);
    assert_int_equal(fl_hits_count(hits, 0), s->hits);
    assert_int_equal(fl_hits_counts(hits).cut, 0);
    fl_hits_free(hits);
    munmap(ring, RING_BYTES + 4096);
    close(fd);
}

/* ---- a score that is written ------------------------------------------------------------ */

static void write_score(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "1000", 4), 4); /* raising needs no privilege */
    close(fd);
}

static bool is_my_score(const struct seen *s, const struct fl_event *ev)
{
    char comm[17] = "";
    prctl(PR_GET_NAME, comm);
    return value(s, ev, "pid") == getpid() && value(s, ev, "oom_score_adj") == 1000 &&
           strcmp(text(s, ev, "comm"), comm) == 0;
}

static void score_that_was_written_comes_out(void **state)
{
    (void)state;
    static struct seen s = { .match = is_my_score };
    watch("oom/oom_score_adj_update", write_score, &s);
    assert_int_equal(s.hits, 1);
    assert_int_equal(s.matching, 1);
}

/* ---- pages that are touched ---------------------------------------------------------------- */

static void touch_pages(void)
{
    size_t n = PAGES * (size_t)4096;
    volatile uint8_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    (void)madvise((void *)p, n, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < n; i += 4096)
        p[i] = 1;
    munmap((void *)p, n);
}

/* Movable, one page, of this machine's memory. */
static bool is_user_page(const struct seen *s, const struct fl_event *ev)
{
    return value(s, ev, "order") == 0 && value(s, ev, "migratetype") == 1 &&
           value(s, ev, "pfn") > 0 && value(s, ev, "pfn") < INT64_C(1) << 40;
}

static void pages_that_were_touched_come_out(void **state)
{
    (void)state;
    static struct seen s = { .match = is_user_page };
    watch("kmem/mm_page_alloc", touch_pages, &s);
    print_message("%u allocations, %u of movable pages for %d touched\n", s.hits, s.matching,
                  PAGES);
    assert_in_range(s.matching, PAGES, PAGES + 8);
}

/* ---- objects of a cache that has a name -------------------------------------------------------- */

static void open_files(void)
{
    for (int i = 0; i < PAGES; i++)
        close(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static bool is_file(const struct seen *s, const struct fl_event *ev)
{
    return fl_probe_field(&s->probe, "name") >= 0 && strcmp(text(s, ev, "name"), "filp") == 0 &&
           value(s, ev, "ptr") < 0 && /* kernel's half */
           value(s, ev, "bytes_req") > 0 &&
           value(s, ev, "bytes_alloc") >= value(s, ev, "bytes_req");
}

static void files_that_were_opened_come_out(void **state)
{
    (void)state;
    static struct seen s = { .match = is_file };
    watch("kmem/kmem_cache_alloc", open_files, &s);
    print_message("%u objects, %u of filp for %d opened\n", s.hits, s.matching, PAGES);
    if (fl_probe_field(&s.probe, "name") < 0) {
        print_message("skipped: this kernel does not name the cache\n");
        skip();
    }
    assert_int_equal(s.matching, PAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(score_that_was_written_comes_out),
        cmocka_unit_test(pages_that_were_touched_come_out),
        cmocka_unit_test(files_that_were_opened_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
