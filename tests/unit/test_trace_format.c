/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The example of docs/trace-format.md byte for byte, and what becomes of it when one
 * thing is changed and signed again: the reader must not rely on checksums alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <cmocka.h>

#include <faultline/trace.h>

/* clang-format off */
static const uint8_t example[] = {
    0x89, 0x46, 0x4c, 0x54, 0x0d, 0x0a, 0x1a, 0x0a, 0x01, 0x00, 0x01, 0x00, 0x3c, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x01, 0x0b, 0x72, 0x65, 0x63, 0x6f, 0x72, 0x64, 0x2e, 0x6d, 0x6f, 0x64, 0x65, 0x05, 0x65,
    0x78, 0x61, 0x63, 0x74, 0xbb, 0x80, 0x7a, 0x19, 0x1a, 0x94, 0x2a, 0x18, 0x46, 0x4c, 0x42, 0x4b,
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x5c, 0x00, 0x00, 0x00, 0x5c, 0x00, 0x00, 0x00,
    0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xb8, 0xc0, 0x72, 0xa1,
    0x36, 0x6a, 0xed, 0xaa, 0x40, 0x00, 0x02, 0x01, 0x00, 0x03, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00,
    0x03, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x00, 0x02, 0x0d, 0x00, 0x00,
    0x01, 0x0c, 0x00, 0x00, 0x64, 0x01, 0x00, 0x00, 0x00, 0x04, 0x64, 0x65, 0x6d, 0x6f, 0x02, 0x04,
    0x00, 0x01, 0x64, 0x64, 0x05, 0x06, 0xe8, 0x07, 0x01, 0x64, 0x80, 0x04, 0x02, 0x02, 0x00, 0xe0,
    0x08, 0xf7, 0x00, 0x0f, 0x40, 0x40, 0x01, 0x00, 0x01, 0x00, 0x01, 0x03, 0x00, 0x00, 0x01, 0x00,
    0x46, 0x4c, 0x42, 0x4b, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x91, 0x00, 0x00, 0x00,
    0x91, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xe8, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x43, 0xac, 0xb3, 0xec, 0xb4, 0x53, 0xf5, 0x4e, 0x01, 0x00, 0x00, 0x00, 0x11, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xe8, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};
/* clang-format on */

enum { BLOCK0 = 0x3c, PAYLOAD0 = 0x74, END = 0xd0, END_PAYLOAD = 0x108 };

struct file {
    uint8_t b[2048];
    size_t len, end; /* end: where the END block is */
};

static struct file load(void)
{
    struct file f = { .len = sizeof example, .end = END };
    memcpy(f.b, example, sizeof example);
    return f;
}

