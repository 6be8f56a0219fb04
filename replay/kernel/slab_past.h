/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * slab_past.h - the slabs that were there at the start, by what became of them.
 *
 * The start of a cache is that of the recording, or when the kernel had shrunk it (slab_info_row.since_ns).
 * An object whose first event after it hands it out was free then, one that is given back first was in use; where there is
 * none, the last event before tells. A slab on pages that were handed out since is a newer one. Told all events in
 * order, once.
 */
#ifndef REPLAY_SLAB_PAST_H
#define REPLAY_SLAB_PAST_H

#include "slab_info.h"

struct past_slab {
    uint64_t base;
    uint32_t cache;
    uint32_t free;  /* objects that were free at the start */
    uint32_t cpu;   /* that took the first of them, */
    uint32_t order; /* after so many other allocations */
    bool used_up;   /* a CPU has gone on to another slab, as none of its objects was free */
    bool over;      /* its pages went to somebody else since, */
    bool early;     /* before the start */
    bool used;      /* has events after the start */
    uint64_t *
        bits; /* objects: of which it is known whether they were free; that are; with an event after the start */
};

struct slab_past {
    struct past_slab
        *slabs; /* in the order of their first events, later of their first allocations */
    uint32_t n;
};

struct slab_past_pass;

/** slab_past_begin - of @cpus CPUs; @pages: the recording tells of the pages too. NULL: out of memory. */
struct slab_past_pass *slab_past_begin(const struct slab_info *info, uint32_t cpus, bool pages);

/* As slab_follow_*(), which are told the same afterwards. FL_ENOMEM. */
void slab_past_time(struct slab_past_pass *p, uint64_t time_ns);
int slab_past_alloc(struct slab_past_pass *p, uint32_t cache, uint32_t cpu, uint64_t ptr,
                    struct fl_err *err);
int slab_past_release(struct slab_past_pass *p, uint32_t cache, uint64_t ptr, struct fl_err *err);
/** slab_past_cache - of which cache the slab around @ptr is, so far; UINT32_MAX: nothing is known of one of the start. */
uint32_t slab_past_cache(const struct slab_past_pass *p, uint64_t ptr);
int slab_past_pages(struct slab_past_pass *p, uint64_t at, bool taken, struct fl_err *err);

/** slab_past_end - frees @p, hands over what was found. */
struct slab_past slab_past_end(struct slab_past_pass *p);
void slab_past_free(struct slab_past *past);

/** slab_words - of 64 bits, for so many objects. */
static inline uint32_t slab_words(uint32_t objects)
{
    return (objects + 63) / 64;
}

static inline bool slab_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

static inline void slab_set_bit(uint64_t *bits, uint32_t i, bool on)
{
    bits[i / 64] = (bits[i / 64] & ~(UINT64_C(1) << (i % 64))) | (uint64_t)on << (i % 64);
}

#endif
