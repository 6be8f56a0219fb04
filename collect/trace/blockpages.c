/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blockpages.c - which page each run of a block is on: the hot loop of a recording.
 *
 * Moving a page to the front of its thread's list is where a loop would have to be
 * predicted, and is not: every slot's place is looked at. Where the processor can shuffle bytes, the
 * places stay in registers, and the next move waits for a handful of instructions of the one before.
 */
#include <stdlib.h>
#include <string.h>

#include "blockenc.h"

bool fl_blockenc_reach(uint64_t **array, uint32_t *cap, uint32_t i)
{
    if (i < *cap)
        return true;
    size_t want = *cap ? *cap : 1024;
    while (want <= i)
        want *= 2;
    if (want > UINT32_MAX)
        want = UINT32_MAX;
    uint64_t *grown = realloc(*array, want * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + *cap, 0, (want - *cap) * sizeof *grown);
    *array = grown;
    *cap = (uint32_t)want;
    return true;
}

/* ---- lists ---- */

static bool has_list(const struct fl_blockenc *b, uint32_t thread)
{
    return thread < b->list_at_cap && b->list_at[thread] >> 32 == b->epoch;
}

bool fl_blockenc_list_fits(const struct fl_blockenc *b, uint32_t thread)
{
    return b->lists_n < FL_BLOCK_LISTS_MAX || has_list(b, thread);
}

struct fl_enc_list *fl_blockenc_list(struct fl_blockenc *b, uint32_t thread, uint32_t mm)
{
    if (!fl_blockenc_reach(&b->list_at, &b->list_at_cap, thread))
        return NULL;
    if (!has_list(b, thread)) {
        if (b->lists_n == b->lists_cap) {
            uint32_t cap = b->lists_cap ? b->lists_cap * 2 : 16;
            struct fl_enc_list *grown = realloc(b->lists, cap * sizeof *grown);
            if (!grown)
                return NULL;
            b->lists = grown;
            b->lists_cap = cap;
        }
        struct fl_enc_list *fresh = &b->lists[b->lists_n];
        *fresh = (struct fl_enc_list){ .mm = mm };
        memset(fresh->place, FL_ENC_NO_PLACE, sizeof fresh->place);
        b->list_at[thread] = (uint64_t)b->epoch << 32 | b->lists_n++;
    }
    struct fl_enc_list *l = &b->lists[(uint32_t)b->list_at[thread]];
    if (l->mm != mm) {
        /* After exec the old pages keep their positions, but nothing names them any more. */
        for (uint32_t i = 0; i < l->n; i++)
            l->vpn[i] = UINT64_MAX;
        memset(b->known, 0, sizeof *b->known << FL_ENC_KNOWN_BITS);
        l->mm = mm;
    }
    return l;
}

/* ---- what is known of a page ---- */

/* Room for what belongs to page @id. */
static bool reach_page(struct fl_blockenc *b, uint32_t id)
{
    if (id < b->page_cap)
        return true;
    size_t cap = b->page_cap ? (size_t)b->page_cap * 2 : 1024;
    cap = cap < UINT32_MAX ? cap : UINT32_MAX;
    uint64_t *vpn = realloc(b->page_vpn, cap * sizeof *vpn);
    if (!vpn)
        return false;
    b->page_vpn = vpn;
    uint32_t *mm = realloc(b->page_mm, cap * sizeof *mm);
    if (!mm)
        return false;
    b->page_mm = mm;
    uint32_t *at = realloc(b->page_at, cap * sizeof *at);
    if (!at)
        return false;
    memset(at + b->page_cap, 0, (cap - b->page_cap) * sizeof *at);
    b->page_at = at;
    b->page_cap = (uint32_t)cap;
    return true;
}

/* Id of a page, which gets one when it has none. FL_PAGE_ID_NONE: out of memory or ids. */
static uint32_t page_id(struct fl_blockenc *b, uint64_t vpn)
{
    uint32_t id = fl_pageids_find(&b->ids, b->mm, vpn);
    if (id != FL_PAGE_ID_NONE)
        return id;
    id = b->pages;
    if (id == FL_PAGE_ID_NONE || !reach_page(b, id) || !fl_pageids_add(&b->ids, b->mm, vpn, id))
        return FL_PAGE_ID_NONE;
    b->page_vpn[id] = vpn;
    b->page_mm[id] = b->mm;
    b->pages++;
    return id;
}

/* What stands for a page in this block: dictionary index or id. UINT32_MAX: as above. */
static uint32_t page_index(struct fl_blockenc *b, uint64_t vpn)
{
    uint32_t id = page_id(b, vpn);
    return id == FL_PAGE_ID_NONE || !b->depth ? id : fl_blockenc_entry(b, id);
}