static void put_le(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Checksum of the block at @at, as the format says. */
static void sign(struct file *f, size_t at)
{
    uint8_t *e = f->b + at;
    put_le(e + 48, XXH3_64bits_withSeed(e + 56, get32(e + 16), XXH3_64bits(e, 48)), 8);
}

static void sign_header(struct file *f)
{
    put_le(f->b + 0x34, XXH3_64bits(f->b, 0x34), 8);
}

static void insert(struct file *f, size_t at, const uint8_t *bytes, size_t n)
{
    memmove(f->b + at + n, f->b + at, f->len - at);
    memcpy(f->b + at, bytes, n);
    f->len += n;
}

/* A block of @kind without payload before the END block, which is renumbered. */
static void insert_block(struct file *f, uint8_t kind, uint8_t flags)
{
    uint8_t e[56] = { 'F', 'L', 'B', 'K', kind, 0, flags };
    e[8] = 1;
    memcpy(e + 24, f->b + f->end + 24, 16); /* accesses before, time */
    insert(f, f->end, e, sizeof e);
    sign(f, f->end);
    f->end += sizeof e;
    f->b[f->end + 8] = 2;
    f->b[f->end + 56] = 2;
    sign(f, f->end);
}

static int open_file(const struct file *f, unsigned flags, struct fl_reader **r, struct fl_err *err)
{
    memset(err, 0, sizeof *err);
    *r = NULL;
    return fl_reader_open_mem(f->b, f->len, flags, r, err);
}

/* Open and read to the end: the first error. */
static int read_all(const struct file *f, struct fl_err *err)
{
    struct fl_reader *r;
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    int rc = open_file(f, 0, &r, err);
    while (rc == FL_OK && item.kind != FL_ITEM_END)
        rc = fl_reader_next(r, &item, err);
    fl_reader_free(r);
    return rc;
}

static void reader_says(const struct file *f, int code, const char *text)
{
    struct fl_err err;
    int rc = read_all(f, &err);
    if (rc != code || (text && !strstr(err.msg, text)))
        print_error("got %d: %s\n", rc, err.msg);
    assert_int_equal(rc, code);
    if (text)
        assert_non_null(strstr(err.msg, text));
}

/* As the checker sees it: it looks at more than a reader does. */
static void check_says(const struct file *f, const char *problem)
{
    struct fl_check_report report;
    struct fl_err err;
    char path[] = "/tmp/fl-format-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, f->b, f->len), f->len);
    close(fd);
    assert_int_equal(fl_trace_check(path, &report, &err), FL_OK);
    unlink(path);
    assert_int_equal(report.sound, problem == NULL);
    if (problem && !strstr(report.problem, problem))
        print_error("got: %s\n", report.problem);
    if (problem)
        assert_non_null(strstr(report.problem, problem));
}

static void reads_as_the_example(const struct file *f)
{
    struct fl_reader *r;
    struct fl_item item;
    struct fl_err err;
    assert_int_equal(open_file(f, 0, &r, &err), FL_OK);
    assert_int_equal(fl_reader_fidelity(r), FL_FIDELITY_EXACT);
    assert_string_equal(fl_meta_get(fl_reader_meta(r), "record.mode"), "exact");
    const struct fl_totals *t = fl_reader_totals(r);
    assert_int_equal(t->reads, 1);
    assert_int_equal(t->writes, 1);
    assert_int_equal(t->fetches, 6);
    assert_int_equal(t->runs, 3);
    assert_int_equal(t->events, 3);
    assert_int_equal(t->distinct_pages, 2);
    assert_int_equal(t->duration_ns, 1000);

    assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
    assert_int_equal(item.event.kind, FL_EV_PROCESS);
    assert_int_equal(item.event.thread, FL_NO_THREAD);
    assert_int_equal(item.event.process.pid, 100);
    assert_int_equal(item.event.process.ppid, 1);
    assert_int_equal(item.event.process.copied_mm, FL_NO_MM);
    assert_string_equal(item.event.process.comm, "demo");
    assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
    assert_int_equal(item.event.kind, FL_EV_THREAD);
    assert_int_equal(item.event.thread, 0);
    assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
    assert_int_equal(item.kind, FL_ITEM_RUNS);
    assert_int_equal(item.runs.n, 3);
    assert_int_equal(item.runs.actor, FL_ACTOR_USER);
    const uint32_t want[3][4] = { { 0, 0, 0, 3 }, { 1, 1, 1, 0 }, { 0, 0, 0, 3 } };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(item.runs.page[i], want[i][0]);
        assert_int_equal(item.runs.reads[i], want[i][1]);
        assert_int_equal(item.runs.writes[i], want[i][2]);
        assert_int_equal(item.runs.fetches[i], want[i][3]);
    }
    assert_int_equal(fl_reader_page(r, 0).vpn, 0x400);
    assert_int_equal(fl_reader_page(r, 1).vpn, 0x7fff0);
    assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
    assert_int_equal(item.event.kind, FL_EV_EXIT);
    assert_int_equal(item.event.exit.status, 256);
    assert_int_equal(item.event.time_ns, 1000);
    assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
    assert_int_equal(item.kind, FL_ITEM_END);
    fl_reader_free(r);
    check_says(f, NULL);
}

static void the_example_of_the_specification_reads_as_it_says(void **state)
{
    (void)state;
    struct file f = load();
    reads_as_the_example(&f);
}

