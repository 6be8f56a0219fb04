/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words as the tracer writes them, into runs and events; no tracer needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exact.h"

#define CODE 0x108u /* a code page */

struct fixture {
    struct exact_recorder x;
    struct exact_process *p;
    uint64_t words[4096];
    size_t n;
};

static void word(struct fixture *f, uint64_t w)
{
    f->words[f->n++] = w;
}

static void header(struct fixture *f, uint32_t id)
{
    word(f, FLR_WORD(FLR_SUPERBLOCK, id));
}

static void record(struct fixture *f, enum flr_record kind, const void *words, size_t n_words)
{
    word(f, FLR_WORD(FLR_RECORD, (uint64_t)kind << 32 | n_words));
    memcpy(&f->words[f->n], words, n_words * 8);
    f->n += n_words;
}

static void describe(struct fixture *f, uint32_t id, size_t n_ops, size_t n_exits,
                     const uint64_t *words)
{
    word(f, FLR_WORD(FLR_DESCRIBE, 1 + n_ops + n_exits));
    word(f, id | (uint64_t)n_ops << 32 | (uint64_t)n_exits << 48);
    for (size_t i = 0; i < n_ops + n_exits; i++)
        word(f, words[i]);
}

static uint64_t fetch_op(unsigned count)
{
    return FLR_OP(FLR_OP_FETCH, (uint64_t)count << 52 | CODE);
}

static uint64_t exit_at(unsigned n_words, unsigned n_ops, unsigned fetches, bool marked)
{
    return n_words | (uint64_t)n_ops << 16 | (uint64_t)fetches << 32 | (uint64_t)marked << 40;
}

/* Decode what was put; the words are gone then. */
static void decode(struct fixture *f)
{
    word(f, FLR_WORD(FLR_END, 0));
    fl_exact_decode(&f->x, &f->p, f->words, f->n);
    f->n = 0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct fl_err err;
    struct fl_meta *meta = fl_meta_new();
    struct flr_image image = { .pid = 4000000,
                               .ppid = 1,
                               .tid = 4000000,
                               .stack_pointer = 0x1ffefff000,
                               .stack_end = 0x1fff001000,
                               .stack_limit_bytes = 8u << 20,
                               .comm = "prog" };
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, meta, NULL, &f->x.writer, &err), FL_OK);
    fl_meta_free(meta);
    assert_true(fl_exact_decode_open(&f->x));
    record(f, FLR_REC_IMAGE, &image, sizeof image / 8);
    decode(f);
    assert_non_null(f->p);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fl_writer_abandon(f->x.writer);
    fl_exact_process_free(f->p);
    fl_exact_recorder_free(&f->x);
    free(f);
    return 0;
}

static void totals_are(struct fixture *f, uint64_t reads, uint64_t writes, uint64_t fetches)
{
    fl_exact_flush(&f->x);
    const struct fl_totals *t = fl_writer_totals(f->x.writer);
    assert_int_equal(f->x.first_rc, FL_OK);
    assert_int_equal(t->reads, reads);
    assert_int_equal(t->writes, writes);
    assert_int_equal(t->fetches, fetches);
}

/* 3 instructions: read 0x5000; write 0x5008; modify 0x6000. */
static const uint64_t straight[] = {
    FLR_OP(FLR_OP_FETCH, 3ULL << 52 | CODE),
    FLR_OP_ACCESS(FLR_OP_READ, 8, 0, 0),
    FLR_OP_ACCESS(FLR_OP_WRITE, 4, 1, 0),
    FLR_OP_ACCESS(FLR_OP_MODIFY, 8, 2, 0),
};

static void block_without_exits_counts_every_access(void **state)
{
    struct fixture *f = *state;
    describe(f, 0, 4, 0, straight);
    for (int i = 0; i < 5; i++) {
        header(f, 0);
        word(f, 0x5000);
        word(f, 0x5008);
        word(f, 0x6000);
    }
    decode(f);
    totals_are(f, 10, 10, 15);
    /* code, 5, 6 each time round: nothing of it is consecutive across blocks */
    assert_int_equal(fl_writer_totals(f->x.writer)->runs, 15);
}

