/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes each of 1009 pages of a fresh mapping three times, in three rounds, one
 * page at a time, then reads each once. 1009 is prime: no rounding hides a loss.
 * Prints the mapping's address.
 */
#include <stdio.h>
#include <sys/mman.h>

enum { N_PAGES = 1009, ROUNDS = 3, PAGE = 4096 };

int main(void)
{
    volatile char *p =
        mmap(NULL, N_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int sum = 0;
    if (p == MAP_FAILED)
        return 1;
    printf("%p\n", (void *)p);
    fflush(stdout);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < N_PAGES; i++)
            p[i * PAGE + round] = (char)round;
    for (int i = 0; i < N_PAGES; i++)
        sum += p[i * PAGE];
    return sum;
}
