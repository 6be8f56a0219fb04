/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reduceenc.c - the runs that reduce.c keeps, as the payload of a REDUCED block. */
#include <stdlib.h>
#include <string.h>

#include "reduce.h"

/* Into the order of the trace, each once: a run's place is the number of kept runs before it. */
static uint32_t sort_kept(struct fl_reduce *x)
{
    uint32_t words = x->at / 64 + 1, n = 0;
    words = words < FL_REDUCE_RUNS_MAX / 64 ? words : FL_REDUCE_RUNS_MAX / 64;
    memset(x->bits, 0, words * sizeof *x->bits);
    for (uint32_t i = 0; i < x->n_kept; i++) {
        uint32_t at = fl_kept_at(&x->kept[i]);
        x->bits[at / 64] |= UINT64_C(1) << at % 64;
    }
    for (uint32_t w = 0; w < words; w++) {
        x->rank[w] = n;
        n += (uint32_t)__builtin_popcountll(x->bits[w]);
    }
    memset(x->sorted, 0, n * sizeof *x->sorted);
    for (uint32_t i = 0; i < x->n_kept; i++) {
        const struct fl_kept *run = &x->kept[i];
        uint32_t at = fl_kept_at(run);
        uint64_t before = x->bits[at / 64] & ((UINT64_C(1) << at % 64) - 1);
        struct fl_kept *to = &x->sorted[x->rank[at / 64] + (uint32_t)__builtin_popcountll(before)];
        uint32_t must = (to->at_need | run->at_need) & FL_KEPT_MUST, code = to->code | run->code;
        *to = *run;
        to->at_need |= must;
        to->code = code;
    }
    return n;
}

/* What follows a run of the same page with nothing kept between them changes nothing. */
static uint32_t leave_out_repeats(struct fl_reduce *x, uint32_t n)
{
    uint32_t to = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct fl_kept *run = &x->sorted[i];
        if (to && !(run->at_need & FL_KEPT_MUST) && x->sorted[to - 1].page == run->page &&
            x->sorted[to - 1].who == run->who)
            continue;
        x->sorted[to] = *run;
        x->sorted[to++].at_need &= ~FL_KEPT_MUST;
    }
    return to;
}

struct columns {
    uint32_t runs, dict_n, n_fars, n_fresh, any_far, any_accesses, any_code;
    uint32_t *far, *accesses, *code;
    uint8_t *page, *kinds;
    uint64_t *dict[3], any_dict[3]; /* id, address space, page number; differences */
};

/* The next dictionary entry: page @id. */
static void put_entry(struct fl_reduce *x, struct columns *c, uint32_t id, uint64_t before[3])
{
    const uint64_t now[3] = { id, x->base->pages.mm[id], x->base->pages.vpn[id] };
    bool fresh = id >= x->first_fresh;
    for (unsigned k = 0; k < (fresh ? 3 : 1); k++) {
        uint64_t *to = &c->dict[k][k ? c->n_fresh : c->dict_n];
        *to = fl_zigzag((int64_t)(now[k] - before[k]));
        c->any_dict[k] |= *to;
        before[k] = now[k];
    }
    x->by_page[id].slot = c->dict_n++;
    c->n_fresh += fresh;
}

#define AT_ONCE 16u

/*
 * To the front of @list, of @n; returns the place where it was, @n when it was not there. There is
 * room for AT_ONCE more, which are looked at, too.
 */
static uint32_t to_front(uint32_t *list, uint32_t n, uint32_t id)
{
    uint32_t at = 0;
    for (bool found = false; at < n && !found; at += found ? 0 : AT_ONCE)
        for (uint32_t i = 0; i < AT_ONCE; i++) /* vectors */
            found |= list[at + i] == id;
    while (at < n && list[at] != id)
        at++;
    at = at < n ? at : n;
    memmove(list + 1, list, at * sizeof *list);
    list[0] = id;
    return at;
}

/* Pages by their place in the list of the last ones, or in the dictionary, in which a slot, free
   outside windows, says where. */
