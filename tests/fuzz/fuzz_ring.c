/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the contents of a ring: taken around its end, decoded, merged and
 * turned into events, none of which may crash, hang or break an id.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "perf_merge.h"
#include "perf_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint32_t threads, spaces, files;
    uint64_t time_ns;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static int emit(void *ctx, const struct fl_event *e, struct fl_err *err)
{
    struct seen *s = ctx;
    (void)err;
    must(e->time_ns >= s->time_ns);
    s->time_ns = e->time_ns;
    if (e->kind == FL_EV_THREAD)
        must(e->thread == s->threads++);
    else
        must(e->thread == FL_NO_THREAD || e->thread < s->threads);
    if (e->kind == FL_EV_PROCESS && e->process.mm == s->spaces)
        s->spaces++;
    if (e->kind == FL_EV_PROCESS)
        must(e->process.mm < s->spaces && strlen(e->process.comm) < 16);
    if (e->kind == FL_EV_EXEC)
        must(e->exec.mm == s->spaces++ && strlen(e->exec.path) < 65536);
    if (e->kind == FL_EV_FILE)
        must(e->file.file == s->files++ && strlen(e->file.path) < 65536);
    if (e->kind == FL_EV_MAP)
        must(e->map.mm < s->spaces && e->map.length && e->map.start + e->map.length > 0 &&
             (e->map.file == FL_NO_FILE || e->map.file < s->files));
    return FL_OK;
}

/* The first byte is where in the ring the input begins; the rest is its contents. */
static struct fl_chunk *through_a_ring(const uint8_t *data, size_t size)
{
    static uint8_t ring_bytes[1 << 16];
    uint64_t tail = (uint64_t)data[0] << 8, head = tail + size - 1;
    struct fl_ring ring = { &head, &tail, ring_bytes, sizeof ring_bytes };
    for (size_t i = 1; i < size; i++)
        ring_bytes[(tail + i - 1) & (sizeof ring_bytes - 1)] = data[i];
    uint64_t n = fl_ring_pending(&ring);
    struct fl_chunk *c = malloc(sizeof *c + n);
    if (!c)
        return NULL;
    *c = (struct fl_chunk){ .len_bytes = n };
    fl_ring_take(&ring, c->bytes, n);
    must(memcmp(c->bytes, data + 1, n) == 0 && tail == head);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fl_perf_id table[] = {
        { 1, FL_SRC_TRACK, 0, 0, FL_SAMPLE_FAULT, 1 },
        { 2, FL_SRC_MINOR, 0, 0, FL_SAMPLE_FAULT, 1 },
        { 3, FL_SRC_MAJOR, 0, 1, FL_SAMPLE_FAULT | PERF_SAMPLE_CALLCHAIN, 1 },
        { 4, FL_SRC_TP_USER, 0, 0, FL_SAMPLE_TRACEPOINT, 1 },
        { 5, FL_SRC_TP_KERNEL, 0, 0, FL_SAMPLE_TRACEPOINT, 1 },
        { 6, FL_SRC_TP_NEWTASK, 0, 0, FL_SAMPLE_TRACEPOINT, 1 },
        { 7, FL_SRC_PROBE, 3, 0, FL_SAMPLE_TRACEPOINT, 1 },
        { 8, FL_SRC_SAMPLE, 1, 0,
          FL_SAMPLE_FAULT | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC |
              PERF_SAMPLE_PHYS_ADDR | PERF_SAMPLE_PERIOD,
          1 },
    };
    struct fl_perf_ids ids = { .v = table, .n = sizeof table / sizeof table[0] };
    struct fl_tree_opts opts = { .root_pid = 10 };
    struct seen seen = { 0 };
    const struct fl_tree_io io = { .ctx = &seen, .emit = emit };
    struct fl_err err;
    struct fl_perf_rec rec;
    for (int i = 0; i < 2; i++) {
        opts.fields.address[i] = (struct fl_tp_field){ 8, 8 };
        opts.fields.error_code[i] = (struct fl_tp_field){ 24, 8 };
    }
    if (size < 1 || size > 1 << 16)
        return 0;
    fl_perf_ids_sort(&ids);
    struct fl_chunk *chunk = through_a_ring(data, size);
    struct fl_merge *merge = fl_merge_new(1, &ids);
    struct fl_tree *tree = fl_tree_new(&opts, &io);
    if (chunk && merge && tree && fl_merge_add(merge, chunk, &err) == FL_OK)
        while (fl_merge_next(merge, UINT64_MAX, &rec))
            if (fl_tree_push(tree, &rec, &err) != FL_OK)
                break;
    fl_tree_free(tree);
    fl_merge_free(merge);
    return 0;
}
