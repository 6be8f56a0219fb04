/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random [PAGES [ACCESSES]] - fill PAGES, then use pages drawn uniformly; half the uses write. */
#include "work.h"

int main(int argc, char **argv)
{
    size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 24576;
    size_t accesses = argc > 2 ? strtoul(argv[2], NULL, 10) : 200000;
    uint64_t state = 1, sum = 0;
    uint64_t *mem = work_pages(pages);

    work_fill_all(mem, pages);
    for (size_t i = 0; i < accesses; i++) {
        uint64_t page = work_below(&state, pages);
        sum += work_use(mem + page * PAGE_WORDS, (int)(work_random(&state) & 1));
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
