/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aux_ring.h - the AUX buffer beside a ring, and what Arm SPE writes to it.
 *
 * The kernel says in the ring, by PERF_RECORD_AUX, which bytes of the AUX buffer are new. The
 * processor's records there are made sample records here, so that all that follows knows one kind
 * of samples. Works on memory it is given and believes none of it, as ring.h.
 */
#ifndef FL_PERF_AUX_RING_H
#define FL_PERF_AUX_RING_H

#include "perf_merge.h"
#include "spe.h"
#include "spe_source.h"

/* The fields of the samples made here. */
#define FL_AUX_SAMPLE_TYPE                                                          \
    (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | \
     PERF_SAMPLE_ADDR | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_WEIGHT | \
     PERF_SAMPLE_DATA_SRC | PERF_SAMPLE_PHYS_ADDR)

/** One CPU's AUX buffer: the kernel moves head, we move tail, both only ever grow. */
struct fl_aux {
    uint64_t *head, *tail;
    const uint8_t *data; /* NULL: there is none */
    uint64_t size_bytes; /* a power of two */
    uint64_t seen;       /* head at the last fl_aux_take() */
    bool stopped;        /* it was full, and the kernel has switched the event off for that */

    uint64_t period; /* operations that a sample stands for */
    enum fl_spe_sources sources;
    bool any_task; /* records of all tasks: only they themselves can say of which */
};

/**
 * fl_aux_take - the samples that the AUX records among the @len bytes at @records tell of, and
 * give their place back to the kernel.
 * @clock: ticks of the records to CLOCK_MONOTONIC.
 * @damaged: grows by the stretches and records that could not be read, one each.
 * Returns: whole sample records with the id of the AUX record's event, to be freed or handed to
 * fl_merge_add(); NULL: none, or out of memory, which counts as damaged. Their thread is the one
 * of the AUX record; with any_task the processor's context, with FL_PID_OF_TID for the process.
 * Cost: O(bytes), 88 bytes a sample.
 */
struct fl_chunk *fl_aux_take(struct fl_aux *aux, const struct fl_spe_clock *clock,
                             const uint8_t *records, size_t len, uint64_t *damaged);

/* ---- aux_map.c --------------------------------------------------------------------- */

struct fl_perf_set;

/** fl_aux_map - AUX buffers for the set's events that need them, behind mapped rings. */
int fl_aux_map(struct fl_perf_set *set, struct fl_err *err);
void fl_aux_unmap(struct fl_perf_set *set);

/** fl_aux_resume - switch on again what a full buffer of CPU number @cpu of the set has stopped. */
void fl_aux_resume(struct fl_perf_set *set, uint32_t cpu);

/** fl_aux_clock - the timer that SPE writes, now; false where this processor has none. */
bool fl_aux_clock(struct fl_spe_clock *out);

#endif
