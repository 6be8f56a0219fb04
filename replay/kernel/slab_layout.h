/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * slab_layout.h - how SLUB lays a cache out, which class a kmalloc() gets, and who shares a cache.
 *
 * Source: Linux 6.18, mm/slub.c (calculate_sizes, calculate_order, set_cpu_partial), mm/slab_common.c
 * (calculate_alignment, find_mergeable, kmalloc_info); checked against /sys/kernel/slab.
 */
#ifndef REPLAY_SLAB_LAYOUT_H
#define REPLAY_SLAB_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

#define SLAB_NAME_BYTES 48      /* of a cache's name, with its end */
#define SLAB_OBJECT_MAX 4194304 /* bytes; the kernel's largest allocation */
#define SLAB_SHEAF_OBJECTS 32   /* of the caches that have sheaves */

enum slab_flag {
    SLAB_HWCACHE_ALIGN = 1u << 0,
    SLAB_RECLAIM = 1u << 1, /* SLAB_RECLAIM_ACCOUNT */
    SLAB_DMA = 1u << 2,
    SLAB_DMA32 = 1u << 3,
    SLAB_ACCOUNT = 1u << 4,
    SLAB_RCU = 1u << 5,      /* SLAB_TYPESAFE_BY_RCU */
    SLAB_OWN_LINK = 1u << 6, /* with SLAB_RCU: the object has a place for the free pointer itself */
    SLAB_CTOR = 1u << 7,
    SLAB_USERCOPY = 1u << 8, /* parts of it may be copied to user space */
    SLAB_SHEAVES = 1u << 9,
    SLAB_NO_MERGE = 1u << 10,
};

/** What kmem_cache_create() is told. */
struct slab_spec {
    const char *name;
    uint32_t object_bytes; /* 1 .. SLAB_OBJECT_MAX */
    uint32_t align;        /* 0, or a power of two, bytes */
    unsigned flags;
};

/** What it makes of that. */
struct slab_layout {
    uint32_t object_bytes;
    uint32_t size; /* bytes from one object to the next */
    uint32_t align;
    uint32_t order, min_order; /* of a slab; of one when memory is short */
    uint32_t objects;          /* in a slab of @order */
    uint32_t cpu_partial;      /* objects, and */
    uint32_t cpu_partial_slabs;
    uint32_t min_partial; /* partial slabs that a node keeps though they be empty */
    unsigned flags;
};

/**
 * slab_layout_of - lay out @spec on a machine with @cpus processors (>= 1).
 * Errors: FL_EUSAGE for sizes and alignments out of range.
 */
int slab_layout_of(const struct slab_spec *spec, uint32_t cpus, struct slab_layout *out,
                   struct fl_err *err);

/** slab_objects - objects of @size bytes that a slab of @order holds. */
uint32_t slab_objects(uint32_t order, uint32_t size);

/**
 * slab_layout_sized - as slab_layout_of() for a cache of which only @size and what a slab holds are
 * known, as /proc/slabinfo tells them: @objects in 2^@order pages.
 */
struct slab_layout slab_layout_sized(uint32_t size, uint32_t order, uint32_t objects);

/** What one cache is to the search for another that a new one may share. */
struct slab_merge_peer {
    uint32_t size;
    unsigned flags;
};

/**
 * slab_merge_find - the cache among @n, oldest first, that a new one of @spec is made an alias of;
 * -1: it gets its own.
 */
int slab_merge_find(const struct slab_merge_peer *peers, size_t n, const struct slab_spec *spec);

/* ---- kmalloc ---------------------------------------------------------------------- */

enum slab_kmalloc_type {
    SLAB_KMALLOC_NORMAL,
    SLAB_KMALLOC_CG,  /* charged to a memory group */
    SLAB_KMALLOC_RCL, /* reclaimable */
    SLAB_KMALLOC_DMA,
};

/** slab_kmalloc_type - by the request's gfp flags, as numbered by Linux 6.18. */
enum slab_kmalloc_type slab_kmalloc_type(uint64_t gfp_flags);

/**
 * slab_kmalloc_class - bytes that kmalloc(@bytes) gets: 8 .. 8192; 0 for 0 bytes and for more than
 * 8192, which come from the page allocator.
 */
uint32_t slab_kmalloc_class(uint64_t bytes);

/** slab_kmalloc_name - "kmalloc-cg-192"; @class as returned above. */
void slab_kmalloc_name(uint32_t class, enum slab_kmalloc_type type, char name[SLAB_NAME_BYTES]);

#endif
