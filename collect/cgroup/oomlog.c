/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oomlog.h"

int oomlog_open(void)
{
    int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && lseek(fd, 0, SEEK_END) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool oomlog_parse(const char *line, const char *dir, struct fl_run_victim *out)
{
    const char *kill = strstr(line, "oom-kill:"), *name = strrchr(dir, '/');
    const char *group = kill ? strstr(kill, ",oom_memcg=") : NULL;
    const char *task_group = group ? strstr(group, ",task_memcg=") : NULL;
    const char *task = task_group ? strstr(task_group, ",task=") : NULL;
    const char *pid = NULL;
    size_t len = name ? strlen(name) : 0;
    if (!task || !len || (size_t)(task_group - group) < len ||
        strncmp(task_group - len, name, len) != 0)
        return false;
    task += strlen(",task=");
    for (const char *at = task; (at = strstr(at, ",pid=")); at++)
        pid = at; /* a name may have commas: the last one is the field */
    if (!pid)
        return false;
    snprintf(out->comm, sizeof out->comm, "%.*s", (int)(pid - task), task);
    out->pid = (pid_t)strtol(pid + strlen(",pid="), NULL, 10);
    return out->pid > 0;
}

void oomlog_take(int fd, const char *dir, struct fl_run *run)
{
    char record[8193]; /* the kernel gives one record a read */
    struct fl_run_victim victim;
    unsigned n = 0;
    ssize_t got;
    if (fd < 0)
        return;
    while ((got = read(fd, record, sizeof record - 1)) > 0 || (got < 0 && errno == EPIPE)) {
        record[got > 0 ? got : 0] = 0; /* EPIPE: older records were overwritten */
        if (!oomlog_parse(record, dir, &victim))
            continue;
        if (n < FL_RUN_VICTIMS_MAX)
            run->victims[n++] = victim;
        run->n_victims = n;
    }
    close(fd);
}
