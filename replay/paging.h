/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * paging.h - the paging stage: contents in frames, a policy, a swap area.
 *
 * docs/model.md section 2. Any number of these can follow one virtual memory stage.
 *
 * References come in batches, and a policy is the whole loop over one: what it keeps of
 * contents is one word, and what it keeps of those in memory is one byte, so that a reference
 * that hits touches two or three lines of cache and one that faults not many more.
 *
 * policy_queue.h   lru, fifo: a queue, oldest first, in a ring
 * policy_frames.h  clock, random, opt: frames that have numbers
 * paging_full.h    what their loops over a full memory share
 */
#ifndef REPLAY_PAGING_H
#define REPLAY_PAGING_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/replay.h>

#include "vm.h"

#define PAGING_BATCH 512u /* references at once, at most */

/* at[c]: */
#define AT_NEW 0u                          /* never had a frame */
#define AT_FILE (UINT32_C(1) << 31)        /* a bit: a file's page, once it has had a frame */
#define AT_PLACE ((UINT32_C(1) << 31) - 1) /* of a policy's own numbering, from 1 on */

/* What is kept of a page in memory. */
enum {
    KEPT = 1,       /* there is one */
    KEPT_DIRTY = 2, /* written since it came in */
    KEPT_SLOT = 4,  /* holds a slot of swap */
    KEPT_FILE = 8,  /* a file's page: never has a slot */
};

struct paging_refs {
    uint32_t n; /* at most PAGING_BATCH */
    const uint32_t *contents;
    const uint8_t *info;      /* REF_WRITE, and the cause */
    const uint64_t *next_use; /* only with FL_NEEDS_FUTURE */
    const uint8_t *kind;      /* of the virtual memory stage, by contents */
};

/* A reference of the batch that was a fault, or that took a page's frame away. */
struct paging_fault {
    uint32_t evicted; /* contents that left memory for it, before it; NO_CONTENTS */
    uint16_t ref;     /* its index in the batch */
    uint16_t cause;   /* FL_CAUSE_NONE: it only looked for a frame */
};

struct paging_counts {
    uint64_t faults[FL_CAUSE_COUNT];
    uint64_t evictions, pages_in, pages_out, file_pages_read, file_pages_written;
    uint64_t slots, slots_peak;
    uint64_t resident, resident_peak;
};

struct paging {
    const struct fl_policy_ops *ops;
    uint32_t nframes; /* FL_FRAMES_UNLIMITED: never evict */
    uint64_t swap_pages;
    void *policy;

    uint32_t *at; /* by contents */
    uint32_t room;
    uint32_t resident_from; /* places from here on are in memory, those below were evicted */
    uint32_t places_end;    /* when lru and fifo must number their places anew */

    struct paging_counts counts;
    struct paging_fault faulted[PAGING_BATCH]; /* of the last batch, in order */
    uint32_t n_faulted;
    bool tells;     /* the caller's: else faulted[] need not be filled in, only counted */
    bool no_memory; /* it stopped because of that */
};

/* How a policy goes about it. */
struct paging_ops {
    /** init - no frame is in use. FL_ENOMEM. */
    int (*init)(struct paging *p, uint64_t seed, struct fl_err *err);
    /**
     * batch - returns how many references were done. Fewer than @refs->n: the next one's victim
     * needs a slot and none is free, or there is no memory. pre: paging_room() of them all.
     */
    uint32_t (*batch)(struct paging *p, const struct paging_refs *refs);
    /** forget - the frame of contents @c, which are in memory with @c's place @at, is free. */
    void (*forget)(struct paging *p, uint32_t c, uint32_t at);
    /** check - O(n) walk of the policy's own invariants, for tests. */
    bool (*check)(const struct paging *p);
    void (*fini)(struct paging *p);
};

int paging_init(struct paging *p, const struct fl_policy_ops *ops, uint32_t nframes,
                uint64_t swap_pages, uint64_t seed, struct fl_err *err);
void paging_fini(struct paging *p); /* zeroed is fine */

/** paging_room - make room for contents ids below @n_contents. */
int paging_room(struct paging *p, uint32_t n_contents, struct fl_err *err);

/**
 * paging_batch - references, one after the other; p->faulted tells of those that were faults.
 * *@done: fewer than there are when the next one's victim needs a slot and none is free. Nothing
 * has become of that one. pre: paging_room(). FL_ENOMEM.
 */
int paging_batch(struct paging *p, const struct paging_refs *refs, uint32_t *done,
                 struct fl_err *err);

/** paging_forget - contents @c cease to exist. */
void paging_forget(struct paging *p, uint32_t c);

static inline bool paging_is_resident(const struct paging *p, uint32_t c)
{
    return c < p->room && (p->at[c] & AT_PLACE) >= p->resident_from;
}

/** paging_was_evicted - had a frame, and lost it: on swap, or in its file. */
static inline bool paging_was_evicted(const struct paging *p, uint32_t c)
{
    return c < p->room && p->at[c] != AT_NEW && (p->at[c] & AT_PLACE) < p->resident_from;
}

/** paging_is_swapped - was evicted, and not to a file. */
static inline bool paging_is_swapped(const struct paging *p, uint32_t c)
{
    return paging_was_evicted(p, c) && !(p->at[c] & AT_FILE);
}

/** paging_minor, paging_major - sums over the causes. */
uint64_t paging_minor(const struct paging *p);
uint64_t paging_major(const struct paging *p);

