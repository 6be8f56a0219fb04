/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_recs.h - perf records from literals, byte by byte as linux/perf_event.h lays
 * them out, independent of the code that decodes them.
 */
#ifndef FL_TEST_PERF_RECS_H
#define FL_TEST_PERF_RECS_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ring.h"

/* Ids of the events the records below belong to. */
enum {
    ID_TRACK = 100,
    ID_MINOR = 200,
    ID_MINOR_2 = 201,
    ID_MAJOR = 300,
    ID_TP = 400,
    ID_SAMPLE = 500
};

#define REC_SAMPLED                                                                             \
    (FL_SAMPLE_FAULT | PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_WEIGHT_STRUCT | \
     PERF_SAMPLE_DATA_SRC | PERF_SAMPLE_PHYS_ADDR)

static struct fl_perf_id rec_id_table[] = {
    { ID_TRACK, FL_SRC_TRACK, 0, 0, FL_SAMPLE_FAULT, 1 },
    { ID_MINOR, FL_SRC_MINOR, 0, 0, FL_SAMPLE_FAULT, 1 },
    { ID_MINOR_2, FL_SRC_MINOR, 0, 1, FL_SAMPLE_FAULT, 1 }, /* of a second task to watch */
    { ID_MAJOR, FL_SRC_MAJOR, 0, 0, FL_SAMPLE_MAJOR, 1 },
    { ID_TP, FL_SRC_TP_USER, 0, 0, FL_SAMPLE_TRACEPOINT, 1 },
    { ID_SAMPLE, FL_SRC_SAMPLE, 2, 0, REC_SAMPLED, 1 },
};
static const struct fl_perf_ids rec_ids = { .v = rec_id_table, .n = 6 };

struct recbuf {
    uint8_t bytes[4096];
    size_t n, start; /* start: of the record under construction */
};

static inline void rb_u32(struct recbuf *b, uint32_t v)
{
    memcpy(b->bytes + b->n, &v, 4);
    b->n += 4;
}

static inline void rb_u64(struct recbuf *b, uint64_t v)
{
    memcpy(b->bytes + b->n, &v, 8);
    b->n += 8;
}

static inline void rb_begin(struct recbuf *b, uint32_t type, uint16_t misc)
{
    b->start = b->n;
    rb_u32(b, type);
    rb_u32(b, misc);
}

static inline void rb_size(struct recbuf *b)
{
    uint16_t size = (uint16_t)(b->n - b->start);
    memcpy(b->bytes + b->start + 6, &size, 2);
}

/* The end every record but a sample has. */
static inline void rb_end(struct recbuf *b, uint32_t pid, uint32_t tid, uint64_t time)
{
    rb_u32(b, pid);
    rb_u32(b, tid);
    rb_u64(b, time);
    rb_u64(b, 0); /* CPU 0 */
    rb_u64(b, ID_TRACK);
    rb_size(b);
}

static inline void rb_text(struct recbuf *b, const char *text)
{
    size_t n = strlen(text) + 1, padded = (n + 7) / 8 * 8;
    memset(b->bytes + b->n, 0, padded);
    memcpy(b->bytes + b->n, text, n);
    b->n += padded;
}

static inline void rb_fault_of(struct recbuf *b, uint64_t id, bool major, uint16_t mode,
                               uint32_t pid, uint32_t tid, uint64_t time, uint64_t address)
{
    rb_begin(b, PERF_RECORD_SAMPLE, mode);
    rb_u64(b, id);
    rb_u64(b, 0x401000); /* instruction */
    rb_u32(b, pid);
    rb_u32(b, tid);
    rb_u64(b, time);
    rb_u64(b, address);
    rb_u64(b, 0); /* CPU 0 */
    if (major)
        rb_u64(b, 1); /* period */
    rb_size(b);
}

static inline void rb_fault(struct recbuf *b, uint64_t id, uint16_t mode, uint32_t pid,
                            uint32_t tid, uint64_t time, uint64_t address)
{
    rb_fault_of(b, id, id == ID_MAJOR, mode, pid, tid, time, address);
}