static void consecutive_blocks_on_one_page_are_one_run(void **state)
{
    struct fixture *f = *state;
    uint64_t ops[] = { fetch_op(4) };
    describe(f, 0, 1, 0, ops);
    for (int i = 0; i < 1000; i++)
        header(f, 0);
    decode(f);
    totals_are(f, 0, 0, 4000);
    assert_int_equal(fl_writer_totals(f->x.writer)->runs, 1);
}

static void long_runs_lose_no_counts(void **state)
{
    struct fixture *f = *state;
    uint64_t ops[] = { fetch_op(255) };
    describe(f, 0, 1, 0, ops);
    for (int segment = 0; segment < 3; segment++) {
        for (int i = 0; i < 3000; i++)
            header(f, 0);
        decode(f);
    }
    totals_are(f, 0, 0, 9000 * 255); /* more than 2^21 */
    assert_int_equal(fl_writer_totals(f->x.writer)->runs, 1);
}

static void access_across_a_page_boundary_counts_on_both_pages(void **state)
{
    struct fixture *f = *state;
    describe(f, 0, 4, 0, straight);
    header(f, 0);
    word(f, 0x5ffc); /* 8 bytes: 4 on each page */
    word(f, 0x5ffc); /* 4 bytes: just fit */
    word(f, 0x6fff); /* read and write on each page */
    decode(f);
    totals_are(f, 2 + 2, 1 + 2, 3);
}

static void guarded_access_that_did_not_happen_counts_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t ops[4];
    memcpy(ops, straight, sizeof ops);
    ops[2] |= FLR_OP(FLR_OP_GUARDED, 0);
    describe(f, 0, 4, 0, ops);
    for (uint64_t happens = 0; happens < 2; happens++) {
        header(f, 0);
        word(f, 0x5000);
        word(f, happens * 0x5008);
        word(f, 0x6000);
    }
    decode(f);
    totals_are(f, 4, 3, 6);
}

/* Two reads 4096 - 8 bytes apart, and a write between them, from one word. */
static void accesses_that_share_a_word_are_on_their_own_pages(void **state)
{
    struct fixture *f = *state;
    uint64_t ops[] = { FLR_OP_ACCESS(FLR_OP_READ, 8, 0, 0), FLR_OP_ACCESS(FLR_OP_WRITE, 8, 0, -8),
                       FLR_OP_ACCESS(FLR_OP_READ, 8, 0, 4080) };
    uint64_t runs = fl_writer_totals(f->x.writer)->runs;
    describe(f, 0, 3, 0, ops);
    for (int i = 0; i < 3; i++) { /* the first time one by one, then in steps */
        header(f, 0);
        word(f, 0x5008); /* all on page 5: one run */
        header(f, 0);
        word(f, 0x8000); /* 8, 7, 8 */
        header(f, 0);
        word(f, 0xa00c); /* a, a, and across a and b */
    }
    decode(f);
    totals_are(f, 3 * (2 + 2 + 3), 3 * 3, 0);
    assert_int_equal(fl_writer_totals(f->x.writer)->runs - runs, 3 * (1 + 3 + 2));
}

/*
 * 5 instructions; exit 0 after 1 instruction, no address (unmarked: an access
 * follows); exit 1 after 3 instructions, 1 address, marked because exit 2 after 4
 * instructions has 1 address too; the end has 2 addresses.
 */
