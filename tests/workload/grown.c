/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grown - three allocations: a table of SCALE (default 1) times 2 MiB, an index of 3 MiB, a
 * scratch of 1 MiB. The table is gone through five times, the others once. It is built
 * twice, with SCALE 1 and 4: a program before and after a change of one line.
 */
#include <stddef.h>
#include <sys/mman.h>

#ifndef SCALE
#define SCALE 1
#endif
#define MIB ((size_t)1 << 20)
#define PAGE ((size_t)4096)

static volatile unsigned char *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED)
        (void)madvise(p, bytes, MADV_NOHUGEPAGE);
    return p == MAP_FAILED ? NULL : p;
}

__attribute__((noinline)) static void build_table(volatile unsigned char *p)
{
    for (size_t at = 0; at < SCALE * 2 * MIB; at += PAGE)
        p[at] = (unsigned char)(at / PAGE + 1);
}

__attribute__((noinline)) static void build_index(volatile unsigned char *p)
{
    for (size_t at = 0; at < 3 * MIB; at += PAGE)
        p[at] = 1;
}

__attribute__((noinline)) static void fill_scratch(volatile unsigned char *p)
{
    for (size_t at = 0; at < MIB; at += PAGE)
        p[at] = 1;
}

__attribute__((noinline)) static unsigned look_up(const volatile unsigned char *p)
{
    unsigned sum = 0;
    for (int round = 0; round < 4; round++)
        for (size_t at = 0; at < SCALE * 2 * MIB; at += PAGE)
            sum += p[at];
    return sum;
}

int main(void)
{
    volatile unsigned char *table = map(SCALE * 2 * MIB), *index = map(3 * MIB);
    volatile unsigned char *scratch = map(MIB);
    if (!table || !index || !scratch)
        return 1;
    build_index(index);
    fill_scratch(scratch);
    build_table(table);
    return look_up(table) == 0;
}
