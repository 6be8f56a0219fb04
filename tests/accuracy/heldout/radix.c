/* SPDX-License-Identifier: GPL-2.0-or-later */
/* radix [NUMBERS] - sort random 64-bit numbers by their low 48 bits, a byte at a time. */
#include "work.h"

static void pass(const uint64_t *from, uint64_t *to, size_t n, unsigned shift)
{
    size_t at[257] = { 0 };

    for (size_t i = 0; i < n; i++)
        at[((from[i] >> shift) & 255) + 1]++;
    for (size_t i = 1; i < 257; i++)
        at[i] += at[i - 1];
    for (size_t i = 0; i < n; i++)
        to[at[(from[i] >> shift) & 255]++] = from[i];
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 5242880;
    size_t pages = n / PAGE_WORDS + 1;
    uint64_t state = 11, mask = (UINT64_C(1) << 48) - 1;
    uint64_t *a = work_pages(pages), *b = work_pages(pages);

    for (size_t i = 0; i < n; i++)
        a[i] = work_random(&state);
    for (unsigned shift = 0; shift < 48; shift += 16) {
        pass(a, b, n, shift);
        pass(b, a, n, shift + 8);
    }
    for (size_t i = 1; i < n; i++)
        if ((a[i - 1] & mask) > (a[i] & mask))
            return 1;
    printf("%016llx\n", (unsigned long long)a[n / 2]);
    return 0;
}
