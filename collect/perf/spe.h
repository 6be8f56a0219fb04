/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spe.h - the records of Arm's Statistical Profiling Extension.
 *
 * The processor writes one record for each sampled operation into perf's AUX buffer,
 * as packets of 1 to 10 bytes; END or TIMESTAMP is the last one. The bytes are believed
 * in nothing: a record with a byte in it that starts no packet is dropped and counted,
 * and reading goes on behind the next END or TIMESTAMP.
 * Source: Arm Architecture Reference Manual (DDI 0487), part D, "Statistical Profiling
 * Extension sample record specification".
 */
#ifndef FL_PERF_SPE_H
#define FL_PERF_SPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* fl_spe_record.have: which of the fields the record had */
enum {
    FL_SPE_HAS_TIME = 1u << 0,
    FL_SPE_HAS_PC = 1u << 1,
    FL_SPE_HAS_ADDRESS = 1u << 2,
    FL_SPE_HAS_PHYS = 1u << 3,
    FL_SPE_HAS_EVENTS = 1u << 4,
    FL_SPE_HAS_SOURCE = 1u << 5,
    FL_SPE_HAS_CONTEXT = 1u << 6, /* context[0], of EL1 */
    FL_SPE_HAS_OP = 1u << 7,
    FL_SPE_HAS_LATENCY = 1u << 8,
    FL_SPE_HAS_CONTEXT_EL2 = 1u << 9,
};

/* fl_spe_record.events: bits of the Events packet */
enum {
    FL_SPE_EV_EXCEPTION = 1u << 0,
    FL_SPE_EV_RETIRED = 1u << 1,
    FL_SPE_EV_L1D_ACCESS = 1u << 2,
    FL_SPE_EV_L1D_REFILL = 1u << 3,
    FL_SPE_EV_TLB_ACCESS = 1u << 4,
    FL_SPE_EV_TLB_WALK = 1u << 5,
    FL_SPE_EV_NOT_TAKEN = 1u << 6,
    FL_SPE_EV_MISPREDICTED = 1u << 7,
    FL_SPE_EV_LLC_ACCESS = 1u << 8,
    FL_SPE_EV_LLC_MISS = 1u << 9,
    FL_SPE_EV_REMOTE = 1u << 10,
    FL_SPE_EV_MISALIGNED = 1u << 11,
    FL_SPE_EV_L2D_ACCESS = 1u << 19,
    FL_SPE_EV_L2D_MISS = 1u << 20,
    FL_SPE_EV_MODIFIED = 1u << 21, /* data came from a cache that had modified it */
};

enum fl_spe_op { FL_SPE_OP_OTHER = 0, FL_SPE_OP_MEMORY = 1, FL_SPE_OP_BRANCH = 2 };

struct fl_spe_record {
    uint32_t have;       /* FL_SPE_HAS_* */
    uint64_t time_ticks; /* of the generic timer; fl_spe_time_ns() makes it a time */
    uint64_t pc;
    uint64_t address; /* virtual, without its tag byte */
    uint64_t phys;
    uint64_t events;               /* FL_SPE_EV_* and what later processors add */
    uint32_t context[2];           /* CONTEXTIDR of EL1, of EL2: the kernel's pid of the thread */
    uint16_t total_latency_cycles; /* from dispatch to completion; saturates */
    uint16_t issue_latency_cycles; /* of that, to issue */
    uint16_t translation_cycles;   /* of that, waiting for the address */
    uint16_t source;               /* Data Source packet; its meaning depends on the processor */
    enum fl_spe_op op;             /* valid with FL_SPE_HAS_OP; memory: */
    bool write;                    /* store, or atomic that stores */
    bool atomic, exclusive, acquire_release;
    uint8_t level; /* exception level of the pc: 0 user, 1 or 2 kernel */
};

/** A reader of one stretch of AUX bytes. All fields are this file's. */
struct fl_spe_reader {
    const uint8_t *bytes;
    size_t len_bytes, at;
    uint64_t base;        /* offset in the AUX stream of bytes[0] */
    uint64_t bad_packets; /* bytes that no packet starts with */
    uint64_t cut_records; /* records dropped: damaged, or without their end */
};

/**
 * fl_spe_open - read @len_bytes at @bytes, which must stay until the last fl_spe_next().
 * @aux_offset: where in the AUX stream they begin (aux_offset of PERF_RECORD_AUX):
 * alignment packets count from there.
 */
void fl_spe_open(struct fl_spe_reader *r, const void *bytes, size_t len_bytes, uint64_t aux_offset);

/**
 * fl_spe_next - the next whole record.
 * Returns: false at the end; then r->bad_packets and r->cut_records are final.
 * A record without any packet besides its end is skipped.
 * Cost: O(bytes of the record).
 */
bool fl_spe_next(struct fl_spe_reader *r, struct fl_spe_record *out);

/** One moment by two clocks, and how fast the first runs. */
struct fl_spe_clock {
    uint64_t ticks, time_ns; /* the timer and CLOCK_MONOTONIC, read together */
    uint64_t ticks_hz;       /* CNTFRQ_EL0; 0: unknown */
};

/**
 * fl_spe_time_ns - the time of @ticks; ticks may lie before the clock's moment.
 * Returns: clock->time_ns when the frequency is unknown; 0 for times before 0.
 * Error: under 1 ns for a stretch of 2^63 ns.
 */
uint64_t fl_spe_time_ns(const struct fl_spe_clock *clock, uint64_t ticks);

#endif