static inline struct fl_enc_known *known_at(const struct fl_blockenc *b, uint64_t vpn)
{
    return &b->known[vpn * UINT64_C(0x9e3779b97f4a7c15) >> (64 - FL_ENC_KNOWN_BITS)];
}

static inline uint16_t list_number(const struct fl_blockenc *b)
{
    return (uint16_t)(b->list - b->lists + 1);
}

/* A page that is not in its place of the table: put it there. False: out of memory or ids. */
static bool learn(struct fl_blockenc *b, struct fl_enc_known *k, uint64_t vpn)
{
    const struct fl_enc_list *l = b->list;
    struct fl_enc_known fresh = { .vpn = vpn, .list = list_number(b), .slot = FL_ENC_NO_SLOT };
    uint32_t slot = 0;
    while (slot < l->n && l->vpn[slot] != vpn)
        slot++;
    if (slot < l->n) {
        fresh.slot = (uint8_t)slot;
        fresh.index = l->index[slot];
    } else {
        fresh.index = page_index(b, vpn);
    }
    *k = fresh;
    return fresh.index != UINT32_MAX;
}

/* Known and not in the list: it takes the last one's slot and place, or new ones. */
static void admit(struct fl_blockenc *b, struct fl_enc_known *k)
{
    struct fl_enc_list *l = b->list;
    uint8_t slot = (uint8_t)l->n;
    if (l->n < FL_RECENCY_DEPTH) {
        l->place[slot] = (uint8_t)l->n++;
    } else {
        const uint8_t *last = memchr(l->place, FL_RECENCY_DEPTH - 1, FL_RECENCY_DEPTH);
        slot = last ? (uint8_t)(last - l->place) : 0; /* it is there */
        struct fl_enc_known *old = known_at(b, l->vpn[slot]);
        if (old->vpn == l->vpn[slot] && old->list == k->list)
            old->slot = FL_ENC_NO_SLOT;
    }
    l->vpn[slot] = k->vpn;
    l->index[slot] = k->index;
    k->slot = slot;
}

/* ---- moving to the front ---- */

void fl_blockenc_lanes(struct fl_blockenc *b)
{
    for (uint32_t slot = 0; slot < FL_RECENCY_DEPTH; slot++)
        for (uint32_t i = 0; i < FL_RECENCY_DEPTH; i++) {
            b->lanes[slot].pick[i] = slot / 16 == i / 16 ? slot % 16 : 0x80;
            b->lanes[slot].keep[i] = i == slot ? 0 : 0xff;
        }
}

static inline void put_outside(struct fl_blockenc *b, uint32_t run, uint32_t index, uint32_t before,
                               uint32_t code)
{
    if (!b->depth) {
        b->indexes[run] = index;
    } else if (index == before) {
        b->codes[run] = (uint8_t)b->depth;
    } else {
        b->codes[run] = (uint8_t)(b->depth + 1);
        b->indexes[b->fars++] = index;
    }
    b->locations[b->locations_n++] = code;
    b->location_any |= code;
}

/* A page that may not be in the list: is it? It is, then. False: out of memory or ids. */
static __attribute__((noinline)) bool enter(struct fl_blockenc *b, struct fl_enc_known *k,
                                            uint64_t vpn, bool *inside)
{
    if ((k->vpn != vpn || k->list != list_number(b)) && !learn(b, k, vpn))
        return false;
    *inside = k->slot != FL_ENC_NO_SLOT;
    if (!*inside)
        admit(b, k);
    return true;
}

/* Runs with a list; false: out of memory or ids. */
static bool listed_plain(struct fl_blockenc *b, const uint64_t *vpn, const uint32_t *code,
                         uint32_t n)
{
    uint8_t *place = b->list->place;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t before = b->dict_n;
        struct fl_enc_known *k = known_at(b, vpn[i]);
        bool inside;
        if (!enter(b, k, vpn[i], &inside))
            return false;
        uint8_t at = place[k->slot];
        for (uint32_t slot = 0; slot < FL_RECENCY_DEPTH; slot++)
            place[slot] = (uint8_t)(place[slot] + (place[slot] < at));
        place[k->slot] = 0;
        b->hits += inside;
        if (inside && b->depth)
            b->codes[b->runs + i] = at;
        else
            put_outside(b, b->runs + i, k->index, before, code ? code[i] + 1 : b->location);
    }
    b->probed += n;
    return true;
}

#ifdef __x86_64__
#include <tmmintrin.h>

#define SHUFFLES __attribute__((target("ssse3")))
_Static_assert(FL_RECENCY_DEPTH == 4 * 16, "the places are four registers");

/* No array: the compiler shall keep them in registers. */
struct places {
    __m128i a, b, c, d;
};

SHUFFLES static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

