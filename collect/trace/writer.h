/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.h - what the writer's files share: writer.c has blocks and events, writeruns.c runs.
 */
#ifndef FL_TRACE_WRITER_H
#define FL_TRACE_WRITER_H

#include <zstd.h>

#include "blockenc.h"
#include "layer.h"
#include "sink.h"
#include "tstate.h"

struct fl_writer {
    struct fl_sink sink;
    struct fl_blockenc block;
    struct fl_tstate state;
    struct fl_totals totals, good_totals; /* good: of the finished blocks */
    struct fl_meta *late;
    ZSTD_CCtx *zstd;
    int level;
    uint32_t blocks;
    uint64_t block_access, block_time_ns; /* where the open block begins */

    bool run_open; /* the last run, which later calls may still continue */
    uint32_t thread, page, reads, writes, fetches;
    enum fl_actor actor;

    uint32_t *code_at; /* thread -> where it is; made by the first fl_writer_code() */
    uint32_t code_at_cap;

    struct fl_layer_writer layer;
    struct fl_buf packed;
    struct fl_err failed; /* code FL_OK: nothing has failed */
};

/* fl_writer_fail - remember the failure, and end the trace with what was good. Returns its code. */
int fl_writer_fail(struct fl_writer *w, const struct fl_err *why);
/* fl_writer_repeat_failure - it has failed before: that failure, into @err (may be NULL). */
int fl_writer_repeat_failure(const struct fl_writer *w, struct fl_err *err);
/* fl_writer_end_run - nothing continues the open run, if there is one. */
int fl_writer_end_run(struct fl_writer *w, struct fl_err *err);
/* fl_writer_finish_block - what is in the open block goes to the sink; errors end the trace. */
int fl_writer_finish_block(struct fl_writer *w, struct fl_err *err);

#endif
