/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code that the program writes, runs, writes anew and runs again: always the new one must run. */
#include "hard.h"

enum { FUNCTIONS = 90, ROUNDS = 3 };

typedef int (*function)(void);

/* mov $value, %eax; ret: six bytes, at the start of a page. */
static void emit(bytes *at, int value)
{
    at[0] = 0xb8;
    for (int i = 0; i < 4; i++)
        at[1 + i] = (unsigned char)(value >> 8 * i);
    at[5] = 0xc3;
}

TOUCHES int run_all(bytes *code)
{
    int sum = 0;
    for (size_t i = 0; i < FUNCTIONS; i++)
        sum += ((function)(uintptr_t)(code + i * PAGE))();
    return sum;
}

/* ROUNDS times all functions written through @w and run through @x; @change as a compiler would. */
static void compile_and_run(bytes *w, bytes *x, int protects)
{
    region("x", x, FUNCTIONS);
    for (int round = 0; round < ROUNDS; round++) {
        int want = 0;
        if (protects)
            need(mprotect((void *)(uintptr_t)w, FUNCTIONS * PAGE, RW) == 0, "mprotect");
        for (int i = 0; i < FUNCTIONS; i++) {
            emit(w + (size_t)i * PAGE, 1000 * round + i);
            want += 1000 * round + i;
        }
        if (protects)
            need(mprotect((void *)(uintptr_t)w, FUNCTIONS * PAGE, PROT_READ | PROT_EXEC) == 0,
                 "mprotect");
        need(run_all(x) == want, "the new code runs");
        need(run_all(x) == want, "and runs again");
    }
    expect("pages x %d\n", FUNCTIONS);
    expect("fetches x %d\n", 2 * 2 * ROUNDS * FUNCTIONS); /* two instructions, twice a round */
    expect("writes x %d\n", w == x ? 6 * ROUNDS * FUNCTIONS : 0);
    expect("reads x 0\n");
}

/* Writable and executable at a time. */
static void open_code(char **argv)
{
    (void)argv;
    bytes *p = map_at(NULL, FUNCTIONS, RW | PROT_EXEC, PRIVATE, -1);
    compile_and_run(p, p, 0);
}

/* One after the other, by mprotect. */
static void protected(char **argv)
{
    (void)argv;
    bytes *p = map(FUNCTIONS, PRIVATE);
    compile_and_run(p, p, 1);
    expect("events %d  protect mm=0 start=%#lx \n", 2 * ROUNDS, (unsigned long)p);
}

/* Written through one mapping of a memory file, run through another. */
static void two_views(char **argv)
{
    (void)argv;
    int fd = memfd_create("code", MFD_CLOEXEC);
    need(fd >= 0 && ftruncate(fd, FUNCTIONS * PAGE) == 0, "memfd");
    bytes *w = map_at(NULL, FUNCTIONS, RW, MAP_SHARED, fd);
    bytes *x = map_at(NULL, FUNCTIONS, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
    compile_and_run(w, x, 0);
    expect("cause shmem %d\n", 2 * FUNCTIONS);
}

/* The same through a mapping that only later may be run. */
static void later(char **argv)
{
    (void)argv;
    int fd = memfd_create("code", MFD_CLOEXEC);
    need(fd >= 0 && ftruncate(fd, FUNCTIONS * PAGE) == 0, "memfd");
    bytes *w = map_at(NULL, FUNCTIONS, RW, MAP_SHARED, fd);
    bytes *x = map_at(NULL, FUNCTIONS, PROT_READ, MAP_SHARED, fd);
    need(mprotect((void *)(uintptr_t)x, FUNCTIONS * PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
    compile_and_run(w, x, 0);
}

/* A private file mapping that is written and run. */
static void private_file(char **argv)
{
    (void)argv;
    int fd = memfd_create("code", MFD_CLOEXEC);
    need(fd >= 0 && ftruncate(fd, FUNCTIONS * PAGE) == 0, "memfd");
    bytes *p = map_at(NULL, FUNCTIONS, RW | PROT_EXEC, MAP_PRIVATE, fd);
    compile_and_run(p, p, 0);
}

/* A file's code that pwrite(2) changes. */
static void by_write(char **argv)
{
    unsigned char text[6];
    (void)argv;
    int fd = memfd_create("code", MFD_CLOEXEC);
    need(fd >= 0 && ftruncate(fd, PAGE) == 0, "memfd");
    bytes *x = map_at(NULL, 1, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
    region("x", x, 1);
    for (int round = 0; round < 5; round++) {
        emit(text, round);
        need(pwrite(fd, text, sizeof text, 0) == sizeof text, "pwrite");
        need(((function)(uintptr_t)x)() == round, "the new code runs");
    }
    expect("fetches x 10\n");
}

/* Unmapped, and mapped with other code at the same place. */
static void replaced(char **argv)
{
    (void)argv;
    bytes *p = NULL;
    for (int round = 0; round < 5; round++) {
        bytes *got =
            map_at((void *)(uintptr_t)p, 1, RW | PROT_EXEC, PRIVATE | (p ? MAP_FIXED : 0), -1);
        if (p == NULL)
            region("x", got, 1);
        p = got;
        emit(p, round);
        need(((function)(uintptr_t)p)() == round, "the new code runs");
    }
    expect("fetches x 10\n");
    expect("writes x 30\n");
    expect("pages x 1\n");
}

/* Moved by mremap, and written at the new place. */
static void moved(char **argv)
{
    (void)argv;
    bytes *p = map_at(NULL, 2, RW | PROT_EXEC, PRIVATE, -1), *to = map(2, PRIVATE);
    emit(p, 1);
    need(((function)(uintptr_t)p)() == 1, "first");
    bytes *q = mremap((void *)(uintptr_t)p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                      (void *)(uintptr_t)to);
    need(q == to, "mremap");
    region("x", q, 1);
    need(((function)(uintptr_t)q)() == 1, "moved");
    emit(q, 2);
    need(((function)(uintptr_t)q)() == 2, "second");
    expect("fetches x 4\n");
}

/* A parent and its child, each with its own new code at the same place. */
static void forked(char **argv)
{
    (void)argv;
    bytes *p = map_at(NULL, 1, RW | PROT_EXEC, PRIVATE, -1);
    region("x", p, 1);
    emit(p, 1);
    need(((function)(uintptr_t)p)() == 1, "first");
    pid_t child = start();
    emit(p, child == 0 ? 2 : 3);
    need(((function)(uintptr_t)p)() == (child == 0 ? 2 : 3), "own code");
    if (child == 0)
        _exit(0);
    need(join(child) == 0, "child");
    expect("fetches x 4 t0\n");
    expect("fetches x 2 t1\n");
}

static const struct hard_case cases[] = {
    { "open-code", open_code },
    { "protected", protected },
    { "two-views", two_views },
    { "later", later },
    { "private-file", private_file },
    { "by-write", by_write },
    { "replaced", replaced },
    { "moved", moved },
    { "forked", forked },
};

HARD_MAIN(cases)
