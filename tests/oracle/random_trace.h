/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * random_trace.h - lists of events and runs drawn from a seed.
 *
 * Few pages, many collisions: the lists are meant to meet every rule of
 * docs/model.md often, not to look like a real program for long.
 */
#ifndef FAULTLINE_RANDOM_TRACE_H
#define FAULTLINE_RANDOM_TRACE_H

#include "naive.h"

struct item_list {
    struct naive_item *at;
    size_t n, cap;
};

/** item_list_event - append a copy of @ev; its strings must be literals. */
void item_list_event(struct item_list *list, const struct fl_event *ev);
/** item_list_run - append a run; merged into the last one as a writer would merge it. */
void item_list_run(struct item_list *list, const struct naive_item *run);
void item_list_free(struct item_list *list);

/** item_list_trace - the list as an exact trace in memory; the caller frees *@bytes. */
int item_list_trace(const struct item_list *list, void **bytes, size_t *len_bytes,
                    struct fl_err *err);

/** item_list_locality - fl_locality() of the list; the test fails where that does. */
struct fl_locality *item_list_locality(const struct item_list *list);

/** random_processes - processes, mappings and accesses of all kinds, about @n items. */
void random_processes(uint64_t seed, size_t n, struct item_list *out);

/** random_file_io - between the items of @list: file I/O, advice, and what was in the page cache. */
void random_file_io(uint64_t seed, struct item_list *list);

/**
 * random_bursts - after runs of @list, more of them: a few to hundreds in a row, all of the same
 * thread, over the pages it has used lately. As programs are, and as windows are made for.
 */
void random_bursts(uint64_t seed, struct item_list *list);

enum random_pattern { RANDOM_UNIFORM, RANDOM_ZIPF, RANDOM_LOOP, RANDOM_PHASES, RANDOM_PATTERNS };

/** random_pages - one process, one anonymous mapping of @pages pages, @n references. */
void random_pages(uint64_t seed, enum random_pattern pattern, size_t n, uint32_t pages,
                  struct item_list *out);

/** pages_trace - the same for a given string of page numbers, all reads. */
void pages_trace(const uint32_t *page, size_t n, struct item_list *out);

/** random_below - the next draw from [0, @n); @state is the generator's. */
uint64_t random_below(uint64_t *state, uint64_t n);

#endif
