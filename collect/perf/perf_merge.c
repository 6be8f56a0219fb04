/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_merge.h"

#include <stdlib.h>
#include <string.h>

#define PEEK_RECORDS 4096u

struct entry {
    uint64_t time_ns;
    const uint8_t *bytes;
    struct fl_chunk *chunk;
    bool any_watch; /* two events of ours wrote it, and which two is not to be seen */
};

struct queue { /* v[first .. first + n) wait, oldest first */
    struct entry *v;
    size_t first, n, room;
    uint64_t last_ns; /* of the record added last */
};

struct fl_merge {
    const struct fl_perf_ids *ids;
    struct queue *queues;
    uint32_t n_queues;
    uint32_t current;       /* the queue that has the oldest entry ... */
    uint64_t current_until; /* ... as long as that is no younger than this */
    bool current_known;
    struct fl_chunk *spent; /* freed at the next call: its last record is still in use */
    uint64_t last_ns;
    struct fl_merge_counts counts;
};

struct fl_merge *fl_merge_new(uint32_t n_cpus, const struct fl_perf_ids *ids)
{
    struct fl_merge *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->queues = calloc(n_cpus ? n_cpus : 1, sizeof *m->queues);
    if (!m->queues) {
        free(m);
        return NULL;
    }
    m->ids = ids;
    m->n_queues = n_cpus;
    return m;
}

static void entry_done(struct entry *e)
{
    if (--e->chunk->waiting == 0)
        free(e->chunk);
}

void fl_merge_free(struct fl_merge *m)
{
    if (!m)
        return;
    for (uint32_t q = 0; q < m->n_queues; q++) {
        for (size_t i = 0; i < m->queues[q].n; i++)
            entry_done(&m->queues[q].v[m->queues[q].first + i]);
        free(m->queues[q].v);
    }
    free(m->spent);
    free(m->queues);
    free(m);
}

/* Make room for one more at the end. */
static bool queue_grow(struct queue *q)
{
    if (q->first + q->n < q->room)
        return true;
    if (q->first > q->n) { /* moving them costs less than was taken out since */
        memmove(q->v, q->v + q->first, q->n * sizeof *q->v);
        q->first = 0;
        return true;
    }
    size_t room = q->room ? q->room * 2 : 1024;
    struct entry *v = realloc(q->v, room * sizeof *v);
    if (!v)
        return false;
    q->v = v;
    q->room = room;
    return true;
}

static bool queue_put(struct queue *q, struct entry e)
{
    if (!queue_grow(q))
        return false;
    size_t at = q->first + q->n++;
    for (; at > q->first && q->v[at - 1].time_ns > e.time_ns; at--)
        q->v[at] = q->v[at - 1]; /* an interrupt's record overtook: rare and short */
    q->v[at] = e;
    return true;
}

/* Somebody else's clock may differ: such a record is then as old as the one before it. */
static uint64_t time_of(const struct queue *q, const struct fl_chunk *chunk,
                        const struct fl_perf_rec *rec)
{
    bool ahead = chunk->taken_ns && rec->time_ns > chunk->taken_ns;
    if (!rec->foreign || (rec->time_ns >= q->last_ns && !ahead))
        return rec->time_ns;
    return q->last_ns ? q->last_ns : chunk->taken_ns;
}

/* One fault for which two events of ours wrote the same, id and time included? */
static bool is_again(struct queue *q, const uint8_t *bytes, size_t size,
                     const struct fl_perf_rec *rec)
{
    struct entry *last = q->n ? &q->v[q->first + q->n - 1] : NULL;
    if (!last || rec->type != PERF_RECORD_SAMPLE || rec->source >= FL_SRC_TP_USER ||
        last->bytes + size != bytes || memcmp(last->bytes, bytes, size) != 0)
        return false;
    last->any_watch = true;
    return true;
}

