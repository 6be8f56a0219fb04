/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "blockdec.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

void fl_pagetab_free(struct fl_pagetab *t)
{
    free(t->vpn);
    free(t->mm);
    *t = (struct fl_pagetab){ 0 };
}

static bool pagetab_reserve(struct fl_pagetab *t, uint64_t n)
{
    if (n <= t->cap)
        return true;
    uint64_t cap = t->cap ? t->cap : 1024;
    while (cap < n)
        cap *= 2;
    if (cap > UINT32_MAX)
        cap = UINT32_MAX;
    uint64_t *vpn = realloc(t->vpn, cap * sizeof *vpn);
    if (!vpn)
        return false;
    t->vpn = vpn;
    uint32_t *mm = realloc(t->mm, cap * sizeof *mm);
    if (!mm)
        return false;
    t->mm = mm;
    t->cap = (uint32_t)cap;
    return true;
}

/* pre: there is room for one more */
static inline int enter(struct fl_pagetab *t, uint64_t id, uint64_t mm, uint64_t vpn,
                        struct fl_err *err)
{
    if (id == t->n && id < UINT32_MAX && mm < FL_NO_MM && vpn <= FL_VPN_MAX) {
        t->vpn[id] = vpn;
        t->mm[id] = (uint32_t)mm;
        t->n++;
    } else if (id >= t->n) {
        return fl_fail(err, FL_EFORMAT, "page id %llu comes out of order", (unsigned long long)id);
    } else if (t->vpn[id] != vpn || t->mm[id] != mm) {
        return fl_fail(err, FL_EFORMAT, "page id %llu changes its meaning", (unsigned long long)id);
    }
    return FL_OK;
}

int fl_pagetab_enter(struct fl_pagetab *t, uint64_t id, uint64_t mm, uint64_t vpn,
                     struct fl_err *err)
{
    return pagetab_reserve(t, (uint64_t)t->n + 1) ? enter(t, id, mm, vpn, err)
                                                  : fl_nomem(err, "pages of the trace");
}

void fl_blockdec_free(struct fl_blockdec *d)
{
    free(d->dict);
    free(d->list_at);
    free(d->lists);
    free(d->list_len);
    d->dict = d->lists = NULL;
    d->list_at = NULL;
    d->list_len = NULL;
}

/* ---- loading ---- */

struct widths {
    unsigned id, mm, vpn, shape[3];
};

/* The next plane column, or NULL and c->bad. */
static const uint8_t *column(struct fl_cur *c, uint64_t n, unsigned width)
{
    return fl_cur_bytes(c, (size_t)(n * width)); /* n < 2^32, width <= 8 */
}

struct entry {
    uint64_t id, mm, vpn;
};

/* @count entries: their ids, and by differences, from @last on, what they mean. */
static int enter_pages(struct fl_pagetab *pages, struct entry *last, const uint64_t *ids,
                       const uint64_t *mms, const uint64_t *vpns, uint32_t count,
                       struct fl_err *err)
{
    uint64_t mm = last->mm, vpn = last->vpn;
    for (uint32_t i = 0; i < count; i++) {
        mm += (uint64_t)fl_unzigzag(mms[i]);
        vpn += (uint64_t)fl_unzigzag(vpns[i]);
        int rc = enter(pages, ids[i], mm, vpn, err);
        if (rc != FL_OK)
            return rc;
    }
    last->mm = mm;
    last->vpn = vpn;
    return FL_OK;
}

static int load_dictionary(struct fl_blockdec *d, struct fl_cur *c, const struct widths *w,
                           struct fl_pagetab *pages, struct fl_err *err)
{
    uint32_t n = d->dict_n;
    const uint8_t *ids = column(c, n, w->id), *mms = column(c, n, w->mm);
    const uint8_t *vpns = column(c, n, w->vpn);
    if (c->bad)
        return FL_EFORMAT;
    if (n > d->dict_cap) {
        uint32_t *grown = realloc(d->dict, n * sizeof *grown);
        if (!grown)
            return fl_nomem(err, "trace block");
        d->dict = grown;
        d->dict_cap = n;
    }
    struct entry last = { .id = UINT64_MAX };
    for (uint32_t from = 0; from < n;) {
        uint64_t a[512], b[512], v[512];
        uint32_t count = n - from < 512 ? n - from : 512;
        fl_planes_get_u64(a, ids, n, w->id, from, count);
        fl_planes_get_u64(b, mms, n, w->mm, from, count);
        fl_planes_get_u64(v, vpns, n, w->vpn, from, count);
        if (!pagetab_reserve(pages, (uint64_t)pages->n + count))
            return fl_nomem(err, "pages of the trace");
        for (uint32_t i = 0; i < count; i++) {
            a[i] = last.id += (uint64_t)fl_unzigzag(a[i]);
            if (a[i] < pages->n) { /* what it means is far away, mostly: on with all of it */
                __builtin_prefetch(&pages->vpn[a[i]]);
                __builtin_prefetch(&pages->mm[a[i]]);
            }
            d->dict[from + i] = (uint32_t)a[i];
        }
        int rc = enter_pages(pages, &last, a, b, v, count, err);
        if (rc != FL_OK)
            return rc;
        from += count;
    }
    return FL_OK;
}

