/* SPDX-License-Identifier: GPL-2.0-or-later */
/* madvise: what goes and is touched afresh, and what only a policy that knows of it takes. */
#include <errno.h>
#include <fcntl.h>

#include "hard.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

typedef unsigned long ul;

enum { N = 500, PART = 150 };

WRITES(first_writes)
WRITES(again_writes)
READS(again_reads)
READS(then_reads)

static void advise(bytes *p, size_t pages, int advice)
{
    need(madvise((void *)(uintptr_t)p, pages * PAGE, advice) == 0, "madvise");
    expect("events 1  advise mm=0 start=%#lx length=%#lx advice=%d\n", (ul)p, (ul)(pages * PAGE),
           advice);
}

static bytes *written(void)
{
    bytes *p = map(N, PRIVATE);
    region("p", p, N);
    MEASURE("first_writes", first_writes(p, N));
    expect("writes p %d\n", 2 * N);
    expect("pages p %d\n", N);
    expect("faults first_writes %d\n", N);
    return p;
}

static void dontneed(char **argv)
{
    (void)argv;
    bytes *p = written();
    advise(p + 100 * PAGE, PART, MADV_DONTNEED);
    MEASURE("again_writes", again_writes(p, N));
    expect("faults again_writes %d\n", PART);
}

/* Of shared memory the contents stay: only the entries go. */
static void dontneed_shared(char **argv)
{
    (void)argv;
    bytes *p = map(N, SHARED);
    MEASURE("first_writes", first_writes(p, N));
    advise(p, N, MADV_DONTNEED);
    MEASURE("again_writes", again_writes(p, N));
    expect("faults first_writes %d\n", N);
    expect("faults again_writes %d\n", N);
}

static void removed(char **argv)
{
    (void)argv;
    bytes *p = map(N, SHARED);
    MEASURE("first_writes", first_writes(p, N));
    advise(p + 100 * PAGE, PART, MADV_REMOVE);
    MEASURE("again_writes", again_writes(p, N));
    expect("faults first_writes %d\n", N);
    expect("faults again_writes %d\n", PART);
}

/* With memory enough nothing of these takes a page away: FREE and COLD wait for reclaim, and there
   is no swap to page out to. */
static void keeps(int advice)
{
    bytes *p = written();
    advise(p + 100 * PAGE, PART, advice);
    again_writes(p, N);
    expect("faults again_writes 0\n");
}

static void freed(char **argv)
{
    (void)argv;
    keeps(MADV_FREE);
}

static void cold(char **argv)
{
    (void)argv;
    keeps(MADV_COLD);
}

static void paged_out(char **argv)
{
    (void)argv;
    keeps(MADV_PAGEOUT);
}

static void huge(char **argv)
{
    (void)argv;
    bytes *p = written(); /* with MADV_NOHUGEPAGE */
    again_writes(p, N);
    expect("events 1  advise mm=0 start=%#lx length=%#lx advice=15\n", (ul)p, (ul)(N * PAGE));
    expect("faults again_writes 0\n");
    bytes *q = map(4 * 512, PRIVATE);
    advise(q, 4 * 512, MADV_HUGEPAGE);
    region("q", q, 4 * 512);
    again_reads(q, 0);
    for (int i = 0; i < 4 * 512; i += 4)
        q[(size_t)i * PAGE] = 1;
    expect("writes q 512\n");
    expect("pages q 512\n");
}

/* Only ever read: the zero page, a fault each; then a fault each to write. */
static void zero_page(char **argv)
{
    (void)argv;
    bytes *p = map(N, PRIVATE);
    region("p", p, N);
    MEASURE("again_reads", again_reads(p, N));
    MEASURE("then_reads", then_reads(p, N));
    expect("reads p %d\n", 2 * N);
    expect("writes p 0\n");
    expect("faults again_reads %d\n", N);
    expect("faults then_reads 0\n");
}

static void populated(char **argv)
{
    (void)argv;
    bytes *p = map(N, PRIVATE);
    if (madvise((void *)(uintptr_t)p, N * PAGE, MADV_POPULATE_WRITE) != 0 && errno == EINVAL)
        return; /* before Linux 5.14 */
    MEASURE("again_writes", again_writes(p, N));
    expect("events 1  advise mm=0 start=%#lx length=%#lx advice=23\n", (ul)p, (ul)(N * PAGE));
    expect("faults-linux again_writes 0\n");
    expect("faults-lru again_writes %d\n", N); /* a textbook knows touches alone */
    bytes *q = map(N, SHARED);
    advise(q, N, MADV_POPULATE_READ);
    MEASURE("again_reads", again_reads(q, N));
    expect("faults-linux again_reads 0\n");
    expect("faults-lru again_reads %d\n", N);
}

