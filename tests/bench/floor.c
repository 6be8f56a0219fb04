/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floor - what no simulator on this machine can be faster than: the bandwidth of one processor
 * reading memory in order, and the time of a load whose address the load before it gave.
 * Prints "read BYTES GB/s" lines and "chase BYTES NS" lines; best of several rounds, because
 * other work can only add to it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LINE = 64, ROUNDS = 3 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Several sums at once, so that the adds do not wait for each other. */
static uint64_t sum(const uint64_t *word, size_t n)
{
    uint64_t s[8] = { 0 };
    for (size_t i = 0; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            s[k] += word[i + k];
    return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

static uint64_t read_in_order(const uint64_t *word, size_t bytes)
{
    double best = 1e9;
    uint64_t total = 0;
    size_t times = bytes < (64 << 20) ? (64 << 20) / bytes : 1;
    for (int round = 0; round < ROUNDS; round++) {
        double from = now();
        for (size_t i = 0; i < times; i++) {
            total += sum(word, bytes / sizeof *word);
            __asm__ volatile("" ::: "memory"); /* the words may have changed: read them again */
        }
        double took = now() - from;
        best = took < best ? took : best;
    }
    printf("read %zu %.1f\n", bytes, (double)(bytes * times) / best * 1e-9);
    return total;
}

/* One ring through all lines of @bytes, in random order (Sattolo's shuffle). */
static void tie_ring(uint64_t *word, size_t bytes)
{
    size_t n = bytes / LINE, step = LINE / sizeof *word;
    uint64_t seed = 88172645463325252u;
    for (size_t i = 0; i < n; i++)
        word[i * step] = i;
    for (size_t i = n - 1; i > 0; i--) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        size_t j = (size_t)(seed % i);
        uint64_t other = word[i * step];
        word[i * step] = word[j * step];
        word[j * step] = other;
    }
}

static uint64_t chase(uint64_t *word, size_t bytes)
{
    const size_t steps = 1000000, step = LINE / sizeof *word;
    double best = 1e9;
    uint64_t at = 0;
    tie_ring(word, bytes);
    for (int round = 0; round < ROUNDS; round++) {
        double from = now();
        for (size_t i = 0; i < steps; i++)
            at = word[at * step];
        double took = now() - from;
        best = took < best ? took : best;
    }
    printf("chase %zu %.2f\n", bytes, best / (double)steps * 1e9);
    return at;
}

int main(void)
{
    static const size_t sizes[] = { 32 << 10, 512 << 10, 4 << 20, 16 << 20, 64 << 20, 256 << 20 };
    const size_t most = sizes[sizeof sizes / sizeof *sizes - 1];
    uint64_t *word = malloc(most), used = 0;
    if (!word) {
        fputs("floor: no memory\n", stderr);
        return 1;
    }
    for (size_t i = 0; i < most / sizeof *word; i++)
        word[i] = i;
    used += read_in_order(word, 512 << 10);
    used += read_in_order(word, most);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        used += chase(word, sizes[i]);
    free(word);
    fprintf(stderr, "(%llu)\n", (unsigned long long)used); /* so that no loop is left out */
    return 0;
}
