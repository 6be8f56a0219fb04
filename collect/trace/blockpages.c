/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blockpages.c - which page each run of a block is on: the hot loop of a recording.
 *
 * A page comes first in its thread's list by getting the newest stamp. Where it was is counted,
 * without a branch; where the processor can compare 32 bytes, the stamps stay in registers, and the
 * next move waits for a single instruction of the one before.
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

struct fl_enc_list *fl_blockenc_list(struct fl_blockenc *b, uint32_t thread)
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
        *fresh = (struct fl_enc_list){ .tag = b->next_tag, .now = FL_ENC_NO_STAMP };
        memset(fresh->stamp, FL_ENC_NO_STAMP, sizeof fresh->stamp);
        b->next_tag += FL_RECENCY_DEPTH;
        b->list_at[thread] = (uint64_t)b->epoch << 32 | b->lists_n++;
    }
    return &b->lists[(uint32_t)b->list_at[thread]];
}

/* ---- ids ---- */

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
    struct fl_enc_page *page = realloc(b->page, cap * sizeof *page);
    if (!page)
        return false;
    memset(page + b->page_cap, 0, (cap - b->page_cap) * sizeof *page);
    b->page = page;
    b->page_cap = (uint32_t)cap;
    return true;
}

uint32_t fl_blockenc_page(struct fl_blockenc *b, uint32_t mm, uint64_t vpn)
{
    uint32_t id = fl_pageids_find(&b->ids, mm, vpn);
    if (id != FL_PAGE_ID_NONE)
        return id;
    id = b->pages;
    if (id == FL_PAGE_ID_NONE || !reach_page(b, id) || !fl_pageids_add(&b->ids, mm, vpn, id))
        return FL_PAGE_ID_NONE;
    b->page_vpn[id] = vpn;
    b->page_mm[id] = mm;
    b->pages++;
    return id;
}

int fl_blockenc_no_page(const struct fl_blockenc *b, struct fl_err *err)
{
    return b->pages == FL_PAGE_ID_NONE
               ? fl_fail(err, FL_EUSAGE, "more than %u distinct pages", FL_PAGE_ID_NONE)
               : fl_nomem(err, "pages of the trace");
}

/* ---- moving to the front ---- */

static uint32_t place_of(const struct fl_enc_list *l, uint32_t slot)
{
    uint32_t place = 0;
    for (uint32_t i = 0; i < FL_RECENCY_DEPTH; i++)
        place += l->stamp[i] > l->stamp[slot];
    return place;
}

/* The list is full: the slot whose page was used longest ago. */
static uint32_t oldest_slot(const struct fl_enc_list *l)
{
    uint32_t slot = 0;
    for (uint32_t i = 1; i < FL_RECENCY_DEPTH; i++)
        slot = l->stamp[i] < l->stamp[slot] ? i : slot;
    return slot;
}

/* Stamps have run out: as low ones as do, in the same order. */
static inline __attribute__((always_inline)) void stamp_anew(struct fl_enc_list *l)
{
    uint64_t taken[4] = { 0 };
    uint8_t stamp[FL_RECENCY_DEPTH], below[4] = { 0 };
    for (uint32_t slot = 0; slot < l->n; slot++) {
        stamp[slot] = (uint8_t)(l->stamp[slot] - FL_ENC_NO_STAMP);
        taken[stamp[slot] / 64] |= UINT64_C(1) << stamp[slot] % 64;
    }
    for (uint32_t k = 1; k < 4; k++)
        below[k] = (uint8_t)(below[k - 1] + __builtin_popcountll(taken[k - 1]));
    for (uint32_t slot = 0; slot < l->n; slot++) {
        uint64_t older = taken[stamp[slot] / 64] & ((UINT64_C(1) << stamp[slot] % 64) - 1);
        int rank = below[stamp[slot] / 64] + __builtin_popcountll(older);
        l->stamp[slot] = (int8_t)(FL_ENC_NO_STAMP + 1 + rank);
    }
    l->now = (int8_t)(FL_ENC_NO_STAMP + (int)l->n);
}

/* How many of @n runs there are stamps for. */
static inline __attribute__((always_inline)) uint32_t stamps_for(struct fl_enc_list *l, uint32_t n)
{
    if (l->now == INT8_MAX)
        stamp_anew(l);
    uint32_t left = (uint32_t)(INT8_MAX - l->now);
    return left < n ? left : n;
}