static void other_versions_and_features_ask_for_an_upgrade(void **state)
{
    (void)state;
    struct file f = load();
    f.b[8] = 2;
    sign_header(&f);
    reader_says(&f, FL_EVERSION, "upgrade faultline");
    f = load();
    f.b[10] = 2;
    sign_header(&f);
    reader_says(&f, FL_EVERSION, "upgrade faultline");
    f = load();
    f.b[16 + 7] = 0x80;
    sign_header(&f);
    reader_says(&f, FL_EVERSION, "upgrade faultline");
    f = load();
    f.b[32] = 4;
    sign_header(&f);
    reader_says(&f, FL_EVERSION, "upgrade faultline");
    f = load();
    f.b[24] = 0xff; /* optional features */
    sign_header(&f);
    reader_says(&f, FL_OK, NULL);
}

static void unknown_blocks_are_skipped_only_when_optional(void **state)
{
    (void)state;
    struct file f = load();
    insert_block(&f, 9, 1);
    reader_says(&f, FL_OK, NULL);
    check_says(&f, NULL);
    f = load();
    insert_block(&f, 9, 0);
    reader_says(&f, FL_EVERSION, "upgrade faultline");
    f = load();
    f.b[BLOCK0 + 5] = 2; /* codec */
    sign(&f, BLOCK0);
    reader_says(&f, FL_EVERSION, "upgrade faultline");
}

static void unknown_event_kinds_are_skipped(void **state)
{
    (void)state;
    struct file f = load();
    f.b[0xb4] = 200; /* the exit event */
    sign(&f, BLOCK0);
    reader_says(&f, FL_OK, NULL);
    check_says(&f, NULL); /* it still counts as an event, and its time holds */
}

/* One byte of block 0 set, signed: what the reader says. */
static void with_byte(size_t at, uint8_t value, const char *text)
{
    struct file f = load();
    f.b[at] = value;
    sign(&f, at < END ? BLOCK0 : END);
    reader_says(&f, FL_EFORMAT, text);
    check_says(&f, text);
}

static void contents_that_cannot_be_are_refused(void **state)
{
    (void)state;
    with_byte(0x9e, 1, "thread 1");            /* segment of a thread that is not there */
    with_byte(0x9c, 4, "sequence");            /* three events before the runs */
    with_byte(0x9d, 0x01, "sequence");         /* a segment of no runs */
    with_byte(0x9d, 0x11, "more runs");        /* four runs */
    with_byte(0x9d, 0x09, "more than");        /* two of three runs named */
    with_byte(0xbc, 0x04, "out of order");     /* first id 1 */
    with_byte(0xbd, 0x01, "out of order");     /* second id -1 */
    with_byte(0xbd, 0x00, "changes its mean"); /* second id 0 again, another page */
    with_byte(0xc4, 0x00, "dictionary");       /* recency before anything was touched */
    with_byte(0xc4, 0x41, "dictionary");       /* far reference without any */
    with_byte(0xc4, 0x42, "dictionary");       /* no such code */
    with_byte(0xc5, 0x00, "dictionary");       /* then position 1 of a list of 1 */
    with_byte(0xcd, 0x02, "unknown shape");
    with_byte(0xcd, 0xff, "unknown shape"); /* an escape without one */
    with_byte(0xcb, 0x00, "without accesses");
    with_byte(0xa1, 0x0b, "malformed");     /* a record too short for its fields */
    with_byte(0xa6, 0x01, "address space"); /* the first space must be 0 */
    with_byte(0xa7, 0x01, "copy");          /* a copy of a space that is not there */
    with_byte(0xaa, 0x00, "malformed");     /* NUL in a string... */
    with_byte(0xb1, 0x02, "thread");        /* first thread must be 0 */
    with_byte(0xb2, 0x63, "not announced"); /* of a process that exists */
    with_byte(0xb9, 0x63, "not announced"); /* and the exit, too */
    with_byte(0x74, 241, "malformed");      /* recency depth */
    with_byte(0x76, 255, "malformed");      /* shapes */
    with_byte(0x80, 2, "in the block");     /* one record fewer */
    with_byte(0x84, 2, "malformed");        /* runs differ from the envelope's */
    with_byte(BLOCK0 + 20, 4, "malformed");
    with_byte(BLOCK0 + 32, 1, "time");     /* not the last event's time */
    with_byte(BLOCK0 + 24, 1, "continue"); /* accesses before the first block */
    with_byte(BLOCK0 + 8, 1, "number");
    with_byte(BLOCK0 + 12, 0x5d, "lengths");
    with_byte(END + 24, 9, "continue");
    with_byte(END_PAYLOAD, 2, "counts 2 blocks");
    with_byte(END_PAYLOAD + 4, 16, "malformed");
    struct file f = load();
    f.b[0xc5] = f.b[0xc6] = 0; /* an entry of the dictionary left over */
    sign(&f, BLOCK0);
    reader_says(&f, FL_EFORMAT, "more than");
}

