/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hits.h - raw bytes of tracepoints into the events of a trace.
 *
 * A tracepoint is defined (PROBE) at its first hit, a text (NAME) at its first use. Ids of both
 * are given here, so all of a recording's go through one fl_hits.
 */
#ifndef FL_PERF_HITS_H
#define FL_PERF_HITS_H

#include "tracepoint.h"

/* Distinct texts that a recording keeps, and their bytes; further ones become "(more names)". */
#define FL_HITS_NAMES 65536u
#define FL_HITS_NAME_BYTES (UINT32_C(16) << 20)

struct fl_hits;

/** One sample of a tracepoint, as the kernel wrote it. */
struct fl_raw_hit {
    uint32_t cpu, tid; /* tid 0: the idle task */
    uint32_t thread;   /* dense index of the task in the trace, or FL_NO_THREAD */
    uint64_t time_ns;  /* since the recording began */
    const uint8_t *raw;
    uint32_t raw_bytes;
};

struct fl_hits_counts {
    uint64_t hits;
    /* hits with fewer values: the record did not hold all fields; but of FL_TP_ID_BPF's, which may */
    uint64_t cut;
    uint64_t other_names; /* uses of texts beyond the limits */
};

/**
 * fl_hits_new - @emit gets each event, with @ctx; its strings live until it returns.
 * @redact: no text that may name a user's program or file; what the kernel's own allocators
 * are called stays. Returns: NULL when out of memory.
 */
struct fl_hits *fl_hits_new(int (*emit)(void *ctx, const struct fl_event *ev, struct fl_err *err),
                            void *ctx, bool redact);
void fl_hits_free(struct fl_hits *h); /* NULL is fine */

/**
 * fl_hits_push - emit @hit of tracepoint @tp, and what it is the first to need.
 * @index: of @tp among the caller's tracepoints, always the same for the same one; below 65536.
 * A field that is not within the record ends the values there: the hit counts, nothing is made up.
 * Returns: FL_OK, what @emit fails with, FL_ENOMEM.
 * Cost: no system call, no memory except for what is new.
 */
int fl_hits_push(struct fl_hits *h, const struct fl_tp_event *tp, uint32_t index,
                 const struct fl_raw_hit *hit, struct fl_err *err);

/**
 * fl_hits_name - the id of a text that something else of the trace names, as samples do;
 * emitted at @time_ns if it is new.
 */
int fl_hits_name(struct fl_hits *h, const char *text, uint64_t time_ns, uint32_t *id,
                 struct fl_err *err);

/** fl_hits_count - hits of the caller's tracepoint @index; 0 for one that had none. */
uint64_t fl_hits_count(const struct fl_hits *h, uint32_t index);

/** fl_hits_counts - of all tracepoints together. */
struct fl_hits_counts fl_hits_counts(const struct fl_hits *h);

#endif
