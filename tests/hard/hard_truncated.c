/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that become shorter under a mapping: SIGBUS, and pages that come back empty. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>

#include "hard.h"

typedef unsigned long ul;

enum { N = 300, LEFT = 100 };

WRITES(first_writes)
WRITES(again_writes)

static sigjmp_buf back;
static volatile sig_atomic_t n_faults;

static void leave(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
    n_faults++;
    siglongjmp(back, 1);
}

static void expect_bus(void)
{
    struct sigaction act = { .sa_flags = SA_SIGINFO | SA_NODEFER };
    act.sa_sigaction = leave;
    need(sigaction(SIGBUS, &act, NULL) == 0, "sigaction");
}

static int in_memory(void)
{
    int fd = memfd_create("short", MFD_CLOEXEC);
    need(fd >= 0 && ftruncate(fd, N * PAGE) == 0, "memfd");
    return fd;
}

static int on_disk(void)
{
    char name[] = "faultline-hard-XXXXXX";
    int fd = mkstemp(name);
    need(fd >= 0 && unlink(name) == 0 && ftruncate(fd, N * PAGE) == 0, "a file here");
    return fd;
}

/* All of @fd is written to, then cut: each write behind the end is a SIGBUS, and no access. */
static bytes *cut_under(int fd, int sharing)
{
    bytes *p = map_at(NULL, N, RW, sharing, fd);
    region("p", p, N);
    expect_bus();
    MEASURE("first_writes", first_writes(p, N));
    need(ftruncate(fd, LEFT * PAGE) == 0, "ftruncate");
    for (int i = LEFT; i < N; i++)
        if (sigsetjmp(back, 1) == 0)
            p[i * PAGE] = 1;
    need(n_faults == N - LEFT, "a fault each");
    expect("writes p %d\n", N);
    expect("events %d  signal signo=7 address=0x\n", N - LEFT);
    return p;
}

static void truncated(int fd, const char *policies)
{
    bytes *p = cut_under(fd, MAP_SHARED);
    expect("events 1  signal signo=7 address=%#lx$\n", (ul)(p + (N - 1) * PAGE));
    expect("events 1  file-io .*op=truncate offset=%lu length=0\n", (ul)(LEFT * PAGE));
    expect("faults%s first_writes %d\n", policies, N);
}

static void memory(char **argv)
{
    (void)argv;
    truncated(in_memory(), "");
}

static void disk(char **argv)
{
    (void)argv;
    truncated(on_disk(), "-lru"); /* what the kernel maps at once there, its filesystem decides */
}

/* A private mapping: what was copied goes with the file's end, too. */
static void copied(char **argv)
{
    (void)argv;
    cut_under(in_memory(), MAP_PRIVATE);
    expect("faults first_writes %d\n", N);
}

/* Shorter and as long as before: the pages are new. */
static void regrown(char **argv)
{
    (void)argv;
    int fd = in_memory();
    bytes *p = map_at(NULL, N, RW, MAP_SHARED, fd);
    region("p", p, N);
    MEASURE("first_writes", first_writes(p, N));
    need(ftruncate(fd, LEFT * PAGE) == 0 && ftruncate(fd, N * PAGE) == 0, "ftruncate");
    need(p[(N - 1) * PAGE] == 0, "an empty page");
    MEASURE("again_writes", again_writes(p, N - 1));
    expect("writes p %d\n", 2 * N - 1);
    expect("reads p 1\n");
    expect("faults first_writes %d\n", N);
    expect("faults-linux again_writes %d\n", N - 1 - LEFT);
}

/* A system call that meets the end says EFAULT; nobody gets a signal. */
static void system_call(char **argv)
{
    int pipe_fds[2];
    (void)argv;
    int fd = in_memory();
    bytes *p = map_at(NULL, N, RW, MAP_SHARED, fd);
    need(ftruncate(fd, 0) == 0 && pipe(pipe_fds) == 0, "ftruncate, pipe");
    need(write(pipe_fds[1], (const void *)(uintptr_t)p, PAGE) == -1, "write");
    expect("events 0  signal \n");
    expect("segv 0\n");
}

static const struct hard_case cases[] = {
    { "memory", memory },           { "disk", disk }, { "copied", copied }, { "regrown", regrown },
    { "system-call", system_call },
};

HARD_MAIN(cases)
