/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "aux_ring.h"

#include <stdlib.h>
#include <string.h>

#define AUX_RECORD_BYTES 64u
#define SAMPLE_BYTES 88u
#define CHUNK_FIRST_BYTES 4096u

/* PERF_RECORD_AUX with what sample_id_all puts behind it, as the kernel lays them out. */
struct aux_record {
    struct perf_event_header header;
    uint64_t offset, size, flags;
    uint32_t pid, tid;
    uint64_t time_ns;
    uint32_t cpu, reserved;
    uint64_t id;
};

/* A sample of FL_AUX_SAMPLE_TYPE. */
struct sample_record {
    struct perf_event_header header;
    uint64_t id, ip;
    uint32_t pid, tid;
    uint64_t time_ns, address;
    uint32_t cpu, reserved;
    uint64_t period, weight, data_src, phys;
};

_Static_assert(sizeof(struct aux_record) == AUX_RECORD_BYTES, "as in the ring");
_Static_assert(sizeof(struct sample_record) == SAMPLE_BYTES, "as in the ring");

static struct sample_record sample_of(const struct fl_aux *aux, const struct fl_spe_clock *clock,
                                      const struct aux_record *from,
                                      const struct fl_spe_record *rec)
{
    bool kernel = (rec->have & FL_SPE_HAS_PC) && rec->level > 0;
    struct sample_record s = {
        .header = { PERF_RECORD_SAMPLE,
                    (uint16_t)((kernel ? PERF_RECORD_MISC_KERNEL : PERF_RECORD_MISC_USER) |
                               PERF_RECORD_MISC_EXACT_IP),
                    SAMPLE_BYTES },
        .id = from->id,
        .ip = rec->pc,
        .pid = from->pid,
        .tid = from->tid,
        .time_ns = rec->have & FL_SPE_HAS_TIME ? fl_spe_time_ns(clock, rec->time_ticks)
                                               : from->time_ns,
        .address = rec->address,
        .cpu = from->cpu,
        .period = aux->period,
        .weight = rec->have & FL_SPE_HAS_LATENCY ? rec->total_latency_cycles : 0,
        .data_src = fl_spe_data_src(rec, aux->sources),
        .phys = rec->phys,
    };
    if (aux->any_task) {
        bool told = rec->have & (FL_SPE_HAS_CONTEXT | FL_SPE_HAS_CONTEXT_EL2);
        s.pid = FL_PID_OF_TID;
        s.tid = !told                            ? FL_PID_OF_TID
                : rec->have & FL_SPE_HAS_CONTEXT ? rec->context[0]
                                                 : rec->context[1];
    }
    return s;
}

static bool append(struct fl_chunk **chunk, size_t *room, const struct sample_record *s)
{
    size_t len = *chunk ? (*chunk)->len_bytes : 0;
    if (len + sizeof *s > *room) {
        size_t more = *room ? 2 * *room : CHUNK_FIRST_BYTES;
        struct fl_chunk *grown = realloc(*chunk, sizeof **chunk + more);
        if (!grown)
            return false;
        if (!*chunk)
            *grown = (struct fl_chunk){ 0 };
        *chunk = grown;
        *room = more;
    }
    memcpy((*chunk)->bytes + len, s, sizeof *s);
    (*chunk)->len_bytes = len + sizeof *s;
    return true;
}

/* The new bytes in a line; malloc'ed. */
static uint8_t *copy_out(const struct fl_aux *aux, const struct aux_record *rec)
{
    uint8_t *bytes = malloc(rec->size);
    uint64_t at = rec->offset & (aux->size_bytes - 1), first = aux->size_bytes - at;
    if (!bytes)
        return NULL;
    if (first > rec->size)
        first = rec->size;
    memcpy(bytes, aux->data + at, first);
    memcpy(bytes + first, aux->data, rec->size - first);
    return bytes;
}

static void give_back(struct fl_aux *aux, uint64_t until)
{
    /* Our reads are done before the kernel may write there again. */
    __atomic_store_n(aux->tail, until, __ATOMIC_RELEASE);
}

static void take_one(struct fl_aux *aux, const struct fl_spe_clock *clock,
                     const struct aux_record *rec, struct fl_chunk **chunk, size_t *room,
                     uint64_t *damaged)
{
    struct fl_spe_reader reader;
    struct fl_spe_record spe;
    aux->stopped = aux->stopped || rec->flags & PERF_AUX_FLAG_TRUNCATED;
    if (rec->size == 0)
        return;
    if (rec->size > aux->size_bytes || rec->offset < *aux->tail ||
        rec->offset + rec->size < rec->offset) {
        ++*damaged;
        return;
    }
    uint8_t *bytes = copy_out(aux, rec);
    give_back(aux, rec->offset + rec->size);
    if (!bytes) {
        ++*damaged;
        return;
    }
    fl_spe_open(&reader, bytes, rec->size, rec->offset);
    while (fl_spe_next(&reader, &spe)) {
        struct sample_record s = sample_of(aux, clock, rec, &spe);
        if (!append(chunk, room, &s))
            ++*damaged;
    }
    *damaged += reader.cut_records;
    free(bytes);
}

/* The kernel aligns its place with padding packets, zeroes, of which no record tells. */
static bool is_padding(const struct fl_aux *aux, uint64_t from, uint64_t until)
{
    if (until - from > aux->size_bytes)
        return false;
    for (uint64_t at = from; at < until; at++)
        if (aux->data[at & (aux->size_bytes - 1)])
            return false;
    return true;
}

struct fl_chunk *fl_aux_take(struct fl_aux *aux, const struct fl_spe_clock *clock,
                             const uint8_t *records, size_t len, uint64_t *damaged)
{
    struct fl_chunk *chunk = NULL;
    size_t room = 0, size;
    uint64_t head = __atomic_load_n(aux->head, __ATOMIC_ACQUIRE);
    for (size_t at = 0; at < len; at += size) {
        struct aux_record rec;
        size = fl_perf_size(records + at, len - at);
        if (!size)
            break; /* the merge counts that */
        if (size != sizeof rec)
            continue;
        memcpy(&rec, records + at, sizeof rec);
        if (rec.header.type == PERF_RECORD_AUX)
            take_one(aux, clock, &rec, &chunk, &room, damaged);
    }
    /* What was there a round ago and no record has told of since: that record was lost. */
    if (aux->seen > *aux->tail) {
        *damaged += !is_padding(aux, *aux->tail, aux->seen);
        give_back(aux, aux->seen);
    }
    aux->seen = head;
    return chunk;
}
