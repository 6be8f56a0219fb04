/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "pgtable.h"

/* Inner tables hold children, leaf tables hold entries; the level tells which. */
struct pgtable_node {
    union {
        struct pgtable_node *child[PGTABLE_ENTRIES];
        struct leaf entry[PGTABLE_ENTRIES];
    };
};

static struct pgtable_node *node_new(struct pgtable *pt, bool leaf)
{
    struct pgtable_node *node = calloc(1, leaf ? sizeof node->entry : sizeof node->child);
    if (node)
        ++*pt->n_tables;
    return node;
}

static void node_free(struct pgtable *pt, struct pgtable_node *node, uint32_t level)
{
    if (!node)
        return;
    if (level > 1)
        for (uint32_t i = 0; i < PGTABLE_ENTRIES; i++)
            node_free(pt, node->child[i], level - 1);
    free(node);
    --*pt->n_tables;
}

bool pgtable_init(struct pgtable *pt, uint32_t levels, uint64_t *n_tables)
{
    *pt = (struct pgtable){ .levels = levels, .n_tables = n_tables };
    pt->root = node_new(pt, levels == 1);
    return pt->root != NULL;
}

void pgtable_fini(struct pgtable *pt)
{
    if (pt->root)
        node_free(pt, pt->root, pt->levels);
    pt->root = NULL;
}

static uint32_t index_at(uint64_t vpn, uint32_t level)
{
    return (uint32_t)(vpn >> (PGTABLE_BITS * (level - 1))) & (PGTABLE_ENTRIES - 1);
}

struct leaf *pgtable_slot(struct pgtable *pt, uint64_t vpn)
{
    struct pgtable_node *node = pt->root;
    for (uint32_t level = pt->levels; level > 1; level--) {
        struct pgtable_node **child = &node->child[index_at(vpn, level)];
        if (!*child && !(*child = node_new(pt, level == 2)))
            return NULL;
        node = *child;
    }
    return &node->entry[index_at(vpn, 1)];
}

struct leaf *pgtable_peek(const struct pgtable *pt, uint64_t vpn)
{
    struct pgtable_node *node = pt->root;
    for (uint32_t level = pt->levels; level > 1 && node; level--)
        node = node->child[index_at(vpn, level)];
    return node ? &node->entry[index_at(vpn, 1)] : NULL;
}

static uint64_t count_node(const struct pgtable_node *node, uint32_t level)
{
    uint64_t n = 1;
    for (uint32_t i = 0; level > 1 && i < PGTABLE_ENTRIES; i++)
        if (node->child[i])
            n += count_node(node->child[i], level - 1);
    return n;
}

uint64_t pgtable_count(const struct pgtable *pt)
{
    return pt->root ? count_node(pt->root, pt->levels) : 0;
}

/* Range of child indexes of a table at @level, whose first page is @base, under [from, to). */
static void child_range(uint32_t level, uint64_t base, uint64_t from, uint64_t to, uint32_t *first,
                        uint32_t *last)
{
    uint32_t shift = PGTABLE_BITS * (level - 1);
    uint64_t end = base + (UINT64_C(1) << (shift + PGTABLE_BITS));
    *first = from <= base ? 0 : (uint32_t)((from - base) >> shift);
    *last = to >= end ? PGTABLE_ENTRIES - 1 : (uint32_t)((to - 1 - base) >> shift);
}

static bool walk_node(const struct pgtable_node *node, uint32_t level, uint64_t base, uint64_t from,
                      uint64_t to, pgtable_walk_fn *fn, void *arg)
{
    uint32_t first, last;
    child_range(level, base, from, to, &first, &last);
    for (uint32_t i = first; i <= last; i++) {
        if (level == 1) {
            struct leaf *slot = (struct leaf *)&node->entry[i];
            if (slot->id && !fn(arg, base + i, slot))
                return false;
        } else if (node->child[i]) {
            uint64_t child_base = base + ((uint64_t)i << (PGTABLE_BITS * (level - 1)));
            if (!walk_node(node->child[i], level - 1, child_base, from, to, fn, arg))
                return false;
        }
    }
    return true;
}

bool pgtable_walk(const struct pgtable *pt, uint64_t from, uint64_t to, pgtable_walk_fn *fn,
                  void *arg)
{
    uint64_t span = pgtable_span_pages(pt->levels);
    if (to > span)
        to = span;
    return from >= to || walk_node(pt->root, pt->levels, 0, from, to, fn, arg);
}

static void prune_node(struct pgtable *pt, struct pgtable_node *node, uint32_t level, uint64_t base,
                       uint64_t from, uint64_t to, pgtable_mapped_fn *mapped, const void *arg)
{
    uint32_t first, last;
    child_range(level, base, from, to, &first, &last);
    for (uint32_t i = first; i <= last; i++) {
        if (!node->child[i])
            continue;
        uint64_t lo = base + ((uint64_t)i << (PGTABLE_BITS * (level - 1)));
        uint64_t hi = lo + (UINT64_C(1) << (PGTABLE_BITS * (level - 1)));
        if (!mapped(arg, lo, hi)) {
            node_free(pt, node->child[i], level - 1);
            node->child[i] = NULL;
        } else if (level > 2) {
            prune_node(pt, node->child[i], level - 1, lo, from, to, mapped, arg);
        }
    }
}

void pgtable_prune(struct pgtable *pt, uint64_t from, uint64_t to, pgtable_mapped_fn *mapped,
                   const void *arg)
{
    uint64_t span = pgtable_span_pages(pt->levels);
    if (to > span)
        to = span;
    if (from < to && pt->levels > 1)
        prune_node(pt, pt->root, pt->levels, 0, from, to, mapped, arg);
}
