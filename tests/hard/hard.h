/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hard.h - what the programs of tests/cli/record_hard.sh share. A program has cases, named by its
 * first argument (none: it lists them; .NAME is what
 * another case executes), and prints what a recording of it must hold:
 *
 *   region NAME ADDRESS PAGES      a stretch of its memory, for the lines below
 *   expect pages NAME N [tK]       distinct pages of it that code touched [of the trace's thread K]
 *   expect reads|writes|fetches NAME N [tK]
 *   expect kernel NAME N           its pages that system calls and signal frames touched, each time
 *   expect events N REGEX          lines of `dump` that are no runs and match
 *   expect faults FUNCTION N       minor faults of a replay in FUNCTION, with memory enough; N is the
 *                                  same for policy lru and linux, else faults-lru, faults-linux
 *   expect cause NAME N            its minor faults of that cause, policy lru
 *   expect segv N                  the replay's invalid accesses
 *   expect exit N                  status of the program; 0 when not said
 *   expect quality FLAG            the trace carries it
 *   measured FUNCTION N            the kernel's minor faults meanwhile: natively the same as expected
 *
 * A function that is counted is a TOUCHES one: they lie on one page of code, which touch_warm()
 * brings in, and never inlined.
 */
#ifndef FAULTLINE_TEST_HARD_H
#define FAULTLINE_TEST_HARD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define KEEP __attribute__((noinline, noclone))
#define TOUCHES static KEEP __attribute__((section("touches"), used))
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)

/* One write, for stdio's memory would be the program's. */
#define say(...) ((void)dprintf(STDOUT_FILENO, __VA_ARGS__))
#define expect(...) say("expect " __VA_ARGS__)

typedef volatile unsigned char bytes;

/* First in its section, which begins a page. */
static KEEP __attribute__((section("touches"), used, aligned(4096))) void touch_warm(void)
{
    volatile unsigned char deeper[2 * PAGE]; /* and the stack below */
    deeper[0] = deeper[PAGE] = 1;
}

static inline void need(int holds, const char *what)
{
    if (!holds) {
        perror(what);
        _exit(99);
    }
}

static inline bytes *map_at(void *where, size_t pages, int prot, int flags, int fd)
{
    void *p = mmap(where, pages * PAGE, prot, flags, fd, 0);
    need(p != MAP_FAILED, "mmap");
    (void)madvise(p, pages * PAGE, MADV_NOHUGEPAGE); /* a fault a page, whatever the system does */
    return p;
}

static inline bytes *map(size_t pages, int flags)
{
    return map_at(NULL, pages, RW, flags, -1);
}

static inline void region(const char *name, bytes *at, size_t pages)
{
    say("region %s %#lx %zu\n", name, (unsigned long)(uintptr_t)at, pages);
}

static inline long minor_faults(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_minflt;
}

/* Run CALL, a call of the TOUCHES function NAME, and say what the kernel counted. */
#define MEASURE(name, call)                                \
    do {                                                   \
        touch_warm();                                      \
        long before_ = minor_faults();                     \
        before_ = minor_faults(); /* the first binds it */ \
        call;                                              \
        long after_ = minor_faults();                      \
        say("measured %s %ld\n", name, after_ - before_);  \
    } while (0)

#define WRITES(name)                          \
    TOUCHES void name(bytes *p, size_t pages) \
    {                                         \
        for (size_t i = 0; i < pages; i++)    \
            p[i * PAGE] = 1;                  \
    }
#define READS(name)                           \
    TOUCHES void name(bytes *p, size_t pages) \
    {                                         \
        for (size_t i = 0; i < pages; i++)    \
            (void)p[i * PAGE];                \
    }

/* The child, and 0 in it. */
static inline pid_t start(void)
{
    pid_t pid = fork();
    need(pid >= 0, "fork");
    if (pid == 0)
        touch_warm();
    return pid;
}

/* @pid's exit status, or 128 + its signal. */
static inline int join(pid_t pid)
{
    int status;
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct hard_case {
    const char *name;
    void (*run)(char **argv);
};

/* Runs what argv[1] names of @n cases @all, with @argv from there; lists them when it names none. */
static inline int hard_main(const struct hard_case *all, size_t n, int argc, char **argv)
{
    touch_warm();
    for (size_t i = 0; i < n; i++)
        if (argc > 1 && strcmp(all[i].name, argv[1]) == 0) {
            all[i].run(argv + 1);
            return 0;
        } else if (argc < 2 && all[i].name[0] != '.') {
            puts(all[i].name);
        }
    return argc < 2 ? 0 : 2;
}

#define HARD_MAIN(cases)                                                     \
    int main(int argc, char **argv)                                          \
    {                                                                        \
        return hard_main(cases, sizeof cases / sizeof cases[0], argc, argv); \
    }

#endif
