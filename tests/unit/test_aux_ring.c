/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm SPE from an AUX buffer to the events of a trace: bytes after the Arm Architecture Reference
 * Manual's packet tables in a buffer of 256 bytes, the kernel's AUX records beside them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/datasrc.h>
#include <faultline/trace.h>

#include "aux_ring.h"
#include "perf_recs.h"
#include "perf_tree.h"

#define AUX_BYTES 256u
#define ID_SPE 700u
#define TICKS_HZ UINT64_C(25000000) /* 40 ns a tick */
#define PERIOD UINT64_C(65536)
#define NEOVERSE_N1 UINT64_C(0x413fd0c1)

/* A load at 0xaaaad0001234 of 0xffff80001000 that missed L1 and walked the TLB, from memory. */
static const uint8_t load[] = {
    0xb0, 0x34, 0x12, 0x00, 0xd0, 0xaa, 0xaa, 0x00, 0x80, /* PC, EL0 */
    0x64, 0x0a, 0x00, 0x00, 0x00,                         /* context: thread 10 */
    0x49, 0x00,                                           /* load */
    0x52, 0x3e, 0x00,                                     /* retired, L1 refill, TLB walk */
    0x98, 0x2c, 0x01,                                     /* latency 300 */
    0xb2, 0x00, 0x10, 0x00, 0x80, 0xff, 0xff, 0x00, 0x00, /* data address */
    0x43, 0x0e,                                           /* memory */
    0x71, 0xe8, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* tick 1000 */
};
/* A store at EL1, of no thread that is told, without a time of its own. */
static const uint8_t store[] = {
    0xb0, 0x00, 0x40, 0x08, 0x80, 0x00, 0x80, 0xff, 0xa0, /* PC, EL1 */
    0x49, 0x01,                                           /* store */
    0x52, 0x06, 0x00,                                     /* retired, L1 access */
    0xb2, 0x08, 0x20, 0x00, 0x80, 0xff, 0xff, 0x00, 0x00, /* data address */
    0x01,                                                 /* end */
};

struct fix {
    struct fl_aux aux;
    uint64_t head, tail, damaged;
    uint8_t bytes[AUX_BYTES];
    struct recbuf ring;
    struct fl_spe_clock clock;
};

static void fix_open(struct fix *f, uint64_t at)
{
    memset(f, 0, sizeof *f);
    f->head = f->tail = at;
    f->aux = (struct fl_aux){ .head = &f->head,
                              .tail = &f->tail,
                              .data = f->bytes,
                              .size_bytes = AUX_BYTES,
                              .seen = at,
                              .period = PERIOD,
                              .sources = fl_spe_sources_of(NEOVERSE_N1) };
    f->clock = (struct fl_spe_clock){ .ticks = 2000, .time_ns = 50000, .ticks_hz = TICKS_HZ };
}

/* What the processor does: bytes at head, around the end of the buffer if need be. */
static void write_aux(struct fix *f, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        f->bytes[(f->head + i) % AUX_BYTES] = bytes[i];
    f->head += n;
}

/* What the kernel does: so many bytes before head are new. Thread 11 of process 10 ran. */
static void tell(struct fix *f, uint64_t offset, uint64_t size, uint64_t flags, uint64_t time_ns)
{
    struct recbuf *b = &f->ring;
    rb_begin(b, PERF_RECORD_AUX, 0);
    rb_u64(b, offset);
    rb_u64(b, size);
    rb_u64(b, flags);
    rb_u32(b, 10);
    rb_u32(b, 11);
    rb_u64(b, time_ns);
    rb_u64(b, 0); /* CPU 0 */
    rb_u64(b, ID_SPE);
    rb_size(b);
}

static struct fl_chunk *take(struct fix *f)
{
    struct fl_chunk *c = fl_aux_take(&f->aux, &f->clock, f->ring.bytes, f->ring.n, &f->damaged);
    f->ring.n = 0;
    return c;
}

/* ---- records to a trace ----------------------------------------------------------------- */

static struct fl_perf_id ids_v[] = {
    { ID_TRACK, FL_SRC_TRACK, 0, 0, FL_SAMPLE_FAULT, 0 },
    { ID_SPE, FL_SRC_SAMPLE, 0, 0, FL_AUX_SAMPLE_TYPE, 0 },
};
static const struct fl_perf_ids ids = { .v = ids_v, .n = 2 };

static int name_of(void *ctx, const struct fl_perf_rec *rec, bool *keep, uint32_t *name,
                   struct fl_err *err)
{
    (void)ctx, (void)rec, (void)keep, (void)err;
    *name = 0;
    return FL_OK;
}

static int emit(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    return fl_writer_event(ctx, ev, err);
}