static int load_shapes(struct fl_blockdec *d, struct fl_cur *c, const struct widths *w,
                       struct fl_err *err)
{
    const uint8_t *planes[3];
    uint32_t n = d->shapes_n;
    for (unsigned k = 0; k < 3; k++)
        planes[k] = column(c, n, w->shape[k]);
    d->escape_code = d->ids ? n : FL_SHAPE_ESCAPE;
    d->shape_bits = d->ids ? fl_bits(d->escapes || !n ? n : n - 1) : 8;
    d->shape_codes = d->pairs ? d->codes + 1
                              : fl_cur_bytes(c, (size_t)fl_bits_bytes(d->runs, d->shape_bits));
    for (unsigned k = 0; k < 3; k++)
        d->escape_planes[k] = column(c, d->escapes, d->escape_width[k]);
    return c->bad ? FL_EFORMAT : fl_shapes_load(d, planes, w->shape, err);
}

static int load_columns(struct fl_blockdec *d, struct fl_cur *c, const struct widths *w,
                        uint32_t sequence_bytes, uint32_t events_bytes, struct fl_pagetab *pages,
                        struct fl_err *err)
{
    const uint8_t *sequence = fl_cur_bytes(c, sequence_bytes);
    const uint8_t *events = fl_cur_bytes(c, events_bytes);
    if (c->bad)
        return FL_EFORMAT;
    d->sequence = (struct fl_cur){ .p = sequence, .end = sequence + sequence_bytes };
    d->events = (struct fl_cur){ .p = events, .end = events + events_bytes };
    int rc = load_dictionary(d, c, w, pages, err);
    if (rc != FL_OK)
        return rc;
    d->pages_n = pages->n;
    d->codes = d->depth ? column(c, d->runs, d->pairs ? 2 : 1) : NULL;
    if (d->ids)
        d->index_planes = fl_cur_bytes(c, (size_t)fl_bits_bytes(d->runs, d->index_width));
    else
        d->index_planes = column(c, d->depth ? d->fars : d->runs, d->index_width);
    if (c->bad)
        return FL_EFORMAT;
    return load_shapes(d, c, w, err);
}

int fl_blockdec_load(struct fl_blockdec *d, const uint8_t *raw, size_t len, unsigned flags,
                     uint32_t runs, struct fl_pagetab *pages, struct fl_err *err)
{
    struct fl_cur c = { .p = raw, .end = raw + len };
    const uint8_t *h = fl_cur_bytes(&c, FL_STREAM_HEADER);
    struct fl_err why = { 0 };
    if (!h)
        return fl_fail(err, FL_EFORMAT, "malformed block");
    d->ids = (flags & FL_BLOCKF_IDS) != 0;
    d->pairs = (flags & FL_BLOCKF_PAIRS) != 0;
    d->depth = h[0];
    d->index_width = h[1];
    d->shapes_n = h[2];
    struct widths w = { .id = h[3], .mm = h[4], .vpn = h[5], .shape = { h[6], h[7], h[8] } };
    for (unsigned k = 0; k < 3; k++)
        d->escape_width[k] = h[9 + k];
    uint32_t counts[7];
    for (unsigned i = 0; i < 7; i++)
        counts[i] = (uint32_t)fl_get_le(h + 12 + 4 * i, 4);
    d->n_events = counts[0], d->runs = counts[1], d->dict_n = counts[2];
    d->fars = counts[3], d->escapes = counts[4];
    bool sane = d->depth <= FL_RECENCY_MAX && d->shapes_n <= FL_SHAPES_MAX && d->runs == runs &&
                runs <= FL_BLOCK_RUNS_MAX && d->dict_n <= runs && d->fars <= runs &&
                d->escapes <= runs && d->index_width <= (d->ids ? 32 : 4) && w.id <= 5 &&
                w.mm <= 5 && w.vpn <= 8 && (d->depth ? !d->ids : !d->fars && !d->pairs);
    for (unsigned k = 0; k < 3; k++)
        sane = sane && w.shape[k] <= 4 && d->escape_width[k] <= 4;
    if (!sane)
        return fl_fail(err, FL_EFORMAT, "malformed block");
    d->dict_next = d->run_at = d->far_at = d->escape_at = d->events_seen = d->lists_n = 0;
    d->has_codes = false;
    d->location_at = d->batch.run_codes_n = 0;
    d->epoch++;
    int rc = load_columns(d, &c, &w, counts[5], counts[6], pages, &why);
    if (rc == FL_OK && fl_cur_left(&c))
        rc = FL_EFORMAT;
    if (rc == FL_OK)
        return FL_OK;
    return fl_fail(err, rc, "%s", why.msg[0] ? why.msg : "malformed block");
}

