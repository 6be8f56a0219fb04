/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reduceenc.c - the runs that reduce.c keeps, as the payload of a REDUCED block. */
#include <stdlib.h>
#include <string.h>

#include "reduce.h"

/* Into the order of the trace, each once: a run's place is the number of kept runs before it. */
static uint32_t sort_kept(struct fl_reduce *x)
{
    uint32_t words = x->at / 64 + 1, n = 0;
    words = words < FL_BLOCK_RUNS_MAX / 64 ? words : FL_BLOCK_RUNS_MAX / 64;
    memset(x->bits, 0, words * sizeof *x->bits);
    for (uint32_t i = 0; i < x->n_kept; i++) {
        uint32_t at = x->kept[i].at_need >> 3;
        x->bits[at / 64] |= UINT64_C(1) << at % 64;
    }
    for (uint32_t w = 0; w < words; w++) {
        x->rank[w] = n;
        n += (uint32_t)__builtin_popcountll(x->bits[w]);
    }
    for (uint32_t i = 0; i < x->n_kept; i++) {
        uint32_t at = x->kept[i].at_need >> 3;
        uint64_t before = x->bits[at / 64] & ((UINT64_C(1) << at % 64) - 1);
        x->sorted[x->rank[at / 64] + (uint32_t)__builtin_popcountll(before)] = x->kept[i];
    }
    return n;
}

struct columns {
    uint32_t runs, dict_n, any_index, any_accesses, any_code;
    uint32_t *index, *accesses, *code;
    uint8_t *kinds;
    uint64_t *dict[3], any_dict[3]; /* id, address space, page number; differences */
};

/* Pages in order of first appearance: x->slot_of, free outside windows, finds them again. */
static bool fill_pages(struct fl_reduce *x, struct columns *c)
{
    const struct fl_pagetab *t = &x->pages;
    uint32_t *seen = malloc((c->runs + 1) * sizeof *seen);
    uint64_t before[3] = { UINT64_MAX, 0, 0 };
    if (!seen)
        return false;
    for (uint32_t i = 0; i < c->runs; i++) {
        uint32_t id = x->sorted[i].page, at = x->slot_of[id];
        if (at >= c->dict_n || seen[at] != id) {
            const uint64_t now[3] = { id, t->mm[id], t->vpn[id] };
            at = x->slot_of[id] = c->dict_n++;
            seen[at] = id;
            for (unsigned k = 0; k < 3; k++) {
                c->dict[k][at] = fl_zigzag((int64_t)(now[k] - before[k]));
                c->any_dict[k] |= c->dict[k][at];
                before[k] = now[k];
            }
        }
        c->index[i] = at;
        c->any_index |= at;
    }
    free(seen);
    return true;
}

/* False: a gap with more accesses than a count takes. */
static bool fill_runs(const struct fl_reduce *x, struct columns *c)
{
    for (uint32_t i = 0; i < c->runs; i++) {
        const struct fl_kept *run = &x->sorted[i];
        uint64_t end = i + 1 < c->runs ? run[1].clock : x->clock, accesses = end - run->clock;
        if (accesses > UINT32_MAX)
            return false;
        c->kinds[i] = run->at_need & 7;
        c->accesses[i] = (uint32_t)accesses;
        c->code[i] = run->code;
        c->any_accesses |= c->accesses[i];
        c->any_code |= run->code;
    }
    return true;
}

/* Segments of the same thread and actor, and the records between them. */
static void put_sequence(const struct fl_reduce *x, uint32_t runs, struct fl_buf *out)
{
    uint32_t group = 0;
    for (uint32_t i = 0; i <= runs;) {
        uint32_t at = i < runs ? x->sorted[i].at_need >> 3 : UINT32_MAX, n = i;
        for (; group < x->n_events && x->events[group].at <= at; group++)
            fl_buf_put_varint(out, (uint64_t)(x->events[group].n - 1) << 1);
        if (i == runs)
            break;
        while (n < runs && x->sorted[n].who == x->sorted[i].who &&
               (group == x->n_events || x->sorted[n].at_need >> 3 < x->events[group].at))
            n++;
        fl_buf_put_varint(out, (uint64_t)(n - i) << 2 | (x->sorted[i].who & 1) << 1 | 1);
        fl_buf_put_varint(out, x->sorted[i].who >> 1);
        i = n;
    }
}

