/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reducedec.c - the payload of a REDUCED block, back as runs. */
#include <stdlib.h>
#include <string.h>

#include "reduce.h"

struct dictionary {
    uint8_t width[3];
    uint32_t first_fresh, n_fresh;
};

/* Room for @n, and for one more that may be looked at in vain. */
static bool grow(uint32_t **array, uint32_t *cap, uint32_t n)
{
    if (n < *cap)
        return true;
    uint32_t *grown = realloc(*array, (n + 1) * sizeof *grown);
    if (!grown)
        return false;
    *array = grown;
    *cap = n + 1;
    return true;
}

/* Numbers @i and those behind it of a column of @n, as many as there is room for. */
#define SOME 512u
static uint32_t some(uint64_t v[SOME], const uint8_t *planes, uint32_t n, unsigned width,
                     uint32_t i)
{
    uint32_t count = n - i < SOME ? n - i : SOME;
    fl_planes_get_u64(v, planes, n, width, i, count);
    return count;
}

/* Pages of blocks before are named by id alone. */
static int load_dictionary(struct fl_reduced *d, struct fl_cur *c, const struct dictionary *from,
                           struct fl_pagetab *pages, struct fl_err *err)
{
    const uint8_t *planes[3];
    uint64_t now[3] = { UINT64_MAX, 0, 0 }, ids[SOME], v;
    uint32_t fresh = 0;
    for (unsigned k = 0; k < 3; k++)
        planes[k] = fl_cur_bytes(c, (size_t)(k ? from->n_fresh : d->dict_n) * from->width[k]);
    if (c->bad)
        return FL_EFORMAT;
    if (!grow(&d->dict, &d->dict_cap, d->dict_n))
        return fl_nomem(err, "trace block");
    for (uint32_t i = 0, have = 0, at = 0; i < d->dict_n; i++, at++) {
        if (at == have) {
            have = some(ids, planes[0], d->dict_n, from->width[0], i);
            at = 0;
        }
        now[0] += (uint64_t)fl_unzigzag(ids[at]);
        d->dict[i] = (uint32_t)now[0];
        if (now[0] < from->first_fresh && now[0] < pages->n)
            continue;
        if (now[0] < from->first_fresh || fresh == from->n_fresh)
            return fl_fail(err, FL_EFORMAT, "page id %llu comes out of order",
                           (unsigned long long)now[0]);
        for (unsigned k = 1; k < 3; k++) {
            fl_planes_get_u64(&v, planes[k], from->n_fresh, from->width[k], fresh, 1);
            now[k] += (uint64_t)fl_unzigzag(v);
        }
        fresh++;
        int rc = fl_pagetab_enter(pages, now[0], now[1], now[2], err);
        if (rc != FL_OK)
            return rc;
    }
    return fresh == from->n_fresh ? FL_OK : FL_EFORMAT;
}

/* The pages of the far references, one after the other. */
static int load_fars(struct fl_reduced *d, struct fl_cur *c, struct fl_err *err)
{
    const uint8_t *planes = fl_cur_bytes(c, (size_t)d->n_fars * d->far_width);
    uint32_t most = 0;
    if (c->bad)
        return FL_EFORMAT;
    if (!grow(&d->fars, &d->fars_cap, d->n_fars))
        return fl_nomem(err, "trace block");
    fl_planes_get_u32(d->fars, planes, d->n_fars, d->far_width, 0, d->n_fars);
    for (uint32_t i = 0; i < d->n_fars; i++)
        most = d->fars[i] > most ? d->fars[i] : most;
    if (d->n_fars && most >= d->dict_n)
        return fl_fail(err, FL_EFORMAT, "a run of a page that is not in the dictionary");
    for (uint32_t i = 0; i < d->n_fars; i++)
        d->fars[i] = d->dict[d->fars[i]];
    return FL_OK;
}

static void load_locations(struct fl_reduced *d, struct fl_cur *c, unsigned version)
{
    d->located = NULL;
    d->n_locations = d->runs;
    if (version > 1 && d->has_codes) {
        d->located = fl_cur_bytes(c, (d->runs + 7u) / 8);
        d->n_locations = 0;
        for (uint32_t i = 0; d->located && i < d->runs; i += 8) {
            unsigned all = d->runs - i < 8 ? (1u << (d->runs - i)) - 1 : 0xff;
            for (unsigned left = d->located[i / 8] & all; left; left &= left - 1)
                d->n_locations++;
        }
    }
    d->locations = fl_cur_bytes(c, (size_t)d->n_locations * d->location_width);
}

