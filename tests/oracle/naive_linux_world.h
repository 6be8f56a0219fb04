/* SPDX-License-Identifier: GPL-2.0-or-later */
/** naive_linux_world.h - what the slow twin of policy linux keeps. Sections: docs/model-linux.md. */
#ifndef FAULTLINE_NAIVE_LINUX_WORLD_H
#define FAULTLINE_NAIVE_LINUX_WORLD_H

#include "naive_linux.h"
#include "naive_swap.h"
#include "naive_world.h"

enum { IA, AA, IF, AF, LISTS, BATCH, ISOLATED, NOWHERE };
enum { ANON, FILES, TYPES };

struct folio { /* of the contents with the same number */
    bool met, resident, charged, by_write;
    bool referenced, workingset, dirty, writeback, exec;
    bool mark; /* reclaim, and read-ahead */
    int busy;
    int place, meant; /* the list it is on; the one it is meant for */
    uint32_t slot;    /* 0: none */
    bool shadow, shadow_workingset;
    uint64_t shadow_age;
};

struct span {
    uint64_t first, end;
};

struct kfile { /* of the object with the same number */
    bool known;
    LIST(struct span) cached; /* at the start */
    LIST(struct span) gone;   /* since */
    uint64_t size_bytes, ra;
    uint64_t start, size, async; /* the window */
    uint64_t last_read;
    uint32_t misses, advice;
};

struct swap_write {
    int c;       /* -1: it has gone */
    bool begins; /* a request; else it is of the one before's */
    bool sent;   /* else held back */
    uint64_t done_ps;
};

struct held_page {
    uint64_t slot;
    bool reads, begins;
};

struct kernel {
    const struct naive_linux_opts *opts;
    struct naive_linux_result *out;
    struct folio *folios;
    struct kfile *files;
    /* charging */
    uint64_t usage, stock, kernel_pages;
    /* lists */
    LIST(int) list[LISTS];
    LIST(int) batch;
    uint64_t age, cost[TYPES], activations[TYPES];
    uint64_t seen_size[LISTS], seen_activations[TYPES], remembered[TYPES];
    /* a reclaim */
    bool force, refused, may_shrink[TYPES], cache_trim, flusher_due;
    uint64_t prepared_cost[TYPES];
    /* swap */
    struct naive_swap swap;
    LIST(struct swap_write) writes; /* under way, in the order of writing */
    LIST(struct held_page) held;    /* back, those to be read too */
    bool reading_ahead;
    uint64_t disk_done_ps;
    uint64_t window_end_ps, steps, idle_windows;
    uint64_t ra_place, ra_window, ra_hits;
    /* the TLB */
    uint64_t filled, random;
    /* clock */
    uint64_t now_ps, next_flush_ps;
    /* where we are */
    uint32_t running_mm;
    const struct naive_item *run;
    bool copying, copy_counted;
};

#define FOLIO(w, c) (&(w)->k->folios[c])

/* naive_linux.c */
uint64_t naive_linux_longest(const struct world *w); /* fillings that a translation outlives */
bool naive_linux_dead(const struct world *w); /* the process under way was killed, or stuck */
void naive_linux_tick(struct world *w, enum fl_cost cost, uint64_t n);
void naive_linux_flush_statistics(struct world *w);
void naive_linux_see_statistics(struct world *w);

/* naive_linux_charge.c: section 4 */
bool naive_linux_charge(struct world *w, bool gives_up_early);
void naive_linux_uncharge(struct world *w);
void naive_linux_kernel_pages(struct world *w);

/* naive_linux_lists.c: sections 5, 10 */
bool naive_linux_is_anon(const struct world *w, int c);
void naive_linux_new_folio(struct world *w, int c, bool active);
void naive_linux_drain(struct world *w);
void naive_linux_off_lists(struct world *w, int c);
void naive_linux_to_list(struct world *w, int c, int list, bool old_end);
void naive_linux_mark_accessed(struct world *w, int c);
bool naive_linux_refault(struct world *w, int c); /* true: it starts active */
void naive_linux_add_cost(struct world *w, int type, uint64_t cost);
void naive_linux_free_folio(struct world *w, int c);
void naive_linux_dirty(struct world *w, int c); /* of a page in a cache */

/* naive_linux_reclaim.c: sections 6 to 9; returns the pages freed */
uint64_t naive_linux_reclaim(struct world *w, uint64_t target);

/* naive_linux_swap.c: sections 11, 13, 16 */
void naive_linux_swap_start(struct world *w);
bool naive_linux_swap_available(const struct world *w);
bool naive_linux_swap_half_used(const struct world *w);
bool naive_linux_cached(const struct world *w, int c);
bool naive_linux_take_slot(struct world *w, int c);
void naive_linux_put_slot(struct world *w, int c);
void naive_linux_let_go(struct world *w, int c);
void naive_linux_begin_write(struct world *w, int c);
void naive_linux_submit_writes(struct world *w);
void naive_linux_complete_writes(struct world *w); /* those that are done by now */
void naive_linux_wait_for_write(struct world *w, int c);
bool naive_linux_swap_in(struct world *w, int c, bool writes, enum fl_cause *cause);
bool naive_linux_shared_in(struct world *w, int c, enum fl_cause *cause);

/* naive_linux_file.c: section 12 */
bool naive_linux_file_fault(struct world *w, int c, bool writes, enum fl_cause *cause);
bool naive_linux_file_get(struct world *w, int c, const struct mapping *m, bool *was_read);
void naive_linux_map_around(struct world *w);
void naive_linux_flusher(struct world *w);
bool naive_linux_read_range(struct world *w, int object, struct span range, uint64_t wanted,
                            uint64_t mark);
uint64_t naive_linux_ra(const struct kfile *file);
void naive_linux_window_moves_on(struct world *w, int c);
void naive_linux_write_back(struct world *w, int c);
int naive_linux_file_page(struct world *w, int object, uint64_t index);

/* naive_linux_io.c: section 12, system calls */
void naive_linux_file_event(struct world *w, const struct fl_event *ev);
/* read(2) of [page, end) finds that @page is not there. False: its charge failed. */
bool naive_linux_sync_read(struct world *w, int object, uint64_t page, uint64_t end);

/* naive_linux_fault.c: sections 2, 3 */
bool naive_linux_reference(struct world *w, int c, enum fl_cause cause);
struct vpage *naive_linux_entry(struct world *w, uint32_t mm, uint64_t vpn);

#endif
