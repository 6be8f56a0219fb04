/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cyclic [PAGES [PASSES]] - fill PAGES, then use them in order, PASSES times; every fourth writes. */
#include "work.h"

int main(int argc, char **argv)
{
    size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 16384;
    size_t passes = argc > 2 ? strtoul(argv[2], NULL, 10) : 8;
    uint64_t sum = 0;
    uint64_t *mem = work_pages(pages);

    work_fill_all(mem, pages);
    for (size_t pass = 0; pass < passes; pass++)
        for (size_t i = 0; i < pages; i++)
            sum += work_use(mem + i * PAGE_WORDS, i % 4 == 0);
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
