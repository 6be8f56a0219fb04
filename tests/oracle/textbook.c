/* SPDX-License-Identifier: GPL-2.0-or-later */
/* textbook.c - fifo, lru, clock and opt over an array of page numbers. */
#include <stdlib.h>
#include <string.h>

#include "textbook.h"

#define NONE UINT32_MAX /* no frame; no page; no further use */

struct textbook {
    /* the string */
    size_t n;
    const uint64_t *refs;
    uint32_t *page; /* refs[i] as a number from 0, in order of appearance */
    uint32_t pages;
    /* memory */
    uint32_t frames, used;
    uint32_t *frame_of; /* by page; NONE: not in memory */
    uint32_t *page_in;  /* by frame */
    bool *dirty;        /* by frame */
    /* fifo and clock: the next frame to look at */
    uint32_t hand;
    bool *referenced; /* clock, by frame */
    /* lru: a ring of frames through `frames`, whose neighbours are newest and oldest */
    uint32_t *newer, *older;
    /* opt: next use by position and by frame; a heap of frames, farthest first */
    uint32_t *next_of, *next_use, *heap, *place;
};

/* ---- page numbers ----------------------------------------------------------- */

/* Numbers the pages by a hash table with linear probing, at most half full. */
static bool number_pages(struct textbook *t)
{
    size_t slots = 16;
    while (slots < 2 * t->n && slots < (size_t)1 << 26)
        slots *= 2;
    for (;; slots *= 2) {
        uint64_t *key = malloc(slots * sizeof *key);
        uint32_t *number = malloc(slots * sizeof *number);
        size_t i = 0;
        t->pages = 0;
        if (key && number) {
            memset(number, 0xff, slots * sizeof *number);
            for (i = 0; i < t->n && t->pages <= slots / 2; i++) {
                uint64_t page = t->refs[i] & ~TEXTBOOK_WRITE;
                size_t at = (size_t)(page * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (slots - 1);
                while (number[at] != NONE && key[at] != page)
                    at = (at + 1) & (slots - 1);
                if (number[at] == NONE) {
                    key[at] = page;
                    number[at] = t->pages++;
                }
                t->page[i] = number[at];
            }
        }
        bool had_memory = key && number;
        free(key);
        free(number);
        if (!had_memory || i == t->n)
            return had_memory;
    }
}

/* ---- lru ---------------------------------------------------------------------- */

static void lru_unlink(struct textbook *t, uint32_t frame)
{
    t->newer[t->older[frame]] = t->newer[frame];
    t->older[t->newer[frame]] = t->older[frame];
}

static void lru_newest(struct textbook *t, uint32_t frame)
{
    uint32_t head = t->frames;
    t->newer[frame] = head;
    t->older[frame] = t->older[head];
    t->newer[t->older[head]] = frame;
    t->older[head] = frame;
}

/* ---- opt ---------------------------------------------------------------------- */

/* Which of two frames goes first: farther next use. No two are alike, but of frames not used. */
static bool goes_before(const struct textbook *t, uint32_t a, uint32_t b)
{
    if (t->next_use[a] != t->next_use[b])
        return t->next_use[a] > t->next_use[b];
    return a < b;
}

static void heap_put(struct textbook *t, uint32_t at, uint32_t frame)
{
    t->heap[at] = frame;
    t->place[frame] = at;
}

/* Puts @frame where it belongs, from its place; the heap holds @t->used frames. */
static void heap_settle(struct textbook *t, uint32_t frame)
{
    uint32_t at = t->place[frame];
    while (at > 0 && goes_before(t, frame, t->heap[(at - 1) / 2])) {
        heap_put(t, at, t->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        uint64_t child = 2 * (uint64_t)at + 1;
        if (child >= t->used)
            break;
        if (child + 1 < t->used && goes_before(t, t->heap[child + 1], t->heap[child]))
            child++;
        if (!goes_before(t, t->heap[child], frame))
            break;
        heap_put(t, at, t->heap[child]);
        at = (uint32_t)child;
    }
    heap_put(t, at, frame);
}

/* From the end backwards: where each reference's page is referenced next; if never, beyond the end,
   and farther the earlier this reference is. */
static bool opt_look_ahead(struct textbook *t)
{
    uint32_t *seen = malloc((t->pages ? t->pages : 1) * sizeof *seen);
    if (!seen)
        return false;
    memset(seen, 0xff, t->pages * sizeof *seen);
    for (size_t i = t->n; i-- > 0;) {
        t->next_of[i] = seen[t->page[i]] == NONE ? NONE - (uint32_t)i : seen[t->page[i]];
        seen[t->page[i]] = (uint32_t)i;
    }
    free(seen);
    return true;
}

/* ---- the loop ------------------------------------------------------------------- */

enum policy { FIFO, LRU, CLOCK, OPT, UNKNOWN };

static enum policy policy_of(const char *name)
{
    static const char *const names[] = { "fifo", "lru", "clock", "opt" };
    enum policy p = FIFO;
    while (p < UNKNOWN && strcmp(names[p], name) != 0)
        p++;
    return p;
}

static uint32_t step_hand(struct textbook *t)
{
    uint32_t frame = t->hand;
    t->hand = t->hand + 1 == t->frames ? 0 : t->hand + 1;
    return frame;
}

/* The frame that the policy empties; all are full. */
static uint32_t choose(struct textbook *t, enum policy policy)
{
    switch (policy) {
    case LRU: return t->newer[t->frames];
    case CLOCK:
        while (t->referenced[t->hand])
            t->referenced[step_hand(t)] = false;
        return step_hand(t);
    case OPT: return t->heap[0];
    default: return step_hand(t);
    }
}

/* Reference @i finds its page in @frame; @entered: it came in just now, into a frame that
   was empty (@was_empty) or had another page. */
static void note(struct textbook *t, enum policy policy, uint32_t frame, size_t i, bool entered,
                 bool was_empty)
{
    switch (policy) {
    case LRU:
        if (!entered || !was_empty)
            lru_unlink(t, frame);
        lru_newest(t, frame);
        break;
    case CLOCK: t->referenced[frame] = true; break;
    case OPT:
        t->next_use[frame] = t->next_of[i];
        if (entered && was_empty)
            t->place[frame] = t->used - 1;
        heap_settle(t, frame);
        break;
    default: break;
    }
}

static void run(struct textbook *t, enum policy policy, struct textbook_counts *out)
{
    for (size_t i = 0; i < t->n; i++) {
        uint32_t page = t->page[i], frame = t->frame_of[page];
        bool miss = frame == NONE, was_empty = false;
        if (miss) {
            out->misses++;
            was_empty = t->used < t->frames;
            if (was_empty) {
                frame = t->used++;
            } else {
                frame = choose(t, policy);
                out->dirty_evictions += t->dirty[frame];
                t->frame_of[t->page_in[frame]] = NONE;
            }
            t->frame_of[page] = frame;
            t->page_in[frame] = page;
            t->dirty[frame] = false;
        }
        if (t->refs[i] & TEXTBOOK_WRITE)
            t->dirty[frame] = true;
        note(t, policy, frame, i, miss, was_empty);
    }
}

/* Room for @n numbers, or @ok becomes false. */
static uint32_t *numbers(size_t n, bool *ok)
{
    uint32_t *p = calloc(n ? n : 1, sizeof *p);
    *ok = *ok && p;
    return p;
}

static bool prepare(struct textbook *t, enum policy policy)
{
    bool ok = true;
    t->page = numbers(t->n, &ok);
    if (!ok || !number_pages(t))
        return false;
    t->frame_of = numbers(t->pages, &ok);
    t->page_in = numbers(t->frames, &ok);
    t->dirty = calloc(t->frames, sizeof *t->dirty);
    t->referenced = calloc(t->frames, sizeof *t->referenced);
    t->newer = numbers((size_t)t->frames + 1, &ok);
    t->older = numbers((size_t)t->frames + 1, &ok);
    t->next_of = numbers(policy == OPT ? t->n : 0, &ok);
    t->next_use = numbers(t->frames, &ok);
    t->heap = numbers(t->frames, &ok);
    t->place = numbers(t->frames, &ok);
    if (!ok || !t->dirty || !t->referenced)
        return false;
    memset(t->frame_of, 0xff, t->pages * sizeof *t->frame_of);
    t->newer[t->frames] = t->older[t->frames] = t->frames;
    return policy != OPT || opt_look_ahead(t);
}

bool textbook_run(const char *policy, const uint64_t *refs, size_t n, uint32_t frames,
                  struct textbook_counts *out)
{
    enum policy p = policy_of(policy);
    struct textbook t = { .n = n, .refs = refs, .frames = frames };
    if (p == UNKNOWN || frames == 0 || frames == UINT32_MAX || n >= NONE)
        return false;
    *out = (struct textbook_counts){ 0 };
    bool ok = prepare(&t, p);
    if (ok) {
        out->distinct = t.pages;
        run(&t, p, out);
    }
    free(t.page);
    free(t.frame_of);
    free(t.page_in);
    free(t.dirty);
    free(t.referenced);
    free(t.newer);
    free(t.older);
    free(t.next_of);
    free(t.next_use);
    free(t.heap);
    free(t.place);
    return ok;
}