/* The slot of a page that has no tag of this list; FL_RECENCY_DEPTH: it is in none. */
static uint32_t find(struct fl_blockenc *b, uint32_t id)
{
    const struct fl_enc_list *l = b->list;
    uint32_t tag = b->page[id].tag, slot = 0;
    if (tag < b->first_tag && tag != FL_ENC_LOST) /* in no list of this block */
        return FL_RECENCY_DEPTH;
    while (slot < l->n && l->id[slot] != id)
        slot++;
    if (slot == l->n)
        return FL_RECENCY_DEPTH;
    b->page[id].tag = l->tag + slot;
    return slot;
}

/* A page that is not in the list gets slot @slot. */
static void admit(struct fl_blockenc *b, uint32_t id, uint32_t slot)
{
    struct fl_enc_list *l = b->list;
    if (slot < l->n) {
        struct fl_enc_page *old = &b->page[l->id[slot]];
        if (old->tag == l->tag + slot)
            old->tag = b->lists_n > 1 ? FL_ENC_LOST : 0;
    } else {
        l->n++;
    }
    l->id[slot] = id;
    if (id >= b->seen)
        b->seen = id + 1;
    b->page[id].tag = l->tag + slot;
}

/* Run @run, of a page that was not in the list. */
static void put_outside(struct fl_blockenc *b, uint32_t run, const struct fl_page_run *r)
{
    uint32_t before = b->dict_n, at = fl_blockenc_entry(b, r->page);
    b->codes[run] = (uint8_t)(at == before ? b->depth : b->depth + 1);
    if (at != before)
        b->indexes[b->fars++] = at;
    b->locations[b->locations_n++] = r->code + 1; /* FL_NO_CODE wraps to 0 */
    b->location_any |= r->code + 1;
}

/* Runs with a list; what is in the list alone is counted where blocks have no lists. */
static void listed_plain(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t n)
{
    struct fl_enc_list *l = b->list;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = runs[i].page, slot = b->page[id].tag - l->tag, run = b->runs + i;
        stamps_for(l, 1);
        if (slot >= FL_RECENCY_DEPTH)
            slot = find(b, id);
        bool inside = slot < FL_RECENCY_DEPTH;
        if (!inside) {
            slot = l->n < FL_RECENCY_DEPTH ? l->n : oldest_slot(l);
            admit(b, id, slot);
        }
        b->run_pages[run] = id;
        b->codes[run] = (uint8_t)place_of(l, slot);
        l->stamp[slot] = ++l->now;
        b->hits += inside;
        if (!inside && b->depth)
            put_outside(b, run, &runs[i]);
    }
}

#ifdef __x86_64__
#include <immintrin.h>

#define COMPARES __attribute__((target("avx2,popcnt")))
_Static_assert(FL_RECENCY_DEPTH == 2 * 32, "the stamps are two registers");

COMPARES static inline __m256i load(const int8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Which of the 64 stamps is the lowest. */
COMPARES static inline uint32_t lowest(__m256i low, __m256i high)
{
    __m256i less = _mm256_min_epi8(low, high);
    __m128i least = _mm_min_epi8(_mm256_castsi256_si128(less), _mm256_extracti128_si256(less, 1));
    least = _mm_min_epi8(least, _mm_alignr_epi8(least, least, 8));
    least = _mm_min_epi8(least, _mm_alignr_epi8(least, least, 4));
    least = _mm_min_epi8(least, _mm_alignr_epi8(least, least, 2));
    least = _mm_min_epi8(least, _mm_alignr_epi8(least, least, 1));
    __m256i all = _mm256_broadcastsi128_si256(least);
    uint32_t in_low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, all)),
             in_high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, all));
    return (uint32_t)__builtin_ctzll((uint64_t)in_high << 32 | in_low);
}

/* The same as listed_plain(). What a char is stored to may be anything, for the compiler: it shall not
   look at it again each time. */
