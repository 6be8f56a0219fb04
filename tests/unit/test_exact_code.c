/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code marks of superblocks to functions: this program's own, mapped where the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "exact.h"

#define TEXT UINT64_C(0x10000000) /* where we say that this program is mapped */
#define PID 4000000u
#define NONE "-"

/* What the marks point into. */
int code_first(int x);
int code_second(int x);

__attribute__((noinline)) int code_first(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x + 1;
}

__attribute__((noinline)) int code_second(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x + 2;
}

struct fixture {
    struct exact_recorder x;
    struct exact_process *p, *child;
    char path[512];
    uint64_t base, text_offset, text_length; /* of the mapping with our code */
    uint64_t words[512];
    size_t n;
};

static void word(struct fixture *f, uint64_t w)
{
    f->words[f->n++] = w;
}

static void record(struct fixture *f, enum flr_record kind, const void *words, size_t n_words,
                   const char *text)
{
    size_t n = n_words + (text ? strlen(text) / 8 + 1 : 0);
    word(f, FLR_WORD(FLR_RECORD, (uint64_t)kind << 32 | n));
    memset(&f->words[f->n], 0, n * 8);
    memcpy(&f->words[f->n], words, n_words * 8);
    if (text)
        memcpy(&f->words[f->n + n_words], text, strlen(text));
    f->n += n;
}

static void decode(struct fixture *f, struct exact_process **p)
{
    word(f, FLR_WORD(FLR_END, 0));
    fl_exact_decode(&f->x, p, f->words, f->n);
    assert_int_equal(f->x.n_damaged, 0);
    f->n = 0;
}

static void image(struct fixture *f, bool is_exec)
{
    struct flr_image image = { .is_exec = is_exec,
                               .pid = PID,
                               .ppid = 1,
                               .tid = PID,
                               .stack_pointer = 0x1ffefff000,
                               .stack_end = 0x1fff001000,
                               .stack_limit_bytes = 8u << 20,
                               .comm = "prog" };
    record(f, FLR_REC_IMAGE, &image, sizeof image / 8, "/prog");
}

static void map(struct fixture *f, uint64_t start)
{
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    struct flr_map m = { .start = start,
                         .length = f->text_length,
                         .offset = f->text_offset,
                         .prot = FL_PROT_READ | FL_PROT_EXEC,
                         .dev = st.st_dev,
                         .ino = st.st_ino,
                         .size_bytes = (uint64_t)st.st_size };
    record(f, FLR_REC_MAP, &m, sizeof m / 8, f->path);
}

/* Where this program's code is, as the kernel says. */
static void find_self(struct fixture *f)
{
    char line[1024];
    uint64_t start, end, offset, at = (uint64_t)(uintptr_t)code_first;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %511s", &start, &end, &offset, f->path) == 4 &&
            at >= start && at < end)
            break;
    fclose(maps);
    f->base = start;
    f->text_offset = offset;
    f->text_length = end - start;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct fl_err err;
    assert_non_null(f);
    find_self(f);
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, NULL, &f->x.writer, &err), FL_OK);
    assert_true(fl_exact_decode_open(&f->x) && fl_exact_codes_open(&f->x));
    image(f, false);
    decode(f, &f->p);
    map(f, TEXT);
    decode(f, &f->p);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->x.writer)
        fl_writer_abandon(f->x.writer);
    fl_exact_process_free(f->p);
    fl_exact_process_free(f->child);
    fl_exact_recorder_free(&f->x);
    free(f);
    return 0;
}

/* Our function @at, where the mapping at @start has it. */
static uint64_t mapped(const struct fixture *f, uint64_t start, int (*at)(int))
{
    return (uint64_t)(uintptr_t)at - f->base + start;
}

/* A superblock of two reads, the first in code at @a, the second at @b. */
static void describe(struct fixture *f, uint32_t id, uint64_t a, uint64_t b)
{
    word(f, FLR_WORD(FLR_DESCRIBE, 5));
    word(f, id | UINT64_C(2) << 32);
    word(f, FLR_OP_ACCESS(FLR_OP_READ, 8, 0, 0));
    word(f, FLR_OP_ACCESS(FLR_OP_READ, 8, 1, 0));
    word(f, FLR_MARK(0, a));
    word(f, FLR_MARK(1, b));
}

static void execute(struct fixture *f, uint32_t id, uint64_t first, uint64_t second)
{
    word(f, FLR_WORD(FLR_SUPERBLOCK, id));
    word(f, first);
    word(f, second);
}

/* The names of where the runs began, in order, and whether their files are known. */
static void locations_are(struct fixture *f, const char *const *want, size_t n)
{
    struct fl_err err;
    struct fl_reader *r;
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    char names[16][64];
    void *bytes;
    size_t len, at = 0;
    fl_exact_flush(&f->x);
    assert_int_equal(f->x.first_rc, FL_OK);
    assert_int_equal(fl_writer_close(f->x.writer, &bytes, &len, &err), FL_OK);
    f->x.writer = NULL;
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
    while (item.kind != FL_ITEM_END) {
        assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
        if (item.kind == FL_ITEM_EVENT && item.event.kind == FL_EV_CODE) {
            assert_true(item.event.code.code < 16);
            snprintf(names[item.event.code.code], 64, "%s", item.event.code.name);
            assert_int_equal(item.event.code.file,
                             strcmp(item.event.code.name, "anonymous code") == 0 ? FL_NO_FILE : 0);
        }
        size_t next = 0;
        for (size_t i = 0; item.kind == FL_ITEM_RUNS && i < item.runs.n; i++, at++) {
            bool has = next < item.runs.n_codes && item.runs.codes[next].run == i;
            assert_true(at < n);
            assert_string_equal(has ? names[item.runs.codes[next++].code] : NONE, want[at]);
        }
    }
    assert_int_equal(at, n);
    fl_reader_free(r);
    free(bytes);
}