/* Page codes that are not below the depth; by bytes as long as those cannot overflow. */
static uint32_t count_outside(const struct fl_blockdec *d)
{
    uint32_t count = 0, step = d->pairs ? 2 : 1;
    uint8_t least = (uint8_t)d->depth;
    const uint8_t *code = d->codes;
    for (uint32_t left = d->runs; left;) {
        uint32_t n = left < 128 ? left : 128;
        uint8_t some = 0;
        if (d->pairs)
            for (uint32_t i = 0; i < n; i++)
                some = (uint8_t)(some + (code[2 * i] >= least));
        else
            for (uint32_t i = 0; i < n; i++)
                some = (uint8_t)(some + (code[i] >= least));
        count += some;
        code += (size_t)n * step;
        left -= n;
    }
    return count;
}

int fl_blockdec_codes(struct fl_blockdec *d, const uint8_t *raw, size_t len, struct fl_err *err)
{
    uint32_t need = d->depth ? count_outside(d) : d->runs;
    struct fl_cur c = { .p = raw, .end = raw + len };
    const uint8_t *h = fl_cur_bytes(&c, FL_CODE_HEADER);
    if (!h || h[0] > 4 || h[1] | h[2] | h[3])
        return fl_fail(err, FL_EFORMAT, "malformed code locations");
    uint32_t n = (uint32_t)fl_get_le(h + 4, 4);
    if (n != need)
        return fl_fail(err, FL_EFORMAT, "%u code locations for %u runs", n, need);
    const uint8_t *planes = column(&c, n, h[0]);
    if (c.bad || fl_cur_left(&c))
        return fl_fail(err, FL_EFORMAT, "malformed code locations");
    d->location_planes = planes;
    d->location_width = h[0];
    d->locations = n;
    d->has_codes = true;
    return FL_OK;
}

int fl_blockdec_end(const struct fl_blockdec *d, struct fl_err *err)
{
    bool all = d->run_at == d->runs && d->far_at == d->fars && d->escape_at == d->escapes &&
               d->events_seen == d->n_events && !fl_cur_left(&d->events) &&
               (!d->depth || d->dict_next == d->dict_n);
    return all ? FL_OK : fl_fail(err, FL_EFORMAT, "the block holds more than its sequence names");
}

/* ---- runs ---- */

/* List of @thread in this block: index, or UINT32_MAX when out of memory or of lists. */
static uint32_t list_of(struct fl_blockdec *d, uint32_t thread)
{
    if (thread >= d->list_at_cap) {
        size_t cap = d->list_at_cap ? d->list_at_cap : 64;
        while (cap <= thread)
            cap *= 2;
        cap = cap > UINT32_MAX ? UINT32_MAX : cap;
        uint64_t *grown = realloc(d->list_at, cap * sizeof *grown);
        if (!grown)
            return UINT32_MAX;
        memset(grown + d->list_at_cap, 0, (cap - d->list_at_cap) * sizeof *grown);
        d->list_at = grown;
        d->list_at_cap = (uint32_t)cap;
    }
    if (d->list_at[thread] >> 32 == d->epoch)
        return (uint32_t)d->list_at[thread];
    if (d->lists_n == FL_BLOCK_LISTS_MAX)
        return UINT32_MAX;
    size_t need = ((size_t)d->lists_n + 1) * d->depth;
    if (need > d->lists_cap) {
        uint32_t *grown = realloc(d->lists, need * 2 * sizeof *grown);
        if (!grown)
            return UINT32_MAX;
        d->lists = grown;
        d->lists_cap = need * 2;
    }
    if (!d->list_len && !(d->list_len = calloc(FL_BLOCK_LISTS_MAX, sizeof *d->list_len)))
        return UINT32_MAX;
    d->list_len[d->lists_n] = 0;
    d->list_at[thread] = (uint64_t)d->epoch << 32 | d->lists_n;
    return d->lists_n++;
}

