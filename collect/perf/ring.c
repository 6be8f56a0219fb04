/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ring.h"

#include <stdlib.h>
#include <string.h>

#include "rec_bytes.h"
#include "sample_rec.h"

/* pid, tid, time, cpu, reserved, identifier: what sample_id_all puts at every end */
#define TRAILER_BYTES 32u
#define HEADER_BYTES 8u

uint64_t fl_ring_pending(const struct fl_ring *ring)
{
    /* Pairs with the kernel's barrier before it moves head: the bytes are there. */
    uint64_t head = __atomic_load_n(ring->head, __ATOMIC_ACQUIRE);
    return head - *ring->tail;
}

void fl_ring_take(struct fl_ring *ring, uint8_t *buf, uint64_t n)
{
    uint64_t tail = *ring->tail, at = tail & (ring->size_bytes - 1);
    uint64_t first = ring->size_bytes - at;
    if (first > n)
        first = n;
    memcpy(buf, ring->data + at, first);
    memcpy(buf + first, ring->data, n - first);
    /* Our reads are done before the kernel may write there again. */
    __atomic_store_n(ring->tail, tail + n, __ATOMIC_RELEASE);
}

void fl_ring_skip(struct fl_ring *ring)
{
    uint64_t head = __atomic_load_n(ring->head, __ATOMIC_ACQUIRE);
    __atomic_store_n(ring->tail, head, __ATOMIC_RELEASE);
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = ((const struct fl_perf_id *)a)->id, y = ((const struct fl_perf_id *)b)->id;
    return (x > y) - (x < y);
}

static bool same_form(const struct fl_perf_id *a, const struct fl_perf_id *b)
{
    return a->source == b->source && a->index == b->index && a->sample_type == b->sample_type;
}

static void note_form(struct fl_perf_ids *ids, const struct fl_perf_id *id)
{
    bool has = id->source == FL_SRC_TRACK || id->sample_type & PERF_SAMPLE_RAW;
    for (size_t i = 0; i < ids->n_forms; i++)
        has |= same_form(&ids->form[i], id);
    if (has || ids->n_forms == FL_PERF_FORMS_MAX)
        return;
    ids->form[ids->n_forms] = *id;
    ids->form[ids->n_forms++].watch = FL_WATCH_ANY;
}

void fl_perf_ids_sort(struct fl_perf_ids *ids)
{
    for (size_t i = 0; i < ids->n; i++)
        note_form(ids, &ids->v[i]);
    if (ids->n)
        qsort(ids->v, ids->n, sizeof *ids->v, by_id);
}