static void side_exit_cuts_addresses_and_instructions(void **state)
{
    struct fixture *f = *state;
    uint64_t words[] = { fetch_op(5),
                         FLR_OP_ACCESS(FLR_OP_READ, 8, 0, 0),
                         FLR_OP_ACCESS(FLR_OP_WRITE, 8, 1, 0),
                         exit_at(0, 1, 1, false),
                         exit_at(1, 2, 3, true),
                         exit_at(1, 2, 4, false) };
    describe(f, 7, 3, 3, words);
    header(f, 7); /* leaves at exit 0: 1 fetch */
    header(f, 7); /* exit 1: 3 fetches, 1 read */
    word(f, 0x5000);
    word(f, FLR_WORD(FLR_EXIT, 1));
    header(f, 7); /* exit 2: 4 fetches, 1 read */
    word(f, 0x5000);
    header(f, 7); /* the end: 5 fetches, 1 read, 1 write */
    word(f, 0x5000);
    word(f, 0x6000);
    decode(f);
    totals_are(f, 3, 1, 1 + 3 + 4 + 5);
    assert_int_equal(f->x.n_damaged, 0);
}

static void block_cut_by_a_fault_counts_what_came_before(void **state)
{
    struct fixture *f = *state;
    describe(f, 0, 4, 0, straight);
    /* the second instruction faulted: two fetches, the first one's read */
    word(f, FLR_WORD(FLR_PARTIAL, 0 | 2ULL << 32 | 2ULL << 48));
    word(f, 0x5000);
    decode(f);
    totals_are(f, 1, 0, 2);
}

static void system_call_touches_each_page_once(void **state)
{
    struct fixture *f = *state;
    word(f, FLR_WORD(FLR_KERNEL_WRITE, 2 * 4096));
    word(f, 0x5001); /* 3 pages */
    word(f, FLR_WORD(FLR_KERNEL_READ, 1));
    word(f, 0x5fff);
    decode(f);
    totals_are(f, 0, 0, 0);
    assert_int_equal(fl_writer_totals(f->x.writer)->syscall_writes, 3);
    assert_int_equal(fl_writer_totals(f->x.writer)->syscall_reads, 1);
}

static void access_below_the_stack_grows_it_first(void **state)
{
    struct fixture *f = *state;
    uint64_t ops[] = { FLR_OP_ACCESS(FLR_OP_WRITE, 8, 0, 0) };
    uint64_t before = fl_writer_totals(f->x.writer)->events;
    describe(f, 0, 1, 0, ops);
    for (uint64_t page = 0x1ffefde; page > 0x1ffefde - 3; page--) { /* 0x1ffefdf is mapped */
        header(f, 0);
        word(f, page << 12);
    }
    header(f, 0);
    word(f, 0x1ffe700000); /* below the limit: not the stack */
    decode(f);
    totals_are(f, 0, 4, 0);
    assert_int_equal(fl_writer_totals(f->x.writer)->events, before + 3);
    assert_int_equal(f->p->stack.low, 0x1ffefde - 2);
}

static void child_of_a_fork_knows_its_parents_blocks(void **state)
{
    struct fixture *f = *state;
    struct exact_process *child = NULL;
    struct flr_forked forked = { .token = 99, .pid = 4000001, .ppid = 4000000, .tid = 4000001 };
    uint64_t token = 99, later[] = { fetch_op(9) };
    uint64_t words[64] = { FLR_WORD(FLR_RECORD,
                                    (uint64_t)FLR_REC_FORKED << 32 | sizeof forked / 8) };
    size_t n = 1 + sizeof forked / 8;
    describe(f, 0, 4, 0, straight);
    record(f, FLR_REC_FORKING, &token, 1);
    describe(f, 1, 1, 0, later); /* translated after the fork: the parent's alone */
    decode(f);
    memcpy(words + 1, &forked, sizeof forked);
    words[n++] = FLR_WORD(FLR_SUPERBLOCK, 0);
    words[n++] = 0x5000;
    words[n++] = 0x5008;
    words[n++] = 0x6000;
    words[n++] = FLR_WORD(FLR_END, 0);
    fl_exact_decode(&f->x, &child, words, n);
    assert_non_null(child);
    assert_int_not_equal(child->mm, f->p->mm);
    assert_int_equal(child->blocks.n, 1);
    totals_are(f, 2, 2, 3);
    assert_int_equal(f->x.n_damaged, 0);
    fl_exact_ended(&f->x, child, 0);
    fl_exact_process_free(child);
}

