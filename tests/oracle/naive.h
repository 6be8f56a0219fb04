/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * naive.h - docs/model.md, as slowly and as plainly as possible.
 *
 * The slow twin of fl_replay(): written from the document alone, with linear
 * lists and whole recomputations, so that the two have no mistake in common.
 * It trusts its input and aborts when out of memory.
 */
#ifndef FAULTLINE_NAIVE_H
#define FAULTLINE_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/event.h>
#include <faultline/machine.h>
#include <faultline/replay.h>
#include <faultline/trace.h>

/** One event or one run, as it goes into a trace. */
struct naive_item {
    bool is_run;
    struct fl_event event;
    uint32_t thread, mm;
    enum fl_actor actor;
    uint64_t vpn;
    uint32_t reads, writes, fetches;
    bool has_code; /* of a run: where it begins; the models' counts do not depend on it */
    uint32_t code;
};

struct naive_opts {
    uint32_t frames;     /* FL_FRAMES_UNLIMITED: never evict */
    uint64_t swap_pages; /* UINT64_MAX: as many as needed */
    const char *policy;  /* fifo lru clock random opt */
    const struct fl_machine *machine;
    bool no_tlb;
    uint64_t seed;
};

#define NAIVE_KILLS_MAX 64

struct naive_result {
    bool stuck; /* out of memory with nobody to kill: the counts mean nothing */
    uint64_t faults[FL_CAUSE_COUNT];
    uint64_t minor, major, segv;
    uint64_t evictions, pages_in, pages_out, swap_peak_pages, file_pages_read, file_pages_written;
    uint64_t resident_peak_pages, unlimited_peak_pages;
    uint32_t n_tlb;
    struct fl_tlb_counts tlb[FL_TLB_LEVELS_MAX];
    uint64_t walks, walk_refs, tlb_flushes, tlb_flushes_by[FL_FLUSH_KINDS], tlb_page_flushes;
    uint32_t n_walk;
    struct fl_tlb_counts walk[FL_WALK_CACHES_MAX];
    uint64_t page_tables_peak, flat_bytes_avoided;
    uint64_t shared_pages, saved_pages;
    struct fl_oom_kill kills[NAIVE_KILLS_MAX];
    size_t n_kills;
    uint64_t skipped_accesses;
    uint64_t references; /* that passed stage 1 */
};

/**
 * naive_replay - the model over @items.
 * No two neighbours may be runs of one thread, actor and page: a trace would hold
 * them as one run, and so must the list.
 */
void naive_replay(const struct naive_item *items, size_t n, const struct naive_opts *opts,
                  struct naive_result *out);

#endif
