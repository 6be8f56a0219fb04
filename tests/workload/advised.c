/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * advised lock|pageout|free|cold [MIB] - what locks and advice do under a memory limit. MIB (default
 * 32) is the size of the area that the advice is for. No page is ever all zeros.
 *
 *   lock     MIB locked, then four times as much touched in turn, three times
 *   pageout  MIB paged out, read back, then as much again written and the first read once more
 *   free     MIB given up, half of it written again, as much again written, the first read
 *   cold     MIB in use, its first half given as cold, as much again written, all of it read
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u

static uint64_t state = 1;
static volatile unsigned char sink;

static unsigned char *area(size_t pages)
{
    void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    (void)madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
    return p;
}

static void fill(unsigned char *p, size_t pages) /* half of it as good as incompressible */
{
    for (size_t i = 0; i < pages; i++)
        for (size_t j = 0; j < PAGE; j += 8)
            *(uint64_t *)(void *)(p + i * PAGE + j) =
                j < PAGE / 2 ? (state = state * 6364136223846793005u + 1) : i + j + 1;
}

static void look(const unsigned char *p, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        sink = p[i * PAGE];
}

static int do_lock(size_t n)
{
    unsigned char *p = area(n), *heap = area(4 * n);
    if (mlock(p, n * PAGE)) {
        perror("mlock");
        return 1;
    }
    fill(p, n);
    fill(heap, 4 * n);
    for (int round = 0; round < 3; round++)
        look(heap, 4 * n);
    look(p, n);
    return munlock(p, n * PAGE) != 0;
}

static int advise(unsigned char *p, size_t pages, int advice)
{
    if (madvise(p, pages * PAGE, advice)) {
        perror("madvise");
        return 1;
    }
    return 0;
}

static int do_pageout(size_t n)
{
    unsigned char *p = area(n), *heap = area(n);
    fill(p, n);
    if (advise(p, n, MADV_PAGEOUT))
        return 1;
    look(p, n);
    fill(heap, n);
    look(p, n);
    return 0;
}

static int do_free(size_t n)
{
    unsigned char *p = area(n), *heap = area(n);
    fill(p, n);
    if (advise(p, n, MADV_FREE))
        return 1;
    fill(p, n / 2);
    fill(heap, n);
    look(p, n);
    return 0;
}

static int do_cold(size_t n)
{
    unsigned char *p = area(n), *heap = area(n);
    fill(p, n);
    look(p, n);
    if (advise(p, n / 2, MADV_COLD))
        return 1;
    fill(heap, n);
    look(p, n);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    size_t pages = (argc > 2 ? strtoul(argv[2], NULL, 10) : 32) << 8;
    if (!strcmp(what, "lock"))
        return do_lock(pages);
    if (!strcmp(what, "pageout"))
        return do_pageout(pages);
    if (!strcmp(what, "free"))
        return do_free(pages);
    if (!strcmp(what, "cold"))
        return do_cold(pages);
    fprintf(stderr, "advised lock|pageout|free|cold [MIB]\n");
    return 2;
}