COMPARES static void listed_compared(struct fl_blockenc *b, const struct fl_page_run *runs,
                                     uint32_t n)
{
    struct fl_enc_list *l = b->list;
    const struct fl_enc_page *page = b->page;
    const __m256i one = _mm256_set1_epi8(1);
    uint32_t hits = n, tag = l->tag, *ids = b->run_pages + b->runs;
    uint8_t *codes = b->codes + b->runs;
    for (uint32_t i = 0; i < n;) {
        uint32_t end = i + stamps_for(l, n - i);
        __m256i low = load(l->stamp), high = load(l->stamp + 32), now = _mm256_set1_epi8(l->now);
        int8_t stamp = l->now;
        for (; i < end; i++) {
            uint32_t id = runs[i].page, slot = page[id].tag - tag;
            bool inside = true;
            if (__builtin_expect(slot >= FL_RECENCY_DEPTH, 0)) {
                slot = find(b, id);
                inside = slot < FL_RECENCY_DEPTH;
                if (!inside) {
                    slot = l->n < FL_RECENCY_DEPTH ? l->n : lowest(low, high);
                    admit(b, id, slot);
                }
            }
            __m256i at = _mm256_set1_epi8(l->stamp[slot]);
            int above = _mm256_movemask_epi8(_mm256_cmpgt_epi8(low, at)),
                more = _mm256_movemask_epi8(_mm256_cmpgt_epi8(high, at));
            now = _mm256_add_epi8(now, one);
            /* the slot's gets the newest stamp, and that is the highest */
            low = _mm256_max_epi8(low, _mm256_min_epi8(now, load(b->only[slot])));
            high = _mm256_max_epi8(high, _mm256_min_epi8(now, load(b->only[slot] + 32)));
            l->stamp[slot] = ++stamp;
            ids[i] = id;
            codes[i] =
                (uint8_t)(__builtin_popcountll((uint64_t)(uint32_t)above << 32 | (uint32_t)more));
            if (__builtin_expect(!inside, 0)) {
                hits--;
                if (b->depth)
                    put_outside(b, b->runs + i, &runs[i]);
            }
        }
        l->now = stamp;
    }
    b->hits += hits;
}

#define WIDE __attribute__((target("avx512f,avx512bw,bmi2,popcnt")))

/* The same, with all stamps in one register. */
WIDE static void listed_wide(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t n)
{
    struct fl_enc_list *l = b->list;
    const struct fl_enc_page *page = b->page;
    const __m512i one = _mm512_set1_epi8(1);
    uint32_t hits = n, tag = l->tag, *ids = b->run_pages + b->runs;
    uint8_t *codes = b->codes + b->runs;
    for (uint32_t i = 0; i < n;) {
        uint32_t end = i + stamps_for(l, n - i);
        __m512i stamps = _mm512_loadu_si512(l->stamp), now = _mm512_set1_epi8(l->now);
        int8_t stamp = l->now;
        for (; i < end; i++) {
            uint32_t id = runs[i].page, slot = page[id].tag - tag;
            bool inside = true;
            if (__builtin_expect(slot >= FL_RECENCY_DEPTH, 0)) {
                slot = find(b, id);
                inside = slot < FL_RECENCY_DEPTH;
                if (!inside) {
                    slot = l->n < FL_RECENCY_DEPTH ? l->n
                                                   : lowest(_mm512_castsi512_si256(stamps),
                                                            _mm512_extracti64x4_epi64(stamps, 1));
                    admit(b, id, slot);
                }
            }
            __mmask64 above = _mm512_cmpgt_epi8_mask(stamps, _mm512_set1_epi8(l->stamp[slot]));
            now = _mm512_add_epi8(now, one);
            stamps = _mm512_mask_mov_epi8(stamps, UINT64_C(1) << slot, now);
            l->stamp[slot] = ++stamp;
            ids[i] = id;
            codes[i] = (uint8_t)__builtin_popcountll(above);
            if (__builtin_expect(!inside, 0)) {
                hits--;
                if (b->depth)
                    put_outside(b, b->runs + i, &runs[i]);
            }
        }
        l->now = stamp;
    }
    b->hits += hits;
}

static void listed(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t n)
{
    (b->wide ? listed_wide : b->compares ? listed_compared : listed_plain)(b, runs, n);
    b->probed += n;
}
#else
static void listed(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t n)
{
    listed_plain(b, runs, n);
    b->probed += n;
}
#endif

/* Runs of a block that has no lists. */
static void plain_runs(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t n)
{
    uint32_t seen = b->seen, any = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = runs[i].page, location = runs[i].code + 1; /* FL_NO_CODE wraps to 0 */
        b->run_pages[b->runs + i] = id;
        b->locations[b->locations_n + i] = location;
        any |= location;
        seen = id >= seen ? id + 1 : seen;
    }
    b->seen = seen;
    b->location_any |= any;
    b->locations_n += n;
}

void fl_blockenc_pages(struct fl_blockenc *b, const struct fl_page_run *runs, uint32_t n)
{
    uint32_t probe = b->runs < FL_ENC_PROBED ? FL_ENC_PROBED - b->runs : 0;
    if (b->depth)
        listed(b, runs, n);
    else if (b->list && probe)
        listed(b, runs, n < probe ? n : probe);
    if (!b->depth)
        plain_runs(b, runs, n);
    b->runs += n;
    b->segment_runs += n;
}
