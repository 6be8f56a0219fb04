/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * thrash [PAGES [ROUNDS [FORK]]] - write PAGES anonymous pages (default 4096), then touch
 * them ROUNDS times (default 3) in an order that a fixed generator gives. No page is ever
 * all zeros. With FORK, a child does it again and is waited for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int work(size_t pages, size_t rounds)
{
    uint64_t state = 1;
    unsigned char *p =
        mmap(NULL, pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return 1;
    (void)madvise(p, pages << 12, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < pages; i++)
        for (size_t j = 0; j < 4096; j += 8) /* as good as incompressible */
            *(uint64_t *)(void *)(p + (i << 12) + j) = state = state * 6364136223846793005u + 1;
    for (size_t i = 0; i < pages * rounds; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        p[(state >> 33) % pages << 12]++;
    }
    return 0;
}

int main(int argc, char **argv)
{
    size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 4096;
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 3;
    int status = pages ? work(pages, rounds) : 1;
    if (argc > 3) {
        pid_t child = fork();
        if (child == 0)
            _exit(work(pages, rounds));
        if (child < 0 || wait(&status) != child)
            return 1;
    }
    return status != 0;
}
