/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zipf [PAGES [ACCESSES]] - fill PAGES, then use pages of which few are hot: the k-th hottest is
 * drawn with a weight of 1/k. Hot pages lie anywhere; three uses in ten write.
 */
#include "work.h"

static uint64_t *shuffled(size_t pages, uint64_t *state)
{
    uint64_t *at = malloc(pages * sizeof(*at));
    if (!at)
        exit(1);
    for (size_t i = 0; i < pages; i++)
        at[i] = i;
    for (size_t i = pages - 1; i > 0; i--) {
        uint64_t j = work_below(state, i + 1), t = at[i];
        at[i] = at[j];
        at[j] = t;
    }
    return at;
}

/* cumulative[k]: weight of the ranks up to k. */
static double *weights(size_t pages)
{
    double *cumulative = malloc(pages * sizeof(*cumulative)), sum = 0;
    if (!cumulative)
        exit(1);
    for (size_t i = 0; i < pages; i++) {
        sum += 1.0 / (double)(i + 1);
        cumulative[i] = sum;
    }
    return cumulative;
}

static size_t draw(const double *cumulative, size_t pages, uint64_t *state)
{
    double x = (double)(work_random(state) >> 11) * 0x1p-53 * cumulative[pages - 1];
    size_t low = 0, high = pages - 1;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (cumulative[mid] > x)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

int main(int argc, char **argv)
{
    size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 32768;
    size_t accesses = argc > 2 ? strtoul(argv[2], NULL, 10) : 300000;
    uint64_t state = 2, sum = 0;
    uint64_t *mem = work_pages(pages), *at = shuffled(pages, &state);
    double *cumulative = weights(pages);

    work_fill_all(mem, pages);
    for (size_t i = 0; i < accesses; i++) {
        uint64_t page = at[draw(cumulative, pages, &state)];
        sum += work_use(mem + page * PAGE_WORDS, work_below(&state, 10) < 3);
    }
    printf("%016llx\n", (unsigned long long)sum);
    free(at);
    free(cumulative);
    return 0;
}