static bool fill_pages(struct fl_reduce *x, struct columns *c)
{
    uint32_t *entry = malloc((c->runs + 1) * sizeof *entry),
             list[FL_REDUCED_DEPTH + 1 + AT_ONCE] = { 0 }, n = 0;
    uint64_t before[3] = { UINT64_MAX, 0, 0 };
    if (!entry)
        return false;
    for (uint32_t i = 0; i < c->runs; i++) {
        uint32_t id = x->sorted[i].page, at = to_front(list, n, id);
        c->page[i] = (uint8_t)at;
        if (at < n)
            continue;
        n += n < FL_REDUCED_DEPTH;
        at = x->by_page[id].slot;
        if (at < c->dict_n && entry[at] == id) {
            c->page[i] = FL_REDUCED_DEPTH + 1;
            c->far[c->n_fars++] = at;
            c->any_far |= at;
        } else {
            c->page[i] = FL_REDUCED_DEPTH;
            entry[c->dict_n] = id;
            put_entry(x, c, id, before);
        }
    }
    free(entry);
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

/* Which runs have one, then those; in version 1 one a run. */
static void put_locations(const struct fl_reduce *x, struct columns *c, struct fl_buf *out)
{
    uint32_t n = 0;
    if (x->version == 1 || !c->any_code) {
        put_u32(out, c->code, c->runs, c->any_code);
        return;
    }
    size_t bytes = (c->runs + 7) / 8;
    uint8_t *bits = fl_buf_room(out, bytes);
    if (!bits)
        return;
    memset(bits, 0, bytes);
    out->len += bytes;
    for (uint32_t i = 0; i < c->runs; i++)
        if (c->code[i]) {
            bits[i / 8] |= (uint8_t)(1u << i % 8);
            c->code[n++] = c->code[i];
        }
    put_u32(out, c->code, n, c->any_code);
}

static void put_header(const struct fl_reduce *x, const struct fl_reduce_input *in,
                       const struct columns *c, size_t sequence_bytes, size_t events_bytes,
                       struct fl_buf *out)
{
    fl_buf_put_u8(out, (uint8_t)x->version);
    fl_buf_put_u8(out, c->any_code ? FL_REDUCED_CODES : 0);
    fl_buf_put_u8(out, (uint8_t)fl_width(c->any_far));
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
    fl_buf_put_le(out, x->first_fresh, 4);
    fl_buf_put_le(out, c->n_fresh, 4);
    fl_buf_put_le(out, c->n_fars, 4);
}

static bool columns_new(struct columns *c, uint32_t runs)
{
    *c = (struct columns){ .runs = runs };
    c->far = malloc((runs + 1) * sizeof *c->far);
    c->page = malloc(runs + 1);
    c->accesses = malloc((runs + 1) * sizeof *c->accesses);
    c->code = malloc((runs + 1) * sizeof *c->code);
    c->kinds = malloc(runs + 1);
    for (unsigned k = 0; k < 3; k++)
        c->dict[k] = malloc((runs + 1) * sizeof *c->dict[k]);
    return c->far && c->page && c->accesses && c->code && c->kinds && c->dict[0] && c->dict[1] &&
           c->dict[2];
}

static void columns_free(struct columns *c)
{
    free(c->far);
    free(c->page);
    free(c->accesses);
    free(c->code);
    free(c->kinds);
    for (unsigned k = 0; k < 3; k++)
        free(c->dict[k]);
}

int fl_reduce_encode(struct fl_reduce *x, const struct fl_reduce_input *in,
                     const struct fl_cur *records, struct fl_buf *out, struct fl_err *err)
{
    size_t events_bytes = fl_cur_left(records);
    struct columns c;
    struct fl_buf sequence = { 0 };
    x->n_sorted = leave_out_repeats(x, sort_kept(x));
    bool ok = columns_new(&c, x->n_sorted) && fill_pages(x, &c);
    if (ok && fill_runs(x, &c)) {
        put_sequence(x, c.runs, &sequence);
        put_header(x, in, &c, sequence.len, events_bytes, out);
        fl_buf_put(out, sequence.data, sequence.len);
        fl_buf_put(out, records->p, events_bytes);
        for (unsigned k = 0; k < 3; k++)
            put_u64(out, c.dict[k], k ? c.n_fresh : c.dict_n, c.any_dict[k]);
        fl_buf_put(out, c.page, c.runs);
        put_u32(out, c.far, c.n_fars, c.any_far);
        fl_buf_put(out, c.kinds, c.runs);
        put_u32(out, c.accesses, c.runs, c.any_accesses);
        put_locations(x, &c, out);
        ok = !out->oom && !sequence.oom;
    }
    columns_free(&c);
    fl_buf_free(&sequence);
    return ok ? FL_OK : fl_nomem(err, "the reduced layer");
}