/* Only the checker pays for looking at these. */
static void the_checker_finds_what_readers_do_not_look_for(void **state)
{
    (void)state;
    struct file f = load();
    f.b[END_PAYLOAD + 8] = 2;
    sign(&f, END);
    reader_says(&f, FL_OK, NULL);
    check_says(&f, "reads is 2, but 1 were counted");
    f = load();
    f.b[BLOCK0 + 40] = 9; /* accesses of the block, and before END */
    sign(&f, BLOCK0);
    f.b[END + 24] = 9;
    sign(&f, END);
    reader_says(&f, FL_OK, NULL);
    check_says(&f, "it has 8 accesses, not 9");
    f = load();
    f.b[0x9d] = 0x0f; /* kernel runs that fetch */
    sign(&f, BLOCK0);
    reader_says(&f, FL_OK, NULL);
    check_says(&f, "fetches");
    f = load();
    f.b[0xbf] = 0x00, f.b[0xc1] = 0x00, f.b[0xc3] = 0x00; /* page 1 is page 0 again */
    sign(&f, BLOCK0);
    reader_says(&f, FL_OK, NULL);
    check_says(&f, "second one for its page");
}

static void cut(struct file *f, size_t at, size_t n)
{
    memmove(f->b + at, f->b + at + n, f->len - at - n);
    f->len -= n;
    f->end -= n;
}

/* The example with page ids 0, 1, 0 and shapes 0, 1, 0 in a bit each. */
static struct file with_ids(void)
{
    struct file f = load();
    cut(&f, 0xce, 2);
    cut(&f, 0xc5, 2);
    f.b[0xc4] = f.b[0xcb] = 2;
    f.b[PAYLOAD0] = 0; /* K */
    f.b[PAYLOAD0 + 1] = 1;
    f.b[BLOCK0 + 6] = 2;
    f.b[BLOCK0 + 12] = f.b[BLOCK0 + 16] = 0x5c - 4;
    sign(&f, BLOCK0);
    return f;
}

/* One byte of that set: what the reader says. */
static void ids_with_byte(size_t at, uint8_t value, int code, const char *text)
{
    struct file f = with_ids();
    f.b[at] = value;
    sign(&f, at < f.end ? BLOCK0 : f.end);
    reader_says(&f, code, text);
}

static void blocks_of_page_ids_read_as_the_format_says(void **state)
{
    (void)state;
    struct file f = with_ids();
    reads_as_the_example(&f);
    ids_with_byte(0xc4, 0xfa, FL_OK, NULL); /* bits behind the last are nobody's */
    ids_with_byte(0xcb, 0xfa, FL_OK, NULL);
    ids_with_byte(PAYLOAD0, 64, FL_EFORMAT, "malformed"); /* with recency */
    ids_with_byte(PAYLOAD0 + 1, 33, FL_EFORMAT, "malformed");
    ids_with_byte(PAYLOAD0 + 1, 0, FL_EFORMAT, "malformed"); /* a byte is left over */
    ids_with_byte(PAYLOAD0 + 2, 1, FL_EFORMAT, "malformed");
    ids_with_byte(BLOCK0 + 6, 8, FL_EVERSION, "upgrade faultline"); /* another flag */
    ids_with_byte(BLOCK0 + 6, 6, FL_EFORMAT, "malformed");          /* pairs, too */
    ids_with_byte(f.end + 6, 2, FL_EVERSION, "upgrade faultline");  /* not of an END block */

    f = with_ids(); /* two bits each: ids 0, 2, 0, and there are 2 */
    insert(&f, 0xc5, (const uint8_t[]){ 2 }, 1);
    f.end++;
    f.b[0xc4] = 0;
    f.b[PAYLOAD0 + 1] = 2;
    f.b[BLOCK0 + 12] = f.b[BLOCK0 + 16] = 0x5c - 3;
    sign(&f, BLOCK0);
    reader_says(&f, FL_EFORMAT, "not in the dictionary");
}

