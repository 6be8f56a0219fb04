/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grown [stream] - three allocations: a table of SCALE (default 1) times 2 MiB, an index of 3 MiB,
 * a scratch of 1 MiB. The table is gone through five times, the others once. With "stream" it
 * is the index that is gone through again, after each half of the table, whose pages are
 * never touched again. It is built twice, with SCALE 1 and 4: a program before and after a
 * change of one line.
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

__attribute__((noinline)) static void build_table(volatile unsigned char *p, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += PAGE)
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

static void stream(volatile unsigned char *table, volatile unsigned char *index)
{
    for (size_t half = 0; half < 2; half++) {
        build_table(table, half * SCALE * MIB, (half + 1) * SCALE * MIB);
        build_index(index);
    }
}

int main(int argc, char **argv)
{
    volatile unsigned char *table = map(SCALE * 2 * MIB), *index = map(3 * MIB);
    volatile unsigned char *scratch = map(MIB);
    if (!table || !index || !scratch)
        return 1;
    build_index(index);
    fill_scratch(scratch);
    (void)argv;
    if (argc > 1) {
        stream(table, index);
        return 0;
    }
    build_table(table, 0, SCALE * 2 * MIB);
    return look_up(table) == 0;
}