static const struct fl_perf_id *find_id(const struct fl_perf_ids *ids, uint64_t id)
{
    size_t lo = 0, hi = ids->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ids->v[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < ids->n && ids->v[lo].id == id ? &ids->v[lo] : NULL;
}

/* Whose form alone the sample has; NULL: no one's, or not of one alone. */
static const struct fl_perf_id *find_form(const struct fl_perf_ids *ids, const uint8_t *buf,
                                          size_t len)
{
    const struct fl_perf_id *found = NULL;
    struct fl_sample_rec rec;
    for (size_t i = 0; i < ids->n_forms; i++) {
        if (!fl_sample_rec_decode(buf, len, ids->form[i].sample_type, &rec))
            continue;
        if (found)
            return NULL;
        found = &ids->form[i];
    }
    return found;
}

/* Note whose record it is. NULL: nobody's. */
static const struct fl_perf_id *identify(const struct fl_perf_id *from, struct fl_perf_rec *out)
{
    if (from) {
        out->source = from->source;
        out->index = from->index;
        out->watch = from->watch;
    }
    return from;
}

/* The text at the cursor, which must end within what is left. */
static const char *get_text(struct fl_rec_bytes *c)
{
    const char *text = (const char *)c->p;
    if (c->bad || !memchr(text, 0, c->left)) {
        c->bad = true;
        return "";
    }
    return text;
}

size_t fl_perf_size(const uint8_t *buf, size_t len)
{
    uint16_t size;
    if (len < HEADER_BYTES)
        return 0;
    memcpy(&size, buf + offsetof(struct perf_event_header, size), sizeof size);
    if (size < HEADER_BYTES || size > len || size % 8)
        return 0;
    return size;
}

static bool decode_sample(const uint8_t *buf, size_t len, const struct fl_perf_ids *ids,
                          struct fl_perf_rec *out)
{
    struct fl_sample_rec rec;
    const struct fl_perf_id *from = identify(find_id(ids, fl_sample_rec_id(buf, len)), out);
    if (!from) {
        from = identify(find_form(ids, buf, len), out);
        out->foreign = true;
    }
    if (!from || !fl_sample_rec_decode(buf, len, from->sample_type, &rec))
        return false;
    out->pid = rec.pid;
    out->tid = out->by_tid = rec.tid;
    out->time_ns = rec.time_ns;
    out->cpu = rec.cpu;
    if (from->sample_type & PERF_SAMPLE_RAW) {
        out->tp.raw = rec.raw;
        out->tp.raw_bytes = rec.raw_bytes;
        return true;
    }
    out->access.ip = rec.ip;
    out->access.address = rec.address;
    out->access.period = from->sample_type & PERF_SAMPLE_PERIOD ? rec.period : from->period;
    out->access.weight = rec.latency_cycles;
    out->access.data_source = rec.data_src;
    out->access.physical = rec.phys;
    out->access.chain = rec.chain;
    out->access.n_chain = rec.n_chain;
    return true;
}

static bool decode_trailer(const uint8_t *end, const struct fl_perf_ids *ids,
                           struct fl_perf_rec *out)
{
    struct fl_rec_bytes c = { .p = end - TRAILER_BYTES, .left = TRAILER_BYTES };
    out->pid = fl_rec_u32(&c);
    out->tid = out->by_tid = fl_rec_u32(&c);
    out->time_ns = fl_rec_u64(&c);
    out->cpu = fl_rec_u32(&c);
    fl_rec_u32(&c);
    return identify(find_id(ids, fl_rec_u64(&c)), out) != NULL;
}

static void decode_mmap2(struct fl_rec_bytes *c, struct fl_perf_rec *out)
{
    out->pid = fl_rec_u32(c);
    out->tid = fl_rec_u32(c);
    out->mmap.start = fl_rec_u64(c);
    out->mmap.length = fl_rec_u64(c);
    out->mmap.offset = fl_rec_u64(c);
    out->mmap.dev_major = fl_rec_u32(c);
    out->mmap.dev_minor = fl_rec_u32(c);
    out->mmap.ino = fl_rec_u64(c);
    out->mmap.ino_generation = fl_rec_u64(c);
    out->mmap.prot = fl_rec_u32(c);
    out->mmap.flags = fl_rec_u32(c);
    out->mmap.path = get_text(c);
}

static void decode_task(struct fl_rec_bytes *c, struct fl_perf_rec *out)
{
    out->pid = fl_rec_u32(c);
    out->task.ppid = fl_rec_u32(c);
    out->tid = fl_rec_u32(c);
    out->task.ptid = fl_rec_u32(c);
    fl_rec_u64(c); /* its time is the trailer's */
}

bool fl_perf_decode(const uint8_t *buf, size_t len, const struct fl_perf_ids *ids,
                    struct fl_perf_rec *out)
{
    struct perf_event_header header;
    memset(out, 0, sizeof *out);
    if (!fl_perf_size(buf, len) || fl_perf_size(buf, len) != len)
        return false;
    memcpy(&header, buf, sizeof header);
    out->type = header.type;
    out->misc = header.misc;
    if (header.type == PERF_RECORD_SAMPLE)
        return decode_sample(buf, len, ids, out);
    struct fl_rec_bytes c = { .p = buf + HEADER_BYTES, .left = len - HEADER_BYTES };
    if (c.left < TRAILER_BYTES || !decode_trailer(buf + len, ids, out))
        return false;
    c.left -= TRAILER_BYTES;
    switch (header.type) {
    case PERF_RECORD_MMAP2: decode_mmap2(&c, out); break;
    case PERF_RECORD_COMM:
        out->pid = fl_rec_u32(&c);
        out->tid = fl_rec_u32(&c);
        out->comm = get_text(&c);
        break;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT: decode_task(&c, out); break;
    case PERF_RECORD_LOST:
        fl_rec_u64(&c); /* id of the event whose record found room again */
        out->lost = fl_rec_u64(&c);
        break;
    case PERF_RECORD_AUX:
        fl_rec_u64(&c); /* where in the AUX buffer, and how much: aux_ring.c has read it */
        fl_rec_u64(&c);
        out->aux_flags = fl_rec_u64(&c);
        break;
    case PERF_RECORD_ITRACE_START:
        out->pid = fl_rec_u32(&c);
        out->tid = fl_rec_u32(&c);
        break;
    case PERF_RECORD_LOST_SAMPLES: out->lost = fl_rec_u64(&c); break;
    default: break;
    }
    return !c.bad;
}