static void exec_forgets_the_old_blocks(void **state)
{
    struct fixture *f = *state;
    struct flr_image image = { .is_exec = 1, .pid = 4000000, .tid = 4000000, .comm = "next" };
    uint32_t mm = f->p->mm;
    describe(f, 0, 4, 0, straight);
    record(f, FLR_REC_IMAGE, &image, sizeof image / 8);
    decode(f);
    assert_int_equal(f->p->mm, mm + 1);
    assert_string_equal(f->p->comm, "next");
    header(f, 0);
    decode(f);
    assert_int_equal(f->x.n_damaged, 1);
}

static void announce(struct fixture *f, uint64_t ino, uint64_t birth_ns, uint64_t n_ranges)
{
    struct flr_file file = { .dev = 7,
                             .ino = ino,
                             .size_bytes = 9000,
                             .birth_ns = birth_ns,
                             .read_ahead_pages = 32,
                             .n_ranges = n_ranges };
    record(f, FLR_REC_FILE, &file, sizeof file / 8);
}

static void transfer(struct fixture *f, uint64_t ino, uint64_t op, uint64_t offset)
{
    struct flr_file_io io = { 7, ino, op, 0, offset, 100 };
    record(f, FLR_REC_FILE_IO, &io, sizeof io / 8);
}

/* The events from the first file on, as dumped, without time and thread; the writer is closed. */
static char *file_events(struct fixture *f)
{
    struct fl_reader *r;
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    struct fl_err err;
    void *bytes;
    size_t len, n_text;
    char *text = NULL;
    FILE *out = open_memstream(&text, &n_text);
    assert_int_equal(fl_writer_close(f->x.writer, &bytes, &len, &err), FL_OK);
    f->x.writer = NULL;
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
    while (item.kind != FL_ITEM_END) {
        assert_int_equal(fl_reader_next(r, &item, &err), FL_OK);
        item.event.time_ns = 0;
        item.event.thread = 0;
        if (item.kind == FL_ITEM_EVENT && item.event.kind >= FL_EV_FILE)
            fl_dump_item(r, &item, NULL, out);
    }
    fclose(out);
    fl_reader_free(r);
    free(bytes);
    return text;
}

static void first_announcement_of_a_file_defines_it(void **state)
{
    struct fixture *f = *state;
    const uint64_t ranges[2][2] = { { 0, 4096 }, { 8192, 4096 } };
    const uint64_t lock[3] = { 0x5000, 4096, FL_LOCK_ON_FAULT };
    struct flr_map map = { .start = 0x5000, .length = 4096, .prot = 1, .dev = 7, .ino = 5 };
    announce(f, 5, 1000, 2);
    record(f, FLR_REC_RESIDENT, ranges[0], 2);
    record(f, FLR_REC_RESIDENT, ranges[1], 2);
    transfer(f, 5, FL_IO_READ, 1);
    announce(f, 5, 1000, 1); /* by another program: what is cached now is the first one's doing */
    record(f, FLR_REC_RESIDENT, ranges[1], 2);
    record(f, FLR_REC_MAP, &map, sizeof map / 8);
    transfer(f, 6, FL_IO_SYNC, 2);  /* of a file nobody announced: nothing */
    announce(f, 5, 2000, 0);        /* its number was given to a new file, */
    transfer(f, 5, FL_IO_WRITE, 3); /* which is meant from here on */
    announce(f, 8, 0, ~0ULL);       /* the kernel did not tell what is cached */
    record(f, FLR_REC_LOCK, lock, 3);
    decode(f);
    assert_int_equal(f->x.n_damaged, 0);
    char *got = file_events(f);
    assert_string_equal(
        got, "0 t0 file file=0 dev=0x7 ino=5 size=9000 path=\"\"\n"
             "0 t0 resident file=0 offset=0 length=4096 read-ahead=32\n"
             "0 t0 resident file=0 offset=8192 length=4096 read-ahead=32\n"
             "0 t0 file-io file=0 op=read offset=1 length=100 flags=-\n"
             "0 t0 map mm=0 start=0x5000 length=0x1000 prot=r-- flags=- file=0 offset=0x0\n"
             "0 t0 file file=1 dev=0x7 ino=5 size=9000 path=\"\"\n"
             "0 t0 resident file=1 offset=0 length=0 read-ahead=32\n"
             "0 t0 file-io file=1 op=write offset=3 length=100 flags=-\n"
             "0 t0 file file=2 dev=0x7 ino=8 size=9000 path=\"\"\n"
             "0 t0 lock mm=0 start=0x5000 length=0x1000 mode=on-fault\n");
    free(got);
}

