/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Residency: a made-up pagemap, and children whose pages are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>

#include <faultline/proc.h>
#include <faultline/units.h>

#include "proc_tree.h"

enum {
    RESIDENT = FL_PRESENT_RESIDENT,
    SWAPPED = FL_PRESENT_SWAPPED,
    OF_FILE = FL_PRESENT_FILE,
};

#define PAGE FL_PAGE_BYTES

struct ranges {
    uint64_t from, to; /* only ranges in here are kept */
    char text[2048];   /* "page+pages:state", pages counted from @from */
    uint64_t bytes[3]; /* of all ranges, by state without file */
};

static int keep(void *ctx, uint64_t start, uint64_t length, uint32_t state, struct fl_err *err)
{
    struct ranges *r = ctx;
    (void)err;
    assert_true(length && length % PAGE == 0 && start % PAGE == 0);
    r->bytes[state & 3] += length;
    if (start + length <= r->from || start >= r->to)
        return FL_OK;
    size_t n = strlen(r->text);
    snprintf(r->text + n, sizeof r->text - n, "%s%llu+%llu:%u", n ? " " : "",
             (unsigned long long)((start - r->from) / PAGE), (unsigned long long)(length / PAGE),
             state);
    return FL_OK;
}

/* ---- made up ------------------------------------------------------------------------------ */

static void entries_become_ranges(void **state)
{
    (void)state;
    static const uint64_t present = UINT64_C(1) << 63, swapped = UINT64_C(1) << 62,
                          of_file = UINT64_C(1) << 61, guard = UINT64_C(1) << 58;
    const uint64_t entry[16] = {
        0,
        present,
        present | 0x1234,
        swapped,
        swapped | 99, /* 0 to 4 */
        present | of_file,
        0,
        guard | swapped,
        present, /* 5 to 8, a mapping ends */
        present,
        0x7f,
        of_file,
        swapped | of_file, /* 9 to 12 */
    };
    struct tree t;
    struct ranges r = { .to = UINT64_MAX };
    struct fl_proc_present_sum sum;
    struct fl_err err;
    tree_make(&t);
    tree_text(&t,
              "0-9000 rw-p 0 00:00 0\n9000-d000 rw-p 0 00:00 0\n"
              "e000-10000 r-xp 0 00:00 0 [vdso]\n",
              "7/maps");
    tree_bytes(&t, "7/pagemap", entry, sizeof entry);
    assert_int_equal(fl_proc_present(t.root, 7, NULL, keep, &r, &sum, &err), FL_OK);
    assert_string_equal(r.text, "1+2:1 3+2:2 5+1:5 8+1:1 9+1:1 12+1:6");
    assert_int_equal(sum.resident_bytes, 5 * PAGE);
    assert_int_equal(sum.swapped_bytes, 3 * PAGE);
    assert_int_equal(sum.ranges, 6);
    assert_int_equal(sum.unread_bytes, 0);
    assert_false(sum.by_scan);

    /* Cut inside the second mapping: what is behind is said not to be known. */
    r = (struct ranges){ .to = UINT64_MAX };
    tree_bytes(&t, "7/pagemap", entry, 10 * sizeof *entry + 3);
    assert_int_equal(fl_proc_present(t.root, 7, NULL, keep, &r, &sum, &err), FL_OK);
    assert_string_equal(r.text, "1+2:1 3+2:2 5+1:5 8+1:1 9+1:1");
    assert_int_equal(sum.unread_bytes, 3 * PAGE);
    assert_int_equal(fl_proc_present(t.root, 8, NULL, keep, &r, &sum, &err), FL_EUSAGE);
    tree_remove(&t);
}

static void absurd_addresses_are_not_read(void **state)
{
    (void)state;
    struct tree t;
    struct ranges r = { .to = UINT64_MAX };
    struct fl_proc_present_sum sum;
    uint64_t entry = 0;
    tree_make(&t);
    tree_text(&t, "7fff000000000000-fffffffffffff000 rw-p 0 00:00 0\n", "7/maps");
    tree_bytes(&t, "7/pagemap", &entry, sizeof entry);
    assert_int_equal(fl_proc_present(t.root, 7, NULL, keep, &r, &sum, NULL), FL_OK);
    assert_int_equal(sum.ranges, 0);
    assert_int_equal(sum.unread_bytes, UINT64_C(0xfffffffffffff000) - UINT64_C(0x7fff000000000000));
    tree_remove(&t);
}

static int refuse(void *ctx, uint64_t start, uint64_t length, uint32_t state, struct fl_err *err)
{
    (void)start, (void)length, (void)state;
    ++*(int *)ctx;
    return fl_fail(err, FL_EDATA, "enough");
}

static void a_callbacks_error_ends_it(void **state)
{
    (void)state;
    struct fl_proc_present_sum sum;
    for (int without = 0; without < 2; without++) {
        const struct fl_proc_present_opts opts = { .without_scan = without };
        int calls = 0;
        assert_int_equal(
            fl_proc_present(FL_PROC_ROOT, (uint32_t)getpid(), &opts, refuse, &calls, &sum, NULL),
            FL_EDATA);
        assert_int_equal(calls, 1);
    }
}