/* MAP_POPULATE is populating by the kind of the mapping; not with MAP_NONBLOCK. */
static void map_populate(char **argv)
{
    (void)argv;
    bytes *w = mmap(NULL, N * PAGE, RW, PRIVATE | MAP_POPULATE, -1, 0);
    bytes *r = mmap(NULL, N * PAGE, PROT_READ, PRIVATE | MAP_POPULATE, -1, 0);
    bytes *s = mmap(NULL, N * PAGE, RW, SHARED | MAP_POPULATE, -1, 0);
    bytes *n = mmap(NULL, PAGE, RW, PRIVATE | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
    need(w != MAP_FAILED && r != MAP_FAILED && s != MAP_FAILED && n != MAP_FAILED, "mmap");
    MEASURE("again_writes", again_writes(w, N));
    MEASURE("again_reads", again_reads(r, N));
    MEASURE("then_reads", then_reads(s, N));
    expect("events 1  advise mm=0 start=%#lx length=%#lx advice=23\n", (ul)w, (ul)(N * PAGE));
    expect("events 1  advise mm=0 start=%#lx length=%#lx advice=22\n", (ul)r, (ul)(N * PAGE));
    expect("events 1  advise mm=0 start=%#lx length=%#lx advice=22\n", (ul)s, (ul)(N * PAGE));
    expect("events 0  advise mm=0 start=%#lx \n", (ul)n);
    expect("faults-linux again_writes 0\n");
    expect("faults-linux again_reads 0\n");
    expect("faults-linux then_reads 0\n");
}

/* Wiped or left out in the child of a fork: told, and what the child then does. */
static void at_fork(char **argv)
{
    (void)argv;
    bytes *wiped = map(PART, PRIVATE), *hold = map(1, SHARED), *left = map(PART, PRIVATE);
    (void)hold;
    first_writes(wiped, PART);
    first_writes(left, PART);
    advise(wiped, PART, MADV_WIPEONFORK);
    advise(left, PART, MADV_DONTFORK);
    pid_t child = start();
    if (child == 0) {
        need(wiped[0] == 0, "wiped");
        _exit(msync((void *)(uintptr_t)left, PAGE, MS_ASYNC) == -1 && errno == ENOMEM ? 4 : 5);
    }
    need(join(child) == 4, "child");
    expect("events 2  process pid=\n");
}

/* mlock: what is there stays, what is not is brought in. */
static void locked(char **argv)
{
    (void)argv;
    bytes *p = map(N, PRIVATE);
    region("p", p, N);
    first_writes(p, PART);
    need(mlock((void *)(uintptr_t)p, N * PAGE) == 0, "mlock");
    MEASURE("again_writes", again_writes(p, N));
    need(munlock((void *)(uintptr_t)(p + 10 * PAGE), 5 * PAGE) == 0, "munlock");
    need(mlockall(MCL_FUTURE) == 0, "mlockall");
    bytes *q = mmap(NULL, 3 * PAGE, RW, PRIVATE, -1, 0);
    need(munlockall() == 0, "munlockall");
    bytes *l = mmap(NULL, 7 * PAGE, RW, PRIVATE | MAP_LOCKED, -1, 0);
    expect("writes p %d\n", PART + N);
    expect("events 1  lock mm=0 start=%#lx length=%#lx mode=now\n", (ul)p, (ul)(N * PAGE));
    expect("events 1  lock mm=0 start=%#lx length=0x5000 mode=off\n", (ul)(p + 10 * PAGE));
    expect("events 1  map mm=0 start=%#lx length=0x3000 prot=rw- flags=anon,locked \n", (ul)q);
    expect("events 1  map mm=0 start=%#lx length=0x7000 prot=rw- flags=anon,locked \n", (ul)l);
    expect("faults first_writes %d\n", PART);
    expect("faults-linux again_writes 0\n");
}

static const struct hard_case cases[] = {
    { "dontneed", dontneed },   { "dontneed-shared", dontneed_shared },
    { "removed", removed },     { "freed", freed },
    { "cold", cold },           { "paged-out", paged_out },
    { "huge", huge },           { "zero-page", zero_page },
    { "populated", populated }, { "map-populate", map_populate },
    { "at-fork", at_fork },     { "locked", locked },
};

HARD_MAIN(cases)
