/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads: many, many that come and go, one that forks, one that replaces the program. */
#include <pthread.h>

#include "hard.h"

enum { SHARE = 127, N = 64 };

static bytes *area;

WRITES(thread_writes)

static void *write_share(void *number)
{
    bytes *own = area + (uintptr_t)number * SHARE * PAGE;
    for (int round = 0; round < 3; round++)
        thread_writes(own, SHARE);
    return NULL;
}

static void begin(pthread_t *t, void *(*run)(void *), size_t number)
{
    need(pthread_create(t, NULL, run, (void *)(uintptr_t)number) == 0, "pthread_create");
}

static void run_threads(size_t n)
{
    pthread_t t[N];
    touch_warm();
    area = map(n * SHARE, PRIVATE);
    region("area", area, n * SHARE);
    for (size_t i = 0; i < n; i++)
        begin(&t[i], write_share, i);
    for (size_t i = 0; i < n; i++)
        pthread_join(t[i], NULL);
    expect("pages area %zu\n", n * SHARE);
    expect("reads area 0\n");
    expect("writes area %zu\n", 3 * n * SHARE);
    for (size_t i = 1; i <= n; i++)
        expect("writes area %d t%zu\n", 3 * SHARE, i);
    expect("events %zu  thread pid=\n", n + 1);
    expect("events %zu  thread-exit\n", n + 1);
    expect("events 1  process pid=\n");
    expect("faults thread_writes %zu\n", n * SHARE);
    expect("quality threads\n");
}

static void eight(char **argv)
{
    (void)argv;
    run_threads(8);
}

static void sixty_four(char **argv)
{
    (void)argv;
    run_threads(64);
}

static void *write_one(void *number)
{
    area[(uintptr_t)number * PAGE] = 1;
    return NULL;
}

/* 300 threads, one after the other: ids and stacks are used again. */
static void in_turn(char **argv)
{
    pthread_t t;
    (void)argv;
    area = map(300, PRIVATE);
    region("area", area, 300);
    for (size_t i = 0; i < 300; i++) {
        begin(&t, write_one, i);
        pthread_join(t, NULL);
    }
    expect("pages area 300\n");
    expect("writes area 300\n");
    expect("writes area 1 t300\n");
    expect("events 301  thread pid=\n");
    expect("events 301  thread-exit\n");
}

/* The first thread ends first; the process ends with the last one. */
static void *outlive(void *first)
{
    pthread_join((pthread_t)(uintptr_t)first, NULL);
    thread_writes(area, SHARE);
    expect("writes area %d t1\n", SHARE);
    expect("events 2  thread-exit\n");
    expect("events 1  exit pid=\n");
    return NULL;
}

static void first_ends(char **argv)
{
    pthread_t t;
    (void)argv;
    area = map(SHARE, PRIVATE);
    region("area", area, SHARE);
    begin(&t, outlive, (size_t)pthread_self());
    pthread_exit(NULL);
}

static void *fork_one(void *unused)
{
    (void)unused;
    pid_t child = start();
    if (child == 0) {
        thread_writes(area, SHARE);
        _exit(7);
    }
    need(join(child) == 7, "child");
    return NULL;
}

/* A fork by another thread than the first: the child has that thread alone. */
static void forks(char **argv)
{
    pthread_t t;
    (void)argv;
    area = map(2 * SHARE, PRIVATE);
    region("area", area, 2 * SHARE);
    touch_warm();
    thread_writes(area, 2 * SHARE);
    begin(&t, fork_one, 0);
    pthread_join(t, NULL);
    expect("writes area %d t0\n", 2 * SHARE);
    expect("writes area 0 t1\n");
    expect("writes area %d t2\n", SHARE);
    expect("events 2  process pid=\n");
    expect("events 3  thread pid=\n");
    expect("events 3  thread-exit\n");
    expect("events 1  copied-mm=0\n");
    expect("events 1  status=1792\n");
}

static void *replace(void *argv)
{
    char *const args[] = { *(char **)argv, ".after", NULL };
    execv("/proc/self/exe", args);
    _exit(98);
}

static void *wait_for_ever(void *unused)
{
    (void)unused;
    for (;;)
        pause();
}

/* exec by another thread than the first, while ten wait: one is left, with the process's number. */
static void execs(char **argv)
{
    pthread_t t;
    for (size_t i = 0; i < 10; i++)
        begin(&t, wait_for_ever, i);
    begin(&t, replace, (size_t)argv);
    pause();
}

static void after(char **argv)
{
    (void)argv;
    need(getpid() == gettid(), "the only thread");
    area = map(SHARE, PRIVATE);
    region("area", area, SHARE);
    thread_writes(area, SHARE);
    expect("writes area %d t0\n", SHARE);
    expect("events 12  thread pid=\n");
    expect("events 12  thread-exit\n");
    expect("events 1  exec pid=\n");
    expect("events 1  process pid=\n");
}

static const struct hard_case cases[] = {
    { "eight", eight },           { "sixty-four", sixty_four }, { "in-turn", in_turn },
    { "first-ends", first_ends }, { "forks", forks },           { "execs", execs },
    { ".after", after },
};

HARD_MAIN(cases)