static void unknown_words_are_counted_as_damage(void **state)
{
    struct fixture *f = *state;
    word(f, 0x1234); /* an address that belongs to no block */
    decode(f);
    header(f, 12345);
    decode(f);
    word(f, FLR_WORD(100, 0));
    decode(f);
    assert_int_equal(f->x.n_damaged, 3);
    totals_are(f, 0, 0, 0);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* A program may overwrite the ring: any words must leave us standing. */
static void random_words_do_no_harm(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 20260101;
    for (int round = 0; round < 3000; round++) {
        describe(f, (uint32_t)(round % 5), 4, 0, straight);
        while (f->n < 60) {
            uint64_t r = next_random(&seed);
            switch (r % 6) {
            case 0: header(f, (uint32_t)(r >> 8) % 7); break;
            case 1: word(f, FLR_WORD((r >> 8) % 12, (r >> 16) % 70)); break;
            case 2:
                word(f, FLR_WORD(FLR_RECORD, (uint64_t)((r >> 8) % 20) << 32 | (r >> 16) % 16));
                break;
            case 3: word(f, r); break;
            default: word(f, (r >> 8) % 0x100000); break;
            }
        }
        decode(f);
        if (f->p == NULL || f->p->ended)
            break;
    }
    assert_true(f->x.n_damaged > 0);
    fl_exact_flush(&f->x);
    assert_int_equal(f->x.first_rc, FL_OK);
}

#define BLOCKS 12u
#define PLACES 11 /* words of the longest */

/* A superblock of fetches on two pages and accesses of up to three words, with an exit in the middle. */
static void describe_random(struct fixture *f, uint32_t id, uint64_t *seed)
{
    uint64_t words[48];
    bool is_long = id % 4 == 0;
    unsigned room = is_long ? PLACES : 3; /* words */
    size_t n = (is_long ? 30 : 4) + next_random(seed) % 12,
           middle = 1 + next_random(seed) % (n - 1);
    unsigned used = 0, at_middle = 0, fetches = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t r = next_random(seed);
        unsigned index = r % room < used ? (unsigned)(r % room) : used;
        if (i == middle)
            at_middle = used;
        if (i == 0 || r % 4 == 0 || index == room) {
            unsigned count = 1 + (unsigned)(r >> 8) % 5;
            words[i] =
                FLR_OP(FLR_OP_FETCH, (uint64_t)count << 52 | (CODE + id % 3 + (r >> 12) % 2));
            fetches = i < middle ? count : fetches;
            continue;
        }
        used = index == used ? used + 1 : used;
        words[i] = FLR_OP_ACCESS(1 + FLR_OP_FETCH + (r >> 8) % 3, 1 + (r >> 16) % 16, index,
                                 (int)((r >> 24) % 9000) - 4500);
    }
    if (middle == n)
        at_middle = used;
    words[n] = exit_at(at_middle, (unsigned)middle, fetches, true);
    describe(f, id, n, 1, words);
}

/* Words that stay where they were most of the time. */
static void execute_random(struct fixture *f, uint32_t id, uint64_t *place, uint64_t *seed)
{
    const struct exact_block *b = f->p->blocks.at[id].block;
    bool leaves = next_random(seed) % 3 == 0;
    size_t n = leaves ? b->words[b->n_ops] & 0xffff : b->n_words;
    header(f, id);
    for (size_t i = 0; i < n; i++) {
        if (next_random(seed) % 20 == 0)
            place[i] = (0x100 + id * 7 + next_random(seed) % 4) << 12;
        word(f, place[i] + next_random(seed) % 4096);
    }
    if (leaves)
        word(f, FLR_WORD(FLR_EXIT, 0));
}