static void add_chunk(struct fl_merge *merge, const struct recbuf *b)
{
    struct fl_chunk *c = malloc(sizeof *c + b->n);
    assert_non_null(c);
    *c = (struct fl_chunk){ .len_bytes = b->n };
    memcpy(c->bytes, b->bytes, b->n);
    assert_int_equal(fl_merge_add(merge, c, NULL), FL_OK);
}

static void start_tasks(struct recbuf *b)
{
    b->n = 0;
    rb_comm(b, PERF_RECORD_MISC_COMM_EXEC, 10, 10, 100, "app");
    rb_task(b, PERF_RECORD_FORK, 10, 10, 11, 10, 200);
}

/* Samples of the trace that ring records @b and AUX samples @samples make; the tree's counts. */
static size_t trace_samples(const struct recbuf *b, struct fl_chunk *samples,
                            struct fl_event out[4], struct fl_tree_counts *counts)
{
    struct recbuf start;
    struct fl_writer *w;
    struct fl_reader *r;
    struct fl_perf_rec rec;
    struct fl_item item;
    void *bytes;
    size_t len, n = 0;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_SAMPLED, NULL, NULL, &w, NULL), FL_OK);
    const struct fl_event name = { .kind = FL_EV_NAME,
                                   .thread = FL_NO_THREAD,
                                   .name = { 0, "operations" } };
    assert_int_equal(fl_writer_event(w, &name, NULL), FL_OK);
    const struct fl_tree_io io = { .ctx = w, .emit = emit, .sample = name_of };
    struct fl_tree *tree = fl_tree_new(&(struct fl_tree_opts){ .root_pid = 10 }, &io);
    struct fl_merge *merge = fl_merge_new(2, &ids);
    start_tasks(&start);
    add_chunk(merge, &start);
    if (b->n)
        add_chunk(merge, b);
    if (samples) {
        samples->cpu = 1; /* behind the one ring */
        assert_int_equal(fl_merge_add(merge, samples, NULL), FL_OK);
    }
    while (fl_merge_next(merge, UINT64_MAX, &rec))
        assert_int_equal(fl_tree_push(tree, &rec, NULL), FL_OK);
    assert_int_equal(fl_merge_counts(merge).damaged, 0);
    *counts = *fl_tree_counts(tree);
    fl_merge_free(merge);
    fl_tree_free(tree);
    assert_int_equal(fl_writer_close(w, &bytes, &len, NULL), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, NULL), FL_OK);
    do {
        assert_int_equal(fl_reader_next(r, &item, NULL), FL_OK);
        if (item.kind == FL_ITEM_EVENT && item.event.kind == FL_EV_SAMPLE && n < 4)
            out[n++] = item.event;
    } while (item.kind != FL_ITEM_END);
    fl_reader_free(r);
    free(bytes);
    return n;
}

static void aux_bytes_become_samples_of_a_trace(void **state)
{
    (void)state;
    struct fix f;
    struct fl_event ev[4];
    struct fl_tree_counts counts;
    struct fl_datasrc d;
    const struct recbuf none = { .n = 0 };
    fix_open(&f, 1000); /* 1000 % 256 + 42 + 24 > 256: the first one goes around the end */
    write_aux(&f, load, sizeof load);
    write_aux(&f, store, sizeof store);
    tell(&f, 1000, sizeof load + sizeof store, 0, 60000);
    struct fl_chunk *samples = take(&f);
    assert_non_null(samples);
    assert_int_equal(f.damaged, 0);
    assert_int_equal(f.tail, f.head);
    assert_int_equal(trace_samples(&none, samples, ev, &counts), 2);
    /* 1,000 ticks before tick 2000: 40,000 ns before 50,000; in thread 11, which is number 1 */
    assert_int_equal(ev[0].time_ns, 10000);
    assert_int_equal(ev[0].thread, 1);
    assert_int_equal(ev[0].sample.address, UINT64_C(0xffff80001000));
    assert_int_equal(ev[0].sample.ip, UINT64_C(0xaaaad0001234));
    assert_int_equal(ev[0].sample.flags, FL_SAMPLE_READ | FL_SAMPLE_EXACT_IP);
    assert_int_equal(ev[0].sample.period, PERIOD);
    assert_int_equal(ev[0].sample.weight, 300);
    fl_datasrc_decode(ev[0].sample.data_source, &d);
    assert_int_equal(d.level, FL_LEVEL_RAM);
    assert_int_equal(d.tlb, FL_OUTCOME_MISS);
    /* the AUX record's time where there is none */
    assert_int_equal(ev[1].time_ns, 60000);
    assert_int_equal(ev[1].sample.address, UINT64_C(0xffff80002008));
    assert_int_equal(ev[1].sample.flags, FL_SAMPLE_WRITE | FL_SAMPLE_KERNEL | FL_SAMPLE_EXACT_IP);
    assert_int_equal(counts.samples, 2);
}

