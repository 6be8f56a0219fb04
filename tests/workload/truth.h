/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * truth.h - what programs share whose thrashing is known by construction.
 *
 * A program tells where its phases begin in the trace itself: mark(K) is an madvise(MADV_NORMAL) of
 * page K of a reserved range at MARKS, which changes nothing and which `dump` prints in its
 * place between the runs. Accesses up to there are the marker's position.
 *
 * A touch reads and writes one word of a page and computes in registers in between, so that a
 * page visit is two runs however many instructions it has. What touches is never inlined and a
 * name of its own: it is the culprit.
 */
#ifndef FAULTLINE_WORKLOAD_TRUTH_H
#define FAULTLINE_WORKLOAD_TRUTH_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARKS ((unsigned char *)0x5eed0000000)
#define N_MARKS 64u
#define PAGE_BYTES 4096u
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))
#define KEEP __attribute__((noinline, aligned(512))) /* a function with a name, on one code page */
#define INLINE static inline __attribute__((always_inline))

static inline void need(int holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static inline void marks_begin(void)
{
    void *p = mmap(MARKS, N_MARKS * PAGE_BYTES, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
    need(p == MARKS, "markers");
}

static inline void mark(unsigned k)
{
    need(madvise(MARKS + (size_t)k * PAGE_BYTES, PAGE_BYTES, MADV_NORMAL) == 0, "mark");
}

/* @pages fresh pages of private memory, small ones. */
static inline uint64_t *new_pages(size_t pages)
{
    void *p =
        mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(p != MAP_FAILED, "mmap");
    (void)madvise(p, pages * PAGE_BYTES, MADV_NOHUGEPAGE);
    return p;
}

/* About eleven instructions a step, and no memory. */
INLINE uint64_t think(uint64_t x, unsigned steps)
{
    for (; steps; steps--) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return x | 1;
}

INLINE void touch(uint64_t *page, unsigned steps)
{
    *page = think(*page + 1, steps);
}

/* The next of a fixed series of numbers: splitmix64. */
INLINE uint64_t next_number(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

INLINE void pass(uint64_t *set, size_t pages, unsigned steps)
{
    for (size_t i = 0; i < pages; i++)
        touch(set + i * PAGE_WORDS, steps);
}

/* Argument @i as a number, or @otherwise. */
static inline unsigned number(int argc, char **argv, int i, unsigned otherwise)
{
    return i < argc ? (unsigned)strtoul(argv[i], NULL, 10) : otherwise;
}

struct truth {
    const char *name;
    void (*run)(int argc, char **argv);
};

/* Runs the program of @all that argv[1] names, with what follows as its arguments 1, 2, ... */
static inline int truth_main(const struct truth *all, size_t n, int argc, char **argv)
{
    marks_begin();
    for (size_t i = 0; argc > 1 && i < n; i++)
        if (strcmp(all[i].name, argv[1]) == 0) {
            all[i].run(argc - 1, argv + 1);
            return 0;
        }
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "%s\n", all[i].name);
    return 2;
}

#endif