/* ---- children ---------------------------------------------------------------------------------- */

static char *reserve(size_t bytes, int prot, int flags)
{
    char *p = mmap(NULL, bytes, prot, MAP_ANONYMOUS | flags, -1, 0);
    if (p == MAP_FAILED)
        _exit(1);
    madvise(p, bytes, MADV_NOHUGEPAGE);
    return p;
}

struct said {
    uint64_t private_mem, shared_mem, file_mem;
};

/* Of 64 private pages 3 to 9 and 20 are written, 5 and 6 given back, 30 only read (the zero page). */
static void touch_some(int fd)
{
    struct said s;
    char *p = reserve(64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (size_t i = 3; i <= 9; i++)
        p[i * PAGE] = 1;
    p[20 * PAGE] = 1;
    madvise(p + 5 * PAGE, 2 * PAGE, MADV_DONTNEED);
    volatile char sink = p[30 * PAGE];
    (void)sink;
    s.private_mem = (uint64_t)(uintptr_t)p;
    p = reserve(16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    p[2 * PAGE] = p[3 * PAGE] = 1;
    s.shared_mem = (uint64_t)(uintptr_t)p;
    int file = memfd_create("pages", 0);
    if (ftruncate(file, 16 * (off_t)PAGE) != 0)
        _exit(1);
    p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    madvise(p, 16 * PAGE, MADV_RANDOM); /* no faults around */
    p[4 * PAGE] = 1;                    /* a copy: not the file's any more */
    s.file_mem = (uint64_t)(uintptr_t)p;
    if (write(fd, &s, sizeof s) < 0)
        _exit(1);
}

static const char *pages_of(pid_t pid, uint64_t start, size_t pages, bool without_scan,
                            struct fl_proc_present_sum *sum)
{
    static struct ranges r;
    struct fl_err err;
    const struct fl_proc_present_opts opts = { .time_limit_ns = 500000000,
                                               .without_scan = without_scan };
    r = (struct ranges){ .from = start, .to = start + pages * PAGE };
    assert_int_equal(fl_proc_present(FL_PROC_ROOT, (uint32_t)pid, &opts, keep, &r, sum, &err),
                     FL_OK);
    assert_int_equal(r.bytes[RESIDENT], sum->resident_bytes);
    assert_int_equal(r.bytes[SWAPPED], sum->swapped_bytes);
    return r.text;
}

static void touched_pages_are_resident_either_way(void **state)
{
    (void)state;
    struct said s;
    struct fl_proc_present_sum sum[2];
    pid_t pid = child_start(touch_some, &s, sizeof s);
    for (int without = 0; without < 2; without++) {
        struct fl_proc_present_sum *u = &sum[without];
        assert_string_equal(pages_of(pid, s.private_mem, 64, without, u),
                            "3+2:1 7+3:1 20+1:1 30+1:1");
        assert_string_equal(pages_of(pid, s.shared_mem, 16, without, u), "2+2:5");
        assert_string_equal(pages_of(pid, s.file_mem, 16, without, u), "4+1:1");
    }
    assert_false(sum[1].by_scan);
    if (sum[1].unread_bytes == 0) { /* a sanitizer's shadow takes longer than the limit */
        assert_int_equal(sum[0].resident_bytes, sum[1].resident_bytes);
        assert_int_equal(sum[0].ranges, sum[1].ranges);
    }
    child_end(pid);
}

/* Only where swap is on; made-up entries above are the test of the rest. */
static void swap_out(int fd)
{
    char *p = reserve(64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (size_t i = 0; i < 64; i++)
        memset(p + i * PAGE, (int)i + 1, PAGE);
    madvise(p + 16 * PAGE, 32 * PAGE, 21 /* MADV_PAGEOUT */);
    uint64_t at = (uint64_t)(uintptr_t)p;
    if (write(fd, &at, sizeof at) < 0)
        _exit(1);
}

static void pages_in_swap_are_swapped(void **state)
{
    (void)state;
    uint64_t at;
    struct fl_proc_present_sum sum;
    char line[256];
    FILE *f = fopen("/proc/swaps", "re");
    bool has_swap = f && fgets(line, sizeof line, f) && fgets(line, sizeof line, f);
    if (f)
        fclose(f);
    if (!has_swap) {
        print_message("no swap is on\n");
        skip();
    }
    pid_t pid = child_start(swap_out, &at, sizeof at);
    for (int without = 0; without < 2; without++)
        assert_string_equal(pages_of(pid, at, 64, without, &sum), "0+16:1 16+32:2 48+16:1");
    child_end(pid);
}

/* Every other page: more ranges than the kernel returns at once, and as many as it does. */
static void touch_every_other(int fd)
{
    uint64_t at[2];
    for (size_t k = 0; k < 2; k++) {
        size_t pages = k ? 8192 : 3000;
        char *p = reserve(pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        for (size_t i = 0; i < pages; i += 2)
            p[i * PAGE] = 1;
        at[k] = (uint64_t)(uintptr_t)p;
    }
    if (write(fd, at, sizeof at) < 0)
        _exit(1);
}

struct stripes {
    uint64_t from[2], next[2];
};

static int count_stripes(void *ctx, uint64_t start, uint64_t length, uint32_t state,
                         struct fl_err *err)
{
    struct stripes *s = ctx;
    (void)err;
    for (size_t k = 0; k < 2; k++)
        if (start >= s->from[k] && start < s->from[k] + (k ? 8192 : 3000) * PAGE) {
            assert_int_equal(start, s->next[k]);
            assert_int_equal(length, PAGE);
            assert_int_equal(state, RESIDENT);
            s->next[k] = start + 2 * PAGE;
        }
    return FL_OK;
}

static void every_range_is_told_once(void **state)
{
    (void)state;
    uint64_t at[2];
    struct fl_proc_present_sum sum;
    pid_t pid = child_start(touch_every_other, at, sizeof at);
    for (int without = 0; without < 2; without++) {
        const struct fl_proc_present_opts opts = { .time_limit_ns = 500000000,
                                                   .without_scan = without };
        struct stripes s = { { at[0], at[1] }, { at[0], at[1] } };
        assert_int_equal(
            fl_proc_present(FL_PROC_ROOT, (uint32_t)pid, &opts, count_stripes, &s, &sum, NULL),
            FL_OK);
        assert_int_equal(s.next[0], at[0] + 3000 * PAGE);
        assert_int_equal(s.next[1], at[1] + 8192 * PAGE);
    }
    child_end(pid);
}

/* 1 TiB of addresses, of which pages 0, 2^27 and the last have memory. */
static void reserve_much(int fd)
{
    static const uint64_t page[] = { 0, UINT64_C(1) << 27, (UINT64_C(1) << 28) - 1 };
    char *p = reserve(UINT64_C(1) << 40, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
    for (size_t i = 0; i < 3; i++) {
        if (mprotect(p + page[i] * PAGE, PAGE, PROT_READ | PROT_WRITE) != 0)
            _exit(1);
        p[page[i] * PAGE] = 1;
    }
    uint64_t at = (uint64_t)(uintptr_t)p;
    if (write(fd, &at, sizeof at) < 0)
        _exit(1);
}

static void a_tebibyte_of_nothing_takes_no_time(void **state)
{
    (void)state;
    uint64_t at;
    struct fl_proc_present_sum sum;
    pid_t pid = child_start(reserve_much, &at, sizeof at);
    uint64_t before, took = UINT64_MAX;
    const char *text = "";
    for (int i = 0; i < 5 && took >= 50; i++) { /* the machine may be busy once */
        before = clock_ms();
        text = pages_of(pid, at, UINT64_C(1) << 28, false, &sum);
        took = clock_ms() - before;
    }
    print_message("%llu ms, by scan: %d\n", (unsigned long long)took, sum.by_scan);
    if (sum.by_scan) {
        assert_string_equal(text, "0+1:1 134217728+1:1 268435455+1:1");
        assert_true(took < 50);
        assert_int_equal(sum.unread_bytes, 0);
    }
    /* Entry by entry: small mappings first, then until the time is up. */
    const struct fl_proc_present_opts opts = { .time_limit_ns = 50000000, .without_scan = true };
    struct ranges r = { .from = at, .to = at + (UINT64_C(1) << 40) };
    before = clock_ms();
    assert_int_equal(fl_proc_present(FL_PROC_ROOT, (uint32_t)pid, &opts, keep, &r, &sum, NULL),
                     FL_OK);
    took = clock_ms() - before;
    assert_string_equal(r.text, "0+1:1 134217728+1:1 268435455+1:1");
    assert_true(sum.unread_bytes > 0);
    assert_in_range(took, 40, 1000);
    child_end(pid);
}

static void a_process_that_ended_has_nothing(void **state)
{
    (void)state;
    uint64_t at;
    struct ranges r = { 0 };
    struct fl_proc_present_sum sum;
    struct fl_err err;
    pid_t pid = child_start(swap_out, &at, sizeof at);
    child_end(pid);
    assert_int_equal(fl_proc_present(FL_PROC_ROOT, (uint32_t)pid, NULL, keep, &r, &sum, &err),
                     FL_EUSAGE);
    assert_int_equal(err.sys_errno, ESRCH);
    assert_int_equal(sum.ranges, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_become_ranges),
        cmocka_unit_test(absurd_addresses_are_not_read),
        cmocka_unit_test(a_callbacks_error_ends_it),
        cmocka_unit_test(touched_pages_are_resident_either_way),
        cmocka_unit_test(pages_in_swap_are_swapped),
        cmocka_unit_test(every_range_is_told_once),
        cmocka_unit_test(a_tebibyte_of_nothing_takes_no_time),
        cmocka_unit_test(a_process_that_ended_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
