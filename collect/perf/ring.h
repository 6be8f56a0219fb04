/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring.h - perf's ring buffers and the records in them.
 *
 * Everything here works on memory it is given and believes none of it: a size or
 * an offset that does not fit is refused, never followed.
 */
#ifndef FL_PERF_RING_H
#define FL_PERF_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

/** One CPU's buffer: the kernel moves head, we move tail, both only ever grow. */
struct fl_ring {
    uint64_t *head, *tail;
    const uint8_t *data;
    uint64_t size_bytes; /* a power of two */
};

/** fl_ring_pending - bytes between tail and head now; more than size_bytes: damaged. */
uint64_t fl_ring_pending(const struct fl_ring *ring);

/**
 * fl_ring_take - copy the @n oldest bytes into @buf, in a line, and give their
 * place back to the kernel. @n: at most what fl_ring_pending() said, and at most
 * size_bytes; fl_ring_skip() is for the rest.
 */
void fl_ring_take(struct fl_ring *ring, uint8_t *buf, uint64_t n);

/** fl_ring_skip - drop everything up to head. */
void fl_ring_skip(struct fl_ring *ring);

/** What the ids in a recording's records stand for. */
struct fl_perf_id {
    uint64_t id;
    enum fl_perf_source source;
    uint32_t index, watch; /* as in struct fl_perf_rec */
    uint64_t sample_type;  /* PERF_SAMPLE_*: the fields of its samples */
    uint64_t period;       /* of samples that do not tell theirs */
};

#define FL_PERF_FORMS_MAX 8u

struct fl_perf_ids {
    struct fl_perf_id *v; /* ascending by id once sorted */
    size_t n;
    /* one of each kind of software event that writes samples */
    struct fl_perf_id form[FL_PERF_FORMS_MAX];
    size_t n_forms;
};

/** fl_perf_ids_sort - to be called once after filling @ids. */
void fl_perf_ids_sort(struct fl_perf_ids *ids);

/* A watch that says: any of them. */
#define FL_WATCH_ANY UINT32_MAX

/* A pid that says: look for the thread's. */
#define FL_PID_OF_TID (UINT32_MAX - 1)

/** A record, decoded. Pointers go into the bytes it was decoded from. */
struct fl_perf_rec {
    uint32_t type; /* PERF_RECORD_* */
    uint16_t misc;
    enum fl_perf_source source; /* of the event that wrote it, */
    uint32_t index;             /* which one of several of that source, */
    uint32_t watch;             /* and for which of the tasks it was opened */
    bool foreign;               /* id and perhaps time are of somebody else's event */
    uint64_t time_ns;           /* CLOCK_MONOTONIC */
    uint32_t pid, tid, cpu;
    uint32_t by_tid; /* the task that ran when the record was written */
    union {
        struct { /* SAMPLE of a fault or a sampled event; 0: it has no such field */
            uint64_t ip, address, period, weight, data_source, physical;
            const uint8_t *chain; /* call chain: u64's as the kernel gives them */
            uint64_t n_chain;
        } access;
        struct { /* SAMPLE of a tracepoint */
            const uint8_t *raw;
            uint32_t raw_bytes;
        } tp;
        struct { /* MMAP2 */
            uint64_t start, length, offset, ino, ino_generation;
            uint32_t dev_major, dev_minor, prot, flags;
            const char *path;
        } mmap;
        const char *comm; /* COMM */
        struct {          /* FORK, EXIT: pid and tid above are the new or ended task's */
            uint32_t ppid, ptid;
        } task;
        uint64_t lost;      /* LOST, LOST_SAMPLES */
        uint64_t aux_flags; /* AUX: PERF_AUX_FLAG_* */
    };
};

/** fl_perf_in_kernel - was the instruction of sample @rec the kernel's? */
static inline bool fl_perf_in_kernel(const struct fl_perf_rec *rec)
{
    return (rec->misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
}

/** fl_perf_size - bytes of the record at @buf; 0: none there, or damaged. Always a multiple of 8. */
size_t fl_perf_size(const uint8_t *buf, size_t len);

/**
 * fl_perf_decode - decode the record of exactly @len bytes at @buf.
 * A sample of a software event that somebody else watches too may carry the id of theirs (Linux
 * from 6.2 on fills in what events of one occurrence share only once): it is ours by its form.
 * Returns: false for a record that is damaged or of an unknown event.
 * A type this file does not know decodes to its type, time and task alone.
 */
bool fl_perf_decode(const uint8_t *buf, size_t len, const struct fl_perf_ids *ids,
                    struct fl_perf_rec *out);

#endif
