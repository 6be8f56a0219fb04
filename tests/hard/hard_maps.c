/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mremap, and MAP_FIXED over what is mapped. */
#include <errno.h>

#include "hard.h"

typedef unsigned long ul;

WRITES(first_writes)
WRITES(moved_writes)
WRITES(grown_writes)
WRITES(again_writes)
READS(again_reads)

static bytes *remap(bytes *from, size_t pages, size_t to_pages, int flags, bytes *to)
{
    void *p = mremap((void *)(uintptr_t)from, pages * PAGE, to_pages * PAGE, flags,
                     (void *)(uintptr_t)to);
    need(p != MAP_FAILED, "mremap");
    return p;
}

/* A range that is free now, and stays so. */
static bytes *free_range(size_t pages)
{
    bytes *p = map_at(NULL, pages, PROT_NONE, PRIVATE, -1);
    munmap((void *)(uintptr_t)p, pages * PAGE);
    return p;
}

/* Contents move with their pages: writing them again is no fault; what was added is. */
static void moved(char **argv)
{
    (void)argv;
    bytes *from = map(200, PRIVATE), *hold = map(1, PRIVATE), *to = free_range(1000);
    (void)hold;
    region("from", from, 200);
    region("to", to, 1000);
    MEASURE("first_writes", first_writes(from, 200));
    remap(from, 200, 300, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    MEASURE("moved_writes", moved_writes(to, 200));
    MEASURE("grown_writes", grown_writes(to + 200 * PAGE, 100));
    expect("writes from 200\n");
    expect("writes to 300\n");
    expect("pages to 300\n");
    expect("events 1  remap mm=0 start=%#lx length=0xc8000 new-start=%#lx new-length=0x12c000\n",
           (ul)from, (ul)to);
    expect("faults first_writes 200\n");
    expect("faults moved_writes 0\n");
    expect("faults grown_writes 100\n");
}

/* Over a live mapping, whose contents go; then shorter in place, and filled up. */
static void over(char **argv)
{
    (void)argv;
    bytes *from = map(150, PRIVATE), *to = map(400, PRIVATE);
    region("to", to, 400);
    first_writes(from, 150);
    first_writes(to, 400);
    remap(from, 150, 150, MREMAP_MAYMOVE | MREMAP_FIXED, to + 100 * PAGE);
    remap(to + 100 * PAGE, 150, 75, 0, NULL);
    (void)map_at((void *)(uintptr_t)(to + 175 * PAGE), 75, RW, PRIVATE | MAP_FIXED, -1);
    MEASURE("again_writes", again_writes(to, 400));
    expect("writes to 800\n");
    expect("events 2  remap mm=0\n");
    expect("events 1  remap mm=0 start=%#lx length=0x96000 new-start=%#lx new-length=0x4b000\n",
           (ul)(to + 100 * PAGE), (ul)(to + 100 * PAGE));
    expect("faults first_writes 550\n");
    expect("faults again_writes 75\n"); /* those that were cut off */
}

/* A shared mapping of another length is a second view of the same pages. */
static void shared(char **argv)
{
    (void)argv;
    bytes *from = map(200, SHARED), *to = free_range(300);
    region("to", to, 200);
    first_writes(from, 200);
    remap(from, 200, 200, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    MEASURE("moved_writes", moved_writes(to, 200));
    expect("writes to 200\n");
    expect("faults first_writes 200\n");
    /* A move of shared pages keeps their entries. */
    expect("faults moved_writes 0\n");
}

/* What the kernel refuses leaves no event. */
static void refused(char **argv)
{
    (void)argv;
    bytes *p = map(4, PRIVATE);
    need(mremap((void *)(uintptr_t)(p + 1), PAGE, PAGE, 0) == MAP_FAILED && errno == EINVAL,
         "EINVAL");
    need(munmap((void *)(uintptr_t)(p + 1), PAGE) == -1, "munmap");
    need(mprotect((void *)(uintptr_t)(p + 1), PAGE, PROT_READ) == -1, "mprotect");
    need(madvise((void *)(uintptr_t)p, PAGE, 1000) == -1, "madvise");
    expect("events 0  remap \n");
    expect("events 0  start=%#lx \n", (ul)(p + 1));
    expect("events 0  advice=1000\n");
}

/* ---- MAP_FIXED ----------------------------------------------------------------------- */

/* Over the middle of written memory: that starts anew, its sides stay. */
static void middle(char **argv)
{
    (void)argv;
    bytes *p = map(300, PRIVATE);
    region("p", p, 300);
    MEASURE("first_writes", first_writes(p, 300));
    (void)map_at((void *)(uintptr_t)(p + 100 * PAGE), 100, RW, PRIVATE | MAP_FIXED, -1);
    MEASURE("again_writes", again_writes(p, 300));
    expect("writes p 600\n");
    expect("events 1  map mm=0 start=%#lx length=0x64000 prot=rw- flags=anon file=-\n",
           (ul)(p + 100 * PAGE));
    expect("faults first_writes 300\n");
    expect("faults again_writes 100\n");
}

/* Over three mappings and a hole at once, by shared memory; then reserved by PROT_NONE; then opened. */
static void across(char **argv)
{
    (void)argv;
    bytes *p = map(500, PRIVATE);
    region("p", p, 500);
    (void)map_at((void *)(uintptr_t)(p + 100 * PAGE), 100, RW, SHARED | MAP_FIXED, -1);
    munmap((void *)(uintptr_t)(p + 250 * PAGE), 50 * PAGE);
    first_writes(p, 250);
    first_writes(p + 300 * PAGE, 200);
    (void)map_at((void *)(uintptr_t)(p + 50 * PAGE), 400, RW, SHARED | MAP_FIXED, -1);
    MEASURE("again_writes", again_writes(p, 500));
    (void)map_at((void *)(uintptr_t)p, 500, PROT_NONE, PRIVATE | MAP_FIXED | MAP_NORESERVE, -1);
    need(mprotect((void *)(uintptr_t)p, 200 * PAGE, RW) == 0, "mprotect");
    MEASURE("moved_writes", moved_writes(p, 200));
    expect("writes p 1150\n");
    expect("faults first_writes 450\n");
    expect("faults again_writes 400\n");
    expect("faults moved_writes 200\n");
    expect("events 1  protect mm=0 start=%#lx length=0xc8000 prot=rw-\n", (ul)p);
    expect("events 1  unmap mm=0 start=%#lx length=0x32000\n", (ul)(p + 250 * PAGE));
}

/* MAP_FIXED_NOREPLACE over a live mapping fails and changes nothing. */
static void no_replace(char **argv)
{
    (void)argv;
    bytes *p = map(100, PRIVATE);
    region("p", p, 100);
    first_writes(p, 100);
    void *got = mmap((void *)(uintptr_t)(p + 50 * PAGE), 10 * PAGE, RW,
                     PRIVATE | MAP_FIXED_NOREPLACE, -1, 0);
    need(got == MAP_FAILED && errno == EEXIST, "EEXIST");
    MEASURE("again_writes", again_writes(p, 100));
    expect("writes p 200\n");
    expect("faults first_writes 100\n");
    expect("faults again_writes 0\n");
}

/* Stacks that grow on purpose: below a MAP_GROWSDOWN mapping. */
static void grows_down(char **argv)
{
    (void)argv;
    bytes *low = free_range(400);
    bytes *p = map_at((void *)(uintptr_t)(low + 390 * PAGE), 10, RW,
                      PRIVATE | MAP_FIXED | MAP_GROWSDOWN, -1);
    region("p", p, 10);
    first_writes(p, 10);
    expect("writes p 10\n");
    expect("events 1  map mm=0 start=%#lx length=0xa000 prot=rw- flags=anon,stack \n", (ul)p);
}

static const struct hard_case cases[] = {
    { "moved", moved },           { "over", over },
    { "shared", shared },         { "refused", refused },
    { "middle", middle },         { "across", across },
    { "no-replace", no_replace }, { "grows-down", grows_down },
};

HARD_MAIN(cases)