/* A CPU's AUX buffer for all tasks: thread 10 by its context, the store by none. */
static void aux_of_all_tasks_is_told_apart_by_context(void **state)
{
    (void)state;
    struct fix f;
    struct fl_event ev[4];
    struct fl_tree_counts counts;
    const struct recbuf none = { .n = 0 };
    fix_open(&f, 0);
    f.aux.any_task = true;
    write_aux(&f, load, sizeof load);
    write_aux(&f, store, sizeof store);
    tell(&f, 0, f.head, 0, 60000);
    assert_int_equal(trace_samples(&none, take(&f), ev, &counts), 1);
    assert_int_equal(ev[0].thread, 0);
    assert_int_equal(counts.unknown_records, 1);
}

static void aux_records_count_what_was_left_out(void **state)
{
    (void)state;
    struct fix f;
    struct fl_event ev[4];
    struct fl_tree_counts counts;
    struct recbuf ring;
    fix_open(&f, 0);
    tell(&f, 0, 0, PERF_AUX_FLAG_COLLISION, 500);
    tell(&f, 0, 0, PERF_AUX_FLAG_COLLISION | PERF_AUX_FLAG_TRUNCATED, 600);
    rb_begin(&f.ring, PERF_RECORD_ITRACE_START, 0);
    rb_u32(&f.ring, 10);
    rb_u32(&f.ring, 11);
    rb_end(&f.ring, 10, 11, 700);
    ring = f.ring;
    assert_null(take(&f));
    assert_int_equal(trace_samples(&ring, NULL, ev, &counts), 0);
    assert_true(f.aux.stopped); /* by the truncation */
    assert_int_equal(counts.collisions, 2);
    assert_int_equal(counts.truncations, 1);
    assert_int_equal(counts.unknown_records, 0);
    assert_int_equal(f.damaged, 0);
}

static void aux_whose_record_was_lost_is_given_back_a_round_later(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, 0);
    write_aux(&f, load, sizeof load);
    assert_null(take(&f)); /* its record may come yet */
    assert_int_equal(f.tail, 0);
    assert_null(take(&f));
    assert_int_equal(f.tail, sizeof load);
    assert_int_equal(f.damaged, 1);
    assert_false(f.aux.stopped);
    write_aux(&f, load, sizeof load); /* and all goes on */
    tell(&f, sizeof load, sizeof load, 0, 60000);
    struct fl_chunk *samples = take(&f);
    assert_int_equal(samples->len_bytes, 88);
    assert_int_equal(f.damaged, 1);
    free(samples);
}

static void aux_padding_is_no_loss(void **state)
{
    (void)state;
    struct fix f;
    static const uint8_t zeroes[40];
    fix_open(&f, 0);
    write_aux(&f, zeroes, sizeof zeroes);
    assert_null(take(&f));
    assert_null(take(&f));
    assert_int_equal(f.tail, sizeof zeroes);
    assert_int_equal(f.damaged, 0);
}

static void aux_records_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const uint64_t bad[][2] = {
        { 1000, AUX_BYTES + 1 },     /* more than there is */
        { 900, 10 },                 /* given back before */
        { UINT64_MAX - 5, 10 },      /* around the end of all numbers */
        { 1000, UINT64_MAX - 1000 }, /* likewise */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fix f;
        fix_open(&f, 1000);
        tell(&f, bad[i][0], bad[i][1], 0, 60000);
        assert_null(take(&f));
        assert_int_equal(f.damaged, 1);
        assert_int_equal(f.tail, 1000);
    }
}

/* A byte that starts no packet costs its record; the next one is whole. */
static void aux_with_a_damaged_record_keeps_the_others(void **state)
{
    (void)state;
    struct fix f;
    uint8_t broken[sizeof load];
    memcpy(broken, load, sizeof load);
    broken[14] = 0xff;
    fix_open(&f, 0);
    write_aux(&f, broken, sizeof broken);
    write_aux(&f, store, sizeof store);
    tell(&f, 0, f.head, 0, 60000);
    struct fl_chunk *samples = take(&f);
    assert_non_null(samples);
    assert_int_equal(samples->len_bytes, 88);
    assert_true(f.damaged > 0);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aux_bytes_become_samples_of_a_trace),
        cmocka_unit_test(aux_of_all_tasks_is_told_apart_by_context),
        cmocka_unit_test(aux_records_count_what_was_left_out),
        cmocka_unit_test(aux_whose_record_was_lost_is_given_back_a_round_later),
        cmocka_unit_test(aux_padding_is_no_loss),
        cmocka_unit_test(aux_records_that_cannot_be_are_refused),
        cmocka_unit_test(aux_with_a_damaged_record_keeps_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