static bool all_below(const uint32_t *v, uint32_t n, uint32_t limit)
{
    uint32_t any = 0, max = 0;
    for (uint32_t i = 0; i < n; i++)
        any |= v[i];
    if (any < limit) /* vectors of any processor can do this much, but not all of them a maximum */
        return true;
    for (uint32_t i = 0; i < n; i++)
        max = v[i] > max ? v[i] : max;
    return max < limit;
}

static bool plain_pages(struct fl_blockdec *d, uint32_t n)
{
    uint32_t *page = d->batch.page;
    const uint32_t *dict = d->dict;
    if (d->ids) {
        fl_bits_get_u32(page, d->room, d->index_planes, d->runs, d->index_width, d->run_at, n);
        return all_below(page, n, d->pages_n);
    }
    fl_planes_get_u32(page, d->index_planes, d->runs, d->index_width, d->run_at, n);
    if (!all_below(page, n, d->dict_n))
        return false;
    for (uint32_t i = 0; i < n; i++)
        page[i] = dict[page[i]];
    return true;
}

/* As many as the block has: fl_blockdec_codes() counted. */
static bool locations(struct fl_blockdec *d, uint32_t n, uint32_t codes)
{
    uint32_t location[FL_BATCH_RUNS], count = d->depth ? d->outside_n : n, found = 0;
    fl_planes_get_u32(location, d->location_planes, d->locations, d->location_width, d->location_at,
                      count);
    d->location_at += count;
    bool ok = true;
    for (uint32_t i = 0; i < count; i++) {
        ok &= location[i] <= codes;
        d->batch.run_codes[found] =
            (struct fl_run_code){ d->depth ? d->outside[i] : i, location[i] - 1 };
        found += location[i] != 0;
    }
    d->batch.run_codes_n = found;
    return ok;
}

/* Every other byte of @pair each. */
static void part(uint8_t *restrict first, uint8_t *restrict second, const uint8_t *restrict pair,
                 uint32_t n)
{
    uint32_t i = 0;
#ifdef __SSE2__
    const __m128i low = _mm_set1_epi16(0xff);
    for (; i + 16 <= n; i += 16) {
        const __m128i *from = (const __m128i *)(const void *)(pair + 2 * i);
        __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
        _mm_storeu_si128((__m128i *)(void *)(first + i),
                         _mm_packus_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low)));
        _mm_storeu_si128((__m128i *)(void *)(second + i),
                         _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8)));
    }
#endif
    for (; i < n; i++) {
        first[i] = pair[2 * i];
        second[i] = pair[2 * i + 1];
    }
}

/* The codes of the next @n runs: d->batch_codes, d->batch_shapes. */
static void take_codes(struct fl_blockdec *d, uint32_t n)
{
    if (d->pairs) {
        part(d->room, d->more_room, d->codes + (size_t)d->run_at * 2, n);
        d->batch_codes = d->room;
        d->batch_shapes = d->more_room;
        return;
    }
    d->batch_codes = d->depth ? d->codes + d->run_at : NULL;
    if (!d->ids)
        d->batch_shapes = d->shape_codes + d->run_at;
    else if (!d->one_shape)
        d->batch_shapes =
            fl_bits_get_u8(d->more_room, d->shape_codes, d->runs, d->shape_bits, d->run_at, n);
}

int fl_blockdec_runs(struct fl_blockdec *d, uint32_t thread, uint32_t n, uint32_t codes,
                     struct fl_err *err)
{
    if (n > d->runs - d->run_at)
        return fl_fail(err, FL_EFORMAT, "more runs in the sequence than in the block");
    bool ok;
    take_codes(d, n);
    if (d->depth) {
        uint32_t which = list_of(d, thread);
        if (which == UINT32_MAX)
            return d->lists_n == FL_BLOCK_LISTS_MAX
                       ? fl_fail(err, FL_EFORMAT, "runs of more than %u threads in one block",
                                 FL_BLOCK_LISTS_MAX)
                       : fl_nomem(err, "recency lists");
        ok = fl_recency_pages(d, which, n);
    } else {
        ok = plain_pages(d, n);
    }
    if (!ok)
        return fl_fail(err, FL_EFORMAT, "a run of a page that is not in the dictionary");
    if (!d->one_shape && !fl_shapes_runs(d, n))
        return fl_fail(err, FL_EFORMAT, "a run of an unknown shape, or without accesses");
    if (d->has_codes && !locations(d, n, codes))
        return fl_fail(err, FL_EFORMAT, "a run in code that was not defined");
    d->run_at += n;
    return FL_OK;
}
