/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * sweep_batch.h - the `sweep` command's traces and their points.
 *
 * sweep_batch.c    which traces, which points, what of them is known, what is to be done
 * sweep_prepare.c  what of a trace must be known before its points can be
 */
#ifndef REPLAY_SWEEP_BATCH_H
#define REPLAY_SWEEP_BATCH_H

#include "cmd_common.h"
#include "sweep.h"
#include "sweep_part.h"

/** The options. */
struct sweep_cfg {
    const char *ram, *swap, *policy, *machine, *swap_device, *list, *resume, *shard, *out;
    struct fl_size memory;
    uint64_t jobs, seed;
    bool json, partial, dry_run;
};

/** The points of each trace: every combination, RAM the innermost. */
struct sweep_axes {
    struct fl_size *ram, *swap;
    size_t n_ram, n_swap, n_policy, n_machine; /* n_machine 0: no TLBs */
    const struct fl_policy_ops *policy[16];
    char *machine[16]; /* names, or files */
};

/** A trace of the batch. */
struct batch_trace {
    const char *path;
    struct fl_sweep_point *points;  /* batch.n_points */
    struct fl_sweep_point **to_ask; /* of these; n_to_ask */
    size_t n_to_ask;
    enum fl_fidelity fidelity;
    uint64_t distinct_pages, runs;
    struct fl_kernel_opts kernel;
    struct fl_machine *loaded[16];
};

struct batch {
    const struct sweep_cfg *cfg;
    struct sweep_axes axes;
    struct batch_trace *traces;
    size_t n_traces, n_points; /* n_points: of each trace */
    size_t n_to_ask;           /* of all */
    bool several;              /* results go to a folder */
    bool wants_facts;          /* for a result in JSON, or a part */
    unsigned shard, shards;    /* 0 of 1: all */
    struct sweep_known known;
    struct sweep_part *part; /* NULL: nothing is kept */
    char *list_text;         /* what the paths of a list lie in */
};

/** batch_begin - the traces and their points, as far as the options tell. Free even on error. */
int batch_begin(struct batch *b, const struct sweep_cfg *cfg, char **paths, int n_paths,
                struct fl_err *err);
void batch_free(struct batch *b);

/** batch_resume - read the parts there are, open the own one; which points are to be done. */
int batch_resume(struct batch *b, struct fl_err *err);

/** batch_prepare - open every trace that is asked, or that a result is of; make its points. */
int batch_prepare(struct batch *b, const struct sweep_progress *progress, struct fl_err *err);

/** batch_threads - as many as --jobs says. */
unsigned batch_threads(const struct batch *b);

/** batch_plan - what is to be done as @plan; the caller frees @traces after it. */
int batch_plan(struct batch *b, struct sweep_trace **traces, struct sweep_plan *plan,
               struct fl_err *err);

/** batch_keep - note the answers of @job in the part, if there is one. A done() of a plan. */
int batch_keep(void *batch, const struct sweep_job *job, struct fl_err *err);

/** batch_json - the result of trace @t. A new reference; NULL: out of memory. */
json_t *batch_json(const struct batch *b, size_t t);

#endif