/* The example with its page and shape codes by turns: as long as before. */
static void blocks_of_pairs_read_as_the_format_says(void **state)
{
    static const uint8_t pairs[] = { 0x40, 0, 0x40, 1, 1, 0, /* shapes: */ 0, 1, 0, 1, 3, 0 };
    (void)state;
    struct file f = load();
    memcpy(f.b + 0xc4, pairs, sizeof pairs);
    f.b[BLOCK0 + 6] = 4;
    sign(&f, BLOCK0);
    reads_as_the_example(&f);
    f.b[0xc7] = 2; /* a shape that there is not */
    sign(&f, BLOCK0);
    reader_says(&f, FL_EFORMAT, "unknown shape");
    f.b[0xc7] = 1;
    f.b[PAYLOAD0] = 0; /* without recency */
    sign(&f, BLOCK0);
    reader_says(&f, FL_EFORMAT, "malformed");
}

static void bytes_behind_the_end_are_damage(void **state)
{
    (void)state;
    struct file f = load();
    f.b[f.len++] = 0;
    reader_says(&f, FL_EFORMAT, "too many");
    check_says(&f, "too many");
    struct fl_reader *r;
    struct fl_err err;
    assert_int_equal(open_file(&f, FL_READ_PARTIAL, &r, &err), FL_OK);
    assert_false(fl_reader_complete(r));
    assert_non_null(strstr(fl_reader_damage(r), "block 0 is good (8 accesses)"));
    assert_int_equal(fl_reader_totals(r)->runs, 3);
    fl_reader_free(r);
}

static void what_is_no_trace_is_named_as_such(void **state)
{
    (void)state;
    struct fl_reader *r;
    struct fl_err err;
    assert_int_equal(fl_reader_open_mem("", 0, 0, &r, &err), FL_EFORMAT);
    assert_string_equal(err.msg, "trace: is empty, not a faultline trace");
    assert_int_equal(fl_reader_open_mem("hello, world\n", 13, 0, &r, &err), FL_EFORMAT);
    assert_non_null(strstr(err.msg, "is a text file"));
    assert_int_equal(fl_reader_open_mem("\x7f"
                                        "ELF\2\1\1",
                                        8, 0, &r, &err),
                     FL_EFORMAT);
    assert_string_equal(err.msg, "trace: not a faultline trace");
    assert_int_equal(fl_reader_open_path("/", 0, &r, &err), FL_EFORMAT);
    assert_string_equal(err.msg, "/: is a directory, not a faultline trace");
    assert_int_equal(fl_reader_open_path("/dev/null", 0, &r, &err), FL_EFORMAT);
    assert_non_null(strstr(err.msg, "not a regular file"));
    assert_int_equal(fl_reader_open_path("/no/such/file", 0, &r, &err), FL_EIO);
    assert_non_null(strstr(err.msg, "/no/such/file: cannot open: No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_specification_reads_as_it_says),
        cmocka_unit_test(other_versions_and_features_ask_for_an_upgrade),
        cmocka_unit_test(unknown_blocks_are_skipped_only_when_optional),
        cmocka_unit_test(unknown_event_kinds_are_skipped),
        cmocka_unit_test(contents_that_cannot_be_are_refused),
        cmocka_unit_test(the_checker_finds_what_readers_do_not_look_for),
        cmocka_unit_test(blocks_of_page_ids_read_as_the_format_says),
        cmocka_unit_test(blocks_of_pairs_read_as_the_format_says),
        cmocka_unit_test(bytes_behind_the_end_are_damage),
        cmocka_unit_test(what_is_no_trace_is_named_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
