/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * phases [PAGES [ROUNDS]] - fill PAGES; then in each of eight phases use a third of them, at
 * random, ROUNDS times its size. Every phase's third begins an eighth further on.
 */
#include "work.h"

#define PHASES 8

int main(int argc, char **argv)
{
    size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 30720;
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 4;
    size_t size = pages / 3;
    uint64_t state = 3, sum = 0;
    uint64_t *mem = work_pages(pages);

    work_fill_all(mem, pages);
    for (size_t phase = 0; phase < PHASES; phase++)
        for (size_t i = 0; i < rounds * size; i++) {
            uint64_t page = (phase * (pages / PHASES) + work_below(&state, size)) % pages;
            sum += work_use(mem + page * PAGE_WORDS, (int)(work_random(&state) & 1));
        }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