/* raw: 8 bytes of common fields, address, instruction, error code: 32; then 4 to align. */
static inline void rb_tracepoint(struct recbuf *b, uint32_t pid, uint32_t tid, uint64_t time,
                                 uint64_t address, uint64_t error_code)
{
    rb_begin(b, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_KERNEL);
    rb_u64(b, ID_TP);
    rb_u32(b, pid);
    rb_u32(b, tid);
    rb_u64(b, time);
    rb_u64(b, 0); /* CPU 0 */
    rb_u32(b, 36);
    rb_u64(b, 0);
    rb_u64(b, address);
    rb_u64(b, 0x401000);
    rb_u64(b, error_code);
    rb_u32(b, 0);
    rb_size(b);
}

/* A load of 40 cycles at @address, frame 0x1234, called from two places. */
static inline void rb_sample(struct recbuf *b, uint32_t pid, uint32_t tid, uint64_t time,
                             uint64_t address)
{
    rb_begin(b, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER | PERF_RECORD_MISC_EXACT_IP);
    rb_u64(b, ID_SAMPLE);
    rb_u64(b, 0x401000);
    rb_u32(b, pid);
    rb_u32(b, tid);
    rb_u64(b, time);
    rb_u64(b, address);
    rb_u64(b, 0);    /* CPU 0 */
    rb_u64(b, 1009); /* period */
    rb_u64(b, 2);    /* call chain */
    rb_u64(b, 0x401000);
    rb_u64(b, 0x402000);
    rb_u64(b, UINT64_C(7) << 32 | 40); /* weights: latency 40 */
    rb_u64(b, PERF_MEM_S(OP, LOAD) | PERF_MEM_S(LVL, L1));
    rb_u64(b, 0x1234000);
    rb_size(b);
}

static inline void rb_task(struct recbuf *b, uint32_t type, uint32_t pid, uint32_t ppid,
                           uint32_t tid, uint32_t ptid, uint64_t time)
{
    rb_begin(b, type, 0);
    rb_u32(b, pid);
    rb_u32(b, ppid);
    rb_u32(b, tid);
    rb_u32(b, ptid);
    rb_u64(b, time);
    rb_end(b, ppid, ptid, time);
}

static inline void rb_comm(struct recbuf *b, uint16_t misc, uint32_t pid, uint32_t tid,
                           uint64_t time, const char *comm)
{
    rb_begin(b, PERF_RECORD_COMM, misc);
    rb_u32(b, pid);
    rb_u32(b, tid);
    rb_text(b, comm);
    rb_end(b, pid, tid, time);
}

static inline void rb_mmap(struct recbuf *b, uint32_t pid, uint64_t time, uint64_t start,
                           uint64_t length, uint64_t offset, uint64_t ino, uint32_t prot,
                           uint32_t flags, const char *path)
{
    rb_begin(b, PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER);
    rb_u32(b, pid);
    rb_u32(b, pid);
    rb_u64(b, start);
    rb_u64(b, length);
    rb_u64(b, offset);
    rb_u32(b, 8); /* device 8:1 */
    rb_u32(b, 1);
    rb_u64(b, ino);
    rb_u64(b, 7); /* generation */
    rb_u32(b, prot);
    rb_u32(b, flags);
    rb_text(b, path);
    rb_end(b, pid, pid, time);
}

/* The sampled event is stopped, or goes on, on @cpu. */
static inline void rb_throttle(struct recbuf *b, bool stop, uint32_t cpu, uint64_t time)
{
    rb_begin(b, stop ? PERF_RECORD_THROTTLE : PERF_RECORD_UNTHROTTLE, 0);
    rb_u64(b, time);
    rb_u64(b, ID_SAMPLE);
    rb_u64(b, ID_SAMPLE);
    rb_u32(b, 10);
    rb_u32(b, 10);
    rb_u64(b, time);
    rb_u64(b, cpu);
    rb_u64(b, ID_SAMPLE);
    rb_size(b);
}

static inline void rb_lost(struct recbuf *b, uint64_t time, uint64_t count)
{
    rb_begin(b, PERF_RECORD_LOST, 0);
    rb_u64(b, ID_MINOR);
    rb_u64(b, count);
    rb_end(b, 10, 10, time);
}

#endif
