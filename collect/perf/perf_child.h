/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_child.h - start a command in two steps, so that its events can be opened in between.
 */
#ifndef FL_PERF_CHILD_H
#define FL_PERF_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <faultline/err.h>

struct fl_child {
    pid_t pid;            /* 0: none */
    int go_fd, error_fd;  /* -1: closed */
    struct rusage before; /* what it had used just before exec; it writes this itself */
    void *stack;          /* its own until then */
    struct start *start;
    bool reaped;
    int wait_status;     /* once reaped */
    struct rusage usage; /* its own and that of the children it waited for, since exec */
};

/**
 * fl_child_spawn - a child that waits for fl_child_go(), in our memory until its exec.
 * @path: from fl_command_find(). @mask: its signal mask after exec. These, @argv and @child stay
 * where they are until fl_child_free().
 */
int fl_child_spawn(struct fl_child *child, const char *path, char **argv, const sigset_t *mask,
                   struct fl_err *err);

/**
 * fl_child_go - let it exec, and wait until it has.
 * @exec_errno: 0, or why it could not; the child has ended then.
 */
int fl_child_go(struct fl_child *child, int *exec_errno, struct fl_err *err);

/** fl_child_poll - has it ended? Does not wait. */
bool fl_child_poll(struct fl_child *child);

/** fl_child_free - a child still waiting for its start is ended; one that runs is left alone. */
void fl_child_free(struct fl_child *child);

#endif
