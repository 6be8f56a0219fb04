/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * slab_peek.h - the lists of partly used slabs, slab by slab, as the kernel's memory has them.
 *
 * No file tells them. Two small BPF programs read them, by the kernel's own description of its types: one names
 * the caches, one walks along a list. They take no lock: a list that changes meanwhile may be told wrong.
 */
#ifndef COLLECT_SLAB_PEEK_H
#define COLLECT_SLAB_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_PEEK_MAX 255

struct slab_peeked {
    uint64_t at; /* a free object of it */
    uint32_t in_use, objects;
};

struct slab_peek_list {
    bool whole; /* false: there are more */
    uint32_t n;
    struct slab_peeked v[SLAB_PEEK_MAX]; /* the first on the list first */
};

struct slab_peek;

/**
 * slab_peek_open - NULL: this kernel does not let us (before Linux 6.13, without BTF or BPF, without root).
 * Cost: 20 ms.
 */
struct slab_peek *slab_peek_open(void);
void slab_peek_close(struct slab_peek *p); /* NULL is fine */

/** slab_peek_caches - how many there are. */
size_t slab_peek_caches(const struct slab_peek *p);
/** slab_peek_name - of the cache with that number, as slabinfo has it. */
const char *slab_peek_name(const struct slab_peek *p, size_t cache);

/** slab_peek_read - the list of the first node. False: that failed. Cost: some 10 us and 0.1 us a slab. */
bool slab_peek_read(const struct slab_peek *p, size_t cache, struct slab_peek_list *out);

#endif
