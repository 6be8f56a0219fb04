/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forking [PAGES [ACCESSES]] - fill PAGES, then fork four children, one after the other has
 * ended: each uses pages drawn uniformly from all and writes those of a part of its own, a sixth
 * of them, so that it copies those. The parent uses all pages once between two children.
 */
#include "work.h"

#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 4

static void child(uint64_t *mem, size_t pages, size_t accesses, unsigned n)
{
    size_t part = pages / 6, start = n * part;
    uint64_t state = 100 + n, sum = 0;

    for (size_t i = 0; i < accesses; i++) {
        uint64_t page = work_below(&state, pages);
        sum += work_use(mem + page * PAGE_WORDS, page >= start && page < start + part);
    }
    _exit(sum == 0);
}

int main(int argc, char **argv)
{
    size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 20480;
    size_t accesses = argc > 2 ? strtoul(argv[2], NULL, 10) : 40000;
    uint64_t sum = 0;
    uint64_t *mem = work_pages(pages);

    work_fill_all(mem, pages);
    for (unsigned n = 0; n < CHILDREN; n++) {
        int status = 0;
        pid_t pid = fork();
        if (pid < 0) {
            perror("fork");
            return 1;
        }
        if (pid == 0)
            child(mem, pages, accesses, n);
        if (waitpid(pid, &status, 0) != pid || status != 0)
            return 1;
        for (size_t i = 0; i < pages; i++)
            sum += work_use(mem + i * PAGE_WORDS, 0);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
