/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a trace. The fuzz build takes every checksum as right
 * (FAULTLINE_FUZZING), or nothing behind the header would ever be reached.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/kernel_events.h>
#include <faultline/trace.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static uint64_t walk(struct fl_reader *r, FILE *sink, int *rc)
{
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    struct fl_probes *probes = fl_probes_new();
    struct fl_snapshots *snapshots = fl_snapshots_new();
    struct fl_err err;
    uint64_t sum = 0;
    must(probes && snapshots);
    for (unsigned items = 0; items < 20000; items++) {
        *rc = fl_reader_next(r, &item, &err);
        if (*rc != FL_OK || item.kind == FL_ITEM_END)
            break;
        if (item.kind == FL_ITEM_EVENT) {
            must(fl_probes_event(probes, &item.event, &err) == FL_OK);
            must(fl_snapshots_event(snapshots, &item.event, &err) == FL_OK);
        }
        if (items < 64 && item.kind == FL_ITEM_EVENT)
            fl_dump_item(r, &item, probes, sink);
        if (item.kind != FL_ITEM_RUNS)
            continue;
        must(item.runs.n > 0);
        for (size_t i = 0; i < item.runs.n; i++) {
            must(item.runs.page[i] < fl_reader_pages(r));
            must((item.runs.reads[i] | item.runs.writes[i] | item.runs.fetches[i]) != 0);
            sum = sum * 31 + fl_reader_page(r, item.runs.page[i]).vpn + item.runs.reads[i];
        }
        for (size_t i = 0; i < item.runs.n_codes; i++) {
            const struct fl_run_code *c = &item.runs.codes[i];
            must(c->run < item.runs.n && (i == 0 || c->run > c[-1].run) && c->code != FL_NO_CODE);
            sum = sum * 31 + c->code;
        }
    }
    for (size_t i = 0; i < fl_snapshots_count(snapshots); i++) {
        struct fl_snapshot x = fl_snapshots_at(snapshots, i);
        must(strlen(x.text) == x.bytes);
    }
    fl_snapshots_free(snapshots);
    fl_probes_free(probes);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *sink;
    if (!sink)
        sink = fopen("/dev/null", "w");
    for (unsigned flags = 0; flags <= FL_READ_PARTIAL; flags++) {
        struct fl_reader *r = NULL;
        struct fl_err err;
        int rc = fl_reader_open_mem(data, size, flags, &r, &err);
        if (rc != FL_OK) {
            must(rc < 0 && err.msg[0]);
            continue;
        }
        uint64_t first = walk(r, sink, &rc);
        /* What a partial reader let in, it must be able to give; and twice the same. */
        must(rc == FL_OK || rc == FL_EDATA || !(flags & FL_READ_PARTIAL));
        must(fl_reader_rewind(r, &err) == FL_OK);
        must(walk(r, sink, &rc) == first);
        /* Its reduced layers, where it has some, are not trusted either. */
        for (uint32_t frames = 0; frames < 2; frames++) {
            must(fl_reader_rewind_reduced(r, 0 - frames, &err) == FL_OK);
            first = walk(r, sink, &rc);
            must(rc != FL_EDATA);
            must(fl_reader_rewind_reduced(r, 0 - frames, &err) == FL_OK);
            must(walk(r, sink, &rc) == first);
        }
        fl_reader_free(r);
    }
    return 0;
}
