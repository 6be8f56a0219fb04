/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * slab_peek.h - the lists of partly used slabs, slab by slab, as the kernel's memory has them.
 *
 * No file tells them. Two small BPF programs read them, by the kernel's own description of its types: one names
 * the caches, one walks along a list. They take no lock: a list that changes meanwhile may be told wrong.
 */
#ifndef FAULTLINE_SLAB_PEEK_H
#define FAULTLINE_SLAB_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FL_SLAB_PEEK_MAX 255

struct fl_slab_peeked {
    uint64_t at; /* a free object of it */
    uint32_t in_use, objects;
};

struct fl_slab_peek_list {
    bool whole; /* false: there are more */
    uint32_t n;
    struct fl_slab_peeked v[FL_SLAB_PEEK_MAX]; /* the first on the list first */
};

struct fl_slab_peek;

/**
 * fl_slab_peek_open - NULL: this kernel does not let us (before Linux 6.13, without BTF or BPF, without root).
 * Cost: 20 ms.
 */
struct fl_slab_peek *fl_slab_peek_open(void);
void fl_slab_peek_close(struct fl_slab_peek *p); /* NULL is fine */

/** fl_slab_peek_caches - how many there are. */
size_t fl_slab_peek_caches(const struct fl_slab_peek *p);
/** fl_slab_peek_name - of the cache with that number, as slabinfo has it. */
const char *fl_slab_peek_name(const struct fl_slab_peek *p, size_t cache);

/** fl_slab_peek_read - the list of the first node. False: that failed. Cost: some 10 us and 0.1 us a slab. */
bool fl_slab_peek_read(const struct fl_slab_peek *p, size_t cache, struct fl_slab_peek_list *out);

#endif
