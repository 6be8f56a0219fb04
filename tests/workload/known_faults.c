/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * known_faults [PAGES] - touch PAGES pages (default 1009, a prime) for the first
 * time, one write each, and print what getrusage counted:
 *
 *   start ADDRESS pages PAGES minor N major N total_minor N total_major N
 *
 * "minor" and "major" are the counts across the touching alone; the totals are the
 * process's own at the end of it. Touching PAGES fresh pages takes PAGES minor faults.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

int main(int argc, char **argv)
{
    size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 1009;
    struct rusage before, after;
    unsigned char *p =
        mmap(NULL, pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!pages || p == MAP_FAILED)
        return 1;
    (void)madvise(p, pages << 12, MADV_NOHUGEPAGE); /* one fault a page, whatever the system does */
    getrusage(RUSAGE_SELF, &after); /* the first call binds the symbol and touches the stack */
    getrusage(RUSAGE_SELF, &before);
    for (size_t i = 0; i < pages; i++)
        p[i << 12] = 1;
    getrusage(RUSAGE_SELF, &after);
    printf("start %#lx pages %zu minor %ld major %ld total_minor %ld total_major %ld\n",
           (unsigned long)(uintptr_t)p, pages, after.ru_minflt - before.ru_minflt,
           after.ru_majflt - before.ru_majflt, after.ru_minflt, after.ru_majflt);
    return 0;
}
