/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes: fork without exec, five deep and 500 wide, vfork, posix_spawn, and 100 execs in turn. */
#include <spawn.h>

#include "hard.h"

extern char **environ;

enum { OWN = 503, CHILD = 101, COMMON = 251 };

WRITES(parent_writes)
WRITES(parent_rewrites)
WRITES(child_writes)
READS(child_reads)
WRITES(child_writes_common)

static void tell(int fd)
{
    need(write(fd, "", 1) == 1, "write");
}

static void hear(int fd)
{
    char c;
    need(read(fd, &c, 1) == 1, "read");
}

/*
 * A child reads all of its parent's pages and writes some: it copies what it writes. The parent then
 * writes all of them, while the child lives: it copies what the child still shares.
 */
static void forked(char **argv)
{
    int up[2], down[2];
    (void)argv;
    bytes *own = map(OWN, PRIVATE), *common = map(COMMON, SHARED);
    region("own", own, OWN);
    region("common", common, COMMON);
    need(pipe(up) == 0 && pipe(down) == 0, "pipe");
    MEASURE("parent_writes", parent_writes(own, OWN));
    pid_t child = start();
    if (child == 0) {
        MEASURE("child_reads", child_reads(own, OWN));
        MEASURE("child_writes", child_writes(own, CHILD));
        MEASURE("child_writes_common", child_writes_common(common, COMMON));
        tell(up[1]);
        hear(down[0]);
        _exit(3);
    }
    hear(up[0]);
    MEASURE("parent_rewrites", parent_rewrites(own, OWN));
    tell(down[1]);
    need(join(child) == 3, "child");
    expect("reads own %d t1\n", OWN);
    expect("writes own %d t1\n", CHILD);
    expect("writes own %d t0\n", 2 * OWN);
    expect("writes common %d t1\n", COMMON);
    expect("pages common 0 t0\n");
    expect("faults parent_writes %d\n", OWN);
    expect("faults child_reads 0\n");
    expect("faults child_writes %d\n", CHILD);
    expect("faults child_writes_common %d\n", COMMON);
    /* The kernel also faults on what only the parent has left, and copies nothing. */
    expect("faults-lru parent_rewrites %d\n", OWN - CHILD);
    expect("faults-linux parent_rewrites %d\n", OWN);
    expect("events 2  process pid=\n");
    expect("events 1  copied-mm=0 \n");
    expect("events 1  exit pid=[0-9]* status=768$\n");
    expect("events 0  exec \n");
}

/* Each generation writes one page more of what it got and is waited for. */
static void generation(bytes *area, int depth)
{
    for (int i = 0; i < depth; i++)
        area[(size_t)i * PAGE] = 1;
    if (depth == 5)
        return;
    pid_t child = start();
    if (child == 0) {
        generation(area, depth + 1);
        _exit(depth + 1);
    }
    need(join(child) == depth + 1, "child");
}

static void deep(char **argv)
{
    (void)argv;
    bytes *area = map(8, PRIVATE);
    region("area", area, 8);
    generation(area, 0);
    for (int t = 0; t <= 5; t++)
        expect("writes area %d t%d\n", t, t);
    for (int t = 0; t < 5; t++)
        expect("events 1  mm=%d copied-mm=%d \n", t + 1, t);
    expect("events 6  process pid=\n");
    for (int t = 0; t <= 5; t++)
        expect("events 1  exit pid=[0-9]* status=%d$\n", t << 8);
}

/* 500 children, 25 at a time, that write page number of their own. */
static void wide(char **argv)
{
    (void)argv;
    pid_t child[25];
    bytes *area = map(500, SHARED);
    region("area", area, 500);
    for (size_t i = 0; i < 500; i++) {
        if (i >= 25)
            need(join(child[i % 25]) == 5, "child");
        child[i % 25] = start();
        if (child[i % 25] == 0) {
            area[i * PAGE] = 1;
            _exit(5);
        }
    }
    for (int i = 0; i < 25; i++)
        need(join(child[i]) == 5, "child");
    expect("pages area 500\n");
    expect("writes area 500\n");
    expect("events 501  process pid=\n");
    expect("events 501  thread-exit\n");
    expect("events 500  exit pid=[0-9]* status=1280$\n");
    expect("events 1  exit pid=[0-9]* status=0$\n");
}

static void vforked(char **argv)
{
    char *const args[] = { argv[0], ".child", NULL };
    (void)argv;
    for (int i = 0; i < 3; i++) {
        pid_t child = vfork();
        if (child == 0) {
            execv("/proc/self/exe", args);
            _exit(98);
        }
        need(join(child) == 11, "child");
    }
    expect("events 4  process pid=\n");
    expect("events 3  exec pid=\n");
    expect("events 3  exit pid=[0-9]* status=2816$\n");
    expect("quality vfork\n");
}

static void spawned(char **argv)
{
    char *const args[] = { argv[0], ".child", NULL };
    pid_t child[40];
    for (int i = 0; i < 40; i++)
        need(posix_spawn(&child[i], "/proc/self/exe", NULL, NULL, args, environ) == 0, "spawn");
    for (int i = 0; i < 40; i++)
        need(join(child[i]) == 11, "child");
    expect("events 41  process pid=\n");
    expect("events 40  exec pid=\n");
    expect("events 40  exit pid=[0-9]* status=2816$\n");
    expect("quality vfork\n");
}

/* What the two above start. */
static void child(char **argv)
{
    (void)argv;
    _exit(11);
}

WRITES(link_writes)

/* A process that is 101 programs in turn; each writes 70 pages. argv[1] is the links left. */
static void chain(char **argv)
{
    char left[16];
    int n = argv[1] != NULL ? atoi(argv[1]) : 100;
    char *const args[] = { "hard_processes", "chain", left, NULL };
    bytes *area = map(70, PRIVATE);
    touch_warm();
    link_writes(area, 70);
    if (n > 0) {
        snprintf(left, sizeof left, "%d", n - 1);
        execv("/proc/self/exe", args);
        need(0, "execv");
    }
    expect("events 100  exec pid=\n");
    expect("events 1  process pid=\n");
    expect("events 1  thread pid=\n");
    expect("events 1  exit pid=\n");
    expect("faults link_writes 7070\n");
}

static const struct hard_case cases[] = {
    { "forked", forked },   { "deep", deep },    { "wide", wide },   { "vforked", vforked },
    { "spawned", spawned }, { ".child", child }, { "chain", chain },
};

HARD_MAIN(cases)