SHUFFLES static inline struct places load_places(const uint8_t *p)
{
    return (struct places){ load(p), load(p + 16), load(p + 32), load(p + 48) };
}

SHUFFLES static inline void store_places(uint8_t *p, struct places o)
{
    __m128i *to = (__m128i *)(void *)p;
    _mm_storeu_si128(to, o.a);
    _mm_storeu_si128(to + 1, o.b);
    _mm_storeu_si128(to + 2, o.c);
    _mm_storeu_si128(to + 3, o.d);
}

/* Sixteen places, once the slot whose place was @at is first: those before it are one further. */
SHUFFLES static inline __m128i moved(__m128i places, __m128i at, const uint8_t *keep)
{
    return _mm_and_si128(_mm_sub_epi8(places, _mm_cmpgt_epi8(at, places)), load(keep));
}

/* The place of the slot of @lanes, in 16 bytes at once. */
SHUFFLES static inline __m128i place_of(struct places o, const struct fl_enc_lanes *lanes)
{
    const uint8_t *pick = lanes->pick; /* of all but one of the four it makes 0 */
    return _mm_or_si128(
        _mm_or_si128(_mm_shuffle_epi8(o.a, load(pick)), _mm_shuffle_epi8(o.b, load(pick + 16))),
        _mm_or_si128(_mm_shuffle_epi8(o.c, load(pick + 32)),
                     _mm_shuffle_epi8(o.d, load(pick + 48))));
}

/* The slot of @lanes, whose place was @at, comes first. */
SHUFFLES static inline struct places to_front(struct places o, __m128i at,
                                              const struct fl_enc_lanes *lanes)
{
    const uint8_t *keep = lanes->keep;
    return (struct places){ moved(o.a, at, keep), moved(o.b, at, keep + 16),
                            moved(o.c, at, keep + 32), moved(o.d, at, keep + 48) };
}

/* The same as listed_plain(). */
SHUFFLES static bool listed_shuffled(struct fl_blockenc *b, const uint64_t *vpn,
                                     const uint32_t *code, uint32_t n)
{
    uint8_t *place = b->list->place, *codes = b->codes + b->runs;
    struct places o = load_places(place);
    uint16_t list = list_number(b);
    uint32_t hits = 0, coded = b->depth, before = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct fl_enc_known *k = known_at(b, vpn[i]);
        bool inside = true;
        if (__builtin_expect(k->vpn != vpn[i] || k->list != list || k->slot == FL_ENC_NO_SLOT, 0)) {
            before = b->dict_n;
            store_places(place, o);
            if (!enter(b, k, vpn[i], &inside))
                return false;
            o = load_places(place);
        }
        const struct fl_enc_lanes *lanes = &b->lanes[k->slot];
        __m128i at = place_of(o, lanes);
        o = to_front(o, at, lanes);
        hits += inside;
        if (__builtin_expect(inside && coded, 1))
            codes[i] = (uint8_t)_mm_cvtsi128_si32(at);
        else
            put_outside(b, b->runs + i, k->index, before, code ? code[i] + 1 : b->location);
    }
    store_places(place, o);
    b->probed += n;
    b->hits += hits;
    return true;
}

static bool listed(struct fl_blockenc *b, const uint64_t *vpn, const uint32_t *code, uint32_t n)
{
    return (__builtin_cpu_supports("ssse3") ? listed_shuffled : listed_plain)(b, vpn, code, n);
}
#else
#define listed listed_plain
#endif

/* Runs of a block that has no lists. */
static bool plain_runs(struct fl_blockenc *b, const uint64_t *vpn, const uint32_t *code, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = page_id(b, vpn[i]);
        if (id == FL_PAGE_ID_NONE)
            return false;
        put_outside(b, b->runs + i, id, 0, code ? code[i] + 1 : b->location);
    }
    return true;
}

int fl_blockenc_pages(struct fl_blockenc *b, const uint64_t *vpn, const uint32_t *code, uint32_t n,
                      struct fl_err *err)
{
    uint32_t done = 0;
    bool ok = true;
    if (b->list && (b->depth || b->runs < FL_ENC_PROBED)) {
        done = b->depth || n < FL_ENC_PROBED - b->runs ? n : FL_ENC_PROBED - b->runs;
        ok = listed(b, vpn, code, done);
        b->runs += done;
    }
    if (ok && done < n) {
        ok = plain_runs(b, vpn + done, code ? code + done : NULL, n - done);
        b->runs += n - done;
    }
    b->segment_runs += n;
    if (ok)
        return FL_OK;
    return b->pages == FL_PAGE_ID_NONE
               ? fl_fail(err, FL_EUSAGE, "more than %u distinct pages", FL_PAGE_ID_NONE)
               : fl_nomem(err, "pages of the trace");
}
