/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample_rec.h - the fields of PERF_RECORD_SAMPLE, for any sample_type a plan of pmu.h has.
 *
 * Works on memory it is given and believes none of it, as ring.h.
 */
#ifndef FL_PERF_SAMPLE_REC_H
#define FL_PERF_SAMPLE_REC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

/** What a sample's fields can be: PERF_SAMPLE_* bits; others are refused. */
#define FL_SAMPLE_REC_FIELDS                                                             \
    (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |      \
     PERF_SAMPLE_ADDR | PERF_SAMPLE_ID | PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU |       \
     PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_RAW | PERF_SAMPLE_WEIGHT | \
     PERF_SAMPLE_DATA_SRC | PERF_SAMPLE_TRANSACTION | PERF_SAMPLE_PHYS_ADDR |            \
     FL_PERF_SAMPLE_WEIGHT_STRUCT)

/** Fields that the sample_type does not have are 0. Pointers go into the record's bytes. */
struct fl_sample_rec {
    uint64_t id, ip, time_ns, address, period, data_src, phys;
    uint32_t pid, tid, cpu;
    uint64_t latency_cycles;  /* WEIGHT, or the first part of WEIGHT_STRUCT */
    uint16_t weight_parts[2]; /* Intel: instruction, retirement latency; AMD: tag to retirement */
    const uint8_t *chain; /* n_chain numbers of 8 bytes, not aligned; with PERF_CONTEXT_* marks */
    uint64_t n_chain;
    const uint8_t *raw;
    uint32_t raw_bytes;
    bool kernel, guest; /* where the ip was, by the record's header */
    bool exact_ip;      /* the ip is of the access itself, not of somewhere behind it */
};

/**
 * fl_sample_rec_decode - decode the SAMPLE record of exactly @len bytes at @buf, header included.
 * @sample_type: what its event was opened with. All events of a ring that have IDENTIFIER can
 * be told apart first, by fl_sample_rec_id().
 * Returns: false when it is no sample, is cut off, has bytes left over that no field explains, or
 * has fields besides FL_SAMPLE_REC_FIELDS.
 */
bool fl_sample_rec_decode(const uint8_t *buf, size_t len, uint64_t sample_type,
                          struct fl_sample_rec *out);

/** fl_sample_rec_id - the IDENTIFIER of a sample whose event is not known yet; 0: too short. */
uint64_t fl_sample_rec_id(const uint8_t *buf, size_t len);

/** fl_sample_rec_chain - number @i of the call chain, i < n_chain. */
uint64_t fl_sample_rec_chain(const struct fl_sample_rec *rec, uint64_t i);

#endif
