/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Killing what is in a group of ours, and nothing else. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <faultline/cgroup.h>

#include "smallfile.h"

enum { STEP_MS = 5, SEEN_MAX = 64 };

/* Is @pid still in the group whose folder is @dir? The path it reports ends as @dir does. */
static bool is_member(pid_t pid, const char *dir)
{
    char path[64];
    const char *name = strrchr(dir, '/');
    snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
    char *text = smallfile_read(path);
    bool member = false;
    size_t len = strlen(name);
    for (char *at = text; at && !member && (at = strstr(at, name)); at += len)
        member = at[len] == '\n' || !at[len];
    free(text);
    return member;
}

/* By a descriptor of the process: its number may have passed to another since it was read. */
static bool kill_member(pid_t pid, const char *dir)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool killed = fd >= 0 && is_member(pid, dir) &&
                  syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
    if (fd >= 0)
        close(fd);
    return killed;
}

/* One round. Returns how many processes the group had; -1: it is gone. */
static int kill_round(const char *dir, pid_t *seen, int *n_seen)
{
    char *text = smallfile_read_at(dir, "cgroup.procs");
    int members = text ? 0 : -1;
    for (char *save = NULL, *line = text ? strtok_r(text, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save), members++) {
        pid_t pid = (pid_t)strtol(line, NULL, 10);
        bool known = false;
        for (int i = 0; i < *n_seen && i < SEEN_MAX; i++)
            known = known || seen[i] == pid;
        if (pid <= 0 || !kill_member(pid, dir) || known)
            continue;
        if (*n_seen < SEEN_MAX)
            seen[*n_seen] = pid;
        ++*n_seen;
    }
    free(text);
    return members;
}

int fl_cgroup_kill(const char *dir, unsigned wait_ms)
{
    pid_t seen[SEEN_MAX];
    int n_seen = 0;
    for (unsigned waited_ms = 0; kill_round(dir, seen, &n_seen) > 0; waited_ms += STEP_MS) {
        if (waited_ms >= wait_ms)
            return -1;
        nanosleep(&(struct timespec){ .tv_nsec = STEP_MS * 1000000L }, NULL);
    }
    return n_seen;
}