/* The trace of a random program; @plain: each operation by itself; @wide: words compared together. */
static void *random_program(bool plain, bool wide, size_t *len)
{
    void *state = NULL, *bytes;
    struct fl_err err;
    uint64_t seed = 20260102, place[BLOCKS][PLACES];
    setup(&state);
    struct fixture *f = state;
    f->x.start_ns = UINT64_MAX; /* times are not compared */
    f->x.wide &= wide;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        describe_random(f, i, &seed);
        for (size_t k = 0; k < PLACES; k++)
            place[i][k] = (0x100 + next_random(&seed) % 90) << 12;
    }
    decode(f);
    for (uint32_t i = 0; i < BLOCKS; i++)
        f->p->blocks.at[i].block->plain = plain;
    for (int segment = 0; segment < 200; segment++) {
        while (f->n < 3000) {
            uint32_t id = (uint32_t)(next_random(&seed) % BLOCKS);
            execute_random(f, id, place[id], &seed);
        }
        decode(f);
    }
    assert_int_equal(f->x.n_damaged, 0);
    fl_exact_flush(&f->x);
    assert_int_equal(fl_writer_close(f->x.writer, &bytes, len, &err), FL_OK);
    f->x.writer = NULL;
    teardown(&state);
    return bytes;
}

static void paths_are_what_their_operations_are(void **state)
{
    size_t len[3], n = 0;
    void *bytes[3] = { random_program(true, false, &len[0]), random_program(false, false, &len[1]),
                       random_program(false, true, &len[2]) };
    struct fl_reader *r[3];
    struct fl_item item[3] = { { .kind = FL_ITEM_EVENT } };
    struct fl_err err;
    (void)state;
    for (int k = 0; k < 3; k++)
        assert_int_equal(fl_reader_open_mem(bytes[k], len[k], 0, &r[k], &err), FL_OK);
    while (item[0].kind != FL_ITEM_END) {
        const struct fl_runs *a = &item[0].runs;
        for (int k = 0; k < 3; k++) {
            const struct fl_runs *b = &item[k].runs;
            assert_int_equal(fl_reader_next(r[k], &item[k], &err), FL_OK);
            assert_int_equal(item[0].kind, item[k].kind);
            if (item[0].kind != FL_ITEM_RUNS)
                continue;
            assert_int_equal(a->n, b->n);
            assert_memory_equal(a->page, b->page, a->n * sizeof *a->page);
            assert_memory_equal(a->reads, b->reads, a->n * sizeof *a->reads);
            assert_memory_equal(a->writes, b->writes, a->n * sizeof *a->writes);
            assert_memory_equal(a->fetches, b->fetches, a->n * sizeof *a->fetches);
        }
        n += item[0].kind == FL_ITEM_RUNS ? a->n : 0;
    }
    assert_true(n > 100000);
    for (int k = 0; k < 3; k++) {
        fl_reader_free(r[k]);
        free(bytes[k]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(block_without_exits_counts_every_access),
        TEST(consecutive_blocks_on_one_page_are_one_run),
        TEST(long_runs_lose_no_counts),
        TEST(access_across_a_page_boundary_counts_on_both_pages),
        TEST(guarded_access_that_did_not_happen_counts_nothing),
        TEST(accesses_that_share_a_word_are_on_their_own_pages),
        TEST(side_exit_cuts_addresses_and_instructions),
        TEST(block_cut_by_a_fault_counts_what_came_before),
        TEST(system_call_touches_each_page_once),
        TEST(access_below_the_stack_grows_it_first),
        TEST(child_of_a_fork_knows_its_parents_blocks),
        TEST(exec_forgets_the_old_blocks),
        TEST(first_announcement_of_a_file_defines_it),
        TEST(unknown_words_are_counted_as_damage),
        TEST(random_words_do_no_harm),
        cmocka_unit_test(paths_are_what_their_operations_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
