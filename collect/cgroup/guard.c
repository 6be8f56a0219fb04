/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smallfile.h"

enum { STEPS_MAX = 32 };

struct steps {
    atomic_uint n;
    struct {
        enum fl_undo what;
        char path[FL_GUARD_PATH_BYTES];
    } at[STEPS_MAX];
};

struct fl_guard {
    struct steps *steps; /* shared with the guard process */
    pid_t pid, owner;
    int lock_fd;
};

/* Takes the last step off and undoes it. Returns 0 or an errno. */
static int undo_last(struct steps *s)
{
    unsigned n = atomic_load(&s->n);
    int failed = undo_step(s->at[n - 1].what, s->at[n - 1].path);
    atomic_store(&s->n, n - 1);
    return failed;
}

static void close_all_but(int a, int b)
{
    int low = a < b ? a : b, high = a < b ? b : a;
    if (low > 0)
        close_range(0, (unsigned)low - 1, 0);
    if (high > low + 1)
        close_range((unsigned)low + 1, (unsigned)high - 1, 0);
    close_range((unsigned)high + 1, ~0u, 0);
}

/* The guard process: sleeps until its owner is gone, then undoes what that left. */
static void watch(struct steps *s, int owner_fd, int lock_fd)
{
    static const int ignored[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE };
    struct pollfd p = { .fd = owner_fd, .events = POLLIN };
    setsid();
    prctl(PR_SET_NAME, "faultline-guard");
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    close_all_but(owner_fd, lock_fd);
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    while (atomic_load(&s->n) > 0)
        undo_last(s);
}

static int take_lock(int *fd, struct fl_err *err)
{
    static const char *const paths[] = { "/run/lock/faultline.lock", "/tmp/faultline.lock" };
    *fd = -1;
    for (size_t i = 0; i < 2 && *fd < 0; i++)
        *fd = open(paths[i], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return fl_fail(err, FL_EMACHINE, "cannot open %s: %s; run as root", paths[0],
                       strerror(errno));
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return FL_OK;
    int why = errno;
    close(*fd);
    if (why == EWOULDBLOCK)
        return fl_fail(err, FL_EMACHINE,
                       "another validate runs on this machine; wait until it has ended");
    return fl_fail(err, FL_EIO, "cannot lock: %s", strerror(why));
}

static int start(struct fl_guard *g, struct fl_err *err)
{
    g->steps =
        mmap(NULL, sizeof *g->steps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (g->steps == MAP_FAILED) {
        g->steps = NULL;
        return fl_nomem(err, "guard");
    }
    g->owner = getpid();
    int owner_fd = (int)syscall(SYS_pidfd_open, g->owner, 0);
    if (owner_fd < 0)
        return fl_fail(err, FL_EMACHINE, "cannot watch a process: %s; needs Linux 5.3 or later",
                       strerror(errno));
    g->pid = fork();
    if (g->pid == 0) {
        watch(g->steps, owner_fd, g->lock_fd);
        _exit(0);
    }
    int rc = g->pid < 0 ? fl_fail_errno(err, "cannot start a process") : FL_OK;
    close(owner_fd);
    return rc;
}

int fl_guard_start(struct fl_guard **out, struct fl_err *err)
{
    struct fl_guard *g = calloc(1, sizeof *g);
    *out = NULL;
    if (!g)
        return fl_nomem(err, "guard");
    g->pid = -1;
    int rc = take_lock(&g->lock_fd, err);
    if (rc != FL_OK) {
        free(g);
        return rc;
    }
    rc = start(g, err);
    if (rc != FL_OK) {
        fl_guard_end(g, NULL);
        return rc;
    }
    *out = g;
    return FL_OK;
}

int fl_guard_add(struct fl_guard *g, enum fl_undo what, const char *path, struct fl_err *err)
{
    unsigned n = atomic_load(&g->steps->n);
    if (n == STEPS_MAX || strlen(path) >= FL_GUARD_PATH_BYTES)
        return fl_fail(err, FL_EINTERNAL, "%s: cannot be guarded", path);
    g->steps->at[n].what = what;
    strcpy(g->steps->at[n].path, path);
    atomic_store(&g->steps->n, n + 1);
    return FL_OK;
}

unsigned fl_guard_mark(const struct fl_guard *g)
{
    return atomic_load(&g->steps->n);
}

int fl_guard_undo(struct fl_guard *g, unsigned mark, struct fl_err *err)
{
    int rc = FL_OK;
    for (unsigned n; (n = atomic_load(&g->steps->n)) > mark;) {
        int failed = undo_last(g->steps);
        if (failed && rc == FL_OK)
            rc = fl_fail(err, FL_EIO, "%s is left behind: %s", g->steps->at[n - 1].path,
                         strerror(failed));
    }
    return rc;
}

int fl_guard_end(struct fl_guard *g, struct fl_err *err)
{
    if (!g)
        return FL_OK;
    int rc = g->steps ? fl_guard_undo(g, 0, err) : FL_OK;
    if (g->pid > 0) {
        kill(g->pid, SIGKILL);
        while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (g->steps)
        munmap(g->steps, sizeof *g->steps);
    close(g->lock_fd);
    free(g);
    return rc;
}