static void put_u32(struct fl_buf *out, const uint32_t *v, size_t n, uint32_t any)
{
    unsigned width = fl_width(any);
    uint8_t *p = fl_buf_room(out, n * width + 1);
    if (!p)
        return;
    fl_planes_put_u32(p, v, n, width);
    out->len += n * width;
}

static void put_u64(struct fl_buf *out, const uint64_t *v, size_t n, uint64_t any)
{
    unsigned width = fl_width(any);
    uint8_t *p = fl_buf_room(out, n * width + 1);
    if (!p)
        return;
    fl_planes_put_u64(p, v, n, width);
    out->len += n * width;
}

static void put_header(const struct fl_reduce *x, const struct fl_reduce_input *in,
                       const struct columns *c, size_t sequence_bytes, size_t events_bytes,
                       struct fl_buf *out)
{
    fl_buf_put_u8(out, FL_REDUCED_VERSION);
    fl_buf_put_u8(out, c->any_code ? FL_REDUCED_CODES : 0);
    fl_buf_put_u8(out, (uint8_t)fl_width(c->any_index));
    fl_buf_put_u8(out, (uint8_t)fl_width(c->any_accesses));
    fl_buf_put_u8(out, (uint8_t)fl_width(c->any_code));
    for (unsigned k = 0; k < 3; k++)
        fl_buf_put_u8(out, (uint8_t)fl_width(c->any_dict[k]));
    fl_buf_put_le(out, x->floor, 4);
    fl_buf_put_le(out, c->runs, 4);
    fl_buf_put_le(out, c->dict_n, 4);
    fl_buf_put_le(out, x->records, 4);
    fl_buf_put_le(out, sequence_bytes, 4);
    fl_buf_put_le(out, events_bytes, 4);
    fl_buf_put_le(out, in->time_ns, 8);
    for (unsigned k = 0; k < 5; k++)
        fl_buf_put_le(out, x->counts[k], 8);
    fl_buf_put_le(out, in->runs, 4);
    fl_buf_put_le(out, 0, 4);
}

static bool columns_new(struct columns *c, uint32_t runs)
{
    *c = (struct columns){ .runs = runs };
    c->index = malloc((runs + 1) * sizeof *c->index);
    c->accesses = malloc((runs + 1) * sizeof *c->accesses);
    c->code = malloc((runs + 1) * sizeof *c->code);
    c->kinds = malloc(runs + 1);
    for (unsigned k = 0; k < 3; k++)
        c->dict[k] = malloc((runs + 1) * sizeof *c->dict[k]);
    return c->index && c->accesses && c->code && c->kinds && c->dict[0] && c->dict[1] && c->dict[2];
}

static void columns_free(struct columns *c)
{
    free(c->index);
    free(c->accesses);
    free(c->code);
    free(c->kinds);
    for (unsigned k = 0; k < 3; k++)
        free(c->dict[k]);
}

int fl_reduce_encode(struct fl_reduce *x, const struct fl_reduce_input *in, const uint8_t *events,
                     size_t events_bytes, struct fl_buf *out, struct fl_err *err)
{
    struct columns c;
    struct fl_buf sequence = { 0 };
    bool ok = columns_new(&c, sort_kept(x)) && fill_pages(x, &c);
    if (ok && fill_runs(x, &c)) {
        put_sequence(x, c.runs, &sequence);
        put_header(x, in, &c, sequence.len, events_bytes, out);
        fl_buf_put(out, sequence.data, sequence.len);
        fl_buf_put(out, events, events_bytes);
        for (unsigned k = 0; k < 3; k++)
            put_u64(out, c.dict[k], c.dict_n, c.any_dict[k]);
        put_u32(out, c.index, c.runs, c.any_index);
        fl_buf_put(out, c.kinds, c.runs);
        put_u32(out, c.accesses, c.runs, c.any_accesses);
        put_u32(out, c.code, c.runs, c.any_code);
        ok = !out->oom && !sequence.oom;
    }
    columns_free(&c);
    fl_buf_free(&sequence);
    return ok ? FL_OK : fl_nomem(err, "the reduced layer");
}