/* ---- between policies: what each does with a page, whatever its order -------------------- */

/* What a batch comes to, in few enough numbers to stay in registers. */
struct tally {
    uint64_t slots, slots_peak, swap_pages;
    uint64_t resident, resident_peak;
    uint64_t left;       /* TALLY_* each time a page leaves */
    uint32_t back, read; /* pages that came back; those of them that are files' */
    uint32_t n_faulted;
};

#define TALLY_LEFT UINT64_C(1)
#define TALLY_OUT (UINT64_C(1) << 16)
#define TALLY_WRITTEN (UINT64_C(1) << 32)
#define TALLY_SLOT (UINT64_C(1) << 48) /* takes a slot */

static inline struct tally tally_begin(const struct paging *p)
{
    return (struct tally){ .slots = p->counts.slots,
                           .slots_peak = p->counts.slots_peak,
                           .swap_pages = p->swap_pages,
                           .resident = p->counts.resident,
                           .resident_peak = p->counts.resident_peak };
}

static inline void tally_end(struct paging *p, const struct tally *t)
{
    struct paging_counts *n = &p->counts;
    n->slots = t->slots;
    n->slots_peak = t->slots_peak;
    n->resident = t->resident;
    n->resident_peak = t->resident_peak;
    n->evictions += t->left & 0xffff;
    n->pages_out += t->left >> 16 & 0xffff;
    n->file_pages_written += t->left >> 32 & 0xffff;
    n->pages_in += t->back - t->read;
    n->file_pages_read += t->read;
    n->faults[FL_CAUSE_SWAP_IN] += t->back - t->read;
    n->faults[FL_CAUSE_FILE_READ] += t->read;
    p->n_faulted = t->n_faulted;
}

/* What it is that a page of @kept leaves its frame. */
static inline uint64_t kept_leaves(uint8_t kept)
{
    enum { DIRTY = KEPT_DIRTY, SLOT = KEPT_SLOT, FILE = KEPT_FILE };
    static const uint64_t what[16] = {
        [KEPT] = TALLY_LEFT | TALLY_SLOT, [KEPT | DIRTY] = TALLY_LEFT | TALLY_OUT | TALLY_SLOT,
        [KEPT | SLOT] = TALLY_LEFT,       [KEPT | SLOT | DIRTY] = TALLY_LEFT | TALLY_OUT,
        [KEPT | FILE] = TALLY_LEFT,       [KEPT | FILE | DIRTY] = TALLY_LEFT | TALLY_WRITTEN,
    };
    return what[kept & 15];
}

/* A page of @kept is to leave its frame. false: it needs a slot and there is none. */
static inline bool kept_evict(struct tally *t, uint8_t kept)
{
    uint64_t w = kept_leaves(kept), slots = t->slots + w / TALLY_SLOT;
    if (slots > t->swap_pages && w >= TALLY_SLOT)
        return false;
    t->slots = slots;
    t->slots_peak = slots > t->slots_peak ? slots : t->slots_peak;
    t->left += w % TALLY_SLOT;
    return true;
}

/* A frame is in use that was not. */
static inline void tally_resident(struct tally *t)
{
    if (++t->resident > t->resident_peak)
        t->resident_peak = t->resident;
}

/* A reference to a page of @kept; a slot is given up by a write. */
static inline uint8_t kept_ref(struct tally *t, uint8_t kept, uint8_t info)
{
    uint8_t write = (uint8_t) - (info & REF_WRITE); /* all ones, or none */
    t->slots -= (kept & write) / KEPT_SLOT & 1;
    return (uint8_t)((kept & ~(write & KEPT_SLOT)) | (write & KEPT_DIRTY));
}

static inline uint32_t kept_at(uint8_t kept, uint32_t place)
{
    return place | (uint32_t)(kept & KEPT_FILE) * (AT_FILE / KEPT_FILE);
}

/* Of the batch's reference @ref. */
static inline void tell_fault(struct paging *p, struct tally *t, uint32_t ref, uint32_t evicted,
                              uint8_t cause)
{
    p->faulted[t->n_faulted++] = (struct paging_fault){ evicted, (uint16_t)ref, cause };
}

/* Contents at @at, without a frame, get one by reference @ref, which @evicted had to leave for:
   what is kept of them. */
static inline uint8_t kept_new(struct paging *p, struct tally *t, const struct paging_refs *refs,
                               uint32_t ref, uint32_t at, uint32_t evicted)
{
    if (at != AT_NEW) {
        uint32_t file = at / AT_FILE;
        t->back++;
        t->read += file;
        tell_fault(p, t, ref, evicted, file ? FL_CAUSE_FILE_READ : FL_CAUSE_SWAP_IN);
        return file ? KEPT | KEPT_FILE : KEPT | KEPT_SLOT;
    }
    uint8_t cause = (uint8_t)ref_cause(refs->info[ref]);
    p->counts.faults[cause] += cause != FL_CAUSE_NONE;
    tell_fault(p, t, ref, evicted, cause);
    return refs->kind[refs->contents[ref]] == CONTENTS_FILE ? KEPT | KEPT_FILE : KEPT;
}

/* A fault on contents that have a frame. */
static inline void fault_in_place(struct paging *p, struct tally *t, uint32_t ref, uint8_t info)
{
    p->counts.faults[ref_cause(info)]++;
    tell_fault(p, t, ref, NO_CONTENTS, (uint8_t)ref_cause(info));
}

#endif
