/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * live_target - something to attach to. Prints "ready PID START HELD" and then, for each line
 * "touch N" it reads, has a thread touch N fresh pages and prints "touched N minor M major K": M and K
 * are what its /proc/self/stat counted meanwhile. "spawn N" starts and joins N more threads that
 * touch 100 pages each, "fork N" the same with processes. HELD pages at START were touched before.
 * Ends at end of file.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELD 777u
#define EACH 100u

static unsigned char *fresh(size_t pages)
{
    unsigned char *p =
        mmap(NULL, pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        exit(1);
    (void)madvise(p, pages << 12, MADV_NOHUGEPAGE);
    return p;
}

/* Between two pages that nothing may be in, so that the kernel joins it with no neighbour. */
static unsigned char *apart(size_t pages)
{
    unsigned char *p = mmap(NULL, (pages + 2) << 12, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + 4096, pages << 12, PROT_READ | PROT_WRITE) != 0)
        exit(1);
    return p + 4096;
}

static void touch(size_t pages)
{
    unsigned char *p = fresh(pages);
    for (size_t i = 0; i < pages; i++)
        p[i << 12] = 1;
}

static void *touch_each(void *unused)
{
    (void)unused;
    touch(EACH);
    return NULL;
}

static size_t to_touch; /* by the worker, which runs from the start */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void *worker(void *unused)
{
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (!to_touch)
            pthread_cond_wait(&changed, &lock);
        touch(to_touch);
        to_touch = 0;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void by_worker(size_t pages)
{
    pthread_mutex_lock(&lock);
    to_touch = pages;
    pthread_cond_broadcast(&changed);
    while (to_touch)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void by_threads(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pthread_t t;
        if (pthread_create(&t, NULL, touch_each, NULL) != 0)
            exit(1);
        pthread_join(t, NULL);
    }
}

static void by_children(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            touch(EACH);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
}

/* minflt and majflt of the process, as /proc/self/stat has them */
static void counts(unsigned long *minor, unsigned long *major)
{
    char line[1024] = "";
    FILE *f = fopen("/proc/self/stat", "r");
    if (!f || !fgets(line, sizeof line, f))
        exit(1);
    fclose(f);
    const char *rest = strrchr(line, ')');
    if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %lu %*u %lu", minor, major) != 2)
        exit(1);
}

int main(void)
{
    char what[16];
    size_t n;
    pthread_t t;
    setvbuf(stdout, NULL, _IOLBF, 0);
    unsigned char *held = apart(HELD);
    memset(held, 1, (size_t)HELD << 12);
    if (pthread_create(&t, NULL, worker, NULL) != 0)
        return 1;
    printf("ready %d %#lx %u\n", (int)getpid(), (unsigned long)(uintptr_t)held, HELD);
    while (scanf("%15s %zu", what, &n) == 2) {
        unsigned long minor, major, minor_after, major_after;
        counts(&minor, &major);
        if (strcmp(what, "touch") == 0)
            by_worker(n);
        else if (strcmp(what, "spawn") == 0)
            by_threads(n);
        else if (strcmp(what, "fork") == 0)
            by_children(n);
        counts(&minor_after, &major_after);
        printf("touched %zu minor %lu major %lu\n", n, minor_after - minor, major_after - major);
    }
    return 0;
}