static void runs_begin_in_the_function_of_their_operation(void **state)
{
    struct fixture *f = *state;
    describe(f, 0, mapped(f, TEXT, code_first), mapped(f, TEXT, code_second) + 1);
    execute(f, 0, 0x5000, 0x6000);
    execute(f, 0, 0x7000, 0x7008); /* one run, which begins in the first */
    execute(f, 0, 0x8000, 0x5000); /* page 5 is near by now */
    decode(f, &f->p);
    locations_are(
        f, (const char *const[]){ "code_first", "code_second", "code_first", "code_first", NONE },
        5);
}

static void code_that_is_in_no_file_has_one_name(void **state)
{
    struct fixture *f = *state;
    describe(f, 0, 0x90000000, 0xa0000000);
    describe(f, 1, TEXT - 1, TEXT + f->text_length);
    execute(f, 0, 0x5000, 0x6000);
    execute(f, 1, 0x7000, 0x8000);
    decode(f, &f->p);
    assert_int_equal(fl_exact_functions(&f->x), 0);
    locations_are(f,
                  (const char *const[]){ "anonymous code", "anonymous code", "anonymous code",
                                         "anonymous code" },
                  4);
}

static void code_is_where_it_was_mapped_when_it_was_described(void **state)
{
    struct fixture *f = *state;
    uint64_t first = mapped(f, TEXT, code_first), page = first & ~UINT64_C(4095);
    describe(f, 0, first, first);
    record(f, FLR_REC_UNMAP, (uint64_t[]){ page, 4096 }, 2, NULL); /* a hole */
    describe(f, 1, first, page + 4096 < TEXT + f->text_length ? page + 4096 : TEXT - 1);
    map(f, 2 * TEXT);
    describe(f, 2, mapped(f, 2 * TEXT, code_second), mapped(f, 2 * TEXT, code_first));
    record(f, FLR_REC_REMAP, (uint64_t[]){ 2 * TEXT, f->text_length, 3 * TEXT, f->text_length }, 4,
           NULL);
    describe(f, 3, mapped(f, 3 * TEXT, code_second), mapped(f, 2 * TEXT, code_second));
    execute(f, 0, 0x5000, 0x5000);
    execute(f, 1, 0x6000, 0x6000);
    execute(f, 2, 0x7000, 0x8000);
    execute(f, 3, 0x9000, 0xa000);
    decode(f, &f->p);
    locations_are(f,
                  (const char *const[]){ "code_first", "anonymous code", "code_second",
                                         "code_first", "code_second", "anonymous code" },
                  6);
}

static void a_child_has_its_parents_mappings_until_it_execs(void **state)
{
    struct fixture *f = *state;
    struct flr_forked forked = { .token = 9, .pid = PID + 1, .ppid = PID, .tid = PID + 1 };
    uint64_t first = mapped(f, TEXT, code_first);
    describe(f, 0, first, first);
    record(f, FLR_REC_FORKING, (uint64_t[]){ 9 }, 1, NULL);
    record(f, FLR_REC_UNMAP, (uint64_t[]){ TEXT, f->text_length }, 2, NULL);
    decode(f, &f->p);
    record(f, FLR_REC_FORKED, &forked, sizeof forked / 8, NULL);
    describe(f, 1, mapped(f, TEXT, code_second), first);
    execute(f, 0, 0x5000, 0x5000); /* described in the parent */
    execute(f, 1, 0x6000, 0x7000);
    image(f, true);
    describe(f, 0, first, first);
    execute(f, 0, 0x8000, 0x8000);
    decode(f, &f->child);
    locations_are(
        f, (const char *const[]){ "code_first", "code_second", "code_first", "anonymous code" }, 4);
}

static void a_system_call_is_where_its_own_thread_is(void **state)
{
    struct fixture *f = *state;
    describe(f, 0, mapped(f, TEXT, code_first), mapped(f, TEXT, code_first));
    describe(f, 1, mapped(f, TEXT, code_second), mapped(f, TEXT, code_second));
    execute(f, 0, 0x5000, 0x5000);
    word(f, FLR_WORD(FLR_THREAD, PID + 5));
    execute(f, 1, 0x6000, 0x6000);
    word(f, FLR_WORD(FLR_THREAD, PID));
    word(f, FLR_WORD(FLR_KERNEL_WRITE, 8));
    word(f, 0x7000);
    word(f, FLR_WORD(FLR_THREAD, PID + 6)); /* it is nowhere yet */
    word(f, FLR_WORD(FLR_KERNEL_READ, 8));
    word(f, 0x8000);
    decode(f, &f->p);
    locations_are(f, (const char *const[]){ "code_first", "code_second", "code_first", NONE }, 4);
}

static void a_redacted_trace_has_no_function_names(void **state)
{
    struct fixture *f = *state;
    fl_exact_codes_close(&f->x);
    f->x.redact = true;
    assert_true(fl_exact_codes_open(&f->x));
    map(f, TEXT);
    describe(f, 0, mapped(f, TEXT, code_first), mapped(f, TEXT, code_second));
    execute(f, 0, 0x5000, 0x6000);
    decode(f, &f->p);
    locations_are(f, (const char *const[]){ "", "" }, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(runs_begin_in_the_function_of_their_operation),
        TEST(code_that_is_in_no_file_has_one_name),
        TEST(code_is_where_it_was_mapped_when_it_was_described),
        TEST(a_child_has_its_parents_mappings_until_it_execs),
        TEST(a_system_call_is_where_its_own_thread_is),
        TEST(a_redacted_trace_has_no_function_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