int fl_merge_add(struct fl_merge *m, struct fl_chunk *chunk, struct fl_err *err)
{
    m->current_known = false;
    chunk->waiting = 1; /* ours, while we walk it */
    int rc = FL_OK;
    if (chunk->cpu >= m->n_queues)
        rc = fl_fail(err, FL_EINTERNAL, "records of CPU %u, which was not opened", chunk->cpu);
    for (size_t at = 0; rc == FL_OK && at < chunk->len_bytes;) {
        struct fl_perf_rec rec;
        const uint8_t *bytes = chunk->bytes + at;
        size_t size = fl_perf_size(bytes, chunk->len_bytes - at);
        if (!size) { /* nothing behind it can be found either */
            m->counts.damaged++;
            break;
        }
        at += size;
        if (!fl_perf_decode(bytes, size, m->ids, &rec)) {
            m->counts.damaged++;
            continue;
        }
        struct queue *q = &m->queues[chunk->cpu];
        struct entry e = { .time_ns = time_of(q, chunk, &rec), .bytes = bytes, .chunk = chunk };
        if (is_again(q, bytes, size, &rec))
            continue;
        q->last_ns = e.time_ns;
        m->counts.foreign += rec.foreign;
        if (!queue_put(q, e))
            rc = fl_nomem(err, "records waiting to be sorted");
        else
            chunk->waiting++;
    }
    struct entry own = { .chunk = chunk };
    entry_done(&own);
    return rc;
}

static void decode(const struct fl_merge *m, const struct entry *e, struct fl_perf_rec *out)
{
    (void)fl_perf_decode(e->bytes, fl_perf_size(e->bytes, SIZE_MAX), m->ids, out);
    out->time_ns = e->time_ns;
    if (e->any_watch)
        out->watch = FL_WATCH_ANY;
}

/* Find the queue with the oldest head, and how long it stays that. */
static bool pick(struct fl_merge *m)
{
    bool any = false;
    m->current_until = UINT64_MAX;
    for (uint32_t i = 0; i < m->n_queues; i++) {
        if (!m->queues[i].n)
            continue;
        uint64_t t = m->queues[i].v[m->queues[i].first].time_ns;
        if (!any) {
            m->current = i;
            any = true;
            continue;
        }
        struct queue *best = &m->queues[m->current];
        uint64_t best_t = best->v[best->first].time_ns;
        if (t < best_t) {
            m->current = i;
            m->current_until = best_t - 1; /* at a tie the lower CPU goes first */
        } else if (t < m->current_until) {
            m->current_until = t;
        }
    }
    m->current_known = any;
    return any;
}

bool fl_merge_next(struct fl_merge *m, uint64_t bound_ns, struct fl_perf_rec *out)
{
    free(m->spent);
    m->spent = NULL;
    if (m->current_known) {
        const struct queue *q = &m->queues[m->current];
        if (!q->n || q->v[q->first].time_ns > m->current_until)
            m->current_known = false;
    }
    if (!m->current_known && !pick(m))
        return false;
    struct queue *q = &m->queues[m->current];
    struct entry *e = &q->v[q->first];
    if (e->time_ns > bound_ns)
        return false;
    decode(m, e, out);
    if (--e->chunk->waiting == 0)
        m->spent = e->chunk;
    q->first++;
    if (--q->n == 0)
        q->first = 0;
    if (out->time_ns < m->last_ns)
        m->counts.late++;
    else
        m->last_ns = out->time_ns;
    return true;
}

bool fl_merge_peek(const struct fl_merge *m,
                   bool (*wanted)(const struct fl_perf_rec *rec, const void *key), const void *key,
                   struct fl_perf_rec *out)
{
    bool found = false;
    /* What follows a record is mostly on the same CPU: found there, it ends the search on the
       others early. */
    for (uint32_t i = 0; i < m->n_queues; i++) {
        const struct queue *q = &m->queues[(m->current + i) % m->n_queues];
        for (size_t k = 0; k < q->n && k < PEEK_RECORDS; k++) {
            const struct entry *e = &q->v[q->first + k];
            struct fl_perf_rec rec;
            if (found && e->time_ns >= out->time_ns)
                break;
            decode(m, e, &rec);
            if (!wanted(&rec, key))
                continue;
            *out = rec;
            found = true;
            break;
        }
    }
    return found;
}

struct fl_merge_counts fl_merge_counts(const struct fl_merge *m)
{
    return m->counts;
}
