/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * huge_touch MODE [MiB] - maps memory with MADV_HUGEPAGE, touches it one way, and prints what the
 * kernel did: minor and major faults of getrusage, AnonHugePages, and what changed in /proc/vmstat.
 *
 * write: every page; read: every page, then nothing; sparse: one byte of each 2 MiB; random: pages
 * at random, half of them written; readwrite: all read, then one byte of each 2 MiB written;
 * fork: all written, a child reads all and ends, then all written again; partial: all written, then
 * the last 4 KiB of each 2 MiB unmapped; protect: all written, then one page of each made read-only;
 * twice: all written, then all read (for a limit smaller than that); sparsetwice: sparse, twice
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUGE_BYTES ((size_t)2 << 20)
#define PAGE ((size_t)4096)

static const char *const wanted[] = {
    "thp_fault_alloc",     "thp_fault_fallback",  "thp_split_page", "thp_split_pmd", "thp_swpout",
    "thp_swpout_fallback", "thp_zero_page_alloc", "pswpin",         "pswpout"
};
#define WANTED (sizeof wanted / sizeof wanted[0])

static void read_vmstat(unsigned long long v[WANTED])
{
    char name[64];
    unsigned long long n;
    FILE *f = fopen("/proc/vmstat", "re");
    while (f && fscanf(f, "%63s %llu", name, &n) == 2)
        for (size_t i = 0; i < WANTED; i++)
            if (!strcmp(name, wanted[i]))
                v[i] = n;
    if (f)
        fclose(f);
}

static unsigned long long anon_huge_kb(void)
{
    char line[256];
    unsigned long long kb = 0, n;
    FILE *f = fopen("/proc/self/smaps_rollup", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "AnonHugePages: %llu", &n) == 1)
            kb = n;
    if (f)
        fclose(f);
    return kb;
}

static volatile unsigned char sink;
static uint64_t rng = 88172645463325252u;

static uint64_t next_random(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

/* Every @step bytes: written with something that is not 0, or read. */
static void touch(unsigned char *p, size_t bytes, size_t step, int write)
{
    for (size_t at = 0; at < bytes; at += step) {
        if (write)
            p[at] = (unsigned char)(at / step | 1);
        else
            sink = p[at];
    }
}

static void touch_random(unsigned char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes / PAGE; i++) {
        uint64_t r = next_random();
        size_t at = (r >> 8) % (bytes / PAGE) * PAGE;
        if (r & 1)
            p[at] = 7;
        else
            sink = p[at];
    }
}

static void run(const char *mode, unsigned char *p, size_t bytes)
{
    if (!strcmp(mode, "read") || !strcmp(mode, "readwrite"))
        touch(p, bytes, PAGE, 0);
    else if (!strcmp(mode, "random"))
        touch_random(p, bytes);
    else
        touch(p, bytes, strncmp(mode, "sparse", 6) ? PAGE : HUGE_BYTES, 1);
    if (!strcmp(mode, "twice") || !strcmp(mode, "sparsetwice"))
        touch(p, bytes, strcmp(mode, "twice") ? HUGE_BYTES : PAGE, 0);
    if (!strcmp(mode, "readwrite"))
        touch(p, bytes, HUGE_BYTES, 1);
    if (!strcmp(mode, "fork")) {
        pid_t child = fork();
        if (!child) {
            touch(p, bytes, PAGE, 0);
            _exit(0);
        }
        waitpid(child, NULL, 0);
        touch(p, bytes, PAGE, 1);
    }
    for (size_t at = 0; at < bytes; at += HUGE_BYTES) {
        if (!strcmp(mode, "partial"))
            munmap(p + at + HUGE_BYTES - PAGE, PAGE);
        if (!strcmp(mode, "protect"))
            mprotect(p + at + HUGE_BYTES - PAGE, PAGE, PROT_READ);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "write";
    size_t bytes = (argc > 2 ? strtoul(argv[2], NULL, 10) : 64) << 20;
    unsigned long long before[WANTED] = { 0 }, after[WANTED] = { 0 };
    struct rusage a, b;
    unsigned char *all =
        mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return 1;
    unsigned char *p = (unsigned char *)(((uintptr_t)all + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
    madvise(p, bytes, MADV_HUGEPAGE);
    read_vmstat(before);
    getrusage(RUSAGE_SELF, &a);
    run(mode, p, bytes);
    getrusage(RUSAGE_SELF, &b);
    unsigned long long huge_kb = anon_huge_kb();
    read_vmstat(after);
    printf("mode=%s minor=%ld major=%ld anon_huge_kb=%llu", mode, b.ru_minflt - a.ru_minflt,
           b.ru_majflt - a.ru_majflt, huge_kb);
    for (size_t i = 0; i < WANTED; i++)
        printf(" %s=%llu", wanted[i], after[i] - before[i]);
    putchar('\n');
    return 0;
}