static bool header(struct fl_reduced *d, const uint8_t *h, uint32_t blocks, struct dictionary *dict)
{
    uint32_t n[4];
    for (unsigned i = 0; i < 4; i++)
        n[i] = (uint32_t)fl_get_le(h + 8 + 4 * i, 4);
    d->has_codes = (h[1] & FL_REDUCED_CODES) != 0;
    d->far_width = h[2], d->accesses_width = h[3], d->location_width = h[4];
    memcpy(dict->width, h + 5, sizeof dict->width);
    d->floor = n[0], d->runs = n[1], d->dict_n = n[2], d->n_events = n[3];
    d->time_ns = fl_get_le(h + 32, 8);
    for (unsigned k = 0; k < 5; k++)
        d->counts[k] = fl_get_le(h + 40 + 8 * k, 8);
    d->stream_runs = (uint32_t)fl_get_le(h + 80, 4);
    dict->first_fresh = (uint32_t)fl_get_le(h + 84, 4);
    dict->n_fresh = (uint32_t)fl_get_le(h + 88, 4);
    d->n_fars = (uint32_t)fl_get_le(h + 92, 4);
    d->run_at = d->events_seen = d->batch.run_codes_n = d->dict_next = d->far_at = d->list_n = 0;
    d->location_at = 0;
    for (unsigned i = 0; i < sizeof d->list; i++)
        d->list[i] = (uint8_t)i;
    return !(h[1] & ~FL_REDUCED_CODES) && d->far_width <= 4 && d->accesses_width <= 4 &&
           d->location_width <= 4 && (d->has_codes || !d->location_width) && h[5] <= 5 &&
           h[6] <= 5 && h[7] <= 8 && d->floor >= 1 && d->floor <= FL_REDUCED_FLOOR_MAX &&
           d->runs <= d->stream_runs && d->stream_runs <= (uint64_t)blocks * FL_BLOCK_RUNS_MAX &&
           d->dict_n <= d->runs && dict->n_fresh <= d->dict_n && d->n_fars <= d->runs;
}

int fl_reduced_load(struct fl_reduced *d, const uint8_t *raw, size_t len, uint32_t blocks,
                    struct fl_pagetab *pages, struct fl_err *err)
{
    struct fl_cur c = { .p = raw, .end = raw + len };
    struct fl_err why = { 0 };
    const uint8_t *h = fl_cur_bytes(&c, FL_REDUCED_HEADER);
    struct dictionary dict;
    if (h && !fl_reduced_known(h[0]))
        return fl_fail(err, FL_EVERSION, "a reduced layer of version %u", h[0]);
    if (!h || !header(d, h, blocks, &dict))
        return fl_fail(err, FL_EFORMAT, "malformed block");
    uint32_t sequence_bytes = (uint32_t)fl_get_le(h + 24, 4);
    uint32_t events_bytes = (uint32_t)fl_get_le(h + 28, 4);
    const uint8_t *sequence = fl_cur_bytes(&c, sequence_bytes);
    const uint8_t *events = fl_cur_bytes(&c, events_bytes);
    if (c.bad)
        return fl_fail(err, FL_EFORMAT, "malformed block");
    d->sequence = (struct fl_cur){ .p = sequence, .end = sequence + sequence_bytes };
    d->events = (struct fl_cur){ .p = events, .end = events + events_bytes };
    int rc = load_dictionary(d, &c, &dict, pages, &why);
    d->codes = fl_cur_bytes(&c, d->runs);
    if (rc == FL_OK)
        rc = load_fars(d, &c, &why);
    d->kinds = fl_cur_bytes(&c, d->runs);
    d->accesses = fl_cur_bytes(&c, (size_t)d->runs * d->accesses_width);
    load_locations(d, &c, h[0]);
    if (rc == FL_OK && !c.bad && !fl_cur_left(&c))
        return FL_OK;
    return fl_fail(err, rc == FL_OK ? FL_EFORMAT : rc, "%s",
                   why.msg[0] ? why.msg : "malformed block");
}

