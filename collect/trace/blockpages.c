/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blockpages.c - which page each run of a block is on: the hot loop of a recording.
 *
 * Moving a page to the front of its thread's list is where a loop would have to be
 * predicted, and is not. Where the processor can shuffle bytes, the first 16 places of a
 * list's order stay in a register: found with one comparison, moved with one permutation.
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
        memset(fresh->order, FL_ENC_NO_SLOT, sizeof fresh->order);
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
static __attribute__((noinline)) bool learn(struct fl_blockenc *b, struct fl_enc_known *k,
                                            uint64_t vpn)
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
static inline void admit(struct fl_blockenc *b, struct fl_enc_known *k)
{
    struct fl_enc_list *l = b->list;
    uint8_t slot = (uint8_t)l->n;
    if (l->n < FL_RECENCY_DEPTH) {
        l->order[l->n++] = slot;
    } else {
        slot = l->order[FL_RECENCY_DEPTH - 1];
        struct fl_enc_known *old = known_at(b, l->vpn[slot]);
        if (old->vpn == l->vpn[slot] && old->list == k->list)
            old->slot = FL_ENC_NO_SLOT;
    }
    l->vpn[slot] = k->vpn;
    l->index[slot] = k->index;
    k->slot = slot;
}

/* ---- moving to the front ---- */

/* Position of @slot in @order, which is there; it is first then. */
static inline uint32_t plain_front(uint8_t *order, uint8_t slot)
{
    uint32_t at = 0;
    while (order[at] != slot)
        at++;
    memmove(order + 1, order, at);
    order[0] = slot;
    return at;
}

#ifdef __x86_64__
#include <tmmintrin.h>

#define LANE 16u
_Static_assert(FL_RECENCY_DEPTH == 4 * LANE, "an order is four registers");

static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Places LANE to @at of @order move up by one; the one at LANE - 1 becomes the first of them. */
static inline void shift_rest(uint8_t *order, uint32_t at)
{
    const __m128i count = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m128i moved[3];
    for (uint32_t k = 0; k < 3; k++) {
        uint8_t *p = order + LANE * (k + 1);
        __m128i place = _mm_add_epi8(count, _mm_set1_epi8((char)(LANE * (k + 1))));
        __m128i keep = _mm_cmpgt_epi8(place, _mm_set1_epi8((char)at));
        moved[k] = _mm_or_si128(_mm_and_si128(keep, load(p)), _mm_andnot_si128(keep, load(p - 1)));
    }
    for (uint32_t k = 0; k < 3; k++)
        _mm_storeu_si128((__m128i *)(void *)(order + LANE * (k + 1)), moved[k]);
}

/* The same as plain_front(), in the same time wherever the slot is among the first LANE. */
__attribute__((target("ssse3"))) static inline uint32_t shuffled_front(uint8_t *order, uint8_t slot)
{
    const __m128i count = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m128i first = load(order), wanted = _mm_set1_epi8((char)slot);
    __m128i equal = _mm_cmpeq_epi8(first, wanted);
    unsigned mask = (unsigned)_mm_movemask_epi8(equal);
    if (__builtin_expect(mask != 0, 1)) {
        uint32_t at = (uint32_t)__builtin_ctz(mask);
        /* place p takes from p - 1 up to @at, and keeps what is behind it */
        __m128i behind = _mm_cmpgt_epi8(count, _mm_set1_epi8((char)at));
        __m128i shifted = _mm_alignr_epi8(first, wanted, 15);
        _mm_storeu_si128((__m128i *)(void *)order, _mm_or_si128(_mm_and_si128(behind, first),
                                                                _mm_andnot_si128(behind, shifted)));
        return at;
    }
    uint64_t rest =
        (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(load(order + LANE), wanted)) |
        (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(load(order + 2 * LANE), wanted)) << 16 |
        (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(load(order + 3 * LANE), wanted)) << 32;
    uint32_t at = LANE + (uint32_t)__builtin_ctzll(rest | UINT64_C(1) << (3 * LANE - 1));
    shift_rest(order, at);
    _mm_storeu_si128((__m128i *)(void *)order, _mm_alignr_epi8(first, wanted, 15));
    return at;
}
#endif

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

typedef uint32_t front_fn(uint8_t *order, uint8_t slot);

/* Runs with a list; false: out of memory or ids. */
static inline __attribute__((always_inline)) bool listed_runs(struct fl_blockenc *b,
                                                              const uint64_t *vpn,
                                                              const uint32_t *code, uint32_t n,
                                                              front_fn *front)
{
    struct fl_enc_list *l = b->list;
    uint16_t list = list_number(b);
    uint32_t depth = b->depth, hits = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t run = b->runs + i, before = b->dict_n;
        struct fl_enc_known *k = known_at(b, vpn[i]);
        if (__builtin_expect(k->vpn != vpn[i] || k->list != list, 0) && !learn(b, k, vpn[i]))
            return false;
        bool inside = k->slot != FL_ENC_NO_SLOT;
        if (!inside)
            admit(b, k);
        uint32_t at = front(l->order, k->slot);
        hits += inside;
        if (inside && depth)
            b->codes[run] = (uint8_t)at;
        else
            put_outside(b, run, k->index, before, code ? code[i] + 1 : b->location);
    }
    b->probed += n;
    b->hits += hits;
    return true;
}

static bool listed_plain(struct fl_blockenc *b, const uint64_t *vpn, const uint32_t *code,
                         uint32_t n)
{
    return listed_runs(b, vpn, code, n, plain_front);
}

#ifdef __x86_64__
__attribute__((target("ssse3"))) static bool listed_shuffled(struct fl_blockenc *b,
                                                             const uint64_t *vpn,
                                                             const uint32_t *code, uint32_t n)
{
    return listed_runs(b, vpn, code, n, shuffled_front);
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
