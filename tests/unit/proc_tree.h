/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A made-up tree of proc, and children whose memory a test knows. Behind cmocka.h. */
#ifndef TESTS_PROC_TREE_H
#define TESTS_PROC_TREE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct tree {
    char root[64];
};

static inline void tree_make(struct tree *t)
{
    strcpy(t->root, "/tmp/fl_proc_XXXXXX");
    assert_non_null(mkdtemp(t->root));
}

static int tree_unlink(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static inline void tree_remove(struct tree *t)
{
    nftw(t->root, tree_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes @len bytes to ROOT/@name, with its folders. */
static inline void tree_bytes(const struct tree *t, const char *name, const void *bytes, size_t len)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", t->root, name);
    for (char *slash = path + strlen(t->root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static inline void tree_text(const struct tree *t, const char *text, const char *fmt, ...)
{
    char name[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    tree_bytes(t, name, text, strlen(text));
}

/* The stat line of a thread. */
static inline char *stat_line(char *buf, size_t cap, unsigned tid, const char *comm, char state,
                              unsigned ppid, unsigned flags, unsigned threads)
{
    snprintf(buf, cap,
             "%u (%s) %c %u 1 1 0 -1 %u 1234 5 67 8 9 10 11 12 20 0 %u 0 4000 483328 38 "
             "18446744073709551615 1 2 3 140723415575376 0 0 0 0 6 0 0 0 0 17 1 0 0 0 0 0\n",
             tid, comm, state, ppid, flags, threads);
    return buf;
}

static inline uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * A child that runs @body, which writes @len bytes to the descriptor it gets, then waits to be
 * killed. Returns: its pid.
 */
static inline pid_t child_start(void (*body)(int fd), void *said, size_t len)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        body(ends[1]);
        for (;;)
            pause();
    }
    close(ends[1]);
    for (size_t got = 0; got < len;) {
        ssize_t n = read(ends[0], (char *)said + got, len - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    close(ends[0]);
    return pid;
}

static inline void child_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#endif
