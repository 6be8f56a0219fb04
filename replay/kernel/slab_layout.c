/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_layout.h"

#include <stdio.h>

#include <faultline/units.h>

enum {
    CACHE_LINE = 64,
    WORD = 8,
    MAX_ORDER = 10,
    SLAB_MAX_ORDER = 3, /* slub_max_order: the costly order */
    MIN_PARTIAL = 5,
    MAX_PARTIAL = 10,
    MAX_OBJECTS = 32767,
    KMALLOC_MAX = 8192,
};

static uint32_t align_up(uint32_t n, uint32_t align)
{
    return (n + align - 1) & ~(align - 1);
}

static uint32_t log2_floor(uint32_t n)
{
    return 31 - (uint32_t)__builtin_clz(n);
}

static uint32_t order_of(uint64_t bytes)
{
    uint32_t order = 0;
    while ((FL_PAGE_BYTES << order) < bytes)
        order++;
    return order;
}

uint32_t slab_objects(uint32_t order, uint32_t size)
{
    return (uint32_t)((FL_PAGE_BYTES << order) / size);
}

static uint32_t alignment(const struct slab_spec *spec)
{
    uint32_t align = spec->align;
    if (spec->flags & SLAB_HWCACHE_ALIGN) {
        uint32_t line = CACHE_LINE;
        while (spec->object_bytes <= line / 2)
            line /= 2;
        align = align > line ? align : line;
    }
    return align_up(align > WORD ? align : WORD, WORD);
}

/* The first order whose tail is a small enough part of the slab. */
static uint32_t order_for(uint32_t size, uint32_t cpus)
{
    uint32_t want = 4 * (log2_floor(cpus) + 2);
    uint32_t most = slab_objects(SLAB_MAX_ORDER, size);
    most = most ? most : 1;
    uint32_t least = order_of((uint64_t)(want < most ? want : most) * size);
    if (slab_objects(least, size) > MAX_OBJECTS)
        return order_of((uint64_t)size * MAX_OBJECTS) - 1;
    for (uint32_t fraction = 16; fraction > 1; fraction /= 2)
        for (uint32_t order = least; order <= SLAB_MAX_ORDER; order++) {
            uint64_t slab = FL_PAGE_BYTES << order;
            if (slab % size <= slab / fraction)
                return order;
        }
    return order_of(size);
}

static void set_partial(struct slab_layout *l)
{
    uint32_t size = l->size, keep = log2_floor(size) / 2;
    l->min_partial = keep < MIN_PARTIAL ? MIN_PARTIAL : keep > MAX_PARTIAL ? MAX_PARTIAL : keep;
    l->cpu_partial = size >= 4096 ? 6 : size >= 1024 ? 24 : size >= 256 ? 52 : 120;
    l->cpu_partial_slabs = (2 * l->cpu_partial + l->objects - 1) / l->objects;
}

int slab_layout_of(const struct slab_spec *spec, uint32_t cpus, struct slab_layout *out,
                   struct fl_err *err)
{
    if (!spec->object_bytes || spec->object_bytes > SLAB_OBJECT_MAX)
        return fl_fail(err, FL_EUSAGE, "slab cache %s: objects of %u bytes; 1 to %u are possible",
                       spec->name, spec->object_bytes, (unsigned)SLAB_OBJECT_MAX);
    if (spec->align > SLAB_OBJECT_MAX || (spec->align & (spec->align - 1)) || !cpus)
        return fl_fail(err, FL_EUSAGE, "slab cache %s: alignment %u is no power of two", spec->name,
                       spec->align);
    struct slab_layout l = { .object_bytes = spec->object_bytes, .flags = spec->flags };
    l.align = alignment(spec);
    l.size = align_up(spec->object_bytes, WORD);
    /* The free pointer may not lie in an object that is still read, or that keeps its contents. */
    if ((spec->flags & SLAB_CTOR) || ((spec->flags & SLAB_RCU) && !(spec->flags & SLAB_OWN_LINK)))
        l.size += WORD;
    l.size = align_up(l.size, l.align);
    l.order = order_for(l.size, cpus);
    if (l.order > MAX_ORDER)
        return fl_fail(err, FL_EUSAGE, "slab cache %s: a slab would need order %u; 10 is the most",
                       spec->name, l.order);
    l.min_order = order_of(l.size);
    l.objects = slab_objects(l.order, l.size);
    set_partial(&l);
    *out = l;
    return FL_OK;
}

struct slab_layout slab_layout_sized(uint32_t size, uint32_t order, uint32_t objects)
{
    struct slab_layout l = { .object_bytes = size,
                             .size = size,
                             .align = WORD,
                             .order = order,
                             .min_order = order_of(size),
                             .objects = objects };
    set_partial(&l);
    return l;
}

/* ---- merging ---------------------------------------------------------------------- */

#define MERGE_SAME ((unsigned)(SLAB_RECLAIM | SLAB_DMA | SLAB_DMA32 | SLAB_ACCOUNT))
#define MERGE_NEVER \
    ((unsigned)(SLAB_RCU | SLAB_CTOR | SLAB_USERCOPY | SLAB_SHEAVES | SLAB_NO_MERGE))

int slab_merge_find(const struct slab_merge_peer *peers, size_t n, const struct slab_spec *spec)
{
    uint32_t align = alignment(spec);
    uint32_t size = align_up(align_up(spec->object_bytes, WORD), align);
    if (spec->flags & MERGE_NEVER)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const struct slab_merge_peer *p = &peers[i];
        if ((p->flags & MERGE_NEVER) || size > p->size || p->size - size >= WORD)
            continue;
        if ((p->flags & MERGE_SAME) == (spec->flags & MERGE_SAME) && p->size % align == 0)
            return (int)i;
    }
    return -1;
}

/* ---- kmalloc ---------------------------------------------------------------------- */

enum slab_kmalloc_type slab_kmalloc_type(uint64_t gfp_flags)
{
    enum { GFP_DMA = 1 << 0, GFP_RECLAIMABLE = 1 << 4, GFP_ACCOUNT = 1 << 22 };
    if (gfp_flags & GFP_DMA)
        return SLAB_KMALLOC_DMA;
    if (gfp_flags & GFP_RECLAIMABLE)
        return SLAB_KMALLOC_RCL;
    return gfp_flags & GFP_ACCOUNT ? SLAB_KMALLOC_CG : SLAB_KMALLOC_NORMAL;
}

uint32_t slab_kmalloc_class(uint64_t bytes)
{
    if (!bytes || bytes > KMALLOC_MAX)
        return 0;
    if (bytes > 64 && bytes <= 96)
        return 96;
    if (bytes > 128 && bytes <= 192)
        return 192;
    uint32_t class = 8;
    while (class < bytes)
        class *= 2;
    return class;
}

void slab_kmalloc_name(uint32_t class, enum slab_kmalloc_type type, char name[SLAB_NAME_BYTES])
{
    static const char *const prefix[] = { [SLAB_KMALLOC_NORMAL] = "kmalloc",
                                          [SLAB_KMALLOC_CG] = "kmalloc-cg",
                                          [SLAB_KMALLOC_RCL] = "kmalloc-rcl",
                                          [SLAB_KMALLOC_DMA] = "dma-kmalloc" };
    const char *kilo = class >= 1024 ? "k" : "";
    snprintf(name, SLAB_NAME_BYTES, "%s-%u%s", prefix[type], *kilo ? class / 1024 : class, kilo);
}
