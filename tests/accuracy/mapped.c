/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapped make FILE PAGES                - write a file of PAGES.
 * mapped use FILE HEAP_PAGES ACCESSES   - map FILE shared and read-only, fill a heap beside it, then
 *                                         use both: two of three uses are the heap's.
 * mapped both FILE PAGES HEAP_PAGES ACCESSES - make, then use, so that the file's pages are the
 *                                         process's own.
 * Pages are drawn with a bias to the low ones: the smaller of two uniform draws.
 */
#include "work.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make(const char *path, size_t pages)
{
    uint64_t page[PAGE_WORDS];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0)
        return 1;
    for (size_t i = 0; i < pages; i++) {
        work_fill(page, ~i);
        if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
            return 1;
    }
    return fsync(fd) != 0 || close(fd) != 0;
}

static uint64_t biased(uint64_t *state, uint64_t n)
{
    uint64_t a = work_below(state, n), b = work_below(state, n);
    return a < b ? a : b;
}

static int use(const char *path, size_t heap_pages, size_t accesses)
{
    struct stat st;
    uint64_t state = 5, sum = 0;
    int fd = open(path, O_RDONLY);

    if (fd < 0 || fstat(fd, &st) != 0)
        return 1;
    uint64_t *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED)
        return 1;
    /* Single pages, so that what is read again does not hang on the disk's read-ahead setting. */
    (void)madvise(file, (size_t)st.st_size, MADV_RANDOM);
    uint64_t *heap = work_pages(heap_pages);
    work_fill_all(heap, heap_pages);
    for (size_t i = 0; i < accesses; i++) {
        if (work_below(&state, 3) == 0)
            sum +=
                work_use(file + biased(&state, (uint64_t)st.st_size / PAGE_BYTES) * PAGE_WORDS, 0);
        else
            sum += work_use(heap + biased(&state, heap_pages) * PAGE_WORDS,
                            (int)(work_random(&state) & 1));
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 2;

    if (argc == 4 && !strcmp(argv[1], "make"))
        failed = make(argv[2], strtoul(argv[3], NULL, 10));
    else if (argc == 5 && !strcmp(argv[1], "use"))
        failed = use(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    else if (argc == 6 && !strcmp(argv[1], "both"))
        failed = make(argv[2], strtoul(argv[3], NULL, 10)) ||
                 use(argv[2], strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10));
    else
        fprintf(stderr, "mapped: make FILE PAGES | use FILE HEAP N | both FILE PAGES HEAP N\n");
    if (failed == 1)
        perror(argv[2]);
    return failed;
}
