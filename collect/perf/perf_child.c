/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES 65536u

/* What the child needs; in the recorder's memory, which it shares until its exec. */
struct start {
    int go[2], error[2];
    struct rusage *before;
    const char *path;
    char **argv;
    const sigset_t *mask;
};

/*
 * The child before its exec. A forked one would take copy-on-write faults of ours, and they would
 * stay in the command's own getrusage for good. So it shares our memory, and our thread's errno
 * with it: bare system calls, and no C library function that has not been called before.
 */
static int run_child(void *arg)
{
    const struct start *s = arg;
    char byte;
    syscall(SYS_close, s->go[1]); /* so that the recorder's end is the only one */
    if (syscall(SYS_read, s->go[0], &byte, 1) != 1)
        return 127; /* the recorder is gone, or thinks better of it */
    sigprocmask(SIG_SETMASK, s->mask, NULL);
    syscall(SYS_getrusage, RUSAGE_SELF, s->before);
    syscall(SYS_execve, s->path, s->argv, environ);
    if (errno == ENOEXEC) /* a script without a first line for it */
        execvp(s->path, s->argv);
    int why = errno;
    return syscall(SYS_write, s->error[1], &why, sizeof why) == sizeof why ? 127 : 126;
}

static int open_pipes(int go[2], int error[2], struct fl_err *err)
{
    if (pipe2(go, O_CLOEXEC) != 0)
        return fl_fail_errno(err, "starting the command: pipe");
    if (pipe2(error, O_CLOEXEC) == 0)
        return FL_OK;
    int rc = fl_fail_errno(err, "starting the command: pipe");
    close(go[0]);
    close(go[1]);
    return rc;
}

int fl_child_spawn(struct fl_child *child, const char *path, char **argv, const sigset_t *mask,
                   struct fl_err *err)
{
    *child = (struct fl_child){ .go_fd = -1, .error_fd = -1 };
    struct start *s = calloc(1, sizeof *s);
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_POPULATE, -1, 0);
    if (!s || stack == MAP_FAILED) {
        free(s);
        return fl_nomem(err, "starting the command");
    }
    child->start = s;
    child->stack = stack;
    *s = (struct start){ .before = &child->before, .path = path, .argv = argv, .mask = mask };
    int rc = open_pipes(s->go, s->error, err);
    if (rc != FL_OK)
        return rc;
    fflush(NULL); /* what is buffered comes before the command's output */
    pid_t pid = clone(run_child, (char *)stack + STACK_BYTES, CLONE_VM | SIGCHLD, s);
    if (pid < 0)
        rc = fl_fail_errno(err, "starting the command: clone");
    close(s->go[0]);
    close(s->error[1]);
    child->go_fd = s->go[1];
    child->error_fd = s->error[0];
    child->pid = pid < 0 ? 0 : pid;
    return rc;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void reap(struct fl_child *child, int flags)
{
    pid_t got;
    do
        got = wait4(child->pid, &child->wait_status, flags, &child->usage);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return;
    child->reaped = true; /* an error means that somebody else waited for it */
    if (got < 0)
        return;
    child->usage.ru_minflt -= child->before.ru_minflt;
    child->usage.ru_majflt -= child->before.ru_majflt;
}

int fl_child_go(struct fl_child *child, int *exec_errno, struct fl_err *err)
{
    ssize_t n;
    *exec_errno = 0;
    if (write(child->go_fd, "g", 1) != 1)
        return fl_fail_errno(err, "starting the command");
    close_fd(&child->go_fd);
    do
        n = read(child->error_fd, exec_errno, sizeof *exec_errno);
    while (n < 0 && errno == EINTR);
    close_fd(&child->error_fd);
    if (n < 0)
        return fl_fail_errno(err, "starting the command");
    if (n != sizeof *exec_errno)
        *exec_errno = 0; /* closed by exec */
    else
        reap(child, 0);
    return FL_OK;
}

bool fl_child_poll(struct fl_child *child)
{
    if (!child->reaped)
        reap(child, WNOHANG);
    return child->reaped;
}

void fl_child_free(struct fl_child *child)
{
    bool waiting = child->go_fd >= 0;
    close_fd(&child->go_fd);
    close_fd(&child->error_fd);
    if (waiting && child->pid && !child->reaped)
        reap(child, 0);
    /* By now the child has a memory of its own, or is no more. */
    if (child->stack)
        munmap(child->stack, STACK_BYTES);
    free(child->start);
    child->stack = NULL;
    child->start = NULL;
}
