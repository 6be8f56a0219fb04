/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the accuracy workloads share: numbers without a clock, memory without huge pages, and
 * pages whose contents are known. A filled page is half random and half counting, never zero:
 * a swap device that compresses stores it in a bit more than half a page.
 */
#ifndef FAULTLINE_ACCURACY_WORK_H
#define FAULTLINE_ACCURACY_WORK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))
#define THINK_STEPS 1000u /* about a microsecond between two pages */

/* The splitmix64 generator: next number of @state. */
static inline uint64_t work_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t work_below(uint64_t *state, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)work_random(state) * n) >> 64);
}

/* @pages fresh pages of private memory; ends the program where there are none. */
static inline uint64_t *work_pages(size_t pages)
{
    void *p =
        mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    (void)madvise(p, pages * PAGE_BYTES, MADV_NOHUGEPAGE);
    return p;
}

static inline void work_fill(uint64_t *page, uint64_t seed)
{
    for (size_t i = 0; i < PAGE_WORDS / 2; i++)
        page[i] = work_random(&seed) | 1;
    for (size_t i = PAGE_WORDS / 2; i < PAGE_WORDS; i++)
        page[i] = i;
}

static inline void work_fill_all(uint64_t *mem, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        work_fill(mem + i * PAGE_WORDS, i);
}

/* Reads a few words of @page, changes one if @write, and computes for a while. */
static inline uint64_t work_use(uint64_t *page, int write)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < PAGE_WORDS; i += 32)
        sum += page[i];
    for (unsigned i = 0; i < THINK_STEPS; i++)
        sum = sum * 6364136223846793005u + i;
    if (write)
        page[sum % PAGE_WORDS] = sum | 1;
    return sum;
}

#endif
