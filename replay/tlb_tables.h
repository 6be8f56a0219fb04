/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * tlb_tables.h - dense ids for the page tables that pages are reached through, leaf to root, and for
 * the large pages in their places: what both stand for is an aligned range of 512^height pages.
 */
#ifndef REPLAY_TLB_TABLES_H
#define REPLAY_TLB_TABLES_H

#include <stdint.h>

#define TABLE_BITS 9u
#define TABLE_PAGES (1u << TABLE_BITS)
#define NO_TABLE UINT32_MAX

/* A table of a page's way whose level is height, or a mapping of that size. */
struct tlb_table {
    uint32_t mm;
    uint32_t up; /* that of height + 1 it is part of; NO_TABLE: the root's level */
    uint8_t height;
};

struct tlb_tables {
    struct tlb_table *at;
    uint64_t *number;          /* by table: page number >> 9 * height */
    uint32_t n, room, heights; /* 1 .. heights */
    uint32_t *slots;           /* hash table: id + 1, or 0 */
};

void tlb_tables_fini(struct tlb_tables *t);

/** tlb_tables_of - the table of height 1 of the page @vpn of @mm; NO_TABLE: out of memory. */
uint32_t tlb_tables_of(struct tlb_tables *t, uint32_t mm, uint64_t vpn);

/** tlb_tables_at - the one of @height (1 to heights) that is or contains @table of height 1. */
static inline uint32_t tlb_tables_at(const struct tlb_tables *t, uint32_t table, uint32_t height)
{
    while (height-- > 1)
        table = t->at[table].up;
    return table;
}

#endif