/* Which of the next @n runs have a location, into d->batch.run_codes. */
static uint32_t find_located(struct fl_reduced *d, uint32_t n)
{
    uint32_t found = 0, at = d->run_at, end = at + n;
    if (!d->located)
        for (; at < end; at++)
            d->batch.run_codes[found++].run = at - d->run_at;
    while (at < end) {
        uint32_t bits = (uint32_t)d->located[at / 8] >> at % 8;
        if (!bits) {
            at = (at | 7) + 1;
            continue;
        }
        at += (uint32_t)__builtin_ctz(bits);
        if (at < end)
            d->batch.run_codes[found++].run = at - d->run_at;
        at++;
    }
    return found;
}

static int locate(struct fl_reduced *d, uint32_t n, uint32_t codes, struct fl_err *err)
{
    uint32_t location[FL_BATCH_RUNS], found = find_located(d, n), known = 0;
    bool ok = true;
    fl_planes_get_u32(location, d->locations, d->n_locations, d->location_width, d->location_at,
                      found);
    d->location_at += found;
    for (uint32_t i = 0; i < found; i++) {
        ok &= location[i] <= codes;
        d->batch.run_codes[known] =
            (struct fl_run_code){ d->batch.run_codes[i].run, location[i] - 1 };
        known += location[i] != 0;
    }
    d->batch.run_codes_n = known;
    return ok ? FL_OK : fl_fail(err, FL_EFORMAT, "a run in code that was not defined");
}

/* Counts of the next @n runs. False: one without accesses, or more than it is said to have. */
static bool counts(struct fl_reduced *d, enum fl_actor actor, uint32_t n)
{
    const uint8_t *kinds = d->kinds + d->run_at;
    uint32_t accesses[FL_BATCH_RUNS], *reads = d->batch.count[0], *writes = d->batch.count[1],
                                      *fetches = d->batch.count[2];
    uint32_t bad = 0, any_write = 0, any_fetch = 0, any_long = 0;
    bool user = actor == FL_ACTOR_USER;
    fl_planes_get_u32(accesses, d->accesses, d->runs, d->accesses_width, d->run_at, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t kind = kinds[i], r = kind & 1, w = kind >> 1 & 1, f = kind >> 2;
        uint32_t own = r + w + f, more = user ? accesses[i] - own : 0;
        bad |= (kind == 0) | (kind > 7) | (user ? accesses[i] < own : (accesses[i] | f) != 0);
        reads[i] = r + (more & -r);
        writes[i] = w + (more & -(w & (r ^ 1)));
        fetches[i] = f + (more & -(uint32_t) !(kind & 3));
        any_write |= w;
        any_fetch |= f;
        any_long |= own + more > 1;
    }
    d->batch.facts = (any_long ? FL_RUNS_LONG : 0u) | (any_write ? FL_RUNS_WRITES : 0u) |
                     (any_fetch ? FL_RUNS_FETCHES : 0u);
    return !bad;
}

int fl_reduced_runs(struct fl_reduced *d, enum fl_actor actor, uint32_t n, uint32_t codes,
                    struct fl_err *err)
{
    if (n > d->runs - d->run_at)
        return fl_fail(err, FL_EFORMAT, "more runs in the sequence than in the block");
    if (!fl_reduced_pages(d, n))
        return fl_fail(err, FL_EFORMAT, "a run of a page that is not in the dictionary");
    if (!counts(d, actor, n))
        return fl_fail(err, FL_EFORMAT, "a run without accesses");
    d->batch.run_codes_n = 0;
    int rc = d->has_codes ? locate(d, n, codes, err) : FL_OK;
    d->run_at += n;
    return rc;
}

int fl_reduced_end(const struct fl_reduced *d, struct fl_err *err)
{
    bool all = d->run_at == d->runs && d->dict_next == d->dict_n && d->far_at == d->n_fars &&
               (!d->located || d->location_at == d->n_locations) && d->events_seen == d->n_events &&
               !fl_cur_left(&d->events);
    return all ? FL_OK : fl_fail(err, FL_EFORMAT, "the block holds more than its sequence names");
}

void fl_reduced_free(struct fl_reduced *d)
{
    free(d->dict);
    free(d->fars);
    d->dict = d->fars = NULL;
}
