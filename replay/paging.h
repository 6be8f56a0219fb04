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
    KEPT = 1,          /* there is one */
    KEPT_DIRTY = 2,    /* written since it came in */
    KEPT_SLOT = 4,     /* holds a slot of swap */
    KEPT_FILE = 8,     /* a file's page: never has a slot */
    KEPT_TOUCHED = 16, /* clock's reference bit */
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
    uint32_t ref;     /* its index in the batch */
    uint32_t evicted; /* contents that left memory for it, before it; NO_CONTENTS */
    uint8_t cause;    /* FL_CAUSE_NONE: it only looked for a frame */
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

/* A page of @kept is to leave its frame. false: it needs a slot and there is none. */
static inline bool kept_evict(struct paging_counts *n, uint64_t swap_pages, uint8_t kept)
{
    bool dirty = kept & KEPT_DIRTY, file = kept & KEPT_FILE;
    if (!(kept & (KEPT_FILE | KEPT_SLOT))) {
        if (n->slots >= swap_pages)
            return false;
        if (++n->slots > n->slots_peak)
            n->slots_peak = n->slots;
    }
    n->file_pages_written += dirty & file;
    n->pages_out += dirty & !file;
    n->evictions++;
    return true;
}

/* Contents without a frame, at @at, get one: what is kept of them, and the cause of the fault. */
static inline uint8_t kept_new(struct paging_counts *n, uint32_t at, uint8_t kind, uint8_t *cause)
{
    if (at == AT_NEW)
        return kind == CONTENTS_FILE ? KEPT | KEPT_FILE : KEPT;
    bool file = at & AT_FILE;
    n->file_pages_read += file;
    n->pages_in += !file;
    *cause = file ? FL_CAUSE_FILE_READ : FL_CAUSE_SWAP_IN;
    return file ? KEPT | KEPT_FILE : KEPT | KEPT_SLOT;
}

/* A reference to a page of @kept; a slot is given up by a write. */
static inline uint8_t kept_ref(struct paging_counts *n, uint8_t kept, uint8_t info)
{
    uint8_t write = (uint8_t) - (info & REF_WRITE); /* all ones, or none */
    n->slots -= (kept & KEPT_SLOT & write) != 0;
    return (uint8_t)((kept & ~(write & KEPT_SLOT)) | (write & KEPT_DIRTY));
}

static inline uint32_t kept_at(uint8_t kept, uint32_t place)
{
    return place | (kept & KEPT_FILE ? AT_FILE : 0);
}

static inline void tell_fault(struct paging *p, struct paging_counts *n, uint32_t *n_faulted,
                              uint32_t ref, uint32_t evicted, uint8_t cause)
{
    n->faults[cause]++;
    p->faulted[(*n_faulted)++] = (struct paging_fault){ ref, evicted, cause };
}

#endif
